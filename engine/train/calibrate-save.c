/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where a calibration is kept:
 *   forge.calibration  {"version": 1, "temperature": T}, which the classifier
 *                      applies (formats/model-info-json.c reads it)
 *   forge.baseline     everything (monitor/baseline-json.c)
 *   forge.drift        the confidence that the element's first detector
 *                      compares with, now that of the tempered probabilities */
#include <string.h>

#include "base/file.h"
#include "forge/calibrate.h"
#include "forge/convert.h"
#include "forge/error.h"
#include "forge/registry.h"
#include "formats/onnx.h"

#define MAX_MODEL_BYTES ((size_t) G_MAXINT32)

static const char *const keys[] = { "forge.calibration", "forge.baseline",
  "forge.drift", NULL };
/* The same in the [forge] section of a .modelinfo. */
static const char *const names[] = { "calibration", "baseline", "drift", NULL };

static char *
format_number (double value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  return g_strdup (g_ascii_dtostr (text, sizeof text, value));
}

static char **
make_values (const ForgeBaseline *baseline)
{
  g_autofree char *temperature = format_number (baseline->temperature);
  g_autofree char *accuracy = format_number (baseline->val_accuracy);
  g_autofree char *confidence = format_number (baseline->mean_confidence);
  g_autofree char *nll = format_number (baseline->nll_after);
  g_autofree char *ece = format_number (baseline->ece_after);
  char **values = g_new0 (char *, G_N_ELEMENTS (keys));
  values[0] =
      g_strdup_printf ("{\"version\":1,\"temperature\":%s}", temperature);
  values[1] = forge_baseline_to_json (baseline);
  values[2] = g_strdup_printf (
      "{\"version\":1,\"n_val\":%" G_GUINT64_FORMAT
      ",\"val_accuracy\":%s,\"mean_confidence\":%s,\"nll\":%s,\"ece\":%s}",
      baseline->n_val, accuracy, confidence, nll, ece);
  return values;
}

/* The new file must read as a model from where it will lie: external data may
 * not be there. */
static gboolean
write_onnx (const void *bytes, size_t size_bytes, const char *name,
    const char *path, char **values, GError **error)
{
  const ForgeSource source = { .name = name };
  g_autoptr (GBytes) whole = forge_onnx_replace_metadata (
      bytes, size_bytes, keys, (const char *const *) values, &source, error);
  if (!whole)
    return FALSE;
  gsize length;
  const void *data = g_bytes_get_data (whole, &length);
  g_autofree char *folder = g_path_get_dirname (path);
  const ForgeSource target = { .name = path, .folder = folder };
  g_autoptr (ForgeGraph) graph =
      forge_format_read_bytes (data, length, &target, error);
  return graph && forge_file_write (path, data, length, error);
}

static gboolean
save_embedded (const char *out, char **values, GError **error)
{
  const uint8_t *bytes;
  size_t size_bytes;
  forge_embedded_model (&bytes, &size_bytes);
  if (out)
    return write_onnx (
        bytes, size_bytes, FORGE_MODEL_EMBEDDED, out, values, error);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "the built-in model cannot be written to; name a file for the "
      "calibrated one");
  return FALSE;
}

/* Keras and TensorFlow Lite. */
static gboolean
save_foreign (const ForgeModel *model, const char *out, char **values,
    char **written, GError **error)
{
  if (!out)
    return forge_model_info_write_beside (forge_model_get_path (model), names,
        (const char *const *) values, written, error);
  size_t size_bytes;
  if (!forge_model_save_onnx (model, NULL, FORGE_WEIGHTS_AS_READ, out, error))
    return FALSE;
  g_autofree void *bytes =
      forge_file_read (out, MAX_MODEL_BYTES, &size_bytes, error);
  return bytes && write_onnx (bytes, size_bytes, out, out, values, error);
}

static void *
read_version (const char *reference, size_t *size_bytes, GError **error)
{
  g_autoptr (ForgeRegistry) registry = forge_registry_open (NULL, error);
  g_autoptr (ForgeModelVersion) version =
      registry ? forge_registry_find (registry, reference, error) : NULL;
  GBytes *bytes =
      version ? forge_registry_read_artifact (registry, version, error) : NULL;
  return bytes ? g_bytes_unref_to_data (bytes, size_bytes) : NULL;
}

/* A version in the registry is read, and never written. */
static void *
read_original (
    const char *path, const char *out, size_t *size_bytes, GError **error)
{
  if (!g_str_has_prefix (path, FORGE_REGISTRY_PREFIX))
    return forge_file_read (path, MAX_MODEL_BYTES, size_bytes, error);
  if (out)
    return read_version (path, size_bytes, error);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "%s: a version in the registry does not change: another file must be "
      "given to write to",
      path);
  return NULL;
}

static gboolean
save_file (const ForgeModel *model, const char *out, char **values,
    char **written, GError **error)
{
  const char *path = forge_model_get_path (model);
  size_t size_bytes;
  g_autofree void *bytes = read_original (path, out, &size_bytes, error);
  if (!bytes)
    return FALSE;
  if (forge_onnx_probe (bytes, size_bytes))
    return write_onnx (
        bytes, size_bytes, path, out ? out : path, values, error);
  return save_foreign (model, out, values, written, error);
}

gboolean
forge_calibration_save (const ForgeModel *model, const ForgeBaseline *baseline,
    const char *out, char **written, GError **error)
{
  g_return_val_if_fail (model && baseline, FALSE);
  const char *path = forge_model_get_path (model);
  g_auto (GStrv) values = make_values (baseline);
  g_autofree char *where = NULL;
  gboolean saved = strcmp (path, FORGE_MODEL_EMBEDDED) == 0
                       ? save_embedded (out, values, error)
                       : save_file (model, out, values, &where, error);
  if (saved && written)
    *written = where ? g_steal_pointer (&where) : g_strdup (out ? out : path);
  return saved;
}
