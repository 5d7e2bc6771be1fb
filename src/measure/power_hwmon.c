/* SPDX-License-Identifier: Apache-2.0 */
/* INA current sensors through hwmon: boards such as Jetson carry them on their supply rails. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/power.h"
#include "measure/probe.h"

enum { MOST_CHANNELS = 16 };

/* Labels of the rail that feeds the whole board: where one is there, the others lie behind it. */
static const char *const total_labels[] = {"VDD_IN", "POM_5V_IN", "VIN", "VIN_SYS_5V0", "5V_IN", "Board"};

typedef struct channel {
    char folder[64], label[64];
    int index;
    bool has_power; /* power<i>_input in microwatts; else volts x amperes of in<i>_input (mV) and curr<i>_input (mA) */
} channel;

typedef struct hwmon {
    char *sys;
    channel channel;
} hwmon;

static void hwmon_close(void *state) {
    hwmon *h = state;
    free(h->sys);
    free(h);
}

static int read_watts(double *ret_watts, const char *sys, const channel *c) {
    uint64_t a, b;
    int code = c->has_power ? nz_probe_u64(&a, sys, "class/hwmon/%s/power%d_input", c->folder, c->index)
                            : nz_probe_u64(&a, sys, "class/hwmon/%s/in%d_input", c->folder, c->index);
    if (!code && !c->has_power) code = nz_probe_u64(&b, sys, "class/hwmon/%s/curr%d_input", c->folder, c->index);
    if (!code) *ret_watts = c->has_power ? (double)a * 1e-6 : (double)a * (double)b * 1e-6;
    return code;
}

static nz_status hwmon_read(void *state, nz_power_reading *ret_reading) {
    const hwmon *h = state;
    int code = read_watts(&ret_reading->watts, h->sys, &h->channel);
    if (code)
        return nz_fail(NZ_E_UNAVAILABLE, "hwmon: %s (%s) cannot be read: %s", h->channel.folder, h->channel.label,
                       strerror(code));
    return NZ_OK;
}

static bool is_total(const char *label) {
    for (size_t i = 0; i < NZ_COUNT(total_labels); i++)
        if (strcmp(label, total_labels[i]) == 0) return true;
    return false;
}

/* The channels of one chip, appended to `found`. */
static size_t find_channels(channel *found, size_t count, const char *sys, const char *folder, const char *chip) {
    double watts;
    for (int index = 1; index <= 4 && count < MOST_CHANNELS; index++) {
        channel c = {.index = index, .has_power = true};
        snprintf(c.folder, sizeof c.folder, "%.63s", folder);
        if (read_watts(&watts, sys, &c)) {
            c.has_power = false;
            if (read_watts(&watts, sys, &c)) continue;
        }
        if (nz_probe_text(c.label, sizeof c.label, sys, "class/hwmon/%s/in%d_label", folder, index) &&
            nz_probe_text(c.label, sizeof c.label, sys, "class/hwmon/%s/power%d_label", folder, index))
            snprintf(c.label, sizeof c.label, "%.40s channel %d", chip, index);
        found[count++] = c;
    }
    return count;
}

static nz_status choose(channel *ret_channel, nz_power_info *info, const channel *found, size_t count) {
    size_t totals = 0, chosen = 0, at = 0;
    char rails[160] = "";
    for (size_t i = 0; i < count; i++) {
        if (is_total(found[i].label)) {
            chosen = i;
            totals++;
        }
        if (at < sizeof rails)
            at += (size_t)snprintf(rails + at, sizeof rails - at, "%s%s", i ? ", " : "", found[i].label);
    }
    if (!count) return nz_power_refuse(info, "", "no INA sensor");
    /* Adding rails of which one may feed another would count watts twice. */
    if (count > 1 && totals != 1)
        return nz_power_refuse(info, "", "several rails, none known to feed the whole board: %s", rails);
    *ret_channel = found[chosen];
    snprintf(info->detail, sizeof info->detail, "%.60s (%.60s)", found[chosen].label, found[chosen].folder);
    return NZ_OK;
}

static nz_status hwmon_open(void **ret_state, nz_power_info *info, const nz_roots *roots) {
    nz_probe_names names = {0};
    channel found[MOST_CHANNELS];
    size_t count = 0;
    const char *sys = nz_root_sys(roots);
    if (nz_probe_list(&names, "hwmon", sys, "class/hwmon")) return nz_power_refuse(info, "", "no INA sensor");
    for (size_t i = 0; i < names.count; i++) {
        char chip[64];
        if (nz_probe_text(chip, sizeof chip, sys, "class/hwmon/%s/name", names.items[i]) == 0 &&
            strncmp(chip, "ina", 3) == 0)
            count = find_channels(found, count, sys, names.items[i], chip);
    }
    nz_probe_names_free(&names);
    channel chosen;
    NZ_TRY(choose(&chosen, info, found, count));
    hwmon *h = NULL;
    NZ_TRY(nz_alloc(&h, 1, sizeof *h));
    h->channel = chosen;
    nz_status status = nz_strdup(&h->sys, sys);
    if (status != NZ_OK) {
        hwmon_close(h);
        return status;
    }
    *ret_state = h;
    return NZ_OK;
}

const nz_power_source nz_power_hwmon = {
    .name = "hwmon",
    .title = "current sensors on the board's supply (INA chips through hwmon)",
    .scope = "board",
    .automatic = true,
    .open = hwmon_open,
    .read = hwmon_read,
    .close = hwmon_close,
};
