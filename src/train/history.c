/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stddef.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/text.h"
#include "train/trainer.h"

#define AT(field) offsetof(nz_train_epoch, field)

const nz_epoch_column nz_epoch_columns[NZ_EPOCH_COLUMNS] = {
    {"epoch", AT(epoch), NZ_AS_SHORT},
    {"lr", AT(lr), NZ_AS_SHORT},
    {"train_loss", AT(train_loss), 6},
    {"train_top1_pct", AT(train_top1_pct), 4},
    {"test_loss", AT(test_loss), 6},
    {"test_top1_pct", AT(test_top1_pct), 4},
    {"seconds", AT(seconds), 3},
    {"images_per_s", AT(images_per_s), 1},
    {"test_map50_pct", AT(test_map50_pct), 4},
    {"test_map50_95_pct", AT(test_map50_95_pct), 4},
    {"box_loss", AT(box_loss), 6},
    {"object_loss", AT(object_loss), 6},
    {"class_loss", AT(class_loss), 6},
};

double *nz_epoch_cell(nz_train_epoch *epoch, size_t column) {
    return (double *)(void *)((char *)epoch + nz_epoch_columns[column].offset);
}

static void put_cell(nz_text *text, double value, int decimals) {
    if (decimals == NZ_AS_SHORT)
        nz_text_appendf(text, "%.6g", value);
    else if (isfinite(value))
        nz_text_appendf(text, "%.*f", decimals, value);
}

nz_status nz_history_write(const char *path, const nz_train_epoch *epochs, size_t count) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    for (size_t c = 0; c < NZ_EPOCH_COLUMNS; c++)
        nz_text_appendf(&text, "%s%s", nz_epoch_columns[c].name, c + 1 < NZ_EPOCH_COLUMNS ? "," : "\n");
    for (size_t i = 0; i < count; i++) {
        nz_train_epoch epoch = epochs[i];
        for (size_t c = 0; c < NZ_EPOCH_COLUMNS; c++) {
            put_cell(&text, *nz_epoch_cell(&epoch, c), nz_epoch_columns[c].decimals);
            nz_text_append(&text, c + 1 < NZ_EPOCH_COLUMNS ? "," : "\n");
        }
    }
    NZ_TRY(text.status);
    return nz_file_write(path, text.data, text.length);
}
