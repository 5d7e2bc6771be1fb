/* SPDX-License-Identifier: Apache-2.0 */
/* The state dictionary is found wherever it lies in a checkpoint, under the names that its network gives; safetensors. */
#include "checkpoints.h"

#include "import/checkpoint.h"

static void free_checkpoint(nz_checkpoint **checkpoint) { nz_checkpoint_free(*checkpoint); }
#define AUTO_CHECKPOINT NZ_AUTO(free_checkpoint) nz_checkpoint *

/* A vector of `elements` floats of storage "0". */
static void value(nz_bytes *b, int64_t elements) {
    op_tensor(b, &(nz_view){"FloatStorage", "0", 12, 0, 1, {elements}, {1}});
}
static void named(nz_bytes *b, const char *name, int64_t elements) {
    op_text(b, name);
    value(b, elements);
}

/* {name: tensor of 1, 2, ... elements} */
static void dictionary(nz_bytes *b, const char *const *names, size_t count) {
    op(b, "}(");
    for (size_t i = 0; i < count; i++) named(b, names[i], (int64_t)i + 1);
    op(b, "u");
}

static void module_begin(nz_bytes *b, const char *class) {
    op_class(b, "net", class);
    op(b, ")\x81}(");
    op_text(b, "training");
    op(b, "\x88");
}

/* Ends an object of three dictionaries, of which `what` has been pushed already: the rest are empty. */
static void module_end(nz_bytes *b, const char *const *empty, size_t count) {
    for (size_t i = 0; i < count; i++) {
        op_text(b, empty[i]);
        op_class(b, "collections", "OrderedDict");
        op(b, ")R");
    }
    op(b, "ub");
}

/* Opens the pickle as a zip checkpoint with one storage of twelve floats. */
static nz_status open_object(nz_checkpoint **ret_checkpoint, const nz_bytes *object) {
    static nz_bytes file; /* tensors borrow its bytes until the next call */
    AUTO_BYTES storage = {0};
    nz_bytes_done(&file);
    for (int i = 0; i < 12; i++) put(&storage, &(float){(float)i}, sizeof(float));
    make_zip(&file, object, &storage, 1);
    nz_status status = nz_checkpoint_open_bytes(ret_checkpoint, file.data, file.count, NULL, "t.pt");
    if (status != NZ_OK) nz_bytes_done(&file);
    return status;
}

/* Names and first extents, in their order: "a.b:3 c:1". */
static void assert_found(const nz_bytes *object, const char *expected, const char *where) {
    AUTO_CHECKPOINT checkpoint = NULL;
    char all[1024] = "";
    nz_assert_ok(open_object(&checkpoint, object));
    for (size_t i = 0; i < nz_checkpoint_count(checkpoint); i++) {
        const char *name = NULL;
        const nz_tensor *tensor = nz_checkpoint_tensor(checkpoint, i, &name);
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s:%d", i ? " " : "", name, (int)tensor->shape.dim[0]);
        assert_true(nz_tensor_real(tensor, tensor->shape.dim[0] - 1) == (double)(tensor->shape.dim[0] - 1));
    }
    assert_string_equal(all, expected);
    if (!strstr(nz_checkpoint_describe(checkpoint), where))
        fail_msg("'%s' lacks '%s'", nz_checkpoint_describe(checkpoint), where);
}

static const char *const abc[] = {"a.w", "a.b", "c"};

static void a_plain_dictionary(void **state) {
    (void)state;
    AUTO_BYTES b = {0};
    dictionary(&b, abc, 3);
    op(&b, ".");
    assert_found(&b, "a.w:1 a.b:2 c:3", "at the top");
}

static void the_usual_keys(void **state) {
    (void)state;
    static const char *const averages[] = {"a.w", "a.b", "d"};
    AUTO_BYTES b = {0};
    op(&b, "}(");
    op_text(&b, "epoch");
    op_int(&b, 7);
    named(&b, "best_acc", 1);
    op_text(&b, "state_dict");
    dictionary(&b, abc, 3);
    size_t without = b.count;
    op(&b, "u.");
    assert_found(&b, "a.w:1 a.b:2 c:3", "under 'state_dict'");
    b.count = without;
    op_text(&b, "ema");
    op(&b, "Nu.");
    assert_found(&b, "a.w:1 a.b:2 c:3", "under 'state_dict'");
    b.count = without;
    op_text(&b, "ema"); /* less than half of the model: parts of an average are none */
    dictionary(&b, averages, 1);
    op(&b, "u.");
    assert_found(&b, "a.w:1 a.b:2 c:3", "under 'state_dict'");
    b.count = without;
    op_text(&b, "ema");
    op(&b, "}");
    op_text(&b, "module");
    dictionary(&b, averages, 3);
    op(&b, "su.");
    assert_found(&b, "a.w:1 a.b:2 d:3",
                 "under 'ema.module' (the average, preferred to the model itself); 4 tensors elsewhere");
}

static void what_an_optimiser_keeps_is_passed_over(void **state) {
    (void)state;
    static const char *const moments[] = {"exp_avg", "exp_avg_sq", "step", "more", "and more"};
    AUTO_BYTES b = {0};
    op(&b, "}(");
    op_text(&b, "optimizer");
    op(&b, "}");
    op_text(&b, "state");
    op(&b, "}K");
    put_number(&b, 0, 1);
    dictionary(&b, moments, 5);
    op(&b, "ss");
    op_text(&b, "somewhere");
    op(&b, "](");
    op_int(&b, 3);
    dictionary(&b, abc, 3);
    op(&b, "eu.");
    assert_found(&b, "a.w:1 a.b:2 c:3", "the mapping that holds all tensors");
}

static void nested_dictionaries_become_dotted_names(void **state) {
    (void)state;
    AUTO_BYTES b = {0};
    op(&b, "}(");
    op_text(&b, "net1");
    dictionary(&b, abc, 2);
    op_text(&b, "heads");
    op(&b, "](");
    value(&b, 4);
    dictionary(&b, abc, 1);
    op(&b, "e");
    op(&b, "K\5");
    value(&b, 6);
    named(&b, "lone", 5);
    op(&b, "u.");
    assert_found(&b, "net1.a.w:1 net1.a.b:2 heads.0:4 heads.1.a.w:1 5:6 lone:5", "at the top");
}

static void modules_are_flattened(void **state) {
    (void)state;
    static const char *const rest[] = {"_buffers", "_modules"};
    AUTO_BYTES b = {0};
    op(&b, "}");
    op_text(&b, "model");
    module_begin(&b, "Outer");
    op_text(&b, "_parameters");
    op(&b, "}(");
    op_text(&b, "scale");
    op_class(&b, "torch._utils", "_rebuild_parameter");
    op(&b, "(");
    value(&b, 2);
    op(&b, "\x88NtR");
    op_text(&b, "none");
    op(&b, "Nu");
    op_text(&b, "_buffers");
    op(&b, "}(");
    named(&b, "mean", 3);
    named(&b, "scratch", 4);
    op(&b, "u");
    op_text(&b, "_non_persistent_buffers_set");
    op_class(&b, "__builtin__", "set");
    op(&b, "](");
    op_text(&b, "scratch");
    op(&b, "e\x85R");
    op_text(&b, "_modules");
    op_class(&b, "collections", "OrderedDict"); /* as Python 2 writes it: called with a list of pairs */
    op(&b, "](](");
    op_text(&b, "conv");
    module_begin(&b, "Inner");
    op_text(&b, "_parameters");
    op(&b, "}");
    named(&b, "weight", 5);
    op(&b, "s");
    module_end(&b, rest, 2);
    op_put(&b, 9);
    op(&b, "e](");
    op_text(&b, "tied");
    op_get(&b, 9);
    op(&b, "ee\x85R");
    op_text(&b, "stray"); /* an attribute, not a parameter */
    value(&b, 6);
    op(&b, "ubs.");
    assert_found(&b, "scale:2 mean:3 conv.weight:5 tied.weight:5", "under 'model', a module object of class Outer");
}

/* A module with one parameter and the attribute `names`, as these opcodes make it. */
static void assert_class_names(const nz_bytes *names, const char *expected) {
    static const char *const rest[] = {"_buffers", "_modules"};
    AUTO_BYTES b = {0};
    AUTO_CHECKPOINT checkpoint = NULL;
    module_begin(&b, "Outer");
    op_text(&b, "names");
    put_all(&b, names);
    op_text(&b, "_parameters");
    op(&b, "}");
    named(&b, "weight", 5);
    op(&b, "s");
    module_end(&b, rest, 2);
    op(&b, ".");
    nz_assert_ok(open_object(&checkpoint, &b));
    if (!expected) {
        assert_null(checkpoint->class_names);
        return;
    }
    assert_non_null(checkpoint->class_names);
    assert_string_equal(checkpoint->class_names, expected);
}

static void a_module_names_its_classes(void **state) {
    (void)state;
    AUTO_BYTES list = {0}, mapping = {0}, gap = {0}, number = {0}, none = {0}, broken = {0};
    op(&list, "](");
    op_text(&list, "cat");
    op_text(&list, "a \"dog\"");
    op(&list, "e");
    assert_class_names(&list, "[\"cat\",\"a \\\"dog\\\"\"]");
    op(&mapping, "}(");
    op_int(&mapping, 1);
    op_text(&mapping, "dog");
    op_int(&mapping, 0);
    op_text(&mapping, "cat");
    op(&mapping, "u");
    assert_class_names(&mapping, "[\"cat\",\"dog\"]");
    op(&gap, "}(");
    op_int(&gap, 2);
    op_text(&gap, "dog");
    op_int(&gap, 0);
    op_text(&gap, "cat");
    op(&gap, "u");
    assert_class_names(&gap, NULL);
    op(&number, "](");
    op_int(&number, 7);
    op(&number, "e");
    assert_class_names(&number, NULL);
    op(&none, "N");
    assert_class_names(&none, NULL);
    op(&broken, "](");
    op_text(&broken, "\xff\xfe"); /* no UTF-8 */
    op(&broken, "e");
    assert_class_names(&broken, NULL);
}

static void prefixes_of_wrappers_are_taken_off(void **state) {
    (void)state;
    static const char *const wrapped[] = {"module._orig_mod.a", "module._orig_mod.b.module.c"};
    static const char *const averaged[] = {"n_averaged", "module.a"};
    static const char *const partly[] = {"module.a", "modules.b"};
    AUTO_BYTES b = {0};
    dictionary(&b, wrapped, 2);
    op(&b, ".");
    assert_found(&b, "a:1 b.module.c:2", "prefix 'module._orig_mod.' taken off");
    b.count = 0;
    dictionary(&b, averaged, 2);
    op(&b, ".");
    assert_found(&b, "n_averaged:1 a:2", "prefix 'module.' taken off");
    b.count = 0;
    dictionary(&b, partly, 2);
    op(&b, ".");
    assert_found(&b, "module.a:1 modules.b:2", "at the top");
}

static void a_name_that_comes_again_counts_last(void **state) {
    (void)state;
    static const char *const twice[] = {"a", "b", "a"};
    AUTO_BYTES b = {0};
    dictionary(&b, twice, 3);
    op(&b, ".");
    assert_found(&b, "b:2 a:3", "at the top");
}

static void hostile_objects_stay_inert_beside_tensors(void **state) {
    (void)state;
    AUTO_BYTES b = {0};
    op(&b, "}(");
    op_text(&b, "x");
    op_class(&b, "os", "system");
    op_text(&b, "touch owned");
    op(&b, "\x85R");
    op_text(&b, "y");
    op_class(&b, "builtins", "eval");
    op_text(&b, "1/0");
    op(&b, "\x85R");
    named(&b, "w", 3);
    op(&b, "u.");
    assert_found(&b, "w:3", "at the top");
    assert_int_not_equal(access("owned", F_OK), 0);
}

static void structures_that_hold_themselves_end(void **state) {
    (void)state;
    AUTO_BYTES b = {0};
    op(&b, "}q\1("); /* {"self": itself, "list": [itself], "w": ...} */
    op_text(&b, "self");
    op_get(&b, 1);
    op_text(&b, "list");
    op(&b, "]");
    op_get(&b, 1);
    op(&b, "a");
    named(&b, "w", 3);
    op(&b, "u.");
    assert_found(&b, "w:3", "at the top");
}

/* Lists that hold the same list twice, forty times over, are 2^40 paths. */
static void laughs_are_cut_short(void **state) {
    (void)state;
    AUTO_BYTES b = {0};
    nz_checkpoint *none = NULL;
    op(&b, "}(");
    op_text(&b, "x");
    op(&b, "]");
    for (int i = 0; i < 40; i++) op(&b, "2\x86");
    named(&b, "w", 3);
    op(&b, "u.");
    nz_assert_fails(open_object(&none, &b), NZ_E_FORMAT, "t.pt: its objects hold each other so often");
}

static void what_is_no_tensor_or_no_name_is_refused(void **state) {
    (void)state;
    AUTO_BYTES b = {0};
    nz_checkpoint *none = NULL;
    op(&b, "}.");
    nz_assert_fails(open_object(&none, &b), NZ_E_FORMAT, "a checkpoint without a single tensor");
    b.count = 0;
    op(&b, "}X");
    put(&b, "\3\0\0\0a\0b", 7);
    value(&b, 1);
    op(&b, "s.");
    nz_assert_fails(open_object(&none, &b), NZ_E_FORMAT, "has a zero byte in it");
    b.count = 0;
    op(&b, "}");
    named(&b, "", 1);
    op(&b, "s.");
    nz_assert_fails(open_object(&none, &b), NZ_E_FORMAT, "a tensor's name is empty");
    b.count = 0;
    op(&b, "}X");
    put_number(&b, 1025, 4);
    for (int i = 0; i < 1025; i++) op(&b, "n");
    value(&b, 1);
    op(&b, "s.");
    nz_assert_fails(open_object(&none, &b), NZ_E_FORMAT, "longer than 1024 bytes");
    b.count = 0;
    op(&b, "}");
    op_text(&b, "q");
    op_class(&b, "torch._utils", "_rebuild_qtensor");
    op(&b, ")Rs.");
    nz_assert_fails(open_object(&none, &b), NZ_E_UNSUPPORTED, "t.pt: q: a tensor made by _rebuild_qtensor");
}

static nz_status open_safetensors(nz_checkpoint **ret_checkpoint, const char *header, size_t bytes) {
    static nz_bytes file;
    uint8_t data[256];
    for (size_t i = 0; i < sizeof data; i++) data[i] = (uint8_t)i;
    nz_bytes_done(&file);
    make_safetensors(&file, header, data, bytes);
    nz_status status = nz_checkpoint_open_bytes(ret_checkpoint, file.data, file.count, NULL, "t.safetensors");
    if (status != NZ_OK) nz_bytes_done(&file);
    return status;
}

static void safetensors_of_every_type(void **state) {
    (void)state;
    static const struct {
        const char *name;
        nz_dtype dtype;
    } types[] = {
        {"F32", NZ_F32}, {"F16", NZ_F16}, {"BF16", NZ_BF16}, {"F64", NZ_F64},          {"I64", NZ_I64},
        {"I32", NZ_I32}, {"I16", NZ_I16}, {"I8", NZ_I8},     {"U64", NZ_U64},          {"U32", NZ_U32},
        {"U16", NZ_U16}, {"U8", NZ_U8},   {"BOOL", NZ_BOOL}, {"F8_E4M3", NZ_F8E4M3FN}, {"F8_E5M2", NZ_F8E5M2},
    };
    for (size_t i = 0; i < NZ_COUNT(types); i++) {
        char header[256];
        AUTO_CHECKPOINT checkpoint = NULL;
        int bytes = 6 * nz_dtype_get(types[i].dtype)->bits / 8;
        snprintf(
            header, sizeof header,
            "{\"__metadata__\":{\"format\":\"pt\"},\"pad\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
            "\"a.b\":{\"dtype\":\"%s\",\"shape\":[2,3],\"data_offsets\":[3,%d]}}",
            types[i].name, 3 + bytes);
        nz_assert_ok(open_safetensors(&checkpoint, header, (size_t)bytes + 3));
        const char *name = NULL;
        const nz_tensor *tensor = nz_checkpoint_tensor(checkpoint, 1, &name);
        assert_string_equal(name, "a.b");
        assert_string_equal(nz_checkpoint_describe(checkpoint), "safetensors");
        assert_int_equal(tensor->dtype, types[i].dtype);
        assert_true(nz_shape_equal(&tensor->shape, &(nz_shape){2, {2, 3}}));
        for (int k = 0; k < bytes; k++) assert_int_equal(((uint8_t *)tensor->data)[k], k + 3);
    }
}

static void safetensors_that_lie_are_refused(void **state) {
    (void)state;
#define ENTRY(type, shape, offsets) "{\"a\":{\"dtype\":\"" type "\",\"shape\":" shape ",\"data_offsets\":" offsets "}}"
    static const struct {
        const char *header, *part;
        nz_status status;
    } cases[] = {
        {"{}", "without a single tensor", NZ_E_FORMAT},
        {"{\"__metadata__\":{}}", "without a single tensor", NZ_E_FORMAT},
        {"{\"a\":1}", "has no dtype", NZ_E_FORMAT},
        {"{\"a\":", "safetensors header, line 1", NZ_E_FORMAT},
        {"{\"a\":{},\"a\":{}}", "duplicate", NZ_E_FORMAT},
        {ENTRY("C64", "[1]", "[0,8]"), "'a' is of type C64", NZ_E_UNSUPPORTED},
        {ENTRY("F32", "4", "[0,16]"), "'a' has no shape", NZ_E_FORMAT},
        {ENTRY("F32", "[-1]", "[0,16]"), "an extent that is no whole number", NZ_E_FORMAT},
        {ENTRY("F32", "[1.5]", "[0,16]"), "an extent that is no whole number", NZ_E_FORMAT},
        {ENTRY("F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]"), "9 dimensions", NZ_E_UNSUPPORTED},
        {ENTRY("F32", "[4611686018427387904,4]", "[0,16]"), "more elements than can be", NZ_E_FORMAT},
        {ENTRY("F32", "[9223372036854775807]", "[0,16]"), "more elements than can be", NZ_E_FORMAT},
        {ENTRY("F32", "[4]", "[0,12]"), "needs 16 bytes by its type and shape, but has 12", NZ_E_FORMAT},
        {ENTRY("F32", "[4]", "[8,24]"), "lies outside the file's 16 bytes", NZ_E_FORMAT},
        {ENTRY("F32", "[4]", "[16,0]"), "lies outside", NZ_E_FORMAT},
        {ENTRY("F32", "[4]", "[-16,0]"), "lies outside", NZ_E_FORMAT},
        {ENTRY("F32", "[4]", "[0,16,32]"), "lies outside", NZ_E_FORMAT},
        {ENTRY("F32", "[4]", "\"0\""), "lies outside", NZ_E_FORMAT},
        {"{\"a\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]},"
         "\"b\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[4,12]}}",
         "two tensors share bytes 4 to 8", NZ_E_FORMAT},
        {"{\"\":{\"dtype\":\"U8\",\"shape\":[8],\"data_offsets\":[0,8]}}", "name is empty", NZ_E_FORMAT},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        nz_checkpoint *none = NULL;
        nz_assert_fails(open_safetensors(&none, cases[i].header, 16), cases[i].status, cases[i].part);
        assert_non_null(strstr(nz_last_error(), "t.safetensors: "));
    }
    nz_checkpoint *none = NULL;
    uint8_t large[32] = {0, 0, 0, 8, 0, 0, 0, 0, '{'};
    nz_assert_fails(nz_checkpoint_open_bytes(&none, large, sizeof large, NULL, "t"), NZ_E_FORMAT, "is it cut off?");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_dictionary),
        cmocka_unit_test(the_usual_keys),
        cmocka_unit_test(what_an_optimiser_keeps_is_passed_over),
        cmocka_unit_test(nested_dictionaries_become_dotted_names),
        cmocka_unit_test(modules_are_flattened),
        cmocka_unit_test(a_module_names_its_classes),
        cmocka_unit_test(prefixes_of_wrappers_are_taken_off),
        cmocka_unit_test(a_name_that_comes_again_counts_last),
        cmocka_unit_test(hostile_objects_stay_inert_beside_tensors),
        cmocka_unit_test(structures_that_hold_themselves_end),
        cmocka_unit_test(laughs_are_cut_short),
        cmocka_unit_test(what_is_no_tensor_or_no_name_is_refused),
        cmocka_unit_test(safetensors_of_every_type),
        cmocka_unit_test(safetensors_that_lie_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
