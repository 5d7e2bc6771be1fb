/* SPDX-License-Identifier: Apache-2.0 */
#include "data/augment.h"

#include <stddef.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/text.h"

/* ---- Reading what is asked for ---- */

typedef struct keys {
    long long crop, zoom, shift, hue, saturation, brightness;
    bool flip, resized;
} keys;

static const nz_option table[] = {
    {"crop", NZ_OPTION_INT, offsetof(keys, crop), "0", 0, 1024, NULL,
     "pixels of black around the image before a random crop of its size; 0: none"},
    {"flip", NZ_OPTION_BOOL, offsetof(keys, flip), "0", 0, 0, NULL, "1: left and right exchanged in half of the cases"},
    {"resized", NZ_OPTION_BOOL, offsetof(keys, resized), "0", 0, 0, NULL,
     "1: a random part of 8% to 100% of the area, resized; in place of resize=, crop= and letterbox= of the data"},
    {"zoom", NZ_OPTION_INT, offsetof(keys, zoom), "0", 0, 90, NULL,
     "percent by which the image is made larger or smaller at most, about its middle"},
    {"shift", NZ_OPTION_INT, offsetof(keys, shift), "0", 0, 50, NULL,
     "percent of its sides by which the image is moved at most"},
    {"hue", NZ_OPTION_INT, offsetof(keys, hue), "0", 0, 50, NULL,
     "percent of the circle by which colours are turned at most"},
    {"saturation", NZ_OPTION_INT, offsetof(keys, saturation), "0", 0, 100, NULL,
     "percent by which colours are made stronger or weaker at most"},
    {"brightness", NZ_OPTION_INT, offsetof(keys, brightness), "0", 0, 100, NULL,
     "percent by which the image is made lighter or darker at most"},
};

nz_status nz_augment_read(nz_augment *ret_augment, const char *text) {
    NZ_AUTO_FREE char *pairs = NULL;
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    keys k = {0};
    bool any = text && *text;
    NZ_TRY(nz_format(&pairs, "%s%s", any ? "augment," : "augment", any ? text : ""));
    for (char *p = pairs; (p = strchr(p, '+')); p++) *p = ',';
    nz_status status = nz_spec_parse(&spec, pairs);
    if (status == NZ_OK) status = nz_options_read(&k, table, NZ_COUNT(table), &spec, "augmentation");
    if (status != NZ_OK) return nz_fail_context(status, "augment '%s'", any ? text : "");
    *ret_augment = (nz_augment){.crop_padding = (int)k.crop,
                                .flip = k.flip,
                                .resized_crop = k.resized,
                                .zoom = (int)k.zoom,
                                .shift = (int)k.shift,
                                .hue = (int)k.hue,
                                .saturation = (int)k.saturation,
                                .brightness = (int)k.brightness};
    return NZ_OK;
}

nz_status nz_augment_check(const nz_augment *a) {
    const keys k = {.crop = a->crop_padding,
                    .zoom = a->zoom,
                    .shift = a->shift,
                    .hue = a->hue,
                    .saturation = a->saturation,
                    .brightness = a->brightness};
    for (size_t i = 0; i < NZ_COUNT(table); i++) {
        long long value = 0;
        if (table[i].type != NZ_OPTION_INT) continue;
        memcpy(&value, (const char *)&k + table[i].offset, sizeof value);
        if (value < (long long)table[i].least || value > (long long)table[i].most)
            return nz_fail(NZ_E_ARG, "augmentation: %s=%lld should be from %g to %g", table[i].name, value,
                           table[i].least, table[i].most);
    }
    return NZ_OK;
}

const char *nz_augment_key(size_t i, const char **ret_help) {
    if (i >= NZ_COUNT(table)) return NULL;
    if (ret_help) *ret_help = table[i].help;
    return table[i].name;
}

/* ---- Drawing ---- */

enum { ONE = NZ_AUGMENT_ONE, LEAST_AREA = 5243, RATIO_STEPS = 16, FINE = 64, TRIES = 10 };

/* (4/3)^(k/16) in 1/65536. */
static const uint32_t ratio_steps[RATIO_STEPS + 1] = {65536, 66725, 67936, 69168, 70423, 71701, 73002, 74326, 75674,
                                                      77047, 78445, 79868, 81317, 82793, 84295, 85824, 87381};

bool nz_augment_is_none(const nz_augment *a) {
    return !a->crop_padding && !a->flip && !a->resized_crop && !a->zoom && !a->shift && !a->hue && !a->saturation &&
           !a->brightness;
}

/* Uniform in -percent .. percent, in 1/65536. */
static int32_t within(nz_random *random, int percent) {
    int64_t most = (int64_t)percent * ONE / 100;
    return (int32_t)((int64_t)nz_random_below(random, (uint64_t)(2 * most + 1)) - most);
}

nz_augment_draw nz_augment_draw_sample(const nz_augment *augment, size_t sample) {
    nz_augment_draw draw = {0};
    nz_random looks;
    int padding = augment->crop_padding;
    nz_random_init(&draw.rest, augment->seed, augment->epoch);
    uint64_t places_seed = nz_random_u64(&draw.rest), looks_seed = nz_random_u64(&draw.rest);
    nz_random_init(&draw.rest, places_seed, sample);
    nz_random_init(&looks, looks_seed, sample);
    /* Each is drawn whether it is asked for or not, so that one does not change the others. */
    uint64_t side = nz_random_u64(&draw.rest) >> 63, span = 2 * (uint64_t)padding + 1;
    draw.flip = augment->flip && side;
    draw.left = (int)nz_random_below(&draw.rest, span) - padding;
    draw.top = (int)nz_random_below(&draw.rest, span) - padding;
    draw.zoom = ONE + within(&looks, augment->zoom);
    draw.shift_x = within(&looks, augment->shift);
    draw.shift_y = within(&looks, augment->shift);
    draw.hue = within(&looks, augment->hue);
    draw.saturation = ONE + within(&looks, augment->saturation);
    draw.brightness = ONE + within(&looks, augment->brightness);
    return draw;
}

/* The square root, rounded down. */
static uint64_t root(uint64_t x) {
    uint64_t result = 0;
    for (uint64_t bit = (uint64_t)1 << 62; bit; bit >>= 2) {
        if (x >= result + bit) {
            x -= result + bit;
            result = (result >> 1) + bit;
        } else {
            result >>= 1;
        }
    }
    return result;
}

/* (4/3)^(k / (RATIO_STEPS * FINE)) in 1/65536, between the steps along a line. */
static uint64_t ratio_of(int k) {
    int size = k < 0 ? -k : k, step = size / FINE;
    uint64_t below = ratio_steps[step], above = ratio_steps[step < RATIO_STEPS ? step + 1 : step];
    uint64_t ratio = below + (above - below) * (uint64_t)(size % FINE) / FINE;
    return k < 0 ? ((uint64_t)1 << 32) / ratio : ratio;
}

static int rounded(uint64_t value) { return (int)((value + ONE / 2) / ONE); }

static nz_augment_box middle(int width, int height) {
    uint64_t widest = ratio_of(RATIO_STEPS * FINE);
    nz_augment_box box = {.width = width, .height = height};
    if ((uint64_t)width * ONE > (uint64_t)height * widest) box.width = rounded((uint64_t)height * widest);
    if ((uint64_t)height * ONE > (uint64_t)width * widest) box.height = rounded((uint64_t)width * widest);
    box.left = (width - box.width) / 2;
    box.top = (height - box.height) / 2;
    return box;
}

nz_augment_box nz_augment_place(const nz_augment_draw *draw, int width, int height) {
    nz_random random = draw->rest;
    for (int t = 0; t < TRIES; t++) {
        uint64_t area =
            (uint64_t)width * (uint64_t)height * (LEAST_AREA + nz_random_below(&random, ONE - LEAST_AREA + 1));
        int k = (int)nz_random_below(&random, 2 * RATIO_STEPS * FINE + 1) - RATIO_STEPS * FINE;
        nz_augment_box box = {.width = rounded(root(area * ratio_of(k))), .height = rounded(root(area * ratio_of(-k)))};
        if (box.width < 1 || box.width > width || box.height < 1 || box.height > height) continue;
        box.left = (int)nz_random_below(&random, (uint64_t)(width - box.width + 1));
        box.top = (int)nz_random_below(&random, (uint64_t)(height - box.height + 1));
        return box;
    }
    return middle(width, height);
}
