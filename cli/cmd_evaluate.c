/* SPDX-License-Identifier: Apache-2.0 */
/* netzip evaluate: the accuracy metrics of predictions that were made elsewhere. */
#include <string.h>

#include "cli.h"
#include "core/error.h"
#include "metric/evaluate.h"
#include "metric/value_text.h"
#include "table.h"

static const nz_cli_option options[] = {
    {"labels", "LABELS.csv",
     "columns sample,label: the row of the scores from 0 (or any names, in the scores' order) and its class index"},
    {"scores", "SCORES.npz", "NumPy archive with the array scores [samples, classes]"},
    {"baseline", "SCORES.npz", "scores of the uncompressed model on the same samples, to compare with"},
    {"scores-are", "WHAT",
     "logits or probabilities; default: probabilities where every row lies in [0, 1] and sums to 1"},
    {"json", NULL, "print one JSON object on standard output, and nothing else"},
};

static const nz_cli_usage usage = {
    .verb = "evaluate",
    .arguments = "--labels LABELS.csv --scores SCORES.npz [options]",
    .summary = "Computes the accuracy metrics of classification scores that were made elsewhere.",
    .examples = "netzip evaluate --labels labels.csv --scores scores.npz\n"
                "netzip evaluate --labels labels.csv --scores int8.npz --baseline float.npz --json",
    .least = 0,
    .most = 0,
    .options = options,
    .option_count = NZ_COUNT(options),
};

static nz_status print_values(const nz_evaluation *e) {
    NZ_AUTO_CLI_TABLE nz_cli_table out = {.columns = 5};
    static const char *const headings[] = {"metric", "id", "value", "95% interval", "samples"};
    for (size_t i = 0; i < NZ_COUNT(headings); i++) NZ_TRY(nz_cli_table_add(&out, headings[i]));
    for (size_t i = 0; i < e->count; i++) {
        const nz_value_report *value = &e->values[i];
        const nz_metric *metric = e->metrics[i];
        char text[NZ_VALUE_TEXT], low[NZ_VALUE_TEXT], high[NZ_VALUE_TEXT];
        NZ_TRY(nz_cli_table_add(&out, metric->title));
        NZ_TRY(nz_cli_table_add(&out, metric->id));
        NZ_TRY(nz_cli_table_add(&out, nz_value_text(text, value, metric)));
        if (value->has_ci)
            NZ_TRY(nz_cli_table_addf(&out, "%s to %s",
                                     nz_number_text(low, value->ci95[0], metric->unit, metric->integer),
                                     nz_number_text(high, value->ci95[1], metric->unit, metric->integer)));
        else
            NZ_TRY(nz_cli_table_add(&out, value->source == NZ_UNAVAILABLE ? value->reason : ""));
        if (value->has_n)
            NZ_TRY(nz_cli_table_addf(&out, "%llu", (unsigned long long)value->n));
        else
            NZ_TRY(nz_cli_table_add(&out, ""));
    }
    nz_cli_table_print(&out, stdout, 1u | 1u << 1);
    if (!e->baseline.count) return NZ_OK;
    const nz_paired *p = &e->paired;
    printf("\ntop-1 against the baseline: %+.2f points (95%% interval %+.2f to %+.2f); right alone: baseline %llu, "
           "this %llu; "
           "McNemar p = %.3g\n",
           p->difference_pct, p->ci95_pct[0], p->ci95_pct[1], (unsigned long long)p->only_first,
           (unsigned long long)p->only_second, p->p_mid);
    return NZ_OK;
}

static nz_status read_kind(nz_scores_are *ret_are, const nz_cli_args *args) {
    const char *text = nz_cli_get(args, "scores-are", NULL);
    nz_scores_are are = NZ_SCORES_LOOKED_AT;
    if (text && strcmp(text, "logits") == 0)
        are = NZ_SCORES_LOGITS;
    else if (text && strcmp(text, "probabilities") == 0)
        are = NZ_SCORES_PROBABILITIES;
    else if (text)
        return nz_fail(NZ_E_ARG, "evaluate: --scores-are is logits or probabilities, not '%s'", text);
    *ret_are = are;
    return NZ_OK;
}

static nz_status evaluate(const nz_cli_args *args) {
    NZ_AUTO(nz_evaluation_done) nz_evaluation e = {0};
    nz_scores_are are = NZ_SCORES_LOOKED_AT;
    NZ_TRY(nz_cli_need(args, "labels"));
    NZ_TRY(nz_cli_need(args, "scores"));
    NZ_TRY(read_kind(&are, args));
    NZ_TRY(nz_evaluate(&e, nz_cli_get(args, "labels", NULL), nz_cli_get(args, "scores", NULL),
                       nz_cli_get(args, "baseline", NULL), are));
    if (!nz_cli_has(args, "json")) return print_values(&e);
    NZ_AUTO_JSON json_t *json = NULL;
    NZ_TRY(nz_evaluation_json(&json, &e));
    return nz_cli_print_json(json);
}

int nz_cmd_evaluate(int argc, char **argv) {
    nz_cli_args args;
    int exit_status;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    nz_status status = evaluate(&args);
    nz_cli_args_done(&args);
    return nz_cli_finish(status);
}
