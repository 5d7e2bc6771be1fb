/* SPDX-License-Identifier: Apache-2.0 */
/* GPUs through NVIDIA's management library: energy counters where every device has them, else momentary power. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/nvml.h"
#include "measure/power.h"

typedef struct gpus {
    nz_nvml *nvml;
    bool counts;
    unsigned breaks;
    double last[NZ_NVML_DEVICES], joules[NZ_NVML_DEVICES]; /* of counters: as last told, and since it was opened */
} gpus;

static void gpus_close(void *state) {
    gpus *g = state;
    nz_nvml_close(g->nvml);
    free(g);
}

static nz_status gpus_read(void *state, nz_power_reading *ret_reading) {
    gpus *g = state;
    size_t count = nz_nvml_count(g->nvml);
    ret_reading->counts = g->counts;
    for (size_t i = 0; i < count; i++) {
        double value;
        char name[32];
        nz_power_part part = {.added = true};
        bool got = g->counts ? nz_nvml_joules(g->nvml, i, &value) : nz_nvml_watts(g->nvml, i, &value);
        if (!got) return nz_fail(NZ_E_UNAVAILABLE, "nvml: %s tells no power", nz_nvml_name(g->nvml, i));
        if (g->counts) {
            if (value < g->last[i]) g->breaks++; /* the driver was loaded anew */
            if (value > g->last[i]) g->joules[i] += value - g->last[i];
            g->last[i] = value;
            part.joules = g->joules[i];
        } else {
            part.watts = value;
        }
        ret_reading->joules += part.joules;
        ret_reading->watts += part.watts;
        snprintf(name, sizeof name, "GPU %zu", i);
        if (count > 1) nz_power_part_add(ret_reading, &part, name);
    }
    ret_reading->breaks = g->breaks;
    return NZ_OK;
}

static nz_status gpus_open(void **ret_state, nz_power_info *info, const nz_roots *roots) {
    gpus *g = NULL;
    nz_power_reading reading = {0};
    NZ_TRY(nz_alloc(&g, 1, sizeof *g));
    nz_status status = nz_nvml_open(&g->nvml, roots);
    if (status == NZ_OK) {
        g->counts = true;
        for (size_t i = 0; i < nz_nvml_count(g->nvml); i++)
            g->counts = g->counts && nz_nvml_joules(g->nvml, i, &g->last[i]);
        status = gpus_read(g, &reading);
    }
    if (status != NZ_OK) {
        const char *message = nz_last_error(),
                   *colon = strstr(message, ": "); /* the name stands in front of every reason */
        char reason[200];
        snprintf(reason, sizeof reason, "%.199s", colon ? colon + 2 : message);
        gpus_close(g);
        return status == NZ_E_UNAVAILABLE ? nz_power_refuse(info, "", "%s", reason) : status;
    }
    snprintf(info->detail, sizeof info->detail, "%zu GPU%s, first: %.96s (%s)", nz_nvml_count(g->nvml),
             nz_nvml_count(g->nvml) == 1 ? "" : "s", nz_nvml_name(g->nvml, 0),
             g->counts ? "energy counters" : "momentary power");
    *ret_state = g;
    return NZ_OK;
}

const nz_power_source nz_power_nvml = {
    .name = "nvml",
    .title = "NVIDIA GPUs (NVML)",
    .scope = "GPUs",
    .automatic = false,
    .open = gpus_open,
    .read = gpus_read,
    .close = gpus_close,
};
