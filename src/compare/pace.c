/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/pace.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare/pin.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"

nz_status nz_cooldown_parse(nz_compare_options *options, const char *text, const char *what) {
    NZ_AUTO_FREE char *number = NULL;
    size_t length = strlen(text);
    bool degrees = length > 1 && (text[length - 1] == 'C' || text[length - 1] == 'c');
    double value;
    NZ_TRY(nz_format(&number, "%.*s", (int)(length - degrees), text));
    if (nz_parse_double(&value, number, what) != NZ_OK || !(value >= 0 && value <= (degrees ? 150 : 3600)))
        return nz_fail(NZ_E_ARG, "%s '%s' is neither seconds (0 to 3600) nor degrees such as 55C (0 to 150)", what,
                       text);
    if (degrees)
        options->cooldown_c = value;
    else
        options->cooldown_s = value;
    return NZ_OK;
}

nz_status nz_priority_parse(nz_compare_options *options, const char *text, const char *what) {
    long long value;
    NZ_TRY(nz_parse_int(&value, text, what));
    if (value < -20 || value > 19) return nz_fail(NZ_E_ARG, "%s %lld is outside -20 (first) to 19 (last)", what, value);
    options->has_priority = true;
    options->priority = (int)value;
    return NZ_OK;
}

static bool only_here(const nz_compare_options *o) {
    for (size_t i = 0; i < o->target_count; i++)
        if (strcmp(o->targets[i], "local") != 0) return false;
    return true;
}

nz_status nz_pace_check(const nz_compare_options *o) {
    cpu_set_t cpus;
    if (!(o->width_pct > 0 && o->width_pct <= 100))
        return nz_fail(NZ_E_ARG, "compare: --width %g is outside 0 to 100 %%", o->width_pct);
    if (!(o->block_s >= 0 && o->block_s <= 60))
        return nz_fail(NZ_E_ARG, "compare: a block of %g s is outside 0 to 60 s", o->block_s);
    if (o->has_priority && (o->priority < -20 || o->priority > 19))
        return nz_fail(NZ_E_ARG, "compare: --priority %d is outside -20 (first) to 19 (last)", o->priority);
    if (!(o->cooldown_s >= 0 && o->cooldown_s <= 3600) || o->cooldown_c < 0 || o->cooldown_c > 150)
        return nz_fail(NZ_E_ARG, "compare: --cooldown is neither 0 to 3600 s nor 0 to 150 C");
    if (!o->pin) return NZ_OK;
    nz_status status = nz_cpu_list_parse(&cpus, o->pin);
    if (status == NZ_OK && only_here(o)) status = nz_cpu_list_check(o->pin);
    return status == NZ_OK ? NZ_OK : nz_fail_context(status, "compare: --pin");
}

void nz_pace_arguments(const char *ret_arguments[NZ_PACE_ARGUMENTS], char number[16],
                       const nz_compare_options *options) {
    size_t at = 0;
    if (options->pin) {
        ret_arguments[at++] = "--pin";
        ret_arguments[at++] = options->pin;
    }
    if (options->has_priority) {
        snprintf(number, 16, "%d", options->priority);
        ret_arguments[at++] = "--nice";
        ret_arguments[at++] = number;
    }
    ret_arguments[at] = NULL;
}
