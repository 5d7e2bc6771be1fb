/* SPDX-License-Identifier: Apache-2.0 */
/** What the energies of an external meter change in a results document. */
#ifndef NZ_COMPARE_METER_RESULTS_H
#define NZ_COMPARE_METER_RESULTS_H

#include "compare/meter_join.h"

/** A power source by name that is the log of a meter: its path behind "meter:"; NULL: it is another source. Borrowed. */
const char *nz_meter_log_path(const char *power);
/** "before" and "after" of a machine of the results, as nz_meter_join_options.quiet wants them. A new reference. */
json_t *nz_meter_quiet_json(const json_t *machine);
/** Writes into results what a join with the machine called `host` means beside energies: "meter" at the top, its power source,
 * and by what each energy was measured. `about` is what nz_meter_join gave. */
NZ_CHECKED nz_status nz_meter_results_note(json_t *results, const json_t *about, const char *host);

#endif
