/* SPDX-License-Identifier: Apache-2.0 */
/** JSON through jansson, with the rules of the result files: numbers are finite, files are whole. */
#ifndef NZ_CORE_JSON_H
#define NZ_CORE_JSON_H

#include <jansson.h>

#include "core/memory.h"
#include "netzip/status.h"

static inline void nz_json_unref(json_t **json) { json_decref(*json); }
#define NZ_AUTO_JSON NZ_AUTO(nz_json_unref)

/** A new reference to a number, or to null where `value` is not finite. */
json_t *nz_json_real(double value);
/** A string, with invalid UTF-8 replaced byte by byte by U+FFFD. NULL gives null. */
json_t *nz_json_string(const char *text);
/** The number at `key` of an object; NaN where there is none. */
double nz_json_number_at(const json_t *object, const char *key);
/** The string at `key` of an object; "" where there is none. Borrowed. */
const char *nz_json_text_at(const json_t *object, const char *key);
/** Parses a whole file (at most 1 GiB); the error names file, line and column. The reference is the caller's. */
NZ_CHECKED nz_status nz_json_read(json_t **ret_json, const char *path);
/** Indented text with a final newline, written whole. NULL, which is what jansson gives when memory is short, is NZ_E_MEMORY
 * here and below. */
NZ_CHECKED nz_status nz_json_write(const json_t *json, const char *path);
/** The same text on the heap. Owned: free(). */
NZ_CHECKED nz_status nz_json_text(char **ret_text, const json_t *json, int compact);

#endif
