/* SPDX-License-Identifier: Apache-2.0 */
/* The list of known architectures, and building one of them. */
#include "graph/arch.h"

#include <string.h>

#include "core/error.h"
#include "core/text.h"

enum { CLASSES_MAX = 1 << 24, CHANNELS_MAX = 4096, SIDE_MAX = 65535, NAMES_MAX = 256 };

static const nz_arch_entry *const families[] = {nz_arch_resnets, nz_arch_vggs, nz_arch_mobilenets, nz_arch_squeezenets,
                                                nz_arch_yolov5s};

static const nz_arch_entry *entry_at(size_t i) {
    for (size_t f = 0; f < NZ_COUNT(families); f++)
        for (const nz_arch_entry *e = families[f]; e->info.name; e++)
            if (i-- == 0) return e;
    return NULL;
}

const nz_arch_info *nz_arch_at(size_t i) {
    const nz_arch_entry *entry = entry_at(i);
    return entry ? &entry->info : NULL;
}

const nz_arch_info *nz_arch_get(const char *name) {
    for (size_t i = 0; entry_at(i); i++)
        if (strcmp(entry_at(i)->info.name, name) == 0) return &entry_at(i)->info;
    return NULL;
}

nz_status nz_arch_find(const nz_arch_entry **ret_entry, const char *name) {
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (const nz_arch_entry *e; count < NAMES_MAX && (e = entry_at(count)); count++) {
        if (strcmp(e->info.name, name) == 0) {
            *ret_entry = e;
            return NZ_OK;
        }
        names[count] = e->info.name;
    }
    const char *near = nz_closest(name, names, count);
    return nz_fail(NZ_E_ARG, "unknown architecture '%s'%s%s%s", name, near ? "; did you mean '" : "", near ? near : "",
                   near ? "'?" : " (netzip train --list shows them)");
}

static nz_status choose(int64_t *ret_value, int64_t wanted, int64_t own, int64_t most, const char *name,
                        const char *what) {
    if (wanted < 0 || wanted > most)
        return nz_fail(NZ_E_ARG, "%s: %lld %s; 1 to %lld are possible", name, (long long)wanted, what, (long long)most);
    *ret_value = wanted ? wanted : own;
    return NZ_OK;
}

static nz_status read_options(nz_arch *arch, const nz_arch_info *info, const nz_arch_options *options) {
    static const nz_arch_options none;
    const nz_arch_options *o = options ? options : &none;
    arch->seed = o->seed;
    arch->blank = o->blank;
    arch->anchors = o->anchors;
    NZ_TRY(choose(&arch->classes, o->classes, info->classes, CLASSES_MAX, info->name, "classes"));
    NZ_TRY(choose(&arch->channels, o->channels, info->channels, CHANNELS_MAX, info->name, "channels"));
    NZ_TRY(choose(&arch->height, o->height, info->height, SIDE_MAX, info->name, "rows of pixels"));
    NZ_TRY(choose(&arch->width, o->width, info->width, SIDE_MAX, info->name, "columns of pixels"));
    int64_t unit = info->detector ? info->detector->strides[NZ_ARCH_LEVELS - 1] : 1;
    if (arch->height % unit == 0 && arch->width % unit == 0) return NZ_OK;
    return nz_fail(NZ_E_ARG, "%s: images of %lldx%lld pixels (height x width); both have to be multiples of %lld",
                   info->name, (long long)arch->height, (long long)arch->width, (long long)unit);
}

static nz_status name_batch(nz_graph *graph, int value) { return nz_strdup(&graph->values[value].dim_names[0], "N"); }

static nz_status tell_letterbox(const nz_arch *arch) {
    NZ_AUTO_FREE char *text = NULL;
    long long height = arch->height, width = arch->width;
    if (height == width)
        NZ_TRY(nz_format(&text, "letterbox=%lld:centre:114:round", height));
    else
        NZ_TRY(nz_format(&text, "letterbox=%lldx%lld:centre:114:round", height, width));
    return nz_graph_set_meta(arch->graph, "netzip.preprocess", text);
}

static nz_status build(nz_arch *arch, const nz_arch_entry *entry) {
    nz_graph *g = arch->graph;
    nz_arch_map image = {-1, arch->channels, arch->height, arch->width};
    nz_shape in = {4, {-1, arch->channels, arch->height, arch->width}}, out = {2, {-1, arch->classes}};
    NZ_TRY(nz_strdup(&g->name, arch->name));
    NZ_TRY(nz_graph_add_value(g, &image.value, "input", NZ_F32, &in));
    NZ_TRY(nz_graph_add_input(g, image.value));
    NZ_TRY(name_batch(g, image.value));
    nz_arch_map scores = entry->build(arch, image, entry->plan);
    NZ_TRY(arch->status);
    if (entry->info.detector) out = (nz_shape){3, {-1, scores.height, scores.channels}};
    NZ_TRY(nz_graph_rename_value(g, scores.value, "output"));
    g->values[scores.value].shape = out;
    NZ_TRY(name_batch(g, scores.value));
    NZ_TRY(nz_graph_add_output(g, scores.value));
    g->opset = NZ_OPSET;
    if (entry->info.detector) {
        NZ_TRY(nz_arch_describe_boxes(g, entry->info.detector));
        NZ_TRY(tell_letterbox(arch));
    }
    return nz_graph_finish(g);
}

nz_status nz_arch_describe(nz_graph *graph, const char *name) {
    const nz_arch_entry *entry = NULL;
    NZ_TRY(nz_arch_find(&entry, name));
    return entry->info.detector ? nz_arch_describe_boxes(graph, entry->info.detector) : NZ_OK;
}

nz_status nz_arch_build(nz_graph **ret_graph, const char *name, const nz_arch_options *options) {
    const nz_arch_entry *entry = NULL;
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_TRY(nz_arch_find(&entry, name));
    nz_arch arch = {.name = entry->info.name, .norm_epsilon = 1e-5f, .norm_momentum = 0.9f};
    NZ_TRY(read_options(&arch, &entry->info, options));
    NZ_TRY(nz_graph_new(&graph));
    arch.graph = graph;
    NZ_TRY(build(&arch, entry));
    *ret_graph = NZ_STEAL(graph);
    return NZ_OK;
}
