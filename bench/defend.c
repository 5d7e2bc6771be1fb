/* SPDX-License-Identifier: Apache-2.0 */
/* What bench/defend.sh needs beside netzip itself:
 *   bench_defend empty FILE        writes a model that does nothing: Identity of one element
 *   bench_defend net FILE [WIDE]   writes a small network with random weights; WIDE: with twice the work
 *   bench_defend burn              loads one core until it is ended
 *   bench_defend watch COMMAND...  runs a command; peak memory of it and of its oldest child (a comparison's station)
 *   bench_defend show DIR          figures of a comparison of two models, one line
 *   bench_defend cover DIR...      comparisons of the same two models: how many intervals hold the ratio of all of them */
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/error.h"
#include "core/json.h"
#include "core/memory.h"
#include "graph/build.h"
#include "netzip/arch.h"
#include "netzip/blocks.h"
#include "netzip/measure.h"
#include "netzip/onnx.h"
#include "netzip/pass.h"

/* ---- models ---- */

static nz_status write_empty(const char *path) {
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    int x = 0, y = 0, node = 0;
    const nz_shape one = {.rank = 2, .dim = {1, 1}};
    NZ_TRY(nz_graph_new(&g));
    NZ_TRY(nz_graph_add_value(g, &x, "x", NZ_F32, &one));
    NZ_TRY(nz_graph_add_input(g, x));
    NZ_TRY(nz_graph_add_value(g, &y, "y", NZ_F32, &one));
    NZ_TRY(nz_graph_add_node(g, &node, "Identity", "nothing", &x, 1, &y, 1));
    NZ_TRY(nz_graph_add_output(g, y));
    NZ_TRY(nz_graph_finish(g));
    g->nodes[0].opset = NZ_OPSET;
    return nz_model_save(g, path);
}

static nz_status write_net(const char *path, bool wide) {
    NZ_AUTO_GRAPH nz_graph *g = NULL;
    nz_arch_options options = {.classes = 10, .seed = 1};
    NZ_TRY(nz_arch_build(&g, wide ? "resnet32-cifar" : "resnet20-cifar", &options));
    return nz_model_save(g, path);
}

static void burn(void) {
    for (volatile unsigned long long i = 0;; i++) {
    }
}

/* ---- memory ---- */

static double peak_of(pid_t pid) {
    nz_memory_process memory;
    return nz_memory_process_get(&memory, (int)pid, NULL) == NZ_OK ? (double)memory.peak_bytes : 0;
}

/* The oldest child: the lowest number but for one that starts again from the bottom. */
static pid_t child_of(pid_t parent) {
    DIR *dir = opendir("/proc");
    pid_t found = 0;
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[300], name[64];
        int pid = atoi(entry->d_name), ppid = 0;
        if (pid < 1) continue;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *file = fopen(path, "r");
        if (!file) continue;
        if (fscanf(file, "%*d (%63[^)]) %*c %d", name, &ppid) == 2 && ppid == parent && (!found || pid < found))
            found = pid;
        fclose(file);
    }
    if (dir) closedir(dir);
    return found;
}

static int watch(char **command) {
    pid_t pid = fork(), station = 0;
    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        if (null >= 0) dup2(null, STDOUT_FILENO), dup2(null, STDERR_FILENO);
        execvp(command[0], command);
        _exit(127);
    }
    double own = 0, its = 0;
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        if (!station) station = child_of(pid);
        own = fmax(own, peak_of(pid));
        its = fmax(its, peak_of(station));
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    printf("%.0f %.0f\n", own, its);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* ---- comparisons ---- */

static const json_t *model_of(const json_t *results, size_t i) {
    return json_array_get(json_object_get(results, "models"), i);
}

static const json_t *metric_of(const json_t *results, size_t i, const char *id) {
    return json_object_get(json_object_get(model_of(results, i), "metrics"), id);
}

static double value_of(const json_t *results, size_t i, const char *id) {
    return nz_json_number_at(metric_of(results, i, id), "value");
}

typedef struct figures {
    double ratio, low, high;
} figures;

static figures ratio_of(const json_t *results) {
    const json_t *ratio = json_object_get(metric_of(results, 1, "latency_ms"), "ratio"),
                 *ends = json_object_get(ratio, "ci95");
    return (figures){nz_json_number_at(ratio, "value"), json_number_value(json_array_get(ends, 0)),
                     json_number_value(json_array_get(ends, 1))};
}

static nz_status read_results(json_t **ret_results, const char *folder, const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return nz_json_read(ret_results, path);
}

/* latency of both in ms, ratio with its ends, plain means of both in ms, busy %, others %, clock %, loop %, rounds, marks */
static nz_status show(const char *folder) {
    NZ_AUTO_JSON json_t *results = NULL;
    NZ_TRY(read_results(&results, folder, "results.json"));
    figures f = ratio_of(results);
    const json_t *conditions = json_object_get(model_of(results, 1), "conditions"),
                 *marks = json_object_get(conditions, "marks");
    printf("%.6f %.6f %.5f %.5f %.5f %.6f %.6f %.1f %.1f %.5f %.5f %.0f ", value_of(results, 0, "latency_ms"),
           value_of(results, 1, "latency_ms"), f.ratio, f.low, f.high, value_of(results, 0, "latency_ms_mean"),
           value_of(results, 1, "latency_ms_mean"), nz_json_number_at(conditions, "busy_pct"),
           nz_json_number_at(conditions, "others_pct"), nz_json_number_at(conditions, "clock_overhead_pct"),
           nz_json_number_at(conditions, "loop_overhead_pct"), nz_json_number_at(conditions, "rounds"));
    for (size_t i = 0; i < json_array_size(marks); i++)
        printf("%s%s", i ? "," : "", json_string_value(json_array_get(marks, i)));
    printf("%s %.0f\n", json_array_size(marks) ? "" : "-", value_of(results, 0, "ram_bytes"));
    return NZ_OK;
}

typedef struct pool {
    size_t count, capacity;
    double *ns;
} pool;

static nz_status add_times(pool *p, const json_t *timing) {
    const json_t *rounds = json_object_get(timing, "rounds");
    for (size_t r = 0; r < json_array_size(rounds); r++) {
        const json_t *times = json_object_get(json_array_get(rounds, r), "ns");
        NZ_TRY(nz_grow(&p->ns, &p->capacity, p->count + json_array_size(times), sizeof *p->ns));
        for (size_t i = 0; i < json_array_size(times); i++)
            p->ns[p->count++] = json_number_value(json_array_get(times, i));
    }
    return NZ_OK;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double middle(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    return count ? nz_quantile(values, count, 0.5) : NAN;
}

static nz_status add_comparison(pool pools[2], figures *ret_figures, const char *folder) {
    NZ_AUTO_JSON json_t *results = NULL, *times = NULL;
    NZ_TRY(read_results(&results, folder, "results.json"));
    NZ_TRY(read_results(&times, folder, "times.json"));
    for (size_t i = 0; i < 2; i++) {
        const char *id = nz_json_text_at(model_of(results, i), "id");
        NZ_TRY(add_times(&pools[i], json_object_get(json_object_get(json_object_get(times, "models"), id), "timing")));
    }
    *ret_figures = ratio_of(results);
    return NZ_OK;
}

static nz_status cover(char **folders, size_t count) {
    pool pools[2] = {{.ns = NULL}, {.ns = NULL}};
    figures *all = NULL;
    double *widths = NULL;
    NZ_TRY(nz_alloc(&all, count, sizeof *all));
    NZ_TRY(nz_alloc(&widths, count, sizeof *widths));
    for (size_t i = 0; i < count; i++) NZ_TRY(add_comparison(pools, &all[i], folders[i]));
    double pooled = middle(pools[0].ns, pools[0].count) / middle(pools[1].ns, pools[1].count);
    size_t held = 0;
    double least = INFINITY, most = 0;
    for (size_t i = 0; i < count; i++) {
        bool holds = all[i].low <= pooled && pooled <= all[i].high;
        held += holds;
        least = fmin(least, all[i].ratio);
        most = fmax(most, all[i].ratio);
        widths[i] = 100 * (all[i].high - all[i].low) / all[i].ratio;
        printf("%3zu  %.4f  %.4f to %.4f  %5.2f%%%s\n", i + 1, all[i].ratio, all[i].low, all[i].high, widths[i],
               holds ? "" : "  does not hold the pooled ratio");
    }
    printf("pooled ratio %.4f; %zu of %zu intervals hold it; median width %.2f%%; ratios from %.4f to %.4f\n", pooled,
           held, count, middle(widths, count), least, most);
    for (size_t i = 0; i < 2; i++) free(pools[i].ns);
    free(all);
    free(widths);
    return NZ_OK;
}

int main(int argc, char **argv) {
    const char *verb = argc > 1 ? argv[1] : "";
    nz_status status = NZ_OK;
    if (strcmp(verb, "empty") == 0 && argc == 3)
        status = write_empty(argv[2]);
    else if (strcmp(verb, "net") == 0 && argc >= 3)
        status = write_net(argv[2], argc > 3);
    else if (strcmp(verb, "burn") == 0)
        burn();
    else if (strcmp(verb, "watch") == 0 && argc > 2)
        return watch(argv + 2);
    else if (strcmp(verb, "show") == 0 && argc == 3)
        status = show(argv[2]);
    else if (strcmp(verb, "cover") == 0 && argc > 2)
        status = cover(argv + 2, (size_t)argc - 2);
    else {
        fprintf(stderr, "usage: bench_defend empty|net|burn|watch|show|cover ...\n");
        return 2;
    }
    if (status != NZ_OK) fprintf(stderr, "bench_defend: %s\n", nz_last_error());
    return nz_status_exit_code(status);
}
