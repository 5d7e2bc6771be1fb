/* SPDX-License-Identifier: Apache-2.0 */
/* The pickle machine: the stack, the memo, containers and records. Every byte of the pickle adds a bounded amount of memory.
 * @source CPython, Lib/pickletools.py: the opcodes' documentation */
#include "import/pickle.h"

#include <stdlib.h>
#include <string.h>

#include "import/pickle_machine.h"

enum { VALUES_MAX = 1 << 23, PUSHED_MAX = 1 << 26, PROTOCOL_MAX = 5 };

nz_status nz_pickle_broken(const nz_pickle_machine *m, const char *what) {
    return nz_fail(NZ_E_FORMAT, "%s: broken pickle at byte %zu: %s", m->name, m->at, what);
}

nz_status nz_pickle_add(nz_pickle_machine *m, nz_pickle_ref *ret_ref, nz_pickle_kind kind) {
    nz_pickle *p = m->pickle;
    if (p->count >= VALUES_MAX)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: a pickle of more than %d objects", m->name, VALUES_MAX);
    NZ_TRY(nz_grow(&p->values, &p->capacity, p->count + 1, sizeof *p->values));
    p->values[p->count] = (nz_pickle_value){.kind = kind};
    *ret_ref = (nz_pickle_ref)p->count++;
    return NZ_OK;
}

nz_status nz_pickle_push(nz_pickle_machine *m, nz_pickle_ref ref) {
    if (m->depth >= VALUES_MAX || ++m->pushed > PUSHED_MAX)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: a pickle whose containers hold more than %d entries", m->name,
                       PUSHED_MAX);
    NZ_TRY(nz_grow(&m->stack, &m->stack_capacity, m->depth + 1, sizeof *m->stack));
    m->stack[m->depth++] = ref;
    return NZ_OK;
}

nz_status nz_pickle_push_new(nz_pickle_machine *m, nz_pickle_ref *ret_ref, nz_pickle_kind kind) {
    nz_pickle_ref ref = 0;
    NZ_TRY(nz_pickle_add(m, &ref, kind));
    if (ret_ref) *ret_ref = ref;
    return nz_pickle_push(m, ref);
}

nz_status nz_pickle_take(nz_pickle_machine *m, const uint8_t **ret_bytes, uint64_t count) {
    if (count > m->count - m->at) return nz_pickle_broken(m, "it ends too early");
    *ret_bytes = m->bytes + m->at;
    m->at += (size_t)count;
    return NZ_OK;
}

nz_status nz_pickle_take_number(nz_pickle_machine *m, uint64_t *ret_value, int width) {
    const uint8_t *bytes = NULL;
    uint64_t value = 0;
    NZ_TRY(nz_pickle_take(m, &bytes, (uint64_t)width));
    for (int i = width; i-- > 0;) value = value << 8 | bytes[i];
    *ret_value = value;
    return NZ_OK;
}

nz_status nz_pickle_take_line(nz_pickle_machine *m, const char **ret_text, size_t *ret_count) {
    const char *text = (const char *)m->bytes + m->at, *end = memchr(text, '\n', m->count - m->at);
    if (!end) return nz_pickle_broken(m, "a line does not end");
    *ret_text = text;
    *ret_count = (size_t)(end - text);
    m->at += *ret_count + 1;
    return NZ_OK;
}

/* The lowest entry that may be popped: a mark protects what lies under it. */
static size_t floor_of(const nz_pickle_machine *m) { return m->mark_count ? m->marks[m->mark_count - 1] : 0; }

nz_status nz_pickle_need(const nz_pickle_machine *m, size_t count) {
    return m->depth - floor_of(m) < count ? nz_pickle_broken(m, "the stack is empty") : NZ_OK;
}

nz_status nz_pickle_take_mark(nz_pickle_machine *m, size_t *ret_from) {
    if (!m->mark_count) return nz_pickle_broken(m, "a mark is missing");
    *ret_from = m->marks[--m->mark_count];
    return NZ_OK;
}

/* Moves the stack's entries from `from` on to the end of a container. */
static nz_status move_items(nz_pickle_machine *m, nz_pickle_ref container, size_t from) {
    nz_pickle_value *v = &m->pickle->values[container];
    size_t more = m->depth - from, capacity = v->u.list.capacity, total = v->u.list.count + more;
    if (total > capacity) { /* the first time exactly: most containers get all they have at once */
        size_t target = capacity ? capacity : total;
        while (target < total) target *= 2;
        nz_pickle_ref *grown = reallocarray(v->u.list.items, target, sizeof *grown);
        if (!grown) return nz_fail(NZ_E_MEMORY, "%s: out of memory: %zu entries", m->name, target);
        v->u.list.items = grown;
        v->u.list.capacity = (uint32_t)target;
    }
    if (more) memcpy(v->u.list.items + v->u.list.count, m->stack + from, more * sizeof *m->stack);
    v->u.list.count = (uint32_t)total;
    m->depth = from;
    return NZ_OK;
}

nz_status nz_pickle_gather(nz_pickle_machine *m, nz_pickle_kind kind, size_t from) {
    nz_pickle_ref ref = 0;
    if (kind == NZ_PICKLE_DICT && (m->depth - from) % 2) return nz_pickle_broken(m, "a key without a value");
    NZ_TRY(nz_pickle_add(m, &ref, kind));
    NZ_TRY(move_items(m, ref, from));
    return nz_pickle_push(m, ref);
}

static nz_status op_constant(nz_pickle_machine *m, int ref) { return nz_pickle_push(m, (nz_pickle_ref)ref); }

static nz_status op_empty(nz_pickle_machine *m, int kind) { return nz_pickle_push_new(m, NULL, (nz_pickle_kind)kind); }

static nz_status op_gather(nz_pickle_machine *m, int kind) {
    size_t from = 0;
    NZ_TRY(nz_pickle_take_mark(m, &from));
    return nz_pickle_gather(m, (nz_pickle_kind)kind, from);
}

static nz_status op_tuple(nz_pickle_machine *m, int count) {
    NZ_TRY(nz_pickle_need(m, (size_t)count));
    return nz_pickle_gather(m, NZ_PICKLE_TUPLE, m->depth - (size_t)count);
}

static nz_status op_mark(nz_pickle_machine *m, int unused) {
    (void)unused;
    NZ_TRY(nz_grow(&m->marks, &m->mark_capacity, m->mark_count + 1, sizeof *m->marks));
    if (m->mark_count >= VALUES_MAX) return nz_pickle_broken(m, "too many marks");
    m->marks[m->mark_count++] = m->depth;
    return NZ_OK;
}

static nz_status op_pop(nz_pickle_machine *m, int unused) {
    (void)unused;
    if (m->mark_count && m->depth == floor_of(m)) { /* as Python has it: the mark itself */
        m->mark_count--;
        return NZ_OK;
    }
    NZ_TRY(nz_pickle_need(m, 1));
    m->depth--;
    return NZ_OK;
}

static nz_status op_pop_mark(nz_pickle_machine *m, int unused) {
    (void)unused;
    return nz_pickle_take_mark(m, &m->depth);
}

static nz_status op_dup(nz_pickle_machine *m, int unused) {
    (void)unused;
    NZ_TRY(nz_pickle_need(m, 1));
    return nz_pickle_push(m, m->stack[m->depth - 1]);
}

/* The number of a memo entry: `width` bytes, or a line of digits. */
static nz_status take_memo_number(nz_pickle_machine *m, uint64_t *ret_number, int width) {
    if (width) return nz_pickle_take_number(m, ret_number, width);
    const char *text = NULL;
    size_t count = 0;
    uint64_t value = 0;
    NZ_TRY(nz_pickle_take_line(m, &text, &count));
    if (!count || count > 10) return nz_pickle_broken(m, "a memo number of no or too many digits");
    for (size_t i = 0; i < count; i++) {
        if (text[i] < '0' || text[i] > '9') return nz_pickle_broken(m, "a memo number with other than digits");
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *ret_number = value;
    return NZ_OK;
}

static nz_status put_memo(nz_pickle_machine *m, uint64_t number) {
    NZ_TRY(nz_pickle_need(m, 1));
    /* Picklers count from 0 or 1, so that a number beyond the bytes read so far is a lie. */
    if (number > m->at || number >= VALUES_MAX) return nz_pickle_broken(m, "a memo number beyond what was put");
    NZ_TRY(nz_grow(&m->memo, &m->memo_capacity, (size_t)number + 1, sizeof *m->memo));
    m->memoized += !m->memo[number];
    m->memo[number] = m->stack[m->depth - 1] + 1;
    return NZ_OK;
}

static nz_status op_put(nz_pickle_machine *m, int width) {
    uint64_t number = 0;
    NZ_TRY(take_memo_number(m, &number, width));
    return put_memo(m, number);
}

static nz_status op_get(nz_pickle_machine *m, int width) {
    uint64_t number = 0;
    NZ_TRY(take_memo_number(m, &number, width));
    if (number >= m->memo_capacity || !m->memo[number]) return nz_pickle_broken(m, "a memo number that was never put");
    return nz_pickle_push(m, m->memo[number] - 1);
}

static nz_status op_memoize(nz_pickle_machine *m, int unused) {
    (void)unused;
    return put_memo(m, m->memoized);
}

/* The list or dictionary that items go into: the container itself, or an object's own part. */
static nz_status part_for(nz_pickle_machine *m, nz_pickle_ref *ret_part, nz_pickle_ref target, nz_pickle_kind kind) {
    nz_pickle_kind is = m->pickle->values[target].kind;
    bool list = kind != NZ_PICKLE_DICT;
    if (is == kind) {
        *ret_part = target;
        return NZ_OK;
    }
    if (is != NZ_PICKLE_OBJECT)
        return nz_pickle_broken(m, "entries are added to what is neither a container nor an object");
    nz_pickle_ref part = list ? m->pickle->values[target].u.object.list : m->pickle->values[target].u.object.dict;
    if (!part) {
        NZ_TRY(nz_pickle_add(m, &part, list ? NZ_PICKLE_LIST : NZ_PICKLE_DICT));
        nz_pickle_value *v = &m->pickle->values[target];
        *(list ? &v->u.object.list : &v->u.object.dict) = part;
    }
    *ret_part = part;
    return NZ_OK;
}

static nz_status add_items(nz_pickle_machine *m, nz_pickle_kind kind, size_t from) {
    nz_pickle_ref part = 0;
    if (from <= floor_of(m)) return nz_pickle_broken(m, "the stack is empty");
    if (kind == NZ_PICKLE_DICT && (m->depth - from) % 2) return nz_pickle_broken(m, "a key without a value");
    NZ_TRY(part_for(m, &part, m->stack[from - 1], kind));
    return move_items(m, part, from);
}

static nz_status op_add_one(nz_pickle_machine *m, int kind) {
    size_t count = kind == NZ_PICKLE_DICT ? 2 : 1;
    NZ_TRY(nz_pickle_need(m, count + 1));
    return add_items(m, (nz_pickle_kind)kind, m->depth - count);
}

static nz_status op_add_marked(nz_pickle_machine *m, int kind) {
    size_t from = 0;
    NZ_TRY(nz_pickle_take_mark(m, &from));
    return add_items(m, (nz_pickle_kind)kind, from);
}

static nz_status op_protocol(nz_pickle_machine *m, int unused) {
    (void)unused;
    uint64_t protocol = 0;
    NZ_TRY(nz_pickle_take_number(m, &protocol, 1));
    if (protocol > PROTOCOL_MAX)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: a pickle of protocol %d; those up to %d are read", m->name, (int)protocol,
                       PROTOCOL_MAX);
    return NZ_OK;
}

static nz_status op_frame(nz_pickle_machine *m, int unused) {
    (void)unused;
    uint64_t length = 0;
    NZ_TRY(nz_pickle_take_number(m, &length, 8));
    return length > m->count - m->at ? nz_pickle_broken(m, "a frame that ends behind the pickle") : NZ_OK;
}

static nz_status op_buffer(nz_pickle_machine *m, int unused) {
    (void)unused;
    return nz_fail(NZ_E_UNSUPPORTED, "%s: a pickle with buffers outside of it", m->name);
}

static nz_status op_stop(nz_pickle_machine *m, int unused) {
    (void)unused;
    NZ_TRY(nz_pickle_need(m, 1));
    m->pickle->root = m->stack[m->depth - 1];
    m->stopped = true;
    return NZ_OK;
}

static const struct {
    nz_pickle_op run;
    int argument;
} ops[256] = {
    ['N'] = {op_constant, 0},
    [0x88] = {op_constant, 2},
    [0x89] = {op_constant, 1},
    ['J'] = {nz_pickle_op_int, -4},
    ['K'] = {nz_pickle_op_int, 1},
    ['M'] = {nz_pickle_op_int, 2},
    ['I'] = {nz_pickle_op_int_text, 0},
    ['L'] = {nz_pickle_op_int_text, 1},
    [0x8a] = {nz_pickle_op_long, 1},
    [0x8b] = {nz_pickle_op_long, 4},
    ['F'] = {nz_pickle_op_float, 0},
    ['G'] = {nz_pickle_op_float, 8},
    ['S'] = {nz_pickle_op_quoted, 0},
    ['V'] = {nz_pickle_op_unicode_text, 0},
    ['U'] = {nz_pickle_op_string, 1},
    ['T'] = {nz_pickle_op_string, 4},
    [0x8c] = {nz_pickle_op_string, 1},
    ['X'] = {nz_pickle_op_string, 4},
    [0x8d] = {nz_pickle_op_string, 8},
    ['C'] = {nz_pickle_op_bytes, 1},
    ['B'] = {nz_pickle_op_bytes, 4},
    [0x8e] = {nz_pickle_op_bytes, 8},
    [0x96] = {nz_pickle_op_bytes, 8},
    ['('] = {op_mark, 0},
    ['0'] = {op_pop, 0},
    ['1'] = {op_pop_mark, 0},
    ['2'] = {op_dup, 0},
    ['g'] = {op_get, 0},
    ['h'] = {op_get, 1},
    ['j'] = {op_get, 4},
    ['p'] = {op_put, 0},
    ['q'] = {op_put, 1},
    ['r'] = {op_put, 4},
    [0x94] = {op_memoize, 0},
    [']'] = {op_empty, NZ_PICKLE_LIST},
    ['}'] = {op_empty, NZ_PICKLE_DICT},
    [0x8f] = {op_empty, NZ_PICKLE_SET},
    [')'] = {op_empty, NZ_PICKLE_TUPLE},
    ['l'] = {op_gather, NZ_PICKLE_LIST},
    ['d'] = {op_gather, NZ_PICKLE_DICT},
    ['t'] = {op_gather, NZ_PICKLE_TUPLE},
    [0x91] = {op_gather, NZ_PICKLE_SET},
    [0x85] = {op_tuple, 1},
    [0x86] = {op_tuple, 2},
    [0x87] = {op_tuple, 3},
    ['a'] = {op_add_one, NZ_PICKLE_LIST},
    ['s'] = {op_add_one, NZ_PICKLE_DICT},
    ['e'] = {op_add_marked, NZ_PICKLE_LIST},
    ['u'] = {op_add_marked, NZ_PICKLE_DICT},
    [0x90] = {op_add_marked, NZ_PICKLE_SET},
    ['c'] = {nz_pickle_op_class, 0},
    [0x93] = {nz_pickle_op_stack_class, 0},
    [0x82] = {nz_pickle_op_extension, 1},
    [0x83] = {nz_pickle_op_extension, 2},
    [0x84] = {nz_pickle_op_extension, 4},
    ['R'] = {nz_pickle_op_call, 0},
    [0x81] = {nz_pickle_op_call, 0},
    [0x92] = {nz_pickle_op_call, 1},
    ['o'] = {nz_pickle_op_instance, 0},
    ['i'] = {nz_pickle_op_instance, 1},
    ['b'] = {nz_pickle_op_build, 0},
    ['P'] = {nz_pickle_op_persistent, 1},
    ['Q'] = {nz_pickle_op_persistent, 0},
    [0x80] = {op_protocol, 0},
    [0x95] = {op_frame, 0},
    [0x97] = {op_buffer, 0},
    [0x98] = {op_buffer, 0},
    ['.'] = {op_stop, 0},
};

void nz_pickle_done(nz_pickle *pickle) {
    for (size_t i = 0; i < pickle->count; i++) {
        nz_pickle_kind kind = pickle->values[i].kind;
        if (kind >= NZ_PICKLE_TUPLE && kind <= NZ_PICKLE_DICT) free(pickle->values[i].u.list.items);
    }
    free(pickle->values);
    nz_arena_done(&pickle->texts);
    *pickle = (nz_pickle){0};
}

static nz_status add_constants(nz_pickle_machine *m) {
    nz_pickle_ref ref = 0;
    NZ_TRY(nz_pickle_add(m, &ref, NZ_PICKLE_NONE));
    NZ_TRY(nz_pickle_add(m, &ref, NZ_PICKLE_BOOL));
    NZ_TRY(nz_pickle_add(m, &ref, NZ_PICKLE_BOOL));
    m->pickle->values[ref].u.integer = 1;
    return NZ_OK;
}

static nz_status run_machine(nz_pickle_machine *m) {
    NZ_TRY(add_constants(m));
    while (!m->stopped) {
        if (m->at == m->count) return nz_pickle_broken(m, "it ends too early");
        uint8_t code = m->bytes[m->at++];
        if (!ops[code].run) {
            m->at--;
            return nz_fail(NZ_E_FORMAT, "%s: broken pickle at byte %zu: 0x%02x is no opcode", m->name, m->at, code);
        }
        NZ_TRY(ops[code].run(m, ops[code].argument));
    }
    m->pickle->used = m->at;
    return NZ_OK;
}

nz_status nz_pickle_read(nz_pickle *ret_pickle, const void *bytes, size_t count, const char *name) {
    NZ_AUTO(nz_pickle_done) nz_pickle pickle = {0};
    nz_pickle_machine machine = {.pickle = &pickle, .bytes = bytes, .count = count, .name = name};
    nz_status status = run_machine(&machine);
    free(machine.stack);
    free(machine.memo);
    free(machine.marks);
    NZ_TRY(status);
    *ret_pickle = pickle;
    pickle = (nz_pickle){0};
    return NZ_OK;
}
