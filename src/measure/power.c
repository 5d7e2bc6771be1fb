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
    &nz_power_rapl,
    &nz_power_hwmon,
    &nz_power_battery,
    &nz_power_nvml,
};

struct nz_power {
    const nz_power_source *source;
    void *state;
};

nz_status nz_power_refuse(nz_power_info *info, const char *mend, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(info->reason, sizeof info->reason, format, args);
    va_end(args);
    snprintf(info->mend, sizeof info->mend, "%s", mend);
    return nz_fail(NZ_E_UNAVAILABLE, "%s: %s%s%s", info->name, info->reason, *mend ? "; mend: " : "", mend);
}

/* Opens source i; `info` tells about it either way. */
static nz_status open_source(void **ret_state, nz_power_info *info, size_t i, const nz_roots *roots) {
    const nz_power_source *source = sources[i];
    *info = (nz_power_info){
        .name = source->name, .title = source->title, .scope = source->scope, .automatic = source->automatic};
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
        *power = (nz_power){.source = sources[i], .state = state};
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
const char *nz_power_scope(const nz_power *power) { return power->source->scope; }

void nz_power_close(nz_power *power) {
    if (!power) return;
    power->source->close(power->state);
    free(power);
}

/* The highest mean power between two counter readings is taken over at least this long: counters step every millisecond
 * or so, and two readings on either side of one step would show a power that never was. */
static const uint64_t spike_least_ns = 10000000;

void nz_energy_add(nz_energy_window *window, uint64_t t_ns, const nz_power_reading *reading) {
    if (!window->samples) {
        *window = (nz_energy_window){.first = *reading,
                                     .last = *reading,
                                     .first_ns = t_ns,
                                     .last_ns = t_ns,
                                     .spike_ns = t_ns,
                                     .spike_joules = reading->joules,
                                     .sum_w = reading->watts,
                                     .max_w = reading->counts ? NAN : reading->watts,
                                     .samples = 1};
        return;
    }
    double seconds = (double)(t_ns - window->last_ns) * 1e-9;
    if (!reading->counts) {
        window->integral_j += (reading->watts + window->last.watts) / 2 * seconds; /* trapezoid */
        window->sum_w += reading->watts;
        if (reading->watts > window->max_w) window->max_w = reading->watts;
    } else if (t_ns - window->spike_ns >= spike_least_ns) {
        double watts = (reading->joules - window->spike_joules) / ((double)(t_ns - window->spike_ns) * 1e-9);
        if (isnan(window->max_w) || watts > window->max_w) window->max_w = watts;
        window->spike_ns = t_ns;
        window->spike_joules = reading->joules;
    }
    window->last = *reading;
    window->last_ns = t_ns;
    window->samples++;
}

nz_status nz_energy_sample(nz_energy_window *window, nz_power *power) {
    nz_power_reading reading;
    NZ_TRY(nz_power_read(power, &reading));
    nz_energy_add(window, nz_clock_ns(), &reading);
    return NZ_OK;
}

nz_status nz_energy_get(nz_energy *ret_energy, const nz_energy_window *window) {
    if (window->samples < 2 || window->last_ns <= window->first_ns)
        return nz_fail(NZ_E_UNAVAILABLE, "an energy window needs two readings with time between them, got %zu",
                       window->samples);
    double seconds = (double)(window->last_ns - window->first_ns) * 1e-9;
    bool counts = window->last.counts;
    nz_energy energy = {
        .joules = counts ? window->last.joules - window->first.joules : window->integral_j,
        .seconds = seconds,
        .watts_max = window->max_w,
        .watts_mean_samples = counts ? NAN : window->sum_w / (double)window->samples,
        .samples = window->samples,
        .interval_s = seconds / (double)(window->samples - 1),
        .part_count = window->last.part_count,
    };
    energy.watts = energy.joules / seconds;
    /* A counter's last step may fall into a tail too short to be a sample of its own: the peak is still no less than the mean. */
    if (counts && !(energy.watts_max >= energy.watts)) energy.watts_max = energy.watts;
    for (size_t i = 0; i < energy.part_count; i++) {
        energy.parts[i] = window->last.parts[i];
        energy.parts[i].joules -= window->first.parts[i].joules;
    }
    *ret_energy = energy;
    return NZ_OK;
}
