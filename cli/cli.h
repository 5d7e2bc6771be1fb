/* SPDX-License-Identifier: Apache-2.0 */
/** What every verb of the command line shares: options from a table, messages, progress, exit statuses. */
#ifndef NZ_CLI_H
#define NZ_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "core/json.h"
#include "netzip/progress.h"
#include "netzip/status.h"

/** Exit statuses of the contract (cli.md). A library status becomes one by nz_cli_finish. */
enum {
    NZ_EXIT_OK = 0,
    NZ_EXIT_FAILED = 1,  /**< a --fail-if condition held, or a model failed */
    NZ_EXIT_USAGE = 2,   /**< the command line is wrong */
    NZ_EXIT_INPUT = 3,   /**< an input is missing, broken or unsupported */
    NZ_EXIT_RESOURCE = 4 /**< out of memory, disk or another resource */
};

/** One row of a verb's option table. */
typedef struct nz_cli_option {
    const char *name;  /**< without the dashes */
    const char *value; /**< what the value is called in the help ("FILE"); NULL: the option takes none */
    const char *help;  /**< one line, with the unit and the default */
} nz_cli_option;

/** What a verb's file says about itself: `--help`, option checking and the man page test all read it. */
typedef struct nz_cli_usage {
    const char *verb;
    const char *arguments; /**< the operands in the usage line: "MODEL [options]" */
    const char *summary;   /**< one or more lines of prose */
    const char *examples;  /**< whole command lines, one per line; NULL: none */
    size_t least, most;    /**< how many operands */
    const nz_cli_option *options;
    size_t option_count;
} nz_cli_usage;

/** An option as it was typed. */
struct nz_cli_given {
    const nz_cli_option *option;
    const char *value; /**< NULL where the option takes none */
};

/** A command line after parsing. Strings are borrowed from argv. */
typedef struct nz_cli_args {
    const nz_cli_usage *usage;
    size_t operand_count;
    const char **operands;
    struct nz_cli_given *given; /**< in the order they were typed */
    size_t given_count;
} nz_cli_args;

/**
 * Parses argv (argv[0] is the verb) by the table: --name VALUE, --name=VALUE, `--` ends options, a lone `-` is an operand.
 *
 * @param[out] ret_exit  Set where false is returned: the verb returns it at once (`--help` was printed, or the message was).
 * @return true where the verb should go on; release with nz_cli_args_done.
 */
bool nz_cli_parse(nz_cli_args *ret_args, int *ret_exit, const nz_cli_usage *usage, int argc, char **argv);
void nz_cli_args_done(nz_cli_args *args);

bool nz_cli_has(const nz_cli_args *args, const char *name);
/** The last value given, `fallback` where the option is absent. Borrowed. */
const char *nz_cli_get(const nz_cli_args *args, const char *name, const char *fallback);
size_t nz_cli_count(const nz_cli_args *args, const char *name);                     /**< how often it was given */
const char *nz_cli_get_at(const nz_cli_args *args, const char *name, size_t index); /**< the index-th value given */
/** A whole number within [least, most]; `fallback` where absent. NZ_E_ARG names the option. */
NZ_CHECKED nz_status nz_cli_get_int(long long *ret_value, const nz_cli_args *args, const char *name, long long fallback,
                                    long long least, long long most);
NZ_CHECKED nz_status nz_cli_get_real(double *ret_value, const nz_cli_args *args, const char *name, double fallback);
/** NZ_E_ARG where a required option is absent. */
NZ_CHECKED nz_status nz_cli_need(const nz_cli_args *args, const char *name);

/** Prints the one-line error of `status` (nothing for NZ_OK) and returns the exit status that cli.md gives for it. */
int nz_cli_finish(nz_status status);
/** Prints `netzip: <message>` on standard error, as one printable line. */
void nz_cli_error(const char *format, ...) NZ_PRINTF(1, 2);
/** Prints a document, indented, on standard output. NULL is a document that memory was too short for. Borrowed. */
NZ_CHECKED nz_status nz_cli_print_json(const json_t *json);
/** Writes text with control characters as \xNN, so that a name in a hostile file cannot drive the terminal. */
void nz_cli_put_printable(FILE *stream, const char *text);
/** Flushes standard output; a full disk there is an error too. main calls it. */
int nz_cli_finish_output(int exit_status);

/** Progress on standard error: a bar on a terminal, else a line about every ten seconds; nothing for short work. The sink
 * is static. From the first call on, SIGINT stops long work at its next step; a second one ends the program at once. */
const nz_progress *nz_cli_progress(void);
void nz_cli_progress_end(void);  /**< wipes the bar, so that other output starts on a clean line */
bool nz_cli_was_cancelled(void); /**< whether SIGINT came */

/* The verbs; main.c lists them. */
int nz_cmd_inspect(int argc, char **argv);
int nz_cmd_train(int argc, char **argv);
int nz_cmd_import(int argc, char **argv);
int nz_cmd_compress(int argc, char **argv);
int nz_cmd_compare(int argc, char **argv);
int nz_cmd_run(int argc, char **argv);
int nz_cmd_demo(int argc, char **argv);
int nz_cmd_combine(int argc, char **argv);
int nz_cmd_energy(int argc, char **argv);
int nz_cmd_evaluate(int argc, char **argv);
int nz_cmd_conformance(int argc, char **argv);
int nz_cmd_detect(int argc, char **argv);
int nz_cmd_report(int argc, char **argv);
int nz_cmd_data(int argc, char **argv);
int nz_cmd_runtime(int argc, char **argv);
int nz_cmd_doctor(int argc, char **argv);
int nz_cmd_worker(int argc, char **argv);

#endif
