/* SPDX-License-Identifier: Apache-2.0 */
/* Names of classes that a model itself carries. They only label what is shown: one that cannot be read is none. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "core/error.h"
#include "core/json.h"
#include "core/memory.h"
#include "core/text.h"
#include "detect/gather.h"
#include "netzip/data.h"

static void free_names(char **names, size_t count) {
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
        free_names(names, count);
        return status;
    }
    *ret_names = names;
    return NZ_OK;
}

/* The class of the data that is called so; `count` where none is. */
static size_t class_called(const nz_dataset *data, size_t count, const char *name) {
    for (size_t c = 0; c < count; c++) {
        const char *other = nz_data_class_name(data, c);
        if (other && strcasecmp(other, name) == 0) return c;
    }
    return count;
}

nz_status nz_class_names_compare(char **ret_note, const nz_graph *graph, const nz_dataset *data, size_t count) {
    char **own = NULL;
    nz_status status = nz_data_has_objects(data) ? nz_class_names_read(&own, graph, count) : NZ_OK;
    for (size_t c = 0; own && c < count && status == NZ_OK; c++) {
        const char *there = nz_data_class_name(data, c);
        size_t place = own[c] && there && strcasecmp(own[c], there) != 0 ? class_called(data, count, own[c]) : count;
        if (place == count) continue;
        status =
            nz_format(ret_note,
                      "classes stand in another order in the data than in the model, so that one counts as another: "
                      "class %zu is '%s' to the model and '%s' to the data, where '%s' is class %zu (labels= gives "
                      "kinds yolo and voc an order; ids give it to COCO's categories)",
                      c, own[c], there, own[c], place);
        break;
    }
    free_names(own, count);
    return status;
}
