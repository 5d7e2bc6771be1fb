/* SPDX-License-Identifier: Apache-2.0 */
/* From results.json to all files beside it. */
#include "netzip/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "report/grid.h"
#include "report/groups.h"
#include "report/page.h"
#include "report/plots.h"
#include "report/table.h"
#include "report/view.h"

static nz_status write_text(const char *dir, const char *name, nz_text *text) {
    NZ_AUTO_FREE char *path = NULL, *bytes = NULL;
    size_t length = text->length;
    NZ_TRY(nz_text_take(text, &bytes));
    NZ_TRY(nz_path_join(&path, dir, name));
    return nz_file_write(path, bytes, length);
}

static nz_status write_tables(const char *dir, const nz_view *view) {
    static const struct {
        const char *name;
        void (*put)(nz_text *out, const nz_view *view);
    } tables[] = {
        {"table.csv", nz_table_put_csv}, {"table.md", nz_table_put_markdown}, {"table.tex", nz_table_put_tex}};
    for (size_t i = 0; i < NZ_COUNT(tables); i++) {
        NZ_AUTO(nz_text_done) nz_text text = {0};
        tables[i].put(&text, view);
        NZ_TRY(write_text(dir, tables[i].name, &text));
    }
    return NZ_OK;
}

/* A table that not every comparison has: one of an earlier report is removed. */
static nz_status write_optional(const char *dir, const char *name, const nz_view *view, bool any,
                                void (*put)(nz_text *out, const nz_view *view)) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    NZ_AUTO_FREE char *path = NULL;
    if (any) {
        put(&text, view);
        return write_text(dir, name, &text);
    }
    NZ_TRY(nz_path_join(&path, dir, name));
    unlink(path);
    return NZ_OK;
}

/* What was measured round by round lies beside the results; without it, or where it is broken, there is no plot of it. */
static void add_times(nz_view *view, const char *dir, const nz_progress *progress) {
    NZ_AUTO_FREE char *path = NULL;
    if (nz_path_join(&path, dir, "times.json") != NZ_OK || access(path, R_OK) != 0) return;
    if (nz_json_read(&view->times, path) != NZ_OK && progress && progress->note)
        progress->note(progress->user, nz_last_error());
}

nz_status nz_report_write(const char *dir, const nz_progress *progress) {
    NZ_AUTO_FREE char *path = NULL;
    NZ_AUTO_JSON json_t *document = NULL;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    NZ_AUTO(nz_text_done) nz_text page = {0};
    NZ_TRY(nz_path_join(&path, dir, "results.json"));
    NZ_TRY(nz_json_read(&document, path));
    NZ_TRY(nz_view_init(&view, document, path));
    view.folder = dir;
    add_times(&view, dir, progress);
    NZ_TRY(write_tables(dir, &view));
    NZ_TRY(write_optional(dir, "table-against.csv", &view, view.against != NULL, nz_beside_put_csv));
    NZ_TRY(write_optional(dir, "table-seeds.csv", &view, nz_groups_any(&view), nz_groups_put_csv));
    NZ_TRY(write_optional(dir, "table-classes.csv", &view, nz_found_reference(&view) < view.row_count,
                          nz_classes_put_csv));
    NZ_TRY(nz_plots_draw(&plots, &view));
    NZ_TRY(nz_plots_write(&plots, dir, progress));
    NZ_TRY(nz_page_put(&page, &view, &plots));
    return write_text(dir, "report.html", &page);
}

static nz_status parse(json_t **ret_document, const char *results_json) {
    json_error_t error;
    *ret_document = json_loads(results_json, JSON_DECODE_ANY, &error);
    if (*ret_document) return NZ_OK;
    return nz_fail(NZ_E_FORMAT, "results:%d:%d: not valid JSON: %s", error.line, error.column, error.text);
}

nz_status nz_report_detection(const char *dir, const char *results_json, const nz_progress *progress) {
    NZ_AUTO_JSON json_t *document = NULL;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    NZ_TRY(parse(&document, results_json));
    NZ_TRY(nz_view_init(&view, document, "results"));
    view.folder = dir;
    NZ_TRY(nz_plots_draw_detection(&plots, &view));
    return nz_plots_write(&plots, dir, progress);
}

nz_status nz_report_table(char **ret_text, const char *results_json, nz_report_table_form form) {
    static void (*const put[])(nz_text *, const nz_view *) = {[NZ_TABLE_TEXT] = nz_table_put_text,
                                                              [NZ_TABLE_MARKDOWN] = nz_table_put_markdown,
                                                              [NZ_TABLE_TEX] = nz_table_put_tex,
                                                              [NZ_TABLE_CSV] = nz_table_put_csv};
    NZ_AUTO_JSON json_t *document = NULL;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO(nz_text_done) nz_text text = {0};
    if ((size_t)form >= NZ_COUNT(put)) return nz_fail(NZ_E_ARG, "no such form of table: %d", (int)form);
    NZ_TRY(parse(&document, results_json));
    NZ_TRY(nz_view_init(&view, document, "results"));
    put[form](&text, &view);
    return nz_text_take(&text, ret_text);
}
