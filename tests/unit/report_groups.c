/* SPDX-License-Identifier: Apache-2.0 */
/* Means over seeds and learning curves in the report: what is shown, and that nothing odd in a document is taken for them. */
#include "report/groups.h"

#include "netzip/report.h"
#include "report/page.h"
#include "test.h"

#define MODEL(name, seed, top1)                                                                                        \
    "{\"id\":\"" name "/" seed "\",\"name\":\"" name "\",\"technique\":\"" name "\",\"baseline\":\"None/0\","          \
    "\"variant\":{\"runtime\":\"native\",\"threads\":1,\"batch\":1,\"seed\":" seed "},\"status\":\"ok\","              \
    "\"metrics\":{\"top1\":{\"value\":" top1 ",\"unit\":\"%\",\"ci95\":[80,95]},"                                      \
    "\"disk_bytes\":{\"value\":1000,\"unit\":\"B\"}}}"
#define MODELS MODEL("None", "0", "90.5") "," MODEL("a_b", "0", "88") "," MODEL("a_b", "1", "89")
#define DOCUMENT(more) "{\"schema\":\"netzip.results/1\",\"models\":[" MODELS "]" more "}"
#define GROUPS                                                                                                         \
    ",\"groups\":[{\"name\":\"None\",\"technique\":\"None\",\"is_baseline\":true,\"n\":1,\"failed\":0,"                \
    "\"metrics\":{\"top1\":{\"mean\":90.5,\"sd\":null,\"n\":1}}},"                                                     \
    "{\"name\":\"a_b\",\"technique\":\"a_b\",\"n\":3,\"failed\":1,\"variant\":{\"runtime\":\"native\",\"threads\":1}," \
    "\"metrics\":{\"top1\":{\"mean\":88.5,\"sd\":0.70710678,\"n\":2},\"disk_bytes\":{\"mean\":1000,\"sd\":0,\"n\":2}}" \
    "}]"
#define TRAINING                                                                                                       \
    ",\"training\":[{\"name\":\"None\",\"seed\":0,\"epochs\":[{\"epoch\":1,\"train_loss\":2,\"test_top1\":50},"        \
    "{\"epoch\":2,\"train_loss\":1,\"test_top1\":90.5}]},"                                                             \
    "{\"name\":\"a_b\",\"seed\":0,\"epochs\":[{\"epoch\":1,\"train_loss\":1,\"train_top1\":70}]}]"

static void open_view(nz_view *view, const char *document) {
    json_error_t error;
    NZ_AUTO_JSON json_t *json = json_loads(document, 0, &error);
    assert_non_null(json);
    nz_assert_ok(nz_view_init(view, json, "test"));
}

static void assert_form(void (*put)(nz_text *, const nz_view *), const char *document, const char *expected) {
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO(nz_text_done) nz_text out = {0};
    open_view(&view, document);
    put(&out, &view);
    assert_int_equal(out.status, NZ_OK);
    assert_string_equal(out.data ? out.data : "", expected);
}

static void means_stand_in_the_main_columns_of_every_form(void **state) {
    (void)state;
    assert_form(nz_groups_put_markdown, DOCUMENT(GROUPS),
                "\nMean and standard deviation over seeds:\n\n"
                "| Model | Seeds | Top-1 accuracy (%) | Size on disk (kB) |\n|---|---:|---:|---:|\n"
                "| None | 1 | 90.5 | \xe2\x80\x93 |\n"
                "| a\\_b | 2 of 3 | 88.5 \xc2\xb1 0.7 | 1 |\n");
    assert_form(nz_groups_put_tex, DOCUMENT(GROUPS),
                "\n% Mean and standard deviation over seeds\n\\begin{tabular}{lrrr}\n\\hline\n"
                "Model & Seeds & Top{-}1 accuracy & Size on disk \\\\\n &  & (\\%) & (kB) \\\\\n\\hline\n"
                "None & 1 & 90.5 & -- \\\\\na\\_b & 2 of 3 & 88.5 $\\pm$ 0.7 & 1 \\\\\n\\hline\n\\end{tabular}\n");
    assert_form(nz_groups_put_text, DOCUMENT(GROUPS),
                "\nMean and standard deviation over seeds\n"
                "Model   Seeds  Top-1 accuracy  Size on disk\n"
                "                            %            kB\n"
                "None        1            90.5             \xe2\x80\x93\n"
                "a_b    2 of 3      88.5 \xc2\xb1 0.7             1\n");
}

static void the_spreadsheet_has_every_metric(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO(nz_text_done) nz_text out = {0};
    open_view(&view, DOCUMENT(GROUPS));
    nz_groups_put_csv(&out, &view);
    assert_non_null(
        strstr(out.data, "name,technique,runtime,threads,batch,host,seeds,failed,top1_mean,top1_sd,top1_n,"));
    assert_non_null(strstr(out.data, "\na_b,a_b,native,1,,,3,1,88.5,0.70710678,2,1000,0,2,"));
}

static void without_several_seeds_there_is_nothing(void **state) {
    (void)state;
    static const char *const odd[] = {"", ",\"groups\":[]", ",\"groups\":{}", ",\"groups\":3", ",\"groups\":null"};
    assert_form(nz_groups_put_markdown, DOCUMENT(), "");
    assert_form(nz_groups_put_html, DOCUMENT(",\"groups\":{}"), "");
    for (size_t i = 0; i < NZ_COUNT(odd); i++) {
        NZ_AUTO_VIEW nz_view view = {0};
        NZ_AUTO(nz_text_done) nz_text document = {0};
        nz_text_append(&document, "{\"schema\":\"netzip.results/1\",\"models\":[" MODELS "]");
        nz_text_append(&document, odd[i]);
        nz_text_append(&document, "}");
        open_view(&view, document.data);
        assert_false(nz_groups_any(&view));
    }
}

static void members_of_another_type_count_as_absent(void **state) {
    (void)state;
    static const char odd[] =
        DOCUMENT(",\"groups\":[3,null,[],{\"name\":7,\"metrics\":[],\"ratios\":\"x\",\"n\":\"many\"},"
                 "{\"name\":\"<b>\",\"metrics\":{\"top1\":{\"mean\":\"high\",\"sd\":[]}}}],"
                 "\"training\":[1,{\"name\":\"None\"},{\"name\":3,\"epochs\":[1]},{\"name\":\"None\",\"epochs\":[null,{"
                 "\"epoch\":{}},"
                 "{\"epoch\":1e300,\"train_loss\":-1e308},{\"epoch\":-5,\"test_top1\":3}]}]");
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    NZ_AUTO(nz_text_done) nz_text page = {0};
    open_view(&view, odd);
    nz_assert_ok(nz_plots_draw(&plots, &view));
    nz_assert_ok(nz_page_put(&page, &view, &plots));
    assert_non_null(strstr(page.data, "Over seeds"));
    assert_null(strstr(page.data, "<b>"));
    assert_null(strstr(page.data, "\"nan\""));
}

static void networks_and_methods_learn_in_two_plots(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    size_t learning = 0;
    open_view(&view, DOCUMENT(TRAINING));
    nz_assert_ok(nz_plots_draw(&plots, &view));
    for (size_t i = 0; i < plots.count; i++) {
        const nz_plot *plot = &plots.items[i];
        if (plot->kind != NZ_PLOT_LEARNING) continue;
        static const char *const slugs[] = {"learning-network", "learning-methods"};
        static const char *const told[] = {"None: 90.50% after 2 epochs", "a_b: 70.00% after 1 epoch"};
        assert_string_equal(plot->slug, slugs[learning]);
        assert_string_equal(plot->description, told[learning]);
        assert_non_null(strstr(plot->svg, learning ? ">a_b<" : ">None<"));
        learning++;
    }
    assert_int_equal(learning, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_stand_in_the_main_columns_of_every_form),
        cmocka_unit_test(the_spreadsheet_has_every_metric),
        cmocka_unit_test(without_several_seeds_there_is_nothing),
        cmocka_unit_test(members_of_another_type_count_as_absent),
        cmocka_unit_test(networks_and_methods_learn_in_two_plots),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
