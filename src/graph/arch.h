/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The words that architectures are written in. A builder remembers its first failure, after which every word does nothing:
 * a topology reads as a list of layers, and nz_arch_build looks once, at the end.
 */
#ifndef NZ_GRAPH_ARCH_H
#define NZ_GRAPH_ARCH_H

#include "graph/build.h"
#include "netzip/arch.h"

/** How a weight's initial values are drawn; gains are those for ReLU. */
typedef enum nz_arch_init {
    NZ_INIT_HE_FAN_OUT,        /**< normal, variance 2 / (outputs x kernel) */
    NZ_INIT_HE_FAN_IN,         /**< normal, variance 2 / (inputs x kernel) */
    NZ_INIT_HE_UNIFORM_FAN_IN, /**< uniform of that variance */
    NZ_INIT_LINEAR,            /**< uniform in +-1 / sqrt(inputs x kernel), a bias too */
    NZ_INIT_SMALL              /**< normal, standard deviation 0.01 */
} nz_arch_init;

typedef struct nz_arch {
    nz_graph *graph;
    const char *name; /**< of the architecture, for messages */
    int64_t classes, channels, height, width;
    uint64_t seed;
    const char *anchors; /**< NULL: the architecture's own */
    bool blank;
    nz_arch_init conv_init, linear_init; /**< set by a family before its first layer */
    float norm_epsilon, norm_momentum; /**< likewise; 1e-5 and 0.9 unless it does. Momentum is the share that is kept */
    char module[64];                   /**< prefix of every name: "layer1.0." */
    nz_status status;                  /**< the first failure */
} nz_arch;

/** A value on its way through the network: batch, channels, height, width; or batch, channels once it is flat. */
typedef struct nz_arch_map {
    int value;
    int64_t channels, height, width;
} nz_arch_map;

typedef struct nz_arch_conv {
    int64_t outputs, kernel;
    int64_t stride, padding, groups; /**< 0: 1, 0, 1 */
    bool bias;
} nz_arch_conv;

/** Names from here on begin with this; "" for those of the network itself. */
void nz_arch_module(nz_arch *arch, const char *format, ...) NZ_PRINTF(2, 3);

/* One layer each; `name` is that of the module in the checkpoint, to which weight, bias and so on are appended. */
nz_arch_map nz_arch_add_conv(nz_arch *arch, nz_arch_map x, const char *name, const nz_arch_conv *conv);
nz_arch_map nz_arch_add_norm(nz_arch *arch, nz_arch_map x, const char *name);
nz_arch_map nz_arch_add_linear(nz_arch *arch, nz_arch_map x, const char *name, int64_t outputs);
nz_arch_map nz_arch_add_relu(nz_arch *arch, nz_arch_map x, const char *name);
nz_arch_map nz_arch_add_relu6(nz_arch *arch, nz_arch_map x, const char *name);
nz_arch_map nz_arch_add_sum(nz_arch *arch, nz_arch_map a, nz_arch_map b, const char *name);
/** x times its sigmoid. */
nz_arch_map nz_arch_add_silu(nz_arch *arch, nz_arch_map x, const char *name);
/** Joins `count` maps of the same extents along the channels. */
nz_arch_map nz_arch_add_concat(nz_arch *arch, const nz_arch_map *maps, size_t count, const char *name);
/** Twice as many rows and columns, each value repeated. */
nz_arch_map nz_arch_add_upsample(nz_arch *arch, nz_arch_map x, const char *name);
nz_arch_map nz_arch_add_dropout(nz_arch *arch, nz_arch_map x, const char *name, float ratio);
/** Largest of kernel x kernel. `ceil`: a last window that is not whole counts too. */
nz_arch_map nz_arch_add_max_pool(nz_arch *arch, nz_arch_map x, const char *name, const nz_arch_conv *window, bool ceil);
/** The mean of each channel, flat. */
nz_arch_map nz_arch_add_global_pool(nz_arch *arch, nz_arch_map x, const char *name);
/** Means over side x side windows that cover the map: window i of n positions is [floor(i n / side), ceil((i + 1) n / side)),
 * so that windows overlap, and a map smaller than side x side is repeated. */
nz_arch_map nz_arch_add_adaptive_pool(nz_arch *arch, nz_arch_map x, const char *name, int64_t side);
nz_arch_map nz_arch_add_flatten(nz_arch *arch, nz_arch_map x, const char *name);
/** Every second row and column, with `channels` / 2 channels of zeros more on both sides. */
nz_arch_map nz_arch_add_subsample(nz_arch *arch, nz_arch_map x, const char *name, int64_t channels);

enum { NZ_ARCH_BOX_NUMBERS = 5 }; /* of a box beside its class scores */
/** The head of a YOLOv5: a convolution for each level's map, read as boxes in pixels. Its height is then the number of boxes, its
 * channels are 5 + classes.
 * @param anchors  Width and height in pixels. They become the constant "anchors", in strides, as checkpoints hold them. */
nz_arch_map nz_arch_add_boxes(nz_arch *arch, const nz_arch_map maps[NZ_ARCH_LEVELS], const nz_arch_detector *detector,
                              const double anchors[NZ_ARCH_LEVELS][NZ_ARCH_ANCHORS][2]);
/** Writes the metadata "netzip.detect" of a network with that head, by the present content of its anchors.
 * @return NZ_E_FORMAT where that is no size. */
NZ_CHECKED nz_status nz_arch_describe_boxes(nz_graph *graph, const nz_arch_detector *detector);

/* Parts that layers are made of, for what is no word yet. */

/** A node with one output, which becomes the map's value. NULL after a failure. */
nz_node *nz_arch_add_node(nz_arch *arch, nz_arch_map *x, const char *op, const char *name, const int *inputs,
                          size_t count);
/** Constants that the state dictionary does not have: float ones get a name with a colon, by which import passes them over. */
int nz_arch_add_ints(nz_arch *arch, const char *name, const char *suffix, const int64_t *values, int64_t count);
int nz_arch_add_floats(nz_arch *arch, const char *name, const nz_shape *shape, const float *values);
void nz_arch_set_int(nz_arch *arch, nz_node *node, const char *name, int64_t value);
void nz_arch_set_text(nz_arch *arch, nz_node *node, const char *name, const char *value);

/** An architecture: its facts and what writes it down. */
typedef struct nz_arch_entry {
    nz_arch_info info;
    nz_arch_map (*build)(nz_arch *arch, nz_arch_map image, const void *plan);
    const void *plan; /**< the family's own */
} nz_arch_entry;

/** Writes the metadata that follow from a graph's constants: for whoever has filled them from elsewhere. */
NZ_CHECKED nz_status nz_arch_describe(nz_graph *graph, const char *name);
/** The architecture of that name. NZ_E_ARG suggests the nearest one. Static. */
NZ_CHECKED nz_status nz_arch_find(const nz_arch_entry **ret_entry, const char *name);

/* The families, each up to an entry without a name; arch.c lists them. */
extern const nz_arch_entry nz_arch_resnets[], nz_arch_vggs[], nz_arch_mobilenets[], nz_arch_squeezenets[],
    nz_arch_yolov5s[];

#endif
