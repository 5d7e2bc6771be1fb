/* SPDX-License-Identifier: Apache-2.0 */
/* What the parameters of a model take once an entropy coder has seen them. */
#include <pthread.h>
#include <stdatomic.h>
#include <zstd.h>

#include "core/error.h"
#include "core/progress.h"
#include "core/threads.h"
#include "metric/trace.h"

enum { LEVEL = 19 };

typedef struct job {
    const nz_tensor **tensors; /* the largest first, so that no thread is left with one at the end */
    size_t count;
    atomic_size_t next;
    atomic_uint_fast64_t total;
    atomic_bool failed;
    const nz_progress *progress;
    pthread_mutex_t lock; /* of what follows, and of the progress sink */
    uint64_t done_bytes, all_bytes;
    atomic_bool cancelled;
} job;

static int larger_first(const void *a, const void *b) {
    size_t x = (*(const nz_tensor *const *)a)->bytes, y = (*(const nz_tensor *const *)b)->bytes;
    return (x < y) - (x > y);
}

static void tell(job *j, size_t bytes) {
    pthread_mutex_lock(&j->lock);
    j->done_bytes += bytes;
    if (!atomic_load(&j->cancelled) && !nz_progress_step(j->progress, "entropy", j->done_bytes, j->all_bytes))
        atomic_store(&j->cancelled, true);
    pthread_mutex_unlock(&j->lock);
}

/* Takes tensor after tensor until none is left; the range that the loop offers says only that a thread is there. */
static void compress_some(void *argument, size_t begin, size_t end) {
    job *j = argument;
    (void)begin, (void)end;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    for (size_t i; context && !atomic_load(&j->cancelled) && (i = atomic_fetch_add(&j->next, 1)) < j->count;) {
        const nz_tensor *t = j->tensors[i];
        size_t room = ZSTD_compressBound(t->bytes);
        void *out = malloc(room);
        size_t written = out ? ZSTD_compressCCtx(context, out, room, t->data, t->bytes, LEVEL) : 0;
        if (!out || ZSTD_isError(written)) atomic_store(&j->failed, true);
        atomic_fetch_add(&j->total, written);
        free(out);
        tell(j, t->bytes);
    }
    if (!context) atomic_store(&j->failed, true);
    ZSTD_freeCCtx(context);
}

nz_status nz_entropy_bytes(uint64_t *ret_bytes, const nz_graph *counted, const nz_progress *progress) {
    NZ_AUTO(nz_params_done) nz_params params = {0};
    NZ_AUTO_FREE const nz_tensor **tensors = NULL;
    NZ_TRY(nz_params_init(&params, counted, false));
    NZ_TRY(nz_alloc(&tensors, params.count, sizeof *tensors));
    job j = {.tensors = tensors, .count = params.count, .progress = progress, .lock = PTHREAD_MUTEX_INITIALIZER};
    for (size_t i = 0; i < params.count; i++) {
        tensors[i] = &counted->values[params.items[i].value].constant;
        j.all_bytes += tensors[i]->bytes;
    }
    qsort(tensors, params.count, sizeof *tensors, larger_first);
    nz_parallel(params.count, 1, compress_some, &j);
    if (atomic_load(&j.cancelled)) return nz_fail(NZ_E_CANCELLED, "stopped by the user");
    if (atomic_load(&j.failed)) return nz_fail(NZ_E_MEMORY, "out of memory: entropy coding the parameters");
    *ret_bytes = atomic_load(&j.total);
    return NZ_OK;
}
