/* SPDX-License-Identifier: Apache-2.0 */
/* A results document and the times beside it, {"results", "times"}: intervals computed from them are intervals, and the outcome
 * is JSON. */
#include "compare/conditions_json.h"
#include "compare/intervals.h"
#include "core/memory.h"
#include "fuzz.h"

static void check_ends(const json_t *holder) {
    const json_t *ends = json_object_get(holder, "ci95"), *value = json_object_get(holder, "value");
    const json_t *low = json_array_get(ends, 0), *high = json_array_get(ends, 1);
    if (!json_is_number(low) || !json_is_number(high) || !json_is_number(value)) return;
    nz_fuzz_check(json_number_value(low) <= json_number_value(value));
    nz_fuzz_check(json_number_value(value) <= json_number_value(high));
}

static void check_model(const json_t *model) {
    static const char *const ids[] = {"latency_ms", "throughput", "energy_j"};
    for (size_t i = 0; i < NZ_COUNT(ids); i++) {
        const json_t *metric = json_object_get(json_object_get(model, "metrics"), ids[i]);
        check_ends(metric);
        check_ends(json_object_get(metric, "ratio"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    NZ_AUTO_JSON json_t *both = json_loadb((const char *)data, size, 0, NULL), *again = NULL;
    NZ_AUTO_FREE char *text = NULL;
    json_t *results = json_object_get(both, "results");
    const json_t *times = json_object_get(both, "times");
    const char *key;
    json_t *kept;
    if (json_array_size(json_object_get(results, "models")) > 8) return 0; /* 2,000 replicates each */
    json_object_foreach(json_object_get(times, "models"), key, kept) {
        NZ_AUTO_JSON json_t *own = nz_conditions_json(json_object_get(kept, "timing"), json_object_get(kept, "batch"),
                                                      json_object_get(results, "machine"), size % 2);
        nz_fuzz_check(own != NULL);
    }
    bool read = nz_intervals_energy(results, times) == NZ_OK;
    if (nz_intervals_set(results, times) != NZ_OK || !read) return 0;
    const json_t *models = json_object_get(results, "models");
    for (size_t i = 0; i < json_array_size(models); i++) check_model(json_array_get(models, i));
    nz_fuzz_check(nz_json_text(&text, results, 0) == NZ_OK);
    again = json_loads(text, 0, NULL);
    nz_fuzz_check(again != NULL);
    return 0;
}
