/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gst-forge data: the report, the exit status, the contact sheet; and videos,
 * which GStreamer's encoders make here and its decoders take apart. */
#include <glib/gstdio.h>
#include <gst/gst.h>
#include <string.h>

#include "command-run.h"
#include "forge/image.h"

/* Runs a pipeline to its end. */
static void
run_pipeline (const char *text)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (text, &error);
  g_assert_no_error (error);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_EOS);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

static void
make_folder (const char *path)
{
  g_assert_cmpint (g_mkdir_with_parents (path, 0700), ==, 0);
}

/* @n pictures or frames that change from one to the next. */
static void
make_pictures (const char *folder, const char *pattern, guint n)
{
  make_folder (folder);
  g_autofree char *text = g_strdup_printf (
      "videotestsrc pattern=%s horizontal-speed=3 num-buffers=%u !"
      " video/x-raw,format=RGB,width=48,height=32 ! pngenc compression-level=1 "
      "!"
      " multifilesink location=%s/%%03d.png",
      pattern, n, folder);
  run_pipeline (text);
}

static void
make_video (const char *path, const char *pattern, guint n, const char *encoder)
{
  g_autofree char *folder = g_path_get_dirname (path);
  make_folder (folder);
  g_autofree char *text = g_strdup_printf (
      "videotestsrc pattern=%s horizontal-speed=2 num-buffers=%u !"
      " video/x-raw,format=I420,width=64,height=48,framerate=10/1 ! %s !"
      " filesink location=%s",
      pattern, n, encoder, path);
  run_pipeline (text);
}

static JsonObject *
find (JsonObject *root, const char *kind)
{
  JsonArray *findings = json_object_get_array_member (root, "findings");
  for (guint i = 0; i < json_array_get_length (findings); i++) {
    JsonObject *finding = json_array_get_object_element (findings, i);
    if (!g_strcmp0 (json_object_get_string_member (finding, "kind"), kind))
      return finding;
  }
  return NULL;
}

static void
clean_data_exits_with_0 (void)
{
  make_pictures ("clean/bars", "smpte", 12);
  make_pictures ("clean/ball", "circular", 12);
  g_auto (CommandResult) result =
      command_run ("data clean --json - --contact-sheet sheet.png"
                   " --per-class 4 --seed 3");
  command_assert_status (&result, 0);
  g_assert_nonnull (strstr (result.err, "warning: few-pictures"));
  g_assert_nonnull (strstr (result.err, "labels of train: too few"));
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  static const char *const names[] = { "data", "seed", "n_items",
    "n_unreadable", "n_grey", "labels", "parts", "sizes", "modes", "brightness",
    "mean", "std", "findings", "seconds" };
  command_assert_members (root, names, G_N_ELEMENTS (names));
  g_assert_cmpint (json_object_get_int_member (root, "n_items"), ==, 24);
  JsonObject *parts = json_object_get_object_member (root, "parts");
  static const char *const part_names[] = { "train", "validation", "test" };
  static const int expected[] = { 10, 1, 1 };
  for (guint s = 0; s < 3; s++) {
    JsonObject *counts = json_object_get_object_member (
        json_object_get_object_member (parts, part_names[s]), "counts");
    g_assert_cmpint (
        json_object_get_int_member (counts, "ball"), ==, expected[s]);
  }
  g_assert_cmpint (json_object_get_int_member (
                       json_object_get_object_member (root, "sizes"), "48x32"),
      ==, 24);
  /* Two rows of four cells, and white where there is nothing. */
  g_autoptr (GError) error = NULL;
  const char *path = "sheet.png";
  g_autoptr (ForgePicture) sheet = forge_picture_load (path, &error);
  g_assert_no_error (error);
  g_assert_cmpint (sheet->width, ==, 150 + 4 * 76);
  g_assert_cmpint (sheet->height, ==, 4 + 2 * 76);
  for (int row = 0; row < 2; row++)
    for (int cell = 0; cell < 4; cell++) {
      gsize x = 150 + (gsize) cell * 76, y = 4 + (gsize) row * 76;
      const uint8_t *bar = sheet->data + ((y + 2) * 454 + x + 36) * 3;
      g_assert_cmpuint (bar[0] + bar[1] + bar[2], ==, 3 * 255);
      gboolean painted = FALSE;
      for (gsize u = 0; u < 72; u++) {
        const uint8_t *p = sheet->data + ((y + 36) * 454 + x + u) * 3;
        painted = painted || p[0] + p[1] + p[2] < 600;
      }
      g_assert_true (painted);
    }
}

static void
errors_exit_with_1 (void)
{
  make_pictures ("bad/train/bars", "smpte", 8);
  make_pictures ("bad/train/ball", "circular", 8);
  make_pictures ("bad/val/ball", "circular", 2);
  const char *broken = "bad/train/ball/x.jpg";
  g_assert_true (g_file_set_contents (broken, "<html>", -1, NULL));
  g_auto (CommandResult) result =
      command_run ("data bad --json out.json --examples 1");
  command_assert_status (&result, 1);
  g_assert_nonnull (strstr (result.out, "error: unreadable (1): "));
  g_assert_nonnull (strstr (result.out, "x.jpg"));
  g_assert_nonnull (strstr (result.out, "error: leakage (2): pictures"));
  g_assert_nonnull (strstr (result.out, "... and 1 more"));
  const char *path = "out.json";
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "\"leakage\""));
}

static int
count_frames (const char *folder, const char *sampling)
{
  g_setenv ("FORGE_VIDEO_SAMPLING", sampling, TRUE);
  g_auto (CommandResult) result = command_run ("data %s --json -", folder);
  g_unsetenv ("FORGE_VIDEO_SAMPLING");
  if (result.status > 1)
    command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  g_assert_cmpint (json_object_get_int_member (root, "n_unreadable"), ==, 0);
  return (int) json_object_get_int_member (root, "n_items");
}

static void
frames_of_videos_are_sampled (void)
{
  make_video ("video/train/bars/1.avi", "smpte", 60, "jpegenc ! avimux");
  make_video (
      "video/train/ball/1.mkv", "circular", 40, "jpegenc ! matroskamux");
  make_video ("video/val/ball/2.MKV", "ball", 20,
      "vp8enc deadline=1 cpu-used=8 ! webmmux name=mux"
      " audiotestsrc num-buffers=40 ! vorbisenc ! mux. mux.");
  /* 6, 4 and 2 seconds. */
  g_assert_cmpint (count_frames ("video", ""), ==, 24);
  g_assert_cmpint (count_frames ("video", "1"), ==, 12);
  g_assert_cmpint (count_frames ("video", "1000"), ==, 120);
  /* Spread over the length. */
  g_assert_cmpint (count_frames ("video", "5,3"), ==, 9);
  g_auto (CommandResult) result = command_run ("data video --json -");
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  g_assert_cmpint (
      json_object_get_int_member (
          json_object_get_object_member (root, "modes"), "video frame"),
      ==, 24);
  g_assert_cmpint (json_object_get_int_member (
                       json_object_get_object_member (root, "sizes"), "64x48"),
      ==, 24);
  /* Many frames of few videos say nothing of the labels. */
  g_setenv ("FORGE_VIDEO_SAMPLING", "1000", TRUE);
  g_auto (CommandResult) all = command_run ("data video");
  g_unsetenv ("FORGE_VIDEO_SAMPLING");
  g_assert_null (strstr (all.out, "shuffled-labels"));
  g_assert_nonnull (strstr (all.out, "labels of train: too few"));
  /* Frames of one video are not held against each other. */
  g_assert_null (find (root, "near-duplicate"));
}

static void
broken_videos_are_named (void)
{
  make_video ("halves/train/bars/1.avi", "smpte", 60, "jpegenc ! avimux");
  make_video ("halves/train/ball/1.mkv", "ball", 20, "jpegenc ! matroskamux");
  make_folder ("halves/val/ball");
  const char *path = "halves/train/ball/1.mkv";
  g_autofree char *bytes = NULL;
  gsize size_bytes;
  g_assert_true (g_file_get_contents (path, &bytes, &size_bytes, NULL));
  const char *none = "halves/train/ball/none.mp4";
  const char *page = "halves/train/ball/page.webm";
  g_assert_true (g_file_set_contents (none, "", 0, NULL));
  g_assert_true (g_file_set_contents (page, "<html></html>", -1, NULL));
  g_auto (CommandResult) result = command_run ("data halves --json -");
  command_assert_status (&result, 1);
  g_assert_nonnull (strstr (result.err, "error: unreadable (2): "));
  g_assert_nonnull (strstr (result.err, "none.mp4"));
  g_assert_nonnull (strstr (result.err, "page.webm"));
  /* What lies before the cut is good. */
  g_assert_true (
      g_file_set_contents (path, bytes, (gssize) (size_bytes / 2), NULL));
  g_unlink (none);
  g_unlink (page);
  int n = count_frames ("halves", "1000");
  g_assert_cmpint (n, >, 60 + 4);
  g_assert_cmpint (n, <, 60 + 17);
}

/* What `train` and `evaluate` see of videos is what `data` saw. */
static void
videos_train_a_network (void)
{
  make_video ("clips/train/bars/1.avi", "smpte", 60, "jpegenc ! avimux");
  make_video ("clips/train/ball/1.avi", "circular", 60, "jpegenc ! avimux");
  make_video ("clips/val/bars/1.avi", "smpte75", 20, "jpegenc ! avimux");
  make_video ("clips/val/ball/1.avi", "circular", 20, "jpegenc ! avimux");
  g_auto (CommandResult) result =
      command_run ("train --data clips --out clips.onnx --epochs 2 --batch 8"
                   " --threads 1");
  command_assert_status (&result, 0);
  g_auto (CommandResult) evaluated =
      command_run ("evaluate clips.onnx --data clips --min-f1 0 --json -");
  command_assert_status (&evaluated, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&evaluated);
  g_assert_cmpint (
      json_object_get_int_member (command_json_root (parser), "n_items"), ==,
      8);
}

static void
wrong_usage_and_absent_data (void)
{
  make_folder ("pickle/cifar-10-batches-py");
  g_autofree char *pickle =
      g_strdup ("pickle/cifar-10-batches-py/data_batch_1");
  g_assert_true (g_file_set_contents (pickle, "\x80\x02}q", 4, NULL));
  static const struct {
    const char *line, *word;
    int status;
  } rows[] = {
    { "data", "DATA", 2 },
    { "data a b", "DATA", 2 },
    { "data clean --per-class 0", "--per-class", 2 },
    { "data clean --seed -1", "--seed", 2 },
    { "data absent", "absent", 3 },
    { "data imagenet:x", "unknown scheme", 3 },
    { "data cifar10:pickle/cifar-10-batches-py", "Python pickle", 3 },
    { "data cifar10:pickle", "Python pickle", 3 },
    { "data clean --contact-sheet absent/a.png", "absent/a.png", 3 },
  };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) result = command_run ("%s", rows[i].line);
    command_assert_status (&result, rows[i].status);
    if (!strstr (result.err, rows[i].word))
      g_error ("'%s' does not say '%s'", result.err, rows[i].word);
  }
  g_auto (CommandResult) help = command_run ("data --help");
  command_assert_status (&help, 0);
  g_assert_nonnull (strstr (help.out, "FORGE_VIDEO_SAMPLING"));
}

/* Bars, a ball, both names for some, none for others. */
static void
write_tags (void)
{
  make_pictures ("tags/bars", "smpte", 12);
  make_pictures ("tags/ball", "circular", 12);
  g_autoptr (GString) table = g_string_new ("file,labels\n");
  for (guint i = 0; i < 12; i++) {
    g_string_append_printf (
        table, "bars/%03u.png,%s\n", i, i % 3 ? "bars" : "bars;third");
    g_string_append_printf (table, "ball/%03u.png,%s\n", i,
        i % 6 == 0 ? ""
        : i % 3    ? "ball"
                   : "third;ball");
  }
  g_assert_true (g_file_set_contents ("tags/labels.csv", table->str, -1, NULL));
}

static void
labels_csv_goes_from_data_to_evaluate (void)
{
  write_tags ();
  g_auto (CommandResult) look =
      command_run ("data tags --json - --contact-sheet tags.png");
  command_assert_status (&look, 0);
  g_assert_nonnull (strstr (look.err, "multi-label: 1.17 classes a picture"));
  g_assert_null (strstr (look.err, "neighbours"));
  g_autoptr (JsonParser) parser = command_parse_json (&look);
  JsonObject *root = command_json_root (parser);
  g_assert_true (json_object_get_boolean_member (root, "multi_label"));
  g_assert_cmpint (json_object_get_int_member (root, "n_without_class"), ==, 2);
  g_assert_cmpint (json_object_get_int_member (root, "n_class_marks"), ==, 28);

  g_auto (CommandResult) softmax =
      command_run ("train --data tags --out tags.onnx --epochs 1");
  command_assert_status (&softmax, 3);
  g_assert_nonnull (strstr (softmax.err, "sigmoid"));
  g_auto (CommandResult) trained =
      command_run ("train --data tags --out tags.onnx --epochs 2 --batch 8"
                   " --loss sigmoid --json - --plots tag-plots");
  command_assert_status (&trained, 0);
  g_assert_nonnull (strstr (trained.err, "samples avg"));
  g_assert_true (g_file_test ("tag-plots/class-f1.png", G_FILE_TEST_EXISTS));
  g_auto (CommandResult) measured = command_run (
      "evaluate tags.onnx --data tags --split train --min-f1 0 --json -");
  command_assert_status (&measured, 0);
  g_autoptr (JsonParser) figures = command_parse_json (&measured);
  static const char *const names[] = { "ball", "bars", "third", "micro avg",
    "macro avg", "weighted avg", "samples avg", "accuracy", "hamming_loss",
    "multilabel_confusion_matrix", "per_class", "labels" };
  JsonObject *found = command_json_root (figures);
  command_assert_members (found, names, G_N_ELEMENTS (names));
  g_assert_false (json_object_has_member (found, "confusion_matrix"));
  g_assert_nonnull (strstr (measured.err, "subset accuracy"));
  g_auto (CommandResult) corrupted = command_run (
      "evaluate tags.onnx --data tags --split train --corruptions");
  command_assert_status (&corrupted, 3);
  g_assert_nonnull (strstr (corrupted.err, "one class a picture"));
  g_auto (CommandResult) top =
      command_run ("classify tags.onnx tags/bars/000.png");
  command_assert_status (&top, 0);
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
  command_enter_folder ();
#define ADD(name) g_test_add_func ("/gst-forge-data/" #name, name)
  ADD (clean_data_exits_with_0);
  ADD (errors_exit_with_1);
  ADD (frames_of_videos_are_sampled);
  ADD (broken_videos_are_named);
  ADD (videos_train_a_network);
  ADD (labels_csv_goes_from_data_to_evaluate);
  ADD (wrong_usage_and_absent_data);
  int status = g_test_run ();
  command_leave_folder ();
  return status;
}
