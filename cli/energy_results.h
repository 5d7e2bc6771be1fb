/* SPDX-License-Identifier: Apache-2.0 */
/** netzip energy LOG --results DIR: the joules of a meter for models that were compared meanwhile. */
#ifndef NZ_CLI_ENERGY_RESULTS_H
#define NZ_CLI_ENERGY_RESULTS_H

#include "cli.h"

/** Writes DIR's results and report anew and prints what came of it. */
NZ_CHECKED nz_status nz_energy_results(const nz_cli_args *args);

#endif
