/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/hardware_arm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

/* The fields Implementer and PartNum of the main ID register (MIDR_EL1), as the makers' reference manuals state them. */
static const struct core {
    unsigned short implementer, part;
    const char *name;
} cores[] = {
    {0x41, 0xb76, "ARM1176"},      {0x41, 0xc07, "Cortex-A7"},    {0x41, 0xc08, "Cortex-A8"},
    {0x41, 0xc09, "Cortex-A9"},    {0x41, 0xc0f, "Cortex-A15"},   {0x41, 0xd02, "Cortex-A34"},
    {0x41, 0xd03, "Cortex-A53"},   {0x41, 0xd04, "Cortex-A35"},   {0x41, 0xd05, "Cortex-A55"},
    {0x41, 0xd06, "Cortex-A65"},   {0x41, 0xd07, "Cortex-A57"},   {0x41, 0xd08, "Cortex-A72"},
    {0x41, 0xd09, "Cortex-A73"},   {0x41, 0xd0a, "Cortex-A75"},   {0x41, 0xd0b, "Cortex-A76"},
    {0x41, 0xd0c, "Neoverse-N1"},  {0x41, 0xd0d, "Cortex-A77"},   {0x41, 0xd0e, "Cortex-A76AE"},
    {0x41, 0xd40, "Neoverse-V1"},  {0x41, 0xd41, "Cortex-A78"},   {0x41, 0xd42, "Cortex-A78AE"},
    {0x41, 0xd43, "Cortex-A65AE"}, {0x41, 0xd44, "Cortex-X1"},    {0x41, 0xd46, "Cortex-A510"},
    {0x41, 0xd47, "Cortex-A710"},  {0x41, 0xd48, "Cortex-X2"},    {0x41, 0xd49, "Neoverse-N2"},
    {0x41, 0xd4a, "Neoverse-E1"},  {0x41, 0xd4b, "Cortex-A78C"},  {0x41, 0xd4d, "Cortex-A715"},
    {0x41, 0xd4e, "Cortex-X3"},    {0x41, 0xd4f, "Neoverse-V2"},  {0x41, 0xd80, "Cortex-A520"},
    {0x41, 0xd81, "Cortex-A720"},  {0x41, 0xd82, "Cortex-X4"},    {0x41, 0xd84, "Neoverse-V3"},
    {0x41, 0xd8e, "Neoverse-N3"},  {0x43, 0x0a1, "ThunderX"},     {0x43, 0x0af, "ThunderX2"},
    {0x46, 0x001, "A64FX"},        {0x48, 0xd01, "Kunpeng 920"},  {0x4e, 0x003, "Denver 2"},
    {0x4e, 0x004, "Carmel"},       {0x61, 0x022, "M1 Icestorm"},  {0x61, 0x023, "M1 Firestorm"},
    {0x61, 0x032, "M2 Blizzard"},  {0x61, 0x033, "M2 Avalanche"}, {0xc0, 0xac3, "Ampere-1"},
    {0xc0, 0xac4, "Ampere-1A"},
};

enum { MOST_KINDS = 8 };
typedef struct kinds {
    size_t count;
    unsigned implementer[MOST_KINDS], part[MOST_KINDS], times[MOST_KINDS];
} kinds;

static void count_core(kinds *k, unsigned implementer, unsigned part) {
    size_t i = 0;
    while (i < k->count && (k->implementer[i] != implementer || k->part[i] != part)) i++;
    if (i == MOST_KINDS) return;
    k->implementer[i] = implementer;
    k->part[i] = part;
    k->times[i]++;
    if (i == k->count) k->count++;
}

/* The number behind the colon where the line begins with `key`. */
static int read_number(unsigned *ret_number, const char *line, const char *key) {
    size_t length = strlen(key);
    if (strncmp(line, key, length) != 0) return 0;
    const char *p = line + length + strspn(line + length, " \t");
    if (*p != ':') return 0;
    *ret_number = (unsigned)strtoul(p + 1, NULL, 0) & 0xffff;
    return 1;
}

static const char *core_name(unsigned implementer, unsigned part) {
    for (size_t i = 0; i < NZ_COUNT(cores); i++)
        if (cores[i].implementer == implementer && cores[i].part == part) return cores[i].name;
    return NULL;
}

void nz_arm_cores(char *ret_text, size_t size, const char *info) {
    kinds k = {0};
    unsigned implementer = 0, part;
    for (const char *line = info; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (read_number(&implementer, line, "CPU implementer")) continue;
        if (read_number(&part, line, "CPU part")) count_core(&k, implementer, part);
    }
    if (size) *ret_text = '\0';
    for (size_t i = 0, at = 0; i < k.count && at < size; i++) {
        char times[16] = "", unknown[48];
        const char *name = core_name(k.implementer[i], k.part[i]);
        if (k.count > 1) snprintf(times, sizeof times, "%u x ", k.times[i]);
        snprintf(unknown, sizeof unknown, "Arm core 0x%02x/0x%03x", k.implementer[i], k.part[i]);
        at += (size_t)snprintf(ret_text + at, size - at, "%s%s%s", i ? " + " : "", times, name ? name : unknown);
    }
}
