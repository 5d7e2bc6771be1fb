/* SPDX-License-Identifier: Apache-2.0 */
#include "report/labels.h"

#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "report/plots.h"

#define LABEL_SIZE 12.0
#define LABEL_WIDEST 150.0
enum { LABEL_HEIGHT = 15 };

static bool overlap(nz_box a, nz_box b) {
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

bool nz_labels_place(nz_box *ret_box, nz_point point, double width, double height, const nz_box *taken,
                     size_t taken_count, nz_box bounds) {
    /* Right, left, above, below, then the corners; farther and farther away. */
    static const nz_point sides[] = {{1, 0}, {-1, 0}, {0, -1}, {0, 1}, {1, -1}, {-1, -1}, {1, 1}, {-1, 1}};
    for (double distance = 9; distance < 120; distance += distance < 20 ? 5 : 10)
        for (size_t s = 0; s < NZ_COUNT(sides); s++) {
            double diagonal = sides[s].x != 0 && sides[s].y != 0 ? 0.75 : 1;
            double x = point.x + sides[s].x * distance * diagonal, y = point.y + sides[s].y * distance * diagonal;
            nz_box box = {.left = sides[s].x > 0 ? x : sides[s].x < 0 ? x - width : x - width / 2};
            box.top = sides[s].y > 0 ? y : sides[s].y < 0 ? y - height : y - height / 2;
            box.right = box.left + width;
            box.bottom = box.top + height;
            bool free_place = box.left >= bounds.left && box.right <= bounds.right && box.top >= bounds.top &&
                              box.bottom <= bounds.bottom;
            for (size_t i = 0; i < taken_count && free_place; i++) free_place = !overlap(box, taken[i]);
            if (!free_place) continue;
            *ret_box = box;
            return true;
        }
    return false;
}

static void draw_leader(nz_canvas *canvas, nz_point p, nz_box box, nz_colour colour) {
    double x = fmax(box.left, fmin(box.right, p.x)), y = fmax(box.top, fmin(box.bottom, p.y));
    double distance = hypot(x - p.x, y - p.y);
    if (distance < 16) return;
    double part = 7 / distance;
    nz_canvas_line(canvas, p.x + (x - p.x) * part, p.y + (y - p.y) * part, x, y,
                   (nz_paint){.stroke = colour, .width = 0.8});
}

void nz_labels_draw(nz_canvas *canvas, const nz_labels *labels) {
    nz_box *taken = NULL;
    nz_box bounds = {labels->left, labels->top, labels->right, labels->bottom};
    size_t segments = labels->line_count > 1 ? labels->line_count - 1 : 0;
    if (nz_alloc(&taken, 2 * labels->count + segments, sizeof *taken) != NZ_OK) return; /* tooltips tell names too */
    for (size_t i = 0; i < labels->count; i++) {
        nz_point p = labels->points[i];
        taken[i] = (nz_box){p.x - 7, p.y - 7, p.x + 7, p.y + 7};
    }
    /* The line comes last, so that a second attempt can leave it out. */
    size_t taken_count = labels->count;
    for (size_t i = 0; i < labels->count; i++) {
        if (!*labels->names[i]) continue;
        nz_text name = {0};
        nz_box box;
        nz_canvas_fit(canvas, &name, labels->names[i], LABEL_SIZE, false, LABEL_WIDEST);
        /* A little wider than measured: the reader's font may be. */
        double width = name.data ? nz_canvas_text_width(canvas, name.data, LABEL_SIZE, false) * 1.04 + 2 : 0;
        for (size_t s = 0; s < segments; s++) {
            nz_point a = labels->line[s], b = labels->line[s + 1];
            taken[taken_count + s] =
                (nz_box){fmin(a.x, b.x) - 1, fmin(a.y, b.y) - 1, fmax(a.x, b.x) + 1, fmax(a.y, b.y) + 1};
        }
        bool placed =
            name.data &&
            (nz_labels_place(&box, labels->points[i], width, LABEL_HEIGHT, taken, taken_count + segments, bounds) ||
             nz_labels_place(&box, labels->points[i], width, LABEL_HEIGHT, taken, taken_count, bounds));
        if (placed) {
            nz_colour colour = nz_palette_dark(labels->colours[i]);
            draw_leader(canvas, labels->points[i], box, colour);
            nz_canvas_text(canvas, box.left + 1, box.bottom - 4, name.data,
                           (nz_lettering){.size = LABEL_SIZE, .colour = colour, .halo = true});
            taken[taken_count++] = box;
        }
        nz_text_done(&name);
    }
    free(taken);
}
