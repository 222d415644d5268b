/* The gradient of Rosenbrock's valley, E(x) = sum_i 5 (x_{i+1} - x_i^2)^2 + (1 - x_i)^2, derived by hand.

   positions and out are (n_blocks, dim, 64). One block is in a function of its own that is never inlined, since gcc
   would find out that repeating it is idle; its columns go through one register at a time, or, where registers are
   fewer than numbers in flight, through plain loops over the block: the caller measures both. */

#include "vectors.h"

static __attribute__((noipa)) void rosenbrock_register(const double (*x)[BLOCK], double (*g)[BLOCK], long dim)
{
    for (int lane = 0; lane < BLOCK; lane += LANES) {
        reals here, next, slope, from_before = {0.0};
        LOAD(here, &x[0][lane]);
        for (long i = 0; i + 1 < dim; i++) {
            LOAD(next, &x[i + 1][lane]);
            reals away = 10.0 * (next - here * here);
            slope = from_before - 2.0 * (here * away) - 2.0 * (1.0 - here);
            STORE(&g[i][lane], slope);
            from_before = away;
            here = next;
        }
        STORE(&g[dim - 1][lane], from_before);
    }
}

static __attribute__((noipa)) void rosenbrock_block(const double (*restrict x)[BLOCK], double (*restrict g)[BLOCK],
                                                    long dim)
{
    for (int l = 0; l < BLOCK; l++)
        g[0][l] = 0.0;
    for (long i = 0; i + 1 < dim; i++)
        for (int l = 0; l < BLOCK; l++) {
            double away = 10.0 * (x[i + 1][l] - x[i][l] * x[i][l]);
            g[i][l] -= 2.0 * x[i][l] * away + 2.0 * (1.0 - x[i][l]);
            g[i + 1][l] = away;
        }
}

#define ROSENBROCK(VARIANT)                                                                                \
    void rosenbrock_grad_##VARIANT(const double *positions, double *out, long dim, long n_blocks, long n_repeats) \
    {                                                                                                      \
        for (long repeat = 0; repeat < n_repeats; repeat++)                                                \
            for (long block = 0; block < n_blocks; block++)                                                \
                rosenbrock_##VARIANT((const void *)(positions + block * dim * BLOCK),                      \
                                     (void *)(out + block * dim * BLOCK), dim);                            \
    }

ROSENBROCK(register)
ROSENBROCK(block)
