/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files of the first NetZIP (train, compress and compare): rewritten into a document of today, so that all of
 * the checking stays in one place. */
#include <ctype.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "experiment/description.h"
#include "netzip/compress.h"
#include "netzip/metric.h"

static const char *const first_keys[] = {"SEED_NUMBER",
                                         "DATASET_NAME",
                                         "NUM_CLASSES",
                                         "MODEL_CHOICE",
                                         "MODEL_VARIANT",
                                         "MODEL_SELECTION_FLAG",
                                         "COMPRESSION_TECHNIQUE",
                                         "COMPRESSION_TECHNIQUES_LIST",
                                         "EVALUATION_METRICS_LIST",
                                         "NUM_EPOCHS",
                                         "LEARNING_RATE",
                                         "OUTPUT_PLOTS",
                                         "USE_CUDA"};

/* Where a data set lies unless --data says otherwise. */
static const struct {
    const char *name, *data, *preprocess;
} data_sets[] = {
    {"CIFAR10", "cifar10:data/cifar10", "preset=cifar10"},
    {"CIFAR100", "cifar100:data/cifar100", "preset=cifar10"},
    {"ImageNet", "imagefolder:data/imagenet", "preset=imagenet"},
    {"TinyImageNet", "imagefolder:data/tiny-imagenet-200", "preset=imagenet,resize=64,crop=64"},
    {"MNIST", "idx:data/mnist", "preset=mnist"},
};

/* Names of metrics that are no aliases of metrics.md. */
static const char *const other_metrics[][2] = {{"MemorySize", "disk_bytes"}, {"RAMutilisation", "ram_bytes"}};

bool nz_first_is(const nz_yaml *yaml) {
    for (size_t i = 0; i < NZ_COUNT(first_keys); i++)
        if (json_object_get(yaml->root, first_keys[i])) return true;
    return false;
}

static nz_status set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) ? nz_fail(NZ_E_MEMORY, "out of memory: an experiment") : NZ_OK;
}

/* ---- data and model ---- */

static nz_status convert_data(json_t *out, const nz_yaml *yaml, const char *data) {
    NZ_AUTO_FREE char *name = NULL;
    NZ_TRY(nz_text_value(&name, yaml, yaml->root, "DATASET_NAME"));
    if (!name && !data) return nz_fail(NZ_E_ARG, "%s: DATASET_NAME is needed, or --data", yaml->name);
    const char *names[NZ_COUNT(data_sets)];
    for (size_t i = 0; i < NZ_COUNT(data_sets); i++) {
        names[i] = data_sets[i].name;
        if (!name || strcasecmp(name, names[i]) != 0) continue;
        return set(
            out, "data",
            json_pack("{s:s,s:s}", "train", data ? data : data_sets[i].data, "preprocess", data_sets[i].preprocess));
    }
    if (data) return set(out, "data", json_pack("{s:s}", "train", data));
    const char *near = nz_closest(name, names, NZ_COUNT(names));
    return nz_yaml_fail(NZ_E_ARG, yaml, yaml->root, "DATASET_NAME", 0, "DATASET_NAME '%s' is not known%s%s%s", name,
                        near ? "; did you mean '" : "", near ? near : "", near ? "'?" : ": say with --data what it is");
}

/* 0: untrained; 1: pretrained weights; 2: a model saved before. */
static nz_status convert_model(json_t *out, const nz_yaml *yaml) {
    NZ_AUTO_FREE char *choice = NULL, *variant = NULL, *set_name = NULL, *path = NULL;
    long long flag = 0, classes = 0;
    NZ_TRY(nz_text_value(&choice, yaml, yaml->root, "MODEL_CHOICE"));
    NZ_TRY(nz_text_value(&variant, yaml, yaml->root, "MODEL_VARIANT"));
    NZ_TRY(nz_text_value(&set_name, yaml, yaml->root, "DATASET_NAME"));
    NZ_TRY(nz_int_value(&flag, yaml, yaml->root, "MODEL_SELECTION_FLAG", 0, 2));
    NZ_TRY(nz_int_value(&classes, yaml, yaml->root, "NUM_CLASSES", 1, 1 << 24));
    if (!variant) return nz_fail(NZ_E_ARG, "%s: MODEL_VARIANT is needed, such as resnet18", yaml->name);
    for (char *c = variant; *c; c++) *c = (char)tolower((unsigned char)*c);
    json_t *model = json_object();
    NZ_TRY(set(out, "model", model));
    if (flag == 2) {
        NZ_TRY(nz_format(&path, "models/%s/%s_%s%lld.onnx", choice ? choice : "", variant, set_name ? set_name : "",
                         classes));
        return set(model, "file", json_string(path));
    }
    if (flag == 1) {
        NZ_TRY(nz_format(&path, "models/%s/%s.pth", choice ? choice : "", variant));
        NZ_TRY(set(model, "checkpoint", json_string(path)));
    }
    if (classes) NZ_TRY(set(model, "classes", json_integer(classes)));
    return set(model, "arch", json_string(variant));
}

/* ---- methods and training ---- */

/* The key under which a method takes epochs; NULL where it does not train. */
static const char *epochs_key(const char *technique) {
    static const char *const keys[] = {"finetune", "epochs"};
    for (size_t i = 0; i < NZ_COUNT(keys); i++) {
        char text[128];
        nz_compress_needs needs;
        snprintf(text, sizeof text, "%.64s,%s=1", technique, keys[i]);
        if (nz_compress_what_needs(&needs, text) == NZ_OK && needs.trains) return keys[i];
    }
    return NULL;
}

static nz_status add_technique(json_t *methods, const nz_yaml *yaml, const json_t *list, const char *key, size_t index,
                               const json_t *item) {
    nz_compress_needs needs;
    const char *technique = json_string_value(item);
    if (technique && strcmp(technique, "None") == 0) return NZ_OK; /* it is always among the models */
    const char *epochs = technique ? epochs_key(technique) : NULL;
    if (!technique || nz_compress_what_needs(&needs, technique) != NZ_OK)
        return nz_yaml_fail(NZ_E_ARG, yaml, list, key, index,
                            "the compression technique '%s' is not known (there is PTQ, QAT, GUP_R, GUP_L1)",
                            technique ? technique : "?");
    json_t *keys = json_object(), *given = json_object_get(yaml->root, "NUM_EPOCHS");
    json_t *rate = json_object_get(yaml->root, "LEARNING_RATE");
    if (epochs && given) NZ_TRY(set(keys, epochs, json_incref(given)));
    if (epochs && given && rate) NZ_TRY(set(keys, "lr", json_incref(rate)));
    json_t *method = json_object();
    NZ_TRY(set(method, technique, keys));
    return json_array_append_new(methods, method) ? nz_fail(NZ_E_MEMORY, "out of memory: an experiment") : NZ_OK;
}

static nz_status convert_methods(json_t *out, const nz_yaml *yaml) {
    const json_t *list = json_object_get(yaml->root, "COMPRESSION_TECHNIQUES_LIST"),
                 *one = json_object_get(yaml->root, "COMPRESSION_TECHNIQUE");
    json_t *methods = json_array(), *item;
    size_t i;
    NZ_TRY(set(out, "methods", methods));
    if (list && !json_is_array(list))
        return nz_yaml_fail(NZ_E_ARG, yaml, yaml->root, "COMPRESSION_TECHNIQUES_LIST", 0,
                            "COMPRESSION_TECHNIQUES_LIST should be a list");
    if (one) NZ_TRY(add_technique(methods, yaml, yaml->root, "COMPRESSION_TECHNIQUE", 0, one));
    json_array_foreach(list, i, item) NZ_TRY(add_technique(methods, yaml, list, NULL, i, item));
    return NZ_OK;
}

/* In a file that names techniques the epochs are theirs, else the training's. */
static nz_status convert_training(json_t *out, const nz_yaml *yaml) {
    bool techniques = json_array_size(json_object_get(out, "methods")) > 0;
    long long flag = 0;
    NZ_TRY(nz_int_value(&flag, yaml, yaml->root, "MODEL_SELECTION_FLAG", 0, 2));
    if (techniques && flag) return NZ_OK;
    json_t *train = json_object(), *epochs = json_object_get(yaml->root, "NUM_EPOCHS"),
           *rate = json_object_get(yaml->root, "LEARNING_RATE");
    NZ_TRY(set(out, "train", train));
    if (!techniques && epochs) NZ_TRY(set(train, "epochs", json_incref(epochs)));
    return !techniques && rate ? set(train, "lr", json_incref(rate)) : NZ_OK;
}

/* ---- comparison ---- */

static const char *metric_id(const char *name) {
    const nz_metric *metric = nz_metric_find(name);
    for (size_t i = 0; i < NZ_COUNT(other_metrics); i++)
        if (strcmp(name, other_metrics[i][0]) == 0) return other_metrics[i][1];
    return metric ? metric->id : NULL;
}

static nz_status convert_metrics(json_t *out, const nz_yaml *yaml) {
    const json_t *list = json_object_get(yaml->root, "EVALUATION_METRICS_LIST");
    json_t *ids = json_array(), *item;
    size_t i;
    if (!list || json_array_size(list) == 0) {
        json_decref(ids);
        return NZ_OK;
    }
    NZ_TRY(set(out, "compare", json_pack("{s:o}", "metrics", ids)));
    json_array_foreach(list, i, item) {
        const char *name = json_string_value(item), *id = name ? metric_id(name) : NULL;
        const char *near = name && !id ? nz_metric_closest(name) : NULL;
        if (!id)
            return nz_yaml_fail(NZ_E_ARG, yaml, list, NULL, i, "no metric is called '%s'%s%s%s", name ? name : "?",
                                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        if (json_array_append_new(ids, json_string(id))) return nz_fail(NZ_E_MEMORY, "out of memory: an experiment");
    }
    return NZ_OK;
}

nz_status nz_first_convert(nz_yaml *yaml, const char *data) {
    NZ_AUTO_JSON json_t *out = json_object();
    json_t *seed = json_object_get(yaml->root, "SEED_NUMBER");
    if (!out) return nz_fail(NZ_E_MEMORY, "out of memory: an experiment");
    NZ_TRY(nz_known_keys(yaml, yaml->root, first_keys, NZ_COUNT(first_keys), "configuration of the first NetZIP"));
    if (seed) NZ_TRY(set(out, "seeds", json_incref(seed)));
    NZ_TRY(convert_data(out, yaml, data));
    NZ_TRY(convert_model(out, yaml));
    NZ_TRY(convert_methods(out, yaml));
    NZ_TRY(convert_training(out, yaml));
    NZ_TRY(convert_metrics(out, yaml));
    NZ_TRY(nz_yaml_keep(yaml, NZ_STEAL(yaml->root)));
    yaml->root = NZ_STEAL(out);
    return NZ_OK;
}
