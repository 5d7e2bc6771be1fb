/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of training options: reading, help, the canonical text that goes into checkpoints and models. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "core/text.h"
#include "netzip/detect.h"
#include "op/op.h"
#include "train/loop.h"
#include "train/schedule.h"

#define DETECTOR_EMA 0.9999
#define DETECTOR_SGD_RATE 0.01
#define DETECTOR_ADAMW_RATE 0.005

enum { BATCH = 128, DETECTOR_BATCH = 16 };

#define AT(field) offsetof(nz_train_options, field)

static const nz_option table[] = {
    {"epochs", NZ_OPTION_REAL, AT(epochs), "15", 1e-6, 1e6, NULL,
     "times that the training samples are gone through; a fraction stops on the way"},
    {"batch", NZ_OPTION_INT, AT(batch), "0", 0, 1 << 20, NULL, "samples of one step; 0: 128, detectors 16"},
    {"lr", NZ_OPTION_REAL, AT(lr), "0", 0, 1e3, NULL,
     "learning rate, its peak where a schedule moves it; 0: sgd 0.4 at batch 128 and in proportion up to 256, adamw "
     "0.002, and an eighth of it for a network that nothing normalises; detectors: sgd 0.01, adamw 0.005"},
    {"schedule", NZ_OPTION_CHOICE, AT(schedule), "onecycle", 0, 0, "constant|step|cosine|onecycle",
     "how the learning rate goes: constant, step, cosine or onecycle"},
    {"warmup", NZ_OPTION_REAL, AT(warmup), "-1", -1, 1e6, NULL,
     "epochs in which the learning rate rises; -1: 30% of all with onecycle, none otherwise"},
    {"lr_final", NZ_OPTION_REAL, AT(lr_final), "0", 0, 1e3, NULL, "learning rate at the end of cosine and onecycle"},
    {"milestones", NZ_OPTION_TEXT, AT(milestones), "", 0, 0, NULL,
     "epochs joined by + at which schedule step multiplies the learning rate by gamma"},
    {"gamma", NZ_OPTION_REAL, AT(gamma), "0.1", 0, 1, NULL, "factor of schedule step"},
    {"optimizer", NZ_OPTION_CHOICE, AT(optimizer), "auto", 0, 0, "sgd|adamw|auto",
     "how weights are updated: sgd or adamw; auto: adamw for detectors, else sgd"},
    {"momentum", NZ_OPTION_REAL, AT(momentum), "0.9", 0, 0.9999, NULL, "momentum of sgd"},
    {"momentum_low", NZ_OPTION_REAL, AT(momentum_low), "0", 0, 0.9999, NULL,
     "momentum (adamw: beta1) at the peak of onecycle, which it falls to and rises from; 0: it stays"},
    {"nesterov", NZ_OPTION_BOOL, AT(nesterov), "1", 0, 0, NULL, "1: Nesterov's momentum in sgd"},
    {"weight_decay", NZ_OPTION_REAL, AT(weight_decay), "0.0005", 0, 10, NULL,
     "decay of weights; biases and normalisation do not decay"},
    {"beta1", NZ_OPTION_REAL, AT(beta1), "0.9", 0, 0.999999, NULL, "averaging of adamw's gradients"},
    {"beta2", NZ_OPTION_REAL, AT(beta2), "0.999", 0, 0.999999, NULL, "averaging of adamw's squared gradients"},
    {"epsilon", NZ_OPTION_REAL, AT(epsilon), "1e-8", 1e-30, 1, NULL, "added to adamw's divisor"},
    {"clip_norm", NZ_OPTION_REAL, AT(clip_norm), "-1", -1, 1e9, NULL,
     "gradients are scaled down to this norm over all parameters; 0: not at all; -1: to 1 where nothing normalises"},
    {"loss", NZ_OPTION_CHOICE, AT(loss), "cross-entropy", 0, 0, "cross-entropy|mse",
     "of a classifier: cross-entropy, or mse to 1 for the class and 0 for the others"},
    {"label_smoothing", NZ_OPTION_REAL, AT(label_smoothing), "0", 0, 0.999, NULL,
     "part of the cross-entropy that goes to all classes alike"},
    {"box_gain", NZ_OPTION_REAL, AT(box_gain), "0.05", 0, 1e3, NULL,
     "detectors: of the loss by the boxes' overlap (CIoU)"},
    {"object_gain", NZ_OPTION_REAL, AT(object_gain), "1", 0, 1e3, NULL,
     "detectors: of the loss by objectness; falls with the image's area below 640x640"},
    {"class_gain", NZ_OPTION_REAL, AT(class_gain), "0.5", 0, 1e3, NULL,
     "detectors: of the loss by class, for 80 classes; in proportion for others"},
    {"anchor_ratio", NZ_OPTION_REAL, AT(anchor_ratio), "4", 1, 100, NULL,
     "detectors: an object takes the anchors whose sides differ from its own by less than this factor"},
    {"ema", NZ_OPTION_REAL, AT(ema), "-1", -1, 0.999999, NULL,
     "an average of weights is evaluated and written, which keeps this much of itself at a step in the long run; 0: "
     "none; -1: 0.9999 for detectors, none else"},
    {"augment", NZ_OPTION_TEXT, AT(augment), "auto", 0, 0, NULL,
     "crop=N, flip=1, resized=1, zoom=N, shift=N, hue=N, saturation=N, brightness=N joined by +; none; auto: by the "
     "images' size and colours, and whether the data have objects"},
    {"precision", NZ_OPTION_CHOICE, AT(precision), "f32", 0, 0, "f32|bf16",
     "f32, or bf16 feature maps where the CPU has it"},
    {"seed", NZ_OPTION_INT, AT(seed), "0", 0, 9e18, NULL, "of the initial weights, the order of samples, augmentation"},
    {"threads", NZ_OPTION_INT, AT(threads), "0", 0, 1024, NULL, "threads to compute with; 0: all"},
    {"checkpoint_minutes", NZ_OPTION_REAL, AT(checkpoint_minutes), "5", 0, 1e6, NULL,
     "minutes between checkpoints within an epoch; 0: only at its end"},
    {"evaluate_every", NZ_OPTION_INT, AT(evaluate_every), "1", 0, 1 << 20, NULL,
     "epochs between evaluations; the last epoch always has one; 0: only that"},
};

const nz_option *nz_train_option_table(size_t *ret_count) {
    *ret_count = NZ_COUNT(table);
    return table;
}

const char *nz_train_option(size_t i, const char **ret_initial, const char **ret_help) {
    if (i >= NZ_COUNT(table)) return NULL;
    if (ret_initial) *ret_initial = table[i].initial;
    if (ret_help) *ret_help = table[i].help;
    return table[i].name;
}

void nz_train_options_done(nz_train_options *options) { nz_options_done(options, table, NZ_COUNT(table)); }

nz_status nz_train_options_settle(nz_train_options *o) {
    double *milestones = NULL;
    size_t count = 0;
    NZ_TRY(nz_schedule_milestones(&milestones, &count, o->milestones));
    free(milestones);
    if (o->schedule == NZ_SCHEDULE_STEP && !count)
        return nz_fail(NZ_E_ARG, "training: schedule=step needs milestones=, epochs joined by + (such as 8+12)");
    if (o->warmup < 0) o->warmup = o->schedule == NZ_SCHEDULE_ONECYCLE ? 0.3 * o->epochs : 0;
    if (o->augment && strcmp(o->augment, "auto") != 0 && strcmp(o->augment, "none") != 0) {
        nz_augment augment;
        NZ_TRY(nz_augment_read(&augment, o->augment));
    }
    return NZ_OK;
}

bool nz_train_normalises(const nz_graph *graph) {
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_op *op = nz_op_of(&graph->nodes[n]);
        if (op && op->flags & NZ_OP_NORMALISES) return true;
    }
    return false;
}

static nz_train_options with_network(const nz_train_options *options, const nz_graph *graph) {
    nz_train_options o = *options;
    bool detector = nz_graph_detects(graph, NULL, NULL);
    if (o.optimizer == NZ_OPTIMIZER_AUTO) o.optimizer = detector ? NZ_OPTIMIZER_ADAMW : NZ_OPTIMIZER_SGD;
    if (o.batch < 1) o.batch = detector ? DETECTOR_BATCH : BATCH;
    if (o.ema < 0) o.ema = detector ? DETECTOR_EMA : 0;
    if (o.lr > 0) return o;
    double batch = (double)(o.batch < 256 ? o.batch : 256);
    bool adamw = o.optimizer == NZ_OPTIMIZER_ADAMW;
    if (detector)
        o.lr = adamw ? DETECTOR_ADAMW_RATE : DETECTOR_SGD_RATE;
    else
        o.lr = (adamw ? 0.002 : 0.4 * batch / 128) / (nz_train_normalises(graph) ? 1 : 8);
    return o;
}

double nz_train_rate(const nz_train_options *options, const nz_graph *graph) { return with_network(options, graph).lr; }

double nz_train_clip(const nz_train_options *options, const nz_graph *graph) {
    return options->clip_norm >= 0 ? options->clip_norm : nz_train_normalises(graph) ? 0 : 1;
}

void nz_train_options_choose(nz_train_options *options, const nz_graph *graph) {
    *options = with_network(options, graph);
    options->clip_norm = nz_train_clip(options, graph);
}

nz_status nz_train_options_read(nz_train_options *ret_options, const char *text) {
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    NZ_AUTO(nz_train_options_done) nz_train_options options = {0};
    NZ_AUTO_FREE char *whole = NULL;
    if (text && *text) {
        NZ_TRY(nz_format(&whole, "train,%s", text));
        NZ_TRY(nz_spec_parse(&spec, whole));
    }
    NZ_TRY(nz_options_read(&options, table, NZ_COUNT(table), spec.head ? &spec : NULL, "training"));
    NZ_TRY(nz_train_options_settle(&options));
    *ret_options = options;
    options = (nz_train_options){0};
    return NZ_OK;
}

/* ---- the canonical text ---- */

static void put_real(nz_text *text, double value) {
    char digits[NZ_REAL_DIGITS];
    if (value == floor(value) && fabs(value) < 1e15) {
        nz_text_appendf(text, "%.0f", value);
        return;
    }
    nz_real_digits(digits, value, 1);
    nz_text_append(text, digits);
}

static void put_choice(nz_text *text, const nz_option *o, int index) {
    const char *p = o->choices;
    for (; index > 0; index--) p = strchr(p, '|') + 1;
    nz_text_append_bytes(text, p, strcspn(p, "|"));
}

static void put_value(nz_text *text, const nz_option *o, const nz_train_options *options) {
    const void *place = (const char *)options + o->offset;
    switch (o->type) {
    case NZ_OPTION_INT: nz_text_appendf(text, "%lld", *(const long long *)place); break;
    case NZ_OPTION_REAL: put_real(text, *(const double *)place); break;
    case NZ_OPTION_BOOL: nz_text_append(text, *(const bool *)place ? "1" : "0"); break;
    case NZ_OPTION_CHOICE: put_choice(text, o, *(const int *)place); break;
    case NZ_OPTION_TEXT: nz_spec_put(text, *(char *const *)place); break;
    }
}

nz_status nz_train_options_text(char **ret_text, const nz_train_options *options) {
    nz_text text = {0};
    for (size_t i = 0; i < NZ_COUNT(table); i++) {
        nz_text_appendf(&text, "%s%s=", i ? "," : "", table[i].name);
        put_value(&text, &table[i], options);
    }
    return nz_text_take(&text, ret_text);
}
