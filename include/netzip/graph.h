/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The model in memory: data only. A graph is immutable once it has been built; a pass yields a new one that shares
 * the weights' buffers. Values and nodes refer to each other by index.
 */
#ifndef NETZIP_GRAPH_H
#define NETZIP_GRAPH_H

#include "netzip/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The opset whose forms every node has after reading ("lifting"): the newest that the operator table knows. */
#define NZ_OPSET 21

typedef enum nz_attr_kind { /* ONNX AttributeProto.AttributeType */
                            NZ_ATTR_FLOAT = 1,
                            NZ_ATTR_INT = 2,
                            NZ_ATTR_STRING = 3,
                            NZ_ATTR_TENSOR = 4,
                            NZ_ATTR_GRAPH = 5, /**< kept as bytes only */
                            NZ_ATTR_FLOATS = 6,
                            NZ_ATTR_INTS = 7,
                            NZ_ATTR_STRINGS = 8,
                            NZ_ATTR_OTHER = 99 /**< any other kind, kept as bytes only */
} nz_attr_kind;

typedef struct nz_attr {
    char *name;
    nz_attr_kind kind;
    size_t count; /**< of floats, ints or strings; 1 for the single kinds */
    union {
        float *floats;     /**< FLOAT, FLOATS */
        int64_t *ints;     /**< INT, INTS */
        char **strings;    /**< STRING, STRINGS; 0-terminated (an embedded 0 ends it) */
        nz_tensor *tensor; /**< TENSOR */
        struct {
            void *data;
            size_t count;
        } bytes; /**< GRAPH, OTHER: the encoded AttributeProto as it was */
    } u;
} nz_attr;

/** Bytes of protobuf fields that this version of netzip does not know, written back as they came. */
typedef struct nz_unknown {
    void *data;
    size_t count;
} nz_unknown;

#define NZ_NO_VALUE (-1) /**< an optional input or output that is left out */

typedef struct nz_node {
    char *name;    /**< unique in the graph; made up ("Conv_12") where the file has none */
    char *op_type; /**< ONNX operator name */
    char *domain;  /**< "" for ai.onnx */
    int opset; /**< the domain's opset by which the node is written: NZ_OPSET once lifted, the file's where it could not be */
    size_t attr_count;
    nz_attr *attrs;
    size_t input_count, output_count;
    int *inputs, *outputs; /**< value indices or NZ_NO_VALUE */
    size_t capture_count;
    int *captures;     /**< values that subgraphs in the attributes read by name: they must stay, under that name */
    char *unsupported; /**< why it could not be lifted or lies outside the operator table's claims; NULL: supported */
    nz_unknown unknown;
} nz_node;

typedef struct nz_value {
    char *name; /**< unique in the graph */
    nz_dtype dtype;
    nz_shape shape;               /**< -1 where symbolic or not yet inferred */
    char *dim_names[NZ_MAX_RANK]; /**< symbolic names of graph inputs' and outputs' extents, NULL where none */
    nz_tensor constant;           /**< data non-NULL: an initializer or folded constant */
    int producer;                 /**< node index, -1 for inputs and constants */
    nz_unknown type; /**< the encoded TypeProto of a value that is no tensor (sequence, map, optional); else empty */
} nz_value;

typedef struct nz_meta {
    char *key, *value;
} nz_meta;

typedef struct nz_graph {
    size_t value_count, node_count, input_count, output_count, meta_count;
    nz_value *values;
    nz_node *nodes; /**< topologically sorted */
    int *inputs;    /**< graph inputs that are not initializers */
    int *outputs;
    nz_meta *metas; /**< metadata_props; "netzip.technique", "netzip.preprocess", ... */
    char *name;     /**< of the graph */
    char *producer; /**< producer_name and version of the file read */
    char *doc;
    int64_t ir_version;  /**< of the file read */
    int opset;           /**< ai.onnx opset of the file read */
    size_t domain_count; /**< other domains' imports */
    struct {
        char *domain;
        int64_t version;
    } * domains;
    nz_unknown unknown_model, unknown_graph;
    bool sorted_on_read;          /**< the file's nodes were out of order and have been sorted */
    struct nz_graph_index *index; /**< the builder's own: capacities and names; NULL once finished */
} nz_graph;

/** Releases a graph and its references to weights. NULL passes. */
NZ_API void nz_graph_free(nz_graph *graph);

/** The attribute, or NULL. Borrowed. */
NZ_API const nz_attr *nz_attr_get(const nz_node *node, const char *name);
/** The attribute's value, or `otherwise` where it is absent or of another kind. */
NZ_API int64_t nz_attr_int(const nz_node *node, const char *name, int64_t otherwise);
/** As nz_attr_int, of an attribute of kind FLOAT. */
NZ_API float nz_attr_float(const nz_node *node, const char *name, float otherwise);
/** As nz_attr_int, of an attribute of kind STRING. Borrowed. */
NZ_API const char *nz_attr_string(const nz_node *node, const char *name, const char *otherwise);
/** The list and its length, or NULL and 0. Borrowed. */
NZ_API const int64_t *nz_attr_ints(const nz_node *node, const char *name, size_t *ret_count);

/** The value of a metadata key, NULL where absent. Borrowed. */
NZ_API const char *nz_graph_meta(const nz_graph *graph, const char *key);
/** The index of the value of that name, -1 where absent; linear once the graph is built. */
NZ_API int nz_graph_find_value(const nz_graph *graph, const char *name);
/** Whether the value is an initializer or a folded constant; false for NZ_NO_VALUE. */
NZ_API bool nz_value_is_constant(const nz_graph *graph, int value);
/** Nodes that read `value` (graph outputs not counted); *ret_first (may be NULL) gets the first one's index or -1. */
NZ_API size_t nz_graph_consumers(const nz_graph *graph, int value, int *ret_first);
/** Whether the value is among the graph's outputs. */
NZ_API bool nz_graph_is_output(const nz_graph *graph, int value);

#ifdef __cplusplus
}
#endif
#endif
