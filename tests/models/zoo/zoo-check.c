/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs a model of the zoo on one thread and compares its first output with
 * what ONNX Runtime made of the same input:
 *
 *     zoo-check MODEL INPUT.npy EXPECTED.npy
 *
 * Prints the largest difference over the largest output, how many rows have
 * the same top class, the processor time to load and to run (others may be
 * using the machine), and the peak memory. Exit status 1 when the model is
 * refused, when they differ by more than 1e-4, or when a top class differs. */
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/file.h"
#include "compare.h"
#include "formats/npy.h"
#include "tensor/tensor.h"

#define TOLERANCE 1e-4
#define MAX_BYTES (256 << 20)

static ForgeTensor *
load_npy (const char *path, GError **error)
{
  size_t size_bytes;
  g_autofree void *bytes =
      forge_file_read (path, MAX_BYTES, &size_bytes, error);
  return bytes ? forge_npy_parse (bytes, size_bytes, path, error) : NULL;
}

static double
largest (const ForgeTensor *tensor)
{
  const float *values = tensor->data;
  int64_t count = forge_shape_count (&tensor->shape);
  double most = 0;
  for (int64_t i = 0; i < count; i++)
    most = fmax (most, fabs (values[i]));
  return most;
}

static int64_t
top_class (const float *row, int64_t count)
{
  int64_t best = 0;
  for (int64_t i = 1; i < count; i++)
    if (row[i] > row[best])
      best = i;
  return best;
}

/* Rows are what the last axis runs along. */
static int64_t
count_same_tops (const ForgeTensor *a, const ForgeTensor *b, int64_t *n_rows)
{
  int64_t width = a->shape.dims[a->shape.rank - 1], same = 0;
  *n_rows = forge_shape_count (&a->shape) / width;
  for (int64_t i = 0; i < *n_rows; i++)
    same += top_class ((const float *) a->data + i * width, width) ==
            top_class ((const float *) b->data + i * width, width);
  return same;
}

static double
used_ms (void)
{
  return (double) clock () * 1e3 / CLOCKS_PER_SEC;
}

/* The second run: the first one meets cold memory. */
static double
time_run_ms (ForgeSession *session)
{
  double start_ms = used_ms ();
  forge_session_run (session);
  return used_ms () - start_ms;
}

static gboolean
check (const char *path, const ForgeTensor *input, const ForgeTensor *expected,
    GError **error)
{
  double start_ms = used_ms ();
  g_autoptr (ForgeModel) model = forge_model_load (path, error);
  if (!model)
    return FALSE;
  const ForgeSessionParams params = { .threads = 1,
    .batch = (int) input->shape.dims[0] };
  g_autoptr (ForgeSession) session = forge_session_new (model, &params, error);
  if (!session)
    return FALSE;
  double load_ms = used_ms () - start_ms;
  ForgeTensor *fed = forge_session_get_input (session, 0);
  const ForgeTensor *found = forge_session_get_output (session, 0);
  if (fed->dtype != input->dtype || found->dtype != FORGE_FLOAT32 ||
      !forge_shape_equal (&fed->shape, &input->shape) ||
      !forge_shape_equal (&found->shape, &expected->shape)) {
    g_autofree char *in = forge_shape_to_string (&fed->shape);
    g_autofree char *out = forge_shape_to_string (&found->shape);
    g_autofree char *want = forge_shape_to_string (&expected->shape);
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE,
        "input %s, output %s; ONNX Runtime's output is %s", in, out, want);
    return FALSE;
  }
  memcpy (fed->data, input->data, input->size_bytes);
  forge_session_run (session);
  double error_share = max_difference (found, expected) / largest (expected);
  int64_t n_rows, same = count_same_tops (found, expected, &n_rows);
  double run_ms = time_run_ms (session);
  struct rusage usage;
  getrusage (RUSAGE_SELF, &usage);
  gboolean good = error_share <= TOLERANCE && same == n_rows;
  if (!good)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT, "outputs differ");
  g_print ("%8.1e %4d/%d %8.0f %8.1f %8ld\n", error_share, (int) same,
      (int) n_rows, load_ms, run_ms, usage.ru_maxrss / 1024);
  return good;
}

int
main (int argc, char **argv)
{
  if (argc != 4) {
    g_printerr ("usage: zoo-check MODEL INPUT.npy EXPECTED.npy\n");
    return 2;
  }
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTensor) input = load_npy (argv[2], &error);
  g_autoptr (ForgeTensor) expected = input ? load_npy (argv[3], &error) : NULL;
  if (!expected || !check (argv[1], input, expected, &error)) {
    g_printerr ("%s\n", error->message);
    return 1;
  }
  return 0;
}
