/* SPDX-License-Identifier: Apache-2.0 */
/** Images that were decoded or drawn once, kept in memory up to a limit. Threads put and find without locks: an image
 * once kept stays as it is and where it is until the end. */
#ifndef NZ_DATA_KEEP_H
#define NZ_DATA_KEEP_H

#include "data/image.h"

typedef struct nz_keep nz_keep;

/** Room for `count` images in two forms each (0 and 1), `bytes` of pixels in all. */
NZ_CHECKED nz_status nz_keep_new(nz_keep **ret_keep, size_t count, size_t bytes);
void nz_keep_free(nz_keep *keep); /**< NULL passes */
/** Whether image `i` is kept; *ret_image borrows its pixels then. */
bool nz_keep_find(const nz_keep *keep, int form, size_t i, nz_image *ret_image);
/** Keeps the image where there is room, which makes *image a borrower; else leaves it as it is. */
void nz_keep_put(nz_keep *keep, int form, size_t i, nz_image *image);

#endif
