/* SPDX-License-Identifier: Apache-2.0 */
#include "report/boxes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "report/escape.h"
#include "report/labels.h"
#include "report/plots.h"

enum { LABEL_MOST = 28, PLACES = 10 };
#define RIM_DARK 0x22201cu
#define RIM_LIGHT 0xffffffu

/* ---- colours ---- */

static unsigned part_of(nz_colour colour, unsigned shift) { return colour >> shift & 255; }

static nz_colour mixed(nz_colour colour, nz_colour with, unsigned percent) {
    nz_colour out = 0;
    for (unsigned shift = 0; shift < 24; shift += 8)
        out |= (part_of(colour, shift) * (100 - percent) + part_of(with, shift) * percent) / 100 << shift;
    return out;
}

/* @source Okabe and Ito, Color Universal Design, 2008; without black. */
nz_colour nz_class_colour(int32_t class_index) {
    static const nz_colour hues[] = {0xe69f00, 0x56b4e9, 0x009e73, 0xf0e442, 0xcc79a7, 0xd55e00, 0x0072b2};
    if (class_index < 0) return 0xbdbdbd;
    size_t i = (size_t)class_index, tone = i / NZ_COUNT(hues) % 3;
    nz_colour hue = hues[i % NZ_COUNT(hues)];
    return tone == 0 ? hue : tone == 1 ? mixed(hue, 0xffffff, 50) : mixed(hue, 0x000000, 40);
}

/* By relative luminance: where both contrasts are equal. @source WCAG 2.2, relative luminance and contrast ratio */
nz_colour nz_colour_on(nz_colour ground) {
    static const double weights[] = {0.0722, 0.7152, 0.2126};
    double light = 0;
    for (unsigned i = 0; i < 3; i++) {
        double c = part_of(ground, 8 * i) / 255.0;
        light += weights[i] * (c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4));
    }
    return light > 0.2 ? RIM_DARK : RIM_LIGHT;
}

/* ---- one box ---- */

/* "dog 0.87" */
static void put_label(nz_text *out, const nz_box_mark *box, const char *const *class_names, size_t class_count) {
    nz_text clean = {0};
    const char *name = box->label;
    if (!name && box->class_index >= 0 && (size_t)box->class_index < class_count) name = class_names[box->class_index];
    if (name) nz_put_clean(&clean, name);
    if (!name && box->class_index >= 0) nz_text_appendf(&clean, "class %d", (int)box->class_index);
    if (clean.data) nz_put_short(out, clean.data, LABEL_MOST);
    if (clean.status != NZ_OK) out->status = clean.status;
    nz_text_done(&clean);
    if (isnan(box->score)) return;
    nz_text_append(out, out->length ? " " : "");
    nz_put_fixed(out, box->score, 2);
}

void nz_box_draw_sample(nz_canvas *canvas, double x, double y, double width, double height, nz_colour colour,
                        nz_outline outline) {
    nz_colour rim = nz_colour_on(colour);
    double line = outline == NZ_OUTLINE_DOTTED ? 1.4 : 2;
    double dash = outline == NZ_OUTLINE_DASHED ? 4.5 : outline == NZ_OUTLINE_DOTTED ? 1.8 : 0;
    nz_canvas_rect(canvas, x, y, width, height, 0,
                   (nz_paint){.fill = NZ_NO_COLOUR, .stroke = rim, .width = line + 1.2});
    nz_canvas_rect(canvas, x, y, width, height, 0,
                   (nz_paint){.fill = NZ_NO_COLOUR, .stroke = colour, .width = line, .dash = dash});
}

double nz_box_letters(double width, double height) { return fmax(9.5, fmin(48, (width + height) * 0.0125)); }

/* A box on the canvas with its label; `shown` is false where it lies outside the image. */
typedef struct placed {
    const nz_box_mark *mark;
    bool shown;
    nz_box box, label;
    nz_text text;
} placed;

static double within(double value, double most) { return fmax(0, fmin(most, value)); }

static void place_box(placed *p, const nz_box_panel *panel, const nz_box_frame *f) {
    const nz_box_mark *m = p->mark;
    double sx = f->width / panel->width, sy = f->height / panel->height;
    double right = m->x + m->width, bottom = m->y + m->height;
    /* What is not a number compares as false and is not shown. */
    p->shown = m->width > 0 && m->height > 0 && m->x < panel->width && m->y < panel->height && right > 0 && bottom > 0;
    if (!p->shown) return;
    p->box = (nz_box){f->left + within(m->x, panel->width) * sx, f->top + within(m->y, panel->height) * sy,
                      f->left + within(right, panel->width) * sx, f->top + within(bottom, panel->height) * sy};
}

static double shared_area(nz_box a, nz_box b) {
    double width = fmin(a.right, b.right) - fmax(a.left, b.left);
    double height = fmin(a.bottom, b.bottom) - fmax(a.top, b.top);
    return width > 0 && height > 0 ? width * height : 0;
}

/* The first of the usual places that touches no label placed before; else the one that covers least of them. */
static void place_label(placed *all, size_t own, const nz_box_frame *f, double width, double height) {
    placed *p = &all[own];
    nz_box b = p->box;
    double right = b.right - width, above = b.top - height;
    const nz_point corners[PLACES] = {{b.left, above},
                                      {b.left, b.top},
                                      {b.left, b.bottom},
                                      {right, above},
                                      {right, b.bottom - height},
                                      {b.left, b.bottom - height},
                                      {right, b.bottom},
                                      {b.right, b.top},
                                      {b.left - width, b.top},
                                      {b.left, above - height}};
    double least = INFINITY;
    for (size_t i = 0; i < PLACES && least > 0; i++) {
        double x = fmax(f->left, fmin(corners[i].x, f->left + f->width - width));
        double y = fmax(f->top, fmin(corners[i].y, f->top + f->height - height));
        nz_box label = {x, y, x + width, y + height};
        double covered = y == corners[i].y ? 0 : 1e-3; /* rather where it belongs */
        for (size_t k = 0; k < own; k++)
            if (all[k].shown) covered += shared_area(label, all[k].label);
        if (covered >= least) continue;
        least = covered;
        p->label = label;
    }
}

static void draw_outline(nz_canvas *canvas, const placed *p, double letters) {
    nz_colour colour = nz_class_colour(p->mark->class_index);
    bool dotted = p->mark->outline == NZ_OUTLINE_DOTTED;
    double line = letters * (dotted ? 0.11 : 0.16);
    double dash = p->mark->outline == NZ_OUTLINE_DASHED ? letters * 0.55 : dotted ? letters * 0.16 : 0;
    double width = p->box.right - p->box.left, height = p->box.bottom - p->box.top;
    nz_canvas_rect(canvas, p->box.left, p->box.top, width, height, 0,
                   (nz_paint){.fill = NZ_NO_COLOUR, .stroke = nz_colour_on(colour), .width = line + letters * 0.1});
    nz_canvas_rect(canvas, p->box.left, p->box.top, width, height, 0,
                   (nz_paint){.fill = NZ_NO_COLOUR, .stroke = colour, .width = line, .dash = dash});
}

static void draw_label(nz_canvas *canvas, const placed *p, double letters) {
    nz_colour colour = nz_class_colour(p->mark->class_index);
    bool dotted = p->mark->outline == NZ_OUTLINE_DOTTED;
    nz_colour ground = dotted ? NZ_PAPER : colour;
    if (!p->text.length) return;
    nz_canvas_rect(canvas, p->label.left, p->label.top, p->label.right - p->label.left, p->label.bottom - p->label.top,
                   letters * 0.15,
                   (nz_paint){.fill = ground, .stroke = dotted ? colour : NZ_NO_COLOUR, .width = letters * 0.07});
    nz_canvas_text(canvas, p->label.left + letters * 0.25, p->label.bottom - letters * 0.3, p->text.data,
                   (nz_lettering){.size = letters, .colour = nz_colour_on(ground)});
}

/* Best first; what has no score keeps its order, before all others. */
static int by_score(const void *a, const void *b) {
    const nz_box_mark *x = ((const placed *)a)->mark, *y = ((const placed *)b)->mark;
    double p = isnan(x->score) ? INFINITY : x->score, q = isnan(y->score) ? INFINITY : y->score;
    return p > q ? -1 : p < q ? 1 : x < y ? -1 : x > y;
}

void nz_boxes_draw(nz_canvas *canvas, const nz_box_panel *panel, const nz_picture *picture, nz_box_frame frame) {
    placed *all = NULL;
    nz_status status = nz_alloc(&all, panel->count, sizeof *all);
    nz_canvas_picture(canvas, picture, frame.left, frame.top, frame.width, frame.height);
    for (size_t i = 0; i < panel->count && status == NZ_OK; i++) all[i].mark = &panel->boxes[i];
    if (status == NZ_OK) qsort(all, panel->count, sizeof *all, by_score);
    for (size_t i = 0; i < panel->count && status == NZ_OK; i++) {
        placed *p = &all[i];
        nz_text text = {0};
        place_box(p, panel, &frame);
        if (!p->shown) continue;
        put_label(&text, p->mark, frame.class_names, frame.class_count);
        nz_canvas_fit(canvas, &p->text, text.data ? text.data : "", frame.letters, false,
                      fmin(frame.width * 0.9, fmax(frame.width * 0.38, frame.letters * 9)));
        status = text.status != NZ_OK ? text.status : p->text.status;
        nz_text_done(&text);
        double width = p->text.length ? nz_canvas_text_width(canvas, p->text.data, frame.letters, false) : 0;
        place_label(all, i, &frame, width + frame.letters * 0.5, frame.letters * 1.3);
    }
    for (size_t i = panel->count; i-- > 0 && status == NZ_OK;)
        if (all[i].shown) draw_outline(canvas, &all[i], frame.letters);
    for (size_t i = panel->count; i-- > 0 && status == NZ_OK;) {
        if (!all[i].shown) continue;
        nz_canvas_begin(canvas, all[i].text.data ? all[i].text.data : "");
        draw_label(canvas, &all[i], frame.letters);
        nz_canvas_end(canvas);
    }
    for (size_t i = 0; all && i < panel->count; i++) nz_text_done(&all[i].text);
    free(all);
    if (status != NZ_OK) nz_canvas_fail(canvas, status);
}

/* ---- a file of panels ---- */

enum { COLUMNS = 4, GAP = 14, HEADING = 26, LEGIBLE = 400, PIXELS_MOST = 16000 };

typedef struct sheet {
    const nz_box_panel *panels;
    size_t count, columns;
    bool bare; /* one image and nothing else */
    double cell_width, cell_height, scale;
    const char *const *class_names;
    size_t class_count;
} sheet;

static void draw_sheet(nz_canvas *canvas, const void *user) {
    const sheet *s = user;
    double heading = s->bare ? 0 : HEADING * s->scale, gap = s->bare ? 0 : GAP * s->scale;
    double width = (double)s->columns * (s->cell_width + gap) + gap;
    size_t rows = (s->count + s->columns - 1) / s->columns;
    nz_canvas_rect(canvas, 0, 0, width, (double)rows * (s->cell_height + heading + gap) + gap, 0,
                   (nz_paint){.fill = NZ_PAPER, .stroke = NZ_NO_COLOUR});
    for (size_t i = 0; i < s->count; i++) {
        const nz_box_panel *panel = &s->panels[i];
        double fit = fmin(s->cell_width / panel->width, s->cell_height / panel->height);
        nz_box_frame f = {.class_names = s->class_names, .class_count = s->class_count};
        f.left = gap + (double)(i % s->columns) * (s->cell_width + gap);
        f.top = gap + heading + (double)(i / s->columns) * (s->cell_height + heading + gap);
        f.width = panel->width * fit;
        f.height = panel->height * fit;
        f.letters = nz_box_letters(f.width, f.height);
        if (panel->heading && *panel->heading)
            nz_canvas_text_fit(canvas, f.left, f.top - 8 * s->scale, panel->heading,
                               (nz_lettering){.size = 15 * s->scale, .colour = NZ_INK, .bold = true}, s->cell_width);
        nz_picture picture = {.width = panel->width, .height = panel->height, .rgb = panel->rgb};
        nz_boxes_draw(canvas, panel, &picture, f);
    }
}

/* Extents in pixels of the file. */
static nz_drawing plan_sheet(sheet *s) {
    double width = 0, height = 0;
    for (size_t i = 0; i < s->count; i++) {
        width = fmax(width, s->panels[i].width);
        height = fmax(height, s->panels[i].height);
    }
    s->bare = s->count == 1 && (!s->panels[0].heading || !*s->panels[0].heading);
    s->columns = s->count < COLUMNS ? s->count : COLUMNS;
    size_t rows = (s->count + s->columns - 1) / s->columns;
    double zoom = ceil(LEGIBLE / fmax(width, height));
    s->scale = fmax(1, fmax(width, height) * zoom / 640);
    double gap = s->bare ? 0 : GAP * s->scale, heading = s->bare ? 0 : HEADING * s->scale;
    double across = (double)s->columns * (width * zoom + gap) + gap;
    double down = (double)rows * (height * zoom + heading + gap) + gap;
    s->cell_width = width * zoom;
    s->cell_height = height * zoom;
    /* Cairo's images end at 32767 pixels a side. */
    double shrink = fmin(1, PIXELS_MOST / fmax(across, down));
    return (nz_drawing){.width = across,
                        .height = down,
                        .png_scale = shrink,
                        .slug = "boxes",
                        .title = "",
                        .description = "",
                        .draw = draw_sheet,
                        .user = s};
}

nz_status nz_report_boxes(const char *png, const nz_box_panel *panels, size_t panel_count,
                          const char *const *class_names, size_t class_count) {
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count = 0;
    if (!panel_count) return nz_fail(NZ_E_ARG, "%s: there is no image to draw boxes on", png);
    for (size_t i = 0; i < panel_count; i++)
        if (!panels[i].rgb || panels[i].width < 1 || panels[i].height < 1)
            return nz_fail(NZ_E_ARG, "%s: image %zu of %d x %d has no pixels to draw boxes on", png, i, panels[i].width,
                           panels[i].height);
    sheet s = {.panels = panels, .count = panel_count, .class_names = class_names, .class_count = class_count};
    nz_drawing drawing = plan_sheet(&s);
    NZ_TRY(nz_canvas_png(&bytes, &count, &drawing));
    return nz_file_write(png, bytes, count);
}
