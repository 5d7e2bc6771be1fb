/* SPDX-License-Identifier: Apache-2.0 */
/* A checkpoint's tensors into an architecture's graph, with a report of what did not fit. */
#include "netzip/import.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "graph/arch.h"
#include "import/match.h"

static void free_list(char **list, size_t count) {
    for (size_t i = 0; i < count; i++) free(list[i]);
    free(list);
}

void nz_import_report_done(nz_import_report *report) {
    free_list(report->missing, report->missing_count);
    free_list(report->extra, report->extra_count);
    free_list(report->reshaped, report->reshaped_count);
    free(report->prefix);
    *report = (nz_import_report){0};
}

static void free_checkpoint(nz_checkpoint **checkpoint) { nz_checkpoint_free(*checkpoint); }

static bool is_counter(const char *name) {
    static const char end[] = "num_batches_tracked";
    size_t length = strlen(name), tail = sizeof end - 1;
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

static const char *type_name(const nz_tensor *tensor) { return nz_dtype_get(tensor->dtype)->name; }

static nz_status describe_difference(char **ret_text, const nz_value *value, const nz_tensor *tensor) {
    char theirs[112], own[112];
    if (nz_shape_equal(&tensor->shape, &value->shape))
        return nz_format(ret_text, "%s: %s in the checkpoint, float in the network", value->name, type_name(tensor));
    return nz_format(ret_text, "%s: %s in the checkpoint, %s in the network", value->name,
                     nz_shape_text(&tensor->shape, theirs), nz_shape_text(&value->shape, own));
}

static nz_status make_report(nz_import_report *ret_report, const nz_match *match, const nz_graph *graph,
                             const nz_checkpoint *checkpoint) {
    NZ_AUTO(nz_import_report_done) nz_import_report report = {.loaded = match->loaded};
    NZ_TRY(nz_alloc(&report.missing, match->count, sizeof *report.missing));
    NZ_TRY(nz_alloc(&report.reshaped, match->count, sizeof *report.reshaped));
    NZ_TRY(nz_alloc(&report.extra, checkpoint->count, sizeof *report.extra));
    NZ_TRY(nz_strdup(&report.prefix, match->prefix));
    for (size_t i = 0; i < match->count; i++) {
        const nz_match_row *row = &match->rows[i];
        const nz_value *value = &graph->values[row->value];
        if (row->fits) continue;
        if (row->from < 0) {
            NZ_TRY(nz_strdup(&report.missing[report.missing_count], value->name));
            report.missing_count++;
            continue;
        }
        NZ_TRY(describe_difference(&report.reshaped[report.reshaped_count], value,
                                   &checkpoint->entries[row->from].tensor));
        report.reshaped_count++;
    }
    for (size_t i = 0; i < checkpoint->count; i++) {
        if (match->used[i]) continue;
        if (is_counter(checkpoint->entries[i].name)) {
            report.counters++;
            continue;
        }
        NZ_TRY(nz_strdup(&report.extra[report.extra_count], checkpoint->entries[i].name));
        report.extra_count++;
    }
    *ret_report = report;
    report = (nz_import_report){0};
    return NZ_OK;
}

/* Classes of so many outputs of the last layer; 0 where they are those of no whole number. */
static int64_t classes_of(const nz_arch_entry *entry, int64_t outputs) {
    if (!entry->info.detector) return outputs;
    int64_t numbers = outputs / NZ_ARCH_ANCHORS;
    return outputs % NZ_ARCH_ANCHORS == 0 && numbers > NZ_ARCH_BOX_NUMBERS ? numbers - NZ_ARCH_BOX_NUMBERS : 0;
}

/* The graph whose classifier is as large as the checkpoint's (unless the caller has said), and how the two fit. */
static nz_status fit(nz_graph **ret_graph, nz_match *ret_match, nz_import_report *ret_report,
                     const nz_checkpoint *checkpoint, const char *arch, const nz_arch_options *options) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(nz_match_done) nz_match match = {0};
    nz_import_report report = {0};
    nz_arch_options own = options ? *options : (nz_arch_options){0};
    const nz_arch_entry *entry = NULL;
    NZ_TRY(nz_arch_find(&entry, arch));
    NZ_TRY(nz_arch_build(&graph, arch, &own));
    NZ_TRY(nz_match_make(&match, graph, checkpoint));
    int64_t classes = own.classes ? 0 : classes_of(entry, nz_match_outputs(&match, graph, checkpoint));
    int head = nz_match_head(graph);
    if (classes && head >= 0 && classes != classes_of(entry, graph->values[head].shape.dim[0])) {
        nz_graph *larger = NULL;
        own.classes = classes;
        NZ_TRY(nz_arch_build(&larger, arch, &own));
        nz_graph_free(graph);
        graph = larger;
        nz_match_done(&match);
        NZ_TRY(nz_match_make(&match, graph, checkpoint));
        head = nz_match_head(graph);
    }
    NZ_TRY(make_report(&report, &match, graph, checkpoint));
    report.classes = head >= 0 ? classes_of(entry, graph->values[head].shape.dim[0]) : 0;
    report.classes_from_checkpoint = classes > 0;
    *ret_report = report;
    *ret_match = match;
    match = (nz_match){0};
    *ret_graph = NZ_STEAL(graph);
    return NZ_OK;
}

static nz_status fill_value(nz_graph *graph, int value, const nz_tensor *tensor) {
    if (tensor->dtype == NZ_F32) return nz_graph_set_constant(graph, value, tensor);
    NZ_AUTO_TENSOR nz_tensor wide = {0};
    NZ_TRY(nz_tensor_init(&wide, NZ_F32, &tensor->shape));
    if (wide.bytes) nz_tensor_to_f32(tensor, wide.data);
    return nz_graph_set_constant(graph, value, &wide);
}

static nz_status nothing_fits(const nz_checkpoint *checkpoint, const char *name, const char *arch) {
    const nz_checkpoint_entry *first = &checkpoint->entries[0];
    char shape[112];
    return nz_fail(NZ_E_FORMAT, "%s: none of its %zu tensors (the first: %.100s, %s) fits a parameter of %s", name,
                   checkpoint->count, first->name, nz_shape_text(&first->tensor.shape, shape), arch);
}

nz_status nz_import_checkpoint(nz_graph **ret_graph, nz_import_report *ret_report, const nz_checkpoint *checkpoint,
                               const char *name, const char *arch, const nz_arch_options *options) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(nz_match_done) nz_match match = {0};
    NZ_AUTO(nz_import_report_done) nz_import_report report = {0};
    NZ_AUTO_FREE char *source = NULL;
    nz_arch_options blank = options ? *options : (nz_arch_options){0};
    bool wants_blank = blank.blank;
    blank.blank = true;
    NZ_TRY(fit(&graph, &match, &report, checkpoint, arch, &blank));
    if (!match.loaded) return nothing_fits(checkpoint, name, arch);
    if (match.loaded < match.count && !wants_blank) { /* the rest needs initial values */
        nz_graph *drawn = NULL;
        blank.blank = false;
        blank.classes = report.classes;
        NZ_TRY(nz_arch_build(&drawn, arch, &blank));
        nz_graph_free(graph);
        graph = drawn;
    }
    for (size_t i = 0; i < match.count; i++)
        if (match.rows[i].fits)
            NZ_TRY(fill_value(graph, match.rows[i].value, &checkpoint->entries[match.rows[i].from].tensor));
    nz_status described = nz_arch_describe(graph, arch);
    if (described != NZ_OK) return nz_fail_context(described, "%s", name);
    if (checkpoint->class_names && (int64_t)checkpoint->class_count == report.classes)
        NZ_TRY(nz_graph_set_meta(graph, "netzip.classes", checkpoint->class_names));
    NZ_TRY(nz_format(&source, "%s: %zu tensors of %s", arch, match.loaded, nz_path_base(name)));
    NZ_TRY(nz_graph_set_meta(graph, "netzip.import", source));
    *ret_graph = NZ_STEAL(graph);
    *ret_report = report;
    report = (nz_import_report){0};
    return NZ_OK;
}

nz_status nz_import(nz_graph **ret_graph, nz_import_report *ret_report, const char *path, const char *arch,
                    const nz_arch_options *options) {
    NZ_AUTO(free_checkpoint) nz_checkpoint *checkpoint = NULL;
    NZ_TRY(nz_checkpoint_open(&checkpoint, path));
    return nz_import_checkpoint(ret_graph, ret_report, checkpoint, path, arch, options);
}

/* Of all the tensors that the network or the checkpoint has, the share that fits. */
static double share_of(const nz_import_report *report) {
    size_t all = report->loaded + report->missing_count + report->reshaped_count + report->extra_count;
    return all ? (double)report->loaded / (double)all : 0;
}

nz_status nz_import_best(const char **ret_arch, nz_import_report *ret_report, const nz_checkpoint *checkpoint) {
    NZ_AUTO(nz_import_report_done) nz_import_report best = {0};
    const char *arch = NULL;
    const nz_arch_options blank = {.blank = true};
    for (size_t i = 0; nz_arch_at(i); i++) {
        NZ_AUTO_GRAPH nz_graph *graph = NULL;
        NZ_AUTO(nz_match_done) nz_match match = {0};
        nz_import_report report = {0};
        NZ_TRY(fit(&graph, &match, &report, checkpoint, nz_arch_at(i)->name, &blank));
        if (share_of(&report) > share_of(&best)) {
            nz_import_report former = best;
            best = report;
            report = former;
            arch = nz_arch_at(i)->name;
        }
        nz_import_report_done(&report);
    }
    *ret_arch = arch;
    *ret_report = best;
    best = (nz_import_report){0};
    return NZ_OK;
}
