/* SPDX-License-Identifier: Apache-2.0 */
#include "data/yolo_label.h"

#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"

typedef struct reader {
    const char *name;
    size_t line, classes;
} reader;

static const char blanks[] = " \t\r";

/* The next number of a line, which ends at a line break or the text's end. NULL: the word is no number. */
static const char *take_number(double *ret_value, const char *p) {
    char *end = NULL;
    size_t length = strspn(p, "0123456789+-.eE");
    *ret_value = nz_strtod(p, &end);
    return length && end == p + length && isfinite(*ret_value) && strchr(" \t\r\n", *end) ? end : NULL;
}

/* Programs that write such files round, so that a hair outside of the image is let pass. */
static bool is_fraction(double value) { return value >= -0.01 && value <= 1.01; }

/* Box or polygon: the numbers after the class, whose bounds are kept as they come. */
typedef struct shape {
    size_t count;
    double first[4], least[2], most[2];
} shape;

static void take_place(shape *s, double value) {
    size_t axis = s->count % 2;
    if (s->count < 4) s->first[s->count] = value;
    if (s->count < 2 || value < s->least[axis]) s->least[axis] = value;
    if (s->count < 2 || value > s->most[axis]) s->most[axis] = value;
    s->count++;
}

static nz_status make_object(nz_object *ret_object, const reader *r, double class_index, const shape *s) {
    nz_object o = {.class_index = (int32_t)class_index};
    if (s->count == 4) {
        if (s->first[2] < 0 || s->first[3] < 0)
            return nz_fail(NZ_E_FORMAT, "%s:%zu: a negative width or height", r->name, r->line);
        o.width = s->first[2];
        o.height = s->first[3];
        o.x = s->first[0] - o.width / 2;
        o.y = s->first[1] - o.height / 2;
    } else if (s->count >= 6 && s->count % 2 == 0) {
        o.x = s->least[0];
        o.y = s->least[1];
        o.width = s->most[0] - o.x;
        o.height = s->most[1] - o.y;
    } else {
        return nz_fail(NZ_E_FORMAT,
                       "%s:%zu: %zu numbers; should be class, centre x and y, width, height, or class and the corners "
                       "of a polygon",
                       r->name, r->line, s->count + 1);
    }
    *ret_object = o;
    return NZ_OK;
}

static nz_status read_line(nz_object *ret_object, const reader *r, const char *p) {
    double class_index = 0, value = 0;
    shape s = {0};
    size_t most = r->classes ? r->classes : NZ_YOLO_CLASSES_MOST;
    p = take_number(&class_index, p);
    if (!p || class_index < 0 || class_index >= (double)most || class_index != floor(class_index))
        return nz_fail(NZ_E_FORMAT, "%s:%zu: the class should be a whole number from 0 to %zu", r->name, r->line,
                       most - 1);
    for (p += strspn(p, blanks); *p && *p != '\n'; p += strspn(p, blanks)) {
        p = take_number(&value, p);
        if (!p) return nz_fail(NZ_E_FORMAT, "%s:%zu: value %zu is no number", r->name, r->line, s.count + 1);
        if (!is_fraction(value))
            return nz_fail(NZ_E_FORMAT,
                           "%s:%zu: value %zu is %g; places and extents are fractions of the image, 0 to 1", r->name,
                           r->line, s.count + 1, value);
        take_place(&s, value);
    }
    return make_object(ret_object, r, class_index, &s);
}

nz_status nz_yolo_label_parse(nz_object **ret_objects, size_t *ret_count, const char *text, const char *name,
                              size_t classes) {
    NZ_AUTO_FREE nz_object *objects = NULL;
    size_t count = 0, capacity = 0;
    reader r = {.name = name, .classes = classes};
    for (const char *p = text, *next; p; p = next) {
        const char *end = strchr(p, '\n');
        next = end ? end + 1 : NULL;
        r.line++;
        p += strspn(p, blanks);
        if (!*p || *p == '\n') continue;
        NZ_TRY(nz_grow(&objects, &capacity, count + 1, sizeof *objects));
        NZ_TRY(read_line(&objects[count], &r, p));
        count++;
    }
    *ret_objects = NZ_STEAL(objects);
    *ret_count = count;
    return NZ_OK;
}
