/* SPDX-License-Identifier: Apache-2.0 */
#include "report/samples.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "data/image.h"
#include "report/escape.h"

enum { PANELS_MOST = 16, BOXES_MOST = 300, SIDE_MOST = 640, QUALITY = 84, NAME_MOST = 24 };
#define MATCH_IOU 0.5

void nz_sample_sheet_free(nz_sample_sheet *sheet) {
    if (!sheet) return;
    for (size_t i = 0; i < sheet->count; i++) {
        nz_sample_panel *p = &sheet->panels[i];
        for (size_t k = 0; p->labels && k < p->count; k++) free(p->labels[k]);
        free(p->labels);
        free(p->boxes);
        free(p->heading);
        free(p->note);
    }
    free(sheet->panels);
    free(sheet->class_names);
    free(sheet->rgb);
    free(sheet->data_uri);
    free(sheet);
}

static void sheet_done(nz_sample_sheet **sheet) { nz_sample_sheet_free(*sheet); }

/* ---- the picture ---- */

/* Drawn scenes are smaller as PNG, and exact; photographs as JPEG. */
static nz_status make_uri(char **ret_uri, const nz_image *image) {
    NZ_AUTO_FREE uint8_t *png = NULL, *jpeg = NULL;
    NZ_AUTO(nz_text_done) nz_text uri = {0};
    size_t png_count = 0, jpeg_count = 0;
    NZ_TRY(nz_png_encode(&png, &png_count, image));
    NZ_TRY(nz_jpeg_encode(&jpeg, &jpeg_count, image, QUALITY));
    bool exact = png_count <= jpeg_count + jpeg_count / 2;
    nz_text_append(&uri, exact ? "data:image/png;base64," : "data:image/jpeg;base64,");
    nz_put_base64(&uri, exact ? png : jpeg, exact ? png_count : jpeg_count);
    return nz_text_take(&uri, ret_uri);
}

/* A document may name any file: only those below its own folder are opened. */
static bool is_below(const char *path) {
    if (!*path || *path == '/') return false;
    for (const char *p = path; *p;) {
        size_t length = strcspn(p, "/");
        if (length == 2 && p[0] == '.' && p[1] == '.') return false;
        p += length + (p[length] == '/');
    }
    return true;
}

static nz_status load(nz_image *ret_image, const nz_view *view, const char *name) {
    NZ_AUTO_FREE char *path = NULL;
    NZ_AUTO(nz_image_done) nz_image image = {0};
    if (!view->folder) return nz_fail(NZ_E_IO, "the document is read without its folder");
    if (!*name) return nz_fail(NZ_E_IO, "the results name no picture");
    if (!is_below(name)) return nz_fail(NZ_E_IO, "%s: not below the results' own folder", name);
    NZ_TRY(nz_path_join(&path, view->folder, name));
    NZ_TRY(nz_image_load(&image, path));
    int longer = image.width > image.height ? image.width : image.height;
    if (longer > SIDE_MOST) {
        int width = (int)((long long)image.width * SIDE_MOST / longer);
        int height = (int)((long long)image.height * SIDE_MOST / longer);
        return nz_image_resize(ret_image, &image, width > 0 ? width : 1, height > 0 ? height : 1);
    }
    *ret_image = image;
    image = (nz_image){0};
    return NZ_OK;
}

static nz_status get_picture(nz_sample_sheet *sheet, nz_text *notes, const nz_view *view, const char *name) {
    NZ_AUTO(nz_image_done) nz_image image = {0};
    nz_status status = load(&image, view, name);
    if (status == NZ_E_MEMORY) return status;
    if (status != NZ_OK) {
        nz_text_append(notes, notes->length ? "\n" : "");
        nz_text_append(notes, "The picture of image ");
        nz_put_short(notes, sheet->id, 60);
        nz_text_append(notes, " is missing: ");
        nz_put_clean(notes, nz_last_error());
        return notes->status;
    }
    NZ_TRY(make_uri(&sheet->data_uri, &image));
    size_t bytes = (size_t)image.width * (size_t)image.height * 3;
    NZ_TRY(nz_alloc(&sheet->rgb, bytes, 1));
    memcpy(sheet->rgb, image.pixels, bytes);
    sheet->picture =
        (nz_picture){.width = image.width, .height = image.height, .rgb = sheet->rgb, .data_uri = sheet->data_uri};
    return NZ_OK;
}

/* ---- matching with the reference ---- */

static double iou(const nz_box_mark *a, const nz_box_mark *b) {
    double width = fmin(a->x + a->width, b->x + b->width) - fmax(a->x, b->x);
    double height = fmin(a->y + a->height, b->y + b->height) - fmax(a->y, b->y);
    if (!(width > 0 && height > 0)) return 0;
    double both = width * height;
    return both / (a->width * a->height + b->width * b->height - both);
}

typedef struct pair {
    double iou;
    size_t first, second;
} pair;

static int by_iou(const void *a, const void *b) {
    const pair *x = a, *y = b;
    if (x->iou != y->iou) return x->iou > y->iou ? -1 : 1;
    return x->first != y->first ? (x->first < y->first ? -1 : 1) : x->second < y->second ? -1 : x->second > y->second;
}

/* partner[i]: the box of `first` that box i of `second` is, SIZE_MAX: none. Pairs by descending IoU, each box once. */
static nz_status match(size_t *partner, bool *taken, const nz_sample_panel *first, const nz_sample_panel *second) {
    NZ_AUTO_FREE pair *pairs = NULL;
    size_t count = 0;
    NZ_TRY(nz_alloc(&pairs, first->count * second->count, sizeof *pairs));
    for (size_t i = 0; i < second->count; i++) {
        partner[i] = SIZE_MAX;
        for (size_t k = 0; k < first->count; k++) {
            double overlap = iou(&first->boxes[k], &second->boxes[i]);
            if (overlap >= MATCH_IOU) pairs[count++] = (pair){overlap, k, i};
        }
    }
    qsort(pairs, count, sizeof *pairs, by_iou);
    for (size_t i = 0; i < count; i++) {
        if (taken[pairs[i].first] || partner[pairs[i].second] != SIZE_MAX) continue;
        taken[pairs[i].first] = true;
        partner[pairs[i].second] = pairs[i].first;
    }
    return NZ_OK;
}

/* ---- panels ---- */

static nz_status fill(nz_sample_panel *panel, const nz_box_mark *boxes, size_t count, double confidence) {
    NZ_TRY(nz_alloc(&panel->boxes, 2 * BOXES_MOST, sizeof *panel->boxes));
    NZ_TRY(nz_alloc(&panel->labels, 2 * BOXES_MOST, sizeof *panel->labels));
    for (size_t i = 0; i < count && panel->count < BOXES_MOST; i++)
        if (isnan(boxes[i].score) || boxes[i].score >= confidence) panel->boxes[panel->count++] = boxes[i];
    return NZ_OK;
}

static const char *class_name(const nz_sample_sheet *sheet, int32_t index) {
    return index >= 0 && (size_t)index < sheet->class_count ? sheet->class_names[index] : "?";
}

static nz_status relabel(char **ret_label, const nz_sample_sheet *sheet, int32_t from, int32_t to) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    nz_put_short(&text, class_name(sheet, from), NAME_MOST / 2);
    nz_text_append(&text, " \xe2\x86\x92 ");
    nz_put_short(&text, class_name(sheet, to), NAME_MOST / 2);
    return nz_text_take(&text, ret_label);
}

static void put_part(nz_text *out, size_t count, const char *what) {
    if (count) nz_text_appendf(out, ", %zu %s", count, what);
}

/* Outlines and labels by what the reference has there; what it has and this model lacks comes behind. */
static nz_status compare(nz_sample_panel *panel, const nz_sample_sheet *sheet, const nz_sample_panel *reference) {
    size_t partner[BOXES_MOST], matched = 0, changed = 0, own = panel->count;
    bool taken[BOXES_MOST] = {false};
    NZ_TRY(match(partner, taken, reference, panel));
    for (size_t i = 0; i < own; i++) {
        nz_box_mark *box = &panel->boxes[i];
        if (partner[i] == SIZE_MAX) {
            box->outline = NZ_OUTLINE_DASHED;
            continue;
        }
        int32_t was = reference->boxes[partner[i]].class_index;
        matched++;
        if (was == box->class_index) continue;
        changed++;
        NZ_TRY(relabel(&panel->labels[i], sheet, was, box->class_index));
        box->label = panel->labels[i];
    }
    for (size_t k = 0; k < reference->count; k++) {
        if (taken[k]) continue;
        nz_box_mark *missed = &panel->boxes[panel->count++];
        *missed = reference->boxes[k];
        missed->outline = NZ_OUTLINE_DOTTED;
    }
    NZ_AUTO(nz_text_done) nz_text note = {0};
    nz_text_appendf(&note, "%zu of %zu found again", matched, reference->count);
    put_part(&note, own - matched, "new");
    put_part(&note, reference->count - matched, "missed");
    put_part(&note, changed, "of another class");
    return nz_text_take(&note, &panel->note);
}

static nz_status count_note(nz_sample_panel *panel, const char *one, const char *many) {
    return nz_format(&panel->note, "%zu %s", panel->count, panel->count == 1 ? one : many);
}

static nz_status add_panels(nz_sample_sheet *sheet, const nz_view *view, size_t reference,
                            const nz_found_sample *sample) {
    NZ_TRY(nz_alloc(&sheet->panels, PANELS_MOST, sizeof *sheet->panels));
    nz_sample_panel *truth = &sheet->panels[sheet->count++], *base = &sheet->panels[sheet->count++];
    NZ_TRY(nz_strdup(&truth->heading, "Ground truth"));
    NZ_TRY(fill(truth, sample->truths, sample->truth_count, 0));
    NZ_TRY(count_note(truth, "object", "objects"));
    NZ_TRY(nz_strdup(&base->heading, view->rows[reference].found_label));
    NZ_TRY(fill(base, sample->found, sample->found_count, sheet->confidence));
    NZ_TRY(count_note(base, "box", "boxes"));
    for (size_t r = 0; r < view->row_count; r++) {
        const nz_found_sample *own =
            r != reference && nz_found_shown(view, r) ? nz_found_sample_of(view->rows[r].found, sample->id) : NULL;
        if (!own) continue;
        if (sheet->count == PANELS_MOST) {
            sheet->others++;
            continue;
        }
        nz_sample_panel *panel = &sheet->panels[sheet->count++];
        NZ_TRY(nz_strdup(&panel->heading, view->rows[r].found_label));
        NZ_TRY(fill(panel, own->found, own->found_count, sheet->confidence));
        NZ_TRY(compare(panel, sheet, base));
    }
    return NZ_OK;
}

nz_status nz_sample_sheet_get(nz_sample_sheet **ret_sheet, nz_text *notes, const nz_view *view, size_t reference,
                              size_t sample) {
    NZ_AUTO(sheet_done) nz_sample_sheet *sheet = NULL;
    const nz_found *found = view->rows[reference].found;
    const nz_found_sample *from = &found->samples[sample];
    NZ_TRY(nz_alloc(&sheet, 1, sizeof *sheet));
    sheet->id = from->id;
    sheet->width = from->width;
    sheet->height = from->height;
    sheet->confidence = nz_found_confidence(view);
    sheet->is_best = sheet->confidence == found->confidence;
    NZ_TRY(nz_alloc(&sheet->class_names, found->class_count, sizeof *sheet->class_names));
    for (; sheet->class_count < found->class_count; sheet->class_count++)
        sheet->class_names[sheet->class_count] = found->classes[sheet->class_count].name;
    NZ_TRY(get_picture(sheet, notes, view, from->image));
    NZ_TRY(add_panels(sheet, view, reference, from));
    *ret_sheet = NZ_STEAL(sheet);
    return NZ_OK;
}
