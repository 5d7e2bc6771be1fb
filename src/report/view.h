/* SPDX-License-Identifier: Apache-2.0 */
/**
 * A results document as the report sees it: rows (variants) in their order, columns (metrics) in the registry's order, a
 * cell for each pair. Titles and definitions come from the metric registry; unit, category and direction from the document,
 * and from the registry where that is silent.
 */
#ifndef NZ_REPORT_VIEW_H
#define NZ_REPORT_VIEW_H

#include "core/json.h"
#include "core/text.h"
#include "netzip/blocks.h"
#include "netzip/metric.h"
#include "report/detection.h"

enum { NZ_DECIMALS_EACH = -1 };
enum { NZ_VIEW_RATIOS = 4, NZ_VIEW_ROWS_MOST = 1000, NZ_VIEW_COLUMNS_MOST = 512 };

/** A comparison with the baseline: how many times better, and what its interval says. */
typedef struct nz_view_gain {
    double value; /**< above 1 is better; NaN: none */
    bool has_ci;  /**< and then `difference` says something */
    double ci95[2];
    nz_difference difference;
} nz_view_gain;

typedef struct nz_view_cell {
    double value; /**< NaN: unavailable */
    bool has_ci, has_n, has_ties;
    double ci95[2];
    uint64_t n, ties;
    bool has_difference; /**< against the baseline on the same samples, in points */
    double difference, difference_ci95[2];
    nz_view_gain gain;           /**< of what was measured in rounds */
    const char *source, *reason; /**< cleaned; "" where the document is silent */
} nz_view_cell;

typedef struct nz_view_column {
    const char *id, *title, *unit, *category, *help; /**< help: "" where the registry does not know the id */
    nz_better better;
    bool integer, theoretical;
    bool noisy;       /**< read off a clock, a process or a meter: small differences mean nothing without an interval */
    size_t available; /**< rows that have a value */
    size_t distinct;  /**< how many different values those are, counted up to 2 */
    /* How its values are written: value / scale with `decimals`, the heading says `shown_unit` */
    double scale;
    int decimals; /**< NZ_DECIMALS_EACH: three digits of each value */
    char shown_unit[32];
} nz_view_column;

typedef struct nz_view_ratio {
    double value; /**< NaN: unavailable */
    const char *of, *reason;
    nz_view_gain gain; /**< its interval, where it has one */
} nz_view_ratio;

/** What marks take from a model's figures ("harm" in the results), the worst last. */
typedef enum nz_harm {
    NZ_HARM_NONE,
    NZ_HARM_CERTAINTY, /**< intervals are wider than wanted, or missing */
    NZ_HARM_FIGURES,   /**< the figures are not those of a machine at rest; ratios of models that took turns bear it */
    NZ_HARM_RATIOS     /**< ratios suffer as well */
} nz_harm;

typedef struct nz_view_row {
    const json_t *json;
    const char *id, *name, *technique, *path, *sha256, *error; /**< cleaned; "" where absent */
    const char *runtime, *runtime_version, *host, *compute, *method, *preprocess;
    const char *label;           /**< the name, with what tells variants of one name apart */
    double threads, batch, seed; /**< NaN: not stated */
    bool failed;
    bool is_baseline;                     /**< others are compared with it */
    size_t baseline;                      /**< row it is compared with, itself for a baseline; SIZE_MAX: none */
    size_t colour;                        /**< index of its model's colour: variants of one name share it */
    nz_view_ratio ratios[NZ_VIEW_RATIOS]; /**< performance, speedup, compression, efficiency */
    double ocs, partial;                  /**< NaN: unavailable */
    const char *ocs_reason;
    bool has_ocs_ci; /**< of OCS, or of `partial` where that is all there is */
    double ocs_ci95[2];
    const json_t *conditions; /**< under which it was measured, or NULL */
    const char *marks;        /**< what speaks against its figures: sentences, "; " between; "" where nothing does */
    const char *mark_ids;     /**< their ids, by spaces */
    nz_harm harm;             /**< what the worst of them takes */
    bool without[NZ_VIEW_RATIOS]; /**< terms that `partial` leaves out */
    const json_t *layers;         /**< an array, or NULL */
    double layers_sum_ms;         /**< times of the layers added up; NaN: not told */
    double layers_whole_ms;       /**< the latency that they belong to; NaN: not told */
    nz_found *found;              /**< of a detector; else NULL. Owned */
    size_t shown_by;         /**< the row that shows this detector's boxes: itself, or one with the same; SIZE_MAX */
    const char *found_label; /**< the name of all that row stands for */
} nz_view_row;

/** What tells variants of one name apart, in the order in which labels say it. */
typedef enum nz_variant_part {
    NZ_VARIANT_RUNTIME,
    NZ_VARIANT_THREADS,
    NZ_VARIANT_BATCH,
    NZ_VARIANT_HOST,
    NZ_VARIANT_SEED,
    NZ_VARIANT_PARTS
} nz_variant_part;

typedef struct nz_view {
    json_t *document;
    const char *folder; /**< where its pictures lie; NULL: there is none. Borrowed, set by whom knows it */
    const json_t *run;  /**< an object, or NULL */
    size_t row_count, column_count;
    nz_view_row *rows;
    nz_view_column *columns;
    nz_view_cell *cells; /**< [row_count * column_count] */
    bool has_ratios;
    bool has_technique;                      /**< techniques differ, and say more than the names */
    const json_t *machines, *rank, *against; /**< arrays and an object of the document, or NULL */
    json_t *times;         /**< what was measured round by round, of a file beside the results; NULL: none. Owned */
    size_t marked;         /**< rows with marks; their labels end in a dagger, or a double one */
    size_t hosts;          /**< different ones among the rows */
    const char *mark_note; /**< what the dagger means here, in one line; "" where there is none */
    const char *mark_foot; /**< the same in as few words as fit below a plot */
    size_t failed;
    size_t names;                  /**< different names among the rows */
    double lambda[NZ_VIEW_RATIOS]; /**< of OCS; NaN: not stated */
    double zeta;                   /**< NaN: not stated */
    size_t text_count, text_capacity;
    char **texts; /**< cleaned copies of the document's strings */
} nz_view;

/** Takes a reference to `document`. @param what names it in messages. NZ_E_FORMAT names the broken part. */
NZ_CHECKED nz_status nz_view_init(nz_view *ret_view, json_t *document, const char *what);
void nz_view_done(nz_view *view);
/** uncertain.c: intervals of ratios, conditions and marks, into a view whose rows and cells are read. */
NZ_CHECKED nz_status nz_view_uncertain(nz_view *view);
/** Keeps a finished string for as long as the view lives. */
NZ_CHECKED nz_status nz_view_keep(nz_view *view, const char **ret_text, nz_text *built);
/** Who wins by OCS, and how far each weight may move meanwhile: of the rank's i-th group and of all that say the same, which
 * are named where others differ. Appends nothing where the document does not say, or an earlier group has said it. */
void nz_view_put_rank(nz_text *out, const nz_view *view, size_t i);
/** "A†, B†: the machine was busy. Ratios suffer less: ...": of the row and all that have the same marks; nothing where it has none
 * or an earlier row has told them. */
void nz_view_put_marks(nz_text *out, const nz_view *view, size_t row);
/** What that means for a reader, in a sentence; "" for none. Static. */
const char *nz_harm_sentence(nz_harm harm);
/** What stands behind the name of a model that was measured under bad conditions. */
#define NZ_DAGGER "\xe2\x80\xa0"
/** And behind that of one whose figures are right, but less sure than was wanted. */
#define NZ_DOUBLE_DAGGER "\xe2\x80\xa1"
#define NZ_AUTO_VIEW NZ_AUTO(nz_view_done)

static inline const nz_view_cell *nz_view_at(const nz_view *view, size_t row, size_t column) {
    return &view->cells[row * view->column_count + column];
}
/** The index of a column, column_count where there is none. */
size_t nz_view_column_find(const nz_view *view, const char *id);
/** The metric that a ratio is made of; "" where the document does not say. All rows share it, but a failed one may lack it. */
const char *nz_view_ratio_of(const nz_view *view, size_t ratio);
/** Whether all rows that did not fail have the same value, and there are several. */
bool nz_view_is_constant(const nz_view *view, size_t column);
/** Whether the column belongs to the main table: all where there are few, else those that the ratios are made of and those
 * of the paper's tables that are not the same for all rows; never one without a single value. */
bool nz_view_is_main(const nz_view *view, size_t column);
/** The row that did best by OCS (by its partial value where OCS is not to be had), no baseline; row_count: none. */
size_t nz_view_best(const nz_view *view);
/** OCS, or its partial value where that is all there is; NaN. *ret_partial says which. */
double nz_view_ocs(const nz_view_row *row, bool *ret_partial);
/** The value of the row's baseline in a column; NaN where there is none. */
double nz_view_base_value(const nz_view *view, size_t row, size_t column);

bool nz_view_same_part(const nz_view_row *a, const nz_view_row *b, nz_variant_part part);
/** The row's name with these parts of its variant: bits 1 << nz_variant_part. Owned by the view. */
NZ_CHECKED nz_status nz_view_label(nz_view *view, const char **ret_label, const nz_view_row *row, unsigned parts);

/** A string within the document's `run`, cleaned: "host.cpu_model"; "" where absent or no string. Owned by the view. */
NZ_CHECKED nz_status nz_view_text(nz_view *view, const char **ret_text, const json_t *string);

#endif
