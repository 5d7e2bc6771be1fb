/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/machine.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "compare/pace.h"
#include "compare/target.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"

enum { MOST_CPUS = 65536 };

static const char *program_of(const nz_compare_options *options) {
    return options->worker ? options->worker : "/proc/self/exe";
}

/* ---- requests to the station ---- */

static nz_status ask(nz_machine *machine, json_t **ret_answer, json_t *request, const char *what) {
    nz_wait wait = {.timeout_s = machine->options->timeout_s, .progress = machine->progress, .what = what};
    if (!request) return nz_fail(NZ_E_MEMORY, "out of memory: a request");
    nz_status status = nz_process_ask(&machine->station, ret_answer, request, &wait);
    json_decref(request);
    if (status == NZ_OK || status == NZ_E_CANCELLED) return status;
    return nz_fail_context(status, "%s: %s", machine->host ? machine->host : machine->target, what);
}

static nz_status ask_watch(nz_machine *machine, nz_watch *ret_watch, json_t *request, const char *what) {
    NZ_AUTO_JSON json_t *answer = NULL;
    NZ_TRY(ask(machine, &answer, request, what));
    nz_watch_from_json(ret_watch, json_object_get(answer, "watch"));
    return NZ_OK;
}

/* ---- opening ---- */

static json_t *station_request(const nz_compare_options *o) {
    const nz_roots none = {0}, *roots = o->roots ? o->roots : &none;
    /* What a meter beside the machine has measured is read later, from its log. */
    bool beside = o->power && strncmp(o->power, "meter:", 6) == 0;
    json_t *power = beside ? json_false() : o->power ? nz_json_string(o->power) : json_null();
    return json_pack("{s:s,s:o,s:s?,s:{s:s?,s:s?,s:s?,s:s?}}", "do", "station", "power", power, "cpus", o->pin, "roots",
                     "sys", roots->sys, "proc", roots->proc, "nvml", roots->nvml, "dev", roots->dev);
}

/* At least one CPU there is. */
static int count_at(const json_t *hardware, const char *key) {
    json_int_t count = json_integer_value(json_object_get(hardware, key));
    return count < 1 ? 1 : count > MOST_CPUS ? MOST_CPUS : (int)count;
}

static nz_status take_about(nz_machine *machine, const json_t *answer) {
    json_t *about = json_object_get(answer, "about");
    const json_t *hardware = json_object_get(about, "hardware");
    if (!json_is_object(hardware))
        return nz_fail(NZ_E_RESOURCE, "%s: the station does not say what machine it is on", machine->target);
    machine->about = json_incref(about);
    machine->cpus = count_at(hardware, "cpus");
    machine->cpus_usable = count_at(hardware, "cpus_usable");
    /* More threads than a quota lets run would only be held back. */
    double quota = nz_json_number_at(about, "quota_cpus");
    if (quota > 0 && quota < machine->cpus_usable) machine->cpus_usable = (int)ceil(quota);
    machine->clock_overhead_ns = nz_json_number_at(json_object_get(about, "clock"), "overhead_ns");
    machine->has_power = json_is_object(json_object_get(about, "power"));
    return NZ_OK;
}

/* "HOST", or where two are called so "HOST:PORT", or "USER@HOST:PORT". */
static nz_status name_of(char **ret_name, const nz_target *target, int detail) {
    char own[256];
    if (target->local) {
        if (gethostname(own, sizeof own) != 0 || !*own) snprintf(own, sizeof own, "local");
        own[sizeof own - 1] = 0;
        return nz_strdup(ret_name, own);
    }
    if (detail == 0) return nz_strdup(ret_name, target->host);
    return nz_format(ret_name, "%s%s%s:%d", detail > 1 ? target->user : "", detail > 1 && *target->user ? "@" : "",
                     target->host, target->port ? target->port : 22);
}

static bool is_taken(char *const *names, size_t count, const char *name) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

nz_status nz_machine_names(char **ret_names, const char *const *targets, size_t count) {
    for (size_t i = 0; i < count; i++) {
        nz_target target;
        NZ_TRY(nz_target_parse(&target, targets[i]));
        for (int detail = 0; detail < 3 && !ret_names[i]; detail++) {
            NZ_AUTO_FREE char *name = NULL;
            NZ_TRY(name_of(&name, &target, detail));
            if (!is_taken(ret_names, i, name)) ret_names[i] = NZ_STEAL(name);
        }
        if (!ret_names[i]) return nz_fail(NZ_E_ARG, "compare: --target '%s' is asked for twice", targets[i]);
    }
    return NZ_OK;
}

nz_status nz_machine_open(nz_machine *machine, const char *target, const nz_compare_options *options,
                          const nz_progress *progress) {
    NZ_AUTO_JSON json_t *answer = NULL;
    machine->target = target;
    machine->options = options;
    machine->progress = progress;
    machine->station.channel.fd = -1;
    machine->link_wanted = strcmp(target, "local") != 0;
    if (machine->link_wanted) {
        NZ_TRY(nz_link_open(&machine->link, target, progress));
        NZ_TRY(nz_link_start(machine->link, &machine->station, NULL, true));
    } else {
        NZ_TRY(nz_process_start(&machine->station, program_of(options), true));
    }
    NZ_TRY(ask(machine, &answer, station_request(options), "station"));
    return take_about(machine, answer);
}

void nz_machine_close(nz_machine *machine) {
    nz_process_end(&machine->station);
    nz_link_close(machine->link);
    json_decref(machine->about);
    free(machine->host);
    free(machine->error);
    free(machine->data_note);
    free(machine->data_root);
    *machine = (nz_machine){.station = {.channel = {.fd = -1}}};
}

nz_status nz_machine_start(nz_machine *machine, nz_process *ret_process, bool patient) {
    const char *arguments[NZ_PACE_ARGUMENTS];
    char number[16];
    nz_pace_arguments(arguments, number, machine->options);
    /* Those that compute nothing that is timed use all CPUs. */
    const char *const *given = patient ? NULL : arguments;
    if (machine->link) return nz_link_start(machine->link, ret_process, given, patient);
    return nz_process_start_with(ret_process, program_of(machine->options), given, patient);
}

nz_status nz_machine_path(nz_machine *machine, char **ret_path, const char *local) {
    return machine->link ? nz_link_copy(machine->link, ret_path, local) : nz_strdup(ret_path, local);
}

nz_status nz_machine_model_path(nz_machine *machine, char **ret_path, const char *local) {
    return machine->link ? nz_link_copy_model(machine->link, ret_path, local) : nz_strdup(ret_path, local);
}

/* ---- windows ---- */

nz_status nz_machine_watch(nz_machine *machine) {
    NZ_AUTO_JSON json_t *answer = NULL;
    return ask(machine, &answer, json_pack("{s:s}", "do", "watch"), "watch");
}

nz_status nz_machine_watched(nz_machine *machine, nz_watch *ret_watch, uint64_t from_ns, uint64_t to_ns) {
    return ask_watch(
        machine, ret_watch,
        json_pack("{s:s,s:I,s:I}", "do", "watched", "from_ns", (json_int_t)from_ns, "to_ns", (json_int_t)to_ns),
        "watch");
}

nz_status nz_machine_quiet(nz_machine *machine, nz_watch *ret_watch, double seconds) {
    return ask_watch(machine, ret_watch, json_pack("{s:s,s:f}", "do", "quiet", "seconds", seconds), "quiet");
}

/* ---- memory and GPUs ---- */

nz_status nz_machine_usage(nz_machine *machine, json_t **ret_usage, const int *pids, size_t count) {
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) json_array_append_new(list, json_integer(pids[i]));
    return ask(machine, ret_usage, json_pack("{s:s,s:o}", "do", "usage", "pids", list), "usage");
}
