/* SPDX-License-Identifier: Apache-2.0 */
/* The .npy header: a magic, a version, and a Python dictionary as text, of which only the form that NumPy writes is taken.
 * @source https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include <string.h>

#include "core/error.h"
#include "data/npy.h"
#include "data/npz.h"

enum { HEADER_MAX = 65536 };

static const struct npy_type {
    const char *code;
    nz_dtype dtype;
} types[] = {
    {"b1", NZ_BOOL}, {"i1", NZ_I8},  {"i2", NZ_I16}, {"i4", NZ_I32}, {"i8", NZ_I64}, {"u1", NZ_U8},
    {"u2", NZ_U16},  {"u4", NZ_U32}, {"u8", NZ_U64}, {"f2", NZ_F16}, {"f4", NZ_F32}, {"f8", NZ_F64},
};

const char *nz_npy_code(nz_dtype dtype) {
    for (size_t i = 0; i < NZ_COUNT(types); i++)
        if (types[i].dtype == dtype) return types[i].code;
    return NULL;
}

/* A walk through the dictionary's text. */
typedef struct cursor {
    const char *at, *end;
    const char *name;
} cursor;

static nz_status fail_header(const cursor *c, const char *what) {
    return nz_fail(NZ_E_FORMAT, "%s: the .npy header %s", c->name, what);
}

static void skip_blanks(cursor *c) {
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\t')) c->at++;
}

static bool take(cursor *c, char wanted) {
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted) return false;
    c->at++;
    return true;
}

/* A quoted word of at most 31 characters. */
static nz_status take_word(cursor *c, char word[32]) {
    skip_blanks(c);
    char quote = c->at < c->end ? *c->at : '\0';
    if (quote != '\'' && quote != '"') return fail_header(c, "lacks a quoted word where one belongs");
    size_t length = 0;
    for (c->at++; c->at < c->end && *c->at != quote; c->at++) {
        if (length == 31) return fail_header(c, "describes a type of several fields, or holds too long a word");
        word[length++] = *c->at;
    }
    if (c->at == c->end) return fail_header(c, "ends within a word");
    c->at++;
    word[length] = '\0';
    return NZ_OK;
}

static nz_status read_type(cursor *c, nz_npy *npy) {
    char word[32];
    NZ_TRY(take_word(c, word));
    bool one_byte = strcmp(word + (*word != '\0'), "u1") == 0 || strcmp(word + (*word != '\0'), "i1") == 0 ||
                    strcmp(word + (*word != '\0'), "b1") == 0;
    if (*word == '>' && !one_byte)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: the array is big-endian (%s); save it as little-endian", c->name, word);
    for (size_t i = 0; *word && strchr("<|=>", *word) && i < NZ_COUNT(types); i++)
        if (strcmp(word + 1, types[i].code) == 0) {
            npy->dtype = types[i].dtype;
            return NZ_OK;
        }
    return nz_fail(NZ_E_UNSUPPORTED, "%s: arrays of type '%s' are not read; integers, floats and booleans are", c->name,
                   word);
}

static nz_status read_extent(cursor *c, int64_t *ret_extent) {
    int64_t value = 0;
    const char *first = c->at;
    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *c->at - '0', &value))
            return fail_header(c, "holds an extent that is too large");
    if (c->at == first) return fail_header(c, "holds an extent that is not a number");
    *ret_extent = value;
    return NZ_OK;
}

static nz_status read_shape(cursor *c, nz_npy *npy) {
    npy->shape = (nz_shape){0};
    if (!take(c, '(')) return fail_header(c, "lacks the shape's bracket");
    while (!take(c, ')')) {
        if (npy->shape.rank == NZ_MAX_RANK)
            return nz_fail(NZ_E_UNSUPPORTED, "%s: an array of more than %d dimensions", c->name, NZ_MAX_RANK);
        skip_blanks(c);
        NZ_TRY(read_extent(c, &npy->shape.dim[npy->shape.rank]));
        npy->shape.rank++;
        if (take(c, ',')) continue;
        if (!take(c, ')')) return fail_header(c, "has a shape that does not end");
        break;
    }
    return NZ_OK;
}

static nz_status read_order(cursor *c) {
    skip_blanks(c);
    size_t left = (size_t)(c->end - c->at);
    if (left >= 5 && memcmp(c->at, "False", 5) == 0) {
        c->at += 5;
        return NZ_OK;
    }
    if (left >= 4 && memcmp(c->at, "True", 4) == 0)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: the array is in Fortran order; save numpy.ascontiguousarray of it",
                       c->name);
    return fail_header(c, "does not say whether the order is Fortran's");
}

static nz_status read_dictionary(cursor *c, nz_npy *npy) {
    unsigned seen = 0;
    if (!take(c, '{')) return fail_header(c, "is not a dictionary");
    while (!take(c, '}')) {
        char key[32];
        NZ_TRY(take_word(c, key));
        if (!take(c, ':')) return fail_header(c, "lacks a colon after a key");
        unsigned bit = strcmp(key, "descr") == 0           ? 1
                       : strcmp(key, "fortran_order") == 0 ? 2
                       : strcmp(key, "shape") == 0         ? 4
                                                           : 0;
        if (!bit || (seen & bit)) return fail_header(c, bit ? "holds a key twice" : "holds an unknown key");
        seen |= bit;
        NZ_TRY(bit == 1 ? read_type(c, npy) : bit == 2 ? read_order(c) : read_shape(c, npy));
        if (take(c, ',')) continue;
        if (!take(c, '}')) return fail_header(c, "does not end");
        break;
    }
    return seen == 7 ? NZ_OK : fail_header(c, "lacks descr, fortran_order or shape");
}

nz_status nz_npy_parse(nz_npy *ret_npy, const uint8_t *bytes, size_t count, const char *name) {
    static const uint8_t magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y'};
    if (count < 10 || memcmp(bytes, magic, sizeof magic) != 0)
        return nz_fail(NZ_E_FORMAT, "%s: not an .npy array", name);
    size_t start = bytes[6] == 1 ? 10 : 12, length = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (bytes[6] < 1 || bytes[6] > 3 || count < start)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: .npy version %d.%d", name, bytes[6], bytes[7]);
    if (start == 12) length |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (length > HEADER_MAX || length > count - start)
        return nz_fail(NZ_E_FORMAT, "%s: the .npy header says it is %zu bytes long", name, length);
    nz_npy npy = {.offset = start + length};
    cursor c = {.at = (const char *)bytes + start, .end = (const char *)bytes + start + length, .name = name};
    NZ_TRY(read_dictionary(&c, &npy));
    int64_t elements = nz_shape_elements(&npy.shape);
    char text[112];
    if (elements < 0) return nz_fail(NZ_E_FORMAT, "%s: an array of %s elements", name, nz_shape_text(&npy.shape, text));
    nz_status status = nz_dtype_bytes(&npy.bytes, npy.dtype, elements);
    if (status != NZ_OK || npy.bytes != count - npy.offset)
        return nz_fail(NZ_E_FORMAT, "%s: the header says %s, but the data have %zu bytes", name,
                       nz_shape_text(&npy.shape, text), count - npy.offset);
    *ret_npy = npy;
    return NZ_OK;
}
