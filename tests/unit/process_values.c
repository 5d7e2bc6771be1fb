/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a process from a made-up /proc, its split, counters per inference and the sum of layers, from a worker's answers
 * to metric values. */
#include "compare/process_values.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include "compare/worker.h"
#include "core/file.h"
#include "core/memory.h"
#include "netzip/measure.h"
#include "test.h"

/* ---- readers ---- */

static nz_roots roots;

static void put(const char *name, const char *text) {
    char path[4096];
    snprintf(path, sizeof path, "%s/self", roots.proc);
    nz_assert_ok(nz_dir_make(path));
    snprintf(path, sizeof path, "%s/self/%s", roots.proc, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int begin(void **state) {
    static char proc[4096];
    static int number;
    (void)state;
    snprintf(proc, sizeof proc, "%s/proc%d", nz_test_dir(), ++number);
    roots = (nz_roots){.proc = proc};
    return 0;
}

static void swap_is_read(void **state) {
    (void)state;
    nz_memory_process memory;
    put("status", "Name:\tnetzip\nVmHWM:\t  300 kB\nVmRSS:\t  200 kB\nVmSwap:\t  40 kB\n");
    put("smaps_rollup", "00400000-7fff0000 ---p 00000000 00:00 0 [rollup]\nRss:  200 kB\nPss:  150 kB\nPss_Anon: 90 "
                        "kB\nPss_File: 60 kB\n");
    nz_assert_ok(nz_memory_process_get(&memory, 0, &roots));
    assert_int_equal(memory.swap_bytes, 40 * 1024);
    nz_assert_near(memory.pss_bytes, 150 * 1024, 0, 0);
    nz_assert_near(memory.pss_file_bytes, 60 * 1024, 0, 0);
    put("status", "VmHWM:\t  300 kB\nVmRSS:\t  200 kB\n");
    nz_assert_ok(nz_memory_process_get(&memory, 0, &roots));
    assert_int_equal(memory.swap_bytes, 0);
}

static const char smaps[] =
    "00400000-00500000 r--p 00000000 fe:01 17 /srv/models/netzip\nRss:  9 kB\nPss:  1 kB\n"
    "00500000-00600000 r-xp 00100000 fe:01 17 /srv/models/netzip\nPss:  2 kB\nPss_Dirty: 1000 kB\n"
    "7f000000-7f100000 r--p 00000000 fe:01 18    /srv/models/a model.onnx\nRss:  99 kB\nPss:  64 kB\nPss_Anon: 5 kB\n"
    "7f200000-7f300000 r--p 00000000 fe:01 19 /srv/models/sub/weights.bin\nPss:  32 kB\n"
    "7f300000-7f400000 r--p 00000000 fe:01 20 /srv/models/libnetzip.so.0\nPss:  128 kB\n"
    "7f400000-7f500000 rw-p 00000000 fe:01 18 /srv/models/a model.onnx\nPss:  256 kB\n"
    "7f500000-7f600000 r--p 00000000 fe:01 21 /srv/models2/other.onnx\nPss:  512 kB\n"
    "7f600000-7f700000 r--p 00000000 00:00 0 \nPss:  1024 kB\n"
    "7ffd0000-7ffe0000 rw-p 00000000 00:00 0 [stack]\nPss:  4 kB\n";

static void only_mapped_files_of_the_model_count(void **state) {
    (void)state;
    char link[4200];
    double bytes = -1;
    put("smaps", smaps);
    snprintf(link, sizeof link, "%s/self/exe", roots.proc);
    assert_int_equal(symlink("/srv/models/netzip", link), 0);
    nz_assert_ok(nz_memory_mapped_get(&bytes, "/srv/models", &roots));
    nz_assert_near(bytes, 96 * 1024, 0, 0);
    nz_assert_ok(nz_memory_mapped_get(&bytes, "/srv/models/", &roots));
    nz_assert_near(bytes, 96 * 1024, 0, 0);
    nz_assert_ok(nz_memory_mapped_get(&bytes, "/srv/nothing", &roots));
    nz_assert_near(bytes, 0, 0, 0);
    roots.proc = "/nonexistent";
    nz_assert_fails(nz_memory_mapped_get(&bytes, "/srv", &roots), NZ_E_UNAVAILABLE, "/nonexistent/self/smaps");
}

/* A file of this machine: pages that were read count, the others do not. */
static void mapped_pages_count_once_read(void **state) {
    (void)state;
    enum { PAGES = 64 };
    char path[4096];
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    double before, after;
    NZ_AUTO_FREE char *folder = realpath(nz_test_dir(), NULL);
    nz_buffer *buffer = NULL;
    snprintf(path, sizeof path, "%s/mapped.bin", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (size_t i = 0; i < PAGES * page; i++) fputc((int)(i & 127), file);
    fclose(file);
    nz_assert_ok(nz_buffer_map(&buffer, path));
    nz_assert_ok(nz_memory_mapped_get(&before, folder, NULL));
    unsigned sum = 0;
    for (size_t i = 0; i < PAGES; i++) sum += ((const unsigned char *)nz_buffer_data(buffer))[i * page];
    assert_int_equal(sum, 0);
    nz_assert_ok(nz_memory_mapped_get(&after, folder, NULL));
    nz_assert_near(after, (double)(PAGES * page), 0, 0);
    assert_true(before < after);
    nz_buffer_unref(buffer);
}

/* ---- the thread that samples ---- */

static void the_peak_of_a_moment_is_seen(void **state) {
    (void)state;
    enum { BYTES = 48 << 20 };
    nz_memory_watch watch = {0};
    nz_memory_watch_begin(&watch);
    char *block = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(block, MAP_FAILED);
    memset(block, 1, BYTES);
    /* Until the thread has read with the block in place: the first reading to end may have begun before. */
    size_t enough = SIZE_MAX, seen = 0;
    for (int i = 0; i < 500 && seen < enough; i++) {
        pthread_mutex_lock(&watch.lock);
        seen = watch.samples;
        pthread_mutex_unlock(&watch.lock);
        if (enough == SIZE_MAX) enough = seen + 2;
        usleep(10000);
    }
    munmap(block, BYTES);
    nz_memory_watch_end(&watch);
    nz_memory_process now;
    nz_assert_ok(nz_memory_process_get(&now, 0, NULL));
    if (isnan(now.pss_bytes)) skip();
    assert_true(watch.samples >= 2);
    assert_true(watch.peak_pss_bytes >= BYTES);
    assert_true(watch.peak_pss_bytes - now.pss_bytes > BYTES / 2);
    size_t samples = watch.samples;
    nz_memory_watch_begin(&watch); /* a second time goes on */
    nz_memory_watch_end(&watch);
    assert_true(watch.samples > samples);
    assert_true(watch.peak_pss_bytes >= BYTES);
}

/* ---- values ---- */

static const char answer[] =
    "{\"memory\": {\"pss_peak\": 100000, \"pss_samples\": 4, \"activations\": 20000, \"peak\": 120000, \"rss\": 110000,"
    "  \"rss_before\": 9000, \"page_faults_major\": 3, \"swap_bytes\": 4096,"
    "  \"weights\": {\"mapped\": 9000, \"mapped_pss\": 8000, \"heap\": 1000, \"packed\": 11000}},"
    " \"load\": {\"activation_bytes\": 20000},"
    " \"counters\": {\"runs\": 7, \"counters\": {"
    "  \"instructions\": {\"value\": 3000.5, \"source\": \"perf\", \"kernel\": false},"
    "  \"cycles\": {\"value\": 1500.25, \"source\": \"perf\", \"kernel\": false},"
    "  \"cache_misses\": {\"reason\": \"no counter of cache_misses here\"},"
    "  \"page_faults\": {\"value\": 0, \"source\": \"getrusage\", \"kernel\": true}}},"
    " \"profile\": {\"sum_ms\": 8, \"plain_ms\": 8.5, \"profiled_ms\": 8.6, \"clock_overhead_ns\": 20, \"runs\": 5,"
    "  \"passes\": 5, \"layers\": []}}";

static json_t *parse(const char *text) {
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (!json) fail_msg("line %d: %s", error.line, error.text);
    return json;
}

static nz_value_report value_of(const nz_metric_input *input, const char *id) {
    const nz_metric *metric = nz_metric_find(id);
    if (!metric) fail_msg("no metric '%s'", id);
    return nz_metric_value(metric, input);
}

static void assert_value(const nz_metric_input *input, const char *id, double expected) {
    nz_value_report report = value_of(input, id);
    if (report.source != NZ_MEASURED) fail_msg("%s: %s", id, report.reason);
    nz_assert_near(report.value, expected, 1e-12, 0);
}

static void assert_unavailable(const nz_metric_input *input, const char *id, const char *part) {
    nz_value_report report = value_of(input, id);
    assert_int_equal(report.source, NZ_UNAVAILABLE);
    nz_assert_nan(report.value);
    if (!strstr(report.reason, part)) fail_msg("%s: '%s' lacks '%s'", id, report.reason, part);
}

static void parts_add_up_to_the_peak(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *raw = parse(answer);
    nz_metric_input input = nz_metric_input_none();
    nz_gather_process(&input, raw);
    assert_value(&input, "ram_peak_pss_bytes", 100000);
    assert_value(&input, "ram_weights_bytes", 8000 + 1000 + 11000);
    assert_value(&input, "ram_activations_bytes", 20000);
    assert_value(&input, "ram_rest_bytes", 60000);
}

static void an_unknown_part_leaves_no_rest(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *raw = parse(answer);
    nz_metric_input input = nz_metric_input_none();
    json_t *memory = json_object_get(raw, "memory"), *weights = json_object_get(memory, "weights");
    json_object_set_new(weights, "mapped_pss", json_null());
    nz_gather_process(&input, raw);
    assert_unavailable(&input, "ram_weights_bytes", "the kernel does not tell");
    assert_unavailable(&input, "ram_rest_bytes", "the kernel does not tell");
    assert_value(&input, "ram_peak_pss_bytes", 100000);
    json_object_set_new(weights, "mapped", json_integer(0)); /* nothing is mapped: nothing is unknown */
    nz_gather_process(&input, raw);
    assert_value(&input, "ram_weights_bytes", 12000);
    json_object_set_new(memory, "pss_peak", json_integer(30000)); /* parts that are more than the whole */
    nz_gather_process(&input, raw);
    assert_unavailable(&input, "ram_rest_bytes", "more than what lay in memory");
    json_object_set_new(memory, "pss_peak",
                        json_null()); /* a kernel without smaps_rollup; "not asked for" would be wrong */
    input.reason_process = "not asked for";
    nz_gather_process(&input, raw);
    assert_unavailable(&input, "ram_peak_pss_bytes", "smaps_rollup");
    assert_unavailable(&input, "ram_rest_bytes", "the kernel does not tell");
}

static void counts_are_of_one_inference(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *raw = parse(answer);
    nz_metric_input input = nz_metric_input_none();
    input.reason_process = "not asked for";
    nz_gather_process(&input, raw);
    assert_value(&input, "instructions", 3000.5);
    assert_value(&input, "cycles", 1500.25);
    assert_value(&input, "instructions_per_cycle", 2);
    assert_value(&input, "page_faults", 0);
    assert_int_equal(value_of(&input, "instructions").n, 7);
    assert_unavailable(&input, "cache_misses", "no counter of cache_misses here");
    assert_unavailable(&input, "branch_misses", "the kernel has not told it");
    input = nz_metric_input_none();
    assert_unavailable(&input, "instructions", "not measured");
    assert_unavailable(&input, "instructions_per_cycle", "not measured");
    input.instructions.value = 5;
    input.cycles.value = 0;
    assert_unavailable(&input, "instructions_per_cycle", "no cycle");
}

static void layers_are_held_against_the_whole(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *raw = parse(answer), *notes = json_array();
    NZ_AUTO_JSON json_t *near = nz_layers_total_json(raw, 8.0), *far = nz_layers_total_json(raw, 10.0),
                        *plain = nz_layers_total_json(raw, (double)NAN);
    nz_assert_near(nz_json_number_at(near, "pct"), 100, 1e-12, 0);
    nz_assert_near(nz_json_number_at(far, "pct"), 80, 1e-12, 0);
    nz_assert_near(nz_json_number_at(far, "sum_ms"), 8, 0, 0);
    nz_assert_near(nz_json_number_at(far, "latency_ms"), 10, 0, 0);
    nz_assert_near(nz_json_number_at(plain, "latency_ms"), 8.5, 0, 0);
    nz_layers_note(notes, raw, 8.0);
    nz_layers_note(notes, raw, 7.3);
    assert_int_equal(json_array_size(notes), 0);
    nz_layers_note(notes, raw, 10.0);
    assert_int_equal(json_array_size(notes), 1);
    assert_non_null(strstr(json_string_value(json_array_get(notes, 0)), "80% of the latency"));
    NZ_AUTO_JSON json_t *nothing = json_object();
    nz_layers_note(notes, nothing, 10.0);
    assert_int_equal(json_array_size(notes), 1);
}

static void the_document_has_the_parts(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *raw = parse(answer), *memory = nz_memory_json(raw), *counters = nz_counters_json(raw);
    assert_int_equal(json_integer_value(json_object_get(memory, "swap_bytes")), 4096);
    assert_int_equal(json_integer_value(json_object_get(memory, "page_faults_major")), 3);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(memory, "weights"), "packed")), 11000);
    assert_int_equal(json_integer_value(json_object_get(counters, "runs")), 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(swap_is_read, begin),
        cmocka_unit_test_setup(only_mapped_files_of_the_model_count, begin),
        cmocka_unit_test(mapped_pages_count_once_read),
        cmocka_unit_test(the_peak_of_a_moment_is_seen),
        cmocka_unit_test(parts_add_up_to_the_peak),
        cmocka_unit_test(an_unknown_part_leaves_no_rest),
        cmocka_unit_test(counts_are_of_one_inference),
        cmocka_unit_test(layers_are_held_against_the_whole),
        cmocka_unit_test(the_document_has_the_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
