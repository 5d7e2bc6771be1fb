/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions of machines that are folders of files. */
#include <unistd.h>

#include "core/file.h"
#include "core/memory.h"
#include "measure/conditions.h"
#include "netzip/measure.h"
#include "test.h"

static nz_roots roots;

static int begin(void **state) {
    (void)state;
    static char sys[4096], proc[4096];
    static int number;
    snprintf(sys, sizeof sys, "%s/sys%d", nz_test_dir(), ++number);
    snprintf(proc, sizeof proc, "%s/proc%d", nz_test_dir(), number);
    roots = (nz_roots){.sys = sys, .proc = proc};
    return nz_dir_make(sys) != NZ_OK || nz_dir_make(proc) != NZ_OK;
}

/* A file below "sys/" or "proc/". */
static void path_of(char path[4096], const char *name) {
    const char *slash = strchr(name, '/');
    snprintf(path, 4096, "%s%s", *name == 's' ? roots.sys : roots.proc, slash);
}

typedef struct file {
    const char *name, *text;
} file;

static void put(const char *name, const char *text) {
    char path[4096], folder[4096];
    path_of(path, name);
    snprintf(folder, sizeof folder, "%s", path);
    *strrchr(folder, '/') = '\0';
    nz_assert_ok(nz_dir_make(folder));
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}
static void put_all(const file *files, size_t count) {
    for (size_t i = 0; i < count; i++) put(files[i].name, files[i].text);
}
static void drop(const char *name) {
    char path[4096];
    path_of(path, name);
    assert_int_equal(remove(path), 0);
}

/* The same file of several CPUs; %d stands for the CPU. */
static void put_cpus(int first, int last, const char *name, const char *text) {
    for (int cpu = first; cpu <= last; cpu++) {
        char path[256];
        snprintf(path, sizeof path, "sys/devices/system/cpu/cpu%d/%s", cpu, name);
        put(path, text);
    }
}

static nz_conditions get(const char *cpus) {
    nz_conditions c;
    nz_conditions_get(&c, &roots, cpus);
    return c;
}

/* ---- machines ---- */

static void nothing_is_known_of_a_machine_that_tells_nothing(void **state) {
    (void)state;
    nz_conditions c = get(NULL);
    assert_false(c.has_cpu || c.has_throttled || c.has_swapped);
    assert_string_equal(c.governor, "");
    assert_string_equal(c.preference, "");
    const double unknown[] = {c.mhz,           c.mhz_least,  c.mhz_most,    c.mhz_base,   c.mhz_max,
                              c.temperature_c, c.quota_cpus, c.held_back_s, c.pressure_s, c.load1};
    for (size_t i = 0; i < NZ_COUNT(unknown); i++) nz_assert_nan(unknown[i]);
    const int untold[] = {c.boost, c.smt, c.held, c.held_since_boot, c.runnable};
    for (size_t i = 0; i < NZ_COUNT(untold); i++) assert_int_equal(untold[i], -1);
    assert_true(c.t_ns > 0);
}

static void a_virtual_machine_tells_its_nominal_clock_and_its_load(void **state) {
    (void)state;
    static const file files[] = {
        {"proc/self/status", "Name:\tx\nCpus_allowed:\t3\nCpus_allowed_list:\t0-1\n"},
        {"proc/cpuinfo", "processor\t: 0\nmodel name\t: AMD EPYC\ncpu MHz\t\t: 2596.096\n\n"
                         "processor\t: 1\nmodel name\t: AMD EPYC\ncpu MHz\t\t: 2600.096\n\n"
                         "processor\t: 2\ncpu MHz\t\t: 1000\n"},
        {"proc/stat", "cpu  100 0 20 1000 50 0 0 10 0 0\n"},
        {"proc/loadavg", "0.05 1.05 1.99 3/104 29596\n"},
        {"proc/pressure/cpu", "some avg10=0.00 avg60=0.31 avg300=12.00 total=18399256464\nfull avg10=0.00 total=0\n"},
        {"proc/vmstat", "nr_free_pages 1\npswpin 12\npswpout 30\n"},
        {"proc/self/cgroup", "9:name=systemd:/\n2:cpuacct:/\n1:cpu:/\n0::/\n"},
        {"sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n"},
        {"sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n"},
        {"sys/fs/cgroup/cpu/cpu.stat", "nr_periods 0\nnr_throttled 0\nthrottled_time 0\n"},
    };
    put_all(files, NZ_COUNT(files));
    nz_conditions c = get(NULL);
    assert_true(c.has_cpu);
    assert_int_equal(c.cpu.steal, 10);
    nz_assert_near(c.mhz, 2598.096, 1e-12, 0);
    nz_assert_near(c.mhz_least, 2596.096, 1e-12, 0);
    nz_assert_nan(c.mhz_max);
    nz_assert_near(c.load1, 0.05, 1e-12, 0);
    assert_int_equal(c.runnable, 2);
    nz_assert_near(c.pressure_s, 18399.256464, 1e-12, 0);
    assert_true(c.has_swapped);
    assert_int_equal(c.swapped_pages, 42);
    nz_assert_nan(c.quota_cpus);
    nz_assert_near(c.held_back_s, 0, 0, 0);
    nz_assert_near(get("2").mhz, 1000, 1e-12, 0);
}

static void a_laptop_tells_governor_preference_turbo_and_its_package(void **state) {
    (void)state;
    static const file files[] = {
        {"sys/devices/system/cpu/online", "0-3\n"},
        {"sys/devices/system/cpu/smt/active", "1\n"},
        {"sys/devices/system/cpu/intel_pstate/no_turbo", "0\n"},
        {"sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "1400000\n"},
        {"sys/class/thermal/thermal_zone0/type", "acpitz\n"},
        {"sys/class/thermal/thermal_zone0/temp", "27800\n"},
        {"sys/class/thermal/thermal_zone1/type", "INT3400 Thermal\n"},
        {"sys/class/thermal/thermal_zone1/temp", "99000\n"},
        {"sys/class/thermal/thermal_zone2/type", "x86_pkg_temp\n"},
        {"sys/class/thermal/thermal_zone2/temp", "61000\n"},
        {"sys/class/thermal/thermal_zone3/type", "iwlwifi_1\n"},
        {"sys/class/thermal/thermal_zone3/temp", "75000\n"},
        {"sys/class/hwmon/hwmon4/name", "coretemp\n"},
        {"sys/class/hwmon/hwmon4/temp1_input", "62000\n"},
        {"sys/class/hwmon/hwmon4/temp1_crit", "100000\n"},
        {"sys/class/hwmon/hwmon5/name", "nvme\n"},
        {"sys/class/hwmon/hwmon5/temp1_input", "80000\n"},
        {"sys/class/thermal/cooling_device0/type", "Processor\n"},
        {"sys/class/thermal/cooling_device0/cur_state", "0\n"},
        {"sys/class/thermal/cooling_device1/type", "intel_powerclamp\n"},
        {"sys/class/thermal/cooling_device1/cur_state", "-1\n"},
    };
    put_cpus(0, 3, "cpufreq/scaling_governor", "powersave\n");
    put_cpus(0, 3, "cpufreq/energy_performance_preference", "balance_performance\n");
    put_cpus(0, 3, "cpufreq/scaling_cur_freq", "800000\n");
    put_cpus(0, 3, "cpufreq/scaling_max_freq", "4600000\n");
    put_cpus(0, 3, "cpufreq/cpuinfo_max_freq", "4700000\n");
    put_cpus(0, 3, "cpufreq/base_frequency", "1800000\n");
    put_all(files, NZ_COUNT(files));
    nz_conditions c = get(NULL);
    assert_string_equal(c.governor, "powersave");
    assert_string_equal(c.preference, "balance_performance");
    nz_assert_near(c.mhz, (800.0 * 3 + 1400) / 4, 1e-12, 0);
    nz_assert_near(c.mhz_least, 800, 1e-12, 0);
    nz_assert_near(c.mhz_most, 1400, 1e-12, 0);
    nz_assert_near(c.mhz_base, 1800, 1e-12, 0);
    nz_assert_near(c.mhz_max, 4600, 1e-12, 0);
    assert_int_equal(c.boost, 1);
    assert_int_equal(c.smt, 1);
    nz_assert_near(c.temperature_c, 62, 1e-12, 0);
    assert_int_equal(c.held, 0);
    assert_false(c.has_throttled);
    put("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
    put("sys/class/thermal/cooling_device0/cur_state", "3\n");
    c = get("1");
    assert_int_equal(c.boost, 0);
    assert_int_equal(c.held, NZ_HELD_CAPPED);
    nz_assert_near(c.mhz, 1400, 1e-12, 0);
}

static void throttling_of_two_sockets_counts_each_core_and_package_once(void **state) {
    (void)state;
    put("sys/devices/system/cpu/online", "0-7\n");
    put_cpus(0, 3, "topology/physical_package_id", "0\n");
    put_cpus(4, 7, "topology/physical_package_id", "1\n");
    for (int cpu = 0; cpu < 8; cpu++) {
        char core[16];
        snprintf(core, sizeof core, "%d\n", cpu / 2 % 2); /* two CPUs of a core, two cores of a package */
        put_cpus(cpu, cpu, "topology/core_id", core);
    }
    put_cpus(0, 7, "thermal_throttle/core_throttle_count", "2\n");
    put_cpus(5, 5, "thermal_throttle/core_throttle_count", "3\n");
    put_cpus(0, 3, "thermal_throttle/package_throttle_count", "10\n");
    put_cpus(4, 7, "thermal_throttle/package_throttle_count", "100\n");
    put_cpus(0, 5, "cpufreq/scaling_governor", "performance\n");
    put_cpus(6, 7, "cpufreq/scaling_governor", "schedutil\n");
    put_cpus(0, 7, "acpi_cppc/nominal_freq", "2450\n");
    put("sys/devices/system/cpu/cpufreq/boost", "1\n");
    put("sys/devices/system/cpu/smt/active", "0\n");
    nz_conditions c = get(NULL);
    assert_true(c.has_throttled);
    assert_int_equal(c.throttled, (2 + 2 + 3 + 2) + 10 + 100);
    assert_string_equal(c.governor, "performance,schedutil");
    nz_assert_near(c.mhz_base, 2450, 0, 0);
    assert_int_equal(c.boost, 1);
    assert_int_equal(c.smt, 0);
    c = get("0-3");
    assert_int_equal(c.throttled, 4 + 10);
    assert_string_equal(c.governor, "performance");
}

static void a_pi_tells_what_its_firmware_holds_down(void **state) {
    (void)state;
    static const file files[] = {
        {"sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n"},
        {"sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"},
        {"sys/class/thermal/thermal_zone0/temp", "82277\n"},
        {"sys/class/hwmon/hwmon0/name", "cpu_thermal\n"},
        {"sys/class/hwmon/hwmon0/temp1_input", "82277\n"},
        {"sys/class/hwmon/hwmon1/name", "rpi_volt\n"},
        {"sys/class/hwmon/hwmon1/in0_lcrit_alarm", "0\n"},
        {"proc/cpuinfo", "processor\t: 0\nBogoMIPS\t: 108.00\n\nHardware\t: BCM2835\nModel\t\t: Raspberry Pi 4\n"},
    };
    put_all(files, NZ_COUNT(files));
    put_cpus(0, 3, "cpufreq/scaling_cur_freq", "600000\n");
    nz_conditions c = get("0-3");
    assert_int_equal(c.held, NZ_HELD_UNDER_VOLTAGE | NZ_HELD_THROTTLED);
    assert_int_equal(c.held_since_boot, NZ_HELD_UNDER_VOLTAGE | NZ_HELD_THROTTLED);
    nz_assert_near(c.temperature_c, 82.277, 1e-12, 0);
    nz_assert_near(c.mhz, 600, 0, 0);
    assert_false(c.has_throttled);
    /* A newer board's firmware lies behind an address; its alarm comes from another driver. */
    drop("sys/devices/platform/soc/soc:firmware/get_throttled");
    put("sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "e0008\n");
    put("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
    c = get("0-3");
    assert_int_equal(c.held, NZ_HELD_UNDER_VOLTAGE | NZ_HELD_SOFT_LIMIT);
    assert_int_equal(c.held_since_boot, NZ_HELD_CAPPED | NZ_HELD_THROTTLED | NZ_HELD_SOFT_LIMIT);
}

static void a_container_has_the_least_quota_of_all_groups_above_it(void **state) {
    (void)state;
    static const file files[] = {
        {"proc/self/cgroup", "0::/kubepods/pod7/c1\n"},
        {"sys/fs/cgroup/cpu.stat", "usage_usec 123\n"},
        {"sys/fs/cgroup/kubepods/cpu.max", "max 100000\n"},
        {"sys/fs/cgroup/kubepods/cpu.stat", "usage_usec 9\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n"},
        {"sys/fs/cgroup/kubepods/pod7/cpu.max", "150000 100000\n"},
        {"sys/fs/cgroup/kubepods/pod7/cpu.stat", "usage_usec 9\nnr_throttled 4\nthrottled_usec 250000\n"},
        {"sys/fs/cgroup/kubepods/pod7/c1/cpu.max", "200000 100000\n"},
        {"sys/fs/cgroup/kubepods/pod7/c1/cpu.stat", "usage_usec 9\nnr_throttled 1\nthrottled_usec 1000000\n"},
    };
    put_all(files, NZ_COUNT(files));
    nz_conditions c = get(NULL);
    nz_assert_near(c.quota_cpus, 1.5, 1e-12, 0);
    nz_assert_near(c.held_back_s, 1.25, 1e-12, 0);
    assert_int_equal(c.held_back, 5);
}

static void a_container_that_sees_its_own_group_as_the_top_has_its_quota(void **state) {
    (void)state;
    static const file version2[] = {
        {"proc/self/cgroup", "0::/docker/0123456789abcdef\n"},
        {"sys/fs/cgroup/cpu.max", "50000 100000\n"},
        {"sys/fs/cgroup/cpu.stat", "nr_throttled 7\nthrottled_usec 3500000\n"},
    };
    put_all(version2, NZ_COUNT(version2));
    nz_conditions c = get(NULL);
    nz_assert_near(c.quota_cpus, 0.5, 1e-12, 0);
    nz_assert_near(c.held_back_s, 3.5, 1e-12, 0);
    begin(NULL);
    static const file version1[] = {
        {"proc/self/cgroup", "12:memory:/x\n5:cpu,cpuacct:/system.slice/run\n1:name=systemd:/x\n"},
        {"sys/fs/cgroup/cpu,cpuacct/system.slice/run/cpu.cfs_quota_us", "25000\n"},
        {"sys/fs/cgroup/cpu,cpuacct/system.slice/run/cpu.cfs_period_us", "100000\n"},
        {"sys/fs/cgroup/cpu,cpuacct/system.slice/run/cpu.stat", "nr_throttled 3\nthrottled_time 1500000000\n"},
    };
    put_all(version1, NZ_COUNT(version1));
    c = get(NULL);
    nz_assert_near(c.quota_cpus, 0.25, 1e-12, 0);
    nz_assert_near(c.held_back_s, 1.5, 1e-12, 0);
    assert_int_equal(c.held_back, 3);
}

static void a_zone_that_vanishes_leaves_the_others(void **state) {
    (void)state;
    put("sys/class/thermal/thermal_zone0/temp", "50000\n");
    put("sys/class/thermal/thermal_zone1/temp", "70000\n");
    nz_assert_near(get(NULL).temperature_c, 70, 1e-12, 0);
    drop("sys/class/thermal/thermal_zone1/temp");
    nz_assert_near(get(NULL).temperature_c, 50, 1e-12, 0);
    drop("sys/class/thermal/thermal_zone0/temp");
    nz_assert_nan(get(NULL).temperature_c);
}

static void what_makes_no_sense_is_unknown(void **state) {
    (void)state;
    static const file files[] = {
        {"proc/self/status", "Cpus_allowed_list:\t0-99999999999\n"},
        {"sys/devices/system/cpu/online", "3-1\n"},
        {"proc/stat", "cpu  1\n"},
        {"proc/loadavg", "-3 1 1 x/y 1\n"},
        {"proc/pressure/cpu", "full total=3\nsome total=5\n"},
        {"proc/vmstat", "pswpin many\npswpout 3\n"},
        {"proc/cpuinfo", "processor : 4294967296\ncpu MHz : 99\nprocessor : 0\ncpu MHz : -5\n"},
        {"proc/self/cgroup", "0::/../../elsewhere\n"},
        {"sys/fs/cgroup/cpu.max", "1 0\n"},
        {"sys/fs/cgroup/cpu.stat", "throttled_usec\n"},
        {"sys/class/thermal/thermal_zone0/temp", "-274000\n"},
        {"sys/class/thermal/thermal_zone1/temp", "9999999999999999999999\n"},
        {"sys/class/thermal/thermal_zone2/temp", "hot\n"},
        {"sys/devices/system/cpu/smt/active", "7\n"},
        {"sys/devices/system/cpu/cpufreq/boost", "\n"},
        {"sys/devices/platform/soc/soc:firmware/get_throttled", "zz\n"},
        {"sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "-1\n"},
        {"sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "18446744073709551615\n"},
        {"sys/devices/system/cpu/cpu0/cpufreq/scaling_max_freq", "0\n"},
        {"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "per<b>formance\n"},
    };
    put_all(files, NZ_COUNT(files));
    nothing_is_known_of_a_machine_that_tells_nothing(NULL);
}

static void a_machine_of_many_cpus_is_sampled(void **state) {
    (void)state;
    put("sys/devices/system/cpu/online", "0-255\n");
    put_cpus(0, 255, "cpufreq/scaling_cur_freq", "2000000\n");
    put_cpus(0, 255, "cpufreq/scaling_governor", "performance\n");
    nz_conditions c = get(NULL);
    nz_assert_near(c.mhz, 2000, 0, 0);
    assert_string_equal(c.governor, "performance");
}

/* ---- text ---- */

static void lists_of_cpus_are_read_strictly(void **state) {
    (void)state;
    nz_cpu_bits bits;
    assert_true(nz_cpu_bits_parse(&bits, "0,2-3,4095\nnext line"));
    assert_true(nz_cpu_bits_has(&bits, 0) && nz_cpu_bits_has(&bits, 2) && nz_cpu_bits_has(&bits, 3) &&
                nz_cpu_bits_has(&bits, 4095));
    assert_false(nz_cpu_bits_has(&bits, 1) || nz_cpu_bits_has(&bits, 4) || nz_cpu_bits_has(&bits, 4096));
    static const char *const wrong[] = {"", "\n", ",", "1,", "1-", "-1", "2-1", "4096", "0-4096", "0 1", "a", "1;2"};
    for (size_t i = 0; i < NZ_COUNT(wrong); i++) assert_false(nz_cpu_bits_parse(&bits, wrong[i]));
    assert_true(nz_cpu_bits_has(&bits, 4095)); /* untouched */
}

static void paths_of_groups_are_told_by_their_controller(void **state) {
    (void)state;
    char path[16];
    static const char groups[] = "5:cpuset,cpu:/a\n4:cpuacct:/b\n0::/c/\n";
    assert_true(nz_cgroup_path(path, sizeof path, groups, false));
    assert_string_equal(path, "/a");
    assert_true(nz_cgroup_path(path, sizeof path, groups, true));
    assert_string_equal(path, "/c");
    assert_true(nz_cgroup_path(path, sizeof path, "0::/", true));
    assert_string_equal(path, "");
    assert_false(nz_cgroup_path(path, sizeof path, "0::/a/../b", true));
    assert_false(nz_cgroup_path(path, sizeof path, "0::/0123456789abcdef", true));
    assert_false(nz_cgroup_path(path, sizeof path, "0::relative", true));
    assert_false(nz_cgroup_path(path, sizeof path, "4:cpuacct:/b\n0:\n:\n\n", false));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_known_of_a_machine_that_tells_nothing, begin),
        cmocka_unit_test_setup(a_virtual_machine_tells_its_nominal_clock_and_its_load, begin),
        cmocka_unit_test_setup(a_laptop_tells_governor_preference_turbo_and_its_package, begin),
        cmocka_unit_test_setup(throttling_of_two_sockets_counts_each_core_and_package_once, begin),
        cmocka_unit_test_setup(a_pi_tells_what_its_firmware_holds_down, begin),
        cmocka_unit_test_setup(a_container_has_the_least_quota_of_all_groups_above_it, begin),
        cmocka_unit_test_setup(a_container_that_sees_its_own_group_as_the_top_has_its_quota, begin),
        cmocka_unit_test_setup(a_zone_that_vanishes_leaves_the_others, begin),
        cmocka_unit_test_setup(what_makes_no_sense_is_unknown, begin),
        cmocka_unit_test_setup(a_machine_of_many_cpus_is_sampled, begin),
        cmocka_unit_test(lists_of_cpus_are_read_strictly),
        cmocka_unit_test(paths_of_groups_are_told_by_their_controller),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
