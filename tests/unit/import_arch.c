/* SPDX-License-Identifier: Apache-2.0 */
/* Weights reach the network they belong to: whole, with another classifier, under a prefix, or not at all, and it is told. */
#include "checkpoints.h"

#include "core/text.h"
#include "graph/build.h"
#include "import/checkpoint.h"
#include "netzip/import.h"

static void free_checkpoint(nz_checkpoint **checkpoint) { nz_checkpoint_free(*checkpoint); }
#define AUTO_CHECKPOINT NZ_AUTO(free_checkpoint) nz_checkpoint *
#define AUTO_REPORT NZ_AUTO(nz_import_report_done) nz_import_report
static const char arch[] = "resnet8";

static nz_graph *build(uint64_t seed, int64_t classes) {
    nz_graph *graph = NULL;
    nz_assert_ok(nz_arch_build(&graph, arch, &(nz_arch_options){.seed = seed, .classes = classes}));
    return graph;
}

static bool is_parameter(const nz_graph *graph, size_t v) {
    return nz_value_is_constant(graph, (int)v) && graph->values[v].dtype == NZ_F32 && graph->values[v].shape.rank > 0;
}

static size_t count_parameters(const nz_graph *graph) {
    size_t count = 0;
    for (size_t v = 0; v < graph->value_count; v++) count += is_parameter(graph, v);
    return count;
}

static const nz_tensor *parameter(const nz_graph *graph, const char *name) {
    int value = nz_graph_find_value(graph, name);
    if (value < 0) fail_msg("there is no %s", name);
    return &graph->values[value].constant;
}

/* The graph's parameters as a checkpoint of that type, under a prefix, those whose name contains `without` left out. */
static nz_checkpoint *checkpoint_of(const nz_graph *graph, nz_dtype dtype, const char *prefix, const char *without) {
    nz_checkpoint *checkpoint = NULL;
    nz_assert_ok(nz_alloc(&checkpoint, 1, sizeof *checkpoint));
    nz_assert_ok(nz_strdup(&checkpoint->describe, "made by a test"));
    for (size_t v = 0; v < graph->value_count; v++) {
        const nz_value *value = &graph->values[v];
        NZ_AUTO_TENSOR nz_tensor tensor = {0};
        NZ_AUTO_FREE char *name = NULL;
        if (!is_parameter(graph, v) || (without && strstr(value->name, without))) continue;
        nz_assert_ok(nz_tensor_init(&tensor, dtype, &value->shape));
        for (int64_t i = 0; i < nz_shape_elements(&value->shape); i++)
            nz_tensor_set_real(&tensor, i, nz_tensor_real(&value->constant, i));
        nz_assert_ok(nz_format(&name, "%s%s", prefix, value->name));
        nz_assert_ok(nz_checkpoint_add(checkpoint, name, &tensor));
    }
    return checkpoint;
}

static void assert_same(const nz_tensor *a, const nz_tensor *b) {
    assert_true(nz_shape_equal(&a->shape, &b->shape) && a->dtype == b->dtype);
    assert_memory_equal(a->data, b->data, a->bytes);
}

static void assert_all_same(const nz_graph *a, const nz_graph *b) {
    for (size_t v = 0; v < a->value_count; v++)
        if (is_parameter(a, v)) assert_same(&a->values[v].constant, parameter(b, a->values[v].name));
}

static void all_weights_arrive(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *from = build(3, 0);
    NZ_AUTO_GRAPH nz_graph *to = NULL;
    AUTO_CHECKPOINT checkpoint = checkpoint_of(from, NZ_F32, "", NULL);
    AUTO_REPORT report = {0};
    nz_assert_ok(nz_import_checkpoint(&to, &report, checkpoint, "t.pt", arch, NULL));
    assert_int_equal(report.loaded, count_parameters(from));
    assert_int_equal(report.missing_count + report.extra_count + report.reshaped_count + report.counters, 0);
    assert_string_equal(report.prefix, "");
    assert_true(report.classes == 10 && report.classes_from_checkpoint);
    assert_all_same(from, to);
    assert_non_null(strstr(nz_graph_meta(to, "netzip.import"), "t.pt"));
}

static void narrower_weights_become_floats(void **state) {
    (void)state;
    static const nz_dtype types[] = {NZ_F16, NZ_BF16, NZ_F64};
    NZ_AUTO_GRAPH nz_graph *from = build(3, 0);
    for (size_t t = 0; t < NZ_COUNT(types); t++) {
        NZ_AUTO_GRAPH nz_graph *to = NULL;
        AUTO_CHECKPOINT checkpoint = checkpoint_of(from, types[t], "", NULL);
        AUTO_REPORT report = {0};
        nz_assert_ok(nz_import_checkpoint(&to, &report, checkpoint, "t.pt", arch, NULL));
        const nz_tensor *a = parameter(from, "conv1.weight"), *b = parameter(to, "conv1.weight");
        assert_int_equal(b->dtype, NZ_F32);
        for (int64_t i = 0; i < nz_shape_elements(&a->shape); i++) {
            float value = (float)nz_tensor_real(a, i);
            if (types[t] == NZ_F16) value = nz_f16_to_f32(nz_f32_to_f16(value));
            if (types[t] == NZ_BF16) value = nz_bf16_to_f32(nz_f32_to_bf16(value));
            assert_true(nz_tensor_real(b, i) == (double)value);
        }
    }
}

static void the_classifier_is_as_large_as_the_checkpoints(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *from = build(3, 17);
    NZ_AUTO_GRAPH nz_graph *to = NULL;
    NZ_AUTO_GRAPH nz_graph *asked = NULL;
    NZ_AUTO_GRAPH nz_graph *initial = build(9, 5);
    AUTO_CHECKPOINT checkpoint = checkpoint_of(from, NZ_F32, "", NULL);
    AUTO_REPORT report = {0};
    AUTO_REPORT other = {0};
    nz_assert_ok(nz_import_checkpoint(&to, &report, checkpoint, "t.pt", arch, NULL));
    assert_true(report.classes == 17 && report.classes_from_checkpoint && report.reshaped_count == 0);
    assert_all_same(from, to);
    nz_assert_ok(
        nz_import_checkpoint(&asked, &other, checkpoint, "t.pt", arch, &(nz_arch_options){.classes = 5, .seed = 9}));
    assert_true(other.classes == 5 && !other.classes_from_checkpoint);
    assert_int_equal(other.reshaped_count, 2);
    assert_int_equal(other.loaded, report.loaded - 2);
    assert_string_equal(other.reshaped[0], "fc.weight: 17x64 in the checkpoint, 5x64 in the network");
    assert_string_equal(other.reshaped[1], "fc.bias: 17 in the checkpoint, 5 in the network");
    assert_same(parameter(asked, "fc.weight"), parameter(initial, "fc.weight")); /* initial values, by the seed */
    assert_same(parameter(asked, "conv1.weight"), parameter(from, "conv1.weight"));
}

static void what_is_missing_or_left_over_is_named(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *from = build(3, 0);
    NZ_AUTO_GRAPH nz_graph *initial = build(4, 0);
    NZ_AUTO_GRAPH nz_graph *to = NULL;
    AUTO_CHECKPOINT checkpoint = checkpoint_of(from, NZ_F32, "", "bn1.running");
    AUTO_REPORT report = {0};
    static const char *const more[] = {"aux.weight", "bn1.num_batches_tracked", "num_batches_tracked"};
    for (size_t i = 0; i < NZ_COUNT(more); i++) {
        nz_tensor tensor;
        nz_assert_ok(nz_tensor_init(&tensor, NZ_I64, &(nz_shape){0}));
        nz_assert_ok(nz_checkpoint_add(checkpoint, more[i], &tensor));
    }
    nz_assert_ok(nz_import_checkpoint(&to, &report, checkpoint, "t.pt", arch, &(nz_arch_options){.seed = 4}));
    assert_true(report.missing_count > 0 && report.missing_count + report.loaded == count_parameters(from));
    for (size_t i = 0; i < report.missing_count; i++) {
        assert_non_null(strstr(report.missing[i], "bn1.running"));
        assert_same(parameter(to, report.missing[i]), parameter(initial, report.missing[i]));
    }
    assert_int_equal(report.extra_count, 1);
    assert_string_equal(report.extra[0], "aux.weight");
    assert_int_equal(report.counters, 2);
}

static void a_prefix_is_seen_through(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *from = build(3, 0);
    NZ_AUTO_GRAPH nz_graph *to = NULL;
    AUTO_CHECKPOINT checkpoint = checkpoint_of(from, NZ_F32, "model.backbone.", NULL);
    AUTO_REPORT report = {0};
    nz_tensor tensor;
    nz_assert_ok(nz_tensor_init(&tensor, NZ_F32, &(nz_shape){1, {2}}));
    nz_assert_ok(nz_checkpoint_add(checkpoint, "loss.conv1.weight", &tensor));
    nz_assert_ok(nz_import_checkpoint(&to, &report, checkpoint, "t.pt", arch, NULL));
    assert_string_equal(report.prefix, "model.backbone.");
    assert_int_equal(report.loaded, count_parameters(from));
    assert_int_equal(report.extra_count, 1);
    assert_all_same(from, to);
}

static void types_that_are_no_floats_do_not_fit(void **state) {
    (void)state;
    NZ_AUTO_GRAPH nz_graph *from = build(3, 0);
    nz_graph *none = NULL;
    AUTO_CHECKPOINT checkpoint = checkpoint_of(from, NZ_I8, "", NULL);
    AUTO_REPORT report = {0};
    nz_assert_fails(nz_import_checkpoint(&none, &report, checkpoint, "t.pt", arch, NULL), NZ_E_FORMAT,
                    "t.pt: none of its");
    AUTO_CHECKPOINT other = checkpoint_of(from, NZ_F32, "other_", NULL);
    nz_assert_fails(nz_import_checkpoint(&none, &report, other, "t.pt", arch, NULL), NZ_E_FORMAT,
                    "fits a parameter of resnet8");
    nz_assert_fails(nz_import_checkpoint(&none, &report, other, "t.pt", "resnet9", NULL), NZ_E_ARG, "resnet9");
    assert_null(none);
}

static void the_best_fit_is_found(void **state) {
    (void)state;
    static const char *const names[] = {"resnet8", "resnet20-cifar", "vgg11-bn", "squeezenet1.1"};
    for (size_t i = 0; i < NZ_COUNT(names); i++) {
        NZ_AUTO_GRAPH nz_graph *from = NULL;
        AUTO_REPORT report = {0};
        const char *found = NULL;
        nz_assert_ok(nz_arch_build(&from, names[i], &(nz_arch_options){.blank = true, .classes = 21}));
        nz_checkpoint *checkpoint = NULL;
        nz_assert_ok(nz_alloc(&checkpoint, 1, sizeof *checkpoint));
        for (size_t v = 0; v < from->value_count; v++) {
            nz_tensor shared;
            if (!is_parameter(from, v)) continue;
            nz_assert_ok(nz_tensor_share(&shared, &from->values[v].constant));
            nz_assert_ok(nz_checkpoint_add(checkpoint, from->values[v].name, &shared));
        }
        nz_status status = nz_import_best(&found, &report, checkpoint);
        nz_checkpoint_free(checkpoint);
        nz_assert_ok(status);
        assert_string_equal(found, names[i]);
        assert_true(report.classes == 21 && report.missing_count + report.extra_count + report.reshaped_count == 0);
    }
}

/* Published weights: 97 tensors under 'module.', in a stream of PyTorch before 1.6. */
static void published_weights_are_read(void **state) {
    (void)state;
    const char *path = nz_test_shared("models/resnet20-12fca82f.th");
    NZ_AUTO_GRAPH nz_graph *graph = NULL;
    AUTO_REPORT report = {0};
    nz_assert_ok(nz_import(&graph, &report, path, "resnet20-cifar", NULL));
    assert_true(report.loaded == 97 && report.missing_count == 0 && report.extra_count == 0 && report.classes == 10);
    assert_true(report.reshaped_count == 0);
}

/* A whole module object of another program: its half-precision parameters under the names of the layers. */
static void a_whole_module_of_another_program_is_read(void **state) {
    (void)state;
    AUTO_CHECKPOINT checkpoint = NULL;
    nz_assert_ok(nz_checkpoint_open(&checkpoint, nz_test_shared("models/yolov5n.pt")));
    assert_int_equal(nz_checkpoint_count(checkpoint), 349);
    assert_non_null(strstr(nz_checkpoint_describe(checkpoint), "a module object of class Model"));
    const char *name = NULL;
    const nz_tensor *first = nz_checkpoint_tensor(checkpoint, 0, &name);
    assert_string_equal(name, "model.0.conv.weight");
    assert_int_equal(first->dtype, NZ_F16);
    assert_true(nz_shape_equal(&first->shape, &(nz_shape){4, {16, 3, 6, 6}}));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_weights_arrive),
        cmocka_unit_test(narrower_weights_become_floats),
        cmocka_unit_test(the_classifier_is_as_large_as_the_checkpoints),
        cmocka_unit_test(what_is_missing_or_left_over_is_named),
        cmocka_unit_test(a_prefix_is_seen_through),
        cmocka_unit_test(types_that_are_no_floats_do_not_fit),
        cmocka_unit_test(the_best_fit_is_found),
        cmocka_unit_test(published_weights_are_read),
        cmocka_unit_test(a_whole_module_of_another_program_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
