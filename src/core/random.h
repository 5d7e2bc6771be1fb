/* SPDX-License-Identifier: Apache-2.0 */
/** Random numbers, exact arithmetic only: the same seed gives the same sequence on every architecture. */
#ifndef NZ_CORE_RANDOM_H
#define NZ_CORE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/** xoshiro256** (Blackman and Vigna), seeded by splitmix64 from (seed, stream): independent streams for one seed. */
typedef struct nz_random {
    uint64_t state[4];
} nz_random;

void nz_random_init(nz_random *random, uint64_t seed, uint64_t stream);
uint64_t nz_random_u64(nz_random *random);
uint64_t nz_random_below(nz_random *random, uint64_t bound); /**< uniform in [0, bound), without bias; bound >= 1 */
double nz_random_unit(nz_random *random);                    /**< in [0, 1), 53 bits */
/** Standard normal, the same on every machine: of libm only what IEEE 754 rounds exactly is used. */
float nz_random_normal(nz_random *random);
/** The natural logarithm of a positive, normal number, to about 1e-13 of it; the same on every machine. */
double nz_random_log(double x);
void nz_random_shuffle(nz_random *random, size_t *items, size_t count); /**< Fisher-Yates */

#endif
