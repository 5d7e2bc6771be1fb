/* SPDX-License-Identifier: Apache-2.0 */
/** What --resume makes of a model that is there already. */
#ifndef NZ_CLI_FINISHED_H
#define NZ_CLI_FINISHED_H

#include "cli.h"
#include "netzip/graph.h"

/**
 * Whether --resume was given, there is no checkpoint, and --out is a model that a run with these options has written: then
 * it is told, and there is nothing to do.
 *
 * @param meta    The metadata that holds the options of the run behind a model.
 * @param wanted  "head,key=value..." of this run; what it leaves out may be anything.
 * @param network What the model must have as many nodes as; NULL: anything.
 * @return NZ_E_ARG where the model is of another run, which --resume must not replace; what nz_model_load returns.
 */
NZ_CHECKED nz_status nz_cli_is_finished(bool *ret_finished, const nz_cli_args *args, const char *checkpoint,
                                        const char *meta, const char *wanted, const nz_graph *network);

#endif
