/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints of every form give the tensors that were put into them; what lies or is broken is refused by name. */
#include "checkpoints.h"

#include "import/checkpoint.h"

static void free_checkpoint(nz_checkpoint **checkpoint) { nz_checkpoint_free(*checkpoint); }
#define AUTO_CHECKPOINT NZ_AUTO(free_checkpoint) nz_checkpoint *

static nz_status open_bytes(nz_checkpoint **ret_checkpoint, const nz_bytes *b) {
    return nz_checkpoint_open_bytes(ret_checkpoint, b->data, b->count, NULL, "t.pt");
}

static const nz_tensor *tensor_of(const nz_checkpoint *checkpoint, const char *wanted) {
    for (size_t i = 0; i < nz_checkpoint_count(checkpoint); i++) {
        const char *name = NULL;
        const nz_tensor *tensor = nz_checkpoint_tensor(checkpoint, i, &name);
        if (strcmp(name, wanted) == 0) return tensor;
    }
    fail_msg("there is no tensor '%s'", wanted);
    return NULL;
}

/* Names in their order, joined by blanks. */
static void assert_names(const nz_checkpoint *checkpoint, const char *expected) {
    char all[1024] = "";
    for (size_t i = 0; i < nz_checkpoint_count(checkpoint); i++) {
        const char *name = NULL;
        nz_checkpoint_tensor(checkpoint, i, &name);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? " " : "", name);
    }
    assert_string_equal(all, expected);
}

static void assert_reals(const nz_tensor *tensor, const double *expected, size_t count) {
    assert_int_equal(nz_shape_elements(&tensor->shape), count);
    for (size_t i = 0; i < count; i++)
        if (nz_tensor_real(tensor, (int64_t)i) != expected[i])
            fail_msg("element %zu is %g, expected %g", i, nz_tensor_real(tensor, (int64_t)i), expected[i]);
}

/* 0, 1, 2, ... as floats. */
static void put_floats(nz_bytes *b, size_t count) {
    for (size_t i = 0; i < count; i++) {
        float value = (float)i;
        put(b, &value, sizeof value);
    }
}

static void vector(nz_bytes *b, const char *name, const char *class, const char *key, int64_t elements) {
    op_text(b, name);
    op_tensor(b, &(nz_view){class, key, elements, 0, 1, {elements}, {1}});
}

/* One entry {"w": view} over a storage of 12 floats. */
static void make_view(nz_bytes *file, const nz_view *view) {
    AUTO_BYTES object = {0};
    AUTO_BYTES storage = {0};
    op_protocol(&object);
    op(&object, "}");
    op_text(&object, "w");
    op_tensor(&object, view);
    op(&object, "s.");
    put_floats(&storage, 12);
    make_zip(file, &object, &storage, 1);
}

static const struct {
    const char *class;
    nz_dtype dtype;
    size_t unit;
} classes[] = {
    {"FloatStorage", NZ_F32, 4},     {"DoubleStorage", NZ_F64, 8}, {"HalfStorage", NZ_F16, 2},
    {"BFloat16Storage", NZ_BF16, 2}, {"LongStorage", NZ_I64, 8},   {"IntStorage", NZ_I32, 4},
    {"ShortStorage", NZ_I16, 2},     {"CharStorage", NZ_I8, 1},    {"ByteStorage", NZ_U8, 1},
    {"BoolStorage", NZ_BOOL, 1},
};

static void check_types(const nz_checkpoint *checkpoint, const nz_bytes *storages) {
    assert_int_equal(nz_checkpoint_count(checkpoint), NZ_COUNT(classes));
    for (size_t i = 0; i < NZ_COUNT(classes); i++) {
        const nz_tensor *tensor = tensor_of(checkpoint, classes[i].class);
        assert_int_equal(tensor->dtype, classes[i].dtype);
        assert_true(nz_shape_equal(&tensor->shape, &(nz_shape){1, {3}}));
        assert_int_equal(tensor->bytes, storages[i].count);
        assert_memory_equal(tensor->data, storages[i].data, tensor->bytes);
    }
}

static void every_type_in_both_pickled_forms(void **state) {
    (void)state;
    nz_bytes storages[NZ_COUNT(classes)] = {{0}};
    size_t units[NZ_COUNT(classes)];
    AUTO_BYTES object = {0};
    AUTO_BYTES zip = {0};
    AUTO_BYTES stream = {0};
    op_protocol(&object);
    op(&object, "}(");
    for (size_t i = 0; i < NZ_COUNT(classes); i++) {
        units[i] = classes[i].unit;
        for (size_t k = 0; k < 3 * units[i]; k++)
            put(&storages[i], &(uint8_t){(uint8_t)(classes[i].dtype == NZ_BOOL ? k % 2 : i * 31 + k * 5)}, 1);
        vector(&object, classes[i].class, classes[i].class, (char[2]){(char)('0' + i), 0}, 3);
    }
    op(&object, "u.");
    make_zip(&zip, &object, storages, NZ_COUNT(classes));
    make_stream(&stream, &object, storages, units, NZ_COUNT(classes));
    AUTO_CHECKPOINT from_zip = NULL;
    AUTO_CHECKPOINT from_stream = NULL;
    nz_assert_ok(open_bytes(&from_zip, &zip));
    nz_assert_ok(open_bytes(&from_stream, &stream));
    check_types(from_zip, storages);
    check_types(from_stream, storages);
    assert_non_null(strstr(nz_checkpoint_describe(from_zip), "PyTorch zip archive"));
    assert_non_null(strstr(nz_checkpoint_describe(from_stream), "PyTorch stream"));
    for (size_t i = 0; i < NZ_COUNT(classes); i++) nz_bytes_done(&storages[i]);
}

static void views_become_contiguous(void **state) {
    (void)state;
    static const struct {
        nz_view view;
        double expected[12];
        size_t count;
    } cases[] = {
        {{"FloatStorage", "0", 12, 0, 2, {3, 4}, {4, 1}}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 12},
        {{"FloatStorage", "0", 12, 0, 2, {4, 3}, {1, 4}}, {0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11}, 12},
        {{"FloatStorage", "0", 12, 5, 2, {2, 2}, {4, 1}}, {5, 6, 9, 10}, 4},
        {{"FloatStorage", "0", 12, 1, 1, {4}, {3}}, {1, 4, 7, 10}, 4},
        {{"FloatStorage", "0", 12, 0, 3, {2, 2, 3}, {6, 1, 2}}, {0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11}, 12},
        {{"FloatStorage", "0", 12, 11, 0, {0}, {0}}, {11}, 1},
        {{"FloatStorage", "0", 12, 2, 3, {1, 3, 1}, {99, 1, 99}}, {2, 3, 4}, 3},
        {{"FloatStorage", "0", 12, 0, 2, {0, 3}, {3, 1}}, {0}, 0},
        {{"FloatStorage", "0", 12, 0, 3, {0, INT64_C(1) << 62, 4}, {0, 4, 1}}, {0}, 0},
        {{"FloatStorage", "0", 12, 0, 2, {3, 2}, {0, 1}}, {0, 1, 0, 1, 0, 1}, 6},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        AUTO_BYTES file = {0};
        AUTO_CHECKPOINT checkpoint = NULL;
        make_view(&file, &cases[i].view);
        nz_assert_ok(open_bytes(&checkpoint, &file));
        const nz_tensor *w = tensor_of(checkpoint, "w");
        assert_int_equal(w->shape.rank, cases[i].view.rank);
        assert_reals(w, cases[i].expected, cases[i].count);
    }
}

static void views_that_lie_are_refused(void **state) {
    (void)state;
    int64_t huge = INT64_MAX, half = INT64_C(1) << 62;
    const struct {
        nz_view view;
        const char *part;
        nz_status status;
    } cases[] = {
        {{"FloatStorage", "0", 12, 0, 1, {13}, {1}},
         "w: a tensor of 13 reaches outside its storage of 12",
         NZ_E_FORMAT},
        {{"FloatStorage", "0", 12, 1, 2, {3, 4}, {4, 1}}, "reaches outside", NZ_E_FORMAT},
        {{"FloatStorage", "0", 12, -1, 1, {2}, {1}}, "reaches outside", NZ_E_FORMAT},
        {{"FloatStorage", "0", 12, huge, 1, {2}, {1}}, "reaches outside", NZ_E_FORMAT},
        {{"FloatStorage", "0", 12, 0, 1, {2}, {huge}}, "reaches outside", NZ_E_FORMAT},
        {{"FloatStorage", "0", 12, 0, 2, {half, 4}, {0, 1}}, "reaches outside", NZ_E_FORMAT},
        {{"FloatStorage", "0", 12, 0, 3, {half, half, half}, {4, 4, 4}}, "reaches outside", NZ_E_FORMAT},
        {{"FloatStorage", "0", 12, 0, 1, {-1}, {1}}, "a negative extent or stride", NZ_E_FORMAT},
        {{"FloatStorage", "0", 12, 3, 1, {2}, {-1}}, "a negative extent or stride", NZ_E_FORMAT},
        {{"FloatStorage", "0", 12, 0, 2, {1 << 20, 2}, {0, 1}}, "repeats the 12 elements", NZ_E_UNSUPPORTED},
        {{"FloatStorage", "0", 12, 0, 9, {1}, {1}}, "9 dimensions", NZ_E_UNSUPPORTED},
        {{"FloatStorage", "0", 13, 0, 1, {2}, {1}}, "net/data/0: 48 bytes, though its tensors say 52", NZ_E_FORMAT},
        {{"FloatStorage", "7", 12, 0, 1, {2}, {1}}, "net/data/7: the file lacks it", NZ_E_FORMAT},
        {{"FloatStorage", "0", huge, 0, 1, {2}, {1}}, "its size is no number", NZ_E_FORMAT},
        {{"FloatStorage", "0", -1, 0, 1, {2}, {1}}, "its size is no number", NZ_E_FORMAT},
        {{"ComplexFloatStorage", "0", 6, 0, 1, {2}, {1}}, "complex or quantised", NZ_E_UNSUPPORTED},
        {{"QInt8Storage", "0", 48, 0, 1, {2}, {1}}, "complex or quantised", NZ_E_UNSUPPORTED},
        {{"OddStorage", "0", 48, 0, 1, {2}, {1}}, "unknown type", NZ_E_UNSUPPORTED},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        AUTO_BYTES file = {0};
        nz_checkpoint *checkpoint = NULL;
        make_view(&file, &cases[i].view);
        nz_assert_fails(open_bytes(&checkpoint, &file), cases[i].status, cases[i].part);
        assert_non_null(strstr(nz_last_error(), "t.pt"));
        assert_null(checkpoint);
    }
}

/* A storage in the tar form is 100 and its part 101; tensors are 200 and 201. */
static void make_tar(nz_bytes *file, int64_t part_elements, int64_t rank) {
    AUTO_BYTES storages = {0};
    AUTO_BYTES tensors = {0};
    AUTO_BYTES object = {0};
    op(&storages, "K\1.(");
    op_int(&storages, 100);
    op_text(&storages, "cpu");
    op_class(&storages, "torch", "FloatStorage");
    op(&storages, "t.");
    put_number(&storages, 12, 8);
    put_floats(&storages, 12);
    op(&storages, "](");
    op_int(&storages, 101);
    op_int(&storages, 100);
    op_int(&storages, 2);
    op_int(&storages, part_elements);
    op(&storages, "ta.");
    op(&tensors, "K\2.");
    for (int i = 0; i < 2; i++) {
        op(&tensors, "(");
        op_int(&tensors, 200 + i);
        op_int(&tensors, 100 + i);
        op(&tensors, "Nt.");
        put_number(&tensors, (uint64_t)rank, 4);
        put_number(&tensors, 0xabcdef, 4);          /* padding that means nothing */
        const uint64_t numbers[] = {2, 2, 1, 2, 1}; /* extents, strides, offset */
        for (size_t k = 0; k < NZ_COUNT(numbers); k++) put_number(&tensors, numbers[k], 8);
    }
    op(&object, "}(");
    op_text(&object, "whole");
    op_int(&object, 200);
    op(&object, "Q");
    op_text(&object, "part");
    op_text(&object, "201");
    op(&object, "Qu.");
    put_tar_member(file, "sys_info", &object);
    put_tar_member(file, "pickle", &object);
    put_tar_member(file, "tensors", &tensors);
    put_tar_member(file, "storages", &storages);
    put_zeros(file, 1024);
}

static void the_tar_form_is_read(void **state) {
    (void)state;
    AUTO_BYTES file = {0};
    AUTO_BYTES outside = {0};
    AUTO_BYTES deep = {0};
    AUTO_CHECKPOINT checkpoint = NULL;
    nz_checkpoint *none = NULL;
    make_tar(&file, 6, 2);
    nz_assert_ok(open_bytes(&checkpoint, &file));
    assert_names(checkpoint, "whole part");
    assert_reals(tensor_of(checkpoint, "whole"), (double[]){1, 3, 2, 4}, 4);
    assert_reals(tensor_of(checkpoint, "part"), (double[]){3, 5, 4, 6}, 4);
    assert_non_null(strstr(nz_checkpoint_describe(checkpoint), "PyTorch tar archive"));
    make_tar(&outside, 11, 2);
    nz_assert_fails(open_bytes(&none, &outside), NZ_E_FORMAT, "lies outside the one it is part of");
    make_tar(&deep, 6, 9);
    nz_assert_fails(open_bytes(&none, &deep), NZ_E_FORMAT, "too many dimensions");
}

static void deflated_and_big_endian_archives_are_read(void **state) {
    (void)state;
    AUTO_BYTES object = {0};
    AUTO_BYTES storage = {0};
    NZ_AUTO(zip_done) nz_zip_maker z = {0};
    AUTO_CHECKPOINT checkpoint = NULL;
    op(&object, "}");
    vector(&object, "w", "ShortStorage", "k", 300);
    op(&object, "s.");
    for (int i = 0; i < 300; i++) put(&storage, (uint8_t[]){(uint8_t)(i >> 8), (uint8_t)i}, 2);
    zip_add(&z, "any/name/data.pkl", object.data, object.count, true);
    zip_add(&z, "any/name/byteorder", "big", 3, false);
    zip_add(&z, "any/name/data/k", storage.data, storage.count, true);
    nz_assert_ok(open_bytes(&checkpoint, zip_end(&z)));
    for (int i = 0; i < 300; i++) assert_int_equal(nz_tensor_int(tensor_of(checkpoint, "w"), i), i);
}

static void archives_that_lie_are_refused(void **state) {
    (void)state;
    AUTO_BYTES object = {0};
    AUTO_BYTES zeros = {0};
    nz_checkpoint *none = NULL;
    op(&object, "}");
    vector(&object, "w", "ByteStorage", "0", 10);
    op(&object, "s.");
    put_zeros(&zeros, 100000);
    { /* a bomb: what it inflates to is not what its tensors say */
        NZ_AUTO(zip_done) nz_zip_maker z = {0};
        zip_add(&z, "a/data.pkl", object.data, object.count, false);
        zip_add(&z, "a/data/0", zeros.data, zeros.count, true);
        nz_assert_fails(open_bytes(&none, zip_end(&z)), NZ_E_FORMAT, "100000 bytes, though its tensors say 10");
    }
    { /* two directory entries over the same bytes */
        NZ_AUTO(zip_done) nz_zip_maker z = {0};
        zip_add(&z, "a/data.pkl", object.data, object.count, false);
        zip_add(&z, "a/data/0", zeros.data, 5000, false);
        nz_bytes twice = {0};
        put_all(&twice, &z.directory);
        put_all(&z.directory, &twice);
        nz_bytes_done(&twice);
        z.count *= 2;
        nz_assert_fails(open_bytes(&none, zip_end(&z)), NZ_E_FORMAT, "its members overlap");
    }
    {
        NZ_AUTO(zip_done) nz_zip_maker z = {0};
        zip_add(&z, "a/w.npy", zeros.data, 10, false);
        nz_assert_fails(open_bytes(&none, zip_end(&z)), NZ_E_UNSUPPORTED, "a zip archive without data.pkl");
    }
    {
        NZ_AUTO(zip_done) nz_zip_maker z = {0};
        zip_add(&z, "data.pkl", object.data, object.count, false);
        zip_add(&z, "byteorder", "middle", 6, false);
        nz_assert_fails(open_bytes(&none, zip_end(&z)), NZ_E_FORMAT, "neither 'little' nor 'big'");
    }
    {
        NZ_AUTO(zip_done) nz_zip_maker z = {0};
        zip_add(&z, "data.pkl", object.data, object.count, false);
        zip_add(&z, "data/0", zeros.data, 10, false);
        nz_bytes *file = zip_end(&z);
        file->data[40]++;
        nz_assert_fails(open_bytes(&none, file), NZ_E_FORMAT, "the checksum does not match");
    }
}

static void streams_that_lie_are_refused(void **state) {
    (void)state;
    nz_checkpoint *none = NULL;
    AUTO_BYTES object = {0};
    AUTO_BYTES storage = {0};
    op(&object, "}");
    vector(&object, "w", "FloatStorage", "0", 3);
    op(&object, "s.");
    put_floats(&storage, 3);
    static const struct {
        const char *keys;
        uint64_t elements;
        const char *part;
    } cases[] = {
        {"](U\0010e.", 4, "a storage of 4 elements of 4 bytes, but 12 bytes are left"},
        {"](U\0010e.", UINT64_MAX, "18446744073709551615 elements"},
        {"](U\0010e.", 2, "storage 0 has 8 bytes, though its tensors say 12"},
        {"](U\0011e.", 3, "storage 0 of the file is none that its tensors name"},
        {"](K\1e.", 3, "storage 0 of the file is none that its tensors name"},
        {"].", 3, "t.pt: data/0: the file lacks it"},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        AUTO_BYTES file = {0};
        put_stream_head(&file);
        put_all(&file, &object);
        op(&file, cases[i].keys);
        put_number(&file, cases[i].elements, 8);
        put_all(&file, &storage);
        nz_assert_fails(open_bytes(&none, &file), NZ_E_FORMAT, cases[i].part);
    }
    AUTO_BYTES plain = {0};
    put(&plain, "\x80\2}.", 4);
    nz_assert_fails(open_bytes(&none, &plain), NZ_E_UNSUPPORTED, "a pickle, but not one that torch.save wrote");
    nz_assert_fails(nz_checkpoint_open_bytes(&none, (const uint8_t *)"<html>", 6, NULL, "t.pt"), NZ_E_FORMAT,
                    "t.pt: neither a PyTorch checkpoint (zip, stream or tar) nor safetensors");
    nz_assert_fails(nz_checkpoint_open_bytes(&none, NULL, 0, NULL, "t.pt"), NZ_E_FORMAT, "neither");
    nz_assert_fails(nz_checkpoint_open(&none, nz_test_file("absent.pt")), NZ_E_IO, "absent.pt");
}

/* Two storages that are parts of one: (key, first element, elements) in a sixth place. */
static void parts_of_storages_are_read(void **state) {
    (void)state;
    AUTO_BYTES object = {0};
    AUTO_BYTES storage = {0};
    AUTO_BYTES file = {0};
    AUTO_CHECKPOINT checkpoint = NULL;
    op(&object, "}");
    op_text(&object, "w");
    op_class(&object, "torch._utils", "_rebuild_tensor");
    op(&object, "((");
    op_text(&object, "storage");
    op_class(&object, "torch.cuda", "FloatStorage");
    op_text(&object, "0");
    op_text(&object, "cuda:0");
    op_int(&object, 12);
    op(&object, "(");
    op_text(&object, "part");
    op_int(&object, 4);
    op_int(&object, 5);
    op(&object, "ttQ");
    op_int(&object, 1);
    op_ints(&object, (int64_t[]){2, 2}, 2);
    op_ints(&object, (int64_t[]){2, 1}, 2);
    op(&object, "tRs.");
    put_floats(&storage, 12);
    make_stream(&file, &object, &storage, (size_t[]){4}, 1);
    nz_assert_ok(open_bytes(&checkpoint, &file));
    assert_reals(tensor_of(checkpoint, "w"), (double[]){5, 6, 7, 8}, 4);
}

static void a_file_that_is_cut_anywhere_is_refused(void **state) {
    (void)state;
    AUTO_BYTES object = {0};
    AUTO_BYTES storage = {0};
    nz_bytes files[4] = {{0}};
    op(&object, "}");
    vector(&object, "w", "FloatStorage", "0", 12);
    op(&object, "s.");
    put_floats(&storage, 12);
    make_zip(&files[0], &object, &storage, 1);
    make_stream(&files[1], &object, &storage, (size_t[]){4}, 1);
    make_tar(&files[2], 6, 2);
    make_safetensors(&files[3], "{\"w\":{\"dtype\":\"F32\",\"shape\":[12],\"data_offsets\":[0,48]}}", storage.data,
                     storage.count);
    for (size_t f = 0; f < 4; f++) {
        size_t whole =
            f == 2 ? files[f].count - 1024 - 512 : files[f].count; /* a tar archive ends in blocks of nothing */
        for (size_t count = 0; count < whole; count++) {
            nz_checkpoint *none = NULL;
            NZ_AUTO_FREE uint8_t *cut = malloc(count + !count);
            assert_non_null(cut);
            memcpy(cut, files[f].data, count);
            nz_status status = nz_checkpoint_open_bytes(&none, cut, count, NULL, "t.pt");
            if (status != NZ_E_FORMAT && status != NZ_E_UNSUPPORTED)
                fail_msg("file %zu cut at %zu: %d", f, count, status);
            assert_non_null(strstr(nz_last_error(), "t.pt: "));
        }
        nz_bytes_done(&files[f]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_in_both_pickled_forms),
        cmocka_unit_test(views_become_contiguous),
        cmocka_unit_test(views_that_lie_are_refused),
        cmocka_unit_test(the_tar_form_is_read),
        cmocka_unit_test(deflated_and_big_endian_archives_are_read),
        cmocka_unit_test(archives_that_lie_are_refused),
        cmocka_unit_test(streams_that_lie_are_refused),
        cmocka_unit_test(parts_of_storages_are_read),
        cmocka_unit_test(a_file_that_is_cut_anywhere_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
