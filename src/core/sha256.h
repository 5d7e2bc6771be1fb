/* SPDX-License-Identifier: Apache-2.0 */
/** SHA-256's block function in plain C and by the processor's own instructions, for sha256.c and its test. */
#ifndef NZ_CORE_SHA256_H
#define NZ_CORE_SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

extern const uint32_t nz_sha256_constants[64];

/** Takes `blocks` times 64 bytes into the state. */
void nz_sha256_plain(uint32_t h[8], const unsigned char *bytes, size_t blocks);
void nz_sha256_x86(uint32_t h[8], const unsigned char *bytes, size_t blocks); /**< only where usable */
bool nz_sha256_x86_usable(void);

#endif
