/* Hamiltonian Monte Carlo on E(x) = 0.5 sum_i precision_i (x_i - mean_i)^2, with a unit mass matrix.

   A transition draws velocities, takes n_leapfrog steps and accepts with the change of the total energy. The gradient,
   the kick and the drift of a coordinate are one pass: for this energy a gradient that is computed anew is cheaper than
   one that is stored.
   positions (n_blocks, dim, 64), streams (n_blocks, 4, 64) and accepted (n_blocks, 64) change in place. */

#include "vectors.h"

#define WIDE 2 /* registers of chains side by side, whose work overlaps */

static void transitions_polynomial(double (*x)[BLOCK], uint64_t (*s)[BLOCK], const double *mean,
                                   const double *precision, double eps, long n_leapfrog, long dim, int64_t *accepted)
{
    for (int lane = 0; lane < BLOCK; lane += WIDE * LANES) {
        reals y[dim][WIDE], v[dim][WIDE], log_ratio[WIDE], log_u[WIDE];
        for (int w = 0; w < WIDE; w++) {
            int here = lane + w * LANES;
            generators generator = load_generators(s, here);
            reals total = {0.0};
            for (long i = 0; i < dim; i += 2) {
                reals normals[2];
                normal_pair(&generator, &normals[0], &normals[1]);
                for (long k = i; k < i + 2; k++) {
                    LOAD(y[k][w], &x[k][here]);
                    reals away = y[k][w] - mean[k], speed = normals[k - i], g = precision[k] * away;
                    total += away * g + speed * speed;
                    v[k][w] = speed - 0.5 * eps * g;
                    y[k][w] += eps * v[k][w];
                }
            }
            log_u[w] = logarithm(uniform_of(next_words(&generator)));
            log_ratio[w] = 0.5 * total;
            store_generators(s, here, generator);
        }
        for (long t = 1; t < n_leapfrog; t++)
            for (long i = 0; i < dim; i++) {
                double centre = mean[i], kick = eps * precision[i];
                for (int w = 0; w < WIDE; w++) {
                    v[i][w] -= kick * (y[i][w] - centre);
                    y[i][w] += eps * v[i][w];
                }
            }
        for (int w = 0; w < WIDE; w++) {
            int here = lane + w * LANES;
            reals total = {0.0};
            masks count;
            for (long i = 0; i < dim; i++) {
                reals away = y[i][w] - mean[i], g = precision[i] * away, speed = v[i][w] - 0.5 * eps * g;
                total += away * g + speed * speed;
            }
            masks accept = log_u[w] < log_ratio[w] - 0.5 * total;
            LOAD(count, &accepted[here]);
            count -= accept;
            STORE(&accepted[here], count);
            for (long i = 0; i < dim; i++) {
                reals before;
                LOAD(before, &x[i][here]);
                before = choose(accept, y[i][w], before);
                STORE(&x[i][here], before);
            }
        }
    }
}

static void transitions_libmvec(double (*x)[BLOCK], uint64_t (*s)[BLOCK], const double *mean, const double *precision,
                                double eps, long n_leapfrog, long dim, int64_t *accepted)
{
    double y[dim][BLOCK], v[dim][BLOCK], log_ratio[BLOCK], log_u[BLOCK];
    int64_t accept[BLOCK];
    fill_normals(v, s, dim);
    for (int l = 0; l < BLOCK; l++)
        log_ratio[l] = 0.0;
    for (long i = 0; i < dim; i++)
        for (int l = 0; l < BLOCK; l++) {
            double away = x[i][l] - mean[i], g = precision[i] * away;
            log_ratio[l] += 0.5 * (away * g + v[i][l] * v[i][l]);
            v[i][l] -= 0.5 * eps * g;
            y[i][l] = x[i][l] + eps * v[i][l];
        }
    for (long t = 1; t < n_leapfrog; t++)
        for (long i = 0; i < dim; i++)
            for (int l = 0; l < BLOCK; l++) {
                v[i][l] -= eps * precision[i] * (y[i][l] - mean[i]);
                y[i][l] += eps * v[i][l];
            }
    for (long i = 0; i < dim; i++)
        for (int l = 0; l < BLOCK; l++) {
            double away = y[i][l] - mean[i], g = precision[i] * away, speed = v[i][l] - 0.5 * eps * g;
            log_ratio[l] -= 0.5 * (away * g + speed * speed);
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

#define HMC(VARIANT)                                                                                              \
    void hmc_##VARIANT(double *positions, uint64_t *streams, const double *mean, const double *precision, double eps, \
                       long n_leapfrog, long dim, long n_blocks, long n_steps, int64_t *accepted)                 \
    {                                                                                                             \
        for (long block = 0; block < n_blocks; block++) {                                                         \
            double(*x)[BLOCK] = (void *)(positions + block * dim * BLOCK);                                        \
            uint64_t(*s)[BLOCK] = (void *)(streams + block * 4 * BLOCK);                                          \
            for (long t = 0; t < n_steps; t++)                                                                    \
                transitions_##VARIANT(x, s, mean, precision, eps, n_leapfrog, dim, accepted + block * BLOCK);     \
        }                                                                                                         \
    }

HMC(polynomial)
HMC(libmvec)
