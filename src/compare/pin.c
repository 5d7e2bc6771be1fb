/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/pin.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/error.h"

/* A number at *text, which then stands behind it; -1: none that a CPU could have. */
static int take_number(const char **text) {
    char *end;
    if (**text < '0' || **text > '9') return -1;
    errno = 0;
    long value = strtol(*text, &end, 10);
    *text = end;
    return errno || value >= CPU_SETSIZE ? -1 : (int)value;
}

nz_status nz_cpu_list_parse(cpu_set_t *ret_cpus, const char *text) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    for (const char *at = text;; at++) {
        int first = take_number(&at), last = first;
        if (*at == '-') at++, last = take_number(&at);
        if (first < 0 || last < first || (*at != ',' && *at))
            return nz_fail(NZ_E_ARG, "'%s' is no list of CPUs such as 0,2-3 (numbers from 0 to %d)", text,
                           CPU_SETSIZE - 1);
        for (int cpu = first; cpu <= last; cpu++) CPU_SET((size_t)cpu, &cpus);
        if (!*at) break;
    }
    *ret_cpus = cpus;
    return NZ_OK;
}

static void write_list(char *text, size_t size, const cpu_set_t *cpus) {
    size_t at = 0;
    *text = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && at < size; cpu++) {
        if (!CPU_ISSET((size_t)cpu, cpus)) continue;
        int first = cpu;
        while (cpu + 1 < CPU_SETSIZE && CPU_ISSET((size_t)cpu + 1, cpus)) cpu++;
        int length = snprintf(text + at, size - at, first == cpu ? "%s%d" : "%s%d-%d", at ? "," : "", first, cpu);
        at += length > 0 ? (size_t)length : size;
    }
}

nz_status nz_cpu_list_check(const char *text) {
    cpu_set_t wanted, usable;
    char list[256];
    NZ_TRY(nz_cpu_list_parse(&wanted, text));
    if (sched_getaffinity(0, sizeof usable, &usable) != 0) return NZ_OK; /* more CPUs than a set holds */
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &wanted) && !CPU_ISSET(cpu, &usable)) {
            write_list(list, sizeof list, &usable);
            return nz_fail(NZ_E_ARG, "CPU %zu of '%s' is not there to run on (there are %s)", cpu, text, list);
        }
    return NZ_OK;
}

static nz_status take_cpus(const char *text) {
    cpu_set_t cpus;
    NZ_TRY(nz_cpu_list_parse(&cpus, text));
    if (sched_setaffinity(0, sizeof cpus, &cpus) != 0)
        return nz_fail(NZ_E_ARG, "worker: --pin %s: %s", text, strerror(errno));
    return NZ_OK;
}

nz_status nz_pin_take(int argc, char **argv, char *const *again) {
    const char *cpus = NULL, *nice_value = NULL;
    for (int i = 0; i < argc; i += 2) {
        const char **place = strcmp(argv[i], "--pin") == 0    ? &cpus
                             : strcmp(argv[i], "--nice") == 0 ? &nice_value
                                                              : NULL;
        if (!place || i + 1 == argc) return nz_fail(NZ_E_ARG, "worker: '%s' is not understood", argv[i]);
        *place = argv[i + 1];
    }
    /* Refused without the privilege; the parent sees what holds. */
    if (nice_value && setpriority(PRIO_PROCESS, 0, atoi(nice_value)) != 0) errno = 0;
    if (!cpus) return NZ_OK;
    NZ_TRY(take_cpus(cpus));
    /* Where this fails (an emulated program, say) threads still inherit the CPUs; only their default number is another. */
    execv("/proc/self/exe", again);
    return NZ_OK;
}

json_t *nz_pin_json(void) {
    cpu_set_t cpus;
    char list[256] = "";
    if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) write_list(list, sizeof list, &cpus);
    errno = 0;
    int value = getpriority(PRIO_PROCESS, 0);
    return json_pack("{s:s,s:i}", "cpus", list, "nice", value);
}
