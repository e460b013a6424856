/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TensorFlow Lite itself as the judge of our reader, for make-tflite-judge,
 * which builds this where the runtime is. Reads from standard input the size
 * of a model (8 bytes, little endian), the model, and pictures: the bytes of
 * all inputs, one after another, until there are no more. Writes the bytes of
 * all outputs of each. The first argument says which kernels: `ref` (the
 * reference kernels, the default) or `opt` (the optimised ones, without
 * XNNPACK). */
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <vector>

#include "tensorflow/lite/interpreter.h"
#include "tensorflow/lite/kernels/register.h"
#include "tensorflow/lite/kernels/register_ref.h"
#include "tensorflow/lite/model.h"

namespace builtin = tflite::ops::builtin;

/* The reference kernels; a few operators have only one kernel (ELU, GELU),
 * which is registered with the optimised ones. */
class ReferenceFirst : public tflite::OpResolver
{
public:
  const TfLiteRegistration *
  FindOp (tflite::BuiltinOperator op, int version) const override
  {
    const TfLiteRegistration *found = reference.FindOp (op, version);
    return found ? found : fast.FindOp (op, version);
  }

  const TfLiteRegistration *
  FindOp (const char *op, int version) const override
  {
    return reference.FindOp (op, version);
  }

private:
  builtin::BuiltinRefOpResolver reference;
  builtin::BuiltinOpResolverWithoutDefaultDelegates fast;
};

static bool
read_all (void *to, size_t n_bytes)
{
  return fread (to, 1, n_bytes, stdin) == n_bytes;
}

static bool
judge_picture (tflite::Interpreter *interpreter)
{
  for (int index : interpreter->inputs ()) {
    TfLiteTensor *tensor = interpreter->tensor (index);
    if (!read_all (tensor->data.raw, tensor->bytes))
      return false;
  }
  if (interpreter->Invoke () != kTfLiteOk)
    return false;
  for (int index : interpreter->outputs ()) {
    TfLiteTensor *tensor = interpreter->tensor (index);
    fwrite (tensor->data.raw, 1, tensor->bytes, stdout);
  }
  return true;
}

int
main (int argc, char **argv)
{
  bool optimised = argc > 1 && strcmp (argv[1], "opt") == 0;
  uint64_t size_bytes = 0;
  if (!read_all (&size_bytes, sizeof size_bytes) || size_bytes > INT32_MAX)
    return 2;
  std::vector<char> bytes (size_bytes);
  if (!read_all (bytes.data (), bytes.size ()))
    return 2;
  auto model =
      tflite::FlatBufferModel::BuildFromBuffer (bytes.data (), bytes.size ());
  ReferenceFirst reference;
  builtin::BuiltinOpResolverWithoutDefaultDelegates fast;
  const tflite::OpResolver &resolver =
      optimised ? static_cast<const tflite::OpResolver &> (fast) : reference;
  std::unique_ptr<tflite::Interpreter> interpreter;
  if (!model ||
      tflite::InterpreterBuilder (*model, resolver) (&interpreter, 1) !=
          kTfLiteOk ||
      interpreter->AllocateTensors () != kTfLiteOk)
    return 1;
  while (judge_picture (interpreter.get ()))
    continue;
  return feof (stdin) && fflush (stdout) == 0 ? 0 : 1;
}
