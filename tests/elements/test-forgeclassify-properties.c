/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The property table: names, types, bounds, defaults and what the blurbs
 * must say. */
#include <string.h>

#include "fixture.h"

static const struct {
  const char *name, *type;
  const char *standard;        /* default, as gst_value_serialize() */
  const char *minimum, *other; /* other: a legal value that is not default */
  const char *unit;            /* a word that the blurb must contain */
  gboolean playing;            /* may change while playing */
} rows[] = {
  { "model-file", "gchararray", "", "", "a.onnx", "Path", FALSE },
  { "labels-file", "gchararray", "", "", "a.txt", "Path", FALSE },
  { "labels", "gchararray", "", "", "one", "labels", FALSE },
  { "threads", "gint", "0", "0", "3", "threads", FALSE },
  { "input-scale", "gchararray", "", "", "1", "one number", FALSE },
  { "input-mean", "gchararray", "", "", "1,2,3", "input-scale", FALSE },
  { "input-std", "gchararray", "", "", "2", "input-scale", FALSE },
  { "input-order", "GstForgeInputOrder", "model", "", "bgr", "no unit", FALSE },
  { "input-layout", "GstForgeInputLayout", "model", "", "nhwc", "no unit",
      FALSE },
  { "input-size", "gchararray", "", "", "299x299", "pixels", FALSE },
  { "resize-policy", "GstForgeResizePolicy", "model", "", "centre-crop",
      "no unit", FALSE },
  { "resize-filter", "GstForgeResizeFilter", "model", "", "nearest", "no unit",
      FALSE },
  { "top-k", "guint", "5", "1", "2", "Number", TRUE },
  { "threshold", "gfloat", "0", "0", "0.5", "fraction", TRUE },
  { "inference-interval", "guint", "1", "1", "4", "frames", TRUE },
  { "max-latency", "guint64", "0", "0", "1000000", "nanoseconds", TRUE },
  { "draw-labels", "gboolean", "false", "", "true", "no unit", TRUE },
  { "labels-color", "guint", "4294967295", "0", "17", "0xAARRGGBB", TRUE },
  { "post-messages", "gboolean", "true", "", "false", "no unit", TRUE },
  { "updates", "GstForgeUpdates", "on-change", "", "none", "no unit", TRUE },
  { "drift-window", "guint", "60", "0", "9", "inferences", FALSE },
  { "drift-threshold", "gdouble", "0.69999999999999996", "0", "0.5", "fraction",
      FALSE },
  { "drift-interval", "guint64", "10000000000", "0", "5", "nanoseconds",
      FALSE },
};

static char *
serialise (GstElement *element, const char *name)
{
  GValue value = G_VALUE_INIT;
  g_object_get_property (G_OBJECT (element), name, &value);
  if (G_VALUE_HOLDS_STRING (&value) && !g_value_get_string (&value)) {
    g_value_unset (&value);
    return g_strdup ("");
  }
  char *text = gst_value_serialize (&value);
  g_value_unset (&value);
  return text;
}

static void
defaults_are_the_initial_values (void)
{
  g_autoptr (GstElement) element =
      gst_object_ref_sink (gst_element_factory_make ("forgeclassify", NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    GParamSpec *pspec = g_object_class_find_property (
        G_OBJECT_GET_CLASS (element), rows[i].name);
    g_assert_nonnull (pspec);
    g_assert_cmpstr (g_type_name (pspec->value_type), ==, rows[i].type);
    g_autofree char *initial = serialise (element, rows[i].name);
    g_assert_cmpstr (initial, ==, rows[i].standard);
    GValue value = G_VALUE_INIT;
    g_object_get_property (G_OBJECT (element), rows[i].name, &value);
    g_assert_true (g_param_value_defaults (pspec, &value));
    g_value_unset (&value);
  }
}

static void
values_are_kept_and_bounded (void)
{
  g_autoptr (GstElement) element =
      gst_object_ref_sink (gst_element_factory_make ("forgeclassify", NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    gst_util_set_object_arg (G_OBJECT (element), rows[i].name, rows[i].other);
    g_autofree char *got = serialise (element, rows[i].name);
    GParamSpec *pspec = g_object_class_find_property (
        G_OBJECT_GET_CLASS (element), rows[i].name);
    GValue value = G_VALUE_INIT;
    g_object_get_property (G_OBJECT (element), rows[i].name, &value);
    g_assert_false (g_param_value_defaults (pspec, &value));
    g_value_unset (&value);
    if (!*rows[i].minimum)
      continue;
    g_assert_cmpstr (got, ==, rows[i].other);
    /* GObject clamps to the pspec's range. */
    gst_util_set_object_arg (G_OBJECT (element), rows[i].name, rows[i].minimum);
    g_autofree char *least = serialise (element, rows[i].name);
    g_assert_cmpstr (least, ==, rows[i].minimum);
  }
}

static void
zero_is_refused_where_it_means_nothing (void)
{
  static const char *const names[] = { "top-k", "inference-interval" };
  g_autoptr (GstElement) element =
      gst_object_ref_sink (gst_element_factory_make ("forgeclassify", NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    GParamSpec *pspec =
        g_object_class_find_property (G_OBJECT_GET_CLASS (element), names[i]);
    GValue value = G_VALUE_INIT;
    g_value_init (&value, G_TYPE_UINT);
    g_assert_true (g_param_value_validate (pspec, &value)); /* was changed */
    g_assert_cmpuint (g_value_get_uint (&value), ==, 1);
    g_value_unset (&value);
  }
}

/* Style rule 23: unit, the meaning of 0, and when it may change. */
static void
blurbs_say_what_they_must (void)
{
  g_autoptr (GstElement) element =
      gst_object_ref_sink (gst_element_factory_make ("forgeclassify", NULL));
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    GParamSpec *pspec = g_object_class_find_property (
        G_OBJECT_GET_CLASS (element), rows[i].name);
    const char *blurb = g_param_spec_get_blurb (pspec);
    gboolean text = pspec->value_type == G_TYPE_STRING;
    g_assert_nonnull (strstr (blurb, rows[i].unit));
    g_assert_nonnull (strstr (blurb, text ? "NULL = " : " 0"));
    g_assert_nonnull (
        strstr (blurb, rows[i].playing ? "Can be changed while playing"
                                       : "Can be changed in state "));
    g_assert_true (
        !(pspec->flags & GST_PARAM_MUTABLE_PLAYING) == !rows[i].playing);
  }
}

static void
table_is_complete (void)
{
  guint n_properties, ours = 0;
  g_autoptr (GstElement) element =
      gst_object_ref_sink (gst_element_factory_make ("forgeclassify", NULL));
  g_autofree GParamSpec **pspecs = g_object_class_list_properties (
      G_OBJECT_GET_CLASS (element), &n_properties);
  for (guint i = 0; i < n_properties; i++)
    ours += pspecs[i]->owner_type == G_OBJECT_TYPE (element);
  g_assert_cmpuint (ours, ==, G_N_ELEMENTS (rows) + 1); /* and stats */
}

static void
element_says_what_it_is (void)
{
  g_autoptr (GstElement) element =
      gst_object_ref_sink (gst_element_factory_make ("forgeclassify", NULL));
  g_assert_cmpstr (
      gst_element_get_metadata (element, GST_ELEMENT_METADATA_KLASS), ==,
      "Filter/Analyzer/Video");
  g_assert_false (
      gst_base_transform_is_qos_enabled (GST_BASE_TRANSFORM (element)));
}

static void
loading_properties_stay_while_ready (void)
{
  static const char *const names[] = { "model-file", "labels-file", "labels",
    "threads", "input-scale", "input-mean", "input-std", "input-order",
    "input-layout", "input-size", "resize-policy", "resize-filter" };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (Fixture) fixture = fixture_new (fixture_plain_element ());
    g_autofree char *before = serialise (fixture->element, names[i]);
    gst_util_set_object_arg (G_OBJECT (fixture->element), names[i], "2");
    g_autofree char *after = serialise (fixture->element, names[i]);
    g_assert_cmpstr (before, ==, after);
    g_autoptr (GstMessage) warning =
        fixture_pop_type (fixture, GST_MESSAGE_WARNING);
    g_assert_nonnull (warning);
    g_autoptr (GError) error = NULL;
    gst_message_parse_warning (warning, &error, NULL);
    g_assert_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    g_assert_nonnull (strstr (error->message, names[i]));
  }
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  g_test_add_func ("/forgeclassify/defaults_are_the_initial_values",
      defaults_are_the_initial_values);
  g_test_add_func ("/forgeclassify/values_are_kept_and_bounded",
      values_are_kept_and_bounded);
  g_test_add_func ("/forgeclassify/zero_is_refused_where_it_means_nothing",
      zero_is_refused_where_it_means_nothing);
  g_test_add_func (
      "/forgeclassify/blurbs_say_what_they_must", blurbs_say_what_they_must);
  g_test_add_func ("/forgeclassify/table_is_complete", table_is_complete);
  g_test_add_func (
      "/forgeclassify/element_says_what_it_is", element_says_what_it_is);
  g_test_add_func ("/forgeclassify/loading_properties_stay_while_ready",
      loading_properties_stay_while_ready);
  return fixture_run ();
}
