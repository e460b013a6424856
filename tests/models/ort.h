/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ONNX Runtime as a second opinion, through its C interface and without its
 * headers: the library is looked for in $FORGE_ONNXRUNTIME (a path) and where
 * tests/fetch-data puts it. */
#pragma once

#include "forge/tensor.h"

typedef struct _Ort Ort;
typedef struct _OrtSession OrtSession;

typedef struct {
  gboolean optimise; /* all, which is its default; FALSE: nothing */
  int threads;       /* for one operator; 0 = its own choice */
} OrtParams;

/* NULL with the reason when the library is not there. */
Ort *ort_open_with (const OrtParams *params, char **problem);
const char *ort_version (const Ort *ort);
/* In a test, NULL when the library is not there; the running test is then
 * skipped. */
Ort *ort_open (void);
void ort_close (Ort *ort);

/* A model file, or bytes where @path is NULL. A refusal, here and below,
 * aborts. */
OrtSession *ort_session_new (
    const Ort *ort, const char *path, const void *bytes, gsize size_bytes);
/* Once, before any run: both tensors outlive the session. */
void ort_session_bind (OrtSession *session, const char *input_name,
    ForgeTensor *input, const char *output_name, ForgeTensor *output);
void ort_session_run (OrtSession *session);
void ort_session_free (OrtSession *session);

/* Runs a model file, or bytes where @path is NULL, once with one input, and
 * fills @output, whose shape the caller knows. A refusal fails the test. */
void ort_run (Ort *ort, const char *path, const void *bytes, gsize size_bytes,
    const char *input_name, const ForgeTensor *input, const char *output_name,
    ForgeTensor *output);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Ort, ort_close)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (OrtSession, ort_session_free)
