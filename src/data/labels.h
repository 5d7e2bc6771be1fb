/* SPDX-License-Identifier: Apache-2.0 */
/** Files that name the classes in the order of a model's outputs: one name a line. */
#ifndef NZ_DATA_LABELS_H
#define NZ_DATA_LABELS_H

#include <stddef.h>

#include "netzip/status.h"

/** The lines of a file, without line ends and empty lines at its end. Release with nz_labels_free. NZ_E_FORMAT: an empty
 * file, an empty line in the middle, more than a million lines. */
NZ_CHECKED nz_status nz_labels_read(char ***ret_names, size_t *ret_count, const char *path);
/** The same; NZ_E_FORMAT where there are not exactly `count`. */
NZ_CHECKED nz_status nz_labels_read_exactly(char ***ret_names, size_t count, const char *path);
/** The lines of a list, of files for instance: without blanks around them, and without blank lines. Release with
 * nz_labels_free. NZ_E_FORMAT: no line, more than a million. */
NZ_CHECKED nz_status nz_lines_read(char ***ret_lines, size_t *ret_count, const char *path);
void nz_labels_free(char **names, size_t count);

#endif
