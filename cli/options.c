/* SPDX-License-Identifier: Apache-2.0 */
/* Long options by table. getopt_long prints its own messages and knows no help texts; this is shorter than bending it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"

static const nz_cli_option help_option = {"help", NULL, "print this text and exit"};

enum { HELP_COLUMN = 26, HELP_WIDTH = 100 };

/* Breaks `help` between words so that the right column stays a column. */
static void print_wrapped(const char *help) {
    size_t column = HELP_COLUMN;
    for (const char *p = help; *p;) {
        size_t word = strcspn(p, " ");
        if (p != help && column + 1 + word > HELP_WIDTH) {
            printf("\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (p != help) {
            putchar(' ');
            column++;
        }
        printf("%.*s", (int)word, p);
        column += word;
        p += word;
        p += strspn(p, " ");
    }
    putchar('\n');
}

static void print_option(const nz_cli_option *option) {
    int width = printf("  --%s%s%s", option->name, option->value ? " " : "", option->value ? option->value : "");
    if (width < HELP_COLUMN - 1)
        printf("%*s", HELP_COLUMN - width, "");
    else
        printf("\n%*s", HELP_COLUMN, "");
    print_wrapped(option->help);
}

static void print_help(const nz_cli_usage *usage) {
    printf("usage: netzip %s %s\n\n%s\n\noptions:\n", usage->verb, usage->arguments, usage->summary);
    for (size_t i = 0; i < usage->option_count; i++) print_option(&usage->options[i]);
    print_option(&help_option);
    if (!usage->examples) return;
    printf("\nexamples:\n");
    for (const char *p = usage->examples; *p;) {
        size_t line = strcspn(p, "\n");
        printf("  %.*s\n", (int)line, p);
        p += line + (p[line] == '\n');
    }
}

static const nz_cli_option *find_option(const nz_cli_usage *usage, const char *name, size_t length) {
    for (size_t i = 0; i < usage->option_count; i++)
        if (strlen(usage->options[i].name) == length && memcmp(usage->options[i].name, name, length) == 0)
            return &usage->options[i];
    return strlen(help_option.name) == length && memcmp(help_option.name, name, length) == 0 ? &help_option : NULL;
}

static nz_status fail_unknown(const nz_cli_usage *usage, const char *name) {
    enum { MOST = 64 };
    const char *names[MOST] = {help_option.name};
    size_t count = 1;
    for (size_t i = 0; i < usage->option_count && count < MOST; i++) names[count++] = usage->options[i].name;
    const char *near = nz_closest(name, names, count);
    if (near) return nz_fail(NZ_E_ARG, "%s: unknown option --%s; did you mean --%s?", usage->verb, name, near);
    return nz_fail(NZ_E_ARG, "%s: unknown option --%s (netzip %s --help lists them)", usage->verb, name, usage->verb);
}

/* Takes the option at argv[*at] and, where it has one, its value. */
static nz_status take_option(nz_cli_args *args, int *at, int argc, char **argv) {
    const nz_cli_usage *usage = args->usage;
    const char *name = argv[*at] + 2, *equals = strchr(name, '=');
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const nz_cli_option *option = find_option(usage, name, length);
    if (!option) {
        NZ_AUTO_FREE char *copy = NULL;
        NZ_TRY(nz_format(&copy, "%.*s", (int)length, name));
        return fail_unknown(usage, copy);
    }
    if (!option->value && equals) return nz_fail(NZ_E_ARG, "%s: --%s takes no value", usage->verb, option->name);
    const char *value = equals ? equals + 1 : NULL;
    if (option->value && !equals) {
        if (*at + 1 >= argc)
            return nz_fail(NZ_E_ARG, "%s: --%s needs a value (%s)", usage->verb, option->name, option->value);
        value = argv[++*at];
    }
    args->given[args->given_count].option = option;
    args->given[args->given_count++].value = value;
    return NZ_OK;
}

static nz_status parse(nz_cli_args *args, int argc, char **argv) {
    const nz_cli_usage *usage = args->usage;
    size_t room = argc > 0 ? (size_t)argc : 1;
    NZ_TRY(nz_alloc(&args->operands, room, sizeof *args->operands));
    NZ_TRY(nz_alloc(&args->given, room, sizeof *args->given));
    bool options = true;
    for (int at = 1; at < argc; at++) {
        const char *word = argv[at];
        if (options && strcmp(word, "--") == 0)
            options = false;
        else if (options && strncmp(word, "--", 2) == 0)
            NZ_TRY(take_option(args, &at, argc, argv));
        else if (options && strcmp(word, "-h") == 0)
            args->given[args->given_count++].option = &help_option;
        else if (options && word[0] == '-' && word[1])
            return nz_fail(NZ_E_ARG, "%s: unknown option %s (options are written --name)", usage->verb, word);
        else
            args->operands[args->operand_count++] = word;
    }
    return NZ_OK;
}

static nz_status check_operands(const nz_cli_args *args) {
    const nz_cli_usage *usage = args->usage;
    if (args->operand_count < usage->least)
        return nz_fail(NZ_E_ARG, "%s: too few arguments; usage: netzip %s %s", usage->verb, usage->verb,
                       usage->arguments);
    if (args->operand_count > usage->most)
        return nz_fail(NZ_E_ARG, "%s: '%s' is one argument too many; usage: netzip %s %s", usage->verb,
                       args->operands[usage->most], usage->verb, usage->arguments);
    return NZ_OK;
}

bool nz_cli_parse(nz_cli_args *ret_args, int *ret_exit, const nz_cli_usage *usage, int argc, char **argv) {
    nz_cli_args args = {.usage = usage};
    nz_status status = parse(&args, argc, argv);
    bool help = status == NZ_OK && nz_cli_has(&args, help_option.name);
    if (status == NZ_OK && !help) status = check_operands(&args);
    if (status == NZ_OK && !help) {
        *ret_args = args;
        return true;
    }
    if (help) print_help(usage);
    nz_cli_args_done(&args);
    *ret_exit = nz_cli_finish(status);
    return false;
}

void nz_cli_args_done(nz_cli_args *args) {
    free(args->operands);
    free(args->given);
    *args = (nz_cli_args){0};
}

size_t nz_cli_count(const nz_cli_args *args, const char *name) {
    size_t count = 0;
    for (size_t i = 0; i < args->given_count; i++) count += strcmp(args->given[i].option->name, name) == 0;
    return count;
}

bool nz_cli_has(const nz_cli_args *args, const char *name) { return nz_cli_count(args, name) > 0; }

const char *nz_cli_get_at(const nz_cli_args *args, const char *name, size_t index) {
    for (size_t i = 0; i < args->given_count; i++)
        if (strcmp(args->given[i].option->name, name) == 0 && index-- == 0) return args->given[i].value;
    return NULL;
}

const char *nz_cli_get(const nz_cli_args *args, const char *name, const char *fallback) {
    size_t count = nz_cli_count(args, name);
    return count ? nz_cli_get_at(args, name, count - 1) : fallback;
}

nz_status nz_cli_get_int(long long *ret_value, const nz_cli_args *args, const char *name, long long fallback,
                         long long least, long long most) {
    const char *text = nz_cli_get(args, name, NULL);
    long long value = fallback;
    if (text) {
        NZ_AUTO_FREE char *what = NULL;
        NZ_TRY(nz_format(&what, "%s: --%s", args->usage->verb, name));
        NZ_TRY(nz_parse_int(&value, text, what));
        if (value < least || value > most)
            return nz_fail(NZ_E_ARG, "%s %s is outside %lld to %lld", what, text, least, most);
    }
    *ret_value = value;
    return NZ_OK;
}

nz_status nz_cli_get_real(double *ret_value, const nz_cli_args *args, const char *name, double fallback) {
    const char *text = nz_cli_get(args, name, NULL);
    double value = fallback;
    if (text) {
        NZ_AUTO_FREE char *what = NULL;
        NZ_TRY(nz_format(&what, "%s: --%s", args->usage->verb, name));
        NZ_TRY(nz_parse_double(&value, text, what));
    }
    *ret_value = value;
    return NZ_OK;
}

nz_status nz_cli_need(const nz_cli_args *args, const char *name) {
    if (nz_cli_has(args, name)) return NZ_OK;
    const nz_cli_option *option = find_option(args->usage, name, strlen(name));
    return nz_fail(NZ_E_ARG, "%s: --%s %s is needed (netzip %s --help)", args->usage->verb, name,
                   option && option->value ? option->value : "", args->usage->verb);
}

int nz_cli_finish(nz_status status) {
    const char *message = nz_last_error();
    if (status == NZ_E_CANCELLED && nz_cli_was_cancelled())
        nz_cli_error("stopped by the user");
    else if (status != NZ_OK)
        nz_cli_error("%s", *message ? message : nz_status_name(status));
    return nz_status_exit_code(status);
}

void nz_cli_error(const char *format, ...) {
    char piece[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(piece, sizeof piece, format, args);
    va_end(args);
    nz_cli_progress_end();
    fputs("netzip: ", stderr);
    nz_cli_put_printable(stderr, piece);
    fputc('\n', stderr);
}

nz_status nz_cli_print_json(const json_t *json) {
    NZ_AUTO_FREE char *text = NULL;
    NZ_TRY(nz_json_text(&text, json, 0));
    fputs(text, stdout);
    return NZ_OK;
}

void nz_cli_put_printable(FILE *stream, const char *text) {
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            fprintf(stream, "\\x%02x", *p);
        else
            fputc(*p, stream);
    }
}

int nz_cli_finish_output(int exit_status) {
    bool failed = ferror(stdout) != 0;
    if (fflush(stdout) == 0 && !failed) return exit_status;
    nz_cli_error("standard output cannot be written");
    return NZ_EXIT_RESOURCE;
}
