/* SPDX-License-Identifier: Apache-2.0 */
/** Field numbers of ONNX's messages, as far as netzip knows them. @source onnx/onnx.proto (ONNX 1.16, Apache-2.0) */
#ifndef NZ_ONNX_FIELDS_H
#define NZ_ONNX_FIELDS_H

enum { /* ModelProto */
       MODEL_IR_VERSION = 1,
       MODEL_PRODUCER_NAME = 2,
       MODEL_PRODUCER_VERSION = 3,
       MODEL_DOC = 6,
       MODEL_GRAPH = 7,
       MODEL_OPSET_IMPORT = 8,
       MODEL_METADATA = 14,
       MODEL_FUNCTIONS = 25
};
enum { OPSET_DOMAIN = 1, OPSET_VERSION = 2 };
enum { ENTRY_KEY = 1, ENTRY_VALUE = 2 };
enum { /* GraphProto */
       GRAPH_NODE = 1,
       GRAPH_NAME = 2,
       GRAPH_INITIALIZER = 5,
       GRAPH_INPUT = 11,
       GRAPH_OUTPUT = 12,
       GRAPH_VALUE_INFO = 13,
       GRAPH_SPARSE_INITIALIZER = 15
};
enum { NODE_INPUT = 1, NODE_OUTPUT = 2, NODE_NAME = 3, NODE_OP_TYPE = 4, NODE_ATTRIBUTE = 5, NODE_DOMAIN = 7 };
enum { /* AttributeProto */
       ATTR_NAME = 1,
       ATTR_FLOAT = 2,
       ATTR_INT = 3,
       ATTR_STRING = 4,
       ATTR_TENSOR = 5,
       ATTR_GRAPH = 6,
       ATTR_FLOATS = 7,
       ATTR_INTS = 8,
       ATTR_STRINGS = 9,
       ATTR_GRAPHS = 11,
       ATTR_TYPE = 20,
       ATTR_REFERENCE = 21
};
enum { /* TensorProto */
       TENSOR_DIMS = 1,
       TENSOR_DTYPE = 2,
       TENSOR_SEGMENT = 3,
       TENSOR_FLOATS = 4,
       TENSOR_INT32S = 5,
       TENSOR_STRINGS = 6,
       TENSOR_INT64S = 7,
       TENSOR_NAME = 8,
       TENSOR_RAW = 9,
       TENSOR_DOUBLES = 10,
       TENSOR_UINT64S = 11,
       TENSOR_EXTERNAL = 13,
       TENSOR_LOCATION = 14
};
enum { VALUE_NAME = 1, VALUE_TYPE = 2 };
enum { TYPE_TENSOR = 1 };
enum { TENSOR_TYPE_ELEMENT = 1, TENSOR_TYPE_SHAPE = 2 };
enum { SHAPE_DIM = 1, DIM_VALUE = 1, DIM_NAME = 2 };

#endif
