/* SPDX-License-Identifier: Apache-2.0 */
#include "data/labels.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/file.h"
#include "core/memory.h"

enum { FILE_BYTES_MAX = 64 << 20, NAMES_MAX = 1000000 };

void nz_labels_free(char **names, size_t count) {
    for (size_t i = 0; names && i < count; i++) free(names[i]);
    free(names);
}

typedef struct list {
    char **names;
    size_t count, capacity;
} list;

static void list_done(list *l) { nz_labels_free(l->names, l->count); }

static nz_status add_line(list *l, const char *line, const char *path) {
    if (l->count == NAMES_MAX) return nz_fail(NZ_E_FORMAT, "%s: more than %d lines", path, NAMES_MAX);
    NZ_TRY(nz_grow(&l->names, &l->capacity, l->count + 1, sizeof *l->names));
    NZ_TRY(nz_strdup(&l->names[l->count], line));
    l->count++;
    return NZ_OK;
}

static char *trim(char *line, const char *blanks) {
    size_t length = strlen(line);
    while (length && strchr(blanks, line[length - 1])) line[--length] = '\0';
    return line + strspn(line, blanks);
}

/* A class has a number by its line: none may be empty. In a list it may. */
static nz_status add_lines(list *l, char *bytes, const char *path, bool is_list) {
    size_t number = 0;
    for (char *rest = bytes; rest;) {
        char *line = strsep(&rest, "\n");
        size_t length = strlen(line);
        number++;
        if (is_list)
            line = trim(line, " \t\r");
        else if (length && line[length - 1] == '\r')
            line[length - 1] = '\0';
        if (*line)
            NZ_TRY(add_line(l, line, path));
        else if (!is_list)
            return nz_fail(NZ_E_FORMAT, "%s: line %zu is empty; each line names one class", path, number);
    }
    return NZ_OK;
}

static nz_status read_lines(char ***ret_names, size_t *ret_count, const char *path, bool is_list) {
    NZ_AUTO_FREE char *bytes = NULL;
    NZ_AUTO(list_done) list l = {0};
    size_t size = 0;
    NZ_TRY(nz_file_read(&bytes, &size, path, FILE_BYTES_MAX));
    if (memchr(bytes, '\0', size)) return nz_fail(NZ_E_FORMAT, "%s: not a text file", path);
    while (size && (bytes[size - 1] == '\n' || bytes[size - 1] == '\r')) bytes[--size] = '\0';
    if (size) NZ_TRY(add_lines(&l, bytes, path, is_list));
    if (!l.count) return nz_fail(NZ_E_FORMAT, "%s: no %s", path, is_list ? "lines" : "class names");
    *ret_count = l.count;
    *ret_names = l.names;
    l = (list){0};
    return NZ_OK;
}

nz_status nz_labels_read(char ***ret_names, size_t *ret_count, const char *path) {
    return read_lines(ret_names, ret_count, path, false);
}

nz_status nz_lines_read(char ***ret_lines, size_t *ret_count, const char *path) {
    return read_lines(ret_lines, ret_count, path, true);
}

nz_status nz_labels_read_exactly(char ***ret_names, size_t count, const char *path) {
    char **names = NULL;
    size_t found = 0;
    NZ_TRY(nz_labels_read(&names, &found, path));
    if (found != count) {
        nz_labels_free(names, found);
        return nz_fail(NZ_E_FORMAT, "%s: %zu class names; %zu are needed", path, found, count);
    }
    *ret_names = names;
    return NZ_OK;
}
