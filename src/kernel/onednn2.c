/* SPDX-License-Identifier: Apache-2.0 */
/*
 * oneDNN 2.6 as a provider. Scales, zero points and the bias arrive in real units;
 * oneDNN 2 wants one output scale and what remains as post-operations, so values on their way through the
 * post-operations are tracked as stored = gain x real + offset, and gain and offset are chosen so that as little as
 * possible has to be computed for the conversion.
 */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "kernel/onednn2.h"

enum { ARGS_MOST = 8 };

typedef struct onednn {
    nz_kernel base;
    dnnl_primitive_t primitive;
    dnnl_memory_t weights, bias;       /* owned, packed */
    dnnl_memory_t bound[NZ_ARG_COUNT]; /* NULL where the primitive has no such argument */
    dnnl_memory_t constant;            /* owned: an operand made here */
    dnnl_exec_arg_t args[ARGS_MOST];
    int arg_count;
} onednn;

/* What a creation holds on the way. */
typedef struct creation {
    const nz_kernel_desc *desc;
    onednn *kernel;
    dnnl_primitive_attr_t attr;
    dnnl_post_ops_t posts;
    dnnl_primitive_desc_t primitive;
    float *output_scales; /* of int8 weights: gain x source scale x weight scale, per channel */
    size_t output_scale_count;
    float *bias; /* as oneDNN adds it: before the output scale */
    int64_t channels;
    int binary_at; /* index of the post-operation that reads src1; -1 */
} creation;

bool nz_kernel_sums_exactly(void) {
#if defined(__x86_64__) || defined(__i386__)
    unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    return (isa & dnnl_cpu_isa_avx512_core_vnni) == dnnl_cpu_isa_avx512_core_vnni ||
           (isa & dnnl_cpu_isa_avx2_vnni) == dnnl_cpu_isa_avx2_vnni;
#else
    return true;
#endif
}

dnnl_engine_t nz_onednn_engine;
dnnl_stream_t nz_onednn_stream;
static dnnl_status_t engine_status;

static void make_engine(void) {
    engine_status = dnnl_engine_create(&nz_onednn_engine, dnnl_cpu, 0);
    if (engine_status == dnnl_success)
        engine_status = dnnl_stream_create(&nz_onednn_stream, nz_onednn_engine, dnnl_stream_default_flags);
}

nz_status nz_onednn_check(dnnl_status_t status) {
    if (status == dnnl_success) return NZ_OK;
    return status == dnnl_out_of_memory ? nz_fail(NZ_E_MEMORY, "out of memory in oneDNN") : NZ_E_UNSUPPORTED;
}

nz_status nz_onednn_execute(dnnl_primitive_t primitive, const dnnl_exec_arg_t *args, int count, const char *name) {
    dnnl_status_t status = dnnl_primitive_execute(primitive, nz_onednn_stream, count, args);
    return status == dnnl_success
               ? NZ_OK
               : nz_fail(NZ_E_INTERNAL, "oneDNN failed to execute %s (status %d)", name, (int)status);
}

void nz_kernel_library(char ret_version[32]) {
    const dnnl_version_t *v = dnnl_version();
    snprintf(ret_version, 32, "%d.%d.%d", v->major, v->minor, v->patch);
}

nz_status nz_onednn_start(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_engine);
    return nz_onednn_check(engine_status);
}

bool nz_onednn_is_slow(const char *implementation) {
    return strncmp(implementation, "ref", 3) == 0 || strncmp(implementation, "simple:any", 10) == 0;
}

static void onednn_bind(nz_kernel *kernel, nz_kernel_arg arg, void *data) {
    onednn *self = (onednn *)kernel;
    /* Cannot fail on a CPU memory object: the handle is stored. */
    if (self->bound[arg]) (void)dnnl_memory_set_data_handle(self->bound[arg], data);
}

static nz_status onednn_run(nz_kernel *kernel) {
    onednn *self = (onednn *)kernel;
    return nz_onednn_execute(self->primitive, self->args, self->arg_count, kernel->name);
}

static void onednn_release(nz_kernel *kernel) {
    onednn *self = (onednn *)kernel;
    if (self->primitive) dnnl_primitive_destroy(self->primitive);
    if (self->weights) dnnl_memory_destroy(self->weights);
    if (self->bias) dnnl_memory_destroy(self->bias);
    if (self->constant) dnnl_memory_destroy(self->constant);
    for (int i = 0; i < NZ_ARG_COUNT; i++)
        if (self->bound[i]) dnnl_memory_destroy(self->bound[i]);
    free(self);
}

/* -- tensors ---------------------------------------------------------------------------------------------------- */

dnnl_data_type_t nz_onednn_type(nz_dtype dtype) {
    switch ((int)dtype) {
    case NZ_F32: return dnnl_f32;
    case NZ_BF16: return dnnl_bf16;
    case NZ_U8: return dnnl_u8;
    case NZ_I8: return dnnl_s8;
    case NZ_I32: return dnnl_s32;
    default: return dnnl_data_type_undef;
    }
}

static bool is_int8(nz_dtype dtype) { return dtype == NZ_U8 || dtype == NZ_I8; }

nz_status nz_onednn_describe(dnnl_memory_desc_t *md, const nz_mem *mem, int rank) {
    dnnl_dims_t dims, strides;
    int lead = rank - mem->rank;
    int64_t step = 1;
    for (int i = mem->rank - 1; i >= 0; i--) {
        dims[lead + i] = mem->dim[i];
        strides[lead + i] = mem->stride[i];
        if (mem->dim[i] * mem->stride[i] > step) step = mem->dim[i] * mem->stride[i];
    }
    for (int i = 0; i < lead; i++) dims[i] = 1, strides[i] = step;
    DO(dnnl_memory_desc_init_by_strides(md, rank, dims, nz_onednn_type(mem->dtype), strides));
    return NZ_OK;
}

static nz_status add_arg(onednn *self, int arg, dnnl_memory_t memory) {
    self->args[self->arg_count++] = (dnnl_exec_arg_t){.arg = arg, .memory = memory};
    return NZ_OK;
}

/* An argument whose address comes later. */
static nz_status add_bound(onednn *self, nz_kernel_arg ours, int arg, const dnnl_memory_desc_t *md) {
    if (!self->bound[ours]) DO(dnnl_memory_create(&self->bound[ours], md, nz_onednn_engine, DNNL_MEMORY_NONE));
    return add_arg(self, arg, self->bound[ours]);
}

/* -- post-operations --------------------------------------------------------------------------------------------- */

typedef struct affine {
    float gain, offset; /* stored = gain x real + offset */
} affine;

/* Two element-wise operations of one kind in a list get the parameters of one of them in the kernels of 2.6 (seen in
 * brgconv): a second bound goes by another name, anything else is refused. */
static nz_status append(creation *c, dnnl_alg_kind_t algorithm, float alpha, float beta) {
    for (int i = 0; i < dnnl_post_ops_len(c->posts); i++) {
        dnnl_alg_kind_t before = dnnl_alg_kind_undef;
        float scale = 0, other_alpha = 0, other_beta = 0;
        if (dnnl_post_ops_get_kind(c->posts, i) != dnnl_eltwise) continue;
        DO(dnnl_post_ops_get_params_eltwise(c->posts, i, &scale, &before, &other_alpha, &other_beta));
        if (before != algorithm || (other_alpha == alpha && other_beta == beta)) continue;
        if (algorithm != dnnl_eltwise_clip) return NZ_E_UNSUPPORTED;
        algorithm = dnnl_eltwise_clip_v2;
    }
    DO(dnnl_post_ops_append_eltwise(c->posts, 1.0F, algorithm, alpha, beta));
    return NZ_OK;
}

/* Recodes what is stored, where that is not the identity. */
static nz_status bring(creation *c, affine *state, affine wanted) {
    if (state->gain == wanted.gain && state->offset == wanted.offset) return NZ_OK;
    float factor = wanted.gain / state->gain;
    NZ_TRY(append(c, dnnl_eltwise_linear, factor, wanted.offset - state->offset * factor));
    *state = wanted;
    return NZ_OK;
}

static const struct {
    nz_act act;
    dnnl_alg_kind_t algorithm;
} activations[] = {
    {NZ_ACT_LINEAR, dnnl_eltwise_linear},
    {NZ_ACT_RELU, dnnl_eltwise_relu},
    {NZ_ACT_CLIP, dnnl_eltwise_clip},
    {NZ_ACT_SIGMOID, dnnl_eltwise_logistic},
    {NZ_ACT_TANH, dnnl_eltwise_tanh},
    {NZ_ACT_ELU, dnnl_eltwise_elu},
    {NZ_ACT_SWISH, dnnl_eltwise_swish},
    {NZ_ACT_HARDSWISH, dnnl_eltwise_hardswish},
    {NZ_ACT_GELU_ERF, dnnl_eltwise_gelu_erf},
    {NZ_ACT_GELU_TANH, dnnl_eltwise_gelu_tanh},
    {NZ_ACT_SOFTPLUS, dnnl_eltwise_soft_relu},
    {NZ_ACT_MISH, dnnl_eltwise_mish},
    {NZ_ACT_ABS, dnnl_eltwise_abs},
    {NZ_ACT_SQRT, dnnl_eltwise_sqrt},
    {NZ_ACT_EXP, dnnl_eltwise_exp},
    {NZ_ACT_LOG, dnnl_eltwise_log},
    {NZ_ACT_SQUARE, dnnl_eltwise_square},
};

static nz_status find_activation(dnnl_alg_kind_t *ret_algorithm, const nz_post *post) {
    if (post->act == NZ_ACT_HARDSWISH && (fabsf(post->alpha - 1.0F / 6) > 1e-6F || post->beta != 0.5F))
        return NZ_E_UNSUPPORTED;
    for (size_t i = 0; i < NZ_COUNT(activations); i++)
        if (activations[i].act == post->act) {
            *ret_algorithm = activations[i].algorithm;
            return NZ_OK;
        }
    return NZ_E_UNSUPPORTED;
}

/* Bounds in real units; what is stored may run the other way. */
static nz_status append_bounds(creation *c, const affine *state, float least, float most) {
    float a = state->gain * least + state->offset, b = state->gain * most + state->offset;
    return append(c, dnnl_eltwise_clip, a < b ? a : b, a < b ? b : a);
}

static nz_status append_act(creation *c, affine *state, const nz_post *post, bool last) {
    const nz_quant *q = &c->desc->dst_quant;
    dnnl_alg_kind_t algorithm;
    switch (post->act) {
    case NZ_ACT_LINEAR: /* stored stays, its meaning changes */
        if (post->alpha == 0) return NZ_E_UNSUPPORTED;
        state->gain /= post->alpha;
        state->offset -= state->gain * post->beta;
        return NZ_OK;
    case NZ_ACT_RELU:
        if (post->alpha != 0) break;
        if (last && is_int8(c->desc->dst.dtype) && q->zero_point == (c->desc->dst.dtype == NZ_U8 ? 0 : -128) &&
            state->gain > 0)
            return NZ_OK; /* saturation does it */
        if (state->offset == 0 && state->gain > 0) return append(c, dnnl_eltwise_relu, 0, 0);
        return append_bounds(c, state, 0, INFINITY);
    case NZ_ACT_CLIP: return append_bounds(c, state, post->alpha, post->beta);
    case NZ_ACT_HARDSIGMOID:
        if (post->alpha == 0) return NZ_E_UNSUPPORTED;
        NZ_TRY(bring(c, state, (affine){post->alpha, post->beta}));
        *state = (affine){1, 0};
        return append(c, dnnl_eltwise_clip, 0, 1);
    default: break;
    }
    NZ_TRY(bring(c, state, (affine){1, 0}));
    NZ_TRY(find_activation(&algorithm, post));
    return append(c, algorithm, post->alpha, post->beta);
}

static nz_status append_binary(creation *c, affine *state, const nz_post *post) {
    dnnl_memory_desc_t md;
    if (c->binary_at >= 0) return NZ_E_UNSUPPORTED;
    NZ_TRY(bring(c, state, (affine){1, 0}));
    NZ_TRY(nz_onednn_describe(&md, &c->desc->src1, c->desc->dst.rank));
    c->binary_at = dnnl_post_ops_len(c->posts);
    DO(dnnl_post_ops_append_binary(c->posts, post->kind == NZ_POST_ADD ? dnnl_binary_add : dnnl_binary_mul, &md));
    return NZ_OK;
}

static nz_status append_requant(creation *c, affine *state, const nz_post *post) {
    NZ_TRY(bring(c, state, (affine){1 / post->scale, (float)post->zero_point}));
    NZ_TRY(append(c, dnnl_eltwise_round, 0, 0));
    return append(c, dnnl_eltwise_clip, (float)post->least, (float)post->most);
}

static affine final_state(const nz_kernel_desc *desc) {
    if (!is_int8(desc->dst.dtype)) return (affine){1, 0};
    return (affine){1 / desc->dst_quant.scale, (float)desc->dst_quant.zero_point};
}

/* The gain and offset to start with, so that the first operation that needs certain ones finds them. */
static affine first_state(const nz_kernel_desc *desc) {
    size_t at = 0;
    affine wanted = final_state(desc);
    for (; at < desc->post_count; at++) {
        const nz_post *post = &desc->posts[at];
        bool bound = post->kind == NZ_POST_ADD || post->kind == NZ_POST_MUL || post->kind == NZ_POST_REQUANT;
        if (post->kind == NZ_POST_ACT)
            bound = !(post->act == NZ_ACT_LINEAR || post->act == NZ_ACT_CLIP ||
                      (post->act == NZ_ACT_RELU && post->alpha == 0));
        if (!bound) continue;
        wanted = (affine){1, 0};
        if (post->kind == NZ_POST_REQUANT) wanted = (affine){1 / post->scale, (float)post->zero_point};
        if (post->kind == NZ_POST_ACT && post->act == NZ_ACT_HARDSIGMOID) wanted = (affine){post->alpha, post->beta};
        break;
    }
    while (at-- > 0) {
        const nz_post *post = &desc->posts[at];
        if (post->kind == NZ_POST_SUM) wanted.offset -= wanted.gain * post->scale * (float)post->zero_point;
        if (post->kind == NZ_POST_ACT && post->act == NZ_ACT_LINEAR) {
            wanted.offset += wanted.gain * post->beta;
            wanted.gain *= post->alpha;
        }
    }
    return wanted;
}

static nz_status append_posts(creation *c, affine state) {
    const nz_kernel_desc *desc = c->desc;
    const affine wanted = final_state(desc);
    const float start_offset = state.offset;
    for (size_t i = 0; i < desc->post_count; i++) {
        const nz_post *post = &desc->posts[i];
        switch (post->kind) {
        case NZ_POST_ACT: NZ_TRY(append_act(c, &state, post, i + 1 == desc->post_count)); break;
        case NZ_POST_SUM:
            DO(dnnl_post_ops_append_sum_v2(c->posts, state.gain * post->scale, nz_onednn_type(post->dtype)));
            state.offset += state.gain * post->scale * (float)post->zero_point;
            break;
        case NZ_POST_ADD:
        case NZ_POST_MUL: NZ_TRY(append_binary(c, &state, post)); break;
        case NZ_POST_REQUANT: NZ_TRY(append_requant(c, &state, post)); break;
        }
    }
    /* The way back and forth rounds; a number that was added without one, however small, must not get lost. */
    float gain_error = 1e-6F * fabsf(wanted.gain),
          offset_error = is_int8(desc->dst.dtype) ? 1e-4F : 1e-6F * fabsf(start_offset);
    if (fabsf(state.gain - wanted.gain) <= gain_error && fabsf(state.offset - wanted.offset) <= offset_error)
        return NZ_OK;
    return bring(c, &state, wanted);
}

/* -- attributes and bias ------------------------------------------------------------------------------------------ */

/* Sum over all weights of one output channel, for the source's zero point. */
static int64_t channel_sum(const creation *c, int64_t channel) {
    const nz_tensor *w = c->desc->weights;
    const int8_t *data = w->data;
    int64_t total = nz_shape_elements(&w->shape), sum = 0;
    if (c->desc->op == NZ_KERNEL_LINEAR && !c->desc->weights_transposed) {
        for (int64_t k = 0; k < total / c->channels; k++) sum += data[k * c->channels + channel];
        return sum;
    }
    int64_t per = total / c->channels;
    for (int64_t k = 0; k < per; k++) sum += data[channel * per + k];
    return sum;
}

/* oneDNN adds the bias to the accumulators, then scales: bias' = (bias x gain + offset) / scale. */
static nz_status make_int8(creation *c, affine start, bool fold_zero_point) {
    const nz_kernel_desc *desc = c->desc;
    bool need_bias = desc->bias || start.offset != 0 || (fold_zero_point && desc->src_quant.zero_point);
    c->output_scale_count = desc->weight_scale_count;
    NZ_TRY(nz_alloc(&c->output_scales, desc->weight_scale_count, sizeof(float)));
    for (size_t i = 0; i < desc->weight_scale_count; i++)
        c->output_scales[i] = start.gain * desc->src_quant.scale * desc->weight_scales[i];
    if (!need_bias) return NZ_OK;
    NZ_TRY(nz_alloc(&c->bias, (size_t)c->channels, sizeof(float)));
    for (int64_t o = 0; o < c->channels; o++) {
        double scale =
            (double)desc->src_quant.scale * (double)desc->weight_scales[desc->weight_scale_count > 1 ? o : 0];
        double bias = (desc->bias ? (double)desc->bias[o] : 0) + (double)start.offset / (double)start.gain;
        c->bias[o] = (float)(bias / scale);
        if (fold_zero_point && desc->src_quant.zero_point)
            c->bias[o] = (float)(bias / scale - (double)desc->src_quant.zero_point * (double)channel_sum(c, o));
    }
    return NZ_OK;
}

static bool has_padding(const nz_kernel_desc *desc) {
    if (desc->op == NZ_KERNEL_LINEAR) return false;
    if (desc->op == NZ_KERNEL_DECONV) return true; /* gaps between inputs count as padding */
    for (int i = 0; i < 3; i++) {
        const nz_window *w = &desc->window;
        int64_t end = (w->out[i] - 1) * w->stride[i] + (w->kernel[i] - 1) * w->dilation[i] + 1 - w->in[i] - w->begin[i];
        if (w->begin[i] > 0 || end > 0) return true;
    }
    return false;
}

static nz_status make_attributes(creation *c) {
    const nz_kernel_desc *desc = c->desc;
    DO(dnnl_primitive_attr_create(&c->attr));
    DO(dnnl_primitive_attr_set_scratchpad_mode(c->attr, dnnl_scratchpad_mode_user));
    DO(dnnl_post_ops_create(&c->posts));
    affine start = {1, 0};
    if (desc->weights && desc->weights->dtype == NZ_I8) {
        bool fold = !has_padding(desc);
        start = first_state(desc);
        NZ_TRY(make_int8(c, start, fold));
        DO(dnnl_primitive_attr_set_output_scales(c->attr, (dnnl_dim_t)c->output_scale_count,
                                                 c->output_scale_count > 1 ? 1 << 1 : 0, c->output_scales));
        if (!fold && desc->src_quant.zero_point)
            DO(dnnl_primitive_attr_set_zero_points(c->attr, DNNL_ARG_SRC, 1, 0, &desc->src_quant.zero_point));
    }
    if (desc->op != NZ_KERNEL_ACT) NZ_TRY(append_posts(c, start));
    DO(dnnl_primitive_attr_set_post_ops(c->attr, c->posts));
    return NZ_OK;
}

/* -- primitives --------------------------------------------------------------------------------------------------- */

/* The convolution by matrix products (CPUs without just-in-time code for it, arm64 above all) computes where the other operand
 * of a sum or product lies as if channels came first: with channels last it takes wrong elements. */
static bool misplaces_operand(const creation *c, const char *name) {
    return c->binary_at >= 0 && c->desc->op != NZ_KERNEL_LINEAR && strncmp(name, "gemm", 4) == 0;
}

static nz_status make_primitive(creation *c, const void *op_desc) {
    const char *name = NULL;
    DO(dnnl_primitive_desc_create(&c->primitive, op_desc, c->attr, nz_onednn_engine, NULL));
    DO(dnnl_primitive_desc_query(c->primitive, dnnl_query_impl_info_str, 0, &name));
    if (nz_onednn_is_slow(name) || misplaces_operand(c, name)) return NZ_E_UNSUPPORTED;
    snprintf(c->kernel->base.name, sizeof c->kernel->base.name, "onednn:%s", name);
    DO(dnnl_primitive_create(&c->kernel->primitive, c->primitive));
    return NZ_OK;
}

static nz_status add_scratch(creation *c) {
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(c->primitive, dnnl_query_scratchpad_md, 0);
    if (!md || !(c->kernel->base.scratch_bytes = dnnl_memory_desc_get_size(md))) return NZ_OK;
    return add_bound(c->kernel, NZ_ARG_SCRATCH, DNNL_ARG_SCRATCHPAD, md);
}

/* Puts weights into the order that the primitive chose. */
static nz_status pack(dnnl_memory_t *ret_packed, const dnnl_memory_desc_t *from_md, const void *data,
                      const dnnl_memory_desc_t *to_md) {
    dnnl_memory_t from = NULL, to = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_t reorder = NULL;
    dnnl_status_t s = dnnl_memory_create(&from, from_md, nz_onednn_engine, (void *)(uintptr_t)data);
    if (s == dnnl_success) s = dnnl_memory_create(&to, to_md, nz_onednn_engine, DNNL_MEMORY_ALLOCATE);
    if (s == dnnl_success)
        s = dnnl_reorder_primitive_desc_create(&pd, from_md, nz_onednn_engine, to_md, nz_onednn_engine, NULL);
    if (s == dnnl_success) s = dnnl_primitive_create(&reorder, pd);
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    if (s == dnnl_success) s = dnnl_primitive_execute(reorder, nz_onednn_stream, 2, args);
    if (reorder) dnnl_primitive_destroy(reorder);
    if (pd) dnnl_primitive_desc_destroy(pd);
    if (from) dnnl_memory_destroy(from);
    if (s != dnnl_success && to) dnnl_memory_destroy(to);
    DO(s);
    *ret_packed = to;
    return NZ_OK;
}

static nz_status add_weights(creation *c, const dnnl_memory_desc_t *plain) {
    const dnnl_memory_desc_t *wanted = dnnl_primitive_desc_query_md(c->primitive, dnnl_query_weights_md, 0);
    NZ_TRY(pack(&c->kernel->weights, plain, c->desc->weights->data, wanted));
    c->kernel->base.weight_bytes += dnnl_memory_desc_get_size(wanted) + c->output_scale_count * sizeof(float);
    return add_arg(c->kernel, DNNL_ARG_WEIGHTS, c->kernel->weights);
}

static nz_status add_bias(creation *c) {
    const float *bias = c->output_scales ? c->bias : c->desc->bias;
    void *to = NULL;
    if (!bias) return NZ_OK;
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(c->primitive, dnnl_query_weights_md, 1);
    DO(dnnl_memory_create(&c->kernel->bias, md, nz_onednn_engine, DNNL_MEMORY_ALLOCATE));
    DO(dnnl_memory_get_data_handle(c->kernel->bias, &to));
    memcpy(to, bias, (size_t)c->channels * sizeof(float));
    c->kernel->base.weight_bytes += dnnl_memory_desc_get_size(md);
    return add_arg(c->kernel, DNNL_ARG_BIAS, c->kernel->bias);
}

/* The arguments that every primitive with weights has. */
static nz_status add_common(creation *c, const dnnl_memory_desc_t *src, const dnnl_memory_desc_t *dst) {
    NZ_TRY(add_bound(c->kernel, NZ_ARG_SRC, DNNL_ARG_SRC, src));
    NZ_TRY(add_bound(c->kernel, NZ_ARG_DST, DNNL_ARG_DST, dst));
    if (c->binary_at >= 0) {
        dnnl_memory_desc_t md;
        NZ_TRY(nz_onednn_describe(&md, &c->desc->src1, c->desc->dst.rank));
        NZ_TRY(add_bound(c->kernel, NZ_ARG_SRC1, DNNL_ARG_ATTR_MULTIPLE_POST_OP(c->binary_at) | DNNL_ARG_SRC_1, &md));
    }
    return add_scratch(c);
}

nz_status nz_onednn_weights(dnnl_memory_desc_t *ret_plain, dnnl_memory_desc_t *ret_any, const nz_shape *shape,
                            bool swapped, int64_t groups, nz_dtype plain_type, dnnl_data_type_t any_type) {
    dnnl_dims_t dims, strides;
    int spatial = shape->rank - 2, lead = groups > 1;
    int64_t taps = 1;
    for (int i = spatial - 1; i >= 0; i--) {
        dims[lead + 2 + i] = shape->dim[2 + i];
        strides[lead + 2 + i] = taps;
        taps *= shape->dim[2 + i];
    }
    int64_t rows = shape->dim[0] / groups;
    dims[lead] = swapped ? shape->dim[1] : rows;
    dims[lead + 1] = swapped ? rows : shape->dim[1];
    strides[lead] = swapped ? taps : taps * shape->dim[1];
    strides[lead + 1] = swapped ? taps * shape->dim[1] : taps;
    if (lead) dims[0] = groups, strides[0] = taps * shape->dim[1] * rows;
    DO(dnnl_memory_desc_init_by_strides(ret_plain, lead + 2 + spatial, dims, nz_onednn_type(plain_type), strides));
    DO(dnnl_memory_desc_init_by_tag(ret_any, lead + 2 + spatial, dims, any_type, dnnl_format_tag_any));
    return NZ_OK;
}

void nz_onednn_window(const nz_window *w, bool transposed, dnnl_dims_t stride, dnnl_dims_t dilation, dnnl_dims_t begin,
                      dnnl_dims_t end) {
    for (int i = 0; i < w->rank; i++) {
        int at = 3 - w->rank + i;
        int64_t small = transposed ? w->in[at] : w->out[at], large = transposed ? w->out[at] : w->in[at];
        stride[i] = w->stride[at];
        dilation[i] = w->dilation[at] - 1;
        begin[i] = w->begin[at];
        end[i] = (small - 1) * w->stride[at] + (w->kernel[at] - 1) * w->dilation[at] + 1 - large - w->begin[at];
    }
}

static nz_status make_conv(creation *c) {
    const nz_kernel_desc *desc = c->desc;
    dnnl_memory_desc_t src, dst, plain, any, bias;
    dnnl_dims_t stride, dilation, begin, end, channels = {c->channels};
    bool deconv = desc->op == NZ_KERNEL_DECONV, biased = c->bias || (desc->bias && !c->output_scales);
    NZ_TRY(nz_onednn_describe(&src, &desc->src, desc->src.rank));
    NZ_TRY(nz_onednn_describe(&dst, &desc->dst, desc->dst.rank));
    NZ_TRY(nz_onednn_weights(&plain, &any, &desc->weights->shape, desc->op == NZ_KERNEL_DECONV, desc->groups,
                             desc->weights->dtype,
                             desc->src.dtype == NZ_BF16 ? dnnl_bf16 : nz_onednn_type(desc->weights->dtype)));
    DO(dnnl_memory_desc_init_by_tag(&bias, 1, channels, dnnl_f32, dnnl_x));
    nz_onednn_window(&desc->window, deconv, stride, dilation, begin, end);
    union {
        dnnl_convolution_desc_t conv;
        dnnl_deconvolution_desc_t deconv;
    } d;
    if (deconv)
        DO(dnnl_dilated_deconvolution_forward_desc_init(&d.deconv, dnnl_forward_inference, dnnl_deconvolution_direct,
                                                        &src, &any, biased ? &bias : NULL, &dst, stride, dilation,
                                                        begin, end));
    else
        DO(dnnl_dilated_convolution_forward_desc_init(&d.conv, dnnl_forward_inference, dnnl_convolution_direct, &src,
                                                      &any, biased ? &bias : NULL, &dst, stride, dilation, begin, end));
    NZ_TRY(make_primitive(c, &d));
    NZ_TRY(add_weights(c, &plain));
    NZ_TRY(add_bias(c));
    return add_common(c, &src, &dst);
}

static nz_status make_linear(creation *c) {
    const nz_kernel_desc *desc = c->desc;
    dnnl_memory_desc_t src, dst, plain, any, bias;
    int64_t n = c->channels, k = desc->src.dim[1];
    dnnl_dims_t dims = {n, k}, strides = {desc->weights_transposed ? k : 1, desc->weights_transposed ? 1 : n},
                channels = {n};
    bool biased = c->bias || (desc->bias && !c->output_scales);
    NZ_TRY(nz_onednn_describe(&src, &desc->src, 2));
    NZ_TRY(nz_onednn_describe(&dst, &desc->dst, 2));
    DO(dnnl_memory_desc_init_by_strides(&plain, 2, dims, nz_onednn_type(desc->weights->dtype), strides));
    DO(dnnl_memory_desc_init_by_tag(&any, 2, dims,
                                    desc->src.dtype == NZ_BF16 ? dnnl_bf16 : nz_onednn_type(desc->weights->dtype),
                                    dnnl_format_tag_any));
    DO(dnnl_memory_desc_init_by_tag(&bias, 1, channels, dnnl_f32, dnnl_x));
    dnnl_inner_product_desc_t d;
    DO(dnnl_inner_product_forward_desc_init(&d, dnnl_forward_inference, &src, &any, biased ? &bias : NULL, &dst));
    NZ_TRY(make_primitive(c, &d));
    NZ_TRY(add_weights(c, &plain));
    NZ_TRY(add_bias(c));
    return add_common(c, &src, &dst);
}

static nz_status make_pool(creation *c) {
    const nz_kernel_desc *desc = c->desc;
    dnnl_memory_desc_t src, dst;
    dnnl_dims_t stride, dilation, begin, end, kernel;
    dnnl_alg_kind_t algorithm = desc->op == NZ_KERNEL_MAX_POOL       ? dnnl_pooling_max
                                : desc->op == NZ_KERNEL_AVG_POOL_PAD ? dnnl_pooling_avg_include_padding
                                                                     : dnnl_pooling_avg_exclude_padding;
    if (desc->src_quant.scale != desc->dst_quant.scale || desc->src_quant.zero_point != desc->dst_quant.zero_point)
        return NZ_E_UNSUPPORTED;
    if (desc->op == NZ_KERNEL_AVG_POOL_PAD && desc->src_quant.zero_point) return NZ_E_UNSUPPORTED;
    NZ_TRY(nz_onednn_describe(&src, &desc->src, desc->src.rank));
    NZ_TRY(nz_onednn_describe(&dst, &desc->dst, desc->dst.rank));
    nz_onednn_window(&desc->window, false, stride, dilation, begin, end);
    for (int i = 0; i < desc->window.rank; i++) kernel[i] = desc->window.kernel[3 - desc->window.rank + i];
    dnnl_pooling_v2_desc_t d;
    DO(dnnl_pooling_v2_forward_desc_init(&d, dnnl_forward_inference, algorithm, &src, &dst, stride, kernel, dilation,
                                         begin, end));
    NZ_TRY(make_primitive(c, &d));
    return add_common(c, &src, &dst);
}

static nz_status make_act(creation *c) {
    const nz_kernel_desc *desc = c->desc;
    dnnl_memory_desc_t md;
    dnnl_alg_kind_t algorithm;
    if (desc->post_count != 1 || desc->posts[0].kind != NZ_POST_ACT || !nz_mem_same(&desc->src, &desc->dst))
        return NZ_E_UNSUPPORTED;
    NZ_TRY(find_activation(&algorithm, &desc->posts[0]));
    NZ_TRY(nz_onednn_describe(&md, &desc->src, desc->src.rank ? desc->src.rank : 1));
    dnnl_eltwise_desc_t d;
    DO(dnnl_eltwise_forward_desc_init(&d, dnnl_forward_inference, algorithm, &md, desc->posts[0].alpha,
                                      desc->posts[0].beta));
    NZ_TRY(make_primitive(c, &d));
    return add_common(c, &md, &md);
}

static nz_status make_binary(creation *c) {
    const nz_kernel_desc *desc = c->desc;
    static const dnnl_alg_kind_t algorithms[] = {dnnl_binary_add, dnnl_binary_sub, dnnl_binary_mul,
                                                 dnnl_binary_div, dnnl_binary_max, dnnl_binary_min};
    dnnl_memory_desc_t src, src1, dst;
    int rank = desc->dst.rank;
    if (rank < 1 || !nz_mem_same(&desc->src, &desc->dst) || desc->src.dtype != NZ_F32 || desc->src1.dtype != NZ_F32)
        return NZ_E_UNSUPPORTED;
    NZ_TRY(nz_onednn_describe(&src, &desc->src, rank));
    NZ_TRY(nz_onednn_describe(&src1, &desc->src1, rank));
    NZ_TRY(nz_onednn_describe(&dst, &desc->dst, rank));
    dnnl_binary_desc_t d;
    DO(dnnl_binary_desc_init(&d, algorithms[desc->op - NZ_KERNEL_ADD], &src, &src1, &dst));
    NZ_TRY(make_primitive(c, &d));
    NZ_TRY(add_bound(c->kernel, NZ_ARG_SRC1, DNNL_ARG_SRC_1, &src1));
    return add_common(c, &src, &dst);
}

static nz_status make_matmul(creation *c) {
    const nz_kernel_desc *desc = c->desc;
    dnnl_memory_desc_t src, src1, dst;
    int rank = desc->dst.rank;
    if (rank < 2 || desc->src.rank != rank || desc->src1.rank != rank) return NZ_E_UNSUPPORTED;
    NZ_TRY(nz_onednn_describe(&src, &desc->src, rank));
    NZ_TRY(nz_onednn_describe(&src1, &desc->src1, rank));
    NZ_TRY(nz_onednn_describe(&dst, &desc->dst, rank));
    dnnl_matmul_desc_t d;
    DO(dnnl_matmul_desc_init(&d, &src, &src1, NULL, &dst));
    NZ_TRY(make_primitive(c, &d));
    NZ_TRY(add_bound(c->kernel, NZ_ARG_SRC1, DNNL_ARG_WEIGHTS, &src1));
    return add_common(c, &src, &dst);
}

static nz_status make_softmax(creation *c) {
    const nz_kernel_desc *desc = c->desc;
    dnnl_memory_desc_t md;
    if (!nz_mem_same(&desc->src, &desc->dst) || desc->src.rank < 1) return NZ_E_UNSUPPORTED;
    NZ_TRY(nz_onednn_describe(&md, &desc->src, desc->src.rank));
    dnnl_softmax_desc_t d;
    if (desc->op == NZ_KERNEL_SOFTMAX)
        DO(dnnl_softmax_forward_desc_init(&d, dnnl_forward_inference, &md, desc->axis));
    else
        DO(dnnl_logsoftmax_forward_desc_init(&d, dnnl_forward_inference, &md, desc->axis));
    NZ_TRY(make_primitive(c, &d));
    return add_common(c, &md, &md);
}

static const struct {
    nz_kernel_op op;
    nz_status (*make)(creation *c);
} makers[] = {
    {NZ_KERNEL_CONV, make_conv},           {NZ_KERNEL_DECONV, make_conv},   {NZ_KERNEL_LINEAR, make_linear},
    {NZ_KERNEL_MATMUL, make_matmul},       {NZ_KERNEL_MAX_POOL, make_pool}, {NZ_KERNEL_AVG_POOL, make_pool},
    {NZ_KERNEL_AVG_POOL_PAD, make_pool},   {NZ_KERNEL_ACT, make_act},       {NZ_KERNEL_ADD, make_binary},
    {NZ_KERNEL_SUB, make_binary},          {NZ_KERNEL_MUL, make_binary},    {NZ_KERNEL_DIV, make_binary},
    {NZ_KERNEL_MAX, make_binary},          {NZ_KERNEL_MIN, make_binary},    {NZ_KERNEL_SOFTMAX, make_softmax},
    {NZ_KERNEL_LOG_SOFTMAX, make_softmax},
};

static int64_t out_channels(const nz_kernel_desc *desc) {
    if (!desc->weights) return 0;
    return desc->dst.dim[1];
}

static nz_status make(creation *c) {
    for (size_t i = 0; i < NZ_COUNT(makers); i++)
        if (makers[i].op == c->desc->op) {
            NZ_TRY(make_attributes(c));
            return makers[i].make(c);
        }
    return NZ_E_UNSUPPORTED;
}

static nz_status onednn_create(nz_kernel **ret_kernel, const nz_kernel_desc *desc) {
    NZ_TRY(nz_onednn_start());
    if (nz_onednn_type(desc->src.dtype) == dnnl_data_type_undef ||
        nz_onednn_type(desc->dst.dtype) == dnnl_data_type_undef)
        return NZ_E_UNSUPPORTED;
    creation c = {.desc = desc, .channels = out_channels(desc), .binary_at = -1};
    NZ_TRY(nz_alloc(&c.kernel, 1, sizeof *c.kernel));
    c.kernel->base.bind = onednn_bind;
    c.kernel->base.run = onednn_run;
    c.kernel->base.release = onednn_release;
    nz_status status = make(&c);
    if (c.posts) dnnl_post_ops_destroy(c.posts);
    if (c.attr) dnnl_primitive_attr_destroy(c.attr);
    if (c.primitive) dnnl_primitive_desc_destroy(c.primitive);
    free(c.output_scales);
    free(c.bias);
    if (status != NZ_OK) {
        onednn_release(&c.kernel->base);
        return status;
    }
    *ret_kernel = &c.kernel->base;
    return NZ_OK;
}

const nz_kernel_provider nz_kernel_provider_onednn = {"onednn", onednn_create};
