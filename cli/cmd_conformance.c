/* SPDX-License-Identifier: Apache-2.0 */
/* netzip conformance: runs folders of ONNX test vectors and says which passed, failed or are unsupported. */
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "core/json.h"
#include "core/memory.h"
#include "netzip/conformance.h"

static const nz_cli_option options[] = {
    {"runtime", "R", "native (the default), another that netzip doctor lists, or reference: plain C kernels alone"},
    {"threads", "N", "threads to compute with (default: all)"},
    {"all", NULL, "also list the cases that passed"},
    {"json", NULL, "print one JSON document with every case"},
};

static const nz_cli_usage usage = {
    .verb = "conformance",
    .arguments = "DIR... [--runtime R] [--json]",
    .summary = "Runs ONNX test vectors: each DIR is a case (model.onnx, test_data_set_*) or holds folders of cases.\n"
               "Floating outputs must agree within rtol 1e-3 and atol 1e-7, all others exactly.\n"
               "Exit status 1 where a case failed; unsupported cases are named with the reason.",
    .examples = "netzip conformance onnx/backend/test/data/node\n"
                "netzip conformance onnx/backend/test/data/node/test_abs --runtime reference --json",
    .least = 1,
    .most = 1000000,
    .options = options,
    .option_count = NZ_COUNT(options),
};

static void print_table(const nz_conformance *result, bool all) {
    for (size_t i = 0; i < result->count; i++) {
        const nz_case *entry = &result->cases[i];
        if (entry->status == NZ_CASE_PASSED && !all) continue;
        printf("%-12s ", nz_case_status_name(entry->status));
        nz_cli_put_printable(stdout, entry->name);
        if (entry->reason) {
            printf(": ");
            nz_cli_put_printable(stdout, entry->reason);
        }
        printf("\n");
    }
    printf("%zu passed, %zu failed, %zu unsupported of %zu cases\n", result->passed, result->failed,
           result->unsupported, result->count);
}

static nz_status print_json(const nz_conformance *result, const char *runtime) {
    NZ_AUTO_JSON json_t *cases = json_array();
    for (size_t i = 0; i < result->count; i++) {
        const nz_case *entry = &result->cases[i];
        json_array_append_new(cases,
                              json_pack("{so ss so}", "name", nz_json_string(entry->name), "status",
                                        nz_case_status_name(entry->status), "reason", nz_json_string(entry->reason)));
    }
    NZ_AUTO_JSON json_t *all =
        json_pack("{so sI sI sI sO}", "runtime", nz_json_string(runtime), "passed", (json_int_t)result->passed,
                  "failed", (json_int_t)result->failed, "unsupported", (json_int_t)result->unsupported, "cases", cases);
    return nz_cli_print_json(all);
}

int nz_cmd_conformance(int argc, char **argv) {
    nz_cli_args args;
    NZ_AUTO(nz_conformance_done) nz_conformance result = {0};
    int exit_status = NZ_EXIT_OK;
    long long threads = 0;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    const char *runtime = nz_cli_get(&args, "runtime", "native");
    nz_status status = nz_cli_get_int(&threads, &args, "threads", 0, 0, 1024);
    if (status == NZ_OK)
        status =
            nz_conformance_run(&result, args.operands, args.operand_count, runtime, (int)threads, nz_cli_progress());
    nz_cli_progress_end();
    bool json = nz_cli_has(&args, "json"), all = nz_cli_has(&args, "all");
    if (status == NZ_OK && json) status = print_json(&result, runtime);
    if (status == NZ_OK && !json) print_table(&result, all);
    nz_cli_args_done(&args);
    if (status != NZ_OK) return nz_cli_finish(status);
    return result.failed ? NZ_EXIT_FAILED : NZ_EXIT_OK;
}
