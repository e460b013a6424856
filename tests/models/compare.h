/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tensors against tensors, and files against files, for the model tests. */
#pragma once

#include "forge/session.h"

/* ONNX's own tolerance for its test cases. */
#define ONNX_RTOL 1e-3
#define ONNX_ATOL 1e-7

/* NULL when equal: type, shape, and |a - b| <= atol + rtol * |b| for floats,
 * equality for the rest. Else what differs. (transfer full) */
char *compare_tensors (const ForgeTensor *found, const ForgeTensor *expected,
    double rtol, double atol);
/* The largest absolute difference of two float32 tensors of the same size. */
double max_difference (const ForgeTensor *a, const ForgeTensor *b);
/* A serialised TensorProto. NULL with an error. */
ForgeTensor *load_tensor_pb (const char *path, GError **error);
/* Makes a session for the batch of @inputs[0], runs it; outputs are borrowed
 * from the session. */
ForgeSession *run_model (ForgeModel *model, ForgeTensor *const *inputs,
    guint n_inputs, GError **error);
/* A file of ../shared/data or $FORGE_TEST_DATA; NULL when it is absent, and
 * the running test is marked as skipped. */
char *find_data (const char *name);
/* For the first input of @model, a batch of two where it is open: bytes, or
 * floats of a normal distribution. */
ForgeTensor *draw_input (const ForgeModel *model, uint64_t seed);
