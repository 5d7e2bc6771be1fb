/* SPDX-License-Identifier: Apache-2.0 */
/* Stands for NVIDIA's management library: two GPUs whose energy counters advance by 5 J and 7 J at every reading. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

static struct gpu { unsigned long long millijoules, step; } gpus[2] = {{1000000, 5000}, {2000000, 7000}};

/* NETZIP_FAKE_NVML_MODE: "broken" cannot be started, "old" has no energy counters, "back" has set them back. */
static int mode_is(const char *mode) {
    const char *given = getenv("NETZIP_FAKE_NVML_MODE");
    return given && strcmp(given, mode) == 0;
}

EXPORT int nvmlInit_v2(void) { return mode_is("broken") ? 9 : 0; }
EXPORT int nvmlShutdown(void) { return 0; }
EXPORT int nvmlDeviceGetCount_v2(unsigned *count) {
    *count = 2;
    return 0;
}
EXPORT int nvmlDeviceGetHandleByIndex_v2(unsigned index, struct gpu **device) {
    *device = &gpus[index];
    return index < 2 ? 0 : 2;
}
EXPORT int nvmlDeviceGetName(struct gpu *device, char *name, unsigned size) {
    snprintf(name, size, "Fake GPU %c", device == &gpus[0] ? 'A' : 'B');
    return 0;
}
EXPORT int nvmlDeviceGetTotalEnergyConsumption(struct gpu *device, unsigned long long *millijoules) {
    if (mode_is("old")) return 3;
    *millijoules = device->millijoules += device->step;
    if (mode_is("back")) *millijoules = 0;
    return 0;
}
EXPORT int nvmlDeviceGetPowerUsage(struct gpu *device, unsigned *milliwatts) {
    *milliwatts = (unsigned)device->step * 10;
    return 0;
}
EXPORT int nvmlDeviceGetUtilizationRates(struct gpu *device, unsigned rates[2]) {
    rates[0] = (unsigned)(device->step / 100);
    rates[1] = 1;
    return 0;
}
EXPORT int nvmlDeviceGetMemoryInfo(struct gpu *device, unsigned long long memory[3]) {
    memory[0] = 1 << 30;
    memory[1] = 0;
    memory[2] = device->step * 1000;
    return 0;
}
