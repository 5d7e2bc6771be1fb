/* SPDX-License-Identifier: Apache-2.0 */
/**
 * ONNX Runtime's C interface, as much of it as is used here, in our own words: the library hands out one table of function
 * pointers whose places never change, new ones being added behind. Names and meanings follow its documentation.
 */
#ifndef NZ_RUNTIME_ORT_H
#define NZ_RUNTIME_ORT_H

#include <stddef.h>
#include <stdint.h>

#include "netzip/status.h"

/** The table's version that is asked for: that of release 1.16, the oldest that is taken. */
enum { NZ_ORT_API = 16 };

/* Objects of the library. A status that is not NULL is an error. */
typedef struct ort_status ort_status;
typedef struct ort_env ort_env;
typedef struct ort_options ort_options;
typedef struct ort_session ort_session;
typedef struct ort_value ort_value;
typedef struct ort_memory ort_memory;
typedef struct ort_shape ort_shape;
typedef struct ort_allocator ort_allocator;

/** What is called, by the names of the library's documentation in lower case. Element types are numbered as nz_dtype. */
typedef struct nz_ort {
    const char *version; /**< "1.30.0" */
    char path[512];      /**< the library's file, as it was opened */
    ort_status *(*create_status)(int code, const char *message);
    int (*get_error_code)(const ort_status *status);
    const char *(*get_error_message)(const ort_status *status);
    void (*release_status)(ort_status *status);
    ort_status *(*create_env)(int log_level, const char *id, ort_env **ret);
    void (*release_env)(ort_env *env);
    ort_status *(*create_session_options)(ort_options **ret);
    void (*release_session_options)(ort_options *options);
    ort_status *(*set_optimization_level)(ort_options *options, int level);
    ort_status *(*set_intra_op_threads)(ort_options *options, int threads);
    ort_status *(*set_inter_op_threads)(ort_options *options, int threads);
    ort_status *(*enable_profiling)(ort_options *options, const char *prefix);
    ort_status *(*add_config_entry)(ort_options *options, const char *key, const char *value);
    ort_status *(*append_provider)(ort_options *options, const char *name, const char *const *keys,
                                   const char *const *values, size_t count);
    ort_status *(*create_session)(const ort_env *env, const char *path, const ort_options *options, ort_session **ret);
    void (*release_session)(ort_session *session);
    ort_status *(*run)(ort_session *session, const void *run_options, const char *const *input_names,
                       const ort_value *const *inputs, size_t input_count, const char *const *output_names,
                       size_t output_count, ort_value **outputs);
    ort_status *(*end_profiling)(ort_session *session, ort_allocator *allocator, char **ret_path);
    ort_status *(*create_cpu_memory_info)(int allocator_type, int memory_type, ort_memory **ret);
    void (*release_memory_info)(ort_memory *memory);
    ort_status *(*create_tensor_with_data)(const ort_memory *memory, void *data, size_t bytes, const int64_t *extents,
                                           size_t rank, int type, ort_value **ret);
    void (*release_value)(ort_value *value);
    ort_status *(*get_tensor_shape)(const ort_value *value, ort_shape **ret);
    ort_status *(*get_element_type)(const ort_shape *shape, int *ret);
    ort_status *(*get_rank)(const ort_shape *shape, size_t *ret);
    ort_status *(*get_extents)(const ort_shape *shape, int64_t *ret, size_t rank);
    void (*release_shape)(ort_shape *shape);
    ort_status *(*get_default_allocator)(ort_allocator **ret);
    ort_status *(*allocator_free)(ort_allocator *allocator, void *memory);
    ort_status *(*get_available_providers)(char ***ret_names, int *ret_count);
    ort_status *(*release_available_providers)(char **names, int count);
} nz_ort;

/**
 * Opens the library, once per process: the file, or the folder with it, that $NETZIP_ONNXRUNTIME names and no other; else what
 * `netzip runtime install onnxruntime` has put below the user's data folder; else by the loader's own path.
 *
 * @param[out] ret_ort  Of the process; never closed.
 * @return NZ_E_UNAVAILABLE, in one line: not found, of another architecture, broken, older than 1.16. Thread-safe.
 */
NZ_CHECKED nz_status nz_ort_get(const nz_ort **ret_ort);

/** NZ_OK for a status that is NULL; else releases it and fails with its message behind `what`. */
NZ_CHECKED nz_status nz_ort_check(const nz_ort *ort, ort_status *status, const char *what);

#endif
