/* SPDX-License-Identifier: Apache-2.0 */
/* --power meter:LOG: blocks long enough for the meter before the run, its log laid over them behind it. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "compare/meter_results.h"
#include "compare/run.h"
#include "core/error.h"
#include "core/progress.h"
#include "core/text.h"

#define LEAST_BLOCK_S 1.05
enum { INTERVALS_A_BLOCK = 10, INTERVALS_LEAST = 3 };
#define LONGEST_BLOCK_S 3600.0

/* What would be found out behind the run only. */
static nz_status check_clock(const nz_compare_options *o, const nz_meter_series *series, const char *log) {
    double seconds;
    if (o->meter_shift && strcmp(o->meter_shift, "auto") == 0) return NZ_OK;
    if (o->meter_shift) NZ_TRY(nz_parse_double(&seconds, o->meter_shift, "compare: --meter-shift (seconds, or auto)"));
    if (series->dated || series->clock) return NZ_OK;
    return nz_fail(NZ_E_ARG, "compare: %s: its times begin at a zero of their own: --meter-shift auto is needed", log);
}

nz_status nz_meter_begin(nz_compare_options *options, double *ret_interval_s) {
    const char *log = nz_meter_log_path(options->power);
    NZ_AUTO(nz_meter_series_done) nz_meter_series series = {0};
    if (!log && (options->meter_shift || options->meter_columns))
        return nz_fail(NZ_E_ARG, "compare: --meter-shift and --meter-columns are for --power meter:LOG");
    if (!log) return NZ_OK;
    if (options->target_count > 1)
        return nz_fail(NZ_E_ARG,
                       "compare: --power meter: is for one machine; of several, netzip energy LOG --results DIR "
                       "--host NAME gives one its joules");
    nz_status status = nz_meter_series_read(&series, log, options->meter_columns);
    if (status != NZ_OK)
        return nz_fail_context(status, "compare: --power meter: (the meter writes its log before the run begins)");
    NZ_TRY(check_clock(options, &series, log));
    if (options->block_s > 0 && options->block_s < INTERVALS_LEAST * series.interval_s)
        return nz_fail(NZ_E_ARG,
                       "compare: --block %g: the meter samples every %.3g s, and a block has to hold %d intervals",
                       options->block_s, series.interval_s, INTERVALS_LEAST);
    if (!(options->block_s > 0)) options->block_s = fmax(LEAST_BLOCK_S, INTERVALS_A_BLOCK * series.interval_s);
    if (options->block_s > LONGEST_BLOCK_S)
        return nz_fail(NZ_E_ARG, "compare: %s: a sample every %.3g s is too slow to measure models in turns", log,
                       series.interval_s);
    *ret_interval_s = series.interval_s;
    return NZ_OK;
}

static json_t *quiet_json(const nz_machine *machine) {
    const nz_watch *const watches[] = {&machine->before, &machine->after};
    json_t *list = json_array();
    for (size_t i = 0; machine->was_quiet && i < NZ_COUNT(watches); i++)
        json_array_append_new(list, json_pack("{s:o,s:o}", "unix_s", nz_json_real(watches[i]->unix_s), "seconds",
                                              nz_json_real(watches[i]->seconds)));
    return list;
}

/* The energies stay unavailable, and hours of measuring stay what they are. */
static nz_status give_up(nz_run *run, json_t *times) {
    NZ_AUTO_FREE char *reason = NULL;
    const char *id;
    json_t *kept;
    NZ_TRY(nz_strdup(&reason, nz_last_error()));
    nz_warn(run->warnings, "the meter's log was not used: %s%s", reason,
            run->options->out ? " (netzip energy LOG --results DIR does it later)" : "");
    json_object_foreach(json_object_get(times, "models"), id, kept) {
        json_t *timing = json_object_get(kept, "timing");
        if (json_object_set_new(timing, "energy_reason", nz_json_string(reason)))
            return nz_fail(NZ_E_MEMORY, "out of memory: energies of %s", id);
    }
    return NZ_OK;
}

nz_status nz_meter_finish(json_t **ret_about, nz_run *run, json_t *times, double interval_s) {
    const nz_compare_options *o = run->options;
    NZ_AUTO(nz_meter_series_done) nz_meter_series series = {0};
    NZ_AUTO_JSON json_t *quiet = quiet_json(&run->machines[0]);
    double wait_s = fmin(2 * interval_s, 10); /* until the sample behind the last block is written */
    if (!quiet) return nz_fail(NZ_E_MEMORY, "out of memory: energies of a meter");
    nanosleep(&(struct timespec){(time_t)wait_s, (long)((wait_s - floor(wait_s)) * 1e9)}, NULL);
    nz_meter_join_options join = {.log = nz_meter_log_path(o->power), .shift = o->meter_shift, .quiet = quiet};
    nz_status status = nz_meter_series_read(&series, join.log, o->meter_columns);
    if (status == NZ_OK) status = nz_meter_join(ret_about, times, &series, &join);
    if (status == NZ_OK || status == NZ_E_MEMORY) return status;
    nz_progress_note(run->progress, "the meter's log was not used: %s", nz_last_error());
    return give_up(run, times);
}
