/* SPDX-License-Identifier: Apache-2.0 */
#include "netzip/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "compare/against.h"
#include "compare/meter_results.h"
#include "compare/pace.h"
#include "compare/run.h"
#include "core/error.h"
#include "core/file.h"
#include "core/locale.h"
#include "core/text.h"

void nz_compare_options_init(nz_compare_options *options) {
    *options = (nz_compare_options){.zeta = 1,
                                    .lambda = {1, 1, 1, 1},
                                    .budget_s = 3,
                                    .width_pct = 1,
                                    .cooldown_c = NAN,
                                    .timeout_s = 600,
                                    .pictures = 6};
}

void nz_compare_result_done(nz_compare_result *result) {
    free(result->json);
    free(result->condition);
    *result = (nz_compare_result){0};
}

static void run_done(nz_run *run) {
    for (size_t i = 0; i < run->variant_count; i++) {
        nz_variant *v = &run->variants[i];
        nz_process_end(&v->process);
        json_decref(v->raw);
        json_decref(v->detection);
        free(v->id);
        free(v->error);
    }
    for (size_t i = 0; i < run->entry_count; i++) {
        nz_entry *e = &run->entries[i];
        json_decref(e->describe);
        free(e->name);
        free(e->path);
        free(e->data);
        free(e->error);
        free(e->samples);
    }
    nz_store_close(run, false);
    free(run->entries);
    free(run->variants);
    free(run->metrics);
    for (size_t i = 0; i < run->machine_count; i++) nz_machine_close(&run->machines[i]);
    free(run->machines);
    nz_condition_done(&run->condition);
    json_decref(run->data);
    nz_data_places_done(&run->places);
    json_decref(run->warnings);
    json_decref(run->earlier);
}

static nz_status check_options(const nz_compare_options *o) {
    if (!(o->budget_s > 0 && o->budget_s <= 86400))
        return nz_fail(NZ_E_ARG, "compare: --budget %g is outside 0 to 86400 s", o->budget_s);
    if (!(o->block_s >= 0 && o->block_s <= 3600))
        return nz_fail(NZ_E_ARG, "compare: --block %g is outside 0 to 3600 s", o->block_s);
    if (!(o->timeout_s >= 1 && o->timeout_s <= 1e6))
        return nz_fail(NZ_E_ARG, "compare: --timeout %g is outside 1 to 1000000 s", o->timeout_s);
    if (!(o->zeta > 0 && isfinite(o->zeta))) return nz_fail(NZ_E_ARG, "compare: --zeta %g must be above 0", o->zeta);
    for (size_t i = 0; i < 4; i++)
        if (!(o->lambda[i] >= 0 && isfinite(o->lambda[i])))
            return nz_fail(NZ_E_ARG, "compare: --lambda %g must not be negative", o->lambda[i]);
    if (o->resume && !o->out)
        return nz_fail(NZ_E_ARG, "compare: --resume needs --out, the folder of the interrupted run");
    return nz_pace_check(o);
}

/* ---- machines ---- */

static void warn_of(nz_run *run, const nz_machine *machine) {
    const char *governor = nz_json_text_at(json_object_get(machine->about, "hardware"), "governor");
    if (*governor && strcmp(governor, "performance") != 0)
        nz_warn(run->warnings, "%s: the CPU's frequency governor is '%s': times vary less under 'performance'",
                machine->host, governor);
}

/* One of several that cannot be reached fails its own variants; the only one fails the comparison. */
nz_status nz_run_open_machines(nz_run *run) {
    size_t failed = 0;
    for (size_t i = 0; i < run->machine_count; i++) {
        nz_machine *machine = &run->machines[i];
        nz_status status = nz_machine_open(machine, machine->target, run->options, run->progress);
        if (status == NZ_E_RESOURCE && machine->link_wanted && ++failed < run->machine_count) {
            nz_machine_fail(run, i, nz_last_error());
            continue;
        }
        NZ_TRY(status);
        warn_of(run, machine);
        if (run->options->data) NZ_TRY(nz_machine_plan_data(machine, &run->places));
        if (machine->data_note) nz_warn(run->warnings, "%s", machine->data_note);
    }
    return NZ_OK;
}

nz_machine *nz_run_machine_of(const nz_run *run, const nz_variant *variant) { return &run->machines[variant->machine]; }

static void begin(nz_run *run) {
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(run->started, sizeof run->started, "%Y-%m-%dT%H:%M:%SZ", &utc);
    run->began_ns = nz_clock_ns();
}

/* ---- the whole ---- */

/* What an earlier run found is read before anything is measured: a mistyped path must not cost an hour. */
static nz_status read_earlier(nz_run *run) {
    if (run->options->against) return nz_against_read(&run->earlier, run->options->against);
    if (!nz_condition_needs_against(&run->condition)) return NZ_OK;
    return nz_fail(NZ_E_ARG, "compare: --fail-if '%s' asks about an earlier run, which --against names",
                   run->options->fail_if);
}

static nz_status write_documents(nz_run *run, const json_t *results, const json_t *times) {
    NZ_AUTO_FREE char *results_path = NULL, *manifest_path = NULL, *times_path = NULL;
    NZ_AUTO_JSON json_t *manifest = NULL, *before = NULL;
    if (!run->options->out) return NZ_OK;
    NZ_TRY(nz_stale_find(&before, run->options->out));
    NZ_TRY(nz_manifest_json(&manifest, run));
    NZ_TRY(nz_path_join(&results_path, run->options->out, "results.json"));
    NZ_TRY(nz_path_join(&manifest_path, run->options->out, "manifest.json"));
    NZ_TRY(nz_path_join(&times_path, run->options->out, "times.json"));
    NZ_TRY(nz_json_write(manifest, manifest_path));
    NZ_TRY(nz_json_write(times, times_path));
    NZ_TRY(nz_json_write(results, results_path));
    return nz_stale_remove(before, run->options->out, results);
}

static nz_status finish(nz_compare_result *result, nz_run *run) {
    NZ_AUTO_FREE nz_cell *cells = NULL;
    NZ_AUTO_JSON json_t *results = NULL, *times = NULL, *meter = NULL;
    NZ_TRY(nz_times_json(&times, run));
    /* The times are the variants' own parts: what a meter adds to them is read below like what a sensor has added. */
    if (run->meter_interval_s > 0) NZ_TRY(nz_meter_finish(&meter, run, times, run->meter_interval_s));
    NZ_TRY(nz_values_get(&cells, run));
    NZ_TRY(nz_results_json(&results, run, cells, times));
    if (meter) NZ_TRY(nz_meter_results_note(results, meter, run->machines[0].host));
    if (run->earlier) NZ_TRY(nz_against_set(results, run->earlier, run->options->against));
    NZ_TRY(write_documents(run, results, times));
    for (size_t v = 0; v < run->variant_count; v++) result->failed += run->variants[v].error != NULL;
    if (run->options->fail_if) NZ_TRY(nz_condition_check(&result->condition, &run->condition, results));
    result->condition_held = result->condition != NULL;
    NZ_TRY(nz_json_text(&result->json, results, 0));
    nz_store_close(run, true);
    return NZ_OK;
}

nz_status nz_compare(nz_compare_result *ret_result, const nz_compare_options *options, const nz_progress *progress) {
    nz_compare_options own = *options;
    NZ_AUTO(run_done)
    nz_run run = {.options = &own, .progress = progress};
    NZ_AUTO(nz_compare_result_done) nz_compare_result result = {0};
    run.warnings = json_array();
    if (!run.warnings) return nz_fail(NZ_E_MEMORY, "out of memory: a comparison");
    NZ_TRY(check_options(options));
    NZ_TRY(nz_run_plan(&run));
    NZ_TRY(read_earlier(&run));
    NZ_TRY(nz_meter_begin(&own, &run.meter_interval_s));
    begin(&run);
    NZ_TRY(nz_run_open_machines(&run));
    NZ_TRY(nz_phase_describe(&run));
    NZ_TRY(nz_phase_timing(&run));
    NZ_TRY(nz_phase_scoring(&run));
    NZ_TRY(finish(&result, &run));
    *ret_result = result;
    result = (nz_compare_result){0};
    return NZ_OK;
}
