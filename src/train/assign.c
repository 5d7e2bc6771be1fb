/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/error.h"
#include "core/memory.h"
#include "train/detect_loss.h"

enum { OWN, LEFT, ABOVE, RIGHT, BELOW, CELLS };

void nz_assignment_done(nz_assignment *assignment) {
    free(assignment->list);
    *assignment = (nz_assignment){0};
}

static bool anchor_fits(const double anchor[2], const nz_target *t, double ratio) {
    double w = t->width / anchor[0], h = t->height / anchor[1];
    return w < ratio && h < ratio && 1 / w < ratio && 1 / h < ratio;
}

/* Whether a neighbour answers too: the centre lies in the half of its cell beside it, and it is no cell beyond the edge. */
static bool takes(int cell, double x, double y, const nz_level *level) {
    double right = (double)level->columns - x, below = (double)level->rows - y;
    switch (cell) {
    case LEFT: return x > 1 && x - floor(x) < 0.5;
    case ABOVE: return y > 1 && y - floor(y) < 0.5;
    case RIGHT: return right > 1 && right - floor(right) < 0.5;
    case BELOW: return below > 1 && below - floor(below) < 0.5;
    default: return true;
    }
}

static int32_t clamp(double at, int64_t count) {
    double last = (double)count - 1;
    return (int32_t)(at < 0 ? 0 : at > last ? last : at);
}

static nz_status add(nz_assignment *a, const nz_level *level, const nz_target *t, int32_t anchor, int cell) {
    static const double off[CELLS][2] = {{0, 0}, {0.5, 0}, {0, 0.5}, {-0.5, 0}, {0, -0.5}};
    double x = t->x / level->stride, y = t->y / level->stride;
    int32_t column = clamp(floor(x - off[cell][0]), level->columns), row = clamp(floor(y - off[cell][1]), level->rows);
    NZ_TRY(nz_grow(&a->list, &a->capacity, a->count + 1, sizeof *a->list));
    a->list[a->count++] = (nz_assigned){.slot = t->slot,
                                        .class_index = t->class_index,
                                        .anchor = anchor,
                                        .row = row,
                                        .column = column,
                                        .x = x - column,
                                        .y = y - row,
                                        .width = t->width / level->stride,
                                        .height = t->height / level->stride};
    return NZ_OK;
}

nz_status nz_assign(nz_assignment *assignment, const nz_level *level, const nz_target *targets, size_t count,
                    double ratio) {
    assignment->count = 0;
    for (int32_t anchor = 0; anchor < (int32_t)level->anchors; anchor++)
        for (int cell = OWN; cell < CELLS; cell++)
            for (size_t i = 0; i < count; i++) {
                const nz_target *t = &targets[i];
                if (!anchor_fits(level->anchor[anchor], t, ratio)) continue;
                if (takes(cell, t->x / level->stride, t->y / level->stride, level))
                    NZ_TRY(add(assignment, level, t, anchor, cell));
            }
    return NZ_OK;
}
