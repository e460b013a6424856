/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ONNX Runtime as a second opinion, through its C interface and without its
 * headers: the library is looked for in $FORGE_ONNXRUNTIME (a path) and where
 * tests/fetch-data puts it. */
#pragma once

#include "forge/tensor.h"

typedef struct _Ort Ort;

/* NULL when the library is not there; the running test is then skipped. */
Ort *ort_open (void);
void ort_close (Ort *ort);
/* Runs a model file, or bytes where @path is NULL, once with one input, and
 * fills @output, whose shape the caller knows. A refusal fails the test. */
void ort_run (Ort *ort, const char *path, const void *bytes, gsize size_bytes,
    const char *input_name, const ForgeTensor *input, const char *output_name,
    ForgeTensor *output);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Ort, ort_close)
