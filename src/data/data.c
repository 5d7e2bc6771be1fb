/* SPDX-License-Identifier: Apache-2.0 */
/* What all kinds of data sets have in common: ranges, order, preprocessing, description. */
#include "netzip/data.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/text.h"
#include "data/dataset.h"

static const nz_source_kind *const kinds[] = {
    &nz_source_idx, &nz_source_cifar10, &nz_source_cifar100, &nz_source_imagefolder, &nz_source_list,
    &nz_source_npz, &nz_source_coco,    &nz_source_yolo,     &nz_source_voc,         &nz_source_synthetic,
};

const char *nz_data_kind(size_t i, const char **ret_help) {
    if (i >= NZ_COUNT(kinds)) return NULL;
    if (ret_help) *ret_help = kinds[i]->help;
    return kinds[i]->name;
}

void nz_data_free(nz_dataset *d) {
    if (!d) return;
    nz_keep_free(d->keep);
    if (d->source.kind) d->source.kind->close(&d->source);
    for (size_t c = 0; d->source.class_names && c < d->source.classes; c++) free(d->source.class_names[c]);
    free(d->source.class_names);
    free(d->source.class_ids);
    free(d->source.note);
    free(d->order);
    free(d->table);
    free(d->path);
    free(d->description);
    free(d->preprocess_text);
    free(d);
}

static void free_dataset(nz_dataset **d) { nz_data_free(*d); }

size_t nz_data_count(const nz_dataset *d) { return d->count; }
size_t nz_data_classes(const nz_dataset *d) { return d->source.classes; }
void nz_data_shape(const nz_dataset *d, nz_shape *ret_shape) { *ret_shape = d->shape; }
const char *nz_data_describe(const nz_dataset *d) { return d->description; }
const char *nz_data_preprocess(const nz_dataset *d) { return d->preprocess_text; }
bool nz_data_default_preprocess(const nz_dataset *d) { return !d->preprocess.stated; }
bool nz_data_at_hand(const nz_dataset *d) { return d->source.at_hand; }
const char *nz_data_fingerprint(const nz_dataset *d) { return d->fingerprint; }

const char *nz_data_note(const nz_dataset *d) { return d->source.note; }

const char *nz_data_class_name(const nz_dataset *d, size_t c) {
    return d->source.class_names && c < d->source.classes ? d->source.class_names[c] : NULL;
}

/* The kind and its path: "kind:path". */
static nz_status find_kind(const nz_source_kind **ret_kind, const char **ret_path, const char *head, const char *text) {
    const char *names[NZ_COUNT(kinds)];
    size_t length = strcspn(head, ":");
    if (head[length] != ':')
        return nz_fail(NZ_E_ARG, "data '%s': should be kind:path[,key=value...], such as cifar10:FOLDER", text);
    for (size_t i = 0; i < NZ_COUNT(kinds); i++) {
        names[i] = kinds[i]->name;
        if (strlen(names[i]) != length || memcmp(names[i], head, length) != 0) continue;
        *ret_kind = kinds[i];
        *ret_path = head + length + 1;
        if (!**ret_path) return nz_fail(NZ_E_ARG, "data '%s': the path after '%s:' is missing", text, names[i]);
        return NZ_OK;
    }
    char word[64];
    size_t kept = length < sizeof word ? length : sizeof word - 1;
    memcpy(word, head, kept);
    word[kept] = '\0';
    const char *near = nz_closest(word, names, NZ_COUNT(names));
    return nz_fail(NZ_E_ARG, "data '%s': unknown kind '%s'%s%s%s", text, word, near ? "; did you mean '" : "",
                   near ? near : "", near ? "'?" : " (netzip data --help lists them)");
}

static nz_status choose_range(nz_dataset *d, const nz_data_options *options, const char *what) {
    size_t all = d->source.count, offset = (size_t)options->offset;
    if (!all) return nz_fail(NZ_E_FORMAT, "%s: there are no samples", what);
    if (offset >= all) return nz_fail(NZ_E_ARG, "%s: offset=%zu, but there are only %zu samples", what, offset, all);
    d->offset = offset;
    d->count = all - offset;
    if (options->limit > 0 && (size_t)options->limit < d->count) d->count = (size_t)options->limit;
    if (!options->shuffle) return NZ_OK;
    NZ_TRY(nz_alloc(&d->order, d->count, sizeof *d->order));
    for (size_t i = 0; i < d->count; i++) d->order[i] = offset + i;
    nz_random random;
    nz_random_init(&random, (uint64_t)options->seed, 0x5f3759df);
    nz_random_shuffle(&random, d->order, d->count);
    return NZ_OK;
}

/* An extent that preprocessing leaves open is the model's, to be checked sample by sample. */
static nz_status settle_shape(nz_dataset *d, const int64_t chw[3], const char *what) {
    int width = -1, height = -1;
    nz_preprocess_size(&d->preprocess, d->source.width, d->source.height, &width, &height);
    int64_t have[3] = {d->channels, height, width};
    for (int i = 0; chw && i < 3; i++) {
        if (chw[i] < 1) continue;
        if (have[i] < 1) have[i] = chw[i];
        if (have[i] == chw[i]) continue;
        if (i == 0)
            return nz_fail(NZ_E_SHAPE, "%s: samples have %lld channels, the model wants %lld; color=%s", what,
                           (long long)have[0], (long long)chw[0], chw[0] == 1 ? "gray" : "rgb");
        return nz_fail(NZ_E_SHAPE,
                       "%s: samples are %dx%d (height x width) after preprocessing, the model wants %lldx%lld; give "
                       "resize=, crop= "
                       "or letterbox=",
                       what, height, width, (long long)chw[1], (long long)chw[2]);
    }
    d->shape =
        d->preprocess.nhwc ? (nz_shape){3, {have[1], have[2], have[0]}} : (nz_shape){3, {have[0], have[1], have[2]}};
    return NZ_OK;
}

/* Float samples are what the model gets; there are no pixels to preprocess. */
static nz_status settle_values(nz_dataset *d, const nz_spec *spec, const int64_t chw[3], bool nhwc, const char *what) {
    const char *key;
    for (size_t i = 0; (key = nz_preprocess_key(i, NULL)); i++)
        if (nz_spec_get(spec, key))
            return nz_fail(NZ_E_ARG, "%s: float arrays are taken as they are; %s= applies to arrays of 8-bit pixels",
                           what, key);
    d->preprocess = (nz_preprocess){.scale = 1, .stated = true};
    d->shape = d->source.values;
    for (int i = 0; chw && d->shape.rank == 3 && i < 3; i++) {
        int64_t wanted = nhwc ? chw[(i + 1) % 3] : chw[i];
        char text[112];
        if (wanted > 0 && wanted != d->shape.dim[i])
            return nz_fail(NZ_E_SHAPE, "%s: samples are %s, the model wants %lldx%lldx%lld (channels, height, width)",
                           what, nz_shape_text(&d->shape, text), (long long)chw[0], (long long)chw[1],
                           (long long)chw[2]);
    }
    return NZ_OK;
}

static nz_status describe(nz_dataset *d, const char *path) {
    char shape[112];
    const char *split = d->source.split;
    NZ_TRY(nz_preprocess_text(&d->preprocess_text, &d->preprocess));
    return nz_format(&d->description, "%s:%s%s%s, %zu samples%s of %s, %zu classes, preprocessing %s%s",
                     d->source.kind->name, path, split ? ", split " : "", split ? split : "", d->count,
                     d->order ? " (shuffled)" : "", nz_shape_text(&d->shape, shape), d->source.classes,
                     d->preprocess_text, d->preprocess.stated ? "" : " (nobody stated any)");
}

static nz_status take_fingerprint(nz_dataset *d) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    nz_text_appendf(&text, "%s %s %zu\n", d->source.kind->name, d->source.split ? d->source.split : "", d->count);
    if (d->source.kind->identify_all) {
        d->source.kind->identify_all(&d->source, &text);
        nz_text_appendf(&text, " from %zu%s\n", d->offset, d->order ? " shuffled" : "");
    }
    for (size_t i = 0; i < d->count && text.status == NZ_OK && d->source.kind->identify; i++) {
        size_t at = nz_data_source_index(d, i);
        d->source.kind->identify(&d->source, at, &text);
        nz_text_appendf(&text, " %" PRId32 "\n", nz_data_source_label(d, at));
    }
    NZ_TRY(text.status);
    nz_sha256(d->fingerprint, text.data, text.length);
    return NZ_OK;
}

/* What nz_data_open was asked for. */
typedef struct request {
    const nz_spec *spec;
    const char *path, *model, *what;
    nz_data_use use;
    const int64_t *chw;
    bool nhwc;
} request;

static nz_status open_with(nz_dataset *d, nz_data_options *options, const request *r) {
    NZ_TRY(nz_data_options_read(options, r->spec, d->source.kind->own_keys, r->what));
    options->use = r->use;
    if (!d->source.kind->identify_all) NZ_TRY(nz_strdup(&d->path, r->path));
    /* Before files are opened: a typing error comes first. */
    NZ_TRY(nz_preprocess_read(&d->preprocess, r->spec, r->model, r->what));
    if (r->nhwc && !d->preprocess.layout_stated) d->preprocess.nhwc = true;
    NZ_TRY(d->source.kind->open(&d->source, r->path, options));
    NZ_TRY(choose_range(d, options, r->what));
    if (d->source.values.rank) {
        NZ_TRY(settle_values(d, r->spec, r->chw, r->nhwc, r->what));
    } else {
        NZ_TRY(nz_preprocess_channels(&d->channels, &d->preprocess, d->source.channels, r->what));
        NZ_TRY(settle_shape(d, r->chw, r->what));
        NZ_TRY(nz_alloc(&d->table, (size_t)d->channels * 256, sizeof *d->table));
        nz_preprocess_table(&d->preprocess, d->channels, d->table);
    }
    NZ_TRY(describe(d, r->path));
    return take_fingerprint(d);
}

nz_status nz_data_open_as(nz_dataset **ret_data, const char *text, const char *preprocess, nz_data_use use,
                          const int64_t chw[3], bool nhwc) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    NZ_AUTO(free_dataset) nz_dataset *d = NULL;
    NZ_AUTO_FREE char *what = NULL;
    request r = {.spec = &spec, .model = preprocess, .use = use, .chw = chw, .nhwc = nhwc};
    const nz_source_kind *kind = NULL;
    NZ_TRY(nz_spec_parse(&spec, text));
    NZ_TRY(find_kind(&kind, &r.path, spec.head, text));
    NZ_TRY(nz_alloc(&d, 1, sizeof *d));
    d->source.kind = kind;
    NZ_TRY(nz_format(&what, "data '%s'", text));
    r.what = what;
    nz_data_options options = {0};
    nz_status status = open_with(d, &options, &r);
    nz_data_options_done(&options);
    NZ_TRY(status);
    *ret_data = NZ_STEAL(d);
    return NZ_OK;
}

nz_status nz_data_open(nz_dataset **ret_data, const char *spec, const char *preprocess, nz_data_use use,
                       const int64_t chw[3]) {
    return nz_data_open_as(ret_data, spec, preprocess, use, chw, false);
}
