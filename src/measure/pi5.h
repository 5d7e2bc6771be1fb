/* SPDX-License-Identifier: Apache-2.0 */
/** What the firmware of a Raspberry Pi 5 says about its converter's outputs. */
#ifndef NZ_MEASURE_PI5_H
#define NZ_MEASURE_PI5_H

#include "netzip/measure.h"

enum { NZ_PI5_RAILS = 24 };

typedef struct nz_pi5_rail {
    char name[32];
    double volts, amps; /**< NaN: not told */
} nz_pi5_rail;

typedef struct nz_pi5_rails {
    size_t count;
    nz_pi5_rail rails[NZ_PI5_RAILS]; /**< in the order of the text */
    double watts;                    /**< of the rails that have both */
    double input_volts;              /**< EXT5V; NaN: not told */
} nz_pi5_rails;

/**
 * Reads lines such as "VDD_CORE_A current(7)=1.09532700A" and "VDD_CORE_V volt(15)=0.72041470V" in any order.
 * @param text  `length` bytes, no end mark needed.
 * @return NZ_E_FORMAT, naming the line: a line is neither, a rail's current or voltage comes twice, is no number, negative or
 *         beyond 100; a rail with a current has no voltage; no rail has both.
 */
NZ_CHECKED nz_status nz_pi5_parse(nz_pi5_rails *ret_rails, const char *text, size_t length);

#endif
