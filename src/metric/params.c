/* SPDX-License-Identifier: Apache-2.0 */
/* The parameter rule of metrics.md: which constants of a model are its parameters, and which of their elements are zero. */
#include <string.h>

#include "core/error.h"
#include "metric/trace.h"

/* Bits: 1 << input. Zero points stand for the inputs 0..3 of operators that take integers without a DequantizeLinear. */
static const nz_param_inputs table[] = {
    {"BatchNormalization", 0, 1u << 1 | 1u << 2, 0, {0}},
    {"Conv", 1u << 1, 1u << 2, 1u << 0 | 1u << 1, {0}},
    {"ConvInteger", 1u << 1, 0, 1u << 0 | 1u << 1, {2, 3, 0, 0}},
    {"ConvTranspose", 1u << 1, 1u << 2, 1u << 0 | 1u << 1, {0}},
    {"GRU", 0, 1u << 1 | 1u << 2 | 1u << 3, 1u << 0 | 1u << 1 | 1u << 2, {0}},
    {"Gemm", 1u << 0 | 1u << 1, 1u << 2, 1u << 0 | 1u << 1, {0}},
    {"GroupNormalization", 0, 1u << 1 | 1u << 2, 0, {0}},
    {"InstanceNormalization", 0, 1u << 1 | 1u << 2, 0, {0}},
    {"LSTM", 0, 1u << 1 | 1u << 2 | 1u << 3 | 1u << 7, 1u << 0 | 1u << 1 | 1u << 2, {0}},
    {"LayerNormalization", 0, 1u << 1 | 1u << 2, 0, {0}},
    {"MatMul", 1u << 0 | 1u << 1, 0, 1u << 0 | 1u << 1, {0}},
    {"MatMulInteger", 1u << 0 | 1u << 1, 0, 1u << 0 | 1u << 1, {2, 3, 0, 0}},
    {"PRelu", 0, 1u << 1, 0, {0}},
    {"QLinearConv", 1u << 3, 1u << 8, 1u << 0 | 1u << 3, {2, 0, 0, 5}},
    {"QLinearMatMul", 1u << 0 | 1u << 3, 0, 1u << 0 | 1u << 3, {2, 0, 0, 5}},
    {"RMSNormalization", 0, 1u << 1, 0, {0}},
    {"RNN", 0, 1u << 1 | 1u << 2 | 1u << 3, 1u << 0 | 1u << 1 | 1u << 2, {0}},
};

const nz_param_inputs *nz_param_inputs_of(const nz_node *node) {
    if (*node->domain) return NULL;
    for (size_t i = 0; i < NZ_COUNT(table); i++)
        if (strcmp(table[i].op, node->op_type) == 0) return &table[i];
    return NULL;
}

/* ---- Zeros ---- */

/* The zero point's index of element i: per tensor, per axis, or per block of an axis. */
typedef struct zero_index {
    int64_t inner, extent, block, blocks;
} zero_index;

static int64_t zero_at(const zero_index *z, int64_t i) {
    if (z->extent == 0) return 0;
    int64_t along = i / z->inner % z->extent;
    if (z->block == 0) return along;
    return (i / z->inner / z->extent * z->blocks + along / z->block) * z->inner + i % z->inner;
}

static uint64_t nonzero_integers(const nz_tensor *t, const nz_tensor *zero_point, int64_t axis, int64_t block) {
    int64_t elements = nz_shape_elements(&t->shape), zeros = zero_point ? nz_shape_elements(&zero_point->shape) : 0;
    zero_index z = {.inner = 1};
    if (zeros > 1) {
        if (axis < 0) axis += t->shape.rank;
        if (axis < 0 || axis >= t->shape.rank || block < 0) return (uint64_t)elements;
        for (int d = (int)axis + 1; d < t->shape.rank; d++) z.inner *= t->shape.dim[d];
        z.extent = t->shape.dim[axis];
        z.block = block;
        z.blocks = block > 0 ? (z.extent + block - 1) / block : 0;
        if (zero_at(&z, elements - 1) >= zeros)
            return (uint64_t)elements; /* zero points that do not fit: none is a zero */
    }
    uint64_t count = 0;
    if (zeros <= 1 && (t->dtype == NZ_I8 || t->dtype == NZ_U8)) {
        uint8_t zero = zeros ? (uint8_t)nz_tensor_int(zero_point, 0) : 0;
        const uint8_t *bytes = t->data;
        for (int64_t i = 0; i < elements; i++) count += bytes[i] != zero;
        return count;
    }
    for (int64_t i = 0; i < elements; i++)
        count += nz_tensor_int(t, i) != (zeros ? nz_tensor_int(zero_point, zero_at(&z, i)) : 0);
    return count;
}

uint64_t nz_count_nonzero(const nz_tensor *tensor, const nz_tensor *zero_point, int64_t axis, int64_t block) {
    int64_t elements = nz_shape_elements(&tensor->shape);
    uint64_t count = 0;
    if (elements <= 0 || !tensor->data) return 0;
    if (nz_dtype_get(tensor->dtype)->is_integer)
        return nonzero_integers(tensor, zero_point && zero_point->data ? zero_point : NULL, axis, block);
    const char *bytes = tensor->data;
    switch (tensor->dtype) {
    case NZ_F32: /* mapped weights need not be aligned; everything but the sign bit is 0 in both zeros */
        for (int64_t i = 0; i < elements; i++) {
            uint32_t word;
            memcpy(&word, bytes + 4 * i, sizeof word);
            count += (word & 0x7fffffffu) != 0;
        }
        return count;
    case NZ_F16:
    case NZ_BF16:
        for (int64_t i = 0; i < elements; i++) {
            uint16_t word;
            memcpy(&word, bytes + 2 * i, sizeof word);
            count += (word & 0x7fffu) != 0;
        }
        return count;
    default:
        for (int64_t i = 0; i < elements; i++) count += !(nz_tensor_real(tensor, i) == 0);
        return count;
    }
}

/* ---- Which constants are parameters ---- */

typedef struct finder {
    const nz_graph *graph;
    nz_params params;
    size_t capacity;
    struct bucket {
        const void *data;
        int item; /* index + 1 */
    } * buckets;  /* by where a tensor's bytes lie: an Identity that was folded shares them, and counts once */
    size_t bucket_mask;
} finder;

static struct bucket *bucket_of(finder *f, const void *data) {
    size_t hash = (size_t)((uintptr_t)data * UINT64_C(0x9e3779b97f4a7c15) >> 20);
    while (f->buckets[hash & f->bucket_mask].item && f->buckets[hash & f->bucket_mask].data != data) hash++;
    return &f->buckets[hash & f->bucket_mask];
}

static const nz_node *node_before(const nz_graph *graph, int value) {
    if (value == NZ_NO_VALUE || nz_value_is_constant(graph, value) || graph->values[value].producer < 0) return NULL;
    const nz_node *node = &graph->nodes[graph->values[value].producer];
    return *node->domain || node->input_count == 0 ? NULL : node;
}

static bool is_one_of(const char *op, const char *const *names) {
    for (; *names; names++)
        if (strcmp(op, *names) == 0) return true;
    return false;
}

/* Adds the constant that reaches `value`, if one does. zero_point: of an integer constant read without DequantizeLinear. */
static nz_status add(finder *f, int value, int node, bool is_weight, int zero_point) {
    static const char *const through[] = {"DequantizeLinear", "Cast", "Identity", "Reshape", "Transpose", NULL};
    nz_param param = {.node = node, .is_weight = is_weight, .zero_point = zero_point};
    for (const nz_node *n; (n = node_before(f->graph, value)); value = n->inputs[0]) {
        if (!is_one_of(n->op_type, through)) return NZ_OK;
        if (strcmp(n->op_type, "DequantizeLinear") != 0) continue;
        param.zero_point = n->input_count > 2 ? n->inputs[2] : NZ_NO_VALUE;
        param.axis = nz_attr_int(n, "axis", 1);
        param.block = nz_attr_int(n, "block_size", 0);
    }
    if (value == NZ_NO_VALUE || !nz_value_is_constant(f->graph, value)) return NZ_OK;
    const nz_tensor *tensor = &f->graph->values[value].constant;
    struct bucket *bucket = bucket_of(f, tensor->data);
    if (bucket->item) {
        f->params.items[bucket->item - 1].is_weight |= is_weight;
        f->params.of_value[value] = bucket->item - 1;
        return NZ_OK;
    }
    param.value = value;
    param.elements = (uint64_t)nz_shape_elements(&tensor->shape);
    NZ_TRY(nz_grow(&f->params.items, &f->capacity, f->params.count + 1, sizeof *f->params.items));
    f->params.items[f->params.count++] = param;
    *bucket = (struct bucket){tensor->data, (int)f->params.count};
    f->params.of_value[value] = (int)f->params.count - 1;
    return NZ_OK;
}

/* The one axis along which a constant of `shape`, broadcast against `rank` axes, varies; -1: none (a single element);
 * -2: several. */
static int only_axis(const nz_shape *shape, int rank) {
    int axis = -1;
    for (int d = 0; d < shape->rank; d++) {
        if (shape->dim[d] == 1) continue;
        if (axis != -1) return -2;
        axis = rank - shape->rank + d;
    }
    return axis;
}

/* Whether `value`, read along `axis`, is the output of a node with MACs whose channels lie on that axis. */
static bool is_channel_of_macs(const nz_graph *graph, int value, int axis, int64_t extent) {
    static const char *const unchanged[] = {"DequantizeLinear", "QuantizeLinear", "Cast", "Identity", NULL};
    for (const nz_node *n; (n = node_before(graph, value)); value = n->inputs[0]) {
        const nz_param_inputs *inputs = nz_param_inputs_of(n);
        const nz_shape *shape = &graph->values[value].shape;
        if (inputs && inputs->weights) {
            bool conv = strstr(n->op_type, "Conv") != NULL;
            int channel = conv ? 1 : shape->rank - 1;
            return shape->rank > channel && channel >= 0 && (axis < 0 || axis == channel) &&
                   shape->dim[channel] == extent;
        }
        if (is_one_of(n->op_type, unchanged)) continue;
        if (n->inputs[0] == NZ_NO_VALUE) return false;
        const nz_shape *before = &graph->values[n->inputs[0]].shape;
        size_t count = 0;
        const int64_t *perm = nz_attr_ints(n, "perm", &count);
        if (strcmp(n->op_type, "Transpose") == 0 && axis < (int)count) {
            if (axis >= 0) axis = (int)perm[axis];
        } else if (strcmp(n->op_type, "Reshape") == 0 && axis >= 0 && axis == shape->rank - 1 && before->rank > 0 &&
                   before->dim[before->rank - 1] == extent) {
            axis = before->rank - 1;
        } else {
            return false;
        }
    }
    return false;
}

/* An Add that is a bias: a constant broadcast per channel after a node with MACs. */
static nz_status add_bias(finder *f, int index) {
    const nz_node *node = &f->graph->nodes[index];
    if (node->input_count != 2) return NZ_OK;
    for (int i = 0; i < 2; i++) {
        int constant = node->inputs[i], other = node->inputs[1 - i];
        if (constant == NZ_NO_VALUE || other == NZ_NO_VALUE) continue;
        const nz_shape *shape = &f->graph->values[constant].shape, *data = &f->graph->values[other].shape;
        if (!nz_shape_known(shape) || data->rank < shape->rank) continue;
        int axis = only_axis(shape, data->rank);
        if (axis != -2 && is_channel_of_macs(f->graph, other, axis, nz_shape_elements(shape)))
            NZ_TRY(add(f, constant, index, false, NZ_NO_VALUE));
    }
    return NZ_OK;
}

/* An embedding: rows of a constant table of real numbers, picked by indices that are computed. */
static nz_status add_embedding(finder *f, int index) {
    const nz_node *node = &f->graph->nodes[index];
    if (node->input_count < 2 || node->inputs[0] == NZ_NO_VALUE || nz_attr_int(node, "axis", 0) != 0) return NZ_OK;
    const nz_value *table_value = &f->graph->values[node->inputs[0]];
    if (!nz_dtype_get(table_value->dtype)->is_float || table_value->shape.rank < 2 ||
        nz_value_is_constant(f->graph, node->inputs[1]))
        return NZ_OK;
    return add(f, node->inputs[0], index, false, NZ_NO_VALUE);
}

static nz_status add_node(finder *f, int index) {
    const nz_node *node = &f->graph->nodes[index];
    if (*node->domain) return NZ_OK;
    if (strcmp(node->op_type, "Add") == 0) return add_bias(f, index);
    if (strcmp(node->op_type, "Gather") == 0) return add_embedding(f, index);
    const nz_param_inputs *inputs = nz_param_inputs_of(node);
    for (size_t i = 0; inputs && i < node->input_count && i < 32; i++) {
        bool weight = inputs->weights >> i & 1u;
        if (!weight && !(inputs->others >> i & 1u)) continue;
        size_t zero = i < NZ_COUNT(inputs->zero_points) ? (size_t)inputs->zero_points[i] : 0;
        NZ_TRY(add(f, node->inputs[i], index, weight,
                   zero && zero < node->input_count ? node->inputs[zero] : NZ_NO_VALUE));
    }
    return NZ_OK;
}

static void free_finder(finder *f) {
    nz_params_done(&f->params);
    free(f->buckets);
}

nz_status nz_params_init(nz_params *ret_params, const nz_graph *graph, bool count_zeros) {
    NZ_AUTO(free_finder) finder f = {.graph = graph};
    size_t buckets = 16;
    while (buckets < 2 * graph->value_count) buckets *= 2;
    f.bucket_mask = buckets - 1;
    NZ_TRY(nz_alloc(&f.buckets, buckets, sizeof *f.buckets));
    NZ_TRY(nz_alloc(&f.params.of_value, graph->value_count, sizeof *f.params.of_value));
    for (size_t v = 0; v < graph->value_count; v++) f.params.of_value[v] = -1;
    for (size_t n = 0; n < graph->node_count; n++) NZ_TRY(add_node(&f, (int)n));
    for (size_t i = 0; count_zeros && i < f.params.count; i++) {
        nz_param *p = &f.params.items[i];
        const nz_tensor *zero = p->zero_point == NZ_NO_VALUE ? NULL : &graph->values[p->zero_point].constant;
        p->nonzero = nz_count_nonzero(&graph->values[p->value].constant, zero, p->axis, p->block);
    }
    *ret_params = f.params;
    f.params = (nz_params){0};
    return NZ_OK;
}

void nz_params_done(nz_params *params) {
    free(params->items);
    free(params->of_value);
    *params = (nz_params){0};
}
