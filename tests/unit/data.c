/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of data sets, from files that the tests make themselves; ranges, order, shapes and fingerprints. */
#include "data_files.h"

#include "data/npz.h"
#include "graph/build.h"

static void cifar10_reads_records_in_file_order(void **state) {
    (void)state;
    put_cifar("c10/data_batch_1.bin", 1, (const uint8_t[]){3, 1, 4}, 3, 0);
    put_cifar("c10/data_batch_2.bin", 1, (const uint8_t[]){1, 5}, 2, 3);
    put_cifar("c10/test_batch.bin", 1, (const uint8_t[]){9, 2}, 2, 50);
    put_text("c10/batches.meta.txt", "zero\none\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\n\n");
    AUTO_DATA train = open_good(spec_of("cifar10", "c10", "scale=1"), NZ_DATA_TRAIN);
    AUTO_DATA test = open_good(spec_of("cifar10", "c10", ""), NZ_DATA_COMPARE);
    assert_string_equal(labels_of(train), "3 1 4 1 5");
    assert_string_equal(labels_of(test), "9 2");
    assert_int_equal(nz_data_classes(train), 10);
    assert_string_equal(nz_data_class_name(train, 5), "five");
    assert_null(nz_data_class_name(train, 10));
    nz_shape shape;
    nz_data_shape(train, &shape);
    assert_true(nz_shape_equal(&shape, &(nz_shape){3, {3, 32, 32}}));
    float x[3072];
    for (size_t i = 0; i < 5; i++) {
        int32_t label = -5;
        nz_assert_ok(nz_data_get(train, i, x, &label));
        assert_int_equal(label, nz_data_label(train, i));
        for (size_t p = 0; p < 3072; p++) assert_true(x[p] == (float)(uint8_t)(i * 40 + p));
    }
    int32_t label;
    nz_assert_fails(nz_data_get(train, 5, x, &label), NZ_E_ARG, "sample 5 of 5");
}

static void cifar_says_which_split_is_there(void **state) {
    (void)state;
    put_cifar("c10train/data_batch_1.bin", 1, (const uint8_t[]){3}, 1, 0);
    refuse(spec_of("cifar10", "c10train", ""), NZ_E_IO, "no test or val samples here; there is train (split=)");
    refuse(spec_of("cifar10", "c10train", "split=val"), NZ_E_IO, "no val samples");
    refuse(spec_of("cifar10", "nowhere", ""), NZ_E_IO, "neither data_batch_1.bin nor test_batch.bin is here");
    AUTO_DATA train = open_good(spec_of("cifar10", "c10train", "split=train"), NZ_DATA_COMPARE);
    assert_int_equal(nz_data_count(train), 1);
}

static void cifar100_takes_the_fine_label(void **state) {
    (void)state;
    put_cifar("c100/train.bin", 2, (const uint8_t[]){99, 7}, 2, 0);
    AUTO_DATA data = open_good(spec_of("cifar100", "c100", "scale=1"), NZ_DATA_TRAIN);
    assert_string_equal(labels_of(data), "99 7");
    assert_int_equal(nz_data_classes(data), 100);
    float x[3072];
    int32_t label;
    nz_assert_ok(nz_data_get(data, 1, x, &label));
    assert_true(x[3] == 43);
}

static void idx_reads_plain_and_gzip_alike(void **state) {
    (void)state;
    for (int gzip = 0; gzip < 2; gzip++) {
        const char *folder = gzip ? "idxgz" : "idx";
        char name[128];
        snprintf(name, sizeof name, "%s/train-images-idx3-ubyte%s", folder, gzip ? ".gz" : "");
        put_idx(name, 3, (unsigned[]){5, 4, 3}, 2, gzip);
        snprintf(name, sizeof name, "%s/train-labels-idx1-ubyte%s", folder, gzip ? ".gz" : "");
        put_idx(name, 1, (unsigned[]){5}, 3, gzip);
    }
    put_idx("idx/t10k-images.idx3-ubyte", 3, (unsigned[]){2, 4, 3}, 1, 0); /* the other spelling */
    put_idx("idx/t10k-labels.idx1-ubyte", 1, (unsigned[]){2}, 1, 0);
    AUTO_DATA plain = open_good(spec_of("idx", "idx", "scale=1"), NZ_DATA_TRAIN);
    AUTO_DATA gzip = open_good(spec_of("idx", "idxgz", "scale=1"), NZ_DATA_TRAIN);
    AUTO_DATA test = open_good(spec_of("idx", "idx", ""), NZ_DATA_COMPARE);
    assert_string_equal(labels_of(plain), "0 3 6 9 12");
    assert_string_equal(labels_of(gzip), "0 3 6 9 12");
    assert_int_equal(nz_data_classes(plain), 13);
    assert_string_equal(nz_data_fingerprint(plain), nz_data_fingerprint(gzip));
    assert_int_equal(nz_data_count(test), 2);
    nz_shape shape;
    nz_data_shape(plain, &shape);
    assert_true(nz_shape_equal(&shape, &(nz_shape){3, {1, 4, 3}}));
    float a[12], b[12];
    int32_t label;
    for (size_t i = 0; i < 5; i++) {
        nz_assert_ok(nz_data_get(plain, i, a, &label));
        nz_assert_ok(nz_data_get(gzip, i, b, &label));
        for (size_t p = 0; p < 12; p++) assert_true(a[p] == (float)(uint8_t)((i * 12 + p) * 2) && a[p] == b[p]);
    }
}

static void imagefolder_orders_classes_and_files_by_name(void **state) {
    (void)state;
    put_png("folder/train/dog/b.png", 4, 4, 30, 0, 0);
    put_png("folder/train/dog/a.PNG", 4, 4, 20, 0, 0);
    put_png("folder/train/cat/x.png", 4, 4, 10, 0, 0);
    put_png("folder/train/cat/deeper/y.png", 4, 4, 5, 0, 0);
    put_png("folder/val/ant/z.png", 4, 4, 0, 0, 9);
    put_text("folder/train/cat/notes.txt", "no image");
    put_png("folder/train/cat/.hidden.png", 4, 4, 1, 1, 1);
    put_text("folder/train/readme", "no class");
    AUTO_DATA data = open_good(spec_of("imagefolder", "folder", "scale=1,crop=4"), NZ_DATA_TRAIN);
    assert_string_equal(labels_of(data), "0 0 1 1");
    assert_string_equal(nz_data_class_name(data, 0), "cat");
    assert_string_equal(nz_data_class_name(data, 1), "dog");
    static const float red[] = {5, 10, 20, 30};
    for (size_t i = 0; i < 4; i++) {
        float x[48];
        int32_t label;
        nz_assert_ok(nz_data_get(data, i, x, &label));
        assert_true(x[0] == red[i] && x[16] == 0);
    }
    AUTO_DATA val = open_good(spec_of("imagefolder", "folder", ""), NZ_DATA_COMPARE); /* no test/: val */
    assert_string_equal(nz_data_class_name(val, 0), "ant");
    AUTO_DATA whole = open_good(spec_of("imagefolder", "folder/val", ""), NZ_DATA_TRAIN); /* no splits below */
    assert_int_equal(nz_data_count(whole), 1);
    put_png("vehicles/train/a.png", 4, 4, 1, 1, 1); /* a class that is called so is no split */
    put_png("vehicles/bus/a.png", 4, 4, 1, 1, 1);
    AUTO_DATA vehicles = open_good(spec_of("imagefolder", "vehicles", ""), NZ_DATA_TRAIN);
    assert_string_equal(labels_of(vehicles), "0 1");
    assert_string_equal(nz_data_class_name(vehicles, 1), "train");
    refuse(spec_of("imagefolder", "folder", "split=test"), NZ_E_IO, "no test samples here; there is train and val");
}

static void imagefolder_takes_the_order_of_a_labels_file(void **state) {
    (void)state;
    put_png("named/n01/a.png", 4, 4, 1, 0, 0);
    put_png("named/n02/a.png", 4, 4, 2, 0, 0);
    put_png("named/big cat/a.png", 4, 4, 3, 0, 0);
    put_text("names.txt", "n02 tench, Tinca tinca\nabsent\nbig cat\r\nn01");
    const char *keys = labels_key("names.txt");
    AUTO_DATA data = open_good(spec_of("imagefolder", "named", keys), NZ_DATA_TRAIN);
    assert_string_equal(labels_of(data), "0 2 3");
    assert_int_equal(nz_data_classes(data), 4);
    assert_string_equal(nz_data_class_name(data, 0), "n02 tench, Tinca tinca");
    assert_string_equal(nz_data_class_name(data, 2), "big cat");
    put_text("short.txt", "n01\nn02\n");
    keys = labels_key("short.txt");
    refuse(spec_of("imagefolder", "named", keys), NZ_E_FORMAT, "big cat: this class is not in");
}

static void list_reads_quoted_fields(void **state) {
    (void)state;
    put_png("list/a,b.png", 4, 4, 1, 0, 0);
    put_png("list/say \"x\".png", 4, 4, 2, 0, 0);
    put_png("list/sub/plain.png", 4, 4, 3, 0, 0);
    put_text("list/t.csv",
             "\xef\xbb\xbfimage,label\r\n\"a,b.png\",7\r\n\"say \"\"x\"\".png\",0\r\nsub/plain.png,3\r\n");
    put_text("list/t.tsv", "extra\tclass\tpath\n.\tdog\ta,b.png\n.\tant\tsub/plain.png\n.\tdog\tsay \"x\".png\n");
    AUTO_DATA csv = open_good(spec_of("list", "list/t.csv", "scale=1,crop=4"), NZ_DATA_COMPARE);
    assert_string_equal(labels_of(csv), "7 0 3");
    assert_int_equal(nz_data_classes(csv), 8);
    float x[48];
    int32_t label;
    for (size_t i = 0; i < 3; i++) {
        nz_assert_ok(nz_data_get(csv, i, x, &label));
        assert_true(x[0] == (float)(i + 1));
    }
    AUTO_DATA tsv = open_good(spec_of("list", "list/t.tsv", "scale=1,crop=4"), NZ_DATA_COMPARE);
    assert_string_equal(labels_of(tsv), "1 0 1"); /* names in the order of their bytes */
    assert_string_equal(nz_data_class_name(tsv, 0), "ant");
    put_text("order.txt", "dog\nant\nbee\n");
    const char *keys = labels_key("order.txt");
    AUTO_DATA named = open_good(spec_of("list", "list/t.tsv", keys), NZ_DATA_COMPARE);
    assert_string_equal(labels_of(named), "0 1 0");
    assert_int_equal(nz_data_classes(named), 3);
}

static void list_follows_a_column_of_splits(void **state) {
    (void)state;
    put_text("split.csv", "image,label,split\na.png,0,train\nb.png,1,valid\nc.png,2,train\n");
    AUTO_DATA train = open_good(spec_of("list", "split.csv", ""), NZ_DATA_TRAIN);
    AUTO_DATA val = open_good(spec_of("list", "split.csv", ""), NZ_DATA_COMPARE);
    assert_string_equal(labels_of(train), "0 2");
    assert_string_equal(labels_of(val), "1");
    refuse(spec_of("list", "split.csv", "split=test"), NZ_E_IO, "no test samples");
    put_text("nosplit.csv", "image,label\na.png,0\n");
    refuse(spec_of("list", "nosplit.csv", "split=test"), NZ_E_ARG, "no column 'split'");
    put_text("only.csv", "image\na.png\n");
    AUTO_DATA only = open_good(spec_of("list", "only.csv", ""), NZ_DATA_COMPARE);
    assert_string_equal(labels_of(only), "-1");
    assert_int_equal(nz_data_classes(only), 0);
}

static void npz_takes_bytes_as_pixels_and_floats_as_values(void **state) {
    (void)state;
    uint8_t pixels[2 * 4 * 5 * 3];
    double values[2 * 3];
    uint16_t labels[] = {3, 1};
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 2);
    for (int i = 0; i < 6; i++) values[i] = i * 0.5 - 1;
    const char *const names[] = {"x", "y"};
    nz_tensor y = nz_tensor_borrow(NZ_U16, &(nz_shape){1, {2}}, labels);
    nz_tensor last[] = {nz_tensor_borrow(NZ_U8, &(nz_shape){4, {2, 4, 5, 3}}, pixels), y};
    nz_tensor first[] = {nz_tensor_borrow(NZ_U8, &(nz_shape){4, {2, 3, 4, 5}}, pixels), y};
    nz_tensor flat[] = {nz_tensor_borrow(NZ_F64, &(nz_shape){2, {2, 3}}, values)};
    put_text("npz/here", "");
    nz_assert_ok(nz_npz_write(nz_test_file("npz/last.npz"), names, last, 2));
    nz_assert_ok(nz_npz_write(nz_test_file("npz/first.npz"), names, first, 2));
    nz_assert_ok(nz_npz_write(nz_test_file("npz/flat.npz"), names, flat, 1));
    float x[60];
    int32_t label;
    AUTO_DATA a = open_good(spec_of("npz", "npz/last.npz", "scale=1"), NZ_DATA_COMPARE);
    assert_string_equal(labels_of(a), "3 1");
    nz_assert_ok(nz_data_get(a, 1, x, &label));
    assert_true(x[0] == 120 && x[1] == 126 && x[20] == 122);
    AUTO_DATA b = open_good(spec_of("npz", "npz/first.npz", "scale=1"), NZ_DATA_COMPARE);
    nz_assert_ok(nz_data_get(b, 1, x, &label));
    assert_true(x[0] == 120 && x[1] == 122 && x[20] == 160);
    AUTO_DATA c = open_good(spec_of("npz", "npz/flat.npz", ""), NZ_DATA_COMPARE);
    nz_assert_ok(nz_data_get(c, 1, x, &label));
    nz_assert_floats(x, (float[]){0.5f, 1, 1.5f}, 3, 0, 0);
    assert_int_equal(label, -1);
    refuse(spec_of("npz", "npz/flat.npz", "mean=1"), NZ_E_ARG, "float arrays are taken as they are");
    refuse(spec_of("npz", "npz/flat.npz", "split=test"), NZ_E_ARG, "has no splits");
}

static void ranges_are_in_file_order_and_shuffling_stays_within(void **state) {
    (void)state;
    uint8_t labels[100];
    for (int i = 0; i < 100; i++) labels[i] = (uint8_t)i;
    put_cifar("many/train.bin", 2, labels, 100, 0);
    AUTO_DATA part = open_good(spec_of("cifar100", "many", "offset=10,limit=5"), NZ_DATA_TRAIN);
    assert_string_equal(labels_of(part), "10 11 12 13 14");
    AUTO_DATA tail = open_good(spec_of("cifar100", "many", "offset=97,limit=50"), NZ_DATA_TRAIN);
    assert_string_equal(labels_of(tail), "97 98 99");
    AUTO_DATA mixed = open_good(spec_of("cifar100", "many", "offset=20,limit=50,shuffle=1,seed=7"), NZ_DATA_TRAIN);
    AUTO_DATA again = open_good(spec_of("cifar100", "many", "shuffle=1,seed=7,limit=50,offset=20"), NZ_DATA_TRAIN);
    AUTO_DATA other = open_good(spec_of("cifar100", "many", "offset=20,limit=50,shuffle=1,seed=8"), NZ_DATA_TRAIN);
    unsigned seen[100] = {0}, moved = 0, different = 0;
    for (size_t i = 0; i < 50; i++) {
        int32_t label = nz_data_label(mixed, i);
        assert_in_range(label, 20, 69);
        seen[label]++;
        moved += label != (int32_t)i + 20;
        different += label != nz_data_label(other, i);
        assert_int_equal(label, nz_data_label(again, i));
    }
    for (int i = 20; i < 70; i++) assert_int_equal(seen[i], 1);
    assert_true(moved > 25 && different > 25);
    nz_dataset *none = NULL;
    nz_assert_fails(nz_data_open(&none, spec_of("cifar100", "many", "offset=100"), NULL, NZ_DATA_TRAIN, NULL), NZ_E_ARG,
                    "offset=100, but there are only 100 samples");
}

static void the_models_input_must_fit(void **state) {
    (void)state;
    const int64_t wanted[] = {3, 32, 32}, larger[] = {3, 224, 224}, gray[] = {1, 32, 32}, any[] = {3, -1, -1};
    nz_dataset *data = NULL;
    put_cifar("fit/test_batch.bin", 1, (const uint8_t[]){1}, 1, 0);
    put_png("fitting/a/x.png", 7, 5, 1, 2, 3);
    put_png("fitting/a/y.png", 32, 32, 1, 2, 3);
    const char *spec = spec_of("cifar10", "fit", "");
    nz_assert_fails(nz_data_open(&data, spec, NULL, NZ_DATA_COMPARE, larger), NZ_E_SHAPE,
                    "the model wants 224x224; give resize=");
    nz_assert_fails(nz_data_open(&data, spec, NULL, NZ_DATA_COMPARE, gray), NZ_E_SHAPE,
                    "samples have 3 channels, the model wants 1; color=gray");
    AUTO_DATA fits = NULL;
    nz_assert_ok(nz_data_open(&fits, spec, NULL, NZ_DATA_COMPARE, wanted));
    AUTO_DATA free_size = NULL;
    nz_assert_ok(nz_data_open(&free_size, spec, NULL, NZ_DATA_COMPARE, any));
    AUTO_DATA made_gray = NULL;
    nz_assert_ok(nz_data_open(&made_gray, spec_of("cifar10", "fit", "color=gray"), NULL, NZ_DATA_COMPARE, gray));
    AUTO_DATA files = NULL; /* files vary in size: each is checked when it is read */
    nz_assert_ok(nz_data_open(&files, spec_of("imagefolder", "fitting", ""), NULL, NZ_DATA_COMPARE, wanted));
    float x[3072];
    int32_t label;
    nz_assert_fails(nz_data_get(files, 0, x, &label), NZ_E_SHAPE, "/a/x.png");
    nz_assert_fails(nz_data_get(files, 0, x, &label), NZ_E_SHAPE,
                    "is 7x5 (width x height) after preprocessing; 32x32 is wanted");
    nz_assert_ok(nz_data_get(files, 1, x, &label));
    AUTO_DATA open_size = open_good(spec_of("imagefolder", "fitting", ""), NZ_DATA_COMPARE);
    nz_assert_fails(nz_data_get(open_size, 1, x, &label), NZ_E_SHAPE, "samples vary in size");
    nz_loader *loader = NULL;
    nz_assert_fails(nz_loader_open(&loader, open_size, 4, NULL, 0, 1), NZ_E_SHAPE, "samples vary in size");
}

static void wrong_texts_are_explained(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"cifar10", "should be kind:path"},
        {"", "should be kind:path"},
        {"cifar11:x", "unknown kind 'cifar11'; did you mean 'cifar10'?"},
        {"qwertyuiop:x", "unknown kind 'qwertyuiop' (netzip data --help lists them)"},
        {"cifar10:", "the path after 'cifar10:' is missing"},
        {"cifar10:x,limt=3", "unknown key 'limt'; did you mean 'limit'?"},
        {"cifar10:x,limit=0", "limit=0 is outside 1 to"},
        {"cifar10:x,split=all", "split=all should be one of"},
        {"cifar10:x,labels=y", "this kind does not take labels="},
        {"cifar10:x,shuffle=maybe", "shuffle=maybe should be 0 or 1"},
        {"cifar10:x,limit=3,limit=4", "'limit' is given twice"},
        {"cifar10:x,limit", "'limit' should be key=value"},
        {"synthetic:shape", "there are synthetic:shapes and synthetic:shapes-det"},
        {"synthetic:shapes,size=8", "size=8 is outside 16 to 1024"},
    };
    for (size_t i = 0; i < NZ_COUNT(wrong); i++) refuse(wrong[i][0], NZ_E_ARG, wrong[i][1]);
}

static void paths_may_hold_commas_and_colons(void **state) {
    (void)state;
    put_cifar("odd, na:me/test_batch.bin", 1, (const uint8_t[]){1, 2, 3}, 3, 0);
    char spec[4500];
    snprintf(spec, sizeof spec, "cifar10:%s/odd\\, na\\:me,limit=2", nz_test_dir());
    AUTO_DATA data = open_good(spec, NZ_DATA_COMPARE);
    assert_int_equal(nz_data_count(data), 2);
}

static void fingerprints_tell_sets_apart(void **state) {
    (void)state;
    put_cifar("fp1/test_batch.bin", 1, (const uint8_t[]){1, 2, 3}, 3, 0);
    put_cifar("fp2/test_batch.bin", 1, (const uint8_t[]){1, 2, 4}, 3, 0);
    put_cifar("fp3/test_batch.bin", 1, (const uint8_t[]){1, 2, 3}, 3, 9);
    AUTO_DATA one = open_good(spec_of("cifar10", "fp1", ""), NZ_DATA_COMPARE);
    AUTO_DATA scaled = open_good(spec_of("cifar10", "fp1", "scale=1"), NZ_DATA_COMPARE);
    AUTO_DATA label = open_good(spec_of("cifar10", "fp2", ""), NZ_DATA_COMPARE);
    AUTO_DATA pixels = open_good(spec_of("cifar10", "fp3", ""), NZ_DATA_COMPARE);
    AUTO_DATA part = open_good(spec_of("cifar10", "fp1", "limit=2"), NZ_DATA_COMPARE);
    assert_int_equal(strlen(nz_data_fingerprint(one)), 64);
    assert_string_equal(nz_data_fingerprint(one), nz_data_fingerprint(scaled));
    assert_string_not_equal(nz_data_fingerprint(one), nz_data_fingerprint(label));
    assert_string_not_equal(nz_data_fingerprint(one), nz_data_fingerprint(pixels));
    assert_string_not_equal(nz_data_fingerprint(one), nz_data_fingerprint(part));
    put_png("fpf1/a/x.png", 4, 4, 1, 2, 3); /* the same set in another place is the same set */
    put_png("fpf2/a/x.png", 4, 4, 1, 2, 3);
    AUTO_DATA here = open_good(spec_of("imagefolder", "fpf1", ""), NZ_DATA_COMPARE);
    AUTO_DATA there = open_good(spec_of("imagefolder", "fpf2", ""), NZ_DATA_COMPARE);
    AUTO_DATA slash = open_good(spec_of("imagefolder", "fpf1/", ""), NZ_DATA_COMPARE);
    assert_string_equal(nz_data_fingerprint(here), nz_data_fingerprint(there));
    assert_string_equal(nz_data_fingerprint(here), nz_data_fingerprint(slash));
}

static void images_are_shown_before_arithmetic(void **state) {
    (void)state;
    put_png("show/a/x.png", 9, 6, 200, 100, 50);
    AUTO_DATA data = open_good(spec_of("imagefolder", "show", "resize=4,color=bgr,mean=5"), NZ_DATA_COMPARE);
    NZ_AUTO_FREE uint8_t *rgb = NULL;
    int width = 0, height = 0;
    nz_assert_ok(nz_data_image(data, 0, &rgb, &width, &height));
    assert_int_equal(width, 6);
    assert_int_equal(height, 4);
    for (int i = 0; i < 24; i++) assert_memory_equal(rgb + 3 * i, ((uint8_t[]){200, 100, 50}), 3);
}

static void the_model_decides_what_the_command_line_leaves_open(void **state) {
    (void)state;
    put_cifar("model/test_batch.bin", 1, (const uint8_t[]){1}, 1, 0);
    AUTO_DATA data = NULL;
    nz_assert_ok(
        nz_data_open(&data, spec_of("cifar10", "model", "mean=2"), "scale=1,mean=1,std=4", NZ_DATA_COMPARE, NULL));
    assert_string_equal(nz_data_preprocess(data), "scale=1,mean=2,std=4");
    assert_false(nz_data_default_preprocess(data));
    float x[3072];
    int32_t label;
    nz_assert_ok(nz_data_get(data, 0, x, &label));
    assert_true(x[10] == 2);
    AUTO_DATA bare = open_good(spec_of("cifar10", "model", "limit=1"), NZ_DATA_COMPARE);
    assert_true(nz_data_default_preprocess(bare));
    assert_string_equal(nz_data_preprocess(bare), "scale=1/255");
}

/* A model that is nothing but its one input. */
static nz_graph *model_of(const nz_shape *shape, const char *preprocess) {
    nz_graph *graph = NULL;
    int value = -1;
    nz_assert_ok(nz_graph_new(&graph));
    nz_assert_ok(nz_graph_add_value(graph, &value, "input", NZ_F32, shape));
    nz_assert_ok(nz_graph_add_input(graph, value));
    if (preprocess) nz_assert_ok(nz_graph_set_meta(graph, "netzip.preprocess", preprocess));
    return graph;
}

static void a_model_states_size_layout_and_preprocessing(void **state) {
    (void)state;
    put_cifar("formodel/test_batch.bin", 1, (const uint8_t[]){1}, 1, 0);
    const char *spec = spec_of("cifar10", "formodel", "");
    NZ_AUTO_GRAPH nz_graph *planes = model_of(&(nz_shape){4, {-1, 3, 32, 32}}, "scale=1,mean=1");
    NZ_AUTO_GRAPH nz_graph *last = model_of(&(nz_shape){4, {1, 32, 32, 3}}, "scale=1");
    NZ_AUTO_GRAPH nz_graph *larger = model_of(&(nz_shape){4, {1, 3, 224, 224}}, NULL);
    NZ_AUTO_GRAPH nz_graph *open_size = model_of(&(nz_shape){4, {1, 3, -1, -1}}, NULL);
    AUTO_DATA a = NULL;
    AUTO_DATA b = NULL;
    AUTO_DATA c = NULL;
    AUTO_DATA d = NULL;
    nz_shape shape;
    float x[3072], y[3072];
    int32_t label;
    nz_assert_ok(nz_data_open_for_model(&a, spec, NZ_DATA_COMPARE, planes));
    assert_string_equal(nz_data_preprocess(a), "scale=1,mean=1");
    nz_assert_ok(nz_data_open_for_model(&b, spec, NZ_DATA_COMPARE, last));
    nz_data_shape(b, &shape);
    assert_true(nz_shape_equal(&shape, &(nz_shape){3, {32, 32, 3}}));
    nz_assert_ok(nz_data_get(a, 0, x, &label));
    nz_assert_ok(nz_data_get(b, 0, y, &label));
    for (size_t i = 0; i < 1024; i++)
        for (size_t ch = 0; ch < 3; ch++) assert_true(x[ch * 1024 + i] + 1 == y[i * 3 + ch]);
    nz_assert_fails(nz_data_open_for_model(&c, spec, NZ_DATA_COMPARE, larger), NZ_E_SHAPE, "the model wants 224x224");
    nz_assert_ok(nz_data_open_for_model(&d, spec, NZ_DATA_COMPARE, open_size));
    assert_true(nz_data_default_preprocess(d));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cifar10_reads_records_in_file_order),
        cmocka_unit_test(cifar_says_which_split_is_there),
        cmocka_unit_test(cifar100_takes_the_fine_label),
        cmocka_unit_test(idx_reads_plain_and_gzip_alike),
        cmocka_unit_test(imagefolder_orders_classes_and_files_by_name),
        cmocka_unit_test(imagefolder_takes_the_order_of_a_labels_file),
        cmocka_unit_test(list_reads_quoted_fields),
        cmocka_unit_test(list_follows_a_column_of_splits),
        cmocka_unit_test(npz_takes_bytes_as_pixels_and_floats_as_values),
        cmocka_unit_test(ranges_are_in_file_order_and_shuffling_stays_within),
        cmocka_unit_test(the_models_input_must_fit),
        cmocka_unit_test(wrong_texts_are_explained),
        cmocka_unit_test(paths_may_hold_commas_and_colons),
        cmocka_unit_test(fingerprints_tell_sets_apart),
        cmocka_unit_test(images_are_shown_before_arithmetic),
        cmocka_unit_test(the_model_decides_what_the_command_line_leaves_open),
        cmocka_unit_test(a_model_states_size_layout_and_preprocessing),
    };
    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
