/* SPDX-License-Identifier: Apache-2.0 */
/* Readings from folders of files that stand for /sys and /proc. */
#include "netzip/measure.h"

#include <unistd.h>

#include "core/file.h"
#include "core/memory.h"
#include "netzip/metric.h"
#include "test.h"

static nz_roots roots;

/* Writes a file of the tree, with its folders. */
static void put(const char *root, const char *name, const char *text) {
    char path[4096], folder[4096];
    snprintf(path, sizeof path, "%s/%s", root, name);
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    nz_assert_ok(nz_dir_make(folder));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}
static void put_sys(const char *name, const char *text) { put(roots.sys, name, text); }
static void put_proc(const char *name, const char *text) { put(roots.proc, name, text); }

/* Every test begins with empty trees of its own. */
static int begin(void **state) {
    (void)state;
    static char sys[4096], proc[4096];
    static int number;
    snprintf(sys, sizeof sys, "%s/sys%d", nz_test_dir(), ++number);
    snprintf(proc, sizeof proc, "%s/proc%d", nz_test_dir(), number);
    roots = (nz_roots){.sys = sys, .proc = proc};
    return nz_dir_make(sys) != NZ_OK || nz_dir_make(proc) != NZ_OK;
}

static void the_estimate_follows_its_table(void **state) {
    (void)state;
    /* 1000 MACs and 100 other operations of 8 bits, 10 weights of a byte each; then the same in 32 bits. */
    nz_layer_facts layer = {.macs = 1000, .ops = 2100, .params = 10, .bits = 8, .bits_stored = 8};
    nz_graph_facts facts = {.ops_known = true, .layer_count = 1, .layers = &layer};
    nz_assert_near(nz_energy_estimate_j(&facts), (1000 * 0.3 + 100 * 0.1 + 10 * 243.75) * 1e-12, 1e-12, 0);
    layer.bits = layer.bits_stored = 32;
    nz_assert_near(nz_energy_estimate_j(&facts), (1000 * 4.6 + 100 * 0.9 + 40 * 243.75) * 1e-12, 1e-12, 0);
    facts.ops_known = false;
    nz_assert_nan(nz_energy_estimate_j(&facts));
}

static void cpu_times_count_what_is_not_idle(void **state) {
    (void)state;
    nz_cpu_times before, after;
    nz_assert_fails(nz_cpu_times_get(&before, &roots), NZ_E_UNAVAILABLE, "stat");
    put_proc("stat", "cpu  100 5 20 1000 50 3 2 10 7 1\ncpu0 1 2 3 4\n");
    nz_assert_ok(nz_cpu_times_get(&before, &roots));
    assert_int_equal(before.busy, 130);
    assert_int_equal(before.idle, 1050);
    put_proc("stat", "cpu  130 5 30 1055 45 3 2 15 9 1\n"); /* iowait has run backwards */
    nz_assert_ok(nz_cpu_times_get(&after, &roots));
    nz_assert_near(nz_cpu_busy_pct(&before, &after), 100.0 * 40 / (40 + 50 + 5), 1e-12, 0);
    nz_assert_near(nz_cpu_steal_pct(&before, &after), 100.0 * 5 / 95, 1e-12, 0);
    nz_assert_nan(nz_cpu_busy_pct(&before, &before));
    put_proc("stat", "intr 1\n");
    nz_assert_fails(nz_cpu_times_get(&after, &roots), NZ_E_UNAVAILABLE, "no line 'cpu'");
}

static void memory_of_a_process_and_of_the_machine(void **state) {
    (void)state;
    put_proc("self/status", "Name:\tx\nVmPeak:\t 9 kB\nVmHWM:\t  2048 kB\nVmRSS:\t  1024 kB\n");
    nz_memory_process process;
    nz_assert_ok(nz_memory_process_get(&process, 0, &roots));
    assert_int_equal(process.rss_bytes, 1024 * 1024);
    assert_int_equal(process.peak_bytes, 2048 * 1024);
    nz_assert_nan(process.pss_bytes);
    put_proc("77/status", "VmHWM:\t  3 kB\nVmRSS:\t  2 kB\n");
    put_proc("77/smaps_rollup", "55a1-7ffc ---p 0 [rollup]\nRss: 2 kB\nPss:                 1 kB\nPss_Dirty: 9 kB\n");
    nz_assert_ok(nz_memory_process_get(&process, 77, &roots));
    nz_assert_near(process.pss_bytes, 1024, 0, 0);
    put_proc("78/status", "State:\tZ (zombie)\n");
    nz_assert_fails(nz_memory_process_get(&process, 78, &roots), NZ_E_UNAVAILABLE, "VmRSS");
    put_proc("meminfo",
             "MemTotal: 1000 kB\nMemFree: 100 kB\nMemAvailable: 400 kB\nSwapTotal: 50 kB\nSwapFree: 20 kB\n");
    nz_memory_machine machine;
    nz_assert_ok(nz_memory_machine_get(&machine, &roots));
    assert_int_equal(machine.used_bytes, 600 * 1024);
    assert_int_equal(machine.swap_used_bytes, 30 * 1024);
}

static void hardware_is_read_from_the_tree_and_what_is_missing_stays_empty(void **state) {
    (void)state;
    nz_hardware h;
    nz_hardware_get(&h, &roots);
    assert_string_equal(h.cpu_model, "");
    assert_int_equal(h.sockets, 0);
    nz_assert_nan(h.mhz);
    nz_assert_nan(h.load1);
    put_proc("cpuinfo",
             "processor\t: 0\nmodel name\t: Test CPU 9000\nphysical id\t: 0\ncpu cores\t: 8\nflags\t\t: fpu avx2 "
             "avx512_vnni hypervisor\n\n"
             "processor\t: 1\nmodel name\t: Test CPU 9000\nphysical id\t: 1\ncpu cores\t: 8\ncpu MHz\t: 2400.5\n");
    put_proc("loadavg", "0.75 0.5 0.25 1/100 1234\n");
    put_proc("meminfo", "MemTotal: 2097152 kB\nMemAvailable: 400 kB\n");
    put_sys("fs/cgroup/memory.max", "1073741824\n");
    put_sys("class/dmi/id/sys_vendor", "QEMU\n");
    put_sys("devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
    put_sys("devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3600000\n");
    put_sys("devices/system/cpu/cpu0/cache/index0/level", "1\n");
    put_sys("devices/system/cpu/cpu0/cache/index0/type", "Data\n");
    put_sys("devices/system/cpu/cpu0/cache/index0/size", "48K\n");
    put_sys("devices/system/cpu/cpu0/cache/index3/level", "3\n");
    put_sys("devices/system/cpu/cpu0/cache/index3/type", "Unified\n");
    put_sys("devices/system/cpu/cpu0/cache/index3/size", "32M\n");
    nz_hardware_get(&h, &roots);
    assert_string_equal(h.cpu_model, "Test CPU 9000");
    assert_string_equal(h.isa, "avx2 avx512_vnni"); /* not avx, which only begins two of the words */
    assert_int_equal(h.sockets, 2);
    assert_int_equal(h.cores, 16);
    assert_string_equal(h.virtualised, "QEMU");
    assert_string_equal(h.governor, "powersave");
    nz_assert_near(h.mhz, 2400.5, 0, 0);
    nz_assert_near(h.mhz_max, 3600, 0, 0);
    nz_assert_near(h.load1, 0.75, 0, 0);
    assert_int_equal(h.l1d_bytes, 48 << 10);
    assert_int_equal(h.l3_bytes, 32 << 20);
    assert_int_equal(h.memory_bytes, 2147483648u);
    assert_int_equal(h.memory_limit_bytes, 1073741824);
}

#define ARM_CORE(implementer, part)                                                                                    \
    "processor\t: 0\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd crc32 asimddp\nCPU implementer\t: " implementer          \
    "\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: " part "\nCPU revision\t: 3\n\n"

static void arm_processors_have_names(void **state) {
    (void)state;
    nz_hardware h;
    put_proc("cpuinfo",
             ARM_CORE("0x41", "0xd08") ARM_CORE("0x41", "0xd08") "Revision\t: c03114\nModel\t\t: Raspberry Pi 4 "
                                                                 "Model B Rev 1.4\n");
    nz_hardware_get(&h, &roots);
    assert_string_equal(h.cpu_model, "Cortex-A72 (Raspberry Pi 4 Model B Rev 1.4)");
    assert_string_equal(h.isa, "asimd asimddp");
    put_proc("cpuinfo", ARM_CORE("0x41", "0xd05") ARM_CORE("0x41", "0xd05") ARM_CORE("0x41", "0xd0b"));
    nz_hardware_get(&h, &roots);
    assert_string_equal(h.cpu_model, "2 x Cortex-A55 + 1 x Cortex-A76");
    put_proc("device-tree/model", "Some board");
    put_proc("cpuinfo", ARM_CORE("0x99", "0x123"));
    nz_hardware_get(&h, &roots);
    assert_string_equal(h.cpu_model, "Arm core 0x99/0x123 (Some board)");
    put_proc("cpuinfo", "CPU part\t: \nCPU implementer\n");
    nz_hardware_get(&h, &roots);
    assert_string_equal(h.cpu_model, "Arm core 0x00/0x000 (Some board)");
}

static void this_machine_has_a_clock_and_a_process(void **state) {
    (void)state;
    uint64_t before = nz_clock_ns();
    nz_clock_facts clock;
    nz_clock_facts_get(&clock);
    assert_true(clock.resolution_ns > 0 && clock.overhead_ns > 0);
    assert_true(nz_clock_ns() > before);
    nz_memory_process process;
    nz_assert_ok(nz_memory_process_get(&process, 0, NULL));
    assert_true(process.rss_bytes > 0 && process.peak_bytes > 0);
    uint64_t cpu = nz_process_cpu_ns();
    nz_noise noise;
    nz_noise_get(&noise);
    assert_true(noise.median_ns > 0 && noise.worst_pct >= 0);
    assert_true(nz_process_cpu_ns() > cpu);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_estimate_follows_its_table),
        cmocka_unit_test_setup(cpu_times_count_what_is_not_idle, begin),
        cmocka_unit_test_setup(memory_of_a_process_and_of_the_machine, begin),
        cmocka_unit_test_setup(hardware_is_read_from_the_tree_and_what_is_missing_stays_empty, begin),
        cmocka_unit_test(arm_processors_have_names),
        cmocka_unit_test(this_machine_has_a_clock_and_a_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
