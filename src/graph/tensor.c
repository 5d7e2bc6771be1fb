/* SPDX-License-Identifier: Apache-2.0 */
#include "netzip/tensor.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/error.h"
#include "core/memory.h"

int64_t nz_shape_elements(const nz_shape *shape) {
    int64_t elements = 1;
    bool empty = false, overflow = false;
    if (shape->rank < 0) return -1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dim[i] < 0) return -1;
        if (shape->dim[i] == 0) empty = true;
        if (!overflow && __builtin_mul_overflow(elements, shape->dim[i], &elements)) overflow = true;
    }
    return empty ? 0 : overflow ? -1 : elements;
}

bool nz_shape_equal(const nz_shape *a, const nz_shape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i]) return false;
    return true;
}

bool nz_shape_known(const nz_shape *shape) {
    if (shape->rank < 0) return false;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dim[i] < 0) return false;
    return true;
}

const char *nz_shape_text(const nz_shape *shape, char text[112]) {
    enum { CAPACITY = 112 };
    size_t at = 0;
    if (shape->rank <= 0) {
        snprintf(text, CAPACITY, "%s", shape->rank < 0 ? "unknown" : "scalar");
        return text;
    }
    text[0] = '\0';
    for (int i = 0; i < shape->rank && at < CAPACITY; i++) {
        int wrote = shape->dim[i] < 0 ? snprintf(text + at, CAPACITY - at, "%s?", i ? "x" : "")
                                      : snprintf(text + at, CAPACITY - at, "%s%" PRId64, i ? "x" : "", shape->dim[i]);
        at += (size_t)wrote;
    }
    return text;
}

nz_status nz_dtype_bytes(size_t *ret_bytes, nz_dtype dtype, int64_t elements) {
    const nz_dtype_info *info = nz_dtype_get(dtype);
    if (!info->bits) return nz_fail(NZ_E_SHAPE, "tensors of type %s are not supported", info->name);
    if (elements < 0) return nz_fail(NZ_E_SHAPE, "a tensor's number of elements is unknown or too large");
    size_t bytes = 0;
    bool fits = info->bits < 8 ? true : nz_mul_size(&bytes, (size_t)elements, (size_t)info->bits / 8);
    if (info->bits < 8) bytes = (size_t)elements / 2 + (size_t)elements % 2;
    if (!fits || bytes > PTRDIFF_MAX)
        return nz_fail(NZ_E_SHAPE, "a tensor of %" PRId64 " elements of type %s is too large", elements, info->name);
    *ret_bytes = bytes;
    return NZ_OK;
}

nz_status nz_tensor_init(nz_tensor *ret_tensor, nz_dtype dtype, const nz_shape *shape) {
    nz_tensor t = {.dtype = dtype, .shape = *shape};
    char text[112];
    nz_status status = nz_dtype_bytes(&t.bytes, dtype, nz_shape_elements(shape));
    if (status == NZ_OK) status = nz_buffer_alloc(&t.owner, t.bytes);
    if (status != NZ_OK) return nz_fail_context(status, "a tensor of shape %s", nz_shape_text(shape, text));
    t.data = nz_buffer_data(t.owner);
    *ret_tensor = t;
    return NZ_OK;
}

nz_status nz_tensor_share(nz_tensor *ret_tensor, const nz_tensor *tensor) {
    nz_tensor t = *tensor;
    if (t.owner) {
        nz_buffer_ref(t.owner);
    } else if (t.data) {
        NZ_TRY(nz_tensor_init(&t, tensor->dtype, &tensor->shape));
        memcpy(t.data, tensor->data, t.bytes);
    }
    *ret_tensor = t;
    return NZ_OK;
}

nz_tensor nz_tensor_borrow(nz_dtype dtype, const nz_shape *shape, void *data) {
    nz_tensor t = {.dtype = dtype, .shape = *shape, .data = data};
    if (nz_dtype_bytes(&t.bytes, dtype, nz_shape_elements(shape)) != NZ_OK) t.bytes = 0;
    return t;
}

void nz_tensor_done(nz_tensor *tensor) {
    nz_buffer_unref(tensor->owner);
    *tensor = (nz_tensor){0};
}

/* Element i, which need not be aligned: weights may lie in a mapped file wherever it put them. */
#define LOAD(type, base, index)                                                                                        \
    __extension__({                                                                                                    \
        type loaded_;                                                                                                  \
        memcpy(&loaded_, (const char *)(base) + (size_t)(index) * sizeof loaded_, sizeof loaded_);                     \
        loaded_;                                                                                                       \
    })

static unsigned nibble(const nz_tensor *tensor, int64_t i) {
    unsigned byte = ((const uint8_t *)tensor->data)[i / 2];
    return i % 2 ? byte >> 4 : byte & 15u;
}

static void set_nibble(nz_tensor *tensor, int64_t i, int64_t value) {
    uint8_t *byte = (uint8_t *)tensor->data + i / 2;
    unsigned bits = (unsigned)value & 15u;
    *byte = (uint8_t)(i % 2 ? (*byte & 0x0fu) | bits << 4 : (*byte & 0xf0u) | bits);
}

double nz_tensor_real(const nz_tensor *tensor, int64_t i) {
    const void *p = tensor->data;
    switch (tensor->dtype) {
    case NZ_F32: return (double)LOAD(float, p, i);
    case NZ_F64: return LOAD(double, p, i);
    case NZ_F16: return (double)nz_f16_to_f32(LOAD(uint16_t, p, i));
    case NZ_BF16: return (double)nz_bf16_to_f32(LOAD(uint16_t, p, i));
    case NZ_F8E4M3FN:
    case NZ_F8E4M3FNUZ:
    case NZ_F8E5M2:
    case NZ_F8E5M2FNUZ: return (double)nz_f8_to_f32(tensor->dtype, ((const uint8_t *)p)[i]);
    case NZ_U64: return (double)LOAD(uint64_t, p, i);
    default: return (double)nz_tensor_int(tensor, i);
    }
}

static int64_t truncate_real(double value) {
    if (isnan(value)) return 0;
    if (value >= 0x1p63) return INT64_MAX;
    if (value <= -0x1p63) return INT64_MIN;
    return (int64_t)value;
}

int64_t nz_tensor_int(const nz_tensor *tensor, int64_t i) {
    const void *p = tensor->data;
    switch (tensor->dtype) {
    case NZ_U8: return ((const uint8_t *)p)[i];
    case NZ_I8: return ((const int8_t *)p)[i];
    case NZ_U16: return LOAD(uint16_t, p, i);
    case NZ_I16: return LOAD(int16_t, p, i);
    case NZ_I32: return LOAD(int32_t, p, i);
    case NZ_I64: return LOAD(int64_t, p, i);
    case NZ_U32: return LOAD(uint32_t, p, i);
    case NZ_U64: {
        uint64_t value = LOAD(uint64_t, p, i);
        return value > INT64_MAX ? INT64_MAX : (int64_t)value;
    }
    case NZ_BOOL: return ((const uint8_t *)p)[i] != 0;
    case NZ_U4: return nibble(tensor, i);
    case NZ_I4: return (int64_t)(nibble(tensor, i) ^ 8u) - 8;
    case NZ_DTYPE_NONE:
    case NZ_STRING:
    case NZ_C64:
    case NZ_C128:
    case NZ_DTYPE_END: return 0;
    default: return truncate_real(nz_tensor_real(tensor, i));
    }
}

/* The bounds of the integer types that fit into int64_t. */
static void integer_bounds(nz_dtype dtype, int64_t *ret_least, int64_t *ret_most) {
    const nz_dtype_info *info = nz_dtype_get(dtype);
    int bits = info->bits;
    *ret_most = bits >= 64 ? INT64_MAX : (INT64_C(1) << (bits - info->is_signed)) - 1;
    *ret_least = info->is_signed ? -*ret_most - 1 : 0;
}

void nz_tensor_set_real(nz_tensor *tensor, int64_t i, double value) {
    void *p = tensor->data;
    switch (tensor->dtype) {
    case NZ_F32: ((float *)p)[i] = (float)value; return;
    case NZ_F64: ((double *)p)[i] = value; return;
    case NZ_F16:
    case NZ_BF16: {
        /* Rounding to odd on the way to float keeps the second rounding exact. */
        float nearest = (float)value;
        if (isfinite(nearest) && (double)nearest != value) {
            uint32_t bits;
            if (fabs((double)nearest) > fabs(value)) nearest = nextafterf(nearest, 0.0f);
            memcpy(&bits, &nearest, sizeof bits);
            bits |= 1u;
            memcpy(&nearest, &bits, sizeof bits);
        }
        ((uint16_t *)p)[i] = tensor->dtype == NZ_F16 ? nz_f32_to_f16(nearest) : nz_f32_to_bf16(nearest);
        return;
    }
    case NZ_F8E4M3FN:
    case NZ_F8E4M3FNUZ:
    case NZ_F8E5M2:
    case NZ_F8E5M2FNUZ: ((uint8_t *)p)[i] = nz_f32_to_f8(tensor->dtype, (float)value, true); return;
    case NZ_BOOL: ((uint8_t *)p)[i] = value != 0; return;
    case NZ_U64: {
        double rounded = nearbyint(value);
        ((uint64_t *)p)[i] = !(rounded > 0) ? 0 : rounded >= 0x1p64 ? UINT64_MAX : (uint64_t)rounded;
        return;
    }
    default: nz_tensor_set_int(tensor, i, truncate_real(nearbyint(value)));
    }
}

void nz_tensor_set_int(nz_tensor *tensor, int64_t i, int64_t value) {
    void *p = tensor->data;
    const nz_dtype_info *info = nz_dtype_get(tensor->dtype);
    if (!info->bits) return;
    if (!info->is_integer) {
        nz_tensor_set_real(tensor, i, (double)value);
        return;
    }
    int64_t least, most;
    integer_bounds(tensor->dtype, &least, &most);
    value = value < least ? least : value > most ? most : value;
    switch (tensor->dtype) {
    case NZ_U4:
    case NZ_I4: set_nibble(tensor, i, value); return;
    case NZ_U8: ((uint8_t *)p)[i] = (uint8_t)value; return;
    case NZ_I8: ((int8_t *)p)[i] = (int8_t)value; return;
    case NZ_U16: ((uint16_t *)p)[i] = (uint16_t)value; return;
    case NZ_I16: ((int16_t *)p)[i] = (int16_t)value; return;
    case NZ_U32: ((uint32_t *)p)[i] = (uint32_t)value; return;
    case NZ_I32: ((int32_t *)p)[i] = (int32_t)value; return;
    case NZ_U64: ((uint64_t *)p)[i] = (uint64_t)value; return;
    default: ((int64_t *)p)[i] = value;
    }
}

void nz_tensor_to_f32(const nz_tensor *tensor, float *out) {
    const void *p = tensor->data;
    int64_t count = nz_shape_elements(&tensor->shape);
    if (count <= 0) return;
    switch (tensor->dtype) {
    case NZ_F32: memcpy(out, p, (size_t)count * sizeof *out); return;
    case NZ_F16:
        for (int64_t i = 0; i < count; i++) out[i] = nz_f16_to_f32(LOAD(uint16_t, p, i));
        return;
    case NZ_BF16:
        for (int64_t i = 0; i < count; i++) out[i] = nz_bf16_to_f32(LOAD(uint16_t, p, i));
        return;
    case NZ_U8:
        for (int64_t i = 0; i < count; i++) out[i] = (float)((const uint8_t *)p)[i];
        return;
    case NZ_I8:
        for (int64_t i = 0; i < count; i++) out[i] = (float)((const int8_t *)p)[i];
        return;
    case NZ_I32:
        for (int64_t i = 0; i < count; i++) out[i] = (float)LOAD(int32_t, p, i);
        return;
    default:
        for (int64_t i = 0; i < count; i++) out[i] = (float)nz_tensor_real(tensor, i);
    }
}
