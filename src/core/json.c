/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/locale.h"
#include "core/text.h"

double nz_json_number_at(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

const char *nz_json_text_at(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

json_t *nz_json_real(double value) { return isfinite(value) ? json_real(value) : json_null(); }

/* Bytes of the valid UTF-8 sequence at `p`, 0 where it is none (Unicode 15, table 3-7). Stops at the final 0 by itself. */
static size_t utf8_length(const unsigned char *p) {
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
    unsigned least = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    unsigned most = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < least || p[1] > most) return 0;
    size_t length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    return length;
}

json_t *nz_json_string(const char *text) {
    if (!text) return json_null();
    nz_text clean = {0};
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t length = utf8_length(p);
        if (length)
            nz_text_append_bytes(&clean, p, length);
        else
            nz_text_append(&clean, "\xef\xbf\xbd"); /* U+FFFD */
        p += length ? length : 1;
    }
    json_t *json = clean.status == NZ_OK ? json_string(clean.data ? clean.data : "") : NULL;
    nz_text_done(&clean);
    return json;
}

nz_status nz_json_read(json_t **ret_json, const char *path) {
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count = 0;
    json_error_t error;
    NZ_TRY(nz_file_read(&bytes, &count, path, (size_t)1 << 30));
    json_t *json = json_loadb(bytes, count, JSON_DECODE_ANY, &error);
    if (!json && json_error_code(&error) == json_error_out_of_memory)
        return nz_fail(NZ_E_MEMORY, "%s: out of memory", path);
    if (!json) return nz_fail(NZ_E_FORMAT, "%s:%d:%d: not valid JSON: %s", path, error.line, error.column, error.text);
    *ret_json = json;
    return NZ_OK;
}

/* jansson writes 0.1 as 0.10000000000000001; people read these files, so: the fewest digits that read back the same. */
static void put_real(nz_text *out, double value) {
    char digits[NZ_REAL_DIGITS];
    nz_real_digits(digits, value, 15);
    nz_text_append(out, digits);
    if (!strpbrk(digits, ".e")) nz_text_append(out, ".0"); /* stays a real when it is read back */
}

static void put_string(nz_text *out, const char *string, size_t length) {
    nz_text_append(out, "\"");
    for (size_t i = 0, run = 0; i <= length; i++) {
        unsigned char c = i < length ? (unsigned char)string[i] : 0;
        if (i < length && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) continue;
        nz_text_append_bytes(out, string + run, i - run);
        run = i + 1;
        if (i == length) break;
        if (c == '"' || c == '\\')
            nz_text_appendf(out, "\\%c", c);
        else if (c == '\n')
            nz_text_append(out, "\\n");
        else if (c == '\t')
            nz_text_append(out, "\\t");
        else
            nz_text_appendf(out, "\\u%04x", c);
    }
    nz_text_append(out, "\"");
}

static void put_break(nz_text *out, int depth) {
    if (depth < 0) return; /* compact */
    nz_text_append(out, "\n");
    for (int i = 0; i < depth; i++) nz_text_append(out, "  ");
}

static void put(nz_text *out, const json_t *json, int depth);

static void put_object(nz_text *out, const json_t *json, int depth) {
    const char *between = "";
    int inner = depth < 0 ? -1 : depth + 1;
    json_t *object = (json_t *)(uintptr_t)json; /* jansson's iterators take a mutable object, and leave it alone */
    nz_text_append(out, "{");
    for (void *at = json_object_iter(object); at; at = json_object_iter_next(object, at)) {
        nz_text_append(out, between);
        put_break(out, inner);
        put_string(out, json_object_iter_key(at), strlen(json_object_iter_key(at)));
        nz_text_append(out, depth < 0 ? ":" : ": ");
        put(out, json_object_iter_value(at), inner);
        between = ",";
    }
    if (json_object_size(json)) put_break(out, depth);
    nz_text_append(out, "}");
}

/* An array of plain values (a shape, an interval) stays on one line. */
static void put_array(nz_text *out, const json_t *json, int depth) {
    size_t count = json_array_size(json);
    bool nested = false;
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(json, i);
        nested = nested || json_is_object(item) || json_is_array(item);
    }
    int inner = depth < 0 ? -1 : depth + 1;
    nz_text_append(out, "[");
    for (size_t i = 0; i < count; i++) {
        if (i) nz_text_append(out, nested || depth < 0 ? "," : ", ");
        if (nested) put_break(out, inner);
        put(out, json_array_get(json, i), inner);
    }
    if (nested) put_break(out, depth);
    nz_text_append(out, "]");
}

static void put(nz_text *out, const json_t *json, int depth) {
    switch (json_typeof(json)) {
    case JSON_OBJECT: put_object(out, json, depth); break;
    case JSON_ARRAY: put_array(out, json, depth); break;
    case JSON_STRING: put_string(out, json_string_value(json), json_string_length(json)); break;
    case JSON_INTEGER: nz_text_appendf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(json)); break;
    case JSON_REAL: put_real(out, json_real_value(json)); break;
    case JSON_TRUE: nz_text_append(out, "true"); break;
    case JSON_FALSE: nz_text_append(out, "false"); break;
    case JSON_NULL: nz_text_append(out, "null"); break;
    }
}

nz_status nz_json_text(char **ret_text, const json_t *json, int compact) {
    nz_text out = {0};
    if (!json) return nz_fail(NZ_E_MEMORY, "out of memory: a document");
    put(&out, json, compact ? -1 : 0);
    nz_text_append(&out, "\n");
    return nz_text_take(&out, ret_text);
}

nz_status nz_json_write(const json_t *json, const char *path) {
    NZ_AUTO_FREE char *text = NULL;
    NZ_TRY(nz_json_text(&text, json, 0));
    return nz_file_write(path, text, strlen(text));
}
