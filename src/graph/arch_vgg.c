/* SPDX-License-Identifier: Apache-2.0 */
/* VGG: stacks of 3x3 convolutions between pools, then three linear layers.
 * @source K. Simonyan and A. Zisserman, Very Deep Convolutional Networks, arXiv 1409.1556, table 1 (A, B, D);
 *         with batch normalisation as torchvision has them */
#include <stdio.h>

#include "graph/arch.h"

enum { STAGES = 5, POOLED = 7, HIDDEN = 4096 };
static const int64_t widths[STAGES] = {64, 128, 256, 512, 512};

typedef struct plan {
    int layers[STAGES]; /* convolutions of each stage */
    bool norm;
} plan;

/* Layers of a torch.nn.Sequential are named by their numbers. */
typedef struct number {
    int at;
    char text[12];
} number;

static const char *next(number *n) {
    snprintf(n->text, sizeof n->text, "%d", n->at++);
    return n->text;
}

static nz_arch_map features(nz_arch *arch, nz_arch_map x, const plan *p) {
    number n = {0};
    nz_arch_module(arch, "features.");
    for (int s = 0; s < STAGES; s++) {
        nz_arch_conv conv = {.outputs = widths[s], .kernel = 3, .padding = 1, .bias = true};
        for (int i = 0; i < p->layers[s]; i++) {
            x = nz_arch_add_conv(arch, x, next(&n), &conv);
            if (p->norm) x = nz_arch_add_norm(arch, x, next(&n));
            x = nz_arch_add_relu(arch, x, next(&n));
        }
        x = nz_arch_add_max_pool(arch, x, next(&n), &(nz_arch_conv){.kernel = 2, .stride = 2}, false);
    }
    return x;
}

static nz_arch_map build(nz_arch *arch, nz_arch_map x, const void *argument) {
    arch->conv_init = NZ_INIT_HE_FAN_OUT;
    arch->linear_init = NZ_INIT_SMALL;
    x = features(arch, x, argument);
    nz_arch_module(arch, "%s", "");
    x = nz_arch_add_flatten(arch, nz_arch_add_adaptive_pool(arch, x, "avgpool", POOLED), "flatten");
    nz_arch_module(arch, "classifier.");
    x = nz_arch_add_relu(arch, nz_arch_add_linear(arch, x, "0", HIDDEN), "1");
    x = nz_arch_add_dropout(arch, x, "2", 0.5f);
    x = nz_arch_add_relu(arch, nz_arch_add_linear(arch, x, "3", HIDDEN), "4");
    x = nz_arch_add_dropout(arch, x, "5", 0.5f);
    return nz_arch_add_linear(arch, x, "6", arch->classes);
}

#define ROW(name, help, norm, ...)                                                                                     \
    {                                                                                                                  \
        {name, help " (arXiv 1409.1556), torchvision's names; at least 32x32", 1000, 3, 224, 224, NULL}, build,        \
            &(const plan) {                                                                                            \
            {__VA_ARGS__}, norm                                                                                        \
        }                                                                                                              \
    }

const nz_arch_entry nz_arch_vggs[] = {
    ROW("vgg11", "VGG-11", false, 1, 1, 2, 2, 2),
    ROW("vgg11-bn", "VGG-11 with batch normalisation", true, 1, 1, 2, 2, 2),
    ROW("vgg13", "VGG-13", false, 2, 2, 2, 2, 2),
    ROW("vgg13-bn", "VGG-13 with batch normalisation", true, 2, 2, 2, 2, 2),
    ROW("vgg16", "VGG-16", false, 2, 2, 3, 3, 3),
    ROW("vgg16-bn", "VGG-16 with batch normalisation", true, 2, 2, 3, 3, 3),
    {.build = NULL},
};
