/* SPDX-License-Identifier: Apache-2.0 */
/* What containers hold: dictionaries, lists, objects with items or attributes, and modules. */
#include "import/walk.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"

static nz_status spend(nz_walk *walk, size_t steps) {
    walk->steps += steps;
    if (walk->steps > NZ_WALK_STEPS_MAX)
        return nz_fail(NZ_E_FORMAT, "%s: its objects hold each other so often that more than %d would have to be seen",
                       walk->torch->name, NZ_WALK_STEPS_MAX);
    return NZ_OK;
}

static nz_status add_item(nz_walk *walk, const nz_walk_item *item) {
    NZ_TRY(spend(walk, 1));
    NZ_TRY(nz_grow(&walk->items, &walk->item_capacity, walk->item_count + 1, sizeof *walk->items));
    walk->items[walk->item_count++] = *item;
    return NZ_OK;
}

/* Under a key that is text or a whole number; others name nothing. */
static nz_status add_pair(nz_walk *walk, nz_pickle_ref key, nz_pickle_ref value) {
    const nz_pickle_value *k = nz_pickle_get(&walk->torch->object, key);
    nz_walk_item item = {.value = value};
    if (k->kind == NZ_PICKLE_STRING || k->kind == NZ_PICKLE_BYTES) {
        item.key = k->u.text.data ? k->u.text.data : "";
        item.key_bytes = k->u.text.count;
    } else if (k->kind == NZ_PICKLE_INT) {
        item.index = k->u.integer;
    } else {
        return spend(walk, 1);
    }
    return add_item(walk, &item);
}

static nz_status add_dict(nz_walk *walk, nz_pickle_ref dict) {
    const nz_pickle_value *v = nz_pickle_get(&walk->torch->object, dict);
    if (v->kind != NZ_PICKLE_DICT) return NZ_OK;
    for (size_t i = 0; i + 1 < v->u.list.count; i += 2)
        NZ_TRY(add_pair(walk, v->u.list.items[i], v->u.list.items[i + 1]));
    return NZ_OK;
}

static nz_status add_list(nz_walk *walk, nz_pickle_ref list) {
    for (size_t i = 0; i < nz_pickle_length(&walk->torch->object, list); i++) {
        nz_walk_item item = {.index = (int64_t)i, .value = nz_pickle_item(&walk->torch->object, list, i)};
        NZ_TRY(add_item(walk, &item));
    }
    return NZ_OK;
}

/* Attributes are a dictionary, or a pair of which one is (the other: __slots__). */
static nz_pickle_ref attributes_of(const nz_pickle *pickle, nz_pickle_ref object) {
    if (!nz_pickle_is(pickle, object, NZ_PICKLE_OBJECT)) return NZ_PICKLE_NOTHING;
    nz_pickle_ref state = nz_pickle_get(pickle, object)->u.object.state;
    for (size_t i = 0; i < 2 && nz_pickle_is(pickle, state, NZ_PICKLE_TUPLE); i++) {
        nz_pickle_ref part = nz_pickle_item(pickle, state, i);
        if (nz_pickle_is(pickle, part, NZ_PICKLE_DICT)) return part;
    }
    return nz_pickle_is(pickle, state, NZ_PICKLE_DICT) ? state : NZ_PICKLE_NOTHING;
}

nz_pickle_ref nz_walk_module(const nz_pickle *pickle, nz_pickle_ref ref) {
    nz_pickle_ref attributes = attributes_of(pickle, ref);
    return attributes && nz_pickle_find(pickle, attributes, "_modules") ? attributes : NZ_PICKLE_NOTHING;
}

/* Ordered dictionaries of Python 2 are called with a list of pairs. */
static nz_status add_pairs(nz_walk *walk, nz_pickle_ref list) {
    const nz_pickle *p = &walk->torch->object;
    for (size_t i = 0; i < nz_pickle_length(p, list); i++) {
        nz_pickle_ref pair = nz_pickle_item(p, list, i);
        if (nz_pickle_length(p, pair) == 2)
            NZ_TRY(add_pair(walk, nz_pickle_item(p, pair, 0), nz_pickle_item(p, pair, 1)));
    }
    return NZ_OK;
}

/* A dictionary's items again, but for the names in a set. */
static nz_status drop_named(nz_walk *walk, size_t from, nz_pickle_ref names) {
    const nz_pickle *p = &walk->torch->object;
    if (nz_pickle_is(p, names, NZ_PICKLE_OBJECT)) { /* set([...]) before protocol 4 */
        nz_pickle_ref args = nz_pickle_get(p, names)->u.object.args;
        names = nz_pickle_item(p, args, 0);
    }
    size_t count = nz_pickle_length(p, names), kept = from;
    for (size_t i = from; i < walk->item_count; i++) {
        bool dropped = false;
        NZ_TRY(spend(walk, count));
        for (size_t n = 0; n < count && !dropped; n++) {
            const nz_pickle_value *name = nz_pickle_get(p, nz_pickle_item(p, names, n));
            dropped = name->kind == NZ_PICKLE_STRING && walk->items[i].key &&
                      name->u.text.count == walk->items[i].key_bytes &&
                      memcmp(name->u.text.data, walk->items[i].key, name->u.text.count) == 0;
        }
        if (!dropped) walk->items[kept++] = walk->items[i];
    }
    walk->item_count = kept;
    return NZ_OK;
}

/* Dictionaries of a module are plain or ordered ones. */
static nz_status add_mapping(nz_walk *walk, nz_pickle_ref ref) {
    const nz_pickle *p = &walk->torch->object;
    if (!nz_pickle_is(p, ref, NZ_PICKLE_OBJECT)) return add_dict(walk, ref);
    nz_pickle_ref args = nz_pickle_get(p, ref)->u.object.args;
    NZ_TRY(add_pairs(walk, nz_pickle_item(p, args, 0)));
    return add_dict(walk, nz_pickle_get(p, ref)->u.object.dict);
}

/* In the order of a state dictionary: parameters, buffers that are part of it, modules. */
static nz_status add_module(nz_walk *walk, nz_pickle_ref attributes) {
    const nz_pickle *p = &walk->torch->object;
    NZ_TRY(spend(walk, 4 * (size_t)nz_pickle_get(p, attributes)->u.list.count));
    NZ_TRY(add_mapping(walk, nz_pickle_find(p, attributes, "_parameters")));
    size_t from = walk->item_count;
    NZ_TRY(add_mapping(walk, nz_pickle_find(p, attributes, "_buffers")));
    NZ_TRY(drop_named(walk, from, nz_pickle_find(p, attributes, "_non_persistent_buffers_set")));
    return add_mapping(walk, nz_pickle_find(p, attributes, "_modules"));
}

static nz_status add_object(nz_walk *walk, nz_pickle_ref ref) {
    const nz_pickle *p = &walk->torch->object;
    nz_pickle_ref attributes = attributes_of(p, ref);
    NZ_TRY(spend(walk, attributes ? nz_pickle_get(p, attributes)->u.list.count : 1));
    if (nz_walk_module(p, ref)) return add_module(walk, attributes);
    size_t before = walk->item_count;
    if (nz_pickle_class_is(p, ref, NULL, "OrderedDict") || nz_pickle_get(p, ref)->u.object.dict)
        NZ_TRY(add_mapping(walk, ref));
    NZ_TRY(add_list(walk, nz_pickle_get(p, ref)->u.object.list));
    return walk->item_count == before ? add_dict(walk, attributes) : NZ_OK;
}

nz_status nz_walk_enter(nz_walk *walk, bool *ret_entered, nz_pickle_ref container) {
    nz_walk_frame frame = {.container = container, .begin = walk->item_count, .next = walk->item_count};
    nz_pickle_kind kind = nz_pickle_get(&walk->torch->object, container)->kind;
    if (kind == NZ_PICKLE_OBJECT)
        NZ_TRY(add_object(walk, container));
    else if (kind == NZ_PICKLE_DICT)
        NZ_TRY(add_dict(walk, container));
    else
        NZ_TRY(add_list(walk, container));
    frame.end = walk->item_count;
    *ret_entered = frame.end > frame.begin;
    if (!*ret_entered) return NZ_OK;
    NZ_TRY(nz_grow(&walk->frames, &walk->frame_capacity, walk->depth + 1, sizeof *walk->frames));
    walk->frames[walk->depth++] = frame;
    return NZ_OK;
}

void nz_walk_leave(nz_walk *walk) { walk->item_count = walk->frames[--walk->depth].begin; }

void nz_walk_reset(nz_walk *walk) { walk->item_count = walk->depth = 0; }

void nz_walk_done(nz_walk *walk) {
    free(walk->items);
    free(walk->frames);
    *walk = (nz_walk){0};
}
