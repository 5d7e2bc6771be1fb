/* SPDX-License-Identifier: Apache-2.0 */
#include "core/threads.h"

#include <stdatomic.h>

#include "test.h"

enum { MOST = 10007 };

struct visits {
    atomic_int calls;
    unsigned char count[MOST];
};

static void visit(void *argument, size_t begin, size_t end) {
    struct visits *visits = argument;
    atomic_fetch_add(&visits->calls, 1);
    for (size_t i = begin; i < end; i++) visits->count[i]++;
}

static void every_index_is_visited_once(void **state) {
    (void)state;
    static const size_t counts[] = {0, 1, 2, 3, 7, 64, 1000, MOST};
    for (int threads = 1; threads <= 5; threads++) {
        nz_threads_set(threads);
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
            for (size_t grain = 0; grain < 200; grain += 50) {
                struct visits visits = {0};
                nz_parallel(counts[c], grain, visit, &visits);
                for (size_t i = 0; i < MOST; i++) assert_int_equal(visits.count[i], i < counts[c]);
                assert_true(visits.calls <= threads);
            }
    }
}

static void small_work_stays_with_the_caller(void **state) {
    (void)state;
    struct visits visits = {0};
    nz_threads_set(4);
    nz_parallel(199, 100, visit, &visits);
    assert_int_equal(visits.calls, 1);
}

static void nested(void *argument, size_t begin, size_t end) {
    struct visits *visits = argument;
    for (size_t i = begin; i < end; i++) nz_parallel(1, 1, visit, visits);
}

static void loops_inside_loops_do_not_multiply_threads(void **state) {
    (void)state;
    struct visits visits = {0};
    nz_threads_set(2);
    nz_parallel(1, 1, nested, &visits);
    assert_int_equal(visits.count[0], 1);
}

static void thread_counts_are_at_least_one(void **state) {
    (void)state;
    nz_threads_set(0);
    assert_int_equal(nz_threads_get(), 1);
    nz_threads_set(-3);
    assert_int_equal(nz_threads_get(), 1);
    assert_true(nz_threads_hardware() >= 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_index_is_visited_once),
        cmocka_unit_test(small_work_stays_with_the_caller),
        cmocka_unit_test(loops_inside_loops_do_not_multiply_threads),
        cmocka_unit_test(thread_counts_are_at_least_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
