/* SPDX-License-Identifier: Apache-2.0 */
/* netzip detect: a detector over a data set or plain images: boxes as COCO's JSON, pictures, counts, mAP. */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "core/error.h"
#include "core/file.h"
#include "core/progress.h"
#include "core/text.h"
#include "data_text.h"
#include "detect_text.h"
#include "netzip/detect.h"
#include "netzip/onnx.h"
#include "netzip/report.h"

static const nz_cli_option options[] = {
    {"data", "DATA", "the data set to run over (kind:path[,key=value...]); else name image files behind the model"},
    {"out", "DIR", "folder for detections.json, images.csv (which image has which id) and drawn/"},
    {"detect", "OPTIONS",
     "how outputs become boxes: key=value,... as --list tells; default: the model's own, else COCO's"},
    {"preprocess", "KEYS",
     "preprocessing (preset=yolov5, letterbox=640:centre:114:round, ...) in place of DATA's; default: the model's own"},
    {"limit", "N", "the first N images; default all"},
    {"draw", "N", "draw the first N images with the boxes of --draw-conf or more"},
    {"draw-conf", "X", "least score of a box that is drawn and counted as sure; default 0.25"},
    {"batch", "N", "images at a time, where the model leaves it open; default 1"},
    {"threads", "N", "threads to compute with; default all"},
    {"json", NULL, "print one JSON document on standard output, and nothing else"},
    {"list", NULL, "print the heads and the keys of --detect, and exit"},
};

static const nz_cli_usage usage = {
    .verb = "detect",
    .arguments = "MODEL (--data DATA | IMAGE...) --out DIR [options]",
    .summary =
        "Runs a detector over images: boxes as COCO's detections JSON, which netzip evaluate reads, and the first\n"
        "images drawn with them. Where the data set has objects, the mean average precision is printed too.",
    .examples = "netzip detect yolov5n.onnx --data coco:instances.json,images=val2017 --out found\n"
                "netzip detect yolox.onnx street.jpg dog.png --preprocess preset=yolox --detect conf=0.25 --draw 2 "
                "--out found\n"
                "netzip detect model.onnx --data synthetic:shapes-det --detect head=yolov8,iou=0.7 --out found --json",
    .least = 0,
    .most = 1000000,
    .options = options,
    .option_count = NZ_COUNT(options),
};

/* What one call works on. */
typedef struct work {
    const nz_cli_args *args;
    const char *out;
    nz_graph *graph;
    nz_dataset *data;
    nz_detect_options options;
    long long limit, draw, batch, threads;
    nz_detect_summary summary;
} work;

static void work_done(work *w) {
    nz_detect_summary_done(&w->summary);
    nz_detect_options_done(&w->options);
    nz_data_free(w->data);
    nz_graph_free(w->graph);
}

/* A cell of a CSV table. */
static void put_cell(nz_text *text, const char *value) {
    nz_text_append(text, "\"");
    for (; *value; value++) nz_text_appendf(text, *value == '"' ? "\"\"" : "%c", *value);
    nz_text_append(text, "\"\n");
}

/* The images named on the command line as a table that the data kind `list` reads; its rows are the image ids. */
static nz_status list_images(char **ret_spec, const work *w) {
    NZ_AUTO(nz_text_done) nz_text table = {0}, spec = {0};
    NZ_AUTO_FREE char *path = NULL;
    nz_text_append(&table, "image\n");
    for (size_t i = 1; i < w->args->operand_count; i++) {
        NZ_AUTO_FREE char *real = realpath(w->args->operands[i], NULL);
        if (!real) return nz_fail_errno(w->args->operands[i], "cannot be found");
        put_cell(&table, real);
    }
    NZ_TRY(table.status);
    NZ_TRY(nz_path_join(&path, w->out, "images.csv"));
    NZ_TRY(nz_file_write(path, table.data, table.length));
    nz_text_append(&spec, "list:");
    for (const char *p = path; *p; p++) nz_text_appendf(&spec, strchr(",:\\", *p) ? "\\%c" : "%c", *p);
    return nz_text_take(&spec, ret_spec);
}

static nz_status open_data(work *w) {
    NZ_AUTO_FREE char *listed = NULL, *spec = NULL;
    const char *data = nz_cli_get(w->args, "data", NULL), *keys = nz_cli_get(w->args, "preprocess", NULL);
    bool images = w->args->operand_count > 1;
    if (images == (data != NULL)) return nz_fail(NZ_E_ARG, "detect: give either --data DATA or image files");
    if (images) NZ_TRY(list_images(&listed, w));
    if (keys)
        NZ_TRY(nz_data_respec(&spec, images ? listed : data, keys));
    else
        NZ_TRY(nz_strdup(&spec, images ? listed : data));
    if (w->limit) {
        NZ_AUTO_FREE char *whole = NZ_STEAL(spec);
        NZ_TRY(nz_format(&spec, "%s,limit=%lld", whole, w->limit));
    }
    NZ_TRY(nz_data_open_for_model(&w->data, spec, NZ_DATA_COMPARE, w->graph));
    nz_cli_warn_of_data(w->data);
    if (nz_data_default_preprocess(w->data))
        nz_progress_note(nz_cli_progress(), "neither the model nor the command line states a preprocessing: only 1/255 "
                                            "applies (--preprocess preset=yolov5 or preset=yolox, for instance)");
    return NZ_OK;
}

static nz_status read_numbers(work *w) {
    const nz_cli_args *args = w->args;
    NZ_TRY(nz_cli_get_int(&w->limit, args, "limit", 0, 1, 1000000000));
    NZ_TRY(nz_cli_get_int(&w->draw, args, "draw", 0, 0, 1000000000));
    NZ_TRY(nz_cli_get_int(&w->batch, args, "batch", 0, 1, 65536));
    NZ_TRY(nz_cli_get_int(&w->threads, args, "threads", 0, 0, 1024));
    NZ_TRY(nz_cli_get_real(&w->summary.sure, args, "draw-conf", 0.25));
    if (!(w->summary.sure >= 0 && w->summary.sure <= 1))
        return nz_fail(NZ_E_ARG, "detect: --draw-conf %s is outside 0 to 1", nz_cli_get(args, "draw-conf", ""));
    return NZ_OK;
}

/* A drawn image is named after its id. */
static nz_status draw_image(const work *w, size_t sample, size_t image, const char *folder) {
    const nz_detections *d = &w->summary.detections;
    NZ_AUTO_FREE uint8_t *rgb = NULL;
    NZ_AUTO_FREE nz_box_mark *marks = NULL;
    NZ_AUTO_FREE char *path = NULL;
    nz_box_panel panel = {0};
    NZ_TRY(nz_data_stored_image(w->data, sample, &rgb, &panel.width, &panel.height));
    size_t capacity = 0;
    for (size_t i = 0; i < d->found_count; i++) {
        const nz_found_box *f = &d->found[i];
        if ((size_t)f->image != image || f->score < w->summary.sure) continue;
        NZ_TRY(nz_grow(&marks, &capacity, panel.count + 1, sizeof *marks));
        marks[panel.count++] = (nz_box_mark){.class_index = f->class_index,
                                             .x = f->x,
                                             .y = f->y,
                                             .width = f->width,
                                             .height = f->height,
                                             .score = f->score};
    }
    panel.rgb = rgb;
    panel.boxes = marks;
    NZ_TRY(nz_format(&path, "%s/%012lld.png", folder, (long long)d->image_ids[image]));
    return nz_report_boxes(path, &panel, 1, (const char *const *)d->class_names, d->class_count);
}

/* What draw_image calls its files. */
static bool is_drawn(const char *name) {
    size_t digits = strspn(name + (*name == '-'), "0123456789") + (*name == '-');
    return digits >= 12 && strcmp(name + digits, ".png") == 0;
}

/* Pictures of an earlier run would show other boxes than detections.json holds. */
static nz_status remove_drawn(const char *folder) {
    DIR *dir = opendir(folder);
    nz_status status = NZ_OK;
    if (!dir) return NZ_OK; /* nothing was ever drawn */
    for (const struct dirent *entry; status == NZ_OK && (entry = readdir(dir));) {
        NZ_AUTO_FREE char *path = NULL;
        if (!is_drawn(entry->d_name)) continue;
        status = nz_path_join(&path, folder, entry->d_name);
        if (status == NZ_OK && unlink(path) != 0) status = nz_fail_errno(path, "cannot be removed");
    }
    closedir(dir);
    if (status == NZ_OK) rmdir(folder); /* where it is empty now */
    return status;
}

/* Images that could not be read are in no result: they are passed over. */
static nz_status draw_all(const work *w) {
    const nz_detections *d = &w->summary.detections;
    NZ_AUTO_FREE char *folder = NULL;
    NZ_TRY(nz_path_join(&folder, w->out, "drawn"));
    NZ_TRY(remove_drawn(folder));
    if (w->draw) NZ_TRY(nz_dir_make(folder));
    long long drawn = 0;
    for (size_t i = 0; i < nz_data_count(w->data) && drawn < w->draw; i++) {
        size_t image = 0;
        while (image < d->image_count && d->image_ids[image] != nz_data_image_id(w->data, i)) image++;
        if (image == d->image_count) continue;
        NZ_TRY(draw_image(w, i, image, folder));
        drawn++;
    }
    return NZ_OK;
}

static nz_status detect(work *w) {
    NZ_AUTO_FREE char *path = NULL;
    if (w->args->operand_count < 1)
        return nz_fail(NZ_E_ARG, "detect: a model is needed; usage: netzip detect %s", usage.arguments);
    NZ_TRY(nz_cli_need(w->args, "out"));
    w->out = nz_cli_get(w->args, "out", NULL);
    NZ_TRY(read_numbers(w));
    NZ_TRY(nz_model_load(&w->graph, w->args->operands[0]));
    NZ_TRY(nz_detect_options_read(&w->options, nz_cli_get(w->args, "detect", NULL), w->graph));
    NZ_TRY(nz_dir_make(w->out));
    NZ_TRY(open_data(w));
    nz_detect_run run = {.options = &w->options,
                         .threads = (int)w->threads,
                         .batch = w->batch,
                         .times = &w->summary.times,
                         .description = w->summary.description};
    NZ_TRY(nz_detect(&w->summary.detections, &w->summary.broken, w->graph, w->data, &run, nz_cli_progress()));
    NZ_TRY(nz_path_join(&path, w->out, "detections.json"));
    NZ_TRY(nz_detect_write_json(path, &w->summary.detections));
    NZ_TRY(draw_all(w));
    w->summary.options = &w->options;
    w->summary.path = path;
    NZ_TRY(nz_detect_summary_score(&w->summary));
    nz_cli_progress_end();
    return nz_cli_has(w->args, "json") ? nz_detect_summary_print_json(&w->summary)
                                       : nz_detect_summary_print(&w->summary);
}

static void print_tables(void) {
    const char *name, *help = NULL, *initial = NULL;
    printf("heads:\n");
    for (size_t i = 0; (name = nz_head_at(i, &help)); i++) printf("  %-14s %s\n", name, help);
    printf("\nkeys of --detect:\n");
    for (size_t i = 0; (name = nz_detect_option(i, &initial, &help)); i++)
        printf("  %-14s %s%s%s%s\n", name, help, initial ? " (default " : "", initial ? initial : "",
               initial ? ")" : "");
}

int nz_cmd_detect(int argc, char **argv) {
    nz_cli_args args;
    int exit_status;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    NZ_AUTO(work_done) work w = {.args = &args};
    nz_status status = NZ_OK;
    if (nz_cli_has(&args, "list"))
        print_tables();
    else
        status = detect(&w);
    nz_cli_progress_end();
    exit_status = nz_cli_finish(status);
    nz_cli_args_done(&args);
    return exit_status;
}
