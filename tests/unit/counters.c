/* SPDX-License-Identifier: Apache-2.0 */
/* Counters by the calls of a CPU that is made up, then the kernel's own of this machine. */
#include "measure/counters.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>

#include "core/file.h"
#include "core/memory.h"
#include "test.h"

enum { FDS = 64, MACHINE_EVENTS = 5 };

/* What the made-up kernel is asked for and what it answers. */
typedef struct fake {
    int error;                   /* of hardware events; 0: they open */
    int kernel_error;            /* of every event that looks into the kernel */
    int grouped_error;           /* of an event that joins a group */
    int gone;                    /* a thread that has ended */
    int read_error;              /* of every reading */
    uint64_t step, wanted, ran;  /* what each reading adds to the one before, times the place of its thread */
    nz_counter_usage usage_step; /* the same for the kernel's own figures */
    struct {
        bool open, hardware, no_kernel;
        int thread, leader;
        uint64_t config, reading[3];
    } fds[FDS];
    int opened, closed;
    nz_counter_usage usage;
} fake;

static int fake_open(void *user, const struct perf_event_attr *attr, int thread, int leader) {
    fake *f = user;
    bool hardware = attr->type == PERF_TYPE_HARDWARE;
    if (thread == f->gone) return -ESRCH;
    if (f->error && hardware) return -f->error;
    if (f->kernel_error && !attr->exclude_kernel) return -f->kernel_error;
    if (f->grouped_error && leader >= 0) return -f->grouped_error;
    assert_true(attr->inherit);
    assert_true(attr->exclude_hv);
    assert_in_range(f->opened, 0, FDS - 1);
    int fd = f->opened++;
    f->fds[fd].open = true;
    f->fds[fd].hardware = hardware;
    f->fds[fd].no_kernel = attr->exclude_kernel;
    f->fds[fd].thread = thread;
    f->fds[fd].leader = leader;
    f->fds[fd].config = attr->config;
    return fd;
}

/* Thread 11 counts once a reading, 22 twice. */
static int fake_read(void *user, int fd, uint64_t ret_reading[3]) {
    fake *f = user;
    uint64_t times = (uint64_t)f->fds[fd].thread / 11;
    assert_true(f->fds[fd].open);
    if (f->read_error) return f->read_error;
    f->fds[fd].reading[0] += f->step * times;
    f->fds[fd].reading[1] += f->wanted;
    f->fds[fd].reading[2] += f->ran;
    memcpy(ret_reading, f->fds[fd].reading, sizeof f->fds[fd].reading);
    return 0;
}

static void fake_close(void *user, int fd) {
    fake *f = user;
    assert_true(f->fds[fd].open);
    f->fds[fd].open = false;
    f->closed++;
}

static void fake_usage(void *user, nz_counter_usage *ret_usage) {
    fake *f = user;
    f->usage.clock_ns += f->usage_step.clock_ns;
    f->usage.switches += f->usage_step.switches;
    f->usage.faults += f->usage_step.faults;
    f->usage.faults_major += f->usage_step.faults_major;
    *ret_usage = f->usage;
}

/* ---- a made-up /proc ---- */

static nz_roots roots;

static void put(const char *name, const char *text) {
    char path[4096], folder[4096];
    snprintf(path, sizeof path, "%s/%s", roots.proc, name);
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    nz_assert_ok(nz_dir_make(folder));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void put_thread(int thread) {
    char path[4096];
    snprintf(path, sizeof path, "%s/self/task/%d", roots.proc, thread);
    nz_assert_ok(nz_dir_make(path));
}

/* Each test has a /proc of its own, in which this process has the threads 11 and 22. */
static int begin(void **state) {
    static char proc[4096];
    static int number;
    (void)state;
    snprintf(proc, sizeof proc, "%s/proc%d", nz_test_dir(), ++number);
    roots = (nz_roots){.proc = proc};
    put_thread(11);
    put_thread(22);
    return 0;
}

static nz_counters *open_fake(fake *f, bool kernel) {
    const nz_counter_calls calls = {fake_open, fake_read, fake_close, fake_usage, f};
    nz_counters *counters = NULL;
    nz_assert_ok(nz_counters_open_with(&counters, kernel, &roots, &calls));
    return counters;
}

/* Opens, counts from one reading to the next, closes; every descriptor must have been closed. */
static void count(fake *f, bool kernel, nz_counter values[NZ_COUNTERS]) {
    nz_counters *counters = open_fake(f, kernel);
    nz_counters_begin(counters);
    nz_counters_get(counters, values);
    nz_counters_close(counters);
    assert_int_equal(f->opened, f->closed);
}

static void assert_reason(const nz_counter *value, const char *part) {
    assert_null(value->source);
    nz_assert_nan(value->value);
    if (!strstr(value->reason, part)) fail_msg("%s: '%s' lacks '%s'", value->name, value->reason, part);
}

/* ---- tests ---- */

static void all_threads_are_added_up(void **state) {
    (void)state;
    fake f = {.step = 1000, .wanted = 50, .ran = 50};
    nz_counter values[NZ_COUNTERS];
    count(&f, false, values);
    assert_int_equal(f.opened, 2 * NZ_COUNTERS);
    for (int i = 0; i < NZ_COUNTERS; i++) {
        nz_assert_near(values[i].value, 3000, 0, 0);
        assert_string_equal(values[i].source, "perf");
        assert_string_equal(values[i].name, nz_counter_name((nz_counter_id)i));
        assert_false(values[i].multiplexed);
        nz_assert_near(values[i].running_pct, 100, 0, 0);
        assert_int_equal(values[i].kernel, i >= MACHINE_EVENTS);
    }
}

static void a_window_may_grow(void **state) {
    (void)state;
    fake f = {.step = 10, .wanted = 5, .ran = 5};
    nz_counter values[NZ_COUNTERS];
    nz_counters *counters = open_fake(&f, false);
    nz_counters_begin(counters);
    nz_counters_get(counters, values);
    nz_counters_get(counters, values);
    nz_assert_near(values[NZ_COUNTER_CYCLES].value, 60, 0, 0);
    nz_counters_begin(counters);
    nz_counters_get(counters, values);
    nz_assert_near(values[NZ_COUNTER_CYCLES].value, 30, 0, 0);
    nz_counters_close(counters);
    nz_counters_close(NULL);
}

static void shared_counters_are_scaled_and_told(void **state) {
    (void)state;
    fake f = {.step = 300, .wanted = 400, .ran = 100};
    nz_counter values[NZ_COUNTERS];
    count(&f, false, values);
    nz_assert_near(values[NZ_COUNTER_INSTRUCTIONS].value, 4 * 900, 1e-12, 0);
    assert_true(values[NZ_COUNTER_INSTRUCTIONS].multiplexed);
    nz_assert_near(values[NZ_COUNTER_INSTRUCTIONS].running_pct, 25, 1e-12, 0);
}

static void counters_that_others_hold_are_unavailable(void **state) {
    (void)state;
    fake f = {.step = 0, .wanted = 400, .ran = 0, .usage_step = {.faults = 7}};
    nz_counter values[NZ_COUNTERS];
    count(&f, false, values);
    assert_reason(&values[NZ_COUNTER_INSTRUCTIONS], "held the CPU's counters");
    nz_assert_near(values[NZ_COUNTER_PAGE_FAULTS].value, 7, 0, 0);
    assert_string_equal(values[NZ_COUNTER_PAGE_FAULTS].source, "getrusage");
}

static void threads_that_slept_are_no_failure(void **state) {
    (void)state;
    fake f = {.step = 0, .wanted = 0, .ran = 0};
    nz_counter values[NZ_COUNTERS];
    count(&f, false, values);
    nz_assert_near(values[NZ_COUNTER_CYCLES].value, 0, 0, 0);
    assert_false(values[NZ_COUNTER_CYCLES].multiplexed);
    nz_assert_near(values[NZ_COUNTER_CYCLES].running_pct, 100, 0, 0);
}

static void groups_count_at_the_same_time(void **state) {
    (void)state;
    fake f = {.step = 1};
    nz_counters *counters = open_fake(&f, false);
    int instructions[2] = {-1, -1};
    for (int fd = 0; fd < f.opened; fd++) {
        int t = f.fds[fd].thread / 22;
        bool grouped = f.fds[fd].hardware &&
                       (f.fds[fd].config == PERF_COUNT_HW_CPU_CYCLES || f.fds[fd].config == PERF_COUNT_HW_CACHE_MISSES);
        assert_int_equal(f.fds[fd].leader >= 0, grouped);
        if (f.fds[fd].hardware && f.fds[fd].config == PERF_COUNT_HW_INSTRUCTIONS) instructions[t] = fd;
        if (f.fds[fd].hardware && f.fds[fd].config == PERF_COUNT_HW_CPU_CYCLES)
            assert_int_equal(f.fds[fd].leader, instructions[t]);
    }
    nz_counters_close(counters);
}

static void an_event_that_fits_no_group_counts_alone(void **state) {
    (void)state;
    fake f = {.step = 5, .wanted = 1, .ran = 1, .grouped_error = EINVAL};
    nz_counter values[NZ_COUNTERS];
    count(&f, false, values);
    nz_assert_near(values[NZ_COUNTER_CYCLES].value, 15, 0, 0);
    nz_assert_near(values[NZ_COUNTER_CACHE_MISSES].value, 15, 0, 0);
}

static void a_thread_that_has_ended_counts_nothing(void **state) {
    (void)state;
    fake f = {.step = 5, .wanted = 1, .ran = 1, .gone = 22};
    nz_counter values[NZ_COUNTERS];
    count(&f, false, values);
    nz_assert_near(values[NZ_COUNTER_INSTRUCTIONS].value, 5, 0, 0);
}

static void a_machine_without_counters_says_so(void **state) {
    (void)state;
    const int errors[] = {ENOENT, EOPNOTSUPP, ENODEV};
    for (size_t i = 0; i < NZ_COUNT(errors); i++) {
        fake f = {.error = errors[i], .step = 4, .wanted = 1, .ran = 1};
        nz_counter values[NZ_COUNTERS];
        count(&f, false, values);
        /* The same words for all, so that a report tells them once. */
        assert_string_equal(values[NZ_COUNTER_CACHE_MISSES].reason, values[NZ_COUNTER_INSTRUCTIONS].reason);
        assert_reason(&values[NZ_COUNTER_CACHE_MISSES], strerror(errors[i]));
        assert_reason(&values[NZ_COUNTER_CACHE_MISSES], "virtual machine");
        nz_assert_near(values[NZ_COUNTER_CONTEXT_SWITCHES].value, 12, 0, 0); /* the kernel's own are there */
    }
}

static void a_refusal_names_the_setting_and_what_mends_it(void **state) {
    (void)state;
    fake f = {.error = EACCES, .kernel_error = EACCES, .usage_step = {.clock_ns = 900, .switches = 3, .faults = 8}};
    nz_counter values[NZ_COUNTERS];
    put("sys/kernel/perf_event_paranoid", "4\n");
    count(&f, false, values);
    assert_reason(&values[NZ_COUNTER_INSTRUCTIONS], "perf_event_paranoid is 4");
    assert_reason(&values[NZ_COUNTER_INSTRUCTIONS], "sudo sysctl kernel.perf_event_paranoid=1");
    assert_reason(&values[NZ_COUNTER_MIGRATIONS], "perf_event_paranoid is 4");
    /* What getrusage tells needs no permission. */
    assert_string_equal(values[NZ_COUNTER_CONTEXT_SWITCHES].source, "getrusage");
    nz_assert_near(values[NZ_COUNTER_CONTEXT_SWITCHES].value, 3, 0, 0);
    nz_assert_near(values[NZ_COUNTER_PAGE_FAULTS].value, 8, 0, 0);
    nz_assert_near(values[NZ_COUNTER_PAGE_FAULTS_MAJOR].value, 0, 0, 0);
    nz_assert_near(values[NZ_COUNTER_TASK_CLOCK].value, 900, 0, 0);
}

/* At level 2 a user counts what his process does itself; switches and migrations happen in the kernel. */
static void what_is_permitted_is_counted(void **state) {
    (void)state;
    fake f = {.kernel_error = EACCES, .step = 4, .wanted = 1, .ran = 1};
    nz_counter values[NZ_COUNTERS];
    put("sys/kernel/perf_event_paranoid", "2\n");
    count(&f, false, values);
    nz_assert_near(values[NZ_COUNTER_INSTRUCTIONS].value, 12, 0, 0);
    assert_reason(&values[NZ_COUNTER_MIGRATIONS], "perf_event_paranoid is 2");
    f = (fake){.kernel_error = EACCES, .step = 4, .wanted = 1, .ran = 1};
    count(&f, true, values); /* asked for the kernel too: falls back and says so */
    nz_assert_near(values[NZ_COUNTER_INSTRUCTIONS].value, 12, 0, 0);
    assert_false(values[NZ_COUNTER_INSTRUCTIONS].kernel);
    f = (fake){.step = 4, .wanted = 1, .ran = 1};
    count(&f, true, values);
    assert_true(values[NZ_COUNTER_INSTRUCTIONS].kernel);
    assert_true(values[NZ_COUNTER_CYCLES].kernel);
}

static void a_container_is_told_from_a_setting(void **state) {
    (void)state;
    fake f = {.error = EPERM, .kernel_error = EPERM};
    nz_counter values[NZ_COUNTERS];
    put("sys/kernel/perf_event_paranoid", "1\n");
    put("self/status", "Name:\tnetzip\nSeccomp:\t2\nSeccomp_filters:\t1\n");
    count(&f, false, values);
    assert_reason(&values[NZ_COUNTER_INSTRUCTIONS], "seccomp");
    assert_reason(&values[NZ_COUNTER_INSTRUCTIONS], "--cap-add PERFMON");
    put("self/status", "Name:\tnetzip\nSeccomp:\t0\n");
    f = (fake){.error = EPERM};
    count(&f, false, values);
    assert_reason(&values[NZ_COUNTER_INSTRUCTIONS], "is not permitted");
    f = (fake){.error = ENOSYS};
    count(&f, false, values);
    assert_reason(&values[NZ_COUNTER_INSTRUCTIONS], "the kernel has no perf_event_open");
    f = (fake){.error = EMFILE};
    count(&f, false, values);
    assert_reason(&values[NZ_COUNTER_INSTRUCTIONS], "2 threads need more open files");
    f = (fake){.error = EINVAL};
    count(&f, false, values);
    assert_reason(&values[NZ_COUNTER_INSTRUCTIONS], strerror(EINVAL));
}

static void a_reading_that_fails_is_no_zero(void **state) {
    (void)state;
    fake f = {.step = 3, .wanted = 1, .ran = 1, .usage_step = {.faults = 2}};
    nz_counter values[NZ_COUNTERS];
    nz_counters *counters = open_fake(&f, false);
    nz_counters_begin(counters);
    f.read_error = EIO;
    nz_counters_get(counters, values);
    assert_reason(&values[NZ_COUNTER_INSTRUCTIONS], strerror(EIO));
    nz_assert_near(values[NZ_COUNTER_PAGE_FAULTS].value, 2, 0, 0);
    nz_counters_begin(counters); /* gives up on them for good */
    f.read_error = 0;
    nz_counters_get(counters, values);
    assert_reason(&values[NZ_COUNTER_INSTRUCTIONS], strerror(EIO));
    nz_counters_close(counters);
    assert_int_equal(f.opened, f.closed);
}

static void a_process_without_threads_is_none(void **state) {
    (void)state;
    fake f = {0};
    const nz_counter_calls calls = {fake_open, fake_read, fake_close, fake_usage, &f};
    nz_counters *counters = NULL;
    roots.proc = "/nonexistent";
    nz_assert_fails(nz_counters_open_with(&counters, false, &roots, &calls), NZ_E_UNAVAILABLE,
                    "/nonexistent/self/task");
    assert_null(counters);
}

/* ---- this machine ---- */

enum { PAGES = 500, NAPS = 20 };

/* Touches fresh pages and gives up its CPU. */
static void *work(void *user) {
    (void)user;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = PAGES * page;
    volatile char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    madvise((void *)(uintptr_t)memory, bytes, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < PAGES; i++) memory[i * page] = 1;
    munmap((void *)(uintptr_t)memory, bytes);
    for (int i = 0; i < NAPS; i++) nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
    return NULL;
}

static void *work_when_told(void *user) {
    pthread_barrier_wait(user);
    return work(NULL);
}

/* This thread, one that is there when counting begins, and one that is started afterwards: three times the work. */
static void the_kernels_counters_work(void **state) {
    (void)state;
    nz_counters *counters = NULL;
    nz_counter values[NZ_COUNTERS];
    pthread_barrier_t barrier;
    pthread_t before, after;
    assert_int_equal(pthread_barrier_init(&barrier, NULL, 2), 0);
    assert_int_equal(pthread_create(&before, NULL, work_when_told, &barrier), 0);
    nz_assert_ok(nz_counters_open(&counters, false, NULL));
    nz_counters_begin(counters);
    work(NULL);
    pthread_barrier_wait(&barrier);
    assert_int_equal(pthread_create(&after, NULL, work, NULL), 0);
    pthread_join(before, NULL);
    pthread_join(after, NULL);
    nz_counters_get(counters, values);
    nz_counters_close(counters);
    pthread_barrier_destroy(&barrier);
    assert_true(values[NZ_COUNTER_PAGE_FAULTS].value >= 3 * PAGES);
    assert_true(values[NZ_COUNTER_CONTEXT_SWITCHES].value >= 3 * NAPS);
    assert_true(values[NZ_COUNTER_TASK_CLOCK].value > 0);
    for (int i = 0; i < NZ_COUNTERS; i++) /* a number or a reason, never neither */
        assert_true(values[i].source ? values[i].value >= 0 : *values[i].reason && isnan(values[i].value));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(all_threads_are_added_up, begin),
        cmocka_unit_test_setup(a_window_may_grow, begin),
        cmocka_unit_test_setup(shared_counters_are_scaled_and_told, begin),
        cmocka_unit_test_setup(counters_that_others_hold_are_unavailable, begin),
        cmocka_unit_test_setup(threads_that_slept_are_no_failure, begin),
        cmocka_unit_test_setup(groups_count_at_the_same_time, begin),
        cmocka_unit_test_setup(an_event_that_fits_no_group_counts_alone, begin),
        cmocka_unit_test_setup(a_thread_that_has_ended_counts_nothing, begin),
        cmocka_unit_test_setup(a_machine_without_counters_says_so, begin),
        cmocka_unit_test_setup(a_refusal_names_the_setting_and_what_mends_it, begin),
        cmocka_unit_test_setup(what_is_permitted_is_counted, begin),
        cmocka_unit_test_setup(a_container_is_told_from_a_setting, begin),
        cmocka_unit_test_setup(a_reading_that_fails_is_no_zero, begin),
        cmocka_unit_test_setup(a_process_without_threads_is_none, begin),
        cmocka_unit_test(the_kernels_counters_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
