/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 by the instructions that x86 processors have for it: a model's hash must not take longer than reading it.
 * @source Intel, SHA Extensions (2013): the order of state words that SHA256RNDS2 wants */
#include "core/sha256.h"

#if defined(__x86_64__)

#include <cpuid.h>
#include <immintrin.h>

bool nz_sha256_x86_usable(void) {
    unsigned a, b, c, d;
    bool has_sse41 = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_1) && (c & bit_SSSE3);
    return has_sse41 && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

__attribute__((target("sha,sse4.1,ssse3"))) void nz_sha256_x86(uint32_t h[8], const unsigned char *bytes,
                                                               size_t blocks) {
    const __m128i swap = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)h), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(const void *)(h + 4)), 0x1b);
    __m128i abef = _mm_alignr_epi8(abcd, efgh, 8), cdgh = _mm_blend_epi16(efgh, abcd, 0xf0);
    for (; blocks > 0; blocks--, bytes += 64) {
        __m128i w[4], abef_before = abef, cdgh_before = cdgh;
        for (int i = 0; i < 4; i++)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(const void *)(bytes + 16 * i)), swap);
#pragma GCC unroll 16
        for (int i = 0; i < 16; i++) {
            __m128i *own = &w[i % 4];
            if (i >= 4) { /* the message schedule, four words at once: own still holds those of 16 rounds ago */
                __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(*own, w[(i + 1) % 4]),
                                            _mm_alignr_epi8(w[(i + 3) % 4], w[(i + 2) % 4], 4));
                *own = _mm_sha256msg2_epu32(sum, w[(i + 3) % 4]);
            }
            __m128i words =
                _mm_add_epi32(*own, _mm_loadu_si128((const __m128i *)(const void *)(nz_sha256_constants + 4 * i)));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, words);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(words, 0x0e));
        }
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
    __m128i feba = _mm_shuffle_epi32(abef, 0x1b), dchg = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128((__m128i *)(void *)h, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128((__m128i *)(void *)(h + 4), _mm_alignr_epi8(dchg, feba, 8));
}

#else

bool nz_sha256_x86_usable(void) { return false; }

void nz_sha256_x86(uint32_t h[8], const unsigned char *bytes, size_t blocks) { nz_sha256_plain(h, bytes, blocks); }

#endif
