/* SPDX-License-Identifier: Apache-2.0 */
/** All plots of a report: which there are, their drawing, their files. */
#ifndef NZ_REPORT_PLOTS_H
#define NZ_REPORT_PLOTS_H

#include "netzip/progress.h"
#include "report/canvas.h"
#include "report/view.h"

typedef enum nz_plot_kind {
    NZ_PLOT_RADAR,
    NZ_PLOT_SCATTER,
    NZ_PLOT_WEIGHTS,
    NZ_PLOT_FOREST,
    NZ_PLOT_DRIFT,
    NZ_PLOT_BARS,
    NZ_PLOT_SPLIT,
    NZ_PLOT_LAYERS,
    NZ_PLOT_LEARNING,
    NZ_PLOT_PRECISION,
    NZ_PLOT_F1,
    NZ_PLOT_CLASSES,
    NZ_PLOT_CONFUSION,
    NZ_PLOT_SAMPLE
} nz_plot_kind;

typedef struct nz_plot {
    nz_plot_kind kind;
    const nz_view *view;
    size_t column;  /**< bars: the metric; scatter: the cost; learning: networks or methods */
    size_t against; /**< scatter: the accuracy; classes: the baseline, SIZE_MAX: none */
    size_t
        row; /**< layers, classes, confusion: the model; radar, drift: one of its machine or race; weights: the group; sample: its place among the reference's samples */
    double width, height;
    double foot;                   /**< below `height`: room for what speaks against marked models; 0: none */
    double png_scale;              /**< 0: 2 */
    struct nz_sample_sheet *sheet; /**< sample: its picture and boxes; owned */
    char *slug;                    /**< file name without extension: letters, digits, '-' and '_' */
    char *title, *description;     /**< plain text */
    char *svg;                     /**< the element; filled by nz_plots_draw */
} nz_plot;

typedef struct nz_plots {
    size_t count, capacity;
    nz_plot *items;
    nz_text notes; /**< what could not be drawn as it should, one a line */
} nz_plots;

/** Every plot that the document has values for, drawn as SVG. The view must outlive the plots. */
NZ_CHECKED nz_status nz_plots_draw(nz_plots *ret_plots, const nz_view *view);
/** The plots of detectors alone, likewise. */
NZ_CHECKED nz_status nz_plots_draw_detection(nz_plots *ret_plots, const nz_view *view);
/** Writes DIR/plots/<slug>.svg and .png, and removes those of an earlier report that are no more. */
NZ_CHECKED nz_status nz_plots_write(const nz_plots *plots, const char *dir, const nz_progress *progress);
void nz_plots_done(nz_plots *plots);
#define NZ_AUTO_PLOTS NZ_AUTO(nz_plots_done)

/** Appends a plot; `name` becomes its slug behind the kind's prefix, made unique. Takes the texts' content. */
NZ_CHECKED nz_status nz_plots_add(nz_plots *plots, const nz_plot *plot, const char *name, nz_text *title,
                                  nz_text *description);

/* A pair for each kind: which plots there are, and how one is drawn. */
typedef nz_status nz_plot_planner(nz_plots *plots, const nz_view *view);
typedef void nz_plot_drawer(nz_canvas *canvas, const nz_plot *plot);
NZ_CHECKED nz_plot_planner nz_radar_plan, nz_scatter_plan, nz_weights_plan, nz_forest_plan, nz_drift_plan, nz_bars_plan,
    nz_split_plan, nz_layers_plan, nz_learning_plan, nz_precision_plan, nz_f1_plan, nz_classes_plan, nz_confusion_plan,
    nz_sample_plan;
nz_plot_drawer nz_radar_draw, nz_scatter_draw, nz_weights_draw, nz_forest_draw, nz_drift_draw, nz_bars_draw,
    nz_split_draw, nz_layers_draw, nz_learning_draw, nz_precision_draw, nz_f1_draw, nz_classes_draw, nz_confusion_draw,
    nz_sample_draw;

/* ---- what the plots share ---- */

/** Inks and sizes. */
#define NZ_INK 0x22201cu
#define NZ_INK_SOFT 0x6b675fu
#define NZ_GRID 0xe6e1d6u
#define NZ_RULE 0xa8a297u
enum { NZ_PLOT_WIDTH = 420, NZ_PLOT_MARGIN = 14 };
#define NZ_SIZE_TITLE 15.0
#define NZ_SIZE_TEXT 12.5
#define NZ_SIZE_SMALL 11.5

/** Paper, title and subtitle; returns the y below which the plot may draw. */
double nz_plot_head(nz_canvas *canvas, const nz_plot *plot, const char *title, const char *subtitle);

/** The colour of a model (Okabe and Ito's, distinguishable with any kind of colour vision); after eight they come again. */
nz_colour nz_palette(size_t index);
/** A darker tone of it for outlines and for text on paper. */
nz_colour nz_palette_dark(size_t index);
/** A model's mark: its shape changes where its colour comes again. */
void nz_plot_mark(nz_canvas *canvas, double x, double y, double radius, size_t index);

/** Which of the points (cost lower is better, worth higher is better) no other one beats, in ascending order of cost.
 * NaN never counts. @param[out] ret_front [count]; returns how many. */
size_t nz_pareto(size_t *ret_front, const double *cost, const double *worth, size_t count);

#endif
