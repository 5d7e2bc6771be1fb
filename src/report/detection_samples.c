/* SPDX-License-Identifier: Apache-2.0 */
/* Detections drawn on sample images, one plot an image: ground truth, the reference, every other model. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/escape.h"
#include "report/plots.h"
#include "report/samples.h"

enum {
    HEAD = 60,
    HEADING = 38,
    GAP = 14,
    LEGEND = 34,
    WIDE = 1288,
    CELL_WIDEST = 460,
    CELL_TALLEST = 400,
    COLUMNS = 4
};

/* Panels in rows as even as can be. */
static size_t columns_of(size_t count) {
    size_t rows = (count + COLUMNS - 1) / COLUMNS;
    return (count + rows - 1) / rows;
}

static double cell_width(const nz_sample_sheet *sheet) {
    size_t columns = columns_of(sheet->count);
    double width = fmin(CELL_WIDEST, (WIDE - 2 * NZ_PLOT_MARGIN - GAP * (double)(columns - 1)) / (double)columns);
    return fmin(width, CELL_TALLEST * sheet->width / sheet->height);
}

/* Long and thin images keep a place that their heading fits in. */
static double cell_pitch(const nz_sample_sheet *sheet) { return fmax(cell_width(sheet), 180) + GAP; }

static double image_height(const nz_sample_sheet *sheet) {
    return fmax(cell_width(sheet) * sheet->height / sheet->width, 8);
}

static void describe(nz_text *out, const nz_sample_sheet *sheet) {
    for (size_t i = 0; i < sheet->count; i++) {
        nz_text_append(out, i ? "; " : "");
        nz_text_append(out, sheet->panels[i].heading);
        nz_text_append(out, ": ");
        nz_text_append(out, sheet->panels[i].note);
    }
}

static nz_status plan_sample(nz_plots *plots, const nz_view *view, size_t reference, size_t sample) {
    nz_sample_sheet *sheet = NULL;
    NZ_TRY(nz_sample_sheet_get(&sheet, &plots->notes, view, reference, sample));
    nz_text title = {0}, description = {0};
    nz_text_append(&title, "Detections on image ");
    nz_text_append(&title, sheet->id);
    describe(&description, sheet);
    nz_plot plot = {.kind = NZ_PLOT_SAMPLE, .view = view, .row = sample, .sheet = sheet};
    size_t columns = columns_of(sheet->count), rows = (sheet->count + columns - 1) / columns;
    double across = 2 * NZ_PLOT_MARGIN - GAP + (double)columns * cell_pitch(sheet);
    plot.width = fmax(NZ_PLOT_WIDTH, across);
    plot.height = HEAD + (double)rows * (image_height(sheet) + HEADING + GAP) + LEGEND;
    /* No more pixels than the picture has, but enough for letters. */
    plot.png_scale = fmax(1.25, fmin(2, sheet->picture.width / cell_width(sheet)));
    nz_status status = nz_plots_add(plots, &plot, sheet->id, &title, &description);
    if (status != NZ_OK) nz_sample_sheet_free(sheet);
    return status;
}

nz_status nz_sample_plan(nz_plots *plots, const nz_view *view) {
    size_t reference = nz_found_reference(view);
    if (reference == view->row_count) return NZ_OK;
    for (size_t i = 0; i < view->rows[reference].found->sample_count; i++)
        NZ_TRY(plan_sample(plots, view, reference, i));
    return NZ_OK;
}

/* ---- drawing ---- */

static void draw_panel(nz_canvas *canvas, const nz_sample_sheet *sheet, size_t i) {
    const nz_sample_panel *own = &sheet->panels[i];
    size_t columns = columns_of(sheet->count);
    double width = cell_width(sheet), height = image_height(sheet), pitch = cell_pitch(sheet);
    nz_box_frame f = {.left = NZ_PLOT_MARGIN + (double)(i % columns) * pitch,
                      .top = HEAD + HEADING + (double)(i / columns) * (height + HEADING + GAP),
                      .width = width,
                      .height = height,
                      .letters = fmax(10, nz_box_letters(width, height)),
                      .class_names = sheet->class_names,
                      .class_count = sheet->class_count};
    nz_box_panel panel = {.width = (int)sheet->width, .height = (int)sheet->height};
    panel.count = own->count;
    panel.boxes = own->boxes;
    nz_canvas_text_fit(canvas, f.left, f.top - 22, own->heading,
                       (nz_lettering){.size = NZ_SIZE_TEXT + 0.5, .colour = NZ_INK, .bold = true}, pitch - GAP);
    nz_canvas_text_fit(canvas, f.left, f.top - 7, own->note,
                       (nz_lettering){.size = NZ_SIZE_SMALL, .colour = NZ_INK_SOFT}, pitch - GAP);
    nz_boxes_draw(canvas, &panel, &sheet->picture, f);
}

static void draw_legend(nz_canvas *canvas, const nz_plot *plot) {
    static const struct {
        nz_outline outline;
        const char *text;
    } entries[] = {{NZ_OUTLINE_SOLID, "found again"},
                   {NZ_OUTLINE_DASHED, "new: no such box before"},
                   {NZ_OUTLINE_DOTTED, "missed: found before, not here"}};
    double x = NZ_PLOT_MARGIN, y = plot->height - 16;
    nz_lettering letters = {.size = NZ_SIZE_SMALL, .colour = NZ_INK};
    for (size_t i = 0; i < NZ_COUNT(entries); i++) {
        nz_box_draw_sample(canvas, x + 2, y - 10, 20, 11, nz_class_colour(1), entries[i].outline);
        nz_canvas_text(canvas, x + 30, y, entries[i].text, letters);
        x += 48 + nz_canvas_text_width(canvas, entries[i].text, NZ_SIZE_SMALL, false);
    }
    letters.colour = NZ_INK_SOFT;
    nz_canvas_text_fit(canvas, x, y, "a \xe2\x86\x92 b: another class", letters, plot->width - NZ_PLOT_MARGIN - x);
}

void nz_sample_draw(nz_canvas *canvas, const nz_plot *plot) {
    const nz_sample_sheet *sheet = plot->sheet;
    nz_text subtitle = {0};
    nz_text_append(&subtitle, "boxes scoring ");
    nz_put_fixed(&subtitle, sheet->confidence, 3);
    nz_text_append(&subtitle, sheet->is_best ? " or more, where the baseline's F1 is best" : " or more");
    if (sheet->count > 2) nz_text_append(&subtitle, " \xc2\xb7 compared with the baseline at IoU 0.50");
    if (sheet->others) nz_text_appendf(&subtitle, " \xc2\xb7 %zu more models not shown", sheet->others);
    if (!sheet->picture.rgb) nz_text_append(&subtitle, " \xc2\xb7 the picture is missing");
    nz_plot_head(canvas, plot, plot->title, subtitle.data ? subtitle.data : "");
    nz_text_done(&subtitle);
    for (size_t i = 0; i < sheet->count; i++) draw_panel(canvas, sheet, i);
    if (sheet->count > 2) draw_legend(canvas, plot);
}
