/* SPDX-License-Identifier: Apache-2.0 */
/* Which widths and heights a head should begin with for the objects that it will see. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/text.h"
#include "netzip/train.h"

enum { OBJECTS_MOST = 10000, ROUNDS = 30, TRIES = 4, CHANGES = 1000, ANCHORS_ALL = NZ_LEVELS_MOST * NZ_ANCHORS_MOST };
#define SIDE_LEAST 2.0
#define ANCHOR_STREAM ((uint64_t)0x616e6368 << 32)

typedef struct sizes {
    size_t count, capacity;
    double (*list)[2];
} sizes;

static void sizes_done(sizes *s) { free(s->list); }

/* The objects' widths and heights as samples show them. */
static nz_status add_sample(sizes *s, const nz_dataset *data, size_t sample) {
    NZ_AUTO_FREE nz_object *objects = NULL;
    size_t count = 0;
    nz_placement placement;
    NZ_TRY(nz_data_objects(&objects, &count, data, sample));
    if (!count) return NZ_OK;
    NZ_TRY(nz_data_placement(&placement, data, sample));
    NZ_TRY(nz_grow(&s->list, &s->capacity, s->count + count, sizeof *s->list));
    for (size_t i = 0; i < count; i++) {
        double box[4] = {objects[i].x, objects[i].y, objects[i].width, objects[i].height};
        nz_place_box(box, &placement);
        if (objects[i].crowd || box[2] < SIDE_LEAST || box[3] < SIDE_LEAST) continue;
        s->list[s->count][0] = box[2];
        s->list[s->count++][1] = box[3];
    }
    return NZ_OK;
}

static nz_status gather(sizes *s, const nz_dataset *data) {
    for (size_t i = 0; i < nz_data_count(data) && s->count < OBJECTS_MOST; i++)
        if (add_sample(s, data, i) == NZ_E_MEMORY) return NZ_E_MEMORY; /* what cannot be read shows nothing */
    return NZ_OK;
}

/* 1 where an anchor is of the object's size, 1/r where a side differs by the factor r. */
static double likeness(const double size[2], const double anchor[2]) {
    double w = size[0] < anchor[0] ? size[0] / anchor[0] : anchor[0] / size[0],
           h = size[1] < anchor[1] ? size[1] / anchor[1] : anchor[1] / size[1];
    return w < h ? w : h;
}

static double best_likeness(const double size[2], double (*anchors)[2], size_t count) {
    double best = 0;
    for (size_t a = 0; a < count; a++) {
        double now = likeness(size, anchors[a]);
        if (now > best) best = now;
    }
    return best;
}

double nz_anchor_recall(const nz_dataset *data, const nz_levels *levels, double ratio) {
    NZ_AUTO(sizes_done) sizes s = {0};
    double all[ANCHORS_ALL][2];
    size_t count = 0, found = 0;
    if (!nz_data_has_objects(data) || gather(&s, data) != NZ_OK || !s.count) return 1;
    for (size_t l = 0; l < levels->count; l++)
        for (size_t a = 0; a < levels->anchors; a++) memcpy(all[count++], levels->anchor[l][a], sizeof all[0]);
    for (size_t i = 0; i < s.count; i++) found += best_likeness(s.list[i], all, count) > 1 / ratio;
    return (double)found / (double)s.count;
}

/* ---- fitting ---- */

/* What training will have of the anchors: likeness of those objects that get one. */
static double fitness(const sizes *s, double (*anchors)[2], size_t count, double ratio) {
    double sum = 0;
    for (size_t i = 0; i < s->count; i++) {
        double best = best_likeness(s->list[i], anchors, count);
        sum += best > 1 / ratio ? best : 0;
    }
    return sum / (double)s->count;
}

/* One round of k-means, by likeness. */
static void settle(const sizes *s, double (*anchors)[2], size_t count) {
    double sums[ANCHORS_ALL][3] = {{0}};
    for (size_t i = 0; i < s->count; i++) {
        size_t nearest = 0;
        for (size_t a = 1; a < count; a++)
            if (likeness(s->list[i], anchors[a]) > likeness(s->list[i], anchors[nearest])) nearest = a;
        sums[nearest][0] += s->list[i][0];
        sums[nearest][1] += s->list[i][1];
        sums[nearest][2] += 1;
    }
    for (size_t a = 0; a < count; a++)
        for (int k = 0; k < 2 && sums[a][2] > 0; k++) anchors[a][k] = sums[a][k] / sums[a][2];
}

static void change(nz_random *random, double (*changed)[2], double (*anchors)[2], size_t count) {
    for (size_t a = 0; a < count; a++)
        for (int k = 0; k < 2; k++) {
            double by = nz_random_unit(random) < 0.3 ? 0.85 + 0.3 * nz_random_unit(random) : 1;
            changed[a][k] = fmax(SIDE_LEAST, anchors[a][k] * by);
        }
}

static void search(const sizes *s, double (*best)[2], size_t count, double ratio, uint64_t seed) {
    double tried[ANCHORS_ALL][2], score = -1;
    nz_random random;
    nz_random_init(&random, seed, ANCHOR_STREAM);
    for (int t = 0; t < TRIES; t++) {
        for (size_t a = 0; a < count; a++)
            memcpy(tried[a], s->list[(size_t)(nz_random_unit(&random) * (double)s->count)], sizeof tried[0]);
        for (int round = 0; round < ROUNDS; round++) settle(s, tried, count);
        double now = fitness(s, tried, count, ratio);
        if (now <= score) continue;
        score = now;
        memcpy(best, tried, count * sizeof *best);
    }
    for (int c = 0; c < CHANGES; c++) {
        change(&random, tried, best, count);
        double now = fitness(s, tried, count, ratio);
        if (now <= score) continue;
        score = now;
        memcpy(best, tried, count * sizeof *best);
    }
}

static int by_area(const void *first, const void *second) {
    const double *a = first, *b = second;
    double left = a[0] * a[1], right = b[0] * b[1];
    return (left > right) - (left < right);
}

nz_status nz_anchors_fit(char **ret_text, const nz_dataset *data, const nz_levels *levels, double ratio,
                         uint64_t seed) {
    NZ_AUTO(sizes_done) sizes s = {0};
    nz_text text = {0};
    double anchors[ANCHORS_ALL][2];
    size_t count = levels->count * levels->anchors;
    if (count < 1 || levels->count > NZ_LEVELS_MOST || levels->anchors > NZ_ANCHORS_MOST)
        return nz_fail(NZ_E_ARG, "anchors: %zu levels of %zu are none", levels->count, levels->anchors);
    if (!nz_data_has_objects(data)) return nz_fail(NZ_E_ARG, "anchors: %s: it has no objects", nz_data_describe(data));
    NZ_TRY(gather(&s, data));
    if (s.count < count)
        return nz_fail(NZ_E_ARG, "anchors: %s: %zu objects are too few for %zu anchors", nz_data_describe(data),
                       s.count, count);
    search(&s, anchors, count, ratio, seed);
    qsort(anchors, count, sizeof *anchors, by_area);
    for (size_t a = 0; a < count; a++)
        nz_text_appendf(&text, "%s%.1fx%.1f", !a ? "" : a % levels->anchors ? "+" : "/", anchors[a][0], anchors[a][1]);
    return nz_text_take(&text, ret_text);
}
