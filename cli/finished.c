/* SPDX-License-Identifier: Apache-2.0 */
#include "finished.h"

#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/locale.h"
#include "core/memory.h"
#include "core/options.h"
#include "core/progress.h"
#include "graph/build.h"
#include "netzip/onnx.h"

/* What decides nothing about the weights. */
static bool is_free(const char *key) {
    return strcmp(key, "threads") == 0 || strcmp(key, "checkpoint_minutes") == 0 || strcmp(key, "evaluate_every") == 0;
}

static bool same_value(const char *a, const char *b) {
    char *end_a = NULL, *end_b = NULL;
    if (strcmp(a, b) == 0) return true;
    double x = nz_strtod(a, &end_a), y = nz_strtod(b, &end_b);
    return *a && *b && !*end_a && !*end_b && x == y;
}

static nz_status fail_other(const char *out, const char *key, const char *theirs, const char *ours) {
    return nz_fail(NZ_E_ARG,
                   "%s: finished by another run: %s is '%s' there and '%s' here; without --resume it is replaced", out,
                   key, theirs, ours);
}

static nz_status check_same(const char *out, const char *made, const char *wanted) {
    NZ_AUTO(nz_spec_done) nz_spec theirs = {0}, ours = {0};
    NZ_TRY(nz_spec_parse(&theirs, made));
    NZ_TRY(nz_spec_parse(&ours, wanted));
    if (strchr(theirs.head, '=')) {
        /* netzip.train has no head: what stands first is a pair. */
        char *equals = strchr(theirs.head, '=');
        *equals = 0;
        const char *value = nz_spec_get(&ours, theirs.head);
        if (value && !is_free(theirs.head) && !same_value(equals + 1, value))
            return fail_other(out, theirs.head, equals + 1, value);
    } else if (strcmp(theirs.head, ours.head) != 0) {
        return fail_other(out, "the method", theirs.head, ours.head);
    }
    for (size_t i = 0; i < ours.count; i++) {
        const char *key = ours.pairs[i].key, *value = nz_spec_get(&theirs, key);
        if (value && !is_free(key) && !same_value(value, ours.pairs[i].value))
            return fail_other(out, key, value, ours.pairs[i].value);
    }
    return NZ_OK;
}

nz_status nz_cli_is_finished(bool *ret_finished, const nz_cli_args *args, const char *checkpoint, const char *meta,
                             const char *wanted, const nz_graph *network) {
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    const char *out = nz_cli_get(args, "out", "");
    *ret_finished = false;
    if (!nz_cli_has(args, "resume") || nz_file_exists(checkpoint) || !nz_file_exists(out)) return NZ_OK;
    NZ_TRY(nz_model_load(&graph, out));
    const char *made = nz_graph_meta(graph, meta);
    if (!made || (network && network->node_count != graph->node_count))
        return nz_fail(NZ_E_ARG,
                       "%s: there is no checkpoint to go on from, and the model there is another one; "
                       "without --resume it is replaced",
                       out);
    NZ_TRY(check_same(out, made, wanted));
    *ret_finished = true;
    nz_progress_note(nz_cli_progress(), "%s is finished; without --resume it is made anew", out);
    nz_cli_progress_end();
    if (!nz_cli_has(args, "json")) return NZ_OK;
    NZ_AUTO_JSON json_t *all = json_pack("{so sb}", "path", nz_json_string(out), "finished", 1);
    return nz_cli_print_json(all);
}
