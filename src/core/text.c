/* SPDX-License-Identifier: Apache-2.0 */
#include "core/text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"

void nz_text_append_bytes(nz_text *text, const void *bytes, size_t count) {
    if (text->status != NZ_OK) return;
    if (count > SIZE_MAX / 2 - text->length) {
        text->status = nz_fail(NZ_E_MEMORY, "out of memory: a text of %zu bytes", count);
        return;
    }
    text->status = nz_grow(&text->data, &text->capacity, text->length + count + 1, 1);
    if (text->status != NZ_OK) return;
    if (count) memcpy(text->data + text->length, bytes, count);
    text->length += count;
    text->data[text->length] = '\0';
}

void nz_text_append(nz_text *text, const char *piece) { nz_text_append_bytes(text, piece, strlen(piece)); }

static void append_formatted(nz_text *text, const char *format, va_list args) {
    if (text->status != NZ_OK) return;
    va_list again;
    va_copy(again, args);
    int needed = nz_vsnprintf(NULL, 0, format, args);
    if (needed >= 0) text->status = nz_grow(&text->data, &text->capacity, text->length + (size_t)needed + 1, 1);
    if (needed >= 0 && text->status == NZ_OK) {
        nz_vsnprintf(text->data + text->length, (size_t)needed + 1, format, again);
        text->length += (size_t)needed;
    }
    va_end(again);
}

void nz_text_appendf(nz_text *text, const char *format, ...) {
    va_list args;
    va_start(args, format);
    append_formatted(text, format, args);
    va_end(args);
}

nz_status nz_text_take(nz_text *text, char **ret_string) {
    nz_text_append(text, ""); /* an empty text is a string too */
    nz_status status = text->status;
    if (status == NZ_OK) *ret_string = NZ_STEAL(text->data);
    nz_text_done(text);
    return status;
}

void nz_text_done(nz_text *text) {
    free(text->data);
    *text = (nz_text){0};
}

nz_status nz_format(char **ret_string, const char *format, ...) {
    nz_text text = {0};
    va_list args;
    va_start(args, format);
    append_formatted(&text, format, args);
    va_end(args);
    return nz_text_take(&text, ret_string);
}

nz_status nz_parse_double(double *ret_value, const char *text, const char *what) {
    char *end = NULL;
    errno = 0;
    double value = nz_strtod(text, &end);
    if (end == text || *end || isspace((unsigned char)*text) || !isfinite(value))
        return nz_fail(NZ_E_ARG, "%s: '%s' is not a number", what, text);
    *ret_value = value;
    return NZ_OK;
}

nz_status nz_parse_int(long long *ret_value, const char *text, const char *what) {
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end || isspace((unsigned char)*text) || errno == ERANGE)
        return nz_fail(NZ_E_ARG, "%s: '%s' is not a whole number", what, text);
    *ret_value = value;
    return NZ_OK;
}

enum { WORD_MAX = 63 };

static size_t edit_distance(const char *a, const char *b) {
    size_t la = strlen(a), lb = strlen(b), row[WORD_MAX + 1];
    if (la > WORD_MAX || lb > WORD_MAX) return SIZE_MAX;
    for (size_t j = 0; j <= lb; j++) row[j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t change = diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            diagonal = row[j];
            size_t least = row[j] < row[j - 1] ? row[j] : row[j - 1];
            row[j] = change < least + 1 ? change : least + 1;
        }
    }
    return row[lb];
}

const char *nz_closest(const char *word, const char *const *candidates, size_t count) {
    const char *best = NULL;
    size_t best_distance = strlen(word) / 3 + 2;
    for (size_t i = 0; i < count; i++) {
        size_t distance = edit_distance(word, candidates[i]);
        if (distance < best_distance) {
            best_distance = distance;
            best = candidates[i];
        }
    }
    return best;
}
