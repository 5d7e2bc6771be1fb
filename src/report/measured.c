/* SPDX-License-Identifier: Apache-2.0 */
/* How it was measured: what a reader has to know to believe the figures, or not to. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "report/escape.h"
#include "report/grid.h"
#include "report/number.h"

enum { MACHINES_MOST = 12 };

static double number_of(const json_t *object, const char *key) { return nz_json_number_at(object, key); }

/* "4,210 / 4,180 / 4,010" of before, after and the extreme between; "" where nothing is known. */
static void put_triple(nz_text *out, const json_t *triple, int decimals) {
    bool any = false;
    for (size_t i = 0; i < 3; i++) any = any || json_is_number(json_array_get(triple, i));
    for (size_t i = 0; any && i < 3; i++) {
        const json_t *value = json_array_get(triple, i);
        nz_text_append(out, i ? " / " : "");
        if (json_is_number(value))
            nz_put_fixed(out, json_number_value(value), decimals);
        else
            nz_text_append(out, "\xe2\x80\x93");
    }
}

/* "2.69 (1)": reached and wanted. */
static void put_width(nz_text *out, const json_t *conditions) {
    double reached = number_of(conditions, "width_pct"), wanted = number_of(conditions, "wanted_pct");
    if (!isnan(reached)) nz_put_fixed(out, reached, 2);
    if (isnan(wanted)) return;
    nz_text_append(out, isnan(reached) ? "\xe2\x80\x93 (" : " (");
    nz_put_number(out, wanted);
    nz_text_append(out, ")");
}

static void put_warmup(nz_text *out, const json_t *warmup) {
    double seconds = number_of(warmup, "seconds");
    const json_t *steady = json_object_get(warmup, "steady");
    if (isnan(seconds)) return;
    nz_put_fixed(out, seconds, seconds < 10 ? 2 : 0);
    nz_text_append(out, json_is_true(steady) ? " s, steady" : json_is_false(steady) ? " s, not steady" : " s");
}

static void put_outliers(nz_text *out, const json_t *outliers) {
    double count = number_of(outliers, "count"), of = number_of(outliers, "of"),
           slowest = number_of(outliers, "slowest_ms");
    if (isnan(count)) return;
    nz_put_fixed(out, count, 0);
    if (of > 0) {
        nz_text_append(out, " of ");
        nz_put_fixed(out, of, 0);
    }
    if (count > 0 && !isnan(slowest)) nz_text_appendf(out, ", slowest %.3g ms", slowest);
}

static void put_slowdowns(nz_text *out, const json_t *conditions) {
    double throttled = number_of(conditions, "throttled"), held = number_of(conditions, "held_back_s");
    if (throttled > 0) nz_text_appendf(out, "%.0f times", throttled);
    if (held > 0.005) nz_text_appendf(out, "%sheld back %.2f s", throttled > 0 ? ", " : "", held);
    if (!out->length && !isnan(throttled)) nz_text_append(out, "no");
}

static void add_percent(nz_grid *grid, const json_t *conditions, const char *key, int decimals) {
    nz_text cell = {0};
    double value = number_of(conditions, key);
    if (!isnan(value)) nz_put_fixed(&cell, value, decimals);
    nz_grid_take(grid, &cell);
}

static void add_model(nz_grid *grid, const nz_view_row *row) {
    const json_t *c = row->conditions, *cpus = json_object_get(c, "cpus");
    nz_text cell = {0};
    nz_put_short(&cell, row->label, 48);
    nz_grid_take(grid, &cell);
    nz_grid_number(grid, number_of(c, "rounds"), 6);
    put_width(&cell, c);
    nz_grid_take(grid, &cell);
    put_warmup(&cell, json_object_get(c, "warmup"));
    nz_grid_take(grid, &cell);
    nz_grid_number(grid, number_of(c, "bunch"), 6);
    nz_put_clean(&cell, json_is_string(cpus) ? json_string_value(cpus) : "");
    nz_grid_take(grid, &cell);
    add_percent(grid, c, "before_pct", 0);
    add_percent(grid, c, "others_pct", 1);
    add_percent(grid, c, "steal_pct", 1);
    put_triple(&cell, json_object_get(c, "mhz"), 0);
    nz_grid_take(grid, &cell);
    put_triple(&cell, json_object_get(c, "temperature_c"), 0);
    nz_grid_take(grid, &cell);
    put_slowdowns(&cell, c);
    nz_grid_take(grid, &cell);
    put_outliers(&cell, json_object_get(c, "outliers"));
    nz_grid_take(grid, &cell);
    add_percent(grid, c, "clock_overhead_pct", 4);
    add_percent(grid, json_object_get(row->json, "layers_total"), "pct", 1);
    nz_put_clean(&cell, row->mark_ids);
    nz_grid_take(grid, &cell);
}

void nz_measured_models(nz_grid *ret_grid, const nz_view *view) {
    static const char *const headings[] = {"Model",
                                           "Rounds",
                                           "Interval width, wanted (%)",
                                           "Warm-up",
                                           "Bunch",
                                           "CPUs",
                                           "Busy before (%)",
                                           "Others meanwhile (%)",
                                           "Stolen (%)",
                                           "MHz before / after / least",
                                           "\302\260C before / after / most",
                                           "Throttled",
                                           "Beyond 1.5 medians (kept)",
                                           "Clock reading (%)",
                                           "Layers' sum (% of the whole)",
                                           "Marks"};
    *ret_grid = (nz_grid){.columns = NZ_COUNT(headings), .texts = 1u, .title = "Each model"};
    ret_grid->note =
        "Width: of the widest 95% interval when measuring ended. Bunch: inferences between two readings of the clock. "
        "Others: what other programs used of the machine while this model was measured.";
    bool any = false;
    for (size_t r = 0; r < view->row_count; r++) any = any || !isnan(number_of(view->rows[r].conditions, "rounds"));
    if (!any) return;
    for (size_t i = 0; i < NZ_COUNT(headings); i++) nz_grid_add(ret_grid, headings[i]);
    for (size_t r = 0; r < view->row_count; r++)
        if (view->rows[r].conditions && !view->rows[r].failed) add_model(ret_grid, &view->rows[r]);
}

/* ---- machines ---- */

static const json_t *member(const json_t *object, const char *a, const char *b) {
    return json_object_get(json_object_get(object, a), b);
}

static void put_string(nz_text *out, const json_t *json) {
    if (json_is_string(json)) nz_put_clean(out, json_string_value(json));
}

static void put_host(nz_text *out, const json_t *machine) { put_string(out, json_object_get(machine, "host")); }

static void put_target(nz_text *out, const json_t *machine) { put_string(out, json_object_get(machine, "target")); }

static void put_cpu(nz_text *out, const json_t *machine) {
    const json_t *hardware = json_object_get(machine, "hardware");
    double usable = number_of(hardware, "cpus_usable");
    put_string(out, json_object_get(hardware, "cpu"));
    if (!isnan(usable)) nz_text_appendf(out, "%s%.0f CPUs usable", out->length ? ", " : "", usable);
    if (json_is_string(json_object_get(hardware, "virtualised"))) nz_text_append(out, ", virtual machine");
}

static void put_isa(nz_text *out, const json_t *machine) { put_string(out, member(machine, "hardware", "isa")); }

static void put_governor(nz_text *out, const json_t *machine) {
    const json_t *governor = member(machine, "hardware", "governor");
    put_string(out, governor);
    if (!out->length) nz_text_append(out, "none to be seen");
}

static void put_clock(nz_text *out, const json_t *machine) {
    const json_t *clock = json_object_get(machine, "clock");
    double step = number_of(clock, "resolution_ns"), cost = number_of(clock, "overhead_ns");
    put_string(out, json_object_get(clock, "name"));
    if (!isnan(step)) nz_text_appendf(out, ", steps of %.0f ns", step);
    if (!isnan(cost)) nz_text_appendf(out, ", %.0f ns a reading", cost);
}

static void put_noise(nz_text *out, const json_t *machine) {
    const json_t *noise = json_object_get(machine, "noise");
    double median = number_of(noise, "median_ns"), spread = number_of(noise, "spread_pct"),
           worst = number_of(noise, "worst_pct");
    if (isnan(spread)) return;
    nz_text_append(out, "a fixed piece of work");
    if (!isnan(median)) nz_text_appendf(out, " of %.0f us", median / 1000);
    nz_text_append(out, " varies by ");
    nz_put_fixed(out, spread, 1);
    nz_text_append(out, "%");
    if (worst > 1000) { /* percent say little there */
        nz_text_append(out, " (the slowest took ");
        nz_put_fixed(out, 1 + worst / 100, 0);
        nz_text_append(out, " times as long)");
    } else if (!isnan(worst)) {
        nz_text_append(out, " (worst +");
        nz_put_fixed(out, worst, 0);
        nz_text_append(out, "%)");
    }
}

static void put_power(nz_text *out, const json_t *machine) {
    const json_t *power = json_object_get(machine, "power");
    if (json_is_object(power)) {
        put_string(out, json_object_get(power, "name"));
        nz_text_append(out, ": ");
        put_string(out, json_object_get(power, "scope"));
    } else {
        nz_text_append(out, "none: ");
        put_string(out, json_object_get(machine, "power_reason"));
    }
}

static void put_rest(nz_text *out, const json_t *machine) {
    static const char *const when[] = {"before", "after"};
    for (int i = 0; i < 2; i++) {
        const json_t *watch = json_object_get(machine, when[i]);
        double busy = number_of(watch, "busy"), idle = number_of(watch, "idle"), steal = number_of(watch, "steal"),
               watts = number_of(json_object_get(watch, "energy"), "watts"), all = busy + idle + steal;
        if (!(all > 0)) continue;
        nz_text_appendf(out, "%s%s: %.0f%% busy", out->length ? "; " : "", when[i], 100 * busy / all);
        if (!isnan(watts)) nz_text_appendf(out, ", %.3g W", watts);
    }
}

static const struct {
    const char *title;
    void (*put)(nz_text *out, const json_t *machine);
} facts[] = {{"Machine", put_host},         {"Reached as", put_target},  {"CPU", put_cpu},
             {"Instruction sets", put_isa}, {"Governor", put_governor},  {"Clock", put_clock},
             {"Noise floor", put_noise},    {"Power source", put_power}, {"Nobody computing", put_rest}};

void nz_measured_machines(nz_grid *ret_grid, const nz_view *view) {
    size_t count = json_array_size(view->machines);
    if (count > MACHINES_MOST) count = MACHINES_MOST;
    *ret_grid = (nz_grid){.columns = count + 1, .texts = UINT32_MAX, .title = "Each machine", .note = ""};
    for (size_t f = 0; count && f < NZ_COUNT(facts); f++) {
        nz_grid_add(ret_grid, facts[f].title);
        for (size_t m = 0; m < count; m++) {
            nz_text cell = {0};
            facts[f].put(&cell, json_array_get(view->machines, m));
            nz_grid_take(ret_grid, &cell);
        }
    }
}

void nz_measured_noise(nz_text *out, const nz_view *view) {
    size_t count = json_array_size(view->machines);
    for (size_t m = 0; m < count && m < MACHINES_MOST; m++) {
        nz_text noise = {0};
        put_noise(&noise, json_array_get(view->machines, m));
        if (noise.length) {
            nz_text_append(out, out->length ? "\nNoise floor of " : "Noise floor of ");
            put_host(out, json_array_get(view->machines, m));
            nz_text_append(out, ": ");
            nz_text_append(out, noise.data);
            nz_text_append(out, ".");
        }
        if (noise.status != NZ_OK) out->status = noise.status;
        nz_text_done(&noise);
    }
}

/* ---- energy and counters ---- */

enum { METRICS_MOST = 10 };

/* The columns of these metrics that have a value somewhere. */
static size_t columns_of(size_t ret_columns[METRICS_MOST], const nz_view *view, const char *const *ids, size_t count) {
    size_t found = 0;
    for (size_t i = 0; i < count && found < METRICS_MOST; i++) {
        size_t c = nz_view_column_find(view, ids[i]);
        if (c < view->column_count && view->columns[c].available > 0) ret_columns[found++] = c;
    }
    return found;
}

static void add_headings(nz_grid *grid, const nz_view *view, const size_t *columns, size_t count) {
    nz_grid_add(grid, "Model");
    for (size_t i = 0; i < count; i++) {
        nz_text cell = {0};
        nz_put_heading(&cell, &view->columns[columns[i]]);
        nz_grid_take(grid, &cell);
    }
}

static void add_values(nz_grid *grid, const nz_view *view, size_t row, const size_t *columns, size_t count) {
    nz_text cell = {0};
    nz_put_short(&cell, view->rows[row].label, 48);
    nz_grid_take(grid, &cell);
    for (size_t i = 0; i < count; i++) {
        const nz_view_cell *value = nz_view_at(view, row, columns[i]);
        const nz_view_column *column = &view->columns[columns[i]];
        if (!isnan(value->value)) nz_put_value(&cell, column, value->value);
        if (value->has_ci) {
            nz_text_append(&cell, " [");
            nz_put_value(&cell, column, value->ci95[0]);
            nz_text_append(&cell, ", ");
            nz_put_value(&cell, column, value->ci95[1]);
            nz_text_append(&cell, "]");
        }
        nz_grid_take(grid, &cell);
    }
}

/* The power source of the machine that a row was measured on. */
static void add_source(nz_grid *grid, const nz_view *view, size_t row) {
    nz_text cell = {0};
    for (size_t m = 0; m < json_array_size(view->machines); m++) {
        const json_t *machine = json_array_get(view->machines, m), *power = json_object_get(machine, "power");
        bool its =
            json_array_size(view->machines) == 1 || strcmp(nz_json_text_at(machine, "host"), view->rows[row].host) == 0;
        if (!its || !json_is_object(power) || cell.length) continue;
        put_string(&cell, json_object_get(power, "name"));
        nz_text_append(&cell, ": ");
        put_string(&cell, json_object_get(power, "scope"));
    }
    nz_grid_take(grid, &cell);
}

void nz_measured_energy(nz_grid *ret_grid, const nz_view *view) {
    static const char *const ids[] = {"energy_j",    "energy_net_j", "power_w",
                                      "power_max_w", "idle_power_w", "energy_estimated_j"};
    size_t columns[METRICS_MOST], count = columns_of(columns, view, ids, NZ_COUNT(ids)),
                                  energy = nz_view_column_find(view, "energy_j");
    *ret_grid = (nz_grid){.columns = count + 2, .texts = 1u | 1u << (count + 1), .title = "Energy and power"};
    ret_grid->note = "Of an inference: all that the source measured while the model ran (gross), and above what the "
                     "machine draws when "
                     "nobody computes. An estimate is a model of joules per operation, not a measurement.";
    if (energy == view->column_count || view->columns[energy].available == 0) return;
    add_headings(ret_grid, view, columns, count);
    nz_grid_add(ret_grid, "Source");
    for (size_t r = 0; r < view->row_count; r++) {
        if (view->rows[r].failed) continue;
        add_values(ret_grid, view, r, columns, count);
        add_source(ret_grid, view, r);
    }
}

void nz_measured_counters(nz_grid *ret_grid, const nz_view *view) {
    static const char *const ids[] = {"instructions", "cycles",        "instructions_per_cycle", "cache_references",
                                      "cache_misses", "branch_misses", "context_switches",       "page_faults"};
    size_t columns[METRICS_MOST], count = columns_of(columns, view, ids, NZ_COUNT(ids));
    *ret_grid = (nz_grid){.columns = count + 1, .texts = 1, .title = "Counted, of an inference"};
    ret_grid->note =
        "Counts repeat where times do not: the same model and library give the same instructions on a busy machine.";
    if (!count) return;
    add_headings(ret_grid, view, columns, count);
    for (size_t r = 0; r < view->row_count; r++)
        if (!view->rows[r].failed) add_values(ret_grid, view, r, columns, count);
}

/* ---- the page ---- */

static void put_marked(nz_text *out, const nz_view *view) {
    if (view->marked)
        nz_text_append(out, "<p class=warn>" NZ_DAGGER
                            " was measured under conditions that speak against it; " NZ_DOUBLE_DAGGER
                            " is less sure than was wanted:</p>\n<ul class=notes>");
    for (size_t r = 0; r < view->row_count; r++) {
        nz_text line = {0};
        nz_view_put_marks(&line, view, r);
        if (line.data) {
            nz_text_append(out, "<li><bdi>");
            nz_put_html(out, line.data);
            nz_text_append(out, "</bdi></li>");
        }
        nz_text_done(&line);
    }
    if (view->marked) nz_text_append(out, "</ul>\n");
}

void nz_measured_put_html(nz_text *out, const nz_view *view) {
    static void (*const fill[])(nz_grid *, const nz_view *) = {nz_measured_machines, nz_measured_models,
                                                               nz_measured_energy, nz_measured_counters};
    NZ_AUTO(nz_text_done) nz_text tables = {0};
    for (size_t i = 0; i < NZ_COUNT(fill); i++) {
        NZ_AUTO_GRID nz_grid grid = {0};
        fill[i](&grid, view);
        nz_grid_put(&tables, &grid, NZ_GRID_HTML);
    }
    if (tables.status != NZ_OK) out->status = tables.status;
    if (!tables.data) return;
    nz_text_append(out, "<h2 id=measured>How it was measured</h2>\n");
    put_marked(out, view);
    nz_text_append(out, tables.data);
}
