/* SPDX-License-Identifier: Apache-2.0 */
/* Results of an earlier run that are not what they should be: they are refused in one line, or every word that follows is one
 * of the known ones. The new run is the same document, or a part of it called "new". */
#include "compare/against.h"
#include "core/memory.h"
#include "fuzz.h"

static void check_word(const json_t *entry) {
    static const char *const words[] = {"better", "worse", "indistinguishable", "new", "gone"};
    const json_t *word = json_object_get(entry, "difference");
    bool known = json_is_null(word);
    for (size_t i = 0; i < NZ_COUNT(words); i++) known = known || strcmp(json_string_value(word), words[i]) == 0;
    nz_fuzz_check(known);
}

static void check_model(const json_t *model) {
    const json_t *metrics = json_object_get(model, "metrics");
    check_word(model);
    for (size_t i = 0; i < json_array_size(metrics); i++) {
        const json_t *entry = json_array_get(metrics, i), *ends = json_object_get(entry, "ci95");
        check_word(entry);
        if (ends)
            nz_fuzz_check(json_number_value(json_array_get(ends, 0)) <= json_number_value(json_array_get(ends, 1)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO_JSON json_t *old = NULL, *new = NULL;
    if (nz_against_read(&old, nz_fuzz_file(bytes, count)) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !old);
        return 0;
    }
    const json_t *part = json_object_get(old, "new");
    new = json_deep_copy(part ? part : old);
    if (!json_is_object(new)) return 0;
    nz_fuzz_check(nz_against_set(new, old, "old") == NZ_OK);
    const json_t *models = json_object_get(json_object_get(new, "against"), "models");
    for (size_t i = 0; i < json_array_size(models); i++) check_model(json_array_get(models, i));
    char *text = json_dumps(new, 0);
    nz_fuzz_check(text);
    free(text);
    return 0;
}
