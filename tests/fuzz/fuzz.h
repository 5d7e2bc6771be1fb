/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A fuzz target is one file that defines this function: it gives the bytes to a reader and checks that whatever comes back
 * is whole. `./run fuzz NAME SECONDS` runs it under libFuzzer; every test run replays corpus/NAME/.
 */
#ifndef NZ_TESTS_FUZZ_H
#define NZ_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netzip/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/** The path of a file in memory that holds the bytes, for readers that take a path. The next call replaces it. */
const char *nz_fuzz_file(const uint8_t *bytes, size_t count);

/** What must hold for any input; ends the program where it does not. */
#define nz_fuzz_check(condition)                                                                                       \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition);                              \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

#endif
