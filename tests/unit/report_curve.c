/* SPDX-License-Identifier: Apache-2.0 */
/* The learning curve: what is on it, and which histories are refused. */
#include "core/file.h"
#include "core/text.h"
#include "netzip/report.h"
#include "test.h"

#define HEAD "epoch,lr,train_loss,train_top1_pct,test_loss,test_top1_pct,seconds,images_per_s\n"

static nz_status draw(const char *history, const char *title) {
    const char *path = nz_test_file("history.csv");
    nz_assert_ok(nz_file_write(path, history, strlen(history)));
    return nz_report_curve(path, nz_test_file("curve.svg"), nz_test_file("curve.png"), title);
}

/* The SVG that was drawn. Owned. */
static char *drawn(void) {
    char *text = NULL;
    size_t count = 0;
    nz_assert_ok(nz_file_read(&text, &count, nz_test_file("curve.svg"), 1 << 24));
    return text;
}

static void test_everything_is_named(void **unused) {
    (void)unused;
    nz_assert_ok(draw(HEAD "1,0.1,2.1,20,1.9,30,3,100\n2,0.05,1.5,41.25,1.4,52.5,3,100\n3,0.001,1.25,47,1.5,51,3,100\n",
                      "net <b>&\"bold\""));
    char *svg = drawn(), *png = NULL;
    size_t count = 0;
    static const char *const parts[] = {
        ">Loss<",        ">Top-1 accuracy (%)<", ">Learning rate<",
        ">Epoch<",       ">train 1.250<",        ">test 1.500<",
        ">train 47.00<", ">test 51.00<",         "best test accuracy 52.50% after epoch 2"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(svg, parts[i])) fail_msg("'%s' is not on the curve", parts[i]);
    assert_null(strstr(svg, "<b>"));
    assert_null(strstr(svg, "nan"));
    nz_assert_ok(nz_file_read(&png, &count, nz_test_file("curve.png"), 1 << 24));
    assert_memory_equal(png + 1, "PNG", 3);
    free(svg);
    free(png);
}

static void test_what_was_not_measured_is_left_out(void **unused) {
    (void)unused;
    nz_assert_ok(draw(HEAD "0.5,0.1,2.1,20,,,3,100\n", "one"));
    char *svg = drawn();
    assert_non_null(strstr(svg, ">train 2.100<"));
    assert_null(strstr(svg, ">test "));
    assert_null(strstr(svg, "best"));
    free(svg);
    nz_assert_ok(draw(HEAD "1,0.1,,,,,,\n2,0.1,,,,,,\n", "nothing"));
}

#define DETECTOR_HEAD                                                                                                  \
    "epoch,lr,train_loss,train_top1_pct,test_loss,test_top1_pct,seconds,images_per_s,test_map50_pct,"                  \
    "test_map50_95_pct,box_loss,object_loss,class_loss\n"

static void test_a_detector_is_drawn_by_its_map(void **unused) {
    (void)unused;
    nz_assert_ok(draw(DETECTOR_HEAD
                      "1,0.1,0.2,,,,3,9,40.5,20.25,0.1,0.07,0.03\n2,0.1,0.1,,,,3,9,60,31.5,0.05,0.04,0.01\n"
                      "3,0.1,0.09,,,,3,9,59,30,0.04,0.04,0.01\n",
                      "tiny"));
    char *svg = drawn();
    static const char *const parts[] = {">Loss and its parts<",
                                        ">mAP of test samples (%)<",
                                        ">mAP50 59.00<",
                                        ">mAP50-95 30.00<",
                                        ">box 0.040<",
                                        ">object 0.040<",
                                        ">class 0.010<",
                                        ">train 0.090<",
                                        "best test mAP50-95 31.50% after epoch 2"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!strstr(svg, parts[i])) fail_msg("'%s' is not on the curve", parts[i]);
    assert_null(strstr(svg, "Top-1"));
    free(svg);
    /* A classifier's history has the columns too, empty. */
    nz_assert_ok(draw(DETECTOR_HEAD "1,0.1,2,20,1.9,30,3,9,,,,,\n", "net"));
    svg = drawn();
    assert_non_null(strstr(svg, ">Top-1 accuracy (%)<"));
    assert_null(strstr(svg, "mAP"));
    free(svg);
}

static void test_many_epochs_stay_a_drawing(void **unused) {
    (void)unused;
    nz_text text = {0};
    nz_text_append(&text, HEAD);
    for (int i = 1; i <= 5000; i++) nz_text_appendf(&text, "%d,%g,%g,50,%g,60,1,1\n", i, 1e300 / i, 1.0 / i, -1e300);
    nz_assert_ok(text.status);
    nz_assert_ok(draw(text.data, "long"));
    nz_text_done(&text);
    char *svg = drawn();
    assert_true(strlen(svg) < 300000);
    free(svg);
}

static void test_other_files_are_refused(void **unused) {
    (void)unused;
    nz_assert_fails(draw("", "x"), NZ_E_FORMAT, NULL);
    nz_assert_fails(draw(HEAD, "x"), NZ_E_FORMAT, "no epoch has been finished");
    nz_assert_fails(draw("epoch,lr\n1,2\n", "x"), NZ_E_FORMAT, "no column 'train_loss'");
    nz_assert_fails(draw(HEAD "1,0.1,much,20,1.9,30,3,100\n", "x"), NZ_E_FORMAT, "line 2");
    nz_assert_fails(draw(HEAD "1,0.1,inf,20,1.9,30,3,100\n", "x"), NZ_E_FORMAT, "line 2");
    nz_assert_fails(draw(HEAD "2,0.1,1,1,1,1,1,1\n2,0.1,1,1,1,1,1,1\n", "x"), NZ_E_FORMAT, "line 3: epochs");
    nz_assert_fails(draw(HEAD ",0.1,1,1,1,1,1,1\n", "x"), NZ_E_FORMAT, "line 2: epochs");
    nz_assert_fails(nz_report_curve("none.csv", NULL, NULL, "x"), NZ_E_IO, "none.csv");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_is_named),
        cmocka_unit_test(test_what_was_not_measured_is_left_out),
        cmocka_unit_test(test_a_detector_is_drawn_by_its_map),
        cmocka_unit_test(test_many_epochs_stay_a_drawing),
        cmocka_unit_test(test_other_files_are_refused),
    };
    return cmocka_run_group_tests_name("report_curve", tests, NULL, NULL);
}
