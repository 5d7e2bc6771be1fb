/* SPDX-License-Identifier: Apache-2.0 */
/* The table of metrics: a family is one file, one name in family.h and one word here. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
#include "core/text.h"
#include "metric/family.h"

static const nz_metric *const families[] = {
    nz_metrics_topk,        nz_metrics_prf,    nz_metrics_detection,  nz_metrics_equivalence,
    nz_metrics_calibration, nz_metrics_speed,  nz_metrics_complexity, nz_metrics_size,
    nz_metrics_process,     nz_metrics_energy, nz_metrics_counters,
};

const nz_metric *nz_metric_at(size_t i) {
    for (size_t f = 0; f < NZ_COUNT(families); f++)
        for (const nz_metric *m = families[f]; m->id; m++)
            if (i-- == 0) return m;
    return NULL;
}

enum { MOST_K = 1000 };

/* Rows of topK beyond the table's, made when first asked for and kept for the life of the process. */
static struct {
    nz_metric row;
    char id[16], title[32];
    bool made;
} topk_rows[MOST_K + 1];
static pthread_mutex_t topk_lock = PTHREAD_MUTEX_INITIALIZER;

static const nz_metric *find_topk(const char *id) {
    if (strncmp(id, "top", 3) != 0 || id[3] < '1' || id[3] > '9' || strlen(id) > 7 ||
        strspn(id + 3, "0123456789") != strlen(id + 3))
        return NULL;
    int k = atoi(id + 3);
    if (k > MOST_K) return NULL;
    pthread_mutex_lock(&topk_lock);
    if (!topk_rows[k].made) {
        snprintf(topk_rows[k].id, sizeof topk_rows[k].id, "top%d", k);
        snprintf(topk_rows[k].title, sizeof topk_rows[k].title, "Top-%d accuracy", k);
        topk_rows[k].row = nz_metric_topk_row(k, topk_rows[k].id, topk_rows[k].title);
        topk_rows[k].made = true;
    }
    pthread_mutex_unlock(&topk_lock);
    return &topk_rows[k].row;
}

const nz_metric *nz_metric_find(const char *id) {
    const nz_metric *m;
    for (size_t i = 0; (m = nz_metric_at(i)); i++)
        if (strcmp(m->id, id) == 0 || (m->alias && strcmp(m->alias, id) == 0)) return m;
    return find_topk(id);
}

const char *nz_metric_closest(const char *id) {
    enum { MOST = 256 };
    const char *names[MOST];
    size_t count = 0;
    const nz_metric *m;
    for (size_t i = 0; (m = nz_metric_at(i)) && count + 1 < MOST; i++) {
        names[count++] = m->id;
        if (m->alias) names[count++] = m->alias;
    }
    const char *near = nz_closest(id, names, count);
    return near ? nz_metric_find(near)->id : NULL;
}
