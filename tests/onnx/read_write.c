/* SPDX-License-Identifier: Apache-2.0 */
/* What files say arrives in the graph, and what the graph holds is written so that it reads back the same. */
#include <dirent.h>

#include "core/file.h"
#include "graph/build.h"
#include "netzip/onnx.h"
#include "onnx/onnx.h"
#include "onnx/wire.h"
#include "onnx_make.h"

static nz_graph *load(make *m) {
    nz_graph *graph = NULL;
    nz_assert_ok(nz_model_load(&graph, make_file(m, "model.onnx")));
    return graph;
}

static const nz_tensor *constant(const nz_graph *graph, const char *name) {
    int value = nz_graph_find_value(graph, name);
    if (!nz_value_is_constant(graph, value)) fail_msg("'%s' is no constant", name);
    return &graph->values[value].constant;
}

static size_t encode(uint8_t *to, nz_wire_type type, uint64_t bits) {
    size_t count = 0;
    if (type != NZ_WIRE_VARINT) {
        count = type == NZ_WIRE_FIXED32 ? 4 : 8;
        memcpy(to, &bits, count);
        return count;
    }
    for (; bits > 0x7f; bits >>= 7) to[count++] = (uint8_t)(bits | 0x80);
    to[count++] = (uint8_t)bits;
    return count;
}

/* Two times the number 1 in the field where a type keeps them, packed or one by one. */
static void typed_data_of_every_type_is_read(void **state) {
    (void)state;
    static const struct {
        nz_dtype dtype;
        uint32_t field;
        uint64_t bits; /* of the number 1 as the field stores it */
    } cases[] = {
        {NZ_F32, TENSOR_FLOATS, 0x3f800000},
        {NZ_F64, TENSOR_DOUBLES, 0x3ff0000000000000},
        {NZ_I8, TENSOR_INT32S, 1},
        {NZ_U8, TENSOR_INT32S, 1},
        {NZ_I16, TENSOR_INT32S, 1},
        {NZ_U16, TENSOR_INT32S, 1},
        {NZ_I32, TENSOR_INT32S, 1},
        {NZ_BOOL, TENSOR_INT32S, 1},
        {NZ_F16, TENSOR_INT32S, 0x3c00},
        {NZ_BF16, TENSOR_INT32S, 0x3f80},
        {NZ_F8E4M3FN, TENSOR_INT32S, 0x38},
        {NZ_F8E5M2, TENSOR_INT32S, 0x3c},
        {NZ_F8E4M3FNUZ, TENSOR_INT32S, 0x40},
        {NZ_F8E5M2FNUZ, TENSOR_INT32S, 0x40},
        {NZ_I64, TENSOR_INT64S, 1},
        {NZ_U32, TENSOR_UINT64S, 1},
        {NZ_U64, TENSOR_UINT64S, 1},
        {NZ_I4, TENSOR_INT32S, 0x11},
        {NZ_U4, TENSOR_INT32S, 0x11},
    };
    make m = {0};
    make_good(&m);
    for (size_t i = 0; i < 2 * NZ_COUNT(cases); i++) {
        nz_dtype dtype = cases[i / 2].dtype;
        bool packed = i % 2;
        nz_wire_type type = dtype == NZ_F32 ? NZ_WIRE_FIXED32 : dtype == NZ_F64 ? NZ_WIRE_FIXED64 : NZ_WIRE_VARINT;
        char name[32];
        uint8_t bytes[64];
        size_t count = 0;
        nz_put t = {0};
        snprintf(name, sizeof name, "%s%d", nz_dtype_get(dtype)->name, packed);
        nz_put_int(&t, TENSOR_DIMS, 2);
        nz_put_int(&t, TENSOR_DTYPE, dtype);
        nz_put_string(&t, TENSOR_NAME, name);
        for (int e = 0; e < (nz_dtype_get(dtype)->bits < 8 ? 1 : 2); e++) {
            if (!packed) bytes[count++] = (uint8_t)(cases[i / 2].field << 3 | type);
            count += encode(bytes + count, type, cases[i / 2].bits);
        }
        if (packed)
            nz_put_bytes(&t, cases[i / 2].field, bytes, count);
        else
            nz_put_encoded(&t, bytes, count);
        nz_put_message(&m.graph, GRAPH_INITIALIZER, &t);
    }
    NZ_AUTO_GRAPH nz_graph *graph = load(&m);
    for (size_t i = 0; i < 2 * NZ_COUNT(cases); i++) {
        char name[32];
        snprintf(name, sizeof name, "%s%d", nz_dtype_get(cases[i / 2].dtype)->name, (int)(i % 2));
        const nz_tensor *t = constant(graph, name);
        assert_int_equal(t->dtype, cases[i / 2].dtype);
        for (int e = 0; e < 2; e++)
            if (nz_tensor_real(t, e) != 1.0) fail_msg("%s[%d] is %g", name, e, nz_tensor_real(t, e));
    }
}

static void constant_nodes_become_constants(void **state) {
    (void)state;
    make m = {0};
    nz_put t = {0}, a = {0}, attributes = {0};
    make_header(&m);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 1, (int64_t[]){2});
    make_tensor(&a, ATTR_TENSOR, "", NZ_U8, 1, (int64_t[]){3}, 3);
    nz_put_string(&a, ATTR_NAME, "value");
    nz_put_message(&attributes, NODE_ATTRIBUTE, &a);
    make_node(&m, "Constant", "", "tensor", &attributes);
    nz_put_string(&a, ATTR_NAME, "value_float");
    nz_put_float(&a, ATTR_FLOAT, 0.5f);
    nz_put_int(&a, ATTR_TYPE, NZ_ATTR_FLOAT);
    nz_put_message(&attributes, NODE_ATTRIBUTE, &a);
    make_node(&m, "Constant", "", "real", &attributes);
    nz_put_string(&a, ATTR_NAME, "value_ints");
    nz_put_bytes(&a, ATTR_INTS, "\x05\x06\x07", 3);
    nz_put_int(&a, ATTR_TYPE, NZ_ATTR_INTS);
    nz_put_message(&attributes, NODE_ATTRIBUTE, &a);
    make_node(&m, "Constant", "", "ints", &attributes);
    make_attr_int(&attributes, "value_int", -9);
    make_node(&m, "Constant", "", "int", &attributes);
    make_node(&m, "Relu", "x", "y", NULL);
    make_output(&m, "y");
    nz_put_done(&t);
    NZ_AUTO_GRAPH nz_graph *graph = load(&m);
    assert_int_equal(graph->node_count, 1);
    assert_int_equal(constant(graph, "tensor")->dtype, NZ_U8);
    assert_int_equal(constant(graph, "tensor")->shape.dim[0], 3);
    nz_assert_near(nz_tensor_real(constant(graph, "real"), 0), 0.5, 0, 0);
    assert_int_equal(constant(graph, "real")->shape.rank, 0);
    assert_int_equal(constant(graph, "ints")->shape.dim[0], 3);
    assert_int_equal(nz_tensor_int(constant(graph, "ints"), 2), 7);
    assert_int_equal(nz_tensor_int(constant(graph, "int"), 0), -9);
}

static void initializers_among_the_inputs_are_no_inputs(void **state) {
    (void)state;
    make m = {0};
    make_good(&m);
    make_initializer(&m, "w", NZ_F32, 4, 16);
    make_value(&m, GRAPH_INPUT, "w", NZ_F32, 1, (int64_t[]){4});
    NZ_AUTO_GRAPH nz_graph *graph = load(&m);
    assert_int_equal(graph->input_count, 1);
    assert_string_equal(graph->values[graph->inputs[0]].name, "x");
    assert_string_equal(graph->values[graph->inputs[0]].dim_names[0], "N");
    assert_int_equal(graph->values[graph->inputs[0]].shape.dim[0], -1);
    assert_int_equal(graph->values[graph->outputs[0]].shape.dim[1], 4); /* inferred */
}

static void nodes_in_any_order_are_sorted(void **state) {
    (void)state;
    make m = {0};
    make_header(&m);
    make_node(&m, "Neg", "b", "y", NULL);
    make_node(&m, "Abs", "a", "b", NULL);
    make_node(&m, "Relu", "x", "a", NULL);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 1, (int64_t[]){2});
    make_output(&m, "y");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m);
    assert_true(graph->sorted_on_read);
    assert_string_equal(graph->nodes[0].op_type, "Relu");
    assert_string_equal(graph->nodes[2].op_type, "Neg");
}

static void optional_inputs_keep_their_places(void **state) {
    (void)state;
    make m = {0};
    make_good(&m);
    make_initializer(&m, "most", NZ_F32, 1, 4);
    make_node(&m, "Clip", "x - most", "z", NULL);
    NZ_AUTO_GRAPH nz_graph *graph = load(&m);
    assert_int_equal(graph->nodes[1].input_count, 3);
    assert_int_equal(graph->nodes[1].inputs[1], NZ_NO_VALUE);
    assert_string_equal(graph->values[graph->nodes[1].inputs[2]].name, "most");
}

static char *bytes_of(const char *path, size_t *ret_count) {
    char *bytes = NULL;
    nz_assert_ok(nz_file_read(&bytes, ret_count, path, 64 << 20));
    return bytes;
}

/* Saves, loads and saves again: both files must be the same byte for byte, so that nothing is lost or drifts. */
static void assert_stable(const nz_graph *graph, const char *what) {
    char first[600], second[600];
    snprintf(first, sizeof first, "%s", nz_test_file("first.onnx"));
    snprintf(second, sizeof second, "%s", nz_test_file("second.onnx"));
    NZ_AUTO_GRAPH nz_graph *again = NULL;
    nz_status status = nz_model_save(graph, first);
    if (status == NZ_OK) status = nz_model_load(&again, first);
    if (status == NZ_OK) status = nz_model_save(again, second);
    if (status != NZ_OK) fail_msg("%s: %s", what, nz_last_error());
    size_t a = 0, b = 0;
    NZ_AUTO_FREE char *one = bytes_of(first, &a), *two = bytes_of(second, &b);
    if (a != b || memcmp(one, two, a)) fail_msg("%s: %zu bytes become %zu others", what, a, b);
    assert_int_equal(graph->node_count, again->node_count);
    assert_int_equal(graph->value_count, again->value_count);
    for (size_t v = 0; v < graph->value_count; v++) {
        const nz_value *x = &graph->values[v];
        const nz_tensor *t = x->constant.data ? constant(again, x->name) : NULL;
        if (t && (t->bytes != x->constant.bytes || t->dtype != x->dtype || memcmp(t->data, x->constant.data, t->bytes)))
            fail_msg("%s: constant '%s' changed", what, x->name);
    }
}

static void what_is_not_known_is_kept(void **state) {
    (void)state;
    make m = {0};
    nz_put n = {0};
    make_header(&m);
    make_opset(&m, "com.example", 3);
    nz_put_string(&m.model, 999, "of the model");
    nz_put_string(&m.graph, 998, "of the graph");
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 1, (int64_t[]){2});
    nz_put_string(&n, NODE_INPUT, "x");
    nz_put_string(&n, NODE_OUTPUT, "y");
    nz_put_string(&n, NODE_OP_TYPE, "Special");
    nz_put_string(&n, NODE_DOMAIN, "com.example");
    nz_put_string(&n, 997, "of the node");
    nz_put_message(&m.graph, GRAPH_NODE, &n);
    make_output(&m, "y");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m);
    assert_non_null(graph->nodes[0].unsupported);
    assert_stable(graph, "unknown fields");
    size_t count = 0;
    NZ_AUTO_FREE char *bytes = bytes_of(nz_test_file("first.onnx"), &count);
    assert_non_null(memmem(bytes, count, "of the model", 12));
    assert_non_null(memmem(bytes, count, "of the graph", 12));
    assert_non_null(memmem(bytes, count, "of the node", 11));
    assert_non_null(memmem(bytes, count, "com.example", 11));
}

/* A graph inside an attribute reads `t`, which nothing else does. */
static void values_that_inner_graphs_read_are_kept(void **state) {
    (void)state;
    make m = {0};
    nz_put inner = {0}, g = {0}, a = {0}, attributes = {0};
    make_names(&inner, NODE_INPUT, "t elsewhere");
    nz_put_message(&g, GRAPH_NODE, &inner);
    nz_put_string(&a, ATTR_NAME, "then_branch");
    nz_put_message(&a, ATTR_GRAPH, &g);
    nz_put_int(&a, ATTR_TYPE, NZ_ATTR_GRAPH);
    nz_put_message(&attributes, NODE_ATTRIBUTE, &a);
    make_good(&m);
    make_node(&m, "If", "x", "z", &attributes);
    make_node(&m, "Abs", "x", "t", NULL);
    make_output(&m, "z");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m);
    assert_true(graph->sorted_on_read);
    nz_assert_ok(nz_graph_finish(graph));
    assert_int_equal(graph->node_count, 3);
    assert_int_equal(nz_graph_consumers(graph, nz_graph_find_value(graph, "t"), NULL), 1);
    assert_stable(graph, "an inner graph");
}

static void large_models_keep_their_weights_beside_them(void **state) {
    (void)state;
    make m = {0};
    make_good(&m);
    make_initializer(&m, "large", NZ_F32, 900, 3600);
    make_initializer(&m, "second", NZ_F32, 500, 2000);
    make_initializer(&m, "small", NZ_F32, 2, 8);
    NZ_AUTO_GRAPH nz_graph *graph = load(&m), *again = NULL;
    ((float *)constant(graph, "second")->data)[499] = 42.0f; /* a copy: the file does not align it */
    const char *path = nz_test_file("beside.onnx");
    nz_assert_ok(nz_onnx_write(graph, path, 13, 1000));
    assert_true(nz_file_exists(nz_test_file("beside.onnx.data")));
    nz_assert_ok(nz_model_load(&again, path));
    nz_assert_near(nz_tensor_real(constant(again, "second"), 499), 42, 0, 0);
    assert_memory_equal(constant(again, "large")->data, constant(graph, "large")->data, 3600);
    assert_int_equal((uintptr_t)constant(again, "large")->data % 4096, 0);
    uint64_t bytes = 0;
    size_t inside = 0, beside = 0;
    free(bytes_of(path, &inside));
    free(bytes_of(nz_test_file("beside.onnx.data"), &beside));
    nz_assert_ok(nz_model_disk_bytes(&bytes, path));
    assert_int_equal(bytes, inside + beside);
    char sha256[65], changed[65];
    nz_assert_ok(nz_model_sha256(sha256, path));
    ((float *)constant(graph, "second")->data)[499] = 43.0f;
    nz_assert_ok(nz_onnx_write(graph, path, 13, 1000));
    nz_assert_ok(nz_model_sha256(changed, path)); /* the file itself is as it was */
    assert_string_not_equal(sha256, changed);
    assert_true(inside < 1000);
}

static void weights_stay_in_the_mapped_file(void **state) {
    (void)state;
    enum { ELEMENTS = 20000 };
    static float numbers[ELEMENTS];
    make m = {0};
    make_good(&m);
    for (int shift = 0; shift < 4; shift++) { /* names of growing length move the data to every alignment */
        nz_put t = {0};
        char name[] = "wwww";
        name[shift] = '\0';
        for (int i = 0; i < ELEMENTS; i++) numbers[i] = (float)(i + shift);
        nz_put_int(&t, TENSOR_DIMS, ELEMENTS);
        nz_put_int(&t, TENSOR_DTYPE, NZ_F32);
        nz_put_string(&t, TENSOR_NAME, shift ? name : "v");
        nz_put_bytes(&t, TENSOR_RAW, numbers, sizeof numbers);
        nz_put_message(&m.graph, GRAPH_INITIALIZER, &t);
    }
    const char *path = make_file(&m, "mapped.onnx");
    NZ_AUTO_GRAPH nz_graph *in_place = NULL, *aligned = NULL;
    nz_assert_ok(nz_model_load_in_place(&in_place, path));
    nz_assert_ok(nz_model_load(&aligned, path));
    const struct nz_buffer *file = NULL;
    int moved = 0;
    for (size_t v = 0; v < in_place->value_count; v++) {
        const nz_tensor *a = &in_place->values[v].constant, *b = &aligned->values[v].constant;
        if (!a->data) continue;
        if (!file) file = a->owner;
        assert_ptr_equal(a->owner, file);
        assert_int_equal((uintptr_t)b->data % sizeof(float), 0);
        moved += (uintptr_t)a->data % sizeof(float) != 0;
        for (int64_t i = 0; i < ELEMENTS; i += 997) assert_true(nz_tensor_real(a, i) == nz_tensor_real(b, i));
    }
    assert_true(moved > 0);
}

static void every_shared_model_survives_a_round_trip(void **state) {
    (void)state;
    static const char *const names[] = {
        "mlperftiny_resnet8_cifar10", "mlperftiny_vww96_mobilenetv1", "mnist-8",     "resnet20_cifar10",
        "resnet56_cifar10",           "squeezenet1.0_deepcompressed", "yolov5n_640", "yolox_nano"};
    for (size_t i = 0; i < NZ_COUNT(names); i++) {
        char name[96];
        NZ_AUTO_GRAPH nz_graph *graph = NULL;
        snprintf(name, sizeof name, "models/%s.onnx", names[i]);
        nz_assert_ok(nz_model_load(&graph, nz_test_shared(name)));
        for (size_t n = 0; n < graph->node_count; n++)
            if (graph->nodes[n].unsupported) fail_msg("%s: %s", names[i], graph->nodes[n].unsupported);
        assert_stable(graph, names[i]);
    }
}

static void every_operator_case_survives_a_round_trip(void **state) {
    (void)state;
    const char *root = nz_test_data("onnx-node-tests");
    DIR *folder = opendir(root);
    assert_non_null(folder);
    int count = 0, refused = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[4500];
        NZ_AUTO_GRAPH nz_graph *graph = NULL;
        snprintf(path, sizeof path, "%s/%s/model.onnx", root, entry->d_name);
        if (*entry->d_name == '.' || access(path, R_OK) != 0) continue;
        nz_assert_ok(nz_model_load(&graph, path));
        /* Each file that is written waits for the disk: one case in eight unless all are asked for. */
        if (count++ % 8 && !nz_test_long()) continue;
        NZ_AUTO_FREE char *copy = strdup(nz_test_file("first.onnx"));
        if (nz_model_save(graph, copy) == NZ_OK)
            assert_stable(graph, entry->d_name);
        else if (strstr(nz_last_error(), "cannot be written in one opset"))
            refused++;
        else
            fail_msg("%s: %s", entry->d_name, nz_last_error());
    }
    closedir(folder);
    assert_true(count > 1000);
    assert_in_range(refused, 0, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_data_of_every_type_is_read),
        cmocka_unit_test(constant_nodes_become_constants),
        cmocka_unit_test(initializers_among_the_inputs_are_no_inputs),
        cmocka_unit_test(nodes_in_any_order_are_sorted),
        cmocka_unit_test(optional_inputs_keep_their_places),
        cmocka_unit_test(what_is_not_known_is_kept),
        cmocka_unit_test(values_that_inner_graphs_read_are_kept),
        cmocka_unit_test(large_models_keep_their_weights_beside_them),
        cmocka_unit_test(weights_stay_in_the_mapped_file),
        cmocka_unit_test(every_shared_model_survives_a_round_trip),
        cmocka_unit_test(every_operator_case_survives_a_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
