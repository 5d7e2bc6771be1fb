/* SPDX-License-Identifier: Apache-2.0 */
#include "compress/pattern.h"

#include <fnmatch.h>
#include <string.h>

bool nz_node_fits(const nz_node *node, const char *text, size_t length) {
    char pattern[1024];
    if (length == 0 || length >= sizeof pattern) return false;
    memcpy(pattern, text, length);
    pattern[length] = '\0';
    return fnmatch(pattern, node->name, 0) == 0 || fnmatch(pattern, node->op_type, 0) == 0;
}

bool nz_node_matches(const nz_node *node, const char *list) {
    for (size_t length; list && *list; list += length + (list[length] == '+')) {
        length = strcspn(list, "+");
        if (nz_node_fits(node, list, length)) return true;
    }
    return false;
}
