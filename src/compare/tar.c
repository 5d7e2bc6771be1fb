/* SPDX-License-Identifier: Apache-2.0 */
/* A stream of files in the form that tar(1) unpacks: the one way to send many files through one connection that every system
 * has. Names of up to 99 bytes stand in the header, longer ones in a GNU entry of their own before it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compare/link.h"
#include "core/error.h"

enum { BLOCK = 512, SHORT_NAME = 99 };

struct nz_tar {
    const nz_tar_file *files;
    size_t count, next;
    char *head; /* headers on their way out */
    size_t head_count, head_at, head_capacity;
    int fd; /* of the file on its way out; -1: none */
    const char *text;
    uint64_t left;  /* of its content */
    size_t padding; /* behind it */
    bool ended;
};

nz_status nz_tar_open(nz_tar **ret_tar, const nz_tar_file *files, size_t count) {
    nz_tar *tar;
    NZ_TRY(nz_alloc(&tar, 1, sizeof *tar));
    *tar = (nz_tar){.files = files, .count = count, .fd = -1};
    *ret_tar = tar;
    return NZ_OK;
}

void nz_tar_free(nz_tar *tar) {
    if (!tar) return;
    if (tar->fd >= 0) close(tar->fd);
    free(tar->head);
    free(tar);
}

static nz_status put(nz_tar *tar, const void *bytes, size_t count) {
    size_t padded = (count + BLOCK - 1) / BLOCK * BLOCK;
    NZ_TRY(nz_grow(&tar->head, &tar->head_capacity, tar->head_count + padded, 1));
    memset(tar->head + tar->head_count, 0, padded);
    memcpy(tar->head + tar->head_count, bytes, count);
    tar->head_count += padded;
    return NZ_OK;
}

/* ustar: name 100, mode 8, uid 8, gid 8, size 12, mtime 12, sum 8, type 1, link 100, magic 8, ... */
static nz_status put_header(nz_tar *tar, const char *name, uint64_t size, char type, int mode) {
    char block[BLOCK] = {0}, number[16];
    memcpy(block, name, strnlen(name, SHORT_NAME));
    snprintf(block + 100, 8, "%07o", (unsigned)mode & 0777);
    memcpy(block + 108, "0000000\0000000000", 16);
    snprintf(number, sizeof number, "%011llo", (unsigned long long)size & 077777777777ULL);
    memcpy(block + 124, number, 12);
    memcpy(block + 136, "00000000000", 12);
    memset(block + 148, ' ', 8);
    block[156] = type;
    memcpy(block + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (size_t i = 0; i < BLOCK; i++) sum += (unsigned char)block[i];
    snprintf(number, sizeof number, "%06o", sum & 0777777);
    memcpy(block + 148, number, 7);
    return put(tar, block, BLOCK);
}

static nz_status open_content(nz_tar *tar, const nz_tar_file *file, uint64_t *ret_size) {
    struct stat info;
    tar->text = file->text;
    *ret_size = file->text ? strlen(file->text) : 0;
    if (!file->local) return NZ_OK;
    tar->fd = open(file->local, O_RDONLY | O_CLOEXEC);
    if (tar->fd < 0 || fstat(tar->fd, &info) != 0) return nz_fail_errno(file->local, "cannot be read");
    if (!S_ISREG(info.st_mode)) return nz_fail(NZ_E_IO, "%s: is no file that could be copied", file->local);
    if (info.st_size >= (off_t)1 << 33) return nz_fail(NZ_E_RESOURCE, "%s: is too large to be copied", file->local);
    *ret_size = (uint64_t)info.st_size;
    return NZ_OK;
}

static nz_status begin_file(nz_tar *tar) {
    const nz_tar_file *file = &tar->files[tar->next++];
    bool folder = !file->local && !file->text;
    uint64_t size;
    NZ_TRY(open_content(tar, file, &size));
    if (strlen(file->name) > SHORT_NAME) {
        NZ_TRY(put_header(tar, "././@LongLink", strlen(file->name) + 1, 'L', 0));
        NZ_TRY(put(tar, file->name, strlen(file->name) + 1));
    }
    NZ_TRY(put_header(tar, file->name, size, folder ? '5' : '0', folder || file->executable ? 0755 : 0644));
    tar->left = size;
    tar->padding = (size_t)((BLOCK - size % BLOCK) % BLOCK);
    return NZ_OK;
}

/* Two blocks of zeros end an archive. */
static nz_status end(nz_tar *tar) {
    static const char zeros[2 * BLOCK];
    tar->ended = true;
    return put(tar, zeros, sizeof zeros);
}

static nz_status read_content(nz_tar *tar, char *buffer, size_t size, size_t *ret_count) {
    size_t want = tar->left < size ? (size_t)tar->left : size;
    if (tar->fd < 0) {
        memcpy(buffer, tar->text, want);
        tar->text += want;
    } else {
        ssize_t got = read(tar->fd, buffer, want);
        const char *name = tar->files[tar->next - 1].local;
        if (got < 0) return nz_fail_errno(name, "cannot be read");
        if (!got) return nz_fail(NZ_E_IO, "%s: has become shorter while it was copied", name);
        want = (size_t)got;
    }
    tar->left -= want;
    if (!tar->left && tar->fd >= 0) {
        close(tar->fd);
        tar->fd = -1;
    }
    *ret_count = want;
    return NZ_OK;
}

nz_status nz_tar_read(void *archive, char *buffer, size_t size, size_t *ret_count) {
    nz_tar *tar = archive;
    *ret_count = 0;
    for (;;) {
        if (tar->head_at < tar->head_count) {
            size_t count = tar->head_count - tar->head_at < size ? tar->head_count - tar->head_at : size;
            memcpy(buffer, tar->head + tar->head_at, count);
            tar->head_at += count;
            *ret_count = count;
            return NZ_OK;
        }
        tar->head_at = tar->head_count = 0;
        if (tar->left) return read_content(tar, buffer, size, ret_count);
        if (tar->fd >= 0) { /* an empty file */
            close(tar->fd);
            tar->fd = -1;
        }
        if (tar->padding) {
            *ret_count = tar->padding < size ? tar->padding : size;
            memset(buffer, 0, *ret_count);
            tar->padding -= *ret_count;
            return NZ_OK;
        }
        if (tar->next < tar->count)
            NZ_TRY(begin_file(tar));
        else if (!tar->ended)
            NZ_TRY(end(tar));
        else
            return NZ_OK;
    }
}
