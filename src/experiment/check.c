/* SPDX-License-Identifier: Apache-2.0 */
/* What files say, before anything is run: data sets open, checkpoint and model are there, classes fit. */
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "core/text.h"
#include "experiment/plan.h"
#include "netzip/arch.h"
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
    nz_status status = nz_data_open_for_arch(&data, spec, use, x->description->source.arch);
    if (status != NZ_OK) return tell_absent(x, status, what);
    if (labelled && nz_data_classes(data) == 0)
        return nz_fail(NZ_E_ARG, "%s: %s: %s has no labels", x->file, what, spec);
    if (nz_data_count(data) == 0) return nz_fail(NZ_E_ARG, "%s: %s: %s has no samples", x->file, what, spec);
    if (nz_data_note(data)) nz_progress_note(x->progress, "%s", nz_data_note(data));
    memcpy(facts->fingerprint, nz_data_fingerprint(data), 64);
    NZ_TRY(nz_data_stamp(facts->stamp, data));
    facts->classes = nz_data_classes(data);
    facts->objects = nz_data_has_objects(data);
    nz_data_shape(data, &shape);
    for (int i = 0; i < 3 && shape.rank == 3; i++) facts->chw[i] = shape.dim[i] > 0 ? shape.dim[i] : 0;
    return NZ_OK;
}

/* A network for one class an image learns nothing of boxes, and the other way round. */
static nz_status check_task(const nz_experiment *x) {
    const struct {
        const nz_data_facts *facts;
        const char *name;
    } sets[] = {
        {&x->train, "train"}, {&x->test, "test"}, {&x->calibration, "calibration"}, {&x->compared, "compare: data"}};
    const char *arch = x->description->source.arch, *with = NULL, *without = NULL;
    for (size_t i = 0; i < NZ_COUNT(sets); i++) {
        if (!sets[i].facts->fingerprint[0]) continue;
        if (sets[i].facts->objects)
            with = with ? with : sets[i].name;
        else
            without = without ? without : sets[i].name;
    }
    if (with && without)
        return nz_fail(NZ_E_ARG, "%s: data: %s is labelled with boxes of objects, and %s is not", x->file, with,
                       without);
    if (!arch || (!with && !without) || (nz_arch_get(arch)->detector != NULL) == (with != NULL)) return NZ_OK;
    if (with)
        return nz_fail(NZ_E_ARG,
                       "%s: model: %s gives one class an image, and data are labelled with boxes of objects: take a "
                       "detector (netzip train --list)",
                       x->file, arch);
    return nz_fail(
        NZ_E_ARG,
        "%s: model: %s is a detector, and data are not labelled with boxes of objects, as coco, yolo, voc and "
        "synthetic:shapes-det are",
        x->file, arch);
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
    NZ_TRY(check_task(x));
    if (x->train.classes && x->test.classes && x->train.classes != x->test.classes)
        return nz_fail(NZ_E_ARG, "%s: data: train has %zu classes and test has %zu", x->file, x->train.classes,
                       x->test.classes);
    long long own = d->source.classes, there = (long long)(x->train.classes ? x->train.classes : x->test.classes);
    if (own && there > own)
        return nz_fail(NZ_E_ARG, "%s: model: %lld classes are too few for data with %lld", x->file, own, there);
    nz_status status = nz_network_check(x);
    return status == NZ_OK ? NZ_OK : nz_fail_context(status, "%s: model", x->file);
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
