/* SPDX-License-Identifier: Apache-2.0 */
/* Counted speed: operations of one inference. @source arXiv 2305.10616, section 3.2 */
#include <stddef.h>

#include "metric/family.h"

typedef enum kind {
    COUNT_MACS,
    COUNT_OPS,
    REAL_MACS,
    REAL_OPS
} kind; /* uint64_t or double; which total must be known */

/* The fact to report: its place in nz_graph_facts and what it hangs on. A row's argument is its index here. */
static const struct {
    size_t offset;
    kind kind;
} places[] = {
    {offsetof(nz_graph_facts, macs), COUNT_MACS},
    {offsetof(nz_graph_facts, ops), COUNT_OPS},
    {offsetof(nz_graph_facts, flops), COUNT_OPS},
    {offsetof(nz_graph_facts, chats), REAL_OPS},
    {offsetof(nz_graph_facts, chats_macs), REAL_MACS},
    {offsetof(nz_graph_facts, chats_stored), REAL_OPS},
    {offsetof(nz_graph_facts, chats_macs_stored), REAL_MACS},
    {offsetof(nz_graph_facts, bops), REAL_MACS},
    {offsetof(nz_graph_facts, macs_effective), COUNT_MACS},
    {offsetof(nz_graph_facts, conversions), COUNT_OPS},
};

static nz_value_report counted(const nz_metric_input *input, int argument) {
    const nz_graph_facts *facts = input->facts;
    if (!facts) return nz_metric_missing(input->reason_facts);
    kind k = places[argument].kind;
    if ((k == COUNT_OPS || k == REAL_OPS) && !facts->ops_known) return nz_report_unavailable("%s", facts->ops_reason);
    if ((k == COUNT_MACS || k == REAL_MACS) && !facts->macs_known)
        return nz_report_unavailable("%s", facts->macs_reason);
    const char *at = (const char *)facts + places[argument].offset;
    return nz_report_value(k == REAL_OPS || k == REAL_MACS ? *(const double *)at : (double)*(const uint64_t *)at,
                           NZ_DERIVED);
}

#define COUNTED_ROW(ID, ALIAS, TITLE, UNIT, DEFAULT, ARGUMENT, HELP)                                                   \
    {                                                                                                                  \
        .id = (ID), .alias = (ALIAS), .title = (TITLE), .unit = (UNIT), .category = "speed", .better = NZ_LOWER,       \
        .by_default = (DEFAULT), .help = (HELP), .evaluate = counted, .argument = (ARGUMENT), .integer = true,         \
        .theoretical = true                                                                                            \
    }

const nz_metric nz_metrics_complexity[] = {
    COUNTED_ROW("macs", "MAC", "MACs", "MAC", true, 0, "multiply-accumulates of one inference, batch 1"),
    COUNTED_ROW("ops", "OPS", "Operations", "op", true, 1,
                "all operations of one inference, whatever their number type"),
    COUNTED_ROW("flops", "FLOPS", "Floating-point operations", "op", true, 2,
                "operations of nodes whose width is a floating type's"),
    COUNTED_ROW("chats", "CHATS", "CHATS", "op bit", true, 3, "operations x bit width, summed over nodes"),
    COUNTED_ROW("chats_macs", NULL, "CHATS of MACs", "MAC bit", true, 4, "MACs x bit width, summed over nodes"),
    COUNTED_ROW("chats_stored", NULL, "CHATS by stored width", "op bit", false, 5,
                "operations x width that weights are stored in"),
    COUNTED_ROW("chats_macs_stored", NULL, "CHATS of MACs by stored width", "MAC bit", false, 6,
                "MACs x width that weights are stored in"),
    COUNTED_ROW("bops", NULL, "Bit operations", "bop", true, 7,
                "MACs x weight bits x activation bits, summed over nodes"),
    COUNTED_ROW("macs_effective", NULL, "Effective MACs", "MAC", true, 8, "MACs whose weight is not zero"),
    COUNTED_ROW("conversions", NULL, "Conversions", "op", false, 9,
                "elements through QuantizeLinear and DequantizeLinear"),
    {.id = NULL},
};
