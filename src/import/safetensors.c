/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: the length of a JSON header, the header, the tensors' bytes. */
#include <stdlib.h>
#include <string.h>

#include "core/error.h"
#include "core/json.h"
#include "core/text.h"
#include "import/checkpoint.h"

enum { HEADER_BYTES_MAX = 16 << 20, NAME_BYTES_MAX = 1024 };

static const struct {
    const char *name;
    nz_dtype dtype;
} types[] = {
    {"F32", NZ_F32}, {"F16", NZ_F16}, {"BF16", NZ_BF16}, {"F64", NZ_F64},          {"I64", NZ_I64},
    {"I32", NZ_I32}, {"I16", NZ_I16}, {"I8", NZ_I8},     {"U64", NZ_U64},          {"U32", NZ_U32},
    {"U16", NZ_U16}, {"U8", NZ_U8},   {"BOOL", NZ_BOOL}, {"F8_E4M3", NZ_F8E4M3FN}, {"F8_E5M2", NZ_F8E5M2},
};

typedef struct reader {
    nz_checkpoint *checkpoint;
    const uint8_t *data; /* behind the header */
    size_t bytes;
    nz_buffer *file;
    const char *name;
} reader;

static uint64_t header_bytes(const uint8_t *bytes) {
    uint64_t value = 0;
    for (int i = 8; i-- > 0;) value = value << 8 | bytes[i];
    return value;
}

bool nz_safetensors_detect(const uint8_t *bytes, size_t count) {
    return count > 9 && bytes[8] == '{' && header_bytes(bytes) <= UINT32_MAX;
}

static nz_status read_shape(const reader *r, nz_shape *ret_shape, const json_t *list, const char *key) {
    nz_shape shape = {0};
    if (!json_is_array(list)) return nz_fail(NZ_E_FORMAT, "%s: '%s' has no shape", r->name, key);
    if (json_array_size(list) > NZ_MAX_RANK)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: '%s' has %zu dimensions; up to %d are read", r->name, key,
                       json_array_size(list), NZ_MAX_RANK);
    for (; (size_t)shape.rank < json_array_size(list); shape.rank++) {
        const json_t *extent = json_array_get(list, (size_t)shape.rank);
        shape.dim[shape.rank] = json_integer_value(extent);
        if (!json_is_integer(extent) || shape.dim[shape.rank] < 0)
            return nz_fail(NZ_E_FORMAT, "%s: '%s' has an extent that is no whole number from 0 up", r->name, key);
    }
    *ret_shape = shape;
    return NZ_OK;
}

static nz_status read_dtype(const reader *r, nz_dtype *ret_dtype, const json_t *entry, const char *key) {
    const char *text = json_string_value(json_object_get(entry, "dtype"));
    if (!text) return nz_fail(NZ_E_FORMAT, "%s: '%s' has no dtype", r->name, key);
    for (size_t i = 0; i < NZ_COUNT(types); i++)
        if (strcmp(types[i].name, text) == 0) {
            *ret_dtype = types[i].dtype;
            return NZ_OK;
        }
    return nz_fail(NZ_E_UNSUPPORTED, "%s: '%s' is of type %.32s, which is not read", r->name, key, text);
}

/* [begin, end) in the data, of exactly the bytes that type and shape need. */
static nz_status read_offsets(const reader *r, size_t *ret_begin, size_t needed, const json_t *entry, const char *key) {
    const json_t *list = json_object_get(entry, "data_offsets");
    const json_t *begin = json_array_get(list, 0), *end = json_array_get(list, 1);
    json_int_t from = json_integer_value(begin), to = json_integer_value(end);
    if (json_array_size(list) != 2 || !json_is_integer(begin) || !json_is_integer(end) || from < 0 || to < from ||
        (uint64_t)to > r->bytes)
        return nz_fail(NZ_E_FORMAT, "%s: '%s' lies outside the file's %zu bytes of data", r->name, key, r->bytes);
    if ((uint64_t)(to - from) != needed)
        return nz_fail(NZ_E_FORMAT, "%s: '%s' needs %zu bytes by its type and shape, but has %lld", r->name, key,
                       needed, (long long)(to - from));
    *ret_begin = (size_t)from;
    return NZ_OK;
}

/* In place where the file is mapped and the bytes are aligned for their type, else a copy. */
static nz_status make_tensor(const reader *r, nz_tensor *ret_tensor, nz_dtype dtype, const nz_shape *shape,
                             size_t begin, size_t bytes) {
    const uint8_t *from = r->data + begin;
    size_t unit = (size_t)nz_dtype_get(dtype)->bits / 8;
    if (bytes && (uintptr_t)from % unit == 0) {
        *ret_tensor = (nz_tensor){.dtype = dtype,
                                  .shape = *shape,
                                  .data = (void *)(uintptr_t)from,
                                  .bytes = bytes,
                                  .owner = nz_buffer_ref(r->file)};
        return NZ_OK;
    }
    NZ_TRY(nz_tensor_init(ret_tensor, dtype, shape));
    if (bytes) memcpy(ret_tensor->data, from, bytes);
    return NZ_OK;
}

static nz_status read_entry(const reader *r, const char *key, const json_t *entry) {
    NZ_AUTO(nz_tensor_done) nz_tensor tensor = {0};
    nz_dtype dtype = NZ_DTYPE_NONE;
    nz_shape shape;
    size_t bytes = 0, begin = 0;
    if (!*key || strlen(key) > NAME_BYTES_MAX)
        return nz_fail(NZ_E_FORMAT, "%s: a tensor's name is empty or longer than %d bytes", r->name, NAME_BYTES_MAX);
    NZ_TRY(read_dtype(r, &dtype, entry, key));
    NZ_TRY(read_shape(r, &shape, json_object_get(entry, "shape"), key));
    nz_status status = nz_dtype_bytes(&bytes, dtype, nz_shape_elements(&shape));
    if (status != NZ_OK) return nz_fail(NZ_E_FORMAT, "%s: '%s' has more elements than can be", r->name, key);
    NZ_TRY(read_offsets(r, &begin, bytes, entry, key));
    NZ_TRY(make_tensor(r, &tensor, dtype, &shape, begin, bytes));
    return nz_checkpoint_add(r->checkpoint, key, &tensor);
}

static int compare_ranges(const void *a, const void *b) {
    const uint64_t *x = a, *y = b;
    int order = (x[0] > y[0]) - (x[0] < y[0]);
    return order ? order : (x[1] > y[1]) - (x[1] < y[1]);
}

/* Tensors share no bytes; the format says so. */
static nz_status check_overlap(const reader *r, const json_t *header) {
    NZ_AUTO_FREE uint64_t(*ranges)[2] = NULL;
    size_t count = 0;
    NZ_TRY(nz_alloc(&ranges, json_object_size(header), sizeof *ranges));
    const char *key;
    json_t *entry;
    json_object_foreach((json_t *)(uintptr_t)header, key, entry) {
        const json_t *list = json_object_get(entry, "data_offsets");
        if (strcmp(key, "__metadata__") == 0) continue;
        ranges[count][0] = (uint64_t)json_integer_value(json_array_get(list, 0));
        ranges[count++][1] = (uint64_t)json_integer_value(json_array_get(list, 1));
    }
    qsort(ranges, count, sizeof *ranges, compare_ranges);
    for (size_t i = 1; i < count; i++)
        if (ranges[i][0] < ranges[i - 1][1])
            return nz_fail(NZ_E_FORMAT, "%s: two tensors share bytes %llu to %llu of the data", r->name,
                           (unsigned long long)ranges[i][0], (unsigned long long)ranges[i - 1][1]);
    return NZ_OK;
}

nz_status nz_safetensors_read(nz_checkpoint *checkpoint, const uint8_t *bytes, size_t count, nz_buffer *file,
                              const char *name) {
    if (count < 10) return nz_fail(NZ_E_FORMAT, "%s: too short for safetensors", name);
    uint64_t length = header_bytes(bytes);
    if (length > count - 8)
        return nz_fail(NZ_E_FORMAT, "%s: a safetensors header of %llu bytes, but the file has only %zu; is it cut off?",
                       name, (unsigned long long)length, count);
    if (length > HEADER_BYTES_MAX)
        return nz_fail(NZ_E_UNSUPPORTED, "%s: a safetensors header of %llu bytes; up to %d are read", name,
                       (unsigned long long)length, HEADER_BYTES_MAX);
    json_error_t error;
    NZ_AUTO_JSON json_t *header = json_loadb((const char *)bytes + 8, (size_t)length, JSON_REJECT_DUPLICATES, &error);
    if (!header) return nz_fail(NZ_E_FORMAT, "%s: safetensors header, line %d: %s", name, error.line, error.text);
    if (!json_is_object(header)) return nz_fail(NZ_E_FORMAT, "%s: the safetensors header is no object", name);
    reader r = {checkpoint, bytes + 8 + length, count - 8 - (size_t)length, file, name};
    const char *key;
    json_t *entry;
    json_object_foreach(header, key, entry) {
        if (strcmp(key, "__metadata__") != 0) NZ_TRY(read_entry(&r, key, entry));
    }
    if (!checkpoint->count) return nz_fail(NZ_E_FORMAT, "%s: a checkpoint without a single tensor", name);
    NZ_TRY(check_overlap(&r, header));
    return nz_strdup(&checkpoint->describe, "safetensors");
}
