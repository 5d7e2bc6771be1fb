/* SPDX-License-Identifier: Apache-2.0 */
#include "core/yaml.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"

struct nz_yaml_mark {
    const json_t *container;
    char *key; /* owned; NULL for an item */
    size_t index, line, column;
};

/* A mapping or sequence that is being read, and the key that waits for its value. */
typedef struct level {
    json_t *container; /* borrowed: its parent holds it */
    char *key;
    size_t key_line, key_column;
} level;

typedef struct reader {
    nz_yaml *yaml;
    yaml_parser_t parser;
    level levels[NZ_YAML_DEPTH_MOST];
    size_t depth, mark_capacity;
    bool done;
} reader;

static nz_status fail_at(const reader *r, yaml_mark_t mark, const char *format, ...) NZ_PRINTF(3, 4);

static nz_status fail_at(const reader *r, yaml_mark_t mark, const char *format, ...) {
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return nz_fail(NZ_E_FORMAT, "%s:%zu:%zu: %s", r->yaml->name, mark.line + 1, mark.column + 1, what);
}

static nz_status out_of_memory(const reader *r) { return nz_fail(NZ_E_MEMORY, "%s: out of memory", r->yaml->name); }

/* ---- scalars: the core schema of YAML 1.2 ---- */

static bool is_one_of(const char *text, const char *const *words, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0) return true;
    return false;
}

/* 0x1f and 0o17; base 0: neither. */
static int base_of(const char *text) {
    if (text[0] != '0' || !text[1] || !text[2]) return 0;
    const char *digits = text[1] == 'x' ? "0123456789abcdefABCDEF" : text[1] == 'o' ? "01234567" : "";
    return *digits && text[2 + strspn(text + 2, digits)] == '\0' ? (text[1] == 'x' ? 16 : 8) : 0;
}

static bool is_decimal(const char *text) {
    text += *text == '-' || *text == '+';
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* [-+]? ( digits | digits . digits? | . digits ) ( [eE] [-+]? digits )? */
static bool is_real(const char *text) {
    text += *text == '-' || *text == '+';
    size_t before = strspn(text, "0123456789"), after = 0;
    text += before;
    if (*text == '.') {
        after = strspn(text + 1, "0123456789");
        text += 1 + after;
    }
    if (before + after == 0) return false;
    if (*text == 'e' || *text == 'E') {
        text++;
        text += *text == '-' || *text == '+';
        if (!*text) return false;
        text += strspn(text, "0123456789");
    }
    return *text == '\0';
}

json_t *nz_yaml_scalar(const char *text) {
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"}, *const yes[] = {"true", "True", "TRUE"},
                             *const no[] = {"false", "False", "FALSE"};
    int base = base_of(text);
    double real;
    if (is_one_of(text, nulls, NZ_COUNT(nulls))) return json_null();
    if (is_one_of(text, yes, NZ_COUNT(yes))) return json_true();
    if (is_one_of(text, no, NZ_COUNT(no))) return json_false();
    if (base || is_decimal(text)) {
        errno = 0;
        long long value = strtoll(base ? text + 2 : text, NULL, base ? base : 10);
        return errno ? NULL : json_integer(value);
    }
    if (!is_real(text)) return json_string(text);
    return nz_parse_double(&real, *text == '+' ? text + 1 : text, "number") == NZ_OK && isfinite(real) ? json_real(real)
                                                                                                       : NULL;
}

static nz_status read_scalar(json_t **ret_json, const reader *r, const yaml_event_t *event) {
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    if (event->data.scalar.tag)
        return fail_at(r, event->start_mark, "tags ('%.40s') are not read", event->data.scalar.tag);
    if (memchr(text, 0, length)) return fail_at(r, event->start_mark, "a text holds a zero byte");
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    json_t *json = plain ? nz_yaml_scalar(text) : json_stringn(text, length);
    if (!json && plain && (is_real(text) || base_of(text)))
        return fail_at(r, event->start_mark, "the number %.40s is too large (put it in quotes to mean a text)", text);
    if (!json) return out_of_memory(r); /* libyaml has checked the UTF-8 */
    *ret_json = json;
    return NZ_OK;
}

/* ---- containers ---- */

/* Takes the key over, also on failure. */
static nz_status mark(reader *r, const json_t *container, char *key, size_t index, size_t line, size_t column) {
    NZ_AUTO_FREE char *own = key;
    nz_yaml *y = r->yaml;
    if (y->mark_count == NZ_YAML_NODES_MOST)
        return nz_fail(NZ_E_FORMAT, "%s:%zu:%zu: more than %d values", y->name, line, column, NZ_YAML_NODES_MOST);
    NZ_TRY(nz_grow(&y->marks, &r->mark_capacity, y->mark_count + 1, sizeof *y->marks));
    y->marks[y->mark_count++] = (struct nz_yaml_mark){container, NZ_STEAL(own), index, line, column};
    return NZ_OK;
}

/* Takes the reference over, also on failure. */
static nz_status put_in_mapping(reader *r, level *top, json_t *value) {
    if (json_object_set_new(top->container, top->key, value) != 0) return out_of_memory(r);
    return mark(r, top->container, NZ_STEAL(top->key), 0, top->key_line, top->key_column);
}

static nz_status put(reader *r, json_t *value, yaml_mark_t at) {
    if (r->depth == 0) {
        r->yaml->root = value;
        return mark(r, NULL, NULL, 0, at.line + 1, at.column + 1);
    }
    level *top = &r->levels[r->depth - 1];
    if (json_is_object(top->container)) {
        /* Messages point at the value where it is on the key's line, else at the key. */
        if (top->key_line == at.line + 1) top->key_column = at.column + 1;
        return put_in_mapping(r, top, value);
    }
    if (json_array_append_new(top->container, value) != 0) return out_of_memory(r);
    return mark(r, top->container, NULL, json_array_size(top->container) - 1, at.line + 1, at.column + 1);
}

static bool wants_key(const reader *r) {
    return r->depth && json_is_object(r->levels[r->depth - 1].container) && !r->levels[r->depth - 1].key;
}

static nz_status read_key(reader *r, const yaml_event_t *event) {
    level *top = &r->levels[r->depth - 1];
    const char *text = (const char *)event->data.scalar.value;
    if (event->data.scalar.tag)
        return fail_at(r, event->start_mark, "tags ('%.40s') are not read", event->data.scalar.tag);
    if (memchr(text, 0, event->data.scalar.length)) return fail_at(r, event->start_mark, "a key holds a zero byte");
    if (json_object_get(top->container, text))
        return fail_at(r, event->start_mark, "the key '%.80s' is given twice", text);
    top->key_line = event->start_mark.line + 1;
    top->key_column = event->start_mark.column + 1;
    return nz_strdup(&top->key, text);
}

static nz_status open_container(reader *r, const yaml_event_t *event, json_t *container, const yaml_char_t *tag) {
    if (!container) return out_of_memory(r);
    if (tag || r->depth == NZ_YAML_DEPTH_MOST || wants_key(r)) {
        json_decref(container);
        if (tag) return fail_at(r, event->start_mark, "tags ('%.40s') are not read", tag);
        if (wants_key(r)) return fail_at(r, event->start_mark, "a key must be a single word or text");
        return fail_at(r, event->start_mark, "nested deeper than %d levels", NZ_YAML_DEPTH_MOST);
    }
    nz_status status = put(r, container, event->start_mark);
    if (status == NZ_OK) r->levels[r->depth++] = (level){.container = container};
    return status;
}

static nz_status take_scalar(reader *r, const yaml_event_t *event) {
    json_t *value = NULL;
    if (wants_key(r)) return read_key(r, event);
    NZ_TRY(read_scalar(&value, r, event));
    return put(r, value, event->start_mark);
}

static nz_status take(reader *r, const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT: return take_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT: return open_container(r, event, json_array(), event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT: return open_container(r, event, json_object(), event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT: r->depth--; return NZ_OK;
    case YAML_ALIAS_EVENT:
        return fail_at(r, event->start_mark, "aliases ('*%.40s') are not read: write the value out",
                       event->data.alias.anchor);
    case YAML_DOCUMENT_START_EVENT:
        if (r->yaml->root) return fail_at(r, event->start_mark, "a second document begins; there must be one alone");
        return NZ_OK;
    case YAML_STREAM_END_EVENT: r->done = true; return NZ_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT: break;
    }
    return NZ_OK;
}

static nz_status fail_parser(const reader *r) {
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "not valid YAML";
    if (p->error == YAML_MEMORY_ERROR) return out_of_memory(r);
    if (p->error == YAML_READER_ERROR)
        return nz_fail(NZ_E_FORMAT, "%s: byte %zu: %s", r->yaml->name, p->problem_offset, problem);
    return fail_at(r, p->problem_mark, "not valid YAML: %s%s%s", problem, p->context ? " " : "",
                   p->context ? p->context : "");
}

static nz_status read_events(reader *r) {
    while (!r->done) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event)) return fail_parser(r);
        nz_status status = take(r, &event);
        yaml_event_delete(&event);
        NZ_TRY(status);
    }
    return NZ_OK;
}

nz_status nz_yaml_parse(nz_yaml *ret_yaml, const char *text, size_t length, const char *name) {
    NZ_AUTO(nz_yaml_done) nz_yaml yaml = {0};
    reader r = {.yaml = &yaml};
    NZ_TRY(nz_strdup(&yaml.name, name));
    if (length > NZ_YAML_BYTES_MOST) return nz_fail(NZ_E_FORMAT, "%s: longer than %d bytes", name, NZ_YAML_BYTES_MOST);
    if (!yaml_parser_initialize(&r.parser)) return out_of_memory(&r);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, length);
    nz_status status = read_events(&r);
    yaml_parser_delete(&r.parser);
    for (size_t i = 0; i < NZ_COUNT(r.levels); i++) free(r.levels[i].key);
    NZ_TRY(status);
    if (!yaml.root) yaml.root = json_null();
    *ret_yaml = yaml;
    yaml = (nz_yaml){0};
    return NZ_OK;
}

nz_status nz_yaml_read(nz_yaml *ret_yaml, const char *path) {
    NZ_AUTO_FREE char *text = NULL;
    size_t length = 0;
    NZ_TRY(nz_file_read(&text, &length, path, NZ_YAML_BYTES_MOST));
    return nz_yaml_parse(ret_yaml, text, length, path);
}

void nz_yaml_done(nz_yaml *yaml) {
    json_decref(yaml->root);
    json_decref(yaml->kept);
    for (size_t i = 0; i < yaml->mark_count; i++) free(yaml->marks[i].key);
    free(yaml->name);
    free(yaml->marks);
    *yaml = (nz_yaml){0};
}

nz_status nz_yaml_keep(nz_yaml *yaml, json_t *value) {
    if (!yaml->kept) yaml->kept = json_array();
    if (yaml->kept && json_array_append_new(yaml->kept, value) == 0) return NZ_OK;
    if (!yaml->kept) json_decref(value);
    return nz_fail(NZ_E_MEMORY, "%s: out of memory", yaml->name);
}

bool nz_yaml_where(const nz_yaml *yaml, const json_t *container, const char *key, size_t index, size_t *ret_line,
                   size_t *ret_column) {
    *ret_line = *ret_column = 0;
    for (size_t i = 0; i < yaml->mark_count; i++) {
        const struct nz_yaml_mark *m = &yaml->marks[i];
        if (m->container != container || m->index != index || !m->key != !key) continue;
        if (key && strcmp(m->key, key) != 0) continue;
        *ret_line = m->line;
        *ret_column = m->column;
        return true;
    }
    return false;
}

nz_status nz_yaml_fail(nz_status status, const nz_yaml *yaml, const json_t *container, const char *key, size_t index,
                       const char *format, ...) {
    NZ_AUTO_FREE char *what = NULL;
    size_t line, column;
    va_list args;
    va_start(args, format);
    int length = vasprintf(&what, format, args);
    va_end(args);
    if (length < 0) return nz_fail(NZ_E_MEMORY, "out of memory: a message");
    if (!nz_yaml_where(yaml, container, key, index, &line, &column)) return nz_fail(status, "%s: %s", yaml->name, what);
    return nz_fail(status, "%s:%zu:%zu: %s", yaml->name, line, column, what);
}
