/* SPDX-License-Identifier: Apache-2.0 */
/* METHOD and DATA texts: "head,key=value". */
#include "core/memory.h"
#include "core/options.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO_FREE char *text = malloc(count + 1);
    nz_fuzz_check(text);
    memcpy(text, bytes, count);
    text[count] = '\0';
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    if (nz_spec_parse(&spec, text) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !spec.head);
        return 0;
    }
    nz_fuzz_check(spec.head && strlen(spec.head) <= count);
    for (size_t i = 0; i < spec.count; i++) nz_fuzz_check(nz_spec_get(&spec, spec.pairs[i].key) == spec.pairs[i].value);
    return 0;
}
