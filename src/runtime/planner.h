/* SPDX-License-Identifier: Apache-2.0 */
/**
 * From a specialised graph to a plan of fast kernels, in three steps: qdq.c moves Q/DQ so that runs of layers stay in 8
 * bits; fuse.c and match.c gather nodes into groups, one kernel each; lower.c chooses layouts and makes the steps.
 */
#ifndef NZ_RUNTIME_PLANNER_H
#define NZ_RUNTIME_PLANNER_H

#include "core/text.h"
#include "kernel/kernel.h"
#include "op/conv.h"
#include "op/op.h"
#include "runtime/plan.h"
#include "runtime/tune.h"

typedef enum nz_group_kind {
    NZ_GROUP_REFERENCE, /**< the operator's plain C */
    NZ_GROUP_CONV,      /**< op CONV or DECONV */
    NZ_GROUP_LINEAR,    /**< Gemm or MatMul with constant weights */
    NZ_GROUP_MATMUL,    /**< of two computed values */
    NZ_GROUP_POOL,
    NZ_GROUP_ACT,
    NZ_GROUP_BINARY, /**< f32 with broadcasting, or 8-bit of equal shapes */
    NZ_GROUP_SOFTMAX,
    NZ_GROUP_NEAREST,
    NZ_GROUP_CONCAT,
    NZ_GROUP_PAD,
    NZ_GROUP_VIEW,    /**< the same bytes seen otherwise: Reshape, Transpose, Slice, Split, ... */
    NZ_GROUP_CONVERT, /**< QuantizeLinear, DequantizeLinear, or one after the other */
    NZ_GROUP_TABLE    /**< any element-wise chain between DQ and Q */
} nz_group_kind;

/** What planning found out not to work for the group rooted at a node, and avoids when it starts again. */
typedef enum nz_refusal {
    NZ_REFUSE_RESIDUAL = 1,
    NZ_REFUSE_POSTS = 2,
    NZ_REFUSE_INT8 = 4,
    NZ_REFUSE_BF16 = 8,
    NZ_REFUSE_KERNEL = 16
} nz_refusal;

typedef struct nz_group {
    nz_group_kind kind;
    nz_kernel_op op;
    int root, last;     /**< nodes: the one that does the work, and the latest in order */
    int src, src1, out; /**< values, or -1 */
    bool int8;          /**< an 8-bit kernel: src (and src1) are quantised values */
    nz_quant src_quant, src1_quant, dst_quant;
    nz_post posts[NZ_POSTS];
    size_t post_count;
    int residual;         /**< index of the post-operation that adds src1; -1 */
    nz_tensor weights;    /**< f32 or i8; shares or owns; done with nz_tensor_done */
    float *weight_scales; /**< owned */
    size_t weight_scale_count;
    float *bias; /**< owned; NULL: none */
    int64_t channels;
    uint8_t table[256];
    nz_text fused;
    bool live;
} nz_group;

/** Where a value's elements lie. */
typedef struct nz_view {
    int buffer; /**< -1: not made yet */
    size_t offset;
    nz_mem mem;
} nz_view;

typedef enum nz_form { NZ_FORM_PLAIN, NZ_FORM_LAST, NZ_FORMS } nz_form; /**< row-major; channels last */

typedef struct nz_planner {
    nz_plan *plan;
    const nz_graph *graph;
    nz_compute compute;
    bool tune;
    nz_tuner tuner;
    nz_dtype float_type;         /**< of float layers: f32 or bf16 */
    unsigned *refused;           /**< per node: nz_refusal bits, kept from attempt to attempt */
    nz_arena arena;              /**< contexts and constants while planning */
    int *constant_depth;         /**< per value: 0 computed, 1 stored, else 1 more than what it depends on */
    nz_tensor *constants;        /**< per value: evaluated; dtype NONE: not yet */
    int *reader_start, *readers; /**< nodes that read value v: readers[reader_start[v]] to [v + 1] */
    bool *is_output;
    bool *taken; /**< per node: in a group */
    size_t group_count, group_capacity;
    nz_group *groups;
    size_t *order; /**< live groups by `last` */
    size_t order_count;
    int *class_of;    /**< per value: values that may share a buffer */
    size_t *last_use; /**< per class: position in `order` of the last group that reads it; SIZE_MAX for outputs */
    nz_view *views;   /**< per value: as it was made */
    nz_view *forms;   /**< per value and nz_form and type (f32 or other, bf16): copies made on demand */
    int *slot_of;     /**< per value: the concat group (index) that it may be written into directly; -1 */
    int again;        /**< node whose group has to be planned differently; -1 */
    unsigned again_refusal;
} nz_planner;

/** Plans everything: `graph` is specialised; it may be replaced by a rewritten one, which the plan owns. */
NZ_CHECKED nz_status nz_plan_fast(nz_plan *plan, const nz_graph *graph, const nz_runtime_options *options);

/* qdq.c */
/** DequantizeLinear moves behind operators that only move or select data; Q(DQ(x)) with the same parameters vanishes. */
NZ_CHECKED nz_status nz_move_qdq(nz_graph **ret_graph, const nz_graph *graph);
/** QLinearConv and QLinearMatMul become DQ, Conv or MatMul, Q; the nodes that are added come last. */
NZ_CHECKED nz_status nz_expand_qlinear(nz_graph *graph);
/** The scalar scale and zero point of a Q or DQ node on 8-bit data; false where it is not such a node. */
bool nz_read_qdq(nz_quant *ret_quant, const nz_graph *graph, const nz_node *node);

/* constant.c */
/** Finds out, once for all values, which depend on constants alone. */
NZ_CHECKED nz_status nz_planner_find_constants(nz_planner *planner);
/** Whether a value depends on constants alone. */
bool nz_planner_is_constant(const nz_planner *planner, int value);
/** The constant value of `value`, computed once by the operators' plain C. Borrowed; owned by the planner. */
NZ_CHECKED nz_status nz_planner_constant(nz_planner *planner, int value, const nz_tensor **ret_tensor);
/** The same as f32 numbers in the planner's arena. */
NZ_CHECKED nz_status nz_planner_floats(nz_planner *planner, int value, const float **ret_values, int64_t *ret_count);
NZ_CHECKED nz_status nz_planner_context(nz_planner *planner, int node, nz_op_ctx *ret_ctx);

/* fuse.c: what follows a kernel */
/** The only node that reads the value, which is no output; -1 otherwise. */
int nz_planner_only_reader(const nz_planner *planner, int value);
/** The 8-bit value behind a DequantizeLinear, where 8-bit kernels are wanted. */
bool nz_planner_dequantised(const nz_planner *planner, int value, int *ret_source, nz_quant *ret_quant);
/** An element-wise node as an activation. */
bool nz_planner_activation(nz_planner *planner, int node, nz_post *ret_post);
NZ_CHECKED nz_status nz_group_absorb(nz_planner *planner, nz_group *group);
/** Ends an 8-bit group in the QuantizeLinear after it. false: there is none. */
bool nz_group_absorb_quantise(nz_planner *planner, nz_group *group);
void nz_group_take(nz_planner *planner, nz_group *group, int node);

/* match.c: which kernel a node begins */
NZ_CHECKED nz_status nz_planner_match(nz_planner *planner);
void nz_group_done(nz_group *group);
/** Values that the group reads, through `each`. */
void nz_group_inputs(const nz_planner *planner, const nz_group *group, void (*each)(void *argument, int value),
                     void *argument);

/* layout.c */
NZ_CHECKED nz_status nz_view_need(nz_planner *planner, nz_view *ret_view, int value, nz_form form, nz_dtype dtype);
NZ_CHECKED nz_status nz_view_new(nz_planner *planner, nz_view *ret_view, const nz_mem *mem);
bool nz_view_reshape(nz_mem *ret_mem, const nz_mem *mem, const nz_shape *shape);
/** Appends a step that runs `kernel`, which it takes over. `src1` may be NULL. */
NZ_CHECKED nz_status nz_planner_add_kernel(nz_planner *planner, nz_kernel *kernel, const nz_view *src,
                                           const nz_view *src1, const nz_view *dst, const char *name, const char *op);
/** Copies one view into another (converting) as a step. */
NZ_CHECKED nz_status nz_planner_add_convert(nz_planner *planner, const nz_view *from, const nz_view *to,
                                            const nz_quant *from_quant, const nz_quant *to_quant, const char *name,
                                            const char *op);
/** The form in which a value of this rank wants to be kept: as it is where it has been made. */
nz_form nz_view_form(const nz_view *view);

/* lower.c, lower_move.c */
NZ_CHECKED nz_status nz_planner_lower(nz_planner *planner);
NZ_CHECKED nz_status nz_lower_view(nz_planner *planner, const nz_group *group);
NZ_CHECKED nz_status nz_lower_concat(nz_planner *planner, const nz_group *group);
NZ_CHECKED nz_status nz_lower_pad(nz_planner *planner, const nz_group *group);
NZ_CHECKED nz_status nz_lower_nearest(nz_planner *planner, const nz_group *group);
NZ_CHECKED nz_status nz_lower_reference(nz_planner *planner, const nz_group *group);

#endif
