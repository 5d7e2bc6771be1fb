/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "compare/doctor.h"
#include "core/json.h"

json_t *nz_verdict_json(const nz_verdict *verdict) {
    static const char *const grades[] = {"ok", "limited", "unavailable"};
    json_t *json =
        json_pack("{s:s,s:o}", "verdict", grades[verdict->grade], "summary", nz_json_string(verdict->summary));
    if (*verdict->mend) json_object_set_new(json, "mend", nz_json_string(verdict->mend));
    return json;
}

static json_t *rate_json(const nz_rate *rate, const char *unit) {
    json_t *json =
        json_pack("{s:o,s:s,s:o,s:o,s:I,s:I}", "per_s", nz_json_real(rate->per_s), "unit", unit, "spread_pct",
                  nz_json_real(rate->spread_pct), "median_per_s", nz_json_real(rate->median_per_s), "count",
                  (json_int_t)rate->count, "work", (json_int_t)rate->work);
    if (*rate->how) json_object_set_new(json, "how", nz_json_string(rate->how));
    if (*rate->reason) json_object_set_new(json, "reason", nz_json_string(rate->reason));
    return json;
}

json_t *nz_peaks_ops_json(const nz_peaks *peaks) {
    static const char *const keys[NZ_PEAK_TYPES] = {"fp32", "bf16", "int8"};
    json_t *json = json_pack("{s:i,s:o,s:o,s:o}", "threads", peaks->threads, "clock_hz", nz_json_real(peaks->clock_hz),
                             "fp32_per_cycle", nz_json_real(peaks->fp32_per_cycle), "fp32_per_cycle_most",
                             nz_json_real(peaks->fp32_most));
    for (nz_peak_type type = 0; type < NZ_PEAK_TYPES; type++) {
        json_t *rate = rate_json(&peaks->ops[type], "op/s");
        json_object_set_new(rate, "emulated", json_boolean(peaks->emulated[type]));
        json_object_set_new(json, keys[type], rate);
    }
    return json;
}

json_t *nz_peaks_memory_json(const nz_peaks *peaks) {
    json_t *json = json_pack("{s:i}", "threads", peaks->threads);
    for (nz_peak_memory m = 0; m < NZ_PEAK_MEMORY; m++)
        json_object_set_new(json, nz_peak_memory_name(m), rate_json(&peaks->memory[m], "B/s"));
    return json;
}
