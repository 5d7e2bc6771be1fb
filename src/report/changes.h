/* SPDX-License-Identifier: Apache-2.0 */
/** What compression changed in a detector: class by class, and in words. */
#ifndef NZ_REPORT_CHANGES_H
#define NZ_REPORT_CHANGES_H

#include "core/text.h"
#include "report/view.h"

enum { NZ_CLASS_CHANGES_SHOWN = 20 };

/** A class with objects: fractions of average precision (AP50-95). */
typedef struct nz_class_change {
    const char *name;
    double truths;                /**< NaN: not stated */
    double before, after, change; /**< before, change: NaN where there is no baseline */
} nz_class_change;

/** Largest losses first, then largest gains last; without a baseline the classes with most objects, the best found first. */
typedef struct nz_class_changes {
    size_t count, of; /**< shown, and how many classes could be */
    nz_class_change *items;
} nz_class_changes;

/** @param base  SIZE_MAX: none.  @param most  How many are kept: those that changed most. */
NZ_CHECKED nz_status nz_class_changes_get(nz_class_changes *ret_changes, const nz_view *view, size_t row, size_t base,
                                          size_t most);
void nz_class_changes_done(nz_class_changes *changes);

/** "zebra: 67.8 against 80.1, 4 objects". */
void nz_class_change_put(nz_text *out, const nz_class_change *change);
/** The first `count` of them with semicolons. */
void nz_class_changes_put(nz_text *out, const nz_class_changes *changes, size_t count);
/** A difference of fractions in points: "+0.4", with a true minus sign. */
void nz_put_points(nz_text *out, double difference);

/** Sentences for the summary, one a line: whether mAP differs, which boxes are found again, which classes changed most. */
NZ_CHECKED nz_status nz_changes_put_words(nz_text *out, const nz_view *view, size_t row);

#endif
