/* SPDX-License-Identifier: Apache-2.0 */
/* Broken data sets and label files: each is refused with the right status and one line that names the file and the place. */
#include "data_files.h"

static void broken_idx_files(void **state) {
    (void)state;
    put_idx("i1/t10k-images-idx3-ubyte", 3, (unsigned[]){2, 4, 3}, 1, 0);
    refuse(spec_of("idx", "i1", ""), NZ_E_IO, "t10k-labels-idx1-ubyte (or .gz) is missing");
    put_idx("i1/t10k-labels-idx1-ubyte", 1, (unsigned[]){3}, 1, 0);
    refuse(spec_of("idx", "i1", ""), NZ_E_FORMAT, "t10k-images-idx3-ubyte: 2 images, but");
    put_file("i1/t10k-labels-idx1-ubyte", "\0\0\x08\1\0\0", 6);
    refuse(spec_of("idx", "i1", ""), NZ_E_FORMAT, "t10k-labels-idx1-ubyte: 6 bytes are too few for an idx header");
    put_file("i1/t10k-labels-idx1-ubyte", "\0\0\x0d\1\0\0\0\1zzzz", 12); /* floats */
    refuse(spec_of("idx", "i1", ""), NZ_E_FORMAT,
           "starts with 00000d01; an idx file of bytes with 1 dimensions starts with 00000801");
    put_file("i1/t10k-labels-idx1-ubyte", "", 0);
    refuse(spec_of("idx", "i1", ""), NZ_E_FORMAT, "0 bytes are too few");
    put_idx("i2/t10k-labels-idx1-ubyte", 1, (unsigned[]){2}, 1, 0);
    put_file("i2/t10k-images-idx3-ubyte", "\0\0\x08\3\0\0\0\2\0\0\0\4\0\0\0\3abc", 19);
    refuse(spec_of("idx", "i2", ""), NZ_E_FORMAT, "the header says 24 elements, the file holds 3");
    put_file("i2/t10k-images-idx3-ubyte", "\0\0\x08\3\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16);
    refuse(spec_of("idx", "i2", ""), NZ_E_FORMAT, "t10k-images-idx3-ubyte: the header says");
    put_file("i2/t10k-images-idx3-ubyte", "\0\0\x08\3\0\0\0\2\0\0\0\0\0\0\0\3", 16);
    refuse(spec_of("idx", "i2", ""), NZ_E_FORMAT, "images of 0x3 pixels");
    put_idx("i3/t10k-images-idx3-ubyte", 3, (unsigned[]){0, 4, 3}, 1, 0);
    put_idx("i3/t10k-labels-idx1-ubyte", 1, (unsigned[]){0}, 1, 0);
    refuse(spec_of("idx", "i3", ""), NZ_E_FORMAT, "there are no samples");
}

static void broken_gzip_files(void **state) {
    (void)state;
    put_idx("g/t10k-images-idx3-ubyte.gz", 3, (unsigned[]){20, 14, 13}, 5, 1);
    put_idx("g/t10k-labels-idx1-ubyte.gz", 1, (unsigned[]){20}, 1, 1);
    NZ_AUTO_FREE char *good = NULL;
    size_t count = 0;
    nz_assert_ok(nz_file_read(&good, &count, nz_test_file("g/t10k-images-idx3-ubyte.gz"), 1 << 20));
    for (size_t cut = 2; cut < count; cut += 1 + count / 23) {
        put_file("g/t10k-images-idx3-ubyte.gz", good, cut);
        refuse(spec_of("idx", "g", ""), NZ_E_FORMAT, "t10k-images-idx3-ubyte.gz: the compressed data ends too early");
    }
    good[count / 2] ^= 0x55;
    put_file("g/t10k-images-idx3-ubyte.gz", good, count);
    refuse(spec_of("idx", "g", ""), NZ_E_FORMAT, "t10k-images-idx3-ubyte.gz: ");
    put_file("g/t10k-images-idx3-ubyte.gz", "\x1f\x8b\7\7\7\7\7\7\7\7\7\7", 12);
    refuse(spec_of("idx", "g", ""), NZ_E_FORMAT, "broken compressed data");
}

static void broken_cifar_files(void **state) {
    (void)state;
    put_text("c1/test_batch.bin", "short");
    refuse(spec_of("cifar10", "c1", ""), NZ_E_FORMAT,
           "test_batch.bin: 5 bytes are not a whole number of records of 3073 bytes");
    put_file("c1/test_batch.bin", "", 0);
    refuse(spec_of("cifar10", "c1", ""), NZ_E_FORMAT, "test_batch.bin: 0 bytes");
    put_cifar("c2/test_batch.bin", 1, (const uint8_t[]){3, 10, 200}, 3, 0);
    AUTO_DATA data = open_good(spec_of("cifar10", "c2", ""), NZ_DATA_COMPARE); /* single records may be broken */
    float x[3072];
    int32_t label;
    nz_assert_ok(nz_data_get(data, 0, x, &label));
    nz_assert_fails(nz_data_get(data, 1, x, &label), NZ_E_FORMAT,
                    "test_batch.bin: record 1 has label 10; there are 10 classes");
    put_text("c2/batches.meta.txt", "only\ntwo\n");
    refuse(spec_of("cifar10", "c2", ""), NZ_E_FORMAT, "batches.meta.txt: 2 class names; 10 are needed");
}

static void broken_lists(void **state) {
    (void)state;
    static const struct {
        const char *text, *part;
        nz_status status;
    } wrong[] = {
        {"", "l.csv", NZ_E_FORMAT},
        {"image,label\n", "no lines after the header", NZ_E_FORMAT},
        {"image,label\na.png\n", "l.csv:2: ", NZ_E_FORMAT},
        {"image,label\na.png,1\nb.png,\n", ":3: the label is empty", NZ_E_FORMAT},
        {"image,label\na.png,1\n,2\n", ":3: the image's path is empty", NZ_E_FORMAT},
        {"image,label\na.png,99999999\n", "label 99999999 is above 10000000", NZ_E_FORMAT},
        {"image,label\n\"a.png,1\n", "l.csv", NZ_E_FORMAT},
        {"image,image\na.png,1\n", "l.csv", NZ_E_FORMAT},
    };
    for (size_t i = 0; i < NZ_COUNT(wrong); i++) {
        put_text("l.csv", wrong[i].text);
        refuse(spec_of("list", "l.csv", ""), wrong[i].status, wrong[i].part);
    }
    put_file("l.csv", "image,label\na\0b,1\n", 18);
    refuse(spec_of("list", "l.csv", ""), NZ_E_FORMAT, "l.csv");
    refuse(spec_of("list", "absent.csv", ""), NZ_E_IO, "absent.csv");
    refuse(spec_of("list", ".", ""), NZ_E_IO, "");
}

static void broken_labels_files(void **state) {
    (void)state;
    const char *keys = labels_key("names.txt");
    put_text("m.csv", "image,label\na.png,cat\n");
    put_text("names.txt", "");
    refuse(spec_of("list", "m.csv", keys), NZ_E_FORMAT, "names.txt: no class names");
    put_text("names.txt", "cat\n\ndog\n");
    refuse(spec_of("list", "m.csv", keys), NZ_E_FORMAT, "names.txt: line 2 is empty");
    put_file("names.txt", "cat\n\0og\n", 8);
    refuse(spec_of("list", "m.csv", keys), NZ_E_FORMAT, "names.txt: not a text file");
    put_text("names.txt", "dog\n");
    refuse(spec_of("list", "m.csv", keys), NZ_E_FORMAT, ":2: the label 'cat' is not in the labels file");
    put_text("n.csv", "image,label\na.png,5\n");
    refuse(spec_of("list", "n.csv", keys), NZ_E_FORMAT, ":2: label 5 is above 0");
    assert_int_equal(unlink(nz_test_file("names.txt")), 0);
    refuse(spec_of("list", "m.csv", keys), NZ_E_IO, "names.txt");
}

static void broken_folders(void **state) {
    (void)state;
    refuse(spec_of("imagefolder", "nowhere", ""), NZ_E_IO, "nowhere: is not a folder");
    put_text("f1/readme", "x");
    refuse(spec_of("imagefolder", "f1", ""), NZ_E_FORMAT, "f1: no folders of classes here");
    put_text("f2/class/readme", "x");
    refuse(spec_of("imagefolder", "f2", ""), NZ_E_FORMAT, "no .jpg, .jpeg or .png files in its 1 folders");
    put_png("f3/class/a.png", 4, 4, 1, 1, 1);
    assert_int_equal(symlink(".", nz_test_file("f3/class/round")), 0);
    refuse(spec_of("imagefolder", "f3", ""), NZ_E_FORMAT, "folders within each other");
}

static void broken_archives(void **state) {
    (void)state;
    put_text("a.npz", "no archive");
    refuse(spec_of("npz", "a.npz", ""), NZ_E_FORMAT, "a.npz: not a whole .npz file");
    put_file("a.npz", "", 0);
    refuse(spec_of("npz", "a.npz", ""), NZ_E_FORMAT, "a.npz: not a whole .npz file");
    char spec[4500];
    snprintf(spec, sizeof spec, "npz:%s", nz_test_source("tests/fuzz/corpus/npz/savez.npz"));
    refuse(spec, NZ_E_SHAPE, "array 'x' is of type int32; pixels are uint8, ready values float");
    snprintf(spec, sizeof spec, "npz:%s", nz_test_source("tests/fuzz/corpus/npz/types.npz"));
    refuse(spec, NZ_E_FORMAT, "types.npz: no array 'x' in it");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_idx_files), cmocka_unit_test(broken_gzip_files),   cmocka_unit_test(broken_cifar_files),
        cmocka_unit_test(broken_lists),     cmocka_unit_test(broken_labels_files), cmocka_unit_test(broken_folders),
        cmocka_unit_test(broken_archives),
    };
    return cmocka_run_group_tests_name("data_broken", tests, NULL, NULL);
}
