/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of images, files of class names, and the keys of DATA texts. The first byte says which. */
#include "data/labels.h"
#include "core/memory.h"
#include "data/preprocess.h"
#include "data/source.h"
#include "fuzz.h"

static void read_list(const uint8_t *bytes, size_t count) {
    char spec[128];
    nz_dataset *data = NULL;
    snprintf(spec, sizeof spec, "list:%s", nz_fuzz_file(bytes, count));
    if (nz_data_open(&data, spec, NULL, NZ_DATA_COMPARE, NULL) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !data);
        return;
    }
    nz_fuzz_check(nz_data_count(data) > 0);
    for (size_t i = 0; i < nz_data_count(data); i++) {
        int32_t label = nz_data_label(data, i);
        nz_fuzz_check(label >= -1 && (label < 0 || (size_t)label < nz_data_classes(data)));
    }
    nz_data_free(data);
}

static void read_names(const uint8_t *bytes, size_t count) {
    char **names = NULL;
    size_t found = 0;
    if (nz_labels_read(&names, &found, nz_fuzz_file(bytes, count)) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && !names);
        return;
    }
    nz_fuzz_check(found > 0);
    for (size_t i = 0; i < found; i++) nz_fuzz_check(*names[i] && !strchr(names[i], '\n'));
    nz_labels_free(names, found);
}

static void read_keys(const uint8_t *bytes, size_t count) {
    NZ_AUTO_FREE char *text = malloc(count + 1), *canonical = NULL, *again = NULL;
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    nz_data_options options = {0};
    nz_preprocess preprocess, second;
    nz_fuzz_check(text);
    memcpy(text, bytes, count);
    text[count] = '\0';
    if (nz_spec_parse(&spec, text) != NZ_OK) return;
    nz_status status = nz_data_options_read(&options, &spec, "labels size count", "fuzz");
    nz_data_options_done(&options);
    if (status != NZ_OK || nz_preprocess_read(&preprocess, &spec, NULL, "fuzz") != NZ_OK) return;
    /* What was understood is written so that it is understood again, to the same. */
    nz_fuzz_check(nz_preprocess_text(&canonical, &preprocess) == NZ_OK);
    nz_fuzz_check(nz_preprocess_read(&second, NULL, canonical, "fuzz") == NZ_OK);
    nz_fuzz_check(nz_preprocess_text(&again, &second) == NZ_OK && strcmp(canonical, again) == 0);
    nz_letterbox box = {0};
    if (second.box_width) box = nz_preprocess_letterbox(&second, 1 + (int)(count % 3000), 1 + (int)(count * 31 % 2000));
    nz_fuzz_check(box.width <= second.box_width && box.height <= second.box_height && box.left >= 0 && box.top >= 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (!count) return 0;
    if (bytes[0] == 'N')
        read_names(bytes + 1, count - 1);
    else if (bytes[0] == 'K')
        read_keys(bytes + 1, count - 1);
    else
        read_list(bytes + 1, count - 1);
    return 0;
}
