/* SPDX-License-Identifier: Apache-2.0 */
/* Experiment files, those of the first NetZIP too: refused in one line, or described whole. No file is opened. */
#include "experiment/description.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO(nz_yaml_done) nz_yaml yaml = {0};
    NZ_AUTO(nz_description_done) nz_description d = {0};
    if (nz_yaml_parse(&yaml, (const char *)bytes, count, "fuzz.yaml") != NZ_OK) return 0;
    if (nz_first_is(&yaml) && nz_first_convert(&yaml, NULL) != NZ_OK) {
        nz_fuzz_check(*nz_last_error());
        return 0;
    }
    if (nz_description_read(&d, &yaml) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !strchr(nz_last_error(), '\n') && !d.name);
        return 0;
    }
    nz_fuzz_check(d.name && d.train_data && d.test_data && d.network_count >= 1);
    nz_fuzz_check(d.run_count <= NZ_EXPERIMENT_RUNS_MOST && !d.source.arch != !d.source.file);
    for (size_t i = 0; i < d.run_count; i++)
        nz_fuzz_check(d.runs[i].text && d.runs[i].network < d.network_count && *d.runs[i].name &&
                      !strchr(d.runs[i].name, '/'));
    return 0;
}
