/* SPDX-License-Identifier: Apache-2.0 */
/* Other machines: their names, which end on a command line; files on their way there; workers at the far end of a link. In
 * place of ssh stands a script that runs the command here, in a home folder of its own. */
#include "compare/target.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "compare/bundle.h"
#include "compare/machine.h"
#include "core/file.h"
#include "core/json.h"
#include "netzip/data.h"
#include "test.h"

static void names_of_machines_are_taken_apart(void **state) {
    (void)state;
    static const struct {
        const char *text, *user, *host;
        int port;
    } rows[] = {
        {"ssh://pi4", "", "pi4", 0},
        {"ssh://pi4/", "", "pi4", 0},
        {"ssh://user@pi-4.lan:2222", "user", "pi-4.lan", 2222},
        {"ssh://192.168.1.7:22", "", "192.168.1.7", 22},
        {"ssh://[fe80::1%eth0]:22", "", "fe80::1%eth0", 22},
        {"ssh://a.b_c-d@h", "a.b_c-d", "h", 0},
        {"ssh://h:65535", "", "h", 65535},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        nz_target target;
        nz_assert_ok(nz_target_parse(&target, rows[i].text));
        assert_false(target.local);
        assert_string_equal(target.user, rows[i].user);
        assert_string_equal(target.host, rows[i].host);
        assert_int_equal(target.port, rows[i].port);
    }
    nz_target target;
    nz_assert_ok(nz_target_parse(&target, "local"));
    assert_true(target.local);
}

static void what_ssh_or_a_shell_could_take_for_something_else_is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        "pi4",
        "ssh:pi4",
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://-l@h",
        "ssh://u@-h",
        "ssh://h;reboot",
        "ssh://h$(id)",
        "ssh://h h",
        "ssh://h`i`",
        "ssh://h\nx",
        "ssh://h|x",
        "ssh://h&x",
        "ssh://u;i@h",
        "ssh://@h",
        "ssh://u@",
        "ssh://h:0",
        "ssh://h:65536",
        "ssh://h:22x",
        "ssh://h:-1",
        "ssh://h:+22",
        "ssh://h:",
        "ssh://h/path",
        "ssh://[::1",
        "ssh://[]",
        "ssh://[::1]x",
        "http://h",
        "LOCAL",
        "ssh://h'",
        "ssh://.h",
        "ssh://u:p@h",
        "ssh://h\\x",
        "ssh://h>x",
        "ssh://[h;i]",
        "ssh://h: 22",
        "ssh://\xff",
        "ssh://u@h@",
        "ssh://h*",
        "ssh://~",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        nz_target target = {.port = 77};
        nz_assert_fails(nz_target_parse(&target, texts[i]), NZ_E_ARG, "--target");
        assert_int_equal(target.port, 77);
    }
    char longest[400] = "ssh://";
    memset(longest + 6, 'a', 300);
    nz_target target;
    nz_assert_fails(nz_target_parse(&target, longest), NZ_E_ARG, "--target");
}

static void machines_have_names_of_their_own(void **state) {
    (void)state;
    static const char *const targets[] = {"local", "ssh://a", "ssh://a:2222", "ssh://u@a:2222", "ssh://b"};
    char *names[5] = {NULL}, own[256];
    nz_assert_ok(nz_machine_names(names, targets, 5));
    assert_int_equal(gethostname(own, sizeof own), 0);
    assert_string_equal(names[0], own);
    assert_string_equal(names[1], "a");
    assert_string_equal(names[2], "a:2222");
    assert_string_equal(names[3], "u@a:2222");
    assert_string_equal(names[4], "b");
    for (size_t i = 0; i < 5; i++) free(names[i]);
    static const char *const twice[] = {"ssh://a", "ssh://a:22", "ssh://a"};
    char *again[3] = {NULL};
    nz_assert_fails(nz_machine_names(again, twice, 3), NZ_E_ARG, "twice");
    for (size_t i = 0; i < 3; i++) free(again[i]);
}

/* What a shell makes of a quoted word is the word. */
static void words_are_quoted_for_the_shell(void **state) {
    (void)state;
    static const char *const words[] = {"",          "plain", "two words", "it's",        "''",
                                        "$(reboot)", "`id`",  "a;b|c&d>e", "back\\slash", "\"double\"",
                                        "*",         "~",     "-n",        "line\nbreak"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        NZ_AUTO(nz_text_done) nz_text command = {0};
        char got[64] = "";
        nz_text_append(&command, "printf '%s' ");
        nz_shell_quote(&command, words[i]);
        FILE *shell = popen(command.data, "r");
        assert_non_null(shell);
        got[fread(got, 1, sizeof got - 1, shell)] = 0;
        assert_int_equal(pclose(shell), 0);
        assert_string_equal(got, words[i]);
    }
}

/* ---- archives ---- */

static void tar_unpacks_what_was_packed(void **state) {
    (void)state;
    char long_name[300], command[1024];
    snprintf(long_name, sizeof long_name, "deep/%0150d/%080d.txt", 7, 9);
    const char *big = nz_test_file("big"), *empty = nz_test_file("empty"), *archive = nz_test_file("archive.tar"),
               *folder = nz_test_file("unpacked");
    static char bytes[70001];
    for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 31 % 251);
    nz_assert_ok(nz_file_write(big, bytes, sizeof bytes));
    nz_assert_ok(nz_file_write(empty, "", 0));
    const nz_tar_file files[] = {
        {.name = "folder"},
        {.local = big, .name = "folder/big", .executable = true},
        {.local = empty, .name = "empty"},
        {.text = "some text\n", .name = long_name},
    };
    nz_tar *tar;
    FILE *out = fopen(archive, "wb");
    nz_assert_ok(nz_tar_open(&tar, files, 4));
    char buffer[1000];
    for (size_t count = 1; count;) {
        nz_assert_ok(nz_tar_read(tar, buffer, sizeof buffer, &count));
        assert_int_equal(fwrite(buffer, 1, count, out), count);
    }
    nz_tar_free(tar);
    assert_int_equal(fclose(out), 0);
    snprintf(command, sizeof command,
             "mkdir -p %s && tar -xf %s -C %s && cmp %s %s/folder/big && test -x %s/folder/big && test -f %s/empty && "
             "test ! -s %s/empty && grep -q 'some text' %s/%s",
             folder, archive, folder, big, folder, folder, folder, folder, folder, long_name);
    assert_int_equal(system(command), 0);
}

static void a_file_that_is_missing_or_no_file_is_told(void **state) {
    (void)state;
    const char *paths[] = {"/nonexistent/file", "/dev/null"};
    for (size_t i = 0; i < 2; i++) {
        const nz_tar_file file = {.local = paths[i], .name = "x"};
        nz_tar *tar;
        char buffer[1000];
        size_t count;
        nz_assert_ok(nz_tar_open(&tar, &file, 1));
        nz_assert_fails(nz_tar_read(tar, buffer, sizeof buffer, &count), NZ_E_IO, paths[i]);
        nz_tar_free(tar);
    }
}

/* ---- paths of data ---- */

static void paths_become_absolute(void **state) {
    (void)state;
    static const char *const rows[][2] = {{"/a/b", "/a/b"}, {"/a/./b/", "/a/b"}, {"/a/../b", "/b"},
                                          {"/..", "/"},     {"//a///b", "/a/b"}, {"/a/b/../..", "/"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        NZ_AUTO_FREE char *path = NULL;
        nz_assert_ok(nz_path_absolute(&path, rows[i][0]));
        assert_string_equal(path, rows[i][1]);
    }
    NZ_AUTO_FREE char *path = NULL, *here = getcwd(NULL, 0);
    nz_assert_ok(nz_path_absolute(&path, "x/../y"));
    assert_int_equal(strncmp(path, here, strlen(here)), 0);
    assert_string_equal(path + strlen(path) - 2, "/y");
}

static nz_status below_root(char **ret_path, void *user, const char *path) {
    return nz_format(ret_path, "%s%s", (const char *)user, path);
}

static void data_text_is_written_for_another_place(void **state) {
    (void)state;
    static char root[] = "/ro,ot";
    NZ_AUTO_FREE char *moved = NULL, *again = NULL;
    nz_assert_ok(nz_data_moved(&moved, "list:/d/a\\,b.csv,labels=/d/names.txt,limit=5,resize=32", below_root, root));
    assert_string_equal(moved, "list:/ro\\,ot/d/a\\,b.csv,labels=/ro\\,ot/d/names.txt,limit=5,resize=32");
    nz_assert_ok(nz_data_moved(&again, "coco:/d/a.json,images=/d/i", below_root, root));
    assert_string_equal(again, "coco:/ro\\,ot/d/a.json,images=/ro\\,ot/d/i");
}

/* ---- a link ---- */

static const char fake_ssh[] =
    "#!/bin/sh\nfor last; do :; done\ncase \" $* \" in *' refused '*) echo 'u@refused: Permission denied (publickey).' "
    ">&2; exit 255;; "
    "*' unknown '*) echo 'Host key verification failed.' >&2; exit 255;; esac\n"
    "[ ! -e \"$FAKE_HOME/count\" ] || echo x >>\"$FAKE_HOME/count\"\nHOME=$FAKE_HOME; unset XDG_CACHE_HOME; export "
    "HOME\n"
    "[ ! -e \"$FAKE_HOME/chatty\" ] || echo 'welcome, this is no answer'\n[ ! -e \"$FAKE_HOME/full\" ] || ulimit -f "
    "64\nexec sh -c \"$last\"\n";
static const char fake_worker[] = "#!/bin/sh\necho '{\"hello\":{\"version\":\"" NZ_VERSION
                                  "\"}}'\nwhile read -r line; do case $line in *die*) kill -9 $$;; *leave*) exit 3;; "
                                  "*) echo '{\"ok\":true,\"arguments\":\"'\"$*\"'\"}';; esac; done\n";

static void write_program(const char *path, const char *text) {
    nz_assert_ok(nz_file_write(path, text, strlen(text)));
    assert_int_equal(chmod(path, 0755), 0);
}

/* A machine of that name; folder `home` is its account's. */
static nz_status open_link(nz_link **ret_link, const char *host, const char *home, const char *worker) {
    const char *ssh = nz_test_file("ssh"), *workers = nz_test_file("workers");
    struct utsname name;
    char folder[512], program[640];
    assert_int_equal(uname(&name), 0);
    snprintf(folder, sizeof folder, "%s/%s", workers, name.machine);
    nz_assert_ok(nz_dir_make(folder));
    nz_assert_ok(nz_dir_make(home));
    snprintf(program, sizeof program, "%s/netzip-worker", folder);
    write_program(program, worker);
    write_program(ssh, fake_ssh);
    setenv("NETZIP_SSH", ssh, 1);
    setenv("NETZIP_WORKERS", workers, 1);
    setenv("FAKE_HOME", home, 1);
    char target[128];
    snprintf(target, sizeof target, "ssh://%s", host);
    return nz_link_open(ret_link, target, NULL);
}

static size_t count_lines(const char *home) {
    char path[512], *text = NULL;
    size_t bytes, lines = 0;
    snprintf(path, sizeof path, "%s/count", home);
    nz_assert_ok(nz_file_read(&text, &bytes, path, 1 << 20));
    for (size_t i = 0; i < bytes; i++) lines += text[i] == '\n';
    free(text);
    return lines;
}

static void files_go_there_once_and_come_back(void **state) {
    (void)state;
    const char *home = nz_test_file("home"), *local = nz_test_file("it's a file.onnx"), *back = nz_test_file("back");
    nz_link *link = NULL;
    char count[512];
    nz_assert_ok(open_link(&link, "device", home, fake_worker));
    assert_string_equal(nz_link_host(link), "device");
    nz_assert_ok(nz_file_write(local, "content\n", 8));
    NZ_AUTO_FREE char *first = NULL, *second = NULL, *third = NULL, *place = NULL, *text = NULL;
    nz_assert_ok(nz_link_copy(link, &first, local));
    assert_true(nz_file_exists(first));
    assert_int_equal(strncmp(first, home, strlen(home)), 0);
    nz_assert_ok(nz_link_fetch(link, first, back));
    size_t bytes;
    nz_assert_ok(nz_file_read(&text, &bytes, back, 100));
    assert_string_equal(text, "content\n");
    snprintf(count, sizeof count, "%s/count", home);
    nz_assert_ok(nz_file_write(count, "", 0));
    nz_assert_ok(nz_link_copy(link, &second, local));
    assert_string_equal(first, second);
    assert_int_equal(count_lines(home), 0); /* known already: nobody is asked */
    nz_assert_ok(nz_link_place(link, &place, "out"));
    nz_assert_fails(nz_link_fetch(link, place, back), NZ_E_RESOURCE, "device");
    nz_link_close(link);
    assert_false(nz_dir_exists(place));
    /* Another run finds it there; a copy that was damaged is made anew. */
    nz_assert_ok(open_link(&link, "device", home, fake_worker));
    nz_assert_ok(nz_file_write(count, "", 0));
    nz_assert_ok(nz_link_copy(link, &third, local));
    assert_string_equal(first, third);
    assert_int_equal(count_lines(home), 1);
    nz_link_close(link);
    nz_assert_ok(nz_file_write(first, "damaged\n", 8));
    nz_assert_ok(open_link(&link, "device", home, fake_worker));
    free(NZ_STEAL(third));
    nz_assert_ok(nz_link_copy(link, &third, local));
    free(NZ_STEAL(text));
    nz_assert_ok(nz_file_read(&text, &bytes, third, 100));
    assert_string_equal(text, "content\n");
    nz_link_close(link);
}

/* A limit on the size of files stands for a disk that is full. */
static void a_full_disk_there_leaves_no_half_file(void **state) {
    (void)state;
    const char *home = nz_test_file("home"), *big = nz_test_file("big.bin");
    char full[512], command[512];
    nz_link *link = NULL;
    NZ_AUTO_FREE char *path = NULL, *bytes = calloc(1, 1 << 20);
    assert_non_null(bytes);
    nz_assert_ok(nz_file_write(big, bytes, 1 << 20));
    nz_assert_ok(open_link(&link, "device", home, fake_worker));
    snprintf(full, sizeof full, "%s/full", home);
    nz_assert_ok(nz_file_write(full, "", 0));
    nz_assert_fails(nz_link_copy(link, &path, big), NZ_E_RESOURCE, "device");
    assert_null(path);
    snprintf(command, sizeof command, "! find %s -name '*.part*' | grep -q .", home);
    assert_int_equal(system(command), 0);
    assert_int_equal(unlink(full), 0);
    nz_assert_ok(nz_link_copy(link, &path, big)); /* the link is as good as before */
    nz_link_close(link);
}

static json_t *ask_of(nz_process *process, const char *verb, nz_status wanted, const char *part) {
    json_t *answer = NULL;
    NZ_AUTO_JSON json_t *request = json_pack("{s:s}", "do", verb);
    const nz_wait wait = {.timeout_s = 60, .tick_ms = 20};
    if (wanted == NZ_OK)
        nz_assert_ok(nz_process_ask(process, &answer, request, &wait));
    else
        nz_assert_fails(nz_process_ask(process, &answer, request, &wait), wanted, part);
    return answer;
}

static void a_worker_there_answers_and_its_death_is_told(void **state) {
    (void)state;
    const char *home = nz_test_file("home"), *arguments[] = {"--pin", "0, it's", NULL};
    char chatty[512];
    nz_link *link = NULL;
    nz_assert_ok(nz_dir_make(home));
    snprintf(chatty, sizeof chatty, "%s/chatty", home);
    nz_assert_ok(nz_file_write(chatty, "", 0)); /* what the account's shell prints first is no answer */
    nz_assert_ok(open_link(&link, "device", home, fake_worker));
    nz_process process;
    nz_assert_ok(nz_link_start(link, &process, arguments, true));
    json_t *answer = ask_of(&process, "hello", NZ_OK, NULL);
    assert_string_equal(nz_json_text_at(answer, "arguments"), "--pin 0, it's");
    json_decref(answer);
    ask_of(&process, "die", NZ_E_RESOURCE, "on device was ended by signal 9");
    assert_int_equal(process.pid, 0);
    nz_assert_ok(nz_link_start(link, &process, NULL, false));
    ask_of(&process, "leave", NZ_E_RESOURCE, "exit status 3");
    nz_assert_ok(nz_link_start(link, &process, NULL, false));
    kill(-process.pid, SIGKILL); /* the connection is cut: in place of ssh stands a group of processes */
    ask_of(&process, "hello", NZ_E_RESOURCE, "the connection to device broke");
    nz_process_end(&process);
    nz_link_close(link);
}

static void what_stands_in_the_way_is_told_in_one_line(void **state) {
    (void)state;
    nz_link *link = NULL;
    const char *home = nz_test_file("home");
    nz_assert_fails(open_link(&link, "refused", home, fake_worker), NZ_E_RESOURCE, "ssh-copy-id");
    nz_assert_fails(open_link(&link, "unknown", home, fake_worker), NZ_E_RESOURCE, "log in once by hand");
    nz_assert_fails(open_link(&link, "device", "/proc/self", fake_worker), NZ_E_RESOURCE, "device: mkdir");
    nz_assert_ok(open_link(&link, "device", home, "#!/bin/sh\necho '{\"hello\":{\"version\":\"0.0.0\"}}'\ncat\n"));
    nz_process process;
    nz_assert_fails(nz_link_start(link, &process, NULL, true), NZ_E_RESOURCE, "0.0.0");
    nz_link_close(link);
    nz_assert_ok(open_link(&link, "device", home, "#!/bin/sh\necho 'no such library' >&2\nexit 127\n"));
    nz_assert_fails(nz_link_start(link, &process, NULL, true), NZ_E_RESOURCE, "no such library");
    nz_link_close(link);
    setenv("NETZIP_WORKERS", "/nonexistent", 1);
    nz_assert_fails(nz_link_open(&link, "ssh://device", NULL), NZ_E_RESOURCE, "./run build worker --arch");
    setenv("NETZIP_SSH", "/nonexistent/ssh", 1);
    nz_assert_fails(nz_link_open(&link, "ssh://device", NULL), NZ_E_RESOURCE, "/nonexistent/ssh");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_of_machines_are_taken_apart),
        cmocka_unit_test(what_ssh_or_a_shell_could_take_for_something_else_is_refused),
        cmocka_unit_test(machines_have_names_of_their_own),
        cmocka_unit_test(words_are_quoted_for_the_shell),
        cmocka_unit_test(tar_unpacks_what_was_packed),
        cmocka_unit_test(a_file_that_is_missing_or_no_file_is_told),
        cmocka_unit_test(paths_become_absolute),
        cmocka_unit_test(data_text_is_written_for_another_place),
        cmocka_unit_test(files_go_there_once_and_come_back),
        cmocka_unit_test(a_full_disk_there_leaves_no_half_file),
        cmocka_unit_test(a_worker_there_answers_and_its_death_is_told),
        cmocka_unit_test(what_stands_in_the_way_is_told_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
