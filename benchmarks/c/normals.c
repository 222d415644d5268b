/* Standard normals, into out (n_rows, 64), n_rows even. */

#include "vectors.h"

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

void normals_libmvec(double *out, uint64_t *streams, long n_rows, long n_repeats)
{
    for (long repeat = 0; repeat < n_repeats; repeat++)
        fill_normals((void *)out, (void *)streams, n_rows);
}
