/* SPDX-License-Identifier: Apache-2.0 */
/** A results document as people read it on a terminal: tables, what is missing and why, and a summary in plain words. */
#ifndef NZ_CLI_COMPARE_TEXT_H
#define NZ_CLI_COMPARE_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "core/json.h"

/** @param everything  also the metrics that the main table has no room for. */
NZ_CHECKED nz_status nz_compare_text_print(const json_t *results, bool everything, FILE *stream);

/** What got better or worse than in an earlier run; nothing where the document compares with none. */
NZ_CHECKED nz_status nz_against_text_print(const json_t *results, FILE *stream);

#endif
