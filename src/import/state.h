/* SPDX-License-Identifier: Apache-2.0 */
/** The state dictionary inside a checkpoint's object: names and tensors, wherever they lie. */
#ifndef NZ_IMPORT_STATE_H
#define NZ_IMPORT_STATE_H

#include "core/json.h"
#include "import/torch.h"

typedef struct nz_state_entry {
    char *name; /**< dotted: "layer1.0.conv1.weight" */
    nz_pickle_ref tensor;
} nz_state_entry;

typedef struct nz_state {
    size_t count, capacity;
    nz_state_entry *entries; /**< in the file's order; a name that comes again replaces the former */
    char *found;             /**< where, in words: "under 'state_dict'" */
    json_t *class_names;     /**< texts that the module object gives its classes; NULL: none */
} nz_state;

/**
 * Looks for the state dictionary: under the usual keys (an exponential average before the model itself), else the mapping
 * that holds all tensors, else everything under its dotted path; a module object's parameters and buffers under their dotted names. What an optimiser keeps is no
 * part of it.
 *
 * @return NZ_E_FORMAT where there are no tensors, or more names than can be. Release with nz_state_done.
 */
NZ_CHECKED nz_status nz_state_find(nz_state *ret_state, const nz_torch *torch);
/** class_names.c: the attribute `names` of a module object, a list of texts or texts by 0, 1, 2, ... as a list; NULL where there is
 * none of that kind (or memory is short). */
json_t *nz_class_names(const nz_torch *torch, nz_pickle_ref module);
void nz_state_done(nz_state *state); /**< safe on a zeroed one */

#endif
