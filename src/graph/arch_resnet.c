/* SPDX-License-Identifier: Apache-2.0 */
/* Residual networks: for ImageNet with projection shortcuts, and for CIFAR.
 * @source K. He et al., Deep Residual Learning for Image Recognition, arXiv 1512.03385, tables 1 and 6, section 3.3 (shortcuts) */
#include <stdio.h>

#include "graph/arch.h"

typedef enum shortcut { PROJECTION, PADDING } shortcut; /* the paper's options B and A */

typedef struct plan {
    int64_t width;   /* channels of the first stage; each stage doubles them */
    int blocks[4];   /* of each stage; 0 ends the list */
    bool bottleneck; /* blocks of 1x1, 3x3, 1x1 that leave four times the width */
    bool image_stem; /* 7x7 stride 2 and a pool, for large images; else one 3x3 */
    shortcut shortcut;
    const char *head; /* name of the classifier */
    nz_arch_init conv_init, linear_init;
} plan;

static nz_arch_map project(nz_arch *arch, nz_arch_map x, int64_t outputs, int64_t stride) {
    x = nz_arch_add_conv(arch, x, "downsample.0", &(nz_arch_conv){.outputs = outputs, .kernel = 1, .stride = stride});
    return nz_arch_add_norm(arch, x, "downsample.1");
}

static nz_arch_map block(nz_arch *arch, nz_arch_map x, const plan *p, int64_t width, int64_t stride) {
    nz_arch_map way = x;
    int64_t outputs = p->bottleneck ? 4 * width : width;
    if (p->bottleneck) {
        way = nz_arch_add_conv(arch, way, "conv1", &(nz_arch_conv){.outputs = width, .kernel = 1});
        way = nz_arch_add_relu(arch, nz_arch_add_norm(arch, way, "bn1"), "relu1");
        way = nz_arch_add_conv(arch, way, "conv2",
                               &(nz_arch_conv){.outputs = width, .kernel = 3, .stride = stride, .padding = 1});
        way = nz_arch_add_relu(arch, nz_arch_add_norm(arch, way, "bn2"), "relu2");
        way = nz_arch_add_conv(arch, way, "conv3", &(nz_arch_conv){.outputs = outputs, .kernel = 1});
        way = nz_arch_add_norm(arch, way, "bn3");
    } else {
        way = nz_arch_add_conv(arch, way, "conv1",
                               &(nz_arch_conv){.outputs = width, .kernel = 3, .stride = stride, .padding = 1});
        way = nz_arch_add_relu(arch, nz_arch_add_norm(arch, way, "bn1"), "relu1");
        way = nz_arch_add_conv(arch, way, "conv2", &(nz_arch_conv){.outputs = width, .kernel = 3, .padding = 1});
        way = nz_arch_add_norm(arch, way, "bn2");
    }
    if (x.channels != outputs || stride != 1)
        x = p->shortcut == PROJECTION ? project(arch, x, outputs, stride)
                                      : nz_arch_add_subsample(arch, x, "shortcut", outputs - x.channels);
    return nz_arch_add_relu(arch, nz_arch_add_sum(arch, way, x, "add"), "relu");
}

static nz_arch_map stem(nz_arch *arch, nz_arch_map x, const plan *p) {
    nz_arch_conv large = {.outputs = p->width, .kernel = 7, .stride = 2, .padding = 3};
    nz_arch_conv small = {.outputs = p->width, .kernel = 3, .padding = 1};
    x = nz_arch_add_conv(arch, x, "conv1", p->image_stem ? &large : &small);
    x = nz_arch_add_relu(arch, nz_arch_add_norm(arch, x, "bn1"), "relu");
    if (!p->image_stem) return x;
    return nz_arch_add_max_pool(arch, x, "maxpool", &(nz_arch_conv){.kernel = 3, .stride = 2, .padding = 1}, false);
}

static nz_arch_map build(nz_arch *arch, nz_arch_map x, const void *argument) {
    const plan *p = argument;
    arch->conv_init = p->conv_init;
    arch->linear_init = p->linear_init;
    x = stem(arch, x, p);
    for (int s = 0; s < 4 && p->blocks[s]; s++)
        for (int b = 0; b < p->blocks[s]; b++) {
            nz_arch_module(arch, "layer%d.%d.", s + 1, b);
            x = block(arch, x, p, p->width << s, s && !b ? 2 : 1);
        }
    nz_arch_module(arch, "%s", "");
    return nz_arch_add_linear(arch, nz_arch_add_global_pool(arch, x, "avgpool"), p->head, arch->classes);
}

/* Rows: ImageNet's, drawn as torchvision draws them; CIFAR's, as Y. Idelbayev's proper ResNets for CIFAR do. */
#define IMAGENET(...) .head = "fc", .image_stem = true, .width = 64, .linear_init = NZ_INIT_LINEAR, __VA_ARGS__
#define CIFAR(n)                                                                                                       \
    &(const plan) {                                                                                                    \
        .width = 16, .blocks = {n, n, n}, .shortcut = PADDING, .head = "linear", .conv_init = NZ_INIT_HE_FAN_IN,       \
        .linear_init = NZ_INIT_HE_FAN_IN                                                                               \
    }

static const plan resnet18 = {IMAGENET(.blocks = {2, 2, 2, 2})};
static const plan resnet34 = {IMAGENET(.blocks = {3, 4, 6, 3})};
static const plan resnet50 = {IMAGENET(.blocks = {3, 4, 6, 3}, .bottleneck = true)};
static const plan resnet8 = {.width = 16, .blocks = {1, 1, 1}, .head = "fc", .linear_init = NZ_INIT_LINEAR};

const nz_arch_entry nz_arch_resnets[] = {
    {{"resnet8", "three residual blocks of 16, 32, 64 channels; the size class of MLPerf Tiny's (arXiv 2106.07597)", 10,
      3, 32, 32, NULL},
     build,
     &resnet8},
    {{"resnet18", "ResNet-18 for ImageNet (arXiv 1512.03385), torchvision's names", 1000, 3, 224, 224, NULL},
     build,
     &resnet18},
    {{"resnet34", "ResNet-34 for ImageNet (arXiv 1512.03385), torchvision's names", 1000, 3, 224, 224, NULL},
     build,
     &resnet34},
    {{"resnet50", "ResNet-50 for ImageNet (arXiv 1512.03385), stride in the 3x3, torchvision's names", 1000, 3, 224,
      224, NULL},
     build,
     &resnet50},
    {{"resnet20-cifar", "ResNet-20 for CIFAR (arXiv 1512.03385, 4.2), shortcuts by padding", 10, 3, 32, 32, NULL},
     build,
     CIFAR(3)},
    {{"resnet32-cifar", "ResNet-32 for CIFAR (arXiv 1512.03385, 4.2), shortcuts by padding", 10, 3, 32, 32, NULL},
     build,
     CIFAR(5)},
    {{"resnet44-cifar", "ResNet-44 for CIFAR (arXiv 1512.03385, 4.2), shortcuts by padding", 10, 3, 32, 32, NULL},
     build,
     CIFAR(7)},
    {{"resnet56-cifar", "ResNet-56 for CIFAR (arXiv 1512.03385, 4.2), shortcuts by padding", 10, 3, 32, 32, NULL},
     build,
     CIFAR(9)},
    {.build = NULL},
};
