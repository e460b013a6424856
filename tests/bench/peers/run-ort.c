/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ONNX Runtime, for compare-run: all of its optimisations, its default
 * spinning, memory of ours for input and output. */
#include "../../models/ort.h"
#include "forge/model.h"
#include "runner.h"
#include "tensor/tensor.h"

static Ort *ort;
static OrtSession *session;
static ForgeTensor *input, *output;

static ForgeTensor *
port_tensor (const ForgePort *port)
{
  return forge_tensor_new (FORGE_FLOAT32, &port->shape, NULL);
}

void
runner_open (const RunnerJob *job)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *problem = NULL;
  const OrtParams params = { .optimise = TRUE, .threads = job->threads };
  g_autofree char *path = g_strconcat (job->model, ".onnx", NULL);
  /* our reader, for names and shapes */
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  if (!model)
    runner_fail ("%s", error->message);
  ort = ort_open_with (&params, &problem);
  if (!ort)
    runner_fail ("%s", problem);
  ForgePort in = forge_model_get_input (model, 0);
  ForgePort out = forge_model_get_output (model, 0);
  input = port_tensor (&in);
  output = port_tensor (&out);
  if (!input || !output || input->size_bytes != job->n_inputs * sizeof (float))
    runner_fail ("%s wants an input of another size", path);
  memcpy (input->data, job->input, input->size_bytes);
  session = ort_session_new (ort, path, NULL, 0);
  ort_session_bind (session, in.name, input, out.name, output);
}

void
runner_run (void)
{
  ort_session_run (session);
}

const float *
runner_output (size_t *n_outputs)
{
  *n_outputs = (size_t) forge_tensor_get_count (output);
  return output->data;
}

const char *
runner_version (void)
{
  return ort_version (ort);
}

double
runner_flops (void)
{
  return 0;
}
