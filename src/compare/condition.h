/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The condition of `--fail-if`: ID[.value|.drop|.ratio|.delta|.against][.low|.high] OP NUMBER, joined by && (binds closer)
 * and ||, with parentheses. OP is one of < <= > >= == !=. drop is baseline minus model and delta the opposite, in the metric's
 * unit; ratio is the improvement over the baseline, against the one over an earlier run (--against), both above 1 where it is
 * better; low and high are the ends of the quantity's 95% interval. An unavailable quantity makes its comparison hold: it
 * counts as a failure.
 */
#ifndef NZ_COMPARE_CONDITION_H
#define NZ_COMPARE_CONDITION_H

#include <stdbool.h>
#include <stddef.h>

#include "core/json.h"
#include "netzip/status.h"

typedef enum nz_condition_field {
    NZ_FIELD_VALUE,
    NZ_FIELD_DROP,
    NZ_FIELD_RATIO,
    NZ_FIELD_DELTA,
    NZ_FIELD_AGAINST
} nz_condition_field;
typedef enum nz_condition_end { NZ_END_NONE, NZ_END_LOW, NZ_END_HIGH } nz_condition_end;

/** One comparison. */
typedef struct nz_condition_term {
    char *id; /**< a metric's id, as it was typed */
    nz_condition_field field;
    nz_condition_end end; /**< of its 95% interval, in place of the quantity itself */
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
/** ".low", ".high", or "". Static. */
const char *nz_condition_end_suffix(nz_condition_end end);

/** Whether a term asks about an earlier run. */
bool nz_condition_needs_against(const nz_condition *condition);
/**
 * Holds the models of a results document against the condition, the baseline only where it is alone.
 * @param[out] ret_held  Which model, which term and its quantity, in one line; NULL where no model is too bad. Owned: free().
 */
NZ_CHECKED nz_status nz_condition_check(char **ret_held, const nz_condition *condition, const json_t *results);

#endif
