/* SPDX-License-Identifier: Apache-2.0 */
/* Finding ONNX Runtime's library, and making sure that its table of functions is the one we mean. */
#include "runtime/ort.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/error.h"
#include "core/memory.h"

/* Places in the library's table. */
#define SLOT(place, member)                                                                                            \
    { place, offsetof(nz_ort, member) }
static const struct slot {
    size_t place, offset;
} slots[] = {
    SLOT(0, create_status),
    SLOT(1, get_error_code),
    SLOT(2, get_error_message),
    SLOT(3, create_env),
    SLOT(7, create_session),
    SLOT(9, run),
    SLOT(10, create_session_options),
    SLOT(14, enable_profiling),
    SLOT(23, set_optimization_level),
    SLOT(24, set_intra_op_threads),
    SLOT(25, set_inter_op_threads),
    SLOT(49, create_tensor_with_data),
    SLOT(60, get_element_type),
    SLOT(61, get_rank),
    SLOT(62, get_extents),
    SLOT(65, get_tensor_shape),
    SLOT(69, create_cpu_memory_info),
    SLOT(76, allocator_free),
    SLOT(78, get_default_allocator),
    SLOT(92, release_env),
    SLOT(93, release_status),
    SLOT(94, release_memory_info),
    SLOT(95, release_session),
    SLOT(96, release_value),
    SLOT(99, release_shape),
    SLOT(100, release_session_options),
    SLOT(110, end_profiling),
    SLOT(125, get_available_providers),
    SLOT(126, release_available_providers),
    SLOT(130, add_config_entry),
    SLOT(216, append_provider),
};

/* What the library exports: two functions, of which one hands out the table. */
typedef struct ort_base {
    const void *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
} ort_base;

static nz_ort found;
static char problem[600];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fill(const void *table) {
    for (size_t i = 0; i < NZ_COUNT(slots); i++)
        memcpy((char *)&found + slots[i].offset, (const char *)table + slots[i].place * sizeof(void *), sizeof(void *));
}

/* An error made and read back by four functions of the table: a library that only claims this table fails here, not in a run. */
static bool answers(void) {
    static const char text[] = "netzip";
    enum { INVALID_ARGUMENT = 2 };
    ort_status *status = found.create_status(INVALID_ARGUMENT, text);
    bool right = status && found.get_error_code(status) == INVALID_ARGUMENT &&
                 strcmp(found.get_error_message(status), text) == 0;
    if (status) found.release_status(status);
    return right;
}

static bool use(void *library, const char *path) {
    const ort_base *(*get_base)(void) = NULL;
    void *symbol = dlsym(library, "OrtGetApiBase");
    memcpy(&get_base, &symbol, sizeof symbol);
    const ort_base *base = get_base ? get_base() : NULL;
    if (!base) {
        snprintf(problem, sizeof problem, "%.400s is no ONNX Runtime: it does not export OrtGetApiBase", path);
        return false;
    }
    const char *version = base->get_version();
    int major = 0, minor = 0;
    if (!version || sscanf(version, "%d.%d", &major, &minor) != 2) {
        snprintf(problem, sizeof problem, "%.400s tells no version", path);
        return false;
    }
    const void *table = major > 1 || minor >= NZ_ORT_API ? base->get_api(NZ_ORT_API) : NULL;
    if (!table) {
        snprintf(problem, sizeof problem, "%.300s is ONNX Runtime %.40s: 1.%d or later is needed", path, version,
                 NZ_ORT_API);
        return false;
    }
    fill(table);
    if (!answers()) {
        snprintf(problem, sizeof problem, "%.300s says that it is ONNX Runtime %.40s, but does not answer like it",
                 path, version);
        return false;
    }
    found.version = version;
    snprintf(found.path, sizeof found.path, "%s", path);
    return true;
}

/* Whether the search is over, by success or by a library that is there and no good. */
static bool try_path(const char *path) {
    struct stat info;
    bool bare = !strchr(path, '/');
    if (!bare && stat(path, &info) != 0) return false;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        if (bare) return false;
        snprintf(problem, sizeof problem, "%.250s cannot be loaded: %.300s", path, why ? why : "no reason given");
        return true;
    }
    if (!use(library, path)) dlclose(library);
    return true;
}

static void search(void) {
    static const char *const names[] = {"libonnxruntime.so.1", "libonnxruntime.so"};
    const char *named = getenv("NETZIP_ONNXRUNTIME"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char path[600];
    if (named && *named) {
        struct stat info;
        bool folder = stat(named, &info) == 0 && S_ISDIR(info.st_mode);
        if (!folder && try_path(named)) return;
        for (size_t i = 0; folder && i < NZ_COUNT(names); i++) {
            snprintf(path, sizeof path, "%.500s/%s", named, names[i]);
            if (try_path(path)) return;
        }
        snprintf(problem, sizeof problem, "NETZIP_ONNXRUNTIME names %.400s, where there is no libonnxruntime", named);
        return;
    }
    for (size_t i = 0; i < NZ_COUNT(names); i++) {
        if (data && *data)
            snprintf(path, sizeof path, "%.400s/netzip/onnxruntime/%s", data, names[i]);
        else
            snprintf(path, sizeof path, "%.400s/.local/share/netzip/onnxruntime/%s", home ? home : "", names[i]);
        if (try_path(path)) return;
    }
    for (size_t i = 0; i < NZ_COUNT(names); i++)
        if (try_path(names[i])) return;
    snprintf(problem, sizeof problem,
             "ONNX Runtime is not installed: netzip runtime install onnxruntime, or name libonnxruntime.so in "
             "NETZIP_ONNXRUNTIME");
}

nz_status nz_ort_get(const nz_ort **ret_ort) {
    pthread_once(&once, search);
    if (!found.version) return nz_fail(NZ_E_UNAVAILABLE, "%s", problem);
    *ret_ort = &found;
    return NZ_OK;
}

nz_status nz_ort_check(const nz_ort *ort, ort_status *status, const char *what) {
    if (!status) return NZ_OK;
    nz_status failed = nz_fail(NZ_E_UNSUPPORTED, "ONNX Runtime: %s: %.900s", what, ort->get_error_message(status));
    ort->release_status(status);
    return failed;
}
