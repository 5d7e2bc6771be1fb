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
    NZ_INIT_LINEAR,            /**< uniform in +-1 / sqrt(inputs x kernel), the bias too */
    NZ_INIT_SMALL              /**< normal, standard deviation 0.01 */
} nz_arch_init;

typedef struct nz_arch {
    nz_graph *graph;
    const char *name; /**< of the architecture, for messages */
    int64_t classes, channels, height, width;
    uint64_t seed;
    bool blank;
    nz_arch_init conv_init, linear_init; /**< set by a family before its first layer */
    char module[64];                     /**< prefix of every name: "layer1.0." */
    nz_status status;                    /**< the first failure */
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
/** Joins two maps of the same extents along the channels. */
nz_arch_map nz_arch_add_concat(nz_arch *arch, nz_arch_map a, nz_arch_map b, const char *name);
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

/** An architecture: its facts and what writes it down. */
typedef struct nz_arch_entry {
    nz_arch_info info;
    nz_arch_map (*build)(nz_arch *arch, nz_arch_map image, const void *plan);
    const void *plan; /**< the family's own */
} nz_arch_entry;

/* The families, each up to an entry without a name; arch.c lists them. */
extern const nz_arch_entry nz_arch_resnets[], nz_arch_vggs[], nz_arch_mobilenets[], nz_arch_squeezenets[];

#endif
