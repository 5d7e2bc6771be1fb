/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/power.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"

/* In the order in which they are tried. */
static const nz_power_source *const sources[] = {
    &nz_power_rapl, &nz_power_perf, &nz_power_hwmon, &nz_power_battery, &nz_power_pi5, &nz_power_nvml,
};

struct nz_power {
    const nz_power_source *source;
    void *state;
    nz_power_info info;
};

nz_status nz_power_refuse(nz_power_info *info, const char *mend, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(info->reason, sizeof info->reason, format, args);
    va_end(args);
    snprintf(info->mend, sizeof info->mend, "%s", mend);
    return nz_fail(NZ_E_UNAVAILABLE, "%s: %s%s%s", info->name, info->reason, *mend ? "; mend: " : "", mend);
}

void nz_power_part_add(nz_power_reading *reading, const nz_power_part *part, const char *name) {
    if (reading->part_count >= NZ_POWER_PARTS) return;
    nz_power_part *next = &reading->parts[reading->part_count++];
    *next = *part;
    snprintf(next->name, sizeof next->name, "%.*s", (int)sizeof next->name - 1, name);
}

/* Opens source i; `info` tells about it either way. */
static nz_status open_source(void **ret_state, nz_power_info *info, size_t i, const nz_roots *roots) {
    const nz_power_source *source = sources[i];
    *info = (nz_power_info){.name = source->name,
                            .title = source->title,
                            .scope = source->scope,
                            .automatic = source->automatic,
                            .interval_ms = NZ_POWER_INTERVAL_MS,
                            .longest_s = INFINITY};
    nz_status status = source->open(ret_state, info, roots);
    info->usable = status == NZ_OK;
    if (status != NZ_OK && !*info->reason) snprintf(info->reason, sizeof info->reason, "%.255s", nz_last_error());
    return status;
}

bool nz_power_probe(nz_power_info *ret_info, size_t i, const nz_roots *roots) {
    if (i >= NZ_COUNT(sources)) return false;
    void *state = NULL;
    if (open_source(&state, ret_info, i, roots) == NZ_OK) sources[i]->close(state);
    return true;
}

static nz_status fail_none(const nz_roots *roots) {
    nz_text why = {0};
    for (size_t i = 0; i < NZ_COUNT(sources); i++) {
        nz_power_info info;
        if (!sources[i]->automatic || !nz_power_probe(&info, i, roots)) continue;
        nz_text_appendf(&why, "%s%s: %s%s%s", why.length ? "; " : "", info.name, info.reason,
                        *info.mend ? ", mend: " : "", info.mend);
    }
    nz_status status = nz_fail(NZ_E_UNAVAILABLE, "no power source (%s)", why.data ? why.data : "none is built in");
    nz_text_done(&why);
    return status;
}

nz_status nz_power_open(nz_power **ret_power, const char *name, const nz_roots *roots) {
    for (size_t i = 0; i < NZ_COUNT(sources); i++) {
        nz_power_info info;
        void *state = NULL;
        if (name ? strcmp(name, sources[i]->name) != 0 : !sources[i]->automatic) continue;
        nz_status status = open_source(&state, &info, i, roots);
        if (status != NZ_OK && name) return status;
        if (status != NZ_OK) continue;
        nz_power *power = NULL;
        status = nz_alloc(&power, 1, sizeof *power);
        if (status != NZ_OK) {
            sources[i]->close(state);
            return status;
        }
        *power = (nz_power){.source = sources[i], .state = state, .info = info};
        *ret_power = power;
        return NZ_OK;
    }
    if (!name) return fail_none(roots);
    return nz_fail(NZ_E_ARG, "no power source is called '%s' (netzip doctor lists them)", name);
}

nz_status nz_power_read(nz_power *power, nz_power_reading *ret_reading) {
    nz_power_reading reading = {0};
    NZ_TRY(power->source->read(power->state, &reading));
    *ret_reading = reading;
    return NZ_OK;
}

const char *nz_power_name(const nz_power *power) { return power->source->name; }
const char *nz_power_scope(const nz_power *power) { return power->info.scope; }
const nz_power_info *nz_power_info_get(const nz_power *power) { return &power->info; }

void nz_power_close(nz_power *power) {
    if (!power) return;
    power->source->close(power->state);
    free(power);
}
