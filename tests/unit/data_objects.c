/* SPDX-License-Identifier: Apache-2.0 */
/* Data sets that are labelled with objects, on files that are made here. */
#include "data_files.h"

#include "core/error.h"
#include "data/preprocess.h"

/* "class:x,y,w,h(area)" of each object of sample i, crowds with a star. Static buffer. */
static const char *objects_of(const nz_dataset *data, size_t i) {
    static char text[1024];
    NZ_AUTO_FREE nz_object *objects = NULL;
    size_t count = 0, used = 0;
    text[0] = '\0';
    nz_assert_ok(nz_data_objects(&objects, &count, data, i));
    for (size_t k = 0; k < count; k++) {
        const nz_object *o = &objects[k];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%d%s:%g,%g,%g,%g(%g)", k ? " " : "",
                                 o->class_index, o->crowd ? "*" : "", o->x, o->y, o->width, o->height, o->area);
    }
    return text;
}

static void assert_broken(const nz_dataset *data, size_t i, const char *part) {
    nz_object *objects = NULL;
    size_t count = 0;
    uint8_t *rgb = NULL;
    int width, height;
    nz_assert_fails(nz_data_objects(&objects, &count, data, i), NZ_E_FORMAT, part);
    nz_assert_fails(nz_data_image(data, i, &rgb, &width, &height), NZ_E_FORMAT, part);
}

/* ---- COCO ---- */

static const char coco_images[] =
    "{\"annotations\": [%s],\n\"info\": {\"x\": [1, {\"y\": 2}]},\n"
    "\"categories\": [{\"id\": 90, \"name\": \"zebra\"}, {\"id\": 7, \"name\": \"ant\"}],\n"
    "\"images\": [{\"id\": 31, \"file_name\": \"b.png\", \"width\": 20, \"height\": 10},\n"
    "{\"id\": 5, \"file_name\": \"a.png\"}, {\"id\": 8, \"file_name\": \"sub/c.png\", "
    "\"width\": 7, \"height\": 9}]}";

static void put_coco(const char *annotations) {
    char text[4096];
    snprintf(text, sizeof text, coco_images, annotations);
    put_text("coco/set.json", text);
    put_png("coco/images/b.png", 20, 10, 1, 2, 3);
    put_png("coco/images/a.png", 6, 4, 4, 5, 6);
    put_png("coco/images/sub/c.png", 9, 7, 7, 8, 9); /* not what the annotations say */
}

static void coco_by_hand(void **state) {
    (void)state;
    put_coco("{\"image_id\": 5, \"category_id\": 90, \"bbox\": [1, 2, 3.5, 2], \"area\": 5.25, \"iscrowd\": 0},"
             "{\"image_id\": 31, \"category_id\": 7, \"bbox\": [0, 0, 4, 5], \"iscrowd\": 1},"
             "{\"image_id\": 5, \"category_id\": 7, \"bbox\": [0, 0, 1, 1], \"ignore\": 1, \"segmentation\": [[1, 2, "
             "3, 4]]}");
    AUTO_DATA data = open_good(spec_of("coco", "coco/set.json", "letterbox=16"), NZ_DATA_TRAIN);
    assert_true(nz_data_has_objects(data));
    assert_null(nz_data_note(data));
    assert_int_equal(nz_data_count(data), 3);
    assert_int_equal(nz_data_classes(data), 2);
    assert_string_equal(nz_data_class_name(data, 0), "ant");
    assert_string_equal(nz_data_class_name(data, 1), "zebra");
    assert_int_equal(nz_data_class_id(data, 0), 7);
    assert_int_equal(nz_data_class_id(data, 1), 90);
    assert_int_equal(nz_data_image_id(data, 0), 31);
    assert_int_equal(nz_data_image_id(data, 2), 8);
    assert_int_equal(nz_data_label(data, 0), -1);
    assert_string_equal(objects_of(data, 0), "0*:0,0,4,5(20)");
    assert_string_equal(objects_of(data, 1), "1:1,2,3.5,2(5.25) 0*:0,0,1,1(1)");
    assert_string_equal(objects_of(data, 2), "");
    nz_placement at;
    nz_assert_ok(nz_data_placement(&at, data, 1)); /* the size is the header's */
    assert_true(at.image_width == 6 && at.image_height == 4);
    uint8_t *rgb = NULL;
    int width, height;
    nz_assert_fails(nz_data_image(data, 2, &rgb, &width, &height), NZ_E_FORMAT,
                    "9x7 pixels, but its annotation says 7x9");
    nz_loader *loader = NULL;
    nz_batch batch;
    nz_assert_ok(nz_loader_open(&loader, data, 3, NULL, 0, 1));
    nz_assert_ok(nz_loader_next(loader, &batch));
    assert_int_equal(batch.count, 2);
    assert_true(batch.placements && batch.placements[1].image_width == 6);
    assert_int_equal(nz_loader_broken(loader), 1);
    nz_loader_free(loader);
    AUTO_DATA part = open_good(spec_of("coco", "coco/set.json", "offset=1,limit=1"), NZ_DATA_TRAIN);
    assert_int_equal(nz_data_image_id(part, 0), 5);
    assert_string_equal(objects_of(part, 0), objects_of(data, 1));
}

static void coco_counts_and_breaks(void **state) {
    (void)state;
    put_coco("{\"image_id\": 6, \"category_id\": 7, \"bbox\": [0, 0, 4, 5]},"
             "{\"image_id\": 5, \"category_id\": 8, \"bbox\": [0, 0, 4, 5]},"
             "{\"image_id\": 5, \"category_id\": 7, \"bbox\": [0, 0, -4, 5]},"
             "{\"image_id\": 5, \"category_id\": 7, \"bbox\": [0, 0, 4]},"
             "{\"image_id\": 8, \"category_id\": 7, \"bbox\": [1e300, 0, 4, 5]},"
             "{\"image_id\": 31, \"category_id\": 7, \"bbox\": [0, 0, 4, 5]}");
    AUTO_DATA data = open_good(spec_of("coco", "coco/set.json", "letterbox=16"), NZ_DATA_TRAIN);
    assert_non_null(strstr(nz_data_note(data), "2 of 6 annotations"));
    assert_string_equal(objects_of(data, 0), "0:0,0,4,5(20)");
    assert_broken(data, 1, "set.json: annotations[2], of image 5: bbox has a negative width");
    assert_broken(data, 2, "annotations[4], of image 8: bbox lies beyond any image");
}

static void broken_coco_files_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"{\"images\": [], \"categories\": [{\"id\": 1}]}", "'annotations' is missing"},
        {"{\"images\": [{\"id\": 1, \"file_name\": \"a\"}, {\"id\": 1, \"file_name\": \"b\"}], \"categories\": "
         "[{\"id\": 1}], "
         "\"annotations\": []}",
         "'images' has the id 1 twice"},
        {"{\"images\": [{\"id\": 1, \"file_name\": \"a\"}], \"categories\": [{\"id\": 1}, {\"id\": 1}], "
         "\"annotations\": []}",
         "'categories' has the id 1 twice"},
        {"{\"images\": [{\"id\": 1, \"file_name\": \"a\"}], \"categories\": [], \"annotations\": []}",
         "'categories' is empty"},
        {"{\"images\": [{\"id\": 1.5, \"file_name\": \"a\"}], \"categories\": [], \"annotations\": []}",
         "images[0]: id"},
        {"{\"images\": [{\"id\": 1, \"file_name\": \"\"}], \"categories\": [], \"annotations\": []}",
         "images[0]: file_name"},
        {"{\"images\": [{\"id\": 1,", "broken.json"},
        {"", "broken.json"},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        put_text("broken.json", cases[i].text);
        refuse(spec_of("coco", "broken.json", ""), NZ_E_FORMAT, cases[i].part);
    }
    put_coco("");
    refuse(spec_of("coco", "coco/set.json", "split=val"), NZ_E_ARG, "one file for each split");
    refuse(spec_of("coco", "coco/set.json", "images=/no/such"), NZ_E_IO, "images=");
    refuse(spec_of("coco", "absent.json", ""), NZ_E_IO, "absent.json");
    refuse("synthetic:shapes,images=x", NZ_E_ARG, "does not take images=");
}

/* ---- YOLO ---- */

static void yolo_by_hand(void **state) {
    (void)state;
    put_png("yolo/images/0012.png", 20, 10, 0, 0, 0);
    put_png("yolo/images/3.png", 8, 8, 0, 0, 0);
    put_png("yolo/images/deep/7.png", 8, 8, 0, 0, 0);
    put_text("yolo/labels/0012.txt", "1 0.5 0.5 0.5 0.4\r\n\n0 0.25 0.2 0.1 0.2\n");
    put_text("yolo/labels/deep/7.txt", "1 0.25 0.5 0.75 0.5 0.5 1\n");
    put_text("yolo/data.yaml", "train: elsewhere\nnames: [ant, bee]\n");
    AUTO_DATA data = open_good(spec_of("yolo", "yolo", ""), NZ_DATA_TRAIN);
    assert_int_equal(nz_data_count(data), 3);
    assert_string_equal(nz_data_class_name(data, 1), "bee");
    assert_int_equal(nz_data_class_id(data, 1), 1);
    assert_int_equal(nz_data_image_id(data, 0), 12);
    assert_int_equal(nz_data_image_id(data, 1), 3);
    assert_string_equal(objects_of(data, 0), "1:5,3,10,4(40) 0:4,1,2,2(4)");
    assert_string_equal(objects_of(data, 1), ""); /* no label file: nothing is there */
    assert_string_equal(objects_of(data, 2), "1:2,4,4,4(16)");
    put_png("yolo/images/12.png", 4, 4, 0, 0, 0); /* the number 12 again: ids are positions */
    put_text("yolo/labels/12.txt", "");
    AUTO_DATA more = open_good(spec_of("yolo", "yolo/data.yaml", ""), NZ_DATA_TRAIN);
    assert_int_equal(nz_data_count(more), 4);
    assert_int_equal(nz_data_image_id(more, 0), 0);
    assert_int_equal(nz_data_image_id(more, 1), 1);
    assert_string_equal(objects_of(more, 1), "");
}

static void yolo_splits(void **state) {
    (void)state;
    put_png("splits/images/train/a.png", 4, 4, 0, 0, 0);
    put_png("splits/images/val/b.png", 4, 4, 0, 0, 0);
    put_png("splits/images/val/c.png", 4, 4, 0, 0, 0);
    put_text("splits/labels/val/c.txt", "4 0.5 0.5 1 1\n");
    AUTO_DATA train = open_good(spec_of("yolo", "splits", ""), NZ_DATA_TRAIN);
    AUTO_DATA val = open_good(spec_of("yolo", "splits", ""), NZ_DATA_COMPARE);
    assert_int_equal(nz_data_count(train), 1);
    assert_int_equal(nz_data_count(val), 2);
    assert_int_equal(nz_data_classes(val), 5); /* as many as the greatest says */
    assert_null(nz_data_class_name(val, 0));
    assert_string_equal(objects_of(val, 1), "4:0,0,4,4(16)");
    refuse(spec_of("yolo", "splits", "split=test"), NZ_E_IO, "no test samples here; there is train and val");
    /* Other layouts: the split's folder outside, and lists of images. */
    put_png("outside/val/images/b.png", 4, 4, 0, 0, 0);
    put_text("outside/val/labels/b.txt", "0 0.5 0.5 1 0.5\n");
    AUTO_DATA outside = open_good(spec_of("yolo", "outside", "split=val"), NZ_DATA_TRAIN);
    assert_string_equal(objects_of(outside, 0), "0:0,1,4,2(8)");
    put_png("exported/valid/images/b.png", 4, 4, 0, 0, 0);
    put_text("exported/valid/labels/b.txt", "0 0.5 0.5 0.5 1\n");
    put_text("exported/data.yaml", "train: ../train/images\nval: ../valid/images\nnames: [a]\n");
    AUTO_DATA exported = open_good(spec_of("yolo", "exported", "split=val"), NZ_DATA_TRAIN);
    assert_string_equal(objects_of(exported, 0), "0:1,0,2,4(8)");
    put_text("listed/train.txt", "./images/any/x.png \r\n\nimages/any/y.png\n");
    put_text("listed/set.yaml", "path: ../listed\ntrain: train.txt\nnames:\n  1: b\n  0: a\n");
    put_png("listed/images/any/x.png", 4, 4, 0, 0, 0);
    put_text("listed/labels/any/x.txt", "1 0.5 0.5 0.5 0.5\n");
    AUTO_DATA listed = open_good(spec_of("yolo", "listed/set.yaml", ""), NZ_DATA_TRAIN);
    assert_int_equal(nz_data_count(listed), 2);
    assert_string_equal(objects_of(listed, 0), "1:1,1,2,2(4)");
    assert_string_equal(objects_of(listed, 1), "");
    put_text("classes.txt", "one\ntwo\nthree\n");
    const char *keys = labels_key("classes.txt");
    AUTO_DATA named = open_good(spec_of("yolo", "listed/set.yaml", keys), NZ_DATA_TRAIN);
    assert_int_equal(nz_data_classes(named), 3);
    assert_string_equal(nz_data_class_name(named, 1), "two");
}

static void a_wrong_yolo_line_breaks_its_image_alone(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"0 0.5 0.5 0.5 0.5\n0 0.5 0.5 0.5\n", "a.txt:2: 4 numbers"},
        {"0 0.5 0.5 0.5 0.5 0.9\n", "a.txt:1: 6 numbers"},
        {"2 0.5 0.5 0.5 0.5\n", "a.txt:1: the class should be a whole number from 0 to 1"},
        {"-1 0.5 0.5 0.5 0.5\n", "whole number"},
        {"0.5 0.5 0.5 0.5 0.5\n", "whole number"},
        {"cat 0.5 0.5 0.5 0.5\n", "whole number"},
        {"\n\n0 0.5 0.5 x 0.5\n", "a.txt:3: value 3 is no number"},
        {"0 0.5 nan 0.5 0.5\n", "value 2 is no number"},
        {"0 0.5 1e999 0.5 0.5\n", "value 2 is no number"},
        {"0 120 80 30 40\n", "value 1 is 120; places and extents are fractions"},
        {"0 0.5 0.5 -0.005 0.5\n", "negative width"},
        {"0,0.5,0.5,0.5,0.5\n", "whole number"},
    };
    put_png("lines/images/a.png", 4, 4, 0, 0, 0);
    put_png("lines/images/b.png", 4, 4, 0, 0, 0);
    put_text("lines/names.yaml", "names: {0: a, 1: b}\n");
    put_text("lines/labels/b.txt", "1 0.5 0.5 1 1\n");
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        put_text("lines/labels/a.txt", cases[i].text);
        AUTO_DATA data = open_good(spec_of("yolo", "lines", ""), NZ_DATA_TRAIN);
        assert_broken(data, 0, cases[i].part);
        assert_string_equal(objects_of(data, 1), "1:0,0,4,4(16)");
    }
    put_file("lines/labels/a.txt", "0 0.5\0", 6);
    AUTO_DATA data = open_good(spec_of("yolo", "lines", ""), NZ_DATA_TRAIN);
    assert_broken(data, 0, "not a text file");
}

static void broken_yolo_sets_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"names: {0: a, 2: b}\n", "names.yaml:1:"},
        {"names: {a: b}\n", "should be a number from 0 to 0"},
        {"names: []\n", "names should be a list of classes"},
        {"nc: 3\nnames: [a]\n", "nc is 3, but there are 1 names"},
        {"names: [[a]]\n", "should be a word"},
        {"names: [&x a, *x]\n", "names.yaml:1:"},
        {"[a]\n", "should be a mapping"},
        {"train: [a, b]\nnames: [a]\n", "train should be one path"},
    };
    put_png("badnames/images/a.png", 4, 4, 0, 0, 0);
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        put_text("badnames/names.yaml", cases[i].text);
        refuse(spec_of("yolo", "badnames", ""), NZ_E_FORMAT, cases[i].part);
    }
    put_text("noimages/labels/a.txt", "");
    refuse(spec_of("yolo", "noimages", ""), NZ_E_IO, "'images'");
    refuse(spec_of("yolo", "absent", ""), NZ_E_IO, "absent");
}

/* ---- Pascal VOC ---- */

#define VOC_OBJECT(name, hard, x1, y1, x2, y2)                                                                         \
    "<object><name>" name "</name><pose>Left</pose><difficult>" hard "</difficult><bndbox><ymax>" y2                   \
    "</ymax><xmin>" x1 "</xmin><ymin>" y1 "</ymin><xmax>" x2 "</xmax></bndbox>"                                        \
    "<part><name>head</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></part></object>"

static void voc_by_hand(void **state) {
    (void)state;
    put_png("voc/JPEGImages/2007_01.png", 20, 10, 0, 0, 0);
    put_png("voc/JPEGImages/2007_02.png", 20, 10, 0, 0, 0);
    put_text("voc/Annotations/2007_01.xml", "<annotation>" VOC_OBJECT("dog", "0", "1", "2", "20", "10")
                                                VOC_OBJECT("person", "1", " 3 ", "4", "3", "4") "</annotation>");
    put_text("voc/Annotations/2007_02.xml", "<annotation><size><width>20</width></size></annotation>");
    AUTO_DATA data = open_good(spec_of("voc", "voc", ""), NZ_DATA_TRAIN);
    assert_int_equal(nz_data_count(data), 2);
    assert_int_equal(nz_data_classes(data), 20);
    assert_string_equal(nz_data_class_name(data, 14), "person");
    assert_string_equal(objects_of(data, 0), "11:0,1,20,9(180) 14*:2,3,1,1(1)"); /* from 1, both ends inside */
    assert_string_equal(objects_of(data, 1), "");
    assert_int_equal(nz_data_image_id(data, 1), 1);
    put_text("voc/ImageSets/Main/val.txt", "2007_02\n");
    put_text("voc/ImageSets/Main/train.txt", "2007_02  -1\n\n 2007_01  1 \n");
    AUTO_DATA val = open_good(spec_of("voc", "voc", ""), NZ_DATA_COMPARE);
    AUTO_DATA train = open_good(spec_of("voc", "voc", "split=train"), NZ_DATA_COMPARE);
    assert_int_equal(nz_data_count(val), 1);
    assert_int_equal(nz_data_count(train), 2);
    assert_string_equal(objects_of(train, 1), objects_of(data, 0));
    refuse(spec_of("voc", "voc", "split=test"), NZ_E_IO, "there is train and val");
}

static void voc_classes_of_ones_own(void **state) {
    (void)state;
    put_png("own/images/1.png", 20, 10, 0, 0, 0);
    put_text("own/Annotations/1.xml", "<annotation>" VOC_OBJECT("yak", "0", "1", "1", "2", "2")
                                          VOC_OBJECT("bee", "0", "1", "1", "3", "3") "</annotation>");
    AUTO_DATA data = open_good(spec_of("voc", "own", ""), NZ_DATA_TRAIN);
    assert_int_equal(nz_data_classes(data), 2);
    assert_string_equal(nz_data_class_name(data, 0), "bee");
    assert_string_equal(objects_of(data, 0), "1:0,0,2,2(4) 0:0,0,3,3(9)");
    assert_int_equal(nz_data_image_id(data, 0), 1);
    put_text("own/classes.txt", "yak\nant\nyak\n"); /* of equal names the first counts */
    const char *keys = labels_key("own/classes.txt");
    AUTO_DATA named = open_good(spec_of("voc", "own", keys), NZ_DATA_TRAIN);
    assert_broken(named, 0, "1.xml:1: 'bee' is not in");
    put_text("own/Annotations/1.xml", "<annotation>" VOC_OBJECT("yak", "0", "1", "1", "2", "2") "</annotation>");
    AUTO_DATA first = open_good(spec_of("voc", "own", keys), NZ_DATA_TRAIN);
    assert_string_equal(objects_of(first, 0), "0:0,0,2,2(4)");
}

/* Where the size is told, it must be the image's; 0 and words tell nothing. */
static void voc_sizes(void **state) {
    (void)state;
#define VOC_SIZED(width, height)                                                                                       \
    "<annotation><size><width>" width "</width><height>" height                                                        \
    "</height></size>" VOC_OBJECT("dog", "0", "1", "1", "2", "2") "</annotation>"
    put_text("sized/Annotations/1.xml", VOC_SIZED("20", "10"));
    put_text("sized/Annotations/2.xml", VOC_SIZED("10", "20"));
    put_text("sized/Annotations/3.xml", VOC_SIZED("0", "unknown"));
    for (int i = 1; i <= 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "sized/JPEGImages/%d.png", i);
        put_png(name, 20, 10, 0, 0, 0);
    }
    AUTO_DATA data = open_good(spec_of("voc", "sized", ""), NZ_DATA_TRAIN);
    uint8_t *rgb = NULL;
    int width, height;
    for (size_t i = 0; i < 3; i += 2) {
        nz_assert_ok(nz_data_stored_image(data, i, &rgb, &width, &height));
        free(rgb);
        rgb = NULL;
    }
    nz_assert_fails(nz_data_stored_image(data, 1, &rgb, &width, &height), NZ_E_FORMAT,
                    "20x10 pixels, but its annotation says 10x20");
}

static void a_wrong_voc_file_breaks_its_image_alone(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"<!DOCTYPE a [<!ENTITY x \"ha\"><!ENTITY y \"&x;&x;&x;&x;\">]><annotation>&y;</annotation>",
         "1.xml:1: a document type declaration"},
        {"<!DOCTYPE a SYSTEM \"http://localhost/a.dtd\"><annotation/>", "a document type declaration"},
        {"<annotation>\n<object><name>dog</name></object></annotation>", "1.xml:2: the object has no 'xmin'"},
        {"<annotation>" VOC_OBJECT("", "0", "1", "1", "2", "2") "</annotation>", "name is empty"},
        {"<annotation>" VOC_OBJECT("dog", "0", "one", "1", "2", "2") "</annotation>", "'xmin' is no number"},
        {"<annotation>" VOC_OBJECT("dog", "0", "inf", "1", "2", "2") "</annotation>", "'xmin' is no number"},
        {"<annotation>" VOC_OBJECT("dog", "0", "3", "1", "2", "2") "</annotation>", "ends before it begins"},
        {"<annotation>" VOC_OBJECT("dog", "0", "1</xmin><xmin>1", "1", "2", "2") "</annotation>",
         "'xmin' a second time"},
        {"<annotation><object>", "not valid XML"},
        {"", "not valid XML"},
        {"<annotation>&undefined;</annotation>", "not valid XML"},
        {"\n<html/>", "1.xml:2: the outermost element should be 'annotation'"},
    };
    put_png("hostile/JPEGImages/1.png", 4, 4, 0, 0, 0);
    put_png("hostile/JPEGImages/2.png", 4, 4, 0, 0, 0);
    put_text("hostile/Annotations/2.xml", "<annotation>" VOC_OBJECT("cat", "0", "1", "1", "4", "4") "</annotation>");
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        put_text("hostile/Annotations/1.xml", cases[i].text);
        AUTO_DATA data = open_good(spec_of("voc", "hostile", ""), NZ_DATA_TRAIN);
        assert_broken(data, 0, cases[i].part);
        assert_string_equal(objects_of(data, 1), "7:0,0,4,4(16)");
    }
    char deep[2000] = "<annotation>";
    for (int i = 0; i < 100; i++) strcat(deep, "<a>");
    put_text("hostile/Annotations/1.xml", deep);
    AUTO_DATA data = open_good(spec_of("voc", "hostile", ""), NZ_DATA_TRAIN);
    assert_broken(data, 0, "64 elements within each other");
    refuse(spec_of("voc", "hostile/JPEGImages", ""), NZ_E_IO, "Annotations");
}

/* ---- What all have in common ---- */

static void a_made_set_is_the_same_in_every_form(void **state) {
    (void)state;
    size_t written = 0, kept = 0;
    const char *folder = nz_test_file("made");
    char spec[4500];
    nz_assert_ok(nz_data_make(&written, &kept, "synthetic:shapes-det,count=9,size=64,seed=3", folder, NULL));
    assert_int_equal(written, 18);
    nz_assert_ok(nz_data_make(&written, &kept, "synthetic:shapes-det,count=9,size=64,seed=3", folder, NULL));
    assert_int_equal(kept, 18);
    AUTO_DATA made = open_good("synthetic:shapes-det,count=9,size=64,seed=3", NZ_DATA_COMPARE);
    AUTO_DATA yolo = open_good(spec_of("yolo", "made", ""), NZ_DATA_COMPARE);
    snprintf(spec, sizeof spec, "coco:%s/test.json,shuffle=1,seed=5", folder);
    AUTO_DATA coco = open_good(spec, NZ_DATA_COMPARE);
    assert_int_equal(nz_data_count(yolo), 9);
    for (size_t i = 0; i < 9; i++) {
        NZ_AUTO_FREE nz_object *a = NULL, *b = NULL, *c = NULL;
        NZ_AUTO_FREE uint8_t *p = NULL, *q = NULL;
        size_t counts[3], at = 0;
        int width, height;
        while (nz_data_image_id(coco, at) != nz_data_image_id(made, i)) at++;
        nz_assert_ok(nz_data_objects(&a, &counts[0], made, i));
        nz_assert_ok(nz_data_objects(&b, &counts[1], yolo, i));
        nz_assert_ok(nz_data_objects(&c, &counts[2], coco, at));
        assert_true(counts[0] > 0 && counts[1] == counts[0] && counts[2] == counts[0]);
        for (size_t k = 0; k < counts[0]; k++) {
            assert_true(a[k].x == c[k].x && a[k].height == c[k].height && a[k].area == c[k].area);
            assert_true(a[k].class_index == b[k].class_index && a[k].class_index == c[k].class_index);
            nz_assert_near(b[k].x, a[k].x, 0, 1e-9);
            nz_assert_near(b[k].height, a[k].height, 0, 1e-9);
        }
        nz_assert_ok(nz_data_image(made, i, &p, &width, &height));
        nz_assert_ok(nz_data_image(coco, at, &q, &width, &height));
        assert_memory_equal(p, q, 3 * 64 * 64);
        assert_string_equal(nz_data_class_name(yolo, (size_t)a[0].class_index),
                            nz_data_class_name(coco, (size_t)a[0].class_index));
    }
}

static void fingerprints_tell_labels_apart(void **state) {
    (void)state;
    static const char *const annotations[] = {
        "{\"image_id\": 5, \"category_id\": 90, \"bbox\": [1, 2, 3, 2]}",
        "{\"image_id\": 5, \"category_id\": 90, \"bbox\": [1, 2, 3, 2.000001]}",
        "{\"image_id\": 5, \"category_id\": 7, \"bbox\": [1, 2, 3, 2]}",
        "{\"image_id\": 31, \"category_id\": 90, \"bbox\": [1, 2, 3, 2]}",
        "{\"image_id\": 5, \"category_id\": 90, \"bbox\": [1, 2, 3, 2], \"iscrowd\": 1}",
        "{\"image_id\": 5, \"category_id\": 90, \"bbox\": [1, 2, 3, 2], \"area\": 5}",
        "",
    };
    char seen[NZ_COUNT(annotations)][65];
    for (size_t i = 0; i < NZ_COUNT(annotations); i++) {
        put_coco(annotations[i]);
        AUTO_DATA data = open_good(spec_of("coco", "coco/set.json", ""), NZ_DATA_TRAIN);
        AUTO_DATA again = open_good(spec_of("coco", "coco/set.json", "letterbox=8"), NZ_DATA_COMPARE);
        assert_string_equal(nz_data_fingerprint(data), nz_data_fingerprint(again));
        snprintf(seen[i], sizeof seen[i], "%s", nz_data_fingerprint(data));
        for (size_t k = 0; k < i; k++) assert_string_not_equal(seen[k], seen[i]);
    }
}

static void kept_images_keep_their_objects(void **state) {
    (void)state;
    AUTO_DATA data = open_good("synthetic:shapes-det,count=5,size=48,letterbox=32", NZ_DATA_TRAIN);
    AUTO_DATA kept = open_good("synthetic:shapes-det,count=5,size=48,letterbox=32", NZ_DATA_TRAIN);
    nz_assert_ok(nz_data_keep(kept, 1 << 20));
    static float x[3 * 32 * 32], y[3 * 32 * 32];
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 5; i++) {
            int32_t label;
            char objects[1024];
            nz_assert_ok(nz_data_get(data, i, x, &label));
            nz_assert_ok(nz_data_get(kept, i, y, &label));
            assert_memory_equal(x, y, sizeof x);
            snprintf(objects, sizeof objects, "%s", objects_of(data, i));
            assert_string_equal(objects, objects_of(kept, i));
        }
}

static void placements_by_hand(void **state) {
    (void)state;
    /* README rules: s = N / the longer side, whatever the rounded extents; offset of the rounded extents, floored. */
    static const struct {
        const char *keys;
        int width, height;
        double scale_x, scale_y, left, top;
    } cases[] = {
        {"letterbox=640:centre:114:round", 500, 375, 1.28, 1.28, 0, 80},
        {"letterbox=640:centre:114:round", 333, 500, 1.28, 1.28, 107, 0},
        {"letterbox=640:centre:114:round", 640, 427, 1, 1, 0, 106},
        {"letterbox=416:topleft:114:floor", 427, 640, 0.65, 0.65, 0, 0},
        {"resize=10x30", 60, 40, 0.5, 0.25, 0, 0},
        {"resize=20", 60, 41, 29 / 60.0, 20 / 41.0, 0, 0},
        {"crop=11", 60, 40, 1, 1, -24, -14},
        {"resize=20x30,crop=10,letterbox=20x40", 60, 40, 1, 1, -10, -10},
        {"scale=1", 60, 40, 1, 1, 0, 0},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        nz_preprocess p;
        NZ_AUTO(nz_spec_done) nz_spec spec = {0};
        char text[256];
        nz_placement at;
        snprintf(text, sizeof text, "x,%s", cases[i].keys);
        nz_assert_ok(nz_spec_parse(&spec, text));
        nz_assert_ok(nz_preprocess_read(&p, &spec, NULL, "test"));
        nz_preprocess_place(&at, &p, cases[i].width, cases[i].height);
        nz_assert_near(at.scale_x, cases[i].scale_x, 1e-15, 0);
        nz_assert_near(at.scale_y, cases[i].scale_y, 1e-15, 0);
        nz_assert_near(at.left, cases[i].left, 0, 1e-12);
        nz_assert_near(at.top, cases[i].top, 0, 1e-12);
    }
    nz_placement at = {.image_width = 20,
                       .image_height = 10,
                       .width = 40,
                       .height = 40,
                       .scale_x = 2,
                       .scale_y = 3,
                       .left = 1,
                       .top = -4,
                       .flip = true};
    double box[4] = {3, 4, 5, 2};
    nz_place_box(box, &at);
    assert_true(box[0] == 40 - 7 - 10 && box[1] == 8 && box[2] == 10 && box[3] == 6);
    nz_unplace_box(box, &at);
    assert_true(box[0] == 3 && box[1] == 4 && box[2] == 5 && box[3] == 2);
}

static void data_of_one_class_have_no_objects(void **state) {
    (void)state;
    AUTO_DATA data = open_good("synthetic:shapes,count=5", NZ_DATA_TRAIN);
    nz_object *objects = NULL;
    size_t count = 0;
    nz_placement at;
    assert_false(nz_data_has_objects(data));
    nz_assert_fails(nz_data_objects(&objects, &count, data, 0), NZ_E_UNSUPPORTED, "not labelled with objects");
    nz_assert_fails(nz_data_objects(&objects, &count, data, 5), NZ_E_ARG, "sample 5 of 5");
    nz_assert_ok(nz_data_placement(&at, data, 0));
    assert_int_equal(at.image_width, 32);
    assert_int_equal(nz_data_image_id(data, 3), 3);
    assert_int_equal(nz_data_class_id(data, 3), 3);
}

static void coco_val_in_both_forms(void **state) {
    (void)state;
    char spec[4500];
    size_t total = 0;
    const char *folder = nz_test_shared("coco-val128");
    snprintf(spec, sizeof spec, "yolo:%s,preset=yolov5", folder);
    AUTO_DATA yolo = open_good(spec, NZ_DATA_COMPARE);
    snprintf(spec, sizeof spec, "coco:%s/instances.json,images=%s/images,preset=yolov5", folder, folder);
    AUTO_DATA coco = open_good(spec, NZ_DATA_COMPARE);
    assert_int_equal(nz_data_count(yolo), 128);
    assert_int_equal(nz_data_count(coco), 128);
    assert_int_equal(nz_data_image_id(yolo, 0), 139);
    assert_int_equal(nz_data_class_id(coco, 0), 1);
    for (size_t i = 0; i < 128; i++) {
        NZ_AUTO_FREE nz_object *a = NULL, *b = NULL;
        size_t n = 0, m = 0;
        nz_placement p, q;
        nz_assert_ok(nz_data_objects(&a, &n, yolo, i));
        nz_assert_ok(nz_data_objects(&b, &m, coco, i));
        nz_assert_ok(nz_data_placement(&p, yolo, i));
        nz_assert_ok(nz_data_placement(&q, coco, i));
        assert_true(p.image_width == q.image_width && p.top == q.top && p.scale_x == q.scale_x);
        assert_int_equal(n, m);
        total += n;
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(a[k].class_index, b[k].class_index);
            nz_assert_near(a[k].x, b[k].x, 0, 2e-3);
            nz_assert_near(a[k].height, b[k].height, 0, 2e-3);
        }
    }
    assert_int_equal(total, 898);
    assert_string_equal(nz_data_class_name(yolo, 79), nz_data_class_name(coco, 79));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coco_by_hand),
        cmocka_unit_test(coco_counts_and_breaks),
        cmocka_unit_test(broken_coco_files_are_refused),
        cmocka_unit_test(yolo_by_hand),
        cmocka_unit_test(yolo_splits),
        cmocka_unit_test(a_wrong_yolo_line_breaks_its_image_alone),
        cmocka_unit_test(broken_yolo_sets_are_refused),
        cmocka_unit_test(voc_by_hand),
        cmocka_unit_test(voc_classes_of_ones_own),
        cmocka_unit_test(voc_sizes),
        cmocka_unit_test(a_wrong_voc_file_breaks_its_image_alone),
        cmocka_unit_test(a_made_set_is_the_same_in_every_form),
        cmocka_unit_test(fingerprints_tell_labels_apart),
        cmocka_unit_test(kept_images_keep_their_objects),
        cmocka_unit_test(placements_by_hand),
        cmocka_unit_test(data_of_one_class_have_no_objects),
        cmocka_unit_test(coco_val_in_both_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
