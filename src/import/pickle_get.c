/* SPDX-License-Identifier: Apache-2.0 */
/* Questions to a pickle that has been read. */
#include <string.h>

#include "import/pickle.h"

bool nz_pickle_text_is(const nz_pickle *pickle, nz_pickle_ref ref, const char *text) {
    const nz_pickle_value *v = nz_pickle_get(pickle, ref);
    if (v->kind != NZ_PICKLE_STRING && v->kind != NZ_PICKLE_BYTES) return false;
    return v->u.text.count == strlen(text) && memcmp(v->u.text.data, text, v->u.text.count) == 0;
}

bool nz_pickle_class_is(const nz_pickle *pickle, nz_pickle_ref ref, const char *module, const char *name) {
    const nz_pickle_value *v = nz_pickle_get(pickle, ref);
    if (v->kind == NZ_PICKLE_OBJECT) v = nz_pickle_get(pickle, v->u.object.type);
    return v->kind == NZ_PICKLE_CLASS && nz_pickle_text_is(pickle, v->u.object.args, name) &&
           (!module || nz_pickle_text_is(pickle, v->u.object.type, module));
}

nz_pickle_ref nz_pickle_find(const nz_pickle *pickle, nz_pickle_ref dict, const char *key) {
    const nz_pickle_value *v = nz_pickle_get(pickle, dict);
    if (v->kind != NZ_PICKLE_DICT) return NZ_PICKLE_NOTHING;
    for (size_t i = v->u.list.count; i >= 2; i -= 2)
        if (nz_pickle_text_is(pickle, v->u.list.items[i - 2], key)) return v->u.list.items[i - 1];
    return NZ_PICKLE_NOTHING;
}

size_t nz_pickle_length(const nz_pickle *pickle, nz_pickle_ref list) {
    const nz_pickle_value *v = nz_pickle_get(pickle, list);
    bool holds = v->kind == NZ_PICKLE_TUPLE || v->kind == NZ_PICKLE_LIST || v->kind == NZ_PICKLE_SET;
    return holds ? v->u.list.count : 0;
}

nz_pickle_ref nz_pickle_item(const nz_pickle *pickle, nz_pickle_ref list, size_t i) {
    return i < nz_pickle_length(pickle, list) ? nz_pickle_get(pickle, list)->u.list.items[i] : NZ_PICKLE_NOTHING;
}

bool nz_pickle_int(const nz_pickle *pickle, nz_pickle_ref ref, int64_t *ret_value) {
    const nz_pickle_value *v = nz_pickle_get(pickle, ref);
    if (v->kind != NZ_PICKLE_INT) return false;
    *ret_value = v->u.integer;
    return true;
}
