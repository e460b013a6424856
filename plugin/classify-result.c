/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Results as plain GstStructure fields, readable from any language. Labels
 * are values, never names: a label may be any UTF-8 text. */
#include "classify-result.h"

void
gst_forge_result_init (GstForgeResult *result, guint n_classes)
{
  *result = (GstForgeResult) { .max_top = n_classes,
    .top = g_new0 (ForgeClass, n_classes) };
}

void
gst_forge_result_clear (GstForgeResult *result)
{
  g_free (result->top);
  *result = (GstForgeResult) { 0 };
}

GstClockTime
gst_forge_result_age (const GstForgeResult *result, GstClockTime running_time)
{
  if (!GST_CLOCK_TIME_IS_VALID (running_time) ||
      !GST_CLOCK_TIME_IS_VALID (result->running_time))
    return gst_util_get_timestamp () - result->finished;
  return running_time > result->running_time
             ? running_time - result->running_time
             : 0;
}

const gchar *
gst_forge_result_decide (
    const GstForgeResult *result, gfloat threshold, gint *class_id)
{
  const ForgeClass *best = &result->top[0];
  gboolean known = best->confidence >= threshold;
  *class_id = known ? (gint) best->class_id : -1;
  return known ? best->label : GST_FORGE_UNKNOWN;
}

static void
append_string (GValue *array, const gchar *string)
{
  GValue item = G_VALUE_INIT;
  g_value_init (&item, G_TYPE_STRING);
  g_value_set_string (&item, string);
  gst_value_array_append_and_take_value (array, &item);
}

static void
append_int (GValue *array, gint number)
{
  GValue item = G_VALUE_INIT;
  g_value_init (&item, G_TYPE_INT);
  g_value_set_int (&item, number);
  gst_value_array_append_and_take_value (array, &item);
}

static void
append_double (GValue *array, gdouble number)
{
  GValue item = G_VALUE_INIT;
  g_value_init (&item, G_TYPE_DOUBLE);
  g_value_set_double (&item, number);
  gst_value_array_append_and_take_value (array, &item);
}

static void
describe_top (const GstForgeResult *result, GstStructure *structure)
{
  GValue labels = G_VALUE_INIT, ids = G_VALUE_INIT, scores = G_VALUE_INIT;
  gst_value_array_init (&labels, result->n_top);
  gst_value_array_init (&ids, result->n_top);
  gst_value_array_init (&scores, result->n_top);
  for (guint i = 0; i < result->n_top; i++) {
    append_string (&labels, result->top[i].label);
    append_int (&ids, (gint) result->top[i].class_id);
    append_double (&scores, (gdouble) result->top[i].confidence);
  }
  gst_structure_take_value (structure, "labels", &labels);
  gst_structure_take_value (structure, "class-ids", &ids);
  gst_structure_take_value (structure, "confidences", &scores);
}

void
gst_forge_result_describe (const GstForgeResult *result,
    const GstForgePresentation *how, GstStructure *structure)
{
  gint class_id;
  const gchar *label =
      gst_forge_result_decide (result, how->threshold, &class_id);
  gst_structure_set (structure, "label", G_TYPE_STRING, label, "class-id",
      G_TYPE_INT, class_id, "confidence", G_TYPE_DOUBLE,
      (gdouble) result->top[0].confidence, NULL);
  describe_top (result, structure);
  gst_structure_set (structure, "model-name", G_TYPE_STRING, how->model_name,
      "model-version", G_TYPE_STRING, how->model_version, "state",
      G_TYPE_STRING, how->fresh ? "fresh" : "cached", "age", G_TYPE_UINT64,
      how->age, "inference-time", G_TYPE_UINT64, result->inference_time, NULL);
}
