/* SPDX-License-Identifier: Apache-2.0 */
/** What the two halves of the pickle machine share: the stack and the reading of arguments. */
#ifndef NZ_IMPORT_PICKLE_MACHINE_H
#define NZ_IMPORT_PICKLE_MACHINE_H

#include "core/error.h"
#include "import/pickle.h"

typedef struct nz_pickle_machine {
    nz_pickle *pickle;
    const uint8_t *bytes;
    size_t count, at;
    const char *name;
    nz_pickle_ref *stack, *memo; /* memo: the reference plus 1, 0 where nothing was put */
    size_t depth, stack_capacity, memo_capacity;
    size_t *marks; /* depths of the stack */
    size_t mark_count, mark_capacity;
    size_t memoized; /* entries of the memo; MEMOIZE puts behind them */
    size_t pushed;   /* in all: bounds what containers hold together */
    bool stopped;
} nz_pickle_machine;

/** One opcode: `argument` tells those apart that differ in a width or a kind alone. */
typedef nz_status (*nz_pickle_op)(nz_pickle_machine *m, int argument);

/** "name: broken pickle at byte N: what". */
nz_status nz_pickle_broken(const nz_pickle_machine *m, const char *what);
/** Appends a zeroed value of that kind and pushes it; *ret_ref (may be NULL) gets its index. */
NZ_CHECKED nz_status nz_pickle_push_new(nz_pickle_machine *m, nz_pickle_ref *ret_ref, nz_pickle_kind kind);
NZ_CHECKED nz_status nz_pickle_add(nz_pickle_machine *m, nz_pickle_ref *ret_ref, nz_pickle_kind kind);
NZ_CHECKED nz_status nz_pickle_push(nz_pickle_machine *m, nz_pickle_ref ref);
/** The next `count` bytes, where there are so many. */
NZ_CHECKED nz_status nz_pickle_take(nz_pickle_machine *m, const uint8_t **ret_bytes, uint64_t count);
/** A little-endian unsigned number of `width` bytes. */
NZ_CHECKED nz_status nz_pickle_take_number(nz_pickle_machine *m, uint64_t *ret_value, int width);
/** The text up to the next line feed, which is taken too. */
NZ_CHECKED nz_status nz_pickle_take_line(nz_pickle_machine *m, const char **ret_text, size_t *ret_count);

/** NZ_E_FORMAT where fewer entries lie above the topmost mark. */
NZ_CHECKED nz_status nz_pickle_need(const nz_pickle_machine *m, size_t count);
/** Takes the topmost mark away; *ret_from is where the entries above it begin. */
NZ_CHECKED nz_status nz_pickle_take_mark(nz_pickle_machine *m, size_t *ret_from);
/** A new container of the stack's entries from `from` on, in their place. */
NZ_CHECKED nz_status nz_pickle_gather(nz_pickle_machine *m, nz_pickle_kind kind, size_t from);

/* Classes and objects: pickle_object.c. */
nz_status nz_pickle_op_class(nz_pickle_machine *m, int unused);
nz_status nz_pickle_op_stack_class(nz_pickle_machine *m, int unused);
nz_status nz_pickle_op_extension(nz_pickle_machine *m, int width);
nz_status nz_pickle_op_call(nz_pickle_machine *m, int extra);       /* extra: entries that are left out */
nz_status nz_pickle_op_instance(nz_pickle_machine *m, int by_name); /* by_name: the class stands in the text */
nz_status nz_pickle_op_build(nz_pickle_machine *m, int unused);
nz_status nz_pickle_op_persistent(nz_pickle_machine *m, int by_name);

/* Literals: pickle_literal.c. Widths in bytes; 0: as text up to a line feed. */
nz_status nz_pickle_op_int(nz_pickle_machine *m, int width); /* negative: signed */
nz_status nz_pickle_op_int_text(nz_pickle_machine *m, int is_long);
nz_status nz_pickle_op_long(nz_pickle_machine *m, int width);
nz_status nz_pickle_op_float(nz_pickle_machine *m, int width);
nz_status nz_pickle_op_string(nz_pickle_machine *m, int width);
nz_status nz_pickle_op_bytes(nz_pickle_machine *m, int width);
nz_status nz_pickle_op_quoted(nz_pickle_machine *m, int unused);
nz_status nz_pickle_op_unicode_text(nz_pickle_machine *m, int unused);

#endif
