/* SPDX-License-Identifier: Apache-2.0 */
#include "core/file.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "core/memory.h"
#include "test.h"

static void assert_content(const char *path, const char *expected) {
    NZ_AUTO_FREE char *bytes = NULL;
    size_t count = 0;
    nz_assert_ok(nz_file_read(&bytes, &count, path, 1 << 20));
    assert_string_equal(bytes, expected);
    assert_int_equal(count, strlen(expected));
}

static size_t entries_of(const char *folder) {
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static const char *fresh_folder(const char *name) {
    const char *folder = nz_test_file(name);
    nz_assert_ok(nz_dir_make(folder));
    assert_int_equal(entries_of(folder), 0);
    return folder;
}

static void what_is_written_is_read(void **state) {
    (void)state;
    const char *path = nz_test_file("plain");
    nz_assert_ok(nz_file_write(path, "content", 7));
    assert_content(path, "content");
    nz_assert_ok(nz_file_write(path, "", 0));
    assert_content(path, "");
    assert_true(nz_file_exists(path) && !nz_dir_exists(path));
    struct stat info;
    mode_t mask = umask(0);
    umask(mask);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0666 & ~mask);
}

static void a_file_appears_only_when_it_is_whole(void **state) {
    (void)state;
    NZ_AUTO_FREE char *path = NULL;
    const char *folder = fresh_folder("atomic");
    nz_file_writer *writer = NULL;
    nz_assert_ok(nz_path_join(&path, folder, "result.json"));
    nz_assert_ok(nz_file_writer_open(&writer, path));
    nz_assert_ok(nz_file_writer_append(writer, "one ", 4));
    assert_false(nz_file_exists(path));
    nz_assert_ok(nz_file_writer_append(writer, "two", 3));
    nz_assert_ok(nz_file_writer_commit(writer));
    assert_content(path, "one two");
    assert_int_equal(entries_of(folder), 1);

    nz_assert_ok(nz_file_writer_open(&writer, path));
    nz_assert_ok(nz_file_writer_append(writer, "half", 4));
    assert_content(path, "one two");
    nz_file_writer_abort(writer);
    assert_content(path, "one two");
    assert_int_equal(entries_of(folder), 1);
    nz_file_writer_abort(NULL);
}

static void a_failed_write_leaves_the_old_file_and_nothing_else(void **state) {
    (void)state;
    static char big[1 << 20];
    NZ_AUTO_FREE char *path = NULL;
    const char *folder = fresh_folder("full");
    nz_assert_ok(nz_path_join(&path, folder, "file"));
    nz_assert_ok(nz_file_write(path, "before", 6));
    /* A limit on file sizes stands for a full disk. */
    struct rlimit unlimited, limited;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &unlimited), 0);
    limited = unlimited;
    limited.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limited), 0);
    nz_status status = nz_file_write(path, big, sizeof big);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &unlimited), 0);
    signal(SIGXFSZ, SIG_DFL);
    assert_int_equal(status, NZ_E_RESOURCE);
    assert_non_null(strstr(nz_last_error(), "cannot be written"));
    assert_content(path, "before");
    assert_int_equal(entries_of(folder), 1);
}

static void two_writers_of_one_file_do_not_mix(void **state) {
    (void)state;
    const char *path = nz_test_file("both");
    nz_file_writer *first = NULL, *second = NULL;
    nz_assert_ok(nz_file_writer_open(&first, path));
    nz_assert_ok(nz_file_writer_open(&second, path));
    nz_assert_ok(nz_file_writer_append(first, "first", 5));
    nz_assert_ok(nz_file_writer_append(second, "second", 6));
    nz_assert_ok(nz_file_writer_commit(first));
    assert_content(path, "first");
    nz_assert_ok(nz_file_writer_commit(second));
    assert_content(path, "second");
}

static void a_symbolic_link_stays_one(void **state) {
    (void)state;
    const char *target = nz_test_file("target"), *link = nz_test_file("link");
    nz_assert_ok(nz_file_write(target, "old", 3));
    assert_int_equal(symlink(target, link), 0);
    nz_assert_ok(nz_file_write(link, "new", 3));
    struct stat info;
    assert_int_equal(lstat(link, &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_content(target, "new");
}

static void impossible_places_are_named(void **state) {
    (void)state;
    nz_file_writer *writer = NULL;
    nz_assert_fails(nz_file_writer_open(&writer, nz_test_file("absent/file")), NZ_E_IO,
                    "absent/file: cannot be written");
    nz_assert_fails(nz_file_writer_open(&writer, nz_test_dir()), NZ_E_IO, "is a folder");
    nz_assert_fails(nz_file_writer_open(&writer, "/dev/null"), NZ_E_IO, "not a regular file");
    nz_assert_fails(nz_file_writer_open(&writer, ""), NZ_E_ARG, "empty");
    assert_null(writer);
}

static void reading_has_a_limit(void **state) {
    (void)state;
    const char *path = nz_test_file("ten");
    char *bytes = NULL;
    size_t count = 99;
    nz_assert_ok(nz_file_write(path, "0123456789", 10));
    nz_assert_fails(nz_file_read(&bytes, &count, path, 9), NZ_E_FORMAT, "larger than the 9 bytes");
    nz_assert_fails(nz_file_read(&bytes, &count, "/dev/zero", 1 << 20), NZ_E_FORMAT, "larger than");
    nz_assert_fails(nz_file_read(&bytes, &count, nz_test_file("absent"), 9), NZ_E_IO, "absent: cannot be opened");
    nz_assert_fails(nz_file_read(&bytes, &count, nz_test_dir(), 9), NZ_E_IO, "is a folder");
    assert_null(bytes);
    assert_int_equal(count, 99);
    nz_assert_ok(nz_file_read(&bytes, &count, path, 10));
    assert_int_equal(count, 10);
    assert_string_equal(bytes, "0123456789");
    free(bytes);
}

static void files_without_a_size_are_read_to_their_end(void **state) {
    (void)state;
    char *bytes = NULL;
    size_t count = 0;
    if (!nz_file_exists("/proc/self/status")) nz_test_skip("/proc is absent");
    nz_assert_ok(nz_file_read(&bytes, &count, "/proc/self/status", 1 << 20));
    assert_true(count > 100 && bytes[count] == '\0');
    free(bytes);
}

static void folders_are_made_with_their_parents(void **state) {
    (void)state;
    const char *deep = nz_test_file("a/b//c/");
    nz_assert_ok(nz_dir_make(deep));
    assert_true(nz_dir_exists(deep) && !nz_file_exists(deep));
    nz_assert_ok(nz_dir_make(deep));
    nz_assert_ok(nz_dir_make("."));
    nz_assert_ok(nz_file_write(nz_test_file("in_the_way"), "", 0));
    nz_assert_fails(nz_dir_make(nz_test_file("in_the_way")), NZ_E_IO, "not a folder");
    nz_assert_fails(nz_dir_make(nz_test_file("in_the_way/below")), NZ_E_IO, "in_the_way/below");
    nz_assert_fails(nz_dir_make(""), NZ_E_ARG, "empty");
}

typedef nz_status (*path_function)(char **, const char *);

static void assert_path(path_function function, const char *path, const char *expected) {
    NZ_AUTO_FREE char *got = NULL;
    nz_assert_ok(function(&got, path));
    assert_string_equal(got, expected);
}

static void paths_come_apart(void **state) {
    (void)state;
    assert_path(nz_path_stem, "a/b/model.quant.onnx", "model.quant");
    assert_path(nz_path_stem, "model", "model");
    assert_path(nz_path_stem, "a.b/.hidden", ".hidden");
    assert_path(nz_path_stem, "a.b/", "");
    assert_path(nz_path_folder, "a/b/c", "a/b");
    assert_path(nz_path_folder, "c", ".");
    assert_path(nz_path_folder, "/c", "/");
    assert_string_equal(nz_path_base("a/b/c.d"), "c.d");
    assert_string_equal(nz_path_base("c.d"), "c.d");
}

static void paths_come_together(void **state) {
    (void)state;
    static const char *const cases[][3] = {
        {"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"}, {"a", "/b", "/b"}, {"/", "b", "/b"},
    };
    for (size_t i = 0; i < NZ_COUNT(cases); i++) {
        NZ_AUTO_FREE char *path = NULL;
        nz_assert_ok(nz_path_join(&path, cases[i][0], cases[i][1]));
        assert_string_equal(path, cases[i][2]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(a_file_appears_only_when_it_is_whole),
        cmocka_unit_test(a_failed_write_leaves_the_old_file_and_nothing_else),
        cmocka_unit_test(two_writers_of_one_file_do_not_mix),
        cmocka_unit_test(a_symbolic_link_stays_one),
        cmocka_unit_test(impossible_places_are_named),
        cmocka_unit_test(reading_has_a_limit),
        cmocka_unit_test(files_without_a_size_are_read_to_their_end),
        cmocka_unit_test(folders_are_made_with_their_parents),
        cmocka_unit_test(paths_come_apart),
        cmocka_unit_test(paths_come_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
