/* SPDX-License-Identifier: Apache-2.0 */
/* The power converter of a Raspberry Pi 5 measures its outputs; the firmware tells them through its mailbox, as text. What
 * the converter itself loses, and what USB devices draw before it, is in none of these. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "core/error.h"
#include "core/locale.h"
#include "core/memory.h"
#include "measure/pi5.h"
#include "measure/power.h"
#include "measure/probe.h"
#include "measure/system.h"

/* The property interface of the firmware: a message is its size, a code, tags, and an end; a tag is its number, the bytes of
 * its value, a code, and the value. The tag of general commands has an error number and text as its value. */
enum { TAG_COMMAND = 0x00030080, VALUE_BYTES = 1024, TEXT_BYTES = VALUE_BYTES - 4 };
static const uint32_t answered = 0x80000000u;
#define PROPERTY_REQUEST _IOWR(100, 0, char *)
static const char command[] = "pmic_read_adc";

typedef struct message {
    uint32_t bytes, code;
    uint32_t tag, value_bytes, tag_code;
    uint32_t error;
    char text[TEXT_BYTES];
    uint32_t end;
} message;

typedef struct pi5 {
    const nz_system *system;
    int file;
} pi5;

static void pi5_close(void *state) {
    pi5 *p = state;
    if (p->file >= 0) p->system->close(p->system->user, p->file);
    free(p);
}

/* NZ_E_UNAVAILABLE: the firmware did not answer; NZ_E_FORMAT: with something else. */
static nz_status ask(nz_pi5_rails *ret_rails, const pi5 *p) {
    message m = {.bytes = sizeof m, .tag = TAG_COMMAND, .value_bytes = VALUE_BYTES};
    memcpy(m.text, command, sizeof command);
    int code = p->system->ioctl(p->system->user, p->file, PROPERTY_REQUEST, &m);
    if (code < 0) return nz_fail(NZ_E_UNAVAILABLE, "pi5: the firmware cannot be asked: %s", nz_probe_why(-code));
    if (m.code != answered || !(m.tag_code & answered))
        return nz_fail(NZ_E_UNAVAILABLE, "pi5: the firmware has not answered (code 0x%x)", (unsigned)m.code);
    if (m.error || strncmp(m.text, "error=", 6) == 0)
        return nz_fail(NZ_E_UNAVAILABLE,
                       "pi5: the firmware does not know '%s' (only a Raspberry Pi 5 or newer has the converter)",
                       command);
    size_t length = strnlen(m.text, sizeof m.text);
    if (length == sizeof m.text) return nz_fail(NZ_E_FORMAT, "pi5: the firmware's answer has no end");
    return nz_pi5_parse(ret_rails, m.text, length);
}

static nz_status pi5_read(void *state, nz_power_reading *ret_reading) {
    nz_pi5_rails rails;
    nz_status status = ask(&rails, state);
    if (status != NZ_OK) return nz_fail(NZ_E_UNAVAILABLE, "%s", nz_last_error());
    ret_reading->watts = rails.watts;
    for (size_t i = 0; i < rails.count; i++) {
        const nz_pi5_rail *rail = &rails.rails[i];
        if (!isnan(rail->amps))
            nz_power_part_add(ret_reading, &(nz_power_part){.added = true, .watts = rail->volts * rail->amps},
                              rail->name);
    }
    return NZ_OK;
}

static nz_status refuse_open(nz_power_info *info, int code, const nz_roots *roots) {
    char model[128] = "";
    bool pi = nz_probe_text(model, sizeof model, nz_root_proc(roots), "device-tree/model") == 0 &&
              strstr(model, "Raspberry Pi");
    if (code == EACCES || code == EPERM)
        return nz_power_refuse(info, "sudo usermod -aG video \"$USER\", then log in again",
                               "this user may not ask the firmware (/dev/vcio)");
    if (code == ENOENT && pi)
        return nz_power_refuse(info, "start the container with --device /dev/vcio, or sudo modprobe vcio",
                               "%.80s without /dev/vcio: this container or kernel does not show the firmware's mailbox",
                               model);
    if (code == ENOENT) return nz_power_refuse(info, "", "no /dev/vcio (not a Raspberry Pi)");
    return nz_power_refuse(info, "", "/dev/vcio cannot be opened: %s", nz_probe_why(code));
}

static nz_status find_rails(nz_pi5_rails *ret_rails, pi5 *p, nz_power_info *info, const nz_roots *roots) {
    char path[512];
    if ((size_t)snprintf(path, sizeof path, "%s/vcio", nz_root_dev(roots)) >= sizeof path)
        return nz_power_refuse(info, "", "the path of the devices is too long");
    p->file = p->system->open(p->system->user, path, O_RDWR);
    if (p->file < 0) return refuse_open(info, -p->file, roots);
    if (ask(ret_rails, p) == NZ_OK) return NZ_OK;
    return nz_power_refuse(info, "", "%.250s", nz_last_error() + strlen("pi5: "));
}

static nz_status pi5_open(void **ret_state, nz_power_info *info, const nz_roots *roots) {
    pi5 *p = NULL;
    nz_pi5_rails rails;
    NZ_TRY(nz_alloc(&p, 1, sizeof *p));
    *p = (pi5){.system = nz_root_system(roots), .file = -1};
    nz_status status = find_rails(&rails, p, info, roots);
    if (status != NZ_OK) {
        pi5_close(p);
        return status;
    }
    size_t with_current = 0;
    for (size_t i = 0; i < rails.count; i++) with_current += isnan(rails.rails[i].amps) ? 0 : 1;
    int at = snprintf(info->detail, sizeof info->detail, "%zu rails of the converter", with_current);
    if (!isnan(rails.input_volts))
        nz_snprintf(info->detail + at, sizeof info->detail - (size_t)at, ", %.2f V at its input", rails.input_volts);
    *ret_state = p;
    return NZ_OK;
}

const nz_power_source nz_power_pi5 = {
    .name = "pi5",
    .title = "the converter of a Raspberry Pi 5 (through its firmware)",
    .scope = "the converter's outputs: not its own losses, not USB devices",
    .automatic = true,
    .open = pi5_open,
    .read = pi5_read,
    .close = pi5_close,
};
