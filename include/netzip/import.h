/* SPDX-License-Identifier: Apache-2.0 */
/** Pretrained weights without Python: PyTorch checkpoints (zip, the older stream, tar) and safetensors. */
#ifndef NETZIP_IMPORT_H
#define NETZIP_IMPORT_H

#include "netzip/arch.h"
#include "netzip/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The tensors of a checkpoint by name, in the file's order. */
typedef struct nz_checkpoint nz_checkpoint;

/**
 * Reads a checkpoint. Nothing in it is executed: tensors and plain containers are built, every other class becomes an inert
 * record of its attributes. The state dictionary is looked for inside: under the usual keys ("state_dict", "model", ...; an
 * average such as "ema" before the model itself), else the mapping that holds all tensors, else all tensors under
 * their dotted paths; a module object's parameters and buffers under their dotted names. What an optimiser keeps is passed
 * over. Prefixes that all names share because of how the network was wrapped ("module.", "_orig_mod.") are taken off.
 *
 * @param path  PyTorch .pt, .pth, .th (zip, the pickle stream before 1.6, tar), or .safetensors: told by content.
 * @return NZ_E_IO; NZ_E_FORMAT names the place; NZ_E_UNSUPPORTED names what is meant and not read; NZ_E_MEMORY.
 */
NZ_API NZ_CHECKED nz_status nz_checkpoint_open(nz_checkpoint **ret_checkpoint, const char *path);
/** NULL passes. */
NZ_API void nz_checkpoint_free(nz_checkpoint *checkpoint);
/** Tensors in the state dictionary. */
NZ_API size_t nz_checkpoint_count(const nz_checkpoint *checkpoint);
/** Name and content of tensor `i`, contiguous and row-major. Borrowed. */
NZ_API const nz_tensor *nz_checkpoint_tensor(const nz_checkpoint *checkpoint, size_t i, const char **ret_name);
/** One line: format, where the state dictionary was found, prefix taken off. Borrowed. */
NZ_API const char *nz_checkpoint_describe(const nz_checkpoint *checkpoint);

/** What fitted and what did not, for the user. */
typedef struct nz_import_report {
    size_t loaded;        /**< tensors that went into the graph */
    size_t missing_count; /**< parameters that the checkpoint lacks: they keep their initial values */
    char **missing;
    size_t extra_count; /**< tensors of the checkpoint that the architecture has no place for */
    char **extra;
    size_t
        reshaped_count; /**< "fc.weight: 1000x512 in the checkpoint, 10x512 in the network": kept at initial values */
    char **reshaped;
    size_t counters;              /**< num_batches_tracked of batch normalisations: passed over */
    char *prefix;                 /**< in front of the names that fitted: "model.", "" as a rule */
    int64_t classes;              /**< outputs of the classifier; 0 where the architecture has none */
    bool classes_from_checkpoint; /**< they are those of its classifier, and not the architecture's own */
} nz_import_report;
/** Releases the lists and zeroes them; safe on a zeroed one. */
NZ_API void nz_import_report_done(nz_import_report *report);

/**
 * An architecture with a checkpoint's weights. Unless `options` gives them, the number of classes is that of the
 * checkpoint's classifier: the first extent of the weight of the architecture's last layer, or what that says of a detector's
 * head, which has anchors x (5 + classes) outputs. A detector's anchors come from the checkpoint too. Names of classes that the
 * checkpoint holds, as many as there are classes, become metadata "netzip.classes" (a JSON list of texts). Names are compared as they
 * stand, and behind the prefix that most of them share. Float weights of any width become float32; parameters that do not
 * fit keep their initial values.
 *
 * @param[out] ret_report  Release with nz_import_report_done.
 * @return what nz_checkpoint_open and nz_arch_build return; NZ_E_FORMAT where no tensor fits.
 */
NZ_API NZ_CHECKED nz_status nz_import(nz_graph **ret_graph, nz_import_report *ret_report, const char *path,
                                      const char *arch, const nz_arch_options *options);

/** nz_import of a checkpoint that is open already; `name` begins the messages. */
NZ_API NZ_CHECKED nz_status nz_import_checkpoint(nz_graph **ret_graph, nz_import_report *ret_report,
                                                 const nz_checkpoint *checkpoint, const char *name, const char *arch,
                                                 const nz_arch_options *options);

/**
 * The known architecture that a checkpoint fits best: the most tensors fit, of those that either of the two has.
 *
 * @param[out] ret_arch    Its name, NULL where not a single tensor fits any. Static.
 * @param[out] ret_report  How it fits; zeroed where none does. Release with nz_import_report_done.
 */
NZ_API NZ_CHECKED nz_status nz_import_best(const char **ret_arch, nz_import_report *ret_report,
                                           const nz_checkpoint *checkpoint);

#ifdef __cplusplus
}
#endif
#endif
