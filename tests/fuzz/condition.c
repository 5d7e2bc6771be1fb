/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions of --fail-if: whatever parses can be decided, and the term that is named exists. */
#include "compare/condition.h"
#include "core/memory.h"
#include "fuzz.h"

/* Every third quantity is unavailable. */
static bool get(void *user, const nz_condition_term *term, double *ret_value) {
    nz_fuzz_check(term->id && *term->id && term->number == term->number);
    *ret_value = 1;
    return ++*(size_t *)user % 3 != 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO_FREE char *text = malloc(count + 1);
    nz_fuzz_check(text);
    memcpy(text, bytes, count);
    text[count] = '\0';
    NZ_AUTO(nz_condition_done) nz_condition condition = {0};
    if (nz_condition_parse(&condition, text) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !condition.terms);
        return 0;
    }
    size_t asked = 0, term = SIZE_MAX;
    bool held = nz_condition_holds(&condition, get, &asked, &term);
    nz_fuzz_check(asked == condition.term_count);
    nz_fuzz_check(held ? term < condition.term_count : term == SIZE_MAX);
    return 0;
}
