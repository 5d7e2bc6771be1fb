/* SPDX-License-Identifier: Apache-2.0 */
/* The page's part on detectors: curves, what each class lost, confusion, boxes on sample images, every class of every model. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/changes.h"
#include "report/escape.h"
#include "report/page.h"

enum {
    CHANGES_UNFOLDED = 3, /* plots of classes shown without asking */
    SAMPLES_MOST = 12,    /* pictures within the page; the others lie in plots/ */
    CLASSES_UNFOLDED = 24,
    SHORT_TABLE = 3, /* models whose classes have AP50 beside AP */
    COLUMNS_MOST = 40
};

static size_t count_plots(const nz_plots *plots, nz_plot_kind kind) {
    size_t count = 0;
    for (size_t i = 0; i < plots->count; i++) count += plots->items[i].kind == kind;
    return count;
}

/* Plots of one kind from the `from`th to before the `to`th. */
static void put_figures(nz_text *out, const nz_plots *plots, nz_plot_kind kind, size_t from, size_t to) {
    size_t at = 0;
    for (size_t i = 0; i < plots->count; i++)
        if (plots->items[i].kind == kind && at++ >= from && at <= to) nz_page_put_figure(out, &plots->items[i]);
}

static void put_classes(nz_text *out, const nz_plots *plots) {
    size_t count = count_plots(plots, NZ_PLOT_CLASSES);
    nz_text_append(out, "<div class=plots>\n");
    put_figures(out, plots, NZ_PLOT_PRECISION, 0, 1);
    put_figures(out, plots, NZ_PLOT_F1, 0, 1);
    put_figures(out, plots, NZ_PLOT_CLASSES, 0, CHANGES_UNFOLDED);
    nz_text_append(out, "</div>\n");
    if (count <= CHANGES_UNFOLDED) return;
    nz_text_appendf(out, "<details><summary>Classes of %zu more models</summary>\n<div class=plots>\n",
                    count - CHANGES_UNFOLDED);
    put_figures(out, plots, NZ_PLOT_CLASSES, CHANGES_UNFOLDED, count);
    nz_text_append(out, "</div></details>\n");
}

static void put_confusion(nz_text *out, const nz_plots *plots) {
    size_t count = count_plots(plots, NZ_PLOT_CONFUSION);
    if (!count) return;
    nz_text_append(out, "<details><summary>Which class was taken for which</summary>\n<div class=plots>\n");
    put_figures(out, plots, NZ_PLOT_CONFUSION, 0, count);
    nz_text_append(out, "</div></details>\n");
}

static void put_samples(nz_text *out, const nz_plots *plots) {
    size_t count = count_plots(plots, NZ_PLOT_SAMPLE);
    if (!count) return;
    nz_text_append(out, "<h3 id=boxes>Boxes on sample images</h3>\n<div class=plots>\n");
    put_figures(out, plots, NZ_PLOT_SAMPLE, 0, SAMPLES_MOST);
    nz_text_append(out, "</div>\n");
    if (count > SAMPLES_MOST)
        nz_text_appendf(out, "<p class=small>%zu more images lie in plots/detections-*.png.</p>\n",
                        count - SAMPLES_MOST);
}

/* ---- every class of every model ---- */

typedef struct table {
    const nz_view *view;
    const nz_found *reference;
    size_t count, rows[COLUMNS_MOST]; /* models */
    bool with_ap50, compared;
} table;

static void plan(table *t, const nz_view *view) {
    size_t reference = nz_found_reference(view);
    *t = (table){.view = view, .reference = view->rows[reference].found};
    for (size_t r = 0; r < view->row_count && t->count < COLUMNS_MOST; r++)
        if (nz_found_shown(view, r)) t->rows[t->count++] = r;
    t->with_ap50 = t->count <= SHORT_TABLE;
    t->compared = t->count > 1;
}

static void put_head_cell(nz_text *out, const char *unit, const nz_view_row *row) {
    nz_text_append(out, "<th scope=col class=n data-better=higher>");
    nz_page_put_name(out, row->found_label);
    nz_text_appendf(out, " <span class=unit>%s</span></th>", unit);
}

static void put_number_cell(nz_text *out, double value, double shown, const char *title) {
    nz_text_appendf(out, "<td class=%s data-v=\"", isnan(value) ? "none" : "n");
    nz_put_number(out, value);
    nz_text_append(out, "\"");
    if (*title) {
        nz_text_append(out, " title=\"");
        nz_put_html(out, title);
        nz_text_append(out, "\"");
    }
    nz_text_append(out, ">");
    if (isnan(value))
        nz_text_append(out, "\xe2\x80\x93");
    else
        nz_put_fixed(out, shown, 1);
    nz_text_append(out, "</td>");
}

static void put_fraction(nz_text *out, const char *what, double value) {
    nz_text_append(out, what);
    if (isnan(value))
        nz_text_append(out, "\xe2\x80\x93");
    else
        nz_put_fixed(out, value, 3);
}

static void put_model_cells(nz_text *out, const table *t, size_t row, const nz_found_class *c) {
    nz_text told = {0};
    if (c) {
        nz_put_short(&told, t->view->rows[row].found_label, 60);
        nz_text_append(&told, ", ");
        nz_put_short(&told, c->name, 60);
        put_fraction(&told, ": AP50-95 ", c->ap);
        put_fraction(&told, ", AP50 ", c->ap50);
        put_fraction(&told, ", precision ", c->precision);
        put_fraction(&told, ", recall ", c->recall);
        put_fraction(&told, ", F1 ", c->f1);
    }
    double ap = c ? c->ap : (double)NAN, ap50 = c ? c->ap50 : (double)NAN;
    put_number_cell(out, ap, 100 * ap, told.data ? told.data : "");
    if (t->with_ap50) put_number_cell(out, ap50, 100 * ap50, told.data ? told.data : "");
    if (told.status != NZ_OK) out->status = told.status;
    nz_text_done(&told);
}

/* The worst that happened to a class in any compressed model. */
static double largest_loss(const table *t, size_t index) {
    double worst = NAN;
    for (size_t i = 0; i < t->count; i++) {
        const nz_view_row *row = &t->view->rows[t->rows[i]];
        if (row->found == t->reference) continue;
        const nz_found_class *c = nz_found_class_like(row->found, t->reference, index);
        double change = c ? c->ap - t->reference->classes[index].ap : (double)NAN;
        if (!isnan(change) && !(change >= worst)) worst = change;
    }
    return worst;
}

static void put_class_row(nz_text *out, const table *t, size_t index) {
    const nz_found_class *c = &t->reference->classes[index];
    nz_text_append(out, "<tr><th scope=row class=stick><bdi>");
    nz_page_put_name(out, c->name);
    nz_text_append(out, "</bdi></th><td class=n data-v=\"");
    nz_put_number(out, c->truths);
    nz_text_append(out, "\">");
    if (isnan(c->truths))
        nz_text_append(out, "\xe2\x80\x93");
    else
        nz_put_fixed(out, c->truths, 0);
    nz_text_append(out, "</td>");
    for (size_t i = 0; i < t->count; i++)
        put_model_cells(out, t, t->rows[i], nz_found_class_like(t->view->rows[t->rows[i]].found, t->reference, index));
    if (t->compared) {
        double worst = largest_loss(t, index);
        nz_text_appendf(out, "<td class=%s data-v=\"", isnan(worst) ? "none" : "n");
        nz_put_number(out, worst);
        nz_text_append(out, "\">");
        if (isnan(worst))
            nz_text_append(out, "\xe2\x80\x93");
        else
            nz_put_points(out, worst);
        nz_text_append(out, "</td>");
    }
    nz_text_append(out, "</tr>\n");
}

static void put_table(nz_text *out, const nz_view *view) {
    table t;
    plan(&t, view);
    if (!t.reference->class_count) return;
    nz_text_appendf(out, "<details%s><summary>Every class of every model</summary>\n",
                    t.reference->class_count <= CLASSES_UNFOLDED ? " open" : "");
    nz_text_append(out, "<div class=\"box scroll fit\" tabindex=0 role=region aria-label=\"Every class\"><table "
                        "class=\"sort full\"><thead><tr><th scope=col class=\"text stick\">Class</th><th scope=col "
                        "class=n data-better=higher>Objects</th>");
    for (size_t i = 0; i < t.count; i++) {
        put_head_cell(out, "AP50-95, %", &view->rows[t.rows[i]]);
        if (t.with_ap50) put_head_cell(out, "AP50, %", &view->rows[t.rows[i]]);
    }
    if (t.compared)
        nz_text_append(out, "<th scope=col class=n data-better=lower>Largest loss <span class=unit>points</span></th>");
    nz_text_append(out, "</tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < t.reference->class_count; i++) put_class_row(out, &t, i);
    nz_text_append(out, "</tbody></table></div>\n<p class=small>A dash: no object of that class is there. Point at a "
                        "figure for precision, recall and F1 at the model's best confidence. In full precision: "
                        "table-classes.csv.</p></details>\n");
}

void nz_page_put_detection(nz_text *out, const nz_view *view, const nz_plots *plots) {
    if (nz_found_reference(view) == view->row_count) return;
    nz_text_append(out, "<h2 id=detection>Detection</h2>\n");
    for (const char *p = plots->notes.data; p && *p;) {
        nz_text line = {0};
        size_t length = strcspn(p, "\n");
        nz_text_append_bytes(&line, p, length);
        nz_text_append(out, "<p class=warn>");
        nz_put_html(out, line.data ? line.data : "");
        nz_text_append(out, "</p>\n");
        nz_text_done(&line);
        p += length + (p[length] == '\n');
    }
    put_classes(out, plots);
    put_samples(out, plots);
    put_confusion(out, plots);
    put_table(out, view);
}

/* ---- the same as CSV ---- */

void nz_classes_put_csv(nz_text *out, const nz_view *view) {
    nz_text_append(out, "model,class,id,truths,ap,ap50,precision,recall,f1\n");
    for (size_t r = 0; r < view->row_count; r++) {
        const nz_found *found = view->rows[r].found;
        if (view->rows[r].failed) continue;
        for (size_t i = 0; found && i < found->class_count; i++) {
            const nz_found_class *c = &found->classes[i];
            const double values[] = {c->id, c->truths, c->ap, c->ap50, c->precision, c->recall, c->f1};
            nz_put_csv(out, view->rows[r].id);
            nz_text_append(out, ",");
            nz_put_csv(out, c->name);
            for (size_t k = 0; k < NZ_COUNT(values); k++) {
                nz_text_append(out, ",");
                nz_put_number(out, values[k]);
            }
            nz_text_append(out, "\n");
        }
    }
}
