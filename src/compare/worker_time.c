/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that time the loaded model. Clocks are read here and nowhere else: what the parent does never lies between two
 * readings. */
#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compare/worker.h"
#include "core/error.h"
#include "netzip/blocks.h"

enum { MOST_KEPT = 200 };

static double seconds_since(uint64_t begin_ns) { return (double)(nz_clock_ns() - begin_ns) * 1e-9; }

nz_status nz_worker_feed(nz_worker *worker, nz_ports *ports) {
    if (worker->samples < 0 || ports->fed < 0) return NZ_OK;
    size_t bytes = ports->elements * sizeof(float);
    for (int64_t slot = 0; slot < ports->batch; slot++) {
        off_t at = (off_t)(worker->sample_next * bytes);
        if (pread(worker->samples, worker->sample, bytes, at) != (ssize_t)bytes)
            return nz_fail(NZ_E_IO, "the file of samples ends early or cannot be read");
        worker->sample_next = (worker->sample_next + 1) % worker->sample_count;
        nz_ports_set(ports, (size_t)slot, worker->sample);
    }
    return NZ_OK;
}

nz_status nz_worker_run_once(nz_worker *worker, nz_session *session, nz_ports *ports, uint64_t *ret_ns) {
    NZ_TRY(nz_worker_feed(worker, ports));
    uint64_t begin = nz_clock_ns();
    NZ_TRY(nz_session_run(session, ports->inputs, ports->outputs));
    *ret_ns = nz_clock_ns() - begin;
    return NZ_OK;
}

static nz_status need_session(const nz_worker *worker, const char *verb) {
    return worker->session ? NZ_OK : nz_fail(NZ_E_ARG, "%s: no model is loaded", verb);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- warming up ---- */

/* Times until they are steady: each value is the mean inference of a slice, so that models of any speed give a few hundred. */
typedef struct warming {
    double limit_s, slice_s;
    double values[512];
    size_t count, runs, next_look, first;
    bool steady;
} warming;

static nz_status warm_slice(nz_worker *worker, warming *w) {
    uint64_t begin = nz_clock_ns(), sum = 0, ns;
    size_t runs = 0;
    do {
        NZ_TRY(nz_worker_run_once(worker, worker->session, &worker->ports, &ns));
        sum += ns;
        runs++;
    } while (seconds_since(begin) < w->slice_s);
    w->runs += runs;
    w->values[w->count++] = (double)sum / (double)runs;
    return NZ_OK;
}

/* The first value, of an inference that finds nothing in the caches, is never asked about. */
static nz_status look_whether_steady(warming *w) {
    enum { LEAST = 10 };
    if (w->count < 1 + LEAST || w->count < w->next_look) return NZ_OK;
    w->next_look = w->count + w->count / 4;
    return nz_steady_from(&w->first, &w->steady, w->values + 1, w->count - 1);
}

/* The least that one inference took: how many fit into a block or a bunch must not follow from the machine's bad moments. Of a
 * quick model a single time is mostly the clock's own, and bunches tell. */
static nz_status least_time(nz_worker *worker, const warming *w, double *ret_ns) {
    enum { BUNCHES = 7 };
    const double quick_ns = 100000;
    double ns = w->values[0];
    for (size_t i = 1; i < w->count; i++) ns = fmin(ns, w->values[i]);
    size_t size = (size_t)ceil(quick_ns / fmax(1, ns));
    for (size_t b = 0; ns < quick_ns && b < BUNCHES; b++) {
        uint64_t begin = nz_clock_ns();
        for (size_t i = 0; i < size; i++)
            NZ_TRY(nz_session_run(worker->session, worker->ports.inputs, worker->ports.outputs));
        ns = fmin(ns, (double)(nz_clock_ns() - begin) / (double)size);
    }
    *ret_ns = ns;
    return NZ_OK;
}

nz_status nz_worker_warm(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    warming w = {.limit_s = json_number_value(json_object_get(request, "seconds"))};
    double least_s = json_number_value(json_object_get(request, "least")),
           least_runs = json_number_value(json_object_get(request, "least_runs"));
    NZ_TRY(need_session(worker, "warm"));
    w.slice_s = w.limit_s / 256;
    uint64_t begin = nz_clock_ns();
    for (double spent = 0; w.count < NZ_COUNT(w.values); spent = seconds_since(begin)) {
        if ((double)w.runs >= fmax(1, least_runs) && (spent >= w.limit_s || (w.steady && spent >= least_s))) break;
        NZ_TRY(warm_slice(worker, &w));
        NZ_TRY(look_whether_steady(&w));
    }
    nz_worker_memory_warmed(worker);
    double ns;
    NZ_TRY(least_time(worker, &w, &ns));
    return nz_worker_answer(ret_answer, json_pack("{s:I,s:f,s:b,s:I,s:f}", "runs", (json_int_t)w.runs, "seconds",
                                                  seconds_since(begin), "steady", w.steady, "values",
                                                  (json_int_t)w.count, "ns", ns));
}

/* ---- a block ---- */

typedef struct block {
    size_t count, capacity;
    double *ns; /* of one inference: the mean of a bunch */
    json_int_t bunch, runs;
    uint64_t from_ns, to_ns, cpu_ns, major_faults;
    double sum_ns, unix_s;
} block;

static void block_done(block *b) { free(b->ns); }

/* Another worker has run since this one's last block: the first inferences only fetch the caches back. */
static nz_status refill(nz_worker *worker, double seconds) {
    uint64_t begin = nz_clock_ns(), ns;
    do NZ_TRY(nz_worker_run_once(worker, worker->session, &worker->ports, &ns));
    while (seconds_since(begin) < seconds);
    return NZ_OK;
}

/* The next sample, and when it was there. */
static nz_status change_sample(nz_worker *worker, uint64_t *ret_now) {
    uint64_t begin = nz_clock_ns();
    NZ_TRY(nz_worker_feed(worker, &worker->ports));
    *ret_now = nz_clock_ns();
    uint64_t took = *ret_now - begin;
    if (!worker->feed_ns || took < worker->feed_ns) worker->feed_ns = took ? took : 1;
    return NZ_OK;
}

/* A reading that ends one value begins the next. Samples change between values, and as often as that takes about 0.1% of
 * the block at most: what it draws from a battery is counted with the inferences. */
static nz_status time_values(nz_worker *worker, block *b, json_int_t wanted, double seconds) {
    enum { SHARE = 2000 }; /* the least cost is known: the usual one is up to twice that */
    bool feeds = worker->samples >= 0 && worker->ports.fed >= 0;
    uint64_t begin = b->from_ns, end = b->from_ns, changed = b->from_ns;
    while (b->count < (size_t)wanted || (double)(end - b->from_ns) < seconds * 1e9) {
        NZ_TRY(nz_grow(&b->ns, &b->capacity, b->count + 1, sizeof *b->ns));
        if (feeds && end - changed >= SHARE * worker->feed_ns) {
            NZ_TRY(change_sample(worker, &changed));
            begin = changed;
        }
        for (json_int_t i = 0; i < b->bunch; i++)
            NZ_TRY(nz_session_run(worker->session, worker->ports.inputs, worker->ports.outputs));
        end = nz_clock_ns();
        b->sum_ns += (double)(end - begin);
        b->ns[b->count++] = fmax(1, (double)(end - begin)) / (double)b->bunch; /* a coarse clock may stand still */
        b->runs += b->bunch;
        begin = end;
    }
    b->to_ns = end;
    return NZ_OK;
}

/* Each stands for as many of the others: the middle ones of equal parts. With the ends among them, which stand for half as
 * many, a pool of blocks would hold too many slow times, and its 99th percentile be that of 99.25%. */
size_t nz_worker_kept_rank(size_t i, size_t kept, size_t count) { return (2 * i + 1) * count / (2 * kept); }

/* All values, or order statistics in the middle of equal parts. Sorts them. */
static json_t *kept_values(block *b) {
    json_t *list = json_array();
    size_t kept = b->count < MOST_KEPT ? b->count : MOST_KEPT;
    qsort(b->ns, b->count, sizeof *b->ns, by_value);
    for (size_t i = 0; i < kept; i++) {
        double ns = b->ns[nz_worker_kept_rank(i, kept, b->count)];
        json_array_append_new(list, b->bunch == 1 ? json_integer((json_int_t)ns) : json_real(round(ns * 100) / 100));
    }
    return list;
}

/* Behind a block of bunches, some inferences one by one: what percentiles are of. Five blocks hold enough of them for p99; of a
 * short block they take a quarter of its time at most, or so long as 20 take. */
static nz_status time_singles(nz_worker *worker, const block *b, json_t *list) {
    enum { LEAST = 20, MOST = 80, SHARE = 4 };
    json_int_t count = b->runs / SHARE < LEAST ? LEAST : b->runs / SHARE > MOST ? MOST : b->runs / SHARE;
    uint64_t times[MOST + 1] = {nz_clock_ns()};
    for (json_int_t i = 0; i < count; i++) {
        NZ_TRY(nz_session_run(worker->session, worker->ports.inputs, worker->ports.outputs));
        times[i + 1] = nz_clock_ns();
    }
    for (json_int_t i = 0; i < count; i++) {
        uint64_t ns = times[i + 1] - times[i];
        json_array_append_new(list, json_integer(ns ? (json_int_t)ns : 1));
    }
    return NZ_OK;
}

/* The times themselves, in "ns" those of values, in "each_ns" those of single inferences where values are means. */
static nz_status add_times(json_t *answer, nz_worker *worker, block *b) {
    NZ_AUTO_JSON json_t *singles = json_array();
    int failed = json_object_set_new(answer, "ns", kept_values(b));
    if (b->bunch > 1) {
        NZ_TRY(time_singles(worker, b, singles));
        failed |= json_object_set(answer, "each_ns", singles);
    }
    failed |= json_object_set_new(answer, "least_ns", json_real(b->ns[0]));
    failed |= json_object_set_new(answer, "most_ns", json_real(b->ns[b->count - 1]));
    return failed ? nz_fail(NZ_E_MEMORY, "out of memory: times of a block") : NZ_OK;
}

nz_status nz_worker_time(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    enum { MOST = 100000, MOST_BUNCH = 10000000 };
    json_int_t count = json_integer_value(json_object_get(request, "count"));
    double seconds = json_number_value(json_object_get(request, "seconds")),
           again = json_number_value(json_object_get(request, "refill_s"));
    NZ_AUTO(block_done) block b = {.bunch = json_integer_value(json_object_get(request, "bunch"))};
    NZ_TRY(need_session(worker, "time"));
    if (count < 1 || count > MOST)
        return nz_fail(NZ_E_ARG, "time: count %lld is outside 1 to %d", (long long)count, MOST);
    if (b.bunch < 1 || b.bunch > MOST_BUNCH)
        return nz_fail(NZ_E_ARG, "time: a bunch of %lld is outside 1 to %d", (long long)b.bunch, MOST_BUNCH);
    if (!(seconds >= 0 && seconds <= 60)) return nz_fail(NZ_E_ARG, "time: %g seconds are outside 0 to 60", seconds);
    NZ_TRY(nz_grow(&b.ns, &b.capacity, (size_t)count, sizeof *b.ns));
    uint64_t whole_cpu = nz_process_cpu_ns();
    if (again > 0) NZ_TRY(refill(worker, fmin(again, 60)));
    uint64_t fed_ns;
    NZ_TRY(change_sample(worker, &fed_ns));
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    b.unix_s = (double)wall.tv_sec + (double)wall.tv_nsec * 1e-9;
    b.major_faults = nz_worker_major_faults();
    b.cpu_ns = nz_process_cpu_ns();
    b.from_ns = nz_clock_ns();
    NZ_TRY(time_values(worker, &b, count, seconds));
    b.cpu_ns = nz_process_cpu_ns() - b.cpu_ns;
    b.major_faults = nz_worker_major_faults() - b.major_faults;
    NZ_AUTO_JSON json_t *times = json_object();
    NZ_TRY(add_times(times, worker, &b));
    whole_cpu = nz_process_cpu_ns() - whole_cpu;
    json_t *answer = json_pack("{s:I,s:I,s:f,s:f,s:I,s:I,s:f,s:f,s:I,s:I,s:I}", "timed", (json_int_t)b.count, "runs",
                               b.runs, "sum_ns", b.sum_ns, "mean_ns", b.sum_ns / (double)b.runs, "from_ns",
                               (json_int_t)b.from_ns, "to_ns", (json_int_t)b.to_ns, "unix_s", b.unix_s, "seconds",
                               (double)(b.to_ns - b.from_ns) * 1e-9, "cpu_ns", (json_int_t)b.cpu_ns, "whole_cpu_ns",
                               (json_int_t)whole_cpu, "page_faults_major", (json_int_t)b.major_faults);
    if (answer && json_object_update(answer, times)) json_decref(NZ_STEAL(answer));
    return nz_worker_answer(ret_answer, answer);
}
