/* SPDX-License-Identifier: Apache-2.0 */
/** Builders of known architectures: published topologies under the parameter names that their checkpoints use. */
#ifndef NETZIP_ARCH_H
#define NETZIP_ARCH_H

#include "netzip/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nz_arch_options {
    int64_t classes; /**< that it tells apart; 0: the architecture's own (1000, or 10 for CIFAR's, 80 for COCO's) */
    int64_t channels, height, width; /**< of the image; 0: the architecture's own */
    uint64_t seed;                   /**< of the initial weights */
    /** Of a detector: "10x13+16x30+33x23/30x61+...", width and height in pixels, as many as its own; NULL: its own. A
     * classifier passes them over. */
    const char *anchors;
    bool blank; /**< weights stay 0, in memory that is not touched: to count them, or to fill them from a checkpoint */
} nz_arch_options;

/** Of a detector: levels of its head, and boxes of a cell. The head's convolutions have anchors x (5 + classes) outputs. */
enum { NZ_ARCH_LEVELS = 3, NZ_ARCH_ANCHORS = 3 };
/** What a detector has beside a classifier's facts. Static. */
typedef struct nz_arch_detector {
    /** Pixels of a cell of each level, ascending; extents are multiples of the last. */
    int64_t strides[NZ_ARCH_LEVELS];
    const char *preprocess; /**< of an image of its own height and width, as DATA's keys say it */
} nz_arch_detector;

/** Facts of an architecture, for lists and help. Static. */
typedef struct nz_arch_info {
    const char *name;                         /**< "resnet18", "resnet20-cifar", ... */
    const char *help;                         /**< one line with its source */
    int64_t classes, channels, height, width; /**< its own */
    const nz_arch_detector *detector;         /**< NULL: a classifier */
} nz_arch_info;
/** Architecture `i` in the order of the list, NULL past the end. */
NZ_API const nz_arch_info *nz_arch_at(size_t i);
/** The architecture of that name, NULL where there is none. */
NZ_API const nz_arch_info *nz_arch_get(const char *name);

/**
 * Builds an architecture with initial weights, drawn as its source draws them (ResNet: convolutions He-normal by fan out,
 * linear layers uniform in +-1/sqrt(fan in), batch normalisation 1 and 0); every tensor has a random stream of its own, and
 * the same seed gives the same weights on every machine. Nodes have the canonical spelling; the batch is
 * symbolic ("N"). Constants carry the names of PyTorch's state dictionary ("layer1.0.conv1.weight"), nodes those of the
 * modules ("layer1.0.conv1"). Shapes between input and output are unknown until a pass infers them, as every user of a
 * graph does (nz_pass_fold, nz_pass_specialise).
 *
 * A detector's output is [N, boxes, 5 + classes], decoded: centre and extent in pixels of the input, objectness, class scores;
 * boxes in the order level, anchor, row, column. Its metadata say how it is read ("netzip.detect", the options of detect.h) and
 * what images it takes ("netzip.preprocess").
 *
 * @param[out] ret_graph  Owned: nz_graph_free.
 * @param name     As nz_arch_at lists it.
 * @param options  NULL: all its own, seed 0.
 * @return NZ_E_ARG for an unknown name (the nearest one is suggested) or extents that are too small for it or no multiple of what
 *         a detector needs; NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_arch_build(nz_graph **ret_graph, const char *name, const nz_arch_options *options);

#ifdef __cplusplus
}
#endif
#endif
