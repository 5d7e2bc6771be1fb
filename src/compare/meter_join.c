/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/meter_join.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "core/text.h"

enum { WINDOWS_MOST = 200000, MODELS_MOST = 10000 };
#define LEAST_INTERVALS 3.0
#define GAP_SHARE_MOST (1.0 / 3)
#define SECONDS_MOST 4e9 /* as far as times of a log reach */

/* ---- windows ---- */

/* What can be converted to nanoseconds, shifted and compared. */
static nz_status check_window(double unix_s, double seconds) {
    bool sane = fabs(unix_s) <= SECONDS_MOST / 2 && seconds >= 1e-6 && seconds <= SECONDS_MOST / 4;
    if (sane) return NZ_OK;
    return nz_fail(NZ_E_FORMAT, "times: a block from %g for %g s cannot have been measured", unix_s, seconds);
}

nz_status nz_meter_windows_add(nz_meter_windows *windows, double unix_s, double seconds, size_t kind, json_t *round) {
    NZ_TRY(check_window(unix_s, seconds));
    if (windows->count == WINDOWS_MOST) return nz_fail(NZ_E_FORMAT, "times: more than %d blocks", WINDOWS_MOST);
    NZ_TRY(nz_grow(&windows->items, &windows->capacity, windows->count + 1, sizeof *windows->items));
    int64_t from = (int64_t)(unix_s * 1e9), to = from + (int64_t)(seconds * 1e9);
    windows->items[windows->count++] = (nz_meter_window){from, to, kind, round};
    if (kind >= windows->kind_count) windows->kind_count = kind + 1;
    return NZ_OK;
}

void nz_meter_windows_done(nz_meter_windows *windows) {
    free(windows->items);
    *windows = (nz_meter_windows){0};
}

static nz_status add_quiet(nz_meter_windows *windows, const json_t *quiet) {
    for (size_t i = 0; i < json_array_size(quiet); i++) {
        const json_t *window = json_array_get(quiet, i);
        double unix_s = nz_json_number_at(window, "unix_s"), seconds = nz_json_number_at(window, "seconds");
        if (!isnan(unix_s) && seconds > 0) NZ_TRY(nz_meter_windows_add(windows, unix_s, seconds, 0, NULL));
    }
    return NZ_OK;
}

/* Variants of one model that differ in their batch alone share their times. */
static bool is_known(const nz_meter_windows *windows, double unix_s) {
    int64_t from = (int64_t)(unix_s * 1e9);
    for (size_t i = 0; i < windows->count; i++)
        if (windows->items[i].kind && windows->items[i].from_ns == from) return true;
    return false;
}

static json_t *rounds_of(const json_t *kept) { return json_object_get(json_object_get(kept, "timing"), "rounds"); }

static nz_status add_model(nz_meter_windows *windows, const json_t *kept, const char *id) {
    json_t *rounds = rounds_of(kept);
    size_t kind = windows->kind_count ? windows->kind_count : 1;
    bool known = false;
    for (size_t r = 0; r < json_array_size(rounds); r++) {
        json_t *round = json_array_get(rounds, r);
        double unix_s = nz_json_number_at(round, "unix_s"), seconds = nz_json_number_at(round, "seconds");
        nz_status status = check_window(unix_s, seconds);
        if (status == NZ_OK && r == 0) known = is_known(windows, unix_s);
        if (status == NZ_OK && !known) status = nz_meter_windows_add(windows, unix_s, seconds, kind, round);
        if (status != NZ_OK) return nz_fail_context(status, "%s, round %zu", id, r);
    }
    return NZ_OK;
}

static bool is_fed(const nz_meter_join_options *options, const char *id) {
    return !options->ids || json_object_get(options->ids, id);
}

static nz_status collect(nz_meter_windows *windows, json_t *models, const nz_meter_join_options *options) {
    const char *id;
    json_t *kept;
    if (json_object_size(models) > MODELS_MOST)
        return nz_fail(NZ_E_FORMAT, "times.json holds more than %d models", MODELS_MOST);
    NZ_TRY(add_quiet(windows, options->quiet));
    json_object_foreach(models, id, kept) {
        if (is_fed(options, id)) NZ_TRY(add_model(windows, kept, id));
    }
    for (size_t i = 0; i < windows->count; i++)
        if (windows->items[i].kind) return NZ_OK;
    return nz_fail(NZ_E_ARG, "times.json holds no block of a model: there is nothing to give joules to");
}

/* ---- the clock ---- */

static nz_status stated_shift(nz_meter_shift *shift, const nz_meter_series *series, const nz_meter_windows *windows,
                              const nz_meter_join_options *options) {
    double seconds = 0;
    if (options->shift) NZ_TRY(nz_parse_double(&seconds, options->shift, "--shift"));
    if (!(fabs(seconds) <= SECONDS_MOST / 4))
        return nz_fail(NZ_E_ARG, "--shift %g: seconds, or auto, are wanted", seconds);
    *shift = (nz_meter_shift){.seconds = seconds, .within_s = NAN, .explained_pct = NAN, .clear = NAN};
    if (series->dated) return NZ_OK;
    if (!series->clock)
        return nz_fail(NZ_E_ARG,
                       "%s: its times begin at a zero of their own: --shift auto finds where the run lies in it",
                       options->log);
    /* Times of day: the day is that on which the run begins within the log, or within the hour before it. */
    int64_t shift_ns = (int64_t)(seconds * 1e9), begun = windows->items[0].from_ns;
    for (size_t i = 0; i < windows->count; i++)
        if (windows->items[i].from_ns < begun) begun = windows->items[i].from_ns;
    int64_t day = (begun + shift_ns - series->time_ns[0] + NZ_DAY_NS / 24) / NZ_DAY_NS;
    shift->seconds -= (double)day * 86400;
    return NZ_OK;
}

static nz_status find_shift(nz_meter_shift *shift, const nz_meter_series *series, const nz_meter_windows *windows,
                            const nz_meter_join_options *options) {
    if (options->shift && strcmp(options->shift, "auto") == 0)
        return nz_meter_shift_find(shift, series, windows, options->log);
    return stated_shift(shift, series, windows, options);
}

/* ---- energy ---- */

/* One block by the meter. */
typedef struct block {
    bool known;
    double joules, watts_max, watts_mean, seconds, gap_seconds;
    size_t samples, gaps;
} block;

typedef struct joining {
    const nz_meter_series *series;
    const nz_meter_join_options *options;
    int64_t shift_ns;
    size_t blocks, too_short, outside, gappy, gaps;
    double gap_seconds, longest_s;
} joining;

static block block_at(joining *j, double unix_s, double seconds) {
    const nz_meter_series *s = j->series;
    int64_t from = (int64_t)(unix_s * 1e9) + j->shift_ns, to = from + (int64_t)(seconds * 1e9),
            edge = (int64_t)(s->interval_s * 1e9);
    nz_meter_part part;
    if (seconds < LEAST_INTERVALS * s->interval_s) {
        j->too_short++;
        return (block){.known = false};
    }
    if (from < s->time_ns[0] || to > s->time_ns[s->count - 1]) {
        j->outside++;
        return (block){.known = false};
    }
    nz_meter_series_part(&part, s, from + edge, to - edge);
    if (!(part.seconds > 0) || part.gap_seconds > GAP_SHARE_MOST * part.seconds) {
        j->gappy++;
        return (block){.known = false};
    }
    j->gaps += part.gaps;
    j->gap_seconds += part.gap_seconds;
    return (block){.known = true,
                   .joules = part.joules / part.seconds * seconds,
                   .watts_max = part.watts_max,
                   .watts_mean = isnan(part.watts_mean) ? part.joules / part.seconds : part.watts_mean,
                   .seconds = seconds,
                   .gap_seconds = part.gap_seconds,
                   .samples = part.samples,
                   .gaps = part.gaps};
}

/* Of all blocks of a model. */
typedef struct sums {
    double joules, by_samples, seconds, runs, watts_max, gap_seconds;
    size_t samples, gaps, known;
} sums;

static nz_status set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) ? nz_fail(NZ_E_MEMORY, "out of memory: energies of blocks") : NZ_OK;
}

static nz_status join_round(sums *total, joining *j, json_t *round) {
    block b = block_at(j, nz_json_number_at(round, "unix_s"), nz_json_number_at(round, "seconds"));
    j->blocks++;
    if (b.known) {
        total->watts_max = total->known++ ? fmax(total->watts_max, b.watts_max) : b.watts_max;
        total->joules += b.joules;
        total->by_samples += b.watts_mean * b.seconds;
        total->seconds += b.seconds;
        total->runs += nz_json_number_at(round, "runs");
        total->samples += b.samples;
        total->gaps += b.gaps;
        total->gap_seconds += b.gap_seconds;
    }
    NZ_TRY(set(round, "joules", nz_json_real(b.known ? b.joules : NAN)));
    return set(round, "watts_max", nz_json_real(b.known ? b.watts_max : NAN));
}

static json_t *idle_json(const joining *j) {
    json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(j->options->quiet); i++) {
        const json_t *window = json_array_get(j->options->quiet, i);
        joining apart = *j; /* quiet windows are no blocks that were left out */
        double seconds = nz_json_number_at(window, "seconds"), unix_s = nz_json_number_at(window, "unix_s");
        block b = seconds > 0 && !isnan(unix_s) ? block_at(&apart, unix_s, seconds) : (block){.known = false};
        json_array_append_new(list, nz_json_real(b.known ? b.joules / b.seconds : NAN));
    }
    return list;
}

static json_t *energy_json(const joining *j, const sums *t) {
    return json_pack("{s:f,s:f,s:f,s:f,s:I,s:f,s:I,s:s,s:s,s:o,s:f,s:I,s:f}", "joules", t->joules, "seconds",
                     t->seconds, "watts", t->joules / t->seconds, "watts_max", t->watts_max, "samples",
                     (json_int_t)t->samples, "interval_s", j->series->interval_s, "count", (json_int_t)t->runs, "power",
                     "meter", "scope", "what the external meter feeds", "idle_w", idle_json(j), "mean_samples_w",
                     t->by_samples / t->seconds, "gaps", (json_int_t)t->gaps, "gap_seconds", t->gap_seconds);
}

static nz_status join_model(joining *j, json_t *kept) {
    json_t *timing = json_object_get(kept, "timing"), *rounds = rounds_of(kept);
    sums total = {0};
    for (size_t r = 0; r < json_array_size(rounds); r++) NZ_TRY(join_round(&total, j, json_array_get(rounds, r)));
    json_object_del(timing, "energy");
    json_object_del(timing, "energy_reason");
    if (total.known && total.runs > 0) return set(timing, "energy", energy_json(j, &total));
    return set(timing, "energy_reason",
               json_string("the meter's log holds none of its blocks whole, or they are shorter than three of its "
                           "sampling intervals"));
}

/* ---- what must hold before anything is written ---- */

static nz_status check_blocks(const joining *j, const nz_meter_windows *windows) {
    const nz_meter_series *s = j->series;
    double longest = 0;
    int64_t first = INT64_MAX, last = INT64_MIN;
    size_t inside = 0;
    for (size_t i = 0; i < windows->count; i++) {
        int64_t from = windows->items[i].from_ns + j->shift_ns, to = windows->items[i].to_ns + j->shift_ns;
        if (!windows->items[i].kind) continue;
        if (from < first) first = from;
        if (to > last) last = to;
        longest = fmax(longest, (double)(to - from) / 1e9);
        inside += from >= s->time_ns[0] && to <= s->time_ns[s->count - 1];
    }
    if (longest < LEAST_INTERVALS * s->interval_s)
        return nz_fail(NZ_E_ARG,
                       "%s: a sample every %.3g s is too slow for blocks of %.3g s at most: measure again with netzip "
                       "compare --block %.3g",
                       j->options->log, s->interval_s, longest, fmax(1.05, 10 * s->interval_s));
    if (inside) return NZ_OK;
    char text[4][40];
    return nz_fail(
        NZ_E_ARG,
        "%s: covers %s to %s, and the blocks ran from %s to %s by its clock: --shift SECONDS says how far that "
        "is ahead, --shift auto finds it",
        j->options->log, nz_meter_time_text(text[0], s->time_ns[0]),
        nz_meter_time_text(text[1], s->time_ns[s->count - 1]), nz_meter_time_text(text[2], first),
        nz_meter_time_text(text[3], last));
}

/* ---- in words ---- */

static void say(json_t *texts, const char *format, ...) NZ_PRINTF(2, 3);
static void say(json_t *texts, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_array_append_new(texts, nz_json_string(text));
}

/* A stated shift that the steps of power clearly speak against. */
static void say_doubt(json_t *texts, const joining *j, const nz_meter_shift *stated, const nz_meter_windows *windows) {
    nz_meter_shift found;
    double shortest = INFINITY;
    for (size_t i = 0; i < windows->count; i++)
        if (windows->items[i].kind)
            shortest = fmin(shortest, (double)(windows->items[i].to_ns - windows->items[i].from_ns) / 1e9);
    if (nz_meter_shift_find(&found, j->series, windows, j->options->log) != NZ_OK) return;
    if (fabs(found.seconds - stated->seconds) <= fmax(3 * found.within_s, shortest / 20)) return;
    say(texts,
        "DOUBTFUL: by the steps of its power the meter's clock is %.3f s ahead (within %.2g s), not %.3f s; --shift "
        "auto takes "
        "that",
        found.seconds, found.within_s, stated->seconds);
}

static void say_all(json_t *texts, const joining *j, const nz_meter_shift *shift) {
    if (!isnan(shift->within_s))
        say(texts,
            "the meter's clock is %.3f s ahead, within %.2g s: found from the steps of its power, of whose variance "
            "the "
            "blocks explain %.1f%%; the next best shift leaves %.3g times as much unexplained",
            shift->seconds, shift->within_s, shift->explained_pct, shift->clear);
    else if (shift->seconds != 0)
        say(texts, "the meter's clock was stated to be %.3f s ahead", shift->seconds);
    else
        say(texts, "the meter's clock was taken to be that of the machine");
    if (j->too_short)
        say(texts, "%zu of %zu blocks are shorter than three sampling intervals and were left out", j->too_short,
            j->blocks);
    if (j->outside) say(texts, "%zu of %zu blocks lie outside of the log and were left out", j->outside, j->blocks);
    if (j->gappy)
        say(texts, "%zu of %zu blocks lie in gaps of the log by more than a third and were left out", j->gappy,
            j->blocks);
    if (j->gaps)
        say(texts, "%zu gaps, %.3f s in all, through which a straight line was drawn", j->gaps, j->gap_seconds);
}

static json_t *about_json(const joining *j, const nz_meter_shift *shift, const nz_meter_windows *windows) {
    const nz_meter_series *s = j->series;
    json_t *texts = json_array();
    if (texts && isnan(shift->within_s)) say_doubt(texts, j, shift, windows);
    if (texts) say_all(texts, j, shift);
    return json_pack("{s:o,s:o,s:f,s:I,s:f,s:o,s:b,s:I,s:I,s:I,s:f,s:o}", "log", nz_json_string(j->options->log),
                     "columns", nz_json_string(s->columns), "interval_s", s->interval_s, "samples",
                     (json_int_t)s->count, "shift_s", shift->seconds, "shift_within_s", nz_json_real(shift->within_s),
                     "shift_found", !isnan(shift->within_s), "blocks", (json_int_t)j->blocks, "left_out",
                     (json_int_t)(j->too_short + j->outside + j->gappy), "gaps", (json_int_t)j->gaps, "gap_seconds",
                     j->gap_seconds, "text", texts);
}

nz_status nz_meter_join(json_t **ret_about, json_t *times, const nz_meter_series *series,
                        const nz_meter_join_options *options) {
    NZ_AUTO(nz_meter_windows_done) nz_meter_windows windows = {0};
    joining j = {.series = series, .options = options};
    json_t *models = json_object_get(times, "models"), *kept;
    nz_meter_shift shift;
    const char *id;
    NZ_TRY(collect(&windows, models, options));
    NZ_TRY(find_shift(&shift, series, &windows, options));
    j.shift_ns = (int64_t)(shift.seconds * 1e9);
    NZ_TRY(check_blocks(&j, &windows));
    json_object_foreach(models, id, kept) {
        if (is_fed(options, id)) NZ_TRY(join_model(&j, kept));
    }
    json_t *about = about_json(&j, &shift, &windows);
    if (!about) return nz_fail(NZ_E_MEMORY, "out of memory: energies of blocks");
    *ret_about = about;
    return NZ_OK;
}
