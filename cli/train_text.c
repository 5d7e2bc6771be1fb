/* SPDX-License-Identifier: Apache-2.0 */
#include "train_text.h"

#include <math.h>

#include "cli.h"
#include "core/error.h"
#include "core/json.h"
#include "core/memory.h"
#include "graph/build.h"
#include "metric/value_text.h"
#include "netzip/arch.h"
#include "netzip/metric.h"
#include "table.h"

/* ---- the list ---- */

/* Counts an architecture at its own size, without drawing weights. */
static nz_status count(uint64_t *ret_params, uint64_t *ret_macs, const nz_arch_info *info) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    NZ_AUTO(nz_graph_facts_done) nz_graph_facts facts = {0};
    NZ_TRY(nz_arch_build(&graph, info->name, &(nz_arch_options){.blank = true}));
    NZ_TRY(nz_graph_facts_get(&facts, graph, NULL, 0));
    *ret_params = facts.params;
    *ret_macs = facts.macs;
    return NZ_OK;
}

static nz_status add_row(nz_cli_table *table, const nz_arch_info *info, uint64_t params, uint64_t macs) {
    char text[NZ_VALUE_TEXT];
    NZ_TRY(nz_cli_table_add(table, info->name));
    NZ_TRY(nz_cli_table_addf(table, "%lldx%lldx%lld", (long long)info->channels, (long long)info->height,
                             (long long)info->width));
    NZ_TRY(nz_cli_table_addf(table, "%lld", (long long)info->classes));
    NZ_TRY(nz_cli_table_add(table, nz_number_text(text, (double)params, "", true)));
    NZ_TRY(nz_cli_table_add(table, nz_number_text(text, (double)macs, "", true)));
    return nz_cli_table_add(table, info->help);
}

nz_status nz_train_print_list(bool json) {
    static const char *const headings[] = {"architecture", "input", "classes", "parameters", "MACs", "what it is"};
    NZ_AUTO_CLI_TABLE nz_cli_table table = {.columns = NZ_COUNT(headings)};
    NZ_AUTO_JSON json_t *list = json_array();
    const nz_arch_info *info = NULL;
    for (size_t i = 0; i < NZ_COUNT(headings); i++) NZ_TRY(nz_cli_table_add(&table, headings[i]));
    for (size_t i = 0; (info = nz_arch_at(i)); i++) {
        uint64_t params = 0, macs = 0;
        NZ_TRY(count(&params, &macs, info));
        NZ_TRY(add_row(&table, info, params, macs));
        json_array_append_new(list, json_pack("{s:s, s:[I,I,I], s:I, s:I, s:I, s:s}", "name", info->name, "input",
                                              (json_int_t)info->channels, (json_int_t)info->height,
                                              (json_int_t)info->width, "classes", (json_int_t)info->classes, "params",
                                              (json_int_t)params, "macs", (json_int_t)macs, "help", info->help));
    }
    if (!json) {
        nz_cli_table_print(&table, stdout, 1u | 1u << 5);
        printf("\nCounted at the size shown; input and classes follow the data.\n");
        return NZ_OK;
    }
    NZ_AUTO_JSON json_t *all = json_pack("{s:O}", "architectures", list);
    return nz_cli_print_json(all);
}

/* ---- the outcome ---- */

json_t *nz_train_epoch_json(const nz_train_epoch *e) {
    return json_pack("{so so so so so so so so so so so so so}", "epoch", nz_json_real(e->epoch), "lr",
                     nz_json_real(e->lr), "train_loss", nz_json_real(e->train_loss), "train_top1",
                     nz_json_real(e->train_top1_pct), "test_loss", nz_json_real(e->test_loss), "test_top1",
                     nz_json_real(e->test_top1_pct), "seconds", nz_json_real(e->seconds), "images_per_s",
                     nz_json_real(e->images_per_s), "test_map50", nz_json_real(e->test_map50_pct), "test_map50_95",
                     nz_json_real(e->test_map50_95_pct), "box_loss", nz_json_real(e->box_loss), "object_loss",
                     nz_json_real(e->object_loss), "class_loss", nz_json_real(e->class_loss));
}

static nz_status print_outcome_json(const nz_train_outcome *o) {
    const nz_train_report *report = o->report;
    const nz_train_epoch *last = &report->epochs[report->epoch_count - 1];
    NZ_AUTO_JSON json_t *epochs = json_array();
    double seconds = 0;
    for (size_t i = 0; i < report->epoch_count; i++) {
        const nz_train_epoch *e = &report->epochs[i];
        seconds += e->seconds;
        json_array_append_new(epochs, nz_train_epoch_json(e));
    }
    NZ_AUTO_JSON json_t *all = json_pack(
        "{so sI so so so so so so sI sb so so so so so sO}", "path", nz_json_string(o->model), "trained_params",
        (json_int_t)report->parameters, "train_top1", nz_json_real(last->train_top1_pct), "test_top1",
        nz_json_real(last->test_top1_pct), "test_loss", nz_json_real(last->test_loss), "test_map50",
        nz_json_real(last->test_map50_pct), "test_map50_95", nz_json_real(last->test_map50_95_pct), "seconds",
        nz_json_real(seconds), "broken_samples", (json_int_t)report->broken, "resumed", report->resumed, "data",
        nz_json_string(nz_data_describe(o->train)), "preprocess", nz_json_string(nz_data_preprocess(o->train)),
        "options", nz_json_string(o->options), "history", nz_json_string(o->history), "curve", nz_json_string(o->svg),
        "epochs", epochs);
    return nz_cli_print_json(all);
}

static void put_line(const char *what, const char *text) {
    printf("%-11s", what);
    nz_cli_put_printable(stdout, text);
    printf("\n");
}

nz_status nz_train_print_outcome(const nz_train_outcome *o, bool json) {
    const nz_train_report *report = o->report;
    if (json) return print_outcome_json(o);
    const nz_train_epoch *last = &report->epochs[report->epoch_count - 1];
    double seconds = 0;
    for (size_t i = 0; i < report->epoch_count; i++) seconds += report->epochs[i].seconds;
    put_line("trained on", nz_data_describe(o->train));
    if (o->test) put_line("tested on", nz_data_describe(o->test));
    printf("%zu parameters, %.6g epochs of %.1f s each\n", report->parameters, last->epoch,
           seconds / (last->epoch > 0 ? last->epoch : 1));
    const char *augmented = report->augmented ? ", on augmented samples" : "";
    if (report->detector)
        printf("train      loss %.4f: box %.4f, object %.4f, class %.4f (while training%s)\n", last->train_loss,
               last->box_loss, last->object_loss, last->class_loss, augmented);
    else
        printf("train      top-1 %.2f%%, loss %.4f (while training%s)\n", last->train_top1_pct, last->train_loss,
               augmented);
    if (isfinite(last->test_map50_pct))
        printf("test       mAP50 %.2f%%, mAP50-95 %.2f%%\n", last->test_map50_pct, last->test_map50_95_pct);
    if (isfinite(last->test_top1_pct))
        printf("test       top-1 %.2f%%, loss %.4f\n", last->test_top1_pct, last->test_loss);
    put_line("model", o->model);
    put_line("history", o->history);
    printf("curve      ");
    nz_cli_put_printable(stdout, o->svg);
    printf(" and .png\n");
    return NZ_OK;
}
