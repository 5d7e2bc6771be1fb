/* SPDX-License-Identifier: Apache-2.0 */
/* Augmentation of images with objects: pixels and boxes go the same way. */
#include "data_files.h"

#include "data/augment.h"

enum { SIDE = 96, LEFT = 40, TOP = 24, WIDTH = 20, HEIGHT = 30 };

/* A white box on black, in an image of 128 x 96 that is labelled in YOLO's form. */
static const char *put_white_box(const char *keys) {
    NZ_AUTO(nz_image_done) nz_image image = {0};
    NZ_AUTO_FREE uint8_t *bytes = NULL;
    uint8_t *p = NULL;
    size_t count = 0;
    char label[128];
    nz_assert_ok(nz_image_init(&image, &p, 128, SIDE, 3));
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < 128; x++, p += 3)
            memset(p, x >= LEFT && x < LEFT + WIDTH && y >= TOP && y < TOP + HEIGHT ? 255 : 0, 3);
    nz_assert_ok(nz_png_encode(&bytes, &count, &image));
    put_file("white/images/7.png", bytes, count);
    snprintf(label, sizeof label, "0 %.17g %.17g %.17g %.17g\n", (LEFT + WIDTH / 2.0) / 128,
             (TOP + HEIGHT / 2.0) / SIDE, WIDTH / 128.0, HEIGHT / (double)SIDE);
    put_text("white/labels/7.txt", label);
    return spec_of("yolo", "white", keys);
}

/* Where the sample is lighter than halfway, as corner and extent. False where nothing is, or it touches the border. */
static bool find_white(double box[4], const float *x, int width, int height) {
    int left = width, right = -1, top = height, bottom = -1;
    for (int row = 0; row < height; row++)
        for (int c = 0; c < width; c++) {
            if (x[row * width + c] < 0.5f) continue;
            left = c < left ? c : left;
            right = c > right ? c : right;
            top = row < top ? row : top;
            bottom = row;
        }
    box[0] = left, box[1] = top, box[2] = right - left + 1, box[3] = bottom - top + 1;
    return left > 0 && top > 0 && right < width - 1 && bottom < height - 1 && right >= left;
}

/* The middle of what is light around a box, and how much it is: finer than pixels. False where that is not all in the sample. */
static bool weigh_white(double middle[2], double *ret_sum, const double box[4], const float *x, int width, int height) {
    enum { AROUND = 4 };
    int left = (int)box[0] - AROUND, top = (int)box[1] - AROUND;
    int right = (int)(box[0] + box[2]) + AROUND, bottom = (int)(box[1] + box[3]) + AROUND;
    double sum = 0, across = 0, down = 0;
    if (left < 0 || top < 0 || right > width || bottom > height) return false;
    for (int row = top; row < bottom; row++)
        for (int c = left; c < right; c++) {
            double value = (double)x[row * width + c];
            sum += value;
            across += value * (c + 0.5);
            down += value * (row + 0.5);
        }
    middle[0] = across / sum, middle[1] = down / sum;
    *ret_sum = sum;
    return true;
}

static size_t check_boxes(const char *keys, const char *augmentation) {
    enum { EPOCHS = 60 };
    AUTO_DATA data = open_good(put_white_box(keys), NZ_DATA_TRAIN);
    NZ_AUTO_FREE float *x = NULL;
    NZ_AUTO_FREE nz_object *objects = NULL;
    nz_shape shape;
    nz_augment augment;
    size_t count = 0, seen = 0, weighed = 0;
    double across = 0, down = 0, area = 0;
    nz_data_shape(data, &shape);
    nz_assert_ok(nz_alloc(&x, (size_t)nz_shape_elements(&shape), sizeof *x));
    nz_assert_ok(nz_augment_read(&augment, augmentation));
    nz_assert_ok(nz_data_objects(&objects, &count, data, 0));
    assert_int_equal(count, 1);
    for (augment.epoch = 0; augment.epoch < EPOCHS; augment.epoch++) {
        int32_t label;
        nz_placement at;
        double box[4] = {objects[0].x, objects[0].y, objects[0].width, objects[0].height}, found[4];
        nz_assert_ok(nz_data_get_augmented(data, 0, &augment, x, &label));
        nz_assert_ok(nz_data_placement_augmented(&at, data, 0, &augment));
        assert_int_equal(at.width, shape.dim[2]);
        assert_int_equal(at.height, shape.dim[1]);
        nz_place_box(box, &at);
        if (!find_white(found, x, at.width, at.height)) continue;
        seen++;
        /* Half a pixel of rounding at either edge, and what resizing spreads. */
        for (int k = 0; k < 4; k++) nz_assert_near(found[k], box[k], 0, k < 2 ? 1.3 : 2.1);
        double middle[2], sum;
        if (weigh_white(middle, &sum, found, x, at.width, at.height)) {
            across += middle[0] - (box[0] + box[2] / 2);
            down += middle[1] - (box[1] + box[3] / 2);
            area += sum / (box[2] * box[3]) - 1;
            weighed++;
        }
        nz_unplace_box(found, &at);
        nz_assert_near(found[0], LEFT, 0, 2.2 / at.scale_x);
        nz_assert_near(found[3], HEIGHT, 0, 2.2 / at.scale_y);
    }
    /* Half a pixel, if it were lost somewhere, would show here. */
    assert_true(weighed > 30);
    nz_assert_near(across / weighed, 0, 0, 0.03);
    nz_assert_near(down / weighed, 0, 0, 0.03);
    nz_assert_near(area / weighed, 0, 0, 0.003);
    return seen;
}

static void boxes_follow_the_pixels(void **state) {
    (void)state;
    assert_int_equal(check_boxes("letterbox=96", ""), 60);
    assert_int_equal(check_boxes("letterbox=96", "flip=1"), 60);
    assert_true(check_boxes("letterbox=96", "zoom=50") >= 50);
    assert_true(check_boxes("letterbox=96", "shift=20") >= 40);
    assert_true(check_boxes("letterbox=64x80:topleft", "flip=1+zoom=40+shift=10") >= 40);
    assert_true(check_boxes("resize=96x64", "flip=1+zoom=30+shift=10+crop=5") >= 40);
    assert_true(check_boxes("resize=120,crop=100", "flip=1+zoom=30+crop=3") >= 30);
    assert_true(check_boxes("letterbox=160", "resized=1+flip=1") >= 5);
}

static void batches_hold_the_placements(void **state) {
    (void)state;
    AUTO_DATA data = open_good("synthetic:shapes-det,size=48,count=13", NZ_DATA_TRAIN);
    nz_augment augment = {
        .flip = true, .zoom = 20, .shift = 10, .hue = 5, .saturation = 30, .brightness = 20, .seed = 4};
    NZ_AUTO_FREE float *x = NULL;
    nz_assert_ok(nz_alloc(&x, 3 * 48 * 48, sizeof *x));
    for (int threads = 1; threads < 4; threads++) {
        nz_loader *loader = NULL;
        nz_batch batch;
        size_t seen = 0;
        nz_assert_ok(nz_loader_open_augmented(&loader, data, 4, NULL, 0, threads, &augment));
        for (;;) {
            nz_assert_ok(nz_loader_next(loader, &batch));
            for (size_t k = 0; k < batch.count; k++, seen++) {
                nz_placement at;
                int32_t label;
                nz_assert_ok(nz_data_placement_augmented(&at, data, batch.indices[k], &augment));
                const nz_placement *p = &batch.placements[k];
                assert_true(at.left == p->left && at.top == p->top && at.flip == p->flip);
                assert_true(at.scale_x == p->scale_x && at.scale_y == p->scale_y && at.width == p->width);
                nz_assert_ok(nz_data_get_augmented(data, batch.indices[k], &augment, x, &label));
                assert_memory_equal(x, batch.x + k * 3 * 48 * 48, 3 * 48 * 48 * sizeof *x);
                assert_int_equal(label, -1);
            }
            if (!batch.count) break;
        }
        nz_loader_free(loader);
        assert_int_equal(seen, 13);
    }
}

static nz_image image_of(const uint8_t *pixels, int width, int height, int channels) {
    return (nz_image){.width = width, .height = height, .channels = channels, .pixels = pixels};
}

static nz_augment_draw no_draw(void) { return nz_augment_draw_sample(&(nz_augment){.seed = 3}, 5); }

static void places_by_hand(void **state) {
    (void)state;
    static const uint8_t pixels[] = {0, 40, 80, 120}, twice[] = {30, 50, 70, 90}, half[] = {114, 20, 100, 114},
                         moved[] = {114, 0, 40, 80}, part[] = {57, 20, 60, 100};
    static const struct {
        int32_t zoom, shift;
        const uint8_t *expected;
    } cases[] = {{131072, 0, twice}, {32768, 0, half}, {65536, 16384, moved}, {65536, 8192, part}};
    nz_image image = image_of(pixels, 4, 1, 1);
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        NZ_AUTO(nz_image_done) nz_image result = {0};
        nz_augment_draw draw = no_draw();
        draw.zoom = cases[i].zoom;
        draw.shift_x = cases[i].shift;
        assert_true(nz_augment_changes_pixels(&draw));
        nz_assert_ok(nz_augment_pixels(&result, &image, &draw, 114));
        assert_memory_equal(result.pixels, cases[i].expected, 4);
    }
}

static void colours_by_hand(void **state) {
    (void)state;
    static const uint8_t pixels[] = {200, 40, 40, 100, 100, 100, 10, 20, 250, 255, 255, 255};
    /* A third of the circle takes red to green, green to blue and blue to red; no saturation leaves luma. */
    static const uint8_t third[] = {40, 200, 40, 100, 100, 100, 250, 10, 20, 255, 255, 255},
                         grey[] = {88, 88, 88, 100, 100, 100, 43, 43, 43, 255, 255, 255},
                         dark[] = {100, 20, 20, 50, 50, 50, 5, 10, 125, 128, 128, 128};
    nz_image image = image_of(pixels, 4, 1, 3);
    const uint8_t *expected[] = {third, grey, dark};
    for (size_t i = 0; i < NZ_COUNT(expected); i++) {
        NZ_AUTO(nz_image_done) nz_image result = {0};
        nz_augment_draw draw = no_draw();
        assert_false(nz_augment_changes_pixels(&draw));
        if (i == 0) draw.hue = 21845;
        if (i == 1) draw.saturation = 0;
        if (i == 2) draw.brightness = 32768;
        nz_assert_ok(nz_augment_pixels(&result, &image, &draw, 114));
        for (int k = 0; k < 12; k++) nz_assert_near(result.pixels[k], expected[i][k], 0, 1);
    }
    nz_augment_draw draw = no_draw();
    NZ_AUTO(nz_image_done) nz_image result = {0};
    image = image_of(pixels, 6, 1, 2);
    draw.brightness = 131072;
    nz_assert_ok(nz_augment_pixels(&result, &image, &draw, 114));
    assert_int_equal(result.pixels[1], 80);
    assert_int_equal(result.pixels[0], 255);
}

static void draws_lie_within_what_is_asked(void **state) {
    (void)state;
    nz_augment a = {.zoom = 25, .shift = 10, .hue = 5, .saturation = 40, .brightness = 30, .seed = 9}, other = a;
    int32_t least = 1 << 20, most = 0;
    other.hue = 0;
    for (size_t i = 0; i < 2000; i++) {
        nz_augment_draw draw = nz_augment_draw_sample(&a, i), next = nz_augment_draw_sample(&other, i);
        assert_true(abs(draw.zoom - 65536) <= 16384 && abs(draw.shift_x) <= 6553 && abs(draw.shift_y) <= 6553);
        assert_true(abs(draw.hue) <= 3276 && abs(draw.saturation - 65536) <= 26214);
        assert_true(abs(draw.brightness - 65536) <= 19660 && next.hue == 0);
        assert_true(next.zoom == draw.zoom && next.shift_y == draw.shift_y && next.brightness == draw.brightness);
        least = draw.zoom < least ? draw.zoom : least;
        most = draw.zoom > most ? draw.zoom : most;
    }
    assert_true(least < 65536 - 16000 && most > 65536 + 16000);
}

static void what_no_key_allows_is_refused(void **state) {
    (void)state;
    AUTO_DATA data = open_good("synthetic:shapes-det,size=48,count=3", NZ_DATA_TRAIN);
    static const nz_augment wrong[] = {{.zoom = 100}, {.zoom = -1}, {.crop_padding = -3}, {.shift = 1 << 30}};
    static float x[3 * 48 * 48];
    for (size_t i = 0; i < NZ_COUNT(wrong); i++) {
        nz_placement at;
        int32_t label;
        nz_assert_fails(nz_data_get_augmented(data, 0, &wrong[i], x, &label), NZ_E_ARG, "should be from 0 to");
        nz_assert_fails(nz_data_placement_augmented(&at, data, 0, &wrong[i]), NZ_E_ARG, "should be from 0 to");
    }
    AUTO_DATA any = open_good(put_white_box(""), NZ_DATA_TRAIN);
    nz_placement at;
    nz_augment part = {.resized_crop = 1};
    nz_assert_fails(nz_data_placement_augmented(&at, any, 0, &part), NZ_E_SHAPE, "samples vary in size");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(boxes_follow_the_pixels),
        cmocka_unit_test(batches_hold_the_placements),
        cmocka_unit_test(places_by_hand),
        cmocka_unit_test(colours_by_hand),
        cmocka_unit_test(draws_lie_within_what_is_asked),
        cmocka_unit_test(what_no_key_allows_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
