/* SPDX-License-Identifier: Apache-2.0 */
#include "report/plots.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/error.h"
#include "core/file.h"
#include "core/locale.h"
#include "report/escape.h"
#include "report/samples.h"

static const struct {
    const char *prefix;
    nz_plot_planner *plan;
    nz_plot_drawer *draw;
} kinds[] = {
    [NZ_PLOT_RADAR] = {"ratios", nz_radar_plan, nz_radar_draw},
    [NZ_PLOT_SCATTER] = {"scatter-", nz_scatter_plan, nz_scatter_draw},
    [NZ_PLOT_WEIGHTS] = {"weights", nz_weights_plan, nz_weights_draw},
    [NZ_PLOT_FOREST] = {"differences", nz_forest_plan, nz_forest_draw},
    [NZ_PLOT_DRIFT] = {"rounds", nz_drift_plan, nz_drift_draw},
    [NZ_PLOT_BARS] = {"bars-", nz_bars_plan, nz_bars_draw},
    [NZ_PLOT_SPLIT] = {"memory", nz_split_plan, nz_split_draw},
    [NZ_PLOT_LAYERS] = {"layers-", nz_layers_plan, nz_layers_draw},
    [NZ_PLOT_LEARNING] = {"learning-", nz_learning_plan, nz_learning_draw},
    [NZ_PLOT_PRECISION] = {"precision-recall", nz_precision_plan, nz_precision_draw},
    [NZ_PLOT_F1] = {"f1-confidence", nz_f1_plan, nz_f1_draw},
    [NZ_PLOT_CLASSES] = {"classes-", nz_classes_plan, nz_classes_draw},
    [NZ_PLOT_CONFUSION] = {"confusion-", nz_confusion_plan, nz_confusion_draw},
    [NZ_PLOT_SAMPLE] = {"detections-", nz_sample_plan, nz_sample_draw},
};

/* ---- colours and marks ---- */

/* @source Okabe and Ito, Color Universal Design, 2008; black softened, the order by contrast on paper. */
static const nz_colour colours[] = {0x3a3a3a, 0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9, 0xf0e442};

nz_colour nz_palette(size_t index) { return colours[index % NZ_COUNT(colours)]; }

nz_colour nz_palette_dark(size_t index) {
    nz_colour colour = nz_palette(index), dark = 0;
    unsigned sum = (colour >> 16) + (colour >> 8 & 255) + (colour & 255), part = sum > 500 ? 11 : 14; /* of 20 */
    for (unsigned shift = 0; shift < 24; shift += 8) dark |= (colour >> shift & 255) * part / 20 << shift;
    return dark;
}

void nz_plot_mark(nz_canvas *canvas, double x, double y, double radius, size_t index) {
    nz_paint paint = {.fill = nz_palette(index), .stroke = nz_palette_dark(index)};
    double r = radius;
    switch (index / NZ_COUNT(colours) % 4) {
    case 0: nz_canvas_circle(canvas, x, y, r, paint); break;
    case 1: nz_canvas_rect(canvas, x - r * 0.9, y - r * 0.9, 1.8 * r, 1.8 * r, 0, paint); break;
    case 2:
        nz_canvas_path(canvas, (nz_point[]){{x, y - 1.3 * r}, {x + 1.3 * r, y}, {x, y + 1.3 * r}, {x - 1.3 * r, y}}, 4,
                       true, paint);
        break;
    case 3:
        nz_canvas_path(canvas, (nz_point[]){{x, y - 1.2 * r}, {x + 1.15 * r, y + 0.9 * r}, {x - 1.15 * r, y + 0.9 * r}},
                       3, true, paint);
        break;
    }
}

double nz_plot_head(nz_canvas *canvas, const nz_plot *plot, const char *title, const char *subtitle) {
    double width = plot->width - 2 * NZ_PLOT_MARGIN;
    nz_canvas_rect(canvas, 0, 0, plot->width, plot->height, 0, (nz_paint){.fill = NZ_PAPER, .stroke = NZ_NO_COLOUR});
    nz_canvas_text_fit(canvas, NZ_PLOT_MARGIN, 26, title,
                       (nz_lettering){.size = NZ_SIZE_TITLE, .colour = NZ_INK, .bold = true}, width);
    nz_canvas_text_fit(canvas, NZ_PLOT_MARGIN, 44, subtitle,
                       (nz_lettering){.size = NZ_SIZE_SMALL, .colour = NZ_INK_SOFT}, width);
    return 56;
}

/* ---- the collection ---- */

static bool slug_taken(const nz_plots *plots, const char *slug) {
    for (size_t i = 0; i < plots->count; i++)
        if (strcmp(plots->items[i].slug, slug) == 0) return true;
    return false;
}

/* Whatever a metric or model is called, its file stays within plots/. */
static nz_status make_slug(char **ret_slug, const nz_plots *plots, const char *prefix, const char *name) {
    enum { MOST = 64 };
    char stem[MOST + 1];
    size_t length = 0;
    const char *dagger = strstr(name, NZ_DAGGER), *other = strstr(name, NZ_DOUBLE_DAGGER);
    /* Files keep their names whatever the conditions were. */
    for (; *name && name != dagger && name != other && length < MOST; name++)
        stem[length++] = isalnum((unsigned char)*name) || *name == '_' ? *name : '-';
    stem[length] = '\0';
    for (unsigned k = 1;; k++) {
        NZ_AUTO_FREE char *slug = NULL;
        if (k == 1)
            NZ_TRY(nz_format(&slug, "%s%s", prefix, stem));
        else
            NZ_TRY(nz_format(&slug, "%s%s-%u", prefix, stem, k));
        if (slug_taken(plots, slug)) continue;
        *ret_slug = NZ_STEAL(slug);
        return NZ_OK;
    }
}

/* Whether a plot shows what bad conditions change. */
static bool shows_marked(const nz_plot *plot) {
    if (!*plot->view->mark_foot) return false;
    if (plot->kind == NZ_PLOT_BARS) return plot->view->columns[plot->column].noisy;
    return plot->kind <= NZ_PLOT_DRIFT;
}

nz_status nz_plots_add(nz_plots *plots, const nz_plot *plot, const char *name, nz_text *title, nz_text *description) {
    NZ_AUTO_FREE char *slug = NULL, *heading = NULL, *told = NULL;
    NZ_AUTO(nz_text_done) nz_text rest = *description;
    *description = (nz_text){0};
    NZ_TRY(nz_text_take(title, &heading));
    NZ_TRY(nz_text_take(&rest, &told));
    NZ_TRY(make_slug(&slug, plots, kinds[plot->kind].prefix, name));
    NZ_TRY(nz_grow(&plots->items, &plots->capacity, plots->count + 1, sizeof *plots->items));
    nz_plot *own = &plots->items[plots->count++];
    *own = *plot;
    own->slug = NZ_STEAL(slug);
    own->title = NZ_STEAL(heading);
    own->description = NZ_STEAL(told);
    own->foot = shows_marked(plot) ? 20 : 0;
    own->svg = NULL; /* and the sheet is the plots' now */
    return NZ_OK;
}

static void draw_any(nz_canvas *canvas, const void *user) {
    const nz_plot *plot = user;
    kinds[plot->kind].draw(canvas, plot);
    if (plot->foot <= 0) return;
    nz_canvas_rect(canvas, 0, plot->height, plot->width, plot->foot, 0,
                   (nz_paint){.fill = NZ_PAPER, .stroke = NZ_NO_COLOUR});
    nz_canvas_text_fit(canvas, NZ_PLOT_MARGIN, plot->height + 8, plot->view->mark_foot,
                       (nz_lettering){.size = NZ_SIZE_SMALL, .colour = NZ_INK_SOFT}, plot->width - 2 * NZ_PLOT_MARGIN);
}

static nz_drawing drawing_of(const nz_plot *plot) {
    return (nz_drawing){.width = plot->width,
                        .height = plot->height + plot->foot,
                        .png_scale = plot->png_scale,
                        .slug = plot->slug,
                        .title = plot->title,
                        .description = plot->description,
                        .draw = draw_any,
                        .user = plot};
}

static nz_status draw_from(nz_plots *ret_plots, const nz_view *view, size_t first) {
    NZ_AUTO_PLOTS nz_plots plots = {0};
    for (size_t k = first; k < NZ_COUNT(kinds); k++) NZ_TRY(kinds[k].plan(&plots, view));
    NZ_TRY(plots.notes.status);
    for (size_t i = 0; i < plots.count; i++) {
        nz_drawing drawing = drawing_of(&plots.items[i]);
        NZ_AUTO(nz_text_done) nz_text svg = {0};
        NZ_TRY(nz_canvas_svg(&svg, &drawing));
        NZ_TRY(nz_text_take(&svg, &plots.items[i].svg));
    }
    *ret_plots = plots;
    plots = (nz_plots){0};
    return NZ_OK;
}

nz_status nz_plots_draw(nz_plots *ret_plots, const nz_view *view) { return draw_from(ret_plots, view, 0); }

nz_status nz_plots_draw_detection(nz_plots *ret_plots, const nz_view *view) {
    return draw_from(ret_plots, view, NZ_PLOT_PRECISION);
}

void nz_plots_done(nz_plots *plots) {
    for (size_t i = 0; i < plots->count; i++) {
        free(plots->items[i].slug);
        free(plots->items[i].title);
        free(plots->items[i].description);
        free(plots->items[i].svg);
        nz_sample_sheet_free(plots->items[i].sheet);
    }
    nz_text_done(&plots->notes);
    free(plots->items);
    *plots = (nz_plots){0};
}

/* ---- files ---- */

static nz_status write_plot(const nz_plot *plot, const char *folder) {
    NZ_AUTO_FREE char *svg_path = NULL, *png_path = NULL, *png = NULL;
    size_t png_count = 0;
    nz_drawing drawing = drawing_of(plot);
    NZ_TRY(nz_format(&svg_path, "%s/%s.svg", folder, plot->slug));
    NZ_TRY(nz_format(&png_path, "%s/%s.png", folder, plot->slug));
    NZ_TRY(nz_canvas_png(&png, &png_count, &drawing));
    NZ_TRY(nz_file_write(svg_path, plot->svg, strlen(plot->svg)));
    return nz_file_write(png_path, png, png_count);
}

/* Whether the file is named as one of ours, and belongs to no plot of now. */
static bool is_stale(const nz_plots *plots, const char *name) {
    const char *dot = strrchr(name, '.');
    if (!dot || (strcmp(dot, ".svg") != 0 && strcmp(dot, ".png") != 0)) return false;
    bool ours = false;
    for (size_t k = 0; k < NZ_COUNT(kinds); k++)
        ours = ours || strncmp(name, kinds[k].prefix, strlen(kinds[k].prefix)) == 0;
    for (size_t i = 0; ours && i < plots->count; i++)
        ours = strlen(plots->items[i].slug) != (size_t)(dot - name) ||
               strncmp(plots->items[i].slug, name, (size_t)(dot - name)) != 0;
    return ours;
}

static void remove_stale(const nz_plots *plots, const char *folder) {
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        if (!is_stale(plots, entry->d_name)) continue;
        char *path = NULL;
        if (nz_path_join(&path, folder, entry->d_name) == NZ_OK) unlink(path);
        free(path);
    }
    if (dir) closedir(dir);
}

nz_status nz_plots_write(const nz_plots *plots, const char *dir, const nz_progress *progress) {
    NZ_AUTO_FREE char *folder = NULL;
    NZ_TRY(nz_path_join(&folder, dir, "plots"));
    NZ_TRY(nz_dir_make(folder));
    if (progress && progress->note && !nz_canvas_has_font())
        progress->note(
            progress->user,
            "no font is installed: the PNG plots are lettered in plain strokes (mend: install fonts-dejavu-core)");
    for (const char *p = plots->notes.data; p && *p && progress && progress->note;) {
        char line[512];
        size_t length = strcspn(p, "\n");
        nz_snprintf(line, sizeof line, "%.*s", (int)(length < sizeof line ? length : sizeof line - 1), p);
        progress->note(progress->user, line);
        p += length + (p[length] == '\n');
    }
    for (size_t i = 0; i < plots->count; i++) {
        if (progress && progress->step && progress->step(progress->user, "plots", i, plots->count) != 0)
            return nz_fail(NZ_E_CANCELLED, "drawing plots was cancelled");
        NZ_TRY(write_plot(&plots->items[i], folder));
    }
    if (progress && progress->step) (void)progress->step(progress->user, "plots", plots->count, plots->count);
    remove_stale(plots, folder);
    return NZ_OK;
}
