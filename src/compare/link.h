/* SPDX-License-Identifier: Apache-2.0 */
/** The inside of a link to another machine: ssh's command line, commands there, bytes in both directions. */
#ifndef NZ_COMPARE_LINK_H
#define NZ_COMPARE_LINK_H

#include "compare/target.h"
#include "core/text.h"

struct nz_link {
    nz_target target;
    const char *program; /**< ssh; borrowed */
    char *folder;        /**< private, here: of the socket that connections share */
    char *control;       /**< "ControlPath=..." */
    char *architecture;  /**< `uname -m` there */
    char *cache, *run;   /**< folders there: what stays, and what is removed with the link */
    char *bundle;        /**< folder there of the worker and its libraries */
    char *loader;        /**< file name in it of the dynamic loader; NULL: the system's is used */
    const nz_progress *progress;
    pid_t master; /**< the ssh that has logged in; 0: none */
    int master_fd;
    unsigned placed; /**< names handed out by nz_link_place */
    size_t copy_count, copy_capacity;
    struct nz_link_copy {
        char *local, *remote;
    } * copies; /**< made or found in this run */
};

/* ---- ssh.c ---- */

/** Appends `text` as one word of a POSIX shell. */
void nz_shell_quote(nz_text *out, const char *text);

/**
 * Starts ssh with a script for sh(1) there; not reached by an interrupt from the terminal.
 * @param fd   Its standard input and output.
 * @param log  Its standard error.
 * @param master  Whether others share its connection.
 */
NZ_CHECKED nz_status nz_ssh_start(const nz_link *link, pid_t *ret_pid, const char *script, int fd, int log,
                                  bool master);
/** Two connected sockets above the standard streams, closed on exec. */
NZ_CHECKED nz_status nz_ssh_sockets(int ret_ends[2]);
/** A file without a name, for what a program says. */
NZ_CHECKED nz_status nz_ssh_log(int *ret_fd);
/** Why ssh ended as it did (`how` by waitpid): the reason that it or the command there gave, and what mends it. */
NZ_CHECKED nz_status nz_ssh_fail(const nz_link *link, int how, int log);

/** Bytes that go there and come back with a command. */
typedef struct nz_exchange {
    const char *script;
    const char *what; /**< for the progress */
    /** Up to `size` bytes more for its standard input; none: the end. NULL: it gets none. */
    nz_status (*feed)(void *user, char *buffer, size_t size, size_t *ret_count);
    void *feed_user;
    nz_status (*take)(void *user, const char *bytes, size_t count); /**< what it prints; NULL: nobody wants it */
    void *take_user;
} nz_exchange;
/** Runs a command there to its end. Its failure is NZ_E_RESOURCE with the last line that it said. */
NZ_CHECKED nz_status nz_link_exchange(nz_link *link, const nz_exchange *exchange);
/** The same, for a command that needs no input and prints little. Owned: free(). */
NZ_CHECKED nz_status nz_link_ask(nz_link *link, char **ret_output, const char *script);

/* ---- tar.c ---- */

/** A file that goes into an archive. */
typedef struct nz_tar_file {
    const char *local; /**< read from; NULL: `text` is its content, or it is a folder where that is NULL too */
    const char *text;
    const char *name; /**< in the archive */
    bool executable;
} nz_tar_file;
typedef struct nz_tar nz_tar;
/** An archive of `count` files, to be read piece by piece; `files` is borrowed. */
NZ_CHECKED nz_status nz_tar_open(nz_tar **ret_tar, const nz_tar_file *files, size_t count);
/** nz_exchange's `feed`; `tar` is the archive. NZ_E_IO where a file changes its size while it is read. */
NZ_CHECKED nz_status nz_tar_read(void *tar, char *buffer, size_t size, size_t *ret_count);
void nz_tar_free(nz_tar *tar); /**< NULL passes */

/* ---- target_files.c ---- */

/**
 * Makes CACHE/`place` there hold the files, unless it does already.
 * @param sums    "HASH  NAME" lines of the files, or "": then they are not checked.
 * @param verify  Whether a copy that lies there is checked against `sums`, too.
 */
NZ_CHECKED nz_status nz_link_deposit(nz_link *link, char **ret_folder, const char *place, const nz_tar_file *files,
                                     size_t count, const char *sums, bool verify, const char *what);

#endif
