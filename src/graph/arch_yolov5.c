/* SPDX-License-Identifier: Apache-2.0 */
/* YOLOv5, release 6: a backbone of C3 blocks, pyramid pooling, and a path down and up again (PANet) to three levels.
 * @source G. Jocher et al., YOLOv5, release 6 (description of the network); S. Liu et al., Path Aggregation Network, arXiv
 * 1803.01534; C.-Y. Wang et al., CSPNet, arXiv 1911.11929 (C3) */
#include <stdio.h>

#include "graph/arch.h"

enum { NAME_BYTES = 48 };

typedef struct plan {
    int64_t eighths; /* of the full widths, 64 to 1024 */
    int thirds;      /* of the full depths, 3 to 9 */
    const nz_arch_detector *detector;
    const double (*anchors)[NZ_ARCH_ANCHORS][2]; /* of each level */
} plan;

/* A convolution that keeps the extents divided by its stride, its normalisation and SiLU; `name` ends with a dot, or is "". */
static nz_arch_map conv(nz_arch *arch, nz_arch_map x, const char *name, int64_t outputs, int64_t kernel,
                        int64_t stride) {
    char part[NAME_BYTES];
    snprintf(part, sizeof part, "%sconv", name);
    x = nz_arch_add_conv(
        arch, x, part,
        &(nz_arch_conv){.outputs = outputs, .kernel = kernel, .stride = stride, .padding = (kernel - 1) / 2});
    snprintf(part, sizeof part, "%sbn", name);
    x = nz_arch_add_norm(arch, x, part);
    snprintf(part, sizeof part, "%sact", name);
    return nz_arch_add_silu(arch, x, part);
}

static nz_arch_map bottleneck(nz_arch *arch, nz_arch_map x, int index, bool shortcut) {
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "m.%d.cv1.", index);
    nz_arch_map way = conv(arch, x, name, x.channels, 1, 1);
    snprintf(name, sizeof name, "m.%d.cv2.", index);
    way = conv(arch, way, name, x.channels, 3, 1);
    snprintf(name, sizeof name, "m.%d.add", index);
    return shortcut ? nz_arch_add_sum(arch, x, way, name) : way;
}

/* Bottlenecks on half of the channels, beside the other half. */
static nz_arch_map c3(nz_arch *arch, nz_arch_map x, int layer, int64_t outputs, int blocks, bool shortcut) {
    nz_arch_module(arch, "model.%d.", layer);
    nz_arch_map halves[2] = {conv(arch, x, "cv1.", outputs / 2, 1, 1)};
    for (int i = 0; i < blocks; i++) halves[0] = bottleneck(arch, halves[0], i, shortcut);
    halves[1] = conv(arch, x, "cv2.", outputs / 2, 1, 1);
    return conv(arch, nz_arch_add_concat(arch, halves, 2, "cat"), "cv3.", outputs, 1, 1);
}

/* Largest of 5x5, 9x9 and 13x13 around each position, one out of the other, beside what they were taken of. */
static nz_arch_map pyramid_pool(nz_arch *arch, nz_arch_map x, int layer) {
    nz_arch_module(arch, "model.%d.", layer);
    nz_arch_map maps[4] = {conv(arch, x, "cv1.", x.channels / 2, 1, 1)};
    for (int i = 0; i < 3; i++)
        maps[i + 1] = nz_arch_add_max_pool(arch, maps[i], "m", &(nz_arch_conv){.kernel = 5, .padding = 2}, false);
    return conv(arch, nz_arch_add_concat(arch, maps, 4, "cat"), "cv2.", x.channels, 1, 1);
}

static nz_arch_map plain(nz_arch *arch, nz_arch_map x, int layer, int64_t outputs, int64_t kernel, int64_t stride) {
    nz_arch_module(arch, "model.%d.", layer);
    return conv(arch, x, "", outputs, kernel, stride);
}

static nz_arch_map join(nz_arch *arch, nz_arch_map a, nz_arch_map b, int layer) {
    nz_arch_module(arch, "model.%d.", layer);
    return nz_arch_add_concat(arch, (nz_arch_map[]){a, b}, 2, "cat");
}

static nz_arch_map enlarge(nz_arch *arch, nz_arch_map x, int layer) {
    nz_arch_module(arch, "model.%d.", layer);
    return nz_arch_add_upsample(arch, x, "upsample");
}

/* Maps of strides 8, 16 and 32. */
static void backbone(nz_arch *arch, nz_arch_map x, const plan *p, nz_arch_map maps[NZ_ARCH_LEVELS]) {
    int64_t width = 8 * p->eighths;
    x = plain(arch, x, 0, width, 6, 2);
    x = plain(arch, x, 1, 2 * width, 3, 2);
    x = c3(arch, x, 2, 2 * width, p->thirds, true);
    x = plain(arch, x, 3, 4 * width, 3, 2);
    x = maps[0] = c3(arch, x, 4, 4 * width, 2 * p->thirds, true);
    x = plain(arch, x, 5, 8 * width, 3, 2);
    x = maps[1] = c3(arch, x, 6, 8 * width, 3 * p->thirds, true);
    x = plain(arch, x, 7, 16 * width, 3, 2);
    x = c3(arch, x, 8, 16 * width, p->thirds, true);
    maps[2] = pyramid_pool(arch, x, 9);
}

static nz_arch_map build(nz_arch *arch, nz_arch_map image, const void *argument) {
    const plan *p = argument;
    nz_arch_map maps[NZ_ARCH_LEVELS];
    int64_t width = 8 * p->eighths;
    int blocks = p->thirds;
    arch->conv_init = NZ_INIT_LINEAR;
    arch->norm_epsilon = 1e-3f;
    arch->norm_momentum = 0.97f;
    backbone(arch, image, p, maps);
    nz_arch_map large = plain(arch, maps[2], 10, 8 * width, 1, 1);
    nz_arch_map x = join(arch, enlarge(arch, large, 11), maps[1], 12);
    x = c3(arch, x, 13, 8 * width, blocks, false);
    nz_arch_map middle = plain(arch, x, 14, 4 * width, 1, 1);
    x = join(arch, enlarge(arch, middle, 15), maps[0], 16);
    x = maps[0] = c3(arch, x, 17, 4 * width, blocks, false);
    x = join(arch, plain(arch, x, 18, 4 * width, 3, 2), middle, 19);
    x = maps[1] = c3(arch, x, 20, 8 * width, blocks, false);
    x = join(arch, plain(arch, x, 21, 8 * width, 3, 2), large, 22);
    maps[2] = c3(arch, x, 23, 16 * width, blocks, false);
    nz_arch_module(arch, "model.24.");
    return nz_arch_add_boxes(arch, maps, p->detector, p->anchors);
}

/* Anchors for COCO at 640 pixels, as published; and those of the tiny network, for synthetic:shapes-det at 160. */
static const double coco_anchors[NZ_ARCH_LEVELS][NZ_ARCH_ANCHORS][2] = {
    {{10, 13}, {16, 30}, {33, 23}}, {{30, 61}, {62, 45}, {59, 119}}, {{116, 90}, {156, 198}, {373, 326}}};
static const double small_anchors[NZ_ARCH_LEVELS][NZ_ARCH_ANCHORS][2] = {
    {{14, 14}, {20, 20}, {26, 26}}, {{32, 32}, {38, 38}, {46, 46}}, {{56, 56}, {68, 68}, {84, 84}}};

static const nz_arch_detector coco = {{8, 16, 32}, "letterbox=640:centre:114:round"};
static const nz_arch_detector small = {{8, 16, 32}, "letterbox=160:centre:114:round"};

static const plan tiny = {1, 1, &small, small_anchors};
static const plan n = {2, 1, &coco, coco_anchors};
static const plan s = {4, 1, &coco, coco_anchors};
static const plan m = {6, 2, &coco, coco_anchors};

const nz_arch_entry nz_arch_yolov5s[] = {
    {{"yolov5-tiny", "YOLOv5's topology at an eighth of the width, for small images and tests", 10, 3, 160, 160,
      &small},
     build,
     &tiny},
    {{"yolov5n", "YOLOv5 nano, release 6, its published names; a detector", 80, 3, 640, 640, &coco}, build, &n},
    {{"yolov5s", "YOLOv5 small, release 6, its published names; a detector", 80, 3, 640, 640, &coco}, build, &s},
    {{"yolov5m", "YOLOv5 medium, release 6, its published names; a detector", 80, 3, 640, 640, &coco}, build, &m},
    {.build = NULL},
};
