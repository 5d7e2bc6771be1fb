/* SPDX-License-Identifier: Apache-2.0 */
/** An experiment's results and plan on a terminal. */
#ifndef NZ_CLI_EXPERIMENT_TEXT_H
#define NZ_CLI_EXPERIMENT_TEXT_H

#include <stdio.h>

#include "netzip/experiment.h"

/** The comparison's table and words, means over seeds where there are several. */
NZ_CHECKED nz_status nz_experiment_print(const nz_experiment_result *result, FILE *stream);
/** The last line: where the report is. */
void nz_experiment_print_place(const nz_experiment_result *result, FILE *stream);
/** The steps of a dry run. */
NZ_CHECKED nz_status nz_experiment_print_plan(const nz_experiment_result *result, FILE *stream);
/** What was found, in plain words: one line per method against the uncompressed network, from the results alone. */
NZ_CHECKED nz_status nz_experiment_print_words(const nz_experiment_result *result, FILE *stream);

#endif
