/* SPDX-License-Identifier: Apache-2.0 */
/* Reports say how sure their figures are: intervals, words, marks of bad conditions, the noise floor, other machines, an
 * earlier run. */
#include "core/error.h"
#include "core/json.h"
#include "core/memory.h"
#include "netzip/report.h"
#include "report/grid.h"
#include "report/number.h"
#include "report/page.h"
#include "report/summary.h"
#include "report/table.h"
#include "test.h"

/* ' stands for " so that documents can be read. */
static json_t *parse(const char *text) {
    NZ_AUTO_FREE char *copy = NULL;
    nz_assert_ok(nz_strdup(&copy, text));
    for (char *p = copy; *p; p++)
        if (*p == '\'') *p = '"';
    json_error_t error;
    json_t *json = json_loads(copy, 0, &error);
    if (!json) fail_msg("%s: %s", text, error.text);
    return json;
}

static void view_of(nz_view *view, const char *text) {
    NZ_AUTO_JSON json_t *json = parse(text);
    nz_assert_ok(nz_view_init(view, json, "test"));
}

#define LATENCY(v, more) "'latency_ms':{'value':" v ",'unit':'ms','better':'lower','source':'measured'" more "}"
#define RATIO(v, ci) ",'ratio':{'value':" v ",'ci95':" ci ",'difference':'better','against':'A'}"
#define MODEL(id, name, host, metrics, more)                                                                           \
    "{'id':'" id "','name':'" name "','baseline':'A','status':'ok','variant':{'host':'" host "'},'metrics':{" metrics  \
    "}" more "}"
#define MARKED                                                                                                         \
    ",'conditions':{'marks':['busy','<b>'],'texts':['other programs used 40%','<script>x</script>'],'rounds':31,"      \
    "'width_pct':2.7,'wanted_pct':1,'warmup':{'seconds':0.5,'steady':false},'mhz':[2400,2300,1500],"                   \
    "'outliers':{'count':3,'of':900,'slowest_ms':4.2},'cpus':'0-1'},'layers_total':{'pct':99.5}"
#define MACHINES                                                                                                       \
    "'machines':[{'host':'vm','target':'local','noise':{'median_ns':47000,'spread_pct':0.6,'worst_pct':12}}]"

static const char three[] =
    "{'schema':'netzip.results/1','run':{'marks':[{'id':'busy','text':'other programs used "
    "it','models':['B']}]}," MACHINES
    ",'ocs_rank':[{'group':'native/t1/b1','text':'B wins while it may.'}],'models':[" MODEL(
        "A", "A", "vm", LATENCY("2", ""),
        "") "," MODEL("B", "B", "vm", LATENCY("1", RATIO("2.0", "[1.9,2.1]")),
                      MARKED ",'ratios':{'performance':{'value':0.99,'of':'top1','ci95':[0.97,1.01]}},'ocs':{'value':4."
                             "5,'ci95':[4.2,4.8]}") "," MODEL("C", "C", "vm",
                                                              LATENCY("2.01", RATIO("0.995", "[0.98,1.01]")), "") "]}";

static void intervals_are_read(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    view_of(&view, three);
    size_t c = nz_view_column_find(&view, "latency_ms");
    const nz_view_gain *gain = &nz_view_at(&view, 1, c)->gain;
    assert_true(gain->has_ci);
    nz_assert_near(gain->value, 2, 0, 0);
    nz_assert_near(gain->ci95[1], 2.1, 0, 0);
    assert_int_equal(gain->difference, NZ_BETTER);
    /* The interval decides, whatever word the document wrote beside it. */
    assert_int_equal(nz_view_at(&view, 2, c)->gain.difference, NZ_INDISTINGUISHABLE);
    nz_assert_nan(nz_view_at(&view, 0, c)->gain.value);
    assert_true(view.rows[1].ratios[0].gain.has_ci);
    assert_int_equal(view.rows[1].ratios[0].gain.difference, NZ_INDISTINGUISHABLE);
    assert_true(view.rows[1].has_ocs_ci && !view.rows[2].has_ocs_ci);
}

static void what_is_noise_follows_the_rounds(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    view_of(&view, three);
    size_t c = nz_view_column_find(&view, "latency_ms");
    assert_int_equal(nz_summary_change(&view.columns[c], nz_view_at(&view, 0, c), nz_view_at(&view, 1, c)),
                     NZ_CHANGE_GAIN);
    assert_int_equal(nz_summary_change(&view.columns[c], nz_view_at(&view, 0, c), nz_view_at(&view, 2, c)),
                     NZ_CHANGE_NOISE);
}

static void marks_stand_behind_names(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    view_of(&view, three);
    assert_int_equal(view.marked, 1);
    assert_string_equal(view.rows[0].label, "A");
    assert_string_equal(view.rows[1].label, "B" NZ_DAGGER);
    assert_string_equal(view.rows[1].name, "B");
    assert_string_equal(view.rows[1].mark_ids, "busy <b>");
    assert_non_null(strstr(view.rows[1].marks, "other programs used 40%"));
    assert_non_null(strstr(view.mark_note, "other programs used it"));
    assert_non_null(strstr(view.mark_foot, "busy"));
}

/* Less sure than wanted is another sign than spoilt; a file of a plot has neither in its name. */
static void wide_intervals_have_a_sign_of_their_own(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    view_of(
        &view,
        "{'schema':'netzip.results/1','run':{'marks':[{'id':'busy','harm':'figures','text':'busy'},"
        "{'id':'width','harm':'certainty','text':'wide'}]},'models':[" MODEL(
            "A", "A", "vm", LATENCY("2", ""),
            ",'conditions':{'marks':['width'],'texts':['it is 3% wide'],'harm':'certainty'}") "," MODEL("B", "B", "vm",
                                                                                                        LATENCY(
                                                                                                            "1",
                                                                                                            RATIO(
                                                                                                                "2.0",
                                                                                                                "[1.9,"
                                                                                                                "2."
                                                                                                                "1]")),
                                                                                                        ",'conditions':"
                                                                                                        "{'marks':['"
                                                                                                        "busy','width']"
                                                                                                        ",'texts':['"
                                                                                                        "others used "
                                                                                                        "40%'],'harm':'"
                                                                                                        "figures'}") "]"
                                                                                                                     "}");
    assert_string_equal(view.rows[0].label, "A" NZ_DOUBLE_DAGGER);
    assert_string_equal(view.rows[1].label, "B" NZ_DAGGER);
    assert_string_equal(view.mark_foot, NZ_DAGGER " bad conditions (busy); " NZ_DOUBLE_DAGGER
                                                  " less sure than wanted (width): see How it was measured");
    NZ_AUTO(nz_text_done) nz_text line = {0}, other = {0};
    nz_view_put_marks(&line, &view, 0);
    nz_view_put_marks(&other, &view, 1);
    assert_non_null(strstr(line.data, "The figures are right"));
    assert_non_null(strstr(other.data, "ratios suffer less"));
    nz_assert_ok(nz_plots_draw(&plots, &view));
    for (size_t i = 0; i < plots.count; i++)
        if (strstr(plots.items[i].slug, "---")) fail_msg("%s", plots.items[i].slug);
}

static void a_narrow_interval_has_two_ends(void **state) {
    (void)state;
    NZ_AUTO(nz_text_done) nz_text text = {0};
    nz_put_ends(&text, (const double[]){0.9953, 1.0044});
    assert_string_equal(text.data, "[0.9953, 1.0044]");
}

/* Groups of one verdict are told together, and named where others differ. */
static void verdicts_are_told_once(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO(nz_text_done) nz_text first = {0}, second = {0}, third = {0};
    view_of(&view,
            "{'schema':'netzip.results/1','ocs_rank':[{'group':'t1','text':'B wins.'},{'group':'t2','text':'A wins.'},"
            "{'group':'t4','text':'B wins.'}],'models':[" MODEL("A", "A", "vm", LATENCY("2", ""), "") "]}");
    nz_view_put_rank(&first, &view, 0);
    nz_view_put_rank(&second, &view, 1);
    nz_view_put_rank(&third, &view, 2);
    assert_string_equal(first.data, "t1, t4: B wins.");
    assert_string_equal(second.data, "t2: A wins.");
    assert_int_equal(third.length, 0);
}

/* A reason that several models share is one note. */
static void a_shared_reason_is_one_note(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_NOTES nz_table_notes notes = {0};
#define NO_LATENCY                                                                                                     \
    "'latency_ms':{'value':null,'unit':'ms','better':'lower','source':'unavailable','reason':'not timed'}"
    view_of(&view, "{'schema':'netzip.results/1','models':[" MODEL("A", "A", "vm", LATENCY("2", ""), "") "," MODEL(
                       "B", "B", "vm", NO_LATENCY, "") "," MODEL("C", "C", "vm", NO_LATENCY, "") "]}");
    nz_table_notes_get(&notes, &view);
    size_t found = 0;
    for (size_t i = 0; i < notes.count; i++) found += strstr(notes.lines[i], "not timed") != NULL;
    assert_int_equal(found, 1);
    assert_non_null(strstr(notes.lines[0], "B, C: no Latency: not timed"));
}

static void texts_of(char **ret, const char *document, nz_report_table_form form) {
    NZ_AUTO_FREE char *copy = NULL;
    nz_assert_ok(nz_strdup(&copy, document));
    for (char *p = copy; *p; p++)
        if (*p == '\'') *p = '"';
    nz_assert_ok(nz_report_table(ret, copy, form));
}

static void every_table_has_marks_noise_and_words(void **state) {
    (void)state;
    for (nz_report_table_form form = NZ_TABLE_TEXT; form <= NZ_TABLE_CSV; form++) {
        NZ_AUTO_FREE char *text = NULL;
        texts_of(&text, three, form);
        if (form == NZ_TABLE_CSV) {
            assert_non_null(strstr(text, "latency_ms_ratio,latency_ms_ratio_ci95_low,latency_ms_ratio_ci95_high,"));
            assert_non_null(strstr(text, ",2,1.9,2.1,better"));
            assert_non_null(strstr(text, ",0.995,0.98,1.01,indistinguishable"));
            assert_non_null(strstr(text, ",4.2,4.8,busy <b>,"));
            continue;
        }
        assert_non_null(strstr(text, NZ_DAGGER));
        assert_non_null(strstr(text, "other programs used 40"));
        assert_non_null(strstr(text, "Noise floor of vm"));
        assert_non_null(strstr(text, "indistinguishable"));
        assert_non_null(strstr(text, "B wins while it may."));
        assert_non_null(strstr(text, "2.00 "));
    }
}

static void the_page_says_how_it_was_measured(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    NZ_AUTO(nz_text_done) nz_text page = {0};
    view_of(&view, three);
    nz_assert_ok(nz_plots_draw(&plots, &view));
    nz_assert_ok(nz_page_put(&page, &view, &plots));
    static const char *const parts[] = {"<h2 id=measured>",
                                        "How sure the differences are",
                                        "Noise floor",
                                        "0.50 s, not steady",
                                        "2400 / 2300 / 1500",
                                        "3 of 900, slowest 4.2 ms",
                                        "2.70 (1)",
                                        "99.5",
                                        "B wins while it may.",
                                        "&lt;script&gt;x"};
    for (size_t i = 0; i < NZ_COUNT(parts); i++)
        if (!strstr(page.data, parts[i])) fail_msg("the page lacks '%s'", parts[i]);
    assert_null(strstr(page.data, "<script>x"));
}

static const nz_plot *find_plot(const nz_plots *plots, const char *slug) {
    for (size_t i = 0; i < plots->count; i++)
        if (strcmp(plots->items[i].slug, slug) == 0) return &plots->items[i];
    return NULL;
}

static void ratios_become_a_forest(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    view_of(&view, three);
    nz_assert_ok(nz_plots_draw(&plots, &view));
    const nz_plot *forest = find_plot(&plots, "differences");
    assert_non_null(forest);
    assert_non_null(strstr(forest->description, "Latency of B" NZ_DAGGER ": 2.00 [1.90, 2.10] better"));
    assert_non_null(strstr(forest->description, "indistinguishable"));
    assert_non_null(strstr(forest->svg, "bad conditions (busy"));
    assert_null(find_plot(&plots, "rounds")); /* no times lie beside the results */
    assert_null(find_plot(&plots, "memory"));
}

#define ROUND(s, ns) "{'unix_s':" s ",'ns':" ns "}"
static void rounds_become_lines(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    view_of(&view, three);
    view.times = parse(
        "{'models':{'A':{'timing':{'race':'r','rounds':[" ROUND("10", "[100,110]") "," ROUND("11", "[100]") "," ROUND(
            "12",
            "[200]") "]}},'B':{'timing':{'race':'r','rounds':[" ROUND("10.5",
                                                                      "[50]") "," ROUND("11.5",
                                                                                        "[50,'x']") "," ROUND("12.5",
                                                                                                              "[]") "]}"
                                                                                                                    "},"
                                                                                                                    "'C"
                                                                                                                    "':"
                                                                                                                    "{'"
                                                                                                                    "ti"
                                                                                                                    "mi"
                                                                                                                    "ng"
                                                                                                                    "':"
                                                                                                                    "{'"
                                                                                                                    "ra"
                                                                                                                    "ce"
                                                                                                                    "':"
                                                                                                                    "'o"
                                                                                                                    "th"
                                                                                                                    "er"
                                                                                                                    "',"
                                                                                                                    "'r"
                                                                                                                    "ou"
                                                                                                                    "nd"
                                                                                                                    "s'"
                                                                                                                    ":["
                                                                                                                    "1,"
                                                                                                                    "2,"
                                                                                                                    "3]"
                                                                                                                    "}}"
                                                                                                                    "}"
                                                                                                                    "}");
    nz_assert_ok(nz_plots_draw(&plots, &view));
    const nz_plot *rounds = find_plot(&plots, "rounds");
    assert_non_null(rounds);
    assert_non_null(strstr(rounds->description, "Models: A, B" NZ_DAGGER));
    assert_non_null(strstr(rounds->svg, "<svg"));
    assert_non_null(find_plot(&plots, "rounds-2")); /* another race, however broken */
}

static void weights_have_ranges(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    view_of(
        &view,
        "{'schema':'netzip.results/1','ocs_rank':[{'group':'g','winner':'B','text':'B wins.','lambda':[{'known':true,"
        "'low':null,'high':null},{'known':true,'low':0.4,'low_rival':'A','high':null},{'known':true,'low':null,"
        "'high':3,'high_rival':'gone'},{'known':false}]},{'winner':'B','lambda':[{'known':true}]},{'winner':'gone',"
        "'lambda':[{'known':true,'low':1}]}],'models':[" MODEL("A", "A", "vm", LATENCY("2", ""), "") "," MODEL(
            "B", "B", "vm", LATENCY("1", ""), "") "]}");
    nz_assert_ok(nz_plots_draw(&plots, &view));
    const nz_plot *weights = find_plot(&plots, "weights");
    assert_non_null(weights);
    assert_string_equal(weights->title, "While which weights B wins");
    assert_non_null(strstr(weights->svg, "A below 0.4"));
    assert_non_null(strstr(weights->svg, "another above 3"));
    assert_non_null(strstr(weights->svg, "not available"));
    assert_null(
        find_plot(&plots, "weights-2")); /* nothing overtakes B there; the third winner is not among the models */
}

#define SPLIT(a, b, c)                                                                                                 \
    "'ram_weights_bytes':{'value':" a "},'ram_activations_bytes':{'value':" b "},'ram_rest_bytes':{'value':" c "}"
static void memory_is_stacked(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    view_of(&view,
            "{'schema':'netzip.results/1','models':[" MODEL("A", "A", "vm", SPLIT("3e6", "1e6", "9e6"), "") "," MODEL(
                "B", "B", "vm", SPLIT("1e6", "null", "9e6"), "") "]}");
    nz_assert_ok(nz_plots_draw(&plots, &view));
    const nz_plot *split = find_plot(&plots, "memory");
    assert_non_null(split);
    assert_non_null(strstr(split->description, "A: weights 3 MB, activations 1 MB, the rest 9 MB"));
    assert_non_null(strstr(split->svg, ">13.0<"));
    assert_non_null(strstr(split->svg, "not available")); /* a sum without one part would look like the whole */
}

static void machines_stand_side_by_side(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_GRID nz_grid grid = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    static const char ratios[] = ",'ratios':{'speedup':{'value':2,'of':'latency_ms'}}";
    char document[4096];
    snprintf(document, sizeof document,
             "{'schema':'netzip.results/1','models':[" MODEL("A", "A", "pc", LATENCY("2", ""), "") "," MODEL(
                 "A@pi", "A", "pi", LATENCY("20", ""),
                 "") "," MODEL("B", "B", "pc", LATENCY("1", ""),
                               "%s") "," MODEL("B@pi", "B", "pi", LATENCY("15", RATIO("1.33", "[1.2,1.5]")), "%s") "]}",
             ratios, ratios);
    view_of(&view, document);
    nz_beside_hosts(&grid, &view);
    assert_int_equal(grid.columns, 4);
    assert_int_equal(grid.count, 3 * 4);
    assert_string_equal(grid.cells[2], "pc");
    assert_string_equal(grid.cells[3], "pi");
    assert_string_equal(grid.cells[4], "A");
    assert_non_null(strstr(grid.cells[7], "20"));
    assert_non_null(strstr(grid.cells[11], "15"));
    assert_non_null(strstr(grid.cells[11], "1.33"));
    nz_assert_ok(nz_plots_draw(&plots, &view));
    assert_non_null(find_plot(&plots, "ratios"));
    assert_non_null(find_plot(&plots, "ratios-2"));
}

static void an_earlier_run_is_told(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_GRID nz_grid grid = {0};
    view_of(&view, "{'schema':'netzip.results/1','models':[" MODEL(
                       "A", "A", "vm", LATENCY("2", ""), "") "],'against':{'path':'old/"
                                                             "results.json','models':[{'id':'A','metrics':[{'id':'"
                                                             "latency_ms','old':3,'new':2,'ratio':1.5,'ci95':[1.4,1.6],"
                                                             "'difference':'better'},{'id':'top1','old':70,'new':69,'"
                                                             "points':{'value':-1,'ci95':[-2,0.5]},'difference':"
                                                             "'indistinguishable'},{'id':'x','old':1,'new':2}]}]}}");
    nz_beside_against(&grid, &view);
    assert_int_equal(grid.count, 3 * 6); /* of x nothing is said */
    assert_string_equal(grid.cells[10], "1.50 [1.40, 1.60]");
    assert_string_equal(grid.cells[11], "better");
    assert_string_equal(grid.cells[16], "-1.0 [-2.0, 0.5] points");
    assert_non_null(strstr(grid.note, "old/results.json"));
}

static void members_of_another_type_count_as_absent(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    NZ_AUTO(nz_text_done) nz_text page = {0};
    view_of(&view, "{'schema':'netzip.results/1','machines':{},'ocs_rank':3,'against':[],'models':[" MODEL(
                       "A", "A", "vm", LATENCY("2", ",'ratio':[1]"),
                       ",'conditions':[1]") "," MODEL("B", "B", "vm", LATENCY("2", ",'ratio':{'value':1,'ci95':[2,1]}"),
                                                      ",'conditions':{'marks':[1,null],'texts':'x','mhz':3,'warmup':[]}"
                                                      ",'layers_total':7") "]}");
    assert_int_equal(view.marked, 0);
    assert_false(nz_view_at(&view, 1, 0)->gain.has_ci);
    nz_assert_ok(nz_plots_draw(&plots, &view));
    nz_assert_ok(nz_page_put(&page, &view, &plots));
    assert_null(strstr(page.data, "<h2 id=measured>"));
}

static void intervals_keep_the_decimals_that_mean_something(void **state) {
    (void)state;
    static const struct {
        double value, ends[2];
        const char *text;
    } cases[] = {
        {1.5977, {1.5924, 1.6023}, "1.5977 [1.5924, 1.6023]"},
        {1.6, {1.54, 1.67}, "1.60 [1.54, 1.67]"},
        {2, {2, 2}, "2.00 [2.00, 2.00]"},
        {50, {10, 200}, "50.0 [10.0, 200.0]"},
        {1, {-INFINITY, INFINITY}, "1.00 [-inf, inf]"},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        NZ_AUTO(nz_text_done) nz_text text = {0};
        nz_put_interval(&text, cases[i].value, cases[i].ends);
        assert_string_equal(text.data, cases[i].text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_are_read),
        cmocka_unit_test(what_is_noise_follows_the_rounds),
        cmocka_unit_test(marks_stand_behind_names),
        cmocka_unit_test(wide_intervals_have_a_sign_of_their_own),
        cmocka_unit_test(verdicts_are_told_once),
        cmocka_unit_test(a_narrow_interval_has_two_ends),
        cmocka_unit_test(a_shared_reason_is_one_note),
        cmocka_unit_test(every_table_has_marks_noise_and_words),
        cmocka_unit_test(the_page_says_how_it_was_measured),
        cmocka_unit_test(ratios_become_a_forest),
        cmocka_unit_test(rounds_become_lines),
        cmocka_unit_test(weights_have_ranges),
        cmocka_unit_test(memory_is_stacked),
        cmocka_unit_test(machines_stand_side_by_side),
        cmocka_unit_test(an_earlier_run_is_told),
        cmocka_unit_test(members_of_another_type_count_as_absent),
        cmocka_unit_test(intervals_keep_the_decimals_that_mean_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
