/* SPDX-License-Identifier: Apache-2.0 */
/* results.json to rows and columns. What is absent is tolerated; what has the wrong type is refused by name. */
#include "report/view.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/text.h"
#include "metric/value_json.h"
#include "report/escape.h"
#include "report/number.h"
#include "report/read.h"

nz_status nz_view_keep(nz_view *view, const char **ret_text, nz_text *built) {
    NZ_AUTO_FREE char *text = NULL;
    NZ_TRY(nz_text_take(built, &text));
    NZ_TRY(nz_grow(&view->texts, &view->text_capacity, view->text_count + 1, sizeof *view->texts));
    *ret_text = view->texts[view->text_count++] = NZ_STEAL(text);
    return NZ_OK;
}

static nz_status clean_copy(nz_view *view, const char **ret_text, const char *text) {
    nz_text clean = {0};
    nz_put_clean(&clean, text);
    return nz_view_keep(view, ret_text, &clean);
}

nz_status nz_view_text(nz_view *view, const char **ret_text, const json_t *string) {
    const char *text = json_string_value(string);
    if (text && *text) return clean_copy(view, ret_text, text);
    *ret_text = "";
    return NZ_OK;
}

static nz_better better_of(const json_t *json, nz_better otherwise) {
    const char *name = json_string_value(json);
    for (int b = NZ_HIGHER; name && b <= NZ_NEITHER; b++)
        if (strcmp(name, nz_better_name((nz_better)b)) == 0) return (nz_better)b;
    return otherwise;
}

/* ---- columns ---- */

/* Where the registry would show an id; topK beyond its rows comes behind the last of them, unknown ids at the end. */
static size_t rank_of(const char *id) {
    const nz_metric *m;
    size_t i = 0, last_topk = 0;
    for (; (m = nz_metric_at(i)); i++) {
        if (strcmp(m->id, id) == 0) return 2 * i;
        if (strncmp(m->id, "top", 3) == 0) last_topk = i;
    }
    return nz_metric_find(id) ? 2 * last_topk + 1 : 2 * i;
}

static nz_status add_column(nz_view *view, size_t *capacity, const char *id, const json_t *metric) {
    if (nz_view_column_find(view, id) < view->column_count) return NZ_OK;
    if (view->column_count == NZ_VIEW_COLUMNS_MOST)
        return nz_fail(NZ_E_FORMAT, "more than %d metrics", NZ_VIEW_COLUMNS_MOST);
    const nz_metric *known = nz_metric_find(id);
    if (known && strcmp(known->id, id) != 0 && strncmp(id, "top", 3) != 0) known = NULL; /* an alias is no id */
    nz_view_column column = {.id = id, .help = known ? known->help : "", .integer = known && known->integer};
    column.theoretical = known && known->theoretical;
    column.noisy = known && (known->needs_timing || known->needs_process || known->needs_energy);
    NZ_TRY(nz_view_text(view, &column.title, json_object_get(metric, "title")));
    NZ_TRY(nz_view_text(view, &column.unit, json_object_get(metric, "unit")));
    NZ_TRY(nz_view_text(view, &column.category, json_object_get(metric, "category")));
    if (known) column.title = known->title;
    if (!*column.title) NZ_TRY(clean_copy(view, &column.title, id));
    if (!*column.unit && known) column.unit = known->unit;
    if (!*column.category) column.category = known ? known->category : "other";
    column.better = better_of(json_object_get(metric, "better"), known ? known->better : NZ_NEITHER);
    NZ_TRY(nz_grow(&view->columns, capacity, view->column_count + 1, sizeof *view->columns));
    size_t at = view->column_count++, rank = rank_of(id);
    while (at > 0 && rank_of(view->columns[at - 1].id) > rank) {
        view->columns[at] = view->columns[at - 1];
        at--;
    }
    view->columns[at] = column;
    return NZ_OK;
}

size_t nz_view_column_find(const nz_view *view, const char *id) {
    size_t c = 0;
    while (c < view->column_count && strcmp(view->columns[c].id, id) != 0) c++;
    return c;
}

/* ---- cells ---- */

static bool read_interval(double ret[2], const json_t *json) {
    const json_t *low = json_array_get(json, 0), *high = json_array_get(json, 1);
    if (json_array_size(json) != 2 || !json_is_number(low) || !json_is_number(high)) return false;
    ret[0] = json_number_value(low);
    ret[1] = json_number_value(high);
    return true;
}

static nz_status read_cell(nz_view *view, nz_view_cell *cell, const json_t *metric, const char *id) {
    if (!nz_read_number(&cell->value, json_object_get(metric, "value")))
        return nz_fail(NZ_E_FORMAT, "metrics.%s.value is neither a number nor null", id);
    const json_t *ci95 = json_object_get(metric, "ci95"), *n = json_object_get(metric, "n");
    if (read_interval(cell->ci95, ci95))
        cell->has_ci = !isnan(cell->value);
    else if (ci95 && !json_is_null(ci95))
        return nz_fail(NZ_E_FORMAT, "metrics.%s.ci95 is not a pair of numbers", id);
    if (cell->has_ci && !(cell->ci95[0] <= cell->ci95[1]))
        return nz_fail(NZ_E_FORMAT, "metrics.%s.ci95 ends before it begins", id);
    cell->has_n = json_is_integer(n) && json_integer_value(n) >= 0;
    if (cell->has_n) cell->n = (uint64_t)json_integer_value(n);
    const json_t *ties = json_object_get(metric, "ties");
    cell->has_ties = json_is_integer(ties) && json_integer_value(ties) >= 0;
    if (cell->has_ties) cell->ties = (uint64_t)json_integer_value(ties);
    const json_t *difference = json_object_get(metric, "difference");
    cell->has_difference = !isnan(cell->value) && json_is_number(json_object_get(difference, "value")) &&
                           read_interval(cell->difference_ci95, json_object_get(difference, "ci95"));
    if (cell->has_difference) cell->difference = json_number_value(json_object_get(difference, "value"));
    NZ_TRY(nz_view_text(view, &cell->source, json_object_get(metric, "source")));
    NZ_TRY(nz_view_text(view, &cell->reason, json_object_get(metric, "reason")));
    if (isnan(cell->value) && !*cell->reason) cell->reason = "no reason is given";
    return NZ_OK;
}

static nz_status read_cells(nz_view *view) {
    NZ_TRY(nz_alloc(&view->cells, view->row_count * view->column_count + 1, sizeof *view->cells));
    for (size_t r = 0; r < view->row_count; r++) {
        const json_t *metrics = json_object_get(view->rows[r].json, "metrics");
        for (size_t c = 0; c < view->column_count; c++) {
            nz_view_cell *cell = &view->cells[r * view->column_count + c];
            const json_t *metric = json_object_get(metrics, view->columns[c].id);
            *cell = (nz_view_cell){.value = NAN, .source = "unavailable", .gain.value = NAN};
            cell->reason = view->rows[r].failed ? "the model failed" : "not among this model's results";
            nz_status status = metric ? read_cell(view, cell, metric, view->columns[c].id) : NZ_OK;
            if (status != NZ_OK) return nz_fail_context(status, "models[%zu]", r);
        }
    }
    return NZ_OK;
}

/* ---- rows ---- */

static nz_status read_ratios(nz_view *view, nz_view_row *row) {
    const json_t *ratios, *ocs, *partial;
    row->ocs = row->partial = NAN;
    row->ocs_reason = "";
    for (int i = 0; i < NZ_VIEW_RATIOS; i++)
        row->ratios[i] = (nz_view_ratio){.value = NAN, .of = "", .reason = "", .gain.value = NAN};
    if (!nz_read_object(&ratios, row->json, "ratios")) return nz_fail(NZ_E_FORMAT, "ratios is not an object");
    for (int i = 0; i < NZ_VIEW_RATIOS && ratios; i++) {
        const json_t *ratio;
        if (!nz_read_object(&ratio, ratios, nz_ratio_names[i]) ||
            !nz_read_number(&row->ratios[i].value, json_object_get(ratio, "value")))
            return nz_fail(NZ_E_FORMAT, "ratios.%s is not an object with a number or null as value", nz_ratio_names[i]);
        NZ_TRY(nz_view_text(view, &row->ratios[i].of, json_object_get(ratio, "of")));
        NZ_TRY(nz_view_text(view, &row->ratios[i].reason, json_object_get(ratio, "reason")));
        view->has_ratios = view->has_ratios || ratio;
        const json_t *zeta = json_object_get(ratio, "zeta");
        if (json_is_number(zeta)) view->zeta = json_number_value(zeta);
    }
    if (!nz_read_object(&ocs, row->json, "ocs") || !nz_read_number(&row->ocs, json_object_get(ocs, "value")) ||
        !nz_read_object(&partial, ocs, "partial") || !nz_read_number(&row->partial, json_object_get(partial, "value")))
        return nz_fail(NZ_E_FORMAT, "ocs is not an object with numbers or null as values");
    NZ_TRY(nz_view_text(view, &row->ocs_reason, json_object_get(ocs, "reason")));
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(ocs, "lambda"), i, item) if (i < NZ_VIEW_RATIOS && json_is_number(item))
        view->lambda[i] = json_number_value(item);
    json_array_foreach(json_object_get(partial, "without"), i,
                       item) for (int k = 0; k < NZ_VIEW_RATIOS;
                                  k++) if (json_is_string(item) && strcmp(json_string_value(item), nz_ratio_names[k]) ==
                                                                       0) row->without[k] = true;
    return NZ_OK;
}

static nz_status read_strings(nz_view *view, nz_view_row *row) {
    const json_t *variant;
    if (!nz_read_object(&variant, row->json, "variant")) return nz_fail(NZ_E_FORMAT, "variant is not an object");
    const struct {
        const char **to;
        const json_t *from;
        const char *key;
    } fields[] = {
        {&row->id, row->json, "id"},
        {&row->name, row->json, "name"},
        {&row->path, row->json, "path"},
        {&row->technique, row->json, "technique"},
        {&row->sha256, row->json, "sha256"},
        {&row->error, row->json, "error"},
        {&row->runtime, variant, "runtime"},
        {&row->runtime_version, variant, "runtime_version"},
        {&row->host, variant, "host"},
        {&row->method, row->json, "method"},
        {&row->preprocess, row->json, "preprocess"},
        {&row->compute, variant, "compute"},
    };
    for (size_t i = 0; i < NZ_COUNT(fields); i++) {
        const json_t *json = json_object_get(fields[i].from, fields[i].key);
        if (json && !json_is_null(json) && !json_is_string(json))
            return nz_fail(NZ_E_FORMAT, "%s is not a string", fields[i].key);
        NZ_TRY(nz_view_text(view, fields[i].to, json));
    }
    if (!*row->name) row->name = *row->id ? row->id : "(no name)";
    if (!*row->id) row->id = row->name;
    if (!nz_read_number(&row->threads, json_object_get(variant, "threads")) ||
        !nz_read_number(&row->batch, json_object_get(variant, "batch")) ||
        !nz_read_number(&row->seed, json_object_get(variant, "seed")))
        return nz_fail(NZ_E_FORMAT, "variant.threads, batch or seed is not a number");
    return NZ_OK;
}

static nz_status read_row(nz_view *view, nz_view_row *row, const json_t *model, size_t *column_capacity) {
    const json_t *metrics, *layers = json_object_get(model, "layers");
    const char *status = json_string_value(json_object_get(model, "status")), *id;
    json_t *metric;
    if (!json_is_object(model)) return nz_fail(NZ_E_FORMAT, "not an object");
    row->json = model;
    row->failed = status && strcmp(status, "ok") != 0;
    row->layers = json_is_array(layers) && json_array_size(layers) > 0 ? layers : NULL;
    row->layers_sum_ms = nz_json_number_at(json_object_get(model, "layers_total"), "sum_ms");
    row->layers_whole_ms = nz_json_number_at(json_object_get(model, "layers_total"), "latency_ms");
    NZ_TRY(read_strings(view, row));
    if (!nz_read_object(&metrics, model, "metrics")) return nz_fail(NZ_E_FORMAT, "metrics is not an object");
    json_object_foreach((json_t *)(uintptr_t)metrics, id, metric) {
        if (!json_is_object(metric)) return nz_fail(NZ_E_FORMAT, "metrics.%s is not an object", id);
        NZ_TRY(add_column(view, column_capacity, id, metric));
    }
    NZ_TRY(read_ratios(view, row));
    const json_t *detection;
    if (!nz_read_object(&detection, model, "detection")) return nz_fail(NZ_E_FORMAT, "detection is not an object");
    return detection ? nz_found_read(&row->found, view, detection) : NZ_OK;
}

static void link_baselines(nz_view *view) {
    for (size_t r = 0; r < view->row_count; r++) {
        nz_view_row *row = &view->rows[r];
        const char *wanted = json_string_value(json_object_get(row->json, "baseline"));
        row->baseline = SIZE_MAX;
        for (size_t b = 0; wanted && b < view->row_count && row->baseline == SIZE_MAX; b++) {
            const char *id = json_string_value(json_object_get(view->rows[b].json, "id"));
            if (id && strcmp(id, wanted) == 0) row->baseline = b;
        }
        if (row->baseline != SIZE_MAX) view->rows[row->baseline].is_baseline = true;
    }
}

/* ---- labels and colours ---- */

static bool same_number(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static void put_part(nz_text *out, bool differs, const char *format, const char *text) {
    if (!differs || !*text) return;
    nz_text_append(out, " \xc2\xb7 ");
    nz_text_appendf(out, format, text);
}

bool nz_view_same_part(const nz_view_row *a, const nz_view_row *b, nz_variant_part part) {
    switch (part) {
    case NZ_VARIANT_RUNTIME: return strcmp(a->runtime, b->runtime) == 0;
    case NZ_VARIANT_THREADS: return same_number(a->threads, b->threads);
    case NZ_VARIANT_BATCH: return same_number(a->batch, b->batch);
    case NZ_VARIANT_HOST: return strcmp(a->host, b->host) == 0;
    case NZ_VARIANT_SEED: return same_number(a->seed, b->seed);
    default: return true;
    }
}

nz_status nz_view_label(nz_view *view, const char **ret_label, const nz_view_row *row, unsigned parts) {
    nz_text text = {0};
    char number[3][32];
    nz_snprintf(number[0], sizeof number[0], "%g", row->threads);
    nz_snprintf(number[1], sizeof number[1], "%g", row->batch);
    nz_snprintf(number[2], sizeof number[2], "%g", row->seed);
    nz_text_append(&text, row->name);
    put_part(&text, parts & 1u << NZ_VARIANT_RUNTIME, "%s", row->runtime);
    put_part(&text, parts & 1u << NZ_VARIANT_THREADS, "t%s", isnan(row->threads) ? "" : number[0]);
    put_part(&text, parts & 1u << NZ_VARIANT_BATCH, "b%s", isnan(row->batch) ? "" : number[1]);
    put_part(&text, parts & 1u << NZ_VARIANT_HOST, "%s", row->host);
    put_part(&text, parts & 1u << NZ_VARIANT_SEED, "seed %s", isnan(row->seed) ? "" : number[2]);
    return nz_view_keep(view, ret_label, &text);
}

/* A name alone where it occurs once; otherwise with those parts of the variant that differ somewhere in the document. */
static nz_status label_rows(nz_view *view) {
    const nz_view_row *rows = view->rows;
    unsigned parts = 0;
    for (size_t r = 1; r < view->row_count; r++)
        for (nz_variant_part part = 0; part < NZ_VARIANT_PARTS; part++)
            if (!nz_view_same_part(&rows[r], &rows[0], part)) parts |= 1u << part;
    size_t colours = 0;
    for (size_t r = 0; r < view->row_count; r++) {
        nz_view_row *row = &view->rows[r];
        size_t same = 0, first_of_name = r;
        for (size_t k = 0; k < view->row_count; k++)
            if (strcmp(rows[k].name, row->name) == 0) {
                same++;
                if (k < first_of_name) first_of_name = k;
            }
        row->colour = first_of_name < r ? rows[first_of_name].colour : colours++;
        view->names = colours;
        row->label = row->name;
        if (same > 1) NZ_TRY(nz_view_label(view, &row->label, row, parts));
    }
    return NZ_OK;
}

/* ---- the whole ---- */

static void count_values(nz_view *view) {
    for (size_t c = 0; c < view->column_count; c++) {
        nz_view_column *column = &view->columns[c];
        double first = NAN;
        for (size_t r = 0; r < view->row_count; r++) {
            double value = nz_view_at(view, r, c)->value;
            if (isnan(value)) continue;
            if (column->available++ == 0) {
                first = value;
                column->distinct = 1;
            } else if (value != first)
                column->distinct = 2;
        }
    }
}

static nz_status read_document(nz_view *view) {
    const json_t *document = view->document, *models = json_object_get(document, "models");
    const char *schema = json_string_value(json_object_get(document, "schema"));
    if (!json_is_object(document)) return nz_fail(NZ_E_FORMAT, "not a results document: the top is no object");
    if (!schema || strcmp(schema, "netzip.results/1") != 0)
        return nz_fail(NZ_E_FORMAT, "schema is '%.60s', this netzip reads netzip.results/1",
                       schema ? schema : "absent");
    if (!json_is_array(models)) return nz_fail(NZ_E_FORMAT, "models is not an array");
    if (json_array_size(models) == 0) return nz_fail(NZ_E_FORMAT, "models is empty: there is nothing to report");
    if (json_array_size(models) > NZ_VIEW_ROWS_MOST)
        return nz_fail(NZ_E_FORMAT, "%zu models; a report holds at most %d", json_array_size(models),
                       NZ_VIEW_ROWS_MOST);
    if (!nz_read_object(&view->run, document, "run")) return nz_fail(NZ_E_FORMAT, "run is not an object");
    size_t column_capacity = 0, r;
    bool named = true, alike = true; /* techniques: like the model's name, like each other */
    json_t *model;
    NZ_TRY(nz_alloc(&view->rows, json_array_size(models), sizeof *view->rows));
    json_array_foreach(models, r, model) {
        view->row_count = r + 1;
        nz_status status = read_row(view, &view->rows[r], model, &column_capacity);
        if (status != NZ_OK) return nz_fail_context(status, "models[%zu]", r);
        view->failed += view->rows[r].failed;
        named = named && (!*view->rows[r].technique || strcmp(view->rows[r].technique, view->rows[r].name) == 0);
        alike = alike && strcmp(view->rows[r].technique, view->rows[0].technique) == 0;
    }
    view->has_technique = !named && !alike;
    link_baselines(view);
    NZ_TRY(label_rows(view));
    NZ_TRY(nz_found_variants(view));
    NZ_TRY(read_cells(view));
    NZ_TRY(nz_view_uncertain(view));
    count_values(view);
    for (size_t c = 0; c < view->column_count; c++) nz_number_plan(view, c);
    return NZ_OK;
}

nz_status nz_view_init(nz_view *ret_view, json_t *document, const char *what) {
    NZ_AUTO_VIEW nz_view view = {.document = json_incref(document), .zeta = NAN, .mark_note = "", .mark_foot = ""};
    for (int i = 0; i < NZ_VIEW_RATIOS; i++) view.lambda[i] = NAN;
    nz_status status = read_document(&view);
    if (status != NZ_OK) return nz_fail_context(status, "%s", what);
    *ret_view = view;
    view = (nz_view){0};
    return NZ_OK;
}

void nz_view_done(nz_view *view) {
    for (size_t i = 0; i < view->text_count; i++) free(view->texts[i]);
    free(view->texts);
    for (size_t r = 0; r < view->row_count; r++) nz_found_free(view->rows[r].found);
    free(view->rows);
    free(view->columns);
    free(view->cells);
    json_decref(view->document);
    json_decref(view->times);
    *view = (nz_view){0};
}

double nz_view_ocs(const nz_view_row *row, bool *ret_partial) {
    *ret_partial = isnan(row->ocs) && !isnan(row->partial);
    return *ret_partial ? row->partial : row->ocs;
}

size_t nz_view_best(const nz_view *view) {
    size_t best = view->row_count;
    double most = 0;
    for (size_t r = 0; r < view->row_count; r++) {
        bool partial;
        double ocs = nz_view_ocs(&view->rows[r], &partial);
        if (view->rows[r].is_baseline || view->rows[r].failed || isnan(ocs)) continue;
        if (best < view->row_count && ocs <= most) continue;
        best = r;
        most = ocs;
    }
    return best;
}

double nz_view_base_value(const nz_view *view, size_t row, size_t column) {
    size_t base = view->rows[row].baseline;
    return base == SIZE_MAX ? (double)NAN : nz_view_at(view, base, column)->value;
}

const char *nz_view_ratio_of(const nz_view *view, size_t ratio) {
    const char *of = "";
    for (size_t r = 0; r < view->row_count && !*of; r++) of = view->rows[r].ratios[ratio].of;
    return of;
}

bool nz_view_is_constant(const nz_view *view, size_t column) {
    size_t available = view->columns[column].available;
    return view->columns[column].distinct == 1 && available > 1 && available == view->row_count - view->failed;
}

bool nz_view_is_main(const nz_view *view, size_t column) {
    enum { FEW = 12 };
    /* What the paper's tables show, in any order: titles, units and the order itself come from the registry. */
    static const char *const paper[] = {"top1",          "top5",       "map50",          "map50_95", "f1",
                                        "box_agreement", "latency_ms", "macs",           "chats",    "chats_macs",
                                        "disk_bytes",    "params",     "params_nonzero", "sparsity", "cpu_util_pct",
                                        "ram_bytes",     "energy_j",   "power_w"};
    if (view->columns[column].available == 0) return false;
    size_t shown = 0;
    for (size_t c = 0; c < view->column_count; c++) shown += view->columns[c].available > 0;
    if (shown <= FEW) return true;
    const char *id = view->columns[column].id;
    for (size_t i = 0; i < NZ_VIEW_RATIOS; i++)
        if (strcmp(nz_view_ratio_of(view, i), id) == 0) return true;
    if (nz_view_is_constant(view, column)) return false;
    if (strcmp(id, "chats_macs") == 0 && nz_view_column_find(view, "chats") < view->column_count) return false;
    bool listed = false;
    for (size_t i = 0; i < NZ_COUNT(paper); i++) listed = listed || strcmp(paper[i], id) == 0;
    return listed;
}
