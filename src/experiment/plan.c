/* SPDX-License-Identifier: Apache-2.0 */
/* From a description to steps, and from a step to the key that tells whether it has to be done again. */
#include "experiment/plan.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "netzip/measure.h"
#include "netzip/runtime.h"

static bool stem_taken(const nz_experiment *x, const char *stem) {
    for (size_t i = 0; i < x->step_count; i++)
        if (x->steps[i].stem && strcmp(x->steps[i].stem, stem) == 0) return true;
    return false;
}

/* "GUP_L1 sparsity=0.5" with seed 2 becomes OUT/models/GUP_L1-sparsity-0.5-s2. */
static nz_status make_stem(char **ret_stem, const nz_experiment *x, const char *name, long long seed) {
    NZ_AUTO(nz_text_done) nz_text clean = {0};
    for (const char *c = name; *c; c++)
        nz_text_append_bytes(&clean, isalnum((unsigned char)*c) || strchr("_.-", *c) ? c : "-", 1);
    if (x->description->is_seeded) nz_text_appendf(&clean, "-s%lld", seed);
    NZ_TRY(clean.status);
    for (int n = 1;; n++) {
        NZ_AUTO_FREE char *stem = NULL;
        char number[16] = "";
        if (n > 1) snprintf(number, sizeof number, "-%d", n);
        NZ_TRY(nz_format(&stem, "%s/models/%s%s", x->out, clean.data, number));
        if (stem_taken(x, stem)) continue;
        *ret_stem = NZ_STEAL(stem);
        return NZ_OK;
    }
}

static nz_status add_model(nz_experiment *x, nz_step_kind kind, size_t index, const char *name, long long seed) {
    nz_step *step = &x->steps[x->step_count];
    *step = (nz_step){.kind = kind, .index = index};
    NZ_AUTO_FREE char *stem = NULL;
    NZ_TRY(make_stem(&stem, x, name, seed));
    x->step_count++;
    step->stem = NZ_STEAL(stem);
    NZ_TRY(nz_format(&step->output, "%s.onnx", step->stem));
    if (x->description->is_seeded) return nz_format(&step->title, "%s (seed %lld)", name, seed);
    return nz_strdup(&step->title, name);
}

static nz_status add_file(nz_experiment *x, nz_step_kind kind, const char *title, const char *stem, const char *file) {
    nz_step *step = &x->steps[x->step_count++];
    *step = (nz_step){.kind = kind};
    NZ_TRY(nz_strdup(&step->title, title));
    NZ_TRY(nz_path_join(&step->stem, x->out, stem));
    return nz_path_join(&step->output, x->out, file);
}

nz_status nz_plan_steps(nz_experiment *x) {
    const nz_description *d = x->description;
    NZ_TRY(nz_alloc(&x->steps, d->network_count + d->run_count + 2, sizeof *x->steps));
    for (size_t i = 0; i < d->network_count; i++) NZ_TRY(add_model(x, NZ_STEP_TRAIN, i, "None", d->network_seeds[i]));
    for (size_t i = 0; i < d->run_count; i++)
        NZ_TRY(add_model(x, NZ_STEP_COMPRESS, i, d->runs[i].name, d->runs[i].seed));
    NZ_TRY(add_file(x, NZ_STEP_COMPARE, "comparison", "results", "results.json"));
    return add_file(x, NZ_STEP_REPORT, "report", "report", "report.html");
}

void nz_plan_done(nz_experiment *x) {
    for (size_t i = 0; i < x->step_count; i++) {
        nz_step *step = &x->steps[i];
        free(step->title);
        free(step->output);
        free(step->stem);
        free(step->error);
        json_decref(step->record);
    }
    free(x->steps);
    free(x->out);
    free(x->condition);
    json_decref(x->notes);
    if (x->lock > 0) close(x->lock);
}

nz_step *nz_plan_network(const nz_experiment *x, size_t n) { return &x->steps[n]; }

/* ---- keys: one line per input ---- */

static void put(nz_text *out, const char *name, const char *value) {
    nz_text_appendf(out, "%s: %s\n", name, value ? value : "");
}

static void put_data(nz_text *out, const char *name, const char *spec, const nz_data_facts *facts) {
    nz_text_appendf(out, "%s: %s %s %s\n", name, spec, facts->fingerprint, facts->stamp);
}

static void train_inputs(nz_text *out, const nz_experiment *x, const nz_step *step) {
    const nz_description *d = x->description;
    const nz_network_source *s = &d->source;
    put(out, "arch", s->arch);
    put(out, "anchors", s->anchors);
    nz_text_appendf(out, "shape: %lld %lldx%lldx%lld\n", s->classes, s->channels, s->height, s->width);
    nz_text_appendf(out, "data: %zu %lldx%lldx%lld\n", x->train.classes, (long long)x->train.chw[0],
                    (long long)x->train.chw[1], (long long)x->train.chw[2]);
    put(out, "source", x->source_sha256);
    put(out, "training", d->training);
    nz_text_appendf(out, "seed: %lld\n", d->network_seeds[step->index]);
    put_data(out, "train", d->train_data, &x->train);
    put_data(out, "test", d->test_data, &x->test);
}

static void compress_inputs(nz_text *out, const nz_experiment *x, const nz_step *step) {
    const nz_description *d = x->description;
    const nz_method_run *run = &d->runs[step->index];
    put(out, "method", run->text);
    put(out, "further", run->further ? "1" : "0");
    put(out, "network", nz_plan_network(x, run->network)->sha256);
    put_data(out, "train", d->train_data, &x->train); /* what trains does so whatever calibrates */
    if (d->calibration_data) put_data(out, "calibration", d->calibration_data, &x->calibration);
    put_data(out, "test", d->test_data, &x->test);
}

/* Figures of another machine or runtime are others. */
static void put_host(nz_text *out) {
    nz_hardware h;
    const char *name, *version;
    nz_hardware_get(&h, NULL);
    nz_text_appendf(out, "host: %s %s %s %d %d\n", h.hostname, h.cpu_model, h.isa, h.cpus_usable, h.cores);
    for (size_t i = 0; (name = nz_runtime_name(i, &version)); i++) put(out, name, version);
}

static void compare_inputs(nz_text *out, const nz_experiment *x, const nz_step *step) {
    const nz_description *d = x->description;
    const nz_comparison *c = &d->comparison;
    const char *const texts[] = {c->metrics,     c->runtime,    c->threads,  c->batch,   c->performance, c->speedup,
                                 c->compression, c->efficiency, c->lambda,   c->fail_if, c->power,       c->data,
                                 c->detect,      c->pin,        c->priority, c->cooldown};
    for (size_t i = 0; &x->steps[i] != step; i++)
        nz_text_appendf(out, "model: %s %s %s\n", x->steps[i].title, x->steps[i].sha256,
                        x->steps[i].error ? x->steps[i].error : "");
    for (size_t i = 0; i < NZ_COUNT(texts); i++) put(out, "option", texts[i]);
    nz_text_appendf(out, "numbers: %.17g %.17g %.17g %.17g %lld\n", c->zeta, c->budget_s, c->width_pct, c->timeout_s,
                    c->pictures);
    put(out, "experiment", d->name);
    put_host(out);
    put_data(out, "test", d->test_data, &x->test);
    if (c->data) put_data(out, "compared", c->data, &x->compared);
}

static void report_inputs(nz_text *out, const nz_experiment *x, const nz_step *step) {
    (void)x;
    put(out, "results", step[-1].sha256);
}

nz_status nz_plan_key(const nz_experiment *x, nz_step *step) {
    static const struct {
        const char *name;
        void (*inputs)(nz_text *out, const nz_experiment *x, const nz_step *step);
    } kinds[] = {
        [NZ_STEP_TRAIN] = {"train", train_inputs},
        [NZ_STEP_COMPRESS] = {"compress", compress_inputs},
        [NZ_STEP_COMPARE] = {"compare", compare_inputs},
        [NZ_STEP_REPORT] = {"report", report_inputs},
    };
    NZ_AUTO(nz_text_done) nz_text text = {0};
    nz_text_appendf(&text, "netzip.step/1 %s %s\n", NZ_VERSION, kinds[step->kind].name);
    kinds[step->kind].inputs(&text, x, step);
    NZ_TRY(text.status);
    nz_sha256(step->key, text.data, text.length);
    return NZ_OK;
}
