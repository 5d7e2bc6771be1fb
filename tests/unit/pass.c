/* SPDX-License-Identifier: Apache-2.0 */
/* Folding, fixing shapes, merging BatchNormalization and exposing values, on models made for each rule. */
#include "netzip/pass.h"

#include "graph/build.h"
#include "netzip/onnx.h"
#include "onnx_make.h"

static nz_graph *load(make *m) {
    nz_graph *graph = NULL;
    nz_assert_ok(nz_model_load(&graph, make_file(m, "pass.onnx")));
    for (size_t n = 0; n < graph->node_count; n++)
        if (graph->nodes[n].unsupported) fail_msg("%s", graph->nodes[n].unsupported);
    return graph;
}

static nz_graph *specialise(const nz_graph *graph, int64_t batch) {
    nz_graph *fixed = NULL;
    nz_assert_ok(nz_pass_specialise(&fixed, graph, batch, NULL, 0, false));
    return fixed;
}

/* The operators left, in order: "Conv Relu". */
static const char *operators(const nz_graph *graph) {
    static char text[512];
    text[0] = '\0';
    for (size_t n = 0; n < graph->node_count; n++) {
        strncat(text, n ? " " : "", sizeof text - strlen(text) - 1);
        strncat(text, graph->nodes[n].op_type, sizeof text - strlen(text) - 1);
    }
    return text;
}

static void floats(make *m, const char *name, int rank, const int64_t *dims, const float *values) {
    nz_put t = {0};
    int64_t count = 1;
    for (int i = 0; i < rank; i++) {
        nz_put_int(&t, TENSOR_DIMS, dims[i]);
        count *= dims[i];
    }
    nz_put_int(&t, TENSOR_DTYPE, NZ_F32);
    nz_put_string(&t, TENSOR_NAME, name);
    nz_put_bytes(&t, TENSOR_RAW, values, (size_t)count * sizeof *values);
    nz_put_message(&m->graph, GRAPH_INITIALIZER, &t);
}

static void node_with_axis(make *m, const char *op_type, const char *inputs, const char *outputs, const char *attribute,
                           int64_t value) {
    nz_put a = {0};
    make_attr_int(&a, attribute, value);
    make_node(m, op_type, inputs, outputs, &a);
}

/* What view(x.size(0), -1) leaves behind. */
static void a_chain_of_shapes_disappears(void **state) {
    (void)state;
    make m = {0};
    make_header(&m);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 3, (int64_t[]){-1, 3, 4});
    make_ints(&m, "zero", 1, (int64_t[]){0});
    make_ints(&m, "minus", 1, (int64_t[]){-1});
    make_node(&m, "Relu", "x", "r", NULL);
    make_node(&m, "Shape", "r", "shape", NULL);
    node_with_axis(&m, "Gather", "shape zero", "n", "axis", 0);
    node_with_axis(&m, "Concat", "n minus", "target", "axis", 0);
    make_node(&m, "Reshape", "r target", "y", NULL);
    make_output(&m, "y");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m), *fixed = specialise(graph, 5);
    assert_string_equal(operators(fixed), "Relu Reshape");
    const nz_value *y = &fixed->values[fixed->outputs[0]];
    assert_string_equal(y->name, "y");
    assert_true(y->shape.rank == 2 && y->shape.dim[0] == 5 && y->shape.dim[1] == 12);
    assert_int_equal(graph->node_count, 5); /* the graph that came in is as it was */
}

static void identities_on_shared_weights_disappear(void **state) {
    (void)state;
    static const float ones[4] = {1, 1, 1, 1};
    make m = {0};
    make_header(&m);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 2, (int64_t[]){-1, 4});
    floats(&m, "w", 1, (int64_t[]){4}, ones);
    make_node(&m, "Identity", "w", "w2", NULL);
    make_node(&m, "Identity", "w2", "w3", NULL);
    make_node(&m, "Identity", "x", "x2", NULL);
    make_node(&m, "Add", "x2 w3", "a", NULL);
    make_node(&m, "Dropout", "a", "d", NULL);
    make_node(&m, "Mul", "d w2", "p", NULL);
    make_node(&m, "Identity", "p", "y", NULL);
    make_node(&m, "Identity", "x2", "same", NULL);
    make_output(&m, "y");
    make_output(&m, "same");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m), *fixed = specialise(graph, 1), *folded = NULL;
    nz_assert_ok(nz_pass_fold(&folded, graph));
    for (int i = 0; i < 2; i++) {
        const nz_graph *g = i ? folded : fixed;
        /* An input cannot also be an output: that one Identity stays. */
        assert_string_equal(operators(g), "Add Mul Identity");
        assert_string_equal(g->values[g->outputs[0]].name, "y");
        assert_string_equal(g->values[g->outputs[1]].name, "same");
        assert_string_equal(g->values[g->inputs[0]].name, "x");
        assert_int_equal(g->nodes[0].inputs[1], g->nodes[1].inputs[1]); /* one weight, not two */
        assert_ptr_equal(g->values[g->nodes[0].inputs[1]].constant.data,
                         graph->values[nz_graph_find_value(graph, "w")].constant.data);
    }
    assert_int_equal(folded->values[folded->inputs[0]].shape.dim[0], -1);
}

/* Each of these gives its input back, and each has a neighbour that does not. */
static void moves_of_nothing_disappear(void **state) {
    (void)state;
    static const struct {
        const char *op_type, *constants;
        const char *left;
    } cases[] = {
        {"Reshape", "same", ""},
        {"Reshape", "other", "Reshape"},
        {"Expand", "ones", ""},
        {"Expand", "wider", "Expand"},
        {"Pad", "no_pads", ""},
        {"Pad", "moved", "Pad"},
        {"Slice", "zeros all axes", ""},
        {"Slice", "zeros half axes", "Slice"},
        {"Slice", "zeros all axes ones", ""},
        {"Slice", "ends begins axes backwards", "Slice"},
        {"Dropout", "none true", ""},
        {"Dropout", "some false", ""},

        {"Concat", "", ""},
        {"Transpose", "", "Transpose"},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        make m = {0};
        nz_put a = {0};
        char inputs[64];
        make_header(&m);
        make_value(&m, GRAPH_INPUT, "x", NZ_F32, 2, (int64_t[]){2, 2});
        make_ints(&m, "same", 2, (int64_t[]){2, -1});
        make_ints(&m, "other", 2, (int64_t[]){4, 1});
        make_ints(&m, "wider", 3, (int64_t[]){3, 2, 2});
        make_ints(&m, "no_pads", 4, (int64_t[]){0, 0, 0, 0});
        make_ints(&m, "moved", 4, (int64_t[]){1, 0, -1, 0});
        make_ints(&m, "zeros", 2, (int64_t[]){0, 0});
        make_ints(&m, "ones", 2, (int64_t[]){1, 1});
        make_ints(&m, "all", 2, (int64_t[]){2, INT64_MAX});
        make_ints(&m, "half", 2, (int64_t[]){2, 1});
        make_ints(&m, "ends", 2, (int64_t[]){-1, -1});
        make_ints(&m, "begins", 2, (int64_t[]){INT64_MIN, INT64_MIN});
        make_ints(&m, "axes", 2, (int64_t[]){0, 1});
        make_ints(&m, "backwards", 2, (int64_t[]){-1, -1});
        floats(&m, "none", 0, NULL, (float[]){0});
        floats(&m, "some", 0, NULL, (float[]){0.5f});
        make_tensor(&m.graph, GRAPH_INITIALIZER, "true", NZ_BOOL, 0, NULL, 1);
        nz_put f = {0};
        nz_put_int(&f, TENSOR_DTYPE, NZ_BOOL);
        nz_put_string(&f, TENSOR_NAME, "false");
        nz_put_int(&f, TENSOR_INT32S, 0);
        nz_put_message(&m.graph, GRAPH_INITIALIZER, &f);
        if (strcmp(cases[i].op_type, "Concat") == 0) make_attr_int(&a, "axis", 0);
        snprintf(inputs, sizeof inputs, "r %s", cases[i].constants);
        make_node(&m, "Relu", "x", "r", NULL);
        make_node(&m, cases[i].op_type, inputs, "y", &a);
        make_output(&m, "y");
        NZ_AUTO_GRAPH nz_graph *graph = load(&m), *fixed = specialise(graph, 1);
        char expected[64];
        snprintf(expected, sizeof expected, "Relu%s%s", *cases[i].left ? " " : "", cases[i].left);
        if (strcmp(operators(fixed), expected))
            fail_msg("%s with %s: %s", cases[i].op_type, cases[i].constants, operators(fixed));
        assert_string_equal(fixed->values[fixed->outputs[0]].name, "y");
    }
}

static void how_weights_are_stored_is_kept(void **state) {
    (void)state;
    make m = {0};
    make_header(&m);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 1, (int64_t[]){4});
    make_tensor(&m.graph, GRAPH_INITIALIZER, "half", NZ_F16, 1, (int64_t[]){4}, 8);
    make_tensor(&m.graph, GRAPH_INITIALIZER, "bytes", NZ_I8, 1, (int64_t[]){4}, 4);
    make_tensor(&m.graph, GRAPH_INITIALIZER, "scale", NZ_F32, 0, NULL, 4);
    make_ints(&m, "wide", 4, (int64_t[]){1, 2, 3, 4});
    node_with_axis(&m, "Cast", "half", "h", "to", NZ_F32);
    node_with_axis(&m, "Cast", "bytes", "b", "to", NZ_F32);
    node_with_axis(&m, "Cast", "wide", "i", "to", NZ_F32); /* no storage form: folds */
    make_node(&m, "DequantizeLinear", "bytes scale", "q", NULL);
    make_node(&m, "Add", "x h", "s1", NULL);
    make_node(&m, "Add", "s1 b", "s2", NULL);
    make_node(&m, "Add", "s2 i", "s3", NULL);
    make_node(&m, "Add", "s3 q", "y", NULL);
    make_output(&m, "y");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m), *fixed = specialise(graph, 1);
    int casts = 0, dequantises = 0;
    for (size_t n = 0; n < fixed->node_count; n++) {
        casts += strcmp(fixed->nodes[n].op_type, "Cast") == 0;
        dequantises += strcmp(fixed->nodes[n].op_type, "DequantizeLinear") == 0;
    }
    assert_int_equal(casts, 2);
    assert_int_equal(dequantises, 1);
    assert_true(nz_value_is_constant(fixed, nz_graph_find_value(fixed, "i")));
    assert_int_equal(fixed->values[nz_graph_find_value(fixed, "half")].dtype, NZ_F16);
}

/* A scale stored in half precision that Resize must know when it is planned. */
static void what_planning_needs_is_widened_for_it_alone(void **state) {
    (void)state;
    static const uint16_t scales[] = {0x3c00, 0x3c00, 0x4000, 0x4000};
    make m = {0};
    nz_put t = {0};
    make_header(&m);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 4, (int64_t[]){1, 1, 2, 2});
    nz_put_int(&t, TENSOR_DIMS, 4);
    nz_put_int(&t, TENSOR_DTYPE, NZ_F16);
    nz_put_string(&t, TENSOR_NAME, "half");
    nz_put_bytes(&t, TENSOR_RAW, scales, sizeof scales);
    nz_put_message(&m.graph, GRAPH_INITIALIZER, &t);
    node_with_axis(&m, "Cast", "half", "scales", "to", NZ_F32);
    make_node(&m, "Resize", "x - scales", "y", NULL);
    make_output(&m, "y");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m), *fixed = specialise(graph, 1);
    assert_string_equal(operators(fixed), "Resize");
    assert_int_equal(fixed->values[fixed->outputs[0]].shape.dim[3], 4);
}

static void a_node_that_makes_an_output_stays(void **state) {
    (void)state;
    make m = {0};
    make_header(&m);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 2, (int64_t[]){2, 3});
    make_node(&m, "Shape", "x", "y", NULL);
    make_node(&m, "Relu", "x", "dead", NULL);
    make_output(&m, "y");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m), *fixed = specialise(graph, 1);
    assert_string_equal(operators(fixed), "Shape");
}

static void symbolic_extents_follow_their_names(void **state) {
    (void)state;
    make m = {0};
    make_header(&m);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 2, (int64_t[]){-1, 4});
    make_value(&m, GRAPH_INPUT, "z", NZ_F32, 2, (int64_t[]){4, -1});
    make_node(&m, "MatMul", "x z", "y", NULL);
    make_output(&m, "y");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m), *fixed = specialise(graph, 7);
    const nz_shape *y = &fixed->values[fixed->outputs[0]].shape;
    assert_true(y->dim[0] == 7 && y->dim[1] == 7);
}

static void bindings_are_checked(void **state) {
    (void)state;
    make m = {0};
    make_header(&m);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 2, (int64_t[]){4, -1});
    make_value(&m, GRAPH_INPUT, "target", NZ_I64, 1, (int64_t[]){1});
    make_node(&m, "Reshape", "x target", "y", NULL);
    make_output(&m, "y");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m), *fixed = NULL;
    int64_t twelve = 12;
    const nz_shape one = {.rank = 1, .dim = {1}}, good = {.rank = 2, .dim = {4, 3}}, bad = {.rank = 2, .dim = {5, 3}},
                   open = {.rank = 2, .dim = {4, -1}};
    const nz_tensor value = nz_tensor_borrow(NZ_I64, &one, &twelve), wrong = nz_tensor_borrow(NZ_F64, &one, &twelve);
    nz_binding bindings[] = {{.input = "x", .shape = good}, {.input = "target", .value = &value}};
    nz_assert_fails(nz_pass_specialise(&fixed, graph, 1, NULL, 0, false), NZ_E_SHAPE, "x");
    bindings[0].shape = bad;
    nz_assert_fails(nz_pass_specialise(&fixed, graph, 1, bindings, 2, false), NZ_E_SHAPE, "5x3");
    bindings[0].shape = open;
    nz_assert_fails(nz_pass_specialise(&fixed, graph, 1, bindings, 2, false), NZ_E_SHAPE, "4x?");
    bindings[0] = (nz_binding){.input = "ghost", .shape = good};
    nz_assert_fails(nz_pass_specialise(&fixed, graph, 1, bindings, 2, false), NZ_E_ARG, "ghost");
    bindings[0] = (nz_binding){.input = "x", .shape = good};
    bindings[1].value = &wrong;
    nz_assert_fails(nz_pass_specialise(&fixed, graph, 1, bindings, 2, false), NZ_E_SHAPE, "double");
    nz_assert_fails(nz_pass_specialise(&fixed, graph, 1, bindings, 1, false), NZ_E_UNSUPPORTED, "Reshape");
    assert_null(fixed);
    bindings[1].value = &value;
    nz_assert_ok(nz_pass_specialise(&fixed, graph, 1, bindings, 2, false));
    assert_int_equal(fixed->input_count, 1);
    assert_int_equal(fixed->values[fixed->outputs[0]].shape.dim[0], 12);
}

static void a_tolerant_pass_keeps_what_it_can(void **state) {
    (void)state;
    make m = {0};
    make_header(&m);
    make_opset(&m, "com.example", 1);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 2, (int64_t[]){-1, 4});
    nz_put n = {0};
    nz_put_string(&n, NODE_INPUT, "x");
    nz_put_string(&n, NODE_OUTPUT, "s");
    nz_put_string(&n, NODE_OP_TYPE, "Special");
    nz_put_string(&n, NODE_DOMAIN, "com.example");
    nz_put_message(&m.graph, GRAPH_NODE, &n);
    make_node(&m, "Relu", "s", "y", NULL);
    make_node(&m, "Relu", "x", "known", NULL);
    make_output(&m, "y");
    make_output(&m, "known");
    NZ_AUTO_GRAPH nz_graph *graph = NULL, *fixed = NULL;
    nz_assert_ok(nz_model_load(&graph, make_file(&m, "special.onnx")));
    nz_assert_fails(nz_pass_specialise(&fixed, graph, 2, NULL, 0, false), NZ_E_UNSUPPORTED, "Special");
    nz_assert_ok(nz_pass_specialise(&fixed, graph, 2, NULL, 0, true));
    assert_false(nz_shape_known(&fixed->values[fixed->outputs[0]].shape));
    assert_int_equal(fixed->values[fixed->outputs[1]].shape.dim[0], 2);
    const nz_node *relu = &fixed->nodes[fixed->values[fixed->outputs[0]].producer];
    assert_null(relu->unsupported); /* its input is to blame, not it */
}

/* Conv (2 -> 2 channels, 1x1, weight [[1,2],[3,4]], bias [1,-1]), then what `after` appends; both outputs on x = (1, 1). */
static void affine_after_conv(const char *op_type, const char *constants, double *ret_first, double *ret_second,
                              size_t *ret_nodes) {
    make m = {0};
    make_header(&m);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 4, (int64_t[]){-1, 2, 1, 1});
    floats(&m, "w", 4, (int64_t[]){2, 2, 1, 1}, (float[]){1, 2, 3, 4});
    floats(&m, "b", 1, (int64_t[]){2}, (float[]){1, -1});
    floats(&m, "scale", 1, (int64_t[]){2}, (float[]){2, 0.5f});
    floats(&m, "shift", 1, (int64_t[]){2}, (float[]){10, 20});
    floats(&m, "mean", 1, (int64_t[]){2}, (float[]){3, 4});
    floats(&m, "var", 1, (int64_t[]){2}, (float[]){4 - 1e-5f, 1 - 1e-5f});
    floats(&m, "each", 3, (int64_t[]){2, 1, 1}, (float[]){5, 7});
    floats(&m, "one", 0, NULL, (float[]){3});
    make_node(&m, "Conv", "x w b", "c", NULL);
    char inputs[64];
    snprintf(inputs, sizeof inputs, "c %s", constants);
    make_node(&m, op_type, inputs, "y", NULL);
    make_output(&m, "y");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m), *merged = NULL;
    nz_assert_ok(nz_pass_fold_batchnorm(&merged, graph));
    *ret_nodes = merged->node_count;
    assert_string_equal(merged->values[merged->outputs[0]].name, "y");
    const nz_node *conv = &merged->nodes[0];
    const nz_tensor *w = &merged->values[conv->inputs[1]].constant, *b = &merged->values[conv->inputs[2]].constant;
    *ret_first = nz_tensor_real(w, 0) + nz_tensor_real(w, 1) + nz_tensor_real(b, 0);
    *ret_second = nz_tensor_real(w, 2) + nz_tensor_real(w, 3) + nz_tensor_real(b, 1);
    const nz_tensor *before = &graph->values[nz_graph_find_value(graph, "w")].constant;
    nz_assert_near(nz_tensor_real(before, 3), 4, 0, 0); /* the graph that came in is as it was */
}

static void normalisation_and_arithmetic_merge_into_convolution(void **state) {
    (void)state;
    static const struct {
        const char *op_type, *constants;
        double first, second;
    } cases[] = {
        /* Conv gives 4 and 6. */
        {"BatchNormalization", "scale shift mean var", (4 - 3) / 2.0 * 2 + 10, (6 - 4) / 1.0 * 0.5 + 20},
        {"Mul", "each", 20, 42},
        {"Add", "each", 9, 13},
        {"Mul", "one", 12, 18},
        {"Add", "one", 7, 9},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        double first = 0, second = 0;
        size_t nodes = 0;
        affine_after_conv(cases[i].op_type, cases[i].constants, &first, &second, &nodes);
        assert_int_equal(nodes, 1);
        nz_assert_near(first, cases[i].first, 1e-6, 0);
        nz_assert_near(second, cases[i].second, 1e-6, 0);
    }
}

static void a_convolution_with_another_reader_is_left(void **state) {
    (void)state;
    make m = {0};
    make_header(&m);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 4, (int64_t[]){-1, 1, 1, 1});
    floats(&m, "w", 4, (int64_t[]){1, 1, 1, 1}, (float[]){2});
    floats(&m, "k", 0, NULL, (float[]){3});
    make_node(&m, "Conv", "x w", "c", NULL);
    make_node(&m, "Mul", "c k", "y", NULL);
    make_node(&m, "Relu", "c", "z", NULL);
    make_output(&m, "y");
    make_output(&m, "z");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m), *merged = NULL;
    nz_assert_ok(nz_pass_fold_batchnorm(&merged, graph));
    assert_string_equal(operators(merged), "Conv Mul Relu");
}

static void exposed_values_follow_the_outputs(void **state) {
    (void)state;
    make m = {0};
    make_header(&m);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 1, (int64_t[]){4});
    make_node(&m, "Relu", "x", "a", NULL);
    make_node(&m, "Neg", "a", "y", NULL);
    make_output(&m, "y");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m), *exposed = NULL;
    int a = nz_graph_find_value(graph, "a");
    nz_assert_ok(nz_pass_expose(&exposed, graph, &a, 1));
    assert_int_equal(exposed->output_count, 2);
    assert_string_equal(exposed->values[exposed->outputs[1]].name, "a");
    nz_graph *none = NULL;
    nz_assert_fails(nz_pass_expose(&none, graph, (int[]){99}, 1), NZ_E_ARG, "99");
}

/* Opset 1 spells axes as attributes and broadcasting by an axis; lifting says it in today's form. */
static void old_spellings_are_lifted(void **state) {
    (void)state;
    make m = {0};
    nz_put a = {0};
    nz_put_int(&m.model, MODEL_IR_VERSION, 3);
    make_opset(&m, "", 1);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 4, (int64_t[]){2, 3, 4, 5});
    floats(&m, "b", 1, (int64_t[]){3}, (float[]){1, 2, 3});
    make_attr_int(&a, "broadcast", 1);
    make_attr_int(&a, "axis", 1);
    make_node(&m, "Add", "x b", "y", &a);
    make_output(&m, "y");
    NZ_AUTO_GRAPH nz_graph *graph = load(&m), *fixed = specialise(graph, 1), *again = NULL;
    for (size_t n = 0; n < graph->node_count; n++) assert_int_equal(graph->nodes[n].opset, NZ_OPSET);
    const nz_node *add = &fixed->nodes[fixed->node_count - 1];
    assert_string_equal(add->op_type, "Add");
    const nz_shape *b = &fixed->values[add->inputs[1]].shape;
    assert_true(b->rank == 3 && b->dim[0] == 3 && b->dim[2] == 1);
    nz_assert_ok(nz_model_save(graph, nz_test_file("lifted.onnx")));
    nz_assert_ok(nz_model_load(&again, nz_test_file("lifted.onnx")));
    assert_int_equal(again->opset, 13);
}

static void lifted_and_unknown_nodes_do_not_mix_in_a_file(void **state) {
    (void)state;
    make m = {0};
    nz_put_int(&m.model, MODEL_IR_VERSION, 6);
    make_opset(&m, "", 11);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 1, (int64_t[]){4});
    make_node(&m, "Unheard", "x", "u", NULL);
    make_output(&m, "u");
    NZ_AUTO_GRAPH nz_graph *alone = NULL, *mixed = NULL, *again = NULL;
    nz_assert_ok(nz_model_load(&alone, make_file(&m, "alone.onnx")));
    nz_assert_ok(nz_model_save(alone, nz_test_file("kept.onnx")));
    nz_assert_ok(nz_model_load(&again, nz_test_file("kept.onnx")));
    assert_int_equal(again->opset, 11);
    nz_put_int(&m.model, MODEL_IR_VERSION, 6);
    make_opset(&m, "", 11);
    make_value(&m, GRAPH_INPUT, "x", NZ_F32, 1, (int64_t[]){4});
    make_node(&m, "Relu", "x", "r", NULL);
    make_node(&m, "Unheard", "r", "u", NULL);
    make_output(&m, "u");
    nz_assert_ok(nz_model_load(&mixed, make_file(&m, "mixed.onnx")));
    nz_assert_fails(nz_model_save(mixed, nz_test_file("none.onnx")), NZ_E_UNSUPPORTED, "Unheard");
    assert_int_not_equal(access(nz_test_file("none.onnx"), F_OK), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_chain_of_shapes_disappears),
        cmocka_unit_test(identities_on_shared_weights_disappear),
        cmocka_unit_test(moves_of_nothing_disappear),
        cmocka_unit_test(how_weights_are_stored_is_kept),
        cmocka_unit_test(what_planning_needs_is_widened_for_it_alone),
        cmocka_unit_test(a_node_that_makes_an_output_stays),
        cmocka_unit_test(symbolic_extents_follow_their_names),
        cmocka_unit_test(bindings_are_checked),
        cmocka_unit_test(a_tolerant_pass_keeps_what_it_can),
        cmocka_unit_test(normalisation_and_arithmetic_merge_into_convolution),
        cmocka_unit_test(a_convolution_with_another_reader_is_left),
        cmocka_unit_test(exposed_values_follow_the_outputs),
        cmocka_unit_test(old_spellings_are_lifted),
        cmocka_unit_test(lifted_and_unknown_nodes_do_not_mix_in_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
