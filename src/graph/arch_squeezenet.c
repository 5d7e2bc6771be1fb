/* SPDX-License-Identifier: Apache-2.0 */
/* SqueezeNet 1.1: fire modules, which squeeze by 1x1 and expand by 1x1 and 3x3 side by side.
 * @source F. Iandola et al., SqueezeNet, arXiv 1602.07360, section 3; version 1.1 as its authors published it later */
#include "graph/arch.h"

static nz_arch_map fire(nz_arch *arch, nz_arch_map x, int index, int64_t squeeze, int64_t expand) {
    nz_arch_module(arch, "features.%d.", index);
    x = nz_arch_add_conv(arch, x, "squeeze", &(nz_arch_conv){.outputs = squeeze, .kernel = 1, .bias = true});
    x = nz_arch_add_relu(arch, x, "squeeze_activation");
    nz_arch_map small =
        nz_arch_add_conv(arch, x, "expand1x1", &(nz_arch_conv){.outputs = expand, .kernel = 1, .bias = true});
    nz_arch_map large = nz_arch_add_conv(arch, x, "expand3x3",
                                         &(nz_arch_conv){.outputs = expand, .kernel = 3, .padding = 1, .bias = true});
    small = nz_arch_add_relu(arch, small, "expand1x1_activation");
    large = nz_arch_add_relu(arch, large, "expand3x3_activation");
    return nz_arch_add_concat(arch, (nz_arch_map[]){small, large}, 2, "concat");
}

static nz_arch_map build_1_1(nz_arch *arch, nz_arch_map x, const void *plan) {
    /* squeeze and expand of fire modules; 0: a pool */
    static const int64_t layers[][2] = {{0, 0}, {16, 64},  {16, 64},  {0, 0},    {32, 128}, {32, 128},
                                        {0, 0}, {48, 192}, {48, 192}, {64, 256}, {64, 256}};
    (void)plan;
    arch->conv_init = NZ_INIT_HE_UNIFORM_FAN_IN;
    nz_arch_module(arch, "features.");
    x = nz_arch_add_conv(arch, x, "0", &(nz_arch_conv){.outputs = 64, .kernel = 3, .stride = 2, .bias = true});
    x = nz_arch_add_relu(arch, x, "1");
    for (int i = 0; i < (int)NZ_COUNT(layers); i++) {
        if (layers[i][0]) {
            x = fire(arch, x, i + 2, layers[i][0], layers[i][1]);
            continue;
        }
        nz_arch_module(arch, "features.%d.", i + 2);
        x = nz_arch_add_max_pool(arch, x, "pool", &(nz_arch_conv){.kernel = 3, .stride = 2}, true);
    }
    nz_arch_module(arch, "classifier.");
    arch->conv_init = NZ_INIT_SMALL;
    x = nz_arch_add_dropout(arch, x, "0", 0.5f);
    x = nz_arch_add_conv(arch, x, "1", &(nz_arch_conv){.outputs = arch->classes, .kernel = 1, .bias = true});
    return nz_arch_add_global_pool(arch, nz_arch_add_relu(arch, x, "2"), "3");
}

const nz_arch_entry nz_arch_squeezenets[] = {
    {{"squeezenet1.1", "SqueezeNet 1.1 (arXiv 1602.07360), torchvision's names; at least 25x25", 1000, 3, 224, 224,
      NULL},
     build_1_1,
     NULL},
    {.build = NULL},
};
