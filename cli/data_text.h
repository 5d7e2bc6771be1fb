/* SPDX-License-Identifier: Apache-2.0 */
/** What commands tell about a data set: its warning, and for `netzip data info` its objects. */
#ifndef NZ_CLI_DATA_TEXT_H
#define NZ_CLI_DATA_TEXT_H

#include "core/json.h"
#include "netzip/data.h"

/** Warns on standard error of what was found while the set was opened (nz_data_note), where anything was. NULL passes. */
void nz_cli_warn_of_data(const nz_dataset *data);

enum { NZ_OBJECTS_SHOWN = 16 };

typedef struct nz_object_counts {
    size_t objects, crowds;
    size_t *of_class;                    /**< [classes] objects, crowds among them */
    size_t images[NZ_OBJECTS_SHOWN + 1]; /**< images with that many objects; the last: that many or more */
    size_t most;                         /**< objects of one image */
    size_t small, medium, large; /**< by area, with COCO's borders at 32 x 32 and 96 x 96 pixels of the stored image */
    size_t broken;               /**< images whose labels cannot be read */
    char first_broken[512];
} nz_object_counts;

/** NZ_E_MEMORY; images whose labels cannot be read are counted. Release with nz_object_counts_done. */
NZ_CHECKED nz_status nz_object_counts_get(nz_object_counts *ret_counts, const nz_dataset *data);
void nz_object_counts_done(nz_object_counts *counts);
/** Lines for standard output. */
void nz_object_counts_print(const nz_object_counts *counts, const nz_dataset *data);
/** The same as a JSON object; the reference is the caller's. */
json_t *nz_object_counts_json(const nz_object_counts *counts);

#endif
