/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Python's pickles, protocols 0 to 5, read by a stack machine of our own that executes nothing: a call becomes a record of
 * what would have been called with what. Values live in one array and refer to each other by index, so that shared and
 * cyclic structures of any depth are read without recursion.
 */
#ifndef NZ_IMPORT_PICKLE_H
#define NZ_IMPORT_PICKLE_H

#include "core/memory.h"

typedef enum nz_pickle_kind {
    NZ_PICKLE_NONE,
    NZ_PICKLE_BOOL, /**< u.integer */
    NZ_PICKLE_INT,  /**< u.integer */
    NZ_PICKLE_LONG, /**< u.text: more than 64 bits, little-endian two's complement, or decimal digits in protocol 0 */
    NZ_PICKLE_FLOAT,
    NZ_PICKLE_STRING, /**< u.text: UTF-8 as a rule; Python 2 puts any bytes here */
    NZ_PICKLE_BYTES,
    NZ_PICKLE_TUPLE, /**< u.list */
    NZ_PICKLE_LIST,
    NZ_PICKLE_SET,
    NZ_PICKLE_DICT,      /**< u.list: key, value, key, value; a key that comes again replaces the former */
    NZ_PICKLE_CLASS,     /**< u.object.type: the module, u.object.args: the name; both strings */
    NZ_PICKLE_OBJECT,    /**< u.object: what a class or function was called with, and what was put into the result */
    NZ_PICKLE_PERSISTENT /**< u.object.args: what stands for something outside the pickle */
} nz_pickle_kind;

/** Index of a value; 0 is always None and stands for "none" in the fields of an object. */
typedef uint32_t nz_pickle_ref;
enum { NZ_PICKLE_NOTHING = 0 };

typedef struct nz_pickle_value {
    nz_pickle_kind kind;
    union {
        int64_t integer;
        double real;
        struct {
            const char *data; /**< not 0-terminated; in the pickle's bytes or its arena */
            size_t count;
        } text;
        struct {
            nz_pickle_ref *items;
            uint32_t count, capacity;
        } list;
        struct {
            nz_pickle_ref type, args, state, list, dict; /**< dict and list: items that were added after the call */
        } object;
    } u;
} nz_pickle_value;

typedef struct nz_pickle {
    nz_pickle_value *values;
    size_t count, capacity;
    nz_pickle_ref root;
    nz_arena texts;
    size_t used; /**< bytes up to and with the STOP */
} nz_pickle;

/**
 * Reads one pickle from the start of `bytes`, which must outlive it: texts stay where they are.
 *
 * @param name  Begins the messages.
 * @return NZ_E_FORMAT names the byte; NZ_E_UNSUPPORTED: a protocol above 5, more than 8 million objects; NZ_E_MEMORY.
 * Release with nz_pickle_done.
 */
NZ_CHECKED nz_status nz_pickle_read(nz_pickle *ret_pickle, const void *bytes, size_t count, const char *name);
void nz_pickle_done(nz_pickle *pickle); /**< safe on a zeroed one */

static inline const nz_pickle_value *nz_pickle_get(const nz_pickle *pickle, nz_pickle_ref ref) {
    return &pickle->values[ref];
}
static inline bool nz_pickle_is(const nz_pickle *pickle, nz_pickle_ref ref, nz_pickle_kind kind) {
    return pickle->values[ref].kind == kind;
}
/** Whether a string or bytes value is `text`. */
bool nz_pickle_text_is(const nz_pickle *pickle, nz_pickle_ref ref, const char *text);
/** Whether a class value (or the class of an object) is module.name; `module` NULL: any. */
bool nz_pickle_class_is(const nz_pickle *pickle, nz_pickle_ref ref, const char *module, const char *name);
/** The value of a dictionary's string key, NZ_PICKLE_NOTHING where it is absent or `dict` is no dictionary. */
nz_pickle_ref nz_pickle_find(const nz_pickle *pickle, nz_pickle_ref dict, const char *key);
/** Item `i` of a tuple or list, NZ_PICKLE_NOTHING past its end or where `list` is neither. */
nz_pickle_ref nz_pickle_item(const nz_pickle *pickle, nz_pickle_ref list, size_t i);
/** Items of a tuple, list or set; 0 for anything else. */
size_t nz_pickle_length(const nz_pickle *pickle, nz_pickle_ref list);
/** false where the value is no whole number of 64 bits. */
bool nz_pickle_int(const nz_pickle *pickle, nz_pickle_ref ref, int64_t *ret_value);

#endif
