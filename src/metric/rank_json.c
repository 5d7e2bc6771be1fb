/* SPDX-License-Identifier: Apache-2.0 */
/* Who wins by OCS, how firmly, and what it hangs on, in numbers and in words. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "metric/combined_json.h"
#include "metric/value_json.h"

enum { TERMS = 4, PERFORMANCE = 0 };

static const char *const term_words[TERMS] = {"performance", "speed", "compression", "efficiency"};

/* The contestants of one group. */
typedef struct contest {
    const json_t **models;
    nz_combined *combined;
    size_t count;
    double lambda[TERMS];
    bool without[TERMS]; /* left out for all, where nobody has a whole OCS */
    bool partial;
    nz_ocs_rank rank;
} contest;

static void contest_done(contest *c) {
    free(c->models);
    free(c->combined);
}

static const char *id_of(const contest *c, size_t i) { return nz_json_text_at(c->models[i], "id"); }
static const char *name_of(const contest *c, size_t i) { return nz_json_text_at(c->models[i], "name"); }

static bool available(const nz_value_report *report) { return report->source != NZ_UNAVAILABLE; }

/* Names repeat in a group where seeds or machines differ; then ids tell them apart. */
static const char *called(const contest *c, size_t i) {
    for (size_t k = 0; k < c->count; k++)
        if (k != i && strcmp(name_of(c, k), name_of(c, i)) == 0) return id_of(c, i);
    return *name_of(c, i) ? name_of(c, i) : id_of(c, i);
}

/* Terms without weight take no part; without a performance ratio its factor is 1 for all. */
static void leave_out(nz_combining *combining, const bool without[TERMS]) {
    for (int i = 0; i < TERMS; i++) {
        if (!without[i]) continue;
        combining->options.lambda[i] = 0;
        if (i == PERFORMANCE)
            combining->original[i] = combining->compressed[i] = nz_report_value(1, NZ_DERIVED);
        else
            combining->original[i] = combining->compressed[i] = nz_report_unavailable("left out");
    }
    if (without[PERFORMANCE]) combining->options.better[PERFORMANCE] = NZ_HIGHER;
}

/* Whether anybody but the baseline has a whole OCS; otherwise what the first partial one leaves out. */
static bool is_whole(contest *c, const json_t *models, const json_t *baseline) {
    bool found = false;
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i);
        nz_combining combining;
        nz_combined combined;
        if (model == baseline || strcmp(nz_json_text_at(model, "baseline"), nz_json_text_at(baseline, "id")) != 0)
            continue;
        nz_combining_get(&combining, model, baseline);
        nz_combining_combine(&combined, &combining);
        if (available(&combined.ocs)) return true;
        if (found || !available(&combined.partial)) continue;
        memcpy(c->without, combined.without, sizeof c->without);
        found = true;
    }
    return !found;
}

static nz_status enter(contest *c, const json_t *models, const json_t *baseline) {
    NZ_TRY(nz_alloc(&c->models, json_array_size(models), sizeof *c->models));
    NZ_TRY(nz_alloc(&c->combined, json_array_size(models), sizeof *c->combined));
    c->partial = !is_whole(c, models, baseline);
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i);
        nz_combining combining;
        nz_combined own;
        if (strcmp(nz_json_text_at(model, "baseline"), nz_json_text_at(baseline, "id")) != 0) continue;
        nz_combining_get(&combining, model, baseline);
        /* What one leaves out less than the others is left out of it as well; who leaves out more does not compete. */
        if (c->partial) leave_out(&combining, c->without);
        nz_combining_combine(&own, &combining);
        if (!available(&own.ocs)) continue;
        memcpy(c->lambda, combining.options.lambda, sizeof c->lambda);
        c->models[c->count] = model;
        c->combined[c->count++] = own;
    }
    return NZ_OK;
}

/* ---- words ---- */

/* The object that holds the score and its interval: `partial` where that is what competes. */
static const json_t *score_of(const json_t *model) {
    const json_t *ocs = json_object_get(model, "ocs"), *partial = json_object_get(ocs, "partial");
    return partial ? partial : ocs;
}

static double end_of(const json_t *interval, size_t i) {
    const json_t *end = json_array_get(interval, i);
    return json_is_number(end) ? json_number_value(end) : (double)NAN;
}

/* true, false, or null where an interval is missing. The baseline's score is 0 by definition, exactly. */
static json_t *told_apart(const contest *c) {
    double low[2], high[2];
    for (size_t k = 0; k < 2; k++) {
        size_t i = k ? c->rank.runner_up : c->rank.winner;
        const json_t *score = score_of(c->models[i]), *interval = json_object_get(score, "ci95");
        bool baseline = strcmp(id_of(c, i), nz_json_text_at(c->models[i], "baseline")) == 0;
        bool exact = baseline || json_is_true(json_object_get(score, "exact"));
        low[k] = exact ? c->combined[i].ocs.value : end_of(interval, 0);
        high[k] = exact ? c->combined[i].ocs.value : end_of(interval, 1);
    }
    if (isnan(low[0] + low[1] + high[0] + high[1])) return json_null();
    return json_boolean(low[0] > high[1] || low[1] > high[0]);
}

static void say_term(nz_text *text, const contest *c, int term) {
    const nz_lambda_range *range = &c->rank.lambda[term];
    if (!range->has_low && !range->has_high) return;
    nz_text_appendf(text, " %s wins while the weight of %s stays ", called(c, c->rank.winner), term_words[term]);
    if (range->has_low && range->has_high)
        nz_text_appendf(text, "between %.4g and %.4g; below, %s does, above, %s.", range->low, range->high,
                        called(c, range->low_rival), called(c, range->high_rival));
    else if (range->has_low)
        nz_text_appendf(text, "above %.4g; below, %s does.", range->low, called(c, range->low_rival));
    else
        nz_text_appendf(text, "below %.4g; above, %s does.", range->high, called(c, range->high_rival));
}

static void say_without(nz_text *text, const contest *c) {
    const char *between = " without ";
    for (int i = 0; i < TERMS; i++) {
        if (!c->partial || !c->without[i]) continue;
        nz_text_appendf(text, "%s%s", between, nz_ratio_names[i]);
        between = " and ";
    }
}

static json_t *text_json(const contest *c, const json_t *apart) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    size_t first = c->rank.winner, second = c->rank.runner_up;
    bool hangs = false, unknown = false;
    nz_text_append(&text, "By OCS");
    say_without(&text, c);
    nz_text_appendf(&text, " %s wins with %.4g before %s with %.4g", called(c, first), c->combined[first].ocs.value,
                    called(c, second), c->combined[second].ocs.value);
    nz_text_append(&text, json_is_false(apart) ? "; their intervals overlap: the two are not told apart." : ".");
    for (int i = 0; i < TERMS; i++) {
        hangs = hangs || c->rank.lambda[i].has_low || c->rank.lambda[i].has_high;
        unknown = unknown || !c->rank.lambda[i].known;
        say_term(&text, c, i);
    }
    if (!hangs)
        nz_text_appendf(&text, " It does so whatever one of the %sweights is, the others staying.",
                        unknown ? "known " : "");
    return text.status == NZ_OK ? nz_json_string(text.data) : NULL;
}

/* ---- the document ---- */

static json_t *rival_json(const contest *c, bool has, size_t rival) {
    return has ? nz_json_string(id_of(c, rival)) : json_null();
}

static json_t *range_json(const contest *c, int term) {
    const nz_lambda_range *r = &c->rank.lambda[term];
    return json_pack("{s:s,s:b,s:o,s:o,s:o,s:o}", "term", nz_ratio_names[term], "known", r->known, "low",
                     nz_json_real(r->has_low ? r->low : NAN), "high", nz_json_real(r->has_high ? r->high : NAN),
                     "low_rival", rival_json(c, r->has_low, r->low_rival), "high_rival",
                     rival_json(c, r->has_high, r->high_rival));
}

/* "native/t1/b1" of "None/native/t1/b1"; a table's models have no variant. */
static const char *group_name(const json_t *baseline) {
    const char *id = nz_json_text_at(baseline, "id"), *name = nz_json_text_at(baseline, "name");
    size_t length = strlen(name);
    return strncmp(id, name, length) == 0 && id[length] == '/' ? id + length + 1 : "";
}

static json_t *contest_json(const contest *c, const json_t *baseline) {
    json_t *without = json_array(), *lambda = json_array(), *apart = told_apart(c);
    for (int i = 0; i < TERMS; i++) {
        if (c->partial && c->without[i]) json_array_append_new(without, json_string(nz_ratio_names[i]));
        json_array_append_new(lambda, range_json(c, i));
    }
    json_t *text = text_json(c, apart);
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "group", nz_json_string(group_name(baseline)), "winner",
                     nz_json_string(id_of(c, c->rank.winner)), "runner_up", nz_json_string(id_of(c, c->rank.runner_up)),
                     "told_apart", apart, "lambda", lambda, "without", without, "text", text);
}

nz_status nz_ocs_rank_json(json_t **ret_rank, const json_t *models) {
    NZ_AUTO_JSON json_t *list = json_array();
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *baseline = json_array_get(models, i);
        NZ_AUTO(contest_done) contest c = {0};
        if (strcmp(nz_json_text_at(baseline, "id"), nz_json_text_at(baseline, "baseline")) != 0) continue;
        NZ_TRY(enter(&c, models, baseline));
        if (c.count < 2 || !nz_ocs_rank_get(&c.rank, c.combined, c.count, c.lambda)) continue;
        if (json_array_append_new(list, contest_json(&c, baseline)))
            return nz_fail(NZ_E_MEMORY, "out of memory: the rank of models");
    }
    if (!list) return nz_fail(NZ_E_MEMORY, "out of memory: the rank of models");
    *ret_rank = NZ_STEAL(list);
    return NZ_OK;
}
