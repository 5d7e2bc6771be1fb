/* SPDX-License-Identifier: Apache-2.0 */
/* What the parameters of a model take once an entropy coder has seen them. */
#include <zstd.h>

#include "core/error.h"
#include "core/threads.h"
#include "metric/trace.h"

enum { LEVEL = 19 };

typedef struct job {
    const nz_graph *graph;
    const nz_params *params;
    uint64_t *bytes; /* [params->count] 0: failed */
} job;

static void compress_some(void *argument, size_t begin, size_t end) {
    job *j = argument;
    ZSTD_CCtx *context = ZSTD_createCCtx();
    for (size_t i = begin; i < end; i++) {
        const nz_tensor *t = &j->graph->values[j->params->items[i].value].constant;
        size_t room = ZSTD_compressBound(t->bytes);
        void *out = context ? malloc(room) : NULL;
        size_t written = out ? ZSTD_compressCCtx(context, out, room, t->data, t->bytes, LEVEL) : 0;
        j->bytes[i] = out && !ZSTD_isError(written) ? written : 0; /* even an empty frame has bytes */
        free(out);
    }
    ZSTD_freeCCtx(context);
}

nz_status nz_entropy_bytes(uint64_t *ret_bytes, const nz_graph *counted) {
    NZ_AUTO(nz_params_done) nz_params params = {0};
    NZ_AUTO_FREE uint64_t *bytes = NULL;
    NZ_TRY(nz_params_init(&params, counted, false));
    NZ_TRY(nz_alloc(&bytes, params.count, sizeof *bytes));
    job j = {.graph = counted, .params = &params, .bytes = bytes};
    nz_parallel(params.count, 1, compress_some, &j);
    uint64_t total = 0;
    for (size_t i = 0; i < params.count; i++) {
        if (bytes[i] == 0) return nz_fail(NZ_E_MEMORY, "out of memory: entropy coding the parameters");
        total += bytes[i];
    }
    *ret_bytes = total;
    return NZ_OK;
}
