/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a meter's log, one by one, in memory that does not grow with the file. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/memory.h"
#include "measure/meter.h"

enum { LINE_MOST = 65536, FIELDS_MOST = 1024, DAYS_MOST = 3650 };
/* No meter that a computer hangs on reads more; sums of what lies below it stay finite. */
#define VALUE_MOST 1e9

struct nz_meter_log {
    char *path;
    FILE *file;
    size_t line;
    char separator;
    bool held;       /* the line in `text` has not been used */
    bool unfinished; /* no line break behind it */
    bool cut;
    size_t expected; /* fields of the first line */
    char *header;    /* the line of names; NULL: none */
    nz_meter_columns columns;
    char told[256];
    bool has_time;
    int64_t last_ns, day_ns; /* clock times go on over midnight */
    size_t count;
    char *fields[FIELDS_MOST];
    char text[LINE_MOST];
};

static bool blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/* The next line that holds something and is no remark; *ret_more is false at the end. */
static nz_status read_line(nz_meter_log *log, bool *ret_more) {
    for (;;) {
        size_t length = 0;
        int c;
        log->line++;
        while ((c = getc_unlocked(log->file)) != EOF && c != '\n') {
            if (c == 0)
                return nz_fail(NZ_E_FORMAT, "%s:%zu: holds a 0 byte; this is not a text file", log->path, log->line);
            if (length == LINE_MOST - 1)
                return nz_fail(NZ_E_FORMAT, "%s:%zu: longer than %d bytes; this is no log of samples", log->path,
                               log->line, LINE_MOST - 1);
            log->text[length++] = (char)c;
        }
        if (ferror(log->file)) return nz_fail_errno(log->path, "cannot be read");
        log->unfinished = c == EOF;
        while (length && blank(log->text[length - 1]) && log->text[length - 1] != log->separator) length--;
        log->text[length] = '\0';
        if (log->line == 1 && strncmp(log->text, "\xef\xbb\xbf", 3) == 0) memmove(log->text, log->text + 3, length - 2);
        const char *p = log->text;
        while (blank(*p)) p++;
        if (*p && *p != '#') {
            *ret_more = true;
            return NZ_OK;
        }
        if (c == EOF) {
            *ret_more = false;
            return NZ_OK;
        }
    }
}

/* Cuts the line into fields in place. Quotes around a field hold separators; blanks around it are dropped. */
static nz_status split(nz_meter_log *log) {
    char *at = log->text;
    for (log->count = 0;; at++) {
        if (log->count == FIELDS_MOST)
            return nz_fail(NZ_E_FORMAT, "%s:%zu: more than %d columns", log->path, log->line, FIELDS_MOST);
        while (blank(*at) && *at != log->separator) at++;
        char *start = at, *stop;
        if (*at == '"' && (stop = strchr(at + 1, '"')) != NULL) {
            start = at + 1;
            for (at = stop + 1; *at && *at != log->separator;) at++;
        } else {
            while (*at && *at != log->separator) at++;
            for (stop = at; stop > start && blank(stop[-1]);) stop--;
        }
        bool last = !*at;
        *stop = '\0';
        log->fields[log->count++] = start;
        if (last) return NZ_OK;
    }
}

static char separator_of(const char *line) { return strchr(line, '\t') ? '\t' : strchr(line, ';') ? ';' : ','; }

/* A line of names holds no number and no time; every row of a log holds one at least. */
static bool is_named(const nz_meter_log *log) {
    double value;
    int64_t ns;
    nz_meter_time_kind kind;
    for (size_t i = 0; i < log->count; i++)
        if (nz_meter_value_parse(&value, log->fields[i], true) ||
            nz_meter_time_parse(&ns, &kind, log->fields[i], NZ_SECOND_NS))
            return false;
    return true;
}

static nz_status read_first(nz_meter_log *log, const nz_spec *asked) {
    bool more;
    NZ_TRY(read_line(log, &more));
    if (!more) return nz_fail(NZ_E_FORMAT, "%s: holds no samples", log->path);
    log->separator = separator_of(log->text);
    NZ_AUTO_FREE char *whole = NULL;
    NZ_TRY(nz_strdup(&whole, log->text));
    NZ_TRY(split(log));
    bool named = is_named(log);
    NZ_TRY(nz_meter_columns_find(&log->columns, asked, log->fields, log->count, named, log->path));
    nz_meter_columns_text(log->told, sizeof log->told, &log->columns, log->fields, log->count, named);
    log->expected = log->count;
    log->held = !named;
    if (named) log->header = NZ_STEAL(whole);
    return NZ_OK;
}

nz_status nz_meter_log_open(nz_meter_log **ret_log, const char *path, const nz_spec *asked) {
    NZ_AUTO_METER_LOG nz_meter_log *log = NULL;
    struct stat facts;
    NZ_TRY(nz_alloc(&log, 1, sizeof *log));
    NZ_TRY(nz_strdup(&log->path, path));
    log->file = fopen(path, "re");
    if (!log->file) return nz_fail_errno(path, "cannot be opened");
    if (fstat(fileno(log->file), &facts) != 0) return nz_fail_errno(path, "cannot be read");
    if (!S_ISREG(facts.st_mode))
        return nz_fail(NZ_E_IO,
                       "%s: is no regular file; a log is read twice, so that a pipe must be written to a file first",
                       path);
    NZ_TRY(read_first(log, asked));
    *ret_log = NZ_STEAL(log);
    return NZ_OK;
}

void nz_meter_log_close(nz_meter_log *log) {
    if (!log) return;
    if (log->file) fclose(log->file);
    free(log->path);
    free(log->header);
    free(log);
}

const char *nz_meter_log_columns(const nz_meter_log *log) { return log->told; }
bool nz_meter_log_has_marker(const nz_meter_log *log) { return log->columns.at[NZ_METER_MARKER] != NZ_METER_NO_COLUMN; }
bool nz_meter_log_cut(const nz_meter_log *log) { return log->cut; }

/* Unix times of this century in seconds, milli-, micro- and nanoseconds lie far apart. */
static int64_t unit_of(const char *text) {
    double value = 0;
    if (!nz_meter_value_parse(&value, text, true)) return NZ_SECOND_NS;
    return value < 1e11 ? NZ_SECOND_NS : value < 1e14 ? 1000000 : value < 1e17 ? 1000 : 1;
}

static nz_status read_time(nz_meter_log *log, int64_t *ret_ns, nz_meter_time_kind *ret_kind) {
    const char *text = log->fields[log->columns.at[NZ_METER_TIME]];
    nz_meter_time_kind kind;
    int64_t ns;
    if (!log->columns.unit_ns) log->columns.unit_ns = unit_of(text);
    if (!nz_meter_time_parse(&ns, &kind, text, log->columns.unit_ns))
        return nz_fail(
            NZ_E_FORMAT,
            "%s:%zu: '%.40s' is no time (Unix seconds, YYYY-MM-DD HH:MM:SS or HH:MM:SS); --columns time= names "
            "another column",
            log->path, log->line, text);
    if (ns > NZ_METER_TIME_MOST || ns < -NZ_METER_TIME_MOST)
        return nz_fail(NZ_E_FORMAT, "%s:%zu: the time '%.40s' is out of range", log->path, log->line, text);
    if (kind == NZ_METER_CLOCK) {
        bool midnight = log->has_time && ns + log->day_ns < log->last_ns - NZ_DAY_NS / 2;
        if (midnight && log->day_ns < DAYS_MOST * NZ_DAY_NS) log->day_ns += NZ_DAY_NS;
        ns += log->day_ns;
    }
    log->last_ns = ns;
    log->has_time = true;
    *ret_ns = ns;
    *ret_kind = kind;
    return NZ_OK;
}

/* *ret_missing is set where the cell is empty or says that there is no value. */
static nz_status read_value(const nz_meter_log *log, nz_meter_role role, double *ret_value, bool *ret_missing) {
    static const char *const none[] = {"", "nan", "NaN", "NAN", "-", "--", "null", "NULL", "None", "N/A", "n/a"};
    const char *text = log->fields[log->columns.at[role]];
    for (size_t i = 0; i < NZ_COUNT(none); i++)
        if (strcmp(text, none[i]) == 0) {
            *ret_missing = true;
            return NZ_OK;
        }
    double value;
    if (!nz_meter_value_parse(&value, text, log->separator != ',') || fabs(value) > VALUE_MOST)
        return nz_fail(NZ_E_FORMAT, "%s:%zu: '%.40s' in column %zu is no reading of a meter", log->path, log->line,
                       text, log->columns.at[role] + 1);
    *ret_value = value * log->columns.scale[role];
    return NZ_OK;
}

static nz_status read_row(nz_meter_log *log, nz_meter_row *ret_row) {
    nz_meter_row row = {0};
    const size_t *at = log->columns.at;
    if (log->count < log->expected)
        return nz_fail(NZ_E_FORMAT, "%s:%zu: %zu columns, the first line has %zu", log->path, log->line, log->count,
                       log->expected);
    NZ_TRY(read_time(log, &row.time_ns, &row.kind));
    if (at[NZ_METER_WATTS] != NZ_METER_NO_COLUMN) {
        NZ_TRY(read_value(log, NZ_METER_WATTS, &row.watts, &row.missing));
    } else {
        double volts = 0, amps = 0;
        NZ_TRY(read_value(log, NZ_METER_VOLTS, &volts, &row.missing));
        NZ_TRY(read_value(log, NZ_METER_AMPS, &amps, &row.missing));
        row.watts = volts * amps;
    }
    if (at[NZ_METER_MARKER] != NZ_METER_NO_COLUMN) {
        const char *mark = log->fields[at[NZ_METER_MARKER]];
        double value = 1;
        row.marked = *mark && !(nz_meter_value_parse(&value, mark, log->separator != ',') && value == 0);
    }
    *ret_row = row;
    return NZ_OK;
}

nz_status nz_meter_log_next(nz_meter_log *log, nz_meter_row *ret_row, bool *ret_more) {
    while (!log->held) {
        bool more;
        NZ_TRY(read_line(log, &more));
        if (!more) {
            *ret_more = false;
            return NZ_OK;
        }
        /* A logger that is started again on the same file writes its names again. */
        if (log->header && strcmp(log->text, log->header) == 0) continue;
        NZ_TRY(split(log));
        if (log->unfinished && log->count < log->expected) {
            log->cut = true;
            *ret_more = false;
            return NZ_OK;
        }
        break;
    }
    log->held = false;
    NZ_TRY(read_row(log, ret_row));
    *ret_more = true;
    return NZ_OK;
}
