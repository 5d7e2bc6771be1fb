/* SPDX-License-Identifier: Apache-2.0 */
/* results.json: whatever it holds, it is refused in one line or drawn whole. */
#include "core/json.h"
#include "fuzz.h"
#include "report/grid.h"
#include "report/groups.h"
#include "report/page.h"
#include "report/table.h"

/* What drawing relies on. */
static void check_detection(const nz_found *found) {
    if (!found) return;
    const nz_found_curve *const curves[] = {&found->precision_recall, &found->f1_confidence};
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; k < curves[i]->count; k++) {
            nz_fuzz_check(curves[i]->x[k] >= 0 && curves[i]->x[k] <= 1 && curves[i]->y[k] >= 0 && curves[i]->y[k] <= 1);
            nz_fuzz_check(k == 0 || curves[i]->x[k] >= curves[i]->x[k - 1]);
        }
    for (size_t i = 0; i < found->side * found->side; i++) nz_fuzz_check(found->confusion[i] >= 0);
    for (size_t i = 0; i < found->class_count; i++) nz_fuzz_check(*found->classes[i].name);
    for (size_t i = 0; i < found->sample_count; i++)
        nz_fuzz_check(found->samples[i].width >= 1 && found->samples[i].height >= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO_JSON json_t *document = NULL;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    NZ_AUTO(nz_text_done) nz_text page = {0}, csv = {0}, text = {0}, tex = {0};
    if (nz_json_read(&document, nz_fuzz_file(bytes, count)) != NZ_OK) return 0;
    if (nz_view_init(&view, document, "fuzz") != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !view.rows);
        return 0;
    }
    if (view.row_count > 40 || view.column_count > 40) return 0; /* the same again, only slower */
    nz_table_put_csv(&csv, &view);
    nz_table_put_text(&text, &view);
    nz_table_put_tex(&tex, &view);
    nz_groups_put_csv(&csv, &view);
    nz_classes_put_csv(&csv, &view);
    for (size_t r = 0; r < view.row_count; r++) check_detection(view.rows[r].found);
    view.times = json_incref(json_object_get(document, "times")); /* a file of its own, otherwise */
    nz_beside_put_csv(&csv, &view);
    view.folder = "."; /* pictures that a document names */
    nz_fuzz_check(csv.status == NZ_OK && text.status == NZ_OK && tex.status == NZ_OK);
    nz_fuzz_check(nz_plots_draw(&plots, &view) == NZ_OK);
    for (size_t i = 0; i < plots.count; i++) {
        nz_fuzz_check(plots.items[i].width > 0 && plots.items[i].height > 0 && plots.items[i].height < 16000);
        nz_fuzz_check(!strstr(plots.items[i].svg, "nan") || !strstr(plots.items[i].svg, "\"nan\""));
        nz_fuzz_check(!strpbrk(plots.items[i].slug, "/.\\"));
    }
    nz_fuzz_check(nz_page_put(&page, &view, &plots) == NZ_OK);
    /* The page has one script, and nothing that a document says can begin another. */
    const char *script = strstr(page.data, "<script");
    nz_fuzz_check(script && !strstr(script + 1, "<script"));
    return 0;
}
