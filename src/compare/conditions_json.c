/* SPDX-License-Identifier: Apache-2.0 */
#include "compare/conditions_json.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "compare/intervals.h"
#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "core/text.h"
#include "netzip/blocks.h"
#include "netzip/measure.h"

/* What the tests of marks look at. */
typedef struct facts {
    const json_t *part, *conditions, *look, *energy, *machine;
    bool random_input;
} facts;

static double list_at(const json_t *list, size_t i) {
    const json_t *number = json_array_get(list, i);
    return json_is_number(number) ? json_number_value(number) : (double)NAN;
}

static double apart_pct(double one, double other) { return 100 * fabs(one / other - 1); }

/* The larger, where either may be unknown. */
static double larger(double a, double b) { return isnan(a) || b > a ? b : a; }

/* ---- what is measured against a limit: NaN and what is not known never mark ---- */

static double before_pct(const facts *f) { return nz_json_number_at(f->conditions, "before_pct"); }
static double others_pct(const facts *f) { return nz_json_number_at(f->conditions, "others_pct"); }
static double steal_pct(const facts *f) { return nz_json_number_at(f->conditions, "steal_pct"); }
static double throttled(const facts *f) { return nz_json_number_at(f->conditions, "throttled"); }
static double held_back(const facts *f) { return nz_json_number_at(f->conditions, "held_back_s"); }
static double swapped(const facts *f) { return nz_json_number_at(f->conditions, "swapped_pages"); }
static double from_disk(const facts *f) { return nz_json_number_at(f->conditions, "page_faults_major"); }
static double clock_overhead(const facts *f) { return nz_json_number_at(f->part, "clock_overhead_pct"); }

static double frequency_fall(const facts *f) {
    const json_t *mhz = json_object_get(f->conditions, "mhz");
    return 100 * (1 - list_at(mhz, 2) / list_at(mhz, 0));
}

static const char *governor_of(const json_t *machine) {
    const json_t *before = json_object_get(json_object_get(machine, "before"), "begin");
    const char *watched = nz_json_text_at(before, "governor");
    return *watched ? watched : nz_json_text_at(json_object_get(machine, "hardware"), "governor");
}

static double other_governor(const facts *f) {
    const char *governor = governor_of(f->machine);
    return *governor && strcmp(governor, "performance") != 0;
}

static double not_steady(const facts *f) {
    return json_is_false(json_object_get(json_object_get(f->part, "warmup"), "steady"));
}

static double rounds_of(const facts *f) { return (double)json_array_size(json_object_get(f->part, "rounds")); }
static double few_rounds(const facts *f) { return f->part && rounds_of(f) < NZ_BLOCKS_LEAST; }

/* To three digits, so that it is shown without an exponent however large it is. */
static double three_digits(double value) {
    if (!(value > 0) || !isfinite(value)) return value;
    double unit = pow(10, floor(log10(value)) - 2);
    return unit >= 1 ? round(value / unit) * unit : round(value / unit) / round(1 / unit);
}

static double too_wide(const facts *f) {
    return !(few_rounds(f) > 0) && json_is_false(json_object_get(f->look, "enough"))
               ? three_digits(nz_json_number_at(f->look, "width_pct"))
               : (double)NAN;
}

static double refused(const facts *f) { return json_is_true(json_object_get(f->conditions, "priority_refused")); }
static double random_input(const facts *f) { return f->part && f->random_input; }

/* Three ways to the joules of the windows, and two to their length for an inference, of which one is the latency that is told:
 * the largest difference. */
static double energy_apart(const facts *f) {
    const json_t *rounds = json_object_get(f->part, "rounds");
    double joules = nz_json_number_at(f->energy, "joules"), seconds = nz_json_number_at(f->energy, "seconds"),
           count = nz_json_number_at(f->energy, "count"), sum_j = 0, sum_s = 0, runs = 0, inside_s = 0;
    nz_energy energy = {.joules = joules,
                        .seconds = seconds,
                        .watts = nz_json_number_at(f->energy, "watts"),
                        .watts_mean_samples = nz_json_number_at(f->energy, "mean_samples_w")};
    nz_energy_doubt doubt;
    (void)nz_energy_check(&doubt, &energy);
    double worst = doubt.disagreement_pct;
    for (size_t r = 0; r < json_array_size(rounds); r++) {
        const json_t *round = json_array_get(rounds, r);
        sum_j += nz_json_number_at(round, "joules");
        sum_s += nz_json_number_at(round, "seconds");
        runs += nz_json_number_at(round, "runs");
        inside_s += nz_json_number_at(round, "mean_ns") * 1e-9 * nz_json_number_at(round, "runs");
    }
    if (!json_array_size(rounds)) return worst;
    worst = larger(worst, apart_pct(sum_j, joules));
    worst = larger(worst, apart_pct(sum_s / runs, seconds / count));
    return larger(worst, apart_pct(inside_s / runs, seconds / count));
}

static double gaps_pct(const facts *f) {
    return 100 * nz_json_number_at(f->energy, "gap_seconds") / nz_json_number_at(f->energy, "seconds");
}

/* How seldom, where that is too seldom for a round. */
static double seldom_s(const facts *f) {
    enum { LEAST_UPDATES = 10 };
    double update_s = nz_json_number_at(f->energy, "update_s"),
           round_s = nz_json_number_at(f->energy, "seconds") / rounds_of(f);
    return update_s * LEAST_UPDATES > round_s * 1.001 ? update_s : 0;
}

static double idle_apart(const facts *f) {
    const json_t *idle = json_object_get(f->energy, "idle_w");
    return apart_pct(list_at(idle, 1), list_at(idle, 0));
}

/* ---- the table ---- */

/* What a mark takes from the figures, the worst last. */
typedef enum harm {
    CERTAINTY, /* nothing: intervals are wider than wanted, or missing, and say so */
    FIGURES, /* times and powers themselves are other than on a machine at rest; models that take turns meet it alike */
    RATIOS   /* it may meet one model and not the other: ratios suffer too */
} harm;
static const char *const harm_names[] = {"certainty", "figures", "ratios"};

static const struct mark {
    const char *id;
    double (*value)(const facts *f);
    double limit; /* the mark is set above it */
    harm harm;
    const char *sentence; /* of one model; may show the value */
    const char *meaning;  /* of the mark */
} table[] = {
    {"busy_before", before_pct, 10, FIGURES, "the machine was %.0f%% busy before anything was measured",
     "the machine was more than 10% busy before anything was measured"},
    {"busy", others_pct, 5, FIGURES, "other programs used %.0f%% of the machine meanwhile",
     "other programs used more than 5% of the machine meanwhile"},
    {"steal", steal_pct, 1, FIGURES,
     "the hypervisor gave %.1f%% of the CPU time to others: times are too long by about as much",
     "the hypervisor gave more than 1% of the CPU time to others"},
    {"throttled", throttled, 0, FIGURES, "the CPU or the board lowered its clock %.0f times for heat or lack of power",
     "the CPU or the board lowered its clock for heat or lack of power"},
    {"frequency", frequency_fall, 5, FIGURES, "the clock rate fell by %.0f%% meanwhile",
     "the clock rate fell by more than 5% meanwhile"},
    {"governor", other_governor, 0, FIGURES, "the frequency governor is not 'performance': times vary more",
     "the frequency governor is not 'performance'"},
    {"quota", held_back, 0, RATIOS, "the CPU quota of the control group held processes back for %.2f s",
     "the CPU quota of the control group held processes back"},
    {"swap", swapped, 0, RATIOS, "the machine moved %.0f pages from or to swap meanwhile",
     "the machine used its swap meanwhile"},
    {"disk", from_disk, 0, RATIOS, "%.0f pages of the process had to be read from disk while it was timed",
     "pages of the process had to be read from disk while it was timed"},
    {"not_steady", not_steady, 0, RATIOS, "times were still changing when warming up had to end",
     "times were still changing when warming up had to end"},
    {"rounds", few_rounds, 0, CERTAINTY,
     "fewer than 5 rounds were measured: there is no interval (a longer --budget gives more)",
     "fewer than 5 rounds were measured"},
    {"width", too_wide, 0, CERTAINTY,
     "the widest 95%% interval of its group is %.12g%% wide: the budget ended before the wanted width",
     "the budget ended before intervals were as narrow as wanted"},
    {"clock_overhead", clock_overhead, 0.01, FIGURES, "reading the clock costs %.3f%% of the measured time",
     "reading the clock costs more than 0.01% of the measured time"},
    {"priority", refused, 0, FIGURES, "the priority that was asked for was refused",
     "the priority that was asked for was refused"},
    {"energy_disagrees", energy_apart, 1, RATIOS, "joules, watts and seconds disagree by %.2g%%",
     "joules, watts and seconds disagree by more than 1%"},
    {"energy_gaps", gaps_pct, 1, RATIOS, "%.2g%% of the time that joules were measured in has no samples of power",
     "more than 1% of the time that joules were measured in has no samples of power"},
    {"energy_coarse", seldom_s, 0, RATIOS,
     "the power source had a new value only every %.2g s: longer blocks (--block) hold enough of them",
     "the power source had fewer than 10 new values in a round"},
    {"idle_changed", idle_apart, 10, RATIOS, "idle power changed by %.0f%% from before to after",
     "idle power changed by more than 10% from before to after"},
    {"random_input", random_input, 0, FIGURES, "timed with random input", "timed with random input instead of samples"},
};

bool nz_condition_mark(size_t i, const char **ret_id, const char **ret_meaning) {
    if (i >= NZ_COUNT(table)) return false;
    *ret_id = table[i].id;
    *ret_meaning = table[i].meaning;
    return true;
}

static bool holds_text(const json_t *list, const char *text) {
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *own = json_string_value(json_array_get(list, i));
        if (own && strcmp(own, text) == 0) return true;
    }
    return false;
}

static int add_once(json_t *list, const char *text) {
    return holds_text(list, text) ? 0 : json_array_append_new(list, nz_json_string(text));
}

/* "harm": what the worst of the marks takes. */
static int add_harm(json_t *conditions, const json_t *marks) {
    int worst = -1;
    for (size_t i = 0; i < NZ_COUNT(table); i++)
        if (holds_text(marks, table[i].id) && (int)table[i].harm > worst) worst = (int)table[i].harm;
    return worst < 0 ? 0 : json_object_set_new(conditions, "harm", json_string(harm_names[worst]));
}

static int add_marks(json_t *marks, json_t *texts, const facts *f, const char *prefix) {
    int failed = 0;
    for (size_t i = 0; i < NZ_COUNT(table); i++) {
        double value = table[i].value(f);
        char sentence[200], text[256];
        if (!(value > table[i].limit)) continue;
        nz_snprintf(sentence, sizeof sentence, table[i].sentence, value);
        nz_snprintf(text, sizeof text, "%s%s", holds_text(marks, table[i].id) ? prefix : "", sentence);
        bool repeated = holds_text(texts, sentence); /* such as a governor: the same for both sessions */
        failed |= add_once(marks, table[i].id);
        if (!repeated) failed |= add_once(texts, text);
    }
    return failed;
}

static facts facts_of(const json_t *part, const json_t *machine, bool random) {
    return (facts){.part = part,
                   .conditions = json_object_get(part, "conditions"),
                   .look = json_object_get(part, "look"),
                   .energy = json_object_get(part, "energy"),
                   .machine = machine,
                   .random_input = random};
}

/* ---- numbers ---- */

static int copy(json_t *to, const json_t *from, const char *key) {
    json_t *value = json_object_get(from, key);
    return value ? json_object_set(to, key, value) : 0;
}

static int add_numbers(json_t *json, const facts *f) {
    static const char *const of_part[] = {"race",   "samples", "bunch", "clock_overhead_pct", "loop_overhead_pct",
                                          "warmup", "outliers"};
    static const char *const of_energy[] = {"power",      "scope",    "joules",      "seconds", "samples",
                                            "interval_s", "update_s", "gap_seconds", "parts"};
    static const char *const of_look[] = {"wanted_pct", "width_pct", "confidence", "looks"};
    const char *key;
    json_t *value;
    int failed = json_object_set_new(json, "rounds", json_integer((json_int_t)rounds_of(f)));
    for (size_t i = 0; i < NZ_COUNT(of_part); i++) failed |= copy(json, f->part, of_part[i]);
    for (size_t i = 0; i < NZ_COUNT(of_look); i++) failed |= copy(json, f->look, of_look[i]);
    double single_clock = nz_timing_single_clock_pct(f->part);
    if (!isnan(single_clock)) failed |= json_object_set_new(json, "single_clock_pct", nz_json_real(single_clock));
    json_object_foreach((json_t *)(uintptr_t)f->conditions, key, value) failed |= json_object_set(json, key, value);
    if (!f->energy) return failed;
    json_t *power = json_object();
    for (size_t i = 0; i < NZ_COUNT(of_energy); i++) failed |= copy(power, f->energy, of_energy[i]);
    failed |= json_object_set_new(json, "power", power);
    return failed | json_object_set_new(json, "energy_disagreement_pct", nz_json_real(energy_apart(f)));
}

json_t *nz_conditions_json(const json_t *timing, const json_t *batch, const json_t *machine, bool random) {
    NZ_AUTO_JSON json_t *json = json_object();
    json_t *marks = json_array(), *texts = json_array();
    const char *governor = governor_of(machine);
    facts f = facts_of(timing, machine, random), b = facts_of(batch, machine, random);
    int failed = json_object_set_new(json, "marks", marks);
    failed |= json_object_set_new(json, "texts", texts);
    if (failed || !timing) return failed ? NULL : NZ_STEAL(json);
    failed |= json_object_set_new(json, "governor", *governor ? nz_json_string(governor) : json_null());
    failed |= add_numbers(json, &f) | add_marks(marks, texts, &f, "");
    if (batch) {
        json_t *own = json_object();
        failed |= json_object_set_new(json, "batch_session", own);
        failed |= add_numbers(own, &b) | add_marks(marks, texts, &b, "at its batch: ");
    }
    failed |= add_harm(json, marks);
    return failed ? NULL : NZ_STEAL(json);
}

/* ---- the run ---- */

static json_t *marked_models(const json_t *models, const char *id) {
    json_t *ids = json_array();
    for (size_t m = 0; m < json_array_size(models); m++) {
        const json_t *model = json_array_get(models, m);
        const json_t *marks = json_object_get(json_object_get(model, "conditions"), "marks");
        if (holds_text(marks, id)) json_array_append_new(ids, nz_json_string(nz_json_text_at(model, "id")));
    }
    return ids;
}

/* "all models", or the first few by name. */
static int warn(json_t *warnings, const json_t *ids, size_t models, const char *meaning) {
    enum { SHOWN = 4 };
    NZ_AUTO(nz_text_done) nz_text text = {0};
    size_t count = json_array_size(ids);
    if (count == models) {
        nz_text_append(&text, models == 1 ? "the model" : "all models");
    } else {
        for (size_t i = 0; i < count && i < SHOWN; i++)
            nz_text_appendf(&text, "%s%s", i ? ", " : "", json_string_value(json_array_get(ids, i)));
        if (count > SHOWN) nz_text_appendf(&text, " and %zu more", count - SHOWN);
    }
    nz_text_appendf(&text, ": %s", meaning);
    return text.status == NZ_OK ? add_once(warnings, text.data) : -1;
}

/* The run warns of these in words that say more: which governor, what would permit the priority. */
static bool is_told(const char *id) { return strcmp(id, "governor") == 0 || strcmp(id, "priority") == 0; }

json_t *nz_conditions_run_json(const json_t *models, json_t *warnings) {
    NZ_AUTO_JSON json_t *list = json_array();
    int failed = !list;
    for (size_t i = 0; i < NZ_COUNT(table); i++) {
        NZ_AUTO_JSON json_t *ids = marked_models(models, table[i].id);
        if (!json_array_size(ids)) continue;
        if (!is_told(table[i].id)) failed |= warn(warnings, ids, json_array_size(models), table[i].meaning);
        failed |=
            json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:O}", "id", table[i].id, "text", table[i].meaning,
                                                  "harm", harm_names[table[i].harm], "models", ids));
    }
    return failed ? NULL : NZ_STEAL(list);
}
