/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Our engine, for compare-run. */
#include "forge/cpu.h"
#include "forge/session.h"
#include "forge/version.h"
#include "runner.h"
#include "tensor/tensor.h"

static ForgeSession *session;

void
runner_open (const RunnerJob *job)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_strconcat (job->model, ".onnx", NULL);
  const ForgeSessionParams params = { .threads = job->threads, .batch = 1 };
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  session = model ? forge_session_new (model, &params, &error) : NULL;
  if (!session)
    runner_fail ("%s", error->message);
  ForgeTensor *input = forge_session_get_input (session, 0);
  if (forge_tensor_get_size_bytes (input) != job->n_inputs * sizeof (float))
    runner_fail ("%s wants an input of another size", path);
  memcpy (input->data, job->input, job->n_inputs * sizeof (float));
}

void
runner_run (void)
{
  forge_session_run (session);
}

const float *
runner_output (size_t *n_outputs)
{
  const ForgeTensor *output = forge_session_get_output (session, 0);
  *n_outputs = (size_t) forge_tensor_get_count (output);
  return output->data;
}

const char *
runner_version (void)
{
  static char text[64];
  g_snprintf (text, sizeof text, "%s %s", FORGE_VERSION, forge_cpu_tier ());
  return text;
}

double
runner_flops (void)
{
  gsize n_nodes = 0;
  g_autofree ForgeNodeProfile *nodes =
      forge_session_get_profile (session, &n_nodes);
  double flops = 0;
  for (gsize i = 0; i < n_nodes; i++)
    flops += (double) nodes[i].n_flops;
  return flops;
}
