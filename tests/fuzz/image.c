/* SPDX-License-Identifier: Apache-2.0 */
/* JPEG and PNG files, and the resizing of what comes out. */
#include "data/image.h"
#include "core/memory.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    NZ_AUTO(nz_image_done) nz_image image = {0}, small = {0};
    int told_width = 0, told_height = 0;
    nz_status told = nz_image_load_size(&told_width, &told_height, nz_fuzz_file(bytes, count));
    nz_fuzz_check(told == NZ_OK ? told_width > 0 && told_height > 0 : *nz_last_error() && !told_width);
    nz_status status = nz_image_decode(&image, bytes, count, "fuzz");
    if (status != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !strchr(nz_last_error(), '\n') && !image.owned);
        return 0;
    }
    nz_fuzz_check(image.width > 0 && image.height > 0 && image.channels == 3 && !image.planar);
    nz_fuzz_check((int64_t)image.width * image.height <= NZ_IMAGE_PIXELS_MAX);
    nz_fuzz_check(told == NZ_OK && told_width == image.width && told_height == image.height);
    size_t pixels = (size_t)image.width * (size_t)image.height;
    volatile unsigned touched = image.pixels[0] + image.pixels[3 * pixels - 1];
    (void)touched;
    if (pixels > 1 << 20) return 0;
    int width = 1 + (int)(count * 7 % 61), height = 1 + (int)(count * 13 % 47);
    status = nz_image_resize(&small, &image, width, height);
    nz_fuzz_check(status != NZ_OK || (small.width == width && small.height == height));
    return 0;
}
