/* SPDX-License-Identifier: Apache-2.0 */
/* synthetic:shapes-det gives the same bytes and boxes on every machine. */
#include "data_files.h"

#include "data/scenes.h"
#include "data/shapes.h"

static void bytes_are_the_same_everywhere(void **state) {
    (void)state;
    static const struct {
        int size;
        uint32_t pixels, boxes;
    } expected[] = {{32, 0xdabbe9d4, 0x0d703eb6}, {96, 0x67b124c0, 0x2d0e6ae4}, {161, 0x57556235, 0xe9f2d505}};
    static uint8_t rgb[161 * 161 * 3];
    for (size_t i = 0; i < NZ_COUNT(expected); i++) {
        uLong pixels = crc32(0, NULL, 0), boxes = pixels;
        for (unsigned k = 0; k < 12; k++) {
            nz_object objects[NZ_SCENE_OBJECTS], again[NZ_SCENE_OBJECTS];
            size_t count = 0, same = 0;
            int size = expected[i].size;
            nz_assert_ok(nz_scene_draw(rgb, objects, &count, size, 7, k % 3, (uint64_t)k * k * 977));
            nz_assert_ok(nz_scene_draw(NULL, again, &same, size, 7, k % 3, (uint64_t)k * k * 977));
            assert_int_equal(same, count);
            pixels = crc32(pixels, rgb, (uInt)(size * size * 3));
            for (size_t o = 0; o < count; o++) {
                uint8_t box[8] = {(uint8_t)objects[o].class_index,
                                  (uint8_t)objects[o].x,
                                  (uint8_t)objects[o].y,
                                  (uint8_t)objects[o].width,
                                  (uint8_t)objects[o].height,
                                  (uint8_t)((int)objects[o].area >> 8),
                                  (uint8_t)((int)objects[o].area & 255)};
                boxes = crc32(boxes, box, sizeof box);
                assert_true(objects[o].x == again[o].x && objects[o].area == again[o].area);
            }
        }
        assert_int_equal(pixels, expected[i].pixels);
        assert_int_equal(boxes, expected[i].boxes);
    }
}

static void scenes_hold_what_they_promise(void **state) {
    (void)state;
    enum { SCENES = 400, SIZE = 128 };
    size_t classes[NZ_SHAPES_CLASSES] = {0}, counts[NZ_SCENE_OBJECTS + 1] = {0}, total = 0, overlapping = 0;
    double least = 1e9, most = 0;
    for (uint64_t i = 0; i < SCENES; i++) {
        nz_object objects[NZ_SCENE_OBJECTS];
        size_t count = 0;
        nz_assert_ok(nz_scene_draw(NULL, objects, &count, SIZE, 1, 0, i));
        assert_true(count >= 1 && count <= NZ_SCENE_OBJECTS);
        counts[count]++;
        for (size_t k = 0; k < count; k++, total++) {
            const nz_object *o = &objects[k];
            assert_true(o->x >= 0 && o->y >= 0 && o->x + o->width <= SIZE && o->y + o->height <= SIZE);
            assert_true(o->area >= 8 && o->area <= o->width * o->height && !o->crowd);
            classes[o->class_index]++;
            least = o->width < least ? o->width : least;
            most = o->width > most ? o->width : most;
            for (size_t j = 0; j < k; j++)
                overlapping += o->x < objects[j].x + objects[j].width && objects[j].x < o->x + o->width &&
                               o->y < objects[j].y + objects[j].height && objects[j].y < o->y + o->height;
        }
    }
    for (size_t n = 1; n <= NZ_SCENE_OBJECTS; n++) assert_true(counts[n] >= 20);
    for (size_t c = 0; c < NZ_SHAPES_CLASSES; c++) assert_true(classes[c] * 16 > total);
    assert_true(least < SIZE / 8 && most > SIZE / 2 && overlapping > total / 5);
}

/* No shape of these covers half of a pixel. */
static void the_smallest_scenes_have_objects_too(void **state) {
    (void)state;
    static const struct {
        int size;
        uint64_t index;
    } sparse[] = {{16, 784}, {20, 6358}};
    for (size_t i = 0; i < NZ_COUNT(sparse); i++) {
        nz_object objects[NZ_SCENE_OBJECTS];
        size_t count = 0;
        nz_assert_ok(nz_scene_draw(NULL, objects, &count, sparse[i].size, 0, 0, sparse[i].index));
        assert_true(count >= 1 && objects[0].area >= 1 && objects[0].width * objects[0].height <= 9);
    }
}

/* The same scene at any size: as many objects of the same classes, and the boxes of one size are those of the other scaled. */
static void a_scene_is_the_same_at_every_size(void **state) {
    (void)state;
    size_t compared = 0, apart = 0;
    for (uint64_t i = 0; i < 60; i++) {
        nz_object small[NZ_SCENE_OBJECTS], large[NZ_SCENE_OBJECTS];
        size_t few = 0, many = 0;
        nz_assert_ok(nz_scene_draw(NULL, small, &few, 128, 5, 1, i));
        nz_assert_ok(nz_scene_draw(NULL, large, &many, 512, 5, 1, i));
        if (few != many) continue; /* a sliver that covers no pixel halfway */
        for (size_t k = 0; k < few; k++, compared++) {
            assert_int_equal(small[k].class_index, large[k].class_index);
            nz_assert_near(small[k].area * 16, large[k].area, 0.25, 100);
            const double a[] = {small[k].x, small[k].y, small[k].x + small[k].width, small[k].y + small[k].height};
            const double b[] = {large[k].x, large[k].y, large[k].x + large[k].width, large[k].y + large[k].height};
            for (int e = 0; e < 4; e++) apart += fabs(a[e] * 4 - b[e]) > 8;
        }
    }
    assert_true(compared > 200 && apart * 100 < compared * 4); /* of four edges each: slivers, as above */
}

/* Painting a shape changes the pixels of its box, and none but those of the things before it outside of all boxes: where a scene has
 * one object, its pixels stand out from the background around it. */
static void boxes_hold_their_shapes(void **state) {
    (void)state;
    enum { SIZE = 128 };
    static uint8_t rgb[SIZE * SIZE * 3];
    size_t seen = 0, clear = 0;
    for (uint64_t i = 0; i < 120; i++) {
        nz_object o[NZ_SCENE_OBJECTS];
        size_t count = 0;
        nz_assert_ok(nz_scene_draw(rgb, o, &count, SIZE, 2, 0, i));
        if (count != 1 || o->x < 4 || o->y < 4 || o->x + o->width > SIZE - 4 || o->y + o->height > SIZE - 4) continue;
        double inside[3] = {0}, outside[3] = {0}, contrast = 0;
        size_t m = 0, n = 0;
        for (int y = (int)o->y - 3; y < (int)(o->y + o->height) + 3; y++)
            for (int x = (int)o->x - 3; x < (int)(o->x + o->width) + 3; x++) {
                bool in = x >= o->x && x < o->x + o->width && y >= o->y && y < o->y + o->height;
                bool border = x < o->x - 1 || x > o->x + o->width || y < o->y - 1 || y > o->y + o->height;
                if (!in && !border) continue;
                for (int c = 0; c < 3; c++) *(in ? &inside[c] : &outside[c]) += rgb[(y * SIZE + x) * 3 + c];
                ++*(in ? &m : &n);
            }
        for (int c = 0; c < 3; c++) contrast += fabs(inside[c] / (double)m - outside[c] / (double)n);
        seen++;
        clear += contrast > 25;
    }
    assert_true(seen >= 8 && clear * 10 >= seen * 9);
}

static void the_kind_opens(void **state) {
    (void)state;
    AUTO_DATA train = open_good("synthetic:shapes-det", NZ_DATA_TRAIN);
    AUTO_DATA test = open_good("synthetic:shapes-det", NZ_DATA_COMPARE);
    AUTO_DATA other = open_good("synthetic:shapes-det,seed=1", NZ_DATA_COMPARE);
    AUTO_DATA shapes = open_good("synthetic:shapes,size=160,count=1000", NZ_DATA_COMPARE);
    assert_int_equal(nz_data_count(train), 6000);
    assert_int_equal(nz_data_count(test), 1000);
    assert_true(nz_data_has_objects(train) && !nz_data_has_objects(shapes));
    assert_int_equal(nz_data_classes(train), NZ_SHAPES_CLASSES);
    assert_string_not_equal(nz_data_fingerprint(test), nz_data_fingerprint(other));
    assert_string_not_equal(nz_data_fingerprint(test), nz_data_fingerprint(shapes));
    nz_shape shape;
    nz_data_shape(train, &shape);
    assert_true(shape.dim[1] == 160 && shape.dim[2] == 160);
    refuse("synthetic:shapesdet", NZ_E_ARG, "shapes-det");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_the_same_everywhere),
        cmocka_unit_test(scenes_hold_what_they_promise),
        cmocka_unit_test(the_smallest_scenes_have_objects_too),
        cmocka_unit_test(a_scene_is_the_same_at_every_size),
        cmocka_unit_test(boxes_hold_their_shapes),
        cmocka_unit_test(the_kind_opens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
