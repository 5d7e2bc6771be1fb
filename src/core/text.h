/* SPDX-License-Identifier: Apache-2.0 */
/** A growing string. After a failed append it stays as it was and remembers the failure: check once, at the end. */
#ifndef NZ_CORE_TEXT_H
#define NZ_CORE_TEXT_H

#include <stdarg.h>
#include <stddef.h>

#include "netzip/status.h"

typedef struct nz_text {
    char *data; /**< always 0-terminated once something was appended; NULL before */
    size_t length, capacity;
    nz_status status; /**< the first failure, NZ_OK otherwise */
} nz_text;

void nz_text_append(nz_text *text, const char *piece);
void nz_text_append_bytes(nz_text *text, const void *bytes, size_t count);
void nz_text_appendf(nz_text *text, const char *format, ...) NZ_PRINTF(2, 3);
/** Hands the finished string over (never NULL on NZ_OK) and empties the builder. Owned by the caller: free(). */
NZ_CHECKED nz_status nz_text_take(nz_text *text, char **ret_string);
void nz_text_done(nz_text *text);

/** A heap string from a format. Owned by the caller: free(). */
NZ_CHECKED nz_status nz_format(char **ret_string, const char *format, ...) NZ_PRINTF(2, 3);

/** Strict numbers: the whole text must be the number; NZ_E_ARG otherwise, with `what` in the message. Locale-independent. */
NZ_CHECKED nz_status nz_parse_double(double *ret_value, const char *text, const char *what);
NZ_CHECKED nz_status nz_parse_int(long long *ret_value, const char *text, const char *what);

/** The closest of `count` candidates by edit distance, for "did you mean"; NULL where none is near. */
const char *nz_closest(const char *word, const char *const *candidates, size_t count);

#endif
