/* SPDX-License-Identifier: Apache-2.0 */
/* ValueInfoProto and the TypeProto in it. */
#include <inttypes.h>

#include "core/error.h"
#include "onnx/reader.h"

static nz_status parse_dim(nz_wire wire, int64_t *ret_extent, char **ret_name) {
    nz_field field;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) return NZ_OK;
        if (field.number == DIM_VALUE) {
            NZ_TRY(nz_field_int(&field, "a dim_value", ret_extent));
            if (*ret_extent < 0)
                return nz_fail(NZ_E_FORMAT, "byte %zu: the extent %" PRId64 " is negative", nz_field_place(&field),
                               *ret_extent);
        } else if (field.number == DIM_NAME) {
            NZ_TRY(nz_field_string(&field, "a dim_param", ret_name));
        }
    }
}

static nz_status parse_shape(nz_wire wire, nz_value_info *info) {
    nz_field field;
    nz_wire dim;
    info->shape.rank = 0;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) return NZ_OK;
        if (field.number != SHAPE_DIM) continue;
        NZ_TRY(nz_field_bytes(&field, "a dim", &dim));
        if (info->shape.rank == NZ_MAX_RANK)
            return nz_fail(NZ_E_UNSUPPORTED, "byte %zu: a shape has more than %d dimensions", nz_field_place(&field),
                           NZ_MAX_RANK);
        int at = info->shape.rank++;
        info->shape.dim[at] = -1;
        NZ_TRY(parse_dim(dim, &info->shape.dim[at], &info->dim_names[at]));
    }
}

static nz_status parse_tensor_type(nz_wire wire, nz_value_info *info) {
    nz_field field;
    nz_wire shape;
    int64_t element = 0;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) break;
        if (field.number == TENSOR_TYPE_ELEMENT) NZ_TRY(nz_field_int(&field, "an elem_type", &element));
        if (field.number == TENSOR_TYPE_SHAPE) {
            if (info->shape.rank >= 0)
                return nz_fail(NZ_E_FORMAT, "byte %zu: a type has two shapes", nz_field_place(&field));
            NZ_TRY(nz_field_bytes(&field, "a shape", &shape));
            NZ_TRY(parse_shape(shape, info));
        }
    }
    if (element < 0 || element >= NZ_DTYPE_END)
        return nz_fail(NZ_E_UNSUPPORTED, "has the element type number %" PRId64 ", which netzip does not know",
                       element);
    info->dtype = (nz_dtype)element;
    return NZ_OK;
}

static nz_status parse_type(nz_wire wire, nz_value_info *info) {
    const nz_wire whole = wire;
    nz_field field;
    nz_wire tensor;
    bool is_tensor = false;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) break;
        if (field.number != TYPE_TENSOR) continue;
        if (is_tensor) return nz_fail(NZ_E_FORMAT, "byte %zu: a type is stated twice", nz_field_place(&field));
        NZ_TRY(nz_field_bytes(&field, "a tensor_type", &tensor));
        NZ_TRY(parse_tensor_type(tensor, info));
        is_tensor = true;
    }
    if (!is_tensor) info->type = whole;
    return NZ_OK;
}

static nz_status parse(nz_wire wire, nz_value_info *info) {
    nz_field field;
    nz_wire type;
    for (bool more = true;;) {
        NZ_TRY(nz_wire_next(&wire, &field, &more));
        if (!more) break;
        if (field.number == VALUE_NAME) NZ_TRY(nz_field_string(&field, "a value's name", &info->name));
        if (field.number == VALUE_TYPE) {
            if (info->has_type) return nz_fail(NZ_E_FORMAT, "byte %zu: a value has two types", nz_field_place(&field));
            info->has_type = true;
            NZ_TRY(nz_field_bytes(&field, "a value's type", &type));
            NZ_TRY(parse_type(type, info));
        }
    }
    return info->name ? NZ_OK : nz_strdup(&info->name, "");
}

nz_status nz_parse_value_info(nz_wire wire, nz_value_info *ret_info) {
    NZ_AUTO(nz_value_info_done) nz_value_info info = {.shape = {.rank = -1}};
    nz_status status = parse(wire, &info);
    if (status != NZ_OK) return nz_fail_context(status, "the type of '%s'", info.name ? info.name : "");
    *ret_info = info;
    info = (nz_value_info){0};
    return NZ_OK;
}

void nz_value_info_done(nz_value_info *info) {
    free(info->name);
    for (int i = 0; i < NZ_MAX_RANK; i++) free(info->dim_names[i]);
    *info = (nz_value_info){0};
}
