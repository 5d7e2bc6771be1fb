/* SPDX-License-Identifier: Apache-2.0 */
/* What stands at a model's end, and what is lost by it: whole runs. */
#include <math.h>

#include "core/memory.h"
#include "graph/build.h"
#include "netzip/arch.h"
#include "test.h"
#include "train/trainer.h"

/* The small network with `op` over its scores (NULL: none), and a Reshape behind that where `reshaped`. */
static nz_graph *ends_in(const char *op, bool reshaped) {
    nz_graph *g = NULL;
    nz_assert_ok(nz_arch_build(&g, "resnet8", &(nz_arch_options){.classes = 10, .height = 16, .width = 16, .seed = 3}));
    const char *const ops[] = {op, reshaped ? "Identity" : NULL};
    for (size_t i = 0; i < 2; i++) {
        int value = -1;
        if (!ops[i]) continue;
        const nz_value *scores = &g->values[g->outputs[0]];
        nz_shape shape = scores->shape;
        nz_assert_ok(nz_graph_add_value(g, &value, ops[i], NZ_F32, &shape));
        nz_assert_ok(nz_graph_add_node(g, NULL, ops[i], ops[i], g->outputs, 1, &value, 1));
        g->nodes[g->node_count - 1].opset = NZ_OPSET;
        g->outputs[0] = value;
    }
    nz_assert_ok(nz_graph_finish(g));
    return g;
}

static nz_train_epoch run(const char *op, bool reshaped, const char *loss) {
    char text[160];
    nz_train_options options = {0};
    nz_dataset *train = NULL, *test = NULL;
    nz_graph *g = ends_in(op, reshaped), *trained = NULL;
    NZ_AUTO(nz_train_report_done) nz_train_report report = {0};
    snprintf(text, sizeof text, "epochs=2,batch=32,threads=1,seed=5,augment=none,loss=%s", loss);
    nz_assert_ok(nz_train_options_read(&options, text));
    nz_assert_ok(nz_data_open(&train, "synthetic:shapes,count=160,size=16", NULL, NZ_DATA_TRAIN, NULL));
    nz_assert_ok(nz_data_open(&test, "synthetic:shapes,count=25,size=16", NULL, NZ_DATA_COMPARE, NULL));
    nz_assert_ok(nz_train_loop(&trained, &report, g, train, test, &options, NULL, NULL, NULL));
    nz_train_epoch last = report.epochs[report.epoch_count - 1];
    nz_graph_free(trained);
    nz_graph_free(g);
    nz_data_free(train);
    nz_data_free(test);
    nz_train_options_done(&options);
    return last;
}

/* Cross-entropy is of the scores, whatever the model makes of them. */
static void test_cross_entropy(void **unused) {
    (void)unused;
    nz_train_epoch scores = run(NULL, false, "cross-entropy");
    static const char *const ops[] = {"Softmax", "LogSoftmax"};
    for (size_t i = 0; i < 4; i++) {
        nz_train_epoch other = run(ops[i % 2], i > 1, "cross-entropy");
        nz_assert_near(other.train_loss, scores.train_loss, 1e-6, 0);
        nz_assert_near(other.test_loss, scores.test_loss, 1e-4, 0);
        nz_assert_near(other.test_top1_pct, scores.test_top1_pct, 1e-9, 0);
    }
}

/* The squared error is of what the model gives: of probabilities never above 2 in 10 classes, 0.09 where all are alike. */
static void test_mse(void **unused) {
    (void)unused;
    nz_train_epoch probabilities = run("Softmax", false, "mse"), logarithms = run("LogSoftmax", false, "mse");
    assert_true(probabilities.train_loss > 0 && probabilities.train_loss < 0.1);
    assert_true(probabilities.test_loss > 0 && probabilities.test_loss < 0.2);
    assert_true(logarithms.train_loss > 1 && isfinite(logarithms.test_loss));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cross_entropy),
        cmocka_unit_test(test_mse),
    };
    return cmocka_run_group_tests_name("unit/train_ends", tests, NULL, NULL);
}
