/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"
#include "core/text.h"
#include "train/trainer.h"

/* ---- what a model is ---- */

static void put_tensor(nz_text *text, const nz_tensor *tensor) {
    char shape[112], hash[65];
    nz_sha256(hash, tensor->data, tensor->bytes);
    nz_text_appendf(text, " %d %s %s", (int)tensor->dtype, nz_shape_text(&tensor->shape, shape), hash);
}

static void put_attr(nz_text *text, const nz_attr *attr) {
    nz_text_appendf(text, " %s %d", attr->name, (int)attr->kind);
    switch (attr->kind) {
    case NZ_ATTR_FLOAT:
    case NZ_ATTR_FLOATS:
        for (size_t i = 0; i < attr->count; i++) nz_text_appendf(text, " %a", (double)attr->u.floats[i]);
        break;
    case NZ_ATTR_INT:
    case NZ_ATTR_INTS:
        for (size_t i = 0; i < attr->count; i++) nz_text_appendf(text, " %lld", (long long)attr->u.ints[i]);
        break;
    case NZ_ATTR_STRING:
    case NZ_ATTR_STRINGS:
        for (size_t i = 0; i < attr->count; i++) nz_text_appendf(text, " '%s'", attr->u.strings[i]);
        break;
    case NZ_ATTR_TENSOR: put_tensor(text, attr->u.tensor); break;
    case NZ_ATTR_GRAPH:
    case NZ_ATTR_OTHER: nz_text_append_bytes(text, attr->u.bytes.data, attr->u.bytes.count); break;
    }
}

static nz_status hash_graph(char ret_hex[65], const nz_graph *graph) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    char shape[112];
    for (size_t i = 0; i < graph->value_count; i++) {
        const nz_value *value = &graph->values[i];
        nz_text_appendf(&text, "%s", value->name);
        if (value->constant.data) put_tensor(&text, &value->constant);
        nz_text_append(&text, "\n");
    }
    for (size_t n = 0; n < graph->node_count; n++) {
        const nz_node *node = &graph->nodes[n];
        nz_text_appendf(&text, "%s.%s", node->domain, node->op_type);
        for (size_t i = 0; i < node->input_count; i++) nz_text_appendf(&text, " %d", node->inputs[i]);
        nz_text_append(&text, " >");
        for (size_t i = 0; i < node->output_count; i++) nz_text_appendf(&text, " %d", node->outputs[i]);
        for (size_t i = 0; i < node->attr_count; i++) put_attr(&text, &node->attrs[i]);
        nz_text_append(&text, "\n");
    }
    for (size_t i = 0; i < graph->input_count; i++) {
        const nz_value *value = &graph->values[graph->inputs[i]];
        nz_text_appendf(&text, "%d %s\n", graph->inputs[i], nz_shape_text(&value->shape, shape));
    }
    NZ_TRY(text.status);
    nz_sha256(ret_hex, text.data ? text.data : "", text.length);
    return NZ_OK;
}

/* ---- what a run is ---- */

/* What decides nothing about the weights, or has a line of its own. */
static bool is_free(const char *name) {
    static const char *const names[] = {"checkpoint_minutes", "evaluate_every", "threads"};
    for (size_t i = 0; i < NZ_COUNT(names); i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

static nz_status put_options(nz_text *text, const nz_train_options *options) {
    NZ_AUTO_FREE char *all = NULL, *whole = NULL;
    NZ_AUTO(nz_spec_done) nz_spec spec = {0};
    NZ_TRY(nz_train_options_text(&all, options));
    NZ_TRY(nz_format(&whole, "train,%s", all));
    NZ_TRY(nz_spec_parse(&spec, whole));
    for (size_t i = 0; i < spec.count; i++)
        if (!is_free(spec.pairs[i].key)) nz_text_appendf(text, "%s %s\n", spec.pairs[i].key, spec.pairs[i].value);
    return NZ_OK;
}

nz_status nz_run_identity(char **ret_text, const nz_graph *graph, const nz_dataset *data,
                          const nz_train_options *options, int threads, const nz_train_hooks *hooks) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    char model[65];
    NZ_TRY(hash_graph(model, graph));
    nz_text_appendf(&text, "checkpoint 2\nmodel %s\ndata %s\npreprocessing %s\n", model, nz_data_fingerprint(data),
                    nz_data_preprocess(data));
    if (nz_data_has_objects(data)) { /* anchors and strides may stand there alone */
        const char *detect = nz_graph_meta(graph, "netzip.detect");
        nz_text_appendf(&text, "detect %s\n", detect ? detect : "");
    }
    NZ_TRY(put_options(&text, options));
    nz_text_appendf(&text, "method %s\nthreads %d\n", hooks && hooks->identity ? hooks->identity : "", threads);
    return nz_text_take(&text, ret_text);
}

/* One line "what value". */
typedef struct line {
    const char *what, *value;
    int what_length, value_length;
} line;

static line take_line(const char **at) {
    const char *p = *at;
    size_t length = strcspn(p, "\n"), what = strcspn(p, " \n");
    line l = {.what = p, .what_length = (int)what, .value = p + what + (what < length)};
    l.value_length = (int)(p + length - l.value);
    *at = p + length + (p[length] == '\n');
    return l;
}

static bool same(const line *a, const line *b) {
    return a->what_length == b->what_length && a->value_length == b->value_length &&
           memcmp(a->what, b->what, (size_t)a->what_length) == 0 &&
           memcmp(a->value, b->value, (size_t)a->value_length) == 0;
}

static bool is(const line *l, const char *what) {
    return (size_t)l->what_length == strlen(what) && memcmp(l->what, what, strlen(what)) == 0;
}

nz_status nz_run_same(const char *path, const char *theirs, const char *ours) {
    static const char mend[] = "repeat the run's own settings, or begin anew without resuming";
    while (*ours || *theirs) {
        line a = take_line(&theirs), b = take_line(&ours);
        if (same(&a, &b)) continue;
        if (a.what_length != b.what_length || memcmp(a.what, b.what, (size_t)a.what_length) != 0 ||
            is(&b, "checkpoint"))
            return nz_fail(NZ_E_ARG, "%s: a checkpoint of another version; begin anew without resuming", path);
        if (is(&b, "model") || is(&b, "data"))
            return nz_fail(NZ_E_ARG, "%s: the checkpoint belongs to another run: the %s is another one; %s", path,
                           is(&b, "data") ? "training data" : "model that training begins with", mend);
        if (is(&b, "threads"))
            return nz_fail(NZ_E_ARG,
                           "%s: the checkpoint's run has %.*s threads and this one %.*s, which would give other "
                           "weights; go on with threads=%.*s",
                           path, a.value_length, a.value, b.value_length, b.value, a.value_length, a.value);
        return nz_fail(NZ_E_ARG, "%s: the checkpoint belongs to another run: %.*s is '%.*s' there and '%.*s' here; %s",
                       path, b.what_length, b.what, a.value_length, a.value, b.value_length, b.value, mend);
    }
    return NZ_OK;
}
