/* SPDX-License-Identifier: Apache-2.0 */
/* netzip data: what a data set holds, and data sets that netzip makes itself. */
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include "core/threads.h"
#include "data_text.h"
#include "netzip/data.h"

static const nz_cli_option options[] = {
    {"check", NULL, "info: read every sample and name the broken ones (exit status 1 where there are any)"},
    {"threads", "N", "info --check: threads that read; default all"},
    {"json", NULL, "print one JSON document on standard output, and nothing else"},
    {"list", NULL, "print the kinds, keys and presets of DATA and the keys of augmentation, and exit"},
};

static const nz_cli_usage usage = {
    .verb = "data",
    .arguments = "(info DATA | make synthetic:NAME[,key=value...] DIR) [options]",
    .summary =
        "info tells what a data set holds: samples, classes, objects, size after preprocessing, fingerprint.\n"
        "make writes a made data set as PNG files that the kinds imagefolder and list read, or yolo and coco where\n"
        "images are labelled with objects; stopped, it goes on where it was. DATA is kind:path[,key=value...]; --list "
        "tells the kinds, keys and presets.",
    .examples = "netzip data info cifar10:cifar-10-batches-bin\n"
                "netzip data info imagefolder:photos,preset=imagenet --check\n"
                "netzip data info list:labels.csv,resize=256,crop=224 --json\n"
                "netzip data info coco:instances_val2017.json,images=val2017\n"
                "netzip data make synthetic:shapes,seed=1 shapes\n"
                "netzip data make synthetic:shapes-det,size=320,count=500 scenes",
    .least = 0,
    .most = 3,
    .options = options,
    .option_count = NZ_COUNT(options),
};

static void free_dataset(nz_dataset **data) { nz_data_free(*data); }
static void free_loader(nz_loader **loader) { nz_loader_free(*loader); }

static void print_tables(void) {
    const char *name, *help = NULL;
    printf("kinds:\n");
    for (size_t i = 0; (name = nz_data_kind(i, &help)); i++) printf("  %-12s %s\n", name, help);
    printf("\nkeys:\n");
    for (size_t i = 0; (name = nz_data_key(i, &help)); i++) printf("  %-12s %s\n", name, help);
    printf("\nvalue = (pixel * scale - mean) / std, in the order decode, resize, crop, letterbox, color, arithmetic, "
           "layout.\n"
           "A key given wins over the model's own preprocessing, that over the defaults; preset= starts "
           "afresh.\n\npresets:\n");
    for (size_t i = 0; (name = nz_data_preset(i, &help)); i++) printf("  %-12s %s\n", name, help);
    printf("\naugmentation, in training alone (augment= of netzip train, joined by +):\n");
    for (size_t i = 0; (name = nz_augment_key(i, &help)); i++) printf("  %-12s %s\n", name, help);
}

static json_t *rows_json(const char *(*row)(size_t i, const char **ret_help)) {
    const char *name, *help = NULL;
    json_t *list = json_array();
    for (size_t i = 0; (name = row(i, &help)); i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "name", name, "help", help));
    return list;
}

static nz_status print_tables_json(void) {
    NZ_AUTO_JSON json_t *all =
        json_pack("{s:o, s:o, s:o, s:o}", "kinds", rows_json(nz_data_kind), "keys", rows_json(nz_data_key), "presets",
                  rows_json(nz_data_preset), "augmentation", rows_json(nz_augment_key));
    return nz_cli_print_json(all);
}

/* What reading every sample found. */
typedef struct findings {
    bool checked;
    size_t good, broken, listed;
    char *messages[100];
} findings;

static void findings_done(findings *f) {
    for (size_t i = 0; i < f->listed; i++) free(f->messages[i]);
}

static nz_status check(findings *found, const nz_dataset *data, int threads) {
    enum { BATCH = 32 };
    NZ_AUTO(free_loader) nz_loader *loader = NULL;
    const nz_progress *progress = nz_cli_progress();
    nz_batch batch = {0};
    NZ_TRY(nz_loader_open(&loader, data, BATCH, NULL, 0, threads));
    do {
        NZ_TRY(nz_loader_next(loader, &batch));
        found->good += batch.count;
        if (progress->step(progress->user, "samples", found->good + nz_loader_broken(loader), nz_data_count(data)) != 0)
            return nz_fail(NZ_E_CANCELLED, "data: stopped");
    } while (batch.count);
    found->broken = nz_loader_broken(loader);
    const char *message;
    while (found->listed < NZ_COUNT(found->messages) && (message = nz_loader_broken_message(loader, found->listed))) {
        NZ_TRY(nz_strdup(&found->messages[found->listed], message));
        found->listed++;
    }
    found->checked = true;
    return NZ_OK;
}

/* Samples of each class, or its objects. */
static nz_status count_classes(nz_object_counts *counts, const nz_dataset *data) {
    if (nz_data_has_objects(data)) return nz_object_counts_get(counts, data);
    NZ_TRY(nz_alloc(&counts->of_class, nz_data_classes(data), sizeof *counts->of_class));
    for (size_t i = 0; i < nz_data_count(data); i++) {
        int32_t label = nz_data_label(data, i);
        if (label >= 0 && (size_t)label < nz_data_classes(data)) ++counts->of_class[label];
    }
    return NZ_OK;
}

static json_t *classes_json(const nz_dataset *data, const size_t *counts) {
    json_t *list = json_array();
    for (size_t c = 0; c < nz_data_classes(data); c++) {
        json_t *entry = json_object();
        json_object_set_new(entry, "name", nz_json_string(nz_data_class_name(data, c)));
        json_object_set_new(entry, nz_data_has_objects(data) ? "objects" : "samples",
                            json_integer((json_int_t)counts[c]));
        if (nz_data_has_objects(data))
            json_object_set_new(entry, "id", json_integer((json_int_t)nz_data_class_id(data, c)));
        json_array_append_new(list, entry);
    }
    return list;
}

static nz_status print_json(const nz_dataset *data, const nz_object_counts *counts, const findings *found) {
    NZ_AUTO_JSON json_t *root = json_object();
    nz_shape shape;
    nz_data_shape(data, &shape);
    json_t *extents = json_array(), *broken = json_array();
    for (int i = 0; i < shape.rank; i++)
        json_array_append_new(extents, shape.dim[i] < 0 ? json_null() : json_integer((json_int_t)shape.dim[i]));
    for (size_t i = 0; i < found->listed; i++) json_array_append_new(broken, nz_json_string(found->messages[i]));
    json_object_set_new(root, "description", nz_json_string(nz_data_describe(data)));
    json_object_set_new(root, "samples", json_integer((json_int_t)nz_data_count(data)));
    json_object_set_new(root, "shape", extents);
    json_object_set_new(root, "preprocess", nz_json_string(nz_data_preprocess(data)));
    json_object_set_new(root, "preprocess_stated", json_boolean(!nz_data_default_preprocess(data)));
    json_object_set_new(root, "fingerprint", nz_json_string(nz_data_fingerprint(data)));
    json_object_set_new(root, "classes", classes_json(data, counts->of_class));
    if (nz_data_has_objects(data)) json_object_set_new(root, "objects", nz_object_counts_json(counts));
    json_object_set_new(root, "note", nz_json_string(nz_data_note(data)));
    json_object_set_new(root, "broken", found->checked ? json_integer((json_int_t)found->broken) : json_null());
    json_object_set_new(root, "broken_samples", broken);
    return nz_cli_print_json(root);
}

static void print_text(const nz_dataset *data, const nz_object_counts *counts, const findings *found) {
    enum { CLASSES_SHOWN = 20 };
    nz_shape shape;
    char text[112];
    nz_data_shape(data, &shape);
    nz_cli_put_printable(stdout, nz_data_describe(data));
    printf("\nsamples        %zu\nshape          %s\npreprocessing  %s%s\nfingerprint    %s\nclasses        %zu\n",
           nz_data_count(data), nz_shape_text(&shape, text), nz_data_preprocess(data),
           nz_data_default_preprocess(data) ? " (nobody stated any)" : "", nz_data_fingerprint(data),
           nz_data_classes(data));
    for (size_t c = 0; c < nz_data_classes(data) && c < CLASSES_SHOWN; c++) {
        printf("  %4zu  %8zu  ", c, counts->of_class[c]);
        nz_cli_put_printable(stdout, nz_data_class_name(data, c) ? nz_data_class_name(data, c) : "");
        printf("\n");
    }
    if (nz_data_classes(data) > CLASSES_SHOWN) printf("  ... (--json lists all)\n");
    if (nz_data_has_objects(data)) nz_object_counts_print(counts, data);
    if (!found->checked) return;
    printf("broken         %zu\n", found->broken);
    for (size_t i = 0; i < found->listed; i++) {
        printf("  ");
        nz_cli_put_printable(stdout, found->messages[i]);
        printf("\n");
    }
}

static nz_status info(const nz_cli_args *args, bool *ret_broken) {
    NZ_AUTO(free_dataset) nz_dataset *data = NULL;
    NZ_AUTO(findings_done) findings found = {0};
    NZ_AUTO(nz_object_counts_done) nz_object_counts counts = {0};
    long long threads = 0;
    NZ_TRY(nz_cli_get_int(&threads, args, "threads", nz_threads_hardware(), 1, 256));
    NZ_TRY(nz_data_open(&data, args->operands[1], NULL, NZ_DATA_COMPARE, NULL));
    nz_cli_warn_of_data(data);
    NZ_TRY(count_classes(&counts, data));
    if (nz_cli_has(args, "check")) NZ_TRY(check(&found, data, (int)threads));
    nz_cli_progress_end();
    *ret_broken = found.broken > 0;
    if (nz_cli_has(args, "json")) return print_json(data, &counts, &found);
    print_text(data, &counts, &found);
    return NZ_OK;
}

static nz_status make(const nz_cli_args *args) {
    size_t written = 0, kept = 0;
    NZ_TRY(nz_data_make(&written, &kept, args->operands[1], args->operands[2], nz_cli_progress()));
    nz_cli_progress_end();
    if (nz_cli_has(args, "json")) {
        printf("{\"written\": %zu, \"kept\": %zu}\n", written, kept);
        return NZ_OK;
    }
    printf("%zu images written, %zu were there: ", written, kept);
    nz_cli_put_printable(stdout, args->operands[2]);
    printf("\n");
    return NZ_OK;
}

int nz_cmd_data(int argc, char **argv) {
    nz_cli_args args = {0};
    int exit_status = NZ_EXIT_OK;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    bool broken = false;
    nz_status status = NZ_OK;
    const char *action = args.operand_count ? args.operands[0] : "";
    if (nz_cli_has(&args, "list") && nz_cli_has(&args, "json"))
        status = print_tables_json();
    else if (nz_cli_has(&args, "list"))
        print_tables();
    else if (strcmp(action, "info") == 0 && args.operand_count == 2)
        status = info(&args, &broken);
    else if (strcmp(action, "make") == 0 && args.operand_count == 3)
        status = make(&args);
    else
        status = nz_fail(NZ_E_ARG, "data: should be 'info DATA' or 'make synthetic:NAME DIR' (netzip data --help)");
    nz_cli_args_done(&args);
    exit_status = nz_cli_finish(status);
    return exit_status == NZ_EXIT_OK && broken ? NZ_EXIT_FAILED : exit_status;
}
