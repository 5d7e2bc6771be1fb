/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training layers by oneDNN 2.6. Weights and their gradient stay in the order that backward_weights chose; where forward
 * or backward_data want another one (or bfloat16), they read a copy made in the scratch memory, which costs a few percent
 * of the layer.
 */
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "kernel/onednn2.h"
#include "kernel/train_onednn.h"
#include "kernel/train_packing.h"

enum { FORWARD, BACKWARD_DATA, BACKWARD_WEIGHTS, PARTS };
enum { ARG_SRC, ARG_WEIGHTS, ARG_BIAS, ARG_DST, ARG_SCRATCH, ARG_KEPT, ARGS };

typedef struct bound_memory {
    dnnl_memory_t memory; /* NULL: no such argument */
    const void *data;     /* where it points */
} bound_memory;

typedef struct part {
    dnnl_primitive_t primitive, reorder; /* reorder NULL: weights are used in the order they are kept in */
    bound_memory args[ARGS];             /* ARG_KEPT: the weights as they are kept, where they are reordered */
    size_t weights_bytes;                /* of the reordered copy */
} part;

typedef struct packing {
    nz_packing base;
    dnnl_primitive_t in, out;
    dnnl_memory_t plain, packed;
} packing;

typedef struct onednn_layer {
    nz_train_layer base;
    part parts[PARTS];
    packing packing;
} onednn_layer;

/* What a creation holds on the way. */
typedef struct creation {
    const nz_train_layer_desc *desc;
    onednn_layer *layer;
    dnnl_primitive_attr_t attr;
    dnnl_primitive_desc_t hint, primitives[PARTS];
    dnnl_memory_desc_t src, dst, bias, plain, any; /* any: of the computation's type */
    dnnl_memory_desc_t any_gradient, kept;         /* float */
    dnnl_dims_t stride, dilation, begin, end;
} creation;

/* -- running -------------------------------------------------------------------------------------------------------- */

static void point(bound_memory *m, const void *data) {
    if (!m->memory || m->data == data) return;
    /* Cannot fail on a CPU memory object: the handle is stored, and padding set to zero. */
    (void)dnnl_memory_set_data_handle(m->memory, (void *)(uintptr_t)data);
    m->data = data;
}

static nz_status move(dnnl_primitive_t reorder, dnnl_memory_t from, dnnl_memory_t to) {
    dnnl_exec_arg_t args[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    return nz_onednn_execute(reorder, args, 2, "a reorder of weights");
}

static void add(dnnl_exec_arg_t *args, int *count, int arg, const bound_memory *m) {
    if (m->memory) args[(*count)++] = (dnnl_exec_arg_t){arg, m->memory};
}

static nz_status layer_forward(nz_train_layer *layer, const void *src, const float *weights, const float *bias,
                               void *dst) {
    onednn_layer *l = (onednn_layer *)layer;
    part *p = &l->parts[FORWARD];
    dnnl_exec_arg_t args[ARGS];
    int count = 0;
    point(&p->args[ARG_SRC], src), point(&p->args[ARG_BIAS], bias), point(&p->args[ARG_DST], dst);
    point(&p->args[p->reorder ? ARG_KEPT : ARG_WEIGHTS], weights);
    if (p->reorder) NZ_TRY(move(p->reorder, p->args[ARG_KEPT].memory, p->args[ARG_WEIGHTS].memory));
    add(args, &count, DNNL_ARG_SRC, &p->args[ARG_SRC]), add(args, &count, DNNL_ARG_WEIGHTS, &p->args[ARG_WEIGHTS]);
    add(args, &count, DNNL_ARG_BIAS, &p->args[ARG_BIAS]), add(args, &count, DNNL_ARG_DST, &p->args[ARG_DST]);
    add(args, &count, DNNL_ARG_SCRATCHPAD, &p->args[ARG_SCRATCH]);
    return nz_onednn_execute(p->primitive, args, count, layer->name[FORWARD]);
}

static nz_status layer_backward_data(nz_train_layer *layer, const void *ddst, const float *weights, void *dsrc) {
    onednn_layer *l = (onednn_layer *)layer;
    part *p = &l->parts[BACKWARD_DATA];
    dnnl_exec_arg_t args[ARGS];
    int count = 0;
    point(&p->args[ARG_SRC], dsrc), point(&p->args[ARG_DST], ddst);
    point(&p->args[p->reorder ? ARG_KEPT : ARG_WEIGHTS], weights);
    if (p->reorder) NZ_TRY(move(p->reorder, p->args[ARG_KEPT].memory, p->args[ARG_WEIGHTS].memory));
    add(args, &count, DNNL_ARG_DIFF_SRC, &p->args[ARG_SRC]), add(args, &count, DNNL_ARG_WEIGHTS, &p->args[ARG_WEIGHTS]);
    add(args, &count, DNNL_ARG_DIFF_DST, &p->args[ARG_DST]);
    add(args, &count, DNNL_ARG_SCRATCHPAD, &p->args[ARG_SCRATCH]);
    return nz_onednn_execute(p->primitive, args, count, layer->name[BACKWARD_DATA]);
}

static nz_status layer_backward_weights(nz_train_layer *layer, const void *src, const void *ddst, float *dweights,
                                        float *dbias) {
    onednn_layer *l = (onednn_layer *)layer;
    part *p = &l->parts[BACKWARD_WEIGHTS];
    dnnl_exec_arg_t args[ARGS];
    int count = 0;
    point(&p->args[ARG_SRC], src), point(&p->args[ARG_DST], ddst), point(&p->args[ARG_BIAS], dbias);
    point(&p->args[p->reorder ? ARG_KEPT : ARG_WEIGHTS], dweights);
    add(args, &count, DNNL_ARG_SRC, &p->args[ARG_SRC]), add(args, &count, DNNL_ARG_DIFF_DST, &p->args[ARG_DST]);
    add(args, &count, DNNL_ARG_DIFF_WEIGHTS, &p->args[ARG_WEIGHTS]);
    add(args, &count, DNNL_ARG_DIFF_BIAS, &p->args[ARG_BIAS]);
    add(args, &count, DNNL_ARG_SCRATCHPAD, &p->args[ARG_SCRATCH]);
    NZ_TRY(nz_onednn_execute(p->primitive, args, count, layer->name[BACKWARD_WEIGHTS]));
    return p->reorder ? move(p->reorder, p->args[ARG_WEIGHTS].memory, p->args[ARG_KEPT].memory) : NZ_OK;
}

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

static void layer_bind_scratch(nz_train_layer *layer, void *scratch) {
    onednn_layer *l = (onednn_layer *)layer;
    for (int i = 0; i < PARTS; i++) {
        part *p = &l->parts[i];
        if (p->reorder) point(&p->args[ARG_WEIGHTS], scratch);
        point(&p->args[ARG_SCRATCH], (char *)scratch + aligned(p->weights_bytes));
    }
}

static void layer_release(nz_train_layer *layer) {
    onednn_layer *l = (onednn_layer *)layer;
    packing *order = &l->packing;
    for (int i = 0; i < PARTS; i++) {
        part *p = &l->parts[i];
        if (p->primitive) dnnl_primitive_destroy(p->primitive);
        if (p->reorder) dnnl_primitive_destroy(p->reorder);
        for (int k = 0; k < ARGS; k++)
            if (p->args[k].memory) dnnl_memory_destroy(p->args[k].memory);
    }
    if (order->in) dnnl_primitive_destroy(order->in);
    if (order->out) dnnl_primitive_destroy(order->out);
    if (order->plain) dnnl_memory_destroy(order->plain);
    if (order->packed) dnnl_memory_destroy(order->packed);
    free(l);
}

/* -- the order of weights -------------------------------------------------------------------------------------------- */

/* A reorder of f32 on the CPU between buffers that are there cannot fail. */
static void packing_in(const nz_packing *base, float *packed, const float *plain) {
    const packing *p = (const packing *)base;
    (void)dnnl_memory_set_data_handle(p->plain, (void *)(uintptr_t)plain);
    (void)dnnl_memory_set_data_handle(p->packed, packed);
    (void)!move(p->in, p->plain, p->packed);
}

static void packing_out(const nz_packing *base, float *plain, const float *packed) {
    const packing *p = (const packing *)base;
    (void)dnnl_memory_set_data_handle(p->plain, plain);
    (void)dnnl_memory_set_data_handle(p->packed, (void *)(uintptr_t)packed);
    (void)!move(p->out, p->packed, p->plain);
}

static nz_status make_reorder(dnnl_primitive_t *ret_reorder, const dnnl_memory_desc_t *from,
                              const dnnl_memory_desc_t *to) {
    dnnl_primitive_desc_t pd = NULL;
    DO(dnnl_reorder_primitive_desc_create(&pd, from, nz_onednn_engine, to, nz_onednn_engine, NULL));
    dnnl_status_t status = dnnl_primitive_create(ret_reorder, pd);
    dnnl_primitive_desc_destroy(pd);
    return nz_onednn_check(status);
}

static nz_status make_packing(creation *c) {
    packing *p = &c->layer->packing;
    if (dnnl_memory_desc_equal(&c->kept, &c->plain)) return NZ_OK;
    NZ_TRY(make_reorder(&p->in, &c->plain, &c->kept));
    NZ_TRY(make_reorder(&p->out, &c->kept, &c->plain));
    DO(dnnl_memory_create(&p->plain, &c->plain, nz_onednn_engine, DNNL_MEMORY_NONE));
    DO(dnnl_memory_create(&p->packed, &c->kept, nz_onednn_engine, DNNL_MEMORY_NONE));
    p->base = (nz_packing){dnnl_memory_desc_get_size(&c->kept) / sizeof(float), packing_in, packing_out};
    c->layer->base.packing = &p->base;
    return NZ_OK;
}

/* -- making ----------------------------------------------------------------------------------------------------------- */

typedef union operation {
    dnnl_convolution_desc_t conv;
    dnnl_deconvolution_desc_t deconv;
    dnnl_inner_product_desc_t linear;
} operation;

static dnnl_status_t describe_conv(operation *o, const creation *c, int which, const dnnl_memory_desc_t *w,
                                   const dnnl_memory_desc_t *bias) {
    switch (which) {
    case FORWARD:
        return dnnl_dilated_convolution_forward_desc_init(&o->conv, dnnl_forward_training, dnnl_convolution_direct,
                                                          &c->src, w, bias, &c->dst, c->stride, c->dilation, c->begin,
                                                          c->end);
    case BACKWARD_DATA:
        return dnnl_dilated_convolution_backward_data_desc_init(&o->conv, dnnl_convolution_direct, &c->src, w, &c->dst,
                                                                c->stride, c->dilation, c->begin, c->end);
    default:
        return dnnl_dilated_convolution_backward_weights_desc_init(&o->conv, dnnl_convolution_direct, &c->src, w, bias,
                                                                   &c->dst, c->stride, c->dilation, c->begin, c->end);
    }
}

static dnnl_status_t describe_deconv(operation *o, const creation *c, int which, const dnnl_memory_desc_t *w,
                                     const dnnl_memory_desc_t *bias) {
    switch (which) {
    case FORWARD:
        return dnnl_dilated_deconvolution_forward_desc_init(&o->deconv, dnnl_forward_training,
                                                            dnnl_deconvolution_direct, &c->src, w, bias, &c->dst,
                                                            c->stride, c->dilation, c->begin, c->end);
    case BACKWARD_DATA:
        return dnnl_dilated_deconvolution_backward_data_desc_init(&o->deconv, dnnl_deconvolution_direct, &c->src, w,
                                                                  &c->dst, c->stride, c->dilation, c->begin, c->end);
    default:
        return dnnl_dilated_deconvolution_backward_weights_desc_init(
            &o->deconv, dnnl_deconvolution_direct, &c->src, w, bias, &c->dst, c->stride, c->dilation, c->begin, c->end);
    }
}

static dnnl_status_t describe_linear(operation *o, const creation *c, int which, const dnnl_memory_desc_t *w,
                                     const dnnl_memory_desc_t *bias) {
    switch (which) {
    case FORWARD:
        return dnnl_inner_product_forward_desc_init(&o->linear, dnnl_forward_training, &c->src, w, bias, &c->dst);
    case BACKWARD_DATA: return dnnl_inner_product_backward_data_desc_init(&o->linear, &c->src, w, &c->dst);
    default: return dnnl_inner_product_backward_weights_desc_init(&o->linear, &c->src, w, bias, &c->dst);
    }
}

/* Chooses an implementation for one part with weights as `w` has them. NZ_E_UNSUPPORTED: there is no fast one. */
static nz_status choose(creation *c, int which, const dnnl_memory_desc_t *w, dnnl_primitive_desc_t *ret_primitive) {
    const dnnl_memory_desc_t *bias = c->desc->bias ? &c->bias : NULL;
    dnnl_primitive_desc_t pd = NULL;
    const char *name = NULL;
    operation o;
    switch (c->desc->op) {
    case NZ_KERNEL_CONV: DO(describe_conv(&o, c, which, w, bias)); break;
    case NZ_KERNEL_DECONV: DO(describe_deconv(&o, c, which, w, bias)); break;
    default: DO(describe_linear(&o, c, which, w, bias)); break;
    }
    DO(dnnl_primitive_desc_create(&pd, &o, c->attr, nz_onednn_engine, c->hint));
    dnnl_status_t status = dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, &name);
    if (status != dnnl_success || nz_onednn_is_slow(name)) {
        dnnl_primitive_desc_destroy(pd);
        return NZ_E_UNSUPPORTED;
    }
    snprintf(c->layer->base.name[which], sizeof c->layer->base.name[which], "onednn:%s", name);
    *ret_primitive = pd;
    return NZ_OK;
}

static bool is_product(const char *name) { return strncmp(name, "onednn:gemm", 11) == 0; }

/* In the order that the weights are kept in where there is a kernel for it; else a copy in another order is worth its
 * while. A convolution by a plain matrix product is the last resort. */
static nz_status choose_order(creation *c, int which) {
    const dnnl_memory_desc_t *any = which == BACKWARD_WEIGHTS ? &c->any_gradient : &c->any;
    dnnl_primitive_desc_t kept = NULL, free = NULL;
    char *name = c->layer->base.name[which], kept_name[sizeof c->layer->base.name[which]];
    nz_status status = NZ_E_UNSUPPORTED;
    if (c->desc->src.dtype == NZ_F32) status = choose(c, which, &c->kept, &kept);
    if (status == NZ_E_MEMORY) return status;
    if (kept && (!is_product(name) || c->desc->op == NZ_KERNEL_LINEAR)) {
        c->primitives[which] = kept;
        return NZ_OK;
    }
    memcpy(kept_name, name, sizeof kept_name);
    status = choose(c, which, any, &free);
    if (kept && (!free || is_product(name))) {
        if (free) dnnl_primitive_desc_destroy(free);
        memcpy(name, kept_name, sizeof kept_name);
        c->primitives[which] = kept;
        return NZ_OK;
    }
    if (kept) dnnl_primitive_desc_destroy(kept);
    c->primitives[which] = free;
    return status;
}

static nz_status choose_all(creation *c) {
    NZ_TRY(choose(c, FORWARD, &c->any, &c->hint));
    if (c->desc->plain_weights)
        c->kept = c->plain;
    else {
        NZ_TRY(choose(c, BACKWARD_WEIGHTS, &c->any_gradient, &c->primitives[BACKWARD_WEIGHTS]));
        c->kept = *dnnl_primitive_desc_query_md(c->primitives[BACKWARD_WEIGHTS], dnnl_query_diff_weights_md, 0);
    }
    for (int which = 0; which < PARTS; which++)
        if (!c->primitives[which] && (which != BACKWARD_DATA || c->desc->source_gradient))
            NZ_TRY(choose_order(c, which));
    return NZ_OK;
}

static nz_status bind(part *p, int which, const dnnl_memory_desc_t *md) {
    if (!md || dnnl_memory_desc_get_size(md) == 0) return NZ_OK;
    DO(dnnl_memory_create(&p->args[which].memory, md, nz_onednn_engine, DNNL_MEMORY_NONE));
    return NZ_OK;
}

static nz_status make_part(creation *c, int which) {
    part *p = &c->layer->parts[which];
    dnnl_primitive_desc_t pd = c->primitives[which];
    bool by_weights = which == BACKWARD_WEIGHTS;
    const dnnl_memory_desc_t *weights =
        dnnl_primitive_desc_query_md(pd, by_weights ? dnnl_query_diff_weights_md : dnnl_query_weights_md, 0);
    DO(dnnl_primitive_create(&p->primitive, pd));
    NZ_TRY(bind(p, ARG_SRC, &c->src));
    NZ_TRY(bind(p, ARG_DST, &c->dst));
    NZ_TRY(bind(p, ARG_WEIGHTS, weights));
    if (c->desc->bias && which != BACKWARD_DATA) NZ_TRY(bind(p, ARG_BIAS, &c->bias));
    const dnnl_memory_desc_t *scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    NZ_TRY(bind(p, ARG_SCRATCH, scratch));
    if (!dnnl_memory_desc_equal(weights, &c->kept)) {
        NZ_TRY(make_reorder(&p->reorder, by_weights ? weights : &c->kept, by_weights ? &c->kept : weights));
        NZ_TRY(bind(p, ARG_KEPT, &c->kept));
        p->weights_bytes = dnnl_memory_desc_get_size(weights);
    }
    size_t bytes = aligned(p->weights_bytes) + (scratch ? dnnl_memory_desc_get_size(scratch) : 0);
    if (bytes > c->layer->base.scratch_bytes) c->layer->base.scratch_bytes = bytes;
    return NZ_OK;
}

static nz_status describe_all(creation *c) {
    const nz_train_layer_desc *desc = c->desc;
    dnnl_data_type_t type = nz_onednn_type(desc->src.dtype);
    dnnl_dims_t channels = {desc->dst.dim[1]};
    NZ_TRY(nz_onednn_describe(&c->src, &desc->src, desc->src.rank));
    NZ_TRY(nz_onednn_describe(&c->dst, &desc->dst, desc->dst.rank));
    DO(dnnl_memory_desc_init_by_tag(&c->bias, 1, channels, dnnl_f32, dnnl_x));
    if (desc->op == NZ_KERNEL_LINEAR) {
        int64_t n = desc->dst.dim[1], k = desc->src.dim[1];
        dnnl_dims_t dims = {n, k}, strides = {desc->weights_transposed ? k : 1, desc->weights_transposed ? 1 : n};
        DO(dnnl_memory_desc_init_by_strides(&c->plain, 2, dims, dnnl_f32, strides));
        DO(dnnl_memory_desc_init_by_tag(&c->any, 2, dims, type, dnnl_format_tag_any));
    } else {
        bool swapped = desc->op == NZ_KERNEL_DECONV;
        NZ_TRY(nz_onednn_weights(&c->plain, &c->any, &desc->weights, swapped, desc->groups, NZ_F32, type));
        nz_onednn_window(&desc->window, swapped, c->stride, c->dilation, c->begin, c->end);
    }
    c->any_gradient = c->any;
    c->any_gradient.data_type = dnnl_f32;
    DO(dnnl_primitive_attr_create(&c->attr));
    DO(dnnl_primitive_attr_set_scratchpad_mode(c->attr, dnnl_scratchpad_mode_user));
    return NZ_OK;
}

static nz_status make(creation *c) {
    NZ_TRY(describe_all(c));
    NZ_TRY(choose_all(c));
    for (int which = 0; which < PARTS; which++)
        if (c->primitives[which]) NZ_TRY(make_part(c, which));
    return make_packing(c);
}

nz_status nz_train_onednn_create(nz_train_layer **ret_layer, const nz_train_layer_desc *desc) {
    NZ_TRY(nz_onednn_start());
    if (desc->src.dtype != desc->dst.dtype || (desc->src.dtype != NZ_F32 && desc->src.dtype != NZ_BF16))
        return NZ_E_UNSUPPORTED;
    creation c = {.desc = desc};
    NZ_TRY(nz_alloc(&c.layer, 1, sizeof *c.layer));
    c.layer->base.forward = layer_forward;
    c.layer->base.backward_data = layer_backward_data;
    c.layer->base.backward_weights = layer_backward_weights;
    c.layer->base.bind_scratch = layer_bind_scratch;
    c.layer->base.release = layer_release;
    nz_status status = make(&c);
    if (c.attr) dnnl_primitive_attr_destroy(c.attr);
    if (c.hint) dnnl_primitive_desc_destroy(c.hint);
    for (int i = 0; i < PARTS; i++)
        if (c.primitives[i]) dnnl_primitive_desc_destroy(c.primitives[i]);
    if (status != NZ_OK) {
        layer_release(&c.layer->base);
        return status;
    }
    *ret_layer = &c.layer->base;
    return NZ_OK;
}
