/* SPDX-License-Identifier: Apache-2.0 */
/* The preprocessing keys: one row each, for reading, help and documentation. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/preprocess.h"

static nz_status whole(int *ret_value, const char *text, int least, int most, const char *what) {
    long long value = 0;
    NZ_TRY(nz_parse_int(&value, text, what));
    if (value < least || value > most) return nz_fail(NZ_E_ARG, "%s: %s is outside %d to %d", what, text, least, most);
    *ret_value = (int)value;
    return NZ_OK;
}

/* "N" gives N and N, "HxW" both. */
static nz_status extents(int *ret_height, int *ret_width, const char *text, const char *what) {
    NZ_AUTO_FREE char *copy = NULL;
    NZ_TRY(nz_strdup(&copy, text));
    char *by = strchr(copy, 'x');
    if (by) *by = '\0';
    int height = 0, width = 0;
    NZ_TRY(whole(&height, copy, 1, NZ_IMAGE_SIDE_MAX, what));
    width = height;
    if (by) NZ_TRY(whole(&width, by + 1, 1, NZ_IMAGE_SIDE_MAX, what));
    *ret_height = height;
    *ret_width = width;
    return NZ_OK;
}

static nz_status read_resize(nz_preprocess *p, const char *value) {
    int height = 0, width = 0;
    if (strcmp(value, "none") != 0) NZ_TRY(extents(&height, &width, value, "resize="));
    p->resize_height = strchr(value, 'x') ? height : 0;
    p->resize_width = width;
    return NZ_OK;
}

static nz_status read_crop(nz_preprocess *p, const char *value) {
    int height = 0, width = 0;
    if (strcmp(value, "none") != 0) NZ_TRY(extents(&height, &width, value, "crop="));
    p->crop_height = height;
    p->crop_width = width;
    return NZ_OK;
}

static nz_status box_words(nz_preprocess *p, char **words, int count, const char *value) {
    p->box_top_left = false;
    p->box_floor = false;
    p->box_fill = NZ_PREPROCESS_FILL;
    if (count > 1) {
        p->box_top_left = strcmp(words[1], "topleft") == 0;
        if (!p->box_top_left && strcmp(words[1], "centre") != 0 && strcmp(words[1], "center") != 0)
            return nz_fail(NZ_E_ARG, "letterbox=%s: '%s' should be centre or topleft", value, words[1]);
    }
    if (count > 2) NZ_TRY(whole(&p->box_fill, words[2], 0, 255, "letterbox= fill"));
    if (count > 3) {
        p->box_floor = strcmp(words[3], "floor") == 0;
        if (!p->box_floor && strcmp(words[3], "round") != 0)
            return nz_fail(NZ_E_ARG, "letterbox=%s: '%s' should be round or floor", value, words[3]);
    }
    return NZ_OK;
}

static nz_status read_letterbox(nz_preprocess *p, const char *value) {
    enum { WORDS = 4 };
    if (strcmp(value, "none") == 0) {
        p->box_height = p->box_width = 0;
        return NZ_OK;
    }
    NZ_AUTO_FREE char *copy = NULL;
    NZ_TRY(nz_strdup(&copy, value));
    char *words[WORDS] = {NULL}, *rest = copy;
    int count = 0;
    for (; rest; count++) {
        if (count == WORDS) return nz_fail(NZ_E_ARG, "letterbox=%s: at most N:centre|topleft:FILL:round|floor", value);
        words[count] = strsep(&rest, ":");
    }
    nz_preprocess read = *p;
    NZ_TRY(extents(&read.box_height, &read.box_width, words[0], "letterbox="));
    NZ_TRY(box_words(&read, words, count, value));
    *p = read;
    return NZ_OK;
}

static const char *const color_names[] = {"as-is", "rgb", "bgr", "gray"};

static nz_status read_color(nz_preprocess *p, const char *value) {
    for (int i = 0; i < (int)NZ_COUNT(color_names); i++)
        if (strcmp(value, color_names[i]) == 0) {
            p->color = (nz_color)i;
            return NZ_OK;
        }
    return nz_fail(NZ_E_ARG, "color=%s should be one of rgb, bgr, gray, as-is", value);
}

/* A number, or a fraction such as 1/255. */
static nz_status read_fraction(double *ret_value, const char *text, const char *what) {
    NZ_AUTO_FREE char *copy = NULL;
    NZ_TRY(nz_strdup(&copy, text));
    char *bar = strchr(copy, '/');
    double value = 0, divisor = 1;
    if (bar) *bar = '\0';
    NZ_TRY(nz_parse_double(&value, copy, what));
    if (bar) NZ_TRY(nz_parse_double(&divisor, bar + 1, what));
    value /= divisor;
    if (!(value > -1e30 && value < 1e30)) return nz_fail(NZ_E_ARG, "%s: %s is not a usable number", what, text);
    *ret_value = value;
    return NZ_OK;
}

static nz_status read_scale(nz_preprocess *p, const char *value) { return read_fraction(&p->scale, value, "scale="); }

static nz_status read_list(double *list, int *ret_count, const char *value, const char *what) {
    NZ_AUTO_FREE char *copy = NULL;
    NZ_TRY(nz_strdup(&copy, value));
    int count = 0;
    for (char *rest = copy; rest; count++) {
        if (count == NZ_PREPROCESS_CHANNELS)
            return nz_fail(NZ_E_ARG, "%s: more than %d numbers", what, NZ_PREPROCESS_CHANNELS);
        NZ_TRY(read_fraction(&list[count], strsep(&rest, ":"), what));
    }
    *ret_count = count;
    return NZ_OK;
}

static nz_status read_mean(nz_preprocess *p, const char *value) {
    return read_list(p->mean, &p->mean_count, value, "mean=");
}

static nz_status read_std(nz_preprocess *p, const char *value) {
    NZ_TRY(read_list(p->std, &p->std_count, value, "std="));
    for (int i = 0; i < p->std_count; i++)
        if (!(p->std[i] > 1e-30)) return nz_fail(NZ_E_ARG, "std=%s: each must be above 0", value);
    return NZ_OK;
}

static nz_status read_layout(nz_preprocess *p, const char *value) {
    bool nhwc = strcmp(value, "nhwc") == 0;
    if (!nhwc && strcmp(value, "nchw") != 0) return nz_fail(NZ_E_ARG, "layout=%s should be nchw or nhwc", value);
    p->nhwc = nhwc;
    p->layout_stated = true;
    return NZ_OK;
}

/* In the order in which they act. preset= is expanded before the others, whatever its place. */
static const struct key {
    const char *name;
    nz_status (*read)(nz_preprocess *preprocess, const char *value);
    const char *help;
} keys[] = {
    {"preset", NULL,
     "imagenet|cifar10|mnist|yolov5|yolox|none: stands for the keys listed below; keys given beside it win"},
    {"resize", read_resize,
     "N (short side, pixels; the long side follows, rounded down) or HxW (exact); none. Antialiased bilinear"},
    {"crop", read_crop, "N or HxW pixels from the centre (offset rounded down); none"},
    {"letterbox", read_letterbox,
     "N[:centre|topleft[:FILL[:round|floor]]]: fitted into NxN (or HxW) pixels, the rest filled; centre:114:round; "
     "none"},
    {"color", read_color,
     "rgb|bgr|gray|as-is: channel order after decoding; as-is (rgb from files, gray from gray sets)"},
    {"scale", read_scale, "factor on the pixel's 0..255, a number or a fraction; 1/255"},
    {"mean", read_mean, "a:b:c or one for all, subtracted after scale; 0"},
    {"std", read_std, "a:b:c or one for all, divided by after mean; 1"},
    {"layout", read_layout, "nchw|nhwc: order of the values; nchw"},
};

static const struct preset {
    const char *name, *keys;
} presets[] = {
    {"imagenet", "resize=256,crop=224,color=rgb,scale=1/255,mean=0.485:0.456:0.406,std=0.229:0.224:0.225"},
    {"cifar10", "color=rgb,scale=1/255,mean=0.4914:0.4822:0.4465,std=0.2470:0.2435:0.2616"},
    {"mnist", "color=gray,scale=1/255,mean=0.1307,std=0.3081"},
    {"yolov5", "letterbox=640:centre:114:round,color=rgb,scale=1/255"},
    {"yolox", "letterbox=416:topleft:114:floor,color=bgr,scale=1"},
    {"none", "scale=1"},
};

const char *nz_preprocess_key(size_t i, const char **ret_help) {
    if (i >= NZ_COUNT(keys)) return NULL;
    if (ret_help) *ret_help = keys[i].help;
    return keys[i].name;
}

const char *nz_preprocess_preset(size_t i, const char **ret_keys) {
    if (i >= NZ_COUNT(presets)) return NULL;
    if (ret_keys) *ret_keys = presets[i].keys;
    return presets[i].name;
}

static nz_status apply(nz_preprocess *p, const nz_spec *spec) {
    for (size_t i = 0; i < NZ_COUNT(keys); i++) {
        const char *value = keys[i].read ? nz_spec_get(spec, keys[i].name) : NULL;
        if (!value) continue;
        NZ_TRY(keys[i].read(p, value));
        p->stated = true;
    }
    return NZ_OK;
}

/* "key=value,..." without a head. */
static nz_status parse_bare(nz_spec *ret_spec, const char *text) {
    NZ_AUTO_FREE char *with_head = NULL;
    NZ_TRY(nz_format(&with_head, "%s%s", *text ? "," : "", text));
    return nz_spec_parse(ret_spec, with_head);
}

static nz_status apply_preset(nz_preprocess *p, const char *name) {
    for (size_t i = 0; i < NZ_COUNT(presets); i++) {
        if (strcmp(presets[i].name, name) != 0) continue;
        NZ_AUTO(nz_spec_done) nz_spec spec = {0};
        NZ_TRY(parse_bare(&spec, presets[i].keys));
        return apply(p, &spec);
    }
    return nz_fail(NZ_E_ARG, "preset=%s should be one of imagenet, cifar10, mnist, yolov5, yolox, none", name);
}

static bool is_key(const char *text, size_t length) {
    for (size_t i = 0; i < NZ_COUNT(keys); i++)
        if (strlen(keys[i].name) == length && memcmp(keys[i].name, text, length) == 0) return true;
    return false;
}

static nz_status fail_key(const char *key) {
    NZ_AUTO(nz_text_done) nz_text names = {0};
    for (size_t i = 0; i < NZ_COUNT(keys); i++) nz_text_appendf(&names, "%s%s", i ? ", " : "", keys[i].name);
    NZ_TRY(names.status);
    return nz_fail(NZ_E_ARG, "unknown key '%s' (there is %s)", key, names.data);
}

/* Keys about preprocessing and nothing else. */
static nz_status apply_model(nz_preprocess *p, const char *text) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    NZ_TRY(parse_bare(&spec, text));
    for (size_t k = 0; k < spec.count; k++)
        if (!is_key(spec.pairs[k].key, strlen(spec.pairs[k].key))) return fail_key(spec.pairs[k].key);
    const char *preset = nz_spec_get(&spec, "preset");
    if (preset) NZ_TRY(apply_preset(p, preset));
    return apply(p, &spec);
}

nz_status nz_preprocess_read(nz_preprocess *ret_preprocess, const nz_spec *spec, const char *model, const char *what) {
    nz_preprocess p = {.scale = 1.0 / 255, .box_fill = 114};
    const char *preset = spec ? nz_spec_get(spec, "preset") : NULL;
    nz_status status = NZ_OK;
    if (preset)
        status = apply_preset(&p, preset);
    else if (model && *model) {
        status = apply_model(&p, model);
        if (status == NZ_E_ARG) status = NZ_E_FORMAT;
        if (status != NZ_OK) return nz_fail_context(status, "the model's netzip.preprocess '%s'", model);
    }
    if (status == NZ_OK && spec) status = apply(&p, spec);
    if (status != NZ_OK) return nz_fail_context(status, "%s", what);
    *ret_preprocess = p;
    return NZ_OK;
}

/* Pieces stay as they were typed, so that a path keeps its backslashes. */
nz_status nz_data_respec(char **ret_spec, const char *spec, const char *with) {
    NZ_AUTO(nz_text_done) nz_text out = {0};
    nz_preprocess p = {.scale = 1};
    nz_status status = apply_model(&p, with);
    if (status != NZ_OK) return nz_fail_context(status, "preprocessing '%s'", with);
    const char *at = spec, *end = spec;
    for (bool head = true; head || *at; head = false, at = end) {
        for (end += !head; *end && *end != ','; end++) end += *end == '\\' && end[1];
        if (head || !is_key(at + 1, strcspn(at + 1, "=,"))) nz_text_append_bytes(&out, at, (size_t)(end - at));
    }
    nz_text_appendf(&out, "%s%s", *with ? "," : "", with);
    return nz_text_take(&out, ret_spec);
}

/* The fewest digits that read back as the same number. */
static void put_number(nz_text *text, double value) {
    char digits[NZ_REAL_DIGITS];
    if (value == 1.0 / 255) {
        nz_text_append(text, "1/255");
        return;
    }
    nz_real_digits(digits, value, 1);
    nz_text_append(text, digits);
}

static void put_list(nz_text *text, const char *key, const double *list, int count) {
    for (int i = 0; i < count; i++) {
        nz_text_append(text, i ? ":" : key);
        put_number(text, list[i]);
    }
}

static void put_extents(nz_text *text, const char *key, int height, int width) {
    if (height == width)
        nz_text_appendf(text, "%s%d", key, width);
    else
        nz_text_appendf(text, "%s%dx%d", key, height, width);
}

nz_status nz_preprocess_text(char **ret_text, const nz_preprocess *p) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    if (p->resize_width && p->resize_height)
        nz_text_appendf(&text, "resize=%dx%d,", p->resize_height, p->resize_width);
    else if (p->resize_width)
        nz_text_appendf(&text, "resize=%d,", p->resize_width);
    if (p->crop_width) {
        put_extents(&text, "crop=", p->crop_height, p->crop_width);
        nz_text_append(&text, ",");
    }
    if (p->box_width) {
        put_extents(&text, "letterbox=", p->box_height, p->box_width);
        nz_text_appendf(&text, ":%s:%d:%s,", p->box_top_left ? "topleft" : "centre", p->box_fill,
                        p->box_floor ? "floor" : "round");
    }
    if (p->color != NZ_COLOR_AS_IS) nz_text_appendf(&text, "color=%s,", color_names[p->color]);
    nz_text_append(&text, "scale=");
    put_number(&text, p->scale);
    put_list(&text, ",mean=", p->mean, p->mean_count);
    put_list(&text, ",std=", p->std, p->std_count);
    if (p->nhwc) nz_text_append(&text, ",layout=nhwc");
    return nz_text_take(&text, ret_text);
}
