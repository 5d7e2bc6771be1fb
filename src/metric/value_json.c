/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/value_json.h"

#include <math.h>

const char *const nz_ratio_names[4] = {"performance", "speedup", "compression", "efficiency"};

const char *nz_source_name(nz_source source) {
    static const char *const names[] = {[NZ_UNAVAILABLE] = "unavailable",
                                        [NZ_MEASURED] = "measured",
                                        [NZ_DERIVED] = "derived",
                                        [NZ_ESTIMATED] = "estimated"};
    return (size_t)source < NZ_COUNT(names) ? names[source] : "unavailable";
}

const char *nz_better_name(nz_better better) {
    static const char *const names[] = {[NZ_HIGHER] = "higher", [NZ_LOWER] = "lower", [NZ_NEITHER] = "neither"};
    return (size_t)better < NZ_COUNT(names) ? names[better] : "neither";
}

/* Counts are exact in a double up to 2^53; beyond that a digit string would promise more than is known. */
static json_t *number(double value, bool integer) {
    if (integer && fabs(value) <= 9007199254740992.0 && value == floor(value)) return json_integer((json_int_t)value);
    return nz_json_real(value);
}

static json_t *interval(const double ci95[2]) {
    return json_pack("[o,o]", nz_json_real(ci95[0]), nz_json_real(ci95[1]));
}

json_t *nz_value_json_as(const nz_value_report *report, const char *unit, const char *category, nz_better better,
                         bool integer) {
    bool available = report->source != NZ_UNAVAILABLE && isfinite(report->value);
    NZ_AUTO_JSON json_t *json = json_object();
    int failed = 0;
    failed |= json_object_set_new(json, "value", available ? number(report->value, integer) : json_null());
    failed |= json_object_set_new(json, "unit", nz_json_string(unit));
    failed |= json_object_set_new(json, "category", nz_json_string(category));
    failed |= json_object_set_new(json, "better", json_string(nz_better_name(better)));
    failed |=
        json_object_set_new(json, "source", json_string(nz_source_name(available ? report->source : NZ_UNAVAILABLE)));
    if (report->has_n) failed |= json_object_set_new(json, "n", json_integer((json_int_t)report->n));
    if (available && report->has_ci) failed |= json_object_set_new(json, "ci95", interval(report->ci95));
    if (available && report->has_ties)
        failed |= json_object_set_new(json, "ties", json_integer((json_int_t)report->ties));
    if (!available)
        failed |=
            json_object_set_new(json, "reason", nz_json_string(*report->reason ? report->reason : "not measured"));
    return failed ? NULL : NZ_STEAL(json);
}

json_t *nz_value_json(const nz_value_report *report, const nz_metric *metric) {
    return nz_value_json_as(report, metric->unit, metric->category, metric->better, metric->integer);
}

static int set_value(json_t *json, const nz_value_report *report) {
    bool available = report->source != NZ_UNAVAILABLE && isfinite(report->value);
    int failed = json_object_set_new(json, "value", available ? nz_json_real(report->value) : json_null());
    return available ? failed : failed | json_object_set_new(json, "reason", nz_json_string(report->reason));
}

json_t *nz_ratios_json(const nz_combined *combined, const nz_combine_options *options) {
    const char *const of[4] = {options->performance, options->speedup, options->compression, options->efficiency};
    NZ_AUTO_JSON json_t *json = json_object();
    int failed = 0;
    for (int i = 0; i < 4; i++) {
        json_t *ratio = json_object();
        failed |= json_object_set_new(json, nz_ratio_names[i], ratio);
        failed |= set_value(ratio, &combined->ratio[i]);
        failed |= json_object_set_new(ratio, "of", nz_json_string(of[i]));
        if (i == 1)
            failed |= json_object_set_new(ratio, "zeta", nz_json_real(options->zeta_applies ? options->zeta : 1.0));
    }
    return failed ? NULL : NZ_STEAL(json);
}

json_t *nz_ocs_json(const nz_combined *combined, const nz_combine_options *options) {
    NZ_AUTO_JSON json_t *json = json_object();
    int failed = set_value(json, &combined->ocs);
    json_t *lambda = json_array();
    failed |= json_object_set_new(json, "lambda", lambda);
    for (int i = 0; i < 4; i++) failed |= json_array_append_new(lambda, nz_json_real(options->lambda[i]));
    if (combined->ocs.source == NZ_UNAVAILABLE && combined->partial.source != NZ_UNAVAILABLE) {
        json_t *partial = json_object(), *without = json_array();
        failed |= json_object_set_new(json, "partial", partial);
        failed |= json_object_set_new(partial, "value", nz_json_real(combined->partial.value));
        failed |= json_object_set_new(partial, "without", without);
        for (int i = 0; i < 4; i++)
            if (combined->without[i]) failed |= json_array_append_new(without, json_string(nz_ratio_names[i]));
    }
    return failed ? NULL : NZ_STEAL(json);
}
