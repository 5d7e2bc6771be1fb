/* SPDX-License-Identifier: Apache-2.0 */
/* The preprocessing that each model gets: DATA's, or what the options say in its place for all models or for one. */
#include <string.h>

#include "compare/run.h"
#include "core/error.h"
#include "core/text.h"
#include "netzip/data.h"

/* The keys behind "NAME=" where the text is for the models of that name; NULL where it is not. */
static const char *keys_for(const char *text, const char *name) {
    size_t length = strlen(name);
    return strncmp(text, name, length) == 0 && text[length] == '=' ? text + length + 1 : NULL;
}

/* A second '=' before the first comma: what stands before the first one is meant to be a name. */
static bool names_a_model(const char *text) {
    const char *first = strchr(text, '='), *second = first ? strchr(first + 1, '=') : NULL;
    return second && second < text + strcspn(text, ",");
}

static nz_status fail_name(const nz_run *run, const char *text) {
    NZ_AUTO(nz_text_done) nz_text names = {0};
    for (size_t i = 0; i < run->entry_count && i < 20; i++)
        nz_text_appendf(&names, "%s%s", i ? ", " : "", run->entries[i].name);
    NZ_TRY(names.status);
    return nz_fail(NZ_E_ARG, "compare: --preprocess '%s' is for none of the models (there is %s)", text, names.data);
}

static nz_status set_data(nz_run *run, nz_entry *entry, const char *keys) {
    char *data = NULL;
    nz_status status = nz_data_respec(&data, run->options->data, keys);
    if (status != NZ_OK) return nz_fail_context(status, "compare: --preprocess");
    free(entry->data);
    entry->data = data;
    return NZ_OK;
}

static nz_status plan_named(nz_run *run, const char *text) {
    bool found = false;
    for (size_t i = 0; i < run->entry_count; i++) {
        const char *keys = keys_for(text, run->entries[i].name);
        if (keys) NZ_TRY(set_data(run, &run->entries[i], keys));
        found = found || keys;
    }
    return found ? NZ_OK : fail_name(run, text);
}

/* What is said for one model goes before what is said for all, in whatever order they stand. */
nz_status nz_plan_preprocess(nz_run *run) {
    const nz_compare_options *o = run->options;
    if (o->preprocess_count && !o->data)
        return nz_fail(NZ_E_ARG, "compare: --preprocess needs --data, whose samples it is about");
    for (size_t i = 0; o->data && i < run->entry_count; i++) NZ_TRY(nz_strdup(&run->entries[i].data, o->data));
    for (int named = 0; named < 2; named++)
        for (size_t k = 0; k < o->preprocess_count; k++) {
            const char *text = o->preprocess[k];
            if (names_a_model(text) != (named == 1)) continue;
            if (named) NZ_TRY(plan_named(run, text));
            for (size_t i = 0; !named && i < run->entry_count; i++) NZ_TRY(set_data(run, &run->entries[i], text));
        }
    return NZ_OK;
}
