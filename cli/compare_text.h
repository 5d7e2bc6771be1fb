/* SPDX-License-Identifier: Apache-2.0 */
/** A results document as people read it on a terminal: tables, what is missing and why, and a summary in plain words. */
#ifndef NZ_CLI_COMPARE_TEXT_H
#define NZ_CLI_COMPARE_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "core/json.h"

/** @param everything  also the metrics that the main table has no room for. */
NZ_CHECKED nz_status nz_compare_text_print(const json_t *results, bool everything, FILE *stream);

/** What stands below the tables, each sentence once and before it the models that it is about: what speaks against figures, who
 * wins by OCS, the noise floor, what is unavailable and why, notes. */
NZ_CHECKED nz_status nz_compare_notes_print(const json_t *results, FILE *stream);

/** The name of a model alone where every model has one variant, else its id. Borrowed. */
const char *nz_compare_label(const json_t *models, size_t i);
/** What stands behind it: a dagger where bad conditions spoil figures, a double one where they are less sure than was wanted. */
const char *nz_compare_sign(const json_t *model);

/** What got better or worse than in an earlier run; nothing where the document compares with none. */
NZ_CHECKED nz_status nz_against_text_print(const json_t *results, FILE *stream);

#endif
