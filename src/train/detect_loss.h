/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The loss of YOLOv5's head: which anchors of which cells answer for an object, and what their boxes, objectness and classes
 * cost. Works on one level's raw outputs [batch, anchors * (5 + classes), rows, columns].
 *
 * @source G. Jocher et al., YOLOv5 (2020), behaviour read and written anew; Z. Zheng et al., Distance-IoU Loss, AAAI 2020 (CIoU);
 * C. Szegedy et al., 2015 (label smoothing).
 */
#ifndef NZ_TRAIN_DETECT_LOSS_H
#define NZ_TRAIN_DETECT_LOSS_H

#include "netzip/detect.h"

/** An object of a batch: centre and extent in pixels of the model's input. */
typedef struct nz_target {
    int32_t slot, class_index;
    double x, y, width, height;
} nz_target;

/** An anchor of a cell that answers for an object. */
typedef struct nz_assigned {
    int32_t slot, class_index, anchor, row, column;
    double x, y, width, height; /**< in cells; x and y from the cell's corner: -0.5 .. 1.5 */
} nz_assigned;
typedef struct nz_assignment {
    size_t count, capacity;
    nz_assigned *list;
} nz_assignment;
void nz_assignment_done(nz_assignment *assignment);

typedef struct nz_level {
    int64_t batch, anchors, classes, rows, columns;
    int stride;
    const double (*anchor)[2]; /**< [anchors] width, height in pixels */
} nz_level;

/**
 * Every anchor whose sides differ from the object's by less than `ratio`, in the cell of the object's centre and in the nearer
 * neighbour of each axis, where there is one.
 * @param[in,out] assignment  Its list is filled anew, in the order of anchors, cells (own, left, above, right, below), targets.
 */
NZ_CHECKED nz_status nz_assign(nz_assignment *assignment, const nz_level *level, const nz_target *targets, size_t count,
                               double ratio);

/** Complete IoU of two boxes (centre and extent) and its gradient by `box` (NULL: not wanted), in which the weight of the shapes'
 * difference counts as a constant, as published. */
double nz_complete_iou(const double box[4], const double wanted[4], double gradient[4]);

/** What the parts of one level's loss are multiplied by. */
typedef struct nz_detect_gains {
    double box, object, class_score;
    double smoothing; /**< of class targets: 1 - smoothing / 2 and smoothing / 2 */
    double gradient;  /**< of all gradients, on top */
} nz_detect_gains;

/**
 * box: mean of 1 - CIoU over what is assigned; object: mean of the cross-entropy over all anchors and cells, with the CIoU of the
 * predicted box for target, at least 0 (the largest, where several objects share a place); class: mean over what is assigned and
 * classes, 0 of a single class.
 * @param raw        Before the sigmoid.
 * @param gradient   As raw; written in full.
 * @param scratch    [batch, anchors, rows, columns] floats.
 * @param[out] parts Box, object, class, with their gains.
 */
NZ_CHECKED nz_status nz_detect_loss(double parts[3], const nz_level *level, const nz_assignment *assignment,
                                    const nz_detect_gains *gains, const float *raw, float *gradient, float *scratch);

#endif
