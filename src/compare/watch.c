/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine did during a window, as a station's answer. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/machine.h"
#include "core/memory.h"

static double pct_of(const nz_watch *w, uint64_t part) {
    double total = (double)w->busy + (double)w->idle + (double)w->steal;
    return total > 0 ? 100 * (double)part / total : NAN;
}

double nz_watch_busy_pct(const nz_watch *watch) { return pct_of(watch, watch->busy); }
double nz_watch_steal_pct(const nz_watch *watch) { return pct_of(watch, watch->steal); }

/* ---- members of structs by table ---- */

typedef enum member_kind { REAL, COUNT, NUMBER, TRUTH, TEXT } member_kind;

typedef struct member {
    const char *name;
    member_kind kind;
    size_t at, size;
} member;

#define MEMBER(type, kind, name)                                                                                       \
    { #name, kind, offsetof(type, name), sizeof(((type *)0)->name) }

#define OF_CONDITIONS(kind, name) MEMBER(nz_conditions, kind, name)
static const member conditions_members[] = {
    OF_CONDITIONS(COUNT, t_ns),        OF_CONDITIONS(TEXT, governor),       OF_CONDITIONS(TEXT, preference),
    OF_CONDITIONS(REAL, mhz),          OF_CONDITIONS(REAL, mhz_least),      OF_CONDITIONS(REAL, mhz_most),
    OF_CONDITIONS(REAL, mhz_base),     OF_CONDITIONS(REAL, mhz_max),        OF_CONDITIONS(NUMBER, boost),
    OF_CONDITIONS(NUMBER, smt),        OF_CONDITIONS(REAL, temperature_c),  OF_CONDITIONS(TRUTH, has_throttled),
    OF_CONDITIONS(COUNT, throttled),   OF_CONDITIONS(NUMBER, held),         OF_CONDITIONS(NUMBER, held_since_boot),
    OF_CONDITIONS(REAL, quota_cpus),   OF_CONDITIONS(REAL, held_back_s),    OF_CONDITIONS(COUNT, held_back),
    OF_CONDITIONS(REAL, pressure_s),   OF_CONDITIONS(REAL, load1),          OF_CONDITIONS(NUMBER, runnable),
    OF_CONDITIONS(TRUTH, has_swapped), OF_CONDITIONS(COUNT, swapped_pages), OF_CONDITIONS(TRUTH, has_cpu),
};

#define OF_WATCH(kind, name) MEMBER(nz_watch, kind, name)
static const member watch_members[] = {
    OF_WATCH(COUNT, from_ns),      OF_WATCH(COUNT, to_ns),      OF_WATCH(REAL, seconds),
    OF_WATCH(COUNT, busy),         OF_WATCH(COUNT, idle),       OF_WATCH(COUNT, steal),
    OF_WATCH(COUNT, throttled),    OF_WATCH(REAL, held_back_s), OF_WATCH(REAL, unix_s),
    OF_WATCH(REAL, pressure_pct),  OF_WATCH(COUNT, own_ns),     OF_WATCH(COUNT, swapped_pages),
    OF_WATCH(TEXT, energy_reason),
};

#define OF_ENERGY(kind, name) MEMBER(nz_energy, kind, name)
static const member energy_members[] = {
    OF_ENERGY(REAL, joules),
    OF_ENERGY(REAL, seconds),
    OF_ENERGY(REAL, watts),
    OF_ENERGY(REAL, watts_max),
    OF_ENERGY(REAL, watts_mean_samples),
    OF_ENERGY(COUNT, samples),
    OF_ENERGY(REAL, interval_s),
    OF_ENERGY(REAL, update_s),
    OF_ENERGY(REAL, gap_seconds),
};

static json_t *value_json(const void *place, member_kind kind) {
    switch (kind) {
    case REAL: return nz_json_real(*(const double *)place);
    case COUNT: return json_integer((json_int_t) * (const uint64_t *)place);
    case NUMBER: return json_integer(*(const int *)place);
    case TRUTH: return json_boolean(*(const bool *)place);
    case TEXT: return nz_json_string(place);
    }
    return NULL;
}

/* false where memory is short. */
static bool put(json_t *object, const void *from, const member *members, size_t count) {
    int failed = 0;
    for (size_t i = 0; i < count; i++)
        failed |= json_object_set_new(object, members[i].name,
                                      value_json((const char *)from + members[i].at, members[i].kind));
    return !failed;
}

static void get(void *to, const json_t *object, const member *members, size_t count) {
    for (size_t i = 0; i < count; i++) {
        const member *m = &members[i];
        const json_t *value = json_object_get(object, m->name);
        void *place = (char *)to + m->at;
        json_int_t number = json_integer_value(value);
        switch (m->kind) {
        case REAL: *(double *)place = json_is_number(value) ? json_number_value(value) : NAN; break;
        case COUNT: *(uint64_t *)place = number > 0 ? (uint64_t)number : 0; break;
        case NUMBER: *(int *)place = json_is_integer(value) && number == (int)number ? (int)number : -1; break;
        case TRUTH: *(bool *)place = json_is_true(value); break;
        case TEXT: snprintf(place, m->size, "%s", json_is_string(value) ? json_string_value(value) : ""); break;
        }
    }
}

/* ---- the parts ---- */

static json_t *conditions_json(const nz_conditions *c) {
    NZ_AUTO_JSON json_t *json = json_object();
    if (!json || !put(json, c, conditions_members, NZ_COUNT(conditions_members))) return NULL;
    return NZ_STEAL(json);
}

static json_t *energy_json(const nz_energy *e) {
    NZ_AUTO_JSON json_t *json = json_object();
    json_t *parts = json_object();
    if (json_object_set_new(json, "parts", parts) || !put(json, e, energy_members, NZ_COUNT(energy_members)))
        return NULL;
    for (size_t i = 0; i < e->part_count; i++)
        if (json_object_set_new(
                parts, e->parts[i].name,
                json_pack("{s:o,s:b}", "joules", nz_json_real(e->parts[i].joules), "added", e->parts[i].added)))
            return NULL;
    return NZ_STEAL(json);
}

static void energy_from(nz_energy *energy, const json_t *json) {
    const char *name;
    json_t *value;
    get(energy, json, energy_members, NZ_COUNT(energy_members));
    json_object_foreach(json_object_get(json, "parts"), name, value) {
        if (energy->part_count >= NZ_POWER_PARTS) break;
        nz_power_part *part = &energy->parts[energy->part_count++];
        snprintf(part->name, sizeof part->name, "%s", name);
        part->joules = nz_json_number_at(value, "joules");
        part->added = json_is_true(json_object_get(value, "added"));
        part->watts = part->joules / energy->seconds;
    }
}

json_t *nz_watch_json(const nz_watch *watch) {
    NZ_AUTO_JSON json_t *json = json_object();
    int failed = !json || !put(json, watch, watch_members, NZ_COUNT(watch_members));
    failed |= json_object_set_new(json, "begin", conditions_json(&watch->begin));
    failed |= json_object_set_new(json, "end", conditions_json(&watch->end));
    failed |= json_object_set_new(json, "energy", watch->has_energy ? energy_json(&watch->energy) : json_null());
    return failed ? NULL : NZ_STEAL(json);
}

void nz_watch_from_json(nz_watch *ret_watch, const json_t *json) {
    nz_watch watch = {0};
    const json_t *energy = json_object_get(json, "energy");
    get(&watch, json, watch_members, NZ_COUNT(watch_members));
    get(&watch.begin, json_object_get(json, "begin"), conditions_members, NZ_COUNT(conditions_members));
    get(&watch.end, json_object_get(json, "end"), conditions_members, NZ_COUNT(conditions_members));
    watch.has_energy = json_is_object(energy);
    if (watch.has_energy) energy_from(&watch.energy, energy);
    *ret_watch = watch;
}
