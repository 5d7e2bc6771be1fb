/* SPDX-License-Identifier: Apache-2.0 */
/* Experiment files, as YAML. What was read is written as JSON, so that every value is looked at. */
#include "core/yaml.h"

#include "fuzz.h"

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
    return 0;
}
