/* SPDX-License-Identifier: Apache-2.0 */
#include "report/canvas.h"

#include <cairo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "report/escape.h"

/* Fontconfig knows it, or its metric twin, on nearly every machine; anything else answers for it where not. */
#define FAMILY "Arial"
/* Faces as wide as the one that widths are measured with, or narrower. */
#define SVG_FAMILIES "'Helvetica Neue',Helvetica,Arial,'Liberation Sans',Roboto,sans-serif"
#define PNG_SCALE 2.0
#define FULL_CIRCLE 6.283185307179586

struct nz_canvas {
    cairo_t *cairo; /* draws the PNG; for SVG it measures alone */
    nz_text *svg;   /* NULL: PNG */
    const char *slug;
    nz_status status; /* of what was drawn so far */
    /* The picture that the SVG holds already, and where. */
    const nz_picture *held;
    double held_x, held_y, held_width, held_height;
};

/* ---- SVG ---- */

static void put_length(nz_text *out, double value) {
    nz_text digits = {0};
    nz_put_fixed(&digits, value, 2);
    if (digits.data) {
        size_t length = digits.length;
        while (length > 1 && digits.data[length - 1] == '0') length--;
        if (digits.data[length - 1] == '.') length--;
        nz_text_append_bytes(out, digits.data, length);
    }
    nz_text_done(&digits);
}

static void put_attribute(nz_text *out, const char *name, double value) {
    nz_text_appendf(out, " %s=\"", name);
    put_length(out, value);
    nz_text_append(out, "\"");
}

static void put_paint(nz_text *out, nz_paint paint) {
    if (paint.fill == NZ_NO_COLOUR)
        nz_text_append(out, " fill=\"none\"");
    else
        nz_text_appendf(out, " fill=\"#%06x\"", paint.fill);
    if (paint.fill != NZ_NO_COLOUR && paint.fill_alpha > 0) put_attribute(out, "fill-opacity", paint.fill_alpha);
    if (paint.stroke != NZ_NO_COLOUR) {
        nz_text_appendf(out, " stroke=\"#%06x\"", paint.stroke);
        if (paint.width > 0) put_attribute(out, "stroke-width", paint.width);
        if (paint.dash > 0) put_attribute(out, "stroke-dasharray", paint.dash);
    }
    nz_text_append(out, "/>");
}

/* ---- Cairo ---- */

static nz_status cairo_check(cairo_status_t status, const char *slug) {
    if (status == CAIRO_STATUS_SUCCESS) return NZ_OK;
    return nz_fail(status == CAIRO_STATUS_NO_MEMORY ? NZ_E_MEMORY : NZ_E_INTERNAL, "plot %s: Cairo: %s", slug,
                   cairo_status_to_string(status));
}

static void set_colour(cairo_t *cairo, nz_colour colour, double alpha) {
    cairo_set_source_rgba(cairo, (colour >> 16 & 255) / 255.0, (colour >> 8 & 255) / 255.0, (colour & 255) / 255.0,
                          alpha > 0 ? alpha : 1.0);
}

/* Fills and strokes the current path. */
static void apply(cairo_t *cairo, nz_paint paint) {
    if (paint.fill != NZ_NO_COLOUR) {
        set_colour(cairo, paint.fill, paint.fill_alpha);
        cairo_fill_preserve(cairo);
    }
    if (paint.stroke != NZ_NO_COLOUR) {
        set_colour(cairo, paint.stroke, 1);
        cairo_set_line_width(cairo, paint.width > 0 ? paint.width : 1);
        cairo_set_dash(cairo, &paint.dash, paint.dash > 0, 0);
        cairo_stroke_preserve(cairo);
    }
    cairo_new_path(cairo);
}

static void set_font(cairo_t *cairo, double size, bool bold) {
    cairo_select_font_face(cairo, FAMILY, CAIRO_FONT_SLANT_NORMAL,
                           bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cairo, size);
}

/* ---- primitives ---- */

void nz_canvas_rect(nz_canvas *canvas, double x, double y, double width, double height, double round, nz_paint paint) {
    round = fmin(round, fmin(width, height) / 2);
    if (canvas->svg) {
        nz_text_append(canvas->svg, "<rect");
        put_attribute(canvas->svg, "x", x);
        put_attribute(canvas->svg, "y", y);
        put_attribute(canvas->svg, "width", width);
        put_attribute(canvas->svg, "height", height);
        if (round > 0) put_attribute(canvas->svg, "rx", round);
        put_paint(canvas->svg, paint);
        return;
    }
    cairo_new_path(canvas->cairo);
    if (round <= 0) cairo_rectangle(canvas->cairo, x, y, width, height);
    for (int corner = 0; corner < 4 && round > 0; corner++) {
        double cx = corner == 0 || corner == 3 ? x + width - round : x + round;
        double cy = corner < 2 ? y + height - round : y + round;
        cairo_arc(canvas->cairo, cx, cy, round, corner * FULL_CIRCLE / 4, (corner + 1) * FULL_CIRCLE / 4);
    }
    cairo_close_path(canvas->cairo);
    apply(canvas->cairo, paint);
}

void nz_canvas_path(nz_canvas *canvas, const nz_point *points, size_t count, bool closed, nz_paint paint) {
    if (canvas->svg) {
        nz_text_append(canvas->svg, "<path d=\"");
        for (size_t i = 0; i < count; i++) {
            nz_text_append(canvas->svg, i ? "L" : "M");
            put_length(canvas->svg, points[i].x);
            nz_text_append(canvas->svg, " ");
            put_length(canvas->svg, points[i].y);
        }
        nz_text_append(canvas->svg, closed ? "Z\"" : "\"");
        put_paint(canvas->svg, paint);
        return;
    }
    cairo_new_path(canvas->cairo);
    for (size_t i = 0; i < count; i++) cairo_line_to(canvas->cairo, points[i].x, points[i].y);
    if (closed) cairo_close_path(canvas->cairo);
    apply(canvas->cairo, paint);
}

void nz_canvas_line(nz_canvas *canvas, double x1, double y1, double x2, double y2, nz_paint paint) {
    paint.fill = NZ_NO_COLOUR;
    nz_canvas_path(canvas, (nz_point[]){{x1, y1}, {x2, y2}}, 2, false, paint);
}

void nz_canvas_circle(nz_canvas *canvas, double x, double y, double radius, nz_paint paint) {
    if (canvas->svg) {
        nz_text_append(canvas->svg, "<circle");
        put_attribute(canvas->svg, "cx", x);
        put_attribute(canvas->svg, "cy", y);
        put_attribute(canvas->svg, "r", radius);
        put_paint(canvas->svg, paint);
        return;
    }
    cairo_new_path(canvas->cairo);
    cairo_arc(canvas->cairo, x, y, radius, 0, FULL_CIRCLE);
    apply(canvas->cairo, paint);
}

void nz_canvas_fail(nz_canvas *canvas, nz_status status) {
    if (canvas->status == NZ_OK) canvas->status = status;
}

double nz_canvas_text_width(nz_canvas *canvas, const char *text, double size, bool bold) {
    cairo_text_extents_t extents;
    set_font(canvas->cairo, size, bold);
    cairo_text_extents(canvas->cairo, text, &extents);
    return extents.x_advance;
}

void nz_canvas_text(nz_canvas *canvas, double x, double y, const char *text, nz_lettering lettering) {
    if (canvas->svg) {
        static const char *const anchors[] = {"start", "middle", "end"};
        nz_text_append(canvas->svg, "<text");
        if (lettering.upwards) {
            nz_text_append(canvas->svg, " transform=\"translate(");
            put_length(canvas->svg, x);
            nz_text_append(canvas->svg, " ");
            put_length(canvas->svg, y);
            nz_text_append(canvas->svg, ") rotate(-90)\"");
        } else {
            put_attribute(canvas->svg, "x", x);
            put_attribute(canvas->svg, "y", y);
        }
        put_attribute(canvas->svg, "font-size", lettering.size);
        nz_text_appendf(canvas->svg, " fill=\"#%06x\"", lettering.colour);
        if (lettering.bold) nz_text_append(canvas->svg, " font-weight=\"600\"");
        if (lettering.halo)
            nz_text_appendf(canvas->svg,
                            " stroke=\"#%06x\" stroke-width=\"3.5\" stroke-linejoin=\"round\" paint-order=\"stroke\"",
                            NZ_PAPER);
        if (lettering.anchor != NZ_LEFT) nz_text_appendf(canvas->svg, " text-anchor=\"%s\"", anchors[lettering.anchor]);
        nz_text_append(canvas->svg, ">");
        nz_put_html(canvas->svg, text);
        nz_text_append(canvas->svg, "</text>");
        return;
    }
    double width = nz_canvas_text_width(canvas, text, lettering.size, lettering.bold);
    double shift = lettering.anchor == NZ_LEFT ? 0 : lettering.anchor == NZ_MIDDLE ? width / 2 : width;
    set_colour(canvas->cairo, lettering.colour, 1);
    cairo_save(canvas->cairo);
    cairo_translate(canvas->cairo, x, y);
    if (lettering.upwards) cairo_rotate(canvas->cairo, -FULL_CIRCLE / 4);
    cairo_move_to(canvas->cairo, -shift, 0);
    if (lettering.halo) {
        cairo_text_path(canvas->cairo, text);
        cairo_set_line_width(canvas->cairo, 3.5);
        cairo_set_dash(canvas->cairo, NULL, 0, 0);
        set_colour(canvas->cairo, NZ_PAPER, 1);
        cairo_stroke(canvas->cairo);
        set_colour(canvas->cairo, lettering.colour, 1);
        cairo_move_to(canvas->cairo, -shift, 0);
    }
    cairo_show_text(canvas->cairo, text);
    cairo_restore(canvas->cairo);
    cairo_new_path(canvas->cairo);
}

void nz_canvas_begin(nz_canvas *canvas, const char *title) {
    if (!canvas->svg) return;
    nz_text_append(canvas->svg, "<g><title>");
    nz_put_html(canvas->svg, title);
    nz_text_append(canvas->svg, "</title>");
}

void nz_canvas_end(nz_canvas *canvas) {
    if (canvas->svg) nz_text_append(canvas->svg, "</g>\n");
}

void nz_canvas_fit(nz_canvas *canvas, nz_text *out, const char *text, double size, bool bold, double width) {
    for (size_t most = nz_utf8_count(text);; most--) {
        nz_text piece = {0};
        if (most > 160) most = 160; /* nothing longer fits into any plot */
        nz_put_short(&piece, text, most > 3 ? most : 3);
        bool fits = most <= 3 || !piece.data || nz_canvas_text_width(canvas, piece.data, size, bold) <= width;
        if (fits && piece.data) nz_text_append(out, piece.data);
        if (piece.status != NZ_OK) out->status = piece.status;
        nz_text_done(&piece);
        if (fits) return;
    }
}

void nz_canvas_text_fit(nz_canvas *canvas, double x, double y, const char *text, nz_lettering lettering, double width) {
    nz_text piece = {0};
    nz_canvas_fit(canvas, &piece, text, lettering.size, lettering.bold, width);
    bool whole = piece.data && strcmp(piece.data, text) == 0;
    if (!whole) nz_canvas_begin(canvas, text);
    nz_canvas_text(canvas, x, y, piece.data ? piece.data : "", lettering);
    if (!whole) nz_canvas_end(canvas);
    nz_text_done(&piece);
}

/* ---- pictures ---- */

static void put_svg_picture(nz_canvas *canvas, const nz_picture *picture, double x, double y, double width,
                            double height) {
    if (canvas->held == picture && canvas->held_width == width && canvas->held_height == height) {
        nz_text_appendf(canvas->svg, "<use href=\"#%s-i\"", canvas->slug);
        put_attribute(canvas->svg, "x", x - canvas->held_x);
        put_attribute(canvas->svg, "y", y - canvas->held_y);
        nz_text_append(canvas->svg, "/>\n");
        return;
    }
    nz_text_append(canvas->svg, "<image");
    if (!canvas->held) {
        nz_text_appendf(canvas->svg, " id=\"%s-i\"", canvas->slug);
        canvas->held = picture;
        canvas->held_x = x;
        canvas->held_y = y;
        canvas->held_width = width;
        canvas->held_height = height;
    }
    put_attribute(canvas->svg, "x", x);
    put_attribute(canvas->svg, "y", y);
    put_attribute(canvas->svg, "width", width);
    put_attribute(canvas->svg, "height", height);
    nz_text_append(canvas->svg, " preserveAspectRatio=\"none\" href=\"");
    nz_text_append(canvas->svg, picture->data_uri);
    nz_text_append(canvas->svg, "\"/>\n");
}

/* Cairo wants four bytes a pixel, and takes memory of its own for that. */
static cairo_surface_t *surface_of(const nz_picture *picture) {
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, picture->width, picture->height);
    unsigned char *bytes = cairo_image_surface_get_data(surface);
    size_t stride = bytes ? (size_t)cairo_image_surface_get_stride(surface) : 0;
    for (size_t y = 0; bytes && y < (size_t)picture->height; y++) {
        uint32_t *row = (uint32_t *)(void *)(bytes + y * stride);
        const uint8_t *from = picture->rgb + y * (size_t)picture->width * 3;
        for (size_t x = 0; x < (size_t)picture->width; x++, from += 3)
            row[x] = (uint32_t)from[0] << 16 | (uint32_t)from[1] << 8 | from[2];
    }
    cairo_surface_mark_dirty(surface);
    return surface;
}

void nz_canvas_picture(nz_canvas *canvas, const nz_picture *picture, double x, double y, double width, double height) {
    if (!picture->rgb || (canvas->svg && !picture->data_uri)) {
        nz_canvas_rect(canvas, x, y, width, height, 0, (nz_paint){.fill = 0x8c8c8c, .stroke = NZ_NO_COLOUR});
        return;
    }
    if (canvas->svg) {
        put_svg_picture(canvas, picture, x, y, width, height);
        return;
    }
    cairo_surface_t *surface = surface_of(picture);
    cairo_status_t status = cairo_surface_status(surface);
    if (status == CAIRO_STATUS_SUCCESS) {
        double pixels = 1, across = 0; /* of the file along one pixel of the picture */
        cairo_user_to_device_distance(canvas->cairo, &pixels, &across);
        pixels *= width / picture->width;
        cairo_save(canvas->cairo);
        cairo_rectangle(canvas->cairo, x, y, width, height);
        cairo_clip(canvas->cairo);
        cairo_translate(canvas->cairo, x, y);
        cairo_scale(canvas->cairo, width / picture->width, height / picture->height);
        cairo_set_source_surface(canvas->cairo, surface, 0, 0);
        cairo_pattern_set_extend(cairo_get_source(canvas->cairo), CAIRO_EXTEND_PAD);
        cairo_pattern_set_filter(cairo_get_source(canvas->cairo),
                                 pixels >= 2 || pixels == 1 ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_GOOD);
        cairo_paint(canvas->cairo);
        cairo_restore(canvas->cairo);
    } else
        nz_canvas_fail(canvas, cairo_check(status, canvas->slug));
    cairo_surface_destroy(surface);
}

/* ---- whole drawings ---- */

/* A context in its first use of text may fail for want of memory: Cairo keeps that in the context, asked at the end. */
static nz_status run(nz_canvas *canvas, const nz_drawing *drawing, int width, int height, double scale) {
    canvas->slug = drawing->slug;
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    canvas->cairo = cairo_create(surface);
    /* Hinted advances depend on the size in device pixels; both forms shall have one layout. */
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_set_font_options(canvas->cairo, options);
    cairo_font_options_destroy(options);
    cairo_set_line_join(canvas->cairo, CAIRO_LINE_JOIN_ROUND);
    set_colour(canvas->cairo, NZ_PAPER, 1); /* an extent in pixels is rounded up */
    cairo_paint(canvas->cairo);
    cairo_scale(canvas->cairo, scale, scale);
    drawing->draw(canvas, drawing->user);
    cairo_status_t status = cairo_status(canvas->cairo);
    cairo_surface_destroy(surface); /* the context holds another reference */
    return canvas->status != NZ_OK ? canvas->status : cairo_check(status, drawing->slug);
}

nz_status nz_canvas_svg(nz_text *out, const nz_drawing *drawing) {
    nz_canvas canvas = {.svg = out};
    nz_text_append(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ");
    put_length(out, drawing->width);
    nz_text_append(out, " ");
    put_length(out, drawing->height);
    nz_text_append(out, "\"");
    put_attribute(out, "width", drawing->width);
    put_attribute(out, "height", drawing->height);
    nz_text_appendf(out, " role=\"img\" aria-labelledby=\"%s-t %s-d\" font-family=\"" SVG_FAMILIES "\">", drawing->slug,
                    drawing->slug);
    nz_text_appendf(out, "<title id=\"%s-t\">", drawing->slug);
    nz_put_html(out, drawing->title);
    nz_text_appendf(out, "</title><desc id=\"%s-d\">", drawing->slug);
    nz_put_html(out, drawing->description);
    nz_text_append(out, "</desc>\n");
    nz_status status = run(&canvas, drawing, 1, 1, 1);
    cairo_destroy(canvas.cairo);
    nz_text_append(out, "</svg>\n");
    return status != NZ_OK ? status : out->status;
}

static cairo_status_t collect(void *text, const unsigned char *bytes, unsigned count) {
    nz_text_append_bytes(text, bytes, count);
    return ((nz_text *)text)->status == NZ_OK ? CAIRO_STATUS_SUCCESS : CAIRO_STATUS_NO_MEMORY;
}

nz_status nz_canvas_png(char **ret_bytes, size_t *ret_count, const nz_drawing *drawing) {
    nz_canvas canvas = {0};
    NZ_AUTO(nz_text_done) nz_text bytes = {0};
    double scale = drawing->png_scale > 0 ? drawing->png_scale : PNG_SCALE;
    nz_status status =
        run(&canvas, drawing, (int)ceil(drawing->width * scale), (int)ceil(drawing->height * scale), scale);
    if (status == NZ_OK)
        status = cairo_check(cairo_surface_write_to_png_stream(cairo_get_target(canvas.cairo), collect, &bytes),
                             drawing->slug);
    cairo_destroy(canvas.cairo);
    NZ_TRY(status);
    *ret_count = bytes.length;
    return nz_text_take(&bytes, ret_bytes);
}

bool nz_canvas_has_font(void) {
    cairo_surface_t *surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
    cairo_t *cairo = cairo_create(surface);
    set_font(cairo, 12, false);
    cairo_scaled_font_t *font = cairo_get_scaled_font(cairo);
    /* Where fontconfig finds nothing, Cairo draws by the strokes of its own built-in face, a user font. */
    bool found = cairo_scaled_font_get_type(font) != CAIRO_FONT_TYPE_USER &&
                 cairo_scaled_font_status(font) == CAIRO_STATUS_SUCCESS;
    cairo_destroy(cairo);
    cairo_surface_destroy(surface);
    return found;
}
