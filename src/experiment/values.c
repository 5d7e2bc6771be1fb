/* SPDX-License-Identifier: Apache-2.0 */
/* From values of a document to texts and numbers, with the place in every message. */
#include <ctype.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "experiment/description.h"

nz_status nz_place_context(nz_status status, const nz_yaml *yaml, const json_t *container, const char *key,
                           size_t index) {
    size_t line, column;
    if (status == NZ_OK || status == NZ_E_MEMORY) return status;
    if (!nz_yaml_where(yaml, container, key, index, &line, &column)) return nz_fail_context(status, "%s", yaml->name);
    return nz_fail_context(status, "%s:%zu:%zu", yaml->name, line, column);
}

/* Whether `word` stands in the text with no letter, digit or '_' beside it. */
static bool has_word(const char *text, const char *word) {
    size_t length = strlen(word);
    for (const char *at = text; length && (at = strstr(at, word)); at++) {
        bool begins = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        if (begins && !isalnum((unsigned char)at[length]) && at[length] != '_') return true;
    }
    return false;
}

nz_status nz_place_by_message(nz_status status, const nz_yaml *yaml, const json_t *section, const json_t *container,
                              const char *key, size_t index) {
    const char *own;
    json_t *value;
    if (status == NZ_OK) return status;
    json_object_foreach((json_t *)(uintptr_t)section, own, value) {
        if (has_word(nz_last_error(), own)) return nz_place_context(status, yaml, section, own, 0);
    }
    return nz_place_context(status, yaml, container, key, index);
}

nz_status nz_known_keys(const nz_yaml *yaml, const json_t *section, const char *const *known, size_t count,
                        const char *what) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)section, key, value) {
        size_t i = 0;
        while (i < count && strcmp(known[i], key) != 0) i++;
        if (i < count) continue;
        const char *near = nz_closest(key, known, count);
        if (near)
            return nz_yaml_fail(NZ_E_ARG, yaml, section, key, 0, "%s: unknown key '%s'; did you mean '%s'?", what, key,
                                near);
        nz_text all = {0};
        for (i = 0; i < count; i++) nz_text_appendf(&all, "%s%s", i ? ", " : "", known[i]);
        nz_status status = nz_yaml_fail(NZ_E_ARG, yaml, section, key, 0, "%s: unknown key '%s' (there is %s)", what,
                                        key, all.data ? all.data : "none");
        nz_text_done(&all);
        return status;
    }
    return NZ_OK;
}

/* A scalar as it would be typed; NULL for a container and null. */
static nz_status scalar_text(char **ret_text, const json_t *value) {
    NZ_AUTO_FREE char *text = NULL;
    if (json_is_string(value)) return nz_strdup(ret_text, json_string_value(value));
    if (json_is_boolean(value)) return nz_strdup(ret_text, json_is_true(value) ? "1" : "0");
    if (!json_is_number(value)) return NZ_OK;
    NZ_TRY(nz_json_text(&text, value, 1));
    text[strlen(text) - 1] = '\0'; /* the final newline */
    *ret_text = NZ_STEAL(text);
    return NZ_OK;
}

nz_status nz_text_value(char **ret_text, const nz_yaml *yaml, const json_t *section, const char *key) {
    const json_t *value = json_object_get(section, key);
    if (!value || json_is_null(value)) return NZ_OK;
    if (json_is_object(value) || json_is_array(value))
        return nz_yaml_fail(NZ_E_ARG, yaml, section, key, 0, "%s should be a text, not a %s", key,
                            json_is_array(value) ? "list" : "mapping");
    free(NZ_STEAL(*ret_text));
    return scalar_text(ret_text, value);
}

nz_status nz_int_value(long long *ret_value, const nz_yaml *yaml, const json_t *section, const char *key,
                       long long least, long long most) {
    const json_t *value = json_object_get(section, key);
    if (!value || json_is_null(value)) return NZ_OK;
    if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most)
        return nz_yaml_fail(NZ_E_ARG, yaml, section, key, 0, "%s should be a whole number from %lld to %lld", key,
                            least, most);
    *ret_value = json_integer_value(value);
    return NZ_OK;
}

static nz_status join_list(nz_text *out, const json_t *list, const char *join) {
    size_t i;
    json_t *item;
    json_array_foreach(list, i, item) {
        NZ_AUTO_FREE char *text = NULL;
        NZ_TRY(scalar_text(&text, item));
        if (!text) return nz_fail(NZ_E_ARG, "a list of plain values is expected");
        nz_text_appendf(out, "%s%s", i ? join : "", text);
    }
    return NZ_OK;
}

static nz_status join_mapping(nz_text *out, const json_t *mapping) {
    const char *key, *between = "";
    json_t *item;
    json_object_foreach((json_t *)(uintptr_t)mapping, key, item) {
        NZ_AUTO_FREE char *text = NULL;
        NZ_TRY(scalar_text(&text, item));
        if (!text) return nz_fail(NZ_E_ARG, "%s should be a plain value", key);
        nz_text_appendf(out, "%s%s=%s", between, key, text);
        between = "+";
    }
    return NZ_OK;
}

nz_status nz_option_text(char **ret_text, const json_t *value, const char *join) {
    NZ_AUTO(nz_text_done) nz_text out = {0};
    if (json_is_array(value))
        NZ_TRY(join_list(&out, value, join));
    else if (json_is_object(value))
        NZ_TRY(join_mapping(&out, value));
    else if (json_is_null(value))
        return nz_strdup(ret_text, "");
    else
        return scalar_text(ret_text, value);
    return nz_text_take(&out, ret_text);
}

void nz_append_option(nz_text *text, const char *key, const char *value) {
    nz_text_appendf(text, "%s%s=", text->length ? "," : "", key);
    for (const char *c = value; *c; c++) {
        if (*c == ',' || *c == '\\') nz_text_append(text, "\\");
        nz_text_append_bytes(text, c, 1);
    }
}

/* ---- changes from outside ---- */

/* The value under a word of a path, NULL where there is none. */
static json_t *step_into(json_t *at, const char *word) {
    long long index;
    if (json_is_object(at)) return json_object_get(at, word);
    if (!json_is_array(at) || nz_parse_int(&index, word, "index") != NZ_OK || index < 0) return NULL;
    return json_array_get(at, (size_t)index);
}

static nz_status set_word(nz_yaml *yaml, json_t *at, const char *word, json_t *value, const char *assignment) {
    long long index;
    json_t *before = step_into(at, word);
    if (before) NZ_TRY(nz_yaml_keep(yaml, json_incref(before)));
    if (json_is_object(at))
        return json_object_set(at, word, value) ? nz_fail(NZ_E_MEMORY, "out of memory: a change") : NZ_OK;
    if (json_is_array(at) && nz_parse_int(&index, word, "index") == NZ_OK && index >= 0 &&
        json_array_set(at, (size_t)index, value) == 0)
        return NZ_OK;
    return nz_fail(NZ_E_ARG, "--set %s: there is no '%s' to set", assignment, word);
}

nz_status nz_description_set(nz_yaml *yaml, const char *assignment) {
    NZ_AUTO_FREE char *path = NULL;
    NZ_AUTO(nz_yaml_done) nz_yaml value = {0};
    const char *equals = strchr(assignment, '=');
    if (!equals || equals == assignment)
        return nz_fail(NZ_E_ARG, "--set %s: it should be KEY=VALUE, such as train.epochs=3", assignment);
    NZ_TRY(nz_format(&path, "%.*s", (int)(equals - assignment), assignment));
    NZ_TRY(nz_yaml_parse(&value, equals + 1, strlen(equals + 1), "--set"));
    json_t *at = yaml->root;
    for (char *rest = path, *word; (word = strsep(&rest, "."));) {
        if (!rest) return set_word(yaml, at, word, value.root, assignment);
        json_t *next = step_into(at, word);
        if (!next && json_is_object(at)) {
            NZ_AUTO_JSON json_t *made = json_object();
            NZ_TRY(set_word(yaml, at, word, made, assignment));
            next = json_object_get(at, word);
        }
        if (!next) return nz_fail(NZ_E_ARG, "--set %s: there is no '%s' to set", assignment, word);
        at = next;
    }
    return NZ_OK;
}
