/* SPDX-License-Identifier: Apache-2.0 */
/* MobileNetV2: a 1x1 convolution widens, a depthwise 3x3 filters, a 1x1 without activation narrows.
 * @source M. Sandler et al., MobileNetV2: Inverted Residuals and Linear Bottlenecks, arXiv 1801.04381, table 2 */
#include "graph/arch.h"

/* Convolution, normalisation and ReLU6, named as a torch.nn.Sequential of three. */
static nz_arch_map unit(nz_arch *arch, nz_arch_map x, const nz_arch_conv *conv) {
    x = nz_arch_add_norm(arch, nz_arch_add_conv(arch, x, "0", conv), "1");
    return nz_arch_add_relu6(arch, x, "2");
}

static nz_arch_map block(nz_arch *arch, nz_arch_map x, int index, int64_t expansion, int64_t outputs, int64_t stride) {
    nz_arch_map way = x;
    int64_t hidden = x.channels * expansion;
    int part = 0;
    if (expansion != 1) {
        nz_arch_module(arch, "features.%d.conv.%d.", index, part++);
        way = unit(arch, way, &(nz_arch_conv){.outputs = hidden, .kernel = 1});
    }
    nz_arch_module(arch, "features.%d.conv.%d.", index, part++);
    way = unit(arch, way,
               &(nz_arch_conv){.outputs = hidden, .kernel = 3, .stride = stride, .padding = 1, .groups = hidden});
    char norm[2] = {(char)('0' + part + 1)}, conv[2] = {(char)('0' + part)};
    nz_arch_module(arch, "features.%d.conv.", index);
    way = nz_arch_add_conv(arch, way, conv, &(nz_arch_conv){.outputs = outputs, .kernel = 1});
    way = nz_arch_add_norm(arch, way, norm);
    return stride == 1 && x.channels == outputs ? nz_arch_add_sum(arch, x, way, "add") : way;
}

static nz_arch_map build_v2(nz_arch *arch, nz_arch_map x, const void *plan) {
    static const struct {
        int64_t expansion, outputs;
        int repeats;
        int64_t stride;
    } stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                  {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    (void)plan;
    int index = 0;
    arch->conv_init = NZ_INIT_HE_FAN_OUT;
    arch->linear_init = NZ_INIT_SMALL;
    nz_arch_module(arch, "features.%d.", index++);
    x = unit(arch, x, &(nz_arch_conv){.outputs = 32, .kernel = 3, .stride = 2, .padding = 1});
    for (size_t s = 0; s < NZ_COUNT(stages); s++)
        for (int r = 0; r < stages[s].repeats; r++)
            x = block(arch, x, index++, stages[s].expansion, stages[s].outputs, r ? 1 : stages[s].stride);
    nz_arch_module(arch, "features.%d.", index);
    x = unit(arch, x, &(nz_arch_conv){.outputs = 1280, .kernel = 1});
    nz_arch_module(arch, "%s", "");
    x = nz_arch_add_global_pool(arch, x, "avgpool");
    nz_arch_module(arch, "classifier.");
    x = nz_arch_add_dropout(arch, x, "0", 0.2f);
    return nz_arch_add_linear(arch, x, "1", arch->classes);
}

const nz_arch_entry nz_arch_mobilenets[] = {
    {{"mobilenetv2", "MobileNetV2, width 1 (arXiv 1801.04381), torchvision's names", 1000, 3, 224, 224, NULL},
     build_v2,
     NULL},
    {.build = NULL},
};
