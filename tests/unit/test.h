/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What every test program includes: cmocka with the headers it needs, comparisons of floats that do not let NaN pass,
 * temporary folders, and the shared data, whose absence skips a test by name.
 */
#ifndef NZ_TESTS_TEST_H
#define NZ_TESTS_TEST_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "netzip/status.h"

/** The call must succeed; where it does not, the library's message is shown. */
#define nz_assert_ok(expr)                                                                                             \
    do {                                                                                                               \
        nz_status nz_test_status_ = (expr);                                                                            \
        if (nz_test_status_ != NZ_OK) fail_msg("%s: %s: %s", #expr, nz_status_name(nz_test_status_), nz_last_error()); \
    } while (0)

/** The call must fail with `status`, and the message must contain `part` (NULL: any message but an empty one). */
#define nz_assert_fails(expr, status, part)                                                                            \
    do {                                                                                                               \
        nz_status nz_test_status_ = (expr);                                                                            \
        const char *nz_test_part_ = (part);                                                                            \
        if (nz_test_status_ != (status))                                                                               \
            fail_msg("%s: %s instead of %s (last message: %s)", #expr, nz_status_name(nz_test_status_),                \
                     nz_status_name(status), nz_last_error());                                                         \
        if (!*nz_last_error() || (nz_test_part_ && !strstr(nz_last_error(), nz_test_part_)))                           \
            fail_msg("%s: message '%s' lacks '%s'", #expr, nz_last_error(), nz_test_part_ ? nz_test_part_ : "");       \
    } while (0)

/** Whether two numbers agree within |a-b| <= atol + rtol*|b|. NaN agrees with NaN alone, an infinity with itself alone. */
static inline int nz_test_close(double a, double b, double rtol, double atol) {
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    if (isinf(a) || isinf(b)) return a == b;
    return fabs(a - b) <= atol + rtol * fabs(b);
}

/** `got` and `expected` must be numbers (not NaN) that agree within |got-expected| <= atol + rtol*|expected|. */
#define nz_assert_near(got, expected, rtol, atol)                                                                      \
    do {                                                                                                               \
        double nz_test_got_ = (double)(got), nz_test_expected_ = (double)(expected);                                   \
        if (isnan(nz_test_got_) || isnan(nz_test_expected_) ||                                                         \
            !nz_test_close(nz_test_got_, nz_test_expected_, rtol, atol))                                               \
            fail_msg("%s is %.9g, expected %.9g", #got, nz_test_got_, nz_test_expected_);                              \
    } while (0)

#define nz_assert_nan(got)                                                                                             \
    do {                                                                                                               \
        double nz_test_got_ = (double)(got);                                                                           \
        if (!isnan(nz_test_got_)) fail_msg("%s is %.9g, expected NaN", #got, nz_test_got_);                            \
    } while (0)

/** Whole arrays; NaN is expected exactly where `expected` has NaN. Names the first place that differs. */
static inline void nz_assert_floats(const float *got, const float *expected, size_t count, double rtol, double atol) {
    for (size_t i = 0; i < count; i++)
        if (!nz_test_close((double)got[i], (double)expected[i], rtol, atol))
            fail_msg("element %zu of %zu is %.9g, expected %.9g", i, count, (double)got[i], (double)expected[i]);
}

/** Skips the running test, saying why in the protocol that ./run counts. */
#define nz_test_skip(...)                                                                                              \
    do {                                                                                                               \
        print_message("# skipped: ");                                                                                  \
        print_message(__VA_ARGS__);                                                                                    \
        print_message("\n");                                                                                           \
        skip();                                                                                                        \
    } while (0)

/* The path folder/name where it exists; skips the test otherwise. One of eight static buffers: no need to free it. */
static inline const char *nz_test_path(const char *folder, const char *name) {
    static char paths[8][8192];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    if (access(path, R_OK) != 0) nz_test_skip("%s is absent", path);
    return path;
}

/** A file of the shared data ("models/mnist-8.onnx"); the test is skipped where it is absent. Static buffer. */
static inline const char *nz_test_shared(const char *name) {
    const char *folder = getenv("NETZIP_SHARED");
    return nz_test_path(folder && *folder ? folder : "../shared/data", name);
}

/** A file of the unpacked data ("cifar10-jpeg/test_batch.bin"); the test is skipped where it is absent. Static buffer. */
static inline const char *nz_test_data(const char *name) {
    const char *folder = getenv("NETZIP_DATA"), *home = getenv("HOME");
    char standard[4000];
    snprintf(standard, sizeof standard, "%s/.cache/netzip-data", home ? home : "");
    return nz_test_path(folder && *folder ? folder : standard, name);
}

/** A file of the repository ("tests/regression/results.csv"). Static buffer. */
static inline const char *nz_test_source(const char *name) {
    const char *folder = getenv("NETZIP_SOURCE");
    return nz_test_path(folder && *folder ? folder : ".", name);
}

/** Whether the longer tests were asked for (./run test --long). */
static inline int nz_test_long(void) {
    const char *value = getenv("NETZIP_TEST_LONG");
    return value && strcmp(value, "1") == 0;
}

/** A folder of this program's own, made at the first call and removed with all it holds when the program ends. */
const char *nz_test_dir(void);
/** "<nz_test_dir>/<name>". Static buffer. */
const char *nz_test_file(const char *name);

#endif
