/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Models of one machine taking turns: rounds of one block each, in an order that is turned round every other time, until
 * intervals are narrow enough or the budget is spent. Every few rounds all workers are started anew, a sitting: where a
 * process has its memory, and which kernels it has chosen, makes it faster or slower for as long as it lives.
 * docs/statistics.md says why so.
 */
#ifndef NZ_COMPARE_RACE_H
#define NZ_COMPARE_RACE_H

#include "compare/run.h"
#include "netzip/blocks.h"

/** Of what a value times, the most that reading the clock may take: 0.01%, with a fifth in reserve for clocks that rise after the
 * warm-up. What is quicker is timed in bunches. */
#define NZ_CLOCK_SHARE 0.8e-4

enum { NZ_RACE_SITTINGS = 8 }; /**< into which a budget is divided at least */

/** What the machine did during the blocks of a lane, summed. */
typedef struct nz_race_sums {
    bool begun;
    uint64_t busy, idle, steal, throttled, swapped_pages;
    uint64_t page_faults_major; /**< of the worker, inside its blocks */
    double watch_s, held_back_s, pressure_s;
    double mhz[3];           /**< before, after, lowest */
    double temperature_c[3]; /**< before, after, highest */
    double load1;
    uint64_t station_ns, whole_cpu_ns; /**< CPU time of the station, of the worker with what surrounds its blocks */
    double block_s, cpu_s, inference_s;
    double joules, energy_s, watts_max, interval_s, samples_w;
    double update_s, gap_seconds; /**< as in nz_energy: of the block where it was longest, and summed */
    size_t part_count;
    nz_power_part parts[NZ_POWER_PARTS];
    uint64_t power_samples, runs;
    char energy_reason[1024]; /**< why the blocks have no energy; "": they have */
} nz_race_sums;

/** A variant that takes part. */
typedef struct nz_lane {
    nz_variant *variant;
    size_t group; /**< lanes that are compared with the same baseline have the same number */
    bool is_baseline;
    json_int_t samples; /**< samples that an inference takes */
    /* of the warm-up */
    double each_ns, warm_s;
    json_int_t warm_runs, warm_values, bunch;
    bool warm_steady;
    double load_s;    /**< to plan the model */
    size_t replanned; /**< sittings in which the runtime chose other kernels than in the first */
    /* of the rounds */
    json_t *rounds; /**< as the raw part keeps them; owned */
    double spent_s;
    nz_race_sums sums;
} nz_lane;

/** How far the lanes of a group are. */
typedef struct nz_race_group {
    size_t rounds, sittings, looks;
    size_t next_look; /**< number of sittings */
    bool done, enough;
    double widest, confidence; /**< of the last look; NaN before */
    double seconds;            /**< wall time of its blocks, with what lies between them */
} nz_race_group;

typedef struct nz_race nz_race;
struct nz_race {
    nz_run *run;
    nz_machine *machine;
    nz_lane *lanes;
    size_t lane_count, group_count;
    nz_race_group *groups; /**< [group_count] */
    const char *part;      /**< "timing" or "batch": what the results are called in the raw parts */
    bool stays_warm;       /**< waiting for a temperature has been given up */
    char name[64];         /**< when it began: rounds of one race can be paired */
    /** Starts a worker for a lane's variant, which has none, and loads its model: the variant may have failed afterwards. */
    nz_status (*seat)(nz_race *race, nz_lane *lane);
    size_t sitting; /**< the one under way */
};

/**
 * Warms up and times all lanes, whose workers have loaded their models; stores raw part `part` of each that has not failed.
 * Lanes are released on success and failure alike.
 * @return NZ_E_CANCELLED, NZ_E_MEMORY, NZ_E_RESOURCE where the station is gone. A worker that fails leaves the race.
 */
NZ_CHECKED nz_status nz_race_run(nz_race *race);

/* block.c: warming up, and a block of a lane */
NZ_CHECKED nz_status nz_lane_warm(nz_race *race, nz_lane *lane);
/** @param what  Where the race stands, for the one who watches. The variant may have failed afterwards. */
NZ_CHECKED nz_status nz_lane_block(nz_race *race, nz_lane *lane, const char *what);
/** How long the warm-up of a process that was started anew takes. */
double nz_warm_again_s(const nz_race *race);
/** Length of a block. */
double nz_block_seconds(const nz_race *race);
/** Rests as --cooldown asks for. */
NZ_CHECKED nz_status nz_race_cool_down(nz_race *race);

/* race_json.c */
/** The raw part of a lane. NULL where memory is short. */
json_t *nz_lane_json(const nz_race *race, const nz_lane *lane);

#endif
