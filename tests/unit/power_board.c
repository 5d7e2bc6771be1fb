/* SPDX-License-Identifier: Apache-2.0 */
/* Sensors on boards, batteries, the converter of a Raspberry Pi 5, GPUs. */
#include "measure/pi5.h"
#include "power_trees.h"

static void put_chip(int number, const char *name) {
    char folder[64];
    snprintf(folder, sizeof folder, "class/hwmon/hwmon%d", number);
    put_in(folder, "name", name);
}

/* A channel of volts and amperes. */
static void put_rail(int chip, int channel, const char *label, const char *millivolts, const char *milliamperes) {
    char folder[64], file[32];
    snprintf(folder, sizeof folder, "class/hwmon/hwmon%d", chip);
    snprintf(file, sizeof file, "in%d_label", channel);
    if (label) put_in(folder, file, label);
    snprintf(file, sizeof file, "in%d_input", channel);
    put_in(folder, file, millivolts);
    snprintf(file, sizeof file, "curr%d_input", channel);
    put_in(folder, file, milliamperes);
}

static void a_machine_without_sources_says_so_for_each(void **state) {
    (void)state;
    nz_power *power = NULL;
    nz_assert_fails(nz_power_open(&power, NULL, &roots), NZ_E_UNAVAILABLE, "rapl: no energy counters");
    const char *const reasons[] = {"perf: no energy events", "hwmon: no sensor on a supply rail", "battery: no battery",
                                   "pi5: no /dev/vcio"};
    const char *at = nz_last_error();
    for (size_t i = 0; i < NZ_COUNT(reasons); i++) {
        const char *next = strstr(at, reasons[i]); /* in the order in which they are tried */
        if (!next) fail_msg("'%s' lacks '%s'", at, reasons[i]);
        at = next;
    }
    assert_null(strstr(nz_last_error(), "nvml")); /* does not measure what a CPU runtime draws */
    assert_null(power);
    nz_assert_fails(nz_power_open(&power, "nvml", &roots), NZ_E_UNAVAILABLE, "no NVIDIA driver");
    nz_assert_fails(nz_power_open(&power, "nuclear", &roots), NZ_E_ARG, "'nuclear'");
}

/* ---- boards ---- */

static void a_jetson_orin_nx_has_a_rail_that_feeds_the_others(void **state) {
    (void)state;
    put_chip(0, "coretemp\n");
    put_chip(1, "ina3221\n");
    put_rail(1, 1, "VDD_IN\n", "5064\n", "1500\n");
    put_rail(1, 2, "VDD_CPU_GPU_CV\n", "5064\n", "400\n");
    put_rail(1, 3, "VDD_SOC\n", "5064\n", "300\n");
    put_rail(1, 4, NULL, "9\n", "2200\n"); /* a shunt's voltage and the sum of the currents: no rail */
    put_in("class/hwmon/hwmon1", "in7_label", "sum of shunt voltages\n");
    put_in("class/hwmon/hwmon1", "update_interval", "140\n");
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    assert_string_equal(nz_power_name(power), "hwmon");
    assert_string_equal(nz_power_scope(power), "board's input");
    assert_string_equal(nz_power_info_get(power)->detail, "VDD_IN (hwmon1); a new value every 140 ms");
    nz_assert_near(nz_power_info_get(power)->interval_ms, 140, 0, 0);
    nz_assert_ok(nz_power_read(power, &reading));
    assert_false(reading.counts);
    nz_assert_near(reading.watts, 7.596, 1e-12, 0);
    assert_int_equal(reading.part_count, 3);
    assert_false(part_of(&reading, "VDD_SOC")->added);
    nz_assert_near(part_of(&reading, "VDD_SOC")->watts, 1.5192, 1e-12, 0);
    drop_in("class/hwmon/hwmon1", "in3_input"); /* a rail that is only shown may fail */
    nz_assert_ok(nz_power_read(power, &reading));
    assert_int_equal(reading.part_count, 3);
    nz_assert_nan(part_of(&reading, "VDD_SOC")->watts);
    drop_in("class/hwmon/hwmon1", "curr1_input");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE,
                    "hwmon1 (VDD_IN) cannot be read: it is not there");
}

static void a_jetson_agx_orin_adds_three_rails_and_not_the_one_behind_them(void **state) {
    (void)state;
    put_chip(3, "ina3221\n");
    put_rail(3, 1, "VDD_GPU_SOC\n", "19920\n", "160\n");
    put_rail(3, 2, "VDD_CPU_CV\n", "19920\n", "100\n");
    put_rail(3, 3, "VIN_SYS_5V0\n", "4968\n", "900\n");
    put_chip(4, "ina3221\n");
    put_rail(4, 2, "VDDQ_VDD2_1V8AO\n", "4968\n", "200\n");
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    assert_string_equal(nz_power_scope(power), "module");
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.watts, 19.920 * 0.26 + 4.968 * 0.9, 1e-12, 0);
    assert_int_equal(reading.part_count, 4);
    assert_false(part_of(&reading, "VDDQ_VDD2_1V8AO")->added);
}

static void rails_of_which_nothing_is_known_are_not_added(void **state) {
    (void)state;
    put_chip(0, "ina226\n");
    put_rail(0, 1, "VDD_A\n", "5000\n", "100\n");
    put_chip(1, "ina226\n");
    put_rail(1, 1, "VDD_B\n", "5000\n", "100\n");
    nz_power_info info = probe("hwmon");
    assert_false(info.usable);
    assert_string_equal(info.reason, "several rails, none known to feed the whole board: VDD_A, VDD_B");
    assert_has(info.mend, "netzip energy LOG");
    put_rail(1, 1, "VDD_IN\n", "5000\n", "100\n");
    assert_true(probe("hwmon").usable);
    put_rail(0, 1, "VDD_IN\n", "5000\n", "100\n"); /* twice the same name: which one is it? */
    assert_false(probe("hwmon").usable);
}

static void a_pi_4_with_one_sensor_gives_what_it_says(void **state) {
    (void)state;
    put_chip(2, "ina219\n");
    put_in("class/hwmon/hwmon2", "in0_input", "9\n"); /* across the shunt */
    put_rail(2, 1, NULL, "5104\n", "832\n");
    put_in("class/hwmon/hwmon2", "power1_input", "4240000\n"); /* the chip's own product */
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    assert_string_equal(nz_power_info_get(power)->detail, "ina219 channel 1 (hwmon2)");
    nz_assert_near(nz_power_info_get(power)->interval_ms, 50, 0, 0);
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.watts, 4.24, 1e-12, 0);
    put_in("class/hwmon/hwmon2", "power1_input", "-4240000\n");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "inputs swapped");
    put_in("class/hwmon/hwmon2", "power1_input", "-20000\n"); /* noise around nothing */
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.watts, -0.02, 1e-12, 0);
    put_in("class/hwmon/hwmon2", "power1_input", "99999999999999\n");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "a power that cannot be");
    put_in("class/hwmon/hwmon2", "power1_input", "4240000 uW\n");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "no number");
}

static void a_broken_sensor_is_named(void **state) {
    (void)state;
    put_chip(2, "ina219\n");
    put_rail(2, 1, NULL, "none\n", "832\n");
    assert_has(probe("hwmon").reason, "hwmon2 (ina219 channel 1) cannot be read: it holds no number");
    put_rail(2, 1, NULL, "5000\n", "-832\n");
    assert_has(probe("hwmon").reason, "inputs swapped");
    drop_in("class/hwmon/hwmon2", "curr1_input");
    assert_has(probe("hwmon").reason, "no sensor on a supply rail");
}

static void a_servers_own_meter_tells_a_mean(void **state) {
    (void)state;
    put_chip(0, "power_meter\n");
    put_in("class/hwmon/hwmon0", "power1_average", "212000000\n");
    put_in("class/hwmon/hwmon0", "power1_average_interval", "1000\n");
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    assert_string_equal(nz_power_scope(power), "machine");
    assert_has(nz_power_info_get(power)->detail, "a new value every 1000 ms");
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.watts, 212, 1e-12, 0);
}

static void counters_of_amd_sockets_are_added_and_cores_are_not(void **state) {
    (void)state;
    put_chip(5, "amd_energy\n");
    static const char *const labels[] = {"Ecore000\n", "Ecore001\n", "Esocket0\n", "Esocket1\n"};
    static const char *const microjoules[] = {"10\n", "20\n", "5000000\n", "6000000\n"};
    for (int i = 0; i < 4; i++) {
        char file[32];
        snprintf(file, sizeof file, "energy%d_label", i + 1);
        put_in("class/hwmon/hwmon5", file, labels[i]);
        snprintf(file, sizeof file, "energy%d_input", i + 1);
        put_in("class/hwmon/hwmon5", file, microjoules[i]);
    }
    put_chip(6, "zenpower\n");
    put_in("class/hwmon/hwmon6", "power1_label", "SVI2_P_Core\n");
    put_in("class/hwmon/hwmon6", "power1_input", "30000000\n");
    put_in("class/hwmon/hwmon6", "power2_label", "SVI2_P_SoC\n");
    put_in("class/hwmon/hwmon6", "power2_input", "9000000\n");
    nz_power *power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, "hwmon", &roots));
    assert_string_equal(nz_power_scope(power), "CPU sockets");
    put_in("class/hwmon/hwmon5", "energy3_input", "55000000\n");
    put_in("class/hwmon/hwmon5", "energy4_input", "26000000\n");
    nz_assert_ok(nz_power_read(power, &reading));
    assert_true(reading.counts);
    nz_assert_near(reading.joules, 70, 1e-12, 0);
    put_in("class/hwmon/hwmon5", "energy3_input", "0\n"); /* set back */
    nz_assert_ok(nz_power_read(power, &reading));
    assert_int_equal(reading.breaks, 1);
    nz_power_close(power);
    put_in("class/hwmon/hwmon5", "energy4_input", "none\n"); /* one socket of two is a part of the machine */
    assert_has(probe("hwmon").reason, "Esocket1) cannot be read");
    put_chip(5, "other\n"); /* without counters the momentary power is the next best */
    nz_assert_ok(nz_power_open(&power, "hwmon", &roots));
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.watts, 39, 1e-12, 0);
    assert_string_equal(nz_power_scope(power), "CPU: cores and SoC");
    nz_power_close(power);
}

/* ---- batteries ---- */

#define BAT0 "class/power_supply/BAT0"

static void put_battery(const char *folder, const char *status) {
    put_in(folder, "type", "Battery\n");
    put_in(folder, "status", status);
    put_in(folder, "voltage_now", "11500000\n");
    put_in(folder, "current_now", "-800000\n");
}

static void a_laptop_on_battery_gives_watts_until_it_charges_or_the_battery_vanishes(void **state) {
    (void)state;
    put_in("class/power_supply/AC", "type", "Mains\n");
    put_in("class/power_supply/AC", "online", "0\n");
    put_battery("class/power_supply/hidpp_battery_0", "Discharging\n"); /* a mouse */
    put_in("class/power_supply/hidpp_battery_0", "scope", "Device\n");
    put_battery(BAT0, "Discharging\n");
    AUTO_POWER power = NULL;
    nz_power_reading reading = {.watts = 42};
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    assert_string_equal(nz_power_name(power), "battery");
    assert_string_equal(nz_power_info_get(power)->detail, "BAT0, discharging, by voltage and current");
    nz_assert_ok(nz_power_read(power, &reading));
    assert_false(reading.counts);
    nz_assert_near(reading.watts, 9.2, 1e-12, 0);
    put_in(BAT0, "current_now", "800000\n"); /* drivers differ in the sign */
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.watts, 9.2, 1e-12, 0);
    reading.watts = 42;
    put_in(BAT0, "current_now", "0\n"); /* it feeds the machine: nothing cannot be */
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "a power that cannot be");
    put_in(BAT0, "current_now", "2147483647000\n");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "a power that cannot be");
    put_battery(BAT0, "Charging\n");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "no longer discharging (Charging)");
    put_battery(BAT0, "Full\n");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "no longer discharging (Full)");
    drop_in(BAT0, "status");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "BAT0 cannot be read: it is not there");
    assert_true(reading.watts == 42); /* no stale number */
}

static void a_battery_that_tells_its_power_is_taken_at_its_word(void **state) {
    (void)state;
    put_battery(BAT0, "Discharging\n");
    put_in(BAT0, "power_now", "-8000000\n");
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.watts, 8, 1e-12, 0);
}

static void a_battery_that_tells_only_what_is_left_counts_downwards(void **state) {
    (void)state;
    put_in(BAT0, "type", "Battery\n");
    put_in(BAT0, "status", "Discharging\n");
    put_in(BAT0, "energy_now", "50000000\n"); /* microwatt hours */
    nz_power *power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    assert_has(nz_power_info_get(power)->detail, "windows of minutes");
    put_in(BAT0, "energy_now", "49990000\n");
    nz_assert_ok(nz_power_read(power, &reading));
    assert_true(reading.counts);
    nz_assert_near(reading.joules, 36, 1e-9, 0);
    nz_power_close(power);
    drop_in(BAT0, "energy_now");
    put_in(BAT0, "charge_now", "4000000\n"); /* microampere hours */
    put_in(BAT0, "voltage_now", "12000000\n");
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    put_in(BAT0, "charge_now", "3999000\n");
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.joules, 43.2, 1e-9, 0);
    nz_power_close(power);
}

static void two_batteries_take_turns(void **state) {
    (void)state;
    put_battery(BAT0, "Not charging\n");
    put_battery("class/power_supply/BAT1", "Discharging\n");
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.watts, 9.2, 1e-12, 0);
    assert_int_equal(reading.part_count, 2);
    nz_assert_near(part_of(&reading, "BAT0")->watts, 0, 0, 0);
    put_battery(BAT0, "Discharging\n");
    nz_assert_ok(nz_power_read(power, &reading));
    nz_assert_near(reading.watts, 18.4, 1e-12, 0);
    put_battery(BAT0, "Charging\n");
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "BAT0 is no longer discharging");
}

static void a_battery_that_does_not_feed_the_machine_alone_is_refused(void **state) {
    (void)state;
    put_battery(BAT0, "Full\n");
    nz_power_info info = probe("battery");
    assert_false(info.usable);
    assert_string_equal(info.reason, "BAT0 is not discharging (Full)");
    assert_string_equal(info.mend, "unplug the charger");
    put_battery(BAT0, "Discharging\n");
    put_in("class/power_supply/AC", "type", "Mains\n");
    put_in("class/power_supply/AC", "online", "1\n");
    info = probe("battery");
    assert_string_equal(info.reason, "the charger (AC) is plugged in: it feeds the machine too");
    put_in("class/power_supply/AC", "online", "0\n");
    put_in("class/power_supply/ucsi-source-psy", "type", "USB\n");
    put_in("class/power_supply/ucsi-source-psy", "online", "1\n");
    assert_has(probe("battery").reason, "the charger (ucsi-source-psy) is plugged in");
    put_in("class/power_supply/ucsi-source-psy", "scope", "Device\n"); /* a mouse's */
    assert_true(probe("battery").usable);
    put_in(BAT0, "current_now", "much\n");
    assert_has(probe("battery").reason, "BAT0 cannot be read: it holds no number");
    drop_in(BAT0, "current_now");
    assert_has(probe("battery").reason, "tells neither power nor current nor charge");
}

/* ---- Raspberry Pi 5 ---- */

/* What the firmware answers on such a board, numbers invented. */
static const char pi5_answer[] = "   3V7_WL_SW_A current(0)=0.00500000A\n"
                                 "   3V3_SYS_A current(1)=0.10000000A\n"
                                 "  VDD_CORE_A current(7)=1.25000000A\n"
                                 "   0V8_AON_A current(16)=0.00400000A\n"
                                 "   3V7_WL_SW_V volt(8)=3.70000000V\n"
                                 "   3V3_SYS_V volt(9)=3.30000000V\n"
                                 "  VDD_CORE_V volt(15)=0.72000000V\n"
                                 "   0V8_AON_V volt(19)=0.80000000V\n"
                                 "     EXT5V_V volt(24)=5.15000000V\n"
                                 "      BATT_V volt(25)=0.00000000V\n";
static const double pi5_watts = 0.005 * 3.7 + 0.1 * 3.3 + 1.25 * 0.72 + 0.004 * 0.8;

/* The words of a message: bytes, code, tag, bytes of the value, code of the tag, error, text. */
static const char *told;
static uint32_t told_code, told_tag_code, told_error;
static int answer(void *message) {
    uint32_t *words = message;
    assert_int_equal(words[0], 1048);
    assert_int_equal(words[1], 0);
    assert_int_equal(words[2], 0x00030080);
    assert_int_equal(words[3], 1024);
    assert_string_equal((char *)&words[6], "pmic_read_adc");
    assert_int_equal(words[261], 0); /* the end */
    words[1] = told_code;
    words[4] = told_tag_code;
    words[5] = told_error;
    strncpy((char *)&words[6], told, 1020);
    return 0;
}
static int answer_failing(void *message) {
    (void)message;
    return -EIO;
}

static void put_pi5(void) {
    fake.device_error = 0;
    fake.answer = answer;
    told = pi5_answer;
    told_code = 0x80000000u;
    told_tag_code = 0x80000000u | 1024;
    told_error = 0;
}

static void a_pi_5_adds_up_the_outputs_of_its_converter(void **state) {
    (void)state;
    put_pi5();
    nz_power *power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, NULL, &roots));
    assert_string_equal(nz_power_name(power), "pi5");
    assert_has(nz_power_scope(power), "not its own losses");
    assert_string_equal(nz_power_info_get(power)->detail, "4 rails of the converter, 5.15 V at its input");
    nz_assert_ok(nz_power_read(power, &reading));
    assert_false(reading.counts);
    nz_assert_near(reading.watts, pi5_watts, 1e-12, 0);
    assert_int_equal(reading.part_count, 4);
    nz_assert_near(part_of(&reading, "VDD_CORE")->watts, 0.9, 1e-12, 0);
    fake.answer = answer_failing;
    reading.watts = 42;
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "the firmware cannot be asked");
    fake.answer = answer;
    told = "";
    nz_assert_fails(nz_power_read(power, &reading), NZ_E_UNAVAILABLE, "no rail's current and voltage");
    assert_true(reading.watts == 42);
    nz_power_close(power);
    assert_int_equal(fake.open_files, 0);
}

static void a_board_that_is_no_pi_5_says_so(void **state) {
    (void)state;
    put_pi5();
    told = "error=1 error_msg=\"Command not registered\"";
    assert_has(probe("pi5").reason, "does not know 'pmic_read_adc' (only a Raspberry Pi 5");
    told = pi5_answer;
    told_error = 1;
    assert_has(probe("pi5").reason, "does not know");
    told_error = 0;
    told_code = 0x80000001u;
    assert_has(probe("pi5").reason, "has not answered (code 0x80000001)");
    told_code = 0x80000000u;
    told_tag_code = 0;
    assert_has(probe("pi5").reason, "has not answered");
    fake.device_error = EACCES;
    nz_power_info info = probe("pi5");
    assert_has(info.mend, "sudo usermod -aG video");
    fake.device_error = ENOENT;
    assert_has(probe("pi5").reason, "not a Raspberry Pi");
    put_proc("device-tree/model", "Raspberry Pi 5 Model B Rev 1.0");
    info = probe("pi5");
    assert_has(info.reason, "Raspberry Pi 5 Model B Rev 1.0 without /dev/vcio");
    assert_has(info.mend, "--device /dev/vcio");
    assert_int_equal(fake.open_files, 0);
}

static void malformed_answers_of_the_firmware_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"", "no rail's current and voltage"},
        {"X_V volt(1)=1.0V\n", "no rail's current and voltage"},
        {"X_A current(1)=1.0A\n", "X has a current and no voltage"},
        {"X_A current(1)=1.0A\nX_V volt(2)=1.0V\nX_A current(1)=1.0A\n", "a second time"},
        {"X_A current(1)=1.0V\n", "no value of its kind"},
        {"X_A current(1)=-1.0A\n", "no value of its kind"},
        {"X_A current(1)=1e9A\n", "no value of its kind"},
        {"X_A current(1)=nanA\n", "no value of its kind"},
        {"X_A current(1)=1.0\n", "no value of its kind"},
        {"X_A current(1)=1.0AA\n", "no value of its kind"},
        {"X_A current()=1.0A\n", "no value of its kind"},
        {"X_A current(1) 1.0A\n", "no value of its kind"},
        {"X_V current(1)=1.0A\n", "names no rail"},
        {"_A current(1)=1.0A\n", "names no rail"},
        {"X_A power(1)=1.0W\n", "neither a current nor a voltage"},
        {"rubbish\n", "neither a current nor a voltage"},
        {"a_name_that_is_longer_than_any_rail_can_be_A current(1)=1.0A\n", "names no rail"},
    };
    nz_pi5_rails rails = {.watts = 42};
    for (size_t i = 0; i < NZ_COUNT(cases); i++)
        nz_assert_fails(nz_pi5_parse(&rails, cases[i].text, strlen(cases[i].text)), NZ_E_FORMAT, cases[i].message);
    char many[4096] = "";
    for (int i = 0; i <= NZ_PI5_RAILS; i++) snprintf(many + strlen(many), 64, "R%d_V volt(1)=1.0V\n", i);
    nz_assert_fails(nz_pi5_parse(&rails, many, strlen(many)), NZ_E_FORMAT, "more than");
    nz_assert_fails(nz_pi5_parse(&rails, "X_A\0current", 11), NZ_E_FORMAT, "none of its own");
    assert_true(rails.watts == 42);
    /* Cut off anywhere, the whole answer is refused or holds the same rails. */
    for (size_t length = 0; length < strlen(pi5_answer); length++)
        if (nz_pi5_parse(&rails, pi5_answer, length) == NZ_OK) nz_assert_near(rails.watts, pi5_watts, 1e-12, 0);
    nz_assert_ok(nz_pi5_parse(&rails, pi5_answer, strlen(pi5_answer)));
    nz_assert_near(rails.input_volts, 5.15, 1e-12, 0);
}

/* ---- GPUs ---- */

/* The roots with the stand-in for NVIDIA's library, in one of its modes. */
static nz_roots fake_gpus(const char *mode) {
    const char *path = getenv("NETZIP_FAKE_NVML");
    if (!path || access(path, R_OK) != 0) nz_test_skip("NETZIP_FAKE_NVML names no library");
    assert_int_equal(setenv("NETZIP_FAKE_NVML_MODE", mode, 1), 0);
    nz_roots with = roots;
    with.nvml = path;
    return with;
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
    assert_int_equal(reading.part_count, 2);
    nz_assert_near(part_of(&reading, "GPU 1")->joules / part_of(&reading, "GPU 0")->joules, 7.0 / 5, 1e-9, 0);
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

static void a_counter_of_a_gpu_that_is_set_back_breaks_the_count(void **state) {
    (void)state;
    nz_roots with = fake_gpus("");
    AUTO_POWER power = NULL;
    nz_power_reading reading;
    nz_assert_ok(nz_power_open(&power, "nvml", &with));
    nz_assert_ok(nz_power_read(power, &reading));
    assert_int_equal(reading.breaks, 0);
    double before = reading.joules;
    assert_int_equal(setenv("NETZIP_FAKE_NVML_MODE", "back", 1), 0);
    nz_assert_ok(nz_power_read(power, &reading));
    assert_int_equal(reading.breaks, 2);
    nz_assert_near(reading.joules, before, 1e-12, 0);
}

static void a_driver_without_its_library_is_told_from_no_driver(void **state) {
    (void)state;
    assert_has(probe("nvml").reason, "no NVIDIA driver on this machine");
    put_proc("driver/nvidia/version", "NVRM version: NVIDIA UNIX x86_64 Kernel Module\n");
    assert_has(probe("nvml").reason, "--gpus all");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_machine_without_sources_says_so_for_each, begin),
        cmocka_unit_test_setup(a_jetson_orin_nx_has_a_rail_that_feeds_the_others, begin),
        cmocka_unit_test_setup(a_jetson_agx_orin_adds_three_rails_and_not_the_one_behind_them, begin),
        cmocka_unit_test_setup(rails_of_which_nothing_is_known_are_not_added, begin),
        cmocka_unit_test_setup(a_pi_4_with_one_sensor_gives_what_it_says, begin),
        cmocka_unit_test_setup(a_broken_sensor_is_named, begin),
        cmocka_unit_test_setup(a_servers_own_meter_tells_a_mean, begin),
        cmocka_unit_test_setup(counters_of_amd_sockets_are_added_and_cores_are_not, begin),
        cmocka_unit_test_setup(a_laptop_on_battery_gives_watts_until_it_charges_or_the_battery_vanishes, begin),
        cmocka_unit_test_setup(a_battery_that_tells_its_power_is_taken_at_its_word, begin),
        cmocka_unit_test_setup(a_battery_that_tells_only_what_is_left_counts_downwards, begin),
        cmocka_unit_test_setup(two_batteries_take_turns, begin),
        cmocka_unit_test_setup(a_battery_that_does_not_feed_the_machine_alone_is_refused, begin),
        cmocka_unit_test_setup(a_pi_5_adds_up_the_outputs_of_its_converter, begin),
        cmocka_unit_test_setup(a_board_that_is_no_pi_5_says_so, begin),
        cmocka_unit_test_setup(malformed_answers_of_the_firmware_are_refused, begin),
        cmocka_unit_test_setup(gpus_are_added_and_only_used_when_named, begin),
        cmocka_unit_test_setup(gpus_without_counters_give_momentary_power, begin),
        cmocka_unit_test_setup(a_counter_of_a_gpu_that_is_set_back_breaks_the_count, begin),
        cmocka_unit_test_setup(a_driver_without_its_library_is_told_from_no_driver, begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
