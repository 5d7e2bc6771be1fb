/* SPDX-License-Identifier: Apache-2.0 */
/* The names of classes that a module object carries: its attribute `names`, a list of texts, or texts by whole numbers. */
#include "core/error.h"
#include "core/json.h"
#include "import/state.h"
#include "import/walk.h"

enum { CLASSES_MOST = 65536, NAME_BYTES_MOST = 256 };

/* NULL where the value is no text that can stand in a list of names. */
static json_t *name_json(const nz_pickle *p, nz_pickle_ref ref) {
    const nz_pickle_value *v = nz_pickle_get(p, ref);
    if (v->kind != NZ_PICKLE_STRING || v->u.text.count > NAME_BYTES_MOST) return NULL;
    return json_stringn(v->u.text.data ? v->u.text.data : "", v->u.text.count); /* NULL: no UTF-8 */
}

static json_t *from_list(const nz_pickle *p, nz_pickle_ref list) {
    NZ_AUTO_JSON json_t *names = json_array();
    size_t count = nz_pickle_length(p, list);
    if (count > CLASSES_MOST) return NULL;
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(names, name_json(p, nz_pickle_item(p, list, i)))) return NULL;
    return NZ_STEAL(names);
}

/* Keys 0, 1, 2 ... in any order; other keys, or gaps, make no list. */
static json_t *from_mapping(const nz_pickle *p, nz_pickle_ref mapping) {
    NZ_AUTO_JSON json_t *names = json_array();
    const nz_pickle_value *v = nz_pickle_get(p, mapping);
    size_t count = v->u.list.count / 2;
    if (count > CLASSES_MOST) return NULL;
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(names, json_null())) return NULL;
    for (size_t i = 0; i < count; i++) {
        int64_t key = -1;
        json_t *name = name_json(p, v->u.list.items[2 * i + 1]);
        bool good = nz_pickle_int(p, v->u.list.items[2 * i], &key) && key >= 0 && (uint64_t)key < count &&
                    json_is_null(json_array_get(names, (size_t)key));
        if (!good) json_decref(name);
        if (!good || json_array_set_new(names, (size_t)key, name)) return NULL;
    }
    return NZ_STEAL(names);
}

json_t *nz_class_names(const nz_torch *torch, nz_pickle_ref module) {
    const nz_pickle *p = &torch->object;
    nz_pickle_ref names = nz_pickle_find(p, nz_walk_module(p, module), "names");
    NZ_AUTO_JSON json_t *list = nz_pickle_is(p, names, NZ_PICKLE_DICT) ? from_mapping(p, names) : from_list(p, names);
    return json_array_size(list) ? NZ_STEAL(list) : NULL;
}
