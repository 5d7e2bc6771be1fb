/* SPDX-License-Identifier: Apache-2.0 */
/* What files say, before anything is run: data sets open, checkpoint and model are there, classes fit. */
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "experiment/plan.h"
#include "netzip/compress.h"
#include "netzip/data.h"
#include "netzip/onnx.h"

static void free_data(nz_dataset **data) { nz_data_free(*data); }

/* A dry run tells what is absent and goes on; what is wrong ends it, too. */
static nz_status tell_absent(nz_experiment *x, nz_status status, const char *what) {
    NZ_AUTO_FREE char *note = NULL;
    if (!x->options->dry_run || status != NZ_E_IO) return nz_fail_context(status, "%s: %s", x->file, what);
    NZ_TRY(nz_format(&note, "%s: %s", what, nz_last_error()));
    return json_array_append_new(x->notes, nz_json_string(note)) ? nz_fail(NZ_E_MEMORY, "out of memory: a note")
                                                                 : NZ_OK;
}

static nz_status open_data(nz_experiment *x, nz_data_facts *facts, const char *spec, nz_data_use use, const char *what,
                           bool labelled) {
    NZ_AUTO(free_data) nz_dataset *data = NULL;
    nz_shape shape;
    nz_status status = nz_data_open(&data, spec, NULL, use, NULL);
    if (status != NZ_OK) return tell_absent(x, status, what);
    if (labelled && nz_data_classes(data) == 0)
        return nz_fail(NZ_E_ARG, "%s: %s: %s has no labels", x->file, what, spec);
    if (nz_data_count(data) == 0) return nz_fail(NZ_E_ARG, "%s: %s: %s has no samples", x->file, what, spec);
    memcpy(facts->fingerprint, nz_data_fingerprint(data), 64);
    NZ_TRY(nz_data_stamp(facts->stamp, data));
    facts->classes = nz_data_classes(data);
    nz_data_shape(data, &shape);
    for (int i = 0; i < 3 && shape.rank == 3; i++) facts->chw[i] = shape.dim[i] > 0 ? shape.dim[i] : 0;
    return NZ_OK;
}

static nz_status check_data(nz_experiment *x) {
    const nz_description *d = x->description;
    bool trains = d->training != NULL, calibrates = false;
    for (size_t i = 0; i < d->run_count; i++) {
        nz_compress_needs needs;
        NZ_TRY(nz_compress_what_needs(&needs, d->runs[i].text));
        trains = trains || needs.trains;
        calibrates = calibrates || needs.data;
    }
    if (trains || calibrates) NZ_TRY(open_data(x, &x->train, d->train_data, NZ_DATA_TRAIN, "data: train", trains));
    NZ_TRY(open_data(x, &x->test, d->test_data, NZ_DATA_COMPARE, "data: test", true));
    if (d->calibration_data && calibrates)
        NZ_TRY(open_data(x, &x->calibration, d->calibration_data, NZ_DATA_TRAIN, "data: calibration", trains));
    if (d->comparison.data)
        NZ_TRY(open_data(x, &x->compared, d->comparison.data, NZ_DATA_COMPARE, "compare: data", false));
    if (x->train.classes && x->test.classes && x->train.classes != x->test.classes)
        return nz_fail(NZ_E_ARG, "%s: data: train has %zu classes and test has %zu", x->file, x->train.classes,
                       x->test.classes);
    long long own = d->source.classes, there = (long long)(x->train.classes ? x->train.classes : x->test.classes);
    if (own && there > own)
        return nz_fail(NZ_E_ARG, "%s: model: %lld classes are too few for data with %lld", x->file, own, there);
    return NZ_OK;
}

static nz_status check_source(nz_experiment *x) {
    const nz_network_source *s = &x->description->source;
    const char *path = s->checkpoint ? s->checkpoint : s->file;
    if (!path) return NZ_OK;
    /* Of a model with its weights in files beside it, those count too. */
    nz_status status = s->file ? nz_model_sha256(x->source_sha256, path) : nz_sha256_file(x->source_sha256, path);
    if (status == NZ_OK) return NZ_OK;
    return tell_absent(x, status, s->checkpoint ? "model: checkpoint" : "model: file");
}

nz_status nz_experiment_check(nz_experiment *x) {
    x->notes = json_array();
    if (!x->notes) return nz_fail(NZ_E_MEMORY, "out of memory: an experiment");
    nz_status status = nz_step_compare_check(x);
    if (status != NZ_OK) return nz_fail_context(status, "%s", x->file);
    NZ_TRY(check_data(x));
    return check_source(x);
}
