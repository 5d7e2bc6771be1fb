/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and texts of a pickle.
 * @source CPython, Lib/pickletools.py: the opcodes' documentation */
#include <stdlib.h>
#include <string.h>

#include "core/locale.h"
#include "import/pickle_machine.h"

enum { NUMBER_TEXT_MAX = 64 };

static nz_status push_int(nz_pickle_machine *m, int64_t value) {
    nz_pickle_ref ref = 0;
    NZ_TRY(nz_pickle_push_new(m, &ref, NZ_PICKLE_INT));
    m->pickle->values[ref].u.integer = value;
    return NZ_OK;
}

static nz_status push_text(nz_pickle_machine *m, nz_pickle_kind kind, const void *data, size_t count) {
    nz_pickle_ref ref = 0;
    NZ_TRY(nz_pickle_push_new(m, &ref, kind));
    m->pickle->values[ref].u.text.data = data;
    m->pickle->values[ref].u.text.count = count;
    return NZ_OK;
}

nz_status nz_pickle_op_int(nz_pickle_machine *m, int width) {
    uint64_t value = 0;
    NZ_TRY(nz_pickle_take_number(m, &value, abs(width)));
    return push_int(m, width < 0 ? (int32_t)(uint32_t)value : (int64_t)value);
}

/* Two's complement, little-endian, of any length: what fits into 64 bits is a number. */
nz_status nz_pickle_op_long(nz_pickle_machine *m, int width) {
    uint64_t count = 0, value = 0;
    const uint8_t *bytes = NULL;
    NZ_TRY(nz_pickle_take_number(m, &count, width));
    NZ_TRY(nz_pickle_take(m, &bytes, count));
    if (count > 8) return push_text(m, NZ_PICKLE_LONG, bytes, (size_t)count);
    if (count && bytes[count - 1] & 0x80) value = UINT64_MAX;
    for (uint64_t i = count; i-- > 0;) value = value << 8 | bytes[i];
    return push_int(m, (int64_t)value);
}

/* "12\n", "12L\n"; "01\n" and "00\n" are the truth values of protocol 1. */
nz_status nz_pickle_op_int_text(nz_pickle_machine *m, int is_long) {
    const char *text = NULL;
    size_t count = 0;
    NZ_TRY(nz_pickle_take_line(m, &text, &count));
    if (!is_long && count == 2 && text[0] == '0' && (text[1] == '0' || text[1] == '1'))
        return nz_pickle_push(m, text[1] == '1' ? 2 : 1);
    if (is_long && count && text[count - 1] == 'L') count--;
    size_t digits = count && text[0] == '-';
    if (digits == count) return nz_pickle_broken(m, "a number without digits");
    uint64_t value = 0;
    bool fits = true;
    for (size_t i = digits; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') return nz_pickle_broken(m, "a number with something else than digits");
        fits = fits && !__builtin_mul_overflow(value, 10, &value) &&
               !__builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value);
    }
    fits = fits && value <= (uint64_t)INT64_MAX + digits;
    if (!fits) return push_text(m, NZ_PICKLE_LONG, text, count);
    return push_int(m, digits ? (int64_t)(0 - value) : (int64_t)value);
}

nz_status nz_pickle_op_float(nz_pickle_machine *m, int width) {
    double value = 0;
    if (width) { /* the one number of a pickle that is big-endian */
        const uint8_t *bytes = NULL;
        uint64_t bits = 0;
        NZ_TRY(nz_pickle_take(m, &bytes, 8));
        for (int i = 0; i < 8; i++) bits = bits << 8 | bytes[i];
        memcpy(&value, &bits, sizeof value);
    } else {
        const char *text = NULL;
        size_t count = 0;
        char copy[NUMBER_TEXT_MAX + 1] = "", *end = NULL;
        NZ_TRY(nz_pickle_take_line(m, &text, &count));
        if (count == 0 || count > NUMBER_TEXT_MAX) return nz_pickle_broken(m, "a number of no or too many digits");
        memcpy(copy, text, count);
        value = nz_strtod(copy, &end);
        if (end != copy + count) return nz_pickle_broken(m, "a number with something else than digits");
    }
    nz_pickle_ref ref = 0;
    NZ_TRY(nz_pickle_push_new(m, &ref, NZ_PICKLE_FLOAT));
    m->pickle->values[ref].u.real = value;
    return NZ_OK;
}

static nz_status counted(nz_pickle_machine *m, int width, nz_pickle_kind kind) {
    uint64_t count = 0;
    const uint8_t *bytes = NULL;
    NZ_TRY(nz_pickle_take_number(m, &count, width));
    NZ_TRY(nz_pickle_take(m, &bytes, count));
    return push_text(m, kind, bytes, (size_t)count);
}

nz_status nz_pickle_op_string(nz_pickle_machine *m, int width) { return counted(m, width, NZ_PICKLE_STRING); }
nz_status nz_pickle_op_bytes(nz_pickle_machine *m, int width) { return counted(m, width, NZ_PICKLE_BYTES); }

static size_t put_utf8(char *out, uint32_t code) {
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) code = 0xfffd;
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char lead[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (char)(lead[more] | code >> (6 * more));
    for (size_t i = 1; i <= more; i++) out[i] = (char)(0x80 | (code >> (6 * (more - i)) & 0x3f));
    return more + 1;
}

/* Up to `most` digits of `base` from text[*at]; false where there is none. */
static bool take_digits(const char *text, size_t count, size_t *at, size_t most, unsigned base, uint32_t *ret_value) {
    uint32_t value = 0;
    size_t end = count - *at < most ? count : *at + most, i = *at;
    for (; i < end; i++) {
        unsigned char c = (unsigned char)text[i];
        unsigned digit = c >= '0' && c <= '9'   ? c - '0' + 0u
                         : c >= 'a' && c <= 'f' ? c - 'a' + 10u
                         : c >= 'A' && c <= 'F' ? c - 'A' + 10u
                                                : 99u;
        if (digit >= base) break;
        value = value * base + digit;
    }
    if (i == *at) return false;
    *at = i;
    *ret_value = value;
    return true;
}

/* What stands behind a backslash in the source form of a Python 2 string. */
static size_t put_escape(char *out, const char *text, size_t count, size_t *at) {
    static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
    char c = text[*at];
    uint32_t code = 0;
    const char *known = c ? strchr(from, c) : NULL;
    if (c >= '0' && c <= '7') {
        take_digits(text, count, at, 3, 8, &code);
    } else {
        ++*at;
        if (c == 'x' && take_digits(text, count, at, 2, 16, &code))
            c = (char)code;
        else if (known)
            c = to[known - from];
        code = (unsigned char)c;
    }
    *out = (char)code;
    return 1;
}

nz_status nz_pickle_op_quoted(nz_pickle_machine *m, int unused) {
    (void)unused;
    const char *text = NULL;
    size_t count = 0, filled = 0;
    NZ_TRY(nz_pickle_take_line(m, &text, &count));
    while (count && (text[count - 1] == '\r' || text[count - 1] == ' ')) count--;
    if (count < 2 || (text[0] != '\'' && text[0] != '"') || text[count - 1] != text[0])
        return nz_pickle_broken(m, "a string without its quotes");
    text++;
    count -= 2;
    if (!memchr(text, '\\', count)) return push_text(m, NZ_PICKLE_STRING, text, count);
    char *out = NULL;
    NZ_TRY(nz_arena_alloc(&m->pickle->texts, &out, count, 1));
    for (size_t at = 0; at < count;) {
        if (text[at] != '\\' || at + 1 == count) {
            out[filled++] = text[at++];
            continue;
        }
        at++;
        filled += put_escape(out + filled, text, count, &at);
    }
    return push_text(m, NZ_PICKLE_STRING, out, filled);
}

/* Latin-1 with \uXXXX and \UXXXXXXXX. */
nz_status nz_pickle_op_unicode_text(nz_pickle_machine *m, int unused) {
    (void)unused;
    const char *text = NULL;
    size_t count = 0, filled = 0;
    NZ_TRY(nz_pickle_take_line(m, &text, &count));
    char *out = NULL;
    NZ_TRY(nz_arena_alloc(&m->pickle->texts, &out, count, 2)); /* a byte becomes two at most */
    for (size_t at = 0; at < count;) {
        uint32_t code = (unsigned char)text[at++];
        if (code == '\\' && at < count && (text[at] == 'u' || text[at] == 'U')) {
            size_t digits = text[at] == 'u' ? 4 : 8, from = ++at;
            if (!take_digits(text, count, &at, digits, 16, &code) || at != from + digits)
                return nz_pickle_broken(m, "a \\u without its digits");
        }
        filled += put_utf8(out + filled, code);
    }
    return push_text(m, NZ_PICKLE_STRING, out, filled);
}
