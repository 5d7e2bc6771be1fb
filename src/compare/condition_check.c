/* SPDX-License-Identifier: Apache-2.0 */
/* --fail-if over a results document: what a term asks about, and of which models. */
#include <math.h>
#include <string.h>

#include "compare/against.h"
#include "compare/condition.h"
#include "core/locale.h"
#include "core/text.h"
#include "netzip/metric.h"

/* One model and what it is compared with. */
typedef struct row {
    const json_t *results, *model, *base;
} row;

static const json_t *metric_of(const json_t *model, const char *id) {
    return json_object_get(json_object_get(model, "metrics"), id);
}

/* An end of the interval in an object; NaN where there is none. */
static double end_of(const json_t *object, nz_condition_end end) {
    const json_t *value = json_array_get(json_object_get(object, "ci95"), end == NZ_END_HIGH);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static double value_or_end(const json_t *object, const char *key, nz_condition_end end) {
    return end ? end_of(object, end) : nz_json_number_at(object, key);
}

static double ratio_of(const row *r, const nz_metric *metric, nz_condition_end end) {
    double mine = nz_json_number_at(metric_of(r->model, metric->id), "value"),
           base = nz_json_number_at(metric_of(r->base, metric->id), "value");
    if (end) return end_of(json_object_get(metric_of(r->model, metric->id), "ratio"), end);
    return metric->better == NZ_LOWER ? base / mine : mine / base;
}

/* drop is the baseline minus the model: its interval is that of the difference, turned round. */
static double delta_of(const row *r, const nz_metric *metric, nz_condition_end end, bool drop) {
    const json_t *own = metric_of(r->model, metric->id);
    double sign = drop ? -1 : 1;
    if (end) {
        nz_condition_end turned = end == NZ_END_LOW ? NZ_END_HIGH : NZ_END_LOW;
        return sign * end_of(json_object_get(own, "difference"), drop ? turned : end);
    }
    return sign * (nz_json_number_at(own, "value") - nz_json_number_at(metric_of(r->base, metric->id), "value"));
}

/* What is counted has no noise: both ends of its interval are the quantity. */
static bool is_exact(const nz_metric *metric) {
    return !metric->needs_timing && !metric->needs_energy && !metric->needs_process && !metric->needs_scores &&
           strcmp(metric->category, "accuracy") != 0;
}

static bool get_quantity(void *user, const nz_condition_term *term, double *ret_value) {
    const row *r = user;
    const nz_metric *metric = nz_metric_find(term->id);
    double value = NAN;
    if (!metric) return false;
    nz_condition_end end = is_exact(metric) ? NZ_END_NONE : term->end;
    switch (term->field) {
    case NZ_FIELD_VALUE: value = value_or_end(metric_of(r->model, metric->id), "value", end); break;
    case NZ_FIELD_DROP: value = delta_of(r, metric, end, true); break;
    case NZ_FIELD_DELTA: value = delta_of(r, metric, end, false); break;
    case NZ_FIELD_RATIO: value = ratio_of(r, metric, end); break;
    case NZ_FIELD_AGAINST:
        value = value_or_end(nz_against_metric(r->results, nz_json_text_at(r->model, "id"), metric->id), "ratio", end);
        break;
    }
    if (isfinite(value)) *ret_value = value;
    return isfinite(value);
}

static nz_status describe(char **ret_text, const nz_condition_term *term, row *r) {
    static const char *const operators[] = {"<", "<=", ">", ">=", "==", "!="};
    double value = 0;
    char shown[40] = "unavailable";
    if (get_quantity(r, term, &value)) nz_snprintf(shown, sizeof shown, "%.6g", value);
    return nz_format(ret_text, "%s: %s%s%s is %s, and the condition says %s %g", nz_json_text_at(r->model, "id"),
                     term->id, nz_condition_field_suffix(term->field), nz_condition_end_suffix(term->end), shown,
                     operators[term->op], term->number);
}

static const json_t *find_id(const json_t *models, const char *id) {
    for (size_t i = 0; i < json_array_size(models); i++)
        if (strcmp(nz_json_text_at(json_array_get(models, i), "id"), id) == 0) return json_array_get(models, i);
    return NULL;
}

/* Whether the models are variants of one alone. */
static bool is_alone(const json_t *models) {
    const char *first = nz_json_text_at(json_array_get(models, 0), "name");
    for (size_t i = 1; i < json_array_size(models); i++)
        if (strcmp(nz_json_text_at(json_array_get(models, i), "name"), first) != 0) return false;
    return true;
}

nz_status nz_condition_check(char **ret_held, const nz_condition *condition, const json_t *results) {
    const json_t *models = json_object_get(results, "models");
    bool alone = is_alone(models);
    *ret_held = NULL;
    for (size_t i = 0; i < json_array_size(models); i++) {
        const json_t *model = json_array_get(models, i);
        row r = {results, model, find_id(models, nz_json_text_at(model, "baseline"))};
        size_t term;
        if (r.base == model && !alone) continue;
        if (nz_condition_holds(condition, get_quantity, &r, &term))
            return describe(ret_held, &condition->terms[term], &r);
    }
    return NZ_OK;
}
