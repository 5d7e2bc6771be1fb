/* SPDX-License-Identifier: Apache-2.0 */
#include "metric/combined_json.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "metric/value_json.h"

nz_value_report nz_value_from_json(const json_t *metric) {
    double value = nz_json_number_at(metric, "value");
    const char *source = nz_json_text_at(metric, "source"), *reason = nz_json_text_at(metric, "reason");
    if (isnan(value)) return nz_report_unavailable("%s", *reason ? reason : "not measured");
    nz_value_report report = nz_report_value(value, NZ_MEASURED);
    for (int s = NZ_MEASURED; s <= NZ_ESTIMATED; s++)
        if (strcmp(nz_source_name((nz_source)s), source) == 0) report.source = (nz_source)s;
    return report;
}

static nz_better better_of(const json_t *metric, const nz_metric *row) {
    const char *name = nz_json_text_at(metric, "better");
    for (int b = NZ_HIGHER; b <= NZ_NEITHER; b++)
        if (strcmp(nz_better_name((nz_better)b), name) == 0) return (nz_better)b;
    return row ? row->better : NZ_NEITHER;
}

void nz_combining_get(nz_combining *ret, const json_t *model, const json_t *baseline) {
    const json_t *ratios = json_object_get(model, "ratios"), *own = json_object_get(model, "metrics"),
                 *base = json_object_get(baseline, "metrics"),
                 *lambda = json_object_get(json_object_get(model, "ocs"), "lambda");
    nz_combining c = {.is_baseline = strcmp(nz_json_text_at(model, "id"), nz_json_text_at(model, "baseline")) == 0};
    const char **const ids[4] = {&c.options.performance, &c.options.speedup, &c.options.compression,
                                 &c.options.efficiency};
    for (size_t i = 0; i < 4; i++) {
        const char *id = nz_json_text_at(json_object_get(ratios, nz_ratio_names[i]), "of");
        const nz_metric *row = nz_metric_find(id);
        *ids[i] = id;
        c.original[i] = nz_value_from_json(json_object_get(base, id));
        c.compressed[i] = nz_value_from_json(json_object_get(own, id));
        c.options.better[i] = better_of(json_object_get(own, id), row);
        c.options.lambda[i] = json_number_value(json_array_get(lambda, i));
        if (i == 1) c.options.zeta_applies = row && row->theoretical;
    }
    double zeta = nz_json_number_at(json_object_get(ratios, "speedup"), "zeta");
    c.options.zeta = isnan(zeta) ? 1 : zeta;
    *ret = c;
}

void nz_combining_combine(nz_combined *ret, const nz_combining *combining) {
    nz_combine(ret, &combining->options, combining->original, combining->compressed, combining->is_baseline);
}

json_t *nz_model_by_id(const json_t *models, const char *id) {
    for (size_t i = 0; i < json_array_size(models); i++)
        if (strcmp(nz_json_text_at(json_array_get(models, i), "id"), id) == 0) return json_array_get(models, i);
    return NULL;
}
