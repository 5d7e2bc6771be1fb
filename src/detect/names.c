/* SPDX-License-Identifier: Apache-2.0 */
/* Names of classes that a model itself carries. They only label what is shown: one that cannot be read is none. */
#include <ctype.h>
#include <string.h>

#include "core/error.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/text.h"
#include "detect/gather.h"

void nz_class_names_free(char **names, size_t count) {
    for (size_t c = 0; names && c < count; c++) free(names[c]);
    free(names);
}

/* "netzip.classes": a JSON list of as many texts as there are classes. */
static nz_status read_list(char **names, size_t count, const char *text) {
    NZ_AUTO_JSON json_t *list = json_loads(text, 0, NULL);
    if (json_array_size(list) != count) return NZ_OK;
    for (size_t c = 0; c < count; c++) NZ_TRY(nz_strdup(&names[c], json_string_value(json_array_get(list, c))));
    return NZ_OK;
}

static const char *skip_spaces(const char *p) {
    while (isspace((unsigned char)*p)) p++;
    return p;
}

/* A text between quotes of either kind, a backslash before what is meant literally; NULL where it has no end. */
static const char *read_quoted(nz_text *text, const char *p) {
    char quote = *p;
    if (quote != '\'' && quote != '"') return NULL;
    for (p++; *p && *p != quote; p++) {
        if (*p == '\\' && p[1]) p++;
        nz_text_append_bytes(text, p, 1);
    }
    return *p ? p + 1 : NULL;
}

/* "names", as YOLOv5's and YOLOv8's own exporters write it: {0: 'person', 1: 'bicycle', ...}. */
static nz_status read_dictionary(char **names, size_t count, const char *text) {
    for (const char *p = skip_spaces(text); *p == '{' || *p == ',';) {
        NZ_AUTO(nz_text_done) nz_text name = {0};
        char *end = NULL;
        p = skip_spaces(p + 1);
        if (!isdigit((unsigned char)*p)) break;
        unsigned long long c = strtoull(p, &end, 10);
        p = skip_spaces(end);
        p = *p == ':' ? read_quoted(&name, skip_spaces(p + 1)) : NULL;
        if (!p) break;
        if (c < count && !names[c]) NZ_TRY(nz_text_take(&name, &names[c]));
        p = skip_spaces(p);
    }
    return NZ_OK;
}

nz_status nz_class_names_read(char ***ret_names, const nz_graph *graph, size_t count) {
    char **names = NULL;
    const char *list = graph ? nz_graph_meta(graph, "netzip.classes") : NULL;
    const char *dictionary = graph ? nz_graph_meta(graph, "names") : NULL;
    NZ_TRY(nz_alloc(&names, count, sizeof *names));
    nz_status status = NZ_OK;
    if (list)
        status = read_list(names, count, list);
    else if (dictionary)
        status = read_dictionary(names, count, dictionary);
    if (status != NZ_OK) {
        nz_class_names_free(names, count);
        return status;
    }
    *ret_names = names;
    return NZ_OK;
}
