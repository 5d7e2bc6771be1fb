/* SPDX-License-Identifier: Apache-2.0 */
/** A Pascal VOC annotation: the XML of one image. */
#ifndef NZ_DATA_VOC_XML_H
#define NZ_DATA_VOC_XML_H

#include <stddef.h>

#include "netzip/data.h"

typedef struct nz_voc_object {
    char *name;
    size_t line;      /**< of the file, where the object begins */
    nz_object object; /**< class_index is 0; crowd: VOC's difficult */
} nz_voc_object;

typedef struct nz_voc_label {
    nz_voc_object *objects;
    size_t count, capacity;
    int width, height; /**< of the image; 0 where the file does not tell */
} nz_voc_label;

/**
 * The objects of an annotation, by their bounding boxes; parts of objects, poses and sources are passed over. VOC counts pixels
 * from 1 and its boxes hold both of their ends: x = xmin - 1, width = xmax - xmin + 1.
 *
 * @param name  What messages call the file.
 * @return NZ_E_FORMAT: "name:line: ..."; also where the outermost element is not 'annotation', and for a document type declaration, which VOC has no need of and by which a
 *         small file can become an enormous one. NZ_E_MEMORY. Release with nz_voc_label_done.
 */
NZ_CHECKED nz_status nz_voc_label_parse(nz_voc_label *ret_label, const char *bytes, size_t count, const char *name);
void nz_voc_label_done(nz_voc_label *label);

#endif
