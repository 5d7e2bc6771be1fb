/* SPDX-License-Identifier: Apache-2.0 */
#include "measure/probe.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/memory.h"

enum { MOST_NAMES = 256, MOST_BYTES = 4 << 20 };

const char *nz_root_sys(const nz_roots *roots) { return roots && roots->sys ? roots->sys : "/sys"; }
const char *nz_root_proc(const nz_roots *roots) { return roots && roots->proc ? roots->proc : "/proc"; }
const char *nz_root_dev(const nz_roots *roots) { return roots && roots->dev ? roots->dev : "/dev"; }
const char *nz_root_nvml(const nz_roots *roots) { return roots && roots->nvml ? roots->nvml : "libnvidia-ml.so.1"; }

static int open_below(const char *root, const char *format, va_list args) {
    char path[1024];
    int head = snprintf(path, sizeof path, "%s/", root);
    if (head < 0 || (size_t)head >= sizeof path) return -ENAMETOOLONG;
    int tail = vsnprintf(path + head, sizeof path - (size_t)head, format, args);
    if (tail < 0 || (size_t)(head + tail) >= sizeof path) return -ENAMETOOLONG;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* Until the end or until `size` bytes are there; -errno on failure. */
static ssize_t read_some(int fd, char *bytes, size_t size) {
    size_t length = 0;
    while (length < size) {
        ssize_t got = read(fd, bytes + length, size - length);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return -errno;
        if (got == 0) break;
        length += (size_t)got;
    }
    return (ssize_t)length;
}

static int text_of(char *text, size_t size, int fd) {
    if (fd < 0) return -fd;
    ssize_t length = read_some(fd, text, size - 1);
    close(fd);
    if (length < 0) return (int)-length;
    while (length > 0 && isspace((unsigned char)text[length - 1])) length--;
    text[length] = '\0';
    return 0;
}

int nz_probe_text(char *text, size_t size, const char *root, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int fd = open_below(root, format, args);
    va_end(args);
    return text_of(text, size, fd);
}

const char *nz_probe_why(int code) {
    switch (code) {
    case ENOENT: return "it is not there";
    case EINVAL: return "it holds no number of that kind";
    case EACCES:
    case EPERM: return "this user may not read it";
    case EISDIR: return "it is a folder";
    case ENODATA: return "the sensor is switched off";
    default: return strerror(code);
    }
}

int nz_probe_i64(int64_t *ret_value, const char *root, const char *format, ...) {
    char text[64], *end;
    va_list args;
    va_start(args, format);
    int fd = open_below(root, format, args);
    va_end(args);
    int code = text_of(text, sizeof text, fd);
    if (code) return code;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (!isdigit((unsigned char)text[*text == '-']) || *end || errno) return EINVAL;
    *ret_value = value;
    return 0;
}

int nz_probe_u64(uint64_t *ret_value, const char *root, const char *format, ...) {
    char text[64], *end;
    va_list args;
    va_start(args, format);
    int fd = open_below(root, format, args);
    va_end(args);
    int code = text_of(text, sizeof text, fd);
    if (code) return code;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || *end || errno) return EINVAL;
    *ret_value = value;
    return 0;
}

char *nz_probe_file(const char *root, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int fd = open_below(root, format, args);
    va_end(args);
    if (fd < 0) return NULL;
    char *text = NULL;
    size_t capacity = 0, length = 0;
    for (;;) {
        if (length >= MOST_BYTES || nz_grow(&text, &capacity, length + 16384, 1) != NZ_OK) break;
        ssize_t got = read_some(fd, text + length, 16383);
        if (got < 0) break;
        length += (size_t)got;
        text[length] = '\0';
        if (got < 16383) {
            close(fd);
            return text;
        }
    }
    close(fd);
    free(text);
    return NULL;
}

uint64_t nz_probe_field(const char *text, const char *key, bool *ret_found) {
    size_t length = strlen(key);
    *ret_found = false;
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
        if (strncmp(line, key, length) != 0) continue;
        const char *p = line + length;
        if (*p != ':' && !isspace((unsigned char)*p)) continue;
        p += strspn(p, ": \t");
        if (!isdigit((unsigned char)*p)) continue;
        *ret_found = true;
        return strtoull(p, NULL, 10);
    }
    return 0;
}

bool nz_probe_cpus(unsigned *cpus, size_t *ret_count, size_t most, const char *text) {
    size_t count = 0;
    for (const char *p = text; *p;) {
        char *end;
        if (!isdigit((unsigned char)*p)) return false;
        unsigned long first = strtoul(p, &end, 10), last = first;
        if (*end == '-') {
            if (!isdigit((unsigned char)end[1])) return false;
            last = strtoul(end + 1, &end, 10);
        }
        if (last < first || last > 1 << 20 || last - first >= most - count) return false;
        while (first <= last) cpus[count++] = (unsigned)first++;
        if (*end && *end != ',') return false;
        p = *end ? end + 1 : end;
        if (count >= most && *p) return false;
    }
    *ret_count = count;
    return count > 0;
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int nz_probe_list(nz_probe_names *ret_names, const char *prefix, const char *root, const char *folder) {
    char path[1024];
    if ((size_t)snprintf(path, sizeof path, "%s/%s", root, folder) >= sizeof path) return ENAMETOOLONG;
    DIR *dir = opendir(path);
    if (!dir) return errno;
    nz_probe_names names = {0};
    size_t capacity = 0;
    int code = 0;
    for (const struct dirent *entry; !code && names.count < MOST_NAMES && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)) != 0) continue;
        if (nz_grow(&names.items, &capacity, names.count + 1, sizeof *names.items) != NZ_OK ||
            nz_strdup(&names.items[names.count], entry->d_name) != NZ_OK)
            code = ENOMEM;
        else
            names.count++;
    }
    closedir(dir);
    if (code) {
        nz_probe_names_free(&names);
        return code;
    }
    if (names.count) qsort(names.items, names.count, sizeof *names.items, by_name);
    *ret_names = names;
    return 0;
}

void nz_probe_names_free(nz_probe_names *names) {
    for (size_t i = 0; i < names->count; i++) free(names->items[i]);
    free(names->items);
    *names = (nz_probe_names){0};
}
