/* SPDX-License-Identifier: Apache-2.0 */
/* A meter's log laid over times, {"times", "log" (text), "shift" (text), "quiet"}: whatever is given joules has finite ones, and
 * where the join is refused nothing has been given any. */
#include <math.h>

#include "compare/meter_join.h"
#include "core/memory.h"
#include "fuzz.h"

static void check_rounds(const json_t *times, bool joined) {
    const char *id;
    json_t *kept;
    json_object_foreach(json_object_get(times, "models"), id, kept) {
        const json_t *timing = json_object_get(kept, "timing"), *rounds = json_object_get(timing, "rounds");
        const json_t *energy = json_object_get(timing, "energy");
        if (joined && energy) nz_fuzz_check(json_number_value(json_object_get(energy, "seconds")) > 0);
        for (size_t r = 0; joined && r < json_array_size(rounds); r++) {
            const json_t *joules = json_object_get(json_array_get(rounds, r), "joules");
            nz_fuzz_check(json_is_null(joules) || isfinite(json_number_value(joules)));
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO_JSON json_t *json = json_loadb((const char *)bytes, count, 0, NULL), *about = NULL;
    NZ_AUTO(nz_meter_series_done) nz_meter_series series = {0};
    const char *log = nz_json_text_at(json, "log");
    json_t *times = json_object_get(json, "times");
    NZ_AUTO_JSON json_t *before = json_deep_copy(times);
    if (!json_is_object(times) ||
        nz_meter_series_read(&series, nz_fuzz_file((const uint8_t *)log, strlen(log)), NULL) != NZ_OK)
        return 0;
    nz_meter_join_options options = {.log = "log",
                                     .shift = json_string_value(json_object_get(json, "shift")),
                                     .ids = json_object_get(json, "ids"),
                                     .quiet = json_object_get(json, "quiet")};
    bool joined = nz_meter_join(&about, times, &series, &options) == NZ_OK;
    nz_fuzz_check(joined == (about != NULL));
    check_rounds(times, joined);
    if (!joined) nz_fuzz_check(*nz_last_error() && json_equal(times, before));
    return 0;
}
