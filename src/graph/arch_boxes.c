/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a YOLOv5. Of each anchor in each cell it gives 5 + classes numbers t, which a sigmoid s takes to (0, 1): the
 * centre lies at (2 s - 0.5 + cell) strides, the extent is (2 s)^2 anchors, the rest are objectness and class scores.
 * @source G. Jocher et al., YOLOv5, release 6 (architecture description: "Eliminate grid sensitivity", 2022) */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/random.h"
#include "core/text.h"
#include "graph/arch.h"

enum { BOX = 4, SCORES = NZ_ARCH_BOX_NUMBERS, SHAPE_INTS = 5, SIDE_MOST = 1000000 /* pixels of an anchor */ };

/* What all levels share. */
typedef struct head {
    int anchors;              /* [levels, anchors, 2] in strides */
    int zero, two, four, end; /* places along the last axis of t: centre, extent, scores */
    int last;                 /* that axis */
    int flat;                 /* the shape [batch, boxes, numbers] */
    int64_t numbers;          /* of an anchor */
} head;

static int scalar(nz_arch *arch, const char *name, double value) {
    float single = (float)value;
    return nz_arch_add_floats(arch, name, &(nz_shape){0}, &single);
}

static nz_arch_map pair(nz_arch *arch, nz_arch_map a, int b, const char *op, const char *name) {
    int inputs[2] = {a.value, b};
    nz_arch_add_node(arch, &a, op, name, inputs, 2);
    return a;
}

/* t[from, to) along the last axis. */
static nz_arch_map part(nz_arch *arch, const head *h, nz_arch_map x, int from, int to, const char *name) {
    int inputs[4] = {x.value, from, to, h->last};
    nz_arch_add_node(arch, &x, "Slice", name, inputs, 4);
    return x;
}

/* Where each cell's centre would lie for s = 0, in pixels: [1, 1, height, width, 2]. */
static int add_grid(nz_arch *arch, const char *name, int64_t height, int64_t width, int64_t stride) {
    NZ_AUTO_FREE float *grid = NULL;
    if (arch->status != NZ_OK) return -1;
    arch->status = nz_alloc(&grid, (size_t)(height * width), 2 * sizeof *grid);
    if (arch->status != NZ_OK) return -1;
    for (int64_t y = 0, at = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            grid[at++] = ((float)x - 0.5f) * (float)stride;
            grid[at++] = ((float)y - 0.5f) * (float)stride;
        }
    return nz_arch_add_floats(arch, name, &(nz_shape){5, {1, 1, height, width, 2}}, grid);
}

/* By what s^2 is multiplied: the level's row of the anchors as [1, anchors, 1, 1, 2], times 4 strides. */
static nz_arch_map add_anchors(nz_arch *arch, const head *h, int64_t level, int64_t stride) {
    const int64_t shape[SHAPE_INTS] = {1, NZ_ARCH_ANCHORS, 1, 1, 2};
    nz_arch_map x = {.value = h->anchors};
    x = pair(arch, x, nz_arch_add_ints(arch, "anchors", ".level", &level, 1), "Gather", "anchors");
    x = pair(arch, x, nz_arch_add_ints(arch, "anchors", ".shape", shape, SHAPE_INTS), "Reshape", "anchors.cell");
    return pair(arch, x, scalar(arch, "anchors:scale", 4 * (double)stride), "Mul", "anchors.pixels");
}

/* s [batch, anchors, height, width, numbers] as boxes in pixels. */
static nz_arch_map decode(nz_arch *arch, const head *h, nz_arch_map s, int64_t level, int64_t stride) {
    nz_arch_map centre = part(arch, h, s, h->zero, h->two, "centre");
    centre = pair(arch, centre, scalar(arch, "centre:scale", 2 * (double)stride), "Mul", "centre.scaled");
    centre = pair(arch, centre, add_grid(arch, "centre:grid", s.height, s.width, stride), "Add", "centre.pixels");
    nz_arch_map extent = part(arch, h, s, h->two, h->four, "extent");
    extent = pair(arch, extent, extent.value, "Mul", "extent.squared");
    extent = pair(arch, extent, add_anchors(arch, h, level, stride).value, "Mul", "extent.pixels");
    nz_arch_map scores = part(arch, h, s, h->four, h->end, "scores");
    int inputs[3] = {centre.value, extent.value, scores.value};
    nz_node *node = nz_arch_add_node(arch, &s, "Concat", "cat", inputs, 3);
    if (node) nz_arch_set_int(arch, node, "axis", 4);
    return s;
}

/* As published: an image of 640 pixels a side has 8 objects, each of any class alike. */
static void set_prior(nz_arch *arch, const head *h, int64_t stride) {
    if (arch->status != NZ_OK || arch->blank) return;
    const nz_node *conv = &arch->graph->nodes[arch->graph->node_count - 1];
    float *bias = arch->graph->values[conv->inputs[2]].constant.data;
    double cells = 640 / (double)stride, classes = (double)(h->numbers - SCORES);
    double object = nz_random_log(8 / (cells * cells)), each = nz_random_log(0.6 / (classes - 0.99999));
    for (int64_t a = 0; a < NZ_ARCH_ANCHORS; a++)
        for (int64_t i = BOX; i < h->numbers; i++) bias[a * h->numbers + i] += (float)(i == BOX ? object : each);
}

static nz_arch_map add_level(nz_arch *arch, const head *h, nz_arch_map x, int64_t level, int64_t stride) {
    char name[32], outer[sizeof arch->module];
    const int64_t perm[SHAPE_INTS] = {0, 1, 3, 4, 2},
                  shape[SHAPE_INTS] = {0, NZ_ARCH_ANCHORS, h->numbers, x.height, x.width};
    snprintf(name, sizeof name, "m.%lld", (long long)level);
    nz_arch_map s = nz_arch_add_conv(
        arch, x, name, &(nz_arch_conv){.outputs = NZ_ARCH_ANCHORS * h->numbers, .kernel = 1, .bias = true});
    set_prior(arch, h, stride);
    memcpy(outer, arch->module, sizeof outer);
    nz_arch_module(arch, "%slevel%lld.", outer, (long long)level);
    s = pair(arch, s, nz_arch_add_ints(arch, "split", ".shape", shape, SHAPE_INTS), "Reshape", "split");
    nz_node *node = nz_arch_add_node(arch, &s, "Transpose", "order", &s.value, 1);
    if (node) arch->status = nz_node_set_ints(node, "perm", perm, SHAPE_INTS);
    nz_arch_add_node(arch, &s, "Sigmoid", "sigmoid", &s.value, 1);
    s = pair(arch, decode(arch, h, s, level, stride), h->flat, "Reshape", "list");
    nz_arch_module(arch, "%s", outer);
    return s;
}

/* "10x13": false where it is none, or of no extent. */
static bool read_anchor(double anchor[2], char *word) {
    char *height = word ? strchr(word, 'x') : NULL;
    if (!height) return false;
    *height++ = '\0';
    return nz_parse_double(&anchor[0], word, "anchors") == NZ_OK &&
           nz_parse_double(&anchor[1], height, "anchors") == NZ_OK && anchor[0] > 0 && anchor[1] > 0 &&
           anchor[0] < SIDE_MOST && anchor[1] < SIDE_MOST;
}

/* Levels joined by '/', anchors of a level by '+'. */
static nz_status read_anchors(double anchors[NZ_ARCH_LEVELS][NZ_ARCH_ANCHORS][2], const char *text) {
    NZ_AUTO_FREE char *copy = NULL;
    NZ_TRY(nz_strdup(&copy, text));
    char *rest = copy;
    bool good = true;
    for (int l = 0; l < NZ_ARCH_LEVELS; l++) {
        char *level = strsep(&rest, "/");
        for (int a = 0; a < NZ_ARCH_ANCHORS; a++)
            good = good && read_anchor(anchors[l][a], level ? strsep(&level, "+") : NULL);
        good = good && !level;
    }
    if (good && !rest) return NZ_OK;
    return nz_fail(NZ_E_ARG, "anchors '%s': %d levels of %d are wanted, as in 10x13+16x30+33x23/30x61+62x45+59x119/...",
                   text, NZ_ARCH_LEVELS, NZ_ARCH_ANCHORS);
}

nz_arch_map nz_arch_add_boxes(nz_arch *arch, const nz_arch_map maps[NZ_ARCH_LEVELS], const nz_arch_detector *detector,
                              const double anchors[NZ_ARCH_LEVELS][NZ_ARCH_ANCHORS][2]) {
    const int64_t zero = 0, two = 2, four = 4, end = INT64_MAX;
    double pixels[NZ_ARCH_LEVELS][NZ_ARCH_ANCHORS][2];
    float strides[NZ_ARCH_LEVELS][NZ_ARCH_ANCHORS][2];
    memcpy(pixels, anchors, sizeof pixels);
    if (arch->anchors && arch->status == NZ_OK) arch->status = read_anchors(pixels, arch->anchors);
    head h = {.numbers = SCORES + arch->classes};
    const int64_t flat[3] = {0, -1, h.numbers};
    for (int l = 0; l < NZ_ARCH_LEVELS; l++)
        for (int a = 0; a < NZ_ARCH_ANCHORS; a++)
            for (int i = 0; i < 2; i++) strides[l][a][i] = (float)(pixels[l][a][i] / (double)detector->strides[l]);
    h.anchors =
        nz_arch_add_floats(arch, "anchors", &(nz_shape){3, {NZ_ARCH_LEVELS, NZ_ARCH_ANCHORS, 2}}, &strides[0][0][0]);
    h.zero = nz_arch_add_ints(arch, "centre", ".from", &zero, 1);
    h.two = nz_arch_add_ints(arch, "extent", ".from", &two, 1);
    h.four = nz_arch_add_ints(arch, "scores", ".from", &four, 1);
    h.end = nz_arch_add_ints(arch, "scores", ".to", &end, 1);
    h.last = nz_arch_add_ints(arch, "parts", ".axis", &four, 1);
    h.flat = nz_arch_add_ints(arch, "list", ".shape", flat, 3);
    int lists[NZ_ARCH_LEVELS];
    nz_arch_map out = {.channels = h.numbers, .width = 1};
    for (int l = 0; l < NZ_ARCH_LEVELS; l++) {
        lists[l] = add_level(arch, &h, maps[l], l, detector->strides[l]).value;
        out.height += NZ_ARCH_ANCHORS * maps[l].height * maps[l].width;
    }
    nz_node *node = nz_arch_add_node(arch, &out, "Concat", "boxes", lists, NZ_ARCH_LEVELS);
    if (node) nz_arch_set_int(arch, node, "axis", 1);
    return out;
}

static int find_anchors(const nz_graph *graph) {
    static const char end[] = "anchors";
    for (size_t v = 0; v < graph->value_count; v++) {
        const nz_value *value = &graph->values[v];
        size_t length = strlen(value->name), tail = sizeof end - 1;
        if (length >= tail && strcmp(value->name + length - tail, end) == 0 && nz_value_is_constant(graph, (int)v) &&
            value->dtype == NZ_F32 && value->shape.rank == 3)
            return (int)v;
    }
    return -1;
}

nz_status nz_arch_describe_boxes(nz_graph *graph, const nz_arch_detector *detector) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    NZ_AUTO_FREE char *all = NULL;
    int value = find_anchors(graph);
    if (value < 0) return NZ_OK;
    const float *anchor = graph->values[value].constant.data;
    nz_text_append(&text, "head=yolov5,anchors=");
    for (int l = 0; l < NZ_ARCH_LEVELS; l++)
        for (int a = 0; a < NZ_ARCH_ANCHORS; a++, anchor += 2) {
            double stride = (double)detector->strides[l];
            for (int i = 0; i < 2; i++)
                if (!(anchor[i] > 0 && (double)anchor[i] * stride < SIDE_MOST))
                    return nz_fail(NZ_E_FORMAT, "%s [%d, %d] is %g x %g cells: no size that boxes can be told by",
                                   graph->values[value].name, l, a, (double)anchor[0], (double)anchor[1]);
            const char *between = a ? "+" : l ? "/" : "";
            nz_text_appendf(&text, "%s%.9gx%.9g", between, (double)anchor[0] * stride, (double)anchor[1] * stride);
        }
    for (int l = 0; l < NZ_ARCH_LEVELS; l++)
        nz_text_appendf(&text, "%s%lld", l ? "+" : ",strides=", (long long)detector->strides[l]);
    NZ_TRY(nz_text_take(&text, &all));
    return nz_graph_set_meta(graph, "netzip.detect", all);
}
