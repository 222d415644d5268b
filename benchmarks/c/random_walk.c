/* Random-walk Metropolis on a Gaussian and on a mixture, as fast as this compiler makes it. */

#include "vectors.h"

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
