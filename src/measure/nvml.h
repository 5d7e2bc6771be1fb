/* SPDX-License-Identifier: Apache-2.0 */
/** NVIDIA's management library, opened at run time: nothing of it is needed to build. */
#ifndef NZ_MEASURE_NVML_H
#define NZ_MEASURE_NVML_H

#include "netzip/measure.h"

enum { NZ_NVML_DEVICES = 16 };

typedef struct nz_nvml nz_nvml;
/** NZ_E_UNAVAILABLE with the reason: no library, no driver, no device. */
NZ_CHECKED nz_status nz_nvml_open(nz_nvml **ret_nvml, const nz_roots *roots);
void nz_nvml_close(nz_nvml *nvml);
size_t nz_nvml_count(const nz_nvml *nvml);
const char *nz_nvml_name(const nz_nvml *nvml, size_t i);
/** Cumulative energy of device i in joules; false on devices older than Volta. */
bool nz_nvml_joules(const nz_nvml *nvml, size_t i, double *ret_joules);
bool nz_nvml_watts(const nz_nvml *nvml, size_t i, double *ret_watts);
bool nz_nvml_util(const nz_nvml *nvml, size_t i, double *ret_pct);
bool nz_nvml_memory(const nz_nvml *nvml, size_t i, double *ret_used_bytes);

#endif
