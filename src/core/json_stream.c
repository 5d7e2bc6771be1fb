/* SPDX-License-Identifier: Apache-2.0 */
#include "core/json_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yajl/yajl_parse.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "core/text.h"

/* A text grows in the parser's memory until it ends: this many pieces at most. */
enum { PIECE = 1 << 16, PIECES_MOST = 256, DEPTH_MOST = 512, LISTS_MOST = 8 };

/* Depth counts open lists and objects; `base` is that of the list in hand: 1 where the document is the list, else 2. */
typedef struct reader {
    const char *path;
    const nz_json_list *lists, *list; /* list: in hand, or whose value comes next */
    size_t list_count;
    void *user;
    int64_t counts[LISTS_MOST];
    int depth, base;
    bool in_list;
    int field; /* whose value comes next or is being read; -1: none that is wanted */
    nz_json_value values[NZ_JSON_FIELDS_MOST];
    nz_text texts[NZ_JSON_FIELDS_MOST];
    size_t lines;     /* before the piece in hand */
    size_t silent;    /* pieces since anything was found in them */
    nz_status status; /* why the reading was stopped */
    char wrong[160];  /* what is wrong with the document's form; "" where nothing is, or `status` has its message */
} reader;

static void reader_done(reader *r) {
    for (size_t i = 0; i < NZ_JSON_FIELDS_MOST; i++) nz_text_done(&r->texts[i]);
}

static int stop(reader *r, const char *format, ...) NZ_PRINTF(2, 3);
static int stop(reader *r, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(r->wrong, sizeof r->wrong, format, args);
    va_end(args);
    r->status = NZ_E_FORMAT;
    return 0;
}

/* The value of a field, where one is being read at its own level; NULL otherwise. */
static nz_json_value *wanted(reader *r) {
    return r->in_list && r->depth == r->base + 1 && r->field >= 0 ? &r->values[r->field] : NULL;
}

/* The list of numbers that is being read; NULL where there is none. */
static nz_json_value *numbers(reader *r) {
    bool inside = r->in_list && r->depth == r->base + 2 && r->field >= 0;
    return inside && r->values[r->field].kind == NZ_JSON_NUMBERS ? &r->values[r->field] : NULL;
}

/* ---- Places where a value may stand that is none of a field's ---- */

/* Whether a value of this kind may begin here; says what is wrong otherwise. */
static bool begin_value(reader *r, bool is_object, bool is_list) {
    r->silent = 0;
    if (r->in_list && r->depth == r->base && !is_object)
        return stop(r, "%s%sentry %lld is no object", r->list->name ? r->list->name : "", r->list->name ? ": " : "",
                    (long long)r->counts[r->list - r->lists]);
    if (r->depth == 0 && r->base == 1 && !is_list) return stop(r, "the file is no list");
    if (r->depth == 0 && r->base == 2 && !is_object) return stop(r, "the file is no object with lists");
    if (r->depth == 1 && r->base == 2 && r->list && !is_list) return stop(r, "'%s' is no list", r->list->name);
    if ((is_object || is_list) && r->depth >= DEPTH_MOST) return stop(r, "nested deeper than %d", DEPTH_MOST);
    return true;
}

/* A scalar that is no number: kept where it is a field's. */
static int put_scalar(reader *r, nz_json_kind kind, double number) {
    if (!begin_value(r, false, false)) return 0;
    nz_json_value *value = wanted(r), *list = numbers(r);
    if (value) *value = (nz_json_value){.kind = kind, .number = number, .integer = (int64_t)number};
    if (list) list->kind = NZ_JSON_OTHER;
    return 1;
}

static int on_null(void *user) { return put_scalar(user, NZ_JSON_NULL, 0); }
static int on_bool(void *user, int value) { return put_scalar(user, NZ_JSON_BOOL, value != 0); }

static int on_text(void *user, const unsigned char *bytes, size_t length) {
    reader *r = user;
    if (!put_scalar(r, NZ_JSON_TEXT, 0)) return 0;
    nz_json_value *value = wanted(r);
    if (!value) return 1;
    nz_text *text = &r->texts[r->field];
    text->length = 0;
    nz_text_append(text, "");
    nz_text_append_bytes(text, bytes, length);
    r->status = text->status;
    value->text = text->data;
    return r->status == NZ_OK;
}

/* ---- Numbers ---- */

/* Where at most 15 digits are moved by at most 22 places, one quotient of exact numbers is the nearest double (W. Clinger, How
 * to Read Floating Point Numbers Accurately, 1990); the rest is the C library's. */
static bool read_short(double *ret_value, const char *text, size_t length) {
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    size_t digits = 0, behind = 0;
    bool point = false;
    int64_t value = 0;
    for (size_t i = text[0] == '-'; i < length; i++) {
        if (text[i] == '.') {
            point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9' || ++digits > 15) return false;
        value = value * 10 + (text[i] - '0');
        behind += point;
    }
    double number = (double)value / powers[behind];
    *ret_value = text[0] == '-' ? -number : number;
    return true;
}

static nz_json_value read_number(const char *text, size_t length) {
    char copy[352];
    nz_json_value value = {.kind = NZ_JSON_REAL, .number = NAN};
    if (!read_short(&value.number, text, length)) {
        if (length >= sizeof copy) return value;
        memcpy(copy, text, length);
        copy[length] = 0;
        value.number = nz_strtod(copy, NULL);
        errno = 0;
        char *end;
        value.integer = strtoll(copy, &end, 10);
        if (errno == 0 && !*end) value.kind = NZ_JSON_INTEGER;
    }
    /* From 2^53 on a double is whole by nature, not by what was written, and no integer's last digits. */
    if (value.kind != NZ_JSON_INTEGER && fabs(value.number) < 9007199254740992.0 &&
        nearbyint(value.number) == value.number) {
        value.kind = NZ_JSON_INTEGER;
        value.integer = (int64_t)value.number;
    }
    return value;
}

static int on_number(void *user, const char *text, size_t length) {
    reader *r = user;
    if (!begin_value(r, false, false)) return 0;
    nz_json_value *value = wanted(r), *list = numbers(r);
    if (value) *value = read_number(text, length);
    if (!list) return 1;
    if (list->count < NZ_JSON_NUMBERS_MOST) list->numbers[list->count] = read_number(text, length).number;
    list->count++;
    return 1;
}

/* ---- Lists and objects ---- */

static int on_list(void *user) {
    reader *r = user;
    if (!begin_value(r, false, true)) return 0;
    nz_json_value *value = wanted(r), *list = numbers(r);
    if (list) list->kind = NZ_JSON_OTHER;
    if (value) *value = (nz_json_value){.kind = NZ_JSON_NUMBERS};
    if (!r->in_list && r->list && r->depth == r->base - 1) {
        r->in_list = true;
        r->counts[r->list - r->lists] = 0;
    }
    r->depth++;
    return 1;
}

static int on_list_end(void *user) {
    reader *r = user;
    r->depth--;
    if (r->in_list && r->depth == r->base - 1) {
        r->in_list = false;
        r->list = NULL;
    }
    return 1;
}

static int on_object(void *user) {
    reader *r = user;
    if (!begin_value(r, true, false)) return 0;
    nz_json_value *value = wanted(r), *list = numbers(r);
    if (list) list->kind = NZ_JSON_OTHER;
    if (value) *value = (nz_json_value){.kind = NZ_JSON_OTHER};
    if (r->in_list && r->depth == r->base) {
        for (size_t i = 0; i < r->list->field_count; i++) r->values[i] = (nz_json_value){.kind = NZ_JSON_MISSING};
        r->field = -1;
    }
    r->depth++;
    return 1;
}

static int on_object_end(void *user) {
    reader *r = user;
    r->depth--;
    if (!r->in_list || r->depth != r->base) return 1;
    int64_t *count = &r->counts[r->list - r->lists];
    if (*count >= INT32_MAX) return stop(r, "more than 2^31 entries");
    r->status = r->list->entry(r->user, r->values, (size_t)*count);
    ++*count;
    return r->status == NZ_OK;
}

static bool equals(const char *name, const unsigned char *bytes, size_t length) {
    return strlen(name) == length && memcmp(name, bytes, length) == 0;
}

static int on_key(void *user, const unsigned char *bytes, size_t length) {
    reader *r = user;
    if (r->in_list && r->depth == r->base + 1) {
        r->field = -1;
        for (size_t i = 0; i < r->list->field_count; i++)
            if (equals(r->list->fields[i], bytes, length)) r->field = (int)i;
    } else if (!r->in_list && r->depth == 1) {
        r->list = NULL;
        for (size_t i = 0; i < r->list_count; i++) {
            if (!equals(r->lists[i].name, bytes, length)) continue;
            if (r->counts[i] >= 0) return stop(r, "'%s' stands there twice", r->lists[i].name);
            r->list = &r->lists[i];
        }
    }
    return 1;
}

/* ---- The file ---- */

static size_t count_lines(const unsigned char *bytes, size_t count) {
    size_t lines = 0;
    for (const unsigned char *at = bytes, *end = bytes + count; (at = memchr(at, '\n', (size_t)(end - at))); at++)
        lines++;
    return lines;
}

/* The parser stopped, by its own judgement or because a callback told it to. */
static nz_status fail(reader *r, yajl_handle parser, yajl_status status, const unsigned char *piece, size_t length) {
    if (status == yajl_status_client_canceled && !*r->wrong) return r->status;
    size_t read = yajl_get_bytes_consumed(parser);
    unsigned long long line = r->lines + count_lines(piece, read < length ? read : length) + 1;
    if (*r->wrong) return nz_fail(NZ_E_FORMAT, "%s:%llu: %s", r->path, line, r->wrong);
    unsigned char *said = yajl_get_error(parser, 0, piece, length);
    if (!said) return nz_fail(NZ_E_MEMORY, "%s: out of memory", r->path);
    size_t end = strcspn((const char *)said, "\n");
    nz_status failed =
        nz_fail(NZ_E_FORMAT, "%s:%llu: not valid JSON: %.*s", r->path, line, (int)end, (const char *)said);
    yajl_free_error(parser, said);
    return failed;
}

static nz_status feed(reader *r, yajl_handle parser, int file) {
    static const unsigned char nothing[1];
    NZ_AUTO_FREE unsigned char *piece = NULL;
    NZ_TRY(nz_alloc(&piece, PIECE, 1));
    for (;;) {
        ssize_t got = read(file, piece, PIECE);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return nz_fail_errno(r->path, "cannot be read");
        if (got == 0) break;
        yajl_status status = yajl_parse(parser, piece, (size_t)got);
        if (status != yajl_status_ok) return fail(r, parser, status, piece, (size_t)got);
        r->lines += count_lines(piece, (size_t)got);
        if (++r->silent > PIECES_MOST)
            return nz_fail(NZ_E_FORMAT, "%s:%zu: a text or a gap of more than %d MB", r->path, r->lines + 1,
                           PIECES_MOST * (PIECE >> 10) >> 10);
    }
    yajl_status status = yajl_complete_parse(parser);
    return status == yajl_status_ok ? NZ_OK : fail(r, parser, status, nothing, 0);
}

static nz_status open_file(int *ret_file, const char *path) {
    struct stat info;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) return nz_fail_errno(path, "cannot be opened");
    if (fstat(file, &info) == 0 && S_ISDIR(info.st_mode)) {
        close(file);
        return nz_fail(NZ_E_IO, "%s: is a folder, not a file", path);
    }
    *ret_file = file;
    return NZ_OK;
}

static nz_status read_file(reader *r) {
    static const yajl_callbacks callbacks = {.yajl_null = on_null,
                                             .yajl_boolean = on_bool,
                                             .yajl_number = on_number,
                                             .yajl_string = on_text,
                                             .yajl_start_map = on_object,
                                             .yajl_map_key = on_key,
                                             .yajl_end_map = on_object_end,
                                             .yajl_start_array = on_list,
                                             .yajl_end_array = on_list_end};
    int file = -1;
    NZ_TRY(open_file(&file, r->path));
    yajl_handle parser = yajl_alloc(&callbacks, NULL, r);
    nz_status status = parser ? feed(r, parser, file) : nz_fail(NZ_E_MEMORY, "%s: out of memory", r->path);
    if (parser) yajl_free(parser);
    close(file);
    return status;
}

nz_status nz_json_stream(const char *path, const nz_json_list *lists, size_t list_count, void *user,
                         int64_t *ret_counts) {
    bool is_list = !lists[0].name;
    NZ_AUTO(reader_done)
    reader r = {
        .path = path, .lists = lists, .list_count = list_count, .user = user, .base = is_list ? 1 : 2, .field = -1};
    if (list_count > LISTS_MOST || (is_list && list_count > 1))
        return nz_fail(NZ_E_INTERNAL, "%s: too many lists", path);
    for (size_t i = 0; i < LISTS_MOST; i++) r.counts[i] = -1;
    if (is_list) r.list = &lists[0];
    NZ_TRY(read_file(&r));
    if (ret_counts) memcpy(ret_counts, r.counts, list_count * sizeof *ret_counts);
    return NZ_OK;
}
