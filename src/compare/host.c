/* SPDX-License-Identifier: Apache-2.0 */
/* The machine and the libraries, as the documents name them. */
#include <stdio.h>

#include <jpeglib.h>
#include <png.h>
#include <zlib.h>
#include <zstd.h>

#include "compare/run.h"
#include "kernel/kernel.h"

static json_t *bytes_or_null(uint64_t bytes) { return bytes ? json_integer((json_int_t)bytes) : json_null(); }

static json_t *text_or_null(const char *text) { return *text ? nz_json_string(text) : json_null(); }

json_t *nz_hardware_json(const nz_hardware *h) {
    return json_pack("{s:o,s:o,s:o,s:o,s:o,s:i,s:i,s:i,s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "hostname",
                     text_or_null(h->hostname), "system", text_or_null(h->system), "architecture",
                     text_or_null(h->architecture), "cpu", text_or_null(h->cpu_model), "isa", text_or_null(h->isa),
                     "cpus", h->cpus, "cpus_usable", h->cpus_usable, "cores", h->cores, "sockets", h->sockets, "mhz",
                     nz_json_real(h->mhz), "mhz_max", nz_json_real(h->mhz_max), "governor", text_or_null(h->governor),
                     "virtualised", text_or_null(h->virtualised), "l1d_bytes", bytes_or_null(h->l1d_bytes), "l2_bytes",
                     bytes_or_null(h->l2_bytes), "l3_bytes", bytes_or_null(h->l3_bytes), "memory_bytes",
                     bytes_or_null(h->memory_bytes), "memory_limit_bytes", bytes_or_null(h->memory_limit_bytes),
                     "load1", nz_json_real(h->load1));
}

json_t *nz_libraries_json(void) {
    char png[32], jpeg[32], onednn[32];
    unsigned long p = png_access_version_number();
    snprintf(png, sizeof png, "%lu.%lu.%lu", p / 10000, p / 100 % 100, p % 100);
    snprintf(jpeg, sizeof jpeg, "libjpeg-turbo %d.%d.%d", LIBJPEG_TURBO_VERSION_NUMBER / 1000000,
             LIBJPEG_TURBO_VERSION_NUMBER / 1000 % 1000, LIBJPEG_TURBO_VERSION_NUMBER % 1000);
    nz_kernel_library(onednn);
    json_t *json = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "onednn", onednn, "jansson", jansson_version_str(), "jpeg",
                             jpeg, "png", png, "zlib", zlibVersion(), "zstd", ZSTD_versionString());
    return json;
}
