/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The ready-made pipelines: each parses, each runs on a clip made here in
 * place of cameras and into a fakesink in place of windows; and the script
 * that starts them. */
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "fixture.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#define CLIP_FRAMES 30

static char *folder; /* for clips; with a space, as users have them */
static char *clip;

/* What each pipeline needs, and the message it must post on a clip that
 * turns from red to grey. */
static const struct {
  const char *name;
  gboolean uri;
  const char *message;
} recipes[] = {
  { "drift", TRUE, "forgeclassify-drift" },
  { "file", TRUE, "forgeclassify" },
  { "headless", TRUE, "forgeclassify" },
  { "record", TRUE, "forgeclassify" },
  { "rtsp", TRUE, "forgeclassify" },
  { "webcam", FALSE, "forgeclassify" },
};

static GstMessage *
run_to_the_end (GstElement *pipeline, const char *name, guint *count)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *last = NULL;
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (;;) {
    GstMessage *message = gst_bus_timed_pop_filtered (bus, 60 * GST_SECOND,
        GST_MESSAGE_ELEMENT | GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    if (!message)
      g_error ("the pipeline does not end");
    if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ELEMENT) {
      if (name && gst_message_has_name (message, name))
        ++*count;
      gst_message_unref (message);
      continue;
    }
    last = message;
    break;
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  return last;
}

static void
expect_end (GstElement *pipeline, const char *name, guint *count)
{
  g_autoptr (GstMessage) last = run_to_the_end (pipeline, name, count);
  if (GST_MESSAGE_TYPE (last) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;
    gst_message_parse_error (last, &error, NULL);
    g_error ("%s", error->message);
  }
}

static GstElement *
parse (const char *line)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);
  if (error)
    g_error ("%s: %s", line, error->message);
  return pipeline;
}

static void
make_clip (void)
{
  g_autoptr (GError) error = NULL;
  folder = g_dir_make_tmp ("forge recipes XXXXXX", &error);
  g_assert_no_error (error);
  clip = g_build_filename (folder, "clip #1.webm", NULL);
  g_autofree char *line = g_strdup_printf (
      "concat name=c ! vp8enc deadline=1 ! webmmux ! filesink location=\"%s\" "
      "videotestsrc num-buffers=%d pattern=red ! "
      "video/x-raw,width=64,height=48,framerate=30/1 ! c. "
      "videotestsrc num-buffers=%d pattern=solid-color "
      "foreground-color=0xff808080 ! "
      "video/x-raw,width=64,height=48,framerate=30/1 ! c.",
      clip, CLIP_FRAMES / 2, CLIP_FRAMES / 2);
  GstElement *pipeline = parse (line);
  expect_end (pipeline, NULL, NULL);
  gst_object_unref (pipeline);
}

/* pipelines/run with the arguments up to NULL; returns what it prints. */
static char *
run_script (int *status, char **err, const char *first, ...)
{
  g_autoptr (GPtrArray) arguments = g_ptr_array_new ();
  g_autofree char *script = g_build_filename (
      g_getenv ("FORGE_SOURCE_ROOT"), "pipelines", "run", NULL);
  g_auto (GStrv) environment = g_environ_setenv (
      g_get_environ (), "FORGE_BUILD", g_getenv ("FORGE_BUILD_ROOT"), TRUE);
  g_autoptr (GError) error = NULL;
  char *out = NULL;
  va_list rest;
  g_ptr_array_add (arguments, script);
  va_start (rest, first);
  for (const char *argument = first; argument;
       argument = va_arg (rest, const char *))
    g_ptr_array_add (arguments, (gpointer) argument);
  va_end (rest);
  g_ptr_array_add (arguments, NULL);
  if (!g_spawn_sync (folder, (char **) arguments->pdata, environment,
          G_SPAWN_DEFAULT, NULL, NULL, &out, err, status, &error))
    g_error ("%s", error->message);
  return out;
}

static char *
print_line (const char *name, gboolean uri)
{
  int status;
  g_autofree char *model = g_strdup_printf ("MODEL=%s", fixture_model ());
  g_autofree char *source = g_strdup_printf ("URI=%s", clip);
  char *line = run_script (
      &status, NULL, "--print", name, model, uri ? source : NULL, NULL);
  g_assert_true (g_spawn_check_wait_status (status, NULL));
  return line;
}

static void
every_recipe_is_tested (void)
{
  g_autofree char *path =
      g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"), "pipelines", NULL);
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  g_assert_nonnull (dir);
  guint count = 0;
  for (const char *name; (name = g_dir_read_name (dir));)
    count += g_str_has_suffix (name, ".launch");
  g_assert_cmpuint (count, ==, G_N_ELEMENTS (recipes));
}

static void
every_recipe_parses_as_it_stands (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (recipes); i++) {
    g_autofree char *line = print_line (recipes[i].name, recipes[i].uri);
    GstElement *pipeline = parse (line);
    gst_object_unref (pipeline);
  }
}

/* Cameras and windows are not to be had in a test. */
static char *
without_hardware (const char *line)
{
  g_autoptr (GString) text = g_string_new (line);
  g_autofree char *source = g_strdup_printf ("filesrc location=\"%s\"", clip);
  g_autofree char *camera =
      g_strdup_printf ("videotestsrc pattern=red num-buffers=%d", CLIP_FRAMES);
  g_autofree char *uri = gst_filename_to_uri (clip, NULL);
  g_autofree char *rtsp =
      g_strdup_printf ("rtspsrc location=\"%s\" latency=\"200\"", uri);
  g_string_replace (text, rtsp, source, 0);
  g_string_replace (
      text, "v4l2src device=\"/dev/video0\" ! decodebin", camera, 0);
  g_string_replace (text, "autovideosink", "fakesink sync=false", 0);
  g_string_replace (text, "sync=\"true\"", "sync=false", 0);
  g_string_replace (text, "drift-window=\"60\"", "drift-window=4", 0);
  g_string_replace (text, "\"annotated.webm\"", "/dev/null", 0);
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
every_recipe_runs (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (recipes); i++) {
    g_autofree char *line = print_line (recipes[i].name, recipes[i].uri);
    g_autofree char *runnable = without_hardware (line);
    g_test_message ("%s", runnable);
    g_assert_null (strstr (runnable, "autovideosink"));
    g_assert_null (strstr (runnable, "v4l2src"));
    g_assert_null (strstr (runnable, "rtspsrc"));
    GstElement *pipeline = parse (runnable);
    guint count = 0;
    expect_end (pipeline, recipes[i].message, &count);
    gst_object_unref (pipeline);
    g_assert_cmpuint (count, >, 0);
  }
}

static void
json_lines_are_json (void)
{
#ifdef SANITIZED
  g_test_skip ("the plugin scanner cannot load a plugin with sanitizers");
#else
  int status;
  guint reds = 0, n_lines = 0;
  g_autofree char *model = g_strdup_printf ("MODEL=%s", fixture_model ());
  g_autofree char *source = g_strdup_printf ("URI=%s", clip);
  g_autofree char *out = run_script (
      &status, NULL, "--json", "headless", model, source, "TOP=2", NULL);
  g_assert_true (g_spawn_check_wait_status (status, NULL));
  g_auto (GStrv) lines = g_strsplit (g_strchomp (out), "\n", -1);
  for (char **line = lines; *line; line++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (JsonNode) node = json_from_string (*line, &error);
    g_assert_no_error (error);
    JsonObject *object = json_node_get_object (node);
    if (g_strcmp0 (json_object_get_string_member (object, "message"),
            "forgeclassify") != 0)
      continue;
    n_lines++;
    g_assert_cmpuint (
        json_array_get_length (json_object_get_array_member (object, "labels")),
        ==, 2);
    g_assert_cmpfloat (
        json_object_get_double_member (object, "confidence"), <=, 1.0);
    reds +=
        g_str_equal (json_object_get_string_member (object, "label"), "red") &&
        json_object_get_double_member (object, "confidence") > 0.9;
  }
  g_assert_cmpuint (n_lines, ==, CLIP_FRAMES);
  g_assert_cmpuint (reds, ==, CLIP_FRAMES / 2);
#endif
}

static void
script_refuses_what_it_does_not_know (void)
{
  static const char *const rows[][3] = { { "nope", NULL, "no pipeline" },
    { "file", NULL, "URI is needed" }, { "file", "FOO=1", "no variable FOO" },
    { "file", "URI=/no/such/file", "/no/such/file" },
    { "file", "stray", "stray" } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    int status;
    g_autofree char *err = NULL;
    g_autofree char *out =
        run_script (&status, &err, "--print", rows[i][0], rows[i][1], NULL);
    g_assert_false (g_spawn_check_wait_status (status, NULL));
    g_assert_nonnull (strstr (err, rows[i][2]));
    g_assert_cmpstr (out, ==, "");
  }
}

/* No value can break out of its quotes. */
static void
script_passes_any_value_unharmed (void)
{
  static const char *const values[] = { "/a b.onnx", "/a\"b", "/a\\b", "/a$b",
    "/a`b", "/a!b", "/a&|;<b", "/a'b", "/${URI}" };
  for (gsize i = 0; i < G_N_ELEMENTS (values); i++) {
    int status;
    g_autofree char *model = g_strdup_printf ("MODEL=%s", values[i]);
    g_autofree char *line =
        run_script (&status, NULL, "--print", "webcam", model, NULL);
    g_assert_true (g_spawn_check_wait_status (status, NULL));
    g_auto (GStrv) words = NULL;
    g_autoptr (GError) error = NULL;
    g_assert_true (g_shell_parse_argv (line, NULL, &words, &error));
    g_autofree char *want = g_strdup_printf ("model-file=%s", values[i]);
    g_assert_true (g_strv_contains ((const char *const *) words, want));
  }
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  make_clip ();
#define ADD(test) g_test_add_func ("/recipes/" #test, test)
  ADD (every_recipe_is_tested);
  ADD (every_recipe_parses_as_it_stands);
  ADD (every_recipe_runs);
  ADD (json_lines_are_json);
  ADD (script_refuses_what_it_does_not_know);
  ADD (script_passes_any_value_unharmed);
  int status = fixture_run ();
  g_unlink (clip);
  g_rmdir (folder);
  g_free (clip);
  g_free (folder);
  return status;
}
