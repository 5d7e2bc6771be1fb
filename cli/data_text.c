/* SPDX-License-Identifier: Apache-2.0 */
#include "data_text.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "core/error.h"
#include "core/memory.h"

void nz_cli_warn_of_data(const nz_dataset *data) {
    const char *note = data ? nz_data_note(data) : NULL;
    if (note) nz_cli_error("warning: %s", note);
}

void nz_object_counts_done(nz_object_counts *c) {
    free(c->of_class);
    *c = (nz_object_counts){0};
}

static void count_image(nz_object_counts *c, const nz_object *objects, size_t count) {
    c->objects += count;
    c->images[count < NZ_OBJECTS_SHOWN ? count : NZ_OBJECTS_SHOWN]++;
    if (count > c->most) c->most = count;
    for (size_t k = 0; k < count; k++) {
        const nz_object *o = &objects[k];
        c->of_class[o->class_index]++;
        c->crowds += o->crowd;
        ++*(o->area < 32 * 32 ? &c->small : o->area < 96 * 96 ? &c->medium : &c->large);
    }
}

nz_status nz_object_counts_get(nz_object_counts *ret_counts, const nz_dataset *data) {
    NZ_AUTO(nz_object_counts_done) nz_object_counts c = {0};
    NZ_TRY(nz_alloc(&c.of_class, nz_data_classes(data), sizeof *c.of_class));
    for (size_t i = 0; i < nz_data_count(data); i++) {
        NZ_AUTO_FREE nz_object *objects = NULL;
        size_t count = 0;
        nz_status status = nz_data_objects(&objects, &count, data, i);
        if (status == NZ_E_MEMORY) return status;
        if (status == NZ_OK)
            count_image(&c, objects, count);
        else if (!c.broken++)
            snprintf(c.first_broken, sizeof c.first_broken, "%s", nz_last_error());
    }
    *ret_counts = c;
    c = (nz_object_counts){0};
    return NZ_OK;
}

void nz_object_counts_print(const nz_object_counts *c, const nz_dataset *data) {
    size_t images = nz_data_count(data) - c->broken;
    printf("objects        %zu", c->objects);
    if (c->crowds) printf(" (%zu of them crowds)", c->crowds);
    printf("\n  an image     %.2f in the mean, %zu at most; %zu images have none\n",
           images ? (double)c->objects / (double)images : 0.0, c->most, c->images[0]);
    printf("  by area      %zu small, %zu medium, %zu large (below 32x32 pixels, below 96x96, above)\n", c->small,
           c->medium, c->large);
    if (!c->broken) return;
    printf("  broken       the labels of %zu images, first: ", c->broken);
    nz_cli_put_printable(stdout, c->first_broken);
    printf("\n");
}

json_t *nz_object_counts_json(const nz_object_counts *c) {
    json_t *images = json_array();
    for (size_t n = 0; n <= NZ_OBJECTS_SHOWN; n++)
        json_array_append_new(images, json_integer((json_int_t)c->images[n]));
    return json_pack("{s:I, s:I, s:I, s:o, s:I, s:I, s:I, s:I, s:o}", "count", (json_int_t)c->objects, "crowds",
                     (json_int_t)c->crowds, "most", (json_int_t)c->most, "images_with", images, "small",
                     (json_int_t)c->small, "medium", (json_int_t)c->medium, "large", (json_int_t)c->large,
                     "broken_labels", (json_int_t)c->broken, "first_broken",
                     nz_json_string(c->broken ? c->first_broken : NULL));
}
