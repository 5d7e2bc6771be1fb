/* SPDX-License-Identifier: Apache-2.0 */
#include "data/yolo_names.h"

#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"
#include "core/yaml.h"
#include "data/labels.h"
#include "data/yolo_label.h"

void nz_yolo_description_done(nz_yolo_description *d) {
    nz_labels_free(d->names, d->count);
    free(d->root);
    for (size_t s = 0; s < NZ_COUNT(d->splits); s++) free(d->splits[s]);
    *d = (nz_yolo_description){0};
}

/* A class may be called 7 or yes, which YAML reads as other things than text. */
static nz_status copy_name(char **ret_name, const json_t *value) {
    if (json_is_string(value)) return nz_strdup(ret_name, json_string_value(value));
    return nz_json_text(ret_name, value, 1);
}

static nz_status add_name(nz_yolo_description *d, const nz_yaml *yaml, const json_t *names, const char *key,
                          size_t index, const json_t *value) {
    if (json_is_object(value) || json_is_array(value) || json_is_null(value))
        return nz_yaml_fail(NZ_E_FORMAT, yaml, names, key, index, "a class's name should be a word");
    if (d->names[index]) return nz_yaml_fail(NZ_E_FORMAT, yaml, names, key, index, "class %zu is named twice", index);
    return copy_name(&d->names[index], value);
}

static nz_status read_mapping(nz_yolo_description *d, const nz_yaml *yaml, json_t *names) {
    const char *key;
    json_t *value;
    json_object_foreach(names, key, value) {
        size_t digits = strspn(key, "0123456789");
        size_t index = digits && digits < 8 && !key[digits] ? (size_t)strtoul(key, NULL, 10) : d->count;
        if (index >= d->count)
            return nz_yaml_fail(NZ_E_FORMAT, yaml, names, key, 0, "class '%s' should be a number from 0 to %zu", key,
                                d->count - 1);
        NZ_TRY(add_name(d, yaml, names, key, index, value));
    }
    return NZ_OK;
}

static nz_status read_names(nz_yolo_description *d, const nz_yaml *yaml) {
    json_t *names = json_object_get(yaml->root, "names");
    const json_t *wanted = json_object_get(yaml->root, "nc");
    if (!names) return NZ_OK;
    size_t count = json_is_object(names) ? json_object_size(names) : json_array_size(names);
    if (!count || count > NZ_YOLO_CLASSES_MOST)
        return nz_yaml_fail(NZ_E_FORMAT, yaml, yaml->root, "names", 0,
                            "names should be a list of classes, or a mapping from their numbers, of 1 to %d",
                            NZ_YOLO_CLASSES_MOST);
    if (json_is_integer(wanted) && json_integer_value(wanted) != (json_int_t)count)
        return nz_yaml_fail(NZ_E_FORMAT, yaml, yaml->root, "nc", 0, "nc is %lld, but there are %zu names",
                            (long long)json_integer_value(wanted), count);
    NZ_TRY(nz_alloc(&d->names, count, sizeof *d->names));
    d->count = count;
    if (json_is_object(names)) return read_mapping(d, yaml, names);
    for (size_t i = 0; i < count; i++) NZ_TRY(add_name(d, yaml, names, NULL, i, json_array_get(names, i)));
    return NZ_OK;
}

static nz_status read_text(char **ret_text, const nz_yaml *yaml, const char *key) {
    const json_t *value = json_object_get(yaml->root, key);
    if (!value || json_is_null(value)) return NZ_OK;
    if (!json_is_string(value))
        return nz_yaml_fail(NZ_E_FORMAT, yaml, yaml->root, key, 0, "%s should be one path", key);
    return nz_strdup(ret_text, json_string_value(value));
}

nz_status nz_yolo_description_read(nz_yolo_description *ret_description, const char *path) {
    static const char *const keys[] = {"train", "test", "val"};
    NZ_AUTO(nz_yaml_done) nz_yaml yaml = {0};
    NZ_AUTO(nz_yolo_description_done) nz_yolo_description d = {0};
    NZ_TRY(nz_yaml_read(&yaml, path));
    if (!json_is_object(yaml.root)) return nz_fail(NZ_E_FORMAT, "%s: should be a mapping with the key 'names'", path);
    NZ_TRY(read_names(&d, &yaml));
    NZ_TRY(read_text(&d.root, &yaml, "path"));
    for (size_t s = 0; s < NZ_COUNT(keys); s++) NZ_TRY(read_text(&d.splits[s], &yaml, keys[s]));
    *ret_description = d;
    d = (nz_yolo_description){0};
    return NZ_OK;
}
