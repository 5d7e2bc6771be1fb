/* SPDX-License-Identifier: Apache-2.0 */
/* synthetic:shapes gives the same bytes on every machine: the checksums below came out of x86-64 (gcc, clang, with and
 * without optimisation) and of aarch64 alike. */
#include "data_files.h"

#include "data/shapes.h"

static void bytes_are_the_same_everywhere(void **state) {
    (void)state;
    static const struct {
        int size;
        uint32_t crc;
    } expected[] = {{16, 0x2cc38a8f}, {32, 0x59f7ecb2}, {33, 0xce9507de}, {96, 0x333db149}};
    static uint8_t rgb[96 * 96 * 3];
    for (size_t i = 0; i < NZ_COUNT(expected); i++) {
        uLong crc = crc32(0, NULL, 0);
        for (unsigned k = 0; k < 50; k++) {
            nz_assert_ok(nz_shapes_draw(rgb, expected[i].size, 7, k % 3, (uint64_t)k * k * 977));
            crc = crc32(crc, rgb, (uInt)(expected[i].size * expected[i].size * 3));
        }
        assert_int_equal(crc, expected[i].crc);
    }
}

static size_t different_bytes(const uint8_t *a, const uint8_t *b) {
    size_t count = 0;
    for (size_t i = 0; i < 3072; i++) count += a[i] != b[i];
    return count;
}

static void seeds_splits_and_indices_give_other_images(void **state) {
    (void)state;
    static uint8_t a[3072], b[3072];
    nz_assert_ok(nz_shapes_draw(a, 32, 1, 0, 20));
    nz_assert_ok(nz_shapes_draw(b, 32, 1, 0, 20));
    assert_memory_equal(a, b, sizeof a);
    nz_assert_ok(nz_shapes_draw(b, 32, 2, 0, 20));
    assert_true(different_bytes(a, b) > 2000);
    nz_assert_ok(nz_shapes_draw(b, 32, 1, 1, 20));
    assert_true(different_bytes(a, b) > 2000);
    nz_assert_ok(nz_shapes_draw(b, 32, 1, 0, 30));
    assert_true(different_bytes(a, b) > 2000);
}

static void the_kind_counts_and_labels(void **state) {
    (void)state;
    AUTO_DATA train = open_good("synthetic:shapes", NZ_DATA_TRAIN);
    AUTO_DATA test = open_good("synthetic:shapes", NZ_DATA_COMPARE);
    AUTO_DATA val = open_good("synthetic:shapes,split=val,size=48,count=25,offset=10,limit=12", NZ_DATA_COMPARE);
    assert_int_equal(nz_data_count(train), 20000);
    assert_int_equal(nz_data_count(test), 4000);
    assert_int_equal(nz_data_classes(train), NZ_SHAPES_CLASSES);
    size_t seen[NZ_SHAPES_CLASSES] = {0};
    for (size_t i = 0; i < 4000; i++) seen[nz_data_label(test, i)]++;
    for (size_t c = 0; c < NZ_SHAPES_CLASSES; c++) {
        assert_int_equal(seen[c], 400);
        assert_string_equal(nz_data_class_name(test, c), nz_shapes_names[c]);
        if (c) assert_true(strcmp(nz_shapes_names[c - 1], nz_shapes_names[c]) < 0); /* as folders are numbered */
    }
    assert_int_equal(nz_data_count(val), 12);
    nz_shape shape;
    nz_data_shape(val, &shape);
    assert_true(nz_shape_equal(&shape, &(nz_shape){3, {3, 48, 48}}));
    assert_string_not_equal(nz_data_fingerprint(train), nz_data_fingerprint(test));
    AUTO_DATA large = open_good("synthetic:shapes,count=100000000", NZ_DATA_TRAIN); /* costs nothing to open */
    assert_int_equal(nz_data_count(large), 100000000);
    AUTO_DATA part = open_good("synthetic:shapes,limit=4000,split=test", NZ_DATA_TRAIN);
    AUTO_DATA later = open_good("synthetic:shapes,limit=4000,count=4010,offset=10,split=test", NZ_DATA_TRAIN);
    AUTO_DATA mixed = open_good("synthetic:shapes,shuffle=1", NZ_DATA_COMPARE);
    assert_string_equal(nz_data_fingerprint(test), nz_data_fingerprint(part));
    assert_string_not_equal(nz_data_fingerprint(test), nz_data_fingerprint(later));
    assert_string_not_equal(nz_data_fingerprint(test), nz_data_fingerprint(mixed));
    uint8_t drawn[3072];
    NZ_AUTO_FREE uint8_t *shown = NULL;
    int width = 0, height = 0;
    nz_assert_ok(nz_data_image(test, 123, &shown, &width, &height));
    nz_assert_ok(nz_shapes_draw(drawn, 32, 0, 1, 123));
    assert_memory_equal(shown, drawn, sizeof drawn);
}

/* A class cannot be told by an image's mean colour: no class's mean is far from the others'. */
static void classes_do_not_differ_in_brightness(void **state) {
    (void)state;
    static uint8_t rgb[3072];
    double mean[NZ_SHAPES_CLASSES] = {0};
    for (uint64_t i = 0; i < 2000; i++) {
        nz_assert_ok(nz_shapes_draw(rgb, 32, 3, 0, i));
        for (size_t p = 0; p < sizeof rgb; p++) mean[i % NZ_SHAPES_CLASSES] += rgb[p] / (200.0 * sizeof rgb);
    }
    for (size_t c = 0; c < NZ_SHAPES_CLASSES; c++) nz_assert_near(mean[c], 128, 0, 15);
}

static void a_made_set_reads_back_as_folder_and_as_list(void **state) {
    (void)state;
    size_t written = 0, kept = 0;
    const char *folder = nz_test_file("made");
    nz_assert_ok(nz_data_make(&written, &kept, "synthetic:shapes,count=30,seed=4", folder, NULL));
    assert_int_equal(written, 60);
    assert_int_equal(kept, 0);
    assert_int_equal(unlink(nz_test_file("made/train/ring/000016.png")), 0);
    nz_assert_ok(nz_data_make(&written, &kept, "synthetic:shapes,count=30,seed=4", folder, NULL)); /* goes on */
    assert_int_equal(written, 1);
    assert_int_equal(kept, 59);
    nz_assert_fails(nz_data_make(&written, &kept, "synthetic:shapes,count=30,seed=5", folder, NULL), NZ_E_ARG,
                    "holds another data set");
    nz_assert_fails(nz_data_make(&written, &kept, "cifar10:x", folder, NULL), NZ_E_ARG, "only synthetic sets are made");
    nz_assert_fails(nz_data_make(&written, &kept, "synthetic:shapes,sized=3", nz_test_file("unmade"), NULL), NZ_E_ARG,
                    "unknown key");
    assert_false(nz_dir_exists(nz_test_file("unmade")));
    AUTO_DATA direct = open_good("synthetic:shapes,count=30,seed=4,split=train", NZ_DATA_TRAIN);
    AUTO_DATA list = open_good(spec_of("list", "made/train.csv", "crop=32"), NZ_DATA_COMPARE);
    AUTO_DATA files = open_good(spec_of("imagefolder", "made", "crop=32"), NZ_DATA_TRAIN);
    assert_int_equal(nz_data_count(list), 30);
    assert_int_equal(nz_data_count(files), 30);
    assert_string_equal(labels_of(list), labels_of(direct));
    for (size_t i = 0; i < 30; i++) {
        float a[3072], b[3072];
        int32_t x, y;
        nz_assert_ok(nz_data_get(direct, i, a, &x));
        nz_assert_ok(nz_data_get(list, i, b, &y));
        assert_int_equal(x, y);
        assert_memory_equal(a, b, sizeof a);
        assert_int_equal(nz_data_label(files, i), i / 3); /* by class, numbered alike */
    }
    assert_string_equal(nz_data_class_name(files, 6), "ring");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_the_same_everywhere),
        cmocka_unit_test(seeds_splits_and_indices_give_other_images),
        cmocka_unit_test(the_kind_counts_and_labels),
        cmocka_unit_test(classes_do_not_differ_in_brightness),
        cmocka_unit_test(a_made_set_reads_back_as_folder_and_as_list),
    };
    return cmocka_run_group_tests_name("shapes", tests, NULL, NULL);
}
