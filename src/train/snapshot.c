/* SPDX-License-Identifier: Apache-2.0 */
/* A run as a NumPy archive of flat arrays in the engine's order: few of them whatever the network, since an archive holds
 * a limited number. Weights and moments stand in ONNX order; "layout" says whose they are, for people. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/text.h"
#include "data/npz.h"
#include "graph/build.h"
#include "train/trainer.h"

typedef enum field {
    IDENTITY,
    LAYOUT,
    COUNTERS, /* step, hits, seen */
    SUMS,     /* loss, seconds, parts of the loss */
    HISTORY,  /* [epochs, HISTORY_COLUMNS] */
    BROKEN,   /* indices of samples */
    PARAMS,
    FIRST, /* moments of parameters */
    SECOND,
    MASKED, /* per parameter: whether it has a mask */
    MASKS,  /* of those that have one */
    RUNNING,
    SCALES,
    SCALE_FIRST,
    SCALE_SECOND,
    RANGES,   /* [quantisers, 3]: low, high, averaging */
    MODES,    /* [quantisers, 2]: mode, zero */
    STATE,    /* of hooks */
    AVERAGES, /* of parameters, running statistics and scales, in their order */
    FIELDS
} field;

enum {
    COUNTER_COUNT = 3,
    SUM_COUNT = 2 + NZ_LOSS_PARTS,
    HISTORY_COLUMNS = NZ_EPOCH_COLUMNS,
    RANGE_COUNT = 3,
    MODE_COUNT = 2
};

static const struct {
    const char *name;
    nz_dtype dtype;
} fields[FIELDS] = {
    [IDENTITY] = {"identity", NZ_U8},
    [LAYOUT] = {"layout", NZ_U8},
    [COUNTERS] = {"counters", NZ_U64},
    [SUMS] = {"sums", NZ_F64},
    [HISTORY] = {"history", NZ_F64},
    [BROKEN] = {"broken", NZ_U64},
    [PARAMS] = {"parameters", NZ_F32},
    [FIRST] = {"first_moments", NZ_F32},
    [SECOND] = {"second_moments", NZ_F32},
    [MASKED] = {"masked", NZ_U8},
    [MASKS] = {"masks", NZ_U8},
    [RUNNING] = {"running_statistics", NZ_F32},
    [SCALES] = {"scales", NZ_F32},
    [SCALE_FIRST] = {"scale_first_moments", NZ_F32},
    [SCALE_SECOND] = {"scale_second_moments", NZ_F32},
    [RANGES] = {"quantizer_ranges", NZ_F32},
    [MODES] = {"quantizer_modes", NZ_I32},
    [STATE] = {"method_state", NZ_U8},
    [AVERAGES] = {"averages", NZ_F32},
};

typedef struct arrays {
    nz_tensor at[FIELDS];
} arrays;

static void arrays_done(arrays *a) {
    for (size_t f = 0; f < FIELDS; f++) nz_tensor_done(&a->at[f]);
}

static size_t count_of(const nz_param *p) { return (size_t)nz_shape_elements(&p->shape); }

/* How many elements each array has. IDENTITY, HISTORY and MASKS depend on more than the network; -1 there. */
static void expected_counts(int64_t counts[FIELDS], const nz_snapshot *s) {
    size_t params = nz_engine_param_count(s->engine), running = nz_engine_running_count(s->engine),
           quantizers = nz_engine_quantizer_count(s->engine);
    bool second = s->updater->options->optimizer == NZ_OPTIMIZER_ADAMW;
    memset(counts, 0, FIELDS * sizeof *counts);
    counts[IDENTITY] = counts[LAYOUT] = counts[HISTORY] = counts[BROKEN] = counts[MASKS] = -1;
    counts[COUNTERS] = COUNTER_COUNT;
    counts[SUMS] = SUM_COUNT;
    for (size_t i = 0; i < params; i++) counts[PARAMS] += (int64_t)count_of(nz_engine_param(s->engine, i));
    counts[FIRST] = counts[PARAMS];
    counts[SECOND] = second ? counts[PARAMS] : 0;
    counts[MASKED] = (int64_t)params;
    for (size_t i = 0; i < running; i++) counts[RUNNING] += (int64_t)nz_engine_running(s->engine, i)->elements;
    for (size_t i = 0; i < quantizers; i++) counts[SCALES] += (int64_t)nz_engine_quantizer(s->engine, i)->count;
    counts[SCALE_FIRST] = counts[SCALES];
    counts[SCALE_SECOND] = second ? counts[SCALES] : 0;
    counts[RANGES] = RANGE_COUNT * (int64_t)quantizers;
    counts[MODES] = MODE_COUNT * (int64_t)quantizers;
    counts[STATE] = (int64_t)s->state_bytes;
    if (s->average) counts[AVERAGES] = counts[PARAMS] + counts[RUNNING] + counts[SCALES];
}

/* ---- writing ---- */

static nz_status make(arrays *a, field f, int64_t count) {
    return nz_tensor_init(&a->at[f], fields[f].dtype, &(nz_shape){.rank = 1, .dim = {count}});
}

static nz_status put_text(arrays *a, field f, const char *text) {
    NZ_TRY(make(a, f, (int64_t)strlen(text)));
    memcpy(a->at[f].data, text, strlen(text));
    return NZ_OK;
}

static nz_status put_layout(arrays *a, const nz_snapshot *s) {
    nz_text text = {0};
    NZ_AUTO_FREE char *all = NULL;
    char shape[112];
    for (size_t i = 0; i < nz_engine_param_count(s->engine); i++) {
        const nz_param *p = nz_engine_param(s->engine, i);
        nz_text_appendf(&text, "parameters %s %s\n", p->name, nz_shape_text(&p->shape, shape));
    }
    for (size_t i = 0; i < nz_engine_running_count(s->engine); i++) {
        const nz_running *r = nz_engine_running(s->engine, i);
        nz_text_appendf(&text, "running_statistics %s %zu\n", r->name, r->elements);
    }
    for (size_t i = 0; i < nz_engine_quantizer_count(s->engine); i++) {
        const nz_quantizer *q = nz_engine_quantizer(s->engine, i);
        nz_text_appendf(&text, "scales %s %zu\n", q->name, q->count);
    }
    NZ_TRY(nz_text_take(&text, &all));
    return put_text(a, LAYOUT, all);
}

static nz_status put_standing(arrays *a, const nz_snapshot *s) {
    const nz_standing *at = s->standing;
    NZ_TRY(make(a, COUNTERS, COUNTER_COUNT));
    NZ_TRY(make(a, SUMS, SUM_COUNT));
    nz_shape shape = {.rank = 2, .dim = {(int64_t)at->count, HISTORY_COLUMNS}};
    NZ_TRY(nz_tensor_init(&a->at[HISTORY], NZ_F64, &shape));
    memcpy(a->at[COUNTERS].data, (uint64_t[COUNTER_COUNT]){at->step, at->hits, at->seen}, a->at[COUNTERS].bytes);
    double *sums = a->at[SUMS].data;
    sums[0] = at->loss_sum;
    sums[1] = at->seconds;
    memcpy(sums + 2, at->parts, sizeof at->parts);
    double *row = a->at[HISTORY].data;
    for (size_t i = 0; i < at->count; i++, row += HISTORY_COLUMNS)
        for (size_t c = 0; c < HISTORY_COLUMNS; c++) row[c] = *nz_epoch_cell(&at->epochs[i], c);
    NZ_TRY(make(a, BROKEN, s->feed ? (int64_t)s->feed->broken_count : 0));
    uint64_t *broken = a->at[BROKEN].data;
    for (size_t i = 0; s->feed && i < nz_data_count(s->feed->data); i++)
        if (s->feed->broken[i]) *broken++ = i;
    return NZ_OK;
}

static nz_status put_masks(arrays *a, const nz_snapshot *s) {
    size_t params = nz_engine_param_count(s->engine), all = 0, most = 0;
    uint8_t *masked = a->at[MASKED].data;
    NZ_AUTO_FREE float *plain = NULL;
    for (size_t i = 0; i < params; i++) {
        const nz_param *p = nz_engine_param(s->engine, i);
        masked[i] = p->mask != NULL;
        if (!p->mask) continue;
        all += count_of(p);
        if (count_of(p) > most) most = count_of(p);
    }
    NZ_TRY(make(a, MASKS, (int64_t)all));
    NZ_TRY(nz_alloc(&plain, most, sizeof *plain));
    uint8_t *mask = a->at[MASKS].data;
    for (size_t i = 0; i < params; i++) {
        const nz_param *p = nz_engine_param(s->engine, i);
        if (!p->mask) continue;
        nz_param_unpack(p, plain, p->mask);
        for (size_t e = 0; e < count_of(p); e++) *mask++ = plain[e] > 0;
    }
    return NZ_OK;
}

static void put_params(arrays *a, const nz_snapshot *s) {
    float *value = a->at[PARAMS].data, *first = a->at[FIRST].data,
          *second = a->at[SECOND].bytes ? a->at[SECOND].data : NULL;
    for (size_t i = 0; i < nz_engine_param_count(s->engine); i++) {
        const nz_param *p = nz_engine_param(s->engine, i);
        const nz_moments *m = &s->updater->params[i];
        size_t count = count_of(p);
        nz_param_get(p, value);
        nz_param_unpack(p, first, m->first);
        if (second) nz_param_unpack(p, second, m->second);
        value += count;
        first += count;
        if (second) second += count;
    }
    float *running = a->at[RUNNING].data;
    for (size_t i = 0; i < nz_engine_running_count(s->engine); i++) {
        const nz_running *r = nz_engine_running(s->engine, i);
        memcpy(running, r->value, r->elements * sizeof *running);
        running += r->elements;
    }
}

static void put_quantizers(arrays *a, const nz_snapshot *s) {
    float *scales = a->at[SCALES].data, *first = a->at[SCALE_FIRST].data, *second = a->at[SCALE_SECOND].data,
          *range = a->at[RANGES].data;
    int32_t *mode = a->at[MODES].data;
    for (size_t i = 0; i < nz_engine_quantizer_count(s->engine); i++) {
        const nz_quantizer *q = nz_engine_quantizer(s->engine, i);
        const nz_moments *m = &s->updater->quantizers[i];
        memcpy(scales, q->scales, q->count * sizeof *scales);
        memcpy(first, m->first, q->count * sizeof *first);
        if (m->second) memcpy(second, m->second, q->count * sizeof *second);
        memcpy(range, (float[RANGE_COUNT]){q->low, q->high, q->averaging}, RANGE_COUNT * sizeof *range);
        memcpy(mode, (int32_t[MODE_COUNT]){(int32_t)q->mode, q->zero}, MODE_COUNT * sizeof *mode);
        scales += q->count;
        first += q->count;
        second += m->second ? q->count : 0;
        range += RANGE_COUNT;
        mode += MODE_COUNT;
    }
}

/* Averages to the array, or `back`. */
static void move_averages(arrays *a, const nz_snapshot *s, bool back) {
    const nz_average *average = s->average;
    float *at = a->at[AVERAGES].data;
    for (size_t i = 0; average && i < average->param_count; i++) {
        const nz_param *p = nz_engine_param(s->engine, i);
        if (back)
            nz_param_pack(p, average->params[i], at);
        else
            nz_param_unpack(p, at, average->params[i]);
        at += count_of(p);
    }
    for (size_t i = 0; average && i < average->running_count; i++) {
        size_t count = nz_engine_running(s->engine, i)->elements;
        memcpy(back ? average->running[i] : at, back ? at : average->running[i], count * sizeof *at);
        at += count;
    }
    for (size_t i = 0; average && i < average->quantizer_count; i++) {
        size_t count = nz_engine_quantizer(s->engine, i)->count;
        memcpy(back ? average->scales[i] : at, back ? at : average->scales[i], count * sizeof *at);
        at += count;
    }
}

nz_status nz_snapshot_write(const char *path, const nz_snapshot *s) {
    NZ_AUTO(arrays_done) arrays a = {0};
    int64_t counts[FIELDS];
    const char *names[FIELDS];
    expected_counts(counts, s);
    NZ_TRY(put_text(&a, IDENTITY, s->identity));
    NZ_TRY(put_layout(&a, s));
    NZ_TRY(put_standing(&a, s));
    for (size_t f = PARAMS; f < FIELDS; f++)
        if (f != MASKS) NZ_TRY(make(&a, (field)f, counts[f]));
    put_params(&a, s);
    put_quantizers(&a, s);
    move_averages(&a, s, false);
    NZ_TRY(put_masks(&a, s));
    if (s->state_bytes) memcpy(a.at[STATE].data, s->state, s->state_bytes);
    for (size_t f = 0; f < FIELDS; f++) names[f] = fields[f].name;
    return nz_npz_write(path, names, a.at, FIELDS);
}

/* ---- reading ---- */

static nz_status get_arrays(arrays *a, const char *path, const int64_t counts[FIELDS]) {
    nz_npz *npz = NULL;
    nz_status status = nz_npz_open(&npz, path);
    for (size_t f = 0; f < FIELDS && status == NZ_OK; f++) {
        status = nz_npz_get(&a->at[f], npz, fields[f].name);
        if (status != NZ_OK) break;
        int64_t count = nz_shape_elements(&a->at[f].shape);
        if (a->at[f].dtype != fields[f].dtype)
            status = nz_fail(NZ_E_FORMAT, "%s: array '%s' is of type %s, not %s", path, fields[f].name,
                             nz_dtype_get(a->at[f].dtype)->name, nz_dtype_get(fields[f].dtype)->name);
        else if (f != IDENTITY && counts[f] >= 0 && count != counts[f])
            status = nz_fail(NZ_E_FORMAT, "%s: array '%s' has %lld elements, not %lld", path, fields[f].name,
                             (long long)count, (long long)counts[f]);
        /* Which run it belongs to is what a reader wants to know first. */
        if (f == IDENTITY && status == NZ_OK && count > 1 << 20)
            status = nz_fail(NZ_E_FORMAT, "%s: its identity has %lld bytes", path, (long long)count);
    }
    nz_npz_free(npz);
    return status;
}

static nz_status check_identity(const arrays *a, const char *path, const char *ours) {
    NZ_AUTO_FREE char *theirs = NULL;
    NZ_TRY(nz_alloc(&theirs, a->at[IDENTITY].bytes + 1, 1));
    if (a->at[IDENTITY].bytes) memcpy(theirs, a->at[IDENTITY].data, a->at[IDENTITY].bytes);
    return nz_run_same(path, theirs, ours);
}

static nz_status fail_values(const char *path, field f) {
    return nz_fail(NZ_E_FORMAT, "%s: array '%s' holds what no run writes", path, fields[f].name);
}

/* What else could lead out of bounds, or into a state that no run has. */
static nz_status check_values(const arrays *a, const char *path, const nz_snapshot *s) {
    const nz_shape *history = &a->at[HISTORY].shape;
    if (history->rank != 2 || history->dim[1] != HISTORY_COLUMNS) return fail_values(path, HISTORY);
    const uint64_t *broken = a->at[BROKEN].data;
    size_t samples = s->feed ? nz_data_count(s->feed->data) : 0;
    for (int64_t i = 0; i < nz_shape_elements(&a->at[BROKEN].shape); i++)
        if (broken[i] >= samples || (i && broken[i] <= broken[i - 1])) return fail_values(path, BROKEN);
    const uint8_t *masked = a->at[MASKED].data;
    int64_t masks = 0;
    for (size_t i = 0; i < nz_engine_param_count(s->engine); i++)
        if (masked[i]) masks += (int64_t)count_of(nz_engine_param(s->engine, i));
    if (nz_shape_elements(&a->at[MASKS].shape) != masks) return fail_values(path, MASKS);
    const int32_t *mode = a->at[MODES].data;
    const float *scale = a->at[SCALES].data;
    for (size_t i = 0; i < nz_engine_quantizer_count(s->engine); i++, mode += MODE_COUNT) {
        const nz_quantizer *q = nz_engine_quantizer(s->engine, i);
        if (mode[0] < NZ_QUANTIZER_OBSERVE || mode[0] > NZ_QUANTIZER_LEARN || mode[1] < q->least || mode[1] > q->most)
            return fail_values(path, MODES);
        for (size_t c = 0; c < q->count; c++, scale++)
            if (!(*scale > 0) || !isfinite(*scale)) return fail_values(path, SCALES);
    }
    return NZ_OK;
}

static void get_params(const arrays *a, const nz_snapshot *s) {
    const float *value = a->at[PARAMS].data, *first = a->at[FIRST].data, *second = a->at[SECOND].data;
    for (size_t i = 0; i < nz_engine_param_count(s->engine); i++) {
        nz_param *p = nz_engine_param(s->engine, i);
        nz_moments *m = &s->updater->params[i];
        size_t count = count_of(p);
        nz_param_set(p, value);
        nz_param_pack(p, m->first, first);
        if (m->second) nz_param_pack(p, m->second, second);
        value += count;
        first += count;
        if (m->second) second += count;
    }
    const float *running = a->at[RUNNING].data;
    for (size_t i = 0; i < nz_engine_running_count(s->engine); i++) {
        nz_running *r = nz_engine_running(s->engine, i);
        memcpy(r->value, running, r->elements * sizeof *running);
        running += r->elements;
    }
}

static nz_status get_masks(const arrays *a, const nz_snapshot *s) {
    const uint8_t *masked = a->at[MASKED].data, *mask = a->at[MASKS].data;
    for (size_t i = 0; i < nz_engine_param_count(s->engine); i++) {
        nz_param *p = nz_engine_param(s->engine, i);
        if (!masked[i]) continue;
        NZ_AUTO_FREE float *plain = NULL;
        NZ_TRY(nz_alloc(&plain, count_of(p), sizeof *plain));
        for (size_t e = 0; e < count_of(p); e++) plain[e] = *mask++ ? 1 : 0;
        NZ_TRY(nz_engine_mask(s->engine, p, plain));
    }
    return NZ_OK;
}

static void get_quantizers(const arrays *a, const nz_snapshot *s) {
    const float *scales = a->at[SCALES].data, *first = a->at[SCALE_FIRST].data, *second = a->at[SCALE_SECOND].data,
                *range = a->at[RANGES].data;
    const int32_t *mode = a->at[MODES].data;
    for (size_t i = 0; i < nz_engine_quantizer_count(s->engine); i++) {
        nz_quantizer *q = nz_engine_quantizer(s->engine, i);
        nz_moments *m = &s->updater->quantizers[i];
        memcpy(q->scales, scales, q->count * sizeof *scales);
        memcpy(m->first, first, q->count * sizeof *first);
        if (m->second) memcpy(m->second, second, q->count * sizeof *second);
        q->low = range[0];
        q->high = range[1];
        q->averaging = range[2];
        q->mode = (nz_quantizer_mode)mode[0];
        q->zero = mode[1];
        scales += q->count;
        first += q->count;
        second += m->second ? q->count : 0;
        range += RANGE_COUNT;
        mode += MODE_COUNT;
    }
}

static void get_standing(const arrays *a, const nz_snapshot *s, nz_train_epoch *epochs, size_t count) {
    nz_standing *at = s->standing;
    const uint64_t *counters = a->at[COUNTERS].data, *broken = a->at[BROKEN].data;
    const double *sums = a->at[SUMS].data, *row = a->at[HISTORY].data;
    for (size_t i = 0; i < count; i++, row += HISTORY_COLUMNS)
        for (size_t c = 0; c < HISTORY_COLUMNS; c++) *nz_epoch_cell(&epochs[i], c) = row[c];
    free(at->epochs);
    *at = (nz_standing){.step = counters[0],
                        .hits = counters[1],
                        .seen = counters[2],
                        .loss_sum = sums[0],
                        .seconds = sums[1],
                        .count = count,
                        .capacity = count,
                        .epochs = epochs};
    memcpy(at->parts, sums + 2, sizeof at->parts);
    if (!s->feed) return;
    memset(s->feed->broken, 0, nz_data_count(s->feed->data) * sizeof *s->feed->broken);
    s->feed->broken_count = (size_t)nz_shape_elements(&a->at[BROKEN].shape);
    for (size_t i = 0; i < s->feed->broken_count; i++) s->feed->broken[broken[i]] = true;
}

nz_status nz_snapshot_read(const char *path, const nz_snapshot *s) {
    NZ_AUTO(arrays_done) arrays a = {0};
    NZ_AUTO_FREE nz_train_epoch *epochs = NULL;
    int64_t counts[FIELDS];
    expected_counts(counts, s);
    /* Another run's arrays have other sizes: what differs is better told by the identity. */
    nz_status status = get_arrays(&a, path, counts);
    if (a.at[IDENTITY].data) NZ_TRY(check_identity(&a, path, s->identity));
    NZ_TRY(status);
    NZ_TRY(check_values(&a, path, s));
    size_t rows = (size_t)a.at[HISTORY].shape.dim[0];
    NZ_TRY(nz_alloc(&epochs, rows, sizeof *epochs));
    NZ_TRY(get_masks(&a, s));
    get_params(&a, s);
    get_quantizers(&a, s);
    move_averages(&a, s, true);
    get_standing(&a, s, NZ_STEAL(epochs), rows);
    if (s->state_bytes) memcpy(s->state, a.at[STATE].data, s->state_bytes);
    return NZ_OK;
}

nz_status nz_standing_add(nz_standing *standing, const nz_train_epoch *epoch) {
    NZ_TRY(nz_grow(&standing->epochs, &standing->capacity, standing->count + 1, sizeof *standing->epochs));
    standing->epochs[standing->count++] = *epoch;
    return NZ_OK;
}
