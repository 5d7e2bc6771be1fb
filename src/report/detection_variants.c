/* SPDX-License-Identifier: Apache-2.0 */
/* Variants of one detector with the same boxes (threads, batch) are drawn once, under a name that fits all of them. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "report/view.h"

/* Members that name files of their own differ between variants whose boxes are the same. */
static bool same_boxes(const nz_view_row *a, const nz_view_row *b) {
    static const char *const keys[] = {"boxes", "coco", "f1_confidence", "classes", "confusion", "samples"};
    const json_t *x = json_object_get(a->json, "detection"), *y = json_object_get(b->json, "detection");
    for (size_t i = 0; i < NZ_COUNT(keys); i++) {
        const json_t *p = json_object_get(x, keys[i]), *q = json_object_get(y, keys[i]);
        if ((p || q) && !json_equal(p, q)) return false;
    }
    return true;
}

bool nz_found_shown(const nz_view *view, size_t row) { return view->rows[row].shown_by == row; }

static bool differ(const nz_view *view, nz_variant_part part, size_t a, size_t b) {
    return !nz_view_same_part(&view->rows[a], &view->rows[b], part);
}

/* What tells those that are shown apart, and holds for all that `row` stands for. */
static unsigned parts_of(const nz_view *view, size_t row) {
    unsigned parts = 0;
    size_t of_name = 0;
    for (size_t r = 0; r < view->row_count; r++)
        of_name += nz_found_shown(view, r) && strcmp(view->rows[r].name, view->rows[row].name) == 0;
    for (nz_variant_part part = 0; part < NZ_VARIANT_PARTS && of_name > 1; part++) {
        bool tells = false, holds = true;
        for (size_t r = 0; r < view->row_count; r++) {
            tells = tells || (nz_found_shown(view, r) && differ(view, part, r, row));
            holds = holds && !(view->rows[r].shown_by == row && differ(view, part, r, row));
        }
        if (tells && holds) parts |= 1u << part;
    }
    return parts;
}

nz_status nz_found_variants(nz_view *view) {
    for (size_t r = 0; r < view->row_count; r++) {
        nz_view_row *own = &view->rows[r];
        own->shown_by = SIZE_MAX;
        own->found_label = own->label;
        if (!own->found || own->failed) continue;
        own->shown_by = r;
        for (size_t k = 0; k < r && own->shown_by == r; k++)
            if (nz_found_shown(view, k) && strcmp(view->rows[k].name, own->name) == 0 &&
                same_boxes(&view->rows[k], own))
                own->shown_by = k;
    }
    for (size_t r = 0; r < view->row_count; r++)
        if (nz_found_shown(view, r))
            NZ_TRY(nz_view_label(view, &view->rows[r].found_label, &view->rows[r], parts_of(view, r)));
    /* Names that came out alike say what they say elsewhere. */
    for (size_t r = 0; r < view->row_count; r++)
        for (size_t k = 0; k < r && nz_found_shown(view, r); k++)
            if (nz_found_shown(view, k) && strcmp(view->rows[k].found_label, view->rows[r].found_label) == 0) {
                view->rows[k].found_label = view->rows[k].label;
                view->rows[r].found_label = view->rows[r].label;
            }
    for (size_t r = 0; r < view->row_count; r++)
        if (view->rows[r].shown_by != SIZE_MAX)
            view->rows[r].found_label = view->rows[view->rows[r].shown_by].found_label;
    return NZ_OK;
}
