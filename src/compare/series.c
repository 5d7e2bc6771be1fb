/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/series.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"

double nz_idle_watts(const json_t *part) {
    const json_t *idle = json_object_get(json_object_get(part, "energy"), "idle_w");
    double sum = 0, count = 0;
    for (size_t i = 0; i < json_array_size(idle); i++) {
        const json_t *watts = json_array_get(idle, i);
        if (!json_is_number(watts)) continue;
        sum += json_number_value(watts);
        count++;
    }
    return count > 0 ? sum / count : (double)NAN;
}

static double mean_of(const json_t *list) {
    double sum = 0;
    for (size_t i = 0; i < json_array_size(list); i++) sum += json_number_value(json_array_get(list, i));
    return sum / (double)json_array_size(list);
}

/* The one value of a round. Kept times stand for all of a block, whose exact sum is taken where it was noted. */
static double value_of(const json_t *round, nz_quantity quantity, double idle_w) {
    double joules = nz_json_number_at(round, "joules"), seconds = nz_json_number_at(round, "seconds"),
           runs = nz_json_number_at(round, "runs"), mean = nz_json_number_at(round, "mean_ns");
    switch (quantity) {
    case NZ_QUANTITY_MEAN_TIME: return isnan(mean) ? mean_of(json_object_get(round, "ns")) : mean;
    case NZ_QUANTITY_JOULES: return joules / runs;
    case NZ_QUANTITY_NET: return (joules - idle_w * seconds) / runs;
    case NZ_QUANTITY_WATTS: return joules / seconds;
    case NZ_QUANTITY_TIMES:
    case NZ_QUANTITY_SINGLES: break;
    }
    return NAN;
}

static bool usable(double value) { return value > 0 && isfinite(value); }

static size_t add(nz_series *series, size_t at, double value) {
    if (usable(value)) series->values[at++] = value;
    return at;
}

static bool is_list(nz_quantity quantity) { return quantity == NZ_QUANTITY_TIMES || quantity == NZ_QUANTITY_SINGLES; }

static const json_t *times_of(const json_t *round, nz_quantity quantity) {
    const json_t *singles = json_object_get(round, "each_ns");
    return json_object_get(round, quantity == NZ_QUANTITY_SINGLES && singles ? "each_ns" : "ns");
}

/* Rounds whose joules are there and not above 0 are no worse than the others: without them, these would say too much. */
static void refuse_some(nz_series *series, nz_quantity quantity, size_t refused, size_t rounds) {
    const char *why = quantity == NZ_QUANTITY_NET ? "no more power was drawn than idle" : "the source showed no joules";
    if (refused)
        nz_snprintf(series->reason, sizeof series->reason, "in %zu of %zu rounds %s: longer blocks (--block) may help",
                    refused, rounds, why);
}

static const char *why_empty(const json_t *part, nz_quantity quantity) {
    const char *energy = nz_json_text_at(part, "energy_reason");
    if (!part) return "its rounds were not kept";
    if (is_list(quantity) || quantity == NZ_QUANTITY_MEAN_TIME) return "no times were kept";
    if (*energy) return energy;
    if (quantity == NZ_QUANTITY_NET && isnan(nz_idle_watts(part))) return "the idle power is not known";
    return quantity == NZ_QUANTITY_NET ? "no more power was drawn than idle" : "no joules were kept by rounds";
}

/* The place in the series of the sitting that round `r` belongs to; rounds of one sitting follow each other. */
static size_t place_of(const json_t *rounds, size_t r, size_t place) {
    const json_t *mine = json_object_get(json_array_get(rounds, r), "sitting"),
                 *last = r ? json_object_get(json_array_get(rounds, r - 1), "sitting") : NULL;
    bool same = r && mine && last && json_integer_value(mine) == json_integer_value(last);
    return r && !same ? place + 1 : place;
}

nz_status nz_series_get(nz_series *ret_series, const json_t *part, nz_quantity quantity) {
    NZ_AUTO(nz_series_done) nz_series series = {0};
    const json_t *rounds = json_object_get(part, "rounds");
    size_t most = 0, at = 0, place = 0, refused = 0, count = json_array_size(rounds);
    for (size_t r = 0; r < count; r++) {
        const json_t *round = json_array_get(rounds, r);
        if (!json_is_object(round)) return nz_fail(NZ_E_FORMAT, "times: round %zu is no object", r);
        most += is_list(quantity) ? json_array_size(times_of(round, quantity)) : 1;
    }
    NZ_TRY(nz_alloc(&series.values, most, sizeof *series.values));
    NZ_TRY(nz_alloc(&series.start, count + 1, sizeof *series.start));
    double idle_w = nz_idle_watts(part);
    for (size_t r = 0; r < count; r++) {
        const json_t *round = json_array_get(rounds, r), *times = times_of(round, quantity);
        double value = value_of(round, quantity, idle_w);
        refused += isfinite(value) && value <= 0;
        at = add(&series, at, value);
        for (size_t i = 0; is_list(quantity) && i < json_array_size(times); i++)
            at = add(&series, at, json_number_value(json_array_get(times, i)));
        place = place_of(rounds, r, place);
        series.start[place + 1] = at;
    }
    series.rounds = count ? place + 1 : 0;
    nz_snprintf(series.race, sizeof series.race, "%s", nz_json_text_at(part, "race"));
    refuse_some(&series, quantity, refused, count);
    if (!at) nz_snprintf(series.reason, sizeof series.reason, "%s", why_empty(part, quantity));
    *ret_series = series;
    series = (nz_series){0};
    return NZ_OK;
}

void nz_series_done(nz_series *series) {
    free(series->values);
    free(series->start);
    *series = (nz_series){0};
}

static size_t size_of(const nz_series *series, size_t round) { return series->start[round + 1] - series->start[round]; }

static size_t copy(double *to, const nz_series *series, size_t round) {
    size_t count = size_of(series, round);
    if (count) memcpy(to, series->values + series->start[round], count * sizeof *to);
    return count;
}

nz_status nz_series_blocks_get(nz_series_blocks *ret_blocks, const nz_series *one, const nz_series *other) {
    NZ_AUTO(nz_series_blocks_done) nz_series_blocks b = {0};
    size_t rounds = other && other->rounds < one->rounds ? other->rounds : one->rounds, models = other ? 2 : 1;
    size_t most = one->start[one->rounds] + (other ? other->start[other->rounds] : 0), block = 0;
    NZ_TRY(nz_alloc(&b.values, most, sizeof *b.values));
    NZ_TRY(nz_alloc(&b.start, rounds * models + 1, sizeof *b.start));
    for (size_t r = 0; r < rounds; r++) {
        if (!size_of(one, r) || (other && !size_of(other, r))) continue;
        b.start[block + 1] = b.start[block] + copy(b.values + b.start[block], one, r);
        block++;
        if (!other) continue;
        b.start[block + 1] = b.start[block] + copy(b.values + b.start[block], other, r);
        block++;
    }
    b.blocks = (nz_blocks){.round_count = block / models, .model_count = models, .values = b.values, .start = b.start};
    *ret_blocks = b;
    b = (nz_series_blocks){0};
    return NZ_OK;
}

void nz_series_blocks_done(nz_series_blocks *blocks) {
    free(blocks->values);
    free(blocks->start);
    *blocks = (nz_series_blocks){0};
}
