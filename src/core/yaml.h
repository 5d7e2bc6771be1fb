/* SPDX-License-Identifier: Apache-2.0 */
/**
 * YAML as JSON values, for descriptions that people write: YAML 1.2's core scalars, one document, bounded. What can surprise
 * is refused with its place: a key given twice, aliases (which could make a small file enormous), tags.
 */
#ifndef NZ_CORE_YAML_H
#define NZ_CORE_YAML_H

#include "core/json.h"

enum {
    NZ_YAML_BYTES_MOST = 1 << 20,
    NZ_YAML_DEPTH_MOST = 32, /**< mappings and sequences within each other */
    NZ_YAML_NODES_MOST = 100000
};

struct nz_yaml_mark;
/** A document with the place of each value. */
typedef struct nz_yaml {
    char *name;   /**< of the file, for messages */
    json_t *root; /**< null for an empty document */
    json_t *kept; /**< an array, or NULL: values that were taken out of the document must go there, because places are
                       known by the address of what holds them */
    size_t mark_count;
    struct nz_yaml_mark *marks;
} nz_yaml;

/**
 * @param name  Stands for the file in messages.
 * @return NZ_E_FORMAT: "name:line:column: ..."; NZ_E_MEMORY. Release with nz_yaml_done.
 */
NZ_CHECKED nz_status nz_yaml_parse(nz_yaml *ret_yaml, const char *text, size_t length, const char *name);
/** The same from a file; NZ_E_IO. */
NZ_CHECKED nz_status nz_yaml_read(nz_yaml *ret_yaml, const char *path);
/** Safe on a zeroed one. */
void nz_yaml_done(nz_yaml *yaml);

/** The value of one plain scalar as a document would have it: 3, true, null, a text. The reference is the caller's; NULL when
 * memory is short or a number is outside what can be held. */
json_t *nz_yaml_scalar(const char *text);

/** Keeps a value that is about to leave the document. The reference is taken over, also on failure. */
NZ_CHECKED nz_status nz_yaml_keep(nz_yaml *yaml, json_t *value);

/** Where the value under `key` of the mapping `container` stands; item `index` of a sequence where key is NULL. Of the root
 * where container is NULL. false, and 0, for what the document does not hold. */
bool nz_yaml_where(const nz_yaml *yaml, const json_t *container, const char *key, size_t index, size_t *ret_line,
                   size_t *ret_column);

/** Writes "name:line:column: message" for that place ("name: message" where it is unknown) and returns `status`. */
nz_status nz_yaml_fail(nz_status status, const nz_yaml *yaml, const json_t *container, const char *key, size_t index,
                       const char *format, ...) NZ_PRINTF(6, 7);

#endif
