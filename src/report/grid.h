/* SPDX-License-Identifier: Apache-2.0 */
/** A small table beside the main one, filled cell by cell, then written in any of the report's forms. */
#ifndef NZ_REPORT_GRID_H
#define NZ_REPORT_GRID_H

#include <stdbool.h>

#include "core/text.h"
#include "report/view.h"

typedef struct nz_grid {
    size_t columns;
    unsigned texts;    /**< bits of the columns that hold text: to the left; the others to the right */
    const char *title; /**< borrowed; plain text */
    const char *note;  /**< below it; "" none; borrowed, or own_note */
    char *own_note;
    size_t count, capacity;
    char **cells; /**< row after row, the first one the headings; plain text */
    nz_status status;
} nz_grid;

/** Takes the text's content as the next cell; an empty one becomes an en dash. */
void nz_grid_take(nz_grid *grid, nz_text *cell);
void nz_grid_add(nz_grid *grid, const char *cell);
void nz_grid_addf(nz_grid *grid, const char *format, ...) NZ_PRINTF(2, 3);
/** A number in its shortest form of at most `digits` significant digits; NaN: an en dash. */
void nz_grid_number(nz_grid *grid, double value, int digits);
void nz_grid_done(nz_grid *grid);
#define NZ_AUTO_GRID NZ_AUTO(nz_grid_done)
/** Whether it has rows below its headings. */
bool nz_grid_any(const nz_grid *grid);

typedef enum nz_grid_form { NZ_GRID_TEXT, NZ_GRID_MARKDOWN, NZ_GRID_TEX, NZ_GRID_HTML } nz_grid_form;
/** Title, table and note; nothing where there are no rows. */
void nz_grid_put(nz_text *out, const nz_grid *grid, nz_grid_form form);
/** The cells as CSV lines, headings included. */
void nz_grid_put_csv(nz_text *out, const nz_grid *grid);

/* beside.c: the tables that stand beside the main one */
/** Each model against its baseline: ratios with intervals and words. */
void nz_beside_differences(nz_grid *ret_grid, const nz_view *view);
/** The measured figures of each model on each machine, side by side; empty for one machine. */
void nz_beside_hosts(nz_grid *ret_grid, const nz_view *view);
/** An earlier run, where the document compares with one. */
void nz_beside_against(nz_grid *ret_grid, const nz_view *view);
/** The last of them as CSV. */
void nz_beside_put_csv(nz_text *out, const nz_view *view);
/** All of them that are not empty. */
void nz_beside_put(nz_text *out, const nz_view *view, nz_grid_form form);

/* measured.c: how it was measured */
void nz_measured_models(nz_grid *ret_grid, const nz_view *view);   /**< a row per model that was timed */
void nz_measured_machines(nz_grid *ret_grid, const nz_view *view); /**< a column per machine */
void nz_measured_energy(nz_grid *ret_grid, const nz_view *view);   /**< gross, above idle, power, source */
void nz_measured_counters(nz_grid *ret_grid, const nz_view *view); /**< of an inference */
/** "Noise floor of HOST: a fixed piece of work varies by 0.6% ...", for each machine, a line each. */
void nz_measured_noise(nz_text *out, const nz_view *view);
/** The section of the page. */
void nz_measured_put_html(nz_text *out, const nz_view *view);

#endif
