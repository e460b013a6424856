/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See fixture.h. */
#include "fixture.h"

#include <string.h>

#include "tiny-model.h"

static char *model_path;

/* By path, not from the registry: GStreamer's plugin scanner is a program of
 * its own and cannot look at a plugin built with sanitizers. */
static void
load_plugin (void)
{
  const char *root = g_getenv ("FORGE_BUILD_ROOT");
  if (!root)
    g_error ("FORGE_BUILD_ROOT is not set: run me with meson test");
  g_autofree char *path =
      g_build_filename (root, "plugin", "libgstforge.so", NULL);
  g_autoptr (GError) error = NULL;
  GstPlugin *plugin = gst_plugin_load_file (path, &error);
  if (!plugin)
    g_error ("%s", error->message);
  gst_object_unref (plugin);
}

void
fixture_init (int *argc, char ***argv)
{
  gst_init (argc, argv);
  g_test_init (argc, argv, NULL);
  load_plugin ();
  model_path = tiny_model_write (TINY_MODEL_GAIN);
}

int
fixture_run (void)
{
  int status = g_test_run ();
  tiny_model_remove (g_steal_pointer (&model_path));
  return status;
}

const char *
fixture_model (void)
{
  return model_path;
}

GstElement *
fixture_plain_element (void)
{
  GstElement *element = gst_element_factory_make ("forgeclassify", NULL);
  g_assert_nonnull (element);
  gst_object_ref_sink (element);
  g_object_set (element, "model-file", model_path, NULL);
  return element;
}

GstElement *
fixture_element (const char *first_property, ...)
{
  GstElement *element = fixture_plain_element ();
  va_list args;
  va_start (args, first_property);
  g_object_set_valist (G_OBJECT (element), first_property, args);
  va_end (args);
  return element;
}

Fixture *
fixture_new (GstElement *element)
{
  Fixture *fixture = g_new0 (Fixture, 1);
  fixture->element = element;
  fixture->bus = gst_bus_new ();
  gst_element_set_bus (element, fixture->bus);
  fixture->harness = gst_harness_new_with_element (element, "sink", "src");
  return fixture;
}

void
fixture_free (Fixture *fixture)
{
  gst_harness_teardown (fixture->harness);
  gst_element_set_state (fixture->element, GST_STATE_NULL);
  gst_element_set_bus (fixture->element, NULL);
  gst_object_unref (fixture->element);
  gst_bus_set_flushing (fixture->bus, TRUE);
  gst_object_unref (fixture->bus);
  g_free (fixture);
}

void
fixture_set_caps (Fixture *fixture, GstVideoFormat format, int width,
    int height, const char *colorimetry)
{
  gst_video_info_set_format (
      &fixture->info, format, (guint) width, (guint) height);
  fixture->info.fps_n = 25;
  fixture->info.fps_d = 1;
  if (colorimetry)
    g_assert_true (gst_video_colorimetry_from_string (
        &fixture->info.colorimetry, colorimetry));
  gst_harness_set_src_caps (
      fixture->harness, gst_video_info_to_caps (&fixture->info));
}

GstBuffer *
fixture_push (Fixture *fixture, GstBuffer *frame)
{
  GST_BUFFER_PTS (frame) = fixture->next_pts;
  GST_BUFFER_DURATION (frame) = FRAME_DURATION;
  fixture->next_pts += FRAME_DURATION;
  GstBuffer *out = gst_harness_push_and_pull (fixture->harness, frame);
  g_assert_nonnull (out);
  return out;
}

const GstStructure *
fixture_push_colour (Fixture *fixture, guint32 rgb, GstBuffer **out)
{
  gst_clear_buffer (out);
  *out = fixture_push (fixture, frame_new (&fixture->info, COLOUR (rgb)));
  return result_of (*out);
}

GstMessage *
fixture_pop_message (Fixture *fixture, const char *name)
{
  GstMessage *message;
  while ((message = gst_bus_pop (fixture->bus))) {
    if (gst_message_has_name (message, name))
      return message;
    gst_message_unref (message);
  }
  return NULL;
}

guint
fixture_count_messages (Fixture *fixture, const char *name)
{
  guint count = 0;
  GstMessage *message;
  while ((message = fixture_pop_message (fixture, name))) {
    gst_message_unref (message);
    count++;
  }
  return count;
}

GstMessage *
fixture_pop_type (Fixture *fixture, GstMessageType type)
{
  return gst_bus_pop_filtered (fixture->bus, type);
}

const GstStructure *
result_of (GstBuffer *buffer)
{
  GstCustomMeta *meta =
      gst_buffer_get_custom_meta (buffer, "ForgeClassificationMeta");
  return meta ? gst_custom_meta_get_structure (meta) : NULL;
}

const char *
result_string (const GstStructure *result, const char *field)
{
  g_assert_nonnull (result);
  const char *value = gst_structure_get_string (result, field);
  g_assert_nonnull (value);
  return value;
}

guint64
result_uint64 (const GstStructure *result, const char *field)
{
  guint64 value;
  g_assert_nonnull (result);
  g_assert_true (gst_structure_get_uint64 (result, field, &value));
  return value;
}

double
result_double (const GstStructure *result, const char *field)
{
  double value;
  g_assert_nonnull (result);
  g_assert_true (gst_structure_get_double (result, field, &value));
  return value;
}

guint
result_confidences (const GstStructure *result, double by_class[3])
{
  g_assert_nonnull (result);
  const GValue *ids = gst_structure_get_value (result, "class-ids");
  const GValue *scores = gst_structure_get_value (result, "confidences");
  const GValue *labels = gst_structure_get_value (result, "labels");
  guint n = gst_value_array_get_size (ids);
  g_assert_cmpuint (gst_value_array_get_size (scores), ==, n);
  g_assert_cmpuint (gst_value_array_get_size (labels), ==, n);
  g_assert_cmpuint (n, <=, 3);
  for (guint i = 0; i < n; i++) {
    int id = g_value_get_int (gst_value_array_get_value (ids, i));
    g_assert_cmpint (id, >=, 0);
    g_assert_cmpint (id, <, 3);
    by_class[id] = g_value_get_double (gst_value_array_get_value (scores, i));
  }
  return n;
}

guint64
fixture_stat (Fixture *fixture, const char *field)
{
  g_autoptr (GstStructure) stats = NULL;
  g_object_get (fixture->element, "stats", &stats, NULL);
  return result_uint64 (stats, field);
}

guint32
paint_colour (int x, int y, gpointer data)
{
  return GPOINTER_TO_UINT (data);
}

guint32
paint_pattern (int x, int y, gpointer data)
{
  return (guint32) ((x * 37 + y * 3) % 256) << 16 |
         (guint32) ((x * 5 + y * 61) % 256) << 8 |
         (guint32) ((x * x + y * 17) % 256);
}

static guint8
component (const GstVideoFormatInfo *finfo, guint c, guint32 rgb)
{
  double r = (rgb >> 16 & 0xff), g = (rgb >> 8 & 0xff), b = (rgb & 0xff);
  double luma = 0.299 * r + 0.587 * g + 0.114 * b;
  if (c == 3)
    return 0x5a; /* alpha: not to be read */
  if (GST_VIDEO_FORMAT_INFO_IS_RGB (finfo))
    return rgb >> (16 - 8 * c) & 0xff;
  if (GST_VIDEO_FORMAT_INFO_IS_GRAY (finfo))
    return (guint8) (luma + 0.5);
  if (c == 0)
    return (guint8) (16.5 + luma * 219 / 255);
  double difference = c == 1 ? (b - luma) / 1.772 : (r - luma) / 1.402;
  return (guint8) (128.5 + difference * 224 / 255);
}

static void
paint_component (GstVideoFrame *frame, guint c, Painter painter, gpointer data)
{
  const GstVideoFormatInfo *finfo = frame->info.finfo;
  guint8 *pixels = GST_VIDEO_FRAME_COMP_DATA (frame, c);
  for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT (frame, c); y++)
    for (int x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH (frame, c); x++)
      pixels[y * GST_VIDEO_FRAME_COMP_STRIDE (frame, c) +
             x * GST_VIDEO_FRAME_COMP_PSTRIDE (frame, c)] = component (finfo, c,
          painter (x << GST_VIDEO_FORMAT_INFO_W_SUB (finfo, c),
              y << GST_VIDEO_FORMAT_INFO_H_SUB (finfo, c), data));
}

GstBuffer *
frame_new (const GstVideoInfo *info, Painter painter, gpointer data)
{
  GstVideoFrame frame;
  gsize offsets[GST_VIDEO_MAX_PLANES];
  gint strides[GST_VIDEO_MAX_PLANES];
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, info->size, NULL);
  gst_buffer_memset (buffer, 0, 0xa5, info->size);
  memcpy (offsets, info->offset, sizeof offsets);
  memcpy (strides, info->stride, sizeof strides);
  gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_INFO_FORMAT (info), (guint) info->width, (guint) info->height,
      GST_VIDEO_INFO_N_PLANES (info), offsets, strides);
  g_assert_true (gst_video_frame_map (&frame, info, buffer, GST_MAP_WRITE));
  for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS (&frame); c++)
    paint_component (&frame, c, painter, data);
  gst_video_frame_unmap (&frame);
  return buffer;
}
