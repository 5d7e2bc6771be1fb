/* SPDX-License-Identifier: Apache-2.0 */
#include "netzip/graph.h"

#include "graph/build.h"
#include "test.h"

static int value(nz_graph *g, const char *name) {
    int index = -1;
    nz_assert_ok(nz_graph_add_value(g, &index, name, NZ_F32, NULL));
    return index;
}

static int node(nz_graph *g, const char *op, const char *name, int in, int out) {
    int index = -1;
    nz_assert_ok(nz_graph_add_node(g, &index, op, name, &in, 1, &out, 1));
    return index;
}

static void names_are_made_unique(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    nz_assert_ok(nz_graph_new(&g));
    int a = value(g, "v"), b = value(g, "v"), c = value(g, "");
    assert_string_equal(g->values[a].name, "v");
    assert_string_not_equal(g->values[b].name, "v");
    assert_true(*g->values[c].name);
    node(g, "Relu", "n", a, b);
    node(g, "Relu", "n", b, c);
    assert_string_not_equal(g->nodes[0].name, g->nodes[1].name);
    assert_int_equal(nz_graph_find_value(g, "v"), a);
    assert_int_equal(nz_graph_find_value(g, g->values[b].name), b);
    assert_int_equal(nz_graph_find_value(g, "absent"), -1);
    nz_assert_ok(nz_graph_rename_value(g, a, "w"));
    assert_int_equal(nz_graph_find_value(g, "w"), a);
    nz_assert_ok(nz_graph_rename_value(g, b, "w"));
    assert_int_equal(nz_graph_find_value(g, "w"), a);
}

static void finishing_sorts_and_removes_what_is_dead(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    nz_assert_ok(nz_graph_new(&g));
    int x = value(g, "x"), unused = value(g, "unused"), a = value(g, "a"), b = value(g, "b"), dead = value(g, "dead");
    (void)unused;
    node(g, "Neg", "last", a, b);
    node(g, "Abs", "dead", x, dead);
    node(g, "Relu", "first", x, a);
    nz_assert_ok(nz_graph_add_input(g, x));
    nz_assert_ok(nz_graph_add_output(g, b));
    assert_false(nz_graph_in_order(g));
    nz_assert_ok(nz_graph_finish(g));
    assert_int_equal(g->node_count, 2);
    assert_string_equal(g->nodes[0].op_type, "Relu");
    assert_string_equal(g->nodes[1].op_type, "Neg");
    assert_int_equal(g->value_count, 3);
    assert_int_equal(g->values[g->outputs[0]].producer, 1);
    assert_int_equal(g->values[g->inputs[0]].producer, -1);
    assert_int_equal(nz_graph_find_value(g, "dead"), -1);
}

static void a_cycle_is_named(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    nz_assert_ok(nz_graph_new(&g));
    int a = value(g, "a"), b = value(g, "b");
    node(g, "Relu", "one", a, b);
    node(g, "Relu", "two", b, a);
    nz_assert_ok(nz_graph_add_output(g, b));
    nz_assert_fails(nz_graph_finish(g), NZ_E_FORMAT, "cycle");
}

static void an_output_keeps_its_name_when_redirected(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    nz_assert_ok(nz_graph_new(&g));
    int x = value(g, "x"), a = value(g, "a"), y = value(g, "y");
    node(g, "Relu", "", x, a);
    int identity = node(g, "Identity", "", a, y);
    nz_assert_ok(nz_graph_add_input(g, x));
    nz_assert_ok(nz_graph_add_output(g, y));
    nz_graph_redirect(g, y, a);
    nz_graph_drop_node(g, identity);
    assert_int_equal(nz_graph_find_value(g, "y"), a);
    nz_assert_ok(nz_graph_finish(g));
    assert_int_equal(g->node_count, 1);
    assert_string_equal(g->values[g->outputs[0]].name, "y");
    /* An input cannot take an output's name over: the node between them stays. */
    int z = value(g, "z");
    node(g, "Identity", "", g->inputs[0], z);
    nz_assert_ok(nz_graph_add_output(g, z));
    nz_graph_redirect(g, z, g->inputs[0]);
    nz_assert_ok(nz_graph_finish(g));
    assert_string_equal(g->values[g->outputs[1]].name, "z");
    assert_int_equal(g->node_count, 2);
}

static void captured_values_stay(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    nz_assert_ok(nz_graph_new(&g));
    int x = value(g, "x"), captured = value(g, "captured"), y = value(g, "y");
    int reader = node(g, "If", "", x, y);
    node(g, "Relu", "", x, captured);
    nz_assert_ok(nz_alloc(&g->nodes[reader].captures, 1, sizeof(int)));
    g->nodes[reader].captures[0] = captured;
    g->nodes[reader].capture_count = 1;
    nz_assert_ok(nz_graph_add_input(g, x));
    nz_assert_ok(nz_graph_add_output(g, y));
    NZ_AUTO_GRAPH nz_graph *copy = NULL;
    nz_assert_ok(nz_graph_clone(&copy, g));
    nz_assert_ok(nz_graph_finish(copy));
    assert_int_equal(copy->node_count, 2);
    assert_string_equal(copy->nodes[0].op_type, "Relu");
    assert_int_equal(nz_graph_consumers(copy, nz_graph_find_value(copy, "captured"), NULL), 1);
}

static void a_clone_holds_everything_and_shares_weights(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *g = NULL, *copy = NULL;
    NZ_AUTO_TENSOR nz_tensor w = {0};
    int weight = -1;
    nz_assert_ok(nz_graph_new(&g));
    nz_assert_ok(nz_tensor_init(&w, NZ_F32, &(nz_shape){.rank = 1, .dim = {3}}));
    nz_assert_ok(nz_graph_add_constant(g, &weight, "w", &w));
    int n = node(g, "Some", "n", weight, value(g, "y"));
    nz_assert_ok(nz_node_set_int(&g->nodes[n], "i", 3));
    nz_assert_ok(nz_node_set_int(&g->nodes[n], "i", 4));
    nz_assert_ok(nz_node_set_float(&g->nodes[n], "f", 0.5f));
    nz_assert_ok(nz_node_set_string(&g->nodes[n], "s", "text"));
    nz_assert_ok(nz_node_set_ints(&g->nodes[n], "is", (int64_t[]){1, 2, 3}, 3));
    nz_assert_ok(nz_node_set_floats(&g->nodes[n], "fs", (float[]){1, 2}, 2));
    nz_assert_ok(nz_node_set_tensor(&g->nodes[n], "t", &w));
    nz_assert_ok(nz_graph_set_meta(g, "key", "old"));
    nz_assert_ok(nz_graph_set_meta(g, "key", "value"));
    nz_assert_ok(nz_graph_set_meta(g, "gone", "value"));
    nz_assert_ok(nz_graph_set_meta(g, "gone", NULL));
    nz_assert_ok(nz_graph_clone(&copy, g));
    const nz_node *c = &copy->nodes[n];
    size_t count = 0;
    assert_int_equal(nz_attr_int(c, "i", 0), 4);
    assert_int_equal(nz_attr_int(c, "f", -1), -1);
    nz_assert_near(nz_attr_float(c, "f", 0), 0.5, 0, 0);
    assert_string_equal(nz_attr_string(c, "s", ""), "text");
    assert_int_equal(nz_attr_ints(c, "is", &count)[2], 3);
    assert_int_equal(count, 3);
    assert_null(nz_attr_ints(c, "absent", &count));
    assert_int_equal(count, 0);
    assert_ptr_equal(nz_attr_get(c, "t")->u.tensor->data, w.data);
    assert_ptr_equal(copy->values[weight].constant.data, w.data);
    assert_string_equal(nz_graph_meta(copy, "key"), "value");
    assert_null(nz_graph_meta(copy, "gone"));
    nz_node_remove_attr(&copy->nodes[n], "s");
    assert_null(nz_attr_get(&copy->nodes[n], "s"));
    assert_string_equal(nz_attr_string(&g->nodes[n], "s", ""), "text");
}

/* 100,000 nodes in a chain, listed backwards: neither names nor sorting may be quadratic, and depth may not cost stack. */
static void a_long_chain_is_sorted_quickly(void **state) {
    (void)state;
    enum { NODES = 100000 };
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    nz_assert_ok(nz_graph_new(&g));
    for (int i = 0; i <= NODES; i++) value(g, "same name");
    for (int i = NODES; i > 0; i--) node(g, "Relu", "same name", i - 1, i);
    nz_assert_ok(nz_graph_add_input(g, 0));
    nz_assert_ok(nz_graph_add_output(g, NODES));
    nz_assert_ok(nz_graph_finish(g));
    assert_int_equal(g->node_count, NODES);
    assert_true(nz_graph_in_order(g));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_made_unique),
        cmocka_unit_test(finishing_sorts_and_removes_what_is_dead),
        cmocka_unit_test(a_cycle_is_named),
        cmocka_unit_test(an_output_keeps_its_name_when_redirected),
        cmocka_unit_test(captured_values_stay),
        cmocka_unit_test(a_clone_holds_everything_and_shares_weights),
        cmocka_unit_test(a_long_chain_is_sorted_quickly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
