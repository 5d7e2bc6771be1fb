/* SPDX-License-Identifier: Apache-2.0 */
/* Quantisation-aware training on small networks made here: what was trained is what is exported and what runs. */
#include "compress/qat.h"
#include "netzip/arch.h"
#include "trained_nets.h"

static nz_qat_options options_of(int wbits) {
    return (nz_qat_options){.quant = {.wbits = wbits == 4,
                                      .calib = NZ_CALIB_MINMAX,
                                      .wcalib = 1,
                                      .samples = 64,
                                      .percentile = 99.9,
                                      .per_channel = true}};
}

/* The training graph as it begins, and what is exported of it, as if it had been trained. */
static void prepare(nz_qat *qat, nz_graph **ret_exported, const nz_graph *g, const nz_qat_options *o) {
    NZ_AUTO(free_data) nz_dataset *data = small_data("limit=64");
    NZ_AUTO(nz_compress_report_done) nz_compress_report report = {0};
    const nz_method_input input = {.graph = g, .data = data, .threads = 1};
    nz_assert_ok(nz_qat_prepare(qat, &input, o, &report));
    nz_assert_ok(nz_qat_export(ret_exported, qat, qat->training, o));
}

static void check_export(bool norms, int wbits, int norm, int activations, bool per_channel) {
    NZ_AUTO_GRAPH nz_graph *g = small_network(norms);
    NZ_AUTO_GRAPH nz_graph *exported = NULL;
    NZ_AUTO(nz_qat_done) nz_qat qat = {0};
    NZ_AUTO(free_data) nz_dataset *data = small_data("limit=64,split=test");
    nz_qat_options o = options_of(wbits);
    o.norm = norm;
    o.quant.activations = activations;
    o.quant.per_channel = per_channel;
    prepare(&qat, &exported, g, &o);
    assert_int_equal(count_op(exported, "BatchNormalization"), 0);
    assert_int_equal(count_op(exported, "QuantizeLinear"), 7);
    float *trained = scores_of(qat.training, data, NZ_COMPUTE_F32);
    float *file = scores_of(exported, data, NZ_COMPUTE_F32), *run = scores_of(exported, data, NZ_COMPUTE_AUTO);
    double as_file = closeness_db(trained, file, 64 * CLASSES), as_run = closeness_db(trained, run, 64 * CLASSES);
    if (!(as_file > 45) || !(as_run > 40))
        fail_msg("norms %d, %d bits, fold %d: file %.1f dB, run %.1f dB", norms, wbits, norm, as_file, as_run);
    free(trained);
    free(file);
    free(run);
}

static void the_exported_network_computes_what_was_trained(void **state) {
    (void)state;
    for (int wbits = 4; wbits <= 8; wbits += 4) {
        check_export(true, wbits, NZ_QAT_KEEP, 0, true);
        check_export(true, wbits, NZ_QAT_FOLD, 0, true);
        check_export(false, wbits, NZ_QAT_KEEP, 0, true);
        check_export(true, wbits, NZ_QAT_KEEP, 1, true);
        check_export(true, wbits, NZ_QAT_KEEP, 0, false);
    }
}

/* Depthwise layers and Clip; Concat, whose inputs share one scale; blocks with two paths. */
static void known_architectures_are_exported_as_trained(void **state) {
    (void)state;
    const char *const names[] = {"mobilenetv2", "squeezenet1.1", "resnet8"};
    NZ_AUTO(free_data) nz_dataset *data = NULL;
    nz_assert_ok(nz_data_open(&data, "synthetic:shapes,limit=8", NULL, NZ_DATA_TRAIN, (const int64_t[]){3, 32, 32}));
    for (size_t i = 0; i < NZ_COUNT(names); i++) {
        NZ_AUTO_GRAPH nz_graph *g = NULL;
        NZ_AUTO_GRAPH nz_graph *exported = NULL;
        NZ_AUTO(nz_qat_done) nz_qat qat = {0};
        NZ_AUTO(nz_compress_report_done) nz_compress_report report = {0};
        const nz_arch_options arch = {.classes = CLASSES, .channels = 3, .height = 32, .width = 32, .seed = 1};
        nz_assert_ok(nz_arch_build(&g, names[i], &arch));
        const nz_method_input input = {.graph = g, .data = data, .threads = 1};
        const nz_qat_options o = options_of(8);
        nz_assert_ok(nz_qat_prepare(&qat, &input, &o, &report));
        nz_assert_ok(nz_qat_export(&exported, &qat, qat.training, &o));
        float *trained = scores_of(qat.training, data, NZ_COMPUTE_F32);
        float *file = scores_of(exported, data, NZ_COMPUTE_F32);
        double db = closeness_db(trained, file, nz_data_count(data) * CLASSES);
        if (!(db > 30)) fail_msg("%s: %.1f dB", names[i], db);
        free(trained);
        free(file);
    }
}

static nz_graph *compress(const nz_graph *g, const char *method, nz_dataset *data, nz_dataset *test,
                          nz_compress_report *report) {
    const nz_compress_inputs inputs = {.data = data, .test = test, .threads = 1};
    nz_graph *result = NULL;
    nz_assert_ok(nz_compress_with(&result, report, g, method, &inputs, NULL));
    return result;
}

/* Mean cross-entropy and share of hits in % of what really runs. */
static double loss_of(const nz_graph *g, const nz_dataset *data, double *ret_top1_pct) {
    size_t count = nz_data_count(data), hits = 0;
    float *scores = scores_of(g, data, NZ_COMPUTE_AUTO);
    int32_t *labels = malloc(count * sizeof *labels);
    for (size_t i = 0; i < count; i++) {
        labels[i] = nz_data_label(data, i);
        size_t best = 0;
        for (size_t c = 1; c < CLASSES; c++)
            if (scores[i * CLASSES + c] > scores[i * CLASSES + best]) best = c;
        hits += best == (size_t)labels[i];
    }
    double loss = nz_loss_cross_entropy(scores, labels, count, CLASSES, 0, NULL);
    if (ret_top1_pct) *ret_top1_pct = 100.0 * (double)hits / (double)count;
    free(scores);
    free(labels);
    return loss;
}

/* Weights stored as such integers. */
static size_t constants_of(const nz_graph *g, nz_dtype dtype) {
    size_t count = 0;
    for (size_t v = 0; v < g->value_count; v++)
        count += nz_value_is_constant(g, (int)v) && g->values[v].constant.dtype == dtype &&
                 g->values[v].constant.shape.rank > 1;
    return count;
}

/* A network that knows something about 512 samples. */
static nz_graph *trained_network(nz_dataset *data) {
    NZ_AUTO_GRAPH nz_graph *g = small_network(true);
    NZ_AUTO(nz_train_options_done) nz_train_options options = {0};
    nz_graph *trained = NULL;
    nz_assert_ok(nz_train_options_read(&options, "epochs=10,batch=32,lr=0.1,augment=none,threads=1"));
    nz_assert_ok(nz_train(&trained, NULL, g, data, NULL, &options, NULL, NULL));
    return trained;
}

static void training_recovers_what_four_bits_cost_and_runs_as_it_was_tested(void **state) {
    (void)state;
    NZ_AUTO(free_data) nz_dataset *data = coloured_data("train.npz", 512, 1, true);
    NZ_AUTO(free_data) nz_dataset *test = coloured_data("test.npz", 1000, 2, true);
    NZ_AUTO_GRAPH nz_graph *g = trained_network(data);
    NZ_AUTO_GRAPH nz_graph *ptq = compress(g, "ptq,wbits=4,wcalib=mse,sqnr=0,samples=128", data, NULL, NULL);
    double by_ptq = loss_of(ptq, data, NULL), exact = loss_of(g, data, NULL);
    assert_true(by_ptq > exact);
    const char *const ways[] = {"", ",norm=fold", ",learn=1", ",wcalib=minmax"};
    for (size_t i = 0; i < NZ_COUNT(ways); i++) {
        NZ_AUTO(nz_compress_report_done) nz_compress_report report = {0};
        char method[128];
        double top1 = 0;
        snprintf(method, sizeof method, "qat,wbits=4,epochs=5,batch=32,lr=0.02,augment=none,samples=128%s", ways[i]);
        NZ_AUTO_GRAPH nz_graph *qat = compress(g, method, data, test, &report);
        double by_qat = loss_of(qat, data, NULL);
        if (!(by_qat < by_ptq)) fail_msg("%s: loss %.4f, ptq %.4f, float %.4f", method, by_qat, by_ptq, exact);
        loss_of(qat, test, &top1);
        const nz_train_epoch *last = &report.training.epochs[report.training.epoch_count - 1];
        if (!(fabs(top1 - last->test_top1_pct) <= 0.2 + 1e-9))
            fail_msg("%s: %.2f%% run, %.2f%% tested", method, top1, last->test_top1_pct);
        assert_int_equal(constants_of(qat, NZ_I4), 3);
        assert_string_equal(nz_graph_meta(qat, "netzip.technique"), "QAT");
    }
}

static void learnt_scales_move_and_others_follow_the_weights(void **state) {
    (void)state;
    NZ_AUTO(free_data) nz_dataset *data = small_data("limit=128");
    NZ_AUTO_GRAPH nz_graph *g = small_network(false);
#define RUN "qat,wbits=4,epochs=2,batch=32,lr=0.02,samples=64,calib=minmax"
    NZ_AUTO_GRAPH nz_graph *fixed = compress(g, RUN ",freeze=0", data, NULL, NULL);
    NZ_AUTO_GRAPH nz_graph *moving = compress(g, RUN ",freeze=1", data, NULL, NULL);
    NZ_AUTO_GRAPH nz_graph *learnt = compress(g, RUN ",learn=1", data, NULL, NULL);
    NZ_AUTO_GRAPH nz_graph *begun = compress(g, "ptq,wbits=4,samples=64,calib=minmax,sqnr=0", data, NULL, NULL);
    const char *name = "relu2_out_scale";
    double first = nz_tensor_real(constant(begun, name), 0);
    nz_assert_near(nz_tensor_real(constant(fixed, name), 0), first, 1e-6, 0);
    assert_true(fabs(nz_tensor_real(constant(moving, name), 0) / first - 1) > 1e-4);
    assert_true(fabs(nz_tensor_real(constant(learnt, name), 0) / first - 1) > 1e-5);
    assert_true(nz_tensor_real(constant(learnt, name), 0) > 0);
}

static void what_shares_a_range_shares_its_scale_in_the_file(void **state) {
    (void)state;
    NZ_AUTO(free_data) nz_dataset *data = small_data("limit=128");
    NZ_AUTO_GRAPH nz_graph *g = small_network(true);
    NZ_AUTO_GRAPH nz_graph *q = compress(g, "qat,epochs=1,batch=32,samples=64", data, NULL, NULL);
    const nz_tensor *before = constant(q, "relu1_out_scale"), *after = constant(q, "pool1_out_scale");
    assert_true(nz_tensor_real(before, 0) == nz_tensor_real(after, 0));
}

static void an_excluded_layer_keeps_its_float_weights_and_loses_its_normalisation(void **state) {
    (void)state;
    NZ_AUTO(free_data) nz_dataset *data = small_data("limit=128");
    NZ_AUTO_GRAPH nz_graph *g = small_network(true);
    NZ_AUTO_GRAPH nz_graph *q = compress(g, "qat,epochs=1,batch=32,samples=64,exclude=conv1", data, NULL, NULL);
    assert_int_equal(count_op(q, "BatchNormalization"), 0);
    assert_int_equal(nz_graph_find_value(q, "w1_quantized"), -1);
    assert_int_equal(constant(q, "w2_quantized")->dtype, NZ_I8);
}

static void what_cannot_be_trained_is_refused_by_name(void **state) {
    (void)state;
    NZ_AUTO(free_data) nz_dataset *data = small_data("limit=64");
    NZ_AUTO_GRAPH nz_graph *g = small_network(true);
    NZ_AUTO_GRAPH nz_graph *q = compress(g, "ptq,sqnr=0", data, NULL, NULL);
    nz_graph *result = NULL;
    nz_assert_fails(nz_compress(&result, NULL, q, "qat", data, 1, NULL), NZ_E_UNSUPPORTED, "quantised already");
    nz_assert_fails(nz_compress(&result, NULL, g, "qat,epochs=0", data, 1, NULL), NZ_E_ARG, "epochs=0");
    nz_assert_fails(nz_compress(&result, NULL, g, "qat,batch=128", data, 1, NULL), NZ_E_ARG, "64");
    nz_assert_fails(nz_compress(&result, NULL, g, "qat,exclude=Conv+Gemm", data, 1, NULL), NZ_E_UNSUPPORTED, "layer");
    nz_assert_fails(nz_compress(&result, NULL, g, "qat", NULL, 1, NULL), NZ_E_ARG, "--data");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exported_network_computes_what_was_trained),
        cmocka_unit_test(known_architectures_are_exported_as_trained),
        cmocka_unit_test(training_recovers_what_four_bits_cost_and_runs_as_it_was_tested),
        cmocka_unit_test(learnt_scales_move_and_others_follow_the_weights),
        cmocka_unit_test(what_shares_a_range_shares_its_scale_in_the_file),
        cmocka_unit_test(an_excluded_layer_keeps_its_float_weights_and_loses_its_normalisation),
        cmocka_unit_test(what_cannot_be_trained_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
