/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints of a training: whatever an archive holds, it is refused in one line and changes nothing, or is a state that a run
 * may have. */
#include <math.h>

#include "core/memory.h"
#include "fuzz.h"
#include "graph/build.h"
#include "train/trainer.h"

enum { SAMPLES = 12 };

static nz_graph *graph;
static nz_train_options options;
static nz_engine *engine;
static nz_updater updater;
static nz_dataset *data;
static nz_feed feed;
static nz_standing standing;
static char state[5];

static int constant(const char *name, nz_dtype type, nz_shape shape, double value) {
    int index = -1;
    NZ_AUTO_TENSOR nz_tensor tensor = {0};
    nz_fuzz_check(nz_tensor_init(&tensor, type, &shape) == NZ_OK);
    for (int64_t i = 0; i < nz_shape_elements(&shape); i++) nz_tensor_set_real(&tensor, i, value);
    nz_fuzz_check(nz_graph_add_constant(graph, &index, name, &tensor) == NZ_OK);
    return index;
}

static int node(const char *op, const int *inputs, size_t count) {
    int out = -1, index = -1;
    nz_fuzz_check(nz_graph_add_value(graph, &out, op, NZ_DTYPE_NONE, &(nz_shape){.rank = -1}) == NZ_OK);
    nz_fuzz_check(nz_graph_add_node(graph, &index, op, op, inputs, count, &out, 1) == NZ_OK);
    graph->nodes[index].opset = NZ_OPSET;
    return out;
}

/* A quantised input, a convolution, batch normalisation, a linear layer: one of everything that a checkpoint keeps. */
static void build(void) {
    const nz_shape two = {1, {2}}, scalar = {0};
    int x = -1;
    nz_fuzz_check(nz_graph_new(&graph) == NZ_OK);
    nz_fuzz_check(nz_graph_add_value(graph, &x, "x", NZ_F32, &(nz_shape){4, {-1, 3, 4, 4}}) == NZ_OK);
    nz_fuzz_check(nz_graph_add_input(graph, x) == NZ_OK);
    int scale = constant("scale", NZ_F32, scalar, 0.01), zero = constant("zero", NZ_U8, scalar, 0);
    int y = node("QuantizeLinear", (int[]){x, scale, zero}, 3);
    y = node("DequantizeLinear", (int[]){y, scale, zero}, 3);
    y = node("Conv", (int[]){y, constant("w", NZ_F32, (nz_shape){4, {2, 3, 1, 1}}, 0.5)}, 2);
    int one = constant("gamma", NZ_F32, two, 1), beta = constant("beta", NZ_F32, two, 0);
    int mean = constant("mean", NZ_F32, two, 0), variance = constant("variance", NZ_F32, two, 1);
    y = node("BatchNormalization", (int[]){y, one, beta, mean, variance}, 5);
    y = node("Flatten", (int[]){node("GlobalAveragePool", &y, 1)}, 1);
    y = node("Gemm", (int[]){y, constant("v", NZ_F32, (nz_shape){2, {2, 10}}, 0.1)}, 2);
    nz_fuzz_check(nz_graph_add_output(graph, y) == NZ_OK && nz_graph_finish(graph) == NZ_OK);
}

static nz_snapshot begin(void) {
    if (!graph) {
        build();
        nz_fuzz_check(nz_train_options_read(&options, "batch=4,optimizer=adamw") == NZ_OK);
        nz_fuzz_check(nz_data_open(&data, "synthetic:shapes,count=12,size=16", NULL, NZ_DATA_TRAIN, NULL) == NZ_OK);
        nz_fuzz_check(nz_feed_init(&feed, data, &options, 1, NULL) == NZ_OK);
        nz_engine_options how = {.batch = 4, .threads = 1, .reference = true};
        nz_fuzz_check(nz_engine_open(&engine, graph, &how) == NZ_OK);
        nz_fuzz_check(nz_updater_init(&updater, engine, &options) == NZ_OK);
        nz_fuzz_check(nz_engine_quantizer_count(engine) == 1 && nz_engine_running_count(engine) == 2);
        nz_fuzz_check(nz_engine_param_count(engine) == 4);
    }
    return (nz_snapshot){.identity = "checkpoint 1\nthreads 1\n",
                         .engine = engine,
                         .updater = &updater,
                         .standing = &standing,
                         .feed = &feed,
                         .state = state,
                         .state_bytes = sizeof state};
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    nz_snapshot snapshot = begin();
    nz_quantizer *q = nz_engine_quantizer(engine, 0);
    standing.step = 77;
    nz_engine_param(engine, 0)->value[0] = 3;
    if (nz_snapshot_read(nz_fuzz_file(bytes, count), &snapshot) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && standing.step == 77 && nz_engine_param(engine, 0)->value[0] == 3);
        return 0;
    }
    nz_fuzz_check(q->scales[0] > 0 && isfinite(q->scales[0]) && q->zero >= q->least && q->zero <= q->most);
    nz_fuzz_check(q->mode >= NZ_QUANTIZER_OBSERVE && q->mode <= NZ_QUANTIZER_LEARN);
    size_t broken = 0;
    for (size_t i = 0; i < SAMPLES; i++) broken += feed.broken[i];
    nz_fuzz_check(broken == feed.broken_count);
    volatile double last = 0;
    for (size_t i = 0; i < standing.count; i++) last = standing.epochs[i].images_per_s;
    (void)last;
    float x[4 * 3 * 4 * 4] = {0};
    nz_fuzz_check(nz_engine_forward(engine, x, true, 0) == NZ_OK);
    return 0;
}
