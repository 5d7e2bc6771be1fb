/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latency of one model in the native runtime, as one JSON line.
 *
 *   bench_native MODEL [--threads N] [--batch N] [--compute auto|f32|bf16] [--runs N] [--input NAME=1x3x224x224]
 *                [--per-layer] [--convs] [--reference] [--no-tune]
 *
 * --convs adds the sum of the model's convolutions measured alone, each as the median of repeated runs of its own step.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/memory.h"
#include "core/random.h"
#include "core/text.h"
#include "netzip/onnx.h"
#include "netzip/runtime.h"
#include "runtime/bench.h"

enum { INPUTS_MOST = 16, WARM = 10 };

typedef struct arguments {
    const char *model;
    nz_runtime_options options;
    long long runs;
    bool per_layer, convs;
    nz_binding bindings[INPUTS_MOST];
    char *names[INPUTS_MOST];
} arguments;

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int usage(void) {
    fprintf(
        stderr,
        "usage: bench_native MODEL [--threads N] [--batch N] [--compute auto|f32|bf16] [--runs N] [--input NAME=AxBxC] "
        "[--per-layer] [--convs] [--reference] [--no-tune]\n");
    return 2;
}

static bool read_binding(arguments *a, char *text) {
    char *equals = strrchr(text, '=');
    if (!equals || a->options.binding_count == INPUTS_MOST) return false;
    *equals = 0;
    nz_binding *binding = &a->bindings[a->options.binding_count++];
    binding->input = text;
    for (char *at = equals + 1; *at && binding->shape.rank < NZ_MAX_RANK;) {
        binding->shape.dim[binding->shape.rank++] = strtoll(at, &at, 10);
        if (*at == 'x') at++;
    }
    return true;
}

static bool read_arguments(arguments *a, int argc, char **argv) {
    *a = (arguments){.runs = 50, .options = {.threads = 1, .tune = true}};
    a->options.bindings = a->bindings;
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--per-layer") == 0)
            a->per_layer = a->options.profile = true;
        else if (strcmp(argv[i], "--convs") == 0)
            a->convs = true;
        else if (strcmp(argv[i], "--reference") == 0)
            a->options.reference = true;
        else if (strcmp(argv[i], "--no-tune") == 0)
            a->options.tune = false;
        else if (strcmp(argv[i], "--threads") == 0 && more)
            a->options.threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--batch") == 0 && more)
            a->options.batch = atoll(argv[++i]);
        else if (strcmp(argv[i], "--runs") == 0 && more)
            a->runs = atoll(argv[++i]);
        else if (strcmp(argv[i], "--input") == 0 && more) {
            if (!read_binding(a, argv[++i])) return false;
        } else if (strcmp(argv[i], "--compute") == 0 && more) {
            const char *compute = argv[++i];
            a->options.compute = strcmp(compute, "f32") == 0    ? NZ_COMPUTE_F32
                                 : strcmp(compute, "bf16") == 0 ? NZ_COMPUTE_BF16
                                                                : NZ_COMPUTE_AUTO;
        } else if (argv[i][0] == '-' || a->model)
            return false;
        else
            a->model = argv[i];
    }
    return a->model && a->runs > 0;
}

static nz_status make_tensors(nz_tensor **ret_tensors, const nz_session *session, bool inputs) {
    size_t count = inputs ? nz_session_input_count(session) : nz_session_output_count(session);
    nz_random random;
    nz_random_init(&random, 1, 0);
    nz_tensor *tensors = NULL;
    nz_status status = nz_alloc(&tensors, count + 1, sizeof *tensors);
    *ret_tensors = tensors;
    for (size_t i = 0; i < count && status == NZ_OK; i++) {
        const nz_tensor *model = inputs ? nz_session_input(session, i, NULL) : nz_session_output(session, i, NULL);
        status = nz_tensor_init(&tensors[i], model->dtype, &model->shape);
        for (int64_t k = 0; inputs && status == NZ_OK && k < nz_shape_elements(&model->shape); k++)
            nz_tensor_set_real(&tensors[i], k, nz_random_unit(&random));
    }
    return status;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void print_layers(const nz_session *session) {
    for (size_t i = 0; i < nz_session_layer_count(session); i++) {
        nz_layer layer = nz_session_layer(session, i);
        fprintf(stderr, "%9.4f ms  %-5s %-18s %-44s %s%s%s\n", layer.latency_ms, layer.compute, layer.op, layer.kernel,
                layer.name, *layer.fused ? " + " : "", layer.fused);
    }
}

static nz_status measure(const arguments *a, nz_session *session, double opened_ms) {
    nz_tensor *inputs = NULL, *outputs = NULL;
    double *times = NULL, convs = 0;
    nz_status status = make_tensors(&inputs, session, true);
    if (status == NZ_OK) status = make_tensors(&outputs, session, false);
    if (status == NZ_OK) status = nz_alloc(&times, (size_t)a->runs, sizeof *times);
    for (int i = 0; i < WARM && status == NZ_OK; i++) status = nz_session_run(session, inputs, outputs);
    for (long long i = 0; i < a->runs && status == NZ_OK; i++) {
        double before = now_ms();
        status = nz_session_run(session, inputs, outputs);
        times[i] = now_ms() - before;
    }
    if (status == NZ_OK && a->convs) status = nz_bench_convolutions(session, inputs, outputs, &convs);
    if (status == NZ_OK) {
        if (a->per_layer) print_layers(session);
        qsort(times, (size_t)a->runs, sizeof *times, ascending);
        const char *base = strrchr(a->model, '/');
        printf("{\"model\": \"%s\", \"threads\": %d, \"compute\": \"%s\", \"median_ms\": %.6f, \"min_ms\": %.6f, "
               "\"p90_ms\": %.6f, \"runs\": %lld, "
               "\"open_ms\": %.1f, \"activation_bytes\": %zu",
               base ? base + 1 : a->model, a->options.threads, nz_session_compute(session), times[a->runs / 2],
               times[0], times[a->runs * 9 / 10], a->runs, opened_ms, nz_session_activation_bytes(session));
        if (a->convs) printf(", \"convolutions_ms\": %.6f", convs);
        printf("}\n");
    }
    for (size_t i = 0; inputs && i < nz_session_input_count(session); i++) nz_tensor_done(&inputs[i]);
    for (size_t i = 0; outputs && i < nz_session_output_count(session); i++) nz_tensor_done(&outputs[i]);
    free(inputs);
    free(outputs);
    free(times);
    return status;
}

int main(int argc, char **argv) {
    arguments a;
    nz_graph *graph = NULL;
    nz_session *session = NULL;
    if (!read_arguments(&a, argc, argv)) return usage();
    nz_status status = nz_model_load(&graph, a.model);
    double before = now_ms();
    if (status == NZ_OK) status = nz_session_open(&session, "native", graph, a.model, &a.options);
    if (status == NZ_OK) status = measure(&a, session, now_ms() - before);
    if (status != NZ_OK) fprintf(stderr, "bench_native: %s\n", nz_last_error());
    nz_session_free(session);
    nz_graph_free(graph);
    return nz_status_exit_code(status);
}
