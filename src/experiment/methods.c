/* SPDX-License-Identifier: Apache-2.0 */
/* The list of methods to runs: lists as values make sweeps, seeds and networks multiply. */
#include <ctype.h>
#include <string.h>

#include "core/error.h"
#include "core/options.h"
#include "core/text.h"
#include "experiment/description.h"
#include "netzip/compress.h"

enum { NAME_MOST = 64, METHODS_MOST = 64, AXES_MOST = 16 };

/* The network trained further is pruning of nothing: by its fine-tuning, with its defaults, so that both are trained alike. */
static const char further_name[] = "continue", further_method[] = "gup-l1,sparsity=0", further_epochs[] = "finetune";

typedef struct entry {
    const json_t *list; /* place: item `index` of it */
    size_t index;
    const json_t *section; /* keys and values; borrowed */
    json_t *own;           /* the same made from a METHOD text; owned */
    char head[NAME_MOST], name[NAME_MOST];
    const char *axes[AXES_MOST]; /* keys with lists */
    size_t axis_count;
    bool further;
} entry;

static nz_status fail_entry(const nz_yaml *yaml, const entry *e, const char *what) {
    return nz_yaml_fail(NZ_E_ARG, yaml, e->list, NULL, e->index, "methods: %s", what);
}

/* ---- what an entry says ---- */

/* The paper's names too: GUP_L1 is gup-l1. */
static void canonical(char out[NAME_MOST], const char *name) {
    size_t i = 0;
    for (; name[i] && i + 1 < NAME_MOST; i++) out[i] = name[i] == '_' ? '-' : (char)tolower((unsigned char)name[i]);
    out[i] = '\0';
}

static void title(char out[NAME_MOST], const char *head) {
    size_t i = 0;
    for (; head[i] && i + 1 < NAME_MOST; i++) out[i] = head[i] == '-' ? '_' : (char)toupper((unsigned char)head[i]);
    out[i] = '\0';
}

static nz_status find_method(entry *e, const nz_yaml *yaml, const char *given) {
    const char *names[METHODS_MOST + 1], *help, *keys;
    size_t count = 0;
    canonical(e->head, given);
    e->further = strcmp(e->head, further_name) == 0;
    for (; count < METHODS_MOST && (names[count] = nz_compress_method(count, &help, &keys)); count++) {
        if (strcmp(names[count], e->further ? "gup-l1" : e->head) != 0) continue;
        title(e->name, e->further ? "CONTINUED" : e->head);
        return NZ_OK;
    }
    names[count++] = further_name;
    const char *near = nz_closest(e->head, names, count);
    return nz_yaml_fail(NZ_E_ARG, yaml, e->list, NULL, e->index, "methods: '%s' is not known%s%s%s", given,
                        near ? "; did you mean '" : "", near ? near : "",
                        near ? "'?" : " (netzip compress --list shows the methods)");
}

static nz_status read_text(entry *e, const nz_yaml *yaml, const char *text) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    NZ_TRY(nz_place_context(nz_spec_parse(&spec, text), yaml, e->list, NULL, e->index));
    NZ_TRY(find_method(e, yaml, spec.head));
    e->own = json_object();
    for (size_t i = 0; e->own && i < spec.count; i++)
        json_object_set_new(e->own, spec.pairs[i].key, nz_json_string(spec.pairs[i].value));
    e->section = e->own;
    return e->own ? NZ_OK : nz_fail(NZ_E_MEMORY, "out of memory: a method");
}

/* "gup-l1: {sparsity: 0.5}", or "method: gup-l1" among its keys. */
static nz_status read_mapping(entry *e, const nz_yaml *yaml, const json_t *item) {
    const json_t *method = json_object_get(item, "method"), *inner;
    if (json_is_string(method)) {
        e->section = item;
        return find_method(e, yaml, json_string_value(method));
    }
    json_t *object = (json_t *)(uintptr_t)item;
    if (json_object_size(item) != 1)
        return fail_entry(yaml, e, "one method each: 'NAME: {key: value}', or a mapping with 'method: NAME'");
    inner = json_object_iter_value(json_object_iter(object));
    if (!json_is_object(inner) && !json_is_null(inner))
        return fail_entry(yaml, e, "the keys of a method should be a mapping: 'NAME: {key: value}'");
    e->section = json_is_object(inner) ? inner : NULL;
    return find_method(e, yaml, json_object_iter_key(json_object_iter(object)));
}

static bool is_reserved(const char *key) { return strcmp(key, "name") == 0 || strcmp(key, "method") == 0; }

static nz_status read_entry(entry *e, const nz_yaml *yaml, const json_t *item) {
    const char *key;
    json_t *value;
    NZ_AUTO_FREE char *name = NULL;
    if (json_is_string(item))
        NZ_TRY(read_text(e, yaml, json_string_value(item)));
    else if (json_is_object(item))
        NZ_TRY(read_mapping(e, yaml, item));
    else
        return fail_entry(yaml, e, "a method's name or 'NAME: {key: value}' is expected");
    NZ_TRY(nz_text_value(&name, yaml, e->section, "name"));
    /* Files are called so: one that begins with a dot is hidden, or the folder above. */
    if (name && (!*name || *name == '.' || strlen(name) >= NAME_MOST || strpbrk(name, "/\n\r\t")))
        return nz_yaml_fail(NZ_E_ARG, yaml, e->section, "name", 0,
                            "methods: a name has 1 to %d characters, no '/' and no dot first", NAME_MOST - 1);
    if (name) memcpy(e->name, name, strlen(name) + 1);
    json_object_foreach((json_t *)(uintptr_t)e->section, key, value) {
        if (is_reserved(key) || !json_is_array(value)) continue;
        if (json_array_size(value) == 0 || e->axis_count == AXES_MOST)
            return nz_yaml_fail(NZ_E_ARG, yaml, e->section, key, 0, "methods: the list of %s is %s", key,
                                json_array_size(value) ? "one sweep too many" : "empty");
        if (strcmp(key, "seed") != 0) e->axes[e->axis_count++] = key;
    }
    return NZ_OK;
}

/* ---- runs ---- */

/* One point of a sweep. */
typedef struct point {
    size_t at[AXES_MOST]; /* index into each axis */
} point;

static const json_t *value_at(const entry *e, const point *p, const char *key, const json_t *value, bool *ret_swept) {
    *ret_swept = false;
    for (size_t a = 0; a < e->axis_count; a++)
        if (strcmp(e->axes[a], key) == 0) {
            *ret_swept = json_array_size(value) > 1;
            return json_array_get(value, p->at[a]);
        }
    return value;
}

/* METHOD without the seed, and the name with what is swept. */
static nz_status put_point(nz_text *text, nz_text *name, const nz_yaml *yaml, const entry *e, const point *p) {
    const char *key;
    json_t *value;
    nz_text_append(text, e->further ? further_method : e->head);
    nz_text_append(name, e->name);
    json_object_foreach((json_t *)(uintptr_t)e->section, key, value) {
        NZ_AUTO_FREE char *shown = NULL;
        bool swept;
        if (is_reserved(key) || strcmp(key, "seed") == 0) continue;
        nz_status status = nz_option_text(&shown, value_at(e, p, key, value, &swept), "+");
        if (status != NZ_OK) return nz_place_context(status, yaml, e->section, key, 0);
        nz_append_option(text, e->further && strcmp(key, "epochs") == 0 ? further_epochs : key, shown);
        if (swept) nz_text_appendf(name, " %s=%s", key, shown);
    }
    return text->status != NZ_OK ? text->status : name->status;
}

static nz_status check_name(const nz_description *d, const nz_yaml *yaml, const entry *e, const nz_method_run *run) {
    bool taken = strcmp(run->name, "None") == 0;
    for (size_t i = 0; i < d->run_count; i++)
        taken = taken || (strcmp(d->runs[i].name, run->name) == 0 && d->runs[i].network == run->network &&
                          d->runs[i].seed == run->seed);
    if (!taken) return NZ_OK;
    return nz_yaml_fail(NZ_E_ARG, yaml, e->list, NULL, e->index, "methods: '%s' is there already: give this one a name",
                        run->name);
}

static nz_status add_run(nz_description *d, const nz_yaml *yaml, const entry *e, const char *text, const char *name,
                         size_t network, long long seed, bool takes_seed) {
    nz_text whole = {0};
    nz_method_run run = {.further = e->further, .seed = seed, .network = network};
    if (d->run_count == NZ_EXPERIMENT_RUNS_MOST)
        return nz_fail(NZ_E_ARG, "%s: more than %d runs", yaml->name, NZ_EXPERIMENT_RUNS_MOST);
    NZ_TRY(nz_grow(&d->runs, &d->run_capacity, d->run_count + 1, sizeof *d->runs));
    nz_text_append(&whole, text);
    if (takes_seed) nz_text_appendf(&whole, ",seed=%lld", seed);
    NZ_TRY(nz_text_take(&whole, &run.text));
    nz_status status = nz_strdup(&run.name, name);
    if (status == NZ_OK) status = check_name(d, yaml, e, &run);
    if (status != NZ_OK) {
        free(run.text);
        free(run.name);
        return status;
    }
    d->runs[d->run_count++] = run;
    return NZ_OK;
}

/* Its own seeds where it states some, else those of the experiment. */
static nz_status own_seeds(const long long **ret_seeds, size_t *ret_count, long long own[NZ_EXPERIMENT_SEEDS_MOST],
                           const nz_yaml *yaml, const entry *e) {
    const json_t *seed = json_object_get(e->section, "seed");
    size_t count = json_is_array(seed) ? json_array_size(seed) : 1;
    if (!seed) return NZ_OK;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_is_array(seed) ? json_array_get(seed, i) : seed;
        NZ_AUTO_FREE char *text = NULL;
        nz_status status = i < NZ_EXPERIMENT_SEEDS_MOST ? nz_option_text(&text, item, "+") : NZ_E_ARG;
        if (status == NZ_OK) status = nz_parse_int(&own[i], text, "seed");
        if (status != NZ_OK || own[i] < 0)
            return nz_yaml_fail(NZ_E_ARG, yaml, e->section, "seed", 0,
                                "methods: seed should be a number from 0 up, or a list of them");
    }
    *ret_seeds = own;
    *ret_count = count;
    return NZ_OK;
}

static nz_status add_point(nz_description *d, const nz_yaml *yaml, const entry *e, const point *p,
                           const long long *seeds, size_t seed_count, bool each_network) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    NZ_AUTO(nz_text_done) nz_text name = {0};
    long long own[NZ_EXPERIMENT_SEEDS_MOST];
    nz_compress_needs needs;
    NZ_TRY(put_point(&text, &name, yaml, e, p));
    NZ_TRY(nz_place_by_message(nz_compress_what_needs(&needs, text.data), yaml, e->section, e->list, NULL, e->index));
    if (e->further && !needs.trains)
        return fail_entry(yaml, e, "continue needs epochs: as many as the others are fine-tuned for");
    bool takes = needs.seed, stated = json_object_get(e->section, "seed") != NULL;
    NZ_TRY(own_seeds(&seeds, &seed_count, own, yaml, e));
    if (stated && !takes)
        return nz_yaml_fail(NZ_E_ARG, yaml, e->section, "seed", 0, "methods: nothing in %s hangs on a seed", text.data);
    for (size_t n = 0; n < d->network_count; n++) {
        bool network_seed = each_network && !stated;
        size_t count = network_seed || !takes ? 1 : seed_count;
        for (size_t s = 0; s < count; s++) {
            long long seed = network_seed || !takes ? d->network_seeds[n] : seeds[s];
            NZ_TRY(add_run(d, yaml, e, text.data, name.data, n, seed, takes));
        }
    }
    return NZ_OK;
}

static nz_status add_entry(nz_description *d, const nz_yaml *yaml, const entry *e, const long long *seeds,
                           size_t seed_count, bool each_network) {
    point p = {{0}};
    for (;;) {
        NZ_TRY(add_point(d, yaml, e, &p, seeds, seed_count, each_network));
        size_t a = e->axis_count; /* the last axis turns fastest */
        while (a > 0 && ++p.at[a - 1] == json_array_size(json_object_get(e->section, e->axes[a - 1]))) p.at[--a] = 0;
        if (a == 0) return NZ_OK;
    }
}

nz_status nz_methods_read(nz_description *description, const nz_yaml *yaml, const long long *seeds, size_t seed_count,
                          bool each_network) {
    const json_t *list = json_object_get(yaml->root, "methods");
    size_t i;
    json_t *item;
    if (!list || json_is_null(list)) return NZ_OK; /* the network alone */
    if (!json_is_array(list))
        return nz_yaml_fail(NZ_E_ARG, yaml, yaml->root, "methods", 0, "methods should be a list, each behind a dash");
    json_array_foreach(list, i, item) {
        entry e = {.list = list, .index = i};
        nz_status status = read_entry(&e, yaml, item);
        if (status == NZ_OK) status = add_entry(description, yaml, &e, seeds, seed_count, each_network);
        json_decref(e.own);
        NZ_TRY(status);
    }
    return NZ_OK;
}
