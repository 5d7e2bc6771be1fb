/* SPDX-License-Identifier: Apache-2.0 */
#include "core/options.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"

/* Reads up to an unescaped comma (or '=' where `stop_at_equals`); *at is left on the stop. */
static nz_status take_piece(char **ret_piece, const char **at, bool stop_at_equals) {
    nz_text piece = {0};
    const char *p = *at;
    for (; *p && *p != ',' && !(stop_at_equals && *p == '='); p++) {
        if (*p == '\\' && p[1]) p++;
        nz_text_append_bytes(&piece, p, 1);
    }
    *at = p;
    return nz_text_take(&piece, ret_piece);
}

static nz_status take_pair(nz_spec *spec, size_t *capacity, const char **at, const char *text) {
    NZ_AUTO_FREE char *key = NULL, *value = NULL;
    NZ_TRY(take_piece(&key, at, true));
    if (**at != '=') return nz_fail(NZ_E_ARG, "'%s': '%s' should be key=value", text, key);
    ++*at;
    NZ_TRY(take_piece(&value, at, false));
    if (nz_spec_get(spec, key)) return nz_fail(NZ_E_ARG, "'%s': '%s' is given twice", text, key);
    NZ_TRY(nz_grow(&spec->pairs, capacity, spec->count + 1, sizeof *spec->pairs));
    spec->pairs[spec->count].key = NZ_STEAL(key);
    spec->pairs[spec->count++].value = NZ_STEAL(value);
    return NZ_OK;
}

nz_status nz_spec_parse(nz_spec *ret_spec, const char *text) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    size_t capacity = 0;
    const char *at = text;
    NZ_TRY(take_piece(&spec.head, &at, false));
    while (*at == ',') {
        at++;
        NZ_TRY(take_pair(&spec, &capacity, &at, text));
    }
    *ret_spec = spec;
    spec = (nz_spec){0};
    return NZ_OK;
}

void nz_spec_put(nz_text *text, const char *value) {
    for (; value && *value; value++) {
        if (*value == ',' || *value == '\\') nz_text_append(text, "\\");
        nz_text_append_bytes(text, value, 1);
    }
}

void nz_spec_done(nz_spec *spec) {
    for (size_t i = 0; i < spec->count; i++) {
        free(spec->pairs[i].key);
        free(spec->pairs[i].value);
    }
    free(spec->pairs);
    free(spec->head);
    *spec = (nz_spec){0};
}

const char *nz_spec_get(const nz_spec *spec, const char *key) {
    for (size_t i = 0; i < spec->count; i++)
        if (strcmp(spec->pairs[i].key, key) == 0) return spec->pairs[i].value;
    return NULL;
}

/* The index of `value` among "a|b|c", or -1. */
static int choice_index(const char *choices, const char *value) {
    size_t length = strlen(value);
    int index = 0;
    for (const char *p = choices; p; p = strchr(p, '|') ? strchr(p, '|') + 1 : NULL, index++)
        if (strcspn(p, "|") == length && memcmp(p, value, length) == 0) return index;
    return -1;
}

static nz_status set_number(void *place, const nz_option *o, const char *value, const char *what) {
    double number = 0;
    long long whole = 0;
    nz_status status =
        o->type == NZ_OPTION_INT ? nz_parse_int(&whole, value, o->name) : nz_parse_double(&number, value, o->name);
    if (status != NZ_OK) return nz_fail_context(status, "%s", what);
    double seen = o->type == NZ_OPTION_INT ? (double)whole : number;
    if (seen < o->least || seen > o->most)
        return nz_fail(NZ_E_ARG, "%s: %s=%s is outside %g to %g", what, o->name, value, o->least, o->most);
    if (o->type == NZ_OPTION_INT)
        *(long long *)place = whole;
    else
        *(double *)place = number;
    return NZ_OK;
}

static nz_status set_option(void *target, const nz_option *o, const char *value, const char *what) {
    void *place = (char *)target + o->offset;
    int index;
    switch (o->type) {
    case NZ_OPTION_INT:
    case NZ_OPTION_REAL: return set_number(place, o, value, what);
    case NZ_OPTION_BOOL:
        index = choice_index("0|1|false|true|no|yes", value);
        if (index < 0) return nz_fail(NZ_E_ARG, "%s: %s=%s should be 0 or 1", what, o->name, value);
        *(bool *)place = index % 2 == 1;
        return NZ_OK;
    case NZ_OPTION_CHOICE:
        index = choice_index(o->choices, value);
        if (index < 0) return nz_fail(NZ_E_ARG, "%s: %s=%s should be one of %s", what, o->name, value, o->choices);
        *(int *)place = index;
        return NZ_OK;
    case NZ_OPTION_TEXT: break;
    }
    NZ_AUTO_FREE char *copy = NULL;
    NZ_TRY(nz_strdup(&copy, value));
    free(*(char **)place);
    *(char **)place = NZ_STEAL(copy);
    return NZ_OK;
}

static nz_status fail_unknown(const nz_option *table, size_t count, const char *key, const char *what) {
    enum { MOST = 64 };
    const char *names[MOST];
    for (size_t i = 0; i < count && i < MOST; i++) names[i] = table[i].name;
    const char *near = nz_closest(key, names, count < MOST ? count : MOST);
    if (near) return nz_fail(NZ_E_ARG, "%s: unknown key '%s'; did you mean '%s'?", what, key, near);
    return nz_fail(NZ_E_ARG, "%s: unknown key '%s'", what, key);
}

nz_status nz_options_read(void *target, const nz_option *table, size_t count, const nz_spec *spec, const char *what) {
    for (size_t i = 0; i < count; i++)
        if (table[i].type == NZ_OPTION_TEXT) *(char **)((char *)target + table[i].offset) = NULL;
    for (size_t i = 0; i < count; i++)
        if (table[i].initial) NZ_TRY(set_option(target, &table[i], table[i].initial, what));
    for (size_t p = 0; spec && p < spec->count; p++) {
        size_t i = 0;
        while (i < count && strcmp(table[i].name, spec->pairs[p].key) != 0) i++;
        if (i == count) return fail_unknown(table, count, spec->pairs[p].key, what);
        NZ_TRY(set_option(target, &table[i], spec->pairs[p].value, what));
    }
    return NZ_OK;
}

void nz_options_done(void *target, const nz_option *table, size_t count) {
    for (size_t i = 0; i < count; i++) {
        if (table[i].type != NZ_OPTION_TEXT) continue;
        char **place = (char **)((char *)target + table[i].offset);
        free(*place);
        *place = NULL;
    }
}
