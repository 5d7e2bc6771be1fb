/* SPDX-License-Identifier: Apache-2.0 */
/* Reading results documents: order, labels, numbers as they are written, what changed, and what is refused. */
#include "core/error.h"
#include "netzip/report.h"
#include "report/number.h"
#include "report/summary.h"
#include "report/table.h"
#include "report/view.h"
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

#define HEAD "{'schema':'netzip.results/1','models':["
#define VALUE(v, ci)                                                                                                   \
    "{'value':" v ",'unit':'%','category':'accuracy','better':'higher','source':'measured','ci95':" ci "}"

static const char two_models[] =
    HEAD "{'id':'None/native/t1/b1','name':'None','technique':'None','baseline':'None/native/t1/b1','status':'ok',"
         "'metrics':{'disk_bytes':{'value':44700000,'unit':'B'},'top1':" VALUE(
             "70.3", "[69.9,70.7]") ",'zeal':{'value':3},"
                                    "'top3':{'value':90}}},"
                                    "{'id':'PTQ/native/t1/b1','name':'PTQ','technique':'PTQ','baseline':'None/native/"
                                    "t1/b1','status':'ok',"
                                    "'variant':{'runtime':'native','threads':1},"
                                    "'metrics':{'top1':" VALUE(
                                        "70.1",
                                        "[69.7,70.5]") ",'disk_bytes':{'value':11300000,'unit':'B'},"
                                                       "'energy_j':{'value':null,'reason':'no sensor'}},"
                                                       "'ratios':{'performance':{'value':0.9972,'of':'top1'},'speedup':"
                                                       "{'value':null,'of':'chats','zeta':1,'reason':'none'}},"
                                                       "'ocs':{'value':null,'lambda':[1,2,3,4],'reason':'r','partial':{"
                                                       "'value':2.9,'without':['speedup','efficiency']}}}]}";

static void columns_follow_the_registry(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    view_of(&view, two_models);
    static const char *const order[] = {"top1", "top3", "disk_bytes", "energy_j", "zeal"};
    assert_int_equal(view.column_count, NZ_COUNT(order));
    for (size_t c = 0; c < view.column_count; c++) assert_string_equal(view.columns[c].id, order[c]);
    assert_string_equal(view.columns[0].title, "Top-1 accuracy");
    assert_string_equal(view.columns[1].title, "Top-3 accuracy");
    assert_string_equal(view.columns[4].title, "zeal");
    assert_int_equal(view.columns[3].available, 0);
    assert_int_equal(view.columns[2].better, NZ_LOWER); /* the document is silent: the registry speaks */
    assert_int_equal(view.columns[4].better, NZ_NEITHER);
}

static void cells_keep_what_is_missing(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    view_of(&view, two_models);
    assert_true(nz_view_at(&view, 0, 0)->has_ci);
    nz_assert_near(nz_view_at(&view, 1, 0)->ci95[1], 70.5, 0, 0);
    nz_assert_nan(nz_view_at(&view, 1, 3)->value);
    assert_string_equal(nz_view_at(&view, 1, 3)->reason, "no sensor");
    nz_assert_nan(nz_view_at(&view, 1, 4)->value);
    assert_string_equal(nz_view_at(&view, 1, 4)->reason, "not among this model's results");
    assert_true(view.rows[0].is_baseline && !view.rows[1].is_baseline);
    nz_assert_near(nz_view_base_value(&view, 1, 0), 70.3, 0, 0);
    assert_true(view.rows[1].without[1] && view.rows[1].without[3] && !view.rows[1].without[0]);
    nz_assert_near(view.lambda[3], 4, 0, 0);
    assert_int_equal(nz_view_best(&view), 1);
}

static void variants_of_one_name_are_told_apart(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    view_of(&view, HEAD "{'name':'A','variant':{'runtime':'native','threads':1,'batch':1}},"
                        "{'name':'A','variant':{'runtime':'native','threads':2,'batch':1}},"
                        "{'name':'B','variant':{'runtime':'native','threads':1,'batch':1}}]}");
    assert_string_equal(view.rows[0].label, "A \xc2\xb7 t1");
    assert_string_equal(view.rows[1].label, "A \xc2\xb7 t2");
    assert_string_equal(view.rows[2].label, "B");
    assert_int_equal(view.rows[0].colour, view.rows[1].colour);
    assert_int_not_equal(view.rows[0].colour, view.rows[2].colour);
}

static void assert_value(const nz_view *view, size_t row, size_t column, const char *expected) {
    NZ_AUTO(nz_text_done) nz_text out = {0};
    nz_put_value(&out, &view->columns[column], nz_view_at(view, row, column)->value);
    assert_string_equal(out.data, expected);
}

static void values_have_the_digits_their_interval_allows(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    view_of(&view,
            HEAD "{'name':'a','metrics':{'top1':" VALUE(
                "70.3049",
                "[69.9,70.7]") ",'latency_ms':{'value':0.376083,'unit':'ms','ci95':[0.3737,0.3794]},"
                               "'disk_bytes':{'value':44700000,'unit':'B'},'energy_j':{'value':0.0021,'unit':'J'},"
                               "'params':{'value':269034},'macs':{'value':40551040,'unit':'MAC'}}},"
                               "{'name':'b','metrics':{'top1':" VALUE(
                                   "9.1", "[8.7,9.5]") ",'latency_ms':{'value':0.1345,'unit':'ms','ci95':[0.13,0.14]},"
                                                       "'disk_bytes':{'value':326500,'unit':'B'},'energy_j':{'value':0."
                                                       "0007,'unit':'J'}}}]}");
    static const char *const shown[][3] = {
        {"top1", "70.30", "9.10"},  {"latency_ms", "0.3761", "0.1345"}, {"disk_bytes", "44.7", "0.327"},
        {"energy_j", "2.1", "0.7"}, {"params", "269", "\xe2\x80\x93"},  {"macs", "40.6", "\xe2\x80\x93"},
    };
    for (size_t i = 0; i < NZ_COUNT(shown); i++) {
        size_t c = nz_view_column_find(&view, shown[i][0]);
        assert_true(c < view.column_count);
        assert_value(&view, 0, c, shown[i][1]);
        assert_value(&view, 1, c, shown[i][2]);
    }
    assert_string_equal(view.columns[nz_view_column_find(&view, "disk_bytes")].shown_unit, "MB");
    assert_string_equal(view.columns[nz_view_column_find(&view, "energy_j")].shown_unit, "mJ");
    assert_string_equal(view.columns[nz_view_column_find(&view, "params")].shown_unit, "k");
    assert_string_equal(view.columns[nz_view_column_find(&view, "macs")].shown_unit, "M MAC");
}

static void small_and_huge_values_stay_legible(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    view_of(&view,
            HEAD "{'name':'a','metrics':{'kl':{'value':1.95,'unit':'nat'},'x':{'value':1e30},'y':{'value':5}}},"
                 "{'name':'b','metrics':{'kl':{'value':0.0047,'unit':'nat'},'x':{'value':-2e-9},'y':{'value':0}}}]}");
    assert_value(&view, 0, 0, "1.95");
    assert_value(&view, 1, 0, "0.00470");
    assert_value(&view, 0, 1,
                 "1.0\xc3\x97"
                 "10\xc2\xb3\xe2\x81\xb0");
    assert_value(&view, 1, 1,
                 "\xe2\x88\x92"
                 "2.0\xc3\x97"
                 "10\xe2\x81\xbb\xe2\x81\xb9");
    assert_value(&view, 1, 2, "0");
}

static nz_view_cell cell(double value, double low, double high) {
    return (nz_view_cell){.value = value, .has_ci = low < high, .ci95 = {low, high}, .source = "", .reason = ""};
}

static void noise_is_no_change(void **state) {
    (void)state;
    nz_view_column lower = {.unit = "ms", .better = NZ_LOWER, .noisy = true};
    nz_view_column higher = {.unit = "%", .better = NZ_HIGHER}, exact = {.unit = "B", .better = NZ_LOWER};
    nz_view_cell a = cell(10, 9, 11), near = cell(10.5, 9.5, 11.5), far = cell(5, 4.5, 5.5);
    assert_int_equal(nz_summary_change(&lower, &a, &near), NZ_CHANGE_NOISE);
    assert_int_equal(nz_summary_change(&lower, &a, &far), NZ_CHANGE_GAIN);
    assert_int_equal(nz_summary_change(&higher, &a, &far), NZ_CHANGE_LOSS);
    assert_int_equal(nz_summary_change(&lower, &a, &a), NZ_CHANGE_SAME);
    /* On the same samples a difference can be real although the two intervals overlap, and the other way round. */
    near.has_difference = true;
    near.difference_ci95[0] = 0.2;
    near.difference_ci95[1] = 0.8;
    assert_int_equal(nz_summary_change(&higher, &a, &near), NZ_CHANGE_GAIN);
    near.difference_ci95[0] = -0.1;
    assert_int_equal(nz_summary_change(&higher, &a, &near), NZ_CHANGE_NOISE);
    /* A reading without an interval must differ by more than a little; a count need not. */
    nz_view_cell bare = cell(100, 0, 0), closeby = cell(101, 0, 0);
    assert_int_equal(nz_summary_change(&lower, &bare, &closeby), NZ_CHANGE_NOISE);
    assert_int_equal(nz_summary_change(&exact, &bare, &closeby), NZ_CHANGE_LOSS);
    nz_view_cell none = cell(NAN, 0, 0);
    assert_int_equal(nz_summary_change(&exact, &bare, &none), NZ_CHANGE_UNKNOWN);
}

static void the_summary_says_what_figures_hide(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    view_of(&view, HEAD "{'id':'n','name':'None','baseline':'n','metrics':{'disk_bytes':{'value':1000},'sparsity':{'"
                        "value':0,'unit':'%'},"
                        "'entropy_bytes':{'value':900},'latency_ms':{'value':10,'unit':'ms'}}},"
                        "{'id':'g','name':'GUP','baseline':'n','metrics':{'disk_bytes':{'value':1000},'sparsity':{'"
                        "value':50,'unit':'%'},"
                        "'entropy_bytes':{'value':450},'latency_ms':{'value':10.1,'unit':'ms'}},"
                        "'notes':['timing used random input']}]}");
    NZ_AUTO(nz_summary_done) nz_summary summary = {0};
    nz_assert_ok(nz_summary_get(&summary, &view));
    assert_int_equal(summary.count, 2);
    const char *remarks = summary.parts[1].remarks.data;
    assert_non_null(strstr(remarks, "The file is no smaller although 50% of the weights are zero"));
    assert_non_null(strstr(remarks, "2.00\xc3\x97 less"));
    assert_non_null(strstr(remarks, "no faster for its zeros"));
    assert_non_null(strstr(remarks, "timing used random input"));
    assert_int_equal(summary.parts[0].remarks.length, 0);
}

static void broken_documents_are_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"[]", "no object"},
        {"{}", "schema is 'absent'"},
        {"{'schema':'netzip.results/2','models':[]}", "netzip.results/2"},
        {"{'schema':'netzip.results/1'}", "models is not an array"},
        {"{'schema':'netzip.results/1','models':[]}", "models is empty"},
        {HEAD "7]}", "models[0]: not an object"},
        {HEAD "{},{'name':7}]}", "models[1]: name is not a string"},
        {HEAD "{'metrics':[]}]}", "metrics is not an object"},
        {HEAD "{'metrics':{'top1':3}}]}", "metrics.top1 is not an object"},
        {HEAD "{'metrics':{'top1':{'value':'x'}}}]}", "metrics.top1.value is neither a number nor null"},
        {HEAD "{'metrics':{'top1':{'value':1,'ci95':[1]}}}]}", "metrics.top1.ci95 is not a pair"},
        {HEAD "{'metrics':{'top1':{'value':1,'ci95':[2,1]}}}]}", "ends before it begins"},
        {HEAD "{'ratios':{'speedup':{'value':[]}}}]}", "ratios.speedup"},
        {HEAD "{'ocs':7}]}", "ocs is not an object"},
        {HEAD "{'variant':{'threads':'many'}}]}", "threads"},
        {"{'schema':'netzip.results/1','models':[{}],'run':[]}", "run is not an object"},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        NZ_AUTO_JSON json_t *json = parse(cases[i].text);
        NZ_AUTO_VIEW nz_view view = {0};
        nz_assert_fails(nz_view_init(&view, json, "results.json"), NZ_E_FORMAT, cases[i].part);
        assert_non_null(strstr(nz_last_error(), "results.json: "));
        assert_null(view.rows);
    }
}

static void a_bare_document_is_enough(void **state) {
    (void)state;
    NZ_AUTO_FREE char *text = NULL;
    nz_assert_ok(nz_report_table(&text, "{\"schema\":\"netzip.results/1\",\"models\":[{}]}", NZ_TABLE_MARKDOWN));
    assert_non_null(strstr(text, "| Model |"));
    assert_non_null(strstr(text, "| (no name) |"));
}

static void too_many_models_are_refused(void **state) {
    (void)state;
    NZ_AUTO_JSON json_t *json = json_object();
    json_t *models = json_array();
    json_object_set_new(json, "schema", json_string("netzip.results/1"));
    json_object_set_new(json, "models", models);
    for (int i = 0; i <= NZ_VIEW_ROWS_MOST; i++) json_array_append_new(models, json_object());
    NZ_AUTO_VIEW nz_view view = {0};
    nz_assert_fails(nz_view_init(&view, json, "x"), NZ_E_FORMAT, "at most 1000");
}

static void tables_have_one_column_count(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_FREE nz_table_column *columns = NULL;
    size_t count = 0;
    view_of(&view, two_models);
    nz_assert_ok(nz_table_plan(&columns, &count, &view));
    /* Model, top1, top3, disk_bytes, zeal, performance, OCS: what no model has (energy, three ratios) is left out. */
    assert_int_equal(count, 7);
    NZ_AUTO(nz_text_done) nz_text tex = {0};
    nz_table_put_tex(&tex, &view);
    assert_non_null(strstr(tex.data, "\\begin{tabular}{lrrrrrr}"));
    assert_non_null(strstr(tex.data, "PTQ & 70.1 & -- & 11.3 & -- & 0.997 & 2.90*"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_follow_the_registry),
        cmocka_unit_test(cells_keep_what_is_missing),
        cmocka_unit_test(variants_of_one_name_are_told_apart),
        cmocka_unit_test(values_have_the_digits_their_interval_allows),
        cmocka_unit_test(small_and_huge_values_stay_legible),
        cmocka_unit_test(noise_is_no_change),
        cmocka_unit_test(the_summary_says_what_figures_hide),
        cmocka_unit_test(broken_documents_are_refused_by_name),
        cmocka_unit_test(a_bare_document_is_enough),
        cmocka_unit_test(too_many_models_are_refused),
        cmocka_unit_test(tables_have_one_column_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
