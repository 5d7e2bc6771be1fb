/* SPDX-License-Identifier: Apache-2.0 */
/* Mean and sample standard deviation over seeds: models of one name, runtime, thread count, batch and host. */
#include <math.h>
#include <string.h>

#include "compare/run.h"
#include "core/error.h"
#include "core/text.h"
#include "metric/value_json.h"

static const json_t *variant_of(const json_t *model) { return json_object_get(model, "variant"); }

static bool same_group(const json_t *a, const json_t *b) {
    static const char *const keys[] = {"runtime", "threads", "batch", "host"};
    bool same = strcmp(nz_json_text_at(a, "name"), nz_json_text_at(b, "name")) == 0;
    for (size_t i = 0; same && i < NZ_COUNT(keys); i++) {
        const json_t *one = json_object_get(variant_of(a), keys[i]), *other = json_object_get(variant_of(b), keys[i]);
        same = one == other || json_equal(one, other); /* both absent are the same too */
    }
    return same;
}

/* Figures of one kind over the members of a group. */
typedef struct moments {
    size_t n;
    double sum, least, most;
} moments;

typedef const json_t *(*part_of)(const json_t *model, const char *id);

static double value_of(const json_t *model, const char *id, part_of part) {
    return nz_json_number_at(part(model, id), "value");
}

/* Two passes over the members: the second for squares around the mean. */
static json_t *moments_json(const json_t *members, const char *id, part_of part) {
    moments m = {.least = INFINITY, .most = -INFINITY};
    size_t i;
    json_t *member;
    json_array_foreach(members, i, member) {
        double value = value_of(member, id, part);
        if (isnan(value)) continue;
        m.n++;
        m.sum += value;
        m.least = fmin(m.least, value);
        m.most = fmax(m.most, value);
    }
    double mean = m.n ? m.sum / (double)m.n : (double)NAN, squares = 0;
    if (m.least == m.most) mean = m.least; /* what never varies has no spread by rounding */
    json_array_foreach(members, i, member) {
        double value = value_of(member, id, part);
        if (!isnan(value)) squares += (value - mean) * (value - mean);
    }
    double sd = m.n > 1 ? sqrt(squares / (double)(m.n - 1)) : (double)NAN;
    return json_pack("{s:o,s:o,s:I,s:o,s:o}", "mean", nz_json_real(mean), "sd", nz_json_real(sd), "n", (json_int_t)m.n,
                     "least", nz_json_real(m.least), "most", nz_json_real(m.most));
}

static const json_t *metric_part(const json_t *model, const char *id) {
    return json_object_get(json_object_get(model, "metrics"), id);
}
static const json_t *ratio_part(const json_t *model, const char *id) {
    return json_object_get(json_object_get(model, "ratios"), id);
}
static const json_t *ocs_part(const json_t *model, const char *id) {
    (void)id;
    return json_object_get(model, "ocs");
}
static const json_t *partial_part(const json_t *model, const char *id) {
    (void)id;
    return json_object_get(json_object_get(model, "ocs"), "partial");
}

static void copy_keys(json_t *to, const json_t *from, const char *const *keys, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (json_object_get(from, keys[i])) json_object_set(to, keys[i], json_object_get(from, keys[i]));
}

/* What is the same for all members: a failed one may not know it. */
static const json_t *example(const json_t *members) {
    size_t i;
    const json_t *member;
    json_array_foreach(members, i, member) {
        if (strcmp(nz_json_text_at(member, "status"), "ok") == 0) return member;
    }
    return json_array_get(members, 0);
}

static json_t *metrics_json(const json_t *members) {
    static const char *const kept[] = {"unit", "category", "better"};
    json_t *first = json_object_get(example(members), "metrics"), *metrics = json_object(), *metric;
    const char *id;
    json_object_foreach(first, id, metric) {
        json_t *own = moments_json(members, id, metric_part);
        copy_keys(own, metric, kept, NZ_COUNT(kept));
        json_object_set_new(metrics, id, own);
    }
    return metrics;
}

static json_t *ratios_json(const json_t *members) {
    static const char *const kept[] = {"of"};
    json_t *ratios = json_object();
    for (size_t i = 0; i < 4; i++) {
        json_t *own = moments_json(members, nz_ratio_names[i], ratio_part);
        copy_keys(own, ratio_part(example(members), nz_ratio_names[i]), kept, NZ_COUNT(kept));
        json_object_set_new(ratios, nz_ratio_names[i], own);
    }
    return ratios;
}

/* METHOD without its seed, which stands in "seeds". NULL where memory is short. */
static json_t *method_json(const char *method) {
    NZ_AUTO(nz_text_done) nz_text text = {0};
    for (const char *part = method; *part;) {
        size_t length = 0;
        while (part[length] && part[length] != ',') length += part[length] == '\\' && part[length + 1] ? 2 : 1;
        if (strncmp(part, "seed=", 5) != 0) {
            if (text.length) nz_text_append(&text, ",");
            nz_text_append_bytes(&text, part, length);
        }
        part += length + (part[length] == ',');
    }
    return text.status == NZ_OK ? nz_json_string(text.data ? text.data : "") : NULL;
}

static nz_status set(json_t *object, const char *key, json_t *value) {
    return json_object_set_new(object, key, value) ? nz_fail(NZ_E_MEMORY, "out of memory: the results") : NZ_OK;
}

static nz_status group_json(json_t *group, const json_t *members) {
    static const char *const kept[] = {"name", "technique"};
    NZ_AUTO_JSON json_t *seeds = json_array();
    const json_t *first = json_array_get(members, 0), *known = example(members);
    json_t *member;
    size_t i, failed = 0;
    copy_keys(group, known, kept, NZ_COUNT(kept));
    if (json_is_string(json_object_get(known, "method")))
        NZ_TRY(set(group, "method", method_json(nz_json_text_at(known, "method"))));
    json_array_foreach(members, i, member) {
        const json_t *seed = json_object_get(variant_of(member), "seed");
        if (seed && json_array_append(seeds, (json_t *)(uintptr_t)seed))
            return nz_fail(NZ_E_MEMORY, "out of memory: the results");
        failed += strcmp(nz_json_text_at(member, "status"), "failed") == 0;
    }
    json_t *variant = json_deep_copy(variant_of(first));
    json_object_del(variant, "seed");
    NZ_TRY(set(group, "variant", variant));
    NZ_TRY(set(group, "is_baseline",
               json_boolean(strcmp(nz_json_text_at(first, "id"), nz_json_text_at(first, "baseline")) == 0)));
    NZ_TRY(set(group, "n", json_integer((json_int_t)json_array_size(members))));
    NZ_TRY(set(group, "failed", json_integer((json_int_t)failed)));
    NZ_TRY(set(group, "seeds", json_incref(seeds)));
    NZ_TRY(set(group, "metrics", metrics_json(members)));
    NZ_TRY(set(group, "ratios", ratios_json(members)));
    NZ_TRY(set(group, "ocs", moments_json(members, "", ocs_part)));
    return set(group, "ocs_partial", moments_json(members, "", partial_part));
}

json_t *nz_groups_json(const json_t *models) {
    NZ_AUTO_JSON json_t *groups = json_array();
    json_t *model, *other;
    size_t i, k;
    bool several = false;
    json_array_foreach(models, i, model) {
        NZ_AUTO_JSON json_t *members = json_array(), *group = json_object();
        bool begins = true;
        json_array_foreach(models, k, other) {
            if (!same_group(model, other)) continue;
            begins = begins && k >= i;
            if (json_array_append(members, other)) return NULL;
        }
        if (!begins) continue;
        several = several || json_array_size(members) > 1;
        if (group_json(group, members) != NZ_OK || json_array_append(groups, group)) return NULL;
    }
    return several ? NZ_STEAL(groups) : json_null();
}
