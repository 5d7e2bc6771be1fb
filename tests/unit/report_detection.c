/* SPDX-License-Identifier: Apache-2.0 */
/* Detectors in the report: what is read and refused, what changed, which plots there are, and boxes on images. */
#include "core/error.h"
#include "core/file.h"
#include "core/text.h"
#include "data/image.h"
#include "report/boxes.h"
#include "report/changes.h"
#include "report/page.h"
#include "report/plots.h"
#include "test.h"

static nz_status try_view(nz_view *view, const char *text) {
    json_error_t error;
    NZ_AUTO_JSON json_t *json = json_loads(text, 0, &error);
    if (!json) fail_msg("%s: %s", text, error.text);
    return nz_view_init(view, json, "test");
}

static void example(nz_view *view) {
    NZ_AUTO_FREE char *text = NULL;
    size_t count = 0;
    nz_assert_ok(nz_file_read(&text, &count, nz_test_source("tests/cli/report/detection.json"), 1 << 20));
    nz_assert_ok(try_view(view, text));
}

static void a_detector_is_read(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    example(&view);
    const nz_found *found = view.rows[0].found, *other = view.rows[1].found;
    assert_non_null(found);
    assert_null(view.rows[2].found);
    assert_int_equal(found->class_count, 3);
    assert_string_equal(found->classes[0].name, "dog");
    nz_assert_near(found->classes[0].ap50, 0.8, 0, 1e-12);
    nz_assert_nan(found->classes[2].ap); /* -1: no object of the class is there */
    nz_assert_nan(other->classes[0].precision);
    assert_int_equal(found->side, 4);
    nz_assert_near(found->confusion[0 * 4 + 3], 2, 0, 0);
    assert_false(found->match.known);
    assert_true(other->match.known);
    assert_int_equal(found->sample_count, 2);
    assert_string_equal(found->samples[0].id, "139");
    assert_int_equal(found->samples[0].found_count, 4);
    nz_assert_near(found->samples[0].found[1].score, 0.8, 0, 1e-12);
    nz_assert_nan(found->samples[0].truths[0].score);
    assert_int_equal(nz_found_reference(&view), 0);
    nz_assert_near(nz_found_confidence(&view), 0.4, 0, 1e-12);
    assert_ptr_equal(nz_found_class_like(other, found, 1), &other->classes[1]);
    assert_null(nz_found_sample_of(other, "285"));
}

#define ONE(detection) "{\"schema\":\"netzip.results/1\",\"models\":[{\"name\":\"a\",\"detection\":" detection "}]}"

static void what_is_broken_is_refused_by_name(void **state) {
    (void)state;
    static const struct {
        const char *document, *part;
    } cases[] = {
        {ONE("[]"), "models[0]: detection is not an object"},
        {ONE("{\"confidence\":\"high\"}"), "detection: confidence is neither a number nor null"},
        {ONE("{\"coco\":[1]}"), "coco is not an object"},
        {ONE("{\"classes\":{}}"), "classes is not an array"},
        {ONE("{\"classes\":[{\"ap\":[]}]}"), "classes[0]: ap is neither"},
        {ONE("{\"precision_recall\":{\"recall\":[0,1],\"precision\":[1]}}"), "recall has 2 entries, precision 1"},
        {ONE("{\"precision_recall\":{\"recall\":[0,\"x\"],\"precision\":[1,1]}}"), "[1] is not a number"},
        {ONE("{\"f1_confidence\":{\"confidence\":[1,0.5],\"f1\":[1,1]}}"), "confidence[1] is smaller"},
        {ONE("{\"confusion\":{\"counts\":[[1,2],[3]]}}"), "counts[1] is not an array of 2 numbers"},
        {ONE("{\"confusion\":{\"counts\":[[1,2],[3,-4]]}}"), "counts[1][1] is not a count"},
        {ONE("{\"confusion\":{\"counts\":[[1,2],[3,1e30]]}}"), "counts[1][1] is not a count"},
        {ONE("{\"match\":7}"), "match is not an object"},
        {ONE("{\"samples\":[{\"width\":0,\"height\":3}]}"), "samples[0]: width and height"},
        {ONE("{\"samples\":[{\"width\":3,\"height\":3,\"image\":7}]}"), "image is not a string"},
        {ONE("{\"samples\":[{\"width\":3,\"height\":3,\"found\":[[0,1,2,3,4]]}]}"), "found[0] is not an array of 6"},
        {ONE("{\"samples\":[{\"width\":3,\"height\":3,\"truths\":[[0,1,2,3,null]]}]}"),
         "truths[0] is not an array of 5"},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        nz_view view = {0};
        nz_assert_fails(try_view(&view, cases[i].document), NZ_E_FORMAT, cases[i].part);
        assert_null(view.rows);
    }
}

/* {"KEY":[ITEM,ITEM,...]} with `count` items. */
static nz_status try_many(nz_view *view, const char *before, const char *item, size_t count, const char *after) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    nz_text_append(&text, "{\"schema\":\"netzip.results/1\",\"models\":[{\"name\":\"a\",\"detection\":");
    nz_text_append(&text, before);
    for (size_t i = 0; i < count; i++) nz_text_appendf(&text, "%s%s", i ? "," : "", item);
    nz_text_append(&text, after);
    nz_text_append(&text, "}]}");
    nz_assert_ok(text.status);
    return try_view(view, text.data);
}

static void sizes_are_bounded(void **state) {
    (void)state;
    nz_view view = {0};
    nz_assert_fails(try_many(&view, "{\"classes\":[", "{}", NZ_DETECTION_CLASSES_MOST + 1, "]}"), NZ_E_FORMAT,
                    "classes has 2001 entries; a report holds at most 2000");
    nz_assert_fails(try_many(&view, "{\"confusion\":{\"counts\":[", "[]", NZ_DETECTION_CLASSES_MOST + 2, "]}}"),
                    NZ_E_FORMAT, "counts has 2002 entries");
    nz_assert_fails(try_many(&view, "{\"precision_recall\":{\"precision\":[],\"recall\":[", "0",
                             NZ_DETECTION_POINTS_MOST + 1, "]}}"),
                    NZ_E_FORMAT, "recall has");
    nz_assert_fails(try_many(&view, "{\"samples\":[{\"width\":9,\"height\":9,\"found\":[", "[0,0,0,1,1,1]",
                             NZ_DETECTION_BOXES_MOST + 1, "]}]}"),
                    NZ_E_FORMAT, "found has 2001 entries");
    nz_assert_ok(try_many(&view, "{\"samples\":[", "{\"width\":9,\"height\":9}", NZ_DETECTION_SAMPLES_MOST + 9, "]}"));
    assert_int_equal(view.rows[0].found->sample_count, NZ_DETECTION_SAMPLES_MOST);
    nz_view_done(&view);
}

static void changes_are_ranked(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO(nz_class_changes_done) nz_class_changes changes = {0};
    NZ_AUTO(nz_text_done) nz_text words = {0}, points = {0};
    example(&view);
    nz_assert_ok(nz_class_changes_get(&changes, &view, 1, 0, 20));
    assert_int_equal(changes.count, 2); /* the third class has no objects */
    assert_string_equal(changes.items[0].name, "dog");
    nz_assert_near(changes.items[0].change, -0.1, 0, 1e-12);
    nz_assert_near(changes.items[1].change, 0.093, 0, 1e-12);
    nz_class_changes_done(&changes);
    nz_assert_ok(nz_class_changes_get(&changes, &view, 1, 0, 1));
    assert_int_equal(changes.of, 2);
    assert_string_equal(changes.items[0].name, "dog"); /* the largest of all, not the first */
    nz_assert_ok(nz_changes_put_words(&words, &view, 1));
    assert_non_null(strstr(words.data, "indistinguishable"));
    assert_non_null(strstr(words.data, "it is worse than"));
    nz_text_done(&words);
    nz_assert_ok(nz_changes_put_words(&words, &view, 0)); /* nothing to say of the baseline, nor of what failed */
    nz_assert_ok(nz_changes_put_words(&words, &view, 2));
    assert_int_equal(words.length, 0);
    nz_put_points(&points, -0.0004);
    assert_string_equal(points.data, "0.0");
}

static const nz_plot *plot_of(const nz_plots *plots, const char *slug) {
    for (size_t i = 0; i < plots->count; i++)
        if (strcmp(plots->items[i].slug, slug) == 0) return &plots->items[i];
    fail_msg("there is no plot %s", slug);
    return NULL;
}

static size_t occurrences(const char *text, const char *part) {
    size_t count = 0;
    for (const char *p = text; (p = strstr(p, part)); p += strlen(part)) count++;
    return count;
}

/* A picture where the example's first sample looks for it, in a folder of its own. */
static const char *folder_with_picture(void) {
    static char folder[8192];
    snprintf(folder, sizeof folder, "%s", nz_test_file("results"));
    NZ_AUTO_FREE char *samples = NULL, *path = NULL;
    nz_assert_ok(nz_path_join(&samples, folder, "samples"));
    nz_assert_ok(nz_dir_make(samples));
    nz_assert_ok(nz_path_join(&path, samples, "1.png"));
    uint8_t pixels[32 * 32 * 3];
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i % 251);
    NZ_AUTO_FREE uint8_t *bytes = NULL;
    size_t count = 0;
    nz_image image = {.width = 32, .height = 32, .channels = 3, .pixels = pixels};
    nz_assert_ok(nz_png_encode(&bytes, &count, &image));
    nz_assert_ok(nz_file_write(path, bytes, count));
    return folder;
}

static void boxes_are_compared_with_the_baseline(void **state) {
    (void)state;
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    example(&view);
    view.folder = folder_with_picture();
    nz_assert_ok(nz_plots_draw_detection(&plots, &view));
    const char *svg = plot_of(&plots, "detections-139")->svg;
    assert_int_equal(occurrences(svg, "<image"), 1); /* held once for three panels */
    assert_int_equal(occurrences(svg, "<use"), 2);
    assert_non_null(strstr(svg, ">dog 0.50</text>"));            /* missed by the other */
    assert_non_null(strstr(svg, "&lt;b&gt;cat&lt;/b&gt; 0.50")); /* new there */
    assert_null(strstr(svg, "zebra"));                           /* scores less than what is shown */
    assert_int_equal(occurrences(plots.notes.data, "\n"), 0);    /* one picture of two is missing */
    assert_non_null(strstr(plots.notes.data, "not below the results' own folder"));
    view.folder = NULL;
    nz_plots_done(&plots);
    nz_assert_ok(nz_plots_draw_detection(&plots, &view));
    assert_int_equal(occurrences(plot_of(&plots, "detections-139")->svg, "<image"), 0);
    assert_int_equal(occurrences(plots.notes.data, "\n"), 1);
}

/* A document of `models` detectors that tell `classes` classes apart. */
static char *document_of(size_t models, size_t classes, const char *name) {
    nz_text text = {0};
    nz_text_append(&text, "{\"schema\":\"netzip.results/1\",\"models\":[");
    for (size_t m = 0; m < models; m++) {
        nz_text_appendf(&text, "%s{\"id\":\"m%zu\",\"name\":\"m%zu\",\"baseline\":\"m0\",\"detection\":{\"classes\":[",
                        m ? "," : "", m, m);
        for (size_t c = 0; c < classes; c++)
            nz_text_appendf(&text, "%s{\"name\":\"%s %zu\",\"id\":%zu,\"truths\":%zu,\"ap\":%.3f}", c ? "," : "", name,
                            c, c, c % 7, (double)((c * 37 + m * 11) % 100) / 100);
        nz_text_append(&text, "],\"confusion\":{\"confidence\":0.25,\"iou\":0.45,\"counts\":[");
        for (size_t r = 0; r <= classes; r++) {
            nz_text_append(&text, r ? ",[" : "[");
            for (size_t c = 0; c <= classes; c++)
                nz_text_appendf(&text, "%s%zu", c ? "," : "",
                                r == c              ? c + m
                                : (r + c) % 29 == 0 ? (size_t)1
                                                    : (size_t)0);
            nz_text_append(&text, "]");
        }
        nz_text_append(&text, "]},\"precision_recall\":{\"recall\":[0,1],\"precision\":[1,0.5]}}}");
    }
    nz_text_append(&text, "]}");
    char *out = NULL;
    nz_assert_ok(nz_text_take(&text, &out));
    return out;
}

static void many_classes_stay_a_drawing(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 2, 10, 12, 80, 300};
    for (size_t i = 0; i < NZ_COUNT(sizes); i++) {
        NZ_AUTO_FREE char *text = document_of(2, sizes[i], "a class of a rather long name");
        NZ_AUTO_VIEW nz_view view = {0};
        NZ_AUTO_PLOTS nz_plots plots = {0};
        nz_assert_ok(try_view(&view, text));
        nz_assert_ok(nz_plots_draw_detection(&plots, &view));
        assert_int_equal(plots.count, 4); /* curve, changes, two matrices */
        for (size_t k = 0; k < plots.count; k++) {
            assert_true(plots.items[k].width <= 1300 && plots.items[k].height <= 1400);
            assert_null(strstr(plots.items[k].svg, "nan"));
        }
        const nz_plot *confusion = plot_of(&plots, "confusion-m1"), *changes = plot_of(&plots, "classes-m1");
        if (sizes[i] == 10) assert_non_null(strstr(confusion->svg, ">10</text>")); /* a count in its cell */
        if (sizes[i] == 80) {
            assert_null(strstr(confusion->svg, ">80</text>")); /* no room for it */
            assert_non_null(strstr(changes->svg, "the 20 largest changes of 80 classes"));
        }
        if (sizes[i] == 300) assert_non_null(strstr(confusion->svg, "the 100 of 300 classes with most objects"));
    }
}

static void many_models_stay_a_report(void **state) {
    (void)state;
    NZ_AUTO_FREE char *text = document_of(30, 3, "c");
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    nz_assert_ok(try_view(&view, text));
    nz_assert_ok(nz_plots_draw_detection(&plots, &view));
    assert_int_equal(plots.count, 1 + (NZ_DETECTION_DRAWN_MOST - 1) + NZ_DETECTION_DRAWN_MOST);
    assert_non_null(strstr(plots.notes.data, "of the first 24 of 30 detectors"));
    assert_non_null(strstr(plot_of(&plots, "precision-recall")->svg, "the first 24 of 30 models"));
}

static void a_variant_with_the_same_boxes_is_drawn_once(void **state) {
    (void)state;
    NZ_AUTO_FREE char *text = document_of(1, 2, "c");
    NZ_AUTO_JSON json_t *json = json_loads(text, 0, NULL);
    json_t *models = json_object_get(json, "models");
    NZ_AUTO_VIEW nz_view view = {0};
    NZ_AUTO_PLOTS nz_plots plots = {0};
    assert_int_equal(json_array_append_new(models, json_deep_copy(json_array_get(models, 0))), 0);
    json_t *second = json_object_get(json_array_get(models, 1), "detection"); /* whose boxes lie in another file */
    assert_int_equal(json_object_set_new(second, "detections", json_string("detections/m0-2.json")), 0);
    nz_assert_ok(nz_view_init(&view, json, "test"));
    assert_true(nz_found_shown(&view, 0));
    assert_false(nz_found_shown(&view, 1));
    nz_assert_ok(nz_plots_draw_detection(&plots, &view));
    assert_int_equal(plots.count, 3);
}

/* Where variants have the same boxes, no plot is called by what tells only one of them. */
static void names_say_what_is_drawn(void **state) {
    (void)state;
    static const struct {
        const char *runtime;
        int threads, boxes;
        const char *label, *found_label;
    } rows[] = {{"native", 1, 7, "m0 \xc2\xb7 native \xc2\xb7 t1", "m0 \xc2\xb7 native"},
                {"native", 2, 7, "m0 \xc2\xb7 native \xc2\xb7 t2", "m0 \xc2\xb7 native"},
                {"other", 1, 8, "m0 \xc2\xb7 other \xc2\xb7 t1", "m0 \xc2\xb7 other \xc2\xb7 t1"},
                {"other", 2, 9, "m0 \xc2\xb7 other \xc2\xb7 t2", "m0 \xc2\xb7 other \xc2\xb7 t2"}};
    for (size_t count = 2; count <= NZ_COUNT(rows); count += 2) {
        NZ_AUTO_FREE char *text = document_of(1, 2, "c");
        NZ_AUTO_JSON json_t *json = json_loads(text, 0, NULL);
        json_t *models = json_object_get(json, "models");
        NZ_AUTO_VIEW nz_view view = {0};
        NZ_AUTO_PLOTS nz_plots plots = {0};
        for (size_t r = 0; r < count; r++) {
            if (r) assert_int_equal(json_array_append_new(models, json_deep_copy(json_array_get(models, 0))), 0);
            json_t *model = json_array_get(models, r);
            json_object_set_new(model, "variant",
                                json_pack("{s:s,s:i}", "runtime", rows[r].runtime, "threads", rows[r].threads));
            json_object_set_new(json_object_get(model, "detection"), "boxes", json_integer(rows[r].boxes));
        }
        nz_assert_ok(nz_view_init(&view, json, "test"));
        for (size_t r = 0; r < count && count > 2; r++) {
            assert_string_equal(view.rows[r].label, rows[r].label);
            assert_string_equal(view.rows[r].found_label, rows[r].found_label);
            assert_int_equal(nz_found_shown(&view, r), r != 1);
        }
        if (count > 2) continue;
        assert_string_equal(view.rows[1].label, "m0 \xc2\xb7 t2");
        assert_string_equal(view.rows[1].found_label, "m0");
        nz_assert_ok(nz_plots_draw_detection(&plots, &view));
        assert_non_null(strstr(plot_of(&plots, "confusion-m0")->title, "Confusion: m0"));
        for (size_t i = 0; i < plots.count; i++) assert_null(strstr(plots.items[i].svg, "t1<"));
    }
}

/* The curve may be a thinned one, the best point is not. */
static void the_best_point_is_the_one_that_is_told(void **state) {
    (void)state;
    static const char curve[] = "\"f1_confidence\":{\"confidence\":[0,0.3,0.6,1],\"f1\":[0.1,0.5,0.4,0]}}";
    static const char *const told[][2] = {{"{\"confidence\":0.31,\"yolov5\":{\"f1\":0.512},", ">0.512 at 0.310</text>"},
                                          {"{\"confidence\":0.31,", ">0.500 at 0.300</text>"}};
    for (size_t i = 0; i < NZ_COUNT(told); i++) {
        NZ_AUTO_VIEW nz_view view = {0};
        NZ_AUTO_PLOTS nz_plots plots = {0};
        nz_assert_ok(try_many(&view, told[i][0], "", 0, curve));
        nz_assert_ok(nz_plots_draw_detection(&plots, &view));
        assert_non_null(strstr(plot_of(&plots, "f1-confidence")->svg, told[i][1]));
    }
}

/* ---- boxes on images ---- */

static void classes_have_colours_that_can_be_read_on(void **state) {
    (void)state;
    for (int32_t a = 0; a < NZ_CLASS_COLOURS; a++) {
        for (int32_t b = 0; b < a; b++) assert_int_not_equal(nz_class_colour(a), nz_class_colour(b));
        assert_true(nz_colour_on(nz_class_colour(a)) == 0xffffff || nz_colour_on(nz_class_colour(a)) == 0x22201c);
    }
    assert_int_equal(nz_class_colour(NZ_CLASS_COLOURS), nz_class_colour(0));
    assert_int_equal(nz_class_colour(INT32_MAX), nz_class_colour(INT32_MAX % NZ_CLASS_COLOURS));
    assert_int_equal(nz_colour_on(0xffffff), 0x22201c);
    assert_int_equal(nz_colour_on(0x000000), 0xffffff);
}

static void an_image_keeps_its_pixels(void **state) {
    (void)state;
    enum { W = 500, H = 400 };
    NZ_AUTO_FREE uint8_t *rgb = NULL;
    NZ_AUTO(nz_image_done) nz_image image = {0};
    nz_assert_ok(nz_alloc(&rgb, W * H * 3, 1));
    for (size_t i = 0; i < (size_t)W * H * 3; i++) rgb[i] = (uint8_t)(i * 7 % 253);
    nz_box_mark box = {.class_index = 1, .x = 300, .y = 200, .width = 100, .height = 80, .score = 0.87};
    nz_box_panel panel = {.rgb = rgb, .width = W, .height = H, .count = 1, .boxes = &box};
    static const char *const names[] = {"cat", "dog"};
    nz_assert_ok(nz_report_boxes(nz_test_file("one.png"), &panel, 1, names, 2));
    nz_assert_ok(nz_image_load(&image, nz_test_file("one.png")));
    assert_int_equal(image.width, W);
    assert_int_equal(image.height, H);
    assert_memory_equal(image.pixels, rgb, (size_t)W * 150 * 3); /* above the box and its label */
    const uint8_t *edge = image.pixels + ((size_t)240 * W + 300) * 3, *was = rgb + ((size_t)240 * W + 300) * 3;
    assert_true(memcmp(edge, was, 3) != 0);
    assert_true(edge[2] > edge[0]); /* sky blue */
}

static void small_images_are_enlarged_and_several_stand_side_by_side(void **state) {
    (void)state;
    uint8_t rgb[20 * 10 * 3] = {0};
    NZ_AUTO(nz_image_done) nz_image one = {0}, five = {0};
    nz_box_mark boxes[] = {
        {0, 2, 2, 5, 5, 0.5, NZ_OUTLINE_SOLID, NULL},
        {1, -1e300, 0, 1e308, 5, NAN, NZ_OUTLINE_DASHED, NULL},
        {2, NAN, 0, 5, 5, 0.1, NZ_OUTLINE_SOLID, NULL},
        {3, 0, (double)INFINITY, 5, 5, 0.1, NZ_OUTLINE_SOLID, NULL},
        {-1, 10, 5, 40, 40, 0.9, NZ_OUTLINE_DOTTED, "\xff"},
        {INT32_MAX, 0, 0, 0, 0, 0.9, NZ_OUTLINE_SOLID, "x"},
    };
    nz_box_panel panels[5] = {{.rgb = rgb, .width = 20, .height = 10, .count = NZ_COUNT(boxes), .boxes = boxes}};
    for (size_t i = 1; i < 5; i++) panels[i] = panels[0];
    nz_assert_ok(nz_report_boxes(nz_test_file("small.png"), panels, 1, NULL, 0));
    nz_assert_ok(nz_image_load(&one, nz_test_file("small.png")));
    assert_int_equal(one.width, 400);
    assert_int_equal(one.height, 200);
    panels[3].heading = "a heading that is far too long to stand above an image of this size, and is cut for it";
    nz_assert_ok(nz_report_boxes(nz_test_file("five.png"), panels, 5, NULL, 0));
    nz_assert_ok(nz_image_load(&five, nz_test_file("five.png")));
    assert_true(five.width > 4 * 400 && five.height > 2 * 200);
}

static void what_is_no_image_is_refused(void **state) {
    (void)state;
    uint8_t rgb[3] = {0};
    nz_box_panel panel = {.rgb = rgb, .width = 0, .height = 1};
    const char *path = nz_test_file("none.png");
    nz_assert_fails(nz_report_boxes(path, NULL, 0, NULL, 0), NZ_E_ARG, "no image");
    nz_assert_fails(nz_report_boxes(path, &panel, 1, NULL, 0), NZ_E_ARG, "image 0 of 0 x 1");
    panel.width = 1;
    nz_assert_fails(nz_report_boxes("/nowhere/at/all.png", &panel, 1, NULL, 0), NZ_E_IO, "/nowhere/at/all.png");
    assert_false(nz_file_exists(path));
}

static void plots_without_a_comparison(void **state) {
    (void)state;
    NZ_AUTO_FREE char *text = document_of(1, 3, "c"), *folder = NULL, *plot = NULL;
    nz_assert_ok(nz_strdup(&folder, nz_test_file("alone")));
    nz_assert_ok(nz_report_detection(folder, text, NULL));
    nz_assert_ok(nz_path_join(&plot, folder, "plots/confusion-m0.png"));
    assert_true(nz_file_exists(plot));
    nz_assert_fails(nz_report_detection(folder, "{", NULL), NZ_E_FORMAT, "not valid JSON");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_detector_is_read),
        cmocka_unit_test(what_is_broken_is_refused_by_name),
        cmocka_unit_test(sizes_are_bounded),
        cmocka_unit_test(changes_are_ranked),
        cmocka_unit_test(boxes_are_compared_with_the_baseline),
        cmocka_unit_test(many_classes_stay_a_drawing),
        cmocka_unit_test(many_models_stay_a_report),
        cmocka_unit_test(a_variant_with_the_same_boxes_is_drawn_once),
        cmocka_unit_test(names_say_what_is_drawn),
        cmocka_unit_test(the_best_point_is_the_one_that_is_told),
        cmocka_unit_test(classes_have_colours_that_can_be_read_on),
        cmocka_unit_test(an_image_keeps_its_pixels),
        cmocka_unit_test(small_images_are_enlarged_and_several_stand_side_by_side),
        cmocka_unit_test(what_is_no_image_is_refused),
        cmocka_unit_test(plots_without_a_comparison),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
