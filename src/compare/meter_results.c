/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/meter_results.h"

#include <math.h>
#include <string.h>

#include "compare/against.h"
#include "compare/conditions_json.h"
#include "compare/intervals.h"
#include "compare/run.h"
#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "netzip/compare.h"

#define SCHEMA "netzip.results/1"
#define SHORT_MEMORY nz_fail(NZ_E_MEMORY, "out of memory: energies of a meter")

const char *nz_meter_log_path(const char *power) {
    static const char prefix[] = "meter:";
    return power && strncmp(power, prefix, strlen(prefix)) == 0 ? power + strlen(prefix) : NULL;
}

json_t *nz_meter_quiet_json(const json_t *machine) {
    static const char *const keys[] = {"before", "after"};
    json_t *list = json_array();
    for (size_t i = 0; i < NZ_COUNT(keys); i++) {
        const json_t *watch = json_object_get(machine, keys[i]);
        json_array_append_new(list, json_pack("{s:o,s:o}", "unix_s", nz_json_real(nz_json_number_at(watch, "unix_s")),
                                              "seconds", nz_json_real(nz_json_number_at(watch, "seconds"))));
    }
    return list;
}

/* ---- what a document says of the meter ---- */

static json_t *machine_of(const json_t *results, const char *host) {
    const json_t *machines = json_object_get(results, "machines");
    for (size_t i = 0; i < json_array_size(machines); i++)
        if (strcmp(nz_json_text_at(json_array_get(machines, i), "host"), host) == 0) return json_array_get(machines, i);
    return NULL;
}

static const char *host_of(const json_t *model) { return nz_json_text_at(json_object_get(model, "variant"), "host"); }

static int note_source(json_t *holder, const char *key, json_t *value) {
    json_object_del(holder, "power_reason"); /* where there is one */
    return json_object_set_new(holder, key, value);
}

static nz_status note_by(json_t *model, const char *by) {
    json_t *metrics = json_object_get(model, "metrics"), *value;
    const char *id;
    json_object_foreach(metrics, id, value) {
        bool measured = strcmp(nz_json_text_at(value, "source"), "unavailable") != 0;
        if (strcmp(nz_json_text_at(value, "category"), "energy") != 0 || strcmp(id, "energy_estimated_j") == 0)
            continue;
        if (measured && json_object_set_new(value, "by", nz_json_string(by))) return SHORT_MEMORY;
    }
    return NZ_OK;
}

/* What should be known of the meter stands among the run's warnings, in place of what an earlier call said. */
static nz_status note_warnings(json_t *results, const json_t *about) {
    static const char prefix[] = "meter: ";
    json_t *warnings = json_object_get(json_object_get(results, "run"), "warnings");
    const json_t *texts = json_object_get(about, "text");
    for (size_t i = json_array_size(warnings); i-- > 0;) {
        const char *text = json_string_value(json_array_get(warnings, i));
        if (text && strncmp(text, prefix, strlen(prefix)) == 0) json_array_remove(warnings, i);
    }
    for (size_t i = 0; json_is_array(warnings) && i < json_array_size(texts); i++) {
        NZ_AUTO_FREE char *line = NULL;
        NZ_TRY(nz_format(&line, "%s%s", prefix, json_string_value(json_array_get(texts, i))));
        if (json_array_append_new(warnings, nz_json_string(line))) return SHORT_MEMORY;
    }
    return NZ_OK;
}

nz_status nz_meter_results_note(json_t *results, const json_t *about, const char *host) {
    json_t *models = json_object_get(results, "models"), *machine = machine_of(results, host),
           *first = json_array_get(json_object_get(results, "machines"), 0),
           *run_host = json_object_get(json_object_get(results, "run"), "host");
    NZ_AUTO_FREE char *by = NULL;
    double gaps = nz_json_number_at(about, "gaps");
    int failed = json_object_set_new(results, "meter", json_deep_copy(about));
    if (machine)
        failed |= note_source(machine, "power",
                              json_pack("{s:s,s:s}", "name", "meter", "scope", "what the external meter feeds"));
    if (json_is_object(run_host) && (!first || first == machine))
        failed |= note_source(run_host, "power_source", json_string("meter"));
    if (failed) return SHORT_MEMORY;
    NZ_TRY(note_warnings(results, about));
    NZ_TRY(nz_format(&by, "%s, a sample every %.4g s, %.0f gap%s", nz_path_base(nz_json_text_at(about, "log")),
                     nz_json_number_at(about, "interval_s"), gaps, gaps == 1 ? "" : "s"));
    for (size_t i = 0; i < json_array_size(models); i++)
        if (strcmp(host_of(json_array_get(models, i)), host) == 0) NZ_TRY(note_by(json_array_get(models, i), by));
    return NZ_OK;
}

/* ---- a folder of results ---- */

/* The metrics that a meter gives stand there, whatever --metrics said. */
static nz_status make_room(json_t *model) {
    static const char *const ids[] = {"energy_j", "energy_net_j", "power_w", "power_max_w", "idle_power_w"};
    json_t *metrics = json_object_get(model, "metrics");
    for (size_t i = 0; i < NZ_COUNT(ids); i++)
        if (nz_metric_find(ids[i]) && !json_object_get(metrics, ids[i]) &&
            json_object_set_new(metrics, ids[i], json_object()))
            return SHORT_MEMORY;
    return NZ_OK;
}

static bool has_mark(const json_t *model, const char *id) {
    const json_t *marks = json_object_get(json_object_get(model, "conditions"), "marks");
    for (size_t i = 0; i < json_array_size(marks); i++) {
        const char *mark = json_string_value(json_array_get(marks, i));
        if (mark && strcmp(mark, id) == 0) return true;
    }
    return false;
}

static nz_status renew_conditions(json_t *results, const json_t *kept) {
    json_t *models = json_object_get(results, "models"), *run = json_object_get(results, "run");
    for (size_t i = 0; i < json_array_size(models); i++) {
        json_t *model = json_array_get(models, i);
        const json_t *parts = json_object_get(kept, nz_json_text_at(model, "id"));
        if (!parts) continue;
        json_t *now = nz_conditions_json(json_object_get(parts, "timing"), json_object_get(parts, "batch"),
                                         machine_of(results, host_of(model)), has_mark(model, "random_input"));
        if (json_object_set_new(model, "conditions", now)) return SHORT_MEMORY;
        json_t *energy = json_object_get(json_object_get(parts, "timing"), "energy");
        json_object_del(model, "energy"); /* where there is one */
        if (energy && json_object_set(model, "energy", energy)) return SHORT_MEMORY;
    }
    json_t *marks = nz_conditions_run_json(models, json_object_get(run, "warnings"));
    return json_object_set_new(run, "marks", marks) ? SHORT_MEMORY : NZ_OK;
}

/* An earlier run is compared with once more where it can still be read. */
static nz_status renew_against(json_t *results) {
    json_t *against = json_object_get(results, "against");
    NZ_AUTO_JSON json_t *old = NULL;
    NZ_AUTO_FREE char *path = NULL;
    if (!json_is_object(against)) return NZ_OK;
    NZ_TRY(nz_strdup(&path, nz_json_text_at(against, "path")));
    if (nz_against_read(&old, path) == NZ_OK) return nz_against_set(results, old, path);
    json_t *texts = json_object_get(against, "text");
    return json_array_append_new(texts, json_string("energies came in after this comparison and have no part in it"))
               ? SHORT_MEMORY
               : NZ_OK;
}

static nz_status renew(json_t *results, const json_t *times, const json_t *about, const char *host) {
    json_t *models = json_object_get(results, "models");
    const json_t *kept = json_object_get(times, "models");
    for (size_t i = 0; i < json_array_size(models); i++) NZ_TRY(make_room(json_array_get(models, i)));
    NZ_TRY(nz_intervals_energy(results, times));
    NZ_TRY(nz_intervals_set(results, times));
    NZ_TRY(nz_meter_results_note(results, about, host));
    NZ_AUTO_JSON json_t *groups = nz_groups_json(models);
    if (!groups || (!json_is_null(groups) && json_object_set(results, "groups", groups))) return SHORT_MEMORY;
    NZ_TRY(renew_conditions(results, kept));
    return renew_against(results);
}

static nz_status read_document(json_t **ret_json, char **ret_path, const char *dir, const char *name,
                               const char *schema) {
    NZ_AUTO_JSON json_t *json = NULL;
    NZ_AUTO_FREE char *path = NULL;
    NZ_TRY(nz_path_join(&path, dir, name));
    NZ_TRY(nz_json_read(&json, path));
    if (strcmp(nz_json_text_at(json, "schema"), schema) != 0)
        return nz_fail(NZ_E_FORMAT, "%s: its schema is '%.60s', not %s", path, nz_json_text_at(json, "schema"), schema);
    if (!json_is_array(json_object_get(json, "models")) && !json_is_object(json_object_get(json, "models")))
        return nz_fail(NZ_E_FORMAT, "%s: 'models' is missing", path);
    *ret_json = NZ_STEAL(json);
    *ret_path = NZ_STEAL(path);
    return NZ_OK;
}

/* The machine that the meter fed: the one that there is, or the one that was named. */
static nz_status choose_host(const char **ret_host, const json_t *results, const char *asked, const char *path) {
    const json_t *models = json_object_get(results, "models");
    const char *only = NULL;
    bool found = false;
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i);
        if (!json_is_object(json_object_get(model, "metrics")))
            return nz_fail(NZ_E_FORMAT, "%s: models[%zu] has no metrics", path, i);
        const char *host = host_of(model);
        if (asked ? strcmp(host, asked) == 0 : !only || strcmp(host, only) == 0)
            found = true;
        else if (!asked)
            return nz_fail(NZ_E_ARG, "%s: models were measured on %s and %s: --host says which of them the meter fed",
                           path, only, host);
        if (!only) only = host;
    }
    if (!found) return nz_fail(NZ_E_ARG, "%s: no model was measured on '%s'", path, asked ? asked : "any machine");
    *ret_host = asked ? asked : only;
    return NZ_OK;
}

static json_t *ids_of(const json_t *results, const char *host) {
    const json_t *models = json_object_get(results, "models");
    json_t *ids = json_object();
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i);
        if (strcmp(host_of(model), host) == 0) json_object_set_new(ids, nz_json_text_at(model, "id"), json_true());
    }
    return ids;
}

nz_status nz_compare_meter(char **ret_json, const char *dir, const char *log, const nz_compare_meter_options *options) {
    static const nz_compare_meter_options none = {0};
    NZ_AUTO_JSON json_t *results = NULL, *times = NULL, *about = NULL, *ids = NULL, *quiet = NULL;
    NZ_AUTO_FREE char *results_path = NULL, *times_path = NULL;
    NZ_AUTO(nz_meter_series_done) nz_meter_series series = {0};
    const char *host = NULL;
    if (!options) options = &none;
    NZ_TRY(read_document(&results, &results_path, dir, "results.json", SCHEMA));
    NZ_TRY(read_document(&times, &times_path, dir, "times.json", NZ_TIMES_SCHEMA));
    NZ_TRY(choose_host(&host, results, options->host, results_path));
    NZ_TRY(nz_meter_series_read(&series, log, options->columns));
    ids = ids_of(results, host);
    quiet = nz_meter_quiet_json(machine_of(results, host));
    if (!ids || !quiet) return SHORT_MEMORY;
    nz_meter_join_options join = {.log = log, .shift = options->shift, .ids = ids, .quiet = quiet};
    NZ_TRY(nz_meter_join(&about, times, &series, &join));
    NZ_TRY(renew(results, times, about, host));
    NZ_TRY(nz_json_write(times, times_path));
    NZ_TRY(nz_json_write(results, results_path));
    return ret_json ? nz_json_text(ret_json, results, 0) : NZ_OK;
}
