/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/text.h"
#include "train/trainer.h"

static void put_cell(nz_text *text, double value, int decimals, const char *end) {
    if (isfinite(value)) nz_text_appendf(text, "%.*f", decimals, value);
    nz_text_append(text, end);
}

nz_status nz_history_write(const char *path, const nz_train_epoch *epochs, size_t count) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    nz_text_append(&text, "epoch,lr,train_loss,train_top1_pct,test_loss,test_top1_pct,seconds,images_per_s\n");
    for (size_t i = 0; i < count; i++) {
        const nz_train_epoch *e = &epochs[i];
        nz_text_appendf(&text, "%.6g,%.6g,", e->epoch, e->lr);
        put_cell(&text, e->train_loss, 6, ",");
        put_cell(&text, e->train_top1_pct, 4, ",");
        put_cell(&text, e->test_loss, 6, ",");
        put_cell(&text, e->test_top1_pct, 4, ",");
        put_cell(&text, e->seconds, 3, ",");
        put_cell(&text, e->images_per_s, 1, "\n");
    }
    NZ_TRY(text.status);
    return nz_file_write(path, text.data, text.length);
}
