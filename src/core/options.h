/* SPDX-License-Identifier: Apache-2.0 */
/**
 * `head,key=value,key=value` texts (METHOD and DATA of the command line) and the option tables that drive their
 * parsing, their checking, `--list` and the documentation.
 */
#ifndef NZ_CORE_OPTIONS_H
#define NZ_CORE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "core/text.h"
#include "netzip/status.h"

struct nz_spec_pair {
    char *key, *value;
};
/** A parsed text; backslash takes the next character literally (a comma or colon inside a path). */
typedef struct nz_spec {
    char *head; /**< what stands before the first comma, unescaped */
    size_t count;
    struct nz_spec_pair *pairs;
} nz_spec;
/** NZ_E_ARG: a pair without '=', a key given twice. */
NZ_CHECKED nz_status nz_spec_parse(nz_spec *ret_spec, const char *text);
void nz_spec_done(nz_spec *spec);
/** Appends a head or value (NULL: nothing) so that nz_spec_parse takes it back as it is. */
void nz_spec_put(nz_text *text, const char *value);
const char *nz_spec_get(const nz_spec *spec, const char *key); /**< NULL where absent; borrowed */

typedef enum nz_option_type {
    NZ_OPTION_INT,
    NZ_OPTION_REAL,
    NZ_OPTION_BOOL, /* 0|1, false|true, no|yes */
    NZ_OPTION_TEXT,
    NZ_OPTION_CHOICE /* one of `choices`, "a|b|c"; the value is its index */
} nz_option_type;

/** One row of an option table: where the value goes (offset into the options struct), its bounds, its default, its help. */
typedef struct nz_option {
    const char *name;
    nz_option_type type;
    size_t offset;       /**< into the caller's struct: long long, double, bool, char * (heap) or int (choice) */
    const char *initial; /**< the default, as it would be typed; NULL: none (TEXT) */
    double least, most;  /**< inclusive bounds of INT and REAL */
    const char *choices; /**< CHOICE only */
    const char *help;    /**< one line, with the unit */
} nz_option;

/** Fills `target` with the defaults of `table` (count rows), then with the pairs of `spec` (NULL: defaults alone).
 * NZ_E_ARG names the key, says what would be accepted, and suggests the nearest key for an unknown one. `what` begins the
 * message ("method ptq"). On failure `target` must still be released with nz_options_done. */
NZ_CHECKED nz_status nz_options_read(void *target, const nz_option *table, size_t count, const nz_spec *spec,
                                     const char *what);
void nz_options_done(void *target, const nz_option *table, size_t count); /**< frees the TEXT values */

#endif
