/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the state dictionary in a checkpoint, and giving its tensors dotted names. */
#include "import/state.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "import/walk.h"

enum { DEPTH_MAX = 100, LEVELS_MAX = 16, NAME_BYTES_MAX = 1024, ENTRIES_MAX = 1 << 17 };

/* In the order in which they are preferred; averages come first, because they are what is meant to be used. */
static const char *const usual_keys[] = {
    "ema",   "model_ema", "ema_model", "state_dict_ema", "ema_state_dict", "state_dict", "model_state_dict",
    "model", "net",       "network",   "weights",        "params",         "module",
};
enum { AVERAGES = 5 };

void nz_state_done(nz_state *state) {
    for (size_t i = 0; i < state->count; i++) free(state->entries[i].name);
    free(state->entries);
    free(state->found);
    json_decref(state->class_names);
    *state = (nz_state){0};
}

static void walk_done(nz_walk *walk) { nz_walk_done(walk); }

/* What an optimiser keeps looks like parameters, and there is more of it. */
static bool is_optimiser(const nz_walk_item *item) {
    return item->key && item->key_bytes >= 5 && memcmp(item->key, "optim", 5) == 0;
}

static bool on_the_way(const nz_walk *walk, nz_pickle_ref ref) {
    for (size_t i = 0; i < walk->depth; i++)
        if (walk->frames[i].container == ref) return true;
    return false;
}

static void put_key(nz_text *name, const nz_walk_item *item) {
    if (name->length) nz_text_append(name, ".");
    if (item->key)
        nz_text_append_bytes(name, item->key, item->key_bytes);
    else
        nz_text_appendf(name, "%lld", (long long)item->index);
}

static void cut(nz_text *text, size_t length) {
    text->length = length;
    if (text->data) text->data[length] = '\0';
}

static nz_status bad_name(const nz_torch *torch) {
    return nz_fail(NZ_E_FORMAT, "%s: a tensor's name is empty, longer than %d bytes, or has a zero byte in it",
                   torch->name, NAME_BYTES_MAX);
}

static nz_status add_entry(nz_state *state, const nz_torch *torch, const nz_text *name, nz_pickle_ref tensor) {
    NZ_TRY(name->status);
    if (!name->length || strlen(name->data) != name->length) return bad_name(torch);
    if (state->count >= ENTRIES_MAX)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: more than %d tensors", torch->name, ENTRIES_MAX);
    NZ_TRY(nz_grow(&state->entries, &state->capacity, state->count + 1, sizeof *state->entries));
    NZ_TRY(nz_strdup(&state->entries[state->count].name, name->data));
    state->entries[state->count++].tensor = tensor;
    return NZ_OK;
}

/* Goes through all that `root` holds, however often it is shared. Counts tensors, and lists them where `state` is given. */
static nz_status flatten(nz_walk *walk, size_t *ret_count, nz_state *state, nz_pickle_ref root) {
    NZ_AUTO(nz_text_done) nz_text name = {0};
    bool entered = false;
    size_t count = 0;
    nz_walk_reset(walk);
    NZ_TRY(nz_walk_enter(walk, &entered, root));
    for (nz_walk_frame *frame; (frame = nz_walk_top(walk));) {
        size_t length = frame->name_length;
        const nz_walk_item *item = nz_walk_next(walk);
        if (!item) {
            nz_walk_leave(walk);
            continue;
        }
        nz_pickle_ref value = item->value;
        bool too_long = length + item->key_bytes > NAME_BYTES_MAX;
        cut(&name, length);
        if (state && !too_long) put_key(&name, item);
        if (nz_torch_is_tensor(walk->torch, value)) {
            count++;
            if (state) NZ_TRY(too_long ? bad_name(walk->torch) : add_entry(state, walk->torch, &name, value));
        } else if (walk->depth < DEPTH_MAX && !too_long && !is_optimiser(item) && !on_the_way(walk, value)) {
            NZ_TRY(nz_walk_enter(walk, &entered, value));
            if (entered) nz_walk_top(walk)->name_length = name.length;
        }
    }
    *ret_count = count;
    return name.status;
}

/* The value under a key of a dictionary-like container; with its tensors where `ret_tensors` is given. */
static nz_status look_into(nz_walk *walk, nz_pickle_ref container, const char *key, nz_pickle_ref *ret_value,
                           size_t *ret_tensors) {
    bool entered = false;
    nz_pickle_ref value = NZ_PICKLE_NOTHING;
    size_t tensors = 0;
    nz_walk_reset(walk);
    NZ_TRY(nz_walk_enter(walk, &entered, container));
    for (const nz_walk_item *item; entered && (item = nz_walk_next(walk));) {
        bool is_tensor = nz_torch_is_tensor(walk->torch, item->value);
        tensors += is_tensor;
        if (key && !is_tensor && item->key && item->key_bytes == strlen(key) &&
            memcmp(item->key, key, item->key_bytes) == 0)
            value = item->value;
    }
    if (ret_value) *ret_value = value;
    if (ret_tensors) *ret_tensors = tensors;
    return NZ_OK;
}

/* The usual key to go into from here: the first whose tensors are at least as many as lie here directly, and half as many as
 * the largest has. NULL where there is none. */
static nz_status choose_key(nz_walk *walk, nz_pickle_ref from, const char **ret_key, nz_pickle_ref *ret_value,
                            bool *ret_over_model) {
    nz_pickle_ref values[NZ_COUNT(usual_keys)] = {0};
    size_t tensors[NZ_COUNT(usual_keys)] = {0}, direct = 0, most = 0;
    NZ_TRY(look_into(walk, from, NULL, NULL, &direct));
    for (size_t i = 0; i < NZ_COUNT(usual_keys); i++) {
        NZ_TRY(look_into(walk, from, usual_keys[i], &values[i], NULL));
        if (values[i]) NZ_TRY(flatten(walk, &tensors[i], NULL, values[i]));
        if (tensors[i] > most) most = tensors[i];
    }
    *ret_key = NULL;
    for (size_t i = 0; i < NZ_COUNT(usual_keys) && !*ret_key; i++) {
        if (!tensors[i] || tensors[i] < direct || tensors[i] < most - most / 2) continue;
        *ret_key = usual_keys[i];
        *ret_value = values[i];
        for (size_t k = AVERAGES; i < AVERAGES && k < NZ_COUNT(usual_keys); k++)
            *ret_over_model = *ret_over_model || tensors[k];
    }
    return NZ_OK;
}

/* The container with the most tensors directly in it, modules counted whole, each container seen once. */
static nz_status search(nz_walk *walk, nz_pickle_ref root, nz_pickle_ref *ret_best, size_t *ret_tensors) {
    NZ_AUTO(walk_done) nz_walk inner = {.torch = walk->torch};
    NZ_AUTO_FREE uint8_t *seen = NULL;
    bool entered = false;
    *ret_best = NZ_PICKLE_NOTHING;
    *ret_tensors = 0;
    NZ_TRY(nz_alloc(&seen, walk->torch->object.count, 1));
    nz_walk_reset(walk);
    NZ_TRY(nz_walk_enter(walk, &entered, root));
    seen[root] = 1;
    for (nz_walk_frame *frame; (frame = nz_walk_top(walk));) {
        const nz_walk_item *item = nz_walk_next(walk);
        size_t tensors = frame->tensors;
        nz_pickle_ref place = frame->container;
        if (!item) {
            nz_walk_leave(walk);
        } else if (nz_torch_is_tensor(walk->torch, item->value)) {
            tensors = ++frame->tensors;
        } else if (!seen[item->value] && !is_optimiser(item)) {
            nz_pickle_ref value = item->value;
            seen[value] = 1;
            if (nz_walk_module(&walk->torch->object, value)) {
                inner.steps = walk->steps;
                NZ_TRY(flatten(&inner, &tensors, NULL, value));
                walk->steps = inner.steps;
                place = value;
            } else {
                NZ_TRY(nz_walk_enter(walk, &entered, value));
            }
        }
        if (tensors > *ret_tensors) {
            *ret_tensors = tensors;
            *ret_best = place;
        }
    }
    return NZ_OK;
}

/* What stands for a class outside of the pickle. */
static nz_pickle_ref type_args(const nz_pickle *p, nz_pickle_ref object) {
    return nz_pickle_get(p, nz_pickle_get(p, object)->u.object.type)->u.object.args;
}

static void put_class(nz_text *text, const nz_pickle *p, nz_pickle_ref module) {
    const nz_pickle_value *v = nz_pickle_get(p, nz_pickle_get(p, module)->u.object.type);
    if (v->kind == NZ_PICKLE_PERSISTENT) /* streams: ('module', class, file, source text); tar: without 'module' */
        for (size_t i = 2; i-- > 0 && v->kind != NZ_PICKLE_CLASS;)
            v = nz_pickle_get(p, nz_pickle_item(p, type_args(p, module), i));
    nz_text_append(text, "a module object");
    if (v->kind != NZ_PICKLE_CLASS) return;
    const nz_pickle_value *name = nz_pickle_get(p, v->u.object.args);
    nz_text_append(text, " of class ");
    nz_text_append_bytes(text, name->u.text.data, name->u.text.count < 100 ? name->u.text.count : 100);
}

/* Where the state dictionary lies, and how that is told. */
static nz_status locate(nz_walk *walk, nz_pickle_ref *ret_place, nz_text *found) {
    const nz_pickle *p = &walk->torch->object;
    nz_pickle_ref place = p->root;
    size_t direct = 0, all = 0, most = 0;
    bool over_model = false;
    const char *key = "";
    NZ_AUTO(nz_text_done) nz_text path = {0};
    for (int level = 0; level < LEVELS_MAX && key && !nz_walk_module(p, place); level++) {
        NZ_TRY(choose_key(walk, place, &key, &place, &over_model));
        if (key) nz_text_appendf(&path, "%s%s", path.length ? "." : "", key);
    }
    if (path.length) nz_text_appendf(found, "under '%s'", path.data);
    if (over_model) nz_text_append(found, " (the average, preferred to the model itself)");
    if (!path.length) nz_text_append(found, "at the top");
    NZ_TRY(path.status);
    if (!nz_walk_module(p, place)) NZ_TRY(look_into(walk, place, NULL, NULL, &direct));
    if (!direct && !nz_walk_module(p, place)) {
        nz_pickle_ref best = NZ_PICKLE_NOTHING;
        NZ_TRY(flatten(walk, &all, NULL, place));
        NZ_TRY(search(walk, place, &best, &most));
        if (best && most == all) {
            place = best;
            nz_text_append(found, ", the mapping that holds all tensors");
        }
    }
    if (nz_walk_module(p, place)) {
        nz_text_append(found, ", ");
        put_class(found, p, place);
    }
    *ret_place = place;
    return found->status;
}

static int compare_names(const void *a, const void *b, void *state) {
    const nz_state_entry *entries = ((const nz_state *)state)->entries;
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    int order = strcmp(entries[i].name, entries[k].name);
    return order ? order : (i > k) - (i < k);
}

/* Of equal names the last stays. */
static nz_status drop_repeated(nz_state *state) {
    NZ_AUTO_FREE size_t *order = NULL;
    NZ_TRY(nz_alloc(&order, state->count, sizeof *order));
    for (size_t i = 0; i < state->count; i++) order[i] = i;
    qsort_r(order, state->count, sizeof *order, compare_names, state);
    for (size_t i = 0; i + 1 < state->count; i++)
        if (strcmp(state->entries[order[i]].name, state->entries[order[i + 1]].name) == 0)
            state->entries[order[i]].tensor = NZ_PICKLE_NOTHING;
    size_t kept = 0;
    for (size_t i = 0; i < state->count; i++) {
        if (state->entries[i].tensor)
            state->entries[kept++] = state->entries[i];
        else
            free(state->entries[i].name);
    }
    state->count = kept;
    return NZ_OK;
}

nz_status nz_state_find(nz_state *ret_state, const nz_torch *torch) {
    NZ_AUTO(walk_done) nz_walk walk = {.torch = torch};
    NZ_AUTO(nz_state_done) nz_state state = {0};
    NZ_AUTO(nz_text_done) nz_text found = {0};
    nz_pickle_ref place = NZ_PICKLE_NOTHING;
    size_t count = 0, all = 0;
    NZ_TRY(locate(&walk, &place, &found));
    NZ_TRY(flatten(&walk, &count, &state, place));
    NZ_TRY(flatten(&walk, &all, NULL, torch->object.root));
    if (all > count)
        nz_text_appendf(&found, "; %zu tensor%s elsewhere in the file left out", all - count,
                        all - count > 1 ? "s" : "");
    if (!state.count) return nz_fail(NZ_E_FORMAT, "%s: a checkpoint without a single tensor", torch->name);
    NZ_TRY(drop_repeated(&state));
    NZ_TRY(nz_text_take(&found, &state.found));
    state.class_names = nz_class_names(torch, place);
    *ret_state = state;
    state = (nz_state){0};
    return NZ_OK;
}
