/* SPDX-License-Identifier: Apache-2.0 */
/* TensorProto: where its bytes lie, or its typed numbers gathered. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "core/error.h"
#include "core/text.h"
#include "onnx/reader.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "ONNX stores little-endian bytes, which tensors refer to in place");

/* A tensor below this size is copied where it is not aligned, even when the reader may leave tensors in place: operators
 * look into small ones (shapes, scales) directly. */
enum { IN_PLACE_BYTES = 64 * 1024 };

typedef struct tensor_header {
    char *name;
    int64_t dtype, location;
    nz_shape shape;
    nz_wire raw;
    bool has_raw;
    char *external_path;
    int64_t offset, length;
} tensor_header;

static void header_done(tensor_header *header) {
    free(header->name);
    free(header->external_path);
}

static nz_status parse_dims(const nz_field *field, nz_shape *shape) {
    nz_packed packed;
    bool more = true;
    NZ_TRY(nz_packed_open(&packed, field, "a tensor's dims", NZ_NUMBER_INT));
    for (;;) {
        uint64_t bits = 0;
        NZ_TRY(nz_packed_next(&packed, &bits, &more));
        if (!more) return NZ_OK;
        if (bits > INT64_MAX)
            return nz_fail(NZ_E_FORMAT, "byte %zu: a tensor has the negative extent %" PRId64, nz_field_place(field),
                           (int64_t)bits);
        if (shape->rank == NZ_MAX_RANK)
            return nz_fail(NZ_E_UNSUPPORTED, "byte %zu: a tensor has more than %d dimensions", nz_field_place(field),
                           NZ_MAX_RANK);
        shape->dim[shape->rank++] = (int64_t)bits;
    }
}

static nz_status parse_external_entry(nz_wire wire, tensor_header *header) {
    NZ_AUTO_FREE char *key = NULL, *value = NULL;
    nz_field field;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) break;
        if (field.number == ENTRY_KEY) NZ_TRY(nz_field_string(&field, "a key of external_data", &key));
        if (field.number == ENTRY_VALUE) NZ_TRY(nz_field_string(&field, "a value of external_data", &value));
    }
    if (!key || !value) return nz_fail(NZ_E_FORMAT, "external_data lacks a key or a value");
    if (strcmp(key, "location") == 0) {
        free(header->external_path);
        header->external_path = NZ_STEAL(value);
        return NZ_OK;
    }
    bool is_offset = strcmp(key, "offset") == 0;
    if (!is_offset && strcmp(key, "length") != 0) return NZ_OK;
    long long number = 0;
    if (nz_parse_int(&number, value, key) != NZ_OK || number < 0)
        return nz_fail(NZ_E_FORMAT, "external_data has the %s '%s', which is no number from 0 up", key, value);
    *(is_offset ? &header->offset : &header->length) = number;
    return NZ_OK;
}

static nz_status parse_header(nz_wire wire, tensor_header *header) {
    nz_field field;
    nz_wire entry;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) return NZ_OK;
        switch (field.number) {
        case TENSOR_DIMS: NZ_TRY(parse_dims(&field, &header->shape)); break;
        case TENSOR_DTYPE: NZ_TRY(nz_field_int(&field, "a tensor's data_type", &header->dtype)); break;
        case TENSOR_NAME: NZ_TRY(nz_field_string(&field, "a tensor's name", &header->name)); break;
        case TENSOR_LOCATION: NZ_TRY(nz_field_int(&field, "a tensor's data_location", &header->location)); break;
        case TENSOR_SEGMENT:
            return nz_fail(NZ_E_UNSUPPORTED, "byte %zu: a tensor is stored in segments", nz_field_place(&field));
        case TENSOR_RAW:
            NZ_TRY(nz_field_bytes(&field, "a tensor's raw_data", &header->raw));
            header->has_raw = true;
            break;
        case TENSOR_EXTERNAL:
            NZ_TRY(nz_field_bytes(&field, "a tensor's external_data", &entry));
            NZ_TRY(parse_external_entry(entry, header));
            break;
        default: break;
        }
    }
}

/* The field that holds a type's numbers where they are not raw, and the kind of its elements. */
static uint32_t typed_field(nz_dtype dtype, nz_wire_number *ret_kind) {
    *ret_kind = dtype == NZ_F32 ? NZ_NUMBER_FLOAT : dtype == NZ_F64 ? NZ_NUMBER_DOUBLE : NZ_NUMBER_INT;
    switch (dtype) {
    case NZ_F32: return TENSOR_FLOATS;
    case NZ_F64: return TENSOR_DOUBLES;
    case NZ_I64: return TENSOR_INT64S;
    case NZ_U32:
    case NZ_U64: return TENSOR_UINT64S;
    default: return TENSOR_INT32S;
    }
}

/* Stores the typed numbers from *at on; each entry's low bytes are the element (or two of 4 bits). out NULL: only bounds them. */
static nz_status gather_typed(nz_wire wire, nz_dtype dtype, uint8_t *out, size_t entries, size_t size,
                              size_t *ret_count) {
    nz_wire_number kind;
    uint32_t number = typed_field(dtype, &kind);
    nz_field field;
    size_t count = 0;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) break;
        if (field.number != number) continue;
        nz_packed packed;
        NZ_TRY(nz_packed_open(&packed, &field, "a tensor's data", kind));
        if (!out) {
            count += nz_packed_bound(&packed);
            continue;
        }
        for (;;) {
            uint64_t bits = 0;
            bool has = true;
            NZ_TRY(nz_packed_next(&packed, &bits, &has));
            if (!has) break;
            if (count < entries) memcpy(out + count * size, &bits, size);
            count++;
        }
    }
    *ret_count = count;
    return NZ_OK;
}

static nz_status read_typed(nz_wire wire, nz_tensor *tensor) {
    int bits = nz_dtype_get(tensor->dtype)->bits;
    size_t size = bits < 8 ? 1 : (size_t)bits / 8, entries = tensor->bytes / size, count = 0;
    NZ_TRY(gather_typed(wire, tensor->dtype, NULL, 0, size, &count));
    if (count < entries)
        return nz_fail(NZ_E_FORMAT, "has fewer than the %zu numbers that its shape asks for%s", entries,
                       count ? "" : ": none");
    nz_tensor full = {0};
    NZ_TRY(nz_tensor_init(&full, tensor->dtype, &tensor->shape));
    nz_status status = gather_typed(wire, tensor->dtype, full.data, entries, size, &count);
    if (status == NZ_OK && count != entries)
        status = nz_fail(NZ_E_FORMAT, "has %zu numbers where its shape asks for %zu", count, entries);
    if (status != NZ_OK)
        nz_tensor_done(&full);
    else
        *tensor = full;
    return status;
}

/* Refers to bytes of a buffer where they lie; copies them where the element type needs another alignment. */
static nz_status refer(const nz_reader *reader, nz_tensor *tensor, nz_buffer *buffer, const uint8_t *data) {
    int bits = nz_dtype_get(tensor->dtype)->bits;
    size_t alignment = bits < 8 ? 1 : (size_t)bits / 8;
    bool aligned = (uintptr_t)data % alignment == 0;
    if (tensor->bytes && (aligned || (reader->in_place && tensor->bytes >= IN_PLACE_BYTES))) {
        tensor->owner = nz_buffer_ref(buffer);
        tensor->data = (void *)(uintptr_t)data;
        return NZ_OK;
    }
    NZ_TRY(nz_buffer_copy(&tensor->owner, data, tensor->bytes));
    tensor->data = nz_buffer_data(tensor->owner);
    nz_buffer_forget(buffer, data, tensor->bytes);
    return NZ_OK;
}

static nz_status read_external(nz_reader *reader, const tensor_header *header, nz_tensor *tensor) {
    nz_buffer *buffer = NULL;
    const uint8_t *data = NULL;
    size_t bytes = 0;
    if (!header->external_path) return nz_fail(NZ_E_FORMAT, "lies in an external file that it does not name");
    int64_t length = header->length >= 0 ? header->length : (int64_t)tensor->bytes;
    NZ_TRY(nz_external_open(reader, header->external_path, header->offset, length, &buffer, &data, &bytes));
    if (bytes != tensor->bytes)
        return nz_fail(NZ_E_FORMAT, "has %zu bytes in '%s' where its shape asks for %zu", bytes, header->external_path,
                       tensor->bytes);
    return refer(reader, tensor, buffer, data);
}

static nz_status read_data(nz_reader *reader, nz_wire wire, const tensor_header *header, nz_tensor *tensor) {
    const nz_dtype_info *info =
        nz_dtype_get(header->dtype > 0 && header->dtype < NZ_DTYPE_END ? (nz_dtype)header->dtype : NZ_DTYPE_NONE);
    char text[112];
    if (!info->bits) {
        if (header->dtype == 0) return nz_fail(NZ_E_FORMAT, "has no data_type");
        return nz_fail(NZ_E_UNSUPPORTED, "has type %" PRId64 " (%s), of which netzip holds no tensors", header->dtype,
                       info->name);
    }
    *tensor = (nz_tensor){.dtype = (nz_dtype)header->dtype, .shape = header->shape};
    int64_t elements = nz_shape_elements(&header->shape);
    if (elements < 0)
        return nz_fail(NZ_E_FORMAT, "has the shape %s, which is too large", nz_shape_text(&header->shape, text));
    NZ_TRY(nz_dtype_bytes(&tensor->bytes, tensor->dtype, elements));
    if (header->location == 1) return read_external(reader, header, tensor);
    if (header->location != 0) return nz_fail(NZ_E_FORMAT, "has the unknown data_location %" PRId64, header->location);
    size_t raw_bytes = (size_t)(header->raw.end - header->raw.at);
    /* An empty raw_data beside typed numbers is what some writers leave. */
    if (!header->has_raw || (raw_bytes == 0 && tensor->bytes)) return read_typed(wire, tensor);
    if (raw_bytes != tensor->bytes)
        return nz_fail(NZ_E_FORMAT, "has %zu bytes of data where shape %s of %s asks for %zu", raw_bytes,
                       nz_shape_text(&header->shape, text), info->name, tensor->bytes);
    return refer(reader, tensor, reader->buffer, header->raw.at);
}

nz_status nz_parse_tensor(nz_reader *reader, nz_wire wire, nz_tensor *ret_tensor, char **ret_name) {
    NZ_AUTO(header_done) tensor_header header = {.length = -1};
    nz_tensor tensor = {0};
    NZ_TRY(parse_header(wire, &header));
    if (!header.name) NZ_TRY(nz_strdup(&header.name, ""));
    nz_status status = read_data(reader, wire, &header, &tensor);
    if (status != NZ_OK) return nz_fail_context(status, "tensor '%s'", header.name);
    *ret_tensor = tensor;
    if (ret_name) *ret_name = NZ_STEAL(header.name);
    return NZ_OK;
}
