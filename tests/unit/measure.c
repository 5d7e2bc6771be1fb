/* SPDX-License-Identifier: Apache-2.0 */
/* Readings from folders of files that stand for /sys and /proc. */
#include "netzip/measure.h"

#include <errno.h>
#include <sys/stat.h>
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

static void drop_sys(const char *name) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", roots.sys, name);
    assert_int_equal(remove(path), 0);
}

/* Every test begins with empty trees of its own. */
static int begin(void **state) {
    (void)state;
    static char sys[4096], proc[4096];
    static int number;
    snprintf(sys, sizeof sys, "%s/sys%d", nz_test_dir(), ++number);
    snprintf(proc, sizeof proc, "%s/proc%d", nz_test_dir(), number);
    roots = (nz_roots){.sys = sys, .proc = proc, .nvml = "/nonexistent/libnvidia-ml.so", .dev = "/nonexistent"};
    return nz_dir_make(sys) != NZ_OK || nz_dir_make(proc) != NZ_OK;
}

static void put_zone(const char *zone, const char *name, const char *microjoules, const char *range) {
    char path[256];
    snprintf(path, sizeof path, "class/powercap/%s/name", zone);
    put_sys(path, name);
    snprintf(path, sizeof path, "class/powercap/%s/energy_uj", zone);
    put_sys(path, microjoules);
    snprintf(path, sizeof path, "class/powercap/%s/max_energy_range_uj", zone);
    put_sys(path, range);
}

static nz_power_info probe(const char *name) {
    nz_power_info info;
    for (size_t i = 0; nz_power_probe(&info, i, &roots); i++)
        if (strcmp(info.name, name) == 0) return info;
    fail_msg("no source is called %s", name);
    return info;
}

static void rapl_adds_packages_and_dram_and_shows_the_rest(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "1000000\n", "262143328850\n");
    put_zone("intel-rapl:0:0", "core\n", "500000\n", "262143328850\n");
    put_zone("intel-rapl:0:1", "dram\n", "0\n", "65712999613\n");
    put_zone("intel-rapl:1", "package-1\n", "7000000\n", "262143328850\n");
    put_zone("intel-rapl:2", "psys\n", "9000000\n", "262143328850\n");
    put_zone("intel-rapl-mmio:0", "package-0\n", "1000000\n", "262143328850\n");
    nz_power *power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    assert_string_equal(nz_power_name(power), "rapl");
    put_zone("intel-rapl:0", "package-0\n", "3000000\n", "262143328850\n");
    put_zone("intel-rapl:0:0", "core\n", "1500000\n", "262143328850\n");
    put_zone("intel-rapl:0:1", "dram\n", "250000\n", "65712999613\n");
    put_zone("intel-rapl:1", "package-1\n", "8000000\n", "262143328850\n");
    put_zone("intel-rapl:2", "psys\n", "19000000\n", "262143328850\n");
    put_zone("intel-rapl-mmio:0", "package-0\n", "3000000\n", "262143328850\n");
    nz_assert_ok(nz_power_read(power, &reading));
    assert_true(reading.counts);
    nz_assert_near(reading.joules, 2.0 + 0.25 + 1.0, 1e-12, 0);
    assert_int_equal(reading.part_count, 2);
    assert_string_equal(reading.parts[0].name, "core (package-0)");
    nz_assert_near(reading.parts[0].joules, 1.0, 1e-12, 0);
    assert_string_equal(reading.parts[1].name, "psys");
    nz_assert_near(reading.parts[1].joules, 10.0, 1e-12, 0);
    nz_power_close(power);
}

static void a_counter_that_wraps_goes_on_counting(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "262143000000\n", "262143328850\n");
    nz_power *power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, "rapl", &roots));
    put_zone("intel-rapl:0", "package-0\n", "671150\n", "262143328850\n");
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.joules, 1.0, 1e-9, 0); /* 0.328850 up to the range and 0.671150 after it */
    put_zone("intel-rapl:0", "package-0\n", "262143328850\n", "262143328850\n");
    nz_assert_ok(nz_power_read(power, &reading));
    put_zone("intel-rapl:0", "package-0\n", "0\n", "262143328850\n");
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.joules, 0.328850 + 262143.328850, 1e-9, 0);
    nz_power_close(power);
}

static void rapl_without_permission_names_the_command_that_mends_it(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "1\n", "262143328850\n");
    char path[4096];
    snprintf(path, sizeof path, "%s/class/powercap/intel-rapl:0/energy_uj", roots.sys);
    assert_int_equal(chmod(path, 0), 0);
    bool root = geteuid() == 0; /* whom permissions do not stop: read as nobody */
    if (root) {
        assert_int_equal(chmod(nz_test_dir(), 0755), 0);
        assert_int_equal(seteuid(65534), 0);
    }
    nz_power_info info = probe("rapl");
    nz_power *power = NULL;
    nz_status status = nz_power_open(&power, NULL, &roots);
    if (root) assert_int_equal(seteuid(0), 0);
    assert_false(info.usable);
    assert_string_equal(info.mend, "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj");
    assert_non_null(strstr(info.reason, "may not read"));
    assert_int_equal(status, NZ_E_UNAVAILABLE);
    assert_non_null(strstr(nz_last_error(), "sudo chmod a+r"));
}

static void a_machine_without_sources_says_so_for_each(void **state) {
    (void)state;
    nz_power *power = NULL;
    nz_assert_fails(nz_power_open(&power, NULL, &roots), NZ_E_UNAVAILABLE, "rapl: no energy counters");
    assert_non_null(strstr(nz_last_error(), "hwmon: no INA sensor"));
    assert_non_null(strstr(nz_last_error(), "battery: no battery"));
    assert_null(strstr(nz_last_error(), "nvml")); /* does not measure what a CPU runtime draws */
    assert_null(power);
    nz_assert_fails(nz_power_open(&power, "nvml", &roots), NZ_E_UNAVAILABLE, "no NVIDIA driver");
    nz_assert_fails(nz_power_open(&power, "nuclear", &roots), NZ_E_ARG, "'nuclear'");
}

static void a_zone_that_vanishes_ends_the_reading(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "1\n", "262143328850\n");
    nz_power *power = NULL;
    nz_power_reading reading = {.joules = 42};
    nz_assert_ok(nz_power_open(&power, "rapl", &roots));
    drop_sys("class/powercap/intel-rapl:0/energy_uj");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "intel-rapl:0 (package-0)");
    assert_true(reading.joules == 42);
    nz_power_close(power);
}

static void put_battery(const char *status) {
    put_sys("class/power_supply/BAT0/type", "Battery\n");
    put_sys("class/power_supply/BAT0/status", status);
    put_sys("class/power_supply/BAT0/voltage_now", "11500000\n");
    put_sys("class/power_supply/BAT0/current_now", "-800000\n");
}

static void a_discharging_battery_gives_watts_until_it_charges_or_vanishes(void **state) {
    (void)state;
    put_sys("class/power_supply/AC/type", "Mains\n");
    put_sys("class/power_supply/hidpp_battery_0/type", "Battery\n"); /* a mouse */
    put_sys("class/power_supply/hidpp_battery_0/scope", "Device\n");
    put_sys("class/power_supply/hidpp_battery_0/status", "Discharging\n");
    put_sys("class/power_supply/hidpp_battery_0/power_now", "1000\n");
    put_battery("Discharging\n");
    nz_power *power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    assert_string_equal(nz_power_name(power), "battery");
    nz_assert_ok(nz_power_read(power, &reading));
    assert_false(reading.counts);
    nz_assert_near(reading.watts, 9.2, 1e-12, 0);
    put_sys("class/power_supply/BAT0/power_now", "8000000\n"); /* preferred where there is one */
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.watts, 8.0, 1e-12, 0);
    put_battery("Charging\n");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "no longer discharging");
    drop_sys("class/power_supply/BAT0/status");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "BAT0 cannot be read");
    nz_power_close(power);
}

static void a_charging_battery_is_refused_with_what_to_do(void **state) {
    (void)state;
    put_battery("Full\n");
    nz_power_info info = probe("battery");
    assert_false(info.usable);
    assert_string_equal(info.reason, "BAT0 is not discharging (Full)");
    assert_string_equal(info.mend, "unplug the charger");
}

static void ina_sensors_give_the_rail_that_feeds_the_board(void **state) {
    (void)state;
    put_sys("class/hwmon/hwmon0/name", "coretemp\n");
    put_sys("class/hwmon/hwmon1/name", "ina3221\n");
    put_sys("class/hwmon/hwmon1/in1_label", "VDD_IN\n");
    put_sys("class/hwmon/hwmon1/in1_input", "5000\n");
    put_sys("class/hwmon/hwmon1/curr1_input", "1500\n");
    put_sys("class/hwmon/hwmon1/in2_label", "VDD_CPU_GPU_CV\n");
    put_sys("class/hwmon/hwmon1/in2_input", "5000\n");
    put_sys("class/hwmon/hwmon1/curr2_input", "400\n");
    nz_power *power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    assert_string_equal(nz_power_name(power), "hwmon");
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.watts, 7.5, 1e-12, 0);
    nz_power_close(power);
    put_sys("class/hwmon/hwmon1/in1_label", "VDD_SOC\n"); /* now no rail is known to feed the others */
    nz_assert_fails(nz_power_open(&power, "hwmon", &roots), NZ_E_UNAVAILABLE, "VDD_SOC, VDD_CPU_GPU_CV");
}

static void one_ina_sensor_with_a_power_reading_is_taken_as_it_is(void **state) {
    (void)state;
    put_sys("class/hwmon/hwmon3/name", "ina226\n");
    put_sys("class/hwmon/hwmon3/power1_input", "4250000\n");
    nz_power *power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, "hwmon", &roots));
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.watts, 4.25, 1e-12, 0);
    nz_power_close(power);
}

/* The roots with the stand-in for NVIDIA's library, in one of its modes. */
static nz_roots fake_gpus(const char *mode) {
    const char *path = getenv("NETZIP_FAKE_NVML");
    if (!path || access(path, R_OK) != 0) nz_test_skip("NETZIP_FAKE_NVML names no library");
    assert_int_equal(setenv("NETZIP_FAKE_NVML_MODE", mode, 1), 0);
    return (nz_roots){.sys = roots.sys, .proc = roots.proc, .nvml = path, .dev = roots.dev};
}

static void gpus_are_added_and_only_used_when_named(void **state) {
    (void)state;
    nz_roots with = fake_gpus("");
    nz_power *power = NULL;
    nz_power_reading reading;
    nz_gpu gpu;
    nz_assert_fails(nz_power_open(&power, NULL, &with), NZ_E_UNAVAILABLE, "no power source");
    nz_assert_ok(nz_power_open(&power, "nvml", &with));
    double before;
    nz_assert_ok(nz_power_read(power, &reading));
    before = reading.joules;
    nz_assert_ok(nz_power_read(power, &reading));
    assert_true(reading.counts);
    nz_assert_near(reading.joules - before, 12, 1e-9, 0);
    nz_power_close(power);
    nz_assert_ok(nz_gpu_get(&gpu, &with));
    assert_int_equal(gpu.count, 2);
    assert_string_equal(gpu.names, "Fake GPU A, Fake GPU B");
    nz_assert_near(gpu.util_pct, 60, 1e-9, 0);
    nz_assert_near(gpu.mem_bytes, 12e6, 1e-9, 0);
}

static void gpus_without_counters_give_momentary_power(void **state) {
    (void)state;
    nz_roots with = fake_gpus("old");
    nz_power *power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, "nvml", &with));
    nz_assert_ok(nz_power_read(power, &reading));
    assert_false(reading.counts);
    nz_assert_near(reading.watts, 120, 1e-9, 0);
    nz_power_close(power);
    with = fake_gpus("broken");
    nz_assert_fails(nz_power_open(&power, "nvml", &with), NZ_E_UNAVAILABLE, "no NVIDIA driver is loaded");
    nz_gpu gpu;
    nz_assert_fails(nz_gpu_get(&gpu, &with), NZ_E_UNAVAILABLE, "no NVIDIA driver is loaded");
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
        cmocka_unit_test_setup(rapl_adds_packages_and_dram_and_shows_the_rest, begin),
        cmocka_unit_test_setup(a_counter_that_wraps_goes_on_counting, begin),
        cmocka_unit_test_setup(rapl_without_permission_names_the_command_that_mends_it, begin),
        cmocka_unit_test_setup(a_machine_without_sources_says_so_for_each, begin),
        cmocka_unit_test_setup(a_zone_that_vanishes_ends_the_reading, begin),
        cmocka_unit_test_setup(a_discharging_battery_gives_watts_until_it_charges_or_vanishes, begin),
        cmocka_unit_test_setup(a_charging_battery_is_refused_with_what_to_do, begin),
        cmocka_unit_test_setup(ina_sensors_give_the_rail_that_feeds_the_board, begin),
        cmocka_unit_test_setup(one_ina_sensor_with_a_power_reading_is_taken_as_it_is, begin),
        cmocka_unit_test_setup(gpus_are_added_and_only_used_when_named, begin),
        cmocka_unit_test_setup(gpus_without_counters_give_momentary_power, begin),
        cmocka_unit_test(the_estimate_follows_its_table),
        cmocka_unit_test_setup(cpu_times_count_what_is_not_idle, begin),
        cmocka_unit_test_setup(memory_of_a_process_and_of_the_machine, begin),
        cmocka_unit_test_setup(hardware_is_read_from_the_tree_and_what_is_missing_stays_empty, begin),
        cmocka_unit_test(this_machine_has_a_clock_and_a_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
