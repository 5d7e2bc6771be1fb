/* SPDX-License-Identifier: Apache-2.0 */
/* Experiment files, as YAML. What was read is written as JSON, so that every value is looked at, and every value has a place
 * within the file. */
#include "core/yaml.h"

#include "fuzz.h"

enum { VALUES_MOST = 300 }; /* a place is looked for among all */

static void check_place(const nz_yaml *yaml, const json_t *container, const char *key, size_t index, size_t lines) {
    size_t line = 0, column = 0;
    nz_fuzz_check(nz_yaml_where(yaml, container, key, index, &line, &column) && line >= 1 && line <= lines &&
                  column >= 1);
}

static size_t check_places(const nz_yaml *yaml, json_t *container, size_t lines, size_t seen) {
    const char *key;
    json_t *value;
    size_t index;
    json_object_foreach(container, key, value) {
        if (++seen > VALUES_MOST) return seen;
        check_place(yaml, container, key, 0, lines);
        seen = check_places(yaml, value, lines, seen);
    }
    json_array_foreach(container, index, value) {
        if (++seen > VALUES_MOST) return seen;
        check_place(yaml, container, NULL, index, lines);
        seen = check_places(yaml, value, lines, seen);
    }
    return seen;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO(nz_yaml_done) nz_yaml yaml = {0};
    NZ_AUTO_FREE char *json = NULL;
    if (nz_yaml_parse(&yaml, (const char *)bytes, count, "fuzz.yaml") != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !yaml.root && !yaml.marks);
        return 0;
    }
    size_t line, column;
    nz_fuzz_check(yaml.root && nz_json_text(&json, yaml.root, 0) == NZ_OK);
    nz_fuzz_check(json_is_null(yaml.root) || nz_yaml_where(&yaml, NULL, NULL, 0, &line, &column));
    check_places(&yaml, yaml.root, count + 1, 0); /* every byte may end a line */
    return 0;
}
