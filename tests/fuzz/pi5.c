/* SPDX-License-Identifier: Apache-2.0 */
/* What a Raspberry Pi 5's firmware says of its converter, from any bytes: what is understood is whole. */
#include "measure/pi5.h"

#include <math.h>

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    nz_pi5_rails rails = {.count = 77};
    if (nz_pi5_parse(&rails, (const char *)bytes, count) != NZ_OK) {
        nz_fuzz_check(*nz_last_error() && rails.count == 77);
        return 0;
    }
    double watts = 0;
    nz_fuzz_check(rails.count > 0 && rails.count <= NZ_PI5_RAILS);
    for (size_t i = 0; i < rails.count; i++) {
        const nz_pi5_rail *rail = &rails.rails[i];
        nz_fuzz_check(*rail->name && strlen(rail->name) < sizeof rail->name);
        nz_fuzz_check(isnan(rail->volts) || (rail->volts >= 0 && rail->volts <= 100));
        nz_fuzz_check(isnan(rail->amps) || (rail->amps >= 0 && rail->amps <= 100 && !isnan(rail->volts)));
        if (!isnan(rail->amps)) watts += rail->volts * rail->amps;
    }
    nz_fuzz_check(watts == rails.watts && watts <= NZ_PI5_RAILS * 1e4);
    return 0;
}
