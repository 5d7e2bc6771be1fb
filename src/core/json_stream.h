/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Reads the entries of lists in a JSON file one by one, whatever the file's size: what nobody asked for is passed over and
 * takes no memory. For documents that are small, core/json.h is handier.
 */
#ifndef NZ_CORE_JSON_STREAM_H
#define NZ_CORE_JSON_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "netzip/status.h"

typedef enum nz_json_kind {
    NZ_JSON_MISSING,
    NZ_JSON_NULL,
    NZ_JSON_BOOL,    /**< number is 0 or 1 */
    NZ_JSON_INTEGER, /**< a number that is whole and fits int64_t; beyond 2^53 only where it is written in digits alone */
    NZ_JSON_REAL,    /**< any other number; infinite beyond what a double holds, NaN where it has 352 digits or more */
    NZ_JSON_TEXT,
    NZ_JSON_NUMBERS, /**< a list of numbers alone; the first NZ_JSON_NUMBERS_MOST of them are kept */
    NZ_JSON_OTHER    /**< an object, or a list of something else */
} nz_json_kind;

enum { NZ_JSON_NUMBERS_MOST = 4, NZ_JSON_FIELDS_MOST = 16 };

/** A field of an entry. */
typedef struct nz_json_value {
    nz_json_kind kind;
    int64_t integer;
    double number;
    const char *text; /**< 0-terminated; borrowed until the entry function returns; ends at a 0 within it */
    double numbers[NZ_JSON_NUMBERS_MOST];
    size_t count; /**< numbers in the list, kept or not */
} nz_json_value;

/** A list whose entries are objects. */
typedef struct nz_json_list {
    const char *name;          /**< key of the document's object; NULL: the document is the list */
    const char *const *fields; /**< field_count keys that are wanted, at most NZ_JSON_FIELDS_MOST */
    size_t field_count;
    /** Gets entry `index` of the list: values[field_count], in the order of `fields`. Any other status than NZ_OK ends the
     * reading and is what it returns. */
    nz_status (*entry)(void *user, const nz_json_value *values, size_t index);
} nz_json_list;

/**
 * Reads a file from its beginning to its end once, by pieces; pipes will do.
 *
 * @param[out] ret_counts  [list_count] entries of each list; -1 where the file has none of that name. May be NULL.
 * @return NZ_E_IO; NZ_E_FORMAT names file, line and what is wrong: no JSON, not the expected lists, an entry that is no object,
 *         a list that stands there twice, nesting beyond 512, a text beyond 16 MB; NZ_E_MEMORY; what an entry function returned.
 */
NZ_CHECKED nz_status nz_json_stream(const char *path, const nz_json_list *lists, size_t list_count, void *user,
                                    int64_t *ret_counts);

#endif
