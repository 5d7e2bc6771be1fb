/* SPDX-License-Identifier: Apache-2.0 */
/* The training engine: gradients of whole small networks against finite differences. */
#include "engine_nets.h"

static nz_graph *begin(nz_random *random, int *ret_x, nz_shape shape) {
    nz_graph *g = NULL;
    nz_assert_ok(nz_graph_new(&g));
    nz_random_init(random, 3, 9);
    *ret_x = graph_input(g, "x", NZ_F32, shape);
    return g;
}

/* conv-norm-relu, a residual with a projection, pooling, gemm. */
static nz_graph *residual(void) {
    nz_random random;
    int x;
    nz_graph *g = begin(&random, &x, SHAPE(-1, 3, 8, 8));
    int a = graph_node(g, "Relu", net_norm(g, &random, net_conv(g, &random, x, 3, 8, 3, 1, 1, false), 8));
    int b = graph_node(g, "Relu", net_norm(g, &random, net_conv(g, &random, a, 8, 8, 3, 1, 1, false), 8));
    b = net_norm(g, &random, net_conv(g, &random, b, 8, 8, 3, 1, 1, false), 8);
    b = graph_node(g, "Relu", graph_node(g, "Add", b, a));
    int d = graph_node(g, "Relu", net_norm(g, &random, net_conv(g, &random, b, 8, 12, 3, 2, 1, false), 12));
    d = net_norm(g, &random, net_conv(g, &random, d, 12, 12, 3, 1, 1, false), 12);
    int skip = net_norm(g, &random, net_conv(g, &random, b, 8, 12, 1, 2, 1, false), 12);
    d = graph_node(g, "Relu", graph_node(g, "Add", d, skip));
    int y = net_gemm(g, &random, graph_node(g, "Flatten", graph_node(g, "GlobalAveragePool", d)), 12, 5);
    graph_finish(g, y);
    return g;
}

/* Central differences at a few places of every parameter. The loss is summed in double over outputs in single precision:
 * with a step h its error is about 2^-23 |loss| / h, the curvature's h^2. */
static void check_gradients(nz_graph *g, nz_engine_options options) {
    net_run run;
    nz_random random;
    nz_random_init(&random, 1, 2);
    net_open(&run, g, &options);
    double loss = net_step(&run);
    for (size_t p = 0; p < nz_engine_param_count(run.engine); p++) {
        nz_param *param = nz_engine_param(run.engine, p);
        size_t count = (size_t)nz_shape_elements(&param->shape);
        net_step(&run);
        float *value = net_plain(param, param->value), *grad = net_plain(param, param->grad);
        double largest = 0;
        for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs((double)grad[i]));
        for (int k = 0; k < 4; k++) {
            size_t at = (size_t)nz_random_below(&random, count);
            const float h = 1e-3F, kept = value[at];
            double side[2];
            for (int s = 0; s < 2; s++) {
                value[at] = s ? kept + h : kept - h;
                nz_param_set(param, value);
                side[s] = net_loss(&run, true);
            }
            value[at] = kept;
            nz_param_set(param, value);
            double numeric = (side[1] - side[0]) / ((double)(kept + h) - (double)(kept - h));
            if (fabs(numeric - (double)grad[at]) > 1e-2 * largest + 1e-3 * fabs(loss))
                fail_msg("%s of %s at %zu: %.6g, by differences %.6g (largest %.6g, loss %.6g)", param->name,
                         param->node, at, (double)grad[at], numeric, largest, loss);
        }
        free(value);
        free(grad);
    }
    net_close(&run);
    nz_graph_free(g);
}

static void test_residual(void **state) {
    (void)state;
    check_gradients(residual(), (nz_engine_options){.batch = 4, .threads = 1, .reference = true});
    check_gradients(residual(), (nz_engine_options){.batch = 4, .threads = 1});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_residual),
    };
    return cmocka_run_group_tests_name("unit/engine", tests, NULL, NULL);
}
