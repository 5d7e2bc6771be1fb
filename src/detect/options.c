/* SPDX-License-Identifier: Apache-2.0 */
/* One table of options: parsing, checking, help and the text stored with a model all follow it. */
#include "core/options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "detect/detector.h"

static const nz_option table[] = {
    {.name = "head",
     .type = NZ_OPTION_CHOICE,
     .offset = offsetof(nz_detect_options, head),
     .initial = "auto",
     .choices = "auto|yolov5|yolov5-raw|yolov8|yolox|yolox-decoded",
     .help = "how the model's outputs are read; auto: told by their shapes"},
    {.name = "conf",
     .type = NZ_OPTION_REAL,
     .offset = offsetof(nz_detect_options, confidence),
     .initial = "0.001",
     .least = 0,
     .most = 1,
     .help = "candidates score above this (objectness x class), 0 to 1"},
    {.name = "iou",
     .type = NZ_OPTION_REAL,
     .offset = offsetof(nz_detect_options, iou),
     .least = 0,
     .most = 1,
     .help =
         "a box that overlaps a better one by more than this is dropped, 0 to 1; default: 0.65 for YOLOX, else 0.6"},
    {.name = "max",
     .type = NZ_OPTION_INT,
     .offset = offsetof(nz_detect_options, most),
     .initial = "300",
     .least = 1,
     .most = 100000,
     .help = "boxes kept of one image, over all classes"},
    {.name = "labels",
     .type = NZ_OPTION_CHOICE,
     .offset = offsetof(nz_detect_options, best_class),
     .initial = "all",
     .choices = "all|best",
     .help = "all: a box is a candidate for every class above conf; best: for its best class alone"},
    {.name = "nms",
     .type = NZ_OPTION_CHOICE,
     .offset = offsetof(nz_detect_options, across),
     .initial = "class",
     .choices = "class|all",
     .help = "class: boxes suppress boxes of their own class; all: of any class"},
    {.name = "anchors",
     .type = NZ_OPTION_TEXT,
     .offset = offsetof(nz_detect_options, anchors),
     .help = "of a yolov5-raw head, in pixels of the input: 10x13+16x30+33x23/30x61+..., levels joined by '/'; "
             "default: the "
             "published ones"},
    {.name = "strides",
     .type = NZ_OPTION_TEXT,
     .offset = offsetof(nz_detect_options, strides),
     .help = "pixels of the input from cell to cell, a level each: 8+16+32 (the default)"},
};

const char *nz_detect_option(size_t i, const char **ret_initial, const char **ret_help) {
    if (i >= NZ_COUNT(table)) return NULL;
    if (ret_initial) *ret_initial = table[i].initial;
    if (ret_help) *ret_help = table[i].help;
    return table[i].name;
}

void nz_detect_options_done(nz_detect_options *options) { nz_options_done(options, table, NZ_COUNT(table)); }

/* "a=1,b=2" as a text with a head, which is what nz_spec_parse takes. */
static nz_status parse(nz_spec *ret_spec, const char *text) {
    NZ_AUTO_FREE char *whole = NULL;
    NZ_TRY(nz_format(&whole, "detect%s%s", text && *text ? "," : "", text ? text : ""));
    return nz_spec_parse(ret_spec, whole);
}

static nz_status read_pairs(nz_detect_options *ret_options, const nz_spec *spec, const char *what) {
    NZ_AUTO(nz_detect_options_done) nz_detect_options options = {.iou = (double)NAN};
    NZ_TRY(nz_options_read(&options, table, NZ_COUNT(table), spec, what));
    nz_levels levels;
    if (options.strides || options.anchors) NZ_TRY(nz_fail_context(nz_levels_strides(&levels, &options), "%s", what));
    *ret_options = options;
    options = (nz_detect_options){0};
    return NZ_OK;
}

/* The model's own text, checked by itself so that a mistake in it is not taken for one of the user's. */
static nz_status parse_stored(nz_spec *ret_spec, const char *stored) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    NZ_AUTO(nz_detect_options_done) nz_detect_options options = {0};
    nz_status status = parse(&spec, stored);
    if (status == NZ_OK) status = read_pairs(&options, &spec, "the model's netzip.detect");
    if (status != NZ_OK) return status == NZ_E_ARG ? NZ_E_FORMAT : status;
    *ret_spec = spec;
    spec = (nz_spec){0};
    return NZ_OK;
}

/* Moves the pairs of `under` that `over` does not name into it. */
static nz_status lay_under(nz_spec *over, nz_spec *under) {
    size_t capacity = over->count;
    for (size_t i = 0; i < under->count; i++) {
        if (nz_spec_get(over, under->pairs[i].key)) continue;
        NZ_TRY(nz_grow(&over->pairs, &capacity, over->count + 1, sizeof *over->pairs));
        over->pairs[over->count].key = NZ_STEAL(under->pairs[i].key);
        over->pairs[over->count++].value = NZ_STEAL(under->pairs[i].value);
    }
    return NZ_OK;
}

nz_status nz_detect_options_read(nz_detect_options *ret_options, const char *text, const nz_graph *graph) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0}, stored = {0};
    const char *meta = graph ? nz_graph_meta(graph, "netzip.detect") : NULL;
    NZ_TRY(parse(&spec, text));
    if (meta) NZ_TRY(parse_stored(&stored, meta));
    NZ_TRY(lay_under(&spec, &stored));
    return read_pairs(ret_options, &spec, "detect");
}

static void put_choice(nz_text *text, const nz_option *o, int index) {
    const char *p = o->choices;
    for (; index > 0 && strchr(p, '|'); index--) p = strchr(p, '|') + 1;
    nz_text_append_bytes(text, p, strcspn(p, "|"));
}

nz_status nz_detect_options_text(char **ret_text, const nz_detect_options *options) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    for (size_t i = 0; i < NZ_COUNT(table); i++) {
        const nz_option *o = &table[i];
        const void *place = (const char *)options + o->offset;
        char digits[NZ_REAL_DIGITS];
        if (o->type == NZ_OPTION_TEXT && !*(char *const *)place) continue;
        if (o->type == NZ_OPTION_REAL && isnan(*(const double *)place)) continue;
        nz_text_appendf(&text, "%s%s=", text.length ? "," : "", o->name);
        switch (o->type) {
        case NZ_OPTION_CHOICE: put_choice(&text, o, *(const int *)place); break;
        case NZ_OPTION_INT: nz_text_appendf(&text, "%lld", *(const long long *)place); break;
        case NZ_OPTION_TEXT: nz_spec_put(&text, *(char *const *)place); break;
        case NZ_OPTION_BOOL: nz_text_append(&text, *(const bool *)place ? "1" : "0"); break;
        case NZ_OPTION_REAL:
            nz_real_digits(digits, *(const double *)place, 1);
            nz_text_append(&text, digits);
            break;
        }
    }
    return nz_text_take(&text, ret_text);
}
