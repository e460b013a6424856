/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge run MODEL --input IN.npy --output OUT.pb`: raw tensors in, raw
 * tensors out, NumPy's or ONNX's files, no preprocessing. The batch is that of
 * the arrays given. */
#include <string.h>

#include "command.h"
#include "forge/error.h"
#include "forge/session.h"
#include "output.h"

typedef struct {
  char **inputs, **outputs; /* "[name=]file" */
  char *json;
  int threads;
} RunOptions;

typedef ForgePort (*GetPort) (const ForgeModel *model, guint index);

static int
find_port (const ForgeModel *model, GetPort get_port, guint n_ports,
    const char *name, gsize name_chars)
{
  for (guint i = 0; i < n_ports; i++) {
    ForgePort port = get_port (model, i);
    if (strlen (port.name) == name_chars &&
        strncmp (port.name, name, name_chars) == 0)
      return (int) i;
  }
  return -1;
}

/* Gives each "[name=]file" its port: by name where the text before the first
 * '=' is one, else the next port that is free. @paths [n_ports] borrows. */
static gboolean
assign_ports (const ForgeModel *model, GetPort get_port, guint n_ports,
    const char *kind, char **arguments, const char **paths, GError **error)
{
  for (; *arguments; arguments++) {
    const char *equals = strchr (*arguments, '=');
    int index = equals ? find_port (model, get_port, n_ports, *arguments,
                             equals - *arguments)
                       : -1;
    const char *path = index >= 0 ? equals + 1 : *arguments;
    for (guint i = 0; i < n_ports && index < 0; i++)
      if (!paths[i])
        index = (int) i;
    if (index < 0) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
          "--%s %s: the model has only %u %ss", kind, *arguments, n_ports,
          kind);
      return FALSE;
    }
    if (paths[index]) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
          "--%s %s: '%s' was given before, as %s", kind, *arguments,
          get_port (model, index).name, paths[index]);
      return FALSE;
    }
    paths[index] = path;
  }
  return TRUE;
}

/* The extent that the arrays give to an unknown leading one; 1 when the model
 * has none. Everything else is compared when the session is there. */
static int
batch_of (const ForgeModel *model, GPtrArray *tensors)
{
  for (guint i = 0; i < tensors->len; i++) {
    ForgePort port = forge_model_get_input (model, i);
    const ForgeShape *shape = forge_tensor_get_shape (tensors->pdata[i]);
    if (port.shape.rank > 0 && port.shape.dims[0] < 0 && shape->rank > 0)
      return (int) CLAMP (shape->dims[0], 1, COMMAND_MAX_BATCH);
  }
  return 1;
}

/* An ONNX TensorProto, by its name; all else is NumPy's. */
static gboolean
is_pb (const char *path)
{
  return g_str_has_suffix (path, ".pb");
}

/* A network in half or double precision is computed in float32; arrays made
 * for it follow. */
static ForgeTensor *
load_input (const char *path, gboolean as_float32, GError **error)
{
  g_autoptr (ForgeTensor) tensor = is_pb (path)
                                       ? forge_tensor_load_pb (path, error)
                                       : forge_tensor_load_npy (path, error);
  if (!tensor || !as_float32)
    return g_steal_pointer (&tensor);
  ForgeDtype dtype = forge_tensor_get_dtype (tensor);
  if (dtype != FORGE_FLOAT16 && dtype != FORGE_BFLOAT16 &&
      dtype != FORGE_FLOAT64)
    return g_steal_pointer (&tensor);
  return forge_tensor_to_float32 (tensor, error);
}

static GPtrArray *
load_inputs (const ForgeModel *model, const char *const *paths, GError **error)
{
  g_autoptr (GPtrArray) tensors =
      g_ptr_array_new_with_free_func ((GDestroyNotify) forge_tensor_unref);
  for (guint i = 0; i < forge_model_get_n_inputs (model); i++) {
    ForgeTensor *tensor = load_input (paths[i],
        forge_model_get_input (model, i).dtype == FORGE_FLOAT32, error);
    if (!tensor)
      return NULL;
    g_ptr_array_add (tensors, tensor);
  }
  return g_steal_pointer (&tensors);
}

static gboolean
fill_input (ForgeSession *session, guint index, const ForgeTensor *tensor,
    const char *path, GError **error)
{
  ForgeTensor *input = forge_session_get_input (session, index);
  ForgeDtype expected = forge_tensor_get_dtype (input);
  ForgeDtype found = forge_tensor_get_dtype (tensor);
  const ForgeShape *expected_shape = forge_tensor_get_shape (input);
  const ForgeShape *found_shape = forge_tensor_get_shape (tensor);
  if (expected == found && forge_shape_equal (expected_shape, found_shape)) {
    memcpy (forge_tensor_get_data (input), forge_tensor_get_data (tensor),
        forge_tensor_get_size_bytes (input));
    return TRUE;
  }
  g_autofree char *expected_text = forge_shape_to_string (expected_shape);
  g_autofree char *found_text = forge_shape_to_string (found_shape);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE,
      "%s: input '%s' expects %s %s, found %s %s", path,
      forge_model_get_input (forge_session_get_model (session), index).name,
      forge_dtype_name (expected), expected_text, forge_dtype_name (found),
      found_text);
  return FALSE;
}

static gboolean
save_outputs (ForgeSession *session, const char *const *paths,
    const RunOptions *options, JsonBuilder *builder, GError **error)
{
  const ForgeModel *model = forge_session_get_model (session);
  json_builder_set_member_name (builder, "outputs");
  json_builder_begin_array (builder);
  for (guint i = 0; i < forge_model_get_n_outputs (model); i++) {
    if (!paths[i])
      continue;
    ForgeTensor *output = forge_session_get_output (session, i);
    if (!(is_pb (paths[i]) ? forge_tensor_save_pb (output, paths[i], error)
                           : forge_tensor_save_npy (output, paths[i], error)))
      return FALSE;
    const ForgeShape *shape = forge_tensor_get_shape (output);
    const char *name = forge_model_get_output (model, i).name;
    const char *dtype = forge_dtype_name (forge_tensor_get_dtype (output));
    g_autofree char *shape_text = forge_shape_to_string (shape);
    fprintf (output_text_stream (options->json), "%s: %s %s in %s\n", name,
        dtype, shape_text, paths[i]);
    json_builder_begin_object (builder);
    output_add_string (builder, "name", name);
    output_add_string (builder, "dtype", dtype);
    output_add_shape (builder, "shape", shape);
    output_add_string (builder, "file", paths[i]);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  return TRUE;
}

static gboolean
run_session (ForgeModel *model, const char *const *in_paths,
    const char *const *out_paths, const RunOptions *options,
    JsonBuilder *builder, GError **error)
{
  g_autoptr (GPtrArray) tensors = load_inputs (model, in_paths, error);
  if (!tensors)
    return FALSE;
  ForgeSessionParams params = FORGE_SESSION_PARAMS_DEFAULT;
  params.threads = options->threads;
  params.batch = batch_of (model, tensors);
  g_autofree ForgeShape *shapes = g_new0 (ForgeShape, tensors->len + 1);
  for (guint i = 0; i < tensors->len; i++)
    shapes[i] = *forge_tensor_get_shape (tensors->pdata[i]);
  params.shapes = shapes;
  g_autoptr (ForgeSession) session = forge_session_new (model, &params, error);
  if (!session)
    return FALSE;
  for (guint i = 0; i < tensors->len; i++)
    if (!fill_input (session, i, tensors->pdata[i], in_paths[i], error))
      return FALSE;
  gint64 start_us = g_get_monotonic_time ();
  forge_session_run (session);
  output_add_double (
      builder, "elapsed_ms", (g_get_monotonic_time () - start_us) / 1e3);
  output_add_int (builder, "batch", params.batch);
  return save_outputs (session, out_paths, options, builder, error);
}

static int
run (const char *path, const RunOptions *options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = command_load_model (path);
  if (!model)
    return COMMAND_FAILED;
  guint n_inputs = forge_model_get_n_inputs (model);
  guint n_outputs = forge_model_get_n_outputs (model);
  g_autofree const char **in_paths = g_new0 (const char *, n_inputs);
  g_autofree const char **out_paths = g_new0 (const char *, n_outputs);
  if (!assign_ports (model, forge_model_get_input, n_inputs, "input",
          options->inputs, in_paths, &error) ||
      !assign_ports (model, forge_model_get_output, n_outputs, "output",
          options->outputs, out_paths, &error))
    return command_usage_error ("run", "%s", error->message);
  for (guint i = 0; i < n_inputs; i++)
    if (!in_paths[i])
      return command_usage_error ("run", "no --input is given for '%s'",
          forge_model_get_input (model, i).name);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  output_add_model (builder, model);
  if (!run_session (model, in_paths, out_paths, options, builder, &error) ||
      !output_write_json (builder, options->json, &error))
    return command_error ("%s", error->message);
  return COMMAND_OK;
}

int
cmd_run (int argc, char **argv)
{
  g_autofree char *json = NULL;
  g_auto (GStrv) inputs = NULL;
  g_auto (GStrv) outputs = NULL;
  g_auto (GStrv) rest = NULL;
  int threads = 0;
  const GOptionEntry entries[] = {
    { "input", 'i', 0, G_OPTION_ARG_FILENAME_ARRAY, &inputs,
        "array for an input, NumPy (.npy) or ONNX (.pb); without a name, the "
        "next"
        " one",
        "[NAME=]FILE" },
    { "output", 'o', 0, G_OPTION_ARG_FILENAME_ARRAY, &outputs,
        "where an output goes; without a name, the next one", "[NAME=]FILE" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &threads,
        "threads; 0 = all the process may use (0)", "N" },
    { "json", 0, 0, G_OPTION_ARG_FILENAME, &json,
        "write a JSON document too; - is standard output", "FILE" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL,
        "MODEL" },
    { NULL },
  };
  int status = command_parse ("run",
      "Feed raw tensors (NumPy files, or ONNX TensorProto .pb) to a model and "
      "keep what comes out. Both"
      "\noptions may be given several times.",
      entries, &argc, &argv);
  if (status >= 0)
    return status;
  if (!rest || g_strv_length (rest) != 1)
    return command_usage_error ("run", "exactly one MODEL is needed");
  if (!inputs || !outputs)
    return command_usage_error (
        "run", "at least one --input and one --output are needed");
  const CommandRange ranges[] = { { "--threads", threads, 0,
      COMMAND_MAX_THREADS } };
  status = command_check_ranges ("run", ranges, G_N_ELEMENTS (ranges));
  if (status >= 0)
    return status;
  const RunOptions options = { inputs, outputs, json, threads };
  return run (rest[0], &options);
}
