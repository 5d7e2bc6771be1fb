/* SPDX-License-Identifier: Apache-2.0 */
#include "report/summary.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/options.h"
#include "metric/value_json.h"
#include "report/changes.h"
#include "report/escape.h"
#include "report/number.h"
#include "report/table.h"

enum { NAME_MOST = 60 };
#define HYPHEN "\xe2\x80\x91" /* where no line may break */
/* What a reading without an interval must differ by to be called different. */
#define SMALL_CHANGE 0.02
#define SMALL_POINTS 1.0

/* A name within a sentence: isolated, so that one written from right to left leaves the sentence as it is. */
static void put_name(nz_text *out, const nz_view *view, size_t row) {
    nz_text_append(out, "\xe2\x81\xa8"); /* U+2068 */
    nz_put_short(out, view->rows[row].label, NAME_MOST);
    nz_text_append(out, "\xe2\x81\xa9"); /* U+2069 */
}

/* "Latency" becomes "latency" within a sentence, "CHATS" and "MACs" stay. */
static void put_title(nz_text *out, const char *title) {
    bool word = title[0] && title[1] && islower((unsigned char)title[1]);
    if (!word) {
        nz_text_append(out, title);
        return;
    }
    nz_text_appendf(out, "%c", tolower((unsigned char)title[0]));
    nz_text_append(out, title + 1);
}

static bool in_points(const nz_view_column *column) { return strcmp(column->unit, "%") == 0; }

nz_change nz_summary_change(const nz_view_column *column, const nz_view_cell *base, const nz_view_cell *own) {
    if (isnan(base->value) || isnan(own->value) || column->better == NZ_NEITHER) return NZ_CHANGE_UNKNOWN;
    if (base->value == own->value) return NZ_CHANGE_SAME;
    bool better = (own->value > base->value) == (column->better == NZ_HIGHER);
    if (own->gain.has_ci) /* round by round: sharper than two intervals */
        return own->gain.difference == NZ_INDISTINGUISHABLE ? NZ_CHANGE_NOISE
               : own->gain.difference == NZ_BETTER          ? NZ_CHANGE_GAIN
                                                            : NZ_CHANGE_LOSS;
    if (own->has_difference) { /* on the same samples: sharper than two intervals */
        bool chance = own->difference_ci95[0] <= 0 && own->difference_ci95[1] >= 0;
        return chance ? NZ_CHANGE_NOISE : better ? NZ_CHANGE_GAIN : NZ_CHANGE_LOSS;
    }
    if (base->has_ci && own->has_ci && base->ci95[0] <= own->ci95[1] && own->ci95[0] <= base->ci95[1])
        return NZ_CHANGE_NOISE;
    bool intervals = base->has_ci && own->has_ci;
    double small = in_points(column) ? SMALL_POINTS : SMALL_CHANGE * fabs(base->value);
    if (column->noisy && !intervals && fabs(own->value - base->value) < small) return NZ_CHANGE_NOISE;
    return better ? NZ_CHANGE_GAIN : NZ_CHANGE_LOSS;
}

static void put_factor(nz_text *out, double factor) {
    nz_put_fixed(out, factor, factor >= 99.5 ? 0 : factor >= 9.95 ? 1 : 2);
}

/* "2.00x lower", "3.1% higher", "0.20 points lower". */
static void put_change(nz_text *out, const nz_view_column *column, double base, double own) {
    bool up = own > base;
    bool bytes = strcmp(column->unit, "B") == 0;
    const char *way = bytes ? (up ? "larger" : "smaller") : up ? "higher" : "lower";
    if (in_points(column)) {
        double points = fabs(own - base);
        nz_put_fixed(out, points, points < 0.0995 ? 3 : 2);
        nz_text_appendf(out, " points %s", way);
        return;
    }
    double factor = up ? own / base : base / own;
    if (!(base > 0 && own > 0) || !isfinite(factor)) {
        nz_text_append(out, way);
    } else if (factor >= 1.2) {
        put_factor(out, factor);
        nz_text_appendf(out, "\xc3\x97 %s", way);
    } else {
        double percent = fabs(own / base - 1) * 100;
        nz_put_fixed(out, percent, percent < 0.095 ? 2 : 1);
        nz_text_appendf(out, "%% %s", way);
    }
}

static void put_item(nz_text *out, const nz_view_column *column, double base, double own, bool with_values) {
    if (out->length) nz_text_append(out, "\n");
    put_title(out, column->title);
    nz_text_append(out, ": ");
    put_change(out, column, base, own);
    if (!with_values) return;
    nz_text_append(out, " (");
    nz_put_value(out, column, own);
    nz_text_append(out, " against ");
    nz_put_value_unit(out, column, base);
    nz_text_append(out, ")");
}

/* The same with the interval of the ratio where there is one. */
static void put_compared(nz_text *out, const nz_view_column *column, const nz_view_cell *base,
                         const nz_view_cell *own) {
    put_item(out, column, base->value, own->value, true);
    if (!own->gain.has_ci) return;
    nz_text_append(out, ", ratio ");
    nz_put_interval(out, own->gain.value, own->gain.ci95);
}

/* ---- what the figures alone would hide ---- */

typedef struct pair {
    double base, own;
    bool known;
} pair;

static pair pair_of(const nz_view *view, size_t row, const char *id) {
    size_t c = nz_view_column_find(view, id);
    pair p = {.base = NAN, .own = NAN};
    if (c < view->column_count)
        p = (pair){.base = nz_view_base_value(view, row, c), .own = nz_view_at(view, row, c)->value};
    p.known = !isnan(p.base) && !isnan(p.own);
    return p;
}

static void remark(nz_text *out, nz_text *sentence) {
    if (out->length) nz_text_append(out, "\n");
    if (sentence->data) nz_text_append(out, sentence->data);
    if (sentence->status != NZ_OK) out->status = sentence->status;
    nz_text_done(sentence);
}

/* Zeros are stored like other numbers: the file does not show them, a general compressor does. */
static void remark_zeros(nz_text *out, const nz_view *view, size_t row) {
    pair sparsity = pair_of(view, row, "sparsity"), disk = pair_of(view, row, "disk_bytes");
    pair entropy = pair_of(view, row, "entropy_bytes"), latency = pair_of(view, row, "latency_ms");
    if (!sparsity.known || sparsity.own < sparsity.base + 10) return;
    if (disk.known && disk.own > disk.base * 0.98) {
        nz_text s = {0};
        nz_text_append(&s, disk.own > disk.base * 0.995 ? "The file is no smaller although "
                                                        : "The file is hardly smaller although ");
        nz_put_fixed(&s, sparsity.own, 0);
        nz_text_append(&s, "% of the weights are zero: zeros are stored like other numbers.");
        if (entropy.known && entropy.own > 0 && entropy.base / entropy.own >= 1.05) {
            nz_text_append(&s, " Packed by a general compressor its weights would take ");
            put_factor(&s, entropy.base / entropy.own);
            nz_text_append(&s, "\xc3\x97 less than the baseline's.");
        }
        remark(out, &s);
    }
    if (latency.known && latency.own > latency.base * 0.95) {
        nz_text s = {0};
        nz_text_append(&s, "It is no faster for its zeros: the kernels multiply by them as by any other number.");
        remark(out, &s);
    }
}

/* A theoretical speedup that the clock does not confirm. */
static void remark_promise(nz_text *out, const nz_view *view, size_t row) {
    const char *of = view->rows[row].ratios[1].of;
    size_t c = nz_view_column_find(view, of);
    pair counted = pair_of(view, row, of), latency = pair_of(view, row, "latency_ms");
    if (c == view->column_count || !view->columns[c].theoretical || !counted.known || !latency.known) return;
    double promised = counted.base / counted.own, measured = latency.base / latency.own;
    if (!isfinite(promised) || !isfinite(measured) || promised < 1.2 || measured > promised * 0.8) return;
    nz_text s = {0};
    nz_text_append(&s, "The count of ");
    nz_text_append(&s, view->columns[c].title);
    nz_text_append(&s, " promises a speedup of ");
    put_factor(&s, promised);
    nz_text_append(&s, "; the clock shows ");
    put_factor(&s, measured);
    nz_text_append(&s, ".");
    remark(out, &s);
}

static void remark_ocs(nz_text *out, const nz_view *view, size_t row) {
    bool partial;
    double ocs = nz_view_ocs(&view->rows[row], &partial);
    if (isnan(ocs) || ocs > 0.005) return;
    nz_text s = {0};
    nz_text_append(&s, "By its OCS of ");
    nz_put_ratio(&s, ocs);
    nz_text_append(&s, " it is no better than leaving the model as it is (0).");
    remark(out, &s);
}

/* Strings under "warnings" and "notes", wherever they stand. */
static nz_status put_stated(nz_text *out, nz_view *view, const json_t *holder) {
    static const char *const keys[] = {"warnings", "notes"};
    for (size_t k = 0; k < NZ_COUNT(keys); k++) {
        size_t i;
        json_t *item;
        json_array_foreach(json_object_get(holder, keys[k]), i, item) {
            const char *text = "";
            NZ_TRY(nz_view_text(view, &text, item));
            if (!*text) continue;
            nz_text line = {0};
            nz_text_append(&line, text);
            remark(out, &line);
        }
    }
    return NZ_OK;
}

/* An accuracy of a detector that comes without the interval of its difference: on a few images precision, recall and F1 move
 * by points for nothing. They stand in the tables; which boxes are found again is told in words. */
static bool is_unsure(const nz_view *view, size_t row, size_t column) {
    return view->rows[row].found && strcmp(view->columns[column].category, "accuracy") == 0 &&
           !nz_view_at(view, row, column)->has_difference;
}

static nz_status fill_part(nz_summary_part *part, nz_view *view, size_t row) {
    part->row = row;
    size_t base = view->rows[row].baseline;
    for (size_t c = 0; c < view->column_count && base != SIZE_MAX && base != row; c++) {
        const nz_view_column *column = &view->columns[c];
        const nz_view_cell *from = nz_view_at(view, base, c), *to = nz_view_at(view, row, c);
        if (!nz_view_is_main(view, c) || is_unsure(view, row, c)) continue;
        switch (nz_summary_change(column, from, to)) {
        case NZ_CHANGE_GAIN: put_compared(&part->gains, column, from, to); break;
        case NZ_CHANGE_LOSS: put_compared(&part->losses, column, from, to); break;
        case NZ_CHANGE_NOISE: put_compared(&part->noise, column, from, to); break;
        case NZ_CHANGE_SAME:
            if (part->same.length) nz_text_append(&part->same, ", ");
            put_title(&part->same, column->title);
            break;
        case NZ_CHANGE_UNKNOWN: break;
        }
    }
    if (base != SIZE_MAX && base != row) {
        NZ_TRY(nz_changes_put_words(&part->remarks, view, row));
        remark_zeros(&part->remarks, view, row);
        remark_promise(&part->remarks, view, row);
        remark_ocs(&part->remarks, view, row);
    }
    return put_stated(&part->remarks, view, view->rows[row].json);
}

/* ---- the head of the page ---- */

/* "size on disk 3.96x lower" of one ratio's metric; false where it cannot be told. */
static bool put_clause(nz_text *out, const nz_view *view, size_t row, int ratio, bool first) {
    size_t c = nz_view_column_find(view, view->rows[row].ratios[ratio].of), base = view->rows[row].baseline;
    if (c == view->column_count || base == SIZE_MAX) return false;
    const nz_view_cell *from = nz_view_at(view, base, c), *to = nz_view_at(view, row, c);
    nz_change change = nz_summary_change(&view->columns[c], from, to);
    if (change == NZ_CHANGE_UNKNOWN) return false;
    nz_text_append(out, first ? "" : ", ");
    const char *title = view->columns[c].title;
    bool number = *title && isdigit((unsigned char)title[strlen(title) - 1]); /* another number comes next */
    put_title(out, title);
    nz_text_append(out, number ? ": " : " ");
    if (change == NZ_CHANGE_SAME)
        nz_text_append(out, "unchanged");
    else
        put_change(out, &view->columns[c], from->value, to->value);
    if (change == NZ_CHANGE_NOISE) nz_text_append(out, " (within noise)");
    return true;
}

/* "4.74", "5.44 without efficiency". */
static void put_score(nz_text *out, const nz_view_row *row) {
    bool partial;
    nz_put_ratio(out, nz_view_ocs(row, &partial));
    for (int i = 0, listed = 0; i < NZ_VIEW_RATIOS && partial; i++)
        if (row->without[i]) nz_text_appendf(out, "%s%s", listed++ ? " and " : " without ", nz_ratio_names[i]);
}

static void put_verdict(nz_text *out, const nz_view *view) {
    static const int order[] = {2, 1, 3, 0}; /* size, speed, energy; what it cost in accuracy last */
    size_t best = nz_view_best(view), compared = 0;
    bool partial;
    for (size_t r = 0; r < view->row_count; r++) compared += !view->rows[r].is_baseline && !view->rows[r].failed;
    if (best < view->row_count && nz_view_ocs(&view->rows[best], &partial) > 0.005) {
        put_name(out, view, best);
        nz_text_append(out, compared > 1 ? " is the best trade by OCS (" : " has an OCS of ");
        put_score(out, &view->rows[best]);
        nz_text_append(out, compared > 1 ? "): " : ": ");
        bool first = true;
        for (size_t i = 0; i < NZ_COUNT(order); i++)
            if (put_clause(out, view, best, order[i], first)) first = false;
        nz_text_append(out, ".");
    } else if (best < view->row_count) {
        nz_text_append(out, compared > 1 ? "No model here beats the baseline" : "It does not beat the baseline");
        if (view->rows[best].baseline != SIZE_MAX) {
            nz_text_append(out, " ");
            put_name(out, view, view->rows[best].baseline);
        }
        nz_text_append(out, ": ");
        put_name(out, view, best);
        nz_text_append(out, " comes closest, with an OCS of ");
        put_score(out, &view->rows[best]);
        nz_text_append(out, ".");
    } else if (view->failed == view->row_count)
        nz_text_append(out, "No model could be measured.");
    else if (compared == 0 && view->row_count == 1) {
        put_name(out, view, 0);
        nz_text_append(out, ", measured alone: there is nothing to compare it with.");
    } else if (compared == 0)
        nz_text_append(out, "No compressed model could be measured.");
    else
        nz_text_appendf(out, "%zu models side by side; no overall score could be computed.", view->row_count);
}

/* The first of several members that is a string; "" where none is. */
static nz_status first_string(nz_view *view, const char **ret, const json_t *object, const char *const *keys,
                              size_t count) {
    *ret = "";
    for (size_t i = 0; i < count && !**ret; i++) NZ_TRY(nz_view_text(view, ret, json_object_get(object, keys[i])));
    return NZ_OK;
}

/* DATA of the command line as people say it: "cifar10 test (folder)"; the whole of it stands in the provenance. */
static void put_data(nz_text *out, const char *data) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    const char *colon = nz_spec_parse(&spec, data) == NZ_OK ? strchr(spec.head, ':') : NULL, *split = "", *base = data;
    nz_text_append(out, " on \xe2\x81\xa8");
    if (colon) {
        split = nz_spec_get(&spec, "split");
        base = nz_path_base(colon + 1);
        nz_text_appendf(out, "%.*s%s%s (", (int)(colon - spec.head), spec.head, split ? " " : "", split ? split : "");
    }
    nz_put_short(out, base, 72);
    nz_text_append(out, colon ? ")\xe2\x81\xa9" : "\xe2\x81\xa9");
}

/* 2026-11-23T15:31:25Z as people write it; anything else as it is. */
static void put_time(nz_text *out, const char *time) {
    static const char form[] = "0000-00-00T00:00:00Z";
    bool iso = strlen(time) == strlen(form);
    for (size_t i = 0; iso && form[i]; i++) iso = form[i] == '0' ? isdigit((unsigned char)time[i]) : time[i] == form[i];
    if (iso)
        nz_text_appendf(out, "%.4s" HYPHEN "%.2s" HYPHEN "%.2s\xc2\xa0%.5s\xc2\xa0UTC", time, time + 5, time + 8,
                        time + 11);
    else
        nz_put_short(out, time, 40);
}

static nz_status put_lead(nz_text *out, nz_view *view) {
    static const char *const data_keys[] = {"text", "spec", "name", "path", "kind"},
                             *const started_keys[] = {"started"},
                             *const host_keys[] = {"cpu_model", "cpu", "model", "hostname", "name"},
                             *const table_keys[] = {"path"};
    const char *data, *host, *started, *table;
    const json_t *about = json_object_get(view->run, "data");
    NZ_TRY(first_string(view, &data, about, data_keys, NZ_COUNT(data_keys)));
    NZ_TRY(first_string(view, &host, json_object_get(view->run, "host"), host_keys, NZ_COUNT(host_keys)));
    NZ_TRY(first_string(view, &table, json_object_get(view->run, "table"), table_keys, NZ_COUNT(table_keys)));
    NZ_TRY(first_string(view, &started, view->run, started_keys, NZ_COUNT(started_keys)));
    nz_text_appendf(out, "%zu %s", view->names, view->names == 1 ? "model" : "models");
    if (view->names < view->row_count) nz_text_appendf(out, " in %zu variants", view->row_count);
    if (view->failed) nz_text_appendf(out, " (%zu failed)", view->failed);
    uint64_t samples = 0;
    size_t detector = nz_found_reference(view);
    double images = detector < view->row_count ? view->rows[detector].found->images : (double)NAN;
    for (size_t c = 0; c < view->column_count; c++)
        for (size_t r = 0; r < view->row_count && strcmp(view->columns[c].category, "accuracy") == 0; r++)
            if (nz_view_at(view, r, c)->has_n && nz_view_at(view, r, c)->n > samples)
                samples = nz_view_at(view, r, c)->n;
    if (*data) put_data(out, data);
    if (*table) {
        nz_text_append(out, ", figures measured elsewhere and taken from \xe2\x81\xa8");
        nz_put_short(out, table, 120);
        nz_text_append(out, "\xe2\x81\xa9");
    }
    if (images >= 1 && images < 1e15)
        nz_text_appendf(out, ", %.0f image%s", images, images == 1 ? "" : "s");
    else if (samples)
        nz_text_appendf(out, ", %llu samples", (unsigned long long)samples);
    if (*host) {
        nz_text_append(out, " \xc2\xb7 ");
        nz_put_short(out, host, 80);
    }
    if (*started) {
        nz_text_append(out, " \xc2\xb7 ");
        put_time(out, started);
    }
    return NZ_OK;
}

static nz_status status_of(const nz_summary *summary) {
    const nz_text *const whole[] = {&summary->verdict, &summary->lead, &summary->warnings};
    for (size_t i = 0; i < NZ_COUNT(whole); i++) NZ_TRY(whole[i]->status);
    for (size_t i = 0; i < summary->count; i++) {
        const nz_summary_part *p = &summary->parts[i];
        const nz_text *const texts[] = {&p->gains, &p->losses, &p->noise, &p->same, &p->remarks};
        for (size_t k = 0; k < NZ_COUNT(texts); k++) NZ_TRY(texts[k]->status);
    }
    return NZ_OK;
}

nz_status nz_summary_get(nz_summary *ret_summary, nz_view *view) {
    NZ_AUTO(nz_summary_done) nz_summary summary = {0};
    put_verdict(&summary.verdict, view);
    NZ_TRY(put_lead(&summary.lead, view));
    NZ_TRY(put_stated(&summary.warnings, view, view->run));
    NZ_TRY(put_stated(&summary.warnings, view, view->document));
    NZ_TRY(nz_alloc(&summary.parts, view->row_count, sizeof *summary.parts));
    for (size_t r = 0; r < view->row_count; r++) NZ_TRY(fill_part(&summary.parts[summary.count++], view, r));
    NZ_TRY(status_of(&summary));
    *ret_summary = summary;
    summary = (nz_summary){0};
    return NZ_OK;
}

void nz_summary_done(nz_summary *summary) {
    for (size_t i = 0; i < summary->count; i++) {
        nz_summary_part *p = &summary->parts[i];
        nz_text *const texts[] = {&p->gains, &p->losses, &p->noise, &p->same, &p->remarks};
        for (size_t k = 0; k < NZ_COUNT(texts); k++) nz_text_done(texts[k]);
    }
    free(summary->parts);
    nz_text_done(&summary->verdict);
    nz_text_done(&summary->lead);
    nz_text_done(&summary->warnings);
    *summary = (nz_summary){0};
}
