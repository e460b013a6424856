/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Figures of an evaluation, from the JSON of `gst-forge evaluate` (names of
 * scikit-learn's classification_report) and from what the trainer writes into
 * a model file (forge.evaluation, forge.drift, forge.training). */
#include "base/json.h"
#include "registry/internal.h"

typedef struct {
  const char *name; /* of the document */
  ForgeModelMetrics found;
  JsonBuilder *classes; /* label -> F1 */
  guint n_classes;
  GError **error;
} MetricsReader;

/* TRUE too when there is no such member. */
static gboolean
read_figure (const MetricsReader *reader, JsonObject *object, const char *key,
    double *figure)
{
  double value = forge_json_double (object, key, (double) NAN);
  if (isnan (value))
    return TRUE;
  if (value >= 0 && value <= 1) {
    *figure = value;
    return TRUE;
  }
  g_set_error (reader->error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: \"%s\": expected a number from 0 to 1, found %g", reader->name, key,
      value);
  return FALSE;
}

static void
take_class (MetricsReader *reader, const char *label, double f1)
{
  json_builder_set_member_name (reader->classes, label);
  json_builder_add_double_value (reader->classes, f1);
  ForgeModelMetrics *found = &reader->found;
  if (reader->n_classes++ > 0 && f1 >= found->min_class_f1)
    return;
  found->min_class_f1 = f1;
  g_free (found->worst_class);
  found->worst_class = g_strdup (label);
}

/* { "f1-score": ..., "support": ... } */
static gboolean
read_class (MetricsReader *reader, const char *label, JsonObject *object)
{
  double f1 = (double) NAN;
  if (!read_figure (reader, object, "f1-score", &f1))
    return FALSE;
  if (!isnan (f1) && forge_json_double (object, "support", 1) > 0)
    take_class (reader, label, f1);
  return TRUE;
}

static gboolean
read_class_list (MetricsReader *reader, JsonArray *list)
{
  for (guint i = 0; i < json_array_get_length (list); i++) {
    JsonObject *object = forge_json_object_at (list, i);
    const char *label = object ? forge_json_string (object, "label") : NULL;
    if (label && !read_class (reader, label, object))
      return FALSE;
  }
  return TRUE;
}

static gboolean
read_labelled (MetricsReader *reader, JsonObject *root, JsonArray *labels)
{
  for (guint i = 0; i < json_array_get_length (labels); i++) {
    const char *label = forge_json_string_at (labels, i);
    JsonObject *object = label ? forge_json_object (root, label) : NULL;
    if (object && !read_class (reader, label, object))
      return FALSE;
  }
  return TRUE;
}

/* { label: F1 } or { label: { "f1-score": ... } } */
static gboolean
read_class_map (MetricsReader *reader, JsonObject *map)
{
  g_autoptr (GList) labels = json_object_get_members (map);
  for (GList *label = labels; label; label = label->next) {
    JsonObject *object = forge_json_object (map, label->data);
    double f1 = (double) NAN;
    if (object ? !read_class (reader, label->data, object)
               : !read_figure (reader, map, label->data, &f1))
      return FALSE;
    if (!isnan (f1))
      take_class (reader, label->data, f1);
  }
  return TRUE;
}

/* The most exact form that is there: a class may be called "accuracy". */
static gboolean
read_classes (MetricsReader *reader, JsonObject *root)
{
  JsonArray *list = forge_json_array (root, "per_class");
  if (list)
    return read_class_list (reader, list);
  JsonArray *labels = forge_json_array (root, "labels");
  if (labels)
    return read_labelled (reader, root, labels);
  JsonObject *map = forge_json_object (root, "f1");
  return !map || read_class_map (reader, map);
}

static gboolean
read_root (MetricsReader *reader, JsonObject *root)
{
  ForgeModelMetrics *found = &reader->found;
  const char *split = forge_json_string (root, "split");
  double *accuracy = &found->test_accuracy, ignored;
  if (g_strcmp0 (split, "validation") == 0)
    accuracy = &found->val_accuracy;
  else if (g_strcmp0 (split, "train") == 0)
    accuracy = &ignored;
  JsonObject *macro = forge_json_object (root, "macro avg");
  JsonObject *inner = forge_json_object (root, "evaluation");
  return read_figure (reader, root, "accuracy", accuracy) &&
         read_figure (reader, root, "val_accuracy", &found->val_accuracy) &&
         read_figure (reader, root, "macro_f1", &found->macro_f1) &&
         (!macro ||
             read_figure (reader, macro, "f1-score", &found->macro_f1)) &&
         (inner ? read_root (reader, inner) : read_classes (reader, root));
}

static void
merge_figure (double *to, double from)
{
  if (!isnan (from))
    *to = from;
}

static void
merge (ForgeModelMetrics *to, MetricsReader *reader)
{
  ForgeModelMetrics *found = &reader->found;
  merge_figure (&to->val_accuracy, found->val_accuracy);
  merge_figure (&to->test_accuracy, found->test_accuracy);
  merge_figure (&to->macro_f1, found->macro_f1);
  if (reader->n_classes == 0)
    return;
  to->min_class_f1 = found->min_class_f1;
  g_free (to->worst_class);
  to->worst_class = g_steal_pointer (&found->worst_class);
  g_autoptr (JsonNode) classes = json_builder_get_root (reader->classes);
  g_free (to->class_f1);
  to->class_f1 = json_to_string (classes, FALSE);
}

gboolean
forge_model_metrics_read (ForgeModelMetrics *metrics, const char *json,
    const char *name, GError **error)
{
  g_return_val_if_fail (metrics && json && name, FALSE);
  g_autoptr (JsonNode) node = forge_json_parse (json, -1, name, error);
  if (!node)
    return FALSE;
  if (!JSON_NODE_HOLDS_OBJECT (node)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected a JSON object with an evaluation, found another value",
        name);
    return FALSE;
  }
  g_autoptr (JsonBuilder) classes = json_builder_new ();
  json_builder_begin_object (classes);
  MetricsReader reader = { name, FORGE_MODEL_METRICS_DEFAULT, classes, 0,
    error };
  gboolean done = read_root (&reader, json_node_get_object (node));
  json_builder_end_object (classes);
  if (done)
    merge (metrics, &reader);
  forge_model_metrics_clear (&reader.found);
  return done;
}
