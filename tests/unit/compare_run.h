/* SPDX-License-Identifier: Apache-2.0 */
/** Running comparisons and looking at their documents; running the program and stopping it half-way. */
#ifndef NZ_TESTS_COMPARE_RUN_H
#define NZ_TESTS_COMPARE_RUN_H

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "core/file.h"
#include "core/json.h"
#include "netzip/compare.h"
#include "netzip/metric.h"
#include "test.h"

/* ---- running ---- */

static inline const char *program(void) {
    const char *path = getenv("NETZIP_PROGRAM");
    if (!path || access(path, X_OK) != 0) nz_test_skip("NETZIP_PROGRAM names no program");
    return path;
}

static inline nz_compare_options options(const char *const *models, size_t count, const char *data) {
    nz_compare_options o;
    nz_compare_options_init(&o);
    o.models = models;
    o.model_count = count;
    o.data = data;
    o.budget_s = 0.05;
    o.worker = program();
    return o;
}

static inline json_t *run(const nz_compare_options *o, nz_compare_result *ret_result) {
    nz_assert_ok(nz_compare(ret_result, o, NULL));
    json_error_t error;
    json_t *document = json_loads(ret_result->json, 0, &error);
    if (!document) fail_msg("the document is no JSON: %s", error.text);
    return document;
}

static inline const char *text(const json_t *json, const char *key) {
    const char *value = json_string_value(json_object_get(json, key));
    if (!value) fail_msg("'%s' is missing or no string", key);
    return value;
}

static inline json_t *model(const json_t *document, size_t i) {
    return json_array_get(json_object_get(document, "models"), i);
}
static inline json_t *metric(const json_t *document, size_t i, const char *id) {
    json_t *found = json_object_get(json_object_get(model(document, i), "metrics"), id);
    if (!found) fail_msg("model %zu has no metric %s", i, id);
    return found;
}
static inline double value(const json_t *document, size_t i, const char *id) {
    const json_t *number = json_object_get(metric(document, i, id), "value");
    return json_is_number(number) ? json_number_value(number) : NAN;
}

/* ---- what every document must hold ---- */

static inline void check_value(const char *id, const json_t *v) {
    static const char *const categories[] = {"accuracy", "speed", "size", "energy"};
    const char *source = text(v, "source"), *category = text(v, "category");
    bool known = false, unavailable = strcmp(source, "unavailable") == 0;
    for (size_t i = 0; i < NZ_COUNT(categories); i++) known = known || strcmp(category, categories[i]) == 0;
    if (!known) fail_msg("%s has the category '%s'", id, category);
    text(v, "unit");
    text(v, "better");
    const json_t *number = json_object_get(v, "value");
    if (!number) fail_msg("%s has no value, not even null", id);
    if (unavailable != json_is_null(number)) fail_msg("%s: source '%s' does not go with its value", id, source);
    if (unavailable && !*text(v, "reason")) fail_msg("%s gives no reason", id);
    const json_t *interval = json_object_get(v, "ci95");
    if (interval) {
        assert_int_equal(json_array_size(interval), 2);
        assert_true(json_number_value(json_array_get(interval, 0)) <= json_number_value(json_array_get(interval, 1)));
    }
}

static inline void check_ratio(const json_t *ratios, const char *name) {
    const json_t *ratio = json_object_get(ratios, name);
    text(ratio, "of");
    if (json_is_null(json_object_get(ratio, "value"))) assert_true(*text(ratio, "reason"));
}

static inline void check_model(const json_t *m) {
    static const char *const keys[] = {"id", "name", "path", "technique", "baseline", "status"};
    static const char *const variant_keys[] = {"runtime", "runtime_version", "host"};
    for (size_t i = 0; i < NZ_COUNT(keys); i++) text(m, keys[i]);
    const json_t *variant = json_object_get(m, "variant");
    for (size_t i = 0; i < NZ_COUNT(variant_keys); i++) text(variant, variant_keys[i]);
    assert_true(json_is_integer(json_object_get(variant, "threads")));
    assert_true(json_is_integer(json_object_get(variant, "batch")));
    assert_true(json_is_integer(json_object_get(variant, "seed")));
    bool failed = strcmp(text(m, "status"), "failed") == 0;
    assert_true(failed == (json_object_get(m, "error") != NULL));
    if (!failed) assert_int_equal(strlen(text(m, "sha256")), 64);
    json_t *metrics = json_object_get(m, "metrics");
    const char *id;
    json_t *v;
    assert_true(json_object_size(metrics) > 0);
    json_object_foreach(metrics, id, v) check_value(id, v);
    check_ratio(json_object_get(m, "ratios"), "performance");
    check_ratio(json_object_get(m, "ratios"), "speedup");
    check_ratio(json_object_get(m, "ratios"), "compression");
    check_ratio(json_object_get(m, "ratios"), "efficiency");
    const json_t *ocs = json_object_get(m, "ocs");
    assert_int_equal(json_array_size(json_object_get(ocs, "lambda")), 4);
    if (json_is_null(json_object_get(ocs, "value"))) text(ocs, "reason");
    assert_true(json_is_array(json_object_get(m, "layers")));
}

static inline void check_document(const json_t *document) {
    assert_string_equal(text(document, "schema"), "netzip.results/1");
    const json_t *about = json_object_get(document, "run");
    assert_int_equal(strlen(text(about, "started")), 20);
    assert_true(json_is_array(json_object_get(about, "command")));
    assert_true(json_is_integer(json_object_get(about, "seed")));
    text(about, "version");
    assert_true(json_is_object(json_object_get(about, "host")));
    size_t count = json_array_size(json_object_get(document, "models"));
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) check_model(model(document, i));
}

/* ---- the program in a process of its own ---- */

/* Starts the program; its standard output goes to `out`. */
static inline pid_t start(const char *out, const char *const *arguments) {
    const char *path = program(); /* a skip must not happen in the child */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid) return pid;
    int file = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0666), nothing = open("/dev/null", O_WRONLY);
    dup2(file, STDOUT_FILENO);
    dup2(nothing, STDERR_FILENO);
    execv(path, (char *const *)(uintptr_t)arguments);
    _exit(127);
}

static inline void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL); }

/* Whether a folder of parts holds predictions: files of this ending. */
static inline bool has_predictions(const char *folder, const char *ending) {
    DIR *dir = opendir(folder);
    bool found = false;
    if (!dir) return false;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        size_t last = strlen(ending);
        found = found || (length > last && strcmp(entry->d_name + length - last, ending) == 0);
    }
    closedir(dir);
    return found;
}

/* Takes out everything that time and the machine's state decide. */
static inline void forget_times(json_t *json) {
    static const char *const keys[] = {"started", "seconds",    "command",  "host",       "warnings",
                                       "notes",   "latency_ms", "machines", "conditions", "differences",
                                       "marks",   "noise",      "memory",   "counters",   "layers_total"};
    if (json_is_array(json))
        for (size_t i = 0; i < json_array_size(json); i++) forget_times(json_array_get(json, i));
    if (!json_is_object(json)) return;
    for (size_t i = 0; i < NZ_COUNT(keys); i++) json_object_del(json, keys[i]);
    json_t *metrics = json_object_get(json, "metrics"), *item;
    const nz_metric *m;
    for (size_t i = 0; metrics && (m = nz_metric_at(i)); i++)
        if (m->needs_timing || m->needs_process) json_object_del(metrics, m->id);
    const char *key;
    json_object_foreach(json, key, item) forget_times(item);
}

static inline json_t *timeless(const char *path) {
    json_t *document = NULL;
    nz_assert_ok(nz_json_read(&document, path));
    check_document(document);
    forget_times(document);
    return document;
}

static inline int run_program(const char *const *arguments) {
    int how;
    pid_t pid = start("/dev/null", arguments);
    assert_int_equal(waitpid(pid, &how, 0), pid);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -1;
}

static inline void assert_same(const json_t *a, const json_t *b) {
    if (!json_equal(a, b)) {
        NZ_AUTO_FREE char *left = NULL, *right = NULL;
        nz_assert_ok(nz_json_text(&left, a, 1));
        nz_assert_ok(nz_json_text(&right, b, 1));
        size_t at = 0;
        while (left[at] && left[at] == right[at]) at++;
        fail_msg("the resumed results differ at '%.60s' against '%.60s'", left + (at > 30 ? at - 30 : 0),
                 right + (at > 30 ? at - 30 : 0));
    }
}

#endif
