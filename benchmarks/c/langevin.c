/* The Metropolis-adjusted Langevin algorithm on E(x) = 0.5 sum_i precision_i (x_i - mean_i)^2.

   Proposals y = x - eps dE/dx + sqrt(2 eps) normal. The gradient at x is computed anew in every transition: for this
   energy that is cheaper than to store and choose it.
   positions (n_blocks, dim, 64), streams (n_blocks, 4, 64) and accepted (n_blocks, 64) change in place. */

#include "vectors.h"

static void transitions_polynomial(double (*x)[BLOCK], uint64_t (*s)[BLOCK], const double *mean,
                                   const double *precision, double eps, long dim, int64_t *accepted)
{
    const double step = sqrt(2.0 * eps);
    for (int lane = 0; lane < BLOCK; lane += LANES) {
        generators generator = load_generators(s, lane);
        reals y[dim], log_ratio = {0.0};
        masks count;
        for (long i = 0; i < dim; i += 2) {
            reals normals[2];
            normal_pair(&generator, &normals[0], &normals[1]);
            for (long k = i; k < i + 2; k++) {
                reals here;
                LOAD(here, &x[k][lane]);
                reals away = here - mean[k], g = precision[k] * away;
                y[k] = here - eps * g + step * normals[k - i];
                reals away_y = y[k] - mean[k], g_y = precision[k] * away_y, middle = 0.5 * (g + g_y);
                log_ratio += 0.5 * (away * g - away_y * g_y) + middle * (y[k] - here + eps * (g - middle));
            }
        }
        reals log_u = logarithm(uniform_of(next_words(&generator)));
        store_generators(s, lane, generator);
        LOAD(count, &accepted[lane]);
        masks accept = log_u < log_ratio;
        count -= accept;
        STORE(&accepted[lane], count);
        for (long i = 0; i < dim; i++) {
            reals here;
            LOAD(here, &x[i][lane]);
            here = choose(accept, y[i], here);
            STORE(&x[i][lane], here);
        }
    }
}

static void transitions_libmvec(double (*x)[BLOCK], uint64_t (*s)[BLOCK], const double *mean, const double *precision,
                                double eps, long dim, int64_t *accepted)
{
    const double step = sqrt(2.0 * eps);
    double y[dim][BLOCK], log_ratio[BLOCK], log_u[BLOCK];
    int64_t accept[BLOCK];
    fill_normals(y, s, dim);
    for (int l = 0; l < BLOCK; l++)
        log_ratio[l] = 0.0;
    for (long i = 0; i < dim; i++)
        for (int l = 0; l < BLOCK; l++) {
            double away = x[i][l] - mean[i], g = precision[i] * away;
            y[i][l] = x[i][l] - eps * g + step * y[i][l];
            double away_y = y[i][l] - mean[i], g_y = precision[i] * away_y, middle = 0.5 * (g + g_y);
            log_ratio[l] += 0.5 * (away * g - away_y * g_y) + middle * (y[i][l] - x[i][l] + eps * (g - middle));
        }
    for (int l = 0; l < BLOCK; l++)
        log_u[l] = next_uniform(s, l);
    for (int l = 0; l < BLOCK; l++)
        log_u[l] = log(log_u[l]);
    for (int l = 0; l < BLOCK; l++) {
        accept[l] = log_u[l] < log_ratio[l];
        accepted[l] += accept[l];
    }
    for (long i = 0; i < dim; i++)
        for (int l = 0; l < BLOCK; l++)
            x[i][l] = accept[l] ? y[i][l] : x[i][l];
}

#define LANGEVIN(VARIANT)                                                                                         \
    void langevin_##VARIANT(double *positions, uint64_t *streams, const double *mean, const double *precision,    \
                            double eps, long dim, long n_blocks, long n_steps, int64_t *accepted)                 \
    {                                                                                                             \
        for (long block = 0; block < n_blocks; block++) {                                                         \
            double(*x)[BLOCK] = (void *)(positions + block * dim * BLOCK);                                        \
            uint64_t(*s)[BLOCK] = (void *)(streams + block * 4 * BLOCK);                                          \
            for (long t = 0; t < n_steps; t++)                                                                    \
                transitions_##VARIANT(x, s, mean, precision, eps, dim, accepted + block * BLOCK);                 \
        }                                                                                                         \
    }

LANGEVIN(polynomial)
LANGEVIN(libmvec)
