/* SPDX-License-Identifier: Apache-2.0 */
/* Classes, calls and attributes of a pickle: records of what Python would do, of which nothing is done.
 * @source CPython, Lib/pickletools.py: the opcodes' documentation */
#include "import/pickle_machine.h"

static nz_status add_text(nz_pickle_machine *m, nz_pickle_ref *ret_ref, const char *text, size_t count) {
    nz_pickle_ref ref = 0;
    NZ_TRY(nz_pickle_add(m, &ref, NZ_PICKLE_STRING));
    m->pickle->values[ref].u.text.data = text;
    m->pickle->values[ref].u.text.count = count;
    *ret_ref = ref;
    return NZ_OK;
}

static nz_status add_class(nz_pickle_machine *m, nz_pickle_ref *ret_ref, nz_pickle_ref module, nz_pickle_ref name) {
    nz_pickle_ref ref = 0;
    if (!nz_pickle_is(m->pickle, module, NZ_PICKLE_STRING) || !nz_pickle_is(m->pickle, name, NZ_PICKLE_STRING))
        return nz_pickle_broken(m, "a class whose name is no string");
    NZ_TRY(nz_pickle_add(m, &ref, NZ_PICKLE_CLASS));
    m->pickle->values[ref].u.object.type = module;
    m->pickle->values[ref].u.object.args = name;
    *ret_ref = ref;
    return NZ_OK;
}

static nz_status take_class(nz_pickle_machine *m, nz_pickle_ref *ret_ref) {
    const char *text = NULL;
    size_t count = 0;
    nz_pickle_ref module = 0, name = 0;
    NZ_TRY(nz_pickle_take_line(m, &text, &count));
    NZ_TRY(add_text(m, &module, text, count));
    NZ_TRY(nz_pickle_take_line(m, &text, &count));
    NZ_TRY(add_text(m, &name, text, count));
    return add_class(m, ret_ref, module, name);
}

nz_status nz_pickle_op_class(nz_pickle_machine *m, int unused) {
    (void)unused;
    nz_pickle_ref ref = 0;
    NZ_TRY(take_class(m, &ref));
    return nz_pickle_push(m, ref);
}

nz_status nz_pickle_op_stack_class(nz_pickle_machine *m, int unused) {
    (void)unused;
    nz_pickle_ref ref = 0;
    NZ_TRY(nz_pickle_need(m, 2));
    NZ_TRY(add_class(m, &ref, m->stack[m->depth - 2], m->stack[m->depth - 1]));
    m->depth -= 2;
    return nz_pickle_push(m, ref);
}

/* A number that stands for a class in a registry of the writer's; which one, only the writer knows. */
nz_status nz_pickle_op_extension(nz_pickle_machine *m, int width) {
    static const char module[] = "copyreg", name[] = "extension";
    uint64_t code = 0;
    nz_pickle_ref ref = 0, texts[2] = {0};
    NZ_TRY(nz_pickle_take_number(m, &code, width));
    NZ_TRY(add_text(m, &texts[0], module, sizeof module - 1));
    NZ_TRY(add_text(m, &texts[1], name, sizeof name - 1));
    NZ_TRY(add_class(m, &ref, texts[0], texts[1]));
    return nz_pickle_push(m, ref);
}

static nz_status push_object(nz_pickle_machine *m, nz_pickle_ref type, nz_pickle_ref args) {
    nz_pickle_ref ref = 0;
    NZ_TRY(nz_pickle_push_new(m, &ref, NZ_PICKLE_OBJECT));
    m->pickle->values[ref].u.object.type = type;
    m->pickle->values[ref].u.object.args = args;
    return NZ_OK;
}

/* class, arguments -> object; `extra` more entries above them (keyword arguments) are left out. */
nz_status nz_pickle_op_call(nz_pickle_machine *m, int extra) {
    NZ_TRY(nz_pickle_need(m, 2 + (size_t)extra));
    m->depth -= 2 + (size_t)extra;
    return push_object(m, m->stack[m->depth], m->stack[m->depth + 1]);
}

/* mark, class, arguments... -> object; where `by_name`, the class stands in the pickle's text. */
nz_status nz_pickle_op_instance(nz_pickle_machine *m, int by_name) {
    nz_pickle_ref type = 0;
    size_t from = 0;
    if (by_name) NZ_TRY(take_class(m, &type));
    NZ_TRY(nz_pickle_take_mark(m, &from));
    if (!by_name && from == m->depth) return nz_pickle_broken(m, "an object without a class");
    NZ_TRY(nz_pickle_gather(m, NZ_PICKLE_TUPLE, from + !by_name));
    nz_pickle_ref args = m->stack[m->depth - 1];
    if (!by_name) type = m->stack[from];
    m->depth = from;
    return push_object(m, type, args);
}

nz_status nz_pickle_op_build(nz_pickle_machine *m, int unused) {
    (void)unused;
    NZ_TRY(nz_pickle_need(m, 2));
    nz_pickle_ref state = m->stack[--m->depth];
    nz_pickle_value *target = &m->pickle->values[m->stack[m->depth - 1]];
    if (target->kind == NZ_PICKLE_OBJECT)
        target->u.object.state = state;
    else if (target->kind != NZ_PICKLE_PERSISTENT) /* that one keeps its own state */
        return nz_pickle_broken(m, "attributes are given to what is no object");
    return NZ_OK;
}

static nz_status push_persistent(nz_pickle_machine *m, nz_pickle_ref id) {
    nz_pickle_ref ref = 0;
    NZ_TRY(nz_pickle_push_new(m, &ref, NZ_PICKLE_PERSISTENT));
    m->pickle->values[ref].u.object.args = id;
    return NZ_OK;
}

nz_status nz_pickle_op_persistent(nz_pickle_machine *m, int by_name) {
    nz_pickle_ref id = 0;
    if (by_name) {
        const char *text = NULL;
        size_t count = 0;
        NZ_TRY(nz_pickle_take_line(m, &text, &count));
        NZ_TRY(add_text(m, &id, text, count));
    } else {
        NZ_TRY(nz_pickle_need(m, 1));
        id = m->stack[--m->depth];
    }
    return push_persistent(m, id);
}
