/* SPDX-License-Identifier: Apache-2.0 */
/** A network with data and options, its training runs, and a user who stops them. Included by one test program each. */
#ifndef NZ_TESTS_TRAIN_BENCH_H
#define NZ_TESTS_TRAIN_BENCH_H

#include "test.h"
#include "train/loop.h"

typedef struct bench {
    nz_graph *graph;
    nz_dataset *train, *test;
    nz_train_options options;
} bench;

static inline void bench_done(bench *b) {
    nz_graph_free(b->graph);
    nz_data_free(b->train);
    nz_data_free(b->test);
    nz_train_options_done(&b->options);
}

static inline nz_status go(nz_graph **graph, nz_train_report *report, const bench *b, const nz_train_files *files,
                           const nz_train_hooks *hooks, const nz_progress *progress) {
    return nz_train_loop(graph, report, b->graph, b->train, b->test, &b->options, files, hooks, progress);
}

static inline void assert_same_weights(const nz_graph *a, const nz_graph *b) {
    assert_int_equal(a->value_count, b->value_count);
    for (size_t i = 0; i < a->value_count; i++) {
        assert_int_equal(a->values[i].constant.bytes, b->values[i].constant.bytes);
        if (a->values[i].constant.data)
            assert_memory_equal(a->values[i].constant.data, b->values[i].constant.data, a->values[i].constant.bytes);
    }
}

/** Lets `left` steps be reported and stops at the next. Notes are kept, to be looked into. */
typedef struct watcher {
    int left;
    char notes[4096];
} watcher;
static inline int user_step(void *argument, const char *what, unsigned long long done, unsigned long long total) {
    (void)what;
    (void)done;
    (void)total;
    return ((watcher *)argument)->left-- <= 0;
}
static inline void user_note(void *argument, const char *line) {
    watcher *u = argument;
    size_t used = strlen(u->notes);
    snprintf(u->notes + used, sizeof u->notes - used, "%s\n", line);
}

#endif
