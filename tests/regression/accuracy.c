/* SPDX-License-Identifier: Apache-2.0 */
/* Hits of real models on real images against tests/regression/results.csv, so that a change of accuracy shows as a diff.
 * The column `counted_by` says whether the expected hits were counted by other tools or by netzip itself. NETZIP_REGRESSION_PRINT=1 prints
 * the rows with what was counted here. */
#include "compress/tap.h"
#include "core/csv.h"
#include "core/text.h"
#include "graph/build.h"
#include "netzip/compress.h"
#include "netzip/data.h"
#include "netzip/metric.h"
#include "netzip/onnx.h"
#include "test.h"

enum { CLASSES_MAX = 1000, ROWS_MAX = 64 };

typedef struct row {
    const char *model, *method, *calibration, *data;
    long long top1, top5, tolerance; /* hits; top5 -1: not stated */
    bool is_long;
} row;

/* The table's paths begin with $SHARED or $DATA; a row whose data is absent is skipped. */
static void expand(char *out, size_t capacity, const char *text) {
    const char *dollar = strchr(text, '$');
    if (!dollar) {
        snprintf(out, capacity, "%s", text);
        return;
    }
    bool shared = strncmp(dollar, "$SHARED/", 8) == 0;
    const char *rest = dollar + (shared ? 8 : 6);
    char name[512];
    size_t length = strcspn(rest, ",");
    snprintf(name, sizeof name, "%.*s", (int)length, rest);
    const char *path = shared ? nz_test_shared(name) : nz_test_data(name);
    snprintf(out, capacity, "%.*s%s%s", (int)(dollar - text), text, path, rest + length);
}

static nz_graph *compressed(nz_graph *graph, const row *r) {
    nz_graph *result = NULL;
    nz_dataset *data = NULL;
    char spec[2048];
    if (!*r->method) return graph;
    if (*r->calibration) {
        expand(spec, sizeof spec, r->calibration);
        nz_assert_ok(nz_data_open_for_model(&data, spec, NZ_DATA_TRAIN, graph));
    }
    nz_assert_ok(nz_compress(&result, NULL, graph, r->method, data, 0, NULL));
    nz_data_free(data);
    nz_graph_free(graph);
    return result;
}

/* Runs the model over the data set in batches; a fixed batch is kept. */
static void count_hits(long long hits[2], nz_graph *graph, const char *data_spec) {
    nz_dataset *data = NULL;
    nz_loader *loader = NULL;
    nz_session *session = NULL;
    nz_assert_ok(nz_data_open_for_model(&data, data_spec, NZ_DATA_COMPARE, graph));
    nz_runtime_options options = {.batch = 16};
    nz_assert_ok(nz_session_open(&session, "native", graph, NULL, &options));
    NZ_AUTO_TENSOR nz_tensor x = {0}, y = {0};
    const nz_tensor *in = nz_session_input(session, 0, NULL), *out = nz_session_output(session, 0, NULL);
    nz_assert_ok(nz_tensor_init(&x, in->dtype, &in->shape));
    nz_assert_ok(nz_tensor_init(&y, out->dtype, &out->shape));
    size_t batch = (size_t)in->shape.dim[0], classes = (size_t)nz_shape_elements(&out->shape) / batch;
    hits[0] = hits[1] = 0;
    nz_assert_ok(nz_loader_open(&loader, data, batch, NULL, 0, 1));
    for (;;) {
        nz_batch b;
        nz_assert_ok(nz_loader_next(loader, &b));
        if (b.count == 0) break;
        memcpy(x.data, b.x, b.count * (x.bytes / batch));
        nz_assert_ok(nz_session_run(session, &x, &y));
        nz_tensor scores =
            nz_tensor_borrow(NZ_F32, &(nz_shape){.rank = 2, .dim = {(int64_t)b.count, (int64_t)classes}}, y.data);
        size_t top1 = 0, top5 = 0;
        nz_assert_ok(nz_topk_hits(&top1, &scores, b.labels, 1));
        nz_assert_ok(nz_topk_hits(&top5, &scores, b.labels, 5));
        hits[0] += (long long)top1;
        hits[1] += (long long)top5;
    }
    assert_int_equal(nz_loader_broken(loader), 0);
    nz_loader_free(loader);
    nz_session_free(session);
    nz_data_free(data);
}

static void row_holds(void **state) {
    const row *r = *state;
    char model[1024], data[2048];
    if (r->is_long && !nz_test_long()) nz_test_skip("%s %s: only with --long", r->model, r->method);
    expand(model, sizeof model, r->model);
    expand(data, sizeof data, r->data);
    nz_graph *graph = NULL;
    nz_assert_ok(nz_model_load(&graph, model));
    graph = compressed(graph, r);
    long long hits[2];
    count_hits(hits, graph, data);
    nz_graph_free(graph);
    if (getenv("NETZIP_REGRESSION_PRINT"))
        print_message("# %s,%s: %lld,%lld (expected %lld,%lld)\n", r->model, r->method, hits[0], hits[1], r->top1,
                      r->top5);
    if (llabs(hits[0] - r->top1) > r->tolerance || (r->top5 >= 0 && llabs(hits[1] - r->top5) > r->tolerance))
        fail_msg("%s %s: %lld and %lld hits, expected %lld and %lld within %lld", r->model, r->method, hits[0], hits[1],
                 r->top1, r->top5, r->tolerance);
}

static const char *cell(const nz_csv *csv, size_t line, const char *name) {
    size_t column = nz_csv_column(csv, name);
    if (column == csv->columns) fail_msg("results.csv has no column %s", name);
    return nz_csv_cell(csv, line, column);
}

static long long number(const nz_csv *csv, size_t line, const char *name) {
    long long value = -1;
    if (*cell(csv, line, name)) nz_assert_ok(nz_parse_int(&value, cell(csv, line, name), name));
    return value;
}

int main(void) {
    static row rows[ROWS_MAX];
    static char names[ROWS_MAX][256];
    static struct CMUnitTest tests[ROWS_MAX];
    NZ_AUTO_CSV nz_csv csv = {0};
    nz_assert_ok(nz_csv_read(&csv, nz_test_source("tests/regression/results.csv"), ','));
    assert_in_range(csv.rows, 1, ROWS_MAX);
    for (size_t i = 0; i < csv.rows; i++) {
        rows[i] = (row){.model = cell(&csv, i, "model"),
                        .method = cell(&csv, i, "method"),
                        .calibration = cell(&csv, i, "calibration"),
                        .data = cell(&csv, i, "data"),
                        .top1 = number(&csv, i, "top1_hits"),
                        .top5 = number(&csv, i, "top5_hits"),
                        .tolerance = number(&csv, i, "tolerance"),
                        .is_long = strcmp(cell(&csv, i, "when"), "long") == 0};
        snprintf(names[i], sizeof names[i], "%s %s", strrchr(rows[i].model, '/') + 1,
                 *rows[i].method ? rows[i].method : "as it is");
        tests[i] = (struct CMUnitTest){.name = names[i], .test_func = row_holds, .initial_state = &rows[i]};
    }
    return _cmocka_run_group_tests("accuracy", tests, csv.rows, NULL, NULL);
}
