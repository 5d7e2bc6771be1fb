/* SPDX-License-Identifier: Apache-2.0 */
/* Power sensors on boards through hwmon: current monitors on supply rails (INA219, INA226, INA231, INA3221 ...), a server's
 * own meter (ACPI), counters of AMD's sockets. A rail may lie behind another one, so that what is added up is told by a
 * table of boards, never guessed. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "measure/power.h"
#include "measure/probe.h"

enum { MOST_CHANNELS = 32, MOST_TERMS = 6, MOST_SOCKETS = 1024 };

/* No board that this program runs on draws more: beyond it a sensor's value is wrong. */
static const double most_watts = 20000;
/* A sensor whose two inputs are swapped tells negative currents; noise around nothing does not go this far. */
static const double least_watts = -0.1;

/* Chips that are read, by how their names begin. The first row that fits counts. */
static const struct chip {
    const char *name;
    int channels;
    bool energy;       /* energy<i>_input in microjoules; else power, or volts x amperes */
    const char *label; /* energy: only channels whose label begins so; the others lie inside these */
} chips[] = {
    {"ina3221", 3, false, NULL}, /* its in4 to in6 are voltages across the shunts, its curr4 a sum */
    {"ina", 4, false, NULL},
    {"ltc29", 4, false, NULL},
    {"power_meter", 1, false, NULL},
    {"macsmc", 16, false, NULL},
    {"zenpower", 2, false, NULL},
    {"amd_energy", MOST_SOCKETS, true, "Esocket"},
    {"zenergy", MOST_SOCKETS, true, "Esocket"},
};

/* Which rails are added up: the first row all of whose labels are there, each once. The other rails are shown. */
static const struct board {
    const char *scope;
    const char *labels[MOST_TERMS];
    bool cpu; /* less than a board: counters of the sockets are taken before it */
} boards[] = {
    {.scope = "module and carrier board",
     .labels = {"VDD_IN", "VDD_MUX"}},                   /* Jetson TX1, TX2: side by side behind the plug */
    {.scope = "board's input", .labels = {"VDD_IN"}},    /* Jetson Xavier NX, Orin NX, Orin Nano */
    {.scope = "board's input", .labels = {"POM_5V_IN"}}, /* Jetson Nano */
    {.scope = "module",
     .labels = {"GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"}}, /* Jetson AGX Xavier: none lies behind another */
    {.scope = "module",
     .labels = {"VDD_GPU_SOC", "VDD_CPU_CV", "VIN_SYS_5V0"}}, /* Jetson AGX Orin: memory's lies behind the last */
    {.scope = "board's input", .labels = {"5V_IN"}},
    {.scope = "board's input", .labels = {"VIN"}},
    {.scope = "board's input", .labels = {"Board"}},
    {.scope = "machine", .labels = {"Total System Power"}},                                /* Apple's computers */
    {.scope = "machine", .labels = {"power_meter channel 1"}},                             /* ACPI */
    {.scope = "CPU: cores and SoC", .labels = {"SVI2_P_Core", "SVI2_P_SoC"}, .cpu = true}, /* zenpower */
};

/* How a channel tells: by one file, or by volts and amperes. */
typedef enum way { POWER, AVERAGE, ENERGY, PRODUCT } way;
static const struct {
    const char *quantity, *ending;
} files[] = {[POWER] = {"power", "input"}, [AVERAGE] = {"power", "average"}, [ENERGY] = {"energy", "input"}};

typedef struct channel {
    char folder[64], label[48];
    int index;
    way how;
    bool added;
    double last; /* joules of a counter */
} channel;

typedef struct hwmon {
    char *sys;
    bool counts;
    unsigned breaks;
    double joules[MOST_CHANNELS]; /* since it was opened */
    size_t count;
    channel channels[MOST_CHANNELS];
} hwmon;

/* What was met while channels were looked for. */
typedef struct search {
    int refused,
        broken; /* errno of a channel that is there and cannot be read, or tells nothing that can be; 0: none */
    char refused_folder[64], broken_name[128];
    bool lost; /* a socket's counter cannot be read: the others' sum would be a part of the machine */
} search;

static void hwmon_close(void *state) {
    hwmon *h = state;
    free(h->sys);
    free(h);
}

/* Watts, or joules of a counter. 0 or why not; ERANGE: a value that cannot be. */
static int read_channel(double *ret_value, const char *sys, const channel *c) {
    int64_t a, b = 1;
    int code = c->how == PRODUCT ? nz_probe_i64(&a, sys, "class/hwmon/%s/in%d_input", c->folder, c->index)
                                 : nz_probe_i64(&a, sys, "class/hwmon/%s/%s%d_%s", c->folder, files[c->how].quantity,
                                                c->index, files[c->how].ending);
    if (!code && c->how == PRODUCT) code = nz_probe_i64(&b, sys, "class/hwmon/%s/curr%d_input", c->folder, c->index);
    if (code) return code;
    double value = (double)a * (double)b * 1e-6; /* microwatts, microjoules, or millivolts x milliamperes */
    if (c->how == ENERGY ? value < 0 : !(value >= least_watts && value <= most_watts)) return ERANGE;
    *ret_value = value;
    return 0;
}

static const char *why(int code) {
    return code == ERANGE ? "it tells a power that cannot be (are the sensor's inputs swapped?)" : nz_probe_why(code);
}

static nz_status hwmon_read(void *state, nz_power_reading *ret_reading) {
    hwmon *h = state;
    ret_reading->counts = h->counts;
    for (size_t i = 0; i < h->count; i++) {
        channel *c = &h->channels[i];
        double value = NAN; /* a rail that is only shown may fail to tell */
        int code = read_channel(&value, h->sys, c);
        if (code && c->added)
            return nz_fail(NZ_E_UNAVAILABLE, "hwmon: %s (%s) cannot be read: %s", c->folder, c->label, why(code));
        nz_power_part part = {.added = c->added};
        if (c->how == ENERGY) {
            if (value < c->last) h->breaks++; /* set back: suspend does that */
            if (value > c->last) h->joules[i] += value - c->last;
            c->last = value;
            part.joules = h->joules[i];
        } else {
            part.watts = value;
        }
        if (c->added) ret_reading->joules += part.joules;
        if (c->added) ret_reading->watts += part.watts;
        nz_power_part_add(ret_reading, &part, c->label);
    }
    ret_reading->breaks = h->breaks;
    return NZ_OK;
}

/* Tries the ways in which channel `index` may tell its power; false where there is none that can be read. */
static bool find_channel(channel *c, search *s, const char *sys, const struct chip *chip) {
    double value;
    for (way how = chip->energy ? ENERGY : POWER; how <= PRODUCT; how++) {
        if (!chip->energy && how == ENERGY) continue;
        c->how = how;
        int code = read_channel(&value, sys, c);
        if (!code) {
            c->last = how == ENERGY ? value : 0;
            return true;
        }
        if (code == EACCES || code == EPERM) {
            s->refused = code;
            snprintf(s->refused_folder, sizeof s->refused_folder, "%.63s", c->folder);
        } else if (code != ENOENT && code != ENODATA) {
            s->broken = code;
            snprintf(s->broken_name, sizeof s->broken_name, "%.40s (%.40s)", c->folder, c->label);
        }
        s->lost = s->lost || chip->energy;
        if (chip->energy || code != ENOENT) return false;
    }
    return false;
}

/* The channels of one chip, behind those that were found before. */
static void find_channels(hwmon *h, search *s, const char *folder, const char *name, const struct chip *chip) {
    for (int index = 1; index <= chip->channels && h->count < MOST_CHANNELS; index++) {
        channel *c = &h->channels[h->count];
        *c = (channel){.index = index};
        snprintf(c->folder, sizeof c->folder, "%.63s", folder);
        if (chip->energy) {
            if (nz_probe_text(c->label, sizeof c->label, h->sys, "class/hwmon/%s/energy%d_label", folder, index)) break;
            if (strncmp(c->label, chip->label, strlen(chip->label)) != 0) continue;
        } else if (nz_probe_text(c->label, sizeof c->label, h->sys, "class/hwmon/%s/in%d_label", folder, index) &&
                   nz_probe_text(c->label, sizeof c->label, h->sys, "class/hwmon/%s/power%d_label", folder, index)) {
            snprintf(c->label, sizeof c->label, "%.24s channel %d", name, index);
        }
        if (find_channel(c, s, h->sys, chip)) h->count++;
    }
}

static void find_chips(hwmon *h, search *s) {
    nz_probe_names names = {0};
    (void)nz_probe_list(&names, "hwmon", h->sys, "class/hwmon"); /* absent: the list stays empty */
    for (size_t i = 0; i < names.count; i++) {
        char name[64];
        if (strlen(names.items[i]) >= 64 ||
            nz_probe_text(name, sizeof name, h->sys, "class/hwmon/%s/name", names.items[i]))
            continue;
        const struct chip *chip = NULL;
        for (size_t k = 0; k < NZ_COUNT(chips) && !chip; k++)
            if (strncmp(name, chips[k].name, strlen(chips[k].name)) == 0) chip = &chips[k];
        if (chip) find_channels(h, s, names.items[i], name, chip);
    }
    nz_probe_names_free(&names);
}

static channel *find_label(hwmon *h, const char *label, size_t *ret_times) {
    channel *found = NULL;
    *ret_times = 0;
    for (size_t i = 0; i < h->count; i++) {
        if (strcmp(h->channels[i].label, label) != 0) continue;
        found = &h->channels[i];
        ++*ret_times;
    }
    return found;
}

/* Marks what a row of the table adds up; false where not all of it is there, each once. */
static bool is_board(hwmon *h, nz_power_info *info, const struct board *board) {
    channel *terms[MOST_TERMS];
    size_t count = 0, times;
    for (; count < MOST_TERMS && board->labels[count]; count++) {
        terms[count] = find_label(h, board->labels[count], &times);
        if (times != 1) return false;
    }
    for (size_t i = 0; i < count; i++) terms[i]->added = true;
    info->scope = board->scope;
    return true;
}

/* Decides what is added up, and what that covers. */
static bool choose(hwmon *h, nz_power_info *info) {
    for (size_t i = 0; i < NZ_COUNT(boards); i++)
        if (!boards[i].cpu && is_board(h, info, &boards[i])) return true;
    for (size_t i = 0; i < h->count; i++) {
        h->channels[i].added = h->channels[i].how == ENERGY;
        h->counts = h->counts || h->channels[i].added;
    }
    if (h->counts) info->scope = "CPU sockets";
    if (h->counts) return true;
    for (size_t i = 0; i < NZ_COUNT(boards); i++)
        if (boards[i].cpu && is_board(h, info, &boards[i])) return true;
    if (h->count == 1) h->channels[0].added = true; /* the only rail that anybody has put a sensor on */
    return h->count == 1;
}

static nz_status refuse(const hwmon *h, const search *s, nz_power_info *info) {
    static const char meter[] = "measure by a meter in the supply line (netzip energy LOG)";
    char rails[160] = "", mend[128];
    size_t at = 0;
    for (size_t i = 0; i < h->count && at < sizeof rails; i++)
        at += (size_t)snprintf(rails + at, sizeof rails - at, "%s%s", i ? ", " : "", h->channels[i].label);
    /* Adding rails of which one may feed another would count watts twice. */
    if (h->count && !h->counts)
        return nz_power_refuse(info, meter, "several rails, none known to feed the whole board: %s", rails);
    if (s->refused) {
        snprintf(mend, sizeof mend, "sudo chmod a+r /sys/class/hwmon/%s/energy*_input", s->refused_folder);
        snprintf(info->lasts, sizeof info->lasts,
                 "echo 'z /sys/class/hwmon/hwmon*/energy*_input 0444' | sudo tee /etc/tmpfiles.d/netzip-hwmon.conf");
        return nz_power_refuse(info, mend, "the energy counters exist, but this user may not read them");
    }
    if (s->broken) return nz_power_refuse(info, "", "%s cannot be read: %s", s->broken_name, why(s->broken));
    return nz_power_refuse(info, meter, "no sensor on a supply rail (INA219, INA226, INA3221 ...)");
}

/* How often the added channels have something new, and what was found. */
static void tell(const hwmon *h, nz_power_info *info) {
    size_t at = 0;
    double slowest = 0;
    for (size_t i = 0; i < h->count; i++) {
        const channel *c = &h->channels[i];
        uint64_t ms;
        if (!c->added) continue;
        if (nz_probe_u64(&ms, h->sys,
                         c->how == AVERAGE ? "class/hwmon/%s/power1_average_interval"
                                           : "class/hwmon/%s/update_interval",
                         c->folder) == 0 &&
            ms <= 3600000)
            slowest = fmax(slowest, (double)ms);
        if (at < sizeof info->detail)
            at += (size_t)snprintf(info->detail + at, sizeof info->detail - at, "%s%s (%s)", at ? " + " : "", c->label,
                                   c->folder);
    }
    info->interval_ms = fmax(info->interval_ms, slowest);
    if (slowest > 0 && at < sizeof info->detail)
        nz_snprintf(info->detail + at, sizeof info->detail - at, "; a new value every %.0f ms", slowest);
}

static nz_status hwmon_open(void **ret_state, nz_power_info *info, const nz_roots *roots) {
    hwmon *h = NULL;
    search found = {0};
    NZ_TRY(nz_alloc(&h, 1, sizeof *h));
    nz_status status = nz_strdup(&h->sys, nz_root_sys(roots));
    if (status == NZ_OK) {
        find_chips(h, &found);
        if (!choose(h, info) || (h->counts && found.lost)) status = refuse(h, &found, info);
    }
    if (status != NZ_OK) {
        hwmon_close(h);
        return status;
    }
    tell(h, info);
    *ret_state = h;
    return NZ_OK;
}

const nz_power_source nz_power_hwmon = {
    .name = "hwmon",
    .title = "sensors on the board's supply (current monitors and meters through hwmon)",
    .scope = "board",
    .automatic = true,
    .open = hwmon_open,
    .read = hwmon_read,
    .close = hwmon_close,
};
