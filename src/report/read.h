/* SPDX-License-Identifier: Apache-2.0 */
/** Members of a results document: what is absent or null is tolerated, what has the wrong type is not. */
#ifndef NZ_REPORT_READ_H
#define NZ_REPORT_READ_H

#include <math.h>
#include <stdbool.h>

#include "core/json.h"

/** A number, or NaN for null and for what is absent; false for anything else. */
static inline bool nz_read_number(double *ret, const json_t *json) {
    if (json && !json_is_null(json) && !json_is_number(json)) return false;
    *ret = json_is_number(json) ? json_number_value(json) : (double)NAN;
    return true;
}

/** An object, or NULL for null and for what is absent; false for anything else. */
static inline bool nz_read_object(const json_t **ret, const json_t *parent, const char *key) {
    const json_t *json = json_object_get(parent, key);
    if (json && !json_is_null(json) && !json_is_object(json)) return false;
    *ret = json_is_object(json) ? json : NULL;
    return true;
}

/** An array, likewise. */
static inline bool nz_read_array(const json_t **ret, const json_t *parent, const char *key) {
    const json_t *json = json_object_get(parent, key);
    if (json && !json_is_null(json) && !json_is_array(json)) return false;
    *ret = json_is_array(json) ? json : NULL;
    return true;
}

#endif
