/* SPDX-License-Identifier: Apache-2.0 */
#include "core/random.h"

#include <math.h>

static uint64_t splitmix(uint64_t *x) {
    uint64_t z = (*x += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void nz_random_init(nz_random *random, uint64_t seed, uint64_t stream) {
    uint64_t x = seed;
    x = splitmix(&x) ^ (stream * 0xd1342543de82ef95u + 1);
    for (int i = 0; i < 4; i++) random->state[i] = splitmix(&x);
}

static uint64_t rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

uint64_t nz_random_u64(nz_random *random) {
    uint64_t *s = random->state, result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t nz_random_below(nz_random *random, uint64_t bound) {
    uint64_t threshold = (0 - bound) % bound, x;
    do {
        x = nz_random_u64(random);
    } while (x < threshold);
    return x % bound;
}

double nz_random_unit(nz_random *random) { return (double)(nz_random_u64(random) >> 11) * 0x1p-53; }

/* By +, -, * and / alone: twice the area tangent of (m - 1) / (m + 1) for the mantissa, as a series, and ln 2 for each power of two. */
double nz_random_log(double x) {
    int power;
    double m = frexp(x, &power); /* exact */
    if (m < 0.70710678118654752) {
        m *= 2;
        power--;
    }
    double t = (m - 1) / (m + 1), square = t * t, sum = 0;
    for (int k = 15; k >= 1; k -= 2) sum = sum * square + 1.0 / k;
    return 2 * t * sum + power * 0.69314718055994531;
}

/* Marsaglia's polar method. */
float nz_random_normal(nz_random *random) {
    double u, v, s;
    do {
        u = 2 * nz_random_unit(random) - 1;
        v = 2 * nz_random_unit(random) - 1;
        s = u * u + v * v;
    } while (s >= 1 || s < 1e-300);
    return (float)(u * sqrt(-2 * nz_random_log(s) / s));
}

void nz_random_shuffle(nz_random *random, size_t *items, size_t count) {
    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)nz_random_below(random, i), kept = items[i - 1];
        items[i - 1] = items[j];
        items[j] = kept;
    }
}
