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
    long long top1, top5, agreement, disk_bytes, tolerance; /* hits, samples, bytes; -1: not stated */
    const char
        *when; /* "always"; "short": not under sanitizers, where tens of thousands of images take minutes; "long" */
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

static nz_graph *compressed(const nz_graph *graph, const row *r) {
    nz_graph *result = NULL;
    nz_dataset *data = NULL;
    char spec[2048];
    if (*r->calibration) {
        expand(spec, sizeof spec, r->calibration);
        nz_assert_ok(nz_data_open_for_model(&data, spec, NZ_DATA_TRAIN, graph));
    }
    nz_assert_ok(nz_compress(&result, NULL, graph, r->method, data, 0, NULL));
    nz_data_free(data);
    return result;
}

typedef struct outcome {
    long long top1, top5;
    int32_t *classes; /* predicted, sample by sample */
    size_t count;
} outcome;

/* Runs the model over the data set in batches; a fixed batch is kept. */
static outcome run_all(const nz_graph *graph, const char *data_spec) {
    nz_dataset *data = NULL;
    nz_loader *loader = NULL;
    nz_session *session = NULL;
    nz_assert_ok(nz_data_open_for_model(&data, data_spec, NZ_DATA_COMPARE, graph));
    nz_runtime_options options = {.batch = 16};
    nz_assert_ok(nz_session_open(&session, "native", graph, NULL, &options));
    NZ_AUTO_TENSOR nz_tensor x = {0};
    NZ_AUTO_TENSOR nz_tensor y = {0};
    const nz_tensor *in = nz_session_input(session, 0, NULL), *out = nz_session_output(session, 0, NULL);
    nz_assert_ok(nz_tensor_init(&x, in->dtype, &in->shape));
    nz_assert_ok(nz_tensor_init(&y, out->dtype, &out->shape));
    size_t batch = (size_t)in->shape.dim[0], classes = (size_t)nz_shape_elements(&out->shape) / batch;
    outcome o = {.classes = calloc(nz_data_count(data), sizeof *o.classes)};
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
        o.top1 += (long long)top1;
        o.top5 += (long long)top5;
        for (size_t i = 0; i < b.count; i++)
            o.classes[o.count++] = nz_top1_class((const float *)y.data + i * classes, classes);
    }
    assert_int_equal(nz_loader_broken(loader), 0);
    nz_loader_free(loader);
    nz_session_free(session);
    nz_data_free(data);
    return o;
}

static long long saved_bytes(const nz_graph *graph) {
    uint64_t bytes = 0;
    const char *path = nz_test_file("saved.onnx");
    nz_assert_ok(nz_model_save(graph, path));
    nz_assert_ok(nz_model_disk_bytes(&bytes, path));
    return (long long)bytes;
}

static void expect(const row *r, const char *what, long long got, long long expected, long long tolerance) {
    if (getenv("NETZIP_REGRESSION_PRINT"))
        print_message("# %s,%s: %s %lld (expected %lld)\n", r->model, r->method, what, got, expected);
    if (expected >= 0 && llabs(got - expected) > tolerance)
        fail_msg("%s %s: %s is %lld, expected %lld within %lld", r->model, r->method, what, got, expected, tolerance);
}

static void row_holds(void **state) {
    const row *r = *state;
    char model[1024], data[2048];
    const char *sanitize = getenv("NETZIP_SANITIZE");
    if (strcmp(r->when, "long") == 0 && !nz_test_long()) nz_test_skip("%s %s: only with --long", r->model, r->method);
    if (strcmp(r->when, "always") != 0 && sanitize && strcmp(sanitize, "none") != 0)
        nz_test_skip("%s %s: only without sanitizers", r->model, r->method);
    expand(model, sizeof model, r->model);
    expand(data, sizeof data, r->data);
    NZ_AUTO_GRAPH nz_graph *original = NULL;
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    nz_assert_ok(nz_model_load(&original, model));
    if (*r->method) graph = compressed(original, r);
    outcome o = run_all(graph ? graph : original, data);
    expect(r, "top-1 hits", o.top1, r->top1, r->tolerance);
    expect(r, "top-5 hits", o.top5, r->top5, r->tolerance);
    if (graph) expect(r, "bytes on disk", saved_bytes(graph), r->disk_bytes, 0);
    if (r->agreement >= 0) {
        outcome exact = run_all(original, data);
        long long same = 0;
        for (size_t i = 0; i < o.count; i++) same += o.classes[i] == exact.classes[i];
        expect(r, "samples classified as before", same, r->agreement, r->tolerance);
        free(exact.classes);
    }
    free(o.classes);
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
                        .agreement = number(&csv, i, "agreement"),
                        .disk_bytes = number(&csv, i, "disk_bytes"),
                        .tolerance = number(&csv, i, "tolerance"),
                        .when = cell(&csv, i, "when")};
        snprintf(names[i], sizeof names[i], "%s %s", strrchr(rows[i].model, '/') + 1,
                 *rows[i].method ? rows[i].method : "as it is");
        tests[i] = (struct CMUnitTest){.name = names[i], .test_func = row_holds, .initial_state = &rows[i]};
    }
    return _cmocka_run_group_tests("accuracy", tests, csv.rows, NULL, NULL);
}
