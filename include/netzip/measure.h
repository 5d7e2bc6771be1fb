/* SPDX-License-Identifier: Apache-2.0 */
/**
 * How quantities are read: clocks, CPU time, memory, power sources, hardware facts. Every reader takes the roots of /sys
 * and /proc as an argument, so that tests run on folders of files. A quantity that cannot be had is NZ_E_UNAVAILABLE with
 * the reason as message, or NaN in a struct: never a guess.
 */
#ifndef NETZIP_MEASURE_H
#define NETZIP_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netzip/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Where readings come from. A NULL pointer or member means the machine itself ("/sys", "/proc", "libnvidia-ml.so.1", "/dev").
 * Give members by name: more may come.
 */
typedef struct nz_roots {
    const char *sys, *proc, *nvml, *dev;
    const struct nz_system
        *system; /**< what is asked of the kernel beyond files; NULL: the kernel (measure/system.h) */
} nz_roots;

/* ---- clock ---- */

/** CLOCK_MONOTONIC_RAW: not slewed by time synchronisation. */
NZ_API uint64_t nz_clock_ns(void);

typedef struct nz_clock_facts {
    const char *name;     /**< static */
    double resolution_ns; /**< the smallest step seen between two readings that differ */
    double overhead_ns;   /**< median cost of one reading */
} nz_clock_facts;
/** Measures the clock itself; takes about 2 ms. */
NZ_API void nz_clock_facts_get(nz_clock_facts *ret_facts);

/** How far repetitions of a fixed piece of arithmetic differ on this machine right now. */
typedef struct nz_noise {
    double median_ns;  /**< of one repetition */
    double spread_pct; /**< (90th percentile - 10th percentile) / median */
    double worst_pct;  /**< (maximum - median) / median */
    size_t count;
} nz_noise;
/** Times a fixed piece of work repeatedly; takes about 100 ms. */
NZ_API void nz_noise_get(nz_noise *ret_noise);

/* ---- CPU ---- */

/** Ticks of all CPUs together since boot (/proc/stat). */
typedef struct nz_cpu_times {
    uint64_t busy, idle, steal; /**< busy: neither idle nor waiting nor stolen */
} nz_cpu_times;
/** Reads /proc/stat below the root. NZ_E_UNAVAILABLE where it cannot be read or has no line for all CPUs. */
NZ_API NZ_CHECKED nz_status nz_cpu_times_get(nz_cpu_times *ret_times, const nz_roots *roots);
/** % of the time between two readings that the machine's CPUs were busy; NaN where no tick has passed. */
NZ_API double nz_cpu_busy_pct(const nz_cpu_times *before, const nz_cpu_times *after);
/** % of that time that the hypervisor gave to others; NaN where no tick has passed. */
NZ_API double nz_cpu_steal_pct(const nz_cpu_times *before, const nz_cpu_times *after);
/** CPU time that this process has used, user and system, all threads. */
NZ_API uint64_t nz_process_cpu_ns(void);

/* ---- memory ---- */

/** Of one process, by /proc/PID/status and smaps_rollup. */
typedef struct nz_memory_process {
    uint64_t rss_bytes;    /**< VmRSS */
    uint64_t peak_bytes;   /**< VmHWM: the peak of VmRSS */
    double pss_bytes;      /**< proportional set size; NaN where the kernel does not tell */
    double pss_file_bytes; /**< the part of it that is mapped files: program, libraries, models; NaN likewise */
    uint64_t swap_bytes;   /**< VmSwap: what of it has been moved to disk; 0 where the kernel does not tell */
} nz_memory_process;
/** @param pid 0: this process. */
NZ_API NZ_CHECKED nz_status nz_memory_process_get(nz_memory_process *ret_memory, int pid, const nz_roots *roots);

/**
 * Proportional set size of the files in `folder` (an absolute path) that this process has mapped for reading: a model and its
 * external data. The program itself and shared libraries do not count.
 * @return NZ_E_UNAVAILABLE where the kernel does not tell mappings.
 */
NZ_API NZ_CHECKED nz_status nz_memory_mapped_get(double *ret_bytes, const char *folder, const nz_roots *roots);

/** /proc/meminfo. */
typedef struct nz_memory_machine {
    uint64_t total_bytes, available_bytes;
    uint64_t used_bytes; /**< total minus available: what the machine could not give to a new process */
    uint64_t swap_used_bytes;
} nz_memory_machine;
/** Reads /proc/meminfo below the root. NZ_E_UNAVAILABLE where it cannot be read or lacks a figure. */
NZ_API NZ_CHECKED nz_status nz_memory_machine_get(nz_memory_machine *ret_memory, const nz_roots *roots);

/* ---- counters ---- */

/** What the CPU (the first five) and the kernel count of a process. */
typedef enum nz_counter_id {
    NZ_COUNTER_INSTRUCTIONS,
    NZ_COUNTER_CYCLES,
    NZ_COUNTER_CACHE_REFERENCES, /**< of the last level */
    NZ_COUNTER_CACHE_MISSES,
    NZ_COUNTER_BRANCH_MISSES,
    NZ_COUNTER_TASK_CLOCK, /**< ns on a CPU */
    NZ_COUNTER_CONTEXT_SWITCHES,
    NZ_COUNTER_PAGE_FAULTS,       /**< with those that read from disk */
    NZ_COUNTER_PAGE_FAULTS_MAJOR, /**< those alone */
    NZ_COUNTER_MIGRATIONS,        /**< to another CPU */
    NZ_COUNTERS
} nz_counter_id;

/** One counter over a window: all threads of this process, those that were started meanwhile included. */
typedef struct nz_counter {
    const char *name;   /**< "instructions", "cache_misses", ...; static */
    const char *source; /**< "perf" or "getrusage"; static; NULL: unavailable */
    double value;       /**< NaN: unavailable */
    bool kernel;        /**< what the kernel did for the process is in it */
    bool multiplexed;   /**< it ran for a part of the time only; the value is scaled up */
    double running_pct; /**< that part; 100 from getrusage */
    char reason[320];   /**< unavailable: why, and what mends it */
} nz_counter;

typedef struct nz_counters nz_counters;
/**
 * Opens the counters of this process, every thread that it has by now, and starts them. A counter that cannot be had is no
 * error: it says so itself.
 *
 * @param kernel  Count instructions and the like in the kernel too, where that is permitted. What the kernel counts about a
 *                process (switches, migrations) is counted there in any case.
 * @return NZ_E_MEMORY; NZ_E_UNAVAILABLE where the threads of the process cannot be listed. Not thread-safe for one object.
 */
NZ_API NZ_CHECKED nz_status nz_counters_open(nz_counters **ret_counters, bool kernel, const nz_roots *roots);
/** A window begins. */
NZ_API void nz_counters_begin(nz_counters *counters);
/** What was counted since nz_counters_begin. May be called again for a longer window. */
NZ_API void nz_counters_get(const nz_counters *counters, nz_counter ret_values[NZ_COUNTERS]);
/** The name of a counter. Static. */
NZ_API const char *nz_counter_name(nz_counter_id id);
/** Stops counting. NULL passes. */
NZ_API void nz_counters_close(nz_counters *counters);

/* ---- hardware ---- */

typedef struct nz_hardware {
    char cpu_model[128], architecture[32], hostname[128],
        system[128];                        /**< "" where unknown; system: kernel's name and release */
    char isa[512];                          /**< instruction sets that matter here, space-separated */
    char governor[32];                      /**< of CPU 0; "" where there is none */
    char virtualised[128];                  /**< the hypervisor's or machine's name; "" on bare metal */
    int cpus;                               /**< online */
    int cpus_usable;                        /**< this process may run on */
    int cores, sockets;                     /**< 0: unknown */
    double mhz, mhz_max;                    /**< of CPU 0, now and at most; NaN: unknown */
    uint64_t l1d_bytes, l2_bytes, l3_bytes; /**< seen by CPU 0; 0: unknown */
    uint64_t memory_bytes;
    uint64_t memory_limit_bytes; /**< of the control group; 0: none */
    double load1;                /**< load average of the last minute; NaN: unknown */
} nz_hardware;
/** Never fails: what is not known stays empty, 0 or NaN. */
NZ_API void nz_hardware_get(nz_hardware *ret_hardware, const nz_roots *roots);

/* ---- conditions ---- */

/** Of a machine at one moment: what decides how fast it computes beside the model. Nothing is required of a machine: what it
 * does not tell is NaN, "" or -1. */
typedef struct nz_conditions {
    uint64_t t_ns; /**< nz_clock_ns */
    bool has_cpu;
    nz_cpu_times cpu;
    char governor[64];               /**< of the CPUs that may be used: "performance", or several by commas */
    char preference[64];             /**< their hints to the hardware (energy_performance_preference), likewise */
    double mhz, mhz_least, mhz_most; /**< mean, least and highest of those CPUs now; a CPU that idles may tell less */
    double mhz_base, mhz_max;        /**< guaranteed, and at most, with boost; the least of those CPUs' */
    int boost, smt;                  /**< 1: on, 0: off, -1: not told */
    double temperature_c;            /**< of the hottest zone of CPU or board */
    bool has_throttled;
    uint64_t throttled;  /**< how often CPUs have lowered their clock for heat, since boot */
    int held;            /**< of a board that tells: bits of nz_held that hold now; -1: not told */
    int held_since_boot; /**< bits of what has held since the board was started; -1: not told */
    double quota_cpus;   /**< CPU time that the control groups grant, in CPUs; NaN: no limit */
    double held_back_s;  /**< for which a control group's quota has held processes back, since it was made */
    uint64_t held_back;  /**< in how many periods */
    double pressure_s;   /**< for which some process waited for a CPU (/proc/pressure/cpu), since boot */
    double load1;        /**< load average of the last minute */
    int runnable;        /**< processes and threads running or ready to run, the one that asks left out */
    bool has_swapped;
    uint64_t swapped_pages; /**< read from and written to swap, since boot */
} nz_conditions;

/** What holds a board's clock down (Raspberry Pi). */
typedef enum nz_held {
    NZ_HELD_UNDER_VOLTAGE = 1,
    NZ_HELD_CAPPED = 2,
    NZ_HELD_THROTTLED = 4,
    NZ_HELD_SOFT_LIMIT = 8,
} nz_held;

/**
 * Reads the conditions. Never fails.
 * @param cpus  The CPUs that matter, "0,2-3"; NULL: those that this process may run on. Borrowed.
 */
NZ_API void nz_conditions_get(nz_conditions *ret_conditions, const nz_roots *roots, const char *cpus);

/* ---- power ---- */

enum { NZ_POWER_PARTS = 24 };

/** One domain, rail or device of a source. */
typedef struct nz_power_part {
    char name[32];
    bool added;    /**< a term of the source's sum; else shown only: core, uncore and psys, a rail behind another */
    double joules; /**< since the source was opened; of sources that do not count: 0 */
    double watts;  /**< a momentary sample; of sources that count: 0 */
} nz_power_part;

/** One reading of an open source. */
typedef struct nz_power_reading {
    bool counts;   /**< joules comes from energy counters; otherwise watts is a momentary sample */
    double joules; /**< since the source was opened, wrap-around of the counters undone */
    double watts;
    /** How often a counter may have wrapped unseen, or was set back, since the source was opened: no difference of joules holds
     * between two readings whose numbers differ. */
    unsigned breaks;
    size_t part_count; /**< of parts */
    nz_power_part parts[NZ_POWER_PARTS];
} nz_power_reading;

/** What a source is and whether it can be used here. */
typedef struct nz_power_info {
    const char *name;  /**< "rapl", "perf", "hwmon", "battery", "pi5", "nvml"; static */
    const char *title; /**< one line; static */
    const char *scope; /**< what its joules cover: "packages and DRAM", "machine", "GPU"; static */
    bool automatic;    /**< whether it measures what a CPU runtime draws, so that it may be chosen unasked */
    bool usable;
    double interval_ms; /**< usable: how often to read it; more often tells nothing new */
    double longest_s; /**< usable: readings further apart may miss that a counter wrapped; infinity: it cannot happen */
    char detail[256]; /**< usable: what was found */
    char reason[256]; /**< not usable: why */
    char mend[384];   /**< the command or act that would make it usable; "" where there is none */
    char lasts[384];  /**< what to type so that it stays usable after the next start; "" where mend lasts or is empty */
} nz_power_info;
/** Probes source `i` of the table; false past its end. */
NZ_API bool nz_power_probe(nz_power_info *ret_info, size_t i, const nz_roots *roots);

typedef struct nz_power nz_power;
/**
 * Opens the source called `name`, or (NULL) the first automatic one that is usable.
 * @return NZ_E_UNAVAILABLE: the message says why, for every source tried, and what mends it; NZ_E_ARG: no such source.
 */
NZ_API NZ_CHECKED nz_status nz_power_open(nz_power **ret_power, const char *name, const nz_roots *roots);
/** NZ_E_UNAVAILABLE where the source has vanished meanwhile. */
NZ_API NZ_CHECKED nz_status nz_power_read(nz_power *power, nz_power_reading *ret_reading);
/** The name of the open source, as nz_power_open takes it. Borrowed. */
NZ_API const char *nz_power_name(const nz_power *power);
/** What the source's figures cover, in words. Borrowed. */
NZ_API const char *nz_power_scope(const nz_power *power);
/** What was found when the source was opened; it is usable. Borrowed. */
NZ_API const nz_power_info *nz_power_info_get(const nz_power *power);
/** Closes a source. NULL passes. */
NZ_API void nz_power_close(nz_power *power);

/** Momentary samples further apart than this many mean intervals have a gap between them. */
#define NZ_ENERGY_GAP 3.0
/** Joules, watts x seconds and the mean of samples x seconds agree to this, in % of the joules. */
#define NZ_ENERGY_AGREE_PCT 1.0

/** Energy of a window. */
typedef struct nz_energy {
    double joules, seconds;
    double watts; /**< joules / seconds */
    double
        watts_max; /**< highest sample, or highest mean between two counter readings at least 10 ms apart; NaN: unknown */
    double watts_mean_samples; /**< plain mean of momentary samples, a cross-check; NaN for counters */
    size_t samples;
    double interval_s;  /**< mean time between samples */
    double update_s;    /**< mean time between new values of the source; at least that where none came */
    double gap_seconds; /**< between samples more than NZ_ENERGY_GAP intervals apart; 0 for counters */
    size_t part_count;  /**< parts have joules and mean watts of the window */
    nz_power_part parts[NZ_POWER_PARTS];
} nz_energy;

/**
 * The readings of a source in order of time, from which the energy of any window between the first and the last is computed. It is
 * bounded: where it is full, every other reading goes, but not the energy up to those that stay. Zeroed: empty; nz_energy_trace_done.
 */
typedef struct nz_energy_trace {
    struct nz_energy_point *points; /**< energy.c */
    size_t count, capacity;
    size_t most;   /**< points kept; 0: 8192, which is 400 s at 50 ms */
    size_t stride; /**< readings that a point stands for; 0: one */
    bool counts;
    size_t part_count;
    char part_names[NZ_POWER_PARTS][32];
    bool part_added[NZ_POWER_PARTS];
} nz_energy_trace;

/** Adds one reading taken at `t_ns`. A reading that is not later than the last one is left out. NZ_E_MEMORY. */
NZ_API NZ_CHECKED nz_status nz_energy_add(nz_energy_trace *trace, uint64_t t_ns, const nz_power_reading *reading);
/** Reads `power` now and adds it. The time is the middle of the reading's own duration. */
NZ_API NZ_CHECKED nz_status nz_energy_sample(nz_energy_trace *trace, nz_power *power);
/**
 * Energy of exactly [from_ns, to_ns]: where an end cuts the time between two readings, counters are taken to count evenly in it and
 * momentary samples to lie on a straight line. `samples` are the readings inside.
 *
 * @param from_ns, to_ns  0, 0: from the first reading to the last.
 * @return NZ_E_UNAVAILABLE for fewer than two readings, no time between the ends, or a window that the readings do not cover.
 */
NZ_API NZ_CHECKED nz_status nz_energy_between(nz_energy *ret_energy, const nz_energy_trace *trace, uint64_t from_ns,
                                              uint64_t to_ns);

/** What speaks against a window's energy. */
typedef struct nz_energy_doubt {
    /** The largest difference of watts x seconds, and of mean of samples x seconds, from the joules, in %; NaN: no energy. */
    double disagreement_pct;
    bool disagrees; /**< by more than NZ_ENERGY_AGREE_PCT */
    bool gaps;      /**< more than 1% of the window has no samples */
    bool coarse;    /**< the source has told fewer than 10 new values in the window */
    char text[256]; /**< all of these in words; "": none */
} nz_energy_doubt;
/** Whether anything speaks against the energy of a window: see nz_energy_doubt. Members of `energy` that are NaN, or 0 where they are
 * times, are not checked. */
NZ_API bool nz_energy_check(nz_energy_doubt *ret_doubt, const nz_energy *energy);
/** Empties a trace, keeping its memory. */
NZ_API void nz_energy_trace_clear(nz_energy_trace *trace);
/** Releases a trace's memory; it is empty then, and may be used again. */
NZ_API void nz_energy_trace_done(nz_energy_trace *trace);

/* ---- external meters ---- */

/** A gap is a time between two samples of more than this times the median one. */
#define NZ_METER_GAP 1.5
enum { NZ_METER_NOTES = 8, NZ_METER_IDLE = 3 };

/** What to read of a meter's log. */
typedef struct nz_meter_options {
    /**
     * Which columns hold what, "time=1,volts=2,amps=3:mA": time, volts, amps, watts and marker, each a column's name in the
     * first line or its number from 1, with a unit behind a colon where it is not the basic one (s, V, A, W). NULL or a role
     * left out: told by the names in the first line.
     */
    const char *columns;
    /**
     * The window [start, end): Unix seconds ("1677996457.5"), ISO date and time ("2023-03-05T06:07:37", UTC unless it names
     * a zone), or HH:MM:SS (UTC; the first such time in the log, for the end the first after the start). NULL: where the
     * log, or what its marker marks, begins and ends.
     */
    const char *start, *end;
    bool step; /**< the window is where power rises for good until it falls again: a marker that nobody had to set */
} nz_meter_options;

/** Energy of a window of a meter's log. Times are nanoseconds since the epoch, or since midnight or the log's own zero
 * where its times have no date. */
typedef struct nz_meter_energy {
    double joules;  /**< power between samples taken as a straight line, also where the window's ends cut an interval */
    double seconds; /**< of the window that the log covers */
    double watts;   /**< joules / seconds */
    double watts_max;          /**< of the samples in the window */
    double watts_mean_samples; /**< plain mean of the samples in the window: a cross-check */
    double disagreement_pct;   /**< of joules and mean of samples x seconds */
    double interval_s;         /**< median time between samples, over the whole log, to 0.1% */
    uint64_t samples;          /**< rows in the window whose power was used */
    uint64_t gaps, dropped;    /**< intervals longer than NZ_METER_GAP medians; samples that should lie in them */
    double gap_seconds;        /**< how much of the window lies in gaps */
    uint64_t duplicates;       /**< rows with the time stamp of the row before: their mean is one sample */
    uint64_t backwards;        /**< rows left out because time ran backwards */
    uint64_t missing;          /**< rows left out because they hold no power */
    int64_t start_ns, end_ns;  /**< the window */
    int64_t first_ns, last_ns; /**< what the log covers */
    double idle_before_w; /**< mean over the minute before the window, or what the log has of it; NaN: it covers fewer
                               than NZ_METER_IDLE intervals there */
    double idle_after_w;  /**< behind the window, likewise */
    double joules_net;    /**< less the mean of both (or the one there is) over the window; NaN: there is neither */
    double
        step_clear; /**< of a window found by its step: the change at its less clear end / scatter within; else NaN */
    double step_rise_w, step_fall_w;
    bool marked;       /**< joules, watts and seconds disagree by more than 1%, or the window is not covered */
    char columns[256]; /**< which columns were read, in words */
    size_t note_count;
    char notes[NZ_METER_NOTES][200]; /**< why it is marked, and what else should be known */
} nz_meter_energy;

/**
 * Integrates the power in the log of an external meter over a window: a table of text of any size, one sample a line, with
 * commas, semicolons or tabs between columns, with or without a line of names. The file is read twice, line by line; memory
 * does not grow with it.
 *
 * @return NZ_E_ARG: columns or a time are not understood or not there, the window holds nothing of the log; NZ_E_FORMAT
 *         names the line that is no sample; NZ_E_IO; NZ_E_MEMORY.
 * @source arXiv 2305.10616, section 3.4 (integral of power by the trapezoid rule)
 */
NZ_API NZ_CHECKED nz_status nz_meter_energy_read(nz_meter_energy *ret_energy, const char *path,
                                                 const nz_meter_options *options);

/** A time of a log as people read it: "2023-03-05 06:07:37.000 UTC", or "06:07:37.000" where it has no date. Returns `text`. */
NZ_API const char *nz_meter_time_text(char text[40], int64_t time_ns);

/* ---- GPU ---- */

/** Sums and means over the GPUs that NVML shows. */
typedef struct nz_gpu {
    int count;
    double util_pct;  /**< mean over the GPUs */
    double mem_bytes; /**< used, summed */
    char names[256];
} nz_gpu;
/** Reads utilisation and memory through NVML. NZ_E_UNAVAILABLE with the reason where there is none. */
NZ_API NZ_CHECKED nz_status nz_gpu_get(nz_gpu *ret_gpu, const nz_roots *roots);

/* ---- estimate ---- */

struct nz_graph_facts;
/** Joules of one inference by a fixed table (estimate.c shows it with its source): a model, not a measurement. NaN where
 * the operations of the graph are not known. */
NZ_API double nz_energy_estimate_j(const struct nz_graph_facts *facts);
/** The table and its source in one line, for reports. Static. */
NZ_API const char *nz_energy_estimate_source(void);

#ifdef __cplusplus
}
#endif
#endif
