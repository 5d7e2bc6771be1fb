/* SPDX-License-Identifier: Apache-2.0 */
/* What a worker holds in memory. Its proportional set size has no peak that the kernel keeps, as resident memory has one: a
 * thread samples it while the model is planned. Reading it walks all pages, so nothing is sampled while times are taken. */
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "compare/worker.h"
#include "core/error.h"

enum { LEAST_PAUSE_NS = 10000000, READING_SHARE = 30 };

static void take(nz_memory_watch *watch) {
    nz_memory_process now;
    if (nz_memory_process_get(&now, 0, NULL) != NZ_OK || isnan(now.pss_bytes)) return;
    if (!(watch->peak_pss_bytes >= now.pss_bytes)) watch->peak_pss_bytes = now.pss_bytes;
    watch->file_bytes = now.pss_file_bytes;
    watch->samples++;
}

static bool wanted(nz_memory_watch *watch, uint64_t pause_ns) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    uint64_t ns = (uint64_t)until.tv_nsec + pause_ns;
    until.tv_sec += (time_t)(ns / 1000000000u);
    until.tv_nsec = (long)(ns % 1000000000u);
    pthread_mutex_lock(&watch->lock);
    int code = 0;
    while (!watch->stop && code == 0) code = pthread_cond_timedwait(&watch->wake, &watch->lock, &until);
    bool more = !watch->stop;
    pthread_mutex_unlock(&watch->lock);
    return more;
}

/* At most a thirtieth of one CPU goes into reading, however many pages there are. */
static void *sample(void *user) {
    nz_memory_watch *watch = user;
    uint64_t pause = LEAST_PAUSE_NS;
    while (wanted(watch, pause)) {
        uint64_t begin = nz_clock_ns();
        take(watch);
        uint64_t taken = (nz_clock_ns() - begin) * READING_SHARE;
        pause = taken > LEAST_PAUSE_NS ? taken : LEAST_PAUSE_NS;
    }
    return NULL;
}

void nz_memory_watch_begin(nz_memory_watch *watch) {
    pthread_condattr_t attributes;
    if (!watch->samples) watch->peak_pss_bytes = (double)NAN;
    watch->stop = watch->running = false;
    if (pthread_condattr_init(&attributes) != 0) return;
    bool clocked = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0;
    bool ready = clocked && pthread_mutex_init(&watch->lock, NULL) == 0;
    if (ready && pthread_cond_init(&watch->wake, &attributes) != 0) {
        pthread_mutex_destroy(&watch->lock);
        ready = false;
    }
    pthread_condattr_destroy(&attributes);
    if (!ready) return;
    watch->running = pthread_create(&watch->thread, NULL, sample, watch) == 0;
    if (watch->running) return;
    pthread_cond_destroy(&watch->wake);
    pthread_mutex_destroy(&watch->lock);
}

void nz_memory_watch_end(nz_memory_watch *watch) {
    if (watch->running) {
        pthread_mutex_lock(&watch->lock);
        watch->stop = true;
        pthread_cond_signal(&watch->wake);
        pthread_mutex_unlock(&watch->lock);
        pthread_join(watch->thread, NULL);
        pthread_cond_destroy(&watch->wake);
        pthread_mutex_destroy(&watch->lock);
        watch->running = false;
    }
    take(watch);
}

/* Of the model's file, as much as the session still refers to. */
static double mapped_model(const char *path, size_t most) {
    NZ_AUTO_FREE char *folder = path ? realpath(path, NULL) : NULL;
    char *slash = folder ? strrchr(folder, '/') : NULL;
    double bytes;
    if (!slash) return (double)NAN;
    *slash = '\0';
    if (nz_memory_mapped_get(&bytes, folder, NULL) != NZ_OK) return (double)NAN;
    return fmin(bytes, (double)most);
}

/* The first of several workers is alone with its libraries and gets all of their pages; the next one half of them. What sharing
 * has taken off since is taken off the peak too, so that the order in which models were loaded does not show. */
static double shared_peak(const nz_memory_watch *watch, const nz_memory_process *now) {
    double since = watch->file_bytes - now->pss_file_bytes, peak = watch->peak_pss_bytes;
    if (since > 0) peak -= since;
    return peak >= now->pss_bytes ? peak : now->pss_bytes;
}

uint64_t nz_worker_major_faults(void) {
    struct rusage used = {0};
    getrusage(RUSAGE_SELF, &used);
    return (uint64_t)used.ru_majflt;
}

void nz_worker_memory_warmed(nz_worker *worker) {
    double loaded = worker->memory.file_bytes;
    take(&worker->memory);
    worker->memory.file_bytes = loaded;
    worker->major_faults = nz_worker_major_faults();
}

/* null where the runtime does not tell what it holds. */
static json_t *weights_json(const nz_worker *worker, const char *path) {
    if (!worker->session || !nz_session_tells_memory(worker->session)) return json_null();
    nz_weight_bytes weights = nz_session_weights(worker->session);
    return json_pack("{s:I,s:o,s:I,s:I}", "mapped", (json_int_t)weights.mapped, "mapped_pss",
                     nz_json_real(weights.mapped ? mapped_model(path, weights.mapped) : 0), "heap",
                     (json_int_t)weights.heap, "packed", (json_int_t)weights.packed);
}

json_t *nz_worker_activations_json(const nz_worker *worker) {
    bool told = worker->session && nz_session_tells_memory(worker->session);
    return told ? json_integer((json_int_t)nz_session_activation_bytes(worker->session)) : json_null();
}

nz_status nz_worker_memory(nz_worker *worker, const json_t *request, json_t **ret_answer) {
    nz_memory_process now;
    const char *path = json_string_value(json_object_get(request, "path"));
    uint64_t faults = nz_worker_major_faults();
    NZ_TRY(nz_memory_process_get(&now, 0, NULL));
    if (!worker->start.rss_bytes)
        return nz_fail(NZ_E_UNAVAILABLE, "resident memory could not be read when the worker started");
    return nz_worker_answer(
        ret_answer,
        json_pack("{s:I,s:I,s:I,s:o,s:o,s:o,s:I,s:o,s:o,s:I,s:I}", "rss_before", (json_int_t)worker->start.rss_bytes,
                  "rss", (json_int_t)now.rss_bytes, "peak", (json_int_t)now.peak_bytes, "pss_before",
                  nz_json_real(worker->start.pss_bytes), "pss", nz_json_real(now.pss_bytes), "pss_peak",
                  nz_json_real(shared_peak(&worker->memory, &now)), "pss_samples",
                  (json_int_t)worker->memory.samples + 1, "weights", weights_json(worker, path), "activations",
                  nz_worker_activations_json(worker), "swap_bytes", (json_int_t)now.swap_bytes, "page_faults_major",
                  (json_int_t)(faults - worker->major_faults)));
}
