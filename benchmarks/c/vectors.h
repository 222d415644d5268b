/* What the C files of the reference share: registers of chains, their generators, normals, exponentials, logarithms.

   Structure of arrays over chains: a block of 64 chains keeps positions x[dim][64], generator words s[4][64] and
   energies in the first-level cache. Every lane has its own xoshiro256++ (Blackman and Vigna 2021,
   doi:10.1145/3460772); normals come in pairs by Box and Muller (1958, doi:10.1214/aoms/1177706645).

   Transitions exist in two variants of the same work:
   _polynomial  one register of chains at a time through the whole transition, so that proposal, energy and generator
                stay in registers; exponential, logarithm, sine and cosine are polynomials (coefficients: FreeBSD msun,
                e_log.c, k_sin.c and k_cos.c; the exponential's by Chebyshev interpolation).
   _libmvec     plain loops over the block, one pass after the other, with the vector functions of glibc.

   dim must be even where there are normals. Compile with -O3 -march=native -ffast-math. */

#ifndef VECTORS_H
#define VECTORS_H

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

static inline void fill_normals(double (*out)[BLOCK], uint64_t (*s)[BLOCK], long n_rows)
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

#endif
