/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a detection problem of the size of COCO val2017, made by chance and the same each time: annotations with outlines
 * as long as the real ones (20 MB), and the detections of two models.
 *
 *   make_coco FOLDER [IMAGES [CLASSES [DETECTIONS]]]     FOLDER/{truth,found,other}.json
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/file.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/text.h"

typedef struct box {
    int image, class_index;
    double x, y, width, height;
} box;

typedef struct problem {
    size_t images, classes, truths, detections;
    box *boxes;
} problem;

static double between(nz_random *r, double low, double high) { return low + (high - low) * nz_random_unit(r); }

/* Like people in COCO, the first class is a third of everything, and the others get rarer. */
static int draw_class(nz_random *r, size_t classes) {
    double u = nz_random_unit(r);
    return nz_random_below(r, 3) == 0 ? 0 : (int)(u * u * (double)classes);
}

static void draw_boxes(problem *p) {
    nz_random r;
    nz_random_init(&r, 1, 0);
    for (size_t i = 0; i < p->truths; i++) {
        double size = 8 * between(&r, 1, 3) * between(&r, 1, 3) * between(&r, 1, 3), wide = between(&r, 0.6, 1.6);
        box b = {.image = (int)nz_random_below(&r, p->images), .class_index = draw_class(&r, p->classes)};
        b.width = size * wide, b.height = size / wide;
        b.x = between(&r, 0, 640 - b.width), b.y = between(&r, 0, 480 - b.height);
        p->boxes[i] = b;
    }
}

static void put_images(nz_text *t, const problem *p) {
    nz_text_append(t, "{\"info\": {\"description\": \"made by chance\"}, \"images\": [");
    for (size_t i = 0; i < p->images; i++)
        nz_text_appendf(t,
                        "%s{\"license\": 4,\"file_name\": \"%012zu.jpg\",\"coco_url\": "
                        "\"http://images.example.org/val2017/%012zu.jpg\",\"height\": 480,\"width\": 640,"
                        "\"date_captured\": \"2013-11-14 17:02:52\",\"flickr_url\": "
                        "\"http://farm7.example.com/6116/6255196340_da26cf2c9e_z.jpg\",\"id\": %zu}",
                        i ? "," : "", 100 + 7 * i, 100 + 7 * i, 100 + 7 * i);
    nz_text_append(t, "],\"categories\": [");
    for (size_t c = 0; c < p->classes; c++)
        nz_text_appendf(t, "%s{\"supercategory\": \"thing\",\"id\": %zu,\"name\": \"class %zu\"}", c ? "," : "", c + 1,
                        c);
}

static void put_outline(nz_text *t, nz_random *r, const box *b, bool crowd) {
    if (crowd) {
        nz_text_append(t, "{\"counts\": [");
        for (int k = 0; k < 600; k++) nz_text_appendf(t, "%s%d", k ? "," : "", (int)nz_random_below(r, 400));
        nz_text_append(t, "],\"size\": [480,640]}");
        return;
    }
    nz_text_append(t, "[[");
    size_t points = 12 + nz_random_below(r, 40);
    for (size_t k = 0; k < points; k++)
        nz_text_appendf(t, "%s%.2f,%.2f", k ? "," : "", between(r, b->x, b->x + b->width),
                        between(r, b->y, b->y + b->height));
    nz_text_append(t, "]]");
}

static void put_truths(nz_text *t, const problem *p) {
    nz_random r;
    nz_random_init(&r, 2, 0);
    put_images(t, p);
    nz_text_append(t, "],\"annotations\": [");
    for (size_t i = 0; i < p->truths; i++) {
        const box *b = &p->boxes[i];
        bool crowd = i % 80 == 0;
        nz_text_append(t, i ? ",{\"segmentation\": " : "{\"segmentation\": ");
        put_outline(t, &r, b, crowd);
        nz_text_appendf(t,
                        ",\"area\": %.5f,\"iscrowd\": %d,\"image_id\": %d,\"bbox\": [%.2f,%.2f,%.2f,%.2f],"
                        "\"category_id\": %d,\"id\": %zu}",
                        0.7 * b->width * b->height, crowd, 100 + 7 * b->image, b->x, b->y, b->width, b->height,
                        b->class_index + 1, 1000 + i);
    }
    nz_text_append(t, "]}\n");
}

/* Most detections lie near an object, more or less; the others anywhere. */
static void put_found(nz_text *t, const problem *p, uint64_t seed) {
    nz_random r;
    nz_random_init(&r, 3 + seed, 0);
    nz_text_append(t, "[");
    for (size_t i = 0; i < p->detections; i++) {
        box b = p->boxes[nz_random_below(&r, p->truths)];
        double score = nz_random_unit(&r), off = 0.05 + 0.2 * (1 - score);
        if (nz_random_below(&r, 3) == 0) {
            b.image = (int)nz_random_below(&r, p->images);
            score *= score;
        }
        b.x += b.width * between(&r, -off, off), b.y += b.height * between(&r, -off, off);
        b.width *= between(&r, 1 - off, 1 + off), b.height *= between(&r, 1 - off, 1 + off);
        nz_text_appendf(t, "%s{\"image_id\":%d,\"category_id\":%d,\"bbox\":[%.3f,%.3f,%.3f,%.3f],\"score\":%.6f}",
                        i ? "," : "", 100 + 7 * b.image, b.class_index + 1, b.x, b.y, b.width, b.height, score * score);
    }
    nz_text_append(t, "]\n");
}

static nz_status write_text(nz_text *text, const char *folder, const char *name) {
    NZ_AUTO_FREE char *path = NULL, *bytes = NULL;
    size_t length = text->length;
    nz_status status = nz_text_take(text, &bytes);
    if (status == NZ_OK) status = nz_path_join(&path, folder, name);
    return status == NZ_OK ? nz_file_write(path, bytes, length) : status;
}

static nz_status make(problem *p, const char *folder) {
    nz_text text = {0};
    p->truths = p->images * 7 + p->images / 3;
    nz_status status = nz_dir_make(folder);
    if (status == NZ_OK) status = nz_alloc(&p->boxes, p->truths, sizeof *p->boxes);
    if (status != NZ_OK) return status;
    draw_boxes(p);
    put_truths(&text, p);
    status = write_text(&text, folder, "truth.json");
    for (uint64_t seed = 0; seed < 2 && status == NZ_OK; seed++) {
        put_found(&text, p, seed);
        status = write_text(&text, folder, seed ? "other.json" : "found.json");
    }
    free(p->boxes);
    return status;
}

int main(int argc, char **argv) {
    problem p = {.images = argc > 2 ? strtoul(argv[2], NULL, 10) : 5000,
                 .classes = argc > 3 ? strtoul(argv[3], NULL, 10) : 80,
                 .detections = argc > 4 ? strtoul(argv[4], NULL, 10) : 85000};
    if (argc < 2 || argc > 5 || !p.images || !p.classes) {
        fprintf(stderr, "usage: make_coco FOLDER [IMAGES [CLASSES [DETECTIONS]]]\n");
        return 2;
    }
    if (make(&p, argv[1]) == NZ_OK) return 0;
    fprintf(stderr, "make_coco: %s\n", nz_last_error());
    return 1;
}
