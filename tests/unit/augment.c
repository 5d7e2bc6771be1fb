/* SPDX-License-Identifier: Apache-2.0 */
/* Augmentation: drawn from seed, epoch and sample alone; the pixels are those that the draw says; images that are kept are
 * those that would be read. */
#include "data/augment.h"

#include "data/dataset.h"
#include "data/npz.h"
#include "data_files.h"

static void free_loader(nz_loader **loader) { nz_loader_free(*loader); }
#define AUTO_LOADER NZ_AUTO(free_loader) nz_loader *

static size_t elements_of(const nz_dataset *data) {
    nz_shape shape;
    nz_data_shape(data, &shape);
    return (size_t)nz_shape_elements(&shape);
}

static float *room_of(const nz_dataset *data, size_t samples) {
    float *room = calloc(elements_of(data) * samples, sizeof *room);
    assert_non_null(room);
    return room;
}

/* All samples, augmented, one after the other. free() */
static float *all_of(const nz_dataset *data, const nz_augment *augment) {
    size_t count = nz_data_count(data), elements = elements_of(data);
    float *all = room_of(data, count);
    int32_t label;
    for (size_t i = 0; i < count; i++) {
        nz_assert_ok(nz_data_get_augmented(data, i, augment, all + i * elements, &label));
        assert_int_equal(label, nz_data_label(data, i));
    }
    return all;
}

static void texts_are_read(void **state) {
    (void)state;
    nz_augment a = {0};
    nz_assert_ok(nz_augment_read(&a, "crop=4+flip=1+resized=1"));
    assert_true(a.crop_padding == 4 && a.flip && a.resized_crop == 1);
    nz_assert_ok(nz_augment_read(&a, "flip=yes"));
    assert_true(a.crop_padding == 0 && a.flip && a.resized_crop == 0);
    nz_assert_ok(nz_augment_read(&a, NULL));
    assert_true(a.crop_padding == 0 && !a.flip);
    nz_assert_ok(nz_augment_read(&a, ""));
    nz_assert_fails(nz_augment_read(&a, "crp=4"), NZ_E_ARG, "crop");
    nz_assert_fails(nz_augment_read(&a, "crop=-1"), NZ_E_ARG, "crop");
    nz_assert_fails(nz_augment_read(&a, "crop=1025"), NZ_E_ARG, "1024");
    nz_assert_fails(nz_augment_read(&a, "crop"), NZ_E_ARG, "augment 'crop'");
    nz_assert_fails(nz_augment_read(&a, "flip=1+flip=0"), NZ_E_ARG, "flip");
    const char *help = NULL;
    assert_string_equal(nz_augment_key(0, &help), "crop");
    assert_true(help && *help);
    assert_null(nz_augment_key(8, NULL));
    nz_assert_ok(nz_augment_read(&a, "zoom=50+shift=10+hue=2+saturation=70+brightness=40"));
    assert_true(a.zoom == 50 && a.shift == 10 && a.hue == 2 && a.saturation == 70 && a.brightness == 40 && !a.flip);
    nz_assert_fails(nz_augment_read(&a, "zoom=91"), NZ_E_ARG, "90");
}

static void nothing_asked_is_nothing_done(void **state) {
    (void)state;
    AUTO_DATA data = open_good("synthetic:shapes,count=12,preset=cifar10", NZ_DATA_TRAIN);
    NZ_AUTO_FREE float *plain = room_of(data, 1);
    NZ_AUTO_FREE float *all = all_of(data, &(nz_augment){.seed = 5, .epoch = 2});
    size_t elements = elements_of(data);
    int32_t label;
    for (size_t i = 0; i < nz_data_count(data); i++) {
        nz_assert_ok(nz_data_get(data, i, plain, &label));
        assert_memory_equal(plain, all + i * elements, elements * sizeof *plain);
    }
    nz_assert_fails(nz_data_get_augmented(data, 12, &(nz_augment){.flip = true}, plain, &label), NZ_E_ARG,
                    "sample 12 of 12");
}

/* Computed by another program from the definition of the generators. */
static void draws_are_the_same_everywhere(void **state) {
    (void)state;
    static const struct {
        uint64_t seed, epoch;
        size_t sample;
        int padding, width, height, flip, left, top;
        nz_augment_box box;
    } known[] = {
        {1, 2, 3, 4, 32, 32, 0, 2, -3, {8, 10, 21, 19}},
        {1, 2, 4, 4, 32, 32, 0, -1, 3, {1, 0, 29, 26}},
        {0, 0, 0, 4, 640, 480, 1, -2, 1, {425, 179, 193, 252}},
        {7, 30, 49999, 2, 256, 300, 1, 0, 1, {56, 104, 195, 187}},
    };
    for (size_t i = 0; i < NZ_COUNT(known); i++) {
        nz_augment a = {.crop_padding = known[i].padding,
                        .flip = true,
                        .resized_crop = 1,
                        .seed = known[i].seed,
                        .epoch = known[i].epoch};
        nz_augment_draw draw = nz_augment_draw_sample(&a, known[i].sample);
        nz_augment_box box = nz_augment_place(&draw, known[i].width, known[i].height);
        assert_int_equal(draw.flip, known[i].flip);
        assert_int_equal(draw.left, known[i].left);
        assert_int_equal(draw.top, known[i].top);
        assert_memory_equal(&box, &known[i].box, sizeof box);
        a.flip = false; /* what is not asked for changes nothing else */
        draw = nz_augment_draw_sample(&a, known[i].sample);
        assert_false(draw.flip);
        assert_int_equal(draw.top, known[i].top);
    }
}

static void draws_are_spread_evenly(void **state) {
    (void)state;
    enum { DRAWS = 81 * 400 };
    size_t flips = 0, seen[81] = {0}, same = 0;
    nz_augment a = {.crop_padding = 4, .flip = true, .seed = 11}, later = a;
    later.epoch = 1;
    for (size_t i = 0; i < DRAWS; i++) {
        nz_augment_draw draw = nz_augment_draw_sample(&a, i), next = nz_augment_draw_sample(&later, i);
        flips += draw.flip;
        assert_true(abs(draw.left) <= 4 && abs(draw.top) <= 4);
        seen[(draw.top + 4) * 9 + draw.left + 4]++;
        same += draw.flip == next.flip && draw.left == next.left && draw.top == next.top;
    }
    /* Five standard deviations. */
    nz_assert_near(flips, DRAWS / 2, 0, 5 * sqrt(DRAWS / 4.0));
    nz_assert_near(same, DRAWS / 162, 0, 5 * sqrt(DRAWS / 162.0));
    for (size_t i = 0; i < 81; i++) nz_assert_near(seen[i], 400, 0, 5 * 20);
}

static void parts_lie_inside_and_have_the_area_and_ratio(void **state) {
    (void)state;
    enum { DRAWS = 4000, SIDE = 3000 };
    double areas = 0, ratios = 0, least = 1, widest = 1, narrowest = 1, lefts = 0;
    nz_augment a = {.resized_crop = 1};
    for (size_t i = 0; i < DRAWS; i++) {
        nz_augment_draw draw = nz_augment_draw_sample(&a, i);
        nz_augment_box b = nz_augment_place(&draw, SIDE, SIDE);
        double area = (double)b.width * b.height / SIDE / SIDE, ratio = (double)b.width / b.height;
        assert_true(b.left >= 0 && b.top >= 0 && b.width > 0 && b.height > 0);
        assert_true(b.left + b.width <= SIDE && b.top + b.height <= SIDE);
        areas += area;
        ratios += log(ratio);
        lefts += SIDE == b.width ? 0.5 : (double)b.left / (SIDE - b.width);
        least = fmin(least, area);
        widest = fmax(widest, ratio);
        narrowest = fmin(narrowest, ratio);
    }
    nz_assert_near(lefts / DRAWS, 0.5, 0, 5 * sqrt(1 / 12.0 / DRAWS));
    nz_assert_near(ratios / DRAWS, 0, 0, 5 * 0.17 / sqrt(DRAWS));
    nz_assert_near(least, 0.08, 0.01, 0);
    nz_assert_near(widest, 4.0 / 3, 0.003, 0);
    nz_assert_near(narrowest, 0.75, 0.003, 0);
    /* 0.54 but for those that do not fit and are drawn again: of area A above 3/4, ln(1/A) / ln(4/3) fit. */
    double log_most = log(4.0 / 3), fitting = (0.25 - (0.28125 * log_most + 0.140625)) / log_most;
    double mean = ((0.5625 - 0.0064) / 2 + fitting) / (0.67 + (0.25 - 0.75 * log_most) / log_most);
    nz_assert_near(areas / DRAWS, mean, 0, 5 * 0.25 / sqrt(DRAWS));
    static const int sizes[][2] = {{1, 1}, {1, 7}, {2, 3}, {3, 1000}, {65535, 1}, {640, 480}, {31, 33}};
    for (size_t s = 0; s < NZ_COUNT(sizes); s++)
        for (size_t i = 0; i < 500; i++) {
            nz_augment_draw draw = nz_augment_draw_sample(&a, i);
            nz_augment_box b = nz_augment_place(&draw, sizes[s][0], sizes[s][1]);
            assert_true(b.left >= 0 && b.top >= 0 && b.width > 0 && b.height > 0);
            assert_true(b.left + b.width <= sizes[s][0] && b.top + b.height <= sizes[s][1]);
        }
}

/* A part that cannot be drawn is the largest in the middle with a ratio of at most 4:3. */
static void long_images_give_their_middle(void **state) {
    (void)state;
    nz_augment_draw draw = nz_augment_draw_sample(&(nz_augment){.resized_crop = 1}, 0);
    nz_augment_box wide = nz_augment_place(&draw, 60000, 3), high = nz_augment_place(&draw, 6, 60001);
    assert_memory_equal(&wide, (&(nz_augment_box){29998, 0, 4, 3}), sizeof wide);
    assert_memory_equal(&high, (&(nz_augment_box){0, 29996, 6, 8}), sizeof high);
}

/* Every value of the augmented sample against the plain one moved by hand, in every layout and colour. */
static void check_pixels(const char *keys) {
    char spec[256];
    snprintf(spec, sizeof spec, "synthetic:shapes,count=8,size=24,%s", keys);
    AUTO_DATA data = open_good(spec, NZ_DATA_TRAIN);
    nz_shape shape;
    nz_data_shape(data, &shape);
    bool last = strstr(keys, "nhwc") != NULL;
    int channels = (int)shape.dim[last ? 2 : 0], side = 24, moved = 0;
    NZ_AUTO_FREE float *plain = room_of(data, 1);
    nz_augment a = {.crop_padding = 30, .flip = true, .seed = 3};
    int32_t label;
    for (int padding = 1; padding <= 30; padding += 29) {
        a.crop_padding = padding;
        NZ_AUTO_FREE float *all = all_of(data, &a);
        for (size_t i = 0; i < 8; i++) {
            nz_augment_draw draw = nz_augment_draw_sample(&a, i);
            nz_assert_ok(nz_data_get(data, i, plain, &label));
            const float *got = all + i * elements_of(data);
            for (int at = 0; at < channels * side * side; at++) {
                int c = at % channels, x = at / channels % side, y = at / channels / side;
                int from_x = (draw.flip ? side - 1 - x : x) + draw.left, from_y = y + draw.top;
                bool inside = from_x >= 0 && from_x < side && from_y >= 0 && from_y < side;
#define PLACE(c, y, x) (last ? ((y)*side + (x)) * channels + (c) : ((c)*side + (y)) * side + (x))
                float black = data->table[c * 256], expected = inside ? plain[PLACE(c, from_y, from_x)] : black;
                moved += inside && (draw.left || draw.top || draw.flip);
                nz_assert_near(got[PLACE(c, y, x)], expected, 0, 0);
            }
        }
    }
    assert_true(moved > 0);
}

static void pixels_are_those_of_the_draw(void **state) {
    (void)state;
    check_pixels("preset=cifar10");
    check_pixels("resize=24x24,mean=0.1");
    check_pixels("preset=cifar10,layout=nhwc");
    check_pixels("color=bgr,scale=1,mean=104:117:123");
    check_pixels("color=gray,mean=0.5,std=0.25");
    check_pixels("color=gray,layout=nhwc,mean=0.1");
    check_pixels("crop=24,mean=0.2");
}

/* A hand-made gray image under a draw that is known: sample 3 of seed 1, epoch 2 starts at (2, -3) and is not mirrored. */
static void a_known_draw_by_hand(void **state) {
    (void)state;
    const unsigned images[] = {4, 4, 5}, labels[] = {4};
    put_idx("idx/train-images-idx3-ubyte", 3, images, 3, 0);
    put_idx("idx/train-labels-idx1-ubyte", 1, labels, 1, 0);
    AUTO_DATA data = open_good(spec_of("idx", "idx", "scale=1,mean=10"), NZ_DATA_TRAIN);
    float out[20];
    int32_t label;
    nz_assert_ok(nz_data_get_augmented(data, 3, &(nz_augment){.crop_padding = 4, .flip = true, .seed = 1, .epoch = 2},
                                       out, &label));
    /* Pixels of sample 3 count on from 60 * 3 by threes, modulo 256; row 0 comes to lie in row 3. */
    static const float expected[20] = {-10, -10, -10, -10, -10, -10, -10, -10, -10, -10,
                                       -10, -10, -10, -10, -10, 176, 179, 182, -10, -10};
    nz_assert_floats(out, expected, 20, 0, 0);
    assert_int_equal(label, 3);
}

static void resized_parts_equal_crop_and_resize(void **state) {
    (void)state;
    static const char *const specs[] = {"synthetic:shapes,count=6,size=40,resize=24x28,scale=1",
                                        "synthetic:shapes,count=6,size=40,resize=24x28,scale=1,layout=nhwc"};
    for (size_t s = 0; s < NZ_COUNT(specs); s++) {
        AUTO_DATA data = open_good(specs[s], NZ_DATA_TRAIN);
        nz_augment a = {.flip = true, .resized_crop = 1, .seed = 8};
        NZ_AUTO_FREE float *all = all_of(data, &a);
        for (size_t i = 0; i < 6; i++) {
            NZ_AUTO(nz_image_done) nz_image whole = {0}, part = {0}, small = {0};
            nz_augment_draw draw = nz_augment_draw_sample(&a, i);
            nz_augment_box box = nz_augment_place(&draw, 40, 40);
            nz_assert_ok(nz_data_read_image(data, i, true, &whole));
            nz_assert_ok(nz_image_crop(&part, &whole, box.left, box.top, box.width, box.height));
            nz_assert_ok(nz_image_resize(&small, &part, 28, 24));
            for (size_t at = 0; at < 3 * 24 * 28; at++) {
                size_t c = at % 3, x = at / 3 % 28, y = at / 3 / 28, from = draw.flip ? 27 - x : x;
                float got = all[i * 3 * 24 * 28 + (s ? at : (c * 24 + y) * 28 + x)];
                nz_assert_near(got, small.pixels[(y * 28 + from) * 3 + c], 0, 0);
            }
        }
    }
}

/* Planar records, whose pixels are borrowed from a mapped file. */
static void records_can_be_resized_too(void **state) {
    (void)state;
    uint8_t labels[6] = {0, 1, 2, 3, 4, 5};
    put_cifar("records/train.bin", 2, labels, 6, 0);
    AUTO_DATA data = open_good(spec_of("cifar100", "records", ""), NZ_DATA_TRAIN);
    NZ_AUTO_FREE float *parts = all_of(data, &(nz_augment){.resized_crop = 1});
    NZ_AUTO_FREE float *both = all_of(data, &(nz_augment){.resized_crop = 1, .crop_padding = 2});
    for (size_t i = 0; i < 6 * 3072; i++) assert_true(parts[i] >= 0 && parts[i] <= 1 && both[i] >= 0 && both[i] <= 1);
    nz_assert_ok(nz_data_keep(data, 1 << 20));
    assert_null(data->keep); /* they are at hand */
}

static void compare_batches(const nz_dataset *data, const nz_augment *augment, const float *all, int threads) {
    AUTO_LOADER loader = NULL;
    size_t elements = elements_of(data), came = 0;
    nz_assert_ok(nz_loader_open_augmented(&loader, data, 7, NULL, 0, threads, augment));
    for (nz_batch batch = {0};;) {
        nz_assert_ok(nz_loader_next(loader, &batch));
        if (!batch.count) break;
        for (size_t k = 0; k < batch.count; k++, came++) {
            assert_int_equal(batch.indices[k], came);
            assert_memory_equal(batch.x + k * elements, all + came * elements, elements * sizeof *all);
        }
    }
    assert_int_equal(came, nz_data_count(data));
}

/* However many threads, in whatever order samples were read before, kept or not. */
static void batches_do_not_depend_on_threads(void **state) {
    (void)state;
    size_t written = 0, kept = 0;
    nz_assert_ok(
        nz_data_make(&written, &kept, "synthetic:shapes,count=30,size=20,split=train", nz_test_file("png"), NULL));
    static const nz_augment kinds[] = {{.crop_padding = 3, .flip = true, .seed = 1, .epoch = 4},
                                       {.flip = true, .resized_crop = 1, .seed = 2}};
    char png[3][4600];
    snprintf(png[0], sizeof png[0], "%s", spec_of("imagefolder", "png", "split=train,resize=16x16"));
    snprintf(png[1], sizeof png[1], "%s", spec_of("list", "png/train.csv", "resize=18,crop=16"));
    snprintf(png[2], sizeof png[2], "synthetic:shapes,count=45,shuffle=1,offset=7,preset=cifar10");
    for (size_t s = 0; s < NZ_COUNT(png); s++)
        for (size_t a = 0; a < NZ_COUNT(kinds); a++)
            for (int room = 0; room < 3; room++) { /* nothing kept, some, all */
                AUTO_DATA data = open_good(png[s], NZ_DATA_TRAIN);
                NZ_AUTO_FREE float *all = all_of(data, &kinds[a]);
                if (room) nz_assert_ok(nz_data_keep(data, room == 1 ? 6000 : 1 << 20));
                for (int threads = 1; threads <= 5; threads += threads) compare_batches(data, &kinds[a], all, threads);
                compare_batches(data, &kinds[a], all, 5);
                NZ_AUTO_FREE float *again = all_of(data, &kinds[a]);
                assert_memory_equal(all, again, elements_of(data) * nz_data_count(data) * sizeof *all);
            }
}

static void images_are_kept_up_to_the_limit(void **state) {
    (void)state;
    enum { PIXELS = 16 * 16 * 3 };
    AUTO_DATA data = open_good("synthetic:shapes,count=20,size=16", NZ_DATA_TRAIN);
    nz_image image = {0};
    int32_t label;
    NZ_AUTO_FREE float *x = room_of(data, 1);
    nz_assert_ok(nz_data_keep(data, 5 * (PIXELS + sizeof image)));
    for (size_t i = 20; i-- > 0;) nz_assert_ok(nz_data_get(data, i, x, &label));
    for (size_t i = 0; i < 20; i++) assert_int_equal(nz_keep_find(data->keep, 1, i, &image), i >= 15);
    nz_assert_ok(nz_data_read_image(data, 19, true, &image));
    assert_null(image.owned);                  /* borrowed from where it is kept */
    nz_assert_ok(nz_data_keep(data, 1 << 20)); /* the first limit stays */
    nz_assert_ok(nz_data_get(data, 0, x, &label));
    assert_false(nz_keep_find(data->keep, 1, 0, &image));
}

static void floats_are_no_images(void **state) {
    (void)state;
    float values[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    int64_t classes[2] = {0, 1};
    nz_shape images = {4, {2, 1, 2, 2}}, labels = {1, {2}};
    const char *const names[] = {"x", "y"};
    nz_tensor tensors[] = {nz_tensor_borrow(NZ_F32, &images, values), nz_tensor_borrow(NZ_I64, &labels, classes)};
    nz_assert_ok(nz_npz_write(nz_test_file("floats.npz"), names, tensors, 2));
    AUTO_DATA data = open_good(spec_of("npz", "floats.npz", ""), NZ_DATA_TRAIN);
    float out[4];
    int32_t label;
    nz_assert_fails(nz_data_get_augmented(data, 0, &(nz_augment){.flip = true}, out, &label), NZ_E_UNSUPPORTED,
                    "float values are no images");
    nz_assert_ok(nz_data_get_augmented(data, 0, &(nz_augment){0}, out, &label));
    nz_assert_ok(nz_data_keep(data, 1000));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_are_read),
        cmocka_unit_test(nothing_asked_is_nothing_done),
        cmocka_unit_test(draws_are_the_same_everywhere),
        cmocka_unit_test(draws_are_spread_evenly),
        cmocka_unit_test(parts_lie_inside_and_have_the_area_and_ratio),
        cmocka_unit_test(long_images_give_their_middle),
        cmocka_unit_test(pixels_are_those_of_the_draw),
        cmocka_unit_test(a_known_draw_by_hand),
        cmocka_unit_test(resized_parts_equal_crop_and_resize),
        cmocka_unit_test(records_can_be_resized_too),
        cmocka_unit_test(batches_do_not_depend_on_threads),
        cmocka_unit_test(images_are_kept_up_to_the_limit),
        cmocka_unit_test(floats_are_no_images),
    };
    return cmocka_run_group_tests_name("augment", tests, NULL, NULL);
}
