/* Elementary functions of n numbers, each a plain loop over libmvec.

   sincos fills out (2, n) in two loops: in one, gcc merges sine and cosine to a call of the scalar sincos. The loops
   stand in functions of their own that are never inlined, since gcc would find out that repeating them is idle. */

#include <math.h>

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
