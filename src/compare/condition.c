/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/condition.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"

enum { DEEPEST = 64, LONGEST = 4096 };

typedef struct parser {
    const char *text, *at;
    nz_condition *out;
    int depth;
} parser;

static const struct {
    const char *suffix;
    nz_condition_field field;
} fields[] = {{".value", NZ_FIELD_VALUE},
              {".drop", NZ_FIELD_DROP},
              {".ratio", NZ_FIELD_RATIO},
              {".delta", NZ_FIELD_DELTA},
              {".against", NZ_FIELD_AGAINST}};

static const struct {
    const char *suffix;
    nz_condition_end end;
} ends[] = {{".low", NZ_END_LOW}, {".high", NZ_END_HIGH}};

/* The longer operators come first. */
static const struct {
    const char *text;
    int op;
} operators[] = {{"<=", NZ_LESS_EQUAL}, {">=", NZ_MORE_EQUAL}, {"==", NZ_EQUAL},
                 {"!=", NZ_UNEQUAL},    {"<", NZ_LESS},        {">", NZ_MORE}};

const char *nz_condition_field_suffix(nz_condition_field field) {
    for (size_t i = 1; i < NZ_COUNT(fields); i++)
        if (fields[i].field == field) return fields[i].suffix;
    return "";
}

const char *nz_condition_end_suffix(nz_condition_end end) {
    for (size_t i = 0; i < NZ_COUNT(ends); i++)
        if (ends[i].end == end) return ends[i].suffix;
    return "";
}

bool nz_condition_needs_against(const nz_condition *condition) {
    for (size_t i = 0; i < condition->term_count; i++)
        if (condition->terms[i].field == NZ_FIELD_AGAINST) return true;
    return false;
}

static void skip_blanks(parser *p) { p->at += strspn(p->at, " \t\n"); }

static nz_status fail_at(const parser *p, const char *expected) {
    return nz_fail(NZ_E_ARG, "--fail-if '%s': %s expected at '%.20s' (character %zu)", p->text, expected,
                   *p->at ? p->at : "the end", (size_t)(p->at - p->text) + 1);
}

static nz_status add_step(parser *p, int step) {
    nz_condition *c = p->out;
    NZ_TRY(nz_grow(&c->steps, &c->step_capacity, c->step_count + 1, sizeof *c->steps));
    c->steps[c->step_count++] = step;
    return NZ_OK;
}

/* Takes `suffix` where it stands whole. */
static bool take_suffix(parser *p, const char *suffix) {
    size_t length = strlen(suffix);
    if (strncmp(p->at, suffix, length) != 0 || isalnum((unsigned char)p->at[length])) return false;
    p->at += length;
    return true;
}

static nz_status parse_name(parser *p, nz_condition_term *term) {
    size_t length = 0;
    bool found = false;
    while (isalnum((unsigned char)p->at[length]) || p->at[length] == '_') length++;
    if (!length) return fail_at(p, "a metric's id");
    NZ_TRY(nz_format(&term->id, "%.*s", (int)length, p->at));
    p->at += length;
    for (size_t i = 0; i < NZ_COUNT(fields) && !found; i++)
        if ((found = take_suffix(p, fields[i].suffix))) term->field = fields[i].field;
    for (size_t i = 0; i < NZ_COUNT(ends) && !term->end; i++)
        if (take_suffix(p, ends[i].suffix)) term->end = ends[i].end;
    if (*p->at != '.') return NZ_OK;
    return fail_at(p, term->end ? "a comparison"
                      : found   ? ".low or .high"
                                : ".value, .drop, .ratio, .delta or .against");
}

static nz_status parse_operator(parser *p, nz_condition_term *term) {
    skip_blanks(p);
    for (size_t i = 0; i < NZ_COUNT(operators); i++) {
        if (strncmp(p->at, operators[i].text, strlen(operators[i].text)) != 0) continue;
        memcpy(&term->op, &operators[i].op, sizeof term->op);
        p->at += strlen(operators[i].text);
        return NZ_OK;
    }
    return fail_at(p, "one of < <= > >= == !=");
}

static nz_status parse_number(parser *p, nz_condition_term *term) {
    skip_blanks(p);
    size_t length = 0;
    /* A sign belongs to the number at its start and after an exponent's e. */
    while (isalnum((unsigned char)p->at[length]) || p->at[length] == '.' ||
           ((p->at[length] == '-' || p->at[length] == '+') &&
            (length == 0 || p->at[length - 1] == 'e' || p->at[length - 1] == 'E')))
        length++;
    NZ_AUTO_FREE char *digits = NULL;
    NZ_TRY(nz_format(&digits, "%.*s", (int)length, p->at));
    if (nz_parse_double(&term->number, digits, "--fail-if") != NZ_OK || !(term->number - term->number == 0))
        return fail_at(p, "a number");
    p->at += length;
    return NZ_OK;
}

static nz_status parse_either(parser *p);

static nz_status parse_term(parser *p) {
    nz_condition *c = p->out;
    skip_blanks(p);
    if (*p->at == '(') {
        if (++p->depth > DEEPEST) return fail_at(p, "less nesting");
        p->at++;
        NZ_TRY(parse_either(p));
        skip_blanks(p);
        if (*p->at != ')') return fail_at(p, "a closing parenthesis");
        p->at++;
        p->depth--;
        return NZ_OK;
    }
    NZ_TRY(nz_grow(&c->terms, &c->term_capacity, c->term_count + 1, sizeof *c->terms));
    nz_condition_term *term = &c->terms[c->term_count++];
    NZ_TRY(parse_name(p, term));
    NZ_TRY(parse_operator(p, term));
    NZ_TRY(parse_number(p, term));
    return add_step(p, (int)c->term_count - 1);
}

static nz_status parse_both(parser *p) {
    NZ_TRY(parse_term(p));
    for (;;) {
        skip_blanks(p);
        if (strncmp(p->at, "&&", 2) != 0) return NZ_OK;
        p->at += 2;
        NZ_TRY(parse_term(p));
        NZ_TRY(add_step(p, NZ_CONDITION_AND));
    }
}

static nz_status parse_either(parser *p) {
    NZ_TRY(parse_both(p));
    for (;;) {
        skip_blanks(p);
        if (strncmp(p->at, "||", 2) != 0) return NZ_OK;
        p->at += 2;
        NZ_TRY(parse_both(p));
        NZ_TRY(add_step(p, NZ_CONDITION_OR));
    }
}

nz_status nz_condition_parse(nz_condition *ret_condition, const char *text) {
    NZ_AUTO(nz_condition_done) nz_condition condition = {0};
    parser p = {.text = text, .at = text, .out = &condition};
    if (strlen(text) > LONGEST) return nz_fail(NZ_E_ARG, "--fail-if: longer than %d characters", LONGEST);
    NZ_TRY(parse_either(&p));
    if (*p.at) return fail_at(&p, "&& or || or the end");
    *ret_condition = condition;
    condition = (nz_condition){0};
    return NZ_OK;
}

void nz_condition_done(nz_condition *condition) {
    for (size_t i = 0; i < condition->term_count; i++) free(condition->terms[i].id);
    free(condition->terms);
    free(condition->steps);
    *condition = (nz_condition){0};
}

static bool term_holds(const nz_condition_term *term, nz_condition_get *get, void *user) {
    double value;
    if (!get(user, term, &value)) return true;
    switch (term->op) {
    case NZ_LESS: return value < term->number;
    case NZ_LESS_EQUAL: return value <= term->number;
    case NZ_MORE: return value > term->number;
    case NZ_MORE_EQUAL: return value >= term->number;
    case NZ_EQUAL: return value == term->number;
    case NZ_UNEQUAL: return value != term->number;
    }
    return true;
}

bool nz_condition_holds(const nz_condition *condition, nz_condition_get *get, void *user, size_t *ret_term) {
    /* Each entry of the stack is 1 + the index of a term that held, or 0. The text's length bounds the stack. */
    int stack[LONGEST];
    size_t height = 0;
    for (size_t i = 0; i < condition->step_count && height < LONGEST; i++) {
        int step = condition->steps[i];
        if (step >= 0) {
            stack[height++] = term_holds(&condition->terms[step], get, user) ? step + 1 : 0;
            continue;
        }
        int second = stack[--height], first = stack[height - 1];
        stack[height - 1] = step == NZ_CONDITION_AND ? (first && second ? first : 0) : (first ? first : second);
    }
    bool held = height > 0 && stack[0] > 0;
    if (held && ret_term) *ret_term = (size_t)stack[0] - 1;
    return held;
}
