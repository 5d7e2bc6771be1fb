/* SPDX-License-Identifier: Apache-2.0 */
/* The option table of DATA texts: it drives parsing, checking, help and documentation. */
#include <limits.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "data/preprocess.h"
#include "data/source.h"

#define AT(field) offsetof(nz_data_options, field)

static const nz_option own[] = {
    {"split", NZ_OPTION_CHOICE, AT(split), NULL, 0, 0, "default|train|test|val",
     "train|test|val: which part; training and calibration read train, comparing test, else val"},
    {"limit", NZ_OPTION_INT, AT(limit), NULL, 1, 1e15, NULL, "samples to use, the first in file order; all"},
    {"offset", NZ_OPTION_INT, AT(offset), "0", 0, 1e15, NULL, "samples to pass over first; 0"},
    {"shuffle", NZ_OPTION_BOOL, AT(shuffle), "0", 0, 0, NULL, "1: in random order, after limit and offset; 0"},
    {"seed", NZ_OPTION_INT, AT(seed), "0", 0, 9e18, NULL, "of the random order, and of a synthetic set; 0"},
    {"labels", NZ_OPTION_TEXT, AT(labels), NULL, 0, 0, NULL,
     "file with one class name a line, in the order of the model's outputs (imagefolder, list, yolo, voc)"},
    {"images", NZ_OPTION_TEXT, AT(images), NULL, 0, 0, NULL,
     "folder of the images that the annotations name (coco); the annotations' own, or images/ in it"},
    {"size", NZ_OPTION_INT, AT(size), NULL, 16, 1024, NULL,
     "width and height of an image, pixels (synthetic); 32, of shapes-det 160"},
    {"count", NZ_OPTION_INT, AT(count), "0", 0, 1e8, NULL,
     "samples to make (synthetic); 0: 20000 for train, 4000 for test and val; of shapes-det 6000 and 1000"},
};
/* Keys that only some kinds take. */
static const char *const of_some[] = {"labels", "images", "size", "count"};

size_t nz_data_options_table(nz_option ret_table[NZ_DATA_KEYS_MAX]) {
    size_t count = NZ_COUNT(own);
    memcpy(ret_table, own, sizeof own);
    const char *help = NULL, *name;
    for (size_t i = 0; (name = nz_preprocess_key(i, &help)) && count < NZ_DATA_KEYS_MAX; i++)
        ret_table[count++] =
            (nz_option){name, NZ_OPTION_TEXT, AT(preprocess) + i * sizeof(char *), NULL, 0, 0, NULL, help};
    return count;
}

const char *nz_data_key(size_t i, const char **ret_help) {
    if (i >= NZ_COUNT(own)) return nz_preprocess_key(i - NZ_COUNT(own), ret_help);
    if (ret_help) *ret_help = own[i].help;
    return own[i].name;
}

const char *nz_data_preset(size_t i, const char **ret_keys) { return nz_preprocess_preset(i, ret_keys); }

static bool has_word(const char *words, const char *word) {
    size_t length = strlen(word);
    for (const char *p = words; *p; p += strspn(p, " ")) {
        size_t here = strcspn(p, " ");
        if (here == length && memcmp(p, word, length) == 0) return true;
        p += here;
    }
    return false;
}

nz_status nz_data_options_read(nz_data_options *ret_options, const nz_spec *spec, const char *own_keys,
                               const char *what) {
    nz_option table[NZ_DATA_KEYS_MAX];
    size_t count = nz_data_options_table(table);
    *ret_options = (nz_data_options){0};
    NZ_TRY(nz_options_read(ret_options, table, count, spec, what));
    for (size_t i = 0; i < NZ_COUNT(of_some); i++)
        if (nz_spec_get(spec, of_some[i]) && !has_word(own_keys, of_some[i]))
            return nz_fail(NZ_E_ARG, "%s: this kind does not take %s=", what, of_some[i]);
    return NZ_OK;
}

void nz_data_options_done(nz_data_options *options) {
    nz_option table[NZ_DATA_KEYS_MAX];
    nz_options_done(options, table, nz_data_options_table(table));
}

static const char *const split_names[] = {"default", "train", "test", "val"};

size_t nz_data_splits(const nz_data_options *options, const char *ret_names[2]) {
    if (options->split != NZ_SPLIT_UNSTATED) {
        ret_names[0] = split_names[options->split];
        return 1;
    }
    if (options->use == NZ_DATA_TRAIN) {
        ret_names[0] = "train";
        return 1;
    }
    ret_names[0] = "test";
    ret_names[1] = "val";
    return 2;
}

nz_status nz_data_fail_split(const char *path, const nz_data_options *options, const char *there) {
    const char *names[2];
    size_t count = nz_data_splits(options, names);
    return nz_fail(NZ_E_IO, "%s: no %s%s%s samples here%s%s%s", path, names[0], count > 1 ? " or " : "",
                   count > 1 ? names[1] : "", *there ? "; there is " : "", there, *there ? " (split=)" : "");
}

nz_status nz_data_choose_split(char **ret_place, nz_source *source, const char *path, const nz_data_options *options,
                               nz_status (*find)(char **ret_place, void *user, const char *split), void *user) {
    NZ_AUTO(nz_text_done) nz_text there = {0};
    const char *wanted[2];
    size_t count = nz_data_splits(options, wanted);
    for (size_t i = 0; i < count; i++) {
        NZ_TRY(find(ret_place, user, wanted[i]));
        if (!*ret_place) continue;
        source->split = wanted[i];
        return NZ_OK;
    }
    for (size_t i = NZ_SPLIT_TRAIN; i < NZ_COUNT(split_names); i++) {
        NZ_AUTO_FREE char *place = NULL;
        NZ_TRY(find(&place, user, split_names[i]));
        if (place) nz_text_appendf(&there, "%s%s", there.length ? " and " : "", split_names[i]);
    }
    if (!there.length && options->split == NZ_SPLIT_UNSTATED) return NZ_OK;
    NZ_TRY(there.status);
    return nz_data_fail_split(path, options, there.data ? there.data : "");
}
