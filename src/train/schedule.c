/* SPDX-License-Identifier: Apache-2.0 */
#include "train/schedule.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"

#define PI 3.14159265358979323846

nz_status nz_schedule_milestones(double **ret_epochs, size_t *ret_count, const char *text) {
    NZ_AUTO_FREE double *epochs = NULL;
    size_t count = 0, capacity = 0;
    for (const char *p = text; p && *p;) {
        size_t length = strcspn(p, "+");
        NZ_AUTO_FREE char *piece = NULL;
        double epoch = 0;
        NZ_TRY(nz_format(&piece, "%.*s", (int)length, p));
        NZ_TRY(nz_parse_double(&epoch, piece, "training: milestones"));
        if (!(epoch > (count ? epochs[count - 1] : 0)))
            return nz_fail(NZ_E_ARG, "training: milestones=%s should be epochs in ascending order joined by +", text);
        NZ_TRY(nz_grow(&epochs, &capacity, count + 1, sizeof *epochs));
        epochs[count++] = epoch;
        p += length + (p[length] == '+');
    }
    *ret_epochs = NZ_STEAL(epochs);
    *ret_count = count;
    return NZ_OK;
}

/* From `begin` at 0 to `end` at 1 along half a cosine. */
static double anneal(double begin, double end, double at) {
    at = at < 0 ? 0 : at > 1 ? 1 : at;
    return end + (begin - end) / 2 * (1 + cos(PI * at));
}

static double warmup_steps(const nz_pace *pace) {
    double steps = pace->options->warmup * pace->steps_per_epoch, all = (double)pace->steps;
    return steps < all ? steps : all;
}

/* Where in onecycle a step lies: rising from 0 to 1 (*ret_rising), or falling from 0 to 1. */
static double cycle(const nz_pace *pace, uint64_t step, bool *ret_rising) {
    double peak = warmup_steps(pace) - 1, last = (double)pace->steps - 1, at = (double)step;
    *ret_rising = at < peak;
    if (*ret_rising) return at / peak;
    if (peak < 0) peak = 0;
    return last > peak ? (at - peak) / (last - peak) : 0;
}

static double onecycle(const nz_pace *pace, uint64_t step) {
    const nz_train_options *o = pace->options;
    bool rising;
    double at = cycle(pace, step, &rising);
    return rising ? anneal(o->lr / 25, o->lr, at) : anneal(o->lr, o->lr_final > 0 ? o->lr_final : o->lr / 25e4, at);
}

double nz_schedule_rate(const nz_pace *pace, uint64_t step) {
    const nz_train_options *o = pace->options;
    if (o->schedule == NZ_SCHEDULE_ONECYCLE) return onecycle(pace, step);
    double warm = warmup_steps(pace), at = (double)step;
    if (at < warm) return o->lr * (at + 1) / (warm + 1);
    if (o->schedule == NZ_SCHEDULE_COSINE) {
        double rest = (double)pace->steps - warm;
        return anneal(o->lr, o->lr_final, rest > 0 ? (at - warm) / rest : 0);
    }
    double rate = o->lr;
    for (size_t i = 0; o->schedule == NZ_SCHEDULE_STEP && i < pace->milestone_count; i++)
        if (at >= pace->milestones[i] * pace->steps_per_epoch) rate *= o->gamma;
    return rate;
}

double nz_schedule_momentum(const nz_pace *pace, double high, uint64_t step) {
    double low = pace->options->momentum_low;
    if (pace->options->schedule != NZ_SCHEDULE_ONECYCLE || low <= 0) return high;
    bool rising;
    double at = cycle(pace, step, &rising);
    return rising ? anneal(high, low, at) : anneal(low, high, at);
}
