/* SPDX-License-Identifier: Apache-2.0 */
/* Another machine, reached by ssh. */
#include "compare/target.h"

#include "core/error.h"
