/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Types and words of the enumerations. */
#include "classify-enums.h"

GType
gst_forge_updates_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { GST_FORGE_UPDATES_EVERY_FRAME,
        "A message for every frame that carries a result, cached ones too",
        "every-frame" },
    { GST_FORGE_UPDATES_ON_CHANGE,
        "A message when the best label differs from the last one posted",
        "on-change" },
    { GST_FORGE_UPDATES_NONE, "No result messages", "none" },
    { 0, NULL, NULL },
  };
  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("GstForgeUpdates", values));
  return type;
}

GType
gst_forge_input_order_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { GST_FORGE_INPUT_ORDER_MODEL, "As the model says", "model" },
    { GST_FORGE_INPUT_ORDER_RGB, "Red, green, blue", "rgb" },
    { GST_FORGE_INPUT_ORDER_BGR, "Blue, green, red", "bgr" },
    { 0, NULL, NULL },
  };
  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("GstForgeInputOrder", values));
  return type;
}

GType
gst_forge_input_layout_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { GST_FORGE_INPUT_LAYOUT_MODEL, "As the model says", "model" },
    { GST_FORGE_INPUT_LAYOUT_NCHW, "Channels first, plane by plane", "nchw" },
    { GST_FORGE_INPUT_LAYOUT_NHWC, "Channels last, pixel by pixel", "nhwc" },
    { 0, NULL, NULL },
  };
  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("GstForgeInputLayout", values));
  return type;
}

GType
gst_forge_resize_policy_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { GST_FORGE_RESIZE_POLICY_MODEL, "As the model says", "model" },
    { GST_FORGE_RESIZE_POLICY_STRETCH, "The whole frame, aspect ratio not kept",
        "stretch" },
    { GST_FORGE_RESIZE_POLICY_CENTRE_CROP,
        "The largest centred part of the right shape", "centre-crop" },
    { GST_FORGE_RESIZE_POLICY_LETTERBOX,
        "The whole frame, aspect ratio kept, grey bars", "letterbox" },
    { 0, NULL, NULL },
  };
  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("GstForgeResizePolicy", values));
  return type;
}

GType
gst_forge_resize_filter_get_type (void)
{
  static gsize type;
  static const GEnumValue values[] = {
    { GST_FORGE_RESIZE_FILTER_MODEL, "As the model says", "model" },
    { GST_FORGE_RESIZE_FILTER_BILINEAR, "Two by two pixels, as TensorFlow",
        "bilinear" },
    { GST_FORGE_RESIZE_FILTER_ANTIALIAS,
        "A triangle as wide as the ratio, as Pillow", "antialias" },
    { GST_FORGE_RESIZE_FILTER_NEAREST, "The nearest pixel", "nearest" },
    { 0, NULL, NULL },
  };
  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("GstForgeResizeFilter", values));
  return type;
}

void
gst_forge_enums_mark_as_api (void)
{
  gst_type_mark_as_plugin_api (GST_TYPE_FORGE_UPDATES, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_FORGE_INPUT_ORDER, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_FORGE_INPUT_LAYOUT, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_FORGE_RESIZE_POLICY, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_FORGE_RESIZE_FILTER, 0);
}

const gchar *
gst_forge_enum_stated_nick (GType type, gint value)
{
  if (value == 0)
    return NULL;
  GEnumClass *klass = g_type_class_ref (type);
  const GEnumValue *found = g_enum_get_value (klass, value);
  g_type_class_unref (klass); /* static: the words stay */
  return found ? found->value_nick : NULL;
}
