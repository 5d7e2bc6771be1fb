/* SPDX-License-Identifier: Apache-2.0 */
/* ONNX's operator test vectors on both the plain C kernels and the native runtime, against the committed list of what
 * passes (conformance.csv), so that a change shows as a diff. NETZIP_REGRESSION_PRINT=1 prints the list as it is here. */
#include "netzip/conformance.h"
#include "core/csv.h"
#include "test.h"

static const char *const runtimes[2] = {"reference", "native"};

/* Both runs, made once for all tests. */
static nz_conformance results[2];

static void run_both(void) {
    const char *folder = nz_test_data("onnx-node-tests");
    for (int r = 0; r < 2; r++)
        if (!results[r].count) nz_assert_ok(nz_conformance_run(&results[r], &folder, 1, runtimes[r], 0, NULL));
    assert_int_equal(results[0].count, results[1].count);
}

static void claimed_cases_never_fail(void **state) {
    (void)state;
    run_both();
    size_t failed = 0;
    for (int r = 0; r < 2; r++)
        for (size_t i = 0; i < results[r].count; i++) {
            const nz_case *entry = &results[r].cases[i];
            if (entry->status != NZ_CASE_FAILED) continue;
            print_message("# %s on %s: %s\n", entry->name, runtimes[r], entry->reason);
            failed++;
        }
    assert_int_equal(failed, 0);
}

static void enough_cases_pass(void **state) {
    (void)state;
    run_both();
    for (int r = 0; r < 2; r++) assert_true(results[r].passed >= 600);
}

static void the_list_is_as_committed(void **state) {
    (void)state;
    run_both();
    if (getenv("NETZIP_REGRESSION_PRINT")) {
        printf("case,reference,native\n");
        for (size_t i = 0; i < results[0].count; i++)
            printf("%s,%s,%s\n", results[0].cases[i].name, nz_case_status_name(results[0].cases[i].status),
                   nz_case_status_name(results[1].cases[i].status));
    }
    nz_csv list = {0};
    nz_assert_ok(nz_csv_read(&list, nz_test_source("tests/regression/conformance.csv"), ','));
    assert_int_equal(list.columns, 3);
    assert_int_equal(list.rows, results[0].count);
    size_t different = 0;
    for (size_t i = 0; i < list.rows; i++) {
        assert_string_equal(nz_csv_cell(&list, i, 0), results[0].cases[i].name);
        for (size_t r = 0; r < 2; r++) {
            const char *now = nz_case_status_name(results[r].cases[i].status), *before = nz_csv_cell(&list, i, 1 + r);
            if (strcmp(now, before) == 0) continue;
            print_message("# %s on %s was %s, is %s\n", nz_csv_cell(&list, i, 0), runtimes[r], before, now);
            different++;
        }
    }
    nz_csv_done(&list); /* a failing assertion jumps out of the function */
    assert_int_equal(different, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claimed_cases_never_fail),
        cmocka_unit_test(enough_cases_pass),
        cmocka_unit_test(the_list_is_as_committed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    for (int r = 0; r < 2; r++) nz_conformance_done(&results[r]);
    return failed;
}
