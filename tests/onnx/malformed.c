/* SPDX-License-Identifier: Apache-2.0 */
/* Broken and hostile model files: each gets one line that says what is wrong with it. */
#include <sys/stat.h>

#include "core/file.h"
#include "netzip/onnx.h"
#include "netzip/pass.h"
#include "onnx/onnx.h"
#include "onnx_make.h"

typedef struct broken {
    const char *what;
    void (*make)(make *m);
    nz_status status;
    const char *part; /* of the message */
} broken;

static void raw(make *m, const char *bytes, size_t count) { nz_put_encoded(&m->model, bytes, count); }

static void empty(make *m) { (void)m; }
static void text(make *m) { raw(m, "This is a letter, not a model.\n", 31); }
static void length_beyond_end(make *m) { raw(m, "\x3a\x7f\x01", 3); }
static void length_of_63_bits(make *m) { raw(m, "\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10); }
static void endless_number(make *m) { raw(m, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 13); }
static void cut_number(make *m) { raw(m, "\x08\xff\xff", 3); }
static void field_zero(make *m) { raw(m, "\x02\x01\x00", 3); }
static void group_wire_type(make *m) { raw(m, "\x3b\x3c", 2); }
static void graph_is_number(make *m) { nz_put_int(&m->model, MODEL_GRAPH, 5); }
static void ir_version_is_text(make *m) { nz_put_string(&m->model, MODEL_IR_VERSION, "8"); }
static void no_graph(make *m) { make_header(m); }

static void two_graphs(make *m) {
    nz_put g = {0};
    make_good(m);
    nz_put_message(&m->model, MODEL_GRAPH, &g);
}

static void opset_29(make *m) { make_opset(m, "", 29); }
static void opset_0(make *m) { make_opset(m, "", 0); }

static void opset_twice(make *m) {
    make_good(m);
    make_opset(m, "ai.onnx", 13);
}

static void no_opset(make *m) {
    nz_put_int(&m->model, MODEL_IR_VERSION, 8);
    make_node(m, "Relu", "x", "y", NULL);
}

static void metadata_twice(make *m) {
    make_good(m);
    for (int i = 0; i < 2; i++) {
        nz_put e = {0};
        nz_put_string(&e, ENTRY_KEY, "key");
        nz_put_message(&m->model, MODEL_METADATA, &e);
    }
}

static void functions(make *m) {
    make_good(m);
    nz_put_string(&m->model, MODEL_FUNCTIONS, "");
}

static void sparse(make *m) {
    make_good(m);
    nz_put_string(&m->graph, GRAPH_SPARSE_INITIALIZER, "");
}

static void with_tensor(make *m, int64_t dtype, int rank, const int64_t *dims, size_t bytes) {
    make_good(m);
    make_tensor(&m->graph, GRAPH_INITIALIZER, "w", dtype, rank, dims, bytes);
}
static void negative_extent(make *m) { with_tensor(m, NZ_F32, 1, (int64_t[]){-2}, 8); }
static void extents_overflow(make *m) { with_tensor(m, NZ_F32, 3, (int64_t[]){INT64_MAX, INT64_MAX, 2}, 8); }
static void bytes_overflow(make *m) { with_tensor(m, NZ_F64, 1, (int64_t[]){INT64_C(1) << 61}, 8); }
static void terabyte(make *m) { with_tensor(m, NZ_F32, 2, (int64_t[]){1 << 20, 1 << 20}, 8); }
static void terabyte_without_data(make *m) { with_tensor(m, NZ_F32, 2, (int64_t[]){1 << 20, 1 << 20}, 0); }
static void one_byte_more(make *m) { with_tensor(m, NZ_F32, 1, (int64_t[]){2}, 9); }
static void rank_9(make *m) { with_tensor(m, NZ_F32, 9, (int64_t[]){1, 1, 1, 1, 1, 1, 1, 1, 1}, 4); }
static void strings(make *m) { with_tensor(m, NZ_STRING, 1, (int64_t[]){1}, 0); }
static void type_99(make *m) { with_tensor(m, 99, 1, (int64_t[]){1}, 4); }
static void no_type(make *m) { with_tensor(m, 0, 1, (int64_t[]){1}, 4); }

static void with_typed_data(make *m, int64_t extent) {
    nz_put t = {0};
    make_good(m);
    nz_put_int(&t, TENSOR_DIMS, extent);
    nz_put_int(&t, TENSOR_DTYPE, NZ_F32);
    nz_put_string(&t, TENSOR_NAME, "w");
    for (int i = 0; i < 3; i++) nz_put_float(&t, TENSOR_FLOATS, 1.0f);
    nz_put_message(&m->graph, GRAPH_INITIALIZER, &t);
}
static void too_few_numbers(make *m) { with_typed_data(m, 4); }
static void too_many_numbers(make *m) { with_typed_data(m, 2); }

static void with_tensor_field(make *m, uint32_t field, int64_t value) {
    nz_put t = {0};
    make_good(m);
    nz_put_int(&t, TENSOR_DIMS, 1);
    nz_put_int(&t, TENSOR_DTYPE, NZ_F32);
    nz_put_string(&t, TENSOR_NAME, "w");
    nz_put_int(&t, field, value);
    nz_put_message(&m->graph, GRAPH_INITIALIZER, &t);
}
static void location_7(make *m) { with_tensor_field(m, TENSOR_LOCATION, 7); }
static void segments(make *m) { with_tensor_field(m, TENSOR_SEGMENT, 1); }
static void raw_is_number(make *m) { with_tensor_field(m, TENSOR_RAW, 1); }
static void external_without_location(make *m) { with_tensor_field(m, TENSOR_LOCATION, 1); }

static void initializer_twice(make *m) {
    make_good(m);
    make_initializer(m, "w", NZ_F32, 1, 4);
    make_initializer(m, "w", NZ_F32, 1, 4);
}

static void initializer_without_name(make *m) {
    make_good(m);
    make_initializer(m, "", NZ_F32, 1, 4);
}

static void name_with_zero_byte(make *m) {
    nz_put n = {0};
    make_good(m);
    nz_put_bytes(&n, NODE_OP_TYPE, "Re\0lu", 5);
    nz_put_message(&m->graph, GRAPH_NODE, &n);
}

static void input_twice(make *m) {
    make_good(m);
    make_value(m, GRAPH_INPUT, "x", NZ_F32, 0, NULL);
}

static void input_without_name(make *m) {
    make_good(m);
    make_value(m, GRAPH_INPUT, "", NZ_F32, 0, NULL);
}

static void value_made_twice(make *m) {
    make_good(m);
    make_node(m, "Relu", "x", "y", NULL);
}

static void output_overwrites_input(make *m) {
    make_good(m);
    make_node(m, "Relu", "y", "x", NULL);
}

static void reads_nothing_known(make *m) {
    make_good(m);
    make_node(m, "Add", "x ghost", "z", NULL);
}

static void output_of_nobody(make *m) {
    make_good(m);
    make_output(m, "ghost");
}

static void output_twice(make *m) {
    make_good(m);
    make_output(m, "y");
}

static void no_outputs(make *m) {
    make_header(m);
    make_node(m, "Relu", "x", "y", NULL);
    make_value(m, GRAPH_INPUT, "x", NZ_F32, 0, NULL);
}

static void cycle(make *m) {
    make_good(m);
    make_node(m, "Add", "x b", "a", NULL);
    make_node(m, "Relu", "a", "b", NULL);
}

static void own_output(make *m) {
    make_good(m);
    make_node(m, "Add", "x a", "a", NULL);
}

static void no_op_type(make *m) {
    nz_put n = {0};
    make_good(m);
    nz_put_string(&n, NODE_NAME, "lonely");
    nz_put_message(&m->graph, GRAPH_NODE, &n);
}

static void attribute_twice(make *m) {
    nz_put a = {0};
    make_good(m);
    make_attr_int(&a, "axis", 0);
    make_attr_int(&a, "axis", 1);
    make_node(m, "Softmax", "x", "z", &a);
}

static void attribute_without_name(make *m) {
    nz_put a = {0};
    make_good(m);
    make_attr_int(&a, "", 0);
    make_node(m, "Softmax", "x", "z", &a);
}

static void attribute_without_tensor(make *m) {
    nz_put a = {0}, attributes = {0};
    make_good(m);
    nz_put_string(&a, ATTR_NAME, "value");
    nz_put_int(&a, ATTR_TYPE, NZ_ATTR_TENSOR);
    nz_put_message(&attributes, NODE_ATTRIBUTE, &a);
    make_node(m, "Constant", "", "z", &attributes);
}

static void negative_input_extent(make *m) {
    make_header(m);
    make_value(m, GRAPH_INPUT, "x", NZ_F32, 2, (int64_t[]){1, -7});
    make_node(m, "Relu", "x", "y", NULL);
    make_output(m, "y");
}

static void input_type_99(make *m) {
    make_header(m);
    make_value(m, GRAPH_INPUT, "x", 99, 0, NULL);
    make_node(m, "Relu", "x", "y", NULL);
    make_output(m, "y");
}

/* A node whose attribute holds a graph whose node's attribute holds a graph ... */
static void nest(make *m, int depth, const char *filling, size_t count) {
    nz_put inner = {0}, attributes = {0};
    nz_put_bytes(&inner, NODE_NAME, filling, count);
    for (int i = 0; i < depth; i++) {
        nz_put g = {0}, a = {0}, n = {0};
        nz_put_message(&g, GRAPH_NODE, &inner);
        nz_put_string(&a, ATTR_NAME, "body");
        nz_put_message(&a, ATTR_GRAPH, &g);
        nz_put_int(&a, ATTR_TYPE, NZ_ATTR_GRAPH);
        nz_put_message(i + 1 < depth ? &n : &attributes, NODE_ATTRIBUTE, &a);
        inner = n;
    }
    make_good(m);
    make_node(m, "If", "x", "z", &attributes);
}
static void graphs_40_deep(make *m) { nest(m, 40, "", 0); }
static void graphs_2000_deep(make *m) { nest(m, 2000, "", 0); }

static const broken all[] = {
    {"an empty file", empty, NZ_E_FORMAT, "is empty"},
    {"a text file", text, NZ_E_FORMAT, "no ONNX model"},
    {"a length past the end", length_beyond_end, NZ_E_FORMAT, "goes past the end"},
    {"a length of 63 bits", length_of_63_bits, NZ_E_FORMAT, "goes past the end"},
    {"a number that does not end", endless_number, NZ_E_FORMAT, "longer than 64 bits"},
    {"a number that is cut off", cut_number, NZ_E_FORMAT, "cut off"},
    {"field number 0", field_zero, NZ_E_FORMAT, "no protobuf field"},
    {"groups", group_wire_type, NZ_E_FORMAT, "wire type 3"},
    {"a graph that is a number", graph_is_number, NZ_E_FORMAT, "the graph has wire type 0"},
    {"a version that is a text", ir_version_is_text, NZ_E_FORMAT, "ir_version has wire type 2"},
    {"no graph", no_graph, NZ_E_FORMAT, "holds no graph"},
    {"two graphs", two_graphs, NZ_E_FORMAT, "second graph"},
    {"opset 29", opset_29, NZ_E_UNSUPPORTED, "opset 29"},
    {"opset 0", opset_0, NZ_E_FORMAT, "opset 0"},
    {"an opset twice", opset_twice, NZ_E_FORMAT, "twice"},
    {"no opset", no_opset, NZ_E_FORMAT, "no opset"},
    {"a metadata key twice", metadata_twice, NZ_E_FORMAT, "'key' twice"},
    {"functions", functions, NZ_E_UNSUPPORTED, "functions"},
    {"sparse initializers", sparse, NZ_E_UNSUPPORTED, "sparse_initializer"},
    {"a negative extent", negative_extent, NZ_E_FORMAT, "negative extent -2"},
    {"extents whose product overflows", extents_overflow, NZ_E_FORMAT, "too large"},
    {"bytes that overflow", bytes_overflow, NZ_E_SHAPE, "too large"},
    {"four terabytes in 8 bytes", terabyte, NZ_E_FORMAT, "8 bytes of data"},
    {"four terabytes in none", terabyte_without_data, NZ_E_FORMAT, "fewer than"},
    {"a byte too many", one_byte_more, NZ_E_FORMAT, "9 bytes of data"},
    {"rank 9", rank_9, NZ_E_UNSUPPORTED, "more than 8 dimensions"},
    {"strings as weights", strings, NZ_E_UNSUPPORTED, "string"},
    {"element type 99", type_99, NZ_E_UNSUPPORTED, "type 99"},
    {"no element type", no_type, NZ_E_FORMAT, "no data_type"},
    {"too few numbers", too_few_numbers, NZ_E_FORMAT, "fewer than the 4"},
    {"too many numbers", too_many_numbers, NZ_E_FORMAT, "3 numbers where its shape asks for 2"},
    {"an unknown data location", location_7, NZ_E_FORMAT, "data_location 7"},
    {"segments", segments, NZ_E_UNSUPPORTED, "segments"},
    {"raw data that is a number", raw_is_number, NZ_E_FORMAT, "raw_data has wire type 0"},
    {"external data of no file", external_without_location, NZ_E_FORMAT, "does not name"},
    {"an initializer twice", initializer_twice, NZ_E_FORMAT, "'w' has the name of another value"},
    {"an initializer without a name", initializer_without_name, NZ_E_FORMAT, "an initializer has no name"},
    {"a name with a zero byte", name_with_zero_byte, NZ_E_FORMAT, "zero byte"},
    {"an input twice", input_twice, NZ_E_FORMAT, "'x' has the name of another value"},
    {"an input without a name", input_without_name, NZ_E_FORMAT, "a graph input has no name"},
    {"a value made twice", value_made_twice, NZ_E_FORMAT, "'y' has the name of another value"},
    {"an output that overwrites an input", output_overwrites_input, NZ_E_FORMAT, "'x' has the name of another value"},
    {"an input that nobody makes", reads_nothing_known, NZ_E_FORMAT, "reads 'ghost'"},
    {"an output that nobody makes", output_of_nobody, NZ_E_FORMAT, "output 'ghost' is made by no node"},
    {"an output twice", output_twice, NZ_E_FORMAT, "output 'y' twice"},
    {"no outputs", no_outputs, NZ_E_FORMAT, "no outputs"},
    {"a cycle", cycle, NZ_E_FORMAT, "cycle"},
    {"a node that reads its own output", own_output, NZ_E_FORMAT, "cycle"},
    {"a node without an operator", no_op_type, NZ_E_FORMAT, "'lonely' (?): has no op_type"},
    {"an attribute twice", attribute_twice, NZ_E_FORMAT, "'axis' is given twice"},
    {"an attribute without a name", attribute_without_name, NZ_E_FORMAT, "attribute has no name"},
    {"a tensor attribute without a tensor", attribute_without_tensor, NZ_E_FORMAT, "has none"},
    {"a negative extent of an input", negative_input_extent, NZ_E_FORMAT, "extent -7 is negative"},
    {"an input of type 99", input_type_99, NZ_E_UNSUPPORTED, "element type number 99"},
    {"graphs nested 40 deep", graphs_40_deep, NZ_E_FORMAT, "nested more than 32"},
    {"graphs nested 2000 deep", graphs_2000_deep, NZ_E_FORMAT, "nested more than 32"},
};

static void expect(const char *path, const char *what, nz_status expected, const char *part) {
    nz_graph *graph = NULL;
    nz_status status = nz_model_load(&graph, path);
    const char *message = nz_last_error();
    if (status != expected)
        fail_msg("%s: %s instead of %s (%s)", what, nz_status_name(status), nz_status_name(expected), message);
    if (graph) fail_msg("%s: the output was touched", what);
    if (!strstr(message, path) || !strstr(message, part))
        fail_msg("%s: the message '%s' lacks '%s'", what, message, part);
    if (strchr(message, '\n')) fail_msg("%s: the message has more than one line", what);
}

static void every_broken_file_gets_its_line(void **state) {
    (void)state;
    for (size_t i = 0; i < NZ_COUNT(all); i++) {
        make m = {0};
        all[i].make(&m);
        expect(make_file(&m, "broken.onnx"), all[i].what, all[i].status, all[i].part);
    }
}

/* One external tensor of 4 bytes. */
static const char *with_external(const char *location, const char *offset, const char *length) {
    make m = {0};
    nz_put t = {0};
    const char *const keys[] = {"location", "offset", "length"}, *const values[] = {location, offset, length};
    make_good(&m);
    nz_put_int(&t, TENSOR_DIMS, 1);
    nz_put_int(&t, TENSOR_DTYPE, NZ_F32);
    nz_put_string(&t, TENSOR_NAME, "w");
    nz_put_int(&t, TENSOR_LOCATION, 1);
    for (size_t i = 0; i < NZ_COUNT(keys); i++) {
        nz_put e = {0};
        nz_put_string(&e, ENTRY_KEY, keys[i]);
        nz_put_string(&e, ENTRY_VALUE, values[i]);
        if (values[i])
            nz_put_message(&t, TENSOR_EXTERNAL, &e);
        else
            nz_put_done(&e);
    }
    nz_put_message(&m.graph, GRAPH_INITIALIZER, &t);
    return make_file(&m, "inside/external.onnx");
}

static void external_data_stays_in_its_folder_and_file(void **state) {
    (void)state;
    nz_assert_ok(nz_dir_make(nz_test_file("inside")));
    nz_assert_ok(nz_file_write(nz_test_file("outside.bin"), "12345678", 8));
    nz_assert_ok(nz_file_write(nz_test_file("inside/data.bin"), "12345678", 8));
    assert_int_equal(symlink("../outside.bin", nz_test_file("inside/link.bin")), 0);
    assert_int_equal(symlink("..", nz_test_file("inside/up")), 0);
    static const struct {
        const char *location, *offset, *length;
        nz_status status;
        const char *part;
    } cases[] = {
        {"/etc/passwd", NULL, NULL, NZ_E_FORMAT, "out of the model's folder"},
        {"../outside.bin", NULL, NULL, NZ_E_FORMAT, "out of the model's folder"},
        {"a/../../outside.bin", NULL, NULL, NZ_E_FORMAT, "out of the model's folder"},
        {"..", NULL, NULL, NZ_E_FORMAT, "out of the model's folder"},
        {"", NULL, NULL, NZ_E_FORMAT, "out of the model's folder"},
        {"link.bin", NULL, NULL, NZ_E_FORMAT, "through a symbolic link"},
        {"up/outside.bin", NULL, NULL, NZ_E_FORMAT, "through a symbolic link"},
        {"absent.bin", NULL, NULL, NZ_E_IO, "absent.bin"},
        {".", NULL, NULL, NZ_E_FORMAT, "out of the model's folder"},
        {"data.bin", "8", "4", NZ_E_FORMAT, "has 8 bytes"},
        {"data.bin", "5", NULL, NZ_E_FORMAT, "has 8 bytes"},
        {"data.bin", "9223372036854775807", "4", NZ_E_FORMAT, "has 8 bytes"},
        {"data.bin", "4", "9223372036854775807", NZ_E_FORMAT, "has 8 bytes"},
        {"data.bin", "-4", "4", NZ_E_FORMAT, "offset '-4'"},
        {"data.bin", "four", "4", NZ_E_FORMAT, "offset 'four'"},
        {"data.bin", "99999999999999999999", "4", NZ_E_FORMAT, "offset '99999999999999999999'"},
        {"data.bin", "0", "3", NZ_E_FORMAT, "3 bytes in 'data.bin'"},
        {"data.bin", "0", "0", NZ_E_FORMAT, "0 bytes in 'data.bin'"},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++)
        expect(with_external(cases[i].location, cases[i].offset, cases[i].length), cases[i].location, cases[i].status,
               cases[i].part);
    nz_graph *graph = NULL;
    nz_assert_ok(nz_model_load(&graph, with_external("data.bin", "4", "4")));
    int w = nz_graph_find_value(graph, "w");
    assert_memory_equal(graph->values[w].constant.data, "5678", 4);
    nz_graph_free(graph);
}

/* A model with a little of everything, cut off at every byte: it must load or be refused, nothing else. */
static void a_file_cut_off_anywhere_is_refused_or_whole(void **state) {
    (void)state;
    make m = {0};
    nz_put a = {0};
    make_good(&m);
    make_initializer(&m, "w", NZ_F32, 4, 16);
    make_attr_int(&a, "axis", 1);
    make_node(&m, "Softmax", "x", "s", &a);
    make_node(&m, "Add", "x w", "z", NULL);
    char *bytes = NULL;
    size_t count = 0, refused = 0;
    nz_assert_ok(nz_file_read(&bytes, &count, make_file(&m, "whole.onnx"), 1 << 20));
    for (size_t cut = 0; cut < count; cut++) {
        nz_graph *graph = NULL;
        nz_buffer *buffer = NULL;
        nz_assert_ok(nz_buffer_alloc(&buffer, cut)); /* of this size exactly, so that reading past its end is seen */
        memcpy(nz_buffer_data(buffer), bytes, cut);
        if (nz_onnx_parse(&graph, buffer, "cut.onnx", cut % 2) != NZ_OK) refused++;
        nz_graph_free(graph);
        nz_buffer_unref(buffer);
    }
    /* Only a cut between the model's own fields leaves a model, and the graph comes last. */
    assert_int_equal(refused, count);
    free(bytes);
}

/* Bytes of length-delimited fields inside each other, 700 kB of them: nothing that reads them may recurse. */
static void deep_nesting_costs_no_stack(void **state) {
    (void)state;
    enum { LEVELS = 140000 };
    make m = {0};
    make_good(&m);
    char *bytes = NULL;
    nz_assert_ok(nz_alloc(&bytes, LEVELS, 5));
    /* From the inside out: each level is a tag and a length of four bytes that covers the levels within it. */
    for (size_t i = 0; i < LEVELS; i++) {
        size_t length = (LEVELS - 1 - i) * 5;
        bytes[i * 5] = 0x0a;
        for (size_t k = 0; k < 4; k++) bytes[i * 5 + 1 + k] = (char)((length >> (7 * k) & 0x7f) | (k < 3 ? 0x80 : 0));
    }
    nz_put_bytes(&m.graph, GRAPH_NODE, bytes, (size_t)LEVELS * 5);
    free(bytes);
    const char *path = make_file(&m, "deep.onnx");
    nz_graph *graph = NULL;
    nz_assert_fails(nz_model_load(&graph, path), NZ_E_FORMAT, "deep.onnx");
}

/* A shape in the file asks for a tensor that no machine holds. */
static void a_constant_of_huge_shape_is_refused_not_made(void **state) {
    (void)state;
    static const int64_t extents[][2] = {{INT64_C(1) << 40, 1 << 10}, {INT64_C(1) << 62, 4}, {-5, 1}};
    for (size_t i = 0; i < NZ_COUNT(extents); i++) {
        make m = {0};
        make_header(&m);
        make_ints(&m, "shape", 2, extents[i]);
        make_node(&m, "ConstantOfShape", "shape", "c", NULL);
        make_node(&m, "Relu", "c", "y", NULL);
        make_output(&m, "y");
        nz_graph *graph = NULL, *fixed = NULL;
        nz_assert_ok(nz_model_load(&graph, make_file(&m, "huge.onnx")));
        nz_assert_fails(nz_pass_specialise(&fixed, graph, 1, NULL, 0, false), NZ_E_SHAPE, "ConstantOfShape");
        assert_null(fixed);
        nz_graph_free(graph);
    }
}

/* Many results below the limit of one: the limit of all holds. */
static void folding_stops_before_it_fills_memory(void **state) {
    (void)state;
    enum { NODES = 6 };
    make m = {0};
    const int64_t extent = 4 << 20;
    char name[16], list[NODES * 8] = "";
    make_header(&m);
    make_ints(&m, "shape", 1, &extent);
    for (int i = 0; i < NODES; i++) {
        snprintf(name, sizeof name, "c%d", i);
        make_node(&m, "ConstantOfShape", "shape", name, NULL);
        make_output(&m, strcat(strcpy(list, name), "r"));
        make_node(&m, "Relu", name, list, NULL);
    }
    nz_graph *graph = NULL, *fixed = NULL;
    nz_assert_ok(nz_model_load(&graph, make_file(&m, "many.onnx")));
    nz_assert_ok(nz_pass_specialise(&fixed, graph, 1, NULL, 0, false));
    size_t folded = 0;
    for (size_t v = 0; v < fixed->value_count; v++) folded += fixed->values[v].constant.bytes;
    assert_true(folded > 0 && folded < 65 << 20);
    nz_graph_free(graph);
    nz_graph_free(fixed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_broken_file_gets_its_line),
        cmocka_unit_test(external_data_stays_in_its_folder_and_file),
        cmocka_unit_test(a_file_cut_off_anywhere_is_refused_or_whole),
        cmocka_unit_test(deep_nesting_costs_no_stack),
        cmocka_unit_test(a_constant_of_huge_shape_is_refused_not_made),
        cmocka_unit_test(folding_stops_before_it_fills_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
