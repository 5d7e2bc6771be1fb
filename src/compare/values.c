/* SPDX-License-Identifier: Apache-2.0 */
/* From what was measured to metric values: the parts of each variant become facts, and every metric reads those. */
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compare/detection.h"
#include "compare/facts_json.h"
#include "compare/intervals.h"
#include "compare/process_values.h"
#include "compare/run.h"
#include "core/error.h"
#include "core/memory.h"

/* Scores of a variant: the mapped file, or a copy of some of its rows. */
typedef struct scores {
    nz_predictions predictions;
    const char *indices; /* of int64_t, which may lie at a multiple of 4 only, after an odd number of floats */
    void *map;
    size_t map_bytes;
    float *rows; /* owned copies */
    int32_t *labels;
} scores;

/* Everything that the metrics of one variant read. */
typedef struct gathered {
    nz_metric_input input;
    nz_graph_facts facts;
    bool has_facts, has_scores;
    scores scores;
    nz_timing_lists times;
    char reason[512], reason_accuracy[512], reason_baseline[512];
} gathered;

static void scores_done(scores *s) {
    if (s->map) munmap(s->map, s->map_bytes);
    free(s->rows);
    free(s->labels);
    *s = (scores){0};
}

static void gathered_done(gathered *g) {
    if (g->has_facts) nz_graph_facts_done(&g->facts);
    scores_done(&g->scores);
    nz_timing_lists_done(&g->times);
}

static nz_status map_scores(scores *ret_scores, const nz_run *run, const nz_variant *v) {
    const json_t *predict = json_object_get(v->raw, "predict");
    size_t count = (size_t)json_integer_value(json_object_get(predict, "count"));
    size_t classes = (size_t)json_integer_value(json_object_get(predict, "classes"));
    size_t bytes = count * (classes * sizeof(float) + sizeof(int64_t) + sizeof(int32_t));
    NZ_AUTO_FREE char *path = NULL;
    NZ_TRY(nz_store_scores(&path, run, v));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0 || (size_t)info.st_size != bytes) {
        if (fd >= 0) close(fd);
        return nz_fail(NZ_E_IO, "%s: the scores are missing or of another size", path);
    }
    void *map = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (map == MAP_FAILED) return nz_fail(NZ_E_MEMORY, "%s: %zu bytes cannot be mapped", path, bytes);
    scores s = {.map = map, .map_bytes = bytes};
    s.indices = (const char *)map + count * classes * sizeof(float);
    const int32_t *labels = (const int32_t *)(const void *)(s.indices + count * sizeof(int64_t));
    bool labelled = true;
    for (size_t i = 0; i < count; i++) labelled = labelled && labels[i] >= 0;
    s.predictions = (nz_predictions){
        .count = count,
        .classes = classes,
        .scores = map,
        .labels = labelled ? labels : NULL,
        .probabilities = json_is_true(json_object_get(run->entries[v->entry].describe, "probabilities"))};
    *ret_scores = s;
    return NZ_OK;
}

static int64_t index_at(const scores *s, size_t i) {
    int64_t index;
    memcpy(&index, s->indices + i * sizeof index, sizeof index);
    return index;
}

static bool same_samples(const scores *a, const scores *b) {
    return a->predictions.count == b->predictions.count &&
           memcmp(a->indices, b->indices, a->predictions.count * sizeof(int64_t)) == 0;
}

/* The rows of `own` whose sample `other` has too; both are ascending in the index. */
static nz_status intersect(scores *ret_common, const scores *own, const scores *other) {
    scores s = {.predictions = own->predictions};
    size_t classes = own->predictions.classes, n = 0;
    NZ_TRY(nz_alloc(&s.rows, own->predictions.count * classes, sizeof *s.rows));
    nz_status status = nz_alloc(&s.labels, own->predictions.count, sizeof *s.labels);
    if (status != NZ_OK) {
        scores_done(&s);
        return status;
    }
    for (size_t i = 0, k = 0; i < own->predictions.count; i++) {
        int64_t index = index_at(own, i);
        while (k < other->predictions.count && index_at(other, k) < index) k++;
        if (k >= other->predictions.count || index_at(other, k) != index) continue;
        memcpy(s.rows + n * classes, own->predictions.scores + i * classes, classes * sizeof *s.rows);
        s.labels[n++] = own->predictions.labels ? own->predictions.labels[i] : -1;
    }
    s.predictions.scores = s.rows;
    s.predictions.labels = own->predictions.labels ? s.labels : NULL;
    s.predictions.count = n;
    *ret_common = s;
    return NZ_OK;
}

static void gather_memory(gathered *g, const json_t *raw) {
    const json_t *memory = json_object_get(raw, "memory");
    double before = nz_json_number_at(memory, "rss_before"), peak = nz_json_number_at(memory, "peak");
    g->input.activation_peak_bytes = nz_json_number_at(json_object_get(raw, "load"), "activation_bytes");
    if (!memory) return;
    g->input.ram_bytes = peak > before ? peak - before : peak - before == 0 ? 0 : NAN;
    g->input.ram_pss_bytes = fmax(0, nz_json_number_at(memory, "pss") - nz_json_number_at(memory, "pss_before"));
    if (isnan(nz_json_number_at(memory, "pss"))) g->input.ram_pss_bytes = NAN;
    g->input.ram_machine_bytes = nz_json_number_at(memory, "machine");
    g->input.gpu_util_pct = nz_json_number_at(memory, "gpu_util_pct");
    g->input.gpu_mem_bytes = nz_json_number_at(memory, "gpu_mem_bytes");
    g->input.reason_gpu = json_string_value(json_object_get(memory, "gpu_reason"));
}

static nz_status gather_scores(gathered *g, const nz_run *run, const nz_variant *v) {
    const json_t *predict = json_object_get(v->raw, "predict");
    const char *unavailable = json_string_value(json_object_get(predict, "unavailable"));
    if (predict && json_is_true(json_object_get(predict, "detections"))) return NZ_OK; /* detection_values.c */
    if (!run->options->data || !predict || unavailable) {
        const char *why = !run->options->data ? "no --data was given"
                          : unavailable       ? unavailable
                                              : "not asked for (--metrics)";
        snprintf(g->reason_accuracy, sizeof g->reason_accuracy, "%s", why);
        g->input.reason_accuracy = g->reason_accuracy;
        return NZ_OK;
    }
    NZ_TRY(map_scores(&g->scores, run, v));
    g->has_scores = true;
    g->input.predictions = &g->scores.predictions;
    return NZ_OK;
}

static nz_status gather(gathered *g, const nz_run *run, const nz_variant *v) {
    const nz_entry *entry = &run->entries[v->entry];
    const json_t *facts = json_object_get(v->raw, "facts");
    g->input = nz_metric_input_none();
    g->input.reason_speed = g->input.reason_process = g->input.reason_energy = "not asked for (--metrics)";
    if (v->error) {
        snprintf(g->reason, sizeof g->reason, "the model failed: %.400s", v->error);
        g->input.reason_facts = g->input.reason_disk = g->input.reason_entropy = g->input.reason_accuracy =
            g->input.reason_speed = g->input.reason_process = g->input.reason_gpu = g->input.reason_energy = g->reason;
        return NZ_OK;
    }
    NZ_TRY(nz_facts_from_json(&g->facts, json_object_get(facts, "facts")));
    g->has_facts = true;
    g->input.facts = &g->facts;
    g->input.disk_bytes = (uint64_t)json_integer_value(json_object_get(entry->describe, "disk_bytes"));
    g->input.entropy_bytes = (uint64_t)json_integer_value(json_object_get(facts, "entropy_bytes"));
    g->input.reason_entropy = "not asked for (--metrics)";
    g->input.energy_estimated_j = nz_json_number_at(facts, "energy_estimated_j");
    if (nz_variant_has(v, "timing"))
        NZ_TRY(
            nz_timing_input(&g->input, &g->times, json_object_get(v->raw, "timing"), json_object_get(v->raw, "batch")));
    gather_memory(g, v->raw);
    nz_gather_process(&g->input, v->raw);
    return gather_scores(g, run, v);
}

/* Sets what `g` is compared with; where the two have read different samples, both are cut to those in common. */
static nz_status set_baseline(nz_metric_input *input, scores common[2], gathered *g, const gathered *base,
                              const nz_run *run, size_t base_v) {
    *input = g->input;
    if (!base->has_scores) {
        snprintf(g->reason_baseline, sizeof g->reason_baseline, "the baseline has no scores: %.400s",
                 run->variants[base_v].error ? run->variants[base_v].error : base->reason_accuracy);
        input->reason_baseline = g->reason_baseline;
        return NZ_OK;
    }
    if (!g->has_scores || same_samples(&g->scores, &base->scores)) {
        input->baseline = &base->scores.predictions;
        return NZ_OK;
    }
    NZ_TRY(intersect(&common[0], &g->scores, &base->scores));
    NZ_TRY(intersect(&common[1], &base->scores, &g->scores));
    input->predictions = &common[0].predictions;
    input->baseline = &common[1].predictions;
    return NZ_OK;
}

static bool is_topk(const nz_metric *metric) { return strncmp(metric->id, "top", 3) == 0 && metric->argument > 0; }

/* Metrics that look at the baseline get the common samples; the others all that this model has. */
static bool looks_at_baseline(const nz_metric *metric) {
    static const char *const ids[] = {"agreement", "negative_flips", "kl", "max_abs_diff", "sqnr_db"};
    for (size_t i = 0; i < NZ_COUNT(ids); i++)
        if (strcmp(ids[i], metric->id) == 0) return true;
    return false;
}

static nz_status fill_row(nz_cell *row, const nz_run *run, gathered *all, size_t v) {
    size_t base = nz_run_baseline_of(run, v);
    scores common[2] = {{.map = NULL}, {.map = NULL}};
    nz_metric_input paired = all[v].input;
    nz_status status = v == base ? NZ_OK : set_baseline(&paired, common, &all[v], &all[base], run, base);
    for (size_t m = 0; status == NZ_OK && m < run->metric_count; m++) {
        const nz_metric *metric = run->metrics[m];
        row[m].report = nz_metric_value(metric, looks_at_baseline(metric) ? &paired : &all[v].input);
        if (v != base && is_topk(metric) && paired.predictions && paired.baseline &&
            row[m].report.source != NZ_UNAVAILABLE)
            row[m].has_paired =
                nz_paired_topk(&row[m].paired, paired.baseline, paired.predictions, metric->argument) == NZ_OK;
    }
    scores_done(&common[0]);
    scores_done(&common[1]);
    return status;
}

nz_status nz_values_get(nz_cell **ret_cells, nz_run *run) {
    gathered *all = NULL;
    NZ_AUTO_FREE nz_cell *cells = NULL;
    NZ_TRY(nz_alloc(&cells, run->variant_count * run->metric_count, sizeof *cells));
    NZ_TRY(nz_alloc(&all, run->variant_count, sizeof *all));
    nz_pictures pictures = {0};
    nz_status status = NZ_OK;
    for (size_t v = 0; status == NZ_OK && v < run->variant_count; v++) status = gather(&all[v], run, &run->variants[v]);
    for (size_t v = 0; status == NZ_OK && v < run->variant_count; v++) {
        nz_cell *row = cells + v * run->metric_count;
        status = run->task == NZ_TASK_DETECTION ? nz_detection_row(row, run, v, &all[v].input, &pictures)
                                                : fill_row(row, run, all, v);
    }
    nz_pictures_done(&pictures);
    for (size_t v = 0; v < run->variant_count; v++) gathered_done(&all[v]);
    free(all);
    if (status == NZ_OK) *ret_cells = NZ_STEAL(cells);
    return status;
}
