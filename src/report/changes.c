/* SPDX-License-Identifier: Apache-2.0 */
#include "report/changes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/escape.h"
#include "report/number.h"
#include "report/summary.h"

#define MINUS "\xe2\x88\x92"
enum { NAME_MOST = 40, NAMED_MOST = 3 };

/* ---- class by class ---- */

static int by_size(const void *a, const void *b) { /* largest change first; without a baseline, most objects first */
    const nz_class_change *x = a, *y = b;
    double p = isnan(x->change) ? x->truths : fabs(x->change), q = isnan(y->change) ? y->truths : fabs(y->change);
    if (!isnan(p) && !isnan(q) && p != q) return p > q ? -1 : 1;
    if (isnan(p) != isnan(q)) return isnan(p) ? 1 : -1;
    return strcmp(x->name, y->name);
}

static int by_change(const void *a, const void *b) {
    const nz_class_change *x = a, *y = b;
    double p = isnan(x->change) ? -x->after : x->change, q = isnan(y->change) ? -y->after : y->change;
    return p < q ? -1 : p > q ? 1 : strcmp(x->name, y->name);
}

nz_status nz_class_changes_get(nz_class_changes *ret_changes, const nz_view *view, size_t row, size_t base,
                               size_t most) {
    const nz_found *own = view->rows[row].found, *from = base == SIZE_MAX ? NULL : view->rows[base].found;
    NZ_AUTO_FREE nz_class_change *items = NULL;
    size_t count = 0;
    NZ_TRY(nz_alloc(&items, own->class_count, sizeof *items));
    for (size_t i = 0; i < own->class_count; i++) {
        const nz_found_class *c = &own->classes[i], *before = from ? nz_found_class_like(from, own, i) : NULL;
        if (isnan(c->ap) || (from && (!before || isnan(before->ap)))) continue;
        double was = before ? before->ap : (double)NAN;
        items[count++] = (nz_class_change){c->name, c->truths, was, c->ap, c->ap - was};
    }
    qsort(items, count, sizeof *items, by_size);
    ret_changes->of = count;
    ret_changes->count = count < most ? count : most;
    qsort(items, ret_changes->count, sizeof *items, by_change);
    ret_changes->items = NZ_STEAL(items);
    return NZ_OK;
}

void nz_class_changes_done(nz_class_changes *changes) {
    free(changes->items);
    *changes = (nz_class_changes){0};
}

void nz_put_points(nz_text *out, double difference) {
    double points = 100 * difference;
    bool zero = fabs(points) < 0.05;
    nz_text_append(out, zero ? "" : points > 0 ? "+" : MINUS);
    nz_put_fixed(out, zero ? 0 : fabs(points), 1);
}

static void put_count(nz_text *out, double count, const char *one, const char *many) {
    nz_put_fixed(out, count, 0);
    nz_text_appendf(out, " %s", count == 1 ? one : many);
}

void nz_class_change_put(nz_text *out, const nz_class_change *c) {
    nz_put_short(out, c->name, NAME_MOST);
    nz_text_append(out, ": ");
    nz_put_fixed(out, 100 * c->after, 1);
    if (!isnan(c->before)) {
        nz_text_append(out, " against ");
        nz_put_fixed(out, 100 * c->before, 1);
    }
    if (isnan(c->truths)) return;
    nz_text_append(out, ", ");
    put_count(out, c->truths, "object", "objects");
}

void nz_class_changes_put(nz_text *out, const nz_class_changes *changes, size_t count) {
    for (size_t i = 0; i < count && i < changes->count; i++) {
        nz_text_append(out, i ? "; " : "");
        nz_class_change_put(out, &changes->items[i]);
    }
}

/* ---- in words ---- */

/* A name within a sentence, as in summary.c: isolated from the direction of what is around it. */
static void put_name(nz_text *out, const char *name) {
    nz_text_append(out, "\xe2\x81\xa8");
    nz_put_short(out, name, NAME_MOST);
    nz_text_append(out, "\xe2\x81\xa9");
}

static void begin_line(nz_text *out) {
    if (out->length) nz_text_append(out, "\n");
}

static void put_signed(nz_text *out, double points) {
    nz_text_append(out, points < 0 ? MINUS : "+");
    nz_put_fixed(out, fabs(points), 2);
}

/* What the interval of the difference says: NZ_CHANGE_UNKNOWN where there is none. */
static nz_change difference_of(const nz_view *view, size_t row, const char *id) {
    size_t c = nz_view_column_find(view, id);
    if (c == view->column_count || !nz_view_at(view, row, c)->has_difference) return NZ_CHANGE_UNKNOWN;
    return nz_summary_change(&view->columns[c], nz_view_at(view, view->rows[row].baseline, c),
                             nz_view_at(view, row, c));
}

/* "By mAP50-95 it is indistinguishable from None: ..." where the interval of the difference holds 0. */
static void put_difference(nz_text *out, const nz_view *view, size_t row, const char *id) {
    size_t c = nz_view_column_find(view, id);
    if (c == view->column_count || !nz_view_at(view, row, c)->has_difference) return;
    const nz_view_cell *cell = nz_view_at(view, row, c);
    bool chance = cell->difference_ci95[0] <= 0 && cell->difference_ci95[1] >= 0;
    begin_line(out);
    nz_text_append(out, "By ");
    nz_text_append(out, view->columns[c].title);
    nz_text_append(out, chance                 ? " it is indistinguishable from "
                        : cell->difference < 0 ? " it is worse than "
                                               : " it is better than ");
    put_name(out, view->rows[view->rows[row].baseline].label);
    nz_text_append(out, " on these images: the difference of ");
    put_signed(out, cell->difference);
    nz_text_append(out, " points has the 95% interval [");
    put_signed(out, cell->difference_ci95[0]);
    nz_text_append(out, ", ");
    put_signed(out, cell->difference_ci95[1]);
    nz_text_append(out, chance ? "], which contains 0." : "], which does not contain 0.");
}

static void put_share(nz_text *out, double part, double of) {
    double percent = of > 0 ? 100 * part / of : 0;
    nz_text_append(out, " (");
    nz_put_fixed(out, percent, percent > 99.9 && percent < 100 ? 2 : 1);
    nz_text_append(out, "%)");
}

static void put_match(nz_text *out, const nz_view *view, size_t row) {
    const nz_found_match *m = &view->rows[row].found->match;
    if (!m->known) return;
    double changed = m->matched - m->same_class;
    begin_line(out);
    nz_text_append(out, "Of the ");
    put_count(out, m->baseline_boxes, "box", "boxes");
    nz_text_append(out, " of ");
    put_name(out, view->rows[view->rows[row].baseline].label);
    if (!isnan(m->confidence)) {
        nz_text_append(out, " (confidence at least ");
        nz_put_number(out, m->confidence);
        nz_text_append(out, ")");
    }
    nz_text_append(out, " it finds ");
    nz_put_fixed(out, m->matched, 0);
    if (m->baseline_boxes > 0) put_share(out, m->matched, m->baseline_boxes);
    nz_text_append(out, " again");
    if (!isnan(m->iou)) {
        nz_text_append(out, " at IoU ");
        nz_put_number(out, m->iou);
    }
    nz_text_append(out, "; ");
    nz_put_fixed(out, m->baseline_boxes - m->matched, 0);
    nz_text_append(out, m->baseline_boxes - m->matched == 1 ? " is missing, " : " are missing, ");
    nz_put_fixed(out, m->boxes - m->matched, 0);
    nz_text_append(out, m->boxes - m->matched == 1 ? " is new, " : " are new, ");
    nz_put_fixed(out, changed, 0);
    nz_text_append(out, changed == 1 ? " of the matched has another class." : " of the matched have another class.");
    if (!isnan(m->mean_iou)) {
        nz_text_append(out, " Matched boxes overlap by ");
        nz_put_fixed(out, m->mean_iou, 3);
        nz_text_append(out, " on average");
        if (!isnan(m->mean_score_difference)) {
            nz_text_append(out, " and their scores differ by ");
            nz_put_fixed(out, m->mean_score_difference, 3);
        }
        nz_text_append(out, ".");
    }
}

/* "Average precision fell most for zebra: ..., and rose most for cat: ...": changes of half a point or more. */
static nz_status put_classes(nz_text *out, const nz_view *view, size_t row) {
    NZ_AUTO(nz_class_changes_done) nz_class_changes changes = {0};
    NZ_TRY(nz_class_changes_get(&changes, view, row, view->rows[row].baseline, SIZE_MAX));
    for (int gain = 0; gain < 2; gain++) {
        size_t named = 0;
        for (size_t k = 0; k < changes.count && named < NAMED_MOST; k++) {
            const nz_class_change *c = &changes.items[gain ? changes.count - 1 - k : k];
            if (gain ? c->change < 0.005 : c->change > -0.005) break;
            if (!named) begin_line(out);
            nz_text_append(out, named  ? "; "
                                : gain ? "Classes whose average precision rose most: "
                                       : "Classes whose average precision fell most: ");
            put_name(out, c->name);
            nz_text_append(out, " ");
            nz_put_points(out, c->change);
            nz_text_append(out, named ? " (" : " points (");
            nz_put_fixed(out, 100 * c->before, 1);
            nz_text_append(out, " \xe2\x86\x92 ");
            nz_put_fixed(out, 100 * c->after, 1);
            if (!isnan(c->truths)) nz_text_append(out, ", ");
            if (!isnan(c->truths)) put_count(out, c->truths, "object", "objects");
            nz_text_append(out, ")");
            named++;
        }
        if (named) nz_text_append(out, ".");
    }
    return NZ_OK;
}

nz_status nz_changes_put_words(nz_text *out, const nz_view *view, size_t row) {
    size_t base = view->rows[row].baseline;
    if (!view->rows[row].found || base == SIZE_MAX || base == row || !view->rows[base].found) return NZ_OK;
    put_difference(out, view, row, "map50_95");
    if (difference_of(view, row, "map50") != difference_of(view, row, "map50_95"))
        put_difference(out, view, row, "map50");
    put_match(out, view, row);
    return put_classes(out, view, row);
}
