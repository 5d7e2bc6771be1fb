/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy archives: what is written is read again, what NumPy writes is read, and what is broken is refused. */
#include "data_files.h"

#include "data/npz.h"

static void free_npz(nz_npz **npz) { nz_npz_free(*npz); }
#define AUTO_NPZ NZ_AUTO(free_npz) nz_npz *
#define AUTO_TENSOR NZ_AUTO(nz_tensor_done) nz_tensor

static void arrays_of_every_type_come_back(void **state) {
    (void)state;
    static const nz_dtype types[] = {NZ_BOOL, NZ_I8,  NZ_I16, NZ_I32, NZ_I64, NZ_U8,
                                     NZ_U16,  NZ_U32, NZ_U64, NZ_F16, NZ_F32, NZ_F64};
    uint8_t bytes[3][48];
    nz_tensor tensors[NZ_COUNT(types)];
    char names[NZ_COUNT(types)][8];
    const char *pointers[NZ_COUNT(types)];
    for (size_t i = 0; i < sizeof bytes; i++) ((uint8_t *)bytes)[i] = (uint8_t)(i * 37 % 128);
    for (size_t t = 0; t < NZ_COUNT(types); t++) {
        snprintf(names[t], sizeof names[t], "a%zu", t);
        pointers[t] = names[t];
        tensors[t] = nz_tensor_borrow(types[t], &(nz_shape){2, {2, 3}}, bytes[t % 3]);
    }
    nz_assert_ok(nz_npz_write(nz_test_file("all.npz"), pointers, tensors, NZ_COUNT(types)));
    AUTO_NPZ npz = NULL;
    nz_assert_ok(nz_npz_open(&npz, nz_test_file("all.npz")));
    assert_int_equal(nz_npz_count(npz), NZ_COUNT(types));
    for (size_t t = 0; t < NZ_COUNT(types); t++) {
        AUTO_TENSOR back = {0};
        assert_string_equal(nz_npz_name(npz, t), names[t]);
        nz_assert_ok(nz_npz_get(&back, npz, names[t]));
        assert_int_equal(back.dtype, types[t]);
        assert_true(nz_shape_equal(&back.shape, &tensors[t].shape));
        assert_int_equal(back.bytes, tensors[t].bytes);
        assert_memory_equal(back.data, tensors[t].data, back.bytes);
        assert_int_equal((uintptr_t)back.data % 64, 0); /* written so that it stays where it is in the file */
    }
}

static void scalars_and_empty_arrays_come_back(void **state) {
    (void)state;
    double pi = 3.25;
    const char *const names[] = {"scalar", "empty", "eight"};
    nz_tensor tensors[] = {nz_tensor_borrow(NZ_F64, &(nz_shape){0}, &pi),
                           nz_tensor_borrow(NZ_F32, &(nz_shape){2, {0, 5}}, &pi),
                           nz_tensor_borrow(NZ_F64, &(nz_shape){8, {1, 1, 1, 1, 1, 1, 1, 1}}, &pi)};
    nz_assert_ok(nz_npz_write(nz_test_file("few.npz"), names, tensors, 3));
    for (size_t i = 0; i < 3; i++) {
        AUTO_TENSOR back = {0};
        nz_assert_ok(nz_npz_read(&back, nz_test_file("few.npz"), names[i]));
        assert_true(nz_shape_equal(&back.shape, &tensors[i].shape));
        if (i != 1) assert_true(nz_tensor_real(&back, 0) == 3.25);
    }
    AUTO_TENSOR none = {0};
    nz_assert_fails(nz_npz_read(&none, nz_test_file("few.npz"), "scores"), NZ_E_FORMAT,
                    "few.npz: no array 'scores' in it");
    nz_assert_fails(nz_npz_read(&none, nz_test_file("absent.npz"), "x"), NZ_E_IO, "absent.npz");
    nz_tensor half = nz_tensor_borrow(NZ_BF16, &(nz_shape){1, {2}}, &pi);
    nz_assert_fails(nz_npz_write(nz_test_file("half.npz"), names, &half, 1), NZ_E_UNSUPPORTED,
                    "NumPy has no type for bfloat16");
    assert_false(nz_file_exists(nz_test_file("half.npz")));
}

/* numpy.savez and numpy.savez_compressed of x = arange(12, dtype='<i4').reshape(3, 4), y = [1.5, -2] wrote the corpus' files;
 * zip64.npz is the first one with every size and offset in zip64 fields, as archives above 4 GB have them. */
static void files_of_numpy_are_read(void **state) {
    (void)state;
    static const char *const files[] = {"savez.npz", "savez_compressed.npz", "zip64.npz"};
    for (size_t f = 0; f < NZ_COUNT(files); f++) {
        char path[256];
        snprintf(path, sizeof path, "tests/fuzz/corpus/npz/%s", files[f]);
        AUTO_TENSOR x = {0}, y = {0};
        nz_assert_ok(nz_npz_read(&x, nz_test_source(path), "x"));
        nz_assert_ok(nz_npz_read(&y, nz_test_source(path), "y"));
        assert_int_equal(x.dtype, NZ_I32);
        assert_true(nz_shape_equal(&x.shape, &(nz_shape){2, {3, 4}}));
        for (int64_t i = 0; i < 12; i++) assert_int_equal(nz_tensor_int(&x, i), i);
        assert_int_equal(y.dtype, NZ_F64);
        assert_true(nz_tensor_real(&y, 0) == 1.5 && nz_tensor_real(&y, 1) == -2);
    }
}

/* Any byte of a whole archive may be wrong: a clear refusal or the right array, never a wrong one. */
static void a_changed_byte_is_noticed(void **state) {
    (void)state;
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count = 0, refused = 0;
    nz_assert_ok(nz_file_read(&bytes, &count, nz_test_source("tests/fuzz/corpus/npz/savez_compressed.npz"), 1 << 20));
    for (size_t at = 0; at < count; at++) {
        AUTO_NPZ npz = NULL;
        AUTO_TENSOR x = {0};
        bytes[at] ^= 0x15;
        nz_status status = nz_npz_open_bytes(&npz, bytes, count, "changed");
        if (status == NZ_OK) status = nz_npz_get(&x, npz, "x");
        bytes[at] ^= 0x15;
        if (status != NZ_OK) {
            refused++;
            assert_non_null(strstr(nz_last_error(), "changed"));
            continue;
        }
        for (int64_t i = 0; i < 12; i++) assert_int_equal(nz_tensor_int(&x, i), i);
    }
    assert_true(refused > count / 4);
}

static nz_status parse_header(const char *dictionary, size_t data_bytes) {
    uint8_t bytes[512] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    size_t length = strlen(dictionary);
    nz_npy npy;
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    memcpy(bytes + 10, dictionary, length);
    return nz_npy_parse(&npy, bytes, 10 + length + data_bytes, "t.npy");
}

static void npy_headers_are_checked(void **state) {
    (void)state;
    nz_assert_ok(parse_header("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 24));
    nz_assert_ok(parse_header("{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f4\"}\n", 24));
    nz_assert_ok(parse_header("{'descr': '|u1', 'fortran_order': False, 'shape': (7,), }", 7));
    nz_assert_ok(parse_header("{'descr': '<f8', 'fortran_order': False, 'shape': (), }", 8));
    static const struct {
        const char *dictionary, *part;
        nz_status status;
    } wrong[] = {
        {"", "is not a dictionary", NZ_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3) ", "does not end", NZ_E_FORMAT},
        {"{'descr': '<f4', 'shape': (2, 3)}", "lacks descr, fortran_order or shape", NZ_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", "Fortran order", NZ_E_UNSUPPORTED},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 3)}", "big-endian", NZ_E_UNSUPPORTED},
        {"{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}", "arrays of type '<c8' are not read",
         NZ_E_UNSUPPORTED},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", "arrays of type '|O'", NZ_E_UNSUPPORTED},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}", "lacks a quoted word", NZ_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4)}", "says 2x4, but the data have 24 bytes",
         NZ_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}", "not a number", NZ_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4294967296, 4294967296)}", "an array of", NZ_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999, 3)}", "too large", NZ_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,6)}", "more than 8 dimensions",
         NZ_E_UNSUPPORTED},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'descr': '<f4'}", "holds a key twice", NZ_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'more': 1}", "holds an unknown key", NZ_E_FORMAT},
        {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2, 3)}", "does not say whether", NZ_E_FORMAT},
    };
    for (size_t i = 0; i < NZ_COUNT(wrong); i++)
        nz_assert_fails(parse_header(wrong[i].dictionary, 24), wrong[i].status, wrong[i].part);
}

static void put32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

/* What a header must not be believed: 4 GB out of a hundred bytes, members outside the file, a directory that is not there. */
static void archives_that_lie_are_refused(void **state) {
    (void)state;
    NZ_AUTO_FREE char *good = NULL;
    size_t count = 0, entry = 0;
    nz_assert_ok(nz_file_read(&good, &count, nz_test_source("tests/fuzz/corpus/npz/savez_compressed.npz"), 1 << 20));
    while (memcmp(good + entry, "PK\1\2", 4) != 0) entry++;
    static const struct {
        size_t field; /* in the directory entry */
        uint32_t value;
        const char *part;
    } lies[] = {
        {24, 0xfffffff0, "which deflate cannot do"},
        {24, 5, "more than the 5 bytes"},
        {24, 4000, "instead of the 4000"},
        {20, 0x7fffffff, "lies outside the file"},
        {42, 0x00ffffff, "lies outside the file"},
        {42, 3, "the zip header is broken"},
        {16, 12345, "the checksum does not match"},
        {10, 12, "compression method 12"},
        {8, 1, "encrypted"},
        {24, 0xffffffff, "a zip64 field is missing"},
    };
    for (size_t i = 0; i < NZ_COUNT(lies); i++) {
        AUTO_NPZ npz = NULL;
        AUTO_TENSOR x = {0};
        NZ_AUTO_FREE uint8_t *bytes = malloc(count);
        memcpy(bytes, good, count);
        if (lies[i].field == 10 || lies[i].field == 8)
            bytes[entry + lies[i].field] = (uint8_t)lies[i].value;
        else
            put32(bytes + entry + lies[i].field, lies[i].value);
        nz_status status = nz_npz_open_bytes(&npz, bytes, count, "lie.npz");
        if (status == NZ_OK) status = nz_npz_get(&x, npz, "x");
        if (status == NZ_OK || !strstr(nz_last_error(), lies[i].part) || !strstr(nz_last_error(), "lie.npz"))
            fail_msg("lie %zu: %s: %s", i, nz_status_name(status), nz_last_error());
    }
    for (size_t cut = 0; cut < count; cut++) {
        nz_npz *npz = NULL;
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, good, cut);
        nz_assert_fails(nz_npz_open_bytes(&npz, exact, cut, "cut.npz"), NZ_E_FORMAT, "cut.npz: not a whole .npz file");
        free(exact);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_of_every_type_come_back), cmocka_unit_test(scalars_and_empty_arrays_come_back),
        cmocka_unit_test(files_of_numpy_are_read),        cmocka_unit_test(a_changed_byte_is_noticed),
        cmocka_unit_test(npy_headers_are_checked),        cmocka_unit_test(archives_that_lie_are_refused),
    };
    return cmocka_run_group_tests_name("npz", tests, NULL, NULL);
}
