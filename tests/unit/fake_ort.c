/* SPDX-License-Identifier: Apache-2.0 */
/* Stands for libraries that call themselves ONNX Runtime and are not the one that is needed: too old (NETZIP_FAKE_ORT=old), a table
 * that answers wrongly (lies), no version (mute). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

static int mode_is(const char *mode) {
    const char *given = getenv("NETZIP_FAKE_ORT");
    return given && strcmp(given, mode) == 0;
}

static void *nothing(void) { return NULL; }
static void *(*table[400])(void);

static const void *get_api(uint32_t version) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) table[i] = nothing;
    return mode_is("old") && version > 12 ? NULL : (const void *)table;
}

static const char *get_version(void) { return mode_is("mute") ? NULL : mode_is("old") ? "1.12.1" : "1.99.0"; }

static const struct {
    const void *(*get_api)(uint32_t version);
    const char *(*get_version)(void);
} base = {get_api, get_version};

EXPORT const void *OrtGetApiBase(void);
EXPORT const void *OrtGetApiBase(void) { return &base; }
