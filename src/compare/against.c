/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/against.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "netzip/blocks.h"
#include "netzip/metric.h"

#define SCHEMA "netzip.results/1"
enum { MODELS_MOST = 10000 };

/* ---- reading ---- */

static nz_status check_model(const json_t *model, size_t i, const char *path) {
    if (*nz_json_text_at(model, "id") && *nz_json_text_at(model, "name") &&
        json_is_object(json_object_get(model, "variant")) && json_is_object(json_object_get(model, "metrics")))
        return NZ_OK;
    return nz_fail(NZ_E_FORMAT,
                   "--against %s: models[%zu] lacks its id, name, variant or metrics; these are no results", path, i);
}

static nz_status check_results(const json_t *old, const char *path) {
    const char *schema = nz_json_text_at(old, "schema");
    const json_t *models = json_object_get(old, "models");
    if (strcmp(schema, SCHEMA) != 0)
        return nz_fail(NZ_E_FORMAT, "--against %s: %s%.60s%s, where %s is wanted: results.json of netzip compare", path,
                       *schema ? "its schema is '" : "it names no schema", schema, *schema ? "'" : "", SCHEMA);
    if (!json_is_array(models)) return nz_fail(NZ_E_FORMAT, "--against %s: 'models' is missing or no list", path);
    if (json_array_size(models) > MODELS_MOST)
        return nz_fail(NZ_E_FORMAT, "--against %s: more than %d models", path, MODELS_MOST);
    for (size_t i = 0; i < json_array_size(models); i++) NZ_TRY(check_model(json_array_get(models, i), i, path));
    return NZ_OK;
}

nz_status nz_against_read(json_t **ret_old, const char *path) {
    NZ_AUTO_FREE char *file = NULL;
    NZ_AUTO_JSON json_t *old = NULL;
    NZ_TRY(nz_dir_exists(path) ? nz_path_join(&file, path, "results.json") : nz_strdup(&file, path));
    nz_status status = nz_json_read(&old, file);
    if (status != NZ_OK) return nz_fail_context(status, "--against");
    NZ_TRY(check_results(old, file));
    *ret_old = NZ_STEAL(old);
    return NZ_OK;
}

/* ---- two runs ---- */

/* One of them: the document and one of its models. */
typedef struct side {
    const json_t *results, *model, *base;
} side;
typedef struct pair {
    side old, new;
    bool same_data, same_base;
    double noise; /* least half width of a ratio's logarithm */
} pair;

static const char *text_of_variant(const json_t *model, const char *key) {
    return nz_json_text_at(json_object_get(model, "variant"), key);
}

static json_int_t number_of_variant(const json_t *model, const char *key) {
    return json_integer_value(json_object_get(json_object_get(model, "variant"), key));
}

/* "/s3" of an id: a seed of the model's own; "" where it has none. The seed of a run is no part of what a model is. */
static void own_seed(char seed[32], const json_t *model) {
    const char *slash = strrchr(nz_json_text_at(model, "id"), '/');
    size_t digits = slash && slash[1] == 's' ? strspn(slash + 2, "0123456789") : 0;
    seed[0] = '\0';
    if (digits && digits < 30 && (!slash[2 + digits] || slash[2 + digits] == '@')) {
        memcpy(seed, slash + 1, digits + 1);
        seed[digits + 1] = '\0';
    }
}

static bool same_but_host(const json_t *a, const json_t *b) {
    char seeds[2][32];
    own_seed(seeds[0], a);
    own_seed(seeds[1], b);
    return strcmp(nz_json_text_at(a, "name"), nz_json_text_at(b, "name")) == 0 &&
           strcmp(text_of_variant(a, "runtime"), text_of_variant(b, "runtime")) == 0 &&
           number_of_variant(a, "threads") == number_of_variant(b, "threads") &&
           number_of_variant(a, "batch") == number_of_variant(b, "batch") && strcmp(seeds[0], seeds[1]) == 0;
}

static bool same_host(const json_t *a, const json_t *b) {
    return strcmp(text_of_variant(a, "host"), text_of_variant(b, "host")) == 0;
}

/* A model that failed counts as one that its run does not have. */
static bool is_ok(const json_t *model) { return strcmp(nz_json_text_at(model, "status"), "ok") == 0; }

/* How many models of `all` differ from `model` in their host alone, itself among them. */
static size_t count_like(const json_t *all, const json_t *model) {
    size_t count = 0;
    for (size_t i = 0; i < json_array_size(all); i++) count += same_but_host(json_array_get(all, i), model);
    return count;
}

/* The model of `others` that `model` (of `own`) is; on another host only where there is no choice in either run. */
static const json_t *match(const json_t *others, const json_t *own, const json_t *model) {
    const json_t *elsewhere = NULL;
    for (size_t i = 0; i < json_array_size(others); i++) {
        const json_t *other = json_array_get(others, i);
        if (!is_ok(other) || !same_but_host(other, model)) continue;
        if (same_host(other, model)) return other;
        elsewhere = other;
    }
    return elsewhere && count_like(others, model) == 1 && count_like(own, model) == 1 ? elsewhere : NULL;
}

static const json_t *find_id(const json_t *models, const char *id) {
    for (size_t i = 0; i < json_array_size(models); i++)
        if (strcmp(nz_json_text_at(json_array_get(models, i), "id"), id) == 0) return json_array_get(models, i);
    return NULL;
}

static bool same_file(const json_t *a, const json_t *b) {
    const char *hash = nz_json_text_at(a, "sha256");
    return *hash && strcmp(hash, nz_json_text_at(b, "sha256")) == 0 &&
           strcmp(nz_json_text_at(a, "weights_sha256"), nz_json_text_at(b, "weights_sha256")) == 0;
}

static const char *fingerprint_of(const json_t *results) {
    return nz_json_text_at(json_object_get(json_object_get(results, "run"), "data"), "fingerprint");
}

/* Half of what a fixed piece of work scatters by there, relative; 0 where the document does not tell. */
static double noise_of(const side *s) {
    const json_t *machines = json_object_get(s->results, "machines"), *found = json_array_get(machines, 0);
    for (size_t i = 0; i < json_array_size(machines); i++)
        if (strcmp(nz_json_text_at(json_array_get(machines, i), "host"), text_of_variant(s->model, "host")) == 0)
            found = json_array_get(machines, i);
    double spread = nz_json_number_at(json_object_get(found, "noise"), "spread_pct");
    return spread > 0 ? spread / 200 : 0;
}

static pair pair_of(const json_t *results, const json_t *model, const json_t *old, const json_t *old_model) {
    const json_t *models = json_object_get(results, "models"), *old_models = json_object_get(old, "models");
    pair p = {.new = {results, model, find_id(models, nz_json_text_at(model, "baseline"))},
              .old = {old, old_model, find_id(old_models, nz_json_text_at(old_model, "baseline"))}};
    double noise[2] = {noise_of(&p.old), noise_of(&p.new)};
    p.noise = hypot(log1p(noise[0]), log1p(noise[1]));
    p.same_data = strcmp(fingerprint_of(results), fingerprint_of(old)) == 0;
    p.same_base = p.new.base &&p.old.base &&p.new.base != model &&p.old.base != old_model &&is_ok(p.new.base) &&
                  is_ok(p.old.base) &&
                  match(old_models, models, p.new.base) == p.old.base &&same_file(p.new.base, p.old.base);
    return p;
}

/* ---- one metric ---- */

/* A value with an interval around it; without one `has_ci` is false. */
typedef struct quantity {
    double value, ci95[2];
    bool has_ci;
} quantity;

static quantity quantity_of(const json_t *object) {
    const json_t *ends = json_object_get(object, "ci95");
    quantity q = {.value = nz_json_number_at(object, "value"),
                  .ci95 = {json_number_value(json_array_get(ends, 0)), json_number_value(json_array_get(ends, 1))}};
    q.has_ci = json_is_number(json_array_get(ends, 0)) && json_is_number(json_array_get(ends, 1)) &&
               q.ci95[0] <= q.value && q.value <= q.ci95[1];
    return q;
}

/* top / bottom with the interval that follows from two independent ones, at least exp(least) wide on each side. */
static bool quotient(quantity *ret, const quantity *top, const quantity *bottom, double least) {
    if (!(top->value > 0 && bottom->value > 0)) return false;
    *ret = (quantity){.value = top->value / bottom->value};
    if (!isfinite(ret->value) || !(ret->value > 0)) return false;
    if (!top->has_ci || !bottom->has_ci || !(top->ci95[0] > 0 && bottom->ci95[0] > 0)) return true;
    double centre = log(ret->value);
    double down = hypot(log(top->value / top->ci95[0]), log(bottom->ci95[1] / bottom->value));
    double up = hypot(log(top->ci95[1] / top->value), log(bottom->value / bottom->ci95[0]));
    ret->ci95[0] = exp(centre - fmax(down, least));
    ret->ci95[1] = exp(centre + fmax(up, least));
    ret->has_ci = isfinite(ret->ci95[0]) && isfinite(ret->ci95[1]);
    return true;
}

static quantity improvement(nz_better better, const quantity *old, const quantity *new, double least) {
    quantity q;
    bool known = better == NZ_LOWER ? quotient(&q, old, new, least) : quotient(&q, new, old, least);
    return known ? q : (quantity){.value = NAN};
}

static int set_interval(json_t *object, const quantity *q) {
    if (!q->has_ci) return 0;
    return json_object_set_new(object, "ci95", json_pack("[o,o]", nz_json_real(q->ci95[0]), nz_json_real(q->ci95[1])));
}

static int set_word(json_t *object, const char *word) {
    return json_object_set_new(object, "difference", word ? json_string(word) : json_null());
}

static int set_reason(json_t *object, const char *reason) {
    return set_word(object, NULL) | json_object_set_new(object, "reason", json_string(reason));
}

static const char *word_of(const quantity *ratio) { return nz_difference_name(nz_ratio_difference(ratio->ci95)); }

static int set_ratio(json_t *object, const quantity *ratio) {
    return json_object_set_new(object, "ratio", nz_json_real(ratio->value)) | set_interval(object, ratio);
}

/* Accuracies: the difference of two proportions from their own intervals, in the metric's unit. */
static int set_difference(json_t *object, nz_better better, const quantity *old, const quantity *new) {
    double sign = better == NZ_LOWER ? -1 : 1, d = new->value - old->value;
    quantity points = {.value = d, .has_ci = true};
    points.ci95[0] = d - hypot(new->value - new->ci95[0], old->ci95[1] - old->value);
    points.ci95[1] = d + hypot(new->ci95[1] - new->value, old->value - old->ci95[0]);
    json_t *change = json_pack("{s:o}", "value", nz_json_real(d));
    int failed = set_interval(change, &points) | json_object_set_new(object, "points", change);
    bool chance = points.ci95[0] <= 0 && points.ci95[1] >= 0;
    return failed | set_word(object, nz_difference_name(chance         ? NZ_INDISTINGUISHABLE
                                                        : sign * d > 0 ? NZ_BETTER
                                                                       : NZ_WORSE));
}

static int set_by(json_t *object, const char *by) { return json_object_set_new(object, "by", json_string(by)); }

/* Relative to a baseline that is the same file in both runs: whether both runs tell that. */
static bool relative(quantity *ret, const pair *p, const char *id) {
    if (!p->same_base) return false;
    const json_t *of_new = json_object_get(json_object_get(json_object_get(p->new.model, "metrics"), id), "ratio"),
                 *of_old = json_object_get(json_object_get(json_object_get(p->old.model, "metrics"), id), "ratio");
    quantity new = quantity_of(of_new), old = quantity_of(of_old);
    return new.has_ci &&old.has_ci &&quotient(ret, &new, &old, 0) && ret->has_ci;
}

static int set_timed(json_t *entry, const pair *p, const nz_metric *metric, const quantity *old, const quantity *new) {
    quantity plain = improvement(metric->better, old, new, p->noise), rated;
    if (!relative(&rated, p, metric->id)) {
        int failed = set_ratio(entry, &plain);
        if (!plain.has_ci) return failed | set_reason(entry, "one of the runs has no interval");
        return failed | set_by(entry, "intervals") | set_word(entry, word_of(&plain));
    }
    json_t *beside = json_object();
    int failed = set_ratio(entry, &rated) | set_by(entry, "baseline") | set_word(entry, word_of(&rated));
    failed |= set_ratio(beside, &plain);
    if (plain.has_ci) failed |= set_word(beside, word_of(&plain));
    return failed | json_object_set_new(entry, "plain", beside);
}

static int set_count(json_t *entry, nz_better better, const quantity *old, const quantity *new) {
    bool more = new->value > old->value;
    int failed = set_by(entry, "count");
    if (new->value == old->value) return failed | set_word(entry, nz_difference_name(NZ_INDISTINGUISHABLE));
    if (better == NZ_NEITHER) return failed | set_reason(entry, "neither direction is better");
    return failed | set_word(entry, nz_difference_name(more == (better == NZ_HIGHER) ? NZ_BETTER : NZ_WORSE));
}

static int set_accuracy(json_t *entry, const pair *p, const nz_metric *metric, const quantity *old,
                        const quantity *new) {
    if (!p->same_data) return set_reason(entry, "measured on other data");
    if (old->has_ci && new->has_ci)
        return set_by(entry, "difference") | set_difference(entry, metric->better, old, new);
    if (old->value == new->value) return set_count(entry, metric->better, old, new);
    return set_reason(entry, "it has no interval");
}

static json_t *metric_json(const pair *p, const nz_metric *metric, const json_t *old_value, const json_t *new_value) {
    quantity old = quantity_of(old_value), new = quantity_of(new_value);
    json_t *entry = json_pack("{s:s,s:s,s:O,s:O}", "id", metric->id, "unit", metric->unit, "old",
                              json_object_get(old_value, "value"), "new", json_object_get(new_value, "value"));
    bool accuracy = strcmp(metric->category, "accuracy") == 0;
    bool timed = metric->needs_timing || metric->needs_energy || metric->needs_process;
    int failed = !entry;
    if (!timed) {
        quantity plain = improvement(metric->better, &old, &new, 0);
        if (!accuracy || !p->same_data) plain.has_ci = false;
        failed |= set_ratio(entry, &plain);
    }
    failed |= accuracy ? set_accuracy(entry, p, metric, &old, &new)
              : timed  ? set_timed(entry, p, metric, &old, &new)
                       : set_count(entry, metric->better, &old, &new);
    if (!failed) return entry;
    json_decref(entry);
    return NULL;
}

static json_t *one_sided(const nz_metric *metric, const json_t *old_value, const json_t *new_value, const char *word) {
    return json_pack("{s:s,s:s,s:o,s:o,s:n,s:s}", "id", metric->id, "unit", metric->unit, "old",
                     nz_json_real(nz_json_number_at(old_value, "value")), "new",
                     nz_json_real(nz_json_number_at(new_value, "value")), "ratio", "difference", word);
}

/* ---- one model ---- */

static bool has_value(const json_t *value) { return !isnan(nz_json_number_at(value, "value")); }

static json_t *metrics_json(const pair *p) {
    json_t *new_metrics = json_object_get(p->new.model, "metrics"),
           *old_metrics = json_object_get(p->old.model, "metrics");
    NZ_AUTO_JSON json_t *list = json_array();
    const char *id;
    json_t *value;
    json_object_foreach(new_metrics, id, value) {
        const nz_metric *metric = nz_metric_find(id);
        const json_t *before = json_object_get(old_metrics, id);
        if (!metric || (!has_value(value) && !has_value(before))) continue;
        json_t *entry = !has_value(before)  ? one_sided(metric, before, value, "new")
                        : !has_value(value) ? one_sided(metric, before, value, "gone")
                                            : metric_json(p, metric, before, value);
        if (json_array_append_new(list, entry)) return NULL;
    }
    json_object_foreach(old_metrics, id, value) {
        const nz_metric *metric = nz_metric_find(id);
        if (!metric || json_object_get(new_metrics, id) || !has_value(value)) continue;
        if (json_array_append_new(list, one_sided(metric, value, NULL, "gone"))) return NULL;
    }
    return NZ_STEAL(list);
}

static int add_text(json_t *list, const char *text) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (strcmp(json_string_value(json_array_get(list, i)), text) == 0) return 0;
    return json_array_append_new(list, nz_json_string(text));
}

/* What differs between the two beside their figures. */
static int add_notes(json_t *notes, const pair *p) {
    int failed = 0;
    bool itself = p->new.base == p->new.model;
    if (!same_host(p->new.model, p->old.model)) failed |= add_text(notes, "measured on another machine");
    if (!p->same_data) failed |= add_text(notes, "measured on other data");
    if (!same_file(p->new.model, p->old.model)) failed |= add_text(notes, "the model's file is another one");
    if (!itself && !p->same_base) failed |= add_text(notes, "its baseline is another one");
    return failed;
}

/* The word of a whole model: worse where anything is, else better where anything is. */
static const char *model_word(const json_t *metrics) {
    bool better = false;
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const char *word = nz_json_text_at(json_array_get(metrics, i), "difference");
        if (strcmp(word, nz_difference_name(NZ_WORSE)) == 0) return nz_difference_name(NZ_WORSE);
        better = better || strcmp(word, nz_difference_name(NZ_BETTER)) == 0;
    }
    return nz_difference_name(better ? NZ_BETTER : NZ_INDISTINGUISHABLE);
}

static json_t *id_json(const json_t *model) { return nz_json_string(nz_json_text_at(model, "id")); }

static json_t *matched_json(const pair *p) {
    json_t *metrics = metrics_json(p), *notes = json_array();
    json_t *json = metrics && notes ? json_pack("{s:o,s:o,s:s,s:o,s:o}", "id", id_json(p->new.model), "old_id",
                                                id_json(p->old.model), "difference", model_word(metrics), "notes",
                                                notes, "metrics", metrics)
                                    : NULL;
    if (!json) return NULL;
    if (add_notes(notes, p) == 0) return json;
    json_decref(json);
    return NULL;
}

/* A model that one run alone has. */
static json_t *lone_json(const json_t *model, const char *word) {
    return json_pack("{s:o,s:s,s:[],s:[]}", "id", id_json(model), "difference", word, "notes", "metrics");
}

/* ---- the whole ---- */

static bool any_by(const json_t *models, const char *by) {
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *metrics = json_object_get(json_array_get(models, i), "metrics");
        for (size_t m = 0; m < json_array_size(metrics); m++)
            if (strcmp(nz_json_text_at(json_array_get(metrics, m), "by"), by) == 0) return true;
    }
    return false;
}

static int add_texts(json_t *text, const json_t *results, const json_t *old, const json_t *models) {
    const json_t *run = json_object_get(results, "run"), *old_run = json_object_get(old, "run");
    int failed = 0;
    if (strcmp(nz_json_text_at(run, "version"), nz_json_text_at(old_run, "version")) != 0)
        failed |= add_text(text, "the earlier run was made by another version of netzip");
    if (any_by(models, "baseline"))
        failed |=
            add_text(text, "times and energies of compressed models are judged relative to the baseline, whose file "
                           "is the same in both runs: what the machine does to all models cancels, and so does "
                           "what a new version does to all of them");
    if (any_by(models, "intervals"))
        failed |= add_text(text, "times and energies that are judged by themselves hold for the hours of the two runs: "
                                 "drift of the machine between them is not cancelled; no interval is narrower than the "
                                 "noise floors of both");
    if (!json_array_size(json_object_get(old, "machines")) && any_by(models, "intervals"))
        failed |= add_text(text, "the earlier run does not tell its noise floor");
    return failed;
}

static int add_models(json_t *list, const json_t *results, const json_t *old) {
    const json_t *models = json_object_get(results, "models"), *old_models = json_object_get(old, "models");
    int failed = 0;
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i), *before = match(old_models, models, model);
        if (!is_ok(model)) continue;
        pair p = before ? pair_of(results, model, old, before) : (pair){.noise = 0};
        failed |= json_array_append_new(list, before ? matched_json(&p) : lone_json(model, "new"));
    }
    for (size_t i = 0; i < json_array_size(old_models); i++) {
        const json_t *before = json_array_get(old_models, i);
        if (is_ok(before) && !match(models, old_models, before))
            failed |= json_array_append_new(list, lone_json(before, "gone"));
    }
    return failed;
}

nz_status nz_against_set(json_t *results, const json_t *old, const char *path) {
    const json_t *run = json_object_get(old, "run");
    json_t *models = json_array(), *text = json_array();
    NZ_AUTO_JSON json_t *against =
        json_pack("{s:o,s:o,s:o,s:o,s:o}", "path", nz_json_string(path), "started",
                  nz_json_string(nz_json_text_at(run, "started")), "version",
                  nz_json_string(nz_json_text_at(run, "version")), "models", models, "text", text);
    if (!against || add_models(models, results, old) || add_texts(text, results, old, models) ||
        json_object_set(results, "against", against))
        return nz_fail(NZ_E_MEMORY, "out of memory: the comparison with an earlier run");
    return NZ_OK;
}

const json_t *nz_against_metric(const json_t *results, const char *model_id, const char *metric_id) {
    const json_t *model = find_id(json_object_get(json_object_get(results, "against"), "models"), model_id);
    const json_t *metrics = json_object_get(model, "metrics");
    return find_id(metrics, metric_id);
}
