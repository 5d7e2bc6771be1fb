/* SPDX-License-Identifier: Apache-2.0 */
/* Text of /proc and /sys that tells of conditions, and a station's answer. The first byte says which. */
#include "measure/conditions.h"
#include "compare/machine.h"
#include "core/memory.h"
#include "fuzz.h"

/* Every CPU of a set is read back from a list of single numbers to the same set. */
static void read_list(const char *text) {
    nz_cpu_bits bits, again;
    if (!nz_cpu_bits_parse(&bits, text)) return;
    NZ_AUTO_FREE char *list = malloc(NZ_CPUS_MOST * 5 + 1);
    nz_fuzz_check(list);
    size_t at = 0;
    for (size_t cpu = 0; cpu < NZ_CPUS_MOST; cpu++)
        if (nz_cpu_bits_has(&bits, cpu)) at += (size_t)sprintf(list + at, "%s%zu", at ? "," : "", cpu);
    nz_fuzz_check(at > 0 && nz_cpu_bits_parse(&again, list));
    nz_fuzz_check(memcmp(&bits, &again, sizeof bits) == 0);
}

static void read_groups(const char *text) {
    char path[64];
    for (int unified = 0; unified < 2; unified++) {
        if (!nz_cgroup_path(path, sizeof path, text, unified)) continue;
        size_t length = strlen(path);
        nz_fuzz_check(!strstr(path, "..") && !strchr(path, '\n'));
        nz_fuzz_check(!length || (path[0] == '/' && path[length - 1] != '/'));
    }
    double quota = nz_cgroup_quota(text);
    nz_fuzz_check(!(quota <= 0) && !(quota >= NZ_CPUS_MOST));
}

static void read_clocks(const char *text) {
    enum { COUNT = 8 };
    double mhz[COUNT];
    nz_cpuinfo_mhz(mhz, COUNT, text);
    for (size_t i = 0; i < COUNT; i++) nz_fuzz_check(!(mhz[i] < 1) && !(mhz[i] > 1e5));
    const char *rest = nz_line_after(text, "Cpus_allowed_list");
    nz_fuzz_check(!rest || (rest > text && rest <= text + strlen(text)));
}

/* What was understood of an answer is written so that it is understood again, to the same. */
static void read_answer(const char *text) {
    NZ_AUTO_JSON json_t *json = json_loads(text, 0, NULL);
    nz_watch *watch = NULL;
    if (!json || nz_alloc(&watch, 1, sizeof *watch) != NZ_OK) return;
    nz_watch_from_json(watch, json);
    NZ_AUTO_JSON json_t *written = nz_watch_json(watch);
    nz_watch_from_json(watch, written);
    NZ_AUTO_JSON json_t *again = nz_watch_json(watch);
    free(watch);
    nz_fuzz_check(written && again && json_equal(written, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (!count) return 0;
    NZ_AUTO_FREE char *text = malloc(count);
    uint64_t us;
    nz_fuzz_check(text);
    memcpy(text, bytes + 1, count - 1);
    text[count - 1] = '\0';
    switch (bytes[0]) {
    case 'L': read_list(text); break;
    case 'G': read_groups(text); break;
    case 'P': nz_fuzz_check(!nz_pressure_total(&us, text) || strstr(text, " total=")); break;
    case 'W': read_answer(text); break;
    default: read_clocks(text);
    }
    return 0;
}
