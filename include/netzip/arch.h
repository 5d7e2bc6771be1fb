/* SPDX-License-Identifier: Apache-2.0 */
/** Builders of known architectures: published topologies under the parameter names that their checkpoints use. */
#ifndef NETZIP_ARCH_H
#define NETZIP_ARCH_H

#include "netzip/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nz_arch_options {
    int64_t classes; /**< outputs of the classifier; 0: the architecture's own (1000, or 10 for CIFAR's) */
    int64_t channels, height, width; /**< of the image; 0: the architecture's own */
    uint64_t seed;                   /**< of the initial weights */
    bool blank; /**< weights stay 0, in memory that is not touched: to count them, or to fill them from a checkpoint */
} nz_arch_options;

/** Facts of an architecture, for lists and help. Static. */
typedef struct nz_arch_info {
    const char *name;                         /**< "resnet18", "resnet20-cifar", ... */
    const char *help;                         /**< one line with its source */
    int64_t classes, channels, height, width; /**< its own */
} nz_arch_info;
/** Architecture `i` in the order of the list, NULL past the end. */
NZ_API const nz_arch_info *nz_arch_at(size_t i);

/**
 * Builds an architecture with initial weights, drawn as its source draws them (ResNet: convolutions He-normal by fan out,
 * linear layers uniform in +-1/sqrt(fan in), batch normalisation 1 and 0); every tensor has a random stream of its own, and
 * the same seed gives the same weights on every machine. Nodes have the canonical spelling; the batch is
 * symbolic ("N"). Constants carry the names of PyTorch's state dictionary ("layer1.0.conv1.weight"), nodes those of the
 * modules ("layer1.0.conv1"). Shapes between input and output are unknown until a pass infers them, as every user of a
 * graph does (nz_pass_fold, nz_pass_specialise).
 *
 * @param[out] ret_graph  Owned: nz_graph_free.
 * @param name     As nz_arch_at lists it.
 * @param options  NULL: all its own, seed 0.
 * @return NZ_E_ARG for an unknown name (the nearest one is suggested) or extents too small for it; NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_arch_build(nz_graph **ret_graph, const char *name, const nz_arch_options *options);

#ifdef __cplusplus
}
#endif
#endif
