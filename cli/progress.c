/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

enum { QUIET_MS = 500, REDRAW_MS = 100, LINE_MS = 10000, BAR_CELLS = 24, WHAT_BYTES = 96 };

static volatile sig_atomic_t cancelled;

static struct {
    pthread_mutex_t lock; /* notes may come from any thread */
    char what[WHAT_BYTES];
    long long began_ms, drawn_ms;
    unsigned long long began_done; /* resumed work does not begin at 0 */
    bool terminal, bar_shown;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void on_interrupt(int signal_number) {
    (void)signal_number;
    cancelled = 1;
}

static long long now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wipe_bar(void) {
    if (state.bar_shown) fputs("\r\033[K", stderr);
    state.bar_shown = false;
}

static void format_seconds(char *out, size_t capacity, double seconds) {
    long long s = (long long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, capacity, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
    else
        snprintf(out, capacity, "%lld:%02lld", s / 60, s % 60);
}

/* "1234/10000  512/s  0:17 left", as far as it is known. */
static void format_counts(char *out, size_t capacity, unsigned long long done, unsigned long long total,
                          double seconds) {
    double rate = seconds > 0 && done > state.began_done ? (double)(done - state.began_done) / seconds : 0;
    int at = total ? snprintf(out, capacity, "%llu/%llu", done, total) : snprintf(out, capacity, "%llu", done);
    size_t used = (size_t)at;
    if (rate > 0) used += (size_t)snprintf(out + used, capacity - used, rate < 10 ? "  %.2f/s" : "  %.0f/s", rate);
    if (rate > 0 && total > done) {
        char left[32];
        format_seconds(left, sizeof left, (double)(total - done) / rate);
        snprintf(out + used, capacity - used, "  %s left", left);
    }
}

static void draw_bar(const char *counts, unsigned long long done, unsigned long long total) {
    struct winsize size = {0};
    char cells[BAR_CELLS + 1] = "", line[256];
    size_t columns = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
    if (total) {
        size_t filled = done >= total ? BAR_CELLS : (size_t)((double)done / (double)total * BAR_CELLS);
        memset(cells, '#', filled);
        memset(cells + filled, '.', BAR_CELLS - filled);
        cells[BAR_CELLS] = '\0';
        snprintf(line, sizeof line, "%s [%s] %s", state.what, cells, counts);
    } else {
        snprintf(line, sizeof line, "%s %s", state.what, counts);
    }
    if (columns > 1 && columns - 1 < sizeof line) line[columns - 1] = '\0'; /* a wrapped line could not be wiped */
    fputs("\r\033[K", stderr);
    nz_cli_put_printable(stderr, line);
    fflush(stderr);
    state.bar_shown = true;
}

static int step(void *user, const char *what, unsigned long long done, unsigned long long total) {
    (void)user;
    char counts[128];
    pthread_mutex_lock(&state.lock);
    long long now = now_ms();
    if (strncmp(state.what, what, WHAT_BYTES - 1) != 0) {
        wipe_bar();
        snprintf(state.what, sizeof state.what, "%s", what);
        state.began_ms = state.drawn_ms = now;
        state.began_done = done;
    }
    bool late = now - state.began_ms >= (state.terminal ? QUIET_MS : LINE_MS);
    if (late && now - state.drawn_ms >= (state.terminal ? REDRAW_MS : LINE_MS)) {
        state.drawn_ms = now;
        format_counts(counts, sizeof counts, done, total, (double)(now - state.began_ms) / 1000);
        if (state.terminal) {
            draw_bar(counts, done, total);
        } else {
            fputs("netzip: ", stderr);
            nz_cli_put_printable(stderr, state.what);
            fprintf(stderr, " %s\n", counts);
        }
    }
    pthread_mutex_unlock(&state.lock);
    return cancelled != 0;
}

static void note(void *user, const char *line) {
    (void)user;
    pthread_mutex_lock(&state.lock);
    wipe_bar();
    fputs("netzip: note: ", stderr);
    nz_cli_put_printable(stderr, line);
    fputc('\n', stderr);
    pthread_mutex_unlock(&state.lock);
}

const nz_progress *nz_cli_progress(void) {
    static const nz_progress sink = {.step = step, .note = note};
    static bool ready;
    if (!ready) {
        /* SA_RESETHAND: where a step is long, a second interrupt ends the program. */
        struct sigaction action = {.sa_handler = on_interrupt, .sa_flags = (int)(SA_RESTART | SA_RESETHAND)};
        struct sigaction before;
        sigemptyset(&action.sa_mask);
        /* A program started in the background with interrupts ignored keeps ignoring them. */
        if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(SIGINT, &action, NULL);
        const char *terminal = getenv("TERM");
        state.terminal = isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
        ready = true;
    }
    return &sink;
}

void nz_cli_progress_end(void) {
    pthread_mutex_lock(&state.lock);
    wipe_bar();
    state.what[0] = '\0';
    pthread_mutex_unlock(&state.lock);
}

bool nz_cli_was_cancelled(void) { return cancelled != 0; }
