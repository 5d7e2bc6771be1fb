/* SPDX-License-Identifier: Apache-2.0 */
/* Tables: as such, as numbers to combine, and as labels. */
#include <math.h>

#include "core/csv.h"
#include "fuzz.h"
#include "metric/combine_table.h"
#include "metric/evaluate.h"

static void check_table(const char *path) {
    NZ_AUTO_TABLE nz_table t = {0};
    nz_stated_better stated = {"joy", NZ_HIGHER};
    nz_table_request request = {.zeta = 1, .lambda = {1, 1, 1, 1}};
    nz_combine_options options;
    if (nz_table_read(&t, path, &stated, 1) != NZ_OK && nz_table_read(&t, path, NULL, 0) != NZ_OK) {
        nz_fuzz_check(*nz_last_error());
        return;
    }
    if (nz_table_options(&options, &t, &request) != NZ_OK) return;
    for (size_t r = 0; r < t.csv.rows; r++) {
        nz_combined c;
        NZ_AUTO_FREE char *note = NULL;
        nz_table_combine(&c, &t, &options, r);
        nz_fuzz_check(c.ocs.source == NZ_UNAVAILABLE ? *c.ocs.reason != 0 : isfinite(c.ocs.value) != 0);
        nz_fuzz_check(c.partial.source == NZ_UNAVAILABLE || isfinite(c.partial.value));
        nz_fuzz_check(nz_table_note(&note, &t, r) == NZ_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO_CSV nz_csv t = {0};
    const char *path = nz_fuzz_file(bytes, count);
    int32_t labels[4];
    if (nz_csv_parse(&t, (const char *)bytes, count, 0, "fuzz") != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !t.text);
        return 0;
    }
    size_t total = 0;
    for (size_t i = 0; i < t.rows * t.columns; i++) total += strlen(t.cells[i]);
    nz_fuzz_check(total <= count);
    for (size_t c = 0; c < t.columns; c++) nz_fuzz_check(nz_csv_column(&t, t.header[c]) == c);
    for (size_t r = 1; r < t.rows; r++) nz_fuzz_check(t.lines[r - 1] < t.lines[r]);
    check_table(path);
    if (t.rows <= 4 && nz_label_table_read(labels, t.rows, 9, path) == NZ_OK)
        for (size_t r = 0; r < t.rows; r++) nz_fuzz_check(labels[r] >= 0 && labels[r] < 9);
    return 0;
}
