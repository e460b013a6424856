/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TensorFlow Lite itself against our reader: real integer models on many
 * pictures, all bytes of all outputs equal to those of its reference kernels.
 * $FORGE_TFLITE_JUDGE is the command that runs the judge (make-tflite-judge);
 * without it, the models or the pictures the cases are skipped. */
#include <gio/gio.h>
#include <string.h>

#include "compare.h"
#include "forge/dataset.h"
#include "forge/image.h"
#include "run/model.h"
#include "tensor/tensor.h"

/* Pictures a model; $FORGE_ACCURACY_PICTURES asks for more or fewer. */
#define PICTURES 20

typedef struct {
  const char *file;
  int zero;           /* what a picture's byte is less in the file's input */
  gboolean is_signed; /* the bytes of the output */
} Case;

/* Pictures one after another, as bytes of the model's input. */
static GByteArray *
collect_pictures (const ForgeModel *model, guint most)
{
  const ForgePreprocess *want = forge_model_get_preprocess (model);
  g_autoptr (ForgeImager) imager = forge_imager_new (want);
  GByteArray *all = g_byte_array_new ();
  g_autofree char *folder = find_data ("images/imagenet");
  g_autoptr (GDir) dir = folder ? g_dir_open (folder, 0, NULL) : NULL;
  const char *name;
  for (guint n = 0; n < most && dir && (name = g_dir_read_name (dir));) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgePicture) picture = forge_picture_load (path, &error);
    g_assert_no_error (error);
    ForgeFrame frame = forge_picture_frame (picture);
    guint before = all->len;
    g_byte_array_set_size (
        all, before + (guint) (want->width * want->height * want->channels));
    forge_imager_convert (imager, &frame, all->data + before, &error);
    g_assert_no_error (error);
    n++;
  }
  return all;
}

static GBytes *
ask_judge (const char *command, const char *model_path, const uint8_t *input,
    gsize n_bytes)
{
  g_auto (GStrv) argv = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *model = NULL;
  gsize model_bytes;
  g_assert_true (g_shell_parse_argv (command, NULL, &argv, NULL));
  g_assert_true (g_file_get_contents (model_path, &model, &model_bytes, NULL));
  g_autoptr (GSubprocess) judge = g_subprocess_newv ((const char *const *) argv,
      G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE |
          G_SUBPROCESS_FLAGS_STDERR_SILENCE,
      &error);
  g_assert_no_error (error);
  guint64 size = GUINT64_TO_LE (model_bytes);
  g_autoptr (GByteArray) all = g_byte_array_new ();
  g_byte_array_append (all, (const guint8 *) &size, sizeof size);
  g_byte_array_append (all, (const guint8 *) model, (guint) model_bytes);
  g_byte_array_append (all, input, (guint) n_bytes);
  g_autoptr (GBytes) in = g_byte_array_free_to_bytes (g_steal_pointer (&all));
  GBytes *out = NULL;
  g_subprocess_communicate (judge, in, NULL, &out, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_subprocess_get_exit_status (judge), ==, 0);
  return out;
}

/* The float32 that a byte of the last quantisation stands for. */
static float
value_of (const ForgeModel *model, uint8_t byte, gboolean is_signed)
{
  const ForgeValue *out = forge_model_get_graph (model)->outputs->pdata[0];
  const ForgeNode *node = out->producer;
  const float *scale = forge_node_in (node, 1)->constant->data;
  const uint8_t *zero = forge_node_in (node, 2)->constant->data;
  int q = is_signed ? (int8_t) byte - (int8_t) *zero : byte - *zero;
  return (float) q * *scale;
}

static void
every_byte_is_the_runtimes (gconstpointer user_data)
{
  const Case *row = user_data;
  const char *command = g_getenv ("FORGE_TFLITE_JUDGE");
  const char *wanted = g_getenv ("FORGE_ACCURACY_PICTURES");
  g_autofree char *path = command ? find_data (row->file) : NULL;
  g_autoptr (GError) error = NULL;
  if (!path) {
    g_test_skip ("no FORGE_TFLITE_JUDGE, or no shared model");
    return;
  }
  guint most = wanted ? (guint) g_ascii_strtoull (wanted, NULL, 10) : PICTURES;
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  g_assert_no_error (error);
  g_autoptr (GByteArray) pictures = collect_pictures (model, most);
  ForgeSessionParams params = { .threads = 0, .batch = 1 };
  g_autoptr (ForgeSession) session = forge_session_new (model, &params, &error);
  g_assert_no_error (error);
  ForgeTensor *in = forge_session_get_input (session, 0);
  const ForgeTensor *out = forge_session_get_output (session, 0);
  gsize n_pictures = pictures->len / in->size_bytes;
  if (n_pictures == 0)
    return;
  g_autofree uint8_t *theirs_in = g_memdup2 (pictures->data, pictures->len);
  for (guint i = 0; i < pictures->len; i++)
    theirs_in[i] = (uint8_t) (theirs_in[i] - row->zero);
  g_autoptr (GBytes) judged =
      ask_judge (command, path, theirs_in, pictures->len);
  gsize n_bytes;
  const uint8_t *want = g_bytes_get_data (judged, &n_bytes);
  gsize n_scores = (gsize) forge_tensor_get_count (out);
  g_assert_cmpuint (n_bytes, ==, n_pictures * n_scores);
  for (gsize n = 0; n < n_pictures; n++) {
    memcpy (in->data, pictures->data + n * in->size_bytes, in->size_bytes);
    forge_session_run (session);
    for (gsize k = 0; k < n_scores; k++)
      g_assert_cmpfloat (((const float *) out->data)[k], ==,
          value_of (model, want[n * n_scores + k], row->is_signed));
  }
  g_test_message ("%s: %" G_GSIZE_FORMAT " pictures, %" G_GSIZE_FORMAT
                  " scores, all equal",
      row->file, n_pictures, n_bytes);
}

int
main (int argc, char **argv)
{
  static const Case rows[] = {
    { "tflite/mlperf_resnet8_cifar10_int8.tflite", 128, TRUE },
    { "tflite/mobilenet_v1_0.25_128_quant.tflite", 0, FALSE },
    { "tflite/mobilenet_v1_1.0_224_quant.tflite", 0, FALSE },
    { "tflite/mobilenet_v2_1.0_224_quant.tflite", 0, FALSE },
    { "tflite/tf2_mobilenet_v2_1.0_224_ptq.tflite", 0, FALSE },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *name = g_strconcat (
        "/tflite-runtime/every_byte_is_the_runtimes/", rows[i].file, NULL);
    g_test_add_data_func (name, &rows[i], every_byte_is_the_runtimes);
  }
  return g_test_run ();
}
