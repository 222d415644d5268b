/* The reference: random-walk Metropolis on a Gaussian and on a mixture, standard normals and elementary functions, as
   fast as this compiler makes them.

   Structure of arrays over chains: a block of 64 chains keeps positions x[dim][64], generator words s[4][64] and
   energies in the first-level cache. Every lane has its own xoshiro256++ (Blackman and Vigna 2021,
   doi:10.1145/3460772); normals come in pairs by Box and Muller (1958, doi:10.1214/aoms/1177706645).

   Two variants of the same work:
   _polynomial  one register of chains at a time through the whole transition, so that proposal, energy and generator
                stay in registers; exponential, logarithm, sine and cosine are polynomials (coefficients: FreeBSD msun,
                e_log.c, k_sin.c and k_cos.c; the exponential's by Chebyshev interpolation).
   _libmvec     plain loops over the block, one pass after the other, with the vector functions of glibc.

   dim must be even. Compile with -O3 -march=native -ffast-math. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 64
#define TAU 6.283185307179586

#if defined(__AVX512F__)
#define LANES 8
#elif defined(__AVX__)
#define LANES 4
#else
#define LANES 2
#endif

typedef double reals __attribute__((vector_size(8 * LANES)));
typedef uint64_t words __attribute__((vector_size(8 * LANES)));
typedef int64_t masks __attribute__((vector_size(8 * LANES)));

#define LOAD(register, place) memcpy(&(register), (place), sizeof(register))
#define STORE(place, register) memcpy((place), &(register), sizeof(register))
#define ROTATE(word, n) (((word) << (n)) | ((word) >> (64 - (n))))

/* One step of xoshiro256++ on four words a, b, c, d, scalars or registers alike. */
#define ADVANCE(a, b, c, d, result)            \
    do {                                       \
        (result) = ROTATE((a) + (d), 23) + (a); \
        __typeof__(a) shifted = (b) << 17;     \
        (c) ^= (a);                            \
        (d) ^= (b);                            \
        (b) ^= (c);                            \
        (a) ^= (d);                            \
        (c) ^= shifted;                        \
        (d) = ROTATE((d), 45);                 \
    } while (0)

/* ---- one register of lanes at a time, polynomials ---- */

#define INLINE static inline __attribute__((always_inline))

typedef struct {
    words a, b, c, d;
} generators;

INLINE generators load_generators(uint64_t (*s)[BLOCK], int lane)
{
    generators g;
    LOAD(g.a, &s[0][lane]);
    LOAD(g.b, &s[1][lane]);
    LOAD(g.c, &s[2][lane]);
    LOAD(g.d, &s[3][lane]);
    return g;
}

INLINE void store_generators(uint64_t (*s)[BLOCK], int lane, generators g)
{
    STORE(&s[0][lane], g.a);
    STORE(&s[1][lane], g.b);
    STORE(&s[2][lane], g.c);
    STORE(&s[3][lane], g.d);
}

INLINE words next_words(generators *g)
{
    words result;
    ADVANCE(g->a, g->b, g->c, g->d, result);
    return result;
}

INLINE reals choose(masks where, reals yes, reals no)
{
    return (reals)(((masks)yes & where) | ((masks)no & ~where));
}

INLINE reals square_root(reals x)
{
    reals root;
    for (int l = 0; l < LANES; l++)
        root[l] = sqrt(x[l]);
    return root;
}

/* Odd multiples of 2^-53, inside (0, 1). */
INLINE reals uniform_of(words w)
{
    return (reals)((w >> 12) | 0x3FF0000000000000ull) - (1.0 - 0x1p-53);
}

/* x = 2^k m with m in [sqrt(1/2), sqrt(2)), for positive normal numbers; k becomes a double through the mantissa of
   2^52 + k, since AVX2 cannot convert 64-bit integers. */
INLINE reals logarithm(reals x)
{
    const uint64_t lowest = 0x3FE6A09E667F3BCDull;
    words shifted = (words)x + (0x3FF0000000000000ull - lowest);
    reals k = (reals)((shifted >> 52) | 0x4330000000000000ull) - (0x1p52 + 1023.0);
    reals f = (reals)((shifted & 0x000FFFFFFFFFFFFFull) + lowest) - 1.0;
    reals s = f / (2.0 + f);
    reals z = s * s;
    reals w = z * z;
    reals even = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332));
    reals odd = z * (0.6666666666666735130 + w * (0.2857142874366239149 + w * (0.1818357216161805012
                + w * 0.1479819860511658591)));
    reals half_square = 0.5 * f * f;
    return k * 0.6931471805599453 - (half_square - s * (half_square + odd + even) - f);
}

/* For x from -708 to 709: x = k log 2 + r, exp r by a polynomial, 2^k through the exponent's bits. */
INLINE reals exponential(reals x)
{
    reals shifted = x * 1.4426950408889634 + 0x1.8p52;
    reals k = shifted - 0x1.8p52;
    reals r = x - k * 6.93147180369123816490e-01 - k * 1.90821492927058770002e-10;
    reals p = 0.5 + r * (0.16666666666666669 + r * (0.04166666666662413 + r * (0.008333333333330062
              + r * (0.0013888888917213717 + r * (0.00019841269863053618 + r * (2.4801521295954376e-05
              + r * (2.7557268459997064e-06 + r * (2.7620088445409746e-07 + r * 2.510038549551032e-08))))))));
    p = 1.0 + (r + r * r * p);
    return (reals)((words)p + ((words)shifted << 52));
}

/* A direction from one word: its high bits an angle within an eighth of a turn of the axis, its two low bits the sign
   of the cosine and an exchange, which together reach the whole circle. */
INLINE void normal_pair(generators *g, reals *first, reals *second)
{
    reals radius = square_root(-2.0 * logarithm(uniform_of(next_words(g))));
    words w = next_words(g);
    reals y = ((reals)((w >> 12) | 0x3FF0000000000000ull) - 1.5) * (TAU / 4.0);
    reals z = y * y;
    reals sine = y * (1.0 + z * (-1.66666666666666324348e-01 + z * (8.33333333332248946124e-03
                 + z * (-1.98412698298579493134e-04 + z * (2.75573137070700676789e-06
                 + z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10))))));
    reals cosine = 1.0 + z * (-0.5 + z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03
                   + z * (2.48015872894767294178e-05 + z * (-2.75573143513906633035e-07
                   + z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11))))));
    cosine = (reals)((words)cosine ^ (w << 63));
    masks exchange = (masks)(w << 62) < 0;
    *first = radius * choose(exchange, sine, cosine);
    *second = radius * choose(exchange, cosine, sine);
}

void normals_polynomial(double *out, uint64_t *streams, long n_rows, long n_repeats)
{
    uint64_t(*s)[BLOCK] = (void *)streams;
    for (long repeat = 0; repeat < n_repeats; repeat++)
        for (int lane = 0; lane < BLOCK; lane += LANES) {
            generators g = load_generators(s, lane);
            for (long i = 0; i < n_rows; i += 2) {
                reals first, second;
                normal_pair(&g, &first, &second);
                STORE(out + i * BLOCK + lane, first);
                STORE(out + (i + 1) * BLOCK + lane, second);
            }
            store_generators(s, lane, g);
        }
}

/* ---- plain loops over the block, libmvec ---- */

static inline double next_uniform(uint64_t (*s)[BLOCK], int l)
{
    uint64_t w;
    double u;
    ADVANCE(s[0][l], s[1][l], s[2][l], s[3][l], w);
    w = (w >> 12) | 0x3FF0000000000000ull;
    LOAD(u, &w);
    return u - (1.0 - 0x1p-53);
}

static void fill_normals(double (*out)[BLOCK], uint64_t (*s)[BLOCK], long n_rows)
{
    double radius[BLOCK], angle[BLOCK];
    for (long i = 0; i < n_rows; i += 2) {
        for (int l = 0; l < BLOCK; l++) {
            radius[l] = next_uniform(s, l);
            angle[l] = TAU * next_uniform(s, l);
        }
        for (int l = 0; l < BLOCK; l++)
            radius[l] = sqrt(-2.0 * log(radius[l]));
        for (int l = 0; l < BLOCK; l++)
            out[i][l] = radius[l] * sin(angle[l]);
        for (int l = 0; l < BLOCK; l++)
            out[i + 1][l] = radius[l] * cos(angle[l]);
    }
}

void normals_libmvec(double *out, uint64_t *streams, long n_rows, long n_repeats)
{
    for (long repeat = 0; repeat < n_repeats; repeat++)
        fill_normals((void *)out, (void *)streams, n_rows);
}

/* ---- random-walk Metropolis on E(x) = 0.5 sum_i precision_i (x_i - mean_i)^2 ----

   positions (n_blocks, dim, 64), streams (n_blocks, 4, 64) and accepted (n_blocks, 64) change in place. */

static void energies(const double (*x)[BLOCK], const double *mean, const double *precision, long dim, double *out)
{
    for (int l = 0; l < BLOCK; l++)
        out[l] = 0.0;
    for (long i = 0; i < dim; i++)
        for (int l = 0; l < BLOCK; l++)
            out[l] += 0.5 * precision[i] * (x[i][l] - mean[i]) * (x[i][l] - mean[i]);
}

static void transitions_polynomial(double (*x)[BLOCK], uint64_t (*s)[BLOCK], const double *mean,
                                   const double *half_precision, double step, long dim, double *e, int64_t *accepted)
{
    for (int lane = 0; lane < BLOCK; lane += LANES) {
        generators g = load_generators(s, lane);
        reals y[dim], now, there = {0.0};
        masks count;
        for (long i = 0; i < dim; i += 2) {
            reals first, second;
            normal_pair(&g, &first, &second);
            LOAD(y[i], &x[i][lane]);
            LOAD(y[i + 1], &x[i + 1][lane]);
            y[i] += step * first;
            y[i + 1] += step * second;
            first = y[i] - mean[i];
            second = y[i + 1] - mean[i + 1];
            there += half_precision[i] * first * first;
            there += half_precision[i + 1] * second * second;
        }
        reals log_u = logarithm(uniform_of(next_words(&g)));
        store_generators(s, lane, g);
        LOAD(now, &e[lane]);
        LOAD(count, &accepted[lane]);
        masks accept = log_u < now - there;
        now = choose(accept, there, now);
        count -= accept;
        STORE(&e[lane], now);
        STORE(&accepted[lane], count);
        for (long i = 0; i < dim; i++) {
            reals here;
            LOAD(here, &x[i][lane]);
            here = choose(accept, y[i], here);
            STORE(&x[i][lane], here);
        }
    }
}

static void transitions_libmvec(double (*x)[BLOCK], uint64_t (*s)[BLOCK], const double *mean,
                                const double *half_precision, double step, long dim, double *e, int64_t *accepted)
{
    double y[dim][BLOCK], there[BLOCK], log_u[BLOCK];
    int64_t accept[BLOCK];
    fill_normals(y, s, dim);
    for (int l = 0; l < BLOCK; l++)
        there[l] = 0.0;
    for (long i = 0; i < dim; i++)
        for (int l = 0; l < BLOCK; l++) {
            y[i][l] = x[i][l] + step * y[i][l];
            there[l] += half_precision[i] * (y[i][l] - mean[i]) * (y[i][l] - mean[i]);
        }
    for (int l = 0; l < BLOCK; l++)
        log_u[l] = next_uniform(s, l);
    for (int l = 0; l < BLOCK; l++)
        log_u[l] = log(log_u[l]);
    for (int l = 0; l < BLOCK; l++) {
        accept[l] = log_u[l] < e[l] - there[l];
        accepted[l] += accept[l];
        e[l] = accept[l] ? there[l] : e[l];
    }
    for (long i = 0; i < dim; i++)
        for (int l = 0; l < BLOCK; l++)
            x[i][l] = accept[l] ? y[i][l] : x[i][l];
}

#define RANDOM_WALK(VARIANT)                                                                                      \
    void random_walk_##VARIANT(double *positions, uint64_t *streams, const double *mean, const double *precision, \
                               double step, long dim, long n_blocks, long n_steps, int64_t *accepted)             \
    {                                                                                                             \
        double half_precision[dim];                                                                               \
        double e[BLOCK] __attribute__((aligned(64)));                                                             \
        for (long i = 0; i < dim; i++)                                                                            \
            half_precision[i] = 0.5 * precision[i];                                                               \
        for (long block = 0; block < n_blocks; block++) {                                                         \
            double(*x)[BLOCK] = (void *)(positions + block * dim * BLOCK);                                        \
            uint64_t(*s)[BLOCK] = (void *)(streams + block * 4 * BLOCK);                                          \
            energies((const void *)x, mean, precision, dim, e);                                                   \
            for (long t = 0; t < n_steps; t++)                                                                    \
                transitions_##VARIANT(x, s, mean, half_precision, step, dim, e, accepted + block * BLOCK);        \
        }                                                                                                         \
    }

RANDOM_WALK(polynomial)
RANDOM_WALK(libmvec)

/* ---- the same on E(x) = -log sum_k exp(-0.5 |x - centre_k|^2) in two dimensions; centres (n, 2) ---- */

INLINE reals mixture_energy(reals first, reals second, const double *centres, long n)
{
    reals sum = {0.0};
    for (long k = 0; k < n; k++) {
        reals a = first - centres[2 * k], b = second - centres[2 * k + 1];
        sum += exponential(-0.5 * (a * a + b * b));
    }
    return -logarithm(sum);
}

static void mixture_energies(double (*x)[BLOCK], const double *centres, long n, double *out)
{
    double sum[BLOCK] __attribute__((aligned(64)));
    for (int l = 0; l < BLOCK; l++)
        sum[l] = 0.0;
    for (long k = 0; k < n; k++)
        for (int l = 0; l < BLOCK; l++) {
            double a = x[0][l] - centres[2 * k], b = x[1][l] - centres[2 * k + 1];
            sum[l] += exp(-0.5 * (a * a + b * b));
        }
    for (int l = 0; l < BLOCK; l++)
        out[l] = -log(sum[l]);
}

static void mixture_transitions_polynomial(double (*x)[BLOCK], uint64_t (*s)[BLOCK], const double *centres, long n,
                                           double step, double *e, int64_t *accepted)
{
    for (int lane = 0; lane < BLOCK; lane += LANES) {
        generators g = load_generators(s, lane);
        reals first, second, a, b, now;
        masks count;
        normal_pair(&g, &first, &second);
        reals log_u = logarithm(uniform_of(next_words(&g)));
        store_generators(s, lane, g);
        LOAD(a, &x[0][lane]);
        LOAD(b, &x[1][lane]);
        first = a + step * first;
        second = b + step * second;
        reals there = mixture_energy(first, second, centres, n);
        LOAD(now, &e[lane]);
        LOAD(count, &accepted[lane]);
        masks accept = log_u < now - there;
        now = choose(accept, there, now);
        a = choose(accept, first, a);
        b = choose(accept, second, b);
        count -= accept;
        STORE(&e[lane], now);
        STORE(&x[0][lane], a);
        STORE(&x[1][lane], b);
        STORE(&accepted[lane], count);
    }
}

static void mixture_transitions_libmvec(double (*x)[BLOCK], uint64_t (*s)[BLOCK], const double *centres, long n,
                                        double step, double *e, int64_t *accepted)
{
    double y[2][BLOCK], there[BLOCK], log_u[BLOCK];
    int64_t accept[BLOCK];
    fill_normals(y, s, 2);
    for (int i = 0; i < 2; i++)
        for (int l = 0; l < BLOCK; l++)
            y[i][l] = x[i][l] + step * y[i][l];
    mixture_energies(y, centres, n, there);
    for (int l = 0; l < BLOCK; l++)
        log_u[l] = next_uniform(s, l);
    for (int l = 0; l < BLOCK; l++)
        log_u[l] = log(log_u[l]);
    for (int l = 0; l < BLOCK; l++) {
        accept[l] = log_u[l] < e[l] - there[l];
        accepted[l] += accept[l];
        e[l] = accept[l] ? there[l] : e[l];
    }
    for (int i = 0; i < 2; i++)
        for (int l = 0; l < BLOCK; l++)
            x[i][l] = accept[l] ? y[i][l] : x[i][l];
}

#define MIXTURE_WALK(VARIANT)                                                                                     \
    void mixture_walk_##VARIANT(double *positions, uint64_t *streams, const double *centres, double step, long n, \
                                long n_blocks, long n_steps, int64_t *accepted)                                   \
    {                                                                                                             \
        double e[BLOCK] __attribute__((aligned(64)));                                                             \
        for (long block = 0; block < n_blocks; block++) {                                                         \
            double(*x)[BLOCK] = (void *)(positions + block * 2 * BLOCK);                                          \
            uint64_t(*s)[BLOCK] = (void *)(streams + block * 4 * BLOCK);                                          \
            mixture_energies(x, centres, n, e);                                                                   \
            for (long t = 0; t < n_steps; t++)                                                                    \
                mixture_transitions_##VARIANT(x, s, centres, n, step, e, accepted + block * BLOCK);               \
        }                                                                                                         \
    }

MIXTURE_WALK(polynomial)
MIXTURE_WALK(libmvec)

/* ---- elementary functions of n numbers, each a plain loop over libmvec ----

   sincos fills out (2, n) in two loops: in one, gcc merges sine and cosine to a call of the scalar sincos. The loops
   stand in functions of their own that are never inlined, since gcc would find out that repeating them is idle. */

#define REPEATED(NAME)                                                              \
    void NAME##_libmvec(const double *x, double *out, long n, long n_repeats)       \
    {                                                                               \
        for (long repeat = 0; repeat < n_repeats; repeat++)                         \
            NAME##_once(x, out, n);                                                 \
    }

#define ELEMENTWISE(NAME)                                                           \
    static __attribute__((noipa)) void NAME##_once(const double *restrict x, double *restrict out, long n) \
    {                                                                               \
        for (long l = 0; l < n; l++)                                                \
            out[l] = NAME(x[l]);                                                    \
    }                                                                               \
    REPEATED(NAME)

ELEMENTWISE(exp)
ELEMENTWISE(log)
ELEMENTWISE(tanh)
ELEMENTWISE(erf)

static __attribute__((noipa)) void sincos_once(const double *restrict x, double *restrict out, long n)
{
    for (long l = 0; l < n; l++)
        out[l] = sin(x[l]);
    for (long l = 0; l < n; l++)
        out[n + l] = cos(x[l]);
}

REPEATED(sincos)
