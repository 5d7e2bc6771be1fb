/* SPDX-License-Identifier: Apache-2.0 */
/* Which column of a meter's log holds what, by the names that meters and their drivers give, or as it was asked for. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "measure/meter.h"

static const char *const role_names[NZ_METER_ROLES] = {"time", "volts", "amps", "watts", "marker"};

typedef struct known {
    nz_meter_role role;
    const char *name;
    double scale; /**< of a unit: how many of the basic one */
} known;

/* Names without their units, the ones that say more before those that say less. */
static const known names[] = {
    {NZ_METER_TIME, "current_real_time", 0},
    {NZ_METER_TIME, "unix_time", 0},
    {NZ_METER_TIME, "unixtime", 0},
    {NZ_METER_TIME, "epoch", 0},
    {NZ_METER_TIME, "timestamp", 0},
    {NZ_METER_TIME, "time_stamp", 0},
    {NZ_METER_TIME, "datetime", 0},
    {NZ_METER_TIME, "date_time", 0},
    {NZ_METER_TIME, "utc", 0},
    {NZ_METER_TIME, "time", 0},
    {NZ_METER_TIME, "t", 0},
    {NZ_METER_VOLTS, "voltage", 0},
    {NZ_METER_VOLTS, "bus_voltage", 0},
    {NZ_METER_VOLTS, "volts", 0},
    {NZ_METER_VOLTS, "volt", 0},
    {NZ_METER_VOLTS, "vbus", 0},
    {NZ_METER_VOLTS, "u", 0},
    {NZ_METER_AMPS, "current", 0},
    {NZ_METER_AMPS, "amperage", 0},
    {NZ_METER_AMPS, "amperes", 0},
    {NZ_METER_AMPS, "ampere", 0},
    {NZ_METER_AMPS, "amps", 0},
    {NZ_METER_AMPS, "ibus", 0},
    {NZ_METER_AMPS, "i", 0},
    {NZ_METER_WATTS, "power", 0},
    {NZ_METER_WATTS, "active_power", 0},
    {NZ_METER_WATTS, "real_power", 0},
    {NZ_METER_WATTS, "watts", 0},
    {NZ_METER_WATTS, "watt", 0},
    {NZ_METER_WATTS, "p", 0},
};

/* Units stand alone or behind a name. */
static const known units[] = {
    {NZ_METER_TIME, "s", 1},      {NZ_METER_TIME, "sec", 1},    {NZ_METER_TIME, "seconds", 1},
    {NZ_METER_TIME, "ms", 1e-3},  {NZ_METER_TIME, "us", 1e-6},  {NZ_METER_TIME, "ns", 1e-9},
    {NZ_METER_VOLTS, "v", 1},     {NZ_METER_VOLTS, "mv", 1e-3}, {NZ_METER_VOLTS, "uv", 1e-6},
    {NZ_METER_VOLTS, "kv", 1e3},  {NZ_METER_AMPS, "a", 1},      {NZ_METER_AMPS, "ma", 1e-3},
    {NZ_METER_AMPS, "ua", 1e-6},  {NZ_METER_AMPS, "na", 1e-9},  {NZ_METER_WATTS, "w", 1},
    {NZ_METER_WATTS, "mw", 1e-3}, {NZ_METER_WATTS, "uw", 1e-6}, {NZ_METER_WATTS, "kw", 1e3},
};

enum { NAME_MOST = 64 };

/* "Voltage (mV)" to "voltage_mv": lower case, one '_' for whatever is no letter or digit, the micro sign as u. */
static void plain(char out[NAME_MOST], const char *name) {
    size_t count = 0;
    bool between = false;
    for (const unsigned char *p = (const unsigned char *)name; *p && count + 2 < NAME_MOST; p++) {
        bool micro = (p[0] == 0xc2 && p[1] == 0xb5) || (p[0] == 0xce && p[1] == 0xbc);
        if (!micro && !isalnum(*p)) {
            between = count > 0;
            continue;
        }
        if (between) out[count++] = '_';
        between = false;
        out[count++] = micro ? 'u' : (char)tolower(*p);
        p += micro;
    }
    out[count] = '\0';
}

static const known *unit_of(nz_meter_role role, const char *text) {
    for (size_t i = 0; i < NZ_COUNT(units); i++)
        if (units[i].role == role && strcmp(units[i].name, text) == 0) return &units[i];
    return NULL;
}

/* The unit behind a name's last '_', or the name itself where it is one; NULL where there is none. */
static const known *unit_in(nz_meter_role role, const char *name) {
    const char *last = strrchr(name, '_');
    return unit_of(role, last ? last + 1 : name);
}

/* How well a plain name fits a role: 0 not at all, else the more the better. */
static size_t fit(nz_meter_role role, const char *name) {
    char base[NAME_MOST];
    const known *unit = unit_in(role, name);
    snprintf(base, sizeof base, "%s", name);
    for (int cut = 0; cut < 2; cut++) {
        for (size_t i = 0; i < NZ_COUNT(names); i++)
            if (names[i].role == role && strcmp(names[i].name, base) == 0) return NZ_COUNT(names) - i + 1;
        char *last = strrchr(base, '_');
        if (!unit || !last) break;
        *last = '\0';
    }
    return unit && !strchr(name, '_') && role != NZ_METER_TIME ? 1 : 0;
}

static void set_unit(nz_meter_columns *columns, nz_meter_role role, const known *unit) {
    if (!unit) return;
    columns->scale[role] = unit->scale;
    if (role == NZ_METER_TIME) columns->unit_ns = (int64_t)(unit->scale * NZ_SECOND_NS + 0.5);
}

/* A column by the names that are known. */
static nz_status find_known(nz_meter_columns *columns, nz_meter_role role, char *const *fields, size_t count,
                            const char *what) {
    size_t best = 0, twin = NZ_METER_NO_COLUMN;
    char name[NAME_MOST];
    for (size_t c = 0; c < count; c++) {
        plain(name, fields[c]);
        size_t worth = fit(role, name);
        if (!worth || worth < best) continue;
        twin = worth == best ? columns->at[role] : NZ_METER_NO_COLUMN;
        best = worth;
        columns->at[role] = c;
        columns->scale[role] = 1;
        if (role == NZ_METER_TIME) columns->unit_ns = 0;
        set_unit(columns, role, unit_in(role, name));
    }
    if (twin == NZ_METER_NO_COLUMN) return NZ_OK;
    return nz_fail(NZ_E_FORMAT, "%s: '%.40s' and '%.40s' could both be %s: name one, --columns %s=%zu", what,
                   fields[twin], fields[columns->at[role]], role_names[role], role_names[role], twin + 1);
}

static nz_status find_asked(nz_meter_columns *columns, nz_meter_role role, const char *text, char *const *fields,
                            size_t count, bool named, const char *what) {
    char name[NAME_MOST], unit_text[NAME_MOST];
    size_t length = strlen(text), c = count;
    for (size_t i = 0; named && i < count && c == count; i++)
        if (strcmp(fields[i], text) == 0) c = i;
    const char *colon = strrchr(text, ':');
    const known *unit = NULL;
    if (c == count && colon) {
        plain(unit_text, colon + 1);
        unit = unit_of(role, unit_text);
        if (!unit)
            return nz_fail(NZ_E_ARG, "--columns %s=%s: '%s' is no unit of %s", role_names[role], text, colon + 1,
                           role_names[role]);
        length = (size_t)(colon - text);
    }
    for (size_t i = 0; named && i < count && c == count; i++)
        if (strlen(fields[i]) == length && memcmp(fields[i], text, length) == 0) c = i;
    if (c == count && length && length < 6 && strspn(text, "0123456789") >= length) {
        size_t number = 0;
        for (size_t i = 0; i < length; i++) number = number * 10 + (size_t)(text[i] - '0');
        if (number >= 1 && number <= count) c = number - 1;
    }
    if (c == count)
        return nz_fail(NZ_E_ARG, "%s: --columns %s=%s: no such column; the log has %zu%s%.40s%s%.40s", what,
                       role_names[role], text, count, named ? ", from " : "", named ? fields[0] : "",
                       named ? " to " : " (numbered from 1; its first line names none)",
                       named ? fields[count - 1] : "");
    columns->at[role] = c;
    plain(name, named ? fields[c] : "");
    set_unit(columns, role, unit ? unit : unit_in(role, name));
    return NZ_OK;
}

static nz_status check_asked(const nz_spec *asked) {
    for (size_t i = 0; asked && i < asked->count; i++) {
        size_t r = 0;
        while (r < NZ_METER_ROLES && strcmp(role_names[r], asked->pairs[i].key) != 0) r++;
        if (r < NZ_METER_ROLES) continue;
        const char *near = nz_closest(asked->pairs[i].key, role_names, NZ_METER_ROLES);
        return nz_fail(NZ_E_ARG, "--columns: '%s' is not time, volts, amps, watts or marker%s%s%s", asked->pairs[i].key,
                       near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    return NZ_OK;
}

/* Watts are taken as the meter has them; volts and amperes where there are none, or where they were asked for. */
static nz_status check_power(nz_meter_columns *columns, const nz_spec *asked, bool named, const char *what) {
    size_t *at = columns->at;
    bool product = at[NZ_METER_VOLTS] != NZ_METER_NO_COLUMN && at[NZ_METER_AMPS] != NZ_METER_NO_COLUMN;
    bool wanted = asked && !nz_spec_get(asked, "watts") && nz_spec_get(asked, "volts") && nz_spec_get(asked, "amps");
    const char *hint =
        named ? "say which, --columns time=NAME,volts=NAME,amps=NAME or time=NAME,watts=NAME"
              : "its first line names no columns; say which, --columns time=1,volts=2,amps=3 or time=1,watts=2";
    if (at[NZ_METER_TIME] == NZ_METER_NO_COLUMN)
        return nz_fail(NZ_E_FORMAT, "%s:1: no column of times is known; %s", what, hint);
    if (at[NZ_METER_WATTS] == NZ_METER_NO_COLUMN && !product)
        return nz_fail(NZ_E_FORMAT, "%s:1: no column of watts, nor two of volts and amperes, is known; %s", what, hint);
    if (product && wanted) at[NZ_METER_WATTS] = NZ_METER_NO_COLUMN;
    if (at[NZ_METER_WATTS] != NZ_METER_NO_COLUMN) at[NZ_METER_VOLTS] = at[NZ_METER_AMPS] = NZ_METER_NO_COLUMN;
    return NZ_OK;
}

nz_status nz_meter_columns_parse(nz_spec *ret_asked, const char *text) {
    NZ_AUTO_FREE char *whole = NULL;
    NZ_TRY(nz_format(&whole, "columns,%s", text));
    nz_status parsed = nz_spec_parse(ret_asked, whole);
    return parsed == NZ_OK ? NZ_OK : nz_fail_context(parsed, "--columns");
}

nz_status nz_meter_columns_find(nz_meter_columns *ret_columns, const nz_spec *asked, char *const *fields, size_t count,
                                bool named, const char *what) {
    nz_meter_columns columns = {.unit_ns = 0};
    NZ_TRY(check_asked(asked));
    for (nz_meter_role role = 0; role < NZ_METER_ROLES; role++) {
        const char *text = asked ? nz_spec_get(asked, role_names[role]) : NULL;
        columns.at[role] = NZ_METER_NO_COLUMN;
        columns.scale[role] = 1;
        if (text)
            NZ_TRY(find_asked(&columns, role, text, fields, count, named, what));
        else if (named && role != NZ_METER_MARKER)
            NZ_TRY(find_known(&columns, role, fields, count, what));
    }
    NZ_TRY(check_power(&columns, asked, named, what));
    *ret_columns = columns;
    return NZ_OK;
}

void nz_meter_columns_text(char *text, size_t size, const nz_meter_columns *columns, char *const *fields, size_t count,
                           bool named) {
    size_t used = 0;
    text[0] = '\0';
    for (nz_meter_role role = 0; role < NZ_METER_ROLES; role++) {
        size_t c = columns->at[role];
        if (c >= count || used >= size) continue;
        int wrote = snprintf(text + used, size - used, "%s%s %zu%s%.40s%s", used ? ", " : "", role_names[role], c + 1,
                             named ? " (" : "", named ? fields[c] : "", named ? ")" : "");
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}
