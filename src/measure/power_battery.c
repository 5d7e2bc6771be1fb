/* SPDX-License-Identifier: Apache-2.0 */
/* Discharging batteries feed the whole machine, display included: coarse, but a measurement. A machine may have several,
 * of which one or all discharge. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/power.h"
#include "measure/probe.h"

enum { MOST_BATTERIES = 4 };

/* No battery of a computer gives more; drivers tell such values where they have none. */
static const double most_watts = 1000;

/* How a battery tells what it gives, best first. Drivers differ in the sign of a current or power that flows out. */
typedef enum way { POWER, PRODUCT, ENERGY, CHARGE, WAYS } way;
static const struct {
    const char *file, *words;
    bool counts;
    bool volts;   /* times voltage_now in microvolts */
    double scale; /* to watts or joules */
} files[WAYS] = {
    [POWER] = {"power_now", "power", false, false, 1e-6},
    [PRODUCT] = {"current_now", "voltage and current", false, true, 1e-12},
    [ENERGY] = {"energy_now", "what is left in it", true, false, 3600e-6}, /* microwatt hours */
    [CHARGE] = {"charge_now", "the charge left in it", true, true, 3600e-12},
};

typedef struct cell {
    char name[64];
    double last, joules; /* of a battery that tells what is left in it */
} cell;

typedef struct battery {
    char *sys;
    way how; /* of all of them */
    size_t count;
    cell cells[MOST_BATTERIES];
} battery;

static void battery_close(void *state) {
    battery *b = state;
    free(b->sys);
    free(b);
}

/* Watts, or joules left. 0 or why not. */
static int read_value(double *ret_value, const char *sys, const char *name, way how) {
    int64_t value, volts = 1;
    int code = nz_probe_i64(&value, sys, "class/power_supply/%s/%s", name, files[how].file);
    if (!code && files[how].volts) code = nz_probe_i64(&volts, sys, "class/power_supply/%s/voltage_now", name);
    if (code) return code;
    double result = fabs((double)value) * (double)volts * files[how].scale;
    if (volts <= 0 || (!files[how].counts && !(result > 0 && result <= most_watts))) return ERANGE;
    *ret_value = result;
    return 0;
}

static const char *why(int code) { return code == ERANGE ? "it tells a power that cannot be" : nz_probe_why(code); }

/* "Discharging", "Charging", "Full", "Not charging", "Unknown". */
static int read_status(char *status, size_t size, const char *sys, const char *name) {
    return nz_probe_text(status, size, sys, "class/power_supply/%s/status", name);
}

static nz_status battery_read(void *state, nz_power_reading *ret_reading) {
    battery *b = state;
    size_t giving = 0;
    char status[32] = "";
    ret_reading->counts = files[b->how].counts;
    for (size_t i = 0; i < b->count; i++) {
        cell *c = &b->cells[i];
        double value = 0;
        int code = read_status(status, sizeof status, b->sys, c->name);
        bool gives = !code && strcmp(status, "Discharging") == 0;
        if (!code && strcmp(status, "Charging") == 0)
            return nz_fail(NZ_E_UNAVAILABLE, "battery: %s is no longer discharging (%s)", c->name, status);
        if (!code && gives) code = read_value(&value, b->sys, c->name, b->how);
        if (code) return nz_fail(NZ_E_UNAVAILABLE, "battery: %s cannot be read: %s", c->name, why(code));
        if (gives && ret_reading->counts) {
            c->joules += c->last - value; /* what is left may be corrected upwards */
            c->last = value;
        }
        giving += gives ? 1 : 0; /* where it does not, another one feeds the machine meanwhile */
        nz_power_part part = {.added = true, .joules = c->joules, .watts = ret_reading->counts ? 0 : value};
        ret_reading->joules += part.joules;
        ret_reading->watts += part.watts;
        if (b->count > 1) nz_power_part_add(ret_reading, &part, c->name);
    }
    if (!giving)
        return nz_fail(NZ_E_UNAVAILABLE, "battery: %s is no longer discharging (%s)", b->cells[0].name, status);
    return NZ_OK;
}

/* A charger at a USB port has its own type; one of a mouse has the scope "Device". */
static bool feeds_all(const char *sys, const char *name, const char *type) {
    char scope[32];
    bool charger = strcmp(type, "Mains") == 0 || strncmp(type, "USB", 3) == 0 || strcmp(type, "Wireless") == 0;
    return charger && (nz_probe_text(scope, sizeof scope, sys, "class/power_supply/%s/scope", name) != 0 ||
                       strcmp(scope, "Device") != 0);
}

/* A supply of the machine that is plugged in: then a battery gives a part of the power at most. */
static bool plugged_in(char ret_name[64], const char *sys, const nz_probe_names *names) {
    for (size_t i = 0; i < names->count; i++) {
        char type[32];
        uint64_t online;
        if (nz_probe_text(type, sizeof type, sys, "class/power_supply/%s/type", names->items[i]) ||
            !feeds_all(sys, names->items[i], type) ||
            nz_probe_u64(&online, sys, "class/power_supply/%s/online", names->items[i]) || !online)
            continue;
        snprintf(ret_name, 64, "%.63s", names->items[i]);
        return true;
    }
    return false;
}

/* A mouse's battery has the scope "Device". */
static bool feeds_machine(const char *sys, const char *name) {
    char type[32], scope[32];
    return strlen(name) < sizeof((cell *)NULL)->name &&
           nz_probe_text(type, sizeof type, sys, "class/power_supply/%s/type", name) == 0 &&
           strcmp(type, "Battery") == 0 &&
           (nz_probe_text(scope, sizeof scope, sys, "class/power_supply/%s/scope", name) != 0 ||
            strcmp(scope, "Device") != 0);
}

/* The best way in which every discharging battery tells what it gives; WAYS where there is none. */
static way choose_way(const battery *b, const bool *gives, int *ret_code) {
    for (way how = POWER; how < WAYS; how++) {
        bool all = true;
        for (size_t i = 0; i < b->count; i++) {
            double value;
            int code = read_value(&value, b->sys, b->cells[i].name, how);
            if (!gives[i] || !code) continue;
            all = false;
            if (code != ENOENT) *ret_code = code;
        }
        if (all) return how;
    }
    return WAYS;
}

static nz_status find_batteries(battery *b, nz_power_info *info) {
    nz_probe_names names = {0};
    bool gives[MOST_BATTERIES] = {false}, any = false, charging = false;
    char status[32] = "", other[32] = "", mains[64];
    int code = 0;
    (void)nz_probe_list(&names, "", b->sys, "class/power_supply"); /* absent: the list stays empty */
    for (size_t i = 0; i < names.count && b->count < MOST_BATTERIES; i++) {
        if (!feeds_machine(b->sys, names.items[i]) || read_status(status, sizeof status, b->sys, names.items[i]))
            continue;
        gives[b->count] = strcmp(status, "Discharging") == 0;
        any = any || gives[b->count];
        charging = charging || strcmp(status, "Charging") == 0;
        if (!gives[b->count]) memcpy(other, status, sizeof other);
        snprintf(b->cells[b->count++].name, sizeof b->cells->name, "%.63s", names.items[i]);
    }
    bool plugged = plugged_in(mains, b->sys, &names);
    nz_probe_names_free(&names);
    if (!b->count) return nz_power_refuse(info, "", "no battery");
    if (!any || charging)
        return nz_power_refuse(info, "unplug the charger", "%.40s is not discharging (%.31s)", b->cells[0].name, other);
    if (plugged)
        return nz_power_refuse(info, "unplug the charger",
                               "the charger (%.40s) is plugged in: it feeds the machine too", mains);
    b->how = choose_way(b, gives, &code);
    if (b->how == WAYS && code)
        return nz_power_refuse(info, "", "%.40s cannot be read: %s", b->cells[0].name, why(code));
    if (b->how == WAYS)
        return nz_power_refuse(info, "", "%.40s tells neither power nor current nor charge", b->cells[0].name);
    for (size_t i = 0; i < b->count; i++)
        if (files[b->how].counts && read_value(&b->cells[i].last, b->sys, b->cells[i].name, b->how))
            b->cells[i].last = 0;
    return NZ_OK;
}

static nz_status battery_open(void **ret_state, nz_power_info *info, const nz_roots *roots) {
    battery *b = NULL;
    NZ_TRY(nz_alloc(&b, 1, sizeof *b));
    nz_status status = nz_strdup(&b->sys, nz_root_sys(roots));
    if (status == NZ_OK) status = find_batteries(b, info);
    if (status != NZ_OK) {
        battery_close(b);
        return status;
    }
    size_t at = 0;
    for (size_t i = 0; i < b->count && at < sizeof info->detail; i++)
        at += (size_t)snprintf(info->detail + at, sizeof info->detail - at, "%s%s", i ? " + " : "", b->cells[i].name);
    if (at < sizeof info->detail)
        snprintf(info->detail + at, sizeof info->detail - at, ", discharging, by %s%s", files[b->how].words,
                 files[b->how].counts ? ": so coarse that windows of minutes are needed" : "");
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
