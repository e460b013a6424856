/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the tests of narrow weights share: models written in a way of storing
 * and read back. */
#pragma once

#include "compare.h"
#include "forge/convert.h"
#include "ops/op.h"
#include "run/model.h"

/* "corpus/..." is of tests/fuzz, the rest of $FORGE_TEST_DATA; NULL, the case
 * being skipped, where that is not there. (transfer full) */
char *narrow_find_file (const char *name);
ForgeModel *narrow_load (const char *path);
/* (transfer full): the path of the written file. */
char *narrow_save (const ForgeModel *model, ForgeWeights weights,
    const char *folder, const char *name);
gsize narrow_size_of (const char *path);

/* Of element @i of a constant that is stored as int8 by several scales. */
int64_t narrow_channel_of (const ForgeValue *value, int64_t i);

/* Every matrix of @after is stored as @is_narrow tells, and @assert_near that
 * of
 * @before; all else has the same bits, and no node of the writer is left. */
void narrow_assert_constants (const ForgeGraph *before, const ForgeGraph *after,
    gboolean (*is_narrow) (const ForgeValue *value),
    void (*assert_near) (const ForgeTensor *want, const ForgeValue *got));
void narrow_assert_same_file (const char *a, const char *b);
/* The same nodes by the same algorithms: weights of narrow files are packed as
 * if they had always been constants. */
void narrow_assert_same_algorithms (
    const ForgeSession *a, const ForgeSession *b);
/* Written anew, widened, or rounded twice, nothing changes any more, and both
 * kinds of file of the model @name compute the same bits. */
void narrow_assert_run_alike (
    const char *name, ForgeWeights weights, const char *folder);
/* ONNX Runtime, where it is there, reads the file at @path as @model is. */
void narrow_assert_runtime_agrees (ForgeModel *model, const char *path);

/* x [N, 16] -> Gemm by w [16, 16], v [16, 16] and s [16, 2] (32 elements),
 * with biases of [1, 16]. */
ForgeModel *narrow_gemm_model (const float *w, const float *v, int opset);
