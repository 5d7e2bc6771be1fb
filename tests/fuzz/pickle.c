/* SPDX-License-Identifier: Apache-2.0 */
/* Pickles: whatever is read refers to nothing outside of itself. */
#include "import/pickle.h"
#include "fuzz.h"

static unsigned touch(const char *text, size_t count) {
    unsigned sum = 0;
    for (size_t i = 0; i < count; i++) sum += (unsigned char)text[i];
    return sum;
}

static unsigned check_value(const nz_pickle *p, const nz_pickle_value *v) {
    switch (v->kind) {
    case NZ_PICKLE_LONG:
    case NZ_PICKLE_STRING:
    case NZ_PICKLE_BYTES: return touch(v->u.text.data, v->u.text.count);
    case NZ_PICKLE_TUPLE:
    case NZ_PICKLE_LIST:
    case NZ_PICKLE_SET:
    case NZ_PICKLE_DICT:
        nz_fuzz_check(v->u.list.count <= v->u.list.capacity && (v->kind != NZ_PICKLE_DICT || v->u.list.count % 2 == 0));
        for (size_t i = 0; i < v->u.list.count; i++) nz_fuzz_check(v->u.list.items[i] < p->count);
        return v->u.list.count;
    case NZ_PICKLE_CLASS:
        nz_fuzz_check(nz_pickle_is(p, v->u.object.type, NZ_PICKLE_STRING) &&
                      nz_pickle_is(p, v->u.object.args, NZ_PICKLE_STRING));
        return 0;
    case NZ_PICKLE_OBJECT:
    case NZ_PICKLE_PERSISTENT:
        nz_fuzz_check(v->u.object.type < p->count && v->u.object.args < p->count && v->u.object.state < p->count &&
                      v->u.object.list < p->count && v->u.object.dict < p->count);
        return 0;
    default: return (unsigned)v->kind;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    nz_pickle pickle = {0};
    if (nz_pickle_read(&pickle, bytes, count, "fuzz") != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !pickle.values);
        return 0;
    }
    volatile unsigned sum = 0;
    nz_fuzz_check(pickle.root < pickle.count && pickle.used <= count && pickle.values[0].kind == NZ_PICKLE_NONE);
    for (size_t i = 0; i < pickle.count; i++) sum += check_value(&pickle, &pickle.values[i]);
    sum += nz_pickle_find(&pickle, pickle.root, "state_dict");
    (void)sum;
    nz_pickle_done(&pickle);
    return 0;
}
