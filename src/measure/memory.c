/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/probe.h"

nz_status nz_memory_process_get(nz_memory_process *ret_memory, int pid, const nz_roots *roots) {
    char folder[32] = "self";
    if (pid) snprintf(folder, sizeof folder, "%d", pid);
    NZ_AUTO_FREE char *status = nz_probe_file(nz_root_proc(roots), "%s/status", folder);
    if (!status) return nz_fail(NZ_E_UNAVAILABLE, "%s/%s/status cannot be read", nz_root_proc(roots), folder);
    bool has_rss, has_peak, has_swap, has_pss = false, has_file = false;
    uint64_t rss = nz_probe_field(status, "VmRSS", &has_rss), peak = nz_probe_field(status, "VmHWM", &has_peak),
             swap = nz_probe_field(status, "VmSwap", &has_swap), pss = 0, file = 0;
    if (!has_rss || !has_peak)
        return nz_fail(NZ_E_UNAVAILABLE, "%s/%s/status has no %s", nz_root_proc(roots), folder,
                       has_rss ? "VmHWM" : "VmRSS");
    NZ_AUTO_FREE char *rollup = nz_probe_file(nz_root_proc(roots), "%s/smaps_rollup", folder);
    if (rollup) pss = nz_probe_field(rollup, "Pss", &has_pss);
    if (rollup) file = nz_probe_field(rollup, "Pss_File", &has_file);
    *ret_memory = (nz_memory_process){.rss_bytes = rss * 1024,
                                      .peak_bytes = peak * 1024,
                                      .pss_bytes = has_pss ? (double)pss * 1024 : NAN,
                                      .pss_file_bytes = has_file ? (double)file * 1024 : NAN,
                                      .swap_bytes = swap * 1024};
    return NZ_OK;
}

/* "55d0-55e0 r--p 00000000 fe:01 1234   /path" begins a mapping; "Pss:  12 kB" belongs to the one before. The file's path is
 * all from the first slash; false for another line. */
static bool begins_mapping(const char *line, bool *ret_reads, const char **ret_path) {
    char mode[8];
    if (sscanf(line, "%*[0-9a-f]-%*[0-9a-f] %7s", mode) != 1 || strlen(mode) != 4) return false;
    *ret_path = strchr(line, '/');
    *ret_reads = strncmp(mode, "r--", 3) == 0;
    return true;
}

static bool is_data_in(const char *path, const char *folder, const char *program) {
    size_t length = strlen(folder);
    while (length && folder[length - 1] == '/') length--;
    return strncmp(path, folder, length) == 0 && path[length] == '/' && !strstr(path, ".so") &&
           strcmp(path, program) != 0;
}

nz_status nz_memory_mapped_get(double *ret_bytes, const char *folder, const nz_roots *roots) {
    NZ_AUTO_FREE char *text = nz_probe_file(nz_root_proc(roots), "self/smaps");
    if (!text) return nz_fail(NZ_E_UNAVAILABLE, "%s/self/smaps cannot be read", nz_root_proc(roots));
    char program[4096], link[600];
    snprintf(link, sizeof link, "%s/self/exe", nz_root_proc(roots));
    ssize_t length = readlink(link, program, sizeof program - 1);
    program[length > 0 ? length : 0] = '\0';
    uint64_t sum = 0;
    bool counts = false;
    for (char *line = text, *next; line; line = next) {
        const char *path;
        bool reads, found;
        next = strchr(line, '\n');
        if (next) *next++ = '\0';
        if (begins_mapping(line, &reads, &path))
            counts = reads && path && is_data_in(path, folder, program);
        else if (counts)
            sum += nz_probe_field(line, "Pss", &found);
    }
    *ret_bytes = (double)sum * 1024;
    return NZ_OK;
}

nz_status nz_memory_machine_get(nz_memory_machine *ret_memory, const nz_roots *roots) {
    NZ_AUTO_FREE char *text = nz_probe_file(nz_root_proc(roots), "meminfo");
    if (!text) return nz_fail(NZ_E_UNAVAILABLE, "%s/meminfo cannot be read", nz_root_proc(roots));
    bool has_total, has_available, has_swap, has_free;
    uint64_t total = nz_probe_field(text, "MemTotal", &has_total),
             available = nz_probe_field(text, "MemAvailable", &has_available);
    uint64_t swap = nz_probe_field(text, "SwapTotal", &has_swap),
             swap_free = nz_probe_field(text, "SwapFree", &has_free);
    if (!has_total || !has_available)
        return nz_fail(NZ_E_UNAVAILABLE, "%s/meminfo has no %s", nz_root_proc(roots),
                       has_total ? "MemAvailable" : "MemTotal");
    *ret_memory = (nz_memory_machine){.total_bytes = total * 1024,
                                      .available_bytes = available * 1024,
                                      .used_bytes = total > available ? (total - available) * 1024 : 0,
                                      .swap_used_bytes = swap > swap_free ? (swap - swap_free) * 1024 : 0};
    return NZ_OK;
}
