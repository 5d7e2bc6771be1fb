/* SPDX-License-Identifier: Apache-2.0 */
/* One node with its weights per word. Extents are followed beside the graph, where they stay unknown until a pass infers
 * them: fan-in, flattening and the windows of pools depend on them. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/random.h"
#include "graph/arch.h"

enum { NAME_BYTES = 128 };

void nz_arch_module(nz_arch *arch, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(arch->module, sizeof arch->module, format, arguments);
    va_end(arguments);
}

static void full_name(const nz_arch *arch, char out[NAME_BYTES], const char *name, const char *suffix) {
    snprintf(out, NAME_BYTES, "%s%s%s", arch->module, name, suffix);
}

/* FNV-1a: every tensor's random stream follows from its name alone. */
static uint64_t hash_name(const char *name) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *name; name++) hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
    return hash;
}

typedef enum fill { FILL_VALUE, FILL_NORMAL, FILL_UNIFORM } fill;

/* A constant of `scale` everywhere, or drawn with that standard deviation or bound. */
static int add_constant(nz_arch *arch, const char *name, const char *suffix, const nz_shape *shape, fill how,
                        double scale) {
    char full[NAME_BYTES];
    int value = -1;
    NZ_AUTO_TENSOR nz_tensor tensor = {0};
    if (arch->status != NZ_OK) return -1;
    full_name(arch, full, name, suffix);
    arch->status = nz_tensor_init(&tensor, NZ_F32, shape);
    if (arch->status != NZ_OK) return -1;
    int64_t count = how == FILL_VALUE || !arch->blank ? nz_shape_elements(shape) : 0;
    float *out = tensor.data;
    nz_random random;
    nz_random_init(&random, arch->seed, hash_name(full));
    for (int64_t i = 0; i < count; i++)
        out[i] = how == FILL_VALUE    ? (float)scale
                 : how == FILL_NORMAL ? (float)scale * nz_random_normal(&random)
                                      : (float)((2 * nz_random_unit(&random) - 1) * scale);
    arch->status = nz_graph_add_constant(arch->graph, &value, full, &tensor);
    return value;
}

int nz_arch_add_ints(nz_arch *arch, const char *name, const char *suffix, const int64_t *values, int64_t count) {
    char full[NAME_BYTES];
    int value = -1;
    nz_shape shape = {1, {count}};
    NZ_AUTO_TENSOR nz_tensor tensor = {0};
    if (arch->status != NZ_OK) return -1;
    full_name(arch, full, name, suffix);
    arch->status = nz_tensor_init(&tensor, NZ_I64, &shape);
    if (arch->status != NZ_OK) return -1;
    memcpy(tensor.data, values, (size_t)count * sizeof *values);
    arch->status = nz_graph_add_constant(arch->graph, &value, full, &tensor);
    return value;
}

int nz_arch_add_floats(nz_arch *arch, const char *name, const nz_shape *shape, const float *values) {
    char full[NAME_BYTES];
    int value = -1;
    NZ_AUTO_TENSOR nz_tensor tensor = {0};
    if (arch->status != NZ_OK) return -1;
    full_name(arch, full, name, "");
    arch->status = nz_tensor_init(&tensor, NZ_F32, shape);
    if (arch->status != NZ_OK) return -1;
    memcpy(tensor.data, values, tensor.bytes);
    arch->status = nz_graph_add_constant(arch->graph, &value, full, &tensor);
    return value;
}

/* A weight of `outputs` filters over `inputs` channels. */
static int add_weight(nz_arch *arch, const char *name, const nz_shape *shape, nz_arch_init init) {
    int64_t kernel = 1;
    for (int i = 2; i < shape->rank; i++) kernel *= shape->dim[i];
    double fan_in = (double)(shape->dim[1] * kernel), fan_out = (double)(shape->dim[0] * kernel);
    static const fill fills[] = {FILL_NORMAL, FILL_NORMAL, FILL_UNIFORM, FILL_UNIFORM, FILL_NORMAL};
    const double scales[] = {sqrt(2 / fan_out), sqrt(2 / fan_in), sqrt(6 / fan_in), sqrt(1 / fan_in), 0.01};
    return add_constant(arch, name, ".weight", shape, fills[init], scales[init]);
}

/* Drawn as the weight of that fan-in is, where its rule is for the bias too; else 0. */
static int add_bias(nz_arch *arch, const char *name, int64_t count, int64_t fan_in, nz_arch_init init) {
    bool uniform = init == NZ_INIT_LINEAR;
    return add_constant(arch, name, ".bias", &(nz_shape){1, {count}}, uniform ? FILL_UNIFORM : FILL_VALUE,
                        uniform ? sqrt(1 / (double)fan_in) : 0);
}

static int add_vector(nz_arch *arch, const char *name, const char *suffix, int64_t count, double value) {
    return add_constant(arch, name, suffix, &(nz_shape){1, {count}}, FILL_VALUE, value);
}

nz_node *nz_arch_add_node(nz_arch *arch, nz_arch_map *x, const char *op, const char *name, const int *inputs,
                          size_t count) {
    static const nz_shape unknown = {.rank = -1};
    char full[NAME_BYTES], output[NAME_BYTES];
    int value = -1, node = -1;
    if (arch->status != NZ_OK) return NULL;
    full_name(arch, full, name, "");
    full_name(arch, output, name, ".output");
    arch->status = nz_graph_add_value(arch->graph, &value, output, NZ_F32, &unknown);
    if (arch->status == NZ_OK) arch->status = nz_graph_add_node(arch->graph, &node, op, full, inputs, count, &value, 1);
    if (arch->status != NZ_OK) return NULL;
    x->value = value;
    return &arch->graph->nodes[node];
}

/* Sets an attribute unless something has failed. */
void nz_arch_set_int(nz_arch *arch, nz_node *node, const char *name, int64_t value) {
    if (arch->status == NZ_OK) arch->status = nz_node_set_int(node, name, value);
}
void nz_arch_set_text(nz_arch *arch, nz_node *node, const char *name, const char *value) {
    if (arch->status == NZ_OK) arch->status = nz_node_set_string(node, name, value);
}
static void set_float(nz_arch *arch, nz_node *node, const char *name, float value) {
    if (arch->status == NZ_OK) arch->status = nz_node_set_float(node, name, value);
}
static void set_same(nz_arch *arch, nz_node *node, const char *name, int64_t value, size_t count) {
    int64_t values[4] = {value, value, value, value};
    if (arch->status == NZ_OK) arch->status = nz_node_set_ints(node, name, values, count);
}

/* The extent after a window has moved over it; where `ceil` is set, the last window may reach past the end. */
static int64_t moved(nz_arch *arch, int64_t extent, const nz_arch_conv *w, bool ceil) {
    int64_t stride = w->stride ? w->stride : 1;
    int64_t room = extent + 2 * w->padding - w->kernel;
    if (room >= 0) return (room + (ceil ? stride - 1 : 0)) / stride + 1;
    if (arch->status == NZ_OK)
        arch->status = nz_fail(NZ_E_ARG, "%s: images of %lldx%lld pixels (height x width) are too small for its layers",
                               arch->name, (long long)arch->height, (long long)arch->width);
    return 1;
}

static void set_window(nz_arch *arch, nz_node *node, const nz_arch_conv *w) {
    set_same(arch, node, "kernel_shape", w->kernel, 2);
    set_same(arch, node, "pads", w->padding, 4);
    set_same(arch, node, "strides", w->stride ? w->stride : 1, 2);
}

nz_arch_map nz_arch_add_conv(nz_arch *arch, nz_arch_map x, const char *name, const nz_arch_conv *c) {
    int64_t groups = c->groups ? c->groups : 1;
    nz_shape shape = {4, {c->outputs, x.channels / groups, c->kernel, c->kernel}};
    int inputs[3] = {x.value, add_weight(arch, name, &shape, arch->conv_init), -1};
    if (c->bias) inputs[2] = add_bias(arch, name, c->outputs, shape.dim[1] * c->kernel * c->kernel, arch->conv_init);
    x.channels = c->outputs;
    x.height = moved(arch, x.height, c, false);
    x.width = moved(arch, x.width, c, false);
    nz_node *node = nz_arch_add_node(arch, &x, "Conv", name, inputs, c->bias ? 3 : 2);
    if (!node) return x;
    set_same(arch, node, "dilations", 1, 2);
    nz_arch_set_int(arch, node, "group", groups);
    set_window(arch, node, c);
    return x;
}

nz_arch_map nz_arch_add_norm(nz_arch *arch, nz_arch_map x, const char *name) {
    static const char *const suffixes[] = {".weight", ".bias", ".running_mean", ".running_var"};
    int inputs[5] = {x.value};
    for (int i = 0; i < 4; i++) inputs[i + 1] = add_vector(arch, name, suffixes[i], x.channels, i % 3 == 0);
    nz_node *node = nz_arch_add_node(arch, &x, "BatchNormalization", name, inputs, 5);
    if (!node) return x;
    set_float(arch, node, "epsilon", arch->norm_epsilon);
    set_float(arch, node, "momentum", arch->norm_momentum);
    return x;
}

nz_arch_map nz_arch_add_linear(nz_arch *arch, nz_arch_map x, const char *name, int64_t outputs) {
    nz_shape shape = {2, {outputs, x.channels}};
    int inputs[3] = {x.value, add_weight(arch, name, &shape, arch->linear_init),
                     add_bias(arch, name, outputs, x.channels, arch->linear_init)};
    x.channels = outputs;
    nz_node *node = nz_arch_add_node(arch, &x, "Gemm", name, inputs, 3);
    if (node) nz_arch_set_int(arch, node, "transB", 1);
    return x;
}

nz_arch_map nz_arch_add_relu(nz_arch *arch, nz_arch_map x, const char *name) {
    nz_arch_add_node(arch, &x, "Relu", name, &x.value, 1);
    return x;
}

nz_arch_map nz_arch_add_relu6(nz_arch *arch, nz_arch_map x, const char *name) {
    nz_shape scalar = {0};
    int inputs[3] = {x.value, add_constant(arch, name, ".min", &scalar, FILL_VALUE, 0),
                     add_constant(arch, name, ".max", &scalar, FILL_VALUE, 6)};
    nz_arch_add_node(arch, &x, "Clip", name, inputs, 3);
    return x;
}

nz_arch_map nz_arch_add_sum(nz_arch *arch, nz_arch_map a, nz_arch_map b, const char *name) {
    int inputs[2] = {a.value, b.value};
    nz_arch_add_node(arch, &a, "Add", name, inputs, 2);
    return a;
}

nz_arch_map nz_arch_add_silu(nz_arch *arch, nz_arch_map x, const char *name) {
    char gate[NAME_BYTES / 4];
    nz_arch_map gated = x;
    snprintf(gate, sizeof gate, "%s.gate", name);
    nz_arch_add_node(arch, &gated, "Sigmoid", gate, &x.value, 1);
    int inputs[2] = {x.value, gated.value};
    nz_arch_add_node(arch, &x, "Mul", name, inputs, 2);
    return x;
}

nz_arch_map nz_arch_add_concat(nz_arch *arch, const nz_arch_map *maps, size_t count, const char *name) {
    int inputs[8];
    nz_arch_map x = maps[0];
    if (arch->status == NZ_OK && count > NZ_COUNT(inputs))
        arch->status = nz_fail(NZ_E_INTERNAL, "%s: %s joins %zu maps", arch->name, name, count);
    if (arch->status != NZ_OK) return x;
    x.channels = 0;
    for (size_t i = 0; i < count; i++) {
        inputs[i] = maps[i].value;
        x.channels += maps[i].channels;
    }
    nz_node *node = nz_arch_add_node(arch, &x, "Concat", name, inputs, count);
    if (node) nz_arch_set_int(arch, node, "axis", 1);
    return x;
}

nz_arch_map nz_arch_add_upsample(nz_arch *arch, nz_arch_map x, const char *name) {
    static const float scales[4] = {1, 1, 2, 2};
    char constant[NAME_BYTES];
    snprintf(constant, sizeof constant, "%s:scales", name);
    int inputs[3] = {x.value, NZ_NO_VALUE, nz_arch_add_floats(arch, constant, &(nz_shape){1, {4}}, scales)};
    nz_node *node = nz_arch_add_node(arch, &x, "Resize", name, inputs, 3);
    x.height *= 2;
    x.width *= 2;
    if (!node) return x;
    nz_arch_set_text(arch, node, "mode", "nearest");
    nz_arch_set_text(arch, node, "coordinate_transformation_mode", "asymmetric");
    nz_arch_set_text(arch, node, "nearest_mode", "floor");
    return x;
}

nz_arch_map nz_arch_add_dropout(nz_arch *arch, nz_arch_map x, const char *name, float ratio) {
    nz_shape scalar = {0};
    int inputs[2] = {x.value, add_constant(arch, name, ".ratio", &scalar, FILL_VALUE, (double)ratio)};
    nz_arch_add_node(arch, &x, "Dropout", name, inputs, 2);
    return x;
}

nz_arch_map nz_arch_add_max_pool(nz_arch *arch, nz_arch_map x, const char *name, const nz_arch_conv *window,
                                 bool ceil) {
    x.height = moved(arch, x.height, window, ceil);
    x.width = moved(arch, x.width, window, ceil);
    nz_node *node = nz_arch_add_node(arch, &x, "MaxPool", name, &x.value, 1);
    if (!node) return x;
    set_window(arch, node, window);
    nz_arch_set_int(arch, node, "ceil_mode", ceil);
    return x;
}

nz_arch_map nz_arch_add_flatten(nz_arch *arch, nz_arch_map x, const char *name) {
    x.channels *= x.height * x.width;
    x.height = x.width = 1;
    nz_node *node = nz_arch_add_node(arch, &x, "Flatten", name, &x.value, 1);
    if (node) nz_arch_set_int(arch, node, "axis", 1);
    return x;
}

nz_arch_map nz_arch_add_global_pool(nz_arch *arch, nz_arch_map x, const char *name) {
    x.height = x.width = 1;
    nz_arch_add_node(arch, &x, "GlobalAveragePool", name, &x.value, 1);
    return nz_arch_add_flatten(arch, x, "flatten");
}

static int64_t common_multiple(int64_t a, int64_t b) {
    int64_t x = a, y = b;
    while (y) {
        int64_t rest = x % y;
        x = y;
        y = rest;
    }
    return a / x * b;
}

/* Along one axis: each window's positions are gathered as many times as make all windows equally long, which leaves their
 * means as they are; then a pool of that length. A map of 1 is only repeated. */
static nz_arch_map adapt_axis(nz_arch *arch, nz_arch_map x, const char *name, int axis, int64_t extent, int64_t side) {
    int64_t taps = 1, *indices = NULL;
    char gather[NAME_BYTES], pool[NAME_BYTES];
    if (arch->status != NZ_OK) return x;
    for (int64_t i = 0; i < side; i++)
        taps = common_multiple(taps, ((i + 1) * extent + side - 1) / side - i * extent / side);
    arch->status = nz_alloc(&indices, (size_t)(side * taps), sizeof *indices);
    if (arch->status != NZ_OK) return x;
    for (int64_t i = 0; i < side; i++) {
        int64_t first = i * extent / side, length = ((i + 1) * extent + side - 1) / side - first;
        for (int64_t t = 0; t < taps; t++) indices[i * taps + t] = first + t * length / taps;
    }
    snprintf(gather, sizeof gather, "%s.%s", name, axis == 2 ? "rows" : "columns");
    snprintf(pool, sizeof pool, "%s.%s_mean", name, axis == 2 ? "rows" : "columns");
    int inputs[2] = {x.value, -1};
    /* Where windows do not overlap the pool alone does it. */
    if (side * taps != extent) {
        inputs[1] = nz_arch_add_ints(arch, gather, ".indices", indices, side * taps);
        nz_node *node = nz_arch_add_node(arch, &x, "Gather", gather, inputs, 2);
        if (node) nz_arch_set_int(arch, node, "axis", axis);
    }
    free(indices);
    if (taps == 1) return x;
    nz_node *node = nz_arch_add_node(arch, &x, "AveragePool", pool, &x.value, 1);
    if (!node) return x;
    const int64_t window[2] = {axis == 2 ? taps : 1, axis == 2 ? 1 : taps};
    arch->status = nz_node_set_ints(node, "kernel_shape", window, 2);
    if (arch->status == NZ_OK) arch->status = nz_node_set_ints(node, "strides", window, 2);
    set_same(arch, node, "pads", 0, 4);
    return x;
}

nz_arch_map nz_arch_add_adaptive_pool(nz_arch *arch, nz_arch_map x, const char *name, int64_t side) {
    x = adapt_axis(arch, x, name, 2, x.height, side);
    x = adapt_axis(arch, x, name, 3, x.width, side);
    x.height = x.width = side;
    return x;
}

nz_arch_map nz_arch_add_subsample(nz_arch *arch, nz_arch_map x, const char *name, int64_t channels) {
    static const int64_t starts[2] = {0, 0}, ends[2] = {INT64_MAX, INT64_MAX}, axes[2] = {2, 3}, steps[2] = {2, 2};
    char slice[NAME_BYTES], pad[NAME_BYTES];
    snprintf(slice, sizeof slice, "%s.slice", name);
    snprintf(pad, sizeof pad, "%s.pad", name);
    int inputs[5] = {x.value, nz_arch_add_ints(arch, slice, ".starts", starts, 2),
                     nz_arch_add_ints(arch, slice, ".ends", ends, 2), nz_arch_add_ints(arch, slice, ".axes", axes, 2),
                     nz_arch_add_ints(arch, slice, ".steps", steps, 2)};
    nz_arch_add_node(arch, &x, "Slice", slice, inputs, 5);
    int64_t each = channels / 2, pads[8] = {0, each, 0, 0, 0, each, 0, 0};
    int padded[2] = {x.value, nz_arch_add_ints(arch, pad, ".pads", pads, 8)};
    nz_arch_add_node(arch, &x, "Pad", pad, padded, 2);
    x.channels += 2 * each;
    x.height = (x.height + 1) / 2;
    x.width = (x.width + 1) / 2;
    return x;
}
