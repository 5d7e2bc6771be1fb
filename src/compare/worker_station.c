/* SPDX-License-Identifier: Apache-2.0 */
/* A worker without a model: it reads what belongs to the machine. Power is sampled by a thread, and only during a window and
 * where there is a source; everything else is read before and after it. */
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "compare/machine.h"
#include "compare/run.h"
#include "compare/worker.h"
#include "core/error.h"

/* However seldom a source has something new, when it comes should be seen. */
static const double seldom_ms = 250;
static const double progress_s = 0.5;

struct nz_station {
    char *sys, *proc, *nvml, *dev, *cpus;
    nz_roots roots;
    nz_power *power;
    char *power_reason; /**< why there is none */
    bool watching;
    nz_conditions begin;
    uint64_t own_ns;
    nz_energy_trace trace;
    char lost[1024]; /**< why the source has given no reading since; "": it gave all */
    /* the thread that samples */
    bool sampling;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

/* ---- sampling ---- */

static void sample(nz_station *s) {
    if (!s->power || *s->lost) return;
    if (nz_energy_sample(&s->trace, s->power) != NZ_OK) snprintf(s->lost, sizeof s->lost, "%.1023s", nz_last_error());
}

static void add_ns(struct timespec *t, long ns) {
    t->tv_nsec += ns;
    if (t->tv_nsec >= 1000000000) t->tv_sec++, t->tv_nsec -= 1000000000;
}

/* A source that takes longer than its interval is read again one interval later: what was missed is not made up for. */
static void skip_missed(struct timespec *next) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec > next->tv_sec || (now.tv_sec == next->tv_sec && now.tv_nsec > next->tv_nsec)) *next = now;
}

static void *keep_sampling(void *user) {
    nz_station *s = user;
    struct timespec next;
    const long sample_ns = (long)(fmin(nz_power_info_get(s->power)->interval_ms, seldom_ms) * 1e6);
    clock_gettime(CLOCK_MONOTONIC, &next);
    pthread_mutex_lock(&s->lock);
    while (!s->stop && !*s->lost) {
        add_ns(&next, sample_ns);
        while (!s->stop && pthread_cond_timedwait(&s->wake, &s->lock, &next) == 0) {
        }
        if (!s->stop) sample(s);
        skip_missed(&next);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static nz_status start_sampling(nz_station *s) {
    nz_energy_trace_clear(&s->trace);
    *s->lost = '\0';
    if (!s->power) return NZ_OK;
    sample(s);
    s->stop = false;
    int code = pthread_create(&s->thread, NULL, keep_sampling, s);
    if (code) return nz_fail(NZ_E_RESOURCE, "no thread to read power: %s", strerror(code));
    s->sampling = true;
    return NZ_OK;
}

static void stop_sampling(nz_station *s) {
    if (!s->sampling) return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->wake);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    s->sampling = false;
    sample(s);
}

/* ---- opening ---- */

static nz_status station_new(nz_station **ret_station) {
    nz_station *s = NULL;
    pthread_condattr_t attributes;
    NZ_TRY(nz_alloc(&s, 1, sizeof *s));
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    *ret_station = s;
    return NZ_OK;
}

void nz_station_free(nz_station *s) {
    if (!s) return;
    stop_sampling(s);
    nz_power_close(s->power);
    nz_energy_trace_done(&s->trace);
    pthread_cond_destroy(&s->wake);
    pthread_mutex_destroy(&s->lock);
    free(s->sys);
    free(s->proc);
    free(s->nvml);
    free(s->dev);
    free(s->cpus);
    free(s->power_reason);
    free(s);
}

static void free_station(nz_station **s) { nz_station_free(*s); }

static nz_status open_power(nz_station *s, const char *name, bool wanted) {
    if (!wanted) return nz_strdup(&s->power_reason, "no power source was asked for");
    nz_status status = nz_power_open(&s->power, name, &s->roots);
    if (status == NZ_E_ARG || status == NZ_E_MEMORY) return status;
    return status == NZ_OK ? NZ_OK : nz_strdup(&s->power_reason, nz_last_error());
}

static json_t *about_json(const nz_station *s) {
    nz_hardware hardware;
    nz_clock_facts clock;
    nz_noise noise;
    nz_conditions conditions;
    nz_hardware_get(&hardware, &s->roots);
    nz_conditions_get(&conditions, &s->roots, s->cpus);
    nz_clock_facts_get(&clock);
    nz_noise_get(&noise);
    json_t *power = s->power
                        ? json_pack("{s:s,s:s,s:f}", "name", nz_power_name(s->power), "scope", nz_power_scope(s->power),
                                    "interval_ms", nz_power_info_get(s->power)->interval_ms)
                        : json_null();
    return json_pack("{s:{s:o,s:{s:s,s:f,s:f},s:{s:f,s:f,s:f,s:I},s:o,s:o,s:o}}", "about", "hardware",
                     nz_hardware_json(&hardware), "clock", "name", clock.name, "resolution_ns", clock.resolution_ns,
                     "overhead_ns", clock.overhead_ns, "noise", "median_ns", noise.median_ns, "spread_pct",
                     noise.spread_pct, "worst_pct", noise.worst_pct, "count", (json_int_t)noise.count, "power", power,
                     "power_reason", nz_json_string(s->power_reason), "quota_cpus",
                     nz_json_real(conditions.quota_cpus));
}

nz_status nz_worker_station(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    NZ_AUTO(free_station) nz_station *s = NULL;
    const json_t *roots = json_object_get(request, "roots");
    NZ_TRY(station_new(&s));
    NZ_TRY(nz_strdup(&s->sys, json_string_value(json_object_get(roots, "sys"))));
    NZ_TRY(nz_strdup(&s->proc, json_string_value(json_object_get(roots, "proc"))));
    NZ_TRY(nz_strdup(&s->nvml, json_string_value(json_object_get(roots, "nvml"))));
    NZ_TRY(nz_strdup(&s->dev, json_string_value(json_object_get(roots, "dev"))));
    NZ_TRY(nz_strdup(&s->cpus, json_string_value(json_object_get(request, "cpus"))));
    s->roots = (nz_roots){.sys = s->sys, .proc = s->proc, .nvml = s->nvml, .dev = s->dev};
    const json_t *power = json_object_get(request, "power");
    NZ_TRY(open_power(s, json_string_value(power), !json_is_false(power)));
    NZ_TRY(nz_worker_answer(ret_answer, about_json(s)));
    nz_station_free(worker->station);
    worker->station = NZ_STEAL(s);
    return NZ_OK;
}

/* ---- windows ---- */

static nz_status get_station(nz_station **ret_station, nz_worker *worker) {
    if (!worker->station) return nz_fail(NZ_E_ARG, "this worker is no station yet");
    *ret_station = worker->station;
    return NZ_OK;
}

/* Time and CPU times are those right at the window's end, next to the first or last sample of power, and what takes time to read lies
 * outside: power falls as soon as the model rests. */
static nz_status take_conditions(nz_conditions *ret, nz_station *s, bool begins) {
    nz_conditions edge = {.t_ns = 0}, rest;
    if (begins) {
        nz_conditions_get(&rest, &s->roots, s->cpus);
        NZ_TRY(start_sampling(s));
    }
    edge.t_ns = nz_clock_ns();
    edge.has_cpu = nz_cpu_times_get(&edge.cpu, &s->roots) == NZ_OK;
    if (!begins) {
        stop_sampling(s);
        nz_conditions_get(&rest, &s->roots, s->cpus);
    }
    rest.t_ns = edge.t_ns;
    rest.has_cpu = edge.has_cpu;
    rest.cpu = edge.cpu;
    *ret = rest;
    return NZ_OK;
}

/* A window that is open still is given up: who asked for it has failed at something else. */
static nz_status begin_window(nz_station *s) {
    stop_sampling(s);
    s->watching = false;
    NZ_TRY(take_conditions(&s->begin, s, true));
    s->own_ns = nz_process_cpu_ns();
    s->watching = true;
    return NZ_OK;
}

static uint64_t forward(uint64_t before, uint64_t after) { return after > before ? after - before : 0; }

/* How often anything lowered the clock. A board tells what holds it down now, and what ever has: each cause that holds at
 * either end, or has come up in between, counts once. */
static uint64_t throttled_between(const nz_conditions *a, const nz_conditions *b) {
    uint64_t times = a->has_throttled && b->has_throttled ? forward(a->throttled, b->throttled) : 0;
    unsigned held = (unsigned)(a->held > 0 ? a->held : 0) | (unsigned)(b->held > 0 ? b->held : 0);
    if (a->held_since_boot >= 0 && b->held_since_boot >= 0)
        held |= (unsigned)b->held_since_boot & ~(unsigned)a->held_since_boot;
    return times + (uint64_t)__builtin_popcount(held);
}

static void note_differences(nz_watch *w) {
    const nz_conditions *a = &w->begin, *b = &w->end;
    w->seconds = (double)(b->t_ns - a->t_ns) * 1e-9;
    if (a->has_cpu && b->has_cpu) {
        w->busy = forward(a->cpu.busy, b->cpu.busy);
        w->idle = forward(a->cpu.idle, b->cpu.idle);
        w->steal = forward(a->cpu.steal, b->cpu.steal);
    }
    w->throttled = throttled_between(a, b);
    w->held_back_s = fmax(0, b->held_back_s - a->held_back_s);
    w->pressure_pct = fmin(100, 100 * fmax(0, b->pressure_s - a->pressure_s) / w->seconds);
    if (isnan(b->held_back_s - a->held_back_s)) w->held_back_s = NAN;
    if (isnan(b->pressure_s - a->pressure_s)) w->pressure_pct = NAN;
    if (a->has_swapped && b->has_swapped) w->swapped_pages = forward(a->swapped_pages, b->swapped_pages);
}

static void note_energy(nz_watch *w, const nz_station *s) {
    const char *reason = s->power ? s->lost : s->power_reason;
    if (!*reason) {
        w->has_energy = nz_energy_between(&w->energy, &s->trace, w->from_ns, w->to_ns) == NZ_OK;
        if (!w->has_energy) reason = nz_last_error();
    }
    snprintf(w->energy_reason, sizeof w->energy_reason, "%.1023s", reason);
}

/* The wall clock's time when nz_clock_ns was `t_ns`. */
static double unix_of(uint64_t t_ns) {
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (double)wall.tv_sec + (double)wall.tv_nsec * 1e-9 - (double)(nz_clock_ns() - t_ns) * 1e-9;
}

static nz_status end_window(nz_station *s, json_t **ret_answer, uint64_t from_ns, uint64_t to_ns) {
    nz_watch watch = {.begin = s->begin, .own_ns = nz_process_cpu_ns() - s->own_ns};
    NZ_TRY(take_conditions(&watch.end, s, false));
    s->watching = false;
    bool all = !from_ns && !to_ns;
    watch.from_ns = all ? watch.begin.t_ns : from_ns;
    watch.to_ns = all ? watch.end.t_ns : to_ns;
    watch.unix_s = unix_of(watch.from_ns);
    note_differences(&watch);
    note_energy(&watch, s);
    return nz_worker_answer(ret_answer, json_pack("{s:o}", "watch", nz_watch_json(&watch)));
}

nz_status nz_worker_watch(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    (void)request;
    nz_station *s = NULL;
    NZ_TRY(get_station(&s, worker));
    NZ_TRY(begin_window(s));
    return nz_worker_answer(ret_answer, json_pack("{s:I}", "now_ns", (json_int_t)nz_clock_ns()));
}

nz_status nz_worker_watched(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    nz_station *s = NULL;
    json_int_t from = json_integer_value(json_object_get(request, "from_ns")),
               to = json_integer_value(json_object_get(request, "to_ns"));
    if (from < 0 || to < from) return nz_fail(NZ_E_ARG, "watched: the window ends before it begins");
    NZ_TRY(get_station(&s, worker));
    if (!s->watching) return nz_fail(NZ_E_ARG, "watched: no window is open");
    return end_window(s, ret_answer, (uint64_t)from, (uint64_t)to);
}

nz_status nz_worker_quiet(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    nz_station *s = NULL;
    double seconds = json_number_value(json_object_get(request, "seconds"));
    if (!(seconds >= 0 && seconds <= 86400)) return nz_fail(NZ_E_ARG, "quiet: %g seconds", seconds);
    NZ_TRY(get_station(&s, worker));
    NZ_TRY(begin_window(s));
    uint64_t begin = nz_clock_ns();
    for (double left = seconds; left > 0; left = seconds - (double)(nz_clock_ns() - begin) * 1e-9) {
        double nap = fmin(left, progress_s);
        nanosleep(&(struct timespec){.tv_sec = (time_t)nap, .tv_nsec = (long)((nap - floor(nap)) * 1e9)}, NULL);
        NZ_TRY(nz_worker_progress(worker, 0, 0));
    }
    return end_window(s, ret_answer, 0, 0);
}

/* ---- memory and GPUs ---- */

/* What the machine has in use, less what the other workers hold; null where the kernel does not tell. */
static json_t *used_json(const nz_roots *roots, const json_t *pids) {
    nz_memory_machine machine;
    if (nz_memory_machine_get(&machine, roots) != NZ_OK) return json_null();
    double used = (double)machine.used_bytes;
    for (size_t i = 0; i < json_array_size(pids); i++) {
        nz_memory_process other;
        json_int_t pid = json_integer_value(json_array_get(pids, i));
        if (pid < 1 || pid > INT_MAX) continue;
        if (nz_memory_process_get(&other, (int)pid, NULL) == NZ_OK && !isnan(other.pss_bytes)) used -= other.pss_bytes;
    }
    return nz_json_real(used);
}

nz_status nz_worker_usage(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    nz_station *s = NULL;
    nz_gpu gpu;
    NZ_TRY(get_station(&s, worker));
    json_t *used = used_json(&s->roots, json_object_get(request, "pids"));
    bool has_gpu = nz_gpu_get(&gpu, &s->roots) == NZ_OK;
    json_t *about = has_gpu ? json_pack("{s:o,s:o}", "util_pct", nz_json_real(gpu.util_pct), "mem_bytes",
                                        nz_json_real(gpu.mem_bytes))
                            : nz_json_string(nz_last_error());
    return nz_worker_answer(ret_answer,
                            json_pack("{s:o,s:o}", "used_bytes", used, has_gpu ? "gpu" : "gpu_reason", about));
}
