/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/nvml.h"

#include <dlfcn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/probe.h"

/* The few declarations of nvml.h that are used here; the library keeps them binary compatible by versioned names. */
typedef struct device *device_handle;
typedef struct utilisation {
    unsigned gpu, memory;
} utilisation;
typedef struct memory {
    unsigned long long total, free, used;
} memory;

struct nz_nvml {
    void *library;
    int (*init)(void);
    int (*shutdown)(void);
    int (*device_count)(unsigned *);
    int (*device_get)(unsigned, device_handle *);
    int (*device_name)(device_handle, char *, unsigned);
    int (*energy)(device_handle, unsigned long long *); /* millijoules since the driver was loaded */
    int (*power)(device_handle, unsigned *);            /* milliwatts */
    int (*util)(device_handle, utilisation *);
    int (*mem)(device_handle, memory *);
    bool started;
    unsigned count;
    device_handle devices[NZ_NVML_DEVICES];
    char names[NZ_NVML_DEVICES][96];
};

/* What is looked up, and where in struct nz_nvml it goes. */
static const struct symbol {
    const char *name;
    size_t offset;
    bool needed;
} symbols[] = {
    {"nvmlInit_v2", offsetof(nz_nvml, init), true},
    {"nvmlShutdown", offsetof(nz_nvml, shutdown), true},
    {"nvmlDeviceGetCount_v2", offsetof(nz_nvml, device_count), true},
    {"nvmlDeviceGetHandleByIndex_v2", offsetof(nz_nvml, device_get), true},
    {"nvmlDeviceGetName", offsetof(nz_nvml, device_name), true},
    {"nvmlDeviceGetPowerUsage", offsetof(nz_nvml, power), true},
    {"nvmlDeviceGetUtilizationRates", offsetof(nz_nvml, util), true},
    {"nvmlDeviceGetMemoryInfo", offsetof(nz_nvml, mem), true},
    {"nvmlDeviceGetTotalEnergyConsumption", offsetof(nz_nvml, energy), false}, /* absent in old drivers */
};

/* The numbers that a user can do something about. */
static const struct {
    int code;
    const char *words;
} failures[] = {
    {4, "this user may not use the GPUs"},
    {9, "no NVIDIA driver is loaded"},
    {12, "a part of the driver is missing"},
    {15, "a GPU is lost: the machine must be restarted"},
    {18, "the driver has been updated and the machine not restarted since"},
};

static const char *words_of(int code) {
    for (size_t i = 0; i < NZ_COUNT(failures); i++)
        if (failures[i].code == code) return failures[i].words;
    return "the driver does not say why";
}

static nz_status start(nz_nvml *nvml) {
    for (size_t i = 0; i < NZ_COUNT(symbols); i++) {
        /* dlsym gives an object pointer; POSIX promises that it can be used as a function's. */
        void *symbol = dlsym(nvml->library, symbols[i].name);
        if (!symbol && symbols[i].needed)
            return nz_fail(NZ_E_UNAVAILABLE, "nvml: the library lacks %s", symbols[i].name);
        memcpy((char *)nvml + symbols[i].offset, &symbol, sizeof symbol);
    }
    int code = nvml->init();
    if (code) return nz_fail(NZ_E_UNAVAILABLE, "nvml: cannot be started (code %d): %s", code, words_of(code));
    nvml->started = true;
    unsigned count = 0;
    if (nvml->device_count(&count) || !count) return nz_fail(NZ_E_UNAVAILABLE, "nvml: no GPU");
    for (unsigned i = 0; i < count && nvml->count < NZ_NVML_DEVICES; i++) {
        unsigned at = nvml->count;
        if (nvml->device_get(i, &nvml->devices[at])) continue;
        if (nvml->device_name(nvml->devices[at], nvml->names[at], sizeof nvml->names[at]))
            snprintf(nvml->names[at], sizeof nvml->names[at], "GPU %u", i);
        nvml->count++;
    }
    return nvml->count ? NZ_OK : nz_fail(NZ_E_UNAVAILABLE, "nvml: no GPU may be used by this process");
}

/* Inside a container the driver may well be there and its library not. */
static nz_status fail_library(const nz_roots *roots) {
    char version[16];
    bool driver = nz_probe_text(version, sizeof version, nz_root_proc(roots), "driver/nvidia/version") == 0;
    return nz_fail(
        NZ_E_UNAVAILABLE, "nvml: no %s (%s)", nz_root_nvml(roots),
        driver ? "the NVIDIA driver is loaded: its library is not installed, or a container was started without "
                 "--gpus all"
               : "no NVIDIA driver on this machine");
}

nz_status nz_nvml_open(nz_nvml **ret_nvml, const nz_roots *roots) {
    nz_nvml *nvml = NULL;
    NZ_TRY(nz_alloc(&nvml, 1, sizeof *nvml));
    nvml->library = dlopen(nz_root_nvml(roots), RTLD_NOW | RTLD_LOCAL);
    nz_status status = nvml->library ? start(nvml) : fail_library(roots);
    if (status != NZ_OK) {
        nz_nvml_close(nvml);
        return status;
    }
    *ret_nvml = nvml;
    return NZ_OK;
}

void nz_nvml_close(nz_nvml *nvml) {
    if (!nvml) return;
    if (nvml->started) nvml->shutdown();
    if (nvml->library) dlclose(nvml->library);
    free(nvml);
}

size_t nz_nvml_count(const nz_nvml *nvml) { return nvml->count; }
const char *nz_nvml_name(const nz_nvml *nvml, size_t i) { return nvml->names[i]; }

bool nz_nvml_joules(const nz_nvml *nvml, size_t i, double *ret_joules) {
    unsigned long long millijoules;
    if (!nvml->energy || nvml->energy(nvml->devices[i], &millijoules)) return false;
    *ret_joules = (double)millijoules * 1e-3;
    return true;
}

bool nz_nvml_watts(const nz_nvml *nvml, size_t i, double *ret_watts) {
    unsigned milliwatts;
    if (nvml->power(nvml->devices[i], &milliwatts)) return false;
    *ret_watts = (double)milliwatts * 1e-3;
    return true;
}

bool nz_nvml_util(const nz_nvml *nvml, size_t i, double *ret_pct) {
    utilisation rates;
    if (nvml->util(nvml->devices[i], &rates)) return false;
    *ret_pct = rates.gpu;
    return true;
}

bool nz_nvml_memory(const nz_nvml *nvml, size_t i, double *ret_used_bytes) {
    memory info;
    if (nvml->mem(nvml->devices[i], &info)) return false;
    *ret_used_bytes = (double)info.used;
    return true;
}

nz_status nz_gpu_get(nz_gpu *ret_gpu, const nz_roots *roots) {
    nz_nvml *nvml = NULL;
    NZ_TRY(nz_nvml_open(&nvml, roots));
    nz_gpu gpu = {.count = (int)nz_nvml_count(nvml)};
    size_t at = 0;
    nz_status status = NZ_OK;
    for (size_t i = 0; i < nz_nvml_count(nvml) && status == NZ_OK; i++) {
        double util, used;
        if (!nz_nvml_util(nvml, i, &util) || !nz_nvml_memory(nvml, i, &used)) {
            status = nz_fail(NZ_E_UNAVAILABLE, "nvml: %s tells neither use nor memory", nz_nvml_name(nvml, i));
            break;
        }
        gpu.util_pct += util / gpu.count;
        gpu.mem_bytes += used;
        if (at < sizeof gpu.names)
            at += (size_t)snprintf(gpu.names + at, sizeof gpu.names - at, "%s%s", i ? ", " : "", nz_nvml_name(nvml, i));
    }
    nz_nvml_close(nvml);
    if (status == NZ_OK) *ret_gpu = gpu;
    return status;
}
