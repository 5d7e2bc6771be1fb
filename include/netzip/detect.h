/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Detectors at work: from a model's outputs to boxes in the stored image. How outputs are read (the head) is told by their
 * shapes, by what is stored with the model, or by the user.
 */
#ifndef NETZIP_DETECT_H
#define NETZIP_DETECT_H

#include "netzip/data.h"
#include "netzip/detection.h"
#include "netzip/graph.h"
#include "netzip/progress.h"
#include "netzip/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Index into the table of heads; nz_head_at lists it. */
typedef enum nz_head {
    NZ_HEAD_AUTO,   /**< told by the outputs' shapes */
    NZ_HEAD_YOLOV5, /**< [batch, boxes, 5 + classes], decoded: centre and extent in pixels, objectness, class scores */
    NZ_HEAD_YOLOV5_RAW,    /**< one output a level, before the sigmoid: [batch, anchors, h, w, 5 + classes] or
                             [batch, anchors * (5 + classes), h, w] */
    NZ_HEAD_YOLOV8,        /**< [batch, 4 + classes, boxes], decoded, no objectness */
    NZ_HEAD_YOLOX,         /**< [batch, cells, 5 + classes], undecoded: (xy + grid) stride, exp(wh) stride */
    NZ_HEAD_YOLOX_DECODED, /**< the same with boxes in pixels; never told by shapes */
    NZ_HEADS
} nz_head;
/** Name and one line of help of head `i`; NULL past the end. Static. */
NZ_API const char *nz_head_at(size_t i, const char **ret_help);

/** Read from one option table: what `--detect`, metadata "netzip.detect" and DATA-independent settings hold. */
typedef struct nz_detect_options {
    int head;          /**< nz_head */
    double confidence; /**< candidates score above this: objectness x class; default 0.001 */
    double iou; /**< of one class, a box overlapping a better one by more than this is dropped; NaN: the head's default
                     (0.65 for YOLOX, else 0.6) */
    long long most; /**< boxes kept of one image, over all classes; default 300 */
    int best_class; /**< 1: only the best class of a box is a candidate; 0, the default: every class above `confidence` */
    int across;     /**< 1: suppression looks at boxes of all classes; 0, the default: of the same class */
    char *anchors; /**< of a raw or trained YOLOv5 head, in pixels: "10x13+16x30+33x23/30x61+...", levels joined by '/';
                            NULL: the published ones for strides 8, 16, 32 */
    char *strides; /**< "8+16+32"; NULL: these */
} nz_detect_options;
/** Defaults, then the model's own (metadata "netzip.detect" of `graph`; NULL: none), then the pairs of `text`
 * ("conf=0.25,iou=0.5"; NULL or "": none). Release with nz_detect_options_done. NZ_E_ARG names the key; NZ_E_FORMAT: the
 * model's text is wrong. */
NZ_API NZ_CHECKED nz_status nz_detect_options_read(nz_detect_options *ret_options, const char *text,
                                                   const nz_graph *graph);
/** Releases the texts. */
NZ_API void nz_detect_options_done(nz_detect_options *options);
/** All options as text that nz_detect_options_read takes. Owned: free(). */
NZ_API NZ_CHECKED nz_status nz_detect_options_text(char **ret_text, const nz_detect_options *options);
/** Key `i` (head, conf, iou, max, labels, nms, anchors, strides) with its default and one line of help, NULL past the end. */
NZ_API const char *nz_detect_option(size_t i, const char **ret_initial, const char **ret_help);

enum { NZ_LEVELS_MOST = 8, NZ_ANCHORS_MOST = 16 };
/** The levels of a YOLOv5 head: strides and anchors in pixels of the model's input. */
typedef struct nz_levels {
    size_t count, anchors; /**< anchors of each level */
    int stride[NZ_LEVELS_MOST];
    double anchor[NZ_LEVELS_MOST][NZ_ANCHORS_MOST][2]; /**< width, height */
} nz_levels;
/** The levels that options say (or default to). NZ_E_ARG. */
NZ_API NZ_CHECKED nz_status nz_levels_get(nz_levels *ret_levels, const nz_detect_options *options);

/** A detector's outputs understood: which head, how many classes. */
typedef struct nz_detector nz_detector;
/**
 * @param input    [batch, channels, height, width] of the image (or NHWC where `nhwc`).
 * @param outputs  The model's outputs with concrete shapes; data is not looked at.
 * @param classes  What the data has; 0: not known. A model of another number is NZ_E_SHAPE.
 * @return NZ_E_UNSUPPORTED where no head has outputs of these shapes: the message gives them and the heads' own.
 */
NZ_API NZ_CHECKED nz_status nz_detector_open(nz_detector **ret_detector, const nz_detect_options *options,
                                             const nz_shape *input, bool nhwc, const nz_tensor *outputs,
                                             size_t output_count, size_t classes);
/** NULL passes. */
NZ_API void nz_detector_free(nz_detector *detector);
/** The number of classes it tells apart. */
NZ_API size_t nz_detector_classes(const nz_detector *detector);
/** "yolov5 (1x25200x85), conf 0.001, NMS IoU 0.6, at most 300 boxes". Borrowed. */
NZ_API const char *nz_detector_describe(const nz_detector *detector);
/**
 * The boxes of sample `slot` of a batch, best first, after class-wise suppression, in pixels of the model's input (corner
 * and extent). Candidates are taken in a stable order of score, so that equal scores keep the outputs' order.
 * @param[out] ret_boxes  image is left 0. Borrowed until the next call.
 * @return NZ_E_MEMORY. Values that are no numbers are no candidates.
 */
NZ_API NZ_CHECKED nz_status nz_detector_boxes(const nz_found_box **ret_boxes, size_t *ret_count, nz_detector *detector,
                                              const nz_tensor *outputs, size_t slot);

/** Whether a model's outputs are those of a detector, for inputs of its own or the given extents; *ret_head names it. Never fails
 * for a model that is none: false then. */
NZ_API bool nz_graph_detects(const nz_graph *graph, const nz_detect_options *options, nz_head *ret_head);

/** Maps a box from pixels of the model's input back to the stored image and rounds as detections files do: coordinates to 3
 * decimals, scores to 6. Nothing is clipped. */
NZ_API void nz_found_to_image(nz_found_box *box, const nz_placement *placement);

/** Where the time of a run went; waiting for images alone counts as reading. */
typedef struct nz_detect_times {
    size_t images;
    uint64_t read_ns, inference_ns, boxes_ns; /**< boxes: from outputs to boxes, suppression included */
} nz_detect_times;

typedef struct nz_detect_run {
    const nz_detect_options *options;
    int threads;            /**< 0: all the process may use */
    int64_t batch;          /**< where the model leaves it open; 0: 1 */
    bool reference;         /**< plain C kernels (tests) */
    nz_detect_times *times; /**< filled in at the end; NULL: not wanted */
    char *description;      /**< [NZ_DETECT_TEXT] gets nz_detector_describe; NULL: not wanted */
} nz_detect_run;
enum { NZ_DETECT_TEXT = 256 };
/**
 * Runs a detector over a data set and gathers ground truth and boxes, mapped back to the stored images.
 * Coordinates are rounded to 3 decimals and scores to 6, as detections files hold them.
 *
 * @param data  Opened for the model (nz_data_open_for_model). Without objects there is no ground truth, and classes are the
 *              model's own by index.
 * @param[out] ret_detections  Image indices are positions among the data set's images sorted by id. Broken images are left out.
 * @param[out] ret_broken      How many those were; may be NULL.
 * @return NZ_E_UNSUPPORTED, NZ_E_SHAPE as nz_detector_open; NZ_E_FORMAT where no image can be read; NZ_E_CANCELLED.
 */
NZ_API NZ_CHECKED nz_status nz_detect(nz_detections *ret_detections, size_t *ret_broken, const nz_graph *graph,
                                      const nz_dataset *data, const nz_detect_run *run, const nz_progress *progress);
/** The ground truth of a data set alone: image and class ids, names, objects; nothing found. NZ_E_ARG where it has no objects. */
NZ_API NZ_CHECKED nz_status nz_detect_truths(nz_detections *ret_detections, const nz_dataset *data);

/** Writes the found boxes as COCO's detections JSON, whole or not at all. NZ_E_ARG for indices out of range and values that
 * are no numbers; NZ_E_IO, NZ_E_RESOURCE, NZ_E_MEMORY. */
NZ_API NZ_CHECKED nz_status nz_detect_write_json(const char *path, const nz_detections *detections);

#ifdef __cplusplus
}
#endif
#endif
