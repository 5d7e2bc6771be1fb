/* SPDX-License-Identifier: Apache-2.0 */
/* Size of a model as a file and as parameters. @source arXiv 2305.10616, section 3.3 */
#include "metric/family.h"

enum { DISK, ENTROPY };
enum { PARAMS, NONZERO, SPARSITY, SPARSITY_ALL };

static nz_value_report bytes(const nz_metric_input *input, int which) {
    uint64_t value = which == DISK ? input->disk_bytes : input->entropy_bytes;
    if (value == 0) return nz_metric_missing(which == DISK ? input->reason_disk : input->reason_entropy);
    return nz_report_value((double)value, NZ_MEASURED);
}

/* part of whole in percent. */
static nz_value_report percent(uint64_t part, uint64_t whole, const char *none) {
    if (whole == 0) return nz_report_unavailable("%s", none);
    return nz_report_value(100.0 * (double)part / (double)whole, NZ_DERIVED);
}

static nz_value_report parameters(const nz_metric_input *input, int which) {
    const nz_graph_facts *f = input->facts;
    if (!f) return nz_metric_missing(input->reason_facts);
    switch (which) {
    case PARAMS: return nz_report_value((double)f->params, NZ_DERIVED);
    case NONZERO: return nz_report_value((double)f->params_nonzero, NZ_DERIVED);
    case SPARSITY: return percent(f->weights_zero, f->weights, "no convolution or linear layer has constant weights");
    default: return percent(f->params - f->params_nonzero, f->params, "the model has no parameters");
    }
}

const nz_metric nz_metrics_size[] = {
    {.id = "disk_bytes",
     .alias = "Size",
     .title = "Size on disk",
     .unit = "B",
     .category = "size",
     .better = NZ_LOWER,
     .by_default = true,
     .help = "bytes of the model file and its external data",
     .evaluate = bytes,
     .argument = DISK,
     .integer = true},
    {.id = "entropy_bytes",
     .title = "Entropy-coded size",
     .unit = "B",
     .category = "size",
     .better = NZ_LOWER,
     .by_default = true,
     .help = "zstd 19 over each parameter tensor's stored bytes, summed: what is saved once stored or sent; slow",
     .evaluate = bytes,
     .argument = ENTROPY,
     .integer = true,
     .needs_entropy = true},
    {.id = "params",
     .title = "Parameters",
     .unit = "",
     .category = "size",
     .better = NZ_LOWER,
     .by_default = true,
     .help = "elements of weights, biases, scales, shifts, slopes and embedding tables, each tensor once",
     .evaluate = parameters,
     .argument = PARAMS,
     .integer = true},
    {.id = "params_nonzero",
     .alias = "Parameters_count",
     .title = "Non-zero parameters",
     .unit = "",
     .category = "size",
     .better = NZ_LOWER,
     .by_default = true,
     .help = "parameters that are not zero (integers: not equal to their channel's zero point)",
     .evaluate = parameters,
     .argument = NONZERO,
     .integer = true},
    {.id = "sparsity",
     .alias = "Sparsity",
     .title = "Sparsity",
     .unit = "%",
     .category = "size",
     .better = NZ_HIGHER,
     .by_default = true,
     .help = "% zeros of convolution and linear weights",
     .evaluate = parameters,
     .argument = SPARSITY},
    {.id = "sparsity_all",
     .title = "Sparsity of all parameters",
     .unit = "%",
     .category = "size",
     .better = NZ_HIGHER,
     .help = "% zeros of all parameters",
     .evaluate = parameters,
     .argument = SPARSITY_ALL},
    {.id = NULL},
};
