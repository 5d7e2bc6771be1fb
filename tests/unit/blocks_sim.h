/* SPDX-License-Identifier: Apache-2.0 */
/** Simulated measurements of two models in turns, whose true medians are known: what intervals have to cover. */
#ifndef NZ_TESTS_BLOCKS_SIM_H
#define NZ_TESTS_BLOCKS_SIM_H

#include "core/random.h"
#include "netzip/blocks.h"
#include "test.h"

enum { SIM_MODELS = 2, SIM_PER_BLOCK = 5, SIM_MOST_ROUNDS = 640 };

/** How the machine behaves. Spreads and shifts are of the logarithm of a time; times of a model differ by a factor alone. */
typedef struct scenario {
    const char *name;
    double noise;                 /* of each time */
    double drift;                 /* linear, over SIM_DRIFT_ROUNDS rounds, the same for all models */
    double walk;                  /* step of a random walk, at every block, the same for all models */
    double own, memory;           /* AR(1) of each model's own blocks: spread, correlation of neighbours */
    double shared, shared_memory; /* AR(1) of the machine, round by round */
    double mode, mode_share;      /* a second mode: shift, share of the times in it */
    double spike_share;           /* times that something else holds up: Pareto above 1.5 times */
} scenario;

#define SIM_DRIFT_ROUNDS 60.0

static const scenario scenarios[] = {
    {.name = "lognormal", .noise = 0.03},
    {.name = "two modes", .noise = 0.01, .mode = 0.1, .mode_share = 0.3},
    {.name = "outliers", .noise = 0.03, .spike_share = 0.05},
    {.name = "linear drift", .noise = 0.03, .drift = 0.1},
    {.name = "random walk", .noise = 0.03, .walk = 0.005},
    {.name = "shared AR(1) 0.7", .noise = 0.03, .shared = 0.05, .shared_memory = 0.7},
    {.name = "own AR(1) 0.5", .noise = 0.03, .own = 0.02, .memory = 0.5},
    {.name = "own AR(1) 0.8", .noise = 0.03, .own = 0.02, .memory = 0.8},
    {.name = "all at once",
     .noise = 0.03,
     .drift = 0.05,
     .own = 0.01,
     .memory = 0.5,
     .shared = 0.03,
     .shared_memory = 0.7,
     .mode = 0.1,
     .mode_share = 0.2,
     .spike_share = 0.03},
};

/** A machine at work: rounds are added one by one. */
typedef struct simulation {
    const scenario *how;
    nz_random random;
    double walked, shared, own[SIM_MODELS];
    double values[SIM_MOST_ROUNDS * SIM_MODELS * SIM_PER_BLOCK], common[SIM_MOST_ROUNDS * SIM_MODELS];
    size_t start[SIM_MOST_ROUNDS * SIM_MODELS + 1];
    nz_blocks blocks;
} simulation;

static const double sim_base[SIM_MODELS] = {14, 10};

static inline void sim_begin(simulation *s, const scenario *how, uint64_t seed, uint64_t stream) {
    s->how = how;
    nz_random_init(&s->random, seed, stream);
    s->walked = 0;
    s->shared = how->shared * nz_random_normal(&s->random);
    for (int m = 0; m < SIM_MODELS; m++) s->own[m] = how->own * nz_random_normal(&s->random);
    s->start[0] = 0;
    s->blocks = (nz_blocks){.model_count = SIM_MODELS, .values = s->values, .start = s->start};
}

static inline double sim_next(double now, double memory, double spread, nz_random *random) {
    return memory * now + sqrt(1 - memory * memory) * spread * nz_random_normal(random);
}

static inline void sim_round(simulation *s) {
    const scenario *how = s->how;
    size_t block = s->blocks.round_count * SIM_MODELS;
    for (size_t m = 0; m < SIM_MODELS; m++, block++) {
        double drifted = how->drift * (double)block / (SIM_MODELS * SIM_DRIFT_ROUNDS);
        s->common[block] = drifted + s->walked;
        for (size_t i = 0; i < SIM_PER_BLOCK; i++) {
            double x = s->common[block] + s->shared + s->own[m] + how->noise * nz_random_normal(&s->random);
            if (nz_random_unit(&s->random) < how->mode_share) x += how->mode;
            double factor =
                nz_random_unit(&s->random) < how->spike_share ? 1.5 * pow(1 - nz_random_unit(&s->random), -1 / 1.5) : 1;
            s->values[s->start[block] + i] = sim_base[m] * exp(x) * factor;
        }
        s->start[block + 1] = s->start[block] + SIM_PER_BLOCK;
        s->own[m] = sim_next(s->own[m], how->memory, how->own, &s->random);
        s->walked += how->walk * nz_random_normal(&s->random);
    }
    s->shared = sim_next(s->shared, how->shared_memory, how->shared, &s->random);
    s->blocks.round_count++;
}

/** The true median of a model over the rounds so far: drift and walk as they went, the rest by its distribution. */
static inline double sim_median(const simulation *s, size_t model) {
    const scenario *how = s->how;
    double spread = sqrt(how->noise * how->noise + how->own * how->own + how->shared * how->shared), low = -2, high = 2;
    for (int step = 0; step < 40; step++) {
        double x = (low + high) / 2, below = 0;
        for (size_t r = 0; r < s->blocks.round_count; r++) {
            double at = (s->common[r * SIM_MODELS + model] - x) / spread / sqrt(2);
            below += (1 - how->mode_share) * erfc(at) / 2;
            if (how->mode_share > 0) below += how->mode_share * erfc(at + how->mode / spread / sqrt(2)) / 2;
        }
        *((1 - how->spike_share) * below < 0.5 * (double)s->blocks.round_count ? &low : &high) = x;
    }
    return sim_base[model] * exp(low);
}

/** By what factor model 0 takes longer: no drift, no common noise changes it. */
static inline double sim_ratio(void) { return sim_base[0] / sim_base[1]; }

/** What came out of many simulated measurements. */
typedef struct coverage {
    size_t runs, median_hits, ratio_hits;
    double median_width, ratio_width, rounds; /* means, widths relative */
    size_t enough;                            /* runs that ended because intervals were narrow */
} coverage;

static inline void sim_count(coverage *c, const simulation *s, const nz_block_interval *value,
                             const nz_block_interval *ratio) {
    double median = sim_median(s, 1);
    c->runs++;
    c->median_hits += value->ends[0] <= median && median <= value->ends[1];
    c->ratio_hits += ratio->ends[0] <= sim_ratio() && sim_ratio() <= ratio->ends[1];
    c->median_width += (value->ends[1] - value->ends[0]) / median;
    c->ratio_width += (ratio->ends[1] - ratio->ends[0]) / sim_ratio();
    c->rounds += (double)s->blocks.round_count;
}

static inline void sim_mean(coverage *c) {
    c->median_width /= (double)c->runs;
    c->ratio_width /= (double)c->runs;
    c->rounds /= (double)c->runs;
}

/** Intervals after a number of rounds that was fixed beforehand. */
static inline coverage sim_fixed(const scenario *how, size_t rounds, size_t runs, size_t replicates) {
    static simulation s;
    coverage c = {0};
    nz_block_options options = nz_block_options_default();
    options.replicates = replicates;
    for (size_t run = 0; run < runs; run++) {
        nz_block_interval value, ratio;
        sim_begin(&s, how, 5, run);
        while (s.blocks.round_count < rounds) sim_round(&s);
        options.seed = run;
        nz_assert_ok(nz_blocks_value(&value, NULL, &s.blocks, 1, &options));
        nz_assert_ok(nz_blocks_ratio(&ratio, NULL, &s.blocks, 0, 1, &options));
        sim_count(&c, &s, &value, &ratio);
    }
    sim_mean(&c);
    return c;
}

/** Intervals after stopping when they were narrow enough, or after `most` rounds. */
static inline coverage sim_stopped(const scenario *how, double width, size_t most, size_t runs, size_t replicates) {
    static simulation s;
    coverage c = {0};
    nz_look_options options = nz_look_options_default();
    options.blocks.replicates = replicates;
    options.width = width;
    for (size_t run = 0; run < runs; run++) {
        nz_block_interval values[SIM_MODELS], ratios[SIM_MODELS];
        nz_look look = {.next_rounds = options.least_rounds};
        sim_begin(&s, how, 6, run);
        options.blocks.seed = run;
        while (!look.enough && s.blocks.round_count < most) {
            while (s.blocks.round_count < look.next_rounds && s.blocks.round_count < most) sim_round(&s);
            nz_assert_ok(nz_blocks_look(&look, values, ratios, &s.blocks, &options));
        }
        c.enough += look.enough;
        sim_count(&c, &s, &values[1], &ratios[1]);
    }
    sim_mean(&c);
    return c;
}

#endif
