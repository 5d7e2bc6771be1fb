/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The inside of a worker: one model, one request at a time. What is measured is measured here; nothing is judged.
 * A worker needs neither reports nor plots, so that a small one can be built for a bare device.
 */
#ifndef NZ_COMPARE_WORKER_H
#define NZ_COMPARE_WORKER_H

#include <pthread.h>

#include "compare/message.h"
#include "graph/build.h"
#include "netzip/data.h"
#include "netzip/measure.h"
#include "netzip/runtime.h"

/** Input and output tensors of a session, allocated once. */
typedef struct nz_ports {
    size_t input_count, output_count;
    nz_tensor *inputs, *outputs;
    int fed;         /**< the input that gets the samples; -1: none fits */
    int64_t batch;   /**< samples that one run takes: the first extent of the fed input, else of input 0 */
    size_t elements; /**< of one sample in the fed input */
} nz_ports;
/** @param sample_elements of one sample of the data; 0: no data. The other inputs are filled from `seed`. */
NZ_CHECKED nz_status nz_ports_init(nz_ports *ret_ports, const nz_session *session, size_t sample_elements,
                                   uint64_t seed);
void nz_ports_done(nz_ports *ports);
/** Stores sample `x` (floats) as the slot-th of the fed input. */
void nz_ports_set(nz_ports *ports, size_t slot, const float *x);

typedef struct nz_station nz_station; /**< worker_station.c */

/** Samples the proportional set size of this process by a thread, between a begin and its end (worker_memory.c). */
typedef struct nz_memory_watch {
    double peak_pss_bytes; /**< largest so far; NaN: none was read */
    double file_bytes;     /**< of mapped files, when it was ended; NaN: unknown */
    size_t samples;
    bool running, stop;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
} nz_memory_watch;
void nz_memory_watch_begin(nz_memory_watch *watch);
/** Ends the thread and reads once more. */
void nz_memory_watch_end(nz_memory_watch *watch);

typedef struct nz_worker {
    nz_channel channel;
    int idle_ms; /**< without a request it says so as often, so that a line that is dead is found out; -1: never */
    nz_station *station;     /**< NULL: this worker holds a model */
    nz_memory_process start; /**< before anything was loaded */
    nz_memory_watch memory;
    uint64_t major_faults; /**< until the warm-up ended */
    /* of the model that `load` planned */
    nz_session *session;
    nz_ports ports;
    int samples; /**< file of samples, -1: none */
    size_t sample_count, sample_next;
    float *sample;
    uint64_t feed_ns; /**< what fetching a sample costs at least; 0: not known yet */
} nz_worker;

/** What a request says about the model to be opened. Borrowed from the request. */
typedef struct nz_worker_model {
    const char *path, *runtime;
    int threads;
    uint64_t seed;
    nz_shape sample; /**< shape of one sample of the data; rank -1: none */
} nz_worker_model;
NZ_CHECKED nz_status nz_worker_model_get(nz_worker_model *ret_model, const json_t *request);
/** Opens a session at `batch`; symbolic extents other than the batch are taken from the sample. */
NZ_CHECKED nz_status nz_worker_session(nz_session **ret_session, const nz_graph *graph, const nz_worker_model *model,
                                       int64_t batch, bool tune, bool profile);

/** Serves requests until the channel is closed, and releases what `worker` holds. */
void nz_worker_serve(nz_worker *worker);

/** The requests: each answers with an object of its own, without "ok". */
NZ_CHECKED nz_status nz_worker_describe(nz_worker *worker, const json_t *request, json_t **ret_answer);
NZ_CHECKED nz_status nz_worker_load(nz_worker *worker, const json_t *request, json_t **ret_answer);
NZ_CHECKED nz_status nz_worker_warm(nz_worker *worker, const json_t *request, json_t **ret_answer);
NZ_CHECKED nz_status nz_worker_time(nz_worker *worker, const json_t *request, json_t **ret_answer);
/** Which of `count` ascending values is the i-th of the `kept` ones (at most count) that stand for all of them. */
size_t nz_worker_kept_rank(size_t i, size_t kept, size_t count);
NZ_CHECKED nz_status nz_worker_counters(nz_worker *worker, const json_t *request, json_t **ret_answer);
/** Bytes that the session has planned for activations, null where its runtime does not tell. */
json_t *nz_worker_activations_json(const nz_worker *worker);
NZ_CHECKED nz_status nz_worker_memory(nz_worker *worker, const json_t *request, json_t **ret_answer);
NZ_CHECKED nz_status nz_worker_profile(nz_worker *worker, const json_t *request, json_t **ret_answer);
NZ_CHECKED nz_status nz_worker_predict(nz_worker *worker, const json_t *request, json_t **ret_answer);
/** nz_worker_predict for data with objects. */
NZ_CHECKED nz_status nz_worker_detect(nz_worker *worker, const json_t *request, json_t **ret_answer);
/** What the machine of this worker can measure (doctor.h): {"doctor": {...}}; "quick" leaves out the peak rates. */
NZ_CHECKED nz_status nz_worker_doctor(nz_worker *worker, const json_t *request, json_t **ret_answer);
NZ_CHECKED nz_status nz_worker_facts(nz_worker *worker, const json_t *request, json_t **ret_answer);

/** Notes what is to be known of memory once the warm-up has ended. */
void nz_worker_memory_warmed(nz_worker *worker);
/** Pages that this process has had to wait for until they were read from disk. */
uint64_t nz_worker_major_faults(void);
/** The layers of a session, with their times less `clock_ms` each where they were kept, and the sum of these. */
json_t *nz_worker_layers_json(const nz_session *session, double clock_ms, double *ret_sum_ms);

/** The next samples into the fed input; nothing where there are none. Belongs outside of what is timed. */
NZ_CHECKED nz_status nz_worker_feed(nz_worker *worker, nz_ports *ports);
/** Feeds, runs once and times the run alone. */
NZ_CHECKED nz_status nz_worker_run_once(nz_worker *worker, nz_session *session, nz_ports *ports, uint64_t *ret_ns);

/* of a station (machine.h says what it answers) */
NZ_CHECKED nz_status nz_worker_station(nz_worker *worker, const json_t *request, json_t **ret_answer);
NZ_CHECKED nz_status nz_worker_watch(nz_worker *worker, const json_t *request, json_t **ret_answer);
NZ_CHECKED nz_status nz_worker_watched(nz_worker *worker, const json_t *request, json_t **ret_answer);
NZ_CHECKED nz_status nz_worker_quiet(nz_worker *worker, const json_t *request, json_t **ret_answer);
NZ_CHECKED nz_status nz_worker_usage(nz_worker *worker, const json_t *request, json_t **ret_answer);
void nz_station_free(nz_station *station); /**< NULL passes */

/** Whether data is what the request says by "fingerprint", where it does: NZ_E_UNAVAILABLE otherwise. */
NZ_CHECKED nz_status nz_worker_same_data(const nz_dataset *data, const json_t *request);
NZ_CHECKED nz_status nz_worker_progress(nz_worker *worker, size_t done, size_t total);
/** The answer, or NZ_E_MEMORY where packing it failed. */
NZ_CHECKED nz_status nz_worker_answer(json_t **ret_answer, json_t *packed);
/** An array of extents, null for rank -1. */
json_t *nz_shape_json(const nz_shape *shape);
nz_shape nz_shape_from_json(
    const json_t *json); /**< rank -1 for anything but an array of at most NZ_MAX_RANK integers */

#endif
