/* SPDX-License-Identifier: Apache-2.0 */
/* Batches read ahead by threads of the loader's own (not the pool of parallel loops, which the engine keeps busy).
 * Batches lie in a ring of slots; threads claim samples in order, so the result does not depend on how many there are. */
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "netzip/data.h"

/* Samples that cost little are claimed CLAIM at a time: those at hand, and small ones. */
enum { MESSAGES_MAX = 100, THREADS_MAX = 256, CLAIM = 16, SMALL = 1 << 14, SLOTS_MAX = 64 };
static const size_t ring_bytes_max = (size_t)1 << 29;

/* One batch being filled or handed out. */
typedef struct slot {
    float *x;
    int32_t *labels;
    size_t *indices;
    nz_placement *placements; /* NULL: the data has no objects */
    bool *broken;
    char **messages; /* of broken samples; NULL where memory for it was short */
    size_t done;     /* samples that are finished, broken or not */
} slot;

struct nz_loader {
    const nz_dataset *data;
    nz_augment augment; /* nothing asked for: samples as they are */
    size_t *order, count, batch, batches, elements, claim;
    slot *slots;
    size_t slot_count;
    pthread_t threads[THREADS_MAX];
    int thread_count;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work, ready;
    size_t next;     /* sample to claim next */
    size_t released; /* batches that the caller is through with */
    size_t given;    /* batches handed out */
    bool stop;
    nz_status failure;
    char *failure_message;
    /* The caller's side alone. */
    size_t broken;
    char *messages[MESSAGES_MAX];
};

static size_t batch_size(const nz_loader *l, size_t batch) {
    size_t left = l->count - batch * l->batch;
    return left < l->batch ? left : l->batch;
}

/* Reads sample `at` of the order into its place. NZ_E_MEMORY ends the reading; anything else marks the sample. */
static nz_status read_sample(nz_loader *l, size_t at) {
    slot *s = &l->slots[at / l->batch % l->slot_count];
    size_t k = at % l->batch;
    s->indices[k] = l->order ? l->order[at] : at;
    nz_status status =
        nz_data_get_augmented(l->data, s->indices[k], &l->augment, s->x + k * l->elements, &s->labels[k]);
    if (status == NZ_OK && s->placements)
        status = nz_data_placement_augmented(&s->placements[k], l->data, s->indices[k], &l->augment);
    s->broken[k] = status != NZ_OK;
    if (status != NZ_OK && status != NZ_E_MEMORY) s->messages[k] = strdup(nz_last_error());
    return status == NZ_E_MEMORY ? status : NZ_OK;
}

static bool may_claim(const nz_loader *l) {
    return l->next < l->count && l->next / l->batch < l->released + l->slot_count;
}

static void *work(void *argument) {
    nz_loader *l = argument;
    pthread_mutex_lock(&l->lock);
    while (!l->stop && l->failure == NZ_OK && l->next < l->count) {
        if (!may_claim(l)) {
            pthread_cond_wait(&l->work, &l->lock);
            continue;
        }
        size_t first = l->next, batch = first / l->batch, left = batch * l->batch + batch_size(l, batch) - first;
        size_t count = left < l->claim ? left : l->claim;
        l->next += count;
        pthread_mutex_unlock(&l->lock);
        nz_status status = NZ_OK;
        for (size_t i = 0; i < count && status == NZ_OK; i++) status = read_sample(l, first + i);
        pthread_mutex_lock(&l->lock);
        slot *s = &l->slots[batch % l->slot_count];
        s->done += count;
        if (status != NZ_OK && l->failure == NZ_OK) {
            l->failure = status;
            l->failure_message = strdup(nz_last_error());
        }
        if (status != NZ_OK || s->done == batch_size(l, batch)) pthread_cond_broadcast(&l->ready);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static void free_slot(slot *s, size_t batch) {
    for (size_t k = 0; s->messages && k < batch; k++) free(s->messages[k]);
    free(s->x);
    free(s->labels);
    free(s->indices);
    free(s->placements);
    free(s->broken);
    free(s->messages);
}

void nz_loader_free(nz_loader *l) {
    if (!l) return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int t = 0; t < l->thread_count; t++) pthread_join(l->threads[t], NULL);
    for (size_t i = 0; l->slots && i < l->slot_count; i++) free_slot(&l->slots[i], l->batch);
    for (size_t i = 0; i < MESSAGES_MAX; i++) free(l->messages[i]);
    free(l->slots);
    free(l->order);
    free(l->failure_message);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->ready);
    free(l);
}

static void free_loader(nz_loader **l) { nz_loader_free(*l); }

static nz_status make_slots(nz_loader *l, int threads) {
    size_t row = 0, bytes = 0, wanted = 3 + 4 * (size_t)threads / l->batch;
    if (wanted > SLOTS_MAX) wanted = SLOTS_MAX;
    if (!nz_mul_size(&row, l->elements, sizeof(float)) || !nz_mul_size(&bytes, row, l->batch))
        return nz_fail(NZ_E_MEMORY, "out of memory: a batch of %zu samples", l->batch);
    while (wanted > 2 && bytes > ring_bytes_max / wanted) wanted--;
    NZ_TRY(nz_alloc(&l->slots, wanted, sizeof *l->slots));
    l->slot_count = wanted;
    for (size_t i = 0; i < wanted; i++) {
        slot *s = &l->slots[i];
        NZ_TRY(nz_alloc_aligned(&s->x, bytes, 1));
        NZ_TRY(nz_alloc(&s->labels, l->batch, sizeof *s->labels));
        NZ_TRY(nz_alloc(&s->indices, l->batch, sizeof *s->indices));
        if (nz_data_has_objects(l->data)) NZ_TRY(nz_alloc(&s->placements, l->batch, sizeof *s->placements));
        NZ_TRY(nz_alloc(&s->broken, l->batch, sizeof *s->broken));
        NZ_TRY(nz_alloc(&s->messages, l->batch, sizeof *s->messages));
    }
    return NZ_OK;
}

/* Signals are the caller's to handle: the threads take none. */
static nz_status start_threads(nz_loader *l, int threads) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (l->thread_count < threads && pthread_create(&l->threads[l->thread_count], NULL, work, l) == 0)
        l->thread_count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return l->thread_count ? NZ_OK : nz_fail(NZ_E_RESOURCE, "no thread could be started to read samples");
}

static nz_status copy_order(nz_loader *l, const size_t *order, size_t count) {
    l->count = order ? count : nz_data_count(l->data);
    if (!order) return NZ_OK;
    NZ_TRY(nz_alloc(&l->order, count, sizeof *order));
    for (size_t i = 0; i < count; i++) {
        if (order[i] >= nz_data_count(l->data))
            return nz_fail(NZ_E_ARG, "sample %zu of %zu is not there", order[i], nz_data_count(l->data));
        l->order[i] = order[i];
    }
    return NZ_OK;
}

nz_status nz_loader_open_augmented(nz_loader **ret_loader, const nz_dataset *data, size_t batch, const size_t *order,
                                   size_t order_count, int threads, const nz_augment *augment) {
    nz_shape shape;
    nz_data_shape(data, &shape);
    int64_t elements = nz_shape_elements(&shape);
    if (!batch) return nz_fail(NZ_E_ARG, "a batch of no samples");
    if (elements < 1)
        return nz_fail(NZ_E_SHAPE,
                       "%s: samples vary in size; give resize=HxW, crop= or letterbox=", nz_data_describe(data));
    NZ_AUTO(free_loader) nz_loader *l = NULL;
    NZ_TRY(nz_alloc(&l, 1, sizeof *l));
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->ready, NULL);
    l->data = data;
    if (augment) l->augment = *augment;
    l->elements = (size_t)elements;
    NZ_TRY(copy_order(l, order, order_count));
    l->batch = batch < l->count || !l->count ? batch : l->count; /* no memory for what is never filled */
    l->batches = (l->count + l->batch - 1) / l->batch;
    l->claim = nz_data_at_hand(data) || elements <= SMALL ? CLAIM : 1;
    threads = threads < 1 ? 1 : threads > THREADS_MAX ? THREADS_MAX : threads;
    NZ_TRY(make_slots(l, threads));
    NZ_TRY(start_threads(l, threads));
    *ret_loader = NZ_STEAL(l);
    return NZ_OK;
}

nz_status nz_loader_open(nz_loader **ret_loader, const nz_dataset *data, size_t batch, const size_t *order,
                         size_t order_count, int threads) {
    return nz_loader_open_augmented(ret_loader, data, batch, order, order_count, threads, NULL);
}

/* Moves the good samples of a batch together and keeps the others' messages. Returns how many are good. */
static size_t compact(nz_loader *l, slot *s, size_t count) {
    size_t kept = 0;
    for (size_t k = 0; k < count; k++) {
        if (s->broken[k]) {
            if (l->broken < MESSAGES_MAX) l->messages[l->broken] = NZ_STEAL(s->messages[k]);
            l->broken++;
            free(NZ_STEAL(s->messages[k]));
            continue;
        }
        if (kept != k) {
            memcpy(s->x + kept * l->elements, s->x + k * l->elements, l->elements * sizeof *s->x);
            s->labels[kept] = s->labels[k];
            s->indices[kept] = s->indices[k];
            if (s->placements) s->placements[kept] = s->placements[k];
        }
        kept++;
    }
    return kept;
}

/* Waits for the next batch; the one handed out before goes back to the threads. *ret_slot NULL at the end. */
static nz_status take_slot(nz_loader *l, slot **ret_slot, size_t *ret_count) {
    nz_status status = NZ_OK;
    slot *s = NULL;
    pthread_mutex_lock(&l->lock);
    if (l->given > l->released) {
        l->slots[l->released % l->slot_count].done = 0;
        l->released++;
        pthread_cond_broadcast(&l->work);
    }
    if (l->given < l->batches) {
        s = &l->slots[l->given % l->slot_count];
        *ret_count = batch_size(l, l->given);
        while (l->failure == NZ_OK && s->done < *ret_count) pthread_cond_wait(&l->ready, &l->lock);
        l->given++;
    }
    if (l->failure != NZ_OK)
        status = nz_fail(l->failure, "%s",
                         l->failure_message ? l->failure_message : "out of memory while samples were read");
    pthread_mutex_unlock(&l->lock);
    NZ_TRY(status);
    *ret_slot = s;
    return NZ_OK;
}

nz_status nz_loader_next(nz_loader *l, nz_batch *ret_batch) {
    size_t count = 0, kept = 0;
    slot *s = NULL;
    do {
        NZ_TRY(take_slot(l, &s, &count));
        if (s) kept = compact(l, s, count);
    } while (s && !kept);
    *ret_batch = (nz_batch){0};
    if (s)
        *ret_batch = (nz_batch){
            .count = kept, .x = s->x, .labels = s->labels, .indices = s->indices, .placements = s->placements};
    return NZ_OK;
}

size_t nz_loader_broken(const nz_loader *l) { return l->broken; }

const char *nz_loader_broken_message(const nz_loader *l, size_t i) {
    if (i >= l->broken || i >= MESSAGES_MAX) return NULL;
    return l->messages[i] ? l->messages[i] : "a broken sample (no memory for its message)";
}
