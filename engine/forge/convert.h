/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From any format that is read to ONNX, the one that is written. */
#pragma once

#include "forge/preprocess.h"

G_BEGIN_DECLS

/**
 * ForgeWeights:
 * @FORGE_WEIGHTS_AS_READ: as the model's file keeps them, where that is known
 * @FORGE_WEIGHTS_FLOAT32: as they are computed with
 * @FORGE_WEIGHTS_FLOAT16: filters of convolutions and matrices of products are
 *   rounded to the nearest half, ties to even, and written as float16 with a
 *   Cast to float32 behind them. Biases, batch-norm statistics, other vectors,
 *   what has under 64 elements, and matrices that do not fit stay float32: a
 *   value is beyond 65504, or so much lies below the halves' range that more
 *   than 2^-10 of the matrix (of the root of its sum of squares) would be lost
 * @FORGE_WEIGHTS_INT8: the same filters and matrices are written as int8 with a
 *   DequantizeLinear behind them, by one scale for each output channel: max |w|
 *   / 127, rounded up to 12 bits so that a second rounding changes nothing.
 *   Where more than 2^-5 of a matrix would be lost it becomes float16, and
 *   float32 where it does not fit that either, or has a value that is not
 *   finite. Needs a network of opset 13 that does not quantise its activations
 *
 * How an ONNX file is to keep its weights. Any reader computes with the same
 * float32 numbers.
 *
 * Since: 0.1
 */
typedef enum {
  FORGE_WEIGHTS_AS_READ,
  FORGE_WEIGHTS_FLOAT32,
  FORGE_WEIGHTS_FLOAT16,
  FORGE_WEIGHTS_INT8,
} ForgeWeights;

/**
 * forge_model_save_onnx:
 * @model: a model from a file of any format
 * @stated: (nullable): what the user says about the input, kept in the file
 * @weights: how the file is to keep them
 * @path: the file to write, replaced as one
 * @error: return location
 *
 * Writes the network as it was read, before any optimisation, with its name,
 * version, labels and preprocessing as forge.* metadata. What of the
 * preprocessing was only assumed is not written: the next reader is to know
 * that nobody said it.
 *
 * Integer networks of TensorFlow Lite are written as ONNX quantises: weights
 * and biases keep their integers before a DequantizeLinear, activations pass
 * a QuantizeLinear. That rounds each result to even where TensorFlow Lite
 * rounds a fixed-point product away from zero, so every layer may differ by
 * one step of its scale. For them the file is read again.
 *
 * Errors: %FORGE_ERROR_UNSUPPORTED listing every node that ONNX has no
 * operator for, or because int8 weights need a younger opset or a network that
 * is not quantised; those of forge_model_state_preprocess(); %FORGE_ERROR_IO,
 * %FORGE_ERROR_MEMORY (also over 2 GiB, which an ONNX file cannot hold).
 * Thread safety: any thread.
 * Returns: %TRUE on success; on failure @path is as it was
 * Since: 0.1
 */
gboolean forge_model_save_onnx (const ForgeModel *model,
    const ForgeStatedPreprocess *stated, ForgeWeights weights, const char *path,
    GError **error);

G_END_DECLS
