/* SPDX-License-Identifier: Apache-2.0 */
/* One method on one network. */
#include "core/error.h"
#include "experiment/plan.h"
#include "graph/build.h"
#include "netzip/compress.h"
#include "netzip/onnx.h"

static void free_data(nz_dataset **data) { nz_data_free(*data); }

static nz_status make_record(nz_step *step, const nz_compress_report *report) {
    step->record = json_pack("{s:o,s:o,s:I,s:I}", "summary", nz_json_string(report->summary), "training",
                             nz_curve_json(&report->training), "samples", (json_int_t)report->samples, "broken",
                             (json_int_t)report->broken);
    return step->record ? NZ_OK : nz_fail(NZ_E_MEMORY, "out of memory: a record");
}

/* Trained further is not compressed: the result is labelled as what it came from. */
static nz_status label_further(nz_graph *result, const nz_graph *from) {
    NZ_TRY(nz_graph_set_meta(result, "netzip.technique", nz_graph_meta(from, "netzip.technique")));
    return nz_graph_set_meta(result, "netzip.method", nz_graph_meta(from, "netzip.method"));
}

nz_status nz_step_compress(nz_experiment *x, nz_step *step) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO_GRAPH nz_graph *result = NULL;
    NZ_AUTO(free_data) nz_dataset *data = NULL;
    NZ_AUTO(free_data) nz_dataset *test = NULL;
    NZ_AUTO(nz_step_files_done) nz_train_files files = {0};
    NZ_AUTO(nz_compress_report_done) nz_compress_report report = {0};
    const nz_description *d = x->description;
    const nz_method_run *run = &d->runs[step->index];
    const char *samples = d->calibration_data ? d->calibration_data : d->train_data;
    nz_compress_needs needs;
    NZ_TRY(nz_compress_what_needs(&needs, run->text));
    NZ_TRY(nz_model_load(&graph, nz_plan_network(x, run->network)->output));
    /* Only what does not train is content with calibration samples. */
    if (needs.data) NZ_TRY(nz_data_open_for_model(&data, needs.trains ? d->train_data : samples, NZ_DATA_TRAIN, graph));
    if (needs.trains) NZ_TRY(nz_data_open_for_model(&test, d->test_data, NZ_DATA_COMPARE, graph));
    if (needs.trains) NZ_TRY(nz_step_files(&files, x, step));
    nz_compress_inputs inputs = {
        .data = data, .test = test, .files = needs.trains ? &files : NULL, .threads = x->options->threads};
    NZ_TRY(nz_compress_with(&result, &report, graph, run->text, &inputs, x->progress));
    if (run->further) NZ_TRY(label_further(result, graph));
    NZ_TRY(nz_model_save(result, step->output));
    if (needs.trains) nz_step_files_forget(x, step);
    return make_record(step, &report);
}
