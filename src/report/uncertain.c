/* SPDX-License-Identifier: Apache-2.0 */
/* What the document says about how sure its figures are. All of it is optional: a member of another type counts as absent. */
#include <math.h>
#include <string.h>

#include "core/error.h"
#include "metric/value_json.h"
#include "report/escape.h"
#include "report/read.h"
#include "report/view.h"

static bool read_pair(double ret[2], const json_t *json) {
    const json_t *low = json_array_get(json, 0), *high = json_array_get(json, 1);
    if (json_array_size(json) != 2 || !json_is_number(low) || !json_is_number(high)) return false;
    double ends[2] = {json_number_value(low), json_number_value(high)};
    if (!(ends[0] <= ends[1])) return false;
    ret[0] = ends[0];
    ret[1] = ends[1];
    return true;
}

/* {"value", "ci95", "difference"}: the word is believed only where it agrees with the interval. */
static nz_view_gain read_gain(const json_t *json) {
    nz_view_gain gain = {.value = nz_json_number_at(json, "value")};
    if (isnan(gain.value)) return gain;
    gain.has_ci = read_pair(gain.ci95, json_object_get(json, "ci95"));
    if (gain.has_ci) gain.difference = nz_ratio_difference(gain.ci95);
    return gain;
}

static void read_gains(nz_view *view, size_t r) {
    const json_t *metrics = json_object_get(view->rows[r].json, "metrics"),
                 *ratios = json_object_get(view->rows[r].json, "ratios"),
                 *ocs = json_object_get(view->rows[r].json, "ocs");
    nz_view_row *row = &view->rows[r];
    for (size_t c = 0; c < view->column_count; c++)
        view->cells[r * view->column_count + c].gain =
            read_gain(json_object_get(json_object_get(metrics, view->columns[c].id), "ratio"));
    for (int i = 0; i < NZ_VIEW_RATIOS; i++)
        row->ratios[i].gain = read_gain(json_object_get(ratios, nz_ratio_names[i]));
    const json_t *scored = isnan(row->ocs) ? json_object_get(ocs, "partial") : ocs;
    row->has_ocs_ci = read_pair(row->ocs_ci95, json_object_get(scored, "ci95"));
}

/* The strings of an array, cleaned, with `between` between them. */
static nz_status join(nz_view *view, const char **ret_text, const json_t *list, const char *between) {
    nz_text text = {0};
    json_t *item;
    size_t i, told = 0;
    json_array_foreach(list, i, item) {
        if (!json_is_string(item) || !json_string_length(item)) continue;
        nz_text_append(&text, told++ ? between : "");
        nz_put_clean(&text, json_string_value(item));
    }
    *ret_text = "";
    return told ? nz_view_keep(view, ret_text, &text) : NZ_OK;
}

/* Documents of an earlier netzip do not say what marks take: then the figures are meant. */
static nz_harm harm_of(const json_t *object) {
    const char *harm = nz_json_text_at(object, "harm");
    if (strcmp(harm, "certainty") == 0) return NZ_HARM_CERTAINTY;
    return strcmp(harm, "ratios") == 0 ? NZ_HARM_RATIOS : NZ_HARM_FIGURES;
}

static const char *sign_of(nz_harm harm) { return harm == NZ_HARM_CERTAINTY ? NZ_DOUBLE_DAGGER : NZ_DAGGER; }

static nz_status read_conditions(nz_view *view, nz_view_row *row) {
    const json_t *conditions = json_object_get(row->json, "conditions");
    row->conditions = json_is_object(conditions) ? conditions : NULL;
    NZ_TRY(join(view, &row->mark_ids, json_object_get(row->conditions, "marks"), " "));
    NZ_TRY(join(view, &row->marks, json_object_get(row->conditions, "texts"), "; "));
    if (!*row->mark_ids) {
        row->marks = "";
        return NZ_OK;
    }
    if (!*row->marks) row->marks = row->mark_ids;
    nz_text label = {0};
    nz_text_append(&label, row->label);
    row->harm = harm_of(row->conditions);
    nz_text_append(&label, sign_of(row->harm));
    view->marked++;
    return nz_view_keep(view, &row->label, &label);
}

/* Whether `word` is one of the words of `list`. */
static bool has_word(const char *list, const char *word, size_t length) {
    for (const char *p = list; *p; p += strcspn(p, " "), p += *p == ' ')
        if (strcspn(p, " ") == length && strncmp(p, word, length) == 0) return true;
    return false;
}

/* Whether the run's list says that a mark takes nothing but certainty. */
static bool is_wide(const nz_view *view, const char *id, size_t length) {
    const json_t *marks = json_object_get(view->run, "marks");
    json_t *mark;
    size_t i;
    json_array_foreach(marks, i, mark) {
        const char *own = nz_json_text_at(mark, "id");
        if (strlen(own) == length && strncmp(own, id, length) == 0) return harm_of(mark) == NZ_HARM_CERTAINTY;
    }
    return false;
}

/* The ids of rows with one sign, each once, those behind the single dagger without what is merely wide. */
static void put_ids(nz_text *out, const nz_view *view, bool wide) {
    for (size_t r = 0, told = 0; r < view->row_count; r++) {
        const char *ids = view->rows[r].mark_ids;
        if ((view->rows[r].harm == NZ_HARM_CERTAINTY) != wide) continue;
        for (const char *p = ids; *p; p += strcspn(p, " "), p += *p == ' ') {
            size_t length = strcspn(p, " ");
            bool before = !wide && is_wide(view, p, length);
            for (size_t k = 0; k < r && !before; k++)
                before =
                    (view->rows[k].harm == NZ_HARM_CERTAINTY) == wide && has_word(view->rows[k].mark_ids, p, length);
            if (before) continue;
            nz_text_append(out, told++ ? ", " : "");
            for (size_t i = 0; i < length; i++) nz_text_append_bytes(out, p[i] == '_' ? " " : p + i, 1);
        }
    }
}

/* "† bad conditions (busy before); ‡ less sure than wanted: see How it was measured". */
static nz_status read_mark_foot(nz_view *view) {
    nz_text text = {0};
    bool bad = false, wide = false;
    for (size_t r = 0; r < view->row_count; r++) {
        bad = bad || view->rows[r].harm > NZ_HARM_CERTAINTY;
        wide = wide || view->rows[r].harm == NZ_HARM_CERTAINTY;
    }
    if (bad) {
        nz_text_append(&text, NZ_DAGGER " bad conditions (");
        put_ids(&text, view, false);
        nz_text_append(&text, ")");
    }
    if (wide) {
        nz_text_append(&text, bad ? "; " : "");
        nz_text_append(&text, NZ_DOUBLE_DAGGER " less sure than wanted (");
        put_ids(&text, view, true);
        nz_text_append(&text, ")");
    }
    nz_text_append(&text, ": see How it was measured");
    return nz_view_keep(view, &view->mark_foot, &text);
}

/* "† other programs used ...; the budget ended ...": of the run's list of marks, else that the page tells. */
static nz_status read_mark_note(nz_view *view) {
    nz_text text = {0};
    const json_t *marks = json_object_get(view->run, "marks");
    json_t *mark;
    size_t i, told = 0;
    view->mark_note = view->mark_foot = "";
    if (!view->marked) return NZ_OK;
    NZ_TRY(read_mark_foot(view));
    nz_text_append(&text, NZ_DAGGER ", " NZ_DOUBLE_DAGGER " and what was found: ");
    json_array_foreach(marks, i, mark) {
        const char *sentence = nz_json_text_at(mark, "text");
        if (!*sentence) continue;
        nz_text_append(&text, told++ ? "; " : "");
        nz_put_clean(&text, sentence);
    }
    for (size_t r = 0; r < view->row_count && !told; r++)
        if (*view->rows[r].marks) {
            nz_text_append(&text, view->rows[r].marks);
            told++;
        }
    return nz_view_keep(view, &view->mark_note, &text);
}

nz_status nz_view_uncertain(nz_view *view) {
    const json_t *against = json_object_get(view->document, "against");
    (void)nz_read_array(&view->machines, view->document, "machines");
    (void)nz_read_array(&view->rank, view->document, "ocs_rank");
    view->against = json_is_object(against) ? against : NULL;
    for (size_t r = 0; r < view->row_count; r++) {
        bool seen = false;
        read_gains(view, r);
        NZ_TRY(read_conditions(view, &view->rows[r]));
        for (size_t k = 0; k < r; k++) seen = seen || strcmp(view->rows[k].host, view->rows[r].host) == 0;
        view->hosts += !seen;
    }
    return read_mark_note(view);
}

const char *nz_harm_sentence(nz_harm harm) {
    switch (harm) {
    case NZ_HARM_CERTAINTY: return "The figures are right, the intervals say how sure they are.";
    case NZ_HARM_FIGURES:
        return "The figures are those of such a machine; ratios suffer less, since models took turns.";
    case NZ_HARM_RATIOS: return "Ratios suffer as well as the figures.";
    default: return "";
    }
}

void nz_view_put_rank(nz_text *out, const nz_view *view, size_t i) {
    const char *text = nz_json_text_at(json_array_get(view->rank, i), "text");
    size_t count = json_array_size(view->rank), same = 0;
    for (size_t k = 0; k < count; k++) {
        bool equal = strcmp(nz_json_text_at(json_array_get(view->rank, k), "text"), text) == 0;
        if (equal && k < i) return;
        same += equal;
    }
    if (!*text) return;
    for (size_t k = i, listed = 0; k < count && same < count; k++) {
        const json_t *rank = json_array_get(view->rank, k);
        const char *group = nz_json_text_at(rank, "group");
        if (strcmp(nz_json_text_at(rank, "text"), text) != 0 || !*group) continue;
        nz_text_append(out, listed++ ? ", " : "");
        nz_put_clean(out, group);
    }
    nz_text_append(out, same < count ? ": " : "");
    nz_put_clean(out, text);
}

void nz_view_put_marks(nz_text *out, const nz_view *view, size_t row) {
    enum { NAME_MOST = 60 };
    const char *marks = view->rows[row].marks;
    if (!*marks) return;
    for (size_t r = 0; r < row; r++)
        if (strcmp(view->rows[r].marks, marks) == 0) return;
    for (size_t r = row, listed = 0; r < view->row_count; r++) {
        if (strcmp(view->rows[r].marks, marks) != 0) continue;
        nz_text_append(out, listed++ ? ", " : "");
        nz_put_short(out, view->rows[r].label, NAME_MOST);
    }
    nz_text_append(out, ": ");
    nz_text_append(out, marks);
    nz_text_append(out, ". ");
    nz_text_append(out, nz_harm_sentence(view->rows[row].harm));
}
