/* SPDX-License-Identifier: Apache-2.0 */
/** The table of compression methods: one file and one entry each; the entry drives parsing, --list and the metadata. */
#ifndef NZ_COMPRESS_METHOD_H
#define NZ_COMPRESS_METHOD_H

#include "core/options.h"
#include "graph/build.h"
#include "netzip/compress.h"

/** What a method works on. */
typedef struct nz_method_input {
    const nz_graph *graph;       /**< lifted, as read */
    nz_dataset *data;            /**< NULL unless the method needs it */
    nz_dataset *test;            /**< NULL: none */
    const nz_train_files *files; /**< NULL: none */
    int threads;
    const nz_progress *progress;
    const char *text; /**< METHOD in full, defaults included: what tells this run from others */
} nz_method_input;

/** How a method that trains takes the keys of training (compress/finetune.h) in. */
typedef struct nz_method_training {
    size_t offset;            /**< of the nz_finetune_options in the method's options */
    const char *epochs;       /**< the key for the epochs; 0 of them: the method does not train */
    const char *also;         /**< another name of it; NULL */
    const nz_option *options; /**< the method's own keys that mean something only where it trains */
    size_t option_count;
    /** Rows of key, default and help (NULL: as it is) where training's own do not suit; the last row is NULL. */
    const char *const (*defaults)[3];
    double rate, rate_without_norm; /**< what lr=0 stands for at batch 128; the second where nothing normalises */
} nz_method_training;

/** Keys that stand once for several methods. */
typedef struct nz_method_shared {
    const nz_option *options;
    size_t count;
    size_t offset;                    /**< of the struct they describe in the method's options */
    const char *const (*defaults)[3]; /**< as in nz_method_training; NULL: as they are */
} nz_method_shared;

typedef struct nz_method {
    const char *name;      /**< on the command line */
    const char *alias;     /**< the paper's name, accepted too; NULL */
    const char *technique; /**< stored as netzip.technique, shown in tables */
    const char *help;      /**< one line */
    const nz_option *options;
    size_t option_count, options_bytes; /**< of the struct that `options` describes */
    const nz_method_shared *shared;     /**< listed before the method's own; NULL: none */
    bool needs_data;                    /**< whatever the options say; a method needs data to train anyway */
    const nz_method_training *training; /**< NULL: the method never trains */
    /** Yields a new graph; fills `report` (zeroed by the caller, released by the caller also on failure). */
    nz_status (*apply)(nz_graph **ret_graph, nz_compress_report *report, const nz_method_input *input,
                       const void *options);
} nz_method;

extern const nz_method nz_method_ptq, nz_method_qat, nz_method_gup_r, nz_method_gup_l1, nz_method_fp16, nz_method_bf16;

/** Appends a row to a report; strings are copied. */
NZ_CHECKED nz_status nz_compress_report_add(nz_compress_report *report, const nz_node *node, const char *what,
                                            double sqnr_db, double sparsity_pct);

#endif
