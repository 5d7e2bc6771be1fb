/* SPDX-License-Identifier: Apache-2.0 */
/* Quantisation-aware training on small networks made here: what was trained is what is exported and what runs. */
#include "compress/qat.h"
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exported_network_computes_what_was_trained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
