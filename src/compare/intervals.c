/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/intervals.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "compare/series.h"
#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "core/text.h"
#include "metric/combined_json.h"
#include "metric/value_json.h"

enum { REPLICATES = 2000, TERMS = 4, PERFORMANCE = 0 };

/* The metrics that were measured round by round. Of all of them the baseline's value over the model's own is the improvement:
 * throughput follows from times. */
static const struct timed_row {
    const char *id, *word;
    nz_quantity quantity;
    nz_block_statistic statistic;
    double quantile;
    bool inverse;  /* the metric is a constant over the quantity */
    bool of_batch; /* of the session at the variant's own batch, where there is one */
    bool silent;   /* says the same as another row: no sentence */
} rows[] = {
    {"latency_ms", "latency", NZ_QUANTITY_TIMES, NZ_BLOCK_MEDIAN, 0, false, false, false},
    {"latency_ms_p90", "p90", NZ_QUANTITY_SINGLES, NZ_BLOCK_QUANTILE, 0.90, false, false, true},
    {"latency_ms_p99", "p99", NZ_QUANTITY_SINGLES, NZ_BLOCK_QUANTILE, 0.99, false, false, true},
    {"latency_ms_mean", "mean latency", NZ_QUANTITY_MEAN_TIME, NZ_BLOCK_MEAN, 0, false, false, true},
    {"throughput", "throughput", NZ_QUANTITY_MEAN_TIME, NZ_BLOCK_MEAN, 0, true, true, false},
    {"energy_j", "energy", NZ_QUANTITY_JOULES, NZ_BLOCK_MEAN, 0, false, false, false},
    {"energy_net_j", "energy above idle", NZ_QUANTITY_NET, NZ_BLOCK_MEAN, 0, false, false, false},
    {"power_w", "power", NZ_QUANTITY_WATTS, NZ_BLOCK_MEAN, 0, false, false, false},
};

/* A model, its baseline and what was kept of both. */
typedef struct pair {
    json_t *model, *metrics;
    const json_t *baseline, *base_metrics;
    const json_t *parts, *base_parts; /* {"timing", "batch"} */
    bool is_baseline;
    uint64_t seed;
} pair;

static const struct timed_row *row_of(const char *id) {
    for (size_t i = 0; i < NZ_COUNT(rows); i++)
        if (strcmp(rows[i].id, id) == 0) return &rows[i];
    return NULL;
}

static const json_t *part_of(const json_t *parts, const struct timed_row *row) {
    const json_t *batch = json_object_get(parts, "batch");
    return row->of_batch && batch ? batch : json_object_get(parts, "timing");
}

/* Intervals taken after a look that chose its moment by their width. */
static double confidence_of(const json_t *part) {
    double confidence = nz_json_number_at(json_object_get(part, "look"), "confidence");
    return confidence > 0.5 && confidence < 1 ? confidence : 0.95;
}

static nz_block_options options_of(const pair *p, const struct timed_row *row) {
    nz_block_options options = nz_block_options_default();
    options.statistic = row->statistic;
    options.quantile = row->quantile;
    options.replicates = REPLICATES;
    options.confidence = confidence_of(part_of(p->parts, row));
    options.seed = p->seed;
    return options;
}

/* ---- small things ---- */

static nz_status set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) ? nz_fail(NZ_E_MEMORY, "out of memory: intervals") : NZ_OK;
}

static nz_status set_ends(json_t *object, const double ends[2]) {
    return set(object, "ci95", json_pack("[o,o]", nz_json_real(ends[0]), nz_json_real(ends[1])));
}

/* Around the value that the document shows: the same but for rounding, and for rounds of unequal length. */
static void scale(double ret_ends[2], const nz_block_interval *interval, double value) {
    ret_ends[0] = fmin(value, interval->ends[0] * (value / interval->value));
    ret_ends[1] = fmax(value, interval->ends[1] * (value / interval->value));
}

static bool has_value(const json_t *metric) { return json_is_number(json_object_get(metric, "value")); }

/* Why there is no interval: too few rounds, or what the library says. Memory alone ends the work. */
static nz_status explain(char reason[256], nz_status status, const nz_series_blocks *b) {
    if (status == NZ_OK || status == NZ_E_MEMORY) return status;
    if (b->blocks.round_count < NZ_BLOCKS_LEAST)
        nz_snprintf(reason, 256, "%zu sitting%s of measuring: an interval needs %d (a longer --budget gives more)",
                    b->blocks.round_count, b->blocks.round_count == 1 ? "" : "s", NZ_BLOCKS_LEAST);
    else
        nz_snprintf(reason, 256, "%s", nz_last_error());
    return NZ_OK;
}

/* ---- one model ---- */

static nz_status value_interval(nz_block_interval *ret, char reason[256], const pair *p, const struct timed_row *row) {
    NZ_AUTO(nz_series_done) nz_series own = {0};
    NZ_AUTO(nz_series_blocks_done) nz_series_blocks b = {0};
    nz_block_options options = options_of(p, row);
    *reason = '\0';
    NZ_TRY(nz_series_get(&own, part_of(p->parts, row), row->quantity));
    if (*own.reason) {
        nz_snprintf(reason, 256, "%s", own.reason);
        return NZ_OK;
    }
    NZ_TRY(nz_series_blocks_get(&b, &own, NULL));
    return explain(reason, nz_blocks_value(ret, NULL, &b.blocks, 0, &options), &b);
}

static nz_status set_value(const pair *p, const struct timed_row *row) {
    json_t *metric = json_object_get(p->metrics, row->id);
    nz_block_interval interval;
    char reason[256];
    double ends[2], value = nz_json_number_at(metric, "value");
    json_object_del(metric, "ci95");
    json_object_del(metric, "ci95_reason");
    NZ_TRY(value_interval(&interval, reason, p, row));
    if (*reason) return set(metric, "ci95_reason", nz_json_string(reason));
    if (row->inverse) /* the constant over the ends, the larger first */
        interval =
            (nz_block_interval){.value = 1 / interval.value, .ends = {1 / interval.ends[1], 1 / interval.ends[0]}};
    scale(ends, &interval, value);
    return set_ends(metric, ends);
}

/* ---- against the baseline ---- */

/* What the replicates of a ratio are drawn from. */
typedef struct paired_rounds {
    nz_series_blocks b; /* baseline, model */
    char reason[256];   /* why not */
} paired_rounds;

static void paired_rounds_done(paired_rounds *r) { nz_series_blocks_done(&r->b); }

static nz_status paired_rounds_get(paired_rounds *r, const pair *p, const struct timed_row *row) {
    NZ_AUTO(nz_series_done) nz_series own = {0};
    NZ_AUTO(nz_series_done) nz_series base = {0};
    NZ_TRY(nz_series_get(&own, part_of(p->parts, row), row->quantity));
    NZ_TRY(nz_series_get(&base, part_of(p->base_parts, row), row->quantity));
    if (*own.reason)
        nz_snprintf(r->reason, sizeof r->reason, "%s", own.reason);
    else if (*base.reason)
        nz_snprintf(r->reason, sizeof r->reason, "the baseline: %s", base.reason);
    else if (strcmp(own.race, base.race) != 0)
        nz_snprintf(r->reason, sizeof r->reason,
                    "not measured in turns with the baseline: what the machine did meanwhile does not cancel");
    return *r->reason ? NZ_OK : nz_series_blocks_get(&r->b, &base, &own);
}

/* The interval of baseline over own, and on request its replicates, of rounds drawn `length` together. */
static nz_status ratio_interval(nz_block_interval *ret, double *ret_replicates, char reason[256], const pair *p,
                                const struct timed_row *row, size_t length) {
    NZ_AUTO(paired_rounds_done) paired_rounds r = {0};
    nz_block_options options = options_of(p, row);
    NZ_TRY(paired_rounds_get(&r, p, row));
    nz_snprintf(reason, 256, "%s", r.reason);
    if (*reason) return NZ_OK;
    size_t most = r.b.blocks.round_count / 2;
    options.length = length < most ? length : most;
    if (!options.length) options.length = NZ_SITTINGS_TOGETHER;
    return explain(reason, nz_blocks_ratio(ret, ret_replicates, &r.b.blocks, 0, 1, &options), &r.b);
}

static const char *baseline_name(const pair *p) { return nz_json_text_at(p->baseline, "name"); }

static nz_status sentence(char **ret_text, const pair *p, const char *word, nz_difference difference,
                          const char *figures) {
    return nz_format(ret_text, "%s: %s %s %s (%s)", word, nz_difference_name(difference),
                     difference == NZ_INDISTINGUISHABLE ? "from" : "than", baseline_name(p), figures);
}

static nz_status say(json_t *holder, const pair *p, const char *word, nz_difference difference, const char *figures,
                     bool silent) {
    NZ_AUTO_FREE char *text = NULL;
    NZ_TRY(set(holder, "difference", json_string(nz_difference_name(difference))));
    NZ_TRY(sentence(&text, p, word, difference, figures));
    if (!silent && json_array_append_new(json_object_get(p->model, "differences"), nz_json_string(text)))
        return nz_fail(NZ_E_MEMORY, "out of memory: intervals");
    return NZ_OK;
}

static double improvement(const json_t *base, const json_t *own, const struct timed_row *row) {
    double before = nz_json_number_at(base, "value"), now = nz_json_number_at(own, "value");
    return row->inverse ? now / before : before / now;
}

static nz_status set_ratio(const pair *p, const struct timed_row *row) {
    json_t *metric = json_object_get(p->metrics, row->id), *ratio;
    const json_t *base = json_object_get(p->base_metrics, row->id);
    nz_block_interval interval;
    char reason[256], figures[128];
    double ends[2], value = improvement(base, metric, row);
    json_object_del(metric, "ratio");
    if (p->is_baseline || !has_value(base) || !(value > 0) || !isfinite(value)) return NZ_OK;
    NZ_TRY(set(metric, "ratio", json_object()));
    ratio = json_object_get(metric, "ratio");
    NZ_TRY(set(ratio, "value", nz_json_real(value)));
    NZ_TRY(set(ratio, "against", nz_json_string(nz_json_text_at(p->baseline, "id"))));
    NZ_TRY(ratio_interval(&interval, NULL, reason, p, row, 0));
    if (*reason) return set(ratio, "reason", nz_json_string(reason));
    scale(ends, &interval, value);
    NZ_TRY(set_ends(ratio, ends));
    nz_snprintf(figures, sizeof figures, "ratio %.4g, 95%% %.4g to %.4g", value, ends[0], ends[1]);
    bool silent = row->silent || (row->of_batch && !json_object_get(p->parts, "batch"));
    return say(ratio, p, row->word, nz_ratio_difference(ends), figures, silent);
}

/* An accuracy on the same samples: whether the interval of the difference holds 0. */
static nz_status say_accuracy(const pair *p, const char *id, json_t *metric) {
    json_t *difference = json_object_get(metric, "difference");
    const json_t *ends = json_object_get(difference, "ci95");
    double value = nz_json_number_at(difference, "value"), low = json_number_value(json_array_get(ends, 0)),
           high = json_number_value(json_array_get(ends, 1));
    char figures[128];
    if (json_array_size(ends) != 2 || isnan(value)) return NZ_OK;
    nz_snprintf(figures, sizeof figures, "%+.4g points, 95%% %.4g to %.4g", value, low, high);
    nz_difference said = low > 0 ? NZ_BETTER : high < 0 ? NZ_WORSE : NZ_INDISTINGUISHABLE;
    return say(difference, p, id, said, figures, false);
}

/* ---- ratios and OCS ---- */

/* Around its value, whatever rounding or samples that only one of the two had left beside it. */
static void spread_of(nz_ratio_spread *ret, double value, double low, double high) {
    *ret = (nz_ratio_spread){.has_ci = true, .ci95 = {fmin(low, value), fmax(high, value)}};
}

/* From the difference on the same samples, over the baseline's accuracy. */
static void performance_spread(nz_ratio_spread *ret, const json_t *metric, const nz_value_report *original,
                               double value) {
    const json_t *difference = json_object_get(metric, "difference"), *ends = json_object_get(difference, "ci95");
    if (json_array_size(ends) != 2 || !(original->value > 0) || isnan(value)) return;
    double low = 1 + json_number_value(json_array_get(ends, 0)) / original->value,
           high = 1 + json_number_value(json_array_get(ends, 1)) / original->value;
    spread_of(ret, value, fmax(0, low), high);
}

/* The terms that come from rounds share their draws: a slow round costs time and joules. */
typedef struct drawn {
    const struct timed_row *row[TERMS]; /* NULL: not measured in rounds, or without an interval */
    double *replicates[TERMS];
} drawn;

static void drawn_done(drawn *d) {
    for (size_t i = 0; i < TERMS; i++) free(d->replicates[i]);
}

static const char *const *ids_of(const char *ret_ids[TERMS], const nz_combine_options *o) {
    ret_ids[0] = o->performance;
    ret_ids[1] = o->speedup;
    ret_ids[2] = o->compression;
    ret_ids[3] = o->efficiency;
    return ret_ids;
}

static nz_status draw(drawn *d, const pair *p, const nz_combining *combining, const nz_combined *combined) {
    const char *ids[TERMS];
    nz_block_interval interval;
    char reason[256];
    size_t length = 0;
    ids_of(ids, &combining->options);
    for (size_t i = 0; i < TERMS; i++) {
        const struct timed_row *row = row_of(ids[i]);
        if (!row || combined->ratio[i].source == NZ_UNAVAILABLE) continue;
        NZ_TRY(ratio_interval(&interval, NULL, reason, p, row, 0));
        if (*reason) continue;
        d->row[i] = row;
        if (interval.length > length) length = interval.length;
    }
    for (size_t i = 0; i < TERMS; i++) {
        if (!d->row[i]) continue;
        NZ_TRY(nz_alloc(&d->replicates[i], REPLICATES, sizeof(double)));
        NZ_TRY(ratio_interval(&interval, d->replicates[i], reason, p, d->row[i], length));
        for (size_t k = 0; k < REPLICATES; k++) d->replicates[i][k] *= combined->ratio[i].value / interval.value;
    }
    return NZ_OK;
}

/* ratios.<r>.ci95 and .difference: of a timed metric those of its own ratio, of an accuracy those of the paired difference. */
static nz_status set_ratio_interval(json_t *ratio, const pair *p, const char *id, const nz_ratio_spread *spread) {
    const json_t *metric = json_object_get(p->metrics, id), *own = json_object_get(metric, "ratio");
    const json_t *source = json_object_get(own, "ci95") ? own : json_object_get(metric, "difference");
    const char *word = nz_json_text_at(source, "difference");
    if (json_object_get(own, "ci95")) {
        if (json_object_set(ratio, "ci95", json_object_get(own, "ci95")))
            return nz_fail(NZ_E_MEMORY, "out of memory: intervals");
    } else if (spread->has_ci) {
        NZ_TRY(set_ends(ratio, spread->ci95));
    } else {
        return *nz_json_text_at(own, "reason")
                   ? set(ratio, "ci95_reason", nz_json_string(nz_json_text_at(own, "reason")))
                   : NZ_OK;
    }
    return *word ? set(ratio, "difference", json_string(word)) : NZ_OK;
}

/* What follows from the file alone comes out the same each time. */
static bool is_exact(const char *id) {
    const nz_metric *m = nz_metric_find(id);
    return m && !m->needs_timing && !m->needs_process && !m->needs_energy && !m->needs_scores;
}

/* No term has an interval: because nothing is uncertain, or because it is not known how uncertain they are. */
static nz_status set_exact(json_t *holder, const nz_combining *combining, const nz_combined *combined) {
    const char *ids[TERMS];
    bool exact = true;
    ids_of(ids, &combining->options);
    for (size_t i = 0; i < TERMS; i++)
        exact = exact && (combined->ratio[i].source == NZ_UNAVAILABLE || is_exact(ids[i]));
    if (exact) return set(holder, "exact", json_true());
    return set(holder, "ci95_reason", json_string("none of its ratios has an interval"));
}

static nz_status set_ocs_interval(json_t *ocs, const pair *p, const nz_combining *combining,
                                  const nz_combined *combined, const nz_ratio_spread spread[TERMS]) {
    json_t *partial = json_object_get(ocs, "partial"), *holder = partial ? partial : ocs, *of = json_array();
    double ends[2];
    NZ_TRY(set(holder, "ci95_of", of));
    for (size_t i = 0; i < TERMS; i++)
        if (spread[i].replicates || spread[i].has_ci) json_array_append_new(of, json_string(nz_ratio_names[i]));
    if (!json_array_size(of)) return set_exact(holder, combining, combined);
    double confidence = confidence_of(json_object_get(p->parts, "timing"));
    nz_status status = nz_ocs_interval(ends, &combining->options, combining->original, combining->compressed, spread,
                                       confidence, REPLICATES, p->seed);
    if (status == NZ_E_MEMORY) return status;
    if (status != NZ_OK) return set(holder, "ci95_reason", nz_json_string(nz_last_error()));
    return set_ends(holder, ends);
}

static nz_status set_combined(const pair *p) {
    NZ_AUTO(drawn_done) drawn d = {0};
    nz_combining combining;
    nz_combined combined;
    nz_ratio_spread spread[TERMS] = {0};
    const char *ids[TERMS];
    nz_combining_get(&combining, p->model, p->baseline);
    NZ_AUTO_JSON json_t *before = json_incref(json_object_get(p->model, "ratios"));
    (void)before; /* the ids are borrowed from it, and it is replaced */
    nz_combining_combine(&combined, &combining);
    ids_of(ids, &combining.options);
    json_t *ratios = nz_ratios_json(&combined, &combining.options), *ocs = nz_ocs_json(&combined, &combining.options);
    NZ_TRY(set(p->model, "ratios", ratios));
    NZ_TRY(set(p->model, "ocs", ocs));
    bool scored = combined.ocs.source != NZ_UNAVAILABLE || combined.partial.source != NZ_UNAVAILABLE;
    if (p->is_baseline) return NZ_OK;
    NZ_TRY(draw(&d, p, &combining, &combined));
    for (size_t i = 0; i < TERMS; i++) {
        if (combined.ratio[i].source == NZ_UNAVAILABLE) continue;
        spread[i].replicates = d.replicates[i];
        if (i == PERFORMANCE && !spread[i].replicates)
            performance_spread(&spread[i], json_object_get(p->metrics, ids[i]), &combining.original[i],
                               combined.ratio[i].value);
        NZ_TRY(set_ratio_interval(json_object_get(ratios, nz_ratio_names[i]), p, ids[i], &spread[i]));
    }
    return scored ? set_ocs_interval(ocs, p, &combining, &combined, spread) : NZ_OK;
}

/* ---- the document ---- */

static nz_status set_model(const pair *p) {
    const char *id;
    json_t *metric;
    NZ_TRY(set(p->model, "differences", json_array()));
    if (!p->is_baseline) {
        json_object_foreach(p->metrics, id, metric) NZ_TRY(say_accuracy(p, id, metric));
    }
    for (size_t i = 0; i < NZ_COUNT(rows); i++) {
        if (!has_value(json_object_get(p->metrics, rows[i].id))) continue;
        NZ_TRY(set_value(p, &rows[i]));
        NZ_TRY(set_ratio(p, &rows[i]));
    }
    return json_object_get(p->model, "ratios") ? set_combined(p) : NZ_OK;
}

nz_status nz_intervals_set(json_t *results, const json_t *times) {
    json_t *models = json_object_get(results, "models"), *rank = NULL;
    const json_t *kept = json_object_get(times, "models");
    if (!json_is_array(models)) return nz_fail(NZ_E_FORMAT, "results: there is no list of models");
    for (size_t i = 0; i < json_array_size(models); i++) {
        json_t *model = json_array_get(models, i);
        if (!json_is_object(json_object_get(model, "metrics")))
            return nz_fail(NZ_E_FORMAT, "results: model %zu has no metrics", i);
        const char *id = nz_json_text_at(model, "id"), *base_id = nz_json_text_at(model, "baseline");
        const json_t *baseline = nz_model_by_id(models, base_id);
        pair p = {.model = model,
                  .metrics = json_object_get(model, "metrics"),
                  .baseline = baseline ? baseline : model,
                  .parts = json_object_get(kept, id),
                  .base_parts = json_object_get(kept, base_id),
                  .is_baseline = !baseline || baseline == model,
                  .seed = (uint64_t)json_integer_value(json_object_get(json_object_get(results, "run"), "seed"))};
        p.base_metrics = json_object_get(p.baseline, "metrics");
        NZ_TRY(set_model(&p));
    }
    NZ_TRY(nz_ocs_rank_json(&rank, models));
    return set(results, "ocs_rank", rank);
}
