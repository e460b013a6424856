/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "compare.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/rng.h"
#include "formats/onnx.h"
#include "tensor/tensor.h"

static double
element (const ForgeTensor *tensor, size_t i)
{
  const void *data = tensor->data;
  switch (tensor->dtype) {
  case FORGE_FLOAT32:
    return ((const float *) data)[i];
  case FORGE_FLOAT64:
    return ((const double *) data)[i];
  case FORGE_FLOAT16:
    return forge_half_to_float (((const uint16_t *) data)[i]);
  case FORGE_BFLOAT16:
    return forge_bfloat16_to_float (((const uint16_t *) data)[i]);
  default:
    return NAN;
  }
}

static gboolean
is_float (ForgeDtype dtype)
{
  return dtype == FORGE_FLOAT32 || dtype == FORGE_FLOAT64 ||
         dtype == FORGE_FLOAT16 || dtype == FORGE_BFLOAT16;
}

static char *
compare_floats (const ForgeTensor *found, const ForgeTensor *expected,
    double rtol, double atol)
{
  size_t count = (size_t) forge_shape_count (&expected->shape);
  for (size_t i = 0; i < count; i++) {
    double a = element (found, i), b = element (expected, i);
    if (a == b || (isnan (a) && isnan (b)))
      continue;
    if (!(fabs (a - b) <= atol + rtol * fabs (b)) || isinf (b))
      return g_strdup_printf (
          "element %zu: expected %.9g, found %.9g", i, b, a);
  }
  return NULL;
}

/* ONNX's test data has no type of its own for bfloat16: uint16 stands for it.
 */
static gboolean
same_type (ForgeDtype ours, ForgeDtype onnxs)
{
  return ours == onnxs || (ours == FORGE_BFLOAT16 && onnxs == FORGE_UINT16);
}

char *
compare_tensors (const ForgeTensor *found, const ForgeTensor *expected,
    double rtol, double atol)
{
  if (!same_type (found->dtype, expected->dtype) ||
      !forge_shape_equal (&found->shape, &expected->shape)) {
    g_autofree char *a = forge_shape_to_string (&found->shape);
    g_autofree char *b = forge_shape_to_string (&expected->shape);
    return g_strdup_printf ("expected %s %s, found %s %s",
        forge_dtype_name (expected->dtype), b, forge_dtype_name (found->dtype),
        a);
  }
  /* onnx 1.12 cut floats off where it made its bfloat16 data; the operator
   * rounds to nearest. */
  if (found->dtype == FORGE_BFLOAT16) {
    ForgeTensor named = *expected;
    named.dtype = FORGE_BFLOAT16;
    return compare_floats (found, &named, MAX (rtol, 0x1p-7), atol);
  }
  if (is_float (expected->dtype))
    return compare_floats (found, expected, rtol, atol);
  for (size_t i = 0; i < expected->size_bytes; i++)
    if (((uint8_t *) found->data)[i] != ((uint8_t *) expected->data)[i])
      return g_strdup_printf ("%s values differ at byte %zu",
          forge_dtype_name (expected->dtype), i);
  return NULL;
}

double
max_difference (const ForgeTensor *a, const ForgeTensor *b)
{
  g_assert_cmpuint (a->size_bytes, ==, b->size_bytes);
  double most = 0;
  for (size_t i = 0; i < a->size_bytes / sizeof (float); i++) {
    double difference = fabs (element (a, i) - element (b, i));
    most = difference <= most ? most : difference; /* NaN wins */
  }
  return most;
}

ForgeTensor *
load_tensor_pb (const char *path, GError **error)
{
  size_t size_bytes;
  ForgeSource source = { .name = path };
  g_autofree void *bytes = forge_file_read (path, 1 << 30, &size_bytes, error);
  return bytes ? forge_onnx_parse_tensor (bytes, size_bytes, &source, error)
               : NULL;
}

static gboolean
fill (ForgeSession *session, guint i, const ForgeTensor *value, GError **error)
{
  ForgeTensor *input = forge_session_get_input (session, i);
  if (!same_type (input->dtype, value->dtype) ||
      !forge_shape_equal (&input->shape, &value->shape)) {
    g_autofree char *a = forge_shape_to_string (&value->shape);
    g_autofree char *b = forge_shape_to_string (&input->shape);
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE,
        "input %u: the session wants %s %s, the case has %s %s", i,
        forge_dtype_name (input->dtype), b, forge_dtype_name (value->dtype), a);
    return FALSE;
  }
  if (value->size_bytes > 0)
    memcpy (input->data, value->data, value->size_bytes);
  return TRUE;
}

ForgeSession *
run_model (ForgeModel *model, ForgeTensor *const *inputs, guint n_inputs,
    GError **error)
{
  ForgeSessionParams params = FORGE_SESSION_PARAMS_DEFAULT;
  if (n_inputs > 0 && inputs[0]->shape.rank > 0 && inputs[0]->shape.dims[0] > 0)
    params.batch = (int) inputs[0]->shape.dims[0];
  g_autoptr (ForgeSession) session = forge_session_new (model, &params, error);
  if (!session)
    return NULL;
  for (guint i = 0; i < n_inputs; i++)
    if (!fill (session, i, inputs[i], error))
      return NULL;
  forge_session_run (session);
  return g_steal_pointer (&session);
}

char *
find_data (const char *name)
{
  const char *root = g_getenv ("FORGE_TEST_DATA");
  g_autofree char *shared = g_build_filename (
      g_getenv ("FORGE_SOURCE_ROOT"), "..", "shared", "data", NULL);
  char *path = g_build_filename (root ? root : shared, name, NULL);
  if (g_file_test (path, G_FILE_TEST_EXISTS))
    return path;
  g_test_skip (name);
  g_free (path);
  return NULL;
}

ForgeTensor *
draw_input (const ForgeModel *model, uint64_t seed)
{
  ForgePort port = forge_model_get_input (model, 0);
  if (port.shape.dims[0] < 0)
    port.shape.dims[0] = 2;
  ForgeTensor *tensor = forge_tensor_new (port.dtype, &port.shape, NULL);
  ForgeRng rng;
  forge_rng_seed (&rng, seed);
  for (int64_t i = 0; i < forge_tensor_get_count (tensor); i++)
    if (port.dtype == FORGE_UINT8)
      ((uint8_t *) tensor->data)[i] = (uint8_t) forge_rng_below (&rng, 256);
    else
      ((float *) tensor->data)[i] = forge_rng_normal (&rng);
  return tensor;
}
