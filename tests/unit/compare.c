/* SPDX-License-Identifier: Apache-2.0 */
/* Whole comparisons of small models made here, on images made on the fly, with real workers. */
#include "netzip/compare.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "compare/process.h"
#include "compare_models.h"
#include "compare_run.h"
#include "core/file.h"
#include "core/json.h"
#include "graph/build.h"
#include "netzip/measure.h"
#include "netzip/metric.h"
#include "test.h"

/* ---- the tests ---- */

static void a_whole_comparison_fills_the_document(void **state) {
    (void)state;
    const char *base = save("base.onnx", (recipe){1, -1, false, NULL, 0}),
               *same = save("same.onnx", (recipe){1, 1, true, "PTQ", 0});
    const char *other = save("other.onnx", (recipe){2, -1, false, NULL, 0});
    const char *const models[] = {base, same, other};
    nz_compare_options o = options(models, 3, "synthetic:shapes,limit=70");
    nz_compare_result result;
    o.out = nz_test_file("whole");
    o.fail_if = "agreement < 99";
    json_t *document = run(&o, &result);
    check_document(document);
    assert_int_equal(result.failed, 0);
    assert_string_equal(text(model(document, 0), "id"), "base/native/t1/b1");
    assert_string_equal(text(model(document, 2), "baseline"), "base/native/t1/b1");
    assert_string_equal(text(model(document, 0), "technique"), "None");
    assert_string_equal(text(model(document, 1), "technique"), "PTQ");
    /* The same weights with a fixed batch and a Softmax: the same classes, one sample at a time. */
    assert_true(value(document, 1, "agreement") == 100);
    assert_true(value(document, 1, "top1") == value(document, 0, "top1"));
    /* A float Softmax sums up to 1 but for 6e-8, and the divergence takes that for information. */
    nz_assert_near(value(document, 1, "kl"), 0, 0, 1e-7);
    nz_assert_near(value(document, 1, "ece"), value(document, 0, "ece"), 1e-6, 1e-9);
    assert_int_equal(json_integer_value(json_object_get(metric(document, 0, "top1"), "n")), 70);
    assert_true(json_object_get(metric(document, 2, "top1"), "difference") != NULL);
    assert_null(json_object_get(metric(document, 0, "top1"), "difference"));
    assert_true(value(document, 2, "agreement") < 100);
    assert_true(value(document, 0, "latency_ms") > 0 && value(document, 0, "throughput") > 0);
    assert_true(value(document, 0, "ram_bytes") >= 0 && value(document, 0, "disk_bytes") > 0);
    nz_assert_near(value(document, 0, "macs"), 15 * 15 * 8 * 27 + 80, 0, 0);
    assert_string_equal(text(json_array_get(json_object_get(model(document, 0), "layers"), 0), "name"), "conv");
    assert_true(result.condition_held);
    assert_non_null(strstr(result.condition, "other/native/t1/b1: agreement is "));
    /* The files: the document as it was handed out, a manifest, and nothing half-done. */
    NZ_AUTO_JSON json_t *written = NULL, *manifest = NULL;
    char path[4096];
    snprintf(path, sizeof path, "%s/results.json", o.out);
    nz_assert_ok(nz_json_read(&written, path));
    assert_true(json_equal(written, document));
    snprintf(path, sizeof path, "%s/manifest.json", o.out);
    nz_assert_ok(nz_json_read(&manifest, path));
    assert_int_equal(json_array_size(json_object_get(manifest, "models")), 3);
    snprintf(path, sizeof path, "%s/.work", o.out);
    assert_false(nz_dir_exists(path));
    json_decref(document);
    nz_compare_result_done(&result);
}

static void a_broken_model_ends_nothing(void **state) {
    (void)state;
    const char *good = save("good.onnx", (recipe){1, -1, false, NULL, 0}),
               *other = save("fine.onnx", (recipe){2, -1, false, NULL, 0});
    const char *broken = nz_test_file("broken.onnx");
    nz_assert_ok(nz_file_write(broken, "\x08\x07\x12garbage", 10));
    const char *const models[] = {good, broken, "/nonexistent.onnx", other};
    nz_compare_options o = options(models, 4, "synthetic:shapes,limit=20");
    nz_compare_result result;
    json_t *document = run(&o, &result);
    check_document(document);
    assert_int_equal(result.failed, 2);
    assert_string_equal(text(model(document, 1), "status"), "failed");
    assert_non_null(strstr(text(model(document, 1), "error"), "broken.onnx"));
    assert_non_null(strstr(text(model(document, 2), "error"), "/nonexistent.onnx"));
    assert_true(value(document, 3, "top1") >= 0 && value(document, 3, "latency_ms") > 0);
    assert_true(!isnan(value(document, 3, "agreement")));
    nz_assert_nan(value(document, 1, "disk_bytes"));
    assert_non_null(strstr(text(metric(document, 1, "top1"), "reason"), "the model failed"));
    json_decref(document);
    nz_compare_result_done(&result);
}

static void a_broken_baseline_leaves_the_others_their_own_figures(void **state) {
    (void)state;
    const char *good = save("alone.onnx", (recipe){1, -1, false, NULL, 0});
    const char *const models[] = {"/nonexistent.onnx", good};
    nz_compare_options o = options(models, 2, "synthetic:shapes,limit=20");
    nz_compare_result result;
    o.metrics = "top1,agreement,disk_bytes";
    o.fail_if = "top1.drop > 100";
    json_t *document = run(&o, &result);
    check_document(document);
    assert_true(value(document, 1, "top1") >= 0);
    assert_non_null(strstr(text(metric(document, 1, "agreement"), "reason"), "baseline"));
    assert_true(result.condition_held); /* the drop is unavailable, which counts as a failure */
    assert_non_null(strstr(result.condition, "top1.drop is unavailable"));
    json_decref(document);
    nz_compare_result_done(&result);
}

/* Two models whose files are the same byte for byte: what differs lies beside them. */
static void weights_in_files_of_their_own_are_told_apart(void **state) {
    (void)state;
    static char paths[2][4096];
    for (int i = 0; i < 2; i++) {
        NZ_AUTO_GRAPH nz_graph *g = NULL;
        const char *plain = save("inline.onnx", (recipe){.seed = (uint64_t)i + 1, .batch = -1, .channels = 32});
        nz_assert_ok(nz_model_load(&g, plain));
        snprintf(paths[i], sizeof paths[i], "%s", nz_test_file(i ? "second" : "first"));
        nz_assert_ok(nz_dir_make(paths[i]));
        strcat(paths[i], "/net.onnx");
        nz_assert_ok(nz_onnx_write(g, paths[i], 13, 0));
    }
    const char *const models[] = {paths[0], paths[1]};
    nz_compare_options o = options(models, 2, "synthetic:shapes,limit=40");
    nz_compare_result result;
    o.metrics = "top1,agreement";
    json_t *document = run(&o, &result);
    assert_int_equal(result.failed, 0);
    assert_string_equal(text(model(document, 0), "sha256"), text(model(document, 1), "sha256"));
    assert_string_not_equal(text(model(document, 0), "weights_sha256"), text(model(document, 1), "weights_sha256"));
    assert_true(value(document, 1, "agreement") < 100);
    json_decref(document);
    nz_compare_result_done(&result);
}

static void names_come_from_the_line_the_file_and_a_number(void **state) {
    (void)state;
    const char *path = save("net.onnx", (recipe){1, -1, false, NULL, 0});
    char named[4200];
    snprintf(named, sizeof named, "FP 32=%s", path);
    const char *const models[] = {named, path, path, path};
    nz_compare_options o = options(models, 4, NULL);
    nz_compare_result result;
    o.metrics = "disk_bytes";
    o.baseline = "net-2";
    json_t *document = run(&o, &result);
    assert_string_equal(text(model(document, 0), "name"), "FP 32");
    assert_string_equal(text(model(document, 1), "name"), "net");
    assert_string_equal(text(model(document, 2), "name"), "net-2");
    assert_string_equal(text(model(document, 3), "name"), "net-3");
    assert_string_equal(text(model(document, 0), "baseline"), "net-2/native/t1/b1");
    json_decref(document);
    nz_compare_result_done(&result);
}

static void without_data_the_rest_is_measured(void **state) {
    (void)state;
    const char *const models[] = {save("nodata.onnx", (recipe){1, -1, false, NULL, 0})};
    nz_compare_options o = options(models, 1, NULL);
    nz_compare_result result;
    json_t *document = run(&o, &result);
    check_document(document);
    assert_string_equal(text(metric(document, 0, "top1"), "reason"), "no --data was given");
    assert_true(value(document, 0, "latency_ms") > 0);
    const json_t *marks = json_object_get(json_object_get(model(document, 0), "conditions"), "marks");
    bool told = false;
    for (size_t i = 0; i < json_array_size(marks); i++)
        told = told || strcmp(json_string_value(json_array_get(marks, i)), "random_input") == 0;
    assert_true(told);
    assert_true(value(document, 0, "latency_ms_min") > 0); /* though values are means of bunches */
    json_decref(document);
    nz_compare_result_done(&result);
}

static void threads_and_batches_are_variants(void **state) {
    (void)state;
    const char *const models[] = {save("variants.onnx", (recipe){1, -1, false, NULL, 0}),
                                  save("fixed.onnx", (recipe){1, 1, false, NULL, 0})};
    nz_compare_options o = options(models, 2, "synthetic:shapes,limit=10");
    nz_compare_result result;
    o.threads = (const int[]){1, 2};
    o.thread_count = 2;
    o.batches = (const int[]){4};
    o.batch_count = 1;
    o.metrics = "throughput,top1,agreement";
    json_t *document = run(&o, &result);
    check_document(document);
    assert_int_equal(json_array_size(json_object_get(document, "models")), 4);
    assert_string_equal(text(model(document, 0), "id"), "variants/native/t1/b4");
    assert_string_equal(text(model(document, 3), "id"), "fixed/native/t2/b4");
    assert_string_equal(text(model(document, 3), "baseline"), "variants/native/t2/b4");
    assert_true(value(document, 2, "throughput") > 0);
    assert_true(value(document, 3, "agreement") == 100);
    assert_int_equal(json_integer_value(json_object_get(metric(document, 0, "throughput"), "n")) % 4, 0);
    bool noted = false;
    const json_t *notes = json_object_get(model(document, 1), "notes");
    for (size_t i = 0; i < json_array_size(notes); i++)
        noted = noted || strstr(json_string_value(json_array_get(notes, i)), "measured at batch 1");
    assert_true(noted);
    json_decref(document);
    nz_compare_result_done(&result);
}

static void data_that_does_not_fit_is_a_reason_not_a_failure(void **state) {
    (void)state;
    const char *const models[] = {save("misfit.onnx", (recipe){1, -1, false, NULL, 0})};
    nz_compare_options o = options(models, 1, "synthetic:shapes,limit=10,size=48");
    nz_compare_result result;
    o.metrics = "top1,latency_ms";
    json_t *document = run(&o, &result);
    check_document(document);
    assert_int_equal(result.failed, 0);
    assert_non_null(strstr(text(metric(document, 0, "top1"), "reason"), "48"));
    assert_true(value(document, 0, "latency_ms") > 0);
    json_decref(document);
    nz_compare_result_done(&result);
}

static void energy_is_measured_over_the_timed_inferences(void **state) {
    (void)state;
    const char *const models[] = {save("e1.onnx", (recipe){1, -1, false, NULL, 0}),
                                  save("e2.onnx", (recipe){2, -1, false, NULL, 0})};
    nz_compare_options o = options(models, 2, "synthetic:shapes,limit=10");
    nz_roots gpus = {.nvml = getenv("NETZIP_FAKE_NVML")};
    nz_compare_result result;
    if (!gpus.nvml || access(gpus.nvml, R_OK) != 0) nz_test_skip("NETZIP_FAKE_NVML names no library");
    o.roots = &gpus;
    o.power = "nvml";
    o.metrics = "energy,gpu_util_pct,top1";
    json_t *document = run(&o, &result);
    check_document(document);
    assert_string_equal(text(json_object_get(json_object_get(document, "run"), "host"), "power_source"), "nvml");
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(text(metric(document, i, "energy_j"), "source"), "measured");
        assert_true(value(document, i, "energy_j") > 0 && value(document, i, "power_w") > 0);
        assert_true(value(document, i, "power_max_w") >= value(document, i, "power_w") * 0.99);
        assert_true(value(document, i, "idle_power_w") > 0);
        assert_true(json_integer_value(json_object_get(metric(document, i, "energy_j"), "n")) > 0);
        nz_assert_near(value(document, i, "gpu_util_pct"), 60, 1e-9, 0);
    }
    const json_t *second = model(document, 1);
    double efficiency =
        json_number_value(json_object_get(json_object_get(json_object_get(second, "ratios"), "efficiency"), "value"));
    nz_assert_near(efficiency, value(document, 0, "energy_j") / value(document, 1, "energy_j"), 1e-12, 0);
    assert_true(json_is_real(json_object_get(json_object_get(second, "ocs"), "value")));
    json_decref(document);
    nz_compare_result_done(&result);
}

static void a_block_of_quick_inferences_lasts_as_long_as_a_power_source_needs(void **state) {
    (void)state;
    const char *path = save("quick.onnx", (recipe){1, -1, false, NULL, 0});
    const nz_wait wait = {.timeout_s = 60};
    nz_process process;
    json_t *shape = json_pack("[i,i,i]", 3, 32, 32);
    NZ_AUTO_JSON json_t *load = json_pack("{s:s,s:s,s:s,s:i,s:i,s:o}", "do", "load", "path", path, "runtime", "native",
                                          "threads", 1, "seed", 1, "sample", shape);
    NZ_AUTO_JSON json_t *time = json_pack("{s:s,s:i,s:i,s:f}", "do", "time", "count", 2, "bunch", 3, "seconds", 0.3);
    NZ_AUTO_JSON json_t *loaded = NULL, *timed = NULL;
    nz_assert_ok(nz_process_start(&process, program(), false));
    nz_assert_ok(nz_process_ask(&process, &loaded, load, &wait));
    nz_assert_ok(nz_process_ask(&process, &timed, time, &wait));
    nz_process_end(&process);
    json_int_t from = json_integer_value(json_object_get(timed, "from_ns")),
               to = json_integer_value(json_object_get(timed, "to_ns")),
               values = json_integer_value(json_object_get(timed, "timed"));
    const json_t *kept = json_object_get(timed, "ns");
    assert_true(to - from >= 300000000);
    nz_assert_near(json_number_value(json_object_get(timed, "seconds")), (double)(to - from) * 1e-9, 1e-9, 0);
    assert_true(values >= 2);
    assert_int_equal(json_integer_value(json_object_get(timed, "runs")), 3 * values);
    assert_true(json_array_size(kept) == (size_t)(values < 200 ? values : 200));
    /* Values are means of three: behind the block some inferences are timed one by one. */
    const json_t *singles = json_object_get(timed, "each_ns");
    assert_true(json_array_size(singles) >= 20 && json_array_size(singles) <= 100);
    for (size_t i = 0; i < json_array_size(singles); i++)
        assert_true(json_integer_value(json_array_get(singles, i)) > 0);
    size_t last = json_array_size(kept) - 1;
    assert_true(json_number_value(json_object_get(timed, "least_ns")) <=
                json_number_value(json_array_get(kept, 0)) + 1);
    assert_true(json_number_value(json_object_get(timed, "most_ns")) >=
                json_number_value(json_array_get(kept, last)) - 1);
    for (size_t i = 1; i < json_array_size(kept); i++)
        assert_true(json_number_value(json_array_get(kept, i - 1)) <= json_number_value(json_array_get(kept, i)));
}

static void wrong_options_are_refused_before_anything_runs(void **state) {
    (void)state;
    const char *path = save("o.onnx", (recipe){1, -1, false, NULL, 0});
    const char *const models[] = {path}, *const runtimes[] = {"nativ"};
    nz_compare_options o = options(models, 1, NULL);
    nz_compare_result result;
#define REFUSED(FIELD, VALUE, PART)                                                                                    \
    do {                                                                                                               \
        nz_compare_options changed = o;                                                                                \
        changed.FIELD = (VALUE);                                                                                       \
        nz_assert_fails(nz_compare(&result, &changed, NULL), NZ_E_ARG, (PART));                                        \
    } while (0)
    REFUSED(metrics, "top1,latncy_ms", "did you mean 'latency_ms'?");
    REFUSED(metrics, ",", "--metrics is empty");
    REFUSED(baseline, "nobody", "'nobody' is none of the models");
    REFUSED(speedup, "speed", "--speedup");
    REFUSED(fail_if, "top1 <", "a number expected");
    REFUSED(fail_if, "tip1 < 1", "--fail-if: no metric is called 'tip1'");
    REFUSED(resume, true, "--out");
    REFUSED(budget_s, 0.0, "--budget");
    REFUSED(zeta, -1.0, "--zeta");
    REFUSED(lambda[2], NAN, "--lambda");
    REFUSED(power, "nuclear", "nuclear");
    REFUSED(model_count, 0, "no model");
    o.runtimes = runtimes;
    o.runtime_count = 1;
    nz_assert_fails(nz_compare(&result, &o, NULL), NZ_E_ARG, "no runtime is called 'nativ' (there is native");
    o.runtime_count = 0;
    o.data = "imagefolder:/nonexistent";
    nz_assert_fails(nz_compare(&result, &o, NULL), NZ_E_IO, "/nonexistent");
    o.data = "idx";
    nz_assert_fails(nz_compare(&result, &o, NULL), NZ_E_ARG, "");
}

/* ---- processes that die ---- */

/* Children of a process, lowest first; how many. */
static size_t children_of(pid_t parent, pid_t *ret, size_t most) {
    char path[64], line[4096];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)parent, (int)parent);
    FILE *file = fopen(path, "r");
    size_t count = 0;
    if (!file) return 0;
    if (fgets(line, sizeof line, file))
        for (char *p = line, *end; count < most; p = end) {
            long pid = strtol(p, &end, 10);
            if (end == p) break;
            ret[count++] = (pid_t)pid;
        }
    fclose(file);
    return count;
}

static void a_worker_that_is_killed_fails_alone(void **state) {
    (void)state;
    char list[64];
    snprintf(list, sizeof list, "/proc/self/task/%d/children", (int)getpid());
    if (access(list, R_OK) != 0) nz_test_skip("this kernel lists no children of a process");
    const char *first = save("first.onnx", (recipe){1, -1, false, NULL, 0}),
               *second = save("second.onnx", (recipe){2, -1, false, NULL, 0});
    const char *out = nz_test_file("killed.json");
    const char *const arguments[] = {"netzip",   "compare", first,    second, "--data", "synthetic:shapes,limit=50",
                                     "--budget", "2",       "--json", NULL};
    pid_t workers[4] = {0}, pid = start(out, arguments);
    /* Before the measurement there are the station and one process at a time; three means that both models have theirs. */
    while (children_of(pid, workers, 4) < 3 && waitpid(pid, NULL, WNOHANG) == 0) nap();
    pid_t victim = 0; /* the youngest */
    for (size_t i = 0; i < 4; i++) victim = workers[i] > victim ? workers[i] : victim;
    assert_true(victim > 0);
    assert_int_equal(kill(victim, SIGKILL), 0);
    int how;
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), 1);
    NZ_AUTO_JSON json_t *document = NULL;
    nz_assert_ok(nz_json_read(&document, out));
    check_document(document);
    assert_string_equal(text(model(document, 0), "status"), "ok");
    assert_true(value(document, 0, "latency_ms") > 0 && value(document, 0, "top1") >= 0);
    assert_string_equal(text(model(document, 1), "status"), "failed");
    assert_non_null(strstr(text(model(document, 1), "error"), "SIGKILL"));
}

static void a_killed_run_resumes_to_the_same_results(void **state) {
    (void)state;
    const char *first = save("r1.onnx", (recipe){1, -1, false, NULL, 0}),
               *second = save("r2.onnx", (recipe){2, -1, false, NULL, 0});
    const char *third = save("r3.onnx", (recipe){3, 1, false, NULL, 0});
    const char *whole = nz_test_file("uninterrupted"), *out = nz_test_file("interrupted"),
               *work = nz_test_file("interrupted/.work");
    const char *data = "synthetic:shapes,limit=2000"; /* long enough to be killed in */
    const char *const straight[] = {"netzip", "compare",  first, second,  third, "--data",
                                    data,     "--budget", "0.1", "--out", whole, NULL};
    const char *const killed[] = {"netzip", "compare",  first, second,  third, "--data",
                                  data,     "--budget", "0.1", "--out", out,   NULL};
    const char *const resumed[] = {"netzip",   "compare", first,   second, third,      "--data", data,
                                   "--budget", "0.1",     "--out", out,    "--resume", NULL};
    assert_int_equal(run_program(straight), 0);
    int how;
    pid_t pid = start("/dev/null", killed);
    while (!has_predictions(work, ".scores") && waitpid(pid, &how, WNOHANG) == 0) nap();
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, &how, 0), pid);
    assert_true(WIFSIGNALED(how)); /* it had not ended by itself */
    assert_false(nz_file_exists(nz_test_file("interrupted/results.json")));
    assert_int_equal(run_program(resumed), 0);
    NZ_AUTO_JSON json_t *a = timeless(nz_test_file("uninterrupted/results.json")),
                        *b = timeless(nz_test_file("interrupted/results.json"));
    assert_same(a, b);
    assert_false(nz_dir_exists(work));
}

static int stop_at_once(void *user, const char *what, unsigned long long done, unsigned long long total) {
    (void)what, (void)done, (void)total;
    return ++*(int *)user > 3;
}

static void the_user_can_stop_and_resume(void **state) {
    (void)state;
    const char *const models[] = {save("stop.onnx", (recipe){1, -1, false, NULL, 0})};
    nz_compare_options o = options(models, 1, "synthetic:shapes,limit=20");
    nz_compare_result result;
    int calls = 0;
    nz_progress progress = {.step = stop_at_once, .user = &calls};
    o.out = nz_test_file("stopped");
    nz_assert_fails(nz_compare(&result, &o, &progress), NZ_E_CANCELLED, "stopped");
    o.resume = true;
    json_t *document = run(&o, &result);
    check_document(document);
    json_decref(document);
    nz_compare_result_done(&result);
}

static void doctor_says_what_it_can_and_cannot(void **state) {
    (void)state;
    char *json = NULL;
    json_error_t error;
    nz_assert_ok(nz_doctor(&json, &(nz_doctor_options){.quick = true}, NULL));
    NZ_AUTO_JSON json_t *doctor = json_loads(json, 0, &error);
    free(json);
    static const char *const parts[] = {"clock", "cpu", "memory", "power", "gpu", "runtime"};
    for (size_t i = 0; i < NZ_COUNT(parts); i++) {
        const json_t *part = json_object_get(doctor, parts[i]);
        const char *verdict = text(part, "verdict");
        assert_true(strcmp(verdict, "ok") == 0 || strcmp(verdict, "limited") == 0 ||
                    strcmp(verdict, "unavailable") == 0);
        assert_true(*text(part, "summary"));
    }
    const json_t *sources = json_object_get(json_object_get(doctor, "power"), "sources");
    assert_true(json_array_size(sources) >= 4);
    for (size_t i = 0; i < json_array_size(sources); i++) {
        const json_t *source = json_array_get(sources, i);
        assert_true(*text(source, json_is_true(json_object_get(source, "usable")) ? "detail" : "reason"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_comparison_fills_the_document),
        cmocka_unit_test(a_broken_model_ends_nothing),
        cmocka_unit_test(a_broken_baseline_leaves_the_others_their_own_figures),
        cmocka_unit_test(weights_in_files_of_their_own_are_told_apart),
        cmocka_unit_test(names_come_from_the_line_the_file_and_a_number),
        cmocka_unit_test(without_data_the_rest_is_measured),
        cmocka_unit_test(threads_and_batches_are_variants),
        cmocka_unit_test(data_that_does_not_fit_is_a_reason_not_a_failure),
        cmocka_unit_test(energy_is_measured_over_the_timed_inferences),
        cmocka_unit_test(a_block_of_quick_inferences_lasts_as_long_as_a_power_source_needs),
        cmocka_unit_test(wrong_options_are_refused_before_anything_runs),
        cmocka_unit_test(a_worker_that_is_killed_fails_alone),
        cmocka_unit_test(a_killed_run_resumes_to_the_same_results),
        cmocka_unit_test(the_user_can_stop_and_resume),
        cmocka_unit_test(doctor_says_what_it_can_and_cannot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
