/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Single elements of any type, for operators where a type switch per element
 * is no burden (Cast, shape arithmetic). Private to ops/. */
#pragma once

#include "tensor/tensor.h"

gboolean forge_element_is_float (ForgeDtype dtype);
/* @dtype must be one of the float types, resp. one of the integers or bool;
 * uint64 keeps its bits. Storing an integer wraps round; bool becomes 0 or 1.
 */
double forge_element_load_float (ForgeDtype dtype, const void *data, size_t i);
int64_t forge_element_load_int (ForgeDtype dtype, const void *data, size_t i);
void forge_element_store_float (
    ForgeDtype dtype, void *data, size_t i, double value);
void forge_element_store_int (
    ForgeDtype dtype, void *data, size_t i, int64_t value);
