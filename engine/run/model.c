/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A model is a graph, what its file says about it, and the plans made of it
 * so far. Models of unchanged files are found again in model-cache.c. */
#include "run/model.h"

#include <string.h>

#include "forge/registry.h"
#include "run/executor.h"
#include "run/features.h"
#include "run/parts.h"
#include "run/model-cache.h"

struct _ForgeModel {
  gint ref_count;
  char *path;
  ForgeGraph *graph;
  ForgeModelInfo *info;
  uint64_t read_us;
  GMutex lock;
  GHashTable *plans; /* what is bound -> ForgePlan*; under the lock */
};

static void
model_free (ForgeModel *model)
{
  g_clear_pointer (&model->plans, g_hash_table_unref);
  forge_graph_free (model->graph);
  if (model->info)
    forge_model_info_free (model->info);
  g_mutex_clear (&model->lock);
  g_free (model->path);
  g_free (model);
}

/* Takes @graph. @path may be NULL: nothing beside the graph is looked at. */
static ForgeModel *
model_new (
    ForgeGraph *graph, const char *name, const char *path, GError **error)
{
  ForgeModel *model = g_new0 (ForgeModel, 1);
  model->ref_count = 1;
  model->path = g_strdup (name);
  model->graph = graph;
  g_mutex_init (&model->lock);
  model->plans = g_hash_table_new_full (
      g_str_hash, g_str_equal, g_free, (GDestroyNotify) forge_plan_unref);
  if (graph->inputs->len == 0 || graph->outputs->len == 0)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected a network with inputs and outputs, found %u and %u", name,
        graph->inputs->len, graph->outputs->len);
  else
    model->info = forge_model_info_read (graph, path, error);
  if (model->info)
    return model;
  model_free (model);
  return NULL;
}

ForgeModel *
forge_model_new_from_graph (ForgeGraph *graph, const char *name, GError **error)
{
  return model_new (graph, name, NULL, error);
}

/* @model (nullable), with the time that it took. */
static ForgeModel *
read_since (gint64 start_us, ForgeModel *model)
{
  if (model)
    model->read_us = (uint64_t) (g_get_monotonic_time () - start_us);
  return model;
}

ForgeModel *
forge_model_load_bytes (
    const void *bytes, gsize size_bytes, const char *name, GError **error)
{
  g_return_val_if_fail (bytes || size_bytes == 0, NULL);
  if (!name)
    name = "model";
  ForgeSource source = { .name = name };
  gint64 start_us = g_get_monotonic_time ();
  ForgeGraph *graph =
      forge_format_read_bytes (bytes, size_bytes, &source, error);
  return read_since (
      start_us, graph ? model_new (graph, name, NULL, error) : NULL);
}

static ForgeModel *
load_embedded (GError **error)
{
  const uint8_t *bytes;
  size_t size_bytes;
  forge_embedded_model (&bytes, &size_bytes);
  if (!bytes) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND,
        FORGE_MODEL_EMBEDDED ": this build has no built-in model");
    return NULL;
  }
  return forge_model_load_bytes (
      bytes, size_bytes, FORGE_MODEL_EMBEDDED, error);
}

static ForgeModel *
load_file (const char *path, GError **error)
{
  gint64 start_us = g_get_monotonic_time ();
  ForgeGraph *graph = forge_format_read_file (path, error);
  return read_since (
      start_us, graph ? model_new (graph, path, path, error) : NULL);
}

/* The registry's word on name and version counts, not the file's. */
static ForgeModel *
load_version (
    ForgeRegistry *registry, const ForgeModelVersion *version, GError **error)
{
  g_autoptr (GBytes) bytes =
      forge_registry_read_artifact (registry, version, error);
  if (!bytes)
    return NULL;
  g_autofree char *path =
      g_strdup_printf (FORGE_REGISTRY_PREFIX "%s/%" G_GINT64_FORMAT,
          version->name, version->version);
  gsize size_bytes;
  const void *data = g_bytes_get_data (bytes, &size_bytes);
  ForgeModel *model = forge_model_load_bytes (data, size_bytes, path, error);
  if (!model)
    return NULL;
  g_free (model->info->name);
  model->info->name = g_strdup (version->name);
  g_free (model->info->version);
  model->info->version =
      g_strdup_printf ("%" G_GINT64_FORMAT, version->version);
  return model;
}

/* A version never changes its bytes, so one in use is not read again. */
static ForgeModel *
find_or_load_version (
    ForgeRegistry *registry, const char *reference, GError **error)
{
  g_autoptr (ForgeModelVersion) version =
      forge_registry_find (registry, reference, error);
  if (!version)
    return NULL;
  g_autofree char *key = g_strdup_printf ("%s\n%s/%" G_GINT64_FORMAT "\n%s",
      forge_registry_get_location (registry), version->name, version->version,
      version->artifact_sha256);
  ForgeModel *model = forge_model_cache_find (key);
  if (model)
    return model;
  model = load_version (registry, version, error);
  return model ? forge_model_cache_add (key, model) : NULL;
}

static ForgeModel *
load_registered (const char *reference, GError **error)
{
  GError *cause = NULL;
  g_autoptr (ForgeRegistry) registry = forge_registry_open (NULL, &cause);
  ForgeModel *model =
      registry ? find_or_load_version (registry, reference, &cause) : NULL;
  if (model)
    return model;
  if (!strstr (cause->message, FORGE_REGISTRY_PREFIX))
    g_prefix_error (&cause, "%s: ", reference);
  g_propagate_error (error, cause);
  return NULL;
}

ForgeModel *
forge_model_load (const char *path, GError **error)
{
  g_return_val_if_fail (path, NULL);
  if (g_str_has_prefix (path, FORGE_REGISTRY_PREFIX))
    return load_registered (path, error);
  g_autofree char *key = forge_model_cache_key (path);
  ForgeModel *model = key ? forge_model_cache_find (key) : NULL;
  if (model)
    return model;
  model = g_str_equal (path, FORGE_MODEL_EMBEDDED) ? load_embedded (error)
                                                   : load_file (path, error);
  /* A file that changed under the reader is not remembered. */
  g_autofree char *key_after = forge_model_cache_key (path);
  if (!model || !key || g_strcmp0 (key, key_after) != 0)
    return model;
  return forge_model_cache_add (key, model);
}

ForgeModel *
forge_model_ref (ForgeModel *model)
{
  g_return_val_if_fail (model, NULL);
  g_atomic_int_inc (&model->ref_count);
  return model;
}

void
forge_model_unref (ForgeModel *model)
{
  if (model && forge_model_cache_release (model, &model->ref_count))
    model_free (model);
}

const ForgeGraph *
forge_model_get_graph (const ForgeModel *model)
{
  return model->graph;
}

uint64_t
forge_model_get_read_us (const ForgeModel *model)
{
  return model->read_us;
}

guint
forge_model_get_picture_input (const ForgeModel *model)
{
  return model->info->input;
}

guint
forge_model_get_score_output (const ForgeModel *model)
{
  return model->info->output;
}

guint
forge_model_fit_batch (const ForgeModel *model, guint wanted)
{
  const ForgeValue *input = model->graph->inputs->pdata[model->info->input];
  int64_t fixed = input->shape.rank > 0 ? input->shape.dims[0] : -1;
  return fixed > 0 && fixed < wanted ? (guint) fixed : wanted;
}

ForgeShape
forge_model_picture_shape (
    const ForgeModel *model, const ForgePreprocess *preprocess, int64_t batch)
{
  const ForgeValue *input = model->graph->inputs->pdata[model->info->input];
  ForgeShape shape = input->shape;
  if (shape.rank != 4 || preprocess->channels < 1)
    return shape;
  gboolean nchw = preprocess->nchw;
  const int64_t pictures[4] = { batch,
    nchw ? preprocess->channels : preprocess->height,
    nchw ? preprocess->height : preprocess->width,
    nchw ? preprocess->width : preprocess->channels };
  for (int i = 0; i < 4; i++)
    if (shape.dims[i] < 0)
      shape.dims[i] = pictures[i];
  return shape;
}

/* Fills in what an input leaves open besides the batch, and adds it to the
 * key. TRUE when there was something. */
static gboolean
bind_extents (const ForgeModel *model, const ForgeShape *shapes,
    ForgeGraph *graph, GString *key)
{
  gboolean any = FALSE;
  for (guint i = 0; i < graph->inputs->len; i++) {
    ForgeValue *input = graph->inputs->pdata[i];
    ForgeShape known = input->shape;
    if (shapes)
      known = shapes[i];
    else if (i == model->info->input)
      known = forge_model_picture_shape (model, &model->info->preprocess, -1);
    for (int d = 1; d < input->shape.rank; d++) {
      if (input->shape.dims[d] >= 0 || known.rank != input->shape.rank ||
          known.dims[d] < 1)
        continue;
      input->shape.dims[d] = known.dims[d];
      g_string_append_printf (
          key, " %u.%d=%" G_GINT64_FORMAT, i, d, known.dims[d]);
      any = TRUE;
    }
  }
  return any;
}

/* A network need not work with every size, though its file leaves it open. */
static void
explain_size (const ForgeModel *model, const ForgeGraph *graph, GError **error)
{
  const ForgeValue *input = graph->inputs->pdata[model->info->input];
  int y = model->info->preprocess.nchw ? 2 : 1;
  if (model->info->preprocess.channels < 1 || input->shape.rank != 4)
    return;
  g_prefix_error (error,
      "%s leaves the size of pictures open, and %" G_GINT64_FORMAT
      " x %" G_GINT64_FORMAT " pixels do not work (state another, or have it "
      "in a .modelinfo file beside it): ",
      model->path, input->shape.dims[y + 1], input->shape.dims[y]);
}

/* What @key stands for, which begins with the batch. Parts have the plan of a
 * batch of their size. @graph has other extents bound. */
static ForgePlan *
plan_of_part (
    ForgeModel *model, ForgeGraph *graph, int batch, char *key, GError **error)
{
  int64_t whole = batch, part = forge_choose_part (graph, &whole);
  g_autofree char *part_key =
      g_strdup_printf ("%" G_GINT64_FORMAT "%s", part, strchr (key, ' '));
  ForgePlan *plan = g_hash_table_lookup (model->plans, part_key);
  if (plan)
    return forge_plan_ref (plan);
  plan = forge_plan_new (graph, FORGE_PLAN_INFERENCE, part, error);
  if (plan)
    g_hash_table_insert (
        model->plans, g_steal_pointer (&part_key), forge_plan_ref (plan));
  return plan;
}

/* The lock is held while planning, so that two sessions opened at once do
 * not pack the same weights twice. */
ForgePlan *
forge_model_plan_for (ForgeModel *model, int batch, const ForgeShape *shapes,
    gboolean features, GError **error)
{
  GString *key = g_string_new (NULL);
  g_autoptr (ForgeGraph) graph =
      features ? forge_features_expose (model->graph, model->info->output)
               : NULL;
  g_string_printf (key, "%d %s", batch, graph ? "features" : "");
  if (!graph)
    graph = forge_graph_copy (model->graph);
  g_mutex_lock (&model->lock);
  gboolean bound = bind_extents (model, shapes, graph, key);
  ForgePlan *plan = g_hash_table_lookup (model->plans, key->str);
  if (plan)
    forge_plan_ref (plan);
  else
    plan = plan_of_part (model, graph, batch, key->str, error);
  if (!plan && bound)
    explain_size (model, graph, error);
  if (plan && !g_hash_table_contains (model->plans, key->str))
    g_hash_table_insert (
        model->plans, g_strdup (key->str), forge_plan_ref (plan));
  g_mutex_unlock (&model->lock);
  g_string_free (key, TRUE);
  return plan;
}

ForgePlan *
forge_model_plan (ForgeModel *model, int batch, GError **error)
{
  return forge_model_plan_for (model, batch, NULL, FALSE, error);
}

const char *
forge_model_get_name (const ForgeModel *model)
{
  return model->info->name;
}

const char *
forge_model_get_version (const ForgeModel *model)
{
  return model->info->version ? model->info->version : "";
}

const char *
forge_model_get_path (const ForgeModel *model)
{
  return model->path;
}

const char *const *
forge_model_get_labels (const ForgeModel *model)
{
  return (const char *const *) model->info->labels;
}

guint
forge_model_get_n_classes (const ForgeModel *model)
{
  return model->info->n_classes;
}

gboolean
forge_model_has_probabilities (const ForgeModel *model)
{
  return model->info->has_probabilities;
}

const ForgePreprocess *
forge_model_get_preprocess (const ForgeModel *model)
{
  return &model->info->preprocess;
}

const char *
forge_model_get_assumptions (const ForgeModel *model)
{
  return model->info->assumptions;
}

guint
forge_model_get_assumed (const ForgeModel *model)
{
  return model->info->assumed;
}

const char *
forge_model_get_metadata (const ForgeModel *model, const char *key)
{
  const char *value = g_hash_table_lookup (model->graph->metadata, key);
  if (!value && model->info->beside)
    value = g_hash_table_lookup (model->info->beside, key);
  return value;
}

double
forge_model_get_temperature (const ForgeModel *model)
{
  return model->info->temperature;
}

gboolean
forge_model_is_multi_label (const ForgeModel *model)
{
  const ForgePort output = forge_model_get_output (model, 0);
  int rank = output.shape.rank;
  return model->info->is_sigmoid && rank > 0 &&
         output.shape.dims[rank - 1] != 1 && model->info->n_classes > 1;
}

static int
compare_keys (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

const char **
forge_model_list_metadata (const ForgeModel *model)
{
  guint n_keys;
  gpointer *keys =
      g_hash_table_get_keys_as_array (model->graph->metadata, &n_keys);
  qsort (keys, n_keys, sizeof *keys, compare_keys);
  return (const char **) keys;
}

guint
forge_model_get_n_inputs (const ForgeModel *model)
{
  return model->graph->inputs->len;
}

guint
forge_model_get_n_outputs (const ForgeModel *model)
{
  return model->graph->outputs->len;
}

static ForgePort
port (const GPtrArray *values, guint index)
{
  const ForgeValue *value = values->pdata[index];
  return (ForgePort) { value->name, value->dtype, value->shape };
}

ForgePort
forge_model_get_input (const ForgeModel *model, guint index)
{
  g_return_val_if_fail (index < model->graph->inputs->len, (ForgePort) { 0 });
  return port (model->graph->inputs, index);
}

ForgePort
forge_model_get_output (const ForgeModel *model, guint index)
{
  g_return_val_if_fail (index < model->graph->outputs->len, (ForgePort) { 0 });
  return port (model->graph->outputs, index);
}
