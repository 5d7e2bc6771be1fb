/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The condition of `--fail-if`: ID[.value|.drop|.ratio|.delta] OP NUMBER, joined by && (binds closer) and ||, with
 * parentheses. OP is one of < <= > >= == !=. An unavailable quantity makes its comparison hold: it counts as a failure.
 */
#ifndef NZ_COMPARE_CONDITION_H
#define NZ_COMPARE_CONDITION_H

#include <stdbool.h>
#include <stddef.h>

#include "netzip/status.h"

typedef enum nz_condition_field { NZ_FIELD_VALUE, NZ_FIELD_DROP, NZ_FIELD_RATIO, NZ_FIELD_DELTA } nz_condition_field;

/** One comparison. */
typedef struct nz_condition_term {
    char *id; /**< a metric's id, as it was typed */
    nz_condition_field field;
    enum { NZ_LESS, NZ_LESS_EQUAL, NZ_MORE, NZ_MORE_EQUAL, NZ_EQUAL, NZ_UNEQUAL } op;
    double number;
} nz_condition_term;

/** In postfix: a step is the index of a term, or NZ_CONDITION_AND or NZ_CONDITION_OR over the two results before it. */
enum { NZ_CONDITION_AND = -1, NZ_CONDITION_OR = -2 };
typedef struct nz_condition {
    size_t term_count, term_capacity, step_count, step_capacity;
    nz_condition_term *terms;
    int *steps;
} nz_condition;

/** NZ_E_ARG says what was expected, and where. Release with nz_condition_done. */
NZ_CHECKED nz_status nz_condition_parse(nz_condition *ret_condition, const char *text);
void nz_condition_done(nz_condition *condition);

/** true with the quantity of a term, false where it is unavailable. */
typedef bool nz_condition_get(void *user, const nz_condition_term *term, double *ret_value);
/**
 * Whether the condition holds.
 * @param[out] ret_term  Index of a term that held, where the condition did; may be NULL.
 */
bool nz_condition_holds(const nz_condition *condition, nz_condition_get *get, void *user, size_t *ret_term);

/** ".drop" and so on; "" for the value. Static. */
const char *nz_condition_field_suffix(nz_condition_field field);

#endif
