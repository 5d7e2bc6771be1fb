/* SPDX-License-Identifier: Apache-2.0 */
/* The tables beside the main one: what the intervals say, several machines side by side, an earlier run. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "metric/value_json.h"
#include "report/escape.h"
#include "report/grid.h"
#include "report/number.h"
#include "report/read.h"
#include "report/table.h"

enum { NAME_MOST = 48, COLUMNS_MOST = 12, SENTENCES_MOST = 32, AGAINST_MOST = 500 };

static void add_short(nz_grid *grid, const char *name) {
    nz_text cell = {0};
    nz_put_short(&cell, name, NAME_MOST);
    nz_grid_take(grid, &cell);
}

/* "1.598 [1.592, 1.602] better" */
static void put_gain(nz_text *out, const nz_view_gain *gain) {
    if (isnan(gain->value)) return;
    if (!gain->has_ci) {
        nz_put_ratio(out, gain->value);
        return;
    }
    nz_put_interval(out, gain->value, gain->ci95);
    nz_text_appendf(out, " %s", nz_difference_name(gain->difference));
}

static bool shows_gain(const nz_view *view, size_t c) {
    if (strcmp(view->columns[c].id, "latency_ms_mean") == 0) return false; /* beside the median it says nothing new */
    for (size_t r = 0; r < view->row_count; r++)
        if (view->rows[r].baseline != r && nz_view_at(view, r, c)->gain.has_ci) return true;
    return false;
}

static bool shows_ratio(const nz_view *view, size_t i) {
    if (nz_view_column_find(view, nz_view_ratio_of(view, i)) < view->column_count &&
        shows_gain(view, nz_view_column_find(view, nz_view_ratio_of(view, i))))
        return false; /* stands under the metric's own name */
    for (size_t r = 0; r < view->row_count; r++)
        if (view->rows[r].baseline != r && view->rows[r].ratios[i].gain.has_ci) return true;
    return false;
}

static bool shows_ocs(const nz_view *view) {
    for (size_t r = 0; r < view->row_count; r++)
        if (view->rows[r].has_ocs_ci) return true;
    return false;
}

static void put_ocs(nz_text *out, const nz_view_row *row) {
    bool partial;
    double ocs = nz_view_ocs(row, &partial);
    if (isnan(ocs)) return;
    if (row->has_ocs_ci)
        nz_put_interval(out, ocs, row->ocs_ci95);
    else
        nz_put_ratio(out, ocs);
    if (partial) nz_text_append(out, "*");
}

void nz_beside_differences(nz_grid *ret_grid, const nz_view *view) {
    nz_grid grid = {.columns = 1, .texts = 1, .title = "Against the baseline, with 95% intervals"};
    grid.note =
        "Above 1 is better. Indistinguishable: the interval holds 1, so that chance alone may make the difference.";
    size_t metrics[COLUMNS_MOST], count = 0, ratios[NZ_VIEW_RATIOS], ratio_count = 0;
    bool ocs = shows_ocs(view);
    for (size_t c = 0; c < view->column_count && count < COLUMNS_MOST; c++)
        if (shows_gain(view, c)) metrics[count++] = c;
    for (size_t i = 0; i < NZ_VIEW_RATIOS; i++)
        if (shows_ratio(view, i)) ratios[ratio_count++] = i;
    grid.columns += count + ratio_count + ocs;
    *ret_grid = grid;
    if (count + ratio_count == 0) return;
    nz_grid_add(ret_grid, "Model");
    for (size_t k = 0; k < count; k++) nz_grid_add(ret_grid, view->columns[metrics[k]].title);
    for (size_t k = 0; k < ratio_count; k++)
        nz_grid_addf(ret_grid, "%.80s", nz_table_metric_title(view, nz_view_ratio_of(view, ratios[k])));
    if (ocs) nz_grid_add(ret_grid, "OCS");
    for (size_t r = 0; r < view->row_count; r++) {
        const nz_view_row *row = &view->rows[r];
        if (row->baseline == r || row->baseline == SIZE_MAX || row->failed) continue;
        add_short(ret_grid, row->label);
        for (size_t k = 0; k < count; k++) {
            nz_text cell = {0};
            put_gain(&cell, &nz_view_at(view, r, metrics[k])->gain);
            nz_grid_take(ret_grid, &cell);
        }
        for (size_t k = 0; k < ratio_count; k++) {
            nz_text cell = {0};
            put_gain(&cell, &row->ratios[ratios[k]].gain);
            nz_grid_take(ret_grid, &cell);
        }
        nz_text cell = {0};
        put_ocs(&cell, row);
        if (ocs)
            nz_grid_take(ret_grid, &cell);
        else
            nz_text_done(&cell);
    }
}

/* ---- several machines ---- */

static bool same_but_host(const nz_view_row *a, const nz_view_row *b) {
    for (nz_variant_part part = 0; part < NZ_VARIANT_PARTS; part++)
        if (part != NZ_VARIANT_HOST && !nz_view_same_part(a, b, part)) return false;
    return strcmp(a->name, b->name) == 0;
}

static size_t find_hosts(const nz_view *view, const char *hosts[COLUMNS_MOST]) {
    size_t count = 0;
    for (size_t r = 0; r < view->row_count && count < COLUMNS_MOST; r++) {
        bool seen = false;
        for (size_t h = 0; h < count; h++) seen = seen || strcmp(hosts[h], view->rows[r].host) == 0;
        if (!seen) hosts[count++] = view->rows[r].host;
    }
    return count;
}

static bool is_first_of_kind(const nz_view *view, size_t r) {
    for (size_t k = 0; k < r; k++)
        if (same_but_host(&view->rows[k], &view->rows[r])) return false;
    return true;
}

/* Whether some model was measured on two of them: only then is there something to compare. */
static bool any_pair(const nz_view *view) {
    for (size_t r = 0; r < view->row_count; r++)
        for (size_t k = 0; k < r; k++)
            if (same_but_host(&view->rows[k], &view->rows[r]) && strcmp(view->rows[k].host, view->rows[r].host) != 0)
                return true;
    return false;
}

static void add_host_cell(nz_grid *grid, const nz_view *view, size_t r, size_t c, const char *host) {
    nz_text cell = {0};
    for (size_t k = 0; k < view->row_count; k++) {
        const nz_view_row *row = &view->rows[k];
        if (!same_but_host(row, &view->rows[r]) || strcmp(row->host, host) != 0) continue;
        const nz_view_cell *value = nz_view_at(view, k, c);
        if (isnan(value->value)) continue;
        nz_put_value(&cell, &view->columns[c], value->value);
        if (row->baseline != k && !isnan(value->gain.value)) {
            nz_text_append(&cell, " (\xc3\x97");
            nz_put_ratio(&cell, value->gain.value);
            nz_text_append(&cell, value->gain.has_ci && value->gain.difference == NZ_INDISTINGUISHABLE
                                      ? ", indistinguishable)"
                                      : ")");
        }
        if (*row->mark_ids) nz_text_append(&cell, row->harm == NZ_HARM_CERTAINTY ? NZ_DOUBLE_DAGGER : NZ_DAGGER);
        break;
    }
    nz_grid_take(grid, &cell);
}

void nz_beside_hosts(nz_grid *ret_grid, const nz_view *view) {
    static const char *const ids[] = {"latency_ms", "throughput", "energy_j", "power_w", "ram_bytes"};
    const char *hosts[COLUMNS_MOST];
    size_t count = find_hosts(view, hosts);
    *ret_grid = (nz_grid){.columns = count + 2, .texts = 3, .title = "Machine beside machine"};
    ret_grid->note = "In brackets: how many times better than the baseline on the same machine.";
    if (count < 2 || !any_pair(view)) return;
    nz_grid_add(ret_grid, "Model");
    nz_grid_add(ret_grid, "Metric");
    for (size_t h = 0; h < count; h++) add_short(ret_grid, hosts[h]);
    for (size_t i = 0; i < NZ_COUNT(ids); i++) {
        size_t c = nz_view_column_find(view, ids[i]);
        if (c == view->column_count || view->columns[c].available == 0) continue;
        for (size_t r = 0; r < view->row_count; r++) {
            if (!is_first_of_kind(view, r)) continue;
            nz_text heading = {0};
            add_short(ret_grid, view->rows[r].name);
            nz_put_heading(&heading, &view->columns[c]);
            nz_grid_take(ret_grid, &heading);
            for (size_t h = 0; h < count; h++) add_host_cell(ret_grid, view, r, c, hosts[h]);
        }
    }
}

/* ---- an earlier run ---- */

static double end_of(const json_t *pair, size_t end) {
    const json_t *value = json_array_get(pair, end);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

/* "1.107 [1.080, 1.132]", or in points where a ratio says little. */
static void put_change(nz_text *out, const json_t *metric) {
    const json_t *points = json_object_get(metric, "points"), *of = json_is_object(points) ? points : metric;
    double value = nz_json_number_at(of, of == metric ? "ratio" : "value");
    double ends[2] = {end_of(json_object_get(of, "ci95"), 0), end_of(json_object_get(of, "ci95"), 1)};
    if (isnan(value)) return;
    if (ends[0] <= ends[1])
        nz_put_interval(out, value, ends);
    else
        nz_put_ratio(out, value);
    if (of == points) nz_text_append(out, " points");
}

static void add_against(nz_grid *grid, const nz_view *view, const char *id, const json_t *metric) {
    const char *name = nz_json_text_at(metric, "id");
    nz_text cell = {0};
    size_t c = nz_view_column_find(view, name);
    nz_put_clean(&cell, id);
    nz_grid_take(grid, &cell);
    if (c < view->column_count)
        nz_put_heading(&cell, &view->columns[c]);
    else
        nz_put_clean(&cell, name);
    nz_grid_take(grid, &cell);
    for (int side = 0; side < 2; side++) {
        double value = nz_json_number_at(metric, side ? "new" : "old");
        if (c < view->column_count)
            nz_put_value(&cell, &view->columns[c], value);
        else if (!isnan(value))
            nz_put_number(&cell, value);
        nz_grid_take(grid, &cell);
    }
    put_change(&cell, metric);
    nz_grid_take(grid, &cell);
    nz_put_clean(&cell, nz_json_text_at(metric, "difference"));
    if (strcmp(nz_json_text_at(metric, "by"), "baseline") == 0)
        nz_text_append(&cell, " (by its ratio to the baseline)");
    nz_grid_take(grid, &cell);
}

/* Whether something can be said of it that people want to read: what only one run has is in the CSV. */
static bool is_told(const json_t *metric) {
    const char *word = nz_json_text_at(metric, "difference");
    if (strcmp(word, "better") == 0 || strcmp(word, "worse") == 0) return true;
    bool measured = json_is_array(json_object_get(metric, "ci95")) || json_is_object(json_object_get(metric, "points"));
    return strcmp(word, "indistinguishable") == 0 && measured;
}

/* Strings of a list as sentences, each told once. */
static void put_sentences(nz_text *out, const json_t *list) {
    for (size_t i = 0; i < json_array_size(list) && i < SENTENCES_MOST; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (!text || !*text) continue;
        char first[2] = {text[0] >= 'a' && text[0] <= 'z' ? (char)(text[0] - 'a' + 'A') : text[0], '\0'};
        if (out->data && strstr(out->data, text + 1)) continue;
        nz_text_append(out, " ");
        nz_put_clean(out, text[0] & 0x80 ? text : first);
        if (!(text[0] & 0x80)) nz_put_clean(out, text + 1);
        nz_text_append(out, ".");
    }
}

static void fill_against(nz_grid *ret_grid, const nz_view *view, bool all) {
    static const char *const headings[] = {"Model", "Metric", "Before", "Now", "Ratio", "Difference"};
    const json_t *models = json_object_get(view->against, "models");
    const char *path = nz_json_text_at(view->against, "path");
    nz_text note = {0};
    size_t i, k;
    *ret_grid = (nz_grid){.columns = 6, .texts = 1 | 2 | 32, .title = "Against an earlier run", .note = ""};
    if (!json_is_array(models) || json_array_size(models) == 0) return;
    nz_text_append(&note, "Ratios: above 1 is better now. The earlier run: ");
    nz_put_clean(&note, *path ? path : "not named");
    nz_text_append(&note, ".");
    put_sentences(&note, json_object_get(view->against, "text"));
    for (i = 0; i < json_array_size(models) && i < SENTENCES_MOST; i++)
        put_sentences(&note, json_object_get(json_array_get(models, i), "notes"));
    ret_grid->status = nz_text_take(&note, &ret_grid->own_note);
    if (ret_grid->own_note) ret_grid->note = ret_grid->own_note;
    for (i = 0; i < NZ_COUNT(headings); i++) nz_grid_add(ret_grid, headings[i]);
    for (i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i), *metrics = json_object_get(model, "metrics");
        for (k = 0; k < json_array_size(metrics); k++)
            if (all || (is_told(json_array_get(metrics, k)) && ret_grid->count < AGAINST_MOST * ret_grid->columns))
                add_against(ret_grid, view, nz_json_text_at(model, "id"), json_array_get(metrics, k));
    }
}

void nz_beside_against(nz_grid *ret_grid, const nz_view *view) { fill_against(ret_grid, view, false); }

void nz_beside_put(nz_text *out, const nz_view *view, nz_grid_form form) {
    static void (*const fill[])(nz_grid *, const nz_view *) = {nz_beside_differences, nz_beside_hosts,
                                                               nz_beside_against};
    for (size_t i = 0; i < NZ_COUNT(fill); i++) {
        NZ_AUTO_GRID nz_grid grid = {0};
        fill[i](&grid, view);
        nz_grid_put(out, &grid, form);
    }
}

void nz_beside_put_csv(nz_text *out, const nz_view *view) {
    NZ_AUTO_GRID nz_grid grid = {0};
    fill_against(&grid, view, true);
    nz_grid_put_csv(out, &grid);
}
