/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding and resizing against Pillow 9.4. The tables hold zlib.crc32 of what Pillow gives:
 *   decoding   numpy.asarray(Image.open(file).convert('RGB')).tobytes()
 *   resizing   numpy.asarray(Image.fromarray(pattern).resize((width, height), Image.BILINEAR)).tobytes()
 * The files are those of the fuzz corpus, which Pillow wrote (16-bit, 2- and 4-bit and interlaced PNG: by hand). */
#include "test.h"

#include <zlib.h>

#include "core/file.h"
#include "core/memory.h"
#include "data/image.h"

static uint32_t image_crc(const nz_image *image) {
    size_t bytes = (size_t)image->width * (size_t)image->height * (size_t)image->channels;
    return (uint32_t)crc32(0, image->pixels, (uInt)bytes);
}

/* pixel(x, y, c) = (7x + 13y + 101c + (xy mod 31) * 5 + floor((x^2 + 3y) / 7) * c) mod 256 */
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

static const struct {
    const char *name;
    uint32_t crc;
} files[] = {
    {"cmyk.jpg", 0x4de16dcf},
    {"gray.jpg", 0xeeb940f1},
    {"gray.png", 0x81da7fd1},
    {"gray16.png", 0x2c2dca55},
    {"gray1bit.png", 0x1a86cfbe},
    {"gray2bits.png", 0xeecc94ad},
    {"gray4bits.png", 0xf7594dca},
    {"graya.png", 0x81da7fd1},
    {"interlaced.png", 0xdb16e5f1},
    {"palette.png", 0x6aecea2c},
    {"palette2bits.png", 0xec1fa732},
    {"palette_transparent.png", 0x6aecea2c},
    {"rgb.png", 0xdb16e5f1},
    {"rgb16.png", 0x9fdbfb74},
    {"rgb420.jpg", 0xb2935642},
    {"rgb422.jpg", 0x751f5d93},
    {"rgb444_progressive.jpg", 0xf31c7f63},
    {"rgba.png", 0xdb16e5f1},
    {"rotated_by_exif.jpg", 0xb2935642},
};

static void decodes_as_pillow_does(void **state) {
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(files); i++) {
        char path[256];
        snprintf(path, sizeof path, "tests/fuzz/corpus/image/%s", files[i].name);
        NZ_AUTO(nz_image_done) nz_image image = {0};
        nz_assert_ok(nz_image_load(&image, nz_test_source(path)));
        assert_int_equal(image.width, 37);
        assert_int_equal(image.height, 29);
        assert_int_equal(image.channels, 3);
        if (image_crc(&image) != files[i].crc)
            fail_msg("%s: %08x instead of %08x", files[i].name, image_crc(&image), files[i].crc);
    }
}

static const struct {
    int width, height, channels, to_width, to_height;
    uint32_t crc;
} resizes[] = {
    {37, 53, 3, 20, 29, 0x50abe19a},     {37, 53, 1, 20, 29, 0x6f319694},     {37, 53, 3, 37, 29, 0x82cac5d0},
    {37, 53, 1, 37, 29, 0x4e224f40},     {37, 53, 3, 20, 53, 0xf0f50e5b},     {37, 53, 1, 20, 53, 0x64d9c344},
    {37, 53, 3, 37, 53, 0x78b4ad47},     {37, 53, 1, 37, 53, 0xed0ec798},     {37, 53, 3, 91, 111, 0x9f5db945},
    {37, 53, 1, 91, 111, 0x45d4b20d},    {53, 37, 3, 1, 1, 0x257b4aa9},       {53, 37, 1, 1, 1, 0xfcb6e20c},
    {1, 1, 3, 7, 5, 0xe06fe205},         {1, 1, 1, 7, 5, 0x09f85737},         {2, 3, 3, 64, 64, 0x098028ea},
    {2, 3, 1, 64, 64, 0x8c0be156},       {131, 97, 3, 13, 97, 0xd4ab7615},    {131, 97, 1, 13, 97, 0x386ca4e7},
    {640, 427, 3, 335, 224, 0x3be6b67b}, {640, 427, 1, 335, 224, 0x352e46ab}, {500, 375, 3, 224, 224, 0x4d5d7c53},
    {500, 375, 1, 224, 224, 0x1c5ca0c0}, {33, 33, 3, 32, 32, 0xcfd7f62f},     {33, 33, 1, 32, 32, 0x5afa6c36},
    {32, 32, 3, 33, 33, 0xd372a4dd},     {32, 32, 1, 33, 33, 0x37839c32},     {257, 255, 3, 128, 127, 0x6d63f845},
    {257, 255, 1, 128, 127, 0xe2dd067b}, {17, 700, 3, 9, 224, 0x7b0a525e},    {17, 700, 1, 9, 224, 0x975d52bf},
    {300, 17, 3, 224, 224, 0x7f807885},  {300, 17, 1, 224, 224, 0x2fcbbe5e},  {5, 5, 3, 1000, 3, 0xb918c4e7},
    {5, 5, 1, 1000, 3, 0x8f535f75},      {97, 101, 3, 50, 151, 0xc64198de},   {97, 101, 1, 50, 151, 0xe01946af},
};

static void resizes_as_pillow_does(void **state) {
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(resizes); i++) {
        NZ_AUTO(nz_image_done)
        nz_image from = pattern(resizes[i].width, resizes[i].height, resizes[i].channels), to = {0};
        nz_assert_ok(nz_image_resize(&to, &from, resizes[i].to_width, resizes[i].to_height));
        if (image_crc(&to) != resizes[i].crc)
            fail_msg("%dx%dx%d to %dx%d: %08x instead of %08x", from.width, from.height, from.channels, to.width,
                     to.height, image_crc(&to), resizes[i].crc);
    }
}

/* A few of Pillow's values themselves, so that a mistake can be looked at. */
static void resizes_to_known_values(void **state) {
    (void)state;
    static const uint8_t first[] = {14, 115, 214, 30, 132, 211, 49, 152, 147, 68, 174, 119};
    static const uint8_t last[] = {162, 158, 153, 185, 198, 147, 136, 137, 158, 155, 92, 75};
    NZ_AUTO(nz_image_done) nz_image from = pattern(37, 53, 3), to = {0};
    nz_assert_ok(nz_image_resize(&to, &from, 20, 29));
    assert_memory_equal(to.pixels, first, sizeof first);
    assert_memory_equal(to.pixels + 20 * 29 * 3 - sizeof last, last, sizeof last);
}

static void a_resized_part_equals_the_whole_cut(void **state) {
    (void)state;
    static const int sizes[][2] = {{20, 29}, {37, 29}, {20, 53}, {90, 121}, {37, 53}};
    NZ_AUTO(nz_image_done) nz_image from = pattern(37, 53, 3);
    for (size_t i = 0; i < NZ_COUNT(sizes); i++) {
        NZ_AUTO(nz_image_done) nz_image whole = {0}, cut = {0}, part = {0};
        nz_assert_ok(nz_image_resize(&whole, &from, sizes[i][0], sizes[i][1]));
        nz_assert_ok(nz_image_crop(&cut, &whole, 3, 5, 13, 17));
        nz_assert_ok(nz_image_resize_part(&part, &from, sizes[i][0], sizes[i][1], 3, 5, 13, 17));
        assert_int_equal(part.width, 13);
        assert_int_equal(part.height, 17);
        assert_memory_equal(part.pixels, cut.pixels, 13 * 17 * 3);
    }
}

static void gray_as_pillow_does(void **state) {
    (void)state;
    NZ_AUTO(nz_image_done) nz_image from = pattern(37, 53, 3), gray = {0};
    nz_assert_ok(nz_image_gray(&gray, &from));
    assert_int_equal(image_crc(&gray), 0x4281b949); /* convert('L') */
}

static void planes_interleave(void **state) {
    (void)state;
    static const uint8_t planes[] = {1, 2, 3, 4, 11, 12, 13, 14, 21, 22, 23, 24};
    static const uint8_t wanted[] = {1, 11, 21, 2, 12, 22, 3, 13, 23, 4, 14, 24};
    nz_image from = {.width = 2, .height = 2, .channels = 3, .planar = true, .pixels = planes};
    NZ_AUTO(nz_image_done) nz_image to = {0};
    nz_assert_ok(nz_image_interleave(&to, &from));
    assert_memory_equal(to.pixels, wanted, sizeof wanted);
}

/* Noise, so that the file is larger than the pieces it is written in. */
static void large_jpegs_are_written_whole(void **state) {
    (void)state;
    enum { SIDE = 500 };
    static uint8_t pixels[SIDE * SIDE];
    NZ_AUTO(nz_image_done) nz_image back = {0};
    NZ_AUTO_FREE uint8_t *bytes = NULL;
    size_t count = 0;
    uint32_t noise = 1;
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)((noise = noise * 1664525 + 1013904223) >> 24);
    nz_image from = {.width = SIDE, .height = SIDE, .channels = 1, .pixels = pixels};
    nz_assert_ok(nz_jpeg_encode(&bytes, &count, &from, 100));
    assert_true(count > 3 << 16);
    nz_assert_ok(nz_image_decode(&back, bytes, count, "again"));
    size_t step = (size_t)back.channels;
    for (size_t i = 0; i < sizeof pixels; i++) assert_true(abs((int)back.pixels[i * step] - (int)pixels[i]) <= 3);
}

static void jpeg_written_is_much_the_same(void **state) {
    (void)state;
    enum { W = 61, H = 43 };
    uint8_t pixels[W * H * 3];
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++)
            for (int c = 0; c < 3; c++) pixels[(y * W + x) * 3 + c] = (uint8_t)(c == 0 ? 4 * x : c == 1 ? 5 * y : 128);
    NZ_AUTO(nz_image_done) nz_image back = {0};
    NZ_AUTO_FREE uint8_t *bytes = NULL;
    size_t count = 0;
    nz_image from = {.width = W, .height = H, .channels = 3, .pixels = pixels};
    nz_assert_ok(nz_jpeg_encode(&bytes, &count, &from, 90));
    assert_true(count < sizeof pixels / 2);
    nz_assert_ok(nz_image_decode(&back, bytes, count, "again"));
    assert_int_equal(back.width, W);
    assert_int_equal(back.height, H);
    double sum = 0;
    for (size_t i = 0; i < sizeof pixels; i++) sum += abs((int)back.pixels[i] - (int)pixels[i]);
    assert_true(sum / sizeof pixels < 4);
    uint8_t *untouched = NULL;
    from.planar = true;
    nz_assert_fails(nz_jpeg_encode(&untouched, &count, &from, 90), NZ_E_ARG, "61 x 43");
    from = (nz_image){.width = 0, .height = 1, .channels = 3, .pixels = pixels};
    nz_assert_fails(nz_jpeg_encode(&untouched, &count, &from, 90), NZ_E_ARG, "0 x 1");
    assert_null(untouched);
}

static void png_written_is_read_again(void **state) {
    (void)state;
    NZ_AUTO(nz_image_done) nz_image from = pattern(53, 37, 3), back = {0};
    NZ_AUTO_FREE uint8_t *bytes = NULL, *again = NULL;
    size_t count = 0, second = 0;
    nz_assert_ok(nz_png_encode(&bytes, &count, &from));
    nz_assert_ok(nz_png_encode(&again, &second, &from));
    assert_int_equal(count, second);
    assert_memory_equal(bytes, again, count);
    nz_assert_ok(nz_image_decode(&back, bytes, count, "made"));
    assert_memory_equal(back.pixels, from.pixels, 53 * 37 * 3);
}

/* Every prefix of a good file is broken, but for what follows the image's end. */
static void cut_files_are_broken(void **state) {
    (void)state;
    static const char *const names[] = {"rgb420.jpg",  "rgb444_progressive.jpg", "cmyk.jpg", "rgb.png",
                                        "palette.png", "interlaced.png"};
    for (size_t i = 0; i < NZ_COUNT(names); i++) {
        char path[256];
        NZ_AUTO_FREE char *bytes = NULL;
        size_t count = 0;
        snprintf(path, sizeof path, "tests/fuzz/corpus/image/%s", names[i]);
        nz_assert_ok(nz_file_read(&bytes, &count, nz_test_source(path), 1 << 20));
        for (size_t cut = 0; cut + 1 < count; cut += 1 + count / 97) {
            nz_image image;
            uint8_t *exact = malloc(cut ? cut : 1);
            memcpy(exact, bytes, cut);
            nz_status status = nz_image_decode(&image, exact, cut, names[i]);
            free(exact);
            if (status != NZ_E_FORMAT && status != NZ_E_UNSUPPORTED)
                fail_msg("%s cut at %zu: %s", names[i], cut, nz_status_name(status));
            assert_non_null(strstr(nz_last_error(), names[i]));
        }
    }
}

static void put_big_endian(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A PNG of `width` x `height` in its header, and nothing much behind it. */
static size_t lying_png(uint8_t out[64], uint32_t width, uint32_t height) {
    static const uint8_t head[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n', 0, 0, 0, 13, 'I', 'H', 'D', 'R'};
    static const uint8_t rest[] = {8, 2, 0, 0, 0};
    memcpy(out, head, sizeof head);
    put_big_endian(out + 16, width);
    put_big_endian(out + 20, height);
    memcpy(out + 24, rest, sizeof rest);
    put_big_endian(out + 29, (uint32_t)crc32(0, out + 12, 17));
    put_big_endian(out + 33, 0);
    memcpy(out + 37, "IDAT", 4);
    put_big_endian(out + 41, (uint32_t)crc32(0, (const Bytef *)"IDAT", 4));
    return 45;
}

static void headers_that_lie_are_refused(void **state) {
    (void)state;
    uint8_t png[64];
    nz_image image;
    nz_assert_fails(nz_image_decode(&image, png, lying_png(png, 60000, 60000), "lie.png"), NZ_E_FORMAT,
                    "at most 65535 a side and 100 million");
    nz_assert_fails(nz_image_decode(&image, png, lying_png(png, 1000000, 10), "lie.png"), NZ_E_FORMAT,
                    "lie.png: broken PNG");
    nz_assert_fails(nz_image_decode(&image, png, lying_png(png, 5000, 5000), "lie.png"), NZ_E_FORMAT,
                    "which a file of 45 bytes cannot hold");
    nz_assert_fails(nz_image_decode(&image, png, lying_png(png, 0, 5), "lie.png"), NZ_E_FORMAT, "lie.png");
    NZ_AUTO_FREE char *jpeg = NULL;
    size_t count = 0;
    nz_assert_ok(nz_file_read(&jpeg, &count, nz_test_source("tests/fuzz/corpus/image/rgb420.jpg"), 1 << 20));
    for (size_t i = 0; i + 9 < count; i++)
        if ((uint8_t)jpeg[i] == 0xff && (uint8_t)jpeg[i + 1] == 0xc0) memset(jpeg + i + 5, 0x7f, 4); /* 32639 x 32639 */
    nz_assert_fails(nz_image_decode(&image, jpeg, count, "lie.jpg"), NZ_E_FORMAT, "32639x32639");
}

/* A progressive file may ask for a pass over the whole image by every few bytes. */
static void endless_scans_are_refused(void **state) {
    (void)state;
    enum { SCANS = 300 };
    NZ_AUTO_FREE char *jpeg = NULL, *many = NULL;
    size_t count = 0, scan = 0;
    nz_assert_ok(
        nz_file_read(&jpeg, &count, nz_test_source("tests/fuzz/corpus/image/rgb444_progressive.jpg"), 1 << 20));
    for (size_t i = 0; i + 1 < count; i++)
        if ((uint8_t)jpeg[i] == 0xff && (uint8_t)jpeg[i + 1] == 0xda) scan = i; /* the last one */
    assert_true(scan > 0);
    size_t length = count - 2 - scan, at = scan;
    many = malloc(scan + SCANS * length + 2);
    memcpy(many, jpeg, scan);
    for (int i = 0; i < SCANS; i++, at += length) memcpy(many + at, jpeg + scan, length);
    memcpy(many + at, "\xff\xd9", 2);
    nz_image image;
    nz_assert_fails(nz_image_decode(&image, many, at + 2, "scans.jpg"), NZ_E_FORMAT,
                    "scans.jpg: broken JPEG: more than 256 scans");
}

static void other_files_are_named_as_such(void **state) {
    (void)state;
    nz_image image;
    nz_assert_fails(nz_image_decode(&image, "GIF89a......", 12, "a.gif"), NZ_E_UNSUPPORTED,
                    "a.gif: neither JPEG nor PNG");
    nz_assert_fails(nz_image_decode(&image, "", 0, "empty.jpg"), NZ_E_FORMAT, "empty.jpg: the file is empty");
    nz_assert_fails(nz_image_load(&image, nz_test_file("absent.png")), NZ_E_IO, "absent.png");
}

static void impossible_sizes_are_refused(void **state) {
    (void)state;
    NZ_AUTO(nz_image_done) nz_image from = pattern(8, 8, 3);
    nz_image to;
    nz_assert_fails(nz_image_resize(&to, &from, 0, 5), NZ_E_SHAPE, "8x8");
    nz_assert_fails(nz_image_resize(&to, &from, 70000, 5), NZ_E_SHAPE, "70000x5");
    nz_assert_fails(nz_image_resize(&to, &from, 60000, 60000), NZ_E_SHAPE, "too large");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_as_pillow_does),        cmocka_unit_test(resizes_as_pillow_does),
        cmocka_unit_test(resizes_to_known_values),       cmocka_unit_test(a_resized_part_equals_the_whole_cut),
        cmocka_unit_test(gray_as_pillow_does),           cmocka_unit_test(planes_interleave),
        cmocka_unit_test(jpeg_written_is_much_the_same), cmocka_unit_test(large_jpegs_are_written_whole),
        cmocka_unit_test(png_written_is_read_again),     cmocka_unit_test(cut_files_are_broken),
        cmocka_unit_test(headers_that_lie_are_refused),  cmocka_unit_test(endless_scans_are_refused),
        cmocka_unit_test(other_files_are_named_as_such), cmocka_unit_test(impossible_sizes_are_refused),
    };
    return cmocka_run_group_tests_name("image", tests, NULL, NULL);
}
