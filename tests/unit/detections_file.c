/* SPDX-License-Identifier: Apache-2.0 */
/* Detections as bytes: all comes back, and bytes that are none are refused. */
#include "compare/detections_file.h"

#include "core/file.h"
#include "core/memory.h"
#include "test.h"

/* Three images, two classes of which one has no name. Borrows static arrays. */
static nz_detections example(void) {
    static int64_t images[] = {-4, 17, INT64_C(1) << 40}, classes[] = {1, 90};
    static char name[] = "traffic light";
    static char *names[] = {name, NULL};
    static nz_truth_box truths[] = {{0, 1, 1.5, 2, 30, 40.25, 900, false}, {2, 0, -3, 0, 0, 5, 0, true}};
    static nz_found_box found[] = {{2, 0, 1, 2, 3, 4, 0.5}, {0, 1, 1e-3, 2e9, 0.1, 0.2, 0}, {2, 0, 1, 2, 3, 4, 0.5}};
    return (nz_detections){.image_count = 3,
                           .class_count = 2,
                           .truth_count = 2,
                           .found_count = 3,
                           .image_ids = images,
                           .class_ids = classes,
                           .class_names = names,
                           .truths = truths,
                           .found = found};
}

static void all_comes_back(void **state) {
    (void)state;
    const nz_detections d = example();
    NZ_AUTO(nz_detections_done) nz_detections back = {0};
    const char *path = nz_test_file("some.boxes");
    size_t bytes = 0;
    nz_assert_ok(nz_detections_save(path, &d, &bytes));
    nz_assert_ok(nz_detections_load(&back, path));
    assert_int_equal(back.image_count, 3);
    assert_memory_equal(back.image_ids, d.image_ids, 3 * sizeof *d.image_ids);
    assert_memory_equal(back.class_ids, d.class_ids, 2 * sizeof *d.class_ids);
    assert_string_equal(back.class_names[0], "traffic light");
    assert_null(back.class_names[1]);
    for (size_t i = 0; i < 2; i++) {
        const nz_truth_box *a = &back.truths[i], *b = &d.truths[i];
        assert_true(a->image == b->image && a->class_index == b->class_index && a->x == b->x && a->y == b->y);
        assert_true(a->width == b->width && a->height == b->height && a->area == b->area && a->crowd == b->crowd);
    }
    for (size_t i = 0; i < 3; i++) {
        const nz_found_box *a = &back.found[i], *b = &d.found[i];
        assert_true(a->image == b->image && a->class_index == b->class_index && a->x == b->x && a->y == b->y);
        assert_true(a->width == b->width && a->height == b->height && a->score == b->score);
    }
}

static void nothing_is_something_too(void **state) {
    (void)state;
    const nz_detections none = {0};
    NZ_AUTO(nz_detections_done) nz_detections back = {0};
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count = 0;
    nz_assert_ok(nz_detections_pack(&bytes, &count, &none));
    nz_assert_ok(nz_detections_unpack(&back, bytes, count, "nothing"));
    assert_int_equal(back.image_count + back.class_count + back.truth_count + back.found_count, 0);
}

/* The bytes of the example with 8 of them, or 4, replaced. */
static void check_refused(size_t at, const void *replacement, size_t size) {
    const nz_detections d = example();
    nz_detections back = {.image_count = 77};
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count = 0;
    nz_assert_ok(nz_detections_pack(&bytes, &count, &d));
    assert_true(at + size <= count);
    memcpy(bytes + at, replacement, size);
    nz_assert_fails(nz_detections_unpack(&back, bytes, count, "part"), NZ_E_FORMAT, "part: ");
    assert_int_equal(back.image_count, 77); /* untouched */
}

static void broken_bytes_are_refused(void **state) {
    (void)state;
    const uint64_t huge = UINT64_MAX, many = UINT64_C(1) << 40, one = 1;
    const int32_t outside = 3, negative = -1;
    const double not_a_number = (double)NAN;
    enum { HEADER = 48, TRUTHS = HEADER + 5 * 8, FOUND = TRUTHS + 2 * 56 };
    check_refused(0, "nzboxes2", 8);
    for (size_t i = 0; i < 5; i++) { /* every count */
        check_refused(8 + 8 * i, &huge, 8);
        check_refused(8 + 8 * i, &many, 8);
        check_refused(8 + 8 * i, &one, 8);
    }
    check_refused(HEADER, &many, 8);         /* images out of order */
    check_refused(TRUTHS, &outside, 4);      /* of the fourth image */
    check_refused(TRUTHS + 4, &negative, 4); /* of no class */
    check_refused(TRUTHS + 8, &not_a_number, 8);
    check_refused(FOUND, &negative, 4);
    check_refused(FOUND + 4, &outside, 4);
    check_refused(FOUND + 40, &not_a_number, 8);
    check_refused(FOUND + 3 * 48 + 13, "x", 1); /* names run into each other */
}

static void a_cut_file_is_refused_at_any_length(void **state) {
    (void)state;
    const nz_detections d = example();
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count = 0;
    nz_assert_ok(nz_detections_pack(&bytes, &count, &d));
    for (size_t length = 0; length < count; length++) {
        nz_detections back;
        NZ_AUTO_FREE char *cut = malloc(length + 1);
        assert_non_null(cut);
        memcpy(cut, bytes, length);
        nz_assert_fails(nz_detections_unpack(&back, cut, length, "part"), NZ_E_FORMAT, "part: ");
    }
    nz_detections back;
    nz_assert_fails(nz_detections_load(&back, "/nonexistent.boxes"), NZ_E_IO, "/nonexistent.boxes");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_comes_back),
        cmocka_unit_test(nothing_is_something_too),
        cmocka_unit_test(broken_bytes_are_refused),
        cmocka_unit_test(a_cut_file_is_refused_at_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
