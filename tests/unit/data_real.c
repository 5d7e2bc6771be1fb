/* SPDX-License-Identifier: Apache-2.0 */
/* Counts, labels and pixels of real data sets, where they are there. */
#include "data_files.h"

static void assert_histogram(const nz_dataset *data, const size_t *expected, size_t classes) {
    size_t *seen = calloc(classes, sizeof *seen);
    assert_int_equal(nz_data_classes(data), classes);
    for (size_t i = 0; i < nz_data_count(data); i++) seen[nz_data_label(data, i)]++;
    for (size_t c = 0; c < classes; c++) assert_int_equal(seen[c], expected[c]);
    free(seen);
}

static void mnist(void **state) {
    (void)state;
    static const size_t in_test[] = {980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009};
    static const size_t in_train[] = {5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949};
    char spec[4500];
    snprintf(spec, sizeof spec, "idx:%s,scale=1", nz_test_shared("mnist"));
    AUTO_DATA test = open_good(spec, NZ_DATA_COMPARE);
    AUTO_DATA train = open_good(spec, NZ_DATA_TRAIN);
    assert_histogram(test, in_test, 10);
    assert_histogram(train, in_train, 10);
    assert_int_equal(nz_data_label(test, 0), 7); /* the first digits of MNIST: 7 2 1 0 4 and 5 0 4 1 9 */
    assert_int_equal(nz_data_label(train, 0), 5);
    float x[784];
    int32_t label;
    double sum = 0;
    for (size_t i = 0; i < 60000; i++) {
        nz_assert_ok(nz_data_get(train, i, x, &label));
        for (size_t p = 0; p < 784; p++) sum += (double)x[p];
    }
    nz_assert_near(sum / (60000.0 * 784 * 255), 0.1307, 0, 5e-5); /* the mean that everybody quotes */
}

static void cifar10_jpeg_copy(void **state) {
    (void)state;
    static const size_t thousand[] = {1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000};
    char spec[4500];
    snprintf(spec, sizeof spec, "cifar10:%s", nz_test_data("cifar10-jpeg"));
    AUTO_DATA test = open_good(spec, NZ_DATA_COMPARE);
    AUTO_DATA train = open_good(spec, NZ_DATA_TRAIN);
    assert_histogram(test, thousand, 10);
    assert_int_equal(nz_data_count(train), 50000);
    assert_string_equal(nz_data_class_name(test, 0), "airplane");
    assert_string_equal(nz_data_class_name(test, 9), "truck");
    double mean[3] = {0};
    float x[3072];
    int32_t label;
    for (size_t i = 0; i < 50000; i++) {
        nz_assert_ok(nz_data_get(train, i, x, &label));
        for (size_t p = 0; p < 3072; p++) mean[p / 1024] += (double)x[p] / (50000.0 * 1024);
    }
    static const double quoted[] = {0.4914, 0.4822, 0.4465}; /* of the true images; JPEG hardly moves them */
    for (int c = 0; c < 3; c++) nz_assert_near(mean[c], quoted[c], 0, 0.002);
}

static void imagenet_list(void **state) {
    (void)state;
    char spec[4500];
    snprintf(spec, sizeof spec, "list:%s,crop=227,color=bgr,scale=1,mean=104:117:123",
             nz_test_shared("imagenet500/labels.csv"));
    AUTO_DATA data = open_good(spec, NZ_DATA_COMPARE);
    assert_int_equal(nz_data_count(data), 500);
    for (size_t i = 0; i < 500; i++) assert_int_equal(nz_data_label(data, i), 2 * i);
    nz_loader *loader = NULL;
    nz_batch batch = {0};
    double sum = 0;
    nz_assert_ok(nz_loader_open(&loader, data, 50, NULL, 0, 2));
    for (;;) {
        nz_assert_ok(nz_loader_next(loader, &batch));
        if (!batch.count) break;
        for (size_t k = 0; k < batch.count; k++)
            for (size_t p = 0; p < 227 * 227; p++) sum += (double)batch.x[k * 3 * 227 * 227 + p]; /* blue */
    }
    assert_int_equal(nz_loader_broken(loader), 0);
    nz_loader_free(loader);
    /* numpy over Pillow's pixels: asarray(open(f).convert('RGB'))[14:241, 14:241, 2].sum() over all, minus 104 each */
    nz_assert_near(sum, 37978763, 0, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(mnist), cmocka_unit_test(cifar10_jpeg_copy),
                                       cmocka_unit_test(imagenet_list)};
    return cmocka_run_group_tests_name("data_real", tests, NULL, NULL);
}
