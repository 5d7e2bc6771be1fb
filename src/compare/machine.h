/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A machine that models are measured on: this one, or another one reached by ssh. One process on it, its station, reads what
 * belongs to the machine and not to a model: power, CPU times, clock rates, temperatures. Stations are workers that hold no
 * model; times of a station and of workers of the same machine are of one clock (nz_clock_ns).
 */
#ifndef NZ_COMPARE_MACHINE_H
#define NZ_COMPARE_MACHINE_H

#include "compare/process.h"
#include "netzip/compare.h"
#include "netzip/data.h"
#include "netzip/measure.h"

/** What a machine did during a window. */
typedef struct nz_watch {
    uint64_t from_ns, to_ns; /**< the window, by the machine's clock */
    double seconds;
    double unix_s;              /**< when it began, by the wall clock of the machine */
    uint64_t busy, idle, steal; /**< ticks of all CPUs */
    nz_conditions begin, end;
    uint64_t throttled; /**< how often a CPU or the board lowered its clock for heat or lack of power */
    double
        held_back_s; /**< for which the control group's CPU quota held this machine's processes back; NaN: not told */
    double pressure_pct; /**< % of the window in which some process waited for a CPU; NaN: not told */
    uint64_t swapped_pages;
    uint64_t own_ns; /**< CPU time of the station itself */
    bool has_energy;
    nz_energy energy;         /**< of exactly the window asked for */
    char energy_reason[1024]; /**< why there is none */
} nz_watch;

/** Both ways, for answers of a station. From: what is not there is unknown. */
json_t *nz_watch_json(const nz_watch *watch);
void nz_watch_from_json(nz_watch *ret_watch, const json_t *json);
/** % of the window that its CPUs were busy, and that the hypervisor gave to others; NaN where no tick has passed. */
double nz_watch_busy_pct(const nz_watch *watch);
double nz_watch_steal_pct(const nz_watch *watch);

typedef struct nz_link nz_link; /**< target.c: how another machine is reached */

typedef struct nz_machine {
    const char *target; /**< "local" or "ssh://..."; borrowed */
    char *host;         /**< its own name; of another machine that by which it is reached */
    bool link_wanted;   /**< it is another machine */
    nz_link *link;      /**< NULL: this machine, or one that is not open */
    nz_process station;
    json_t *
        about; /**< {"hardware", "clock": {"name", "resolution_ns", "overhead_ns"}, "noise": {"median_ns", "spread_pct",
                        "worst_pct"}, "power": {"name", "scope", "interval_ms"} or null, "power_reason": text or null,
                        "quota_cpus": number or null} */
    int cpus, cpus_usable; /**< usable: by affinity and by the control group's quota */
    double clock_overhead_ns;
    bool has_power;
    nz_watch before, after; /**< nobody computes: before the first model and after the last */
    bool was_quiet;         /**< `before` has been measured */
    char *error;            /**< set: it cannot be reached any more */
    bool scores_here;       /**< its accuracy is computed on this machine */
    char *data_note;        /**< why; NULL: nothing to tell */
    char *data_root;        /**< folder there of the data's copy; NULL: none was made */
    const nz_compare_options *options;
    const nz_progress *progress;
} nz_machine;

/** The names by which results tell machines apart: each its own, and this one's its host name. Owned, each: free(). */
NZ_CHECKED nz_status nz_machine_names(char **ret_names, const char *const *targets, size_t count);

/** Starts the station and asks it about its machine; `machine` is zeroed but for its name. Release with nz_machine_close on success and failure alike.
 * @return NZ_E_ARG: no such target or power source; NZ_E_RESOURCE: it cannot be reached or started; NZ_E_MEMORY. */
NZ_CHECKED nz_status nz_machine_open(nz_machine *machine, const char *target, const nz_compare_options *options,
                                     const nz_progress *progress);
void nz_machine_close(nz_machine *machine);
/** Starts a worker there; one that is timed (not patient) is pinned and has the priority that the options ask for. `patient` as in
 * nz_process_start. */
NZ_CHECKED nz_status nz_machine_start(nz_machine *machine, nz_process *ret_process, bool patient);
/** Where a worker there finds the local file: itself, or its copy, made once. Owned: free(). */
NZ_CHECKED nz_status nz_machine_path(nz_machine *machine, char **ret_path, const char *local);
/** The same of an ONNX model with the external data files that it names. */
NZ_CHECKED nz_status nz_machine_model_path(nz_machine *machine, char **ret_path, const char *local);

/* machine_data.c */
/** Decides where accuracy is computed, by the size of what DATA reads and by the options. */
NZ_CHECKED nz_status nz_machine_plan_data(nz_machine *machine, const nz_data_places *places);
/** DATA text `spec` for a worker there: the data's files are copied first where that is needed. Owned: free(). */
NZ_CHECKED nz_status nz_machine_data(nz_machine *machine, char **ret_spec, const char *spec,
                                     const nz_data_places *places, const char *fingerprint);

/** Begins a window: power is sampled from now on, by a thread of the station. */
NZ_CHECKED nz_status nz_machine_watch(nz_machine *machine);
/** Ends it. @param from_ns, to_ns  What energy is wanted of, by the machine's clock, inside the window; 0, 0: all of it. */
NZ_CHECKED nz_status nz_machine_watched(nz_machine *machine, nz_watch *ret_watch, uint64_t from_ns, uint64_t to_ns);
/** What the machine has in use now: {"used_bytes": memory, less what the processes `pids` hold (null: not told), "gpu": {"util_pct",
 * "mem_bytes"} or "gpu_reason"}. The caller's reference. */
NZ_CHECKED nz_status nz_machine_usage(nz_machine *machine, json_t **ret_usage, const int *pids, size_t count);
/** A window of `seconds` in which nobody computes. */
NZ_CHECKED nz_status nz_machine_quiet(nz_machine *machine, nz_watch *ret_watch, double seconds);

#endif
