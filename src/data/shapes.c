/* SPDX-License-Identifier: Apache-2.0 */
/* One shape in the middle of things: a picture for classification. */
#include "data/shapes.h"

#include <stdbool.h>

#include "core/error.h"
#include "core/memory.h"
#include "data/shapes_draw.h"

/* A bar or a dot, much smaller than the shapes that count. */
static void draw_clutter(nz_canvas *on, nz_random *random) {
    nz_paint with = {.a = nz_draw_color(random), .period = 1};
    nz_pose at = {.x = nz_draw_between(random, 0, NZ_DRAW_SIDE)};
    at.y = nz_draw_between(random, 0, NZ_DRAW_SIDE);
    bool bar = nz_draw_chance(random, 60);
    at.across = nz_draw_between(random, NZ_DRAW_UNIT / 2, bar ? NZ_DRAW_UNIT : 2 * NZ_DRAW_UNIT);
    at.along = bar ? nz_draw_between(random, 2 * NZ_DRAW_UNIT, 7 * NZ_DRAW_UNIT) : at.across;
    nz_draw_turn(&at, nz_draw_between(random, 0, NZ_DRAW_TURN - 1));
    nz_draw_shape(on, &at, bar ? NZ_SQUARE : NZ_CIRCLE, &with);
}

/* A bar over a part of the shape, away from its middle. */
static void draw_occluder(nz_canvas *on, nz_random *random, const nz_pose *target) {
    nz_paint with = {.a = nz_draw_color(random), .period = 1};
    int angle = nz_draw_between(random, 0, NZ_DRAW_TURN - 1),
        away = nz_draw_between(random, target->across / 3, target->across);
    nz_pose at = {.x = target->x + away * nz_draw_sine(angle + NZ_DRAW_TURN / 4) / NZ_DRAW_ONE,
                  .y = target->y + away * nz_draw_sine(angle) / NZ_DRAW_ONE};
    at.across = nz_draw_between(random, NZ_DRAW_UNIT, 2 * NZ_DRAW_UNIT);
    at.along = nz_draw_between(random, 4 * NZ_DRAW_UNIT, 14 * NZ_DRAW_UNIT);
    nz_draw_turn(&at, angle + nz_draw_between(random, -20, 20));
    nz_draw_shape(on, &at, NZ_SQUARE, &with);
}

static void draw_target(nz_canvas *on, nz_random *random, int shape, const nz_paint *background, nz_pose *at) {
    nz_paint with = {.period = 1};
    do with.a = nz_draw_color(random);
    while (nz_draw_distance(with.a, background->a) < 190 || nz_draw_distance(with.a, background->b) < 190);
    with.b = nz_draw_near_color(random, with.a, 55);
    static const nz_style fills[] = {NZ_PLAIN, NZ_FADE, NZ_STRIPES, NZ_CLOUDS};
    nz_draw_texture(random, &with, fills[nz_draw_between(random, 0, 3)], NZ_DRAW_UNIT, 4 * NZ_DRAW_UNIT);
    int radius = nz_draw_between(random, 17 * NZ_DRAW_UNIT / 2, 27 * NZ_DRAW_UNIT / 2),
        room = NZ_DRAW_SIDE / 2 - radius + NZ_DRAW_UNIT;
    at->x = NZ_DRAW_SIDE / 2 + nz_draw_between(random, -room, room);
    at->y = NZ_DRAW_SIDE / 2 + nz_draw_between(random, -room, room);
    at->across = radius * nz_draw_between(random, 85, 115) / 100;
    at->along = radius * nz_draw_between(random, 85, 115) / 100;
    nz_draw_turn(at, nz_draw_between(random, 0, NZ_DRAW_TURN - 1));
    if (nz_draw_chance(random, 25)) { /* an outline: the same shape behind, a little larger */
        nz_paint edge = {.a = nz_draw_color(random), .period = 1};
        nz_pose wider = *at;
        wider.across += NZ_DRAW_UNIT;
        wider.along += NZ_DRAW_UNIT;
        nz_draw_shape(on, &wider, shape, &edge);
    }
    nz_draw_shape(on, at, shape, &with);
}

nz_status nz_shapes_draw(uint8_t *rgb, int size, uint64_t seed, unsigned split, uint64_t index) {
    nz_random random;
    NZ_AUTO(nz_canvas_done) nz_canvas on = {0};
    NZ_TRY(nz_canvas_init(&on, size, true));
    nz_random_init(&random, seed, (uint64_t)split << 48 | index);
    nz_paint background = {0};
    nz_draw_background(&on, &random, &background);
    for (int n = nz_draw_between(&random, 1, 4); n > 0; n--) draw_clutter(&on, &random);
    nz_pose target = {0};
    draw_target(&on, &random, (int)(index % NZ_SHAPES_CLASSES), &background, &target);
    if (nz_draw_chance(&random, 50)) draw_occluder(&on, &random, &target);
    if (nz_draw_chance(&random, 40)) draw_clutter(&on, &random);
    int passes = nz_draw_between(&random, 0, 2) * size / 32; /* as wide at every size */
    for (int n = 0; n < passes; n++) nz_draw_blur(&on);
    nz_draw_finish(rgb, &on, &random);
    return NZ_OK;
}
