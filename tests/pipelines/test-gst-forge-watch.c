/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge watch` as a person uses it: clips in, labels and alerts on the
 * terminal, an annotated clip and a picture on disk. The model tells red,
 * green and blue apart, so every answer is known. */
#include <glib/gstdio.h>
#include <png.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "command-run.h"
#include "fixture.h"

#define FRAMES 60
#define LONG_FRAMES 1800
/* The model is 77 % sure of this red in full light and 58 % in little. */
#define PALE "solid-color foreground-color=0xff643c3c"

static void
run_to_the_end (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_nonnull (message);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;
    g_autofree char *debug = NULL;
    gst_message_parse_error (message, &error, &debug);
    g_error (
        "%s: %s (%s)", GST_MESSAGE_SRC_NAME (message), error->message, debug);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
}

static void run_line (const char *format, ...) G_GNUC_PRINTF (1, 2);

static void
run_line (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *line = g_strdup_vprintf (format, args);
  va_end (args);
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);
  g_assert_no_error (error);
  run_to_the_end (pipeline);
  gst_object_unref (pipeline);
}

static void
make_clips (void)
{
  static const char clip[] = "webmmux name=mux ! filesink location=\"%s\" "
                             "videotestsrc num-buffers=%d pattern=%s ! "
                             "video/x-raw,width=64,height=48,framerate=30/1 ! "
                             "vp8enc deadline=1 cpu-used=16 ! mux. "
                             "audiotestsrc num-buffers=%d ! vorbisenc ! mux.";
  run_line (clip, "red #1 \303\244.webm", FRAMES, "red", 20);
  run_line (clip, "blue.webm", FRAMES, "blue", 20);
  run_line (clip, "pale.webm", FRAMES, PALE, 20);
  run_line (clip, "long.webm", LONG_FRAMES, "red", 20);
  run_line (
      "audiotestsrc num-buffers=20 ! wavenc ! filesink location=sound.wav");
  run_line ("audiotestsrc num-buffers=20 ! vorbisenc ! webmmux ! filesink "
            "location=sound.webm");
  g_assert_true (g_file_set_contents ("text.webm", "no video\n", -1, NULL));
  g_assert_true (g_file_set_contents ("empty.webm", "", 0, NULL));
}

static guint
count (const char *text, const char *what)
{
  guint n = 0;
  for (; (text = strstr (text, what)); text += strlen (what))
    n++;
  return n;
}

typedef struct {
  guint n_frames;
  guint8 corner[3], opposite[3]; /* red, green, blue of the first frame */
} Clip;

static void
look (GstElement *sink, GstBuffer *buffer, GstPad *pad, Clip *clip)
{
  GstVideoInfo info;
  GstVideoFrame frame;
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  if (clip->n_frames++ > 0)
    return;
  g_assert_true (gst_video_info_from_caps (&info, caps));
  g_assert_true (gst_video_frame_map (&frame, &info, buffer, GST_MAP_READ));
  const guint8 *pixels = GST_VIDEO_FRAME_PLANE_DATA (&frame, 0);
  int stride_bytes = GST_VIDEO_FRAME_PLANE_STRIDE (&frame, 0);
  memcpy (clip->corner, pixels + 6 * stride_bytes + 6 * 3, 3);
  memcpy (clip->opposite,
      pixels + (info.height - 6) * stride_bytes + (info.width - 6) * 3, 3);
  gst_video_frame_unmap (&frame);
}

static void
read_clip (const char *path, Clip *clip)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *line = g_strdup_printf (
      "filesrc location=%s ! matroskademux ! vp8dec ! videoconvert ! "
      "video/x-raw,format=RGB ! fakesink name=s signal-handoffs=true",
      path);
  *clip = (Clip) { 0 };
  GstElement *pipeline = gst_parse_launch (line, &error);
  g_assert_no_error (error);
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "s");
  g_signal_connect (sink, "handoff", G_CALLBACK (look), clip);
  run_to_the_end (pipeline);
  gst_object_unref (pipeline);
}

/* The box is darker than the red around it, and there is white text in it. */
static void
assert_picture_has_a_label (const char *path, guint width, guint height)
{
  png_image image = { .version = PNG_IMAGE_VERSION };
  g_assert_true (png_image_begin_read_from_file (&image, path));
  image.format = PNG_FORMAT_RGB;
  g_assert_cmpuint (image.width, ==, width);
  g_assert_cmpuint (image.height, ==, height);
  g_autofree guint8 *pixels = g_malloc (PNG_IMAGE_SIZE (image));
  g_assert_true (png_image_finish_read (&image, NULL, pixels, 0, NULL));
  const guint8 *last = pixels + (width * height - 1) * 3;
  g_assert_cmpuint (last[0], >, 200);
  guint n_dark = 0, n_white = 0;
  for (guint y = 4; y < 20; y++)
    for (guint x = 4; x < 60; x++) {
      const guint8 *pixel = pixels + (y * width + x) * 3;
      n_dark += pixel[0] < 130;
      n_white += pixel[0] > 150 && pixel[1] > 120;
    }
  g_assert_cmpuint (n_dark, >, 100);
  g_assert_cmpuint (n_white, >, 10);
}

static void
clip_and_picture_are_annotated (void)
{
  Clip clip;
  g_auto (CommandResult) result = command_run (
      "watch 'red #1 \303\244.webm' --model %s --width 160 --height 120 "
      "--out-video out.webm --out-picture out.png",
      fixture_model ());
  command_assert_status (&result, 0);
  g_assert_cmpstr (result.err, ==, "");
  g_assert_nonnull (strstr (result.out, "0:00:00.000  red          100 %\n"));
  g_assert_nonnull (strstr (result.out, "1 label changes, drift alerts: 0\n"));
  g_assert_nonnull (strstr (result.out, "annotated clip:    out.webm\n"));
  g_assert_nonnull (strstr (result.out, "annotated picture: out.png\n"));
  read_clip ("out.webm", &clip);
  /* videorate may add or drop one at the end */
  g_assert_cmpuint (clip.n_frames, >=, FRAMES - 1);
  g_assert_cmpuint (clip.n_frames, <=, FRAMES + 1);
  g_assert_cmpuint (clip.opposite[0], >, 200);
  g_assert_cmpuint (clip.corner[0], <, 130);
  assert_picture_has_a_label ("out.png", 160, 120);
}

static void
clips_are_played_one_after_the_other (void)
{
  Clip clip;
  g_auto (CommandResult) result = command_run (
      "watch 'red #1 \303\244.webm' blue.webm 'red #1 \303\244.webm' "
      "--model %s --width 64 --height 48 --out-video out.webm",
      fixture_model ());
  command_assert_status (&result, 0);
  const char *first = strstr (result.out, "0:00:00.000  red ");
  const char *second = strstr (result.out, "  blue ");
  g_assert_nonnull (first);
  g_assert_nonnull (second);
  g_assert_nonnull (strstr (second, "  red "));
  g_assert_cmpuint (count (result.out, "100 %"), ==, 3);
  read_clip ("out.webm", &clip);
  g_assert_cmpuint (clip.n_frames, >=, 3 * FRAMES - 3);
  g_assert_cmpuint (clip.n_frames, <=, 3 * FRAMES + 3);
}

static void
turning_the_light_down_raises_one_alert (void)
{
  static const struct {
    const char *options;
    guint n_alerts;
  } rows[] = { { "", 0 }, { "--darken-after 1", 1 },
    { "--darken-after 1 --drift-threshold 0.1", 0 },
    { "--darken-after 1 --drift-window 0", 0 }, { "--darken-after 100", 0 } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) result =
        command_run ("watch pale.webm --model %s --width 64 --height 48 "
                     "--drift-window 15 %s",
            fixture_model (), rows[i].options);
    command_assert_status (&result, 0);
    g_assert_cmpuint (count (result.out, "DRIFT ALERT: mean confidence 0."), ==,
        rows[i].n_alerts);
    g_autofree char *summary = g_strdup_printf (
        " label changes, drift alerts: %u\n", rows[i].n_alerts);
    g_assert_nonnull (strstr (result.out, summary));
    const char *alert = strstr (result.out, "DRIFT ALERT");
    /* Not before the light went down, and at most one window later. */
    if (alert)
      g_assert_true (
          g_str_has_prefix (alert - strlen ("0:00:01.xxx  "), "0:00:01."));
  }
}

/* The first row of each kind of trouble; the message names it and why. */
static void
trouble_is_named_and_nothing_hangs (void)
{
  static const struct {
    const char *arguments;
    int status;
    const char *names, *reason;
  } rows[] = {
    { "missing.webm", 3, "missing.webm: ", "not found" },
    { "foo://bar/baz", 3, "foo://bar/baz: ", "\"foo\"" },
    { "sound.wav", 3, "sound.wav: ", "there is no video in it" },
    { "sound.webm", 3, "sound.webm: ", "there is no video in it" },
    { "text.webm", 3, "text.webm: ", "" },
    { "empty.webm", 3, "empty.webm: ", "" },
    { ".", 3, ".: ", "directory" },
    { "/dev/video-none", 3, "/dev/video-none: ", "" },
    { "blue.webm missing.webm", 3, "missing.webm: ", "not found" },
    { "blue.webm --model missing.onnx", 3, "missing.onnx", "" },
    { "blue.webm --model text.webm", 3, "text.webm", "" },
    { "blue.webm --out-video no/such.webm", 3, "no/such.webm", "" },
    { "blue.webm --out-picture no/such.png", 3, "no/such.png", "" },
    { "", 2, "watch --help", "missing" },
    { "blue.webm --width 4", 2, "--width", "between" },
    { "blue.webm --height 20000", 2, "--height", "between" },
    { "blue.webm --seconds nan", 2, "--seconds", "between" },
    { "blue.webm --drift-threshold 2", 2, "--drift-threshold", "between" },
    { "blue.webm --drift-window -5", 2, "--drift-window", "between" },
    { "blue.webm --darken-after -3", 2, "--darken-after", "between" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_test_message ("watch %s", rows[i].arguments);
    g_auto (CommandResult) result =
        command_run ("watch --width 64 --height 48 --model %s %s",
            fixture_model (), rows[i].arguments);
    g_test_message ("%s", result.err);
    command_assert_status (&result, rows[i].status);
    g_assert_nonnull (strstr (result.err, rows[i].names));
    g_assert_nonnull (strstr (result.err, rows[i].reason));
    /* One cause, not its wake. */
    g_assert_cmpuint (count (result.err, "gst-forge: "), ==, 1);
    g_assert_null (strstr (result.out, "annotated"));
  }
}

static void
time_limit_ends_a_long_stream (void)
{
  Clip clip;
  g_auto (CommandResult) result = command_run (
      "watch long.webm --model %s --width 320 --height 240 --seconds 0.5 "
      "--out-video out.webm",
      fixture_model ());
  command_assert_status (&result, 0);
  read_clip ("out.webm", &clip);
  g_assert_cmpuint (clip.n_frames, >, 0);
  g_assert_cmpuint (clip.n_frames, <, LONG_FRAMES);
}

static void
interrupt_leaves_a_whole_clip (gconstpointer signal_number)
{
  Clip clip;
  GPid pid;
  int out, wait_status;
  g_autoptr (GError) error = NULL;
  const char *argv[] = { command_program (), "watch", "long.webm", "--model",
    fixture_model (), "--width", "320", "--height", "240", "--out-video",
    "out.webm", "--out-picture", "out.png", NULL };
  g_spawn_async_with_pipes (NULL, (char **) argv, NULL,
      G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL, &out, NULL, &error);
  g_assert_no_error (error);
  GIOChannel *channel = g_io_channel_unix_new (out);
  g_autofree char *first = NULL;
  g_autofree char *rest = NULL;
  g_io_channel_set_close_on_unref (channel, TRUE);
  g_io_channel_read_line (channel, &first, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (first, "red"));
  g_assert_cmpint (kill (pid, GPOINTER_TO_INT (signal_number)), ==, 0);
  g_io_channel_read_to_end (channel, &rest, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (waitpid (pid, &wait_status, 0), ==, pid);
  g_assert_true (WIFEXITED (wait_status));
  g_assert_cmpint (WEXITSTATUS (wait_status), ==, 0);
  g_assert_nonnull (strstr (rest, "annotated clip:    out.webm"));
  g_io_channel_unref (channel);
  read_clip ("out.webm", &clip);
  g_assert_cmpuint (clip.n_frames, >, 0);
  g_assert_cmpuint (clip.n_frames, <, LONG_FRAMES);
  assert_picture_has_a_label ("out.png", 320, 240);
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  command_enter_folder ();
  make_clips ();
#define ADD(test) g_test_add_func ("/watch/" #test, test)
  ADD (clip_and_picture_are_annotated);
  ADD (clips_are_played_one_after_the_other);
  ADD (turning_the_light_down_raises_one_alert);
  ADD (trouble_is_named_and_nothing_hangs);
  ADD (time_limit_ends_a_long_stream);
  g_test_add_data_func ("/watch/interrupt_leaves_a_whole_clip",
      GINT_TO_POINTER (SIGINT), interrupt_leaves_a_whole_clip);
  g_test_add_data_func ("/watch/termination_leaves_a_whole_clip",
      GINT_TO_POINTER (SIGTERM), interrupt_leaves_a_whole_clip);
  int status = fixture_run ();
  command_leave_folder ();
  return status;
}
