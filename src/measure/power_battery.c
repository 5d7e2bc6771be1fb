/* SPDX-License-Identifier: Apache-2.0 */
/* A discharging battery feeds the whole machine, display included: coarse, but a measurement. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "measure/power.h"
#include "measure/probe.h"

typedef struct battery {
    char *sys;
    char name[64];
} battery;

static void battery_close(void *state) {
    battery *b = state;
    free(b->sys);
    free(b);
}

/* Microwatts, or microvolts x microamperes. Some drivers give a negative current while discharging. */
static int read_watts(double *ret_watts, const char *sys, const char *name) {
    uint64_t power, volts;
    char text[32], *end;
    if (nz_probe_u64(&power, sys, "class/power_supply/%s/power_now", name) == 0) {
        *ret_watts = (double)power * 1e-6;
        return 0;
    }
    int code = nz_probe_u64(&volts, sys, "class/power_supply/%s/voltage_now", name);
    if (!code) code = nz_probe_text(text, sizeof text, sys, "class/power_supply/%s/current_now", name);
    if (code) return code;
    double amps = nz_strtod(text, &end);
    if (end == text || *end) return EINVAL;
    *ret_watts = (double)volts * 1e-6 * (amps < 0 ? -amps : amps) * 1e-6;
    return 0;
}

static nz_status battery_read(void *state, nz_power_reading *ret_reading) {
    const battery *b = state;
    char status[32];
    int code = nz_probe_text(status, sizeof status, b->sys, "class/power_supply/%s/status", b->name);
    if (!code && strcmp(status, "Discharging") != 0)
        return nz_fail(NZ_E_UNAVAILABLE, "battery: %s is no longer discharging (%s)", b->name, status);
    if (!code) code = read_watts(&ret_reading->watts, b->sys, b->name);
    if (code) return nz_fail(NZ_E_UNAVAILABLE, "battery: %s cannot be read: %s", b->name, strerror(code));
    return NZ_OK;
}

static nz_status find_battery(char ret_name[64], nz_power_info *info, const char *sys) {
    nz_probe_names names = {0};
    char other[96] = "";
    bool found = false;
    (void)nz_probe_list(&names, "", sys, "class/power_supply"); /* absent: the list stays empty */
    for (size_t i = 0; i < names.count && !found; i++) {
        char type[32], scope[32], status[32];
        double watts;
        if (nz_probe_text(type, sizeof type, sys, "class/power_supply/%s/type", names.items[i]) ||
            strcmp(type, "Battery") != 0)
            continue;
        /* A mouse's battery has the scope "Device". */
        if (nz_probe_text(scope, sizeof scope, sys, "class/power_supply/%s/scope", names.items[i]) == 0 &&
            strcmp(scope, "Device") == 0)
            continue;
        if (nz_probe_text(status, sizeof status, sys, "class/power_supply/%s/status", names.items[i])) continue;
        if (strcmp(status, "Discharging") != 0) {
            snprintf(other, sizeof other, "%.40s is not discharging (%.31s)", names.items[i], status);
        } else if (read_watts(&watts, sys, names.items[i])) {
            snprintf(other, sizeof other, "%.40s tells neither power nor current", names.items[i]);
        } else {
            found = strlen(names.items[i]) < 64;
            if (found) snprintf(ret_name, 64, "%.63s", names.items[i]);
        }
    }
    nz_probe_names_free(&names);
    if (found) return NZ_OK;
    if (*other) return nz_power_refuse(info, strstr(other, "discharging") ? "unplug the charger" : "", "%s", other);
    return nz_power_refuse(info, "", "no battery");
}

static nz_status battery_open(void **ret_state, nz_power_info *info, const nz_roots *roots) {
    char name[64];
    NZ_TRY(find_battery(name, info, nz_root_sys(roots)));
    battery *b = NULL;
    NZ_TRY(nz_alloc(&b, 1, sizeof *b));
    memcpy(b->name, name, sizeof b->name);
    nz_status status = nz_strdup(&b->sys, nz_root_sys(roots));
    if (status != NZ_OK) {
        battery_close(b);
        return status;
    }
    snprintf(info->detail, sizeof info->detail, "%.63s, discharging", b->name);
    *ret_state = b;
    return NZ_OK;
}

const nz_power_source nz_power_battery = {
    .name = "battery",
    .title = "the battery that feeds the machine",
    .scope = "machine",
    .automatic = true,
    .open = battery_open,
    .read = battery_read,
    .close = battery_close,
};
