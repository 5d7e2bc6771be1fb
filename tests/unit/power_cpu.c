/* SPDX-License-Identifier: Apache-2.0 */
/* Energy counters of CPUs, through powercap and through performance events. */
#include "power_trees.h"

#include <sys/stat.h>

static void put_zone(const char *zone, const char *name, const char *microjoules, const char *range) {
    char folder[128];
    snprintf(folder, sizeof folder, "class/powercap/%s", zone);
    put_in(folder, "name", name);
    put_in(folder, "energy_uj", microjoules);
    put_in(folder, "max_energy_range_uj", range);
}

static void count_to(const char *zone, const char *microjoules) {
    char folder[128];
    snprintf(folder, sizeof folder, "class/powercap/%s", zone);
    put_in(folder, "energy_uj", microjoules);
}

static const char range[] = "262143328850\n", dram_range[] = "65712999613\n";

static void a_laptop_adds_its_package_and_shows_the_rest(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "1000000\n", range);
    put_zone("intel-rapl:0:0", "core\n", "500000\n", range);
    put_zone("intel-rapl:0:1", "uncore\n", "10000\n", range);
    put_zone("intel-rapl:0:2", "dram\n", "0\n", dram_range);
    put_zone("intel-rapl:1", "psys\n", "9000000\n", range);
    put_zone("intel-rapl-mmio:0", "package-0\n", "1000000\n", range);
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    assert_string_equal(nz_power_name(power), "rapl");
    assert_string_equal(nz_power_scope(power), "CPU packages and DRAM");
    fake.now_ns += 1000000000;
    count_to("intel-rapl:0", "3000000\n");
    count_to("intel-rapl:0:0", "1500000\n");
    count_to("intel-rapl:0:2", "250000\n");
    count_to("intel-rapl:1", "19000000\n");
    count_to("intel-rapl-mmio:0", "3000000\n");
    nz_assert_ok(nz_power_read(power, &reading));
    assert_true(reading.counts);
    assert_int_equal(reading.breaks, 0);
    nz_assert_near(reading.joules, 2.0 + 0.25, 1e-12, 0);
    assert_int_equal(reading.part_count, 5);
    assert_true(part_of(&reading, "package-0")->added);
    assert_true(part_of(&reading, "dram (package-0)")->added);
    assert_false(part_of(&reading, "psys")->added);
    nz_assert_near(part_of(&reading, "psys")->joules, 10, 1e-12, 0);
    nz_assert_near(part_of(&reading, "core (package-0)")->joules, 1, 1e-12, 0);
    nz_assert_near(part_of(&reading, "uncore (package-0)")->joules, 0, 0, 0);
}

static void two_sockets_are_added_and_one_wraps_in_the_middle(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "1000000\n", range);
    put_zone("intel-rapl:0:0", "dram\n", "0\n", dram_range);
    put_zone("intel-rapl:1", "package-1\n", "262143000000\n", range);
    put_zone("intel-rapl:1:0", "dram\n", "65712000000\n", dram_range);
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_energy_trace trace = {0};
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    const nz_power_info *info = nz_power_info_get(power);
    assert_has(info->detail, "package-0 + dram (package-0) + package-1 + dram (package-1)");
    nz_assert_near(info->longest_s, 65.712999613, 1e-9, 0); /* DRAM's range at 1000 W */
    nz_assert_near(info->interval_ms, 50, 0, 0);
    static const char *const steps[][4] = {
        {"1000000\n", "0\n", "262143000000\n", "65712000000\n"},
        {"81000000\n", "5000000\n", "79671150\n",
         "4000387\n"}, /* 80 + 5 + (0.32885 + 79.67115) + (0.999613 + 4.000387) J */
        {"161000000\n", "10000000\n", "159671150\n", "9000387\n"},
    };
    static const char *const zones[] = {"intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"};
    for (size_t i = 0; i < NZ_COUNT(steps); i++) {
        for (size_t z = 0; z < NZ_COUNT(zones); z++) count_to(zones[z], steps[i][z]);
        fake.now_ns += 500000000;
        nz_assert_ok(nz_power_read(power, &reading));
        assert_int_equal(reading.breaks, 0);
        nz_assert_ok(nz_energy_add(&trace, fake.now_ns, &reading));
    }
    nz_energy energy;
    nz_assert_ok(nz_energy_between(&energy, &trace, 0, 0));
    nz_assert_near(energy.joules, 340, 1e-12, 0);
    nz_assert_near(energy.watts, 340, 1e-12, 0);
    assert_int_equal(energy.part_count, 4);
    assert_string_equal(energy.parts[2].name, "package-1");
    assert_true(energy.parts[2].added);
    nz_assert_near(energy.parts[2].joules, 160, 1e-12, 0);
    nz_assert_near(energy.parts[3].joules, 10, 1e-9, 0);
    nz_energy_trace_done(&trace);
}

static void a_counter_that_was_read_too_late_or_set_back_gives_no_difference(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "1000000\n", range);
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_energy_trace trace = {0};
    nz_energy energy;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    nz_assert_near(nz_power_info_get(power)->longest_s, 262.143328850, 1e-9, 0);
    assert_has(nz_power_info_get(power)->detail, "at least every 262 s");
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_ok(nz_energy_add(&trace, fake.now_ns, &reading));
    fake.now_ns += 263000000000; /* at 1000 W it may have come round by now */
    count_to("intel-rapl:0", "2000000\n");
    nz_assert_ok(nz_power_read(power, &reading));
    assert_int_equal(reading.breaks, 1);
    nz_assert_ok(nz_energy_add(&trace, fake.now_ns, &reading));
    nz_assert_fails(nz_energy_between(&energy, &trace, 0, 0), NZ_E_UNAVAILABLE, "may have come round");
    uint64_t from = fake.now_ns;
    fake.now_ns += 1000000000;
    count_to("intel-rapl:0", "7000000\n");
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_ok(nz_energy_add(&trace, fake.now_ns, &reading));
    nz_assert_ok(nz_energy_between(&energy, &trace, from, fake.now_ns)); /* a later window is whole */
    nz_assert_near(energy.joules, 5, 1e-12, 0);
    fake.now_ns += 1000000000;
    count_to("intel-rapl:0", "1000\n"); /* 262 kJ in a second: suspended and set back, not come round */
    nz_assert_ok(nz_power_read(power, &reading));
    assert_int_equal(reading.breaks, 2);
    nz_assert_near(reading.joules, 5, 1e-12, 0);
    nz_energy_trace_done(&trace);
}

static void a_counter_without_a_range_cannot_be_followed_over_its_end(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "5000000\n", "nothing\n");
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    fake.now_ns += 1000000000;
    count_to("intel-rapl:0", "1000000\n");
    nz_assert_ok(nz_power_read(power, &reading));
    assert_int_equal(reading.breaks, 1);
    nz_assert_near(reading.joules, 0, 0, 0);
}

static void a_short_range_is_read_more_often(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "0\n", "65536000\n"); /* 65.5 J */
    put_in("class/powercap/intel-rapl:0", "constraint_0_power_limit_uw", "1024000000\n");
    nz_power_info info = probe("rapl");
    assert_true(info.usable);
    nz_assert_near(info.longest_s, 0.032, 1e-9, 0); /* 65.536 J at twice the limit */
    nz_assert_near(info.interval_ms, 8, 1e-9, 0);
}

static void an_amd_desktop_has_the_same_names(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "1000000\n", "65532610987\n");
    put_zone("intel-rapl:0:0", "core\n", "500000\n", "65532610987\n");
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    fake.now_ns += 1000000000;
    count_to("intel-rapl:0", "66000000\n");
    count_to("intel-rapl:0:0", "30500000\n");
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.joules, 65, 1e-12, 0);
    nz_assert_near(part_of(&reading, "core (package-0)")->joules, 30, 1e-12, 0);
}

static void a_package_shown_twice_is_added_once(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "0\n", range);
    put_zone("intel-rapl:1", "package-0\n", "0\n", range);
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    fake.now_ns += 1000000000;
    count_to("intel-rapl:0", "7000000\n");
    count_to("intel-rapl:1", "7000000\n");
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.joules, 7, 1e-12, 0);
}

static void the_memory_mapped_counters_serve_where_there_are_no_others(void **state) {
    (void)state;
    put_zone("intel-rapl-mmio:0", "package-0\n", "0\n", range);
    nz_power_info info = probe("rapl");
    assert_true(info.usable);
    assert_has(info.detail, "package-0");
}

static void without_permission_the_commands_that_mend_it_are_named(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "1\n", range);
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
    assert_has(info.lasts, "| sudo tee /etc/udev/rules.d/70-netzip-rapl.rules");
    assert_has(info.lasts, "chmod a+r /sys%p/energy_uj");
    assert_has(info.reason, "may not read");
    assert_int_equal(status, NZ_E_UNAVAILABLE);
    assert_has(nz_last_error(), "sudo chmod a+r");
}

static void broken_counters_say_which_and_why(void **state) {
    (void)state;
    static const char *const texts[] = {"", "-5\n", "a lot\n", "12 34\n", "99999999999999999999999\n", "1.5\n"};
    for (size_t i = 0; i < NZ_COUNT(texts); i++) {
        put_zone("intel-rapl:0", "package-0\n", texts[i], range);
        nz_power_info info = probe("rapl");
        assert_false(info.usable);
        assert_has(info.reason, "intel-rapl:0/energy_uj cannot be read: it holds no number");
    }
    /* One package of two is a part of the machine: no figure at all. */
    put_zone("intel-rapl:0", "package-0\n", "1000000\n", range);
    put_zone("intel-rapl:1", "package-1\n", "a lot\n", range);
    assert_has(probe("rapl").reason, "intel-rapl:1/energy_uj cannot be read");
    drop_in("class/powercap/intel-rapl:1", "energy_uj");
    assert_false(probe("rapl").usable);
    put_zone("intel-rapl:1", "psys\n", "a lot\n", range); /* that would only be shown */
    assert_true(probe("rapl").usable);
    drop_in("class/powercap/intel-rapl:1", "energy_uj");
    drop_in("class/powercap/intel-rapl:0", "energy_uj");
    put_in("class/powercap/intel-rapl:0/energy_uj", "file", ""); /* a folder in its place */
    assert_has(probe("rapl").reason, "it is a folder");
}

static void an_absurd_value_in_the_middle_is_not_believed(void **state) {
    (void)state;
    put_zone("intel-rapl:0", "package-0\n", "1000000\n", range);
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    fake.now_ns += 1000000000;
    count_to("intel-rapl:0", "18446744073709551615\n");
    nz_assert_ok(nz_power_read(power, &reading));
    assert_int_equal(reading.breaks, 1);
    nz_assert_near(reading.joules, 0, 0, 0);
    count_to("intel-rapl:0", "rubbish\n");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "intel-rapl:0 (package-0) cannot be read");
    drop_in("class/powercap/intel-rapl:0", "energy_uj");
    reading.joules = 42;
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "it is not there");
    assert_true(reading.joules == 42); /* no number, not even an old one */
}

static void containers_and_virtual_machines_are_told_apart(void **state) {
    (void)state;
    char path[4096];
    snprintf(path, sizeof path, "%s/class/powercap", roots.sys);
    nz_assert_ok(nz_dir_make(path));
    put_proc("cpuinfo", "processor\t: 0\nmodel name\t: Test\nflags\t\t: fpu hypervisor\n");
    put(roots.sys, "class/dmi/id/sys_vendor", "QEMU\n");
    assert_has(probe("rapl").reason, "this is a virtual machine (QEMU");
    assert_has(probe("perf").reason, "a virtual machine has none");
    snprintf(path, sizeof path, "%s/class/powercap/intel-rapl:0", roots.sys);
    nz_assert_ok(nz_dir_make(path)); /* the name is there, what it leads to is masked */
    nz_power_info info = probe("rapl");
    assert_has(info.reason, "this container hides them");
    assert_has(info.mend, "--security-opt systempaths=unconfined");
}

/* ---- performance events ---- */

#define PMU "bus/event_source/devices/power"
static const double unit_joules = 1.0 / 4294967296.0; /* what the scale below says */

static void put_event(const char *name, const char *event) {
    char file[64];
    snprintf(file, sizeof file, "%s", name);
    put_in(PMU "/events", file, event);
    snprintf(file, sizeof file, "%s.scale", name);
    put_in(PMU "/events", file, "2.3283064365386962890625e-10\n");
    snprintf(file, sizeof file, "%s.unit", name);
    put_in(PMU "/events", file, "Joules\n");
}

static void put_server(void) {
    fake.type = 21;
    put_in(PMU, "type", "21\n");
    put_in(PMU, "cpumask", "0,18\n");
    put_event("energy-pkg", "event=0x02\n");
    put_event("energy-ram", "event=0x03\n");
    put_event("energy-cores", "event=0x01\n");
    put_event("energy-psys", "event=0x05\n");
    put_in("devices/system/cpu/cpu0/topology", "physical_package_id", "0\n");
    put_in("devices/system/cpu/cpu18/topology", "physical_package_id", "1\n");
    static const fake_event events[] = {
        {.cpu = 0, .config = 2, .value = 1ull << 40},
        {.cpu = 18, .config = 2, .value = 7},
        {.cpu = 0, .config = 3, .value = 100},
        {.cpu = 18, .config = 3},
        {.cpu = 0, .config = 1},
        {.cpu = 18, .config = 1, .error = EINVAL},
        {.cpu = 0, .config = 5},
        {.cpu = 18, .config = 5},
    };
    memcpy(fake.events, events, sizeof events);
    fake.event_count = NZ_COUNT(events);
}

static void events_of_two_packages_are_scaled_and_added(void **state) {
    (void)state;
    put_server();
    nz_power *power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots)); /* powercap has nothing, so that this is the next one */
    assert_string_equal(nz_power_name(power), "perf");
    assert_string_equal(nz_power_info_get(power)->detail,
                        "package-0 + package-1 + dram (package-0) + dram (package-1)");
    assert_true(isinf(nz_power_info_get(power)->longest_s));
    fake.events[0].value += (uint64_t)(60 / unit_joules); /* far beyond the 32 bits of the CPU's own register */
    fake.events[1].value += (uint64_t)(30 / unit_joules);
    fake.events[2].value += (uint64_t)(4 / unit_joules);
    fake.events[4].value += (uint64_t)(50 / unit_joules);
    fake.events[6].value += (uint64_t)(200 / unit_joules);
    nz_assert_ok(nz_power_read(power, &reading));
    assert_true(reading.counts);
    nz_assert_near(reading.joules, 94, 1e-12, 0);
    nz_assert_near(part_of(&reading, "package-1")->joules, 30, 1e-12, 0);
    nz_assert_near(part_of(&reading, "dram (package-0)")->joules, 4, 1e-12, 0);
    assert_false(part_of(&reading, "core (package-0)")->added);
    nz_assert_near(part_of(&reading, "psys")->joules, 200, 1e-12, 0); /* of the machine, once */
    assert_int_equal(reading.part_count, 6);
    assert_int_equal(fake.open_files, 6);
    nz_power_close(power);
    assert_int_equal(fake.open_files, 0);
}

static void an_event_that_shared_its_counter_is_scaled_by_the_time_it_ran(void **state) {
    (void)state;
    put_server();
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, "perf", &roots));
    fake.events[0].value += (uint64_t)(10 / unit_joules);
    fake.events[0].enabled = 4000000000;
    fake.events[0].running = 1000000000;
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.joules, 40, 1e-12, 0);
    fake.events[0].running = 0;
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "package-0 has not counted");
    fake.events[0].running = fake.events[0].enabled;
    fake.events[0].value = 0;
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "package-0 has run backwards");
}

static void events_without_permission_name_the_setting(void **state) {
    (void)state;
    put_server();
    fake.events[0].error = EACCES;
    put_proc("sys/kernel/perf_event_paranoid", "2\n");
    nz_power_info info = probe("perf");
    assert_false(info.usable);
    assert_has(info.reason, "kernel.perf_event_paranoid is 2");
    assert_has(info.reason, "CAP_PERFMON");
    assert_string_equal(info.mend, "sudo sysctl kernel.perf_event_paranoid=0");
    assert_has(info.lasts, "sudo tee /etc/sysctl.d/70-netzip.conf");
    assert_has(info.lasts, "sudo setcap cap_perfmon=ep");
    put_proc("sys/kernel/perf_event_paranoid", "-1\n");
    fake.events[0].error = EPERM;
    info = probe("perf");
    assert_has(info.reason, "a container or its system call filter");
    assert_string_equal(info.mend, "start the container with --cap-add PERFMON");
    fake.events[0].error = 0;
    fake.events[3].error = EACCES; /* the second package's memory: the first ones are closed again */
    assert_false(probe("perf").usable);
    assert_int_equal(fake.open_files, 0);
}

static void events_that_are_not_understood_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *file, *text, *reason;
    } cases[] = {
        {"cpumask", "zero\n", "cpumask is no list of CPUs"},
        {"cpumask", "0-\n", "cpumask is no list of CPUs"},
        {"cpumask", "5-2\n", "cpumask is no list of CPUs"},
        {"cpumask", "0-4000000000\n", "cpumask is no list of CPUs"},
        {"events/energy-pkg", "config=2\n", "energy-pkg is not understood"},
        {"events/energy-pkg", "event=-2\n", "energy-pkg is not understood"},
        {"events/energy-pkg", "event=0x202\n", "energy-pkg is not understood"},
        {"events/energy-pkg.scale", "0\n", "energy-pkg.scale is not understood"},
        {"events/energy-pkg.scale", "-1e-10\n", "energy-pkg.scale is not understood"},
        {"events/energy-pkg.scale", "nan\n", "energy-pkg.scale is not understood"},
        {"events/energy-pkg.unit", "Watts\n", "energy-pkg.unit is not understood"},
        {"events/energy-ram.scale", "1e-10x\n", "energy-ram.scale is not understood"},
        {"type", "-3\n", "no energy events"},
        {"type", "99999999999\n", "no energy events"},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        put_server();
        put_in(PMU, cases[i].file, cases[i].text);
        nz_power_info info = probe("perf");
        assert_false(info.usable);
        assert_has(info.reason, cases[i].reason);
    }
    assert_int_equal(fake.open_files, 0);
}

static void a_cpu_with_events_of_its_package_alone_is_enough(void **state) {
    (void)state;
    fake.type = 9;
    put_in(PMU, "type", "9\n");
    put_in(PMU, "cpumask", "0\n");
    put_event("energy-pkg", "event=0x02\n");
    fake.events[0] = (fake_event){.cpu = 0, .config = 2};
    fake.event_count = 1;
    assert_string_equal(probe("perf").detail, "package-0");
    drop_in(PMU "/events", "energy-pkg");
    assert_has(probe("perf").reason, "none of a package");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_laptop_adds_its_package_and_shows_the_rest, begin),
        cmocka_unit_test_setup(two_sockets_are_added_and_one_wraps_in_the_middle, begin),
        cmocka_unit_test_setup(a_counter_that_was_read_too_late_or_set_back_gives_no_difference, begin),
        cmocka_unit_test_setup(a_counter_without_a_range_cannot_be_followed_over_its_end, begin),
        cmocka_unit_test_setup(a_short_range_is_read_more_often, begin),
        cmocka_unit_test_setup(an_amd_desktop_has_the_same_names, begin),
        cmocka_unit_test_setup(a_package_shown_twice_is_added_once, begin),
        cmocka_unit_test_setup(the_memory_mapped_counters_serve_where_there_are_no_others, begin),
        cmocka_unit_test_setup(without_permission_the_commands_that_mend_it_are_named, begin),
        cmocka_unit_test_setup(broken_counters_say_which_and_why, begin),
        cmocka_unit_test_setup(an_absurd_value_in_the_middle_is_not_believed, begin),
        cmocka_unit_test_setup(containers_and_virtual_machines_are_told_apart, begin),
        cmocka_unit_test_setup(events_of_two_packages_are_scaled_and_added, begin),
        cmocka_unit_test_setup(an_event_that_shared_its_counter_is_scaled_by_the_time_it_ran, begin),
        cmocka_unit_test_setup(events_without_permission_name_the_setting, begin),
        cmocka_unit_test_setup(events_that_are_not_understood_are_refused, begin),
        cmocka_unit_test_setup(a_cpu_with_events_of_its_package_alone_is_enough, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
