/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time of one training step of an architecture, as one JSON line: forward, loss, backward and SGD with momentum on a batch
 * that stays the same. Of a detector: up to the raw outputs of its head, whose squares are the loss.
 *
 *   bench_train ARCH [--side PIXELS] [--classes N] [--batch N] [--threads N] [--bf16] [--runs N] [--profile]
 *
 * --profile also says what forward, backward and the update took, and what each step of the engine did.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/threads.h"
#include "netzip/arch.h"
#include "train/head.h"
#include "train/loop.h"
#include "train/plan.h"
#include "train/update.h"

enum { WARM = 4 };

typedef struct arguments {
    const char *arch;
    nz_arch_options shape;
    nz_engine_options engine;
    long long runs;
    bool profile;
} arguments;

typedef struct bench {
    nz_engine *engine;
    nz_updater updater;
    nz_train_options options;
    float *x, *doutput;
    int32_t *labels;
    size_t batch, classes;
    double loss;
    double parts[3]; /* ms of forward with the loss, backward, update: sums */
    nz_head_places places;
    float *levels; /* room for the largest tap */
} bench;

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static long long peak_bytes(void) {
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (long long)usage.ru_maxrss * 1024;
}

static int usage(void) {
    fprintf(stderr,
            "usage: bench_train ARCH [--side PIXELS] [--classes N] [--batch N] [--threads N] [--bf16] [--runs N] "
            "[--profile]\n");
    return 2;
}

static bool read_arguments(arguments *a, int argc, char **argv) {
    *a = (arguments){.runs = 20, .engine = {.batch = 32, .threads = 1}};
    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--bf16") == 0)
            a->engine.bf16 = true;
        else if (strcmp(argv[i], "--profile") == 0)
            a->profile = true;
        else if (strcmp(argv[i], "--side") == 0 && more)
            a->shape.height = a->shape.width = atoll(argv[++i]);
        else if (strcmp(argv[i], "--classes") == 0 && more)
            a->shape.classes = atoll(argv[++i]);
        else if (strcmp(argv[i], "--batch") == 0 && more)
            a->engine.batch = atoll(argv[++i]);
        else if (strcmp(argv[i], "--threads") == 0 && more)
            a->engine.threads = atoi(argv[++i]);
        else if (strcmp(argv[i], "--runs") == 0 && more)
            a->runs = atoll(argv[++i]);
        else if (argv[i][0] == '-' || a->arch)
            return false;
        else
            a->arch = argv[i];
    }
    return a->arch && a->runs > 0;
}

static nz_status prepare(bench *b, const arguments *a) {
    nz_random random;
    const nz_shape *input = nz_engine_input_shape(b->engine), *output = nz_engine_output_shape(b->engine);
    size_t elements = (size_t)nz_shape_elements(input);
    b->batch = (size_t)output->dim[0], b->classes = (size_t)(nz_shape_elements(output) / output->dim[0]);
    nz_random_init(&random, 1, 0);
    NZ_TRY(nz_train_options_read(&b->options, "lr=0.01,momentum=0.9,nesterov=0,weight_decay=0.00001"));
    NZ_TRY(nz_updater_init(&b->updater, b->engine, &b->options));
    NZ_TRY(nz_alloc_aligned(&b->x, elements, sizeof *b->x));
    NZ_TRY(nz_alloc_aligned(&b->doutput, b->batch * b->classes, sizeof *b->doutput));
    for (size_t i = 0, most = 0; i < b->places.count; i++) {
        size_t level = (size_t)nz_shape_elements(nz_engine_tap_shape(b->engine, i));
        if (level <= most) continue;
        free(b->levels);
        b->levels = NULL;
        NZ_TRY(nz_alloc_aligned(&b->levels, most = level, sizeof *b->levels));
    }
    NZ_TRY(nz_alloc(&b->labels, b->batch, sizeof *b->labels));
    for (size_t i = 0; i < elements; i++) b->x[i] = (float)nz_random_unit(&random);
    for (size_t i = 0; i < b->batch; i++) b->labels[i] = (int32_t)nz_random_below(&random, b->classes);
    nz_threads_set(a->engine.threads);
    return NZ_OK;
}

static nz_status lose_levels(bench *b) {
    b->loss = 0;
    for (size_t i = 0; i < b->places.count; i++) {
        size_t elements = (size_t)nz_shape_elements(nz_engine_tap_shape(b->engine, i));
        nz_engine_tap(b->engine, i, b->levels);
        b->loss += nz_train_square_sum(b->levels, elements) / (double)elements;
        for (size_t k = 0; k < elements; k++) b->levels[k] *= 2 / (float)elements;
        NZ_TRY(nz_engine_tap_gradient(b->engine, i, b->levels));
    }
    return NZ_OK;
}

static nz_status step(bench *b, uint64_t at) {
    double start = now_ms();
    NZ_TRY(nz_engine_forward(b->engine, b->x, true, at));
    if (b->places.count)
        NZ_TRY(lose_levels(b));
    else
        b->loss = nz_loss_cross_entropy(nz_engine_output(b->engine), b->labels, b->batch, b->classes, 0, b->doutput);
    double forward = now_ms();
    NZ_TRY(nz_engine_backward(b->engine, b->doutput));
    double backward = now_ms();
    (void)nz_updater_step(&b->updater, 0.01, 0.9, at);
    double end = now_ms();
    b->parts[0] += forward - start, b->parts[1] += backward - forward, b->parts[2] += end - backward;
    return NZ_OK;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Each of the engine's steps by itself, the fastest of several times. */
static nz_status print_steps(bench *b, long long runs) {
    nz_engine *e = b->engine;
    for (size_t s = 0; s < e->step_count; s++) {
        nz_engine_step *one = &e->steps[s];
        double best[2] = {1e30, 1e30};
        for (long long i = 0; i < runs; i++) {
            double start = now_ms();
            NZ_TRY(one->kind->forward(e, one));
            double middle = now_ms();
            if (one->active && one->kind->backward) NZ_TRY(one->kind->backward(e, one));
            double end = now_ms();
            if (middle - start < best[0]) best[0] = middle - start;
            if (end - middle < best[1]) best[1] = end - middle;
        }
        fprintf(stderr, "%9.4f ms %9.4f ms  %-20s %s\n", best[0], best[1], one->kind->name,
                one->node ? one->node->name : "");
    }
    return NZ_OK;
}

static nz_status measure(bench *b, const arguments *a, long long before) {
    double *times = NULL;
    NZ_TRY(prepare(b, a));
    NZ_TRY(nz_alloc(&times, (size_t)a->runs, sizeof *times));
    nz_status status = NZ_OK;
    for (uint64_t i = 0; i < (uint64_t)a->runs + WARM && status == NZ_OK; i++) {
        if (i == WARM) memset(b->parts, 0, sizeof b->parts);
        double start = now_ms();
        status = step(b, i + 1);
        if (i >= WARM) times[i - WARM] = now_ms() - start;
    }
    if (status == NZ_OK) {
        double runs = (double)a->runs;
        qsort(times, (size_t)a->runs, sizeof *times, ascending);
        printf("{\"arch\": \"%s\", \"batch\": %zu, \"threads\": %d, \"precision\": \"%s\", \"median_ms\": %.4f, "
               "\"min_ms\": %.4f, \"images_per_s\": %.1f, \"bytes\": %lld, \"engine_bytes\": %zu, \"loss\": %.6f",
               a->arch, b->batch, a->engine.threads, a->engine.bf16 ? "bf16" : "f32", times[a->runs / 2], times[0],
               (double)b->batch * 1e3 / times[a->runs / 2], peak_bytes() - before, nz_engine_bytes(b->engine), b->loss);
        if (a->profile)
            printf(", \"forward_ms\": %.4f, \"backward_ms\": %.4f, \"update_ms\": %.4f", b->parts[0] / runs,
                   b->parts[1] / runs, b->parts[2] / runs);
        printf("}\n");
        if (a->profile) status = print_steps(b, 8);
    }
    free(times);
    return status;
}

static nz_status open_engine(bench *b, arguments *a, const nz_graph *graph) {
    const nz_arch_info *info = nz_arch_get(a->arch);
    if (info && info->detector) {
        NZ_TRY(nz_head_find(&b->places, graph));
        a->engine.taps = (const char *const *)b->places.names;
        a->engine.tap_count = b->places.count;
        a->engine.taps_alone = true;
    }
    return nz_engine_open(&b->engine, graph, &a->engine);
}

int main(int argc, char **argv) {
    arguments a;
    bench b = {0};
    nz_graph *graph = NULL;
    if (!read_arguments(&a, argc, argv)) return usage();
    long long before = peak_bytes();
    nz_status status = nz_arch_build(&graph, a.arch, &a.shape);
    if (status == NZ_OK) status = open_engine(&b, &a, graph);
    if (status == NZ_OK) status = measure(&b, &a, before);
    if (status != NZ_OK) fprintf(stderr, "bench_train: %s\n", nz_last_error());
    nz_updater_done(&b.updater);
    nz_train_options_done(&b.options);
    nz_engine_free(b.engine);
    nz_graph_free(graph);
    nz_head_places_done(&b.places);
    free(b.x), free(b.doutput), free(b.labels), free(b.levels);
    return nz_status_exit_code(status);
}
