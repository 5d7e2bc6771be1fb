/* SPDX-License-Identifier: Apache-2.0 */
#include "op/families.h"
#include "op/helper.h"
const nz_op nz_ops_arithmetic[] = {{0}};
