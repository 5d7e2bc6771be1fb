/* SPDX-License-Identifier: Apache-2.0 */
/* A scene is planned from the front to the back, on a grid of its own, so that what is hidden is known when a shape is
 * placed; then it is painted from the back to the front at the wanted size. */
#include "data/scenes.h"

#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "data/shapes_draw.h"

enum {
    UNIT = NZ_DRAW_UNIT,
    SIDE = NZ_DRAW_SIDE,
    CELLS = 128, /* of the planning grid, along a side */
    BARS = 2,    /* that lie in front of shapes, at most */
    TRIES = 8,   /* places that are tried for a shape */
    SEEN = 40,   /* percent of a shape that must be seen */
    HUES = 40    /* colours that are tried for a shape */
};

typedef struct thing {
    int shape;
    nz_pose pose, edge; /* the outline's is a little wider, or the same where there is none */
    nz_paint fill, line;
    bool outlined;
} thing;

typedef struct scene {
    thing things[NZ_SCENE_OBJECTS + BARS]; /* the first is in front */
    size_t count, bars;                    /* bars come first; they are nobody's object */
    nz_paint background;
    nz_random rest;               /* what painting goes on with */
    uint8_t taken[CELLS * CELLS]; /* of the planning grid */
} scene;

static int between(nz_random *random, int least, int most) { return nz_draw_between(random, least, most); }

/* ---- Planning ---- */

static nz_paint plain(nz_random *random) { return (nz_paint){.a = nz_draw_color(random), .period = 1}; }

/* A radius: many middling shapes, some small, some large. */
static int draw_radius(nz_random *random) {
    int kind = between(random, 0, 99);
    if (kind < 25) return between(random, 9 * UNIT / 5, 3 * UNIT);
    return kind < 70 ? between(random, 3 * UNIT, 5 * UNIT) : between(random, 5 * UNIT, 9 * UNIT);
}

static nz_pose draw_pose(nz_random *random) {
    int radius = draw_radius(random), margin = radius * 3 / 4;
    nz_pose at = {.x = between(random, margin, SIDE - margin)};
    at.y = between(random, margin, SIDE - margin);
    at.across = radius * between(random, 80, 120) / 100;
    at.along = radius * between(random, 80, 120) / 100;
    nz_draw_turn(&at, between(random, 0, NZ_DRAW_TURN - 1));
    return at;
}

static bool stands_out(nz_rgb color, const scene *s) {
    enum { FROM_BACKGROUND = 170, FROM_SHAPES = 110 };
    if (nz_draw_distance(color, s->background.a) < FROM_BACKGROUND) return false;
    if (nz_draw_distance(color, s->background.b) < FROM_BACKGROUND) return false;
    for (size_t k = s->bars; k < s->count; k++)
        if (nz_draw_distance(color, s->things[k].fill.a) < FROM_SHAPES) return false;
    return true;
}

/* Shapes are told from the background and from each other. */
static void draw_paints(nz_random *random, thing *t, const scene *s) {
    static const nz_style fills[] = {NZ_PLAIN, NZ_FADE, NZ_STRIPES, NZ_CLOUDS};
    nz_rgb best = {{0}};
    for (int n = 0; n < HUES; n++) {
        best = nz_draw_color(random);
        if (stands_out(best, s)) break;
    }
    t->fill = (nz_paint){.a = best, .period = 1};
    t->fill.b = nz_draw_near_color(random, best, 45);
    nz_draw_texture(random, &t->fill, fills[between(random, 0, 3)], UNIT, 3 * UNIT);
    t->line = plain(random);
    t->outlined = nz_draw_chance(random, 25);
}

static void set_edge(thing *t) {
    int wider = t->outlined ? UNIT / 4 + (t->pose.across + t->pose.along) / 16 : 0;
    t->edge = t->pose;
    t->edge.across += wider;
    t->edge.along += wider;
}

/* A long thin bar, which is no shape of the classes. */
static thing draw_bar(nz_random *random) {
    thing t = {.shape = NZ_SQUARE, .fill = plain(random)};
    t.pose.x = between(random, 0, SIDE);
    t.pose.y = between(random, 0, SIDE);
    t.pose.across = between(random, UNIT / 4, UNIT / 2);
    t.pose.along = between(random, 5 * UNIT, 14 * UNIT);
    nz_draw_turn(&t.pose, between(random, 0, NZ_DRAW_TURN - 1));
    t.edge = t.pose;
    return t;
}

static int cell_of(int place) {
    int cell = place * CELLS / SIDE;
    return cell < 0 ? 0 : cell >= CELLS ? CELLS - 1 : cell;
}

/* Takes the cells of a thing that nothing in front has; gives them back, and false, where too little of it is seen. */
static bool take_cells(scene *s, const thing *t, int percent) {
    enum { MINE = 2, STEP = SIDE / CELLS };
    const nz_pose *at = &t->edge;
    int reach = (at->across > at->along ? at->across : at->along) * 3 / 2, all = 0, seen = 0;
    int left = cell_of(at->x - reach), right = cell_of(at->x + reach);
    int top = cell_of(at->y - reach), bottom = cell_of(at->y + reach);
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            uint8_t *cell = &s->taken[y * CELLS + x];
            if (!nz_draw_inside(at, t->shape, x * STEP + STEP / 2, y * STEP + STEP / 2)) continue;
            all++;
            if (*cell) continue;
            seen++;
            *cell = MINE;
        }
    bool fine = seen * 100 >= all * percent;
    for (int y = top; y <= bottom; y++)
        for (int x = left; x <= right; x++) {
            uint8_t *cell = &s->taken[y * CELLS + x];
            if (*cell == MINE) *cell = fine;
        }
    return fine && all;
}

/* Every draw is made whether it is needed or not: one shape's fate does not change the next one's looks. */
static void add_shape(scene *s, nz_random *random) {
    thing t = {.shape = between(random, 0, NZ_SHAPES_CLASSES - 1)};
    draw_paints(random, &t, s);
    bool placed = false;
    for (int n = 0; n < TRIES; n++) {
        nz_pose pose = draw_pose(random);
        if (placed) continue;
        t.pose = pose;
        set_edge(&t);
        placed = take_cells(s, &t, SEEN);
    }
    if (placed) s->things[s->count++] = t;
}

static void plan(scene *s, nz_random *random) {
    s->background = plain(random);
    s->background.b = nz_draw_near_color(random, s->background.a, 80);
    nz_draw_texture(random, &s->background, (nz_style)between(random, 0, NZ_STYLES - 1), 2 * UNIT, 8 * UNIT);
    s->bars = (size_t)between(random, 0, BARS);
    for (s->count = 0; s->count < s->bars; s->count++) {
        s->things[s->count] = draw_bar(random);
        (void)take_cells(s, &s->things[s->count], 0);
    }
    for (int n = between(random, 1, NZ_SCENE_OBJECTS); n > 0; n--) add_shape(s, random);
    while (s->count == s->bars) { /* bars hid it each time: it is placed without them */
        memset(s->taken, 0, sizeof s->taken);
        s->count = s->bars = 0;
        add_shape(s, random);
    }
    s->rest = *random;
}

/* ---- Painting ---- */

/* Which thing each pixel belongs to, 1-based; 0: none. */
typedef struct owners {
    uint8_t *of;
    int size, least; /* sixteenths of a pixel that make it a thing's */
    uint8_t number;
} owners;

static void own_pixel(void *user, int px, int py, int part) {
    const owners *o = user;
    if (part >= o->least) o->of[(size_t)py * (size_t)o->size + (size_t)px] = o->number;
}

/* Lines and dots that are too small or too thin for a class. */
static void paint_clutter(nz_canvas *on, nz_random *random) {
    for (int n = between(random, 2, 8); n > 0; n--) {
        nz_paint with = plain(random);
        nz_pose at = {.x = between(random, 0, SIDE)};
        at.y = between(random, 0, SIDE);
        bool line = nz_draw_chance(random, 60);
        at.across = between(random, UNIT / 4, line ? UNIT / 2 : 3 * UNIT / 4);
        at.along = line ? between(random, 3 * UNIT, 10 * UNIT) : at.across;
        nz_draw_turn(&at, between(random, 0, NZ_DRAW_TURN - 1));
        nz_draw_shape(on, &at, line ? NZ_SQUARE : NZ_CIRCLE, &with);
    }
}

static nz_status paint(uint8_t *rgb, const scene *s, int size) {
    NZ_AUTO(nz_canvas_done) nz_canvas on = {0};
    nz_random random = s->rest;
    NZ_TRY(nz_canvas_init(&on, size, true));
    nz_draw_fill(&on, &s->background);
    paint_clutter(&on, &random);
    for (size_t k = s->count; k-- > 0;) {
        const thing *t = &s->things[k];
        if (t->outlined) nz_draw_shape(&on, &t->edge, t->shape, &t->line);
        nz_draw_shape(&on, &t->pose, t->shape, &t->fill);
    }
    int passes = between(&random, 0, 2) * size / 128;
    for (int n = 0; n < passes; n++) nz_draw_blur(&on);
    nz_draw_finish(rgb, &on, &random);
    return NZ_OK;
}

/* ---- The truth ---- */

typedef struct extent {
    int left, right, top, bottom;
    size_t pixels;
} extent;

static void measure(extent *extents, const uint8_t *of, int size) {
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            unsigned k = of[(size_t)y * (size_t)size + (size_t)x];
            if (!k) continue;
            extent *e = &extents[k - 1];
            if (!e->pixels++) *e = (extent){x, x, y, y, 1};
            if (x < e->left) e->left = x;
            if (x > e->right) e->right = x;
            e->bottom = y;
        }
}

/* Pixels are a thing's where `least` sixteenths of them are. */
static nz_status measure_things(extent *extents, const scene *s, int size, int least) {
    NZ_AUTO(nz_canvas_done) nz_canvas on = {0};
    NZ_AUTO_FREE uint8_t *of = NULL;
    NZ_TRY(nz_canvas_init(&on, size, false));
    NZ_TRY(nz_alloc(&of, (size_t)size, (size_t)size));
    for (size_t k = s->count; k-- > 0;) {
        owners o = {of, size, least, (uint8_t)(k + 1)};
        nz_draw_each(&on, &s->things[k].edge, s->things[k].shape, own_pixel, &o);
    }
    measure(extents, of, size);
    return NZ_OK;
}

static nz_status find_objects(nz_object *ret_objects, size_t *ret_count, const scene *s, int size, int least) {
    extent extents[NZ_SCENE_OBJECTS + BARS] = {{0}};
    size_t count = 0;
    NZ_TRY(measure_things(extents, s, size, least));
    for (size_t k = s->bars; k < s->count; k++) {
        const extent *e = &extents[k];
        if (!e->pixels) continue;
        ret_objects[count++] = (nz_object){.class_index = s->things[k].shape,
                                           .x = e->left,
                                           .y = e->top,
                                           .width = e->right - e->left + 1,
                                           .height = e->bottom - e->top + 1,
                                           .area = (double)e->pixels};
    }
    *ret_count = count;
    return NZ_OK;
}

nz_status nz_scene_draw(uint8_t *rgb, nz_object ret_objects[NZ_SCENE_OBJECTS], size_t *ret_count, int size,
                        uint64_t seed, unsigned split, uint64_t index) {
    enum { HALF = 8, TOUCHED = 1 };
    NZ_AUTO_FREE scene *s = NULL;
    nz_random random;
    NZ_TRY(nz_alloc(&s, 1, sizeof *s));
    nz_random_init(&random, seed ^ 0x7363656e65ULL,
                   (uint64_t)split << 48 | index); /* not the streams of single shapes */
    plan(s, &random);
    NZ_TRY(find_objects(ret_objects, ret_count, s, size, HALF));
    if (!*ret_count) NZ_TRY(find_objects(ret_objects, ret_count, s, size, TOUCHED)); /* at very few pixels */
    return rgb ? paint(rgb, s, size) : NZ_OK;
}
