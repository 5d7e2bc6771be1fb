/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a detector and outputs of any shapes and values: a line of options, then bytes that shapes are drawn from,
 * then the outputs' own. What is accepted must give boxes that are numbers. */
#include <math.h>

#include "core/memory.h"
#include "fuzz.h"
#include "netzip/detect.h"

enum { OUTPUTS = 3, BYTES_MAX = 1 << 16 };

typedef struct bytes {
    const uint8_t *data;
    size_t count;
} bytes;

static int64_t take(bytes *b) {
    if (!b->count) return 0;
    b->count--;
    return *b->data++;
}

/* Small extents mostly; a byte of 255 asks for a huge one, 254 for an unknown one. */
static int64_t take_extent(bytes *b) {
    int64_t value = take(b);
    return value == 255 ? INT64_MAX / 3 : value == 254 ? -1 : value;
}

static nz_shape take_shape(bytes *b) {
    nz_shape shape = {.rank = (int)(take(b) % 6)};
    for (int i = 0; i < shape.rank; i++) shape.dim[i] = take_extent(b);
    return shape;
}

static void check_boxes(nz_detector *detector, const nz_tensor *outputs, size_t slots, size_t most) {
    for (size_t slot = 0; slot < slots; slot++) {
        const nz_found_box *boxes = NULL;
        size_t count = 0;
        nz_fuzz_check(nz_detector_boxes(&boxes, &count, detector, outputs, slot) == NZ_OK && count <= most);
        for (size_t i = 0; i < count; i++) {
            nz_fuzz_check(isfinite(boxes[i].x) && isfinite(boxes[i].width) && isfinite(boxes[i].score));
            nz_fuzz_check((size_t)boxes[i].class_index < nz_detector_classes(detector));
            nz_fuzz_check(i == 0 || boxes[i].score <= boxes[i - 1].score);
        }
    }
}

/* Gives the outputs memory, filled again and again with what is left of the bytes. */
static bool fill(nz_tensor *outputs, size_t count, bytes rest) {
    static const uint8_t quiet = 0x3f;
    for (size_t i = 0; i < count; i++) {
        nz_tensor full = {0};
        size_t wanted = 0;
        int64_t elements = nz_shape_elements(&outputs[i].shape);
        if (elements < 0 || nz_dtype_bytes(&wanted, outputs[i].dtype, elements) != NZ_OK || wanted > BYTES_MAX ||
            nz_tensor_init(&full, outputs[i].dtype, &outputs[i].shape) != NZ_OK)
            return false;
        for (size_t k = 0; k < wanted; k++) ((uint8_t *)full.data)[k] = rest.count ? rest.data[k % rest.count] : quiet;
        outputs[i] = full;
    }
    return true;
}

static void detect(const nz_detect_options *options, bytes rest) {
    static const nz_dtype types[] = {NZ_F32, NZ_F32, NZ_F16, NZ_I8, NZ_F64};
    nz_detector *detector = NULL;
    nz_shape input = {4, {1 + (take(&rest) & 1), 3}};
    for (int i = 2; i < 4; i++) input.dim[i] = take_extent(&rest);
    bool nhwc = take(&rest) & 1;
    size_t count = 1 + (size_t)take(&rest) % OUTPUTS, classes = (size_t)take(&rest) % 4;
    nz_tensor outputs[OUTPUTS];
    for (size_t i = 0; i < count; i++) {
        nz_shape shape = take_shape(&rest);
        outputs[i] = nz_tensor_borrow(types[(size_t)take(&rest) % NZ_COUNT(types)], &shape, NULL);
    }
    if (nz_detector_open(&detector, options, &input, nhwc, outputs, count, classes) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !detector);
        return;
    }
    nz_fuzz_check(nz_detector_classes(detector) >= 1 && *nz_detector_describe(detector));
    if (fill(outputs, count, rest)) check_boxes(detector, outputs, (size_t)input.dim[0], (size_t)options->most);
    for (size_t i = 0; i < count; i++)
        if (outputs[i].owner) nz_tensor_done(&outputs[i]);
    nz_detector_free(detector);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t count) {
    const uint8_t *end = count ? memchr(data, '\n', count) : NULL;
    size_t length = end ? (size_t)(end - data) : count;
    NZ_AUTO_FREE char *text = malloc(length + 1);
    nz_fuzz_check(text);
    if (length) memcpy(text, data, length);
    text[length] = '\0';
    NZ_AUTO(nz_detect_options_done) nz_detect_options options = {0};
    if (nz_detect_options_read(&options, text, NULL) != NZ_OK) {
        nz_fuzz_check(*nz_last_error());
        return 0;
    }
    NZ_AUTO_FREE char *again = NULL;
    NZ_AUTO(nz_detect_options_done) nz_detect_options same = {0};
    nz_fuzz_check(nz_detect_options_text(&again, &options) == NZ_OK);
    nz_fuzz_check(nz_detect_options_read(&same, again, NULL) == NZ_OK && same.head == options.head &&
                  same.most == options.most);
    if (end) detect(&options, (bytes){end + 1, count - length - 1});
    return 0;
}
