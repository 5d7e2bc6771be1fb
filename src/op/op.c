/* SPDX-License-Identifier: Apache-2.0 */
/** The operator table: the families' tables, sorted once by name. */
#include "op/op.h"

#include <pthread.h>
#include <string.h>

#include "core/error.h"
#include "op/families.h"

/* A new family is one row here, one declaration in families.h and one word in meson.build. */
static const nz_op *const families[] = {
    // clang-format off
    nz_ops_activation,
    nz_ops_arithmetic,
    nz_ops_cast,
    nz_ops_conv,
    nz_ops_create,
    nz_ops_detect,
    nz_ops_einsum,
    nz_ops_grid,
    nz_ops_index,
    nz_ops_integer,
    nz_ops_logic,
    nz_ops_loss,
    nz_ops_matmul,
    nz_ops_move,
    nz_ops_norm,
    nz_ops_pad,
    nz_ops_pool,
    nz_ops_quantize,
    nz_ops_rank,
    nz_ops_recurrent,
    nz_ops_reduce,
    nz_ops_resize,
    nz_ops_select,
    nz_ops_shape,
    nz_ops_softmax,
    nz_ops_unary,
    // clang-format on
    nz_ops_col2im,
};

enum { TABLE_MOST = 512 };
static const nz_op *sorted[TABLE_MOST];
static size_t sorted_count;
static pthread_once_t sorted_once = PTHREAD_ONCE_INIT;

static const char *domain_of(const nz_op *op) { return op->domain ? op->domain : ""; }

/** "ai.onnx" is another spelling of the default domain. */
static const char *domain_plain(const char *domain) { return !domain || strcmp(domain, "ai.onnx") == 0 ? "" : domain; }

static int compare_key(const char *domain, const char *name, const nz_op *op) {
    int by_name = strcmp(name, op->name);
    return by_name ? by_name : strcmp(domain, domain_of(op));
}

static int compare_entries(const void *left, const void *right) {
    const nz_op *a = *(const nz_op *const *)left;
    return compare_key(domain_of(a), a->name, *(const nz_op *const *)right);
}

static void sort_table(void) {
    for (size_t f = 0; f < NZ_COUNT(families); f++)
        for (const nz_op *op = families[f]; op->name && sorted_count < TABLE_MOST; op++) sorted[sorted_count++] = op;
    qsort(sorted, sorted_count, sizeof *sorted, compare_entries);
}

const nz_op *nz_op_find(const char *domain, const char *op_type) {
    if (!op_type) return NULL;
    pthread_once(&sorted_once, sort_table);
    size_t low = 0, high = sorted_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_key(domain_plain(domain), op_type, sorted[middle]);
        if (order == 0) return sorted[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const nz_op *nz_op_at(size_t i) {
    pthread_once(&sorted_once, sort_table);
    return i < sorted_count ? sorted[i] : NULL;
}

const nz_op *nz_op_of(const nz_node *node) {
    return node->unsupported ? NULL : nz_op_find(node->domain, node->op_type);
}

bool nz_op_keeps_range(const nz_node *node) {
    const nz_op *op = nz_op_of(node);
    if (!op || !(op->flags & NZ_OP_KEEPS_RANGE)) return false;
    if (strcmp(node->op_type, "Resize") != 0) return true;
    return strcmp(nz_attr_string(node, "mode", "nearest"), "nearest") == 0 &&
           strcmp(nz_attr_string(node, "coordinate_transformation_mode", ""), "tf_crop_and_resize") != 0;
}
