/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/pi5.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"

/* A rail's current and voltage differ in the end of the name, the word behind it, and the unit. */
static const struct kind {
    const char *end, *word, *unit;
    bool amps;
} kinds[] = {{"_A", "current", "A", true}, {"_V", "volt", "V", false}};

static nz_status fail_line(const char *line, const char *why) {
    return nz_fail(NZ_E_FORMAT, "pi5: the firmware's line '%s' %s", line, why);
}

/* "(7)=1.09532700A" behind the word; false where it is anything else. */
static bool value_of(double *ret_value, const char *text, const char *unit) {
    char *end;
    if (*text++ != '(' || !isdigit((unsigned char)*text)) return false;
    while (isdigit((unsigned char)*text)) text++;
    if (strncmp(text, ")=", 2) != 0 || !isdigit((unsigned char)text[2])) return false;
    *ret_value = nz_strtod(text + 2, &end);
    return strcmp(end, unit) == 0 && *ret_value >= 0 && *ret_value <= 100;
}

static nz_status find_rail(nz_pi5_rail **ret_rail, nz_pi5_rails *rails, const char *name, size_t length) {
    for (size_t i = 0; i < rails->count; i++) {
        *ret_rail = &rails->rails[i];
        if (strncmp((*ret_rail)->name, name, length) == 0 && !(*ret_rail)->name[length]) return NZ_OK;
    }
    if (rails->count >= NZ_PI5_RAILS) return nz_fail(NZ_E_FORMAT, "pi5: more than %d rails", NZ_PI5_RAILS);
    *ret_rail = &rails->rails[rails->count++];
    **ret_rail = (nz_pi5_rail){.volts = NAN, .amps = NAN};
    memcpy((*ret_rail)->name, name, length);
    return NZ_OK;
}

/* One line without the white space around it. */
static nz_status take_line(nz_pi5_rails *rails, const char *line) {
    size_t name = strcspn(line, " \t");
    const char *word = line + name + strspn(line + name, " \t");
    for (size_t i = 0; i < NZ_COUNT(kinds); i++) {
        const struct kind *kind = &kinds[i];
        size_t length = strlen(kind->word);
        nz_pi5_rail *rail;
        if (strncmp(word, kind->word, length) != 0) continue;
        if (name < 3 || name >= sizeof rail->name || strncmp(line + name - 2, kind->end, 2) != 0)
            return fail_line(line, "names no rail");
        double value;
        if (!value_of(&value, word + length, kind->unit)) return fail_line(line, "has no value of its kind");
        NZ_TRY(find_rail(&rail, rails, line, name - 2));
        double *place = kind->amps ? &rail->amps : &rail->volts;
        if (!isnan(*place)) return fail_line(line, "comes a second time");
        *place = value;
        return NZ_OK;
    }
    return fail_line(line, "is neither a current nor a voltage");
}

static nz_status add_up(nz_pi5_rails *rails) {
    bool any = false;
    rails->input_volts = NAN;
    for (size_t i = 0; i < rails->count; i++) {
        const nz_pi5_rail *rail = &rails->rails[i];
        if (strcmp(rail->name, "EXT5V") == 0) rails->input_volts = rail->volts;
        if (isnan(rail->amps)) continue; /* the input and the clock's battery have a voltage alone */
        if (isnan(rail->volts)) return nz_fail(NZ_E_FORMAT, "pi5: %s has a current and no voltage", rail->name);
        rails->watts += rail->volts * rail->amps;
        any = true;
    }
    return any ? NZ_OK : nz_fail(NZ_E_FORMAT, "pi5: the firmware tells no rail's current and voltage");
}

nz_status nz_pi5_parse(nz_pi5_rails *ret_rails, const char *text, size_t length) {
    nz_pi5_rails rails = {0};
    const char *end = text + length;
    while (text < end) {
        char line[96];
        const char *newline = memchr(text, '\n', (size_t)(end - text)), *stop = newline ? newline : end;
        const char *from = text, *to = stop;
        while (from < to && isspace((unsigned char)*from)) from++;
        while (to > from && isspace((unsigned char)to[-1])) to--;
        size_t size = (size_t)(to - from);
        if (size >= sizeof line || memchr(from, '\0', size))
            return nz_fail(NZ_E_FORMAT, "pi5: the firmware's answer holds a line that is none of its own");
        memcpy(line, from, size);
        line[size] = '\0';
        if (size) NZ_TRY(take_line(&rails, line));
        text = newline ? newline + 1 : end;
    }
    NZ_TRY(add_up(&rails));
    *ret_rails = rails;
    return NZ_OK;
}
