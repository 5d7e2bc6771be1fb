/* SPDX-License-Identifier: Apache-2.0 */
/* Batches read ahead are the samples in order, whatever the batch and however many threads; broken ones are named. */
#include "data_files.h"

static void free_loader(nz_loader **loader) { nz_loader_free(*loader); }
#define AUTO_LOADER NZ_AUTO(free_loader) nz_loader *

/* Every batch against nz_data_get; `order` NULL: as they come. Returns how many samples came. */
static size_t compare_all(const nz_dataset *data, size_t batch, const size_t *order, size_t order_count, int threads) {
    AUTO_LOADER loader = NULL;
    nz_shape shape;
    nz_data_shape(data, &shape);
    size_t elements = (size_t)nz_shape_elements(&shape), count = order ? order_count : nz_data_count(data), at = 0,
           came = 0;
    NZ_AUTO_FREE float *expected = NULL;
    nz_assert_ok(nz_alloc(&expected, elements, sizeof *expected));
    nz_assert_ok(nz_loader_open(&loader, data, batch, order, order_count, threads));
    for (nz_batch got = {0};;) {
        nz_assert_ok(nz_loader_next(loader, &got));
        if (!got.count) break;
        assert_true(got.count <= batch);
        for (size_t k = 0; k < got.count; k++) {
            int32_t label;
            while (nz_data_get(data, order ? order[at] : at, expected, &label) != NZ_OK)
                at++; /* broken ones are left out */
            assert_int_equal(got.indices[k], order ? order[at] : at);
            assert_int_equal(got.labels[k], label);
            assert_memory_equal(got.x + k * elements, expected, elements * sizeof *expected);
            at++;
            came++;
        }
    }
    nz_batch after = {.count = 77};
    nz_assert_ok(nz_loader_next(loader, &after)); /* the end stays the end */
    assert_int_equal(after.count, 0);
    assert_int_equal(came + nz_loader_broken(loader), count);
    return came;
}

static void batches_equal_single_samples(void **state) {
    (void)state;
    static const size_t batches[] = {1, 7, 64, 1000};
    static const int threads[] = {1, 2, 5};
    AUTO_DATA data = open_good("synthetic:shapes,count=150,split=test,seed=5", NZ_DATA_TRAIN);
    for (size_t b = 0; b < NZ_COUNT(batches); b++)
        for (size_t t = 0; t < NZ_COUNT(threads); t++)
            assert_int_equal(compare_all(data, batches[b], NULL, 0, threads[t]), 150);
}

static void mapped_records_come_in_order_too(void **state) {
    (void)state;
    uint8_t labels[200];
    for (int i = 0; i < 200; i++) labels[i] = (uint8_t)(i % 10);
    put_cifar("records/train.bin", 2, labels, 200, 0);
    AUTO_DATA data = open_good(spec_of("cifar100", "records", ""), NZ_DATA_TRAIN);
    assert_int_equal(compare_all(data, 33, NULL, 0, 3), 200);
}

static void an_order_is_followed(void **state) {
    (void)state;
    static const size_t order[] = {5, 3, 3, 149, 0, 8, 7};
    AUTO_DATA data = open_good("synthetic:shapes,count=150", NZ_DATA_TRAIN);
    assert_int_equal(compare_all(data, 2, order, NZ_COUNT(order), 2), NZ_COUNT(order));
    AUTO_LOADER loader = NULL;
    static const size_t outside[] = {0, 150};
    nz_assert_fails(nz_loader_open(&loader, data, 2, outside, 2, 1), NZ_E_ARG, "sample 150 of 150");
    nz_assert_fails(nz_loader_open(&loader, data, 0, NULL, 0, 1), NZ_E_ARG, "a batch of no samples");
    nz_assert_ok(nz_loader_open(&loader, data, 2, outside, 0, 1)); /* an order of nothing */
    nz_batch batch = {.count = 7};
    nz_assert_ok(nz_loader_next(loader, &batch));
    assert_int_equal(batch.count, 0);
}

static void broken_images_are_left_out_counted_and_named(void **state) {
    (void)state;
    for (int i = 0; i < 40; i++) {
        char name[64];
        snprintf(name, sizeof name, "some/c/%02d.png", i);
        put_png(name, 16, 16, (uint8_t)i, 0, 0);
    }
    put_text("some/c/03.png", "no image at all");
    for (int i = 8; i < 16; i++) { /* two whole batches of four */
        char name[64];
        snprintf(name, sizeof name, "some/c/%02d.png", i);
        put_file(name, "\x89PNG\r\n\x1a\n", 8);
    }
    put_png("some/c/20.png", 17, 16, 1, 1, 1); /* another size */
    assert_int_equal(unlink(nz_test_file("some/c/39.png")), 0);
    put_file("some/c/39.png", "", 0);
    const int64_t wanted[] = {3, 16, 16};
    AUTO_DATA data = NULL;
    nz_assert_ok(nz_data_open(&data, spec_of("imagefolder", "some", ""), NULL, NZ_DATA_COMPARE, wanted));
    for (int threads = 1; threads < 4; threads++) {
        assert_int_equal(compare_all(data, 4, NULL, 0, threads), 29);
        AUTO_LOADER loader = NULL;
        nz_assert_ok(nz_loader_open(&loader, data, 4, NULL, 0, threads));
        nz_batch batch;
        do nz_assert_ok(nz_loader_next(loader, &batch));
        while (batch.count);
        assert_int_equal(nz_loader_broken(loader), 11);
        static const char *const parts[] = {"03.png: neither JPEG nor PNG",
                                            "08.png: broken PNG",
                                            "09.png: broken PNG",
                                            "10.png",
                                            "11.png",
                                            "12.png",
                                            "13.png",
                                            "14.png",
                                            "15.png",
                                            "20.png: the image is 17x16",
                                            "39.png: the file is empty"};
        for (size_t i = 0; i < NZ_COUNT(parts); i++) {
            const char *message = nz_loader_broken_message(loader, i);
            if (!message || !strstr(message, parts[i]) || strchr(message, '\n'))
                fail_msg("message %zu: %s", i, message ? message : "none");
        }
        assert_null(nz_loader_broken_message(loader, 11));
    }
}

static void nothing_but_broken_images_is_the_end(void **state) {
    (void)state;
    for (int i = 0; i < 150; i++) {
        char name[64];
        snprintf(name, sizeof name, "allbad/c/%03d.jpg", i);
        put_text(name, "x");
    }
    AUTO_DATA data = open_good(spec_of("imagefolder", "allbad", "crop=4"), NZ_DATA_COMPARE);
    AUTO_LOADER loader = NULL;
    nz_assert_ok(nz_loader_open(&loader, data, 8, NULL, 0, 2));
    nz_batch batch = {.count = 5};
    nz_assert_ok(nz_loader_next(loader, &batch));
    assert_int_equal(batch.count, 0);
    assert_int_equal(nz_loader_broken(loader), 150);
    assert_non_null(nz_loader_broken_message(loader, 99));
    assert_null(nz_loader_broken_message(loader, 100)); /* the first hundred are kept */
}

static void a_loader_may_be_left_early(void **state) {
    (void)state;
    AUTO_DATA data = open_good("synthetic:shapes,count=100000", NZ_DATA_TRAIN);
    for (int rounds = 0; rounds < 3; rounds++) {
        AUTO_LOADER loader = NULL;
        nz_assert_ok(nz_loader_open(&loader, data, 16, NULL, 0, 3));
        nz_batch batch;
        for (int i = 0; i < rounds; i++) nz_assert_ok(nz_loader_next(loader, &batch));
    }
    nz_loader_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_equal_single_samples),
        cmocka_unit_test(mapped_records_come_in_order_too),
        cmocka_unit_test(an_order_is_followed),
        cmocka_unit_test(broken_images_are_left_out_counted_and_named),
        cmocka_unit_test(nothing_but_broken_images_is_the_end),
        cmocka_unit_test(a_loader_may_be_left_early),
    };
    return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
