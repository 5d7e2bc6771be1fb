/* SPDX-License-Identifier: Apache-2.0 */
/* The preprocessing keys: what they mean, in which order they act, and whose word counts. */
#include "test.h"

#include <zlib.h>

#include "core/memory.h"
#include "data/preprocess.h"

/* The preprocessing of "key=value,..." over a model's text. */
static nz_status read_text(nz_preprocess *ret, const char *keys, const char *model) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    char text[512];
    snprintf(text, sizeof text, "data%s%s", *keys ? "," : "", keys);
    nz_assert_ok(nz_spec_parse(&spec, text));
    return nz_preprocess_read(ret, &spec, model, "data 'x'");
}

static nz_preprocess read_good(const char *keys, const char *model) {
    nz_preprocess p;
    nz_assert_ok(read_text(&p, keys, model));
    return p;
}

static void assert_text(const nz_preprocess *p, const char *expected) {
    NZ_AUTO_FREE char *text = NULL;
    nz_assert_ok(nz_preprocess_text(&text, p));
    assert_string_equal(text, expected);
}

static nz_image pattern(int width, int height, int channels) {
    nz_image image;
    uint8_t *p = NULL;
    nz_assert_ok(nz_image_init(&image, &p, width, height, channels));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < channels; c++)
                *p++ = (uint8_t)(x * 7 + y * 13 + c * 101 + x * y % 31 * 5 + (x * x + y * 3) / 7 * c);
    return image;
}

static void texts_read_back(void **state) {
    (void)state;
    static const char *const texts[] = {
        "scale=1/255",
        "scale=1",
        "resize=256,crop=224,color=rgb,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225",
        "resize=240x320,crop=200x300,color=bgr,scale=1,mean=104:117:123",
        "crop=227,color=bgr,scale=1,mean=104:117:123",
        "letterbox=416:topleft:114:floor,color=bgr,scale=1",
        "letterbox=640:centre:0:round,scale=1/255,layout=nhwc",
        "letterbox=320x640:centre:114:round,color=gray,scale=0.00784313725490196,mean=1",
        "scale=1/255,mean=0.1307,std=0.3081",
    };
    for (size_t i = 0; i < NZ_COUNT(texts); i++) {
        nz_preprocess p = read_good(texts[i], NULL), again = read_good("", texts[i]);
        assert_text(&p, texts[i]);
        assert_text(&again, texts[i]);
        assert_true(p.stated && again.stated);
    }
}

static void presets_are_the_keys_they_name(void **state) {
    (void)state;
    const char *name, *keys = NULL;
    size_t count = 0;
    for (; (name = nz_preprocess_preset(count, &keys)); count++) {
        char text[64];
        NZ_AUTO_FREE char *expected = NULL;
        nz_preprocess direct = read_good(keys, NULL);
        nz_assert_ok(nz_preprocess_text(&expected, &direct));
        snprintf(text, sizeof text, "preset=%s", name);
        nz_preprocess p = read_good(text, NULL);
        assert_text(&p, expected);
        float table[3 * 256];
        int channels = p.color == NZ_COLOR_GRAY ? 1 : 3;
        nz_preprocess_table(&p, channels, table);
        for (int v = 0; v < channels * 256; v++) assert_true(isfinite(table[v]));
    }
    assert_int_equal(count, 6);
    nz_preprocess imagenet = read_good("preset=imagenet", NULL);
    assert_text(&imagenet, "resize=256,crop=224,color=rgb,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225");
    nz_preprocess yolox = read_good("preset=yolox", NULL);
    assert_text(&yolox, "letterbox=416:topleft:114:floor,color=bgr,scale=1");
}

static void the_command_line_wins_over_the_model(void **state) {
    (void)state;
    nz_preprocess p = read_good("scale=1", "crop=24,scale=1/255,mean=0.5");
    assert_text(&p, "crop=24,scale=1,mean=0.5");
    p = read_good("crop=none", "crop=24,mean=0.5");
    assert_text(&p, "scale=1/255,mean=0.5");
    p = read_good("preset=cifar10", "crop=24,layout=nhwc"); /* a preset starts afresh */
    assert_text(&p, "color=rgb,scale=1/255,mean=0.4914:0.4822:0.4465,std=0.247:0.2435:0.2616");
    p = read_good("preset=imagenet,crop=288,resize=320", NULL);
    assert_text(&p, "resize=320,crop=288,color=rgb,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225");
    p = read_good("", "preset=mnist,scale=1");
    assert_text(&p, "color=gray,scale=1,mean=0.1307,std=0.3081");
    p = read_good("", NULL);
    assert_false(p.stated);
    assert_text(&p, "scale=1/255");
    p = read_good("limit=5,seed=3", NULL); /* other keys state no preprocessing */
    assert_false(p.stated);
}

static void wrong_values_are_named(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"resize=0", "resize=: 0 is outside"},
        {"resize=10x", "resize="},
        {"resize=-5", "resize="},
        {"resize=100000", "outside 1 to 65535"},
        {"crop=2x3x4", "crop="},
        {"crop=abc", "crop="},
        {"letterbox=416:middle", "'middle' should be centre or topleft"},
        {"letterbox=416:centre:300", "letterbox= fill: 300 is outside 0 to 255"},
        {"letterbox=416:centre:114:up", "'up' should be round or floor"},
        {"letterbox=416:centre:114:round:5", "at most N:centre|topleft:FILL:round|floor"},
        {"color=cmyk", "color=cmyk should be one of rgb, bgr, gray"},
        {"scale=1/0", "scale=: 1/0 is not a usable number"},
        {"scale=nan", "scale="},
        {"scale=inf", "scale="},
        {"mean=1:x", "mean="},
        {"mean=", "mean="},
        {"mean=1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1:1", "more than 16 numbers"},
        {"std=1:0:1", "each must be above 0"},
        {"std=-1", "each must be above 0"},
        {"layout=chwn", "layout=chwn should be nchw or nhwc"},
        {"preset=resnet", "preset=resnet should be one of imagenet"},
    };
    nz_preprocess p = {.scale = 77};
    for (size_t i = 0; i < NZ_COUNT(wrong); i++) {
        nz_assert_fails(read_text(&p, wrong[i][0], NULL), NZ_E_ARG, wrong[i][1]);
        nz_assert_fails(read_text(&p, wrong[i][0], NULL), NZ_E_ARG, "data 'x'");
        nz_assert_fails(read_text(&p, "", wrong[i][0]), NZ_E_FORMAT, "the model's netzip.preprocess");
    }
    nz_assert_fails(read_text(&p, "", "zoom=3"), NZ_E_FORMAT, "unknown key 'zoom'");
    assert_true(p.scale == 77); /* untouched by failures */
    int channels = 0;
    p = read_good("mean=1:2:3", NULL);
    nz_assert_fails(nz_preprocess_channels(&channels, &p, 1, "x"), NZ_E_ARG, "mean= lists 3 numbers for 1 channels");
    p = read_good("color=gray", NULL);
    nz_assert_fails(nz_preprocess_channels(&channels, &p, 4, "x"), NZ_E_ARG, "color= needs 1 or 3 channels");
}

/* The values of an image after everything. */
static void run(float *out, const char *keys, const nz_image *image, int expected_channels) {
    nz_preprocess p = read_good(keys, NULL);
    NZ_AUTO(nz_image_done) nz_image shaped = {0};
    float table[3 * 256];
    int channels = 0;
    nz_assert_ok(nz_preprocess_channels(&channels, &p, image->channels, "x"));
    assert_int_equal(channels, expected_channels);
    nz_preprocess_table(&p, channels, table);
    nz_assert_ok(nz_preprocess_geometry(&shaped, &p, image, "x"));
    nz_assert_ok(nz_preprocess_values(&p, table, channels, &shaped, out));
}

static void arithmetic_is_pixel_scale_mean_std(void **state) {
    (void)state;
    static const uint8_t pixels[] = {10, 20, 30, 250, 0, 255};
    nz_image image = {.width = 2, .height = 1, .channels = 3, .pixels = pixels};
    float got[6];
    run(got, "", &image, 3);
    nz_assert_floats(got, (float[]){10 / 255.f, 250 / 255.f, 20 / 255.f, 0, 30 / 255.f, 1}, 6, 1e-7, 0);
    run(got, "scale=1,mean=1:2:3,std=2:4:5", &image, 3);
    nz_assert_floats(got, (float[]){4.5f, 124.5f, 4.5f, -0.5f, 5.4f, 50.4f}, 6, 1e-7, 0);
    run(got, "scale=1,color=bgr,mean=1:2:3", &image, 3); /* the means follow the order after color= */
    nz_assert_floats(got, (float[]){29, 254, 18, -2, 7, 247}, 6, 0, 0);
    run(got, "scale=2,layout=nhwc", &image, 3);
    nz_assert_floats(got, (float[]){20, 40, 60, 500, 0, 510}, 6, 0, 0);
    run(got, "scale=1,color=bgr,layout=nhwc,mean=0.5", &image, 3);
    nz_assert_floats(got, (float[]){29.5f, 19.5f, 9.5f, 254.5f, -0.5f, 249.5f}, 6, 0, 0);
    run(got, "scale=1,color=gray", &image, 1); /* Pillow: 18, 104 */
    nz_assert_floats(got, (float[]){18, 104}, 2, 0, 0);
    static const uint8_t one[] = {7, 9};
    nz_image gray = {.width = 2, .height = 1, .channels = 1, .pixels = one};
    run(got, "scale=1,color=bgr,mean=0:1:2", &gray, 3);
    nz_assert_floats(got, (float[]){7, 9, 6, 8, 5, 7}, 6, 0, 0);
    run(got, "scale=1", &gray, 1);
    nz_assert_floats(got, (float[]){7, 9}, 2, 0, 0);
}

static void planes_and_pixels_give_the_same_values(void **state) {
    (void)state;
    static const uint8_t planes[] = {10, 250, 20, 0, 30, 255}, pixels[] = {10, 20, 30, 250, 0, 255};
    static const char *const keys[] = {"",       "color=bgr,mean=1:2:3", "color=gray", "layout=nhwc",
                                       "crop=1", "resize=3x5,color=bgr"};
    nz_image a = {.width = 2, .height = 1, .channels = 3, .planar = true, .pixels = planes};
    nz_image b = {.width = 2, .height = 1, .channels = 3, .pixels = pixels};
    for (size_t i = 0; i < NZ_COUNT(keys); i++) {
        float from_planes[45] = {0}, from_pixels[45] = {0};
        int channels = strstr(keys[i], "gray") ? 1 : 3;
        run(from_planes, keys[i], &a, channels);
        run(from_pixels, keys[i], &b, channels);
        nz_assert_floats(from_planes, from_pixels, 45, 0, 0);
    }
}

static void assert_size(const char *keys, int width, int height, int expected_width, int expected_height) {
    nz_preprocess p = read_good(keys, NULL);
    int w = 0, h = 0;
    nz_preprocess_size(&p, width, height, &w, &h);
    if (w != expected_width || h != expected_height)
        fail_msg("%s of %dx%d: %dx%d instead of %dx%d", keys, width, height, w, h, expected_width, expected_height);
    if (!width) return;
    NZ_AUTO(nz_image_done) nz_image image = pattern(width, height, 3), shaped = {0};
    nz_assert_ok(nz_preprocess_geometry(&shaped, &p, &image, "x"));
    assert_int_equal(shaped.width, expected_width);
    assert_int_equal(shaped.height, expected_height);
}

static void sizes_follow_the_keys(void **state) {
    (void)state;
    assert_size("", 50, 37, 50, 37);
    assert_size("resize=24", 50, 37, 32, 24); /* 24 * 50 / 37 = 32.4 */
    assert_size("resize=24", 37, 50, 24, 32);
    assert_size("resize=37", 50, 37, 50, 37);
    assert_size("resize=224", 500, 375, 298, 224); /* 298.67: rounded down */
    assert_size("resize=20x30", 50, 37, 30, 20);   /* height x width */
    assert_size("crop=20x30", 50, 37, 30, 20);
    assert_size("resize=24,crop=20", 50, 37, 20, 20);
    assert_size("letterbox=64", 50, 37, 64, 64);
    assert_size("letterbox=32x64", 50, 37, 64, 32);
    assert_size("resize=24,crop=20,letterbox=64", 50, 37, 64, 64);
    assert_size("", 0, 0, -1, -1);
    assert_size("resize=24", 0, 0, -1, -1);
    assert_size("resize=20x30", 0, 0, 30, 20);
    assert_size("resize=24,crop=20x30", 0, 0, 30, 20);
    assert_size("letterbox=64", 0, 0, 64, 64);
}

static void the_crop_is_in_the_middle_rounded_down(void **state) {
    (void)state;
    NZ_AUTO(nz_image_done) nz_image image = pattern(10, 9, 1);
    nz_preprocess p = read_good("crop=4x7", NULL);
    NZ_AUTO(nz_image_done) nz_image shaped = {0};
    nz_assert_ok(nz_preprocess_geometry(&shaped, &p, &image, "x"));
    for (int y = 0; y < 4; y++) /* top (9 - 4) / 2 = 2, left (10 - 7) / 2 = 1 */
        assert_memory_equal(shaped.pixels + y * 7, image.pixels + (2 + y) * 10 + 1, 7);
    p = read_good("crop=11", NULL);
    nz_assert_fails(nz_preprocess_geometry(&shaped, &p, &image, "a.png"), NZ_E_SHAPE, "a.png: the image is 10x9");
}

static void letterboxes_as_the_networks_own_programs_do(void **state) {
    (void)state;
    static const struct {
        const char *keys;
        int width, height, inside_width, inside_height, left, top;
    } cases[] = {
        {"letterbox=416:topleft:114:floor", 640, 427, 416, 277, 0, 0}, /* 277.55 */
        {"letterbox=640:centre:114:round", 640, 427, 640, 427, 0, 106},
        {"letterbox=640:centre:114:round", 500, 375, 640, 480, 0, 80},
        {"letterbox=640:centre:114:round", 375, 500, 480, 640, 80, 0},
        {"letterbox=64:centre:114:round", 64, 90, 46, 64, 9, 0}, /* 45.51 */
        {"letterbox=64:topleft:114:floor", 64, 90, 45, 64, 0, 0},
        {"letterbox=32", 4000, 3, 32, 1, 0, 15},
        {"letterbox=32x64", 64, 64, 32, 32, 16, 0},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        nz_preprocess p = read_good(cases[i].keys, NULL);
        nz_letterbox box = nz_preprocess_letterbox(&p, cases[i].width, cases[i].height);
        int got[] = {box.width, box.height, box.left, box.top};
        int expected[] = {cases[i].inside_width, cases[i].inside_height, cases[i].left, cases[i].top};
        for (int k = 0; k < 4; k++)
            if (got[k] != expected[k]) fail_msg("case %zu, figure %d: %d instead of %d", i, k, got[k], expected[k]);
    }
    /* zlib.crc32 of what Pillow gives: resize(..., BILINEAR) pasted on Image.new('RGB', (64, 64), (114, 114, 114)) */
    NZ_AUTO(nz_image_done) nz_image image = pattern(64, 90, 3), centred = {0}, corner = {0};
    nz_preprocess p = read_good("letterbox=64:centre:114:round", NULL);
    nz_assert_ok(nz_preprocess_geometry(&centred, &p, &image, "x"));
    assert_int_equal(crc32(0, centred.pixels, 64 * 64 * 3), 0xdd116f5a);
    p = read_good("letterbox=64:topleft:114:floor", NULL);
    nz_assert_ok(nz_preprocess_geometry(&corner, &p, &image, "x"));
    assert_int_equal(crc32(0, corner.pixels, 64 * 64 * 3), 0x639a34d5);
}

static void every_key_has_help(void **state) {
    (void)state;
    static const char *const expected[] = {"preset", "resize", "crop", "letterbox", "color",
                                           "scale",  "mean",   "std",  "layout"};
    const char *help = NULL;
    for (size_t i = 0; i < NZ_COUNT(expected); i++) {
        assert_string_equal(nz_preprocess_key(i, &help), expected[i]);
        assert_true(strlen(help) > 10);
    }
    assert_null(nz_preprocess_key(NZ_COUNT(expected), NULL));
}

static void data_is_stated_again_with_other_preprocessing(void **state) {
    (void)state;
    static const struct {
        const char *spec, *keys, *expected;
    } good[] = {
        {"coco:a.json", "preset=yolox", "coco:a.json,preset=yolox"},
        {"coco:a.json,limit=3,preset=yolov5,images=b", "letterbox=32", "coco:a.json,limit=3,images=b,letterbox=32"},
        {"idx:a\\,scale=1\\:b,crop=3,labels=x\\,mean=2\\\\,std=4,seed=1", "scale=1,color=gray",
         "idx:a\\,scale=1\\:b,labels=x\\,mean=2\\\\,seed=1,scale=1,color=gray"},
        {"coco:a.json,scale=2", "", "coco:a.json"},
        {",scale=2,limit=1", "mean=1", ",limit=1,mean=1"},
        {"", "mean=1", ",mean=1"},
    };
    for (size_t i = 0; i < NZ_COUNT(good); i++) {
        NZ_AUTO_FREE char *spec = NULL;
        nz_assert_ok(nz_data_respec(&spec, good[i].spec, good[i].keys));
        assert_string_equal(spec, good[i].expected);
    }
    char *spec = NULL;
    nz_assert_fails(nz_data_respec(&spec, "coco:a", "limit=3"), NZ_E_ARG,
                    "preprocessing 'limit=3': unknown key 'limit' (there is preset, resize, crop,");
    nz_assert_fails(nz_data_respec(&spec, "coco:a", "preset=yolo"), NZ_E_ARG, "preset=yolo should be one of imagenet");
    nz_assert_fails(nz_data_respec(&spec, "coco:a", "scale=1,scale=2"), NZ_E_ARG, "given twice");
    assert_null(spec);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_read_back),
        cmocka_unit_test(presets_are_the_keys_they_name),
        cmocka_unit_test(the_command_line_wins_over_the_model),
        cmocka_unit_test(wrong_values_are_named),
        cmocka_unit_test(arithmetic_is_pixel_scale_mean_std),
        cmocka_unit_test(planes_and_pixels_give_the_same_values),
        cmocka_unit_test(sizes_follow_the_keys),
        cmocka_unit_test(the_crop_is_in_the_middle_rounded_down),
        cmocka_unit_test(letterboxes_as_the_networks_own_programs_do),
        cmocka_unit_test(every_key_has_help),
        cmocka_unit_test(data_is_stated_again_with_other_preprocessing),
    };
    return cmocka_run_group_tests_name("preprocess", tests, NULL, NULL);
}
