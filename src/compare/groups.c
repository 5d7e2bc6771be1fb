/* SPDX-License-Identifier: Apache-2.0 */
/* Mean and sample standard deviation over seeds: models of one name, runtime, thread count, batch and host. */
#include <math.h>
#include <string.h>

#include "compare/run.h"
#include "metric/value_json.h"

static const json_t *variant_of(const json_t *model) { return json_object_get(model, "variant"); }

static bool same_group(const json_t *a, const json_t *b) {
    static const char *const keys[] = {"runtime", "threads", "batch", "host"};
    bool same = strcmp(nz_text_at(a, "name"), nz_text_at(b, "name")) == 0;
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
    const json_t *value = json_object_get(part(model, id), "value");
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
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

static json_t *metrics_json(const json_t *members) {
    static const char *const kept[] = {"unit", "category", "better"};
    json_t *first = json_object_get(json_array_get(members, 0), "metrics"), *metrics = json_object(), *metric;
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
        copy_keys(own, ratio_part(json_array_get(members, 0), nz_ratio_names[i]), kept, NZ_COUNT(kept));
        json_object_set_new(ratios, nz_ratio_names[i], own);
    }
    return ratios;
}

static json_t *group_json(const json_t *members) {
    static const char *const kept[] = {"name", "technique", "method"};
    json_t *group = json_object(), *seeds = json_array(), *member;
    const json_t *first = json_array_get(members, 0);
    size_t i, failed = 0;
    copy_keys(group, first, kept, NZ_COUNT(kept));
    json_array_foreach(members, i, member) {
        json_array_append(seeds, json_object_get(variant_of(member), "seed"));
        failed += strcmp(nz_text_at(member, "status"), "failed") == 0;
    }
    json_t *variant = json_deep_copy(variant_of(first));
    json_object_del(variant, "seed");
    json_object_set_new(group, "variant", variant);
    json_object_set_new(group, "is_baseline",
                        json_boolean(strcmp(nz_text_at(first, "id"), nz_text_at(first, "baseline")) == 0));
    json_object_set_new(group, "n", json_integer((json_int_t)json_array_size(members)));
    json_object_set_new(group, "failed", json_integer((json_int_t)failed));
    json_object_set_new(group, "seeds", seeds);
    json_object_set_new(group, "metrics", metrics_json(members));
    json_object_set_new(group, "ratios", ratios_json(members));
    json_object_set_new(group, "ocs", moments_json(members, "", ocs_part));
    json_object_set_new(group, "ocs_partial", moments_json(members, "", partial_part));
    return group;
}

json_t *nz_groups_json(const json_t *models) {
    json_t *groups = json_array(), *model, *other;
    size_t i, k;
    bool several = false;
    json_array_foreach(models, i, model) {
        NZ_AUTO_JSON json_t *members = json_array();
        bool begins = true;
        json_array_foreach(models, k, other) {
            if (!same_group(model, other)) continue;
            begins = begins && k >= i;
            json_array_append(members, other);
        }
        if (!begins) continue;
        several = several || json_array_size(members) > 1;
        json_array_append_new(groups, group_json(members));
    }
    if (several) return groups;
    json_decref(groups);
    return json_null();
}
