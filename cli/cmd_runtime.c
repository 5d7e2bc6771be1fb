/* SPDX-License-Identifier: Apache-2.0 */
/* netzip runtime: what can execute models here, and how to get more of it. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "core/error.h"
#include "core/file.h"
#include "core/sha256.h"
#include "core/text.h"
#include "netzip/runtime.h"
#include "table.h"

static const nz_cli_option options[] = {
    {"json", NULL, "list: print one JSON document on standard output, and nothing else"},
};

static const nz_cli_usage usage = {
    .verb = "runtime",
    .arguments = "list [--json] | install NAME",
    .summary = "Lists what can execute models here and why the rest cannot, or installs a runtime for this user.\n"
               "ONNX Runtime comes as its npm package (110 MB; npm is needed), of which one library is kept, its\n"
               "checksum compared. A library of one's own is taken by NETZIP_ONNXRUNTIME=FILE-OR-FOLDER.",
    .examples = "netzip runtime list\n"
                "netzip runtime install onnxruntime\n"
                "NETZIP_ONNXRUNTIME=/opt/ort/lib netzip compare net.onnx net-int8.onnx --runtime native,onnxruntime",
    .least = 1,
    .most = 2,
    .options = options,
    .option_count = NZ_COUNT(options),
};

extern char **environ;

/* ---- list ---- */

static nz_status list(const nz_cli_args *args) {
    NZ_AUTO_CLI_TABLE nz_cli_table table = {.columns = 3};
    NZ_AUTO_JSON json_t *array = json_array();
    static const char *const heading[] = {"runtime", "version", "remarks"};
    for (size_t i = 0; i < NZ_COUNT(heading); i++) NZ_TRY(nz_cli_table_add(&table, heading[i]));
    const char *name, *version;
    for (size_t i = 0; (name = nz_runtime_name(i, &version)); i++) {
        const char *remark = version ? nz_runtime_about(name) : nz_last_error();
        json_t *row =
            json_pack("{s:s,s:o,s:b,s:o}", "name", name, "version", version ? nz_json_string(version) : json_null(),
                      "usable", version != NULL, version ? "about" : "reason", nz_json_string(remark));
        if (!row || json_array_append_new(array, row)) return nz_fail(NZ_E_MEMORY, "out of memory: a list");
        NZ_TRY(nz_cli_table_add(&table, name));
        NZ_TRY(nz_cli_table_add(&table, version ? version : "-"));
        NZ_TRY(nz_cli_table_add(&table, remark));
    }
    if (nz_cli_has(args, "json")) return nz_cli_print_json(array);
    nz_cli_table_print(&table, stdout, 7u);
    return NZ_OK;
}

/* ---- install ---- */

/* A runtime that comes as an npm package: which, and the library in it for each architecture. */
typedef struct offer {
    const char *name, *package, *file; /* file: what the library is called here */
    struct build {
        const char *machine, *member, *sha256;
    } builds[2];
} offer;
static const offer offers[] = {
    {"onnxruntime",
     "onnxruntime-node@1.30.0",
     "libonnxruntime.so.1",
     {{"x86_64", "package/bin/napi-v6/linux/x64/libonnxruntime.so.1",
       "ffb75a925ba05e47b235bb66e3e3911714a80b328a9c9425539feb204aa32a23"},
      {"aarch64", "package/bin/napi-v6/linux/arm64/libonnxruntime.so.1",
       "1f549d46250b005580b597f4164984aaf75b3bcb9f3aeb07c7f8a8fe60b23c76"}}},
};

/* Runs a program in a folder, its output on our standard error; false where it cannot be started or fails. */
static nz_status spawn(const char *folder, const char *const *arguments, const char *what) {
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int how = 0, code = posix_spawn_file_actions_init(&actions);
    if (code) return nz_fail(NZ_E_RESOURCE, "%s: %s", arguments[0], strerror(code));
    code = posix_spawn_file_actions_addchdir_np(&actions, folder);
    if (!code) code = posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    if (!code) code = posix_spawnp(&pid, arguments[0], &actions, NULL, (char *const *)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code) return nz_fail(NZ_E_RESOURCE, "%s: %s cannot be run: %s", what, arguments[0], strerror(code));
    while (waitpid(pid, &how, 0) < 0)
        if (errno != EINTR) return nz_fail_errno(arguments[0], "cannot be waited for");
    if (how == 0) return NZ_OK;
    return nz_fail(NZ_E_RESOURCE, "%s: %s failed (its message stands above)", what, arguments[0]);
}

static nz_status install_folder(char **ret_folder, const char *name) {
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    if (data && *data) return nz_format(ret_folder, "%s/netzip/%s", data, name);
    if (home && *home) return nz_format(ret_folder, "%s/.local/share/netzip/%s", home, name);
    return nz_fail(NZ_E_RESOURCE, "neither HOME nor XDG_DATA_HOME says where runtimes are kept");
}

static nz_status place(const offer *o, const struct build *build, const char *temporary, const char *folder) {
    NZ_AUTO_FREE char *unpacked = NULL, *target = NULL;
    char hash[65];
    NZ_TRY(nz_path_join(&unpacked, temporary, build->member));
    NZ_TRY(nz_path_join(&target, folder, o->file));
    NZ_TRY(nz_sha256_file(hash, unpacked));
    if (strcmp(hash, build->sha256) != 0)
        return nz_fail(NZ_E_FORMAT, "%s: the library has checksum %s where %s is right: nothing is installed",
                       o->package, hash, build->sha256);
    if (rename(unpacked, target) != 0) return nz_fail_errno(target, "cannot be written");
    printf("%s\n", target);
    return NZ_OK;
}

static nz_status fetch(const offer *o, const struct build *build, const char *temporary, const char *folder) {
    const char *const pack[] = {"npm", "pack", "--silent", o->package, NULL};
    const char *const unpack[] = {"sh", "-c", "exec tar xzf ./*.tgz \"$0\"", build->member, NULL};
    nz_status status = spawn(temporary, pack, "runtime install");
    if (status != NZ_OK)
        return nz_fail_context(status, "npm fetches it (apt-get install npm); or put %s into %s by hand", o->file,
                               folder);
    NZ_TRY(spawn(temporary, unpack, "runtime install"));
    return place(o, build, temporary, folder);
}

static nz_status install(const char *name) {
    struct utsname machine;
    const offer *o = NULL;
    for (size_t i = 0; i < NZ_COUNT(offers); i++)
        if (name && strcmp(offers[i].name, name) == 0) o = &offers[i];
    if (!o) return nz_fail(NZ_E_ARG, "runtime install: '%s' cannot be installed (onnxruntime can)", name ? name : "");
    if (uname(&machine) != 0) return nz_fail_errno("uname", "does not answer");
    const struct build *build = NULL;
    for (size_t i = 0; i < NZ_COUNT(o->builds); i++)
        if (strcmp(o->builds[i].machine, machine.machine) == 0) build = &o->builds[i];
    if (!build) return nz_fail(NZ_E_UNAVAILABLE, "%s has no library for %s", o->package, machine.machine);
    NZ_AUTO_FREE char *folder = NULL, *temporary = NULL;
    NZ_TRY(install_folder(&folder, o->name));
    NZ_TRY(nz_dir_make(folder));
    NZ_TRY(nz_format(&temporary, "%s/fetch-XXXXXX", folder));
    if (!mkdtemp(temporary)) return nz_fail_errno(temporary, "cannot be made");
    nz_status status = fetch(o, build, temporary, folder);
    const char *const clean[] = {"rm", "-rf", "--", temporary, NULL};
    nz_status cleaned = spawn("/", clean, "runtime install");
    return status == NZ_OK ? cleaned : status;
}

int nz_cmd_runtime(int argc, char **argv) {
    nz_cli_args args;
    int exit_status;
    if (!nz_cli_parse(&args, &exit_status, &usage, argc, argv)) return exit_status;
    const char *verb = args.operands[0], *name = args.operand_count > 1 ? args.operands[1] : NULL;
    nz_status status;
    if (strcmp(verb, "list") == 0 && !name)
        status = list(&args);
    else if (strcmp(verb, "install") == 0)
        status = install(name);
    else
        status = nz_fail(NZ_E_ARG, "runtime: list or install NAME, not '%s'", verb);
    exit_status = nz_cli_finish(status);
    nz_cli_args_done(&args);
    return exit_status;
}
