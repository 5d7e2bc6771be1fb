/* SPDX-License-Identifier: Apache-2.0 */
/* An experiment file to its description: sections, one function each. */
#include <string.h>

#include "compare/condition.h"
#include "core/error.h"
#include "core/file.h"
#include "core/options.h"
#include "core/text.h"
#include "experiment/description.h"
#include "graph/build.h"
#include "netzip/arch.h"
#include "netzip/detect.h"
#include "netzip/metric.h"
#include "netzip/train.h"

/* ---- data ---- */

static nz_status with_preprocess(char **ret_spec, const char *spec, const char *preprocess) {
    return nz_format(ret_spec, "%s%s%s", spec, preprocess && *preprocess ? "," : "", preprocess ? preprocess : "");
}

/* `preprocess` is a text of keys, or a mapping of them. */
static nz_status read_preprocess(char **ret_text, const nz_yaml *yaml, const json_t *section) {
    const json_t *value = json_object_get(section, "preprocess");
    const char *key;
    json_t *item;
    if (!json_is_object(value)) return nz_text_value(ret_text, yaml, section, "preprocess");
    NZ_AUTO(nz_text_done) nz_text out = {0};
    json_object_foreach((json_t *)(uintptr_t)value, key, item) {
        NZ_AUTO_FREE char *text = NULL;
        nz_status status = nz_option_text(&text, item, ":");
        if (status != NZ_OK) return nz_place_context(status, yaml, value, key, 0);
        nz_append_option(&out, key, text);
    }
    return nz_text_take(&out, ret_text);
}

/* Whether a DATA text names its part itself, so that it cannot serve for training and comparing both. */
static nz_status states_split(bool *ret_states, const char *text) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    NZ_TRY(nz_spec_parse(&spec, text));
    *ret_states = nz_spec_get(&spec, "split") != NULL;
    return NZ_OK;
}

static nz_status read_data_section(nz_description *d, const nz_yaml *yaml, const json_t *section) {
    static const char *const known[] = {"train", "test", "calibration", "preprocess"};
    NZ_AUTO_FREE char *train = NULL, *test = NULL, *calibration = NULL, *preprocess = NULL;
    bool split = false;
    NZ_TRY(nz_known_keys(yaml, section, known, NZ_COUNT(known), "data"));
    NZ_TRY(nz_text_value(&train, yaml, section, "train"));
    NZ_TRY(nz_text_value(&test, yaml, section, "test"));
    NZ_TRY(nz_text_value(&calibration, yaml, section, "calibration"));
    NZ_TRY(read_preprocess(&preprocess, yaml, section));
    if (!train)
        return nz_yaml_fail(NZ_E_ARG, yaml, yaml->root, "data", 0, "data: train is needed (kind:path[,key=value...])");
    NZ_TRY(nz_place_context(states_split(&split, train), yaml, section, "train", 0));
    if (!test && split)
        return nz_yaml_fail(NZ_E_ARG, yaml, section, "train", 0, "data: train states its split, so test is needed too");
    NZ_TRY(with_preprocess(&d->train_data, train, preprocess));
    NZ_TRY(with_preprocess(&d->test_data, test ? test : train, preprocess));
    return calibration ? with_preprocess(&d->calibration_data, calibration, preprocess) : NZ_OK;
}

static nz_status read_data(nz_description *d, const nz_yaml *yaml) {
    const json_t *section = json_object_get(yaml->root, "data");
    if (json_is_object(section)) return read_data_section(d, yaml, section);
    bool split = false;
    NZ_TRY(nz_text_value(&d->train_data, yaml, yaml->root, "data"));
    if (!d->train_data)
        return nz_fail(NZ_E_ARG, "%s: data is needed (kind:path[,key=value...], or train and test)", yaml->name);
    NZ_TRY(nz_place_context(states_split(&split, d->train_data), yaml, yaml->root, "data", 0));
    if (split)
        return nz_yaml_fail(NZ_E_ARG, yaml, yaml->root, "data", 0,
                            "data states one split for all: give data: train: and data: test:");
    return nz_strdup(&d->test_data, d->train_data);
}

/* ---- model ---- */

static nz_status check_arch(const nz_yaml *yaml, const json_t *section, const char *key, const char *name) {
    enum { MOST = 256 };
    const char *names[MOST];
    size_t count = 0;
    const nz_arch_info *info;
    for (; count < MOST && (info = nz_arch_at(count)); count++) {
        if (strcmp(info->name, name) == 0) return NZ_OK;
        names[count] = info->name;
    }
    const char *near = nz_closest(name, names, count);
    return nz_yaml_fail(NZ_E_ARG, yaml, section, key, 0, "no architecture is called '%s'%s%s%s", name,
                        near ? "; did you mean '" : "", near ? near : "",
                        near ? "'?" : " (netzip train --list shows them)");
}

/* "3x32x32" */
static nz_status read_input(nz_network_source *source, const nz_yaml *yaml, const json_t *section) {
    NZ_AUTO_FREE char *text = NULL;
    long long *const extents[3] = {&source->channels, &source->height, &source->width};
    NZ_TRY(nz_text_value(&text, yaml, section, "input"));
    if (!text) return NZ_OK;
    size_t i = 0;
    bool good = true;
    for (char *rest = text, *word; good && (word = strsep(&rest, "x")); i++)
        good = i < 3 && nz_parse_int(extents[i], word, "input") == NZ_OK && *extents[i] >= 1 && *extents[i] <= 65536;
    if (good && i == 3) return NZ_OK;
    return nz_yaml_fail(NZ_E_ARG, yaml, section, "input", 0, "input should be CHANNELSxHEIGHTxWIDTH, such as 3x32x32");
}

/* Anchors that are given have to be some that the architecture can be built with. */
static nz_status read_anchors(nz_network_source *source, const nz_yaml *yaml, const json_t *section) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_TRY(nz_text_value(&source->anchors, yaml, section, "anchors"));
    if (!source->anchors) return NZ_OK;
    if (!source->arch || !nz_arch_get(source->arch)->detector)
        return nz_yaml_fail(NZ_E_ARG, yaml, section, "anchors", 0, "model: anchors go with an arch that is a detector");
    if (source->checkpoint)
        return nz_yaml_fail(NZ_E_ARG, yaml, section, "anchors", 0, "model: a checkpoint has anchors of its own");
    if (strcmp(source->anchors, NZ_ANCHORS_FIT) == 0) return NZ_OK;
    const nz_arch_options options = {.blank = true, .anchors = source->anchors};
    return nz_place_context(nz_arch_build(&graph, source->arch, &options), yaml, section, "anchors", 0);
}

static nz_status read_model(nz_description *d, const nz_yaml *yaml) {
    static const char *const known[] = {"arch", "checkpoint", "file", "classes", "input", "anchors"};
    const json_t *section = json_object_get(yaml->root, "model");
    nz_network_source *s = &d->source;
    if (json_is_string(section)) { /* a known architecture, else a file */
        NZ_TRY(nz_text_value(&s->arch, yaml, yaml->root, "model"));
        if (strchr(s->arch, '/') || strstr(s->arch, ".onnx")) s->file = NZ_STEAL(s->arch);
        return s->arch ? check_arch(yaml, yaml->root, "model", s->arch) : NZ_OK;
    }
    if (!json_is_object(section))
        return nz_yaml_fail(NZ_E_ARG, yaml, yaml->root, "model", 0, "model is needed: arch: NAME, or file: MODEL.onnx");
    NZ_TRY(nz_known_keys(yaml, section, known, NZ_COUNT(known), "model"));
    NZ_TRY(nz_text_value(&s->arch, yaml, section, "arch"));
    NZ_TRY(nz_text_value(&s->checkpoint, yaml, section, "checkpoint"));
    NZ_TRY(nz_text_value(&s->file, yaml, section, "file"));
    NZ_TRY(nz_int_value(&s->classes, yaml, section, "classes", 1, 1 << 24));
    NZ_TRY(read_input(s, yaml, section));
    if (!s->arch == !s->file)
        return nz_yaml_fail(NZ_E_ARG, yaml, yaml->root, "model", 0, "model: give either arch or file");
    if (s->file && (s->checkpoint || s->classes || s->channels))
        return nz_yaml_fail(NZ_E_ARG, yaml, section, "file", 0,
                            "model: checkpoint, classes and input go with arch, not with file");
    if (s->arch) NZ_TRY(check_arch(yaml, section, "arch", s->arch));
    return read_anchors(s, yaml, section);
}

/* ---- training ---- */

/* The options of a section as one text, without those that stand elsewhere. */
static nz_status section_text(nz_text *out, const nz_yaml *yaml, const json_t *section, const char *join,
                              const char *without) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)section, key, value) {
        NZ_AUTO_FREE char *text = NULL;
        if (without && strcmp(key, without) == 0) continue;
        nz_status status = nz_option_text(&text, value, join);
        if (status != NZ_OK) return nz_place_context(status, yaml, section, key, 0);
        nz_append_option(out, key, text);
    }
    return NZ_OK;
}

static nz_status read_training(nz_description *d, const nz_yaml *yaml) {
    const json_t *section = json_object_get(yaml->root, "train");
    NZ_AUTO(nz_train_options_done) nz_train_options options = {0};
    NZ_AUTO(nz_text_done) nz_text text = {0};
    if (!section || json_is_null(section)) {
        if (d->source.file || d->source.checkpoint) return NZ_OK;
        return nz_fail(NZ_E_ARG, "%s: train is needed: nothing else gives the network its weights", yaml->name);
    }
    if (!json_is_object(section))
        return nz_yaml_fail(NZ_E_ARG, yaml, yaml->root, "train", 0, "train should be a mapping (epochs: 15, ...)");
    NZ_TRY(section_text(&text, yaml, section, "+", "seed"));
    NZ_TRY(nz_text_take(&text, &d->training));
    return nz_place_by_message(nz_train_options_read(&options, d->training), yaml, section, yaml->root, "train", 0);
}

/* ---- seeds ---- */

static nz_status read_seeds(long long **ret_seeds, size_t *ret_count, const nz_yaml *yaml) {
    const json_t *value = json_object_get(yaml->root, "seeds");
    long long *seeds = NULL;
    size_t count = json_is_array(value) ? json_array_size(value) : 1;
    if (count == 0 || count > NZ_EXPERIMENT_SEEDS_MOST)
        return nz_yaml_fail(NZ_E_ARG, yaml, yaml->root, "seeds", 0, "seeds should be a list of 1 to %d numbers",
                            NZ_EXPERIMENT_SEEDS_MOST);
    NZ_TRY(nz_alloc(&seeds, count, sizeof *seeds));
    for (size_t i = 0; i < count && value; i++) {
        const json_t *item = json_is_array(value) ? json_array_get(value, i) : value;
        bool good = json_is_integer(item) && json_integer_value(item) >= 0;
        seeds[i] = good ? json_integer_value(item) : 0;
        for (size_t k = 0; k < i; k++) good = good && seeds[k] != seeds[i];
        if (good) continue;
        free(seeds);
        return nz_yaml_fail(NZ_E_ARG, yaml, yaml->root, "seeds", 0,
                            "seeds should be different whole numbers from 0 up");
    }
    *ret_seeds = seeds;
    *ret_count = count;
    return NZ_OK;
}

/* One network, of train: seed: or the first seed; or one for each seed, where that says "each". */
static nz_status read_networks(nz_description *d, const nz_yaml *yaml, const long long *seeds, size_t count,
                               bool *ret_each) {
    const json_t *train = json_object_get(yaml->root, "train"), *seed = json_object_get(train, "seed");
    *ret_each = json_is_string(seed) && strcmp(json_string_value(seed), "each") == 0;
    d->network_count = *ret_each ? count : 1;
    NZ_TRY(nz_alloc(&d->network_seeds, d->network_count, sizeof *d->network_seeds));
    memcpy(d->network_seeds, seeds, d->network_count * sizeof *seeds);
    return *ret_each ? NZ_OK : nz_int_value(d->network_seeds, yaml, train, "seed", 0, 1LL << 53);
}

/* ---- comparison ---- */

#define AT(field) offsetof(nz_comparison, field)
static const nz_option comparison_table[] = {
    {"metrics", NZ_OPTION_TEXT, AT(metrics), NULL, 0, 0, NULL, "metrics by id, category or all"},
    {"runtime", NZ_OPTION_TEXT, AT(runtime), NULL, 0, 0, NULL, "runtimes; native"},
    {"threads", NZ_OPTION_TEXT, AT(threads), NULL, 0, 0, NULL, "thread counts; 1"},
    {"batch", NZ_OPTION_TEXT, AT(batch), NULL, 0, 0, NULL, "batch sizes of throughput; 1"},
    {"detect", NZ_OPTION_TEXT, AT(detect), NULL, 0, 0, NULL, "how detectors' outputs become boxes: conf, iou, ..."},
    {"pictures", NZ_OPTION_INT, AT(pictures), "6", 0, 64, NULL, "images shown with detectors' boxes; 6"},
    {"performance", NZ_OPTION_TEXT, AT(performance), NULL, 0, 0, NULL,
     "metric of the performance ratio; top1, of detectors map50_95"},
    {"speedup", NZ_OPTION_TEXT, AT(speedup), NULL, 0, 0, NULL, "metric of the speedup ratio; chats"},
    {"compression", NZ_OPTION_TEXT, AT(compression), NULL, 0, 0, NULL, "metric of the compression ratio; disk_bytes"},
    {"efficiency", NZ_OPTION_TEXT, AT(efficiency), NULL, 0, 0, NULL, "metric of the efficiency ratio; energy_j"},
    {"lambda", NZ_OPTION_TEXT, AT(lambda), NULL, 0, 0, NULL, "four weights of OCS; 1,1,1,1"},
    {"zeta", NZ_OPTION_REAL, AT(zeta), "1", 1e-9, 1e9, NULL, "factor of a counted speedup; 1"},
    {"fail_if", NZ_OPTION_TEXT, AT(fail_if), NULL, 0, 0, NULL, "condition under which a model is too bad"},
    {"budget", NZ_OPTION_REAL, AT(budget_s), "3", 1e-3, 86400, NULL, "seconds for the latency of each variant; 3"},
    {"width", NZ_OPTION_REAL, AT(width_pct), "1", 1e-3, 100, NULL, "wanted width of intervals of latency in %; 1"},
    {"pin", NZ_OPTION_TEXT, AT(pin), NULL, 0, 0, NULL, "CPUs that models run on, 0,2-3; any"},
    {"priority", NZ_OPTION_TEXT, AT(priority), NULL, 0, 0, NULL, "nice value of models, -20 to 19"},
    {"cooldown", NZ_OPTION_TEXT, AT(cooldown), NULL, 0, 0, NULL, "rest before each block: seconds, or degrees (55C)"},
    {"timeout", NZ_OPTION_REAL, AT(timeout_s), "600", 1, 1e6, NULL, "seconds a model may say nothing; 600"},
    {"power", NZ_OPTION_TEXT, AT(power), NULL, 0, 0, NULL, "power source; the first usable one"},
    {"data", NZ_OPTION_TEXT, AT(data), NULL, 0, 0, NULL, "other samples than data: test:"},
};

/* A metric's id or alias, a category, or "all". */
static bool is_metric_word(const char *word) {
    const nz_metric *row;
    if (strcmp(word, "all") == 0 || nz_metric_find(word)) return true;
    for (size_t i = 0; (row = nz_metric_at(i)); i++)
        if (strcmp(row->category, word) == 0) return true;
    return false;
}

static nz_status check_metrics(const nz_comparison *c, const nz_yaml *yaml, const json_t *section) {
    const struct {
        const char *key, *text;
    } lists[] = {{"metrics", c->metrics},
                 {"performance", c->performance},
                 {"speedup", c->speedup},
                 {"compression", c->compression},
                 {"efficiency", c->efficiency}};
    for (size_t i = 0; i < NZ_COUNT(lists); i++) {
        NZ_AUTO_FREE char *list = NULL;
        NZ_TRY(nz_strdup(&list, lists[i].text ? lists[i].text : ""));
        for (char *rest = list, *word; (word = strsep(&rest, ","));) {
            if (!*word || is_metric_word(word)) continue;
            const char *near = nz_metric_closest(word);
            return nz_yaml_fail(NZ_E_ARG, yaml, section, lists[i].key, 0, "compare: no metric is called '%s'%s%s%s",
                                word, near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        }
    }
    NZ_AUTO(nz_condition_done) nz_condition condition = {0};
    if (!c->fail_if) return NZ_OK;
    return nz_place_context(nz_condition_parse(&condition, c->fail_if), yaml, section, "fail_if", 0);
}

/* Keys of detect.h, as a mapping or as the text that --detect takes. */
static nz_status read_detect(nz_text *out, const nz_yaml *yaml, const json_t *section) {
    const json_t *value = json_object_get(section, "detect");
    NZ_AUTO(nz_text_done) nz_text text = {0};
    NZ_AUTO(nz_detect_options_done) nz_detect_options options = {0};
    NZ_AUTO_FREE char *keys = NULL;
    if (!value || json_is_null(value)) return NZ_OK;
    if (json_is_object(value)) {
        NZ_TRY(section_text(&text, yaml, value, "+", NULL));
        NZ_TRY(nz_text_take(&text, &keys));
    } else {
        NZ_TRY(nz_text_value(&keys, yaml, section, "detect"));
    }
    NZ_TRY(nz_place_by_message(nz_detect_options_read(&options, keys, NULL), yaml, json_is_object(value) ? value : NULL,
                               section, "detect", 0));
    nz_append_option(out, "detect", keys);
    return out->status;
}

static nz_status read_comparison(nz_description *d, const nz_yaml *yaml) {
    const json_t *section = json_object_get(yaml->root, "compare");
    NZ_AUTO(nz_text_done) nz_text text = {0};
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    if (section && !json_is_object(section) && !json_is_null(section))
        return nz_yaml_fail(NZ_E_ARG, yaml, yaml->root, "compare", 0,
                            "compare should be a mapping (metrics: ..., ...)");
    nz_text_append(&text, "compare");
    NZ_TRY(section_text(&text, yaml, section, ",", "detect"));
    NZ_TRY(read_detect(&text, yaml, section));
    NZ_TRY(text.status);
    NZ_TRY(nz_spec_parse(&spec, text.data));
    NZ_TRY(nz_place_by_message(
        nz_options_read(&d->comparison, comparison_table, NZ_COUNT(comparison_table), &spec, "compare"), yaml, section,
        yaml->root, "compare", 0));
    return check_metrics(&d->comparison, yaml, section);
}

/* ---- the whole ---- */

void nz_description_done(nz_description *d) {
    free(d->name);
    free(d->text);
    free(d->train_data);
    free(d->test_data);
    free(d->calibration_data);
    free(d->source.arch);
    free(d->source.checkpoint);
    free(d->source.file);
    free(d->source.anchors);
    free(d->training);
    free(d->network_seeds);
    for (size_t i = 0; i < d->run_count; i++) {
        free(d->runs[i].name);
        free(d->runs[i].text);
    }
    free(d->runs);
    nz_options_done(&d->comparison, comparison_table, NZ_COUNT(comparison_table));
    *d = (nz_description){0};
}

static nz_status read_name(nz_description *d, const nz_yaml *yaml) {
    NZ_TRY(nz_text_value(&d->name, yaml, yaml->root, "name"));
    return d->name && *d->name ? NZ_OK : nz_path_stem(&d->name, yaml->name);
}

/* Whether seeds tell rows apart: several for all, or several of one method's own. */
static bool has_seeds(const nz_description *d, size_t seed_count) {
    for (size_t i = 0; i < d->run_count; i++)
        for (size_t k = 0; k < i; k++)
            if (d->runs[k].network == d->runs[i].network && strcmp(d->runs[k].name, d->runs[i].name) == 0) return true;
    return seed_count > 1;
}

nz_status nz_description_read(nz_description *ret_description, const nz_yaml *yaml) {
    static const char *const known[] = {"name", "about", "seeds", "data", "model", "train", "methods", "compare"};
    NZ_AUTO(nz_description_done) nz_description d = {0};
    NZ_AUTO_FREE long long *seeds = NULL;
    size_t seed_count = 0;
    bool each = false;
    if (!json_is_object(yaml->root))
        return nz_fail(NZ_E_ARG, "%s: not an experiment: keys such as data, model, train and methods are expected",
                       yaml->name);
    NZ_TRY(nz_known_keys(yaml, yaml->root, known, NZ_COUNT(known), "experiment"));
    NZ_TRY(read_name(&d, yaml));
    NZ_TRY(read_data(&d, yaml));
    NZ_TRY(read_model(&d, yaml));
    NZ_TRY(read_training(&d, yaml));
    NZ_TRY(read_seeds(&seeds, &seed_count, yaml));
    NZ_TRY(read_networks(&d, yaml, seeds, seed_count, &each));
    NZ_TRY(nz_methods_read(&d, yaml, seeds, seed_count, each));
    NZ_TRY(read_comparison(&d, yaml));
    d.is_seeded = has_seeds(&d, seed_count);
    *ret_description = d;
    d = (nz_description){0};
    return NZ_OK;
}
