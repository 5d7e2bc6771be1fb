/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 as FIPS 180-4 gives it, section 6.2; the names of its variables are kept. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/sha256.h"

enum { BLOCK = 64 };

typedef struct sha256 {
    uint32_t h[8];
    void (*take_blocks)(uint32_t h[8], const unsigned char *bytes, size_t blocks);
    uint64_t bytes; /* taken in so far */
    unsigned char pending[BLOCK];
} sha256;

const uint32_t nz_sha256_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static void start(sha256 *s) {
    static const uint32_t initial[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                        0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    memcpy(s->h, initial, sizeof initial);
    s->take_blocks = nz_sha256_x86_usable() ? nz_sha256_x86 : nz_sha256_plain;
    s->bytes = 0;
}

static uint32_t rotate(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void take_block(uint32_t h[8], const unsigned char *block) {
    uint32_t w[64], v[8];
    for (int t = 0; t < 16; t++)
        w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 | (uint32_t)block[4 * t + 2] << 8 |
               block[4 * t + 3];
    for (int t = 16; t < 64; t++) {
        uint32_t s0 = rotate(w[t - 15], 7) ^ rotate(w[t - 15], 18) ^ w[t - 15] >> 3;
        uint32_t s1 = rotate(w[t - 2], 17) ^ rotate(w[t - 2], 19) ^ w[t - 2] >> 10;
        w[t] = s1 + w[t - 7] + s0 + w[t - 16];
    }
    memcpy(v, h, sizeof v);
    for (int t = 0; t < 64; t++) {
        uint32_t a = v[0], e = v[4];
        uint32_t t1 = v[7] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & v[5]) ^ (~e & v[6])) +
                      nz_sha256_constants[t] + w[t];
        uint32_t t2 = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
        memmove(v + 1, v, 7 * sizeof *v);
        v[4] += t1;
        v[0] = t1 + t2;
    }
    for (int i = 0; i < 8; i++) h[i] += v[i];
}

void nz_sha256_plain(uint32_t h[8], const unsigned char *bytes, size_t blocks) {
    for (; blocks > 0; blocks--, bytes += BLOCK) take_block(h, bytes);
}

static void take(sha256 *s, const unsigned char *bytes, size_t count) {
    size_t held = (size_t)(s->bytes % BLOCK);
    s->bytes += count;
    if (held && count) {
        size_t fill = count < BLOCK - held ? count : BLOCK - held;
        memcpy(s->pending + held, bytes, fill);
        bytes += fill;
        count -= fill;
        if (held + fill < BLOCK) return;
        s->take_blocks(s->h, s->pending, 1);
    }
    size_t blocks = count / BLOCK;
    s->take_blocks(s->h, bytes, blocks);
    if (count % BLOCK) memcpy(s->pending, bytes + blocks * BLOCK, count % BLOCK);
}

static void finish(sha256 *s, char ret_hex[65]) {
    static const char digits[] = "0123456789abcdef";
    static const unsigned char padding[BLOCK] = {0x80};
    unsigned char length[8];
    uint64_t bits = s->bytes * 8;
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)(bits >> (56 - 8 * i));
    size_t held = (size_t)(s->bytes % BLOCK);
    take(s, padding, held < BLOCK - 8 ? BLOCK - 8 - held : 2 * BLOCK - 8 - held);
    take(s, length, sizeof length);
    for (int i = 0; i < 64; i++) ret_hex[i] = digits[s->h[i / 8] >> (28 - i % 8 * 4) & 15];
    ret_hex[64] = '\0';
}

void nz_sha256(char ret_hex[65], const void *bytes, size_t count) {
    sha256 s;
    start(&s);
    take(&s, bytes, count);
    finish(&s, ret_hex);
}

nz_status nz_sha256_file(char ret_hex[65], const char *path) {
    enum { CHUNK = 256 * 1024 };
    NZ_AUTO_FREE unsigned char *buffer = NULL;
    NZ_TRY(nz_alloc(&buffer, CHUNK, 1));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return nz_fail_errno(path, "cannot be opened");
    sha256 s;
    start(&s);
    ssize_t got;
    while ((got = read(fd, buffer, CHUNK)) != 0) {
        if (got > 0) {
            take(&s, buffer, (size_t)got);
        } else if (errno != EINTR) {
            nz_status status = nz_fail_errno(path, "cannot be read");
            close(fd);
            return status;
        }
    }
    close(fd);
    finish(&s, ret_hex);
    return NZ_OK;
}
