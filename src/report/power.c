/* SPDX-License-Identifier: Apache-2.0 */
/* Power over time in the log of an external meter: every peak of any number of samples, the window, idle power, gaps. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "measure/meter_series.h"
#include "netzip/report.h"
#include "report/axis.h"
#include "report/escape.h"
#include "report/plots.h"

enum { WIDTH = 860, HEIGHT = 400, LEFT = 62, RIGHT = 20, FOOT = 52, TICKS = 8, GAPS_DRAWN = 2000 };
#define WINDOW_INK 0x0072b2u
#define GAP_INK 0xd55e00u
#define IDLE_INK 0x009e73u

typedef struct frame {
    const nz_meter_series *s;
    const nz_meter_energy *e;
    const char *log;
    nz_axis y;
    double left, right, top, bottom;
} frame;

static double x_of(const frame *f, int64_t ns) {
    const nz_meter_series *s = f->s;
    double share = (double)(ns - s->time_ns[0]) / (double)(s->time_ns[s->count - 1] - s->time_ns[0]);
    return f->left + (f->right - f->left) * fmin(1, fmax(0, share));
}
static double y_of(const frame *f, double watts) { return f->bottom - (f->bottom - f->top) * nz_axis_at(&f->y, watts); }

/* ---- time ---- */

/* The least round step of time that gives few enough ticks. */
static int64_t tick_step(int64_t length_ns) {
    static const double steps_s[] = {1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1,  0.5,  1,    2,     5,     10,    20,   30,
                                     60,   120,  300,  600,  1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400};
    for (size_t i = 0; i < NZ_COUNT(steps_s); i++)
        if ((double)length_ns / 1e9 / steps_s[i] <= TICKS) return (int64_t)(steps_s[i] * 1e9);
    int64_t days = length_ns / (TICKS * NZ_DAY_NS) + 1;
    return days * NZ_DAY_NS;
}

/* "06:07", with seconds and parts of them where steps are shorter; a log without dates or clock counts seconds. */
static void put_time(nz_text *out, const frame *f, int64_t ns, int64_t step) {
    if (!f->s->dated && !f->s->clock) {
        nz_put_fixed(out, (double)ns / 1e9, step < NZ_SECOND_NS ? 3 : 0);
        return;
    }
    int64_t day = (ns % NZ_DAY_NS + NZ_DAY_NS) % NZ_DAY_NS, second = day / NZ_SECOND_NS;
    nz_text_appendf(out, "%02d:%02d", (int)(second / 3600), (int)(second / 60 % 60));
    if (step < 60 * (int64_t)NZ_SECOND_NS) nz_text_appendf(out, ":%02d", (int)(second % 60));
    if (step < NZ_SECOND_NS) nz_text_appendf(out, ".%03d", (int)(day / 1000000 % 1000));
}

static void draw_times(nz_canvas *canvas, const frame *f) {
    const nz_meter_series *s = f->s;
    int64_t first = s->time_ns[0], last = s->time_ns[s->count - 1], step = tick_step(last - first);
    int64_t at = first - (first % step + step) % step;
    nz_lettering soft = {.size = NZ_SIZE_SMALL, .colour = NZ_INK_SOFT, .anchor = NZ_MIDDLE};
    for (size_t i = 0; i <= TICKS + 2 && at <= last; i++, at += step) {
        if (at < first) continue;
        nz_text text = {0};
        put_time(&text, f, at, step);
        nz_canvas_line(canvas, x_of(f, at), f->top, x_of(f, at), f->bottom, (nz_paint){.stroke = NZ_GRID});
        if (text.data) nz_canvas_text(canvas, x_of(f, at), f->bottom + 17, text.data, soft);
        nz_text_done(&text);
    }
    nz_canvas_text(canvas, (f->left + f->right) / 2, f->bottom + 37,
                   s->dated   ? "Time (UTC)"
                   : s->clock ? "Time of day"
                              : "Seconds of the log",
                   (nz_lettering){.size = NZ_SIZE_TEXT, .anchor = NZ_MIDDLE, .colour = NZ_INK});
}

static void draw_watts(nz_canvas *canvas, const frame *f) {
    nz_lettering soft = {.size = NZ_SIZE_SMALL, .colour = NZ_INK_SOFT, .anchor = NZ_RIGHT};
    for (size_t t = 0; t < f->y.count; t++) {
        nz_text text = {0};
        double y = y_of(f, f->y.ticks[t]);
        nz_axis_put_tick(&text, &f->y, t);
        nz_canvas_line(canvas, f->left, y, f->right, y, (nz_paint){.stroke = NZ_GRID});
        if (text.data) nz_canvas_text(canvas, f->left - 7, y + 4, text.data, soft);
        nz_text_done(&text);
    }
    nz_canvas_text(canvas, NZ_PLOT_MARGIN + 6, (f->top + f->bottom) / 2, "Power (W)",
                   (nz_lettering){.size = NZ_SIZE_TEXT, .anchor = NZ_MIDDLE, .colour = NZ_INK, .upwards = true});
}

/* ---- power ---- */

static bool is_gap(const nz_meter_series *s, size_t i) {
    return (double)(s->time_ns[i + 1] - s->time_ns[i]) / 1e9 > NZ_METER_GAP * s->interval_s;
}

/* Samples that share a column of pixels: the first, the least, the largest and the last of them, in order of time. */
static size_t add_column(nz_point *points, size_t count, const frame *f, size_t from, size_t to) {
    size_t least = from, most = from;
    for (size_t i = from; i < to; i++) {
        if (f->s->watts[i] < f->s->watts[least]) least = i;
        if (f->s->watts[i] > f->s->watts[most]) most = i;
    }
    size_t kept[4] = {from, least < most ? least : most, least < most ? most : least, to - 1};
    for (size_t k = 0; k < 4; k++) {
        if (k && kept[k] == kept[k - 1]) continue;
        points[count++] = (nz_point){x_of(f, f->s->time_ns[kept[k]]), y_of(f, f->s->watts[kept[k]])};
    }
    return count;
}

static void draw_power(nz_canvas *canvas, const frame *f) {
    size_t columns = (size_t)(f->right - f->left) + 2, count = 0, from = 0;
    NZ_AUTO_FREE nz_point *points = NULL;
    nz_status status = nz_alloc(&points, 4 * columns, sizeof *points);
    if (status != NZ_OK) {
        nz_canvas_fail(canvas, status);
        return;
    }
    for (size_t i = 1; i <= f->s->count; i++) {
        bool same = i < f->s->count && floor(x_of(f, f->s->time_ns[i])) == floor(x_of(f, f->s->time_ns[from]));
        if (same) continue;
        count = add_column(points, count, f, from, i);
        from = i;
    }
    nz_canvas_path(canvas, points, count, false, (nz_paint){.fill = NZ_NO_COLOUR, .stroke = NZ_INK_SOFT, .width = 0.8});
}

static void draw_gaps(nz_canvas *canvas, const frame *f) {
    size_t drawn = 0;
    double until = -1;
    for (size_t i = 0; i + 1 < f->s->count && drawn < GAPS_DRAWN; i++) {
        if (!is_gap(f->s, i)) continue;
        double x = x_of(f, f->s->time_ns[i]), width = fmax(1, x_of(f, f->s->time_ns[i + 1]) - x);
        if (x + width <= until) continue;
        nz_canvas_rect(canvas, x, f->top, width, f->bottom - f->top, 0,
                       (nz_paint){.fill = GAP_INK, .fill_alpha = 0.25, .stroke = NZ_NO_COLOUR});
        until = x + width;
        drawn++;
    }
}

/* A level of power between two times, with its value above. */
static void draw_level(nz_canvas *canvas, const frame *f, int64_t from, int64_t to, double watts, nz_colour colour,
                       const char *name) {
    if (isnan(watts)) return;
    double y = y_of(f, watts), left = x_of(f, from), right = x_of(f, to);
    nz_text text = {0};
    nz_canvas_line(canvas, left, y, right, y, (nz_paint){.stroke = colour, .width = 2, .dash = 5});
    nz_text_appendf(&text, "%s ", name);
    nz_put_fixed(&text, watts, 3);
    nz_text_append(&text, " W");
    nz_lettering letters = {.size = NZ_SIZE_SMALL, .colour = colour, .anchor = NZ_MIDDLE, .bold = true, .halo = true};
    double width = text.data ? nz_canvas_text_width(canvas, text.data, NZ_SIZE_SMALL, true) / 2 : 0;
    double x = fmin(fmax((left + right) / 2, f->left + width), f->right - width);
    if (text.data) nz_canvas_text(canvas, x, y - 6, text.data, letters);
    nz_text_done(&text);
}

static void draw_window(nz_canvas *canvas, const frame *f) {
    double left = x_of(f, f->e->start_ns), right = x_of(f, f->e->end_ns);
    nz_canvas_rect(canvas, left, f->top, fmax(1, right - left), f->bottom - f->top, 0,
                   (nz_paint){.fill = WINDOW_INK, .fill_alpha = 0.09, .stroke = NZ_NO_COLOUR});
    for (int i = 0; i < 2; i++) {
        double x = i ? right : left;
        nz_canvas_line(canvas, x, f->top, x, f->bottom, (nz_paint){.stroke = WINDOW_INK, .width = 1.5});
    }
}

static void put_subtitle(nz_text *out, const frame *f) {
    const nz_meter_energy *e = f->e;
    nz_put_fixed(out, e->joules, e->joules < 100 ? 3 : 1);
    nz_text_append(out, " J in ");
    nz_put_fixed(out, e->seconds, 3);
    nz_text_append(out, " s \xc2\xb7 mean ");
    nz_put_fixed(out, e->watts, 3);
    nz_text_append(out, " W \xc2\xb7 largest ");
    nz_put_fixed(out, e->watts_max, 3);
    nz_text_appendf(out, " W \xc2\xb7 %llu gap%s in the window", (unsigned long long)e->gaps, e->gaps == 1 ? "" : "s");
    if (e->marked) nz_text_append(out, " \xc2\xb7 MARKED");
}

static void draw(nz_canvas *canvas, const void *user) {
    const frame *f = user;
    const int64_t minute = 60 * (int64_t)NZ_SECOND_NS;
    nz_plot plot = {.width = WIDTH, .height = HEIGHT};
    nz_text title = {0}, subtitle = {0};
    nz_text_append(&title, "Power in ");
    nz_put_clean(&title, nz_path_base(f->log));
    put_subtitle(&subtitle, f);
    nz_plot_head(canvas, &plot, title.data ? title.data : "", subtitle.data ? subtitle.data : "");
    nz_text_done(&title);
    nz_text_done(&subtitle);
    draw_watts(canvas, f);
    draw_times(canvas, f);
    draw_window(canvas, f);
    draw_gaps(canvas, f);
    draw_power(canvas, f);
    draw_level(canvas, f, f->e->start_ns, f->e->end_ns, f->e->watts, WINDOW_INK, "mean");
    draw_level(canvas, f, f->e->start_ns - minute, f->e->start_ns, f->e->idle_before_w, IDLE_INK, "before");
    draw_level(canvas, f, f->e->end_ns, f->e->end_ns + minute, f->e->idle_after_w, IDLE_INK, "behind");
    nz_canvas_line(canvas, f->left, f->bottom, f->right, f->bottom, (nz_paint){.stroke = NZ_RULE});
}

static nz_status write_files(const frame *f, const char *svg, const char *png) {
    NZ_AUTO(nz_text_done) nz_text told = {0};
    put_subtitle(&told, f);
    NZ_TRY(told.status);
    nz_drawing drawing = {.width = WIDTH,
                          .height = HEIGHT,
                          .slug = "power",
                          .title = "Power over time",
                          .description = told.data,
                          .draw = draw,
                          .user = f};
    if (svg) {
        NZ_AUTO(nz_text_done) nz_text text = {0};
        NZ_TRY(nz_canvas_svg(&text, &drawing));
        NZ_TRY(nz_file_write(svg, text.data, text.length));
    }
    if (!png) return NZ_OK;
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count = 0;
    NZ_TRY(nz_canvas_png(&bytes, &count, &drawing));
    return nz_file_write(png, bytes, count);
}

nz_status nz_report_power(const char *svg, const char *png, const char *log, const char *columns,
                          const struct nz_meter_energy *energy) {
    NZ_AUTO(nz_meter_series_done) nz_meter_series series = {0};
    frame f = {.s = &series,
               .e = energy,
               .log = log,
               .left = LEFT,
               .right = WIDTH - RIGHT,
               .top = 70,
               .bottom = HEIGHT - FOOT};
    double least = 0, most = 0;
    NZ_TRY(nz_meter_series_read(&series, log, columns));
    for (size_t i = 0; i < series.count; i++) {
        least = fmin(least, series.watts[i]);
        most = fmax(most, series.watts[i]);
    }
    nz_axis_init(&f.y, least, most * 1.06, true, false, 6);
    return write_files(&f, svg, png);
}
