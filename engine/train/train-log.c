/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The training log: one JSON object a line, one line an epoch, appended, so
 * that a resumed run goes on in the same file. Numbers are written with
 * enough digits to be read back as the same doubles, and in the C locale. */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include <glib/gstdio.h>

#include "train/trainer.h"

static void
add_number (GString *line, const char *name, double value)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  g_string_append_printf (line, ", \"%s\": %s", name,
      isfinite (value) ? g_ascii_dtostr (text, sizeof text, value) : "null");
}

gboolean
forge_train_log_append (const char *path, const ForgeTrainProgress *progress,
    double seconds, GError **error)
{
  g_autoptr (GString) line = g_string_new (NULL);
  g_string_printf (line, "{\"epoch\": %u, \"epochs\": %u", progress->epoch,
      progress->epochs);
  add_number (line, "loss", progress->loss);
  add_number (line, "accuracy", progress->accuracy);
  add_number (line, "val_loss", progress->val_loss);
  add_number (line, "val_accuracy", progress->val_accuracy);
  add_number (line, "learning_rate", progress->learning_rate);
  add_number (line, "data_wait", progress->data_wait);
  g_string_append_printf (line, ", \"images\": %u, \"left_out\": %u",
      progress->n_images, progress->n_left_out);
  g_string_append_printf (line,
      ", \"images_per_s\": %.0f, \"seconds\": %.0f, \"n_skipped\": %u"
      ", \"best\": %s}\n",
      progress->images_per_s, seconds, progress->n_skipped,
      progress->best ? "true" : "false");
  FILE *file = g_fopen (path, "a");
  gboolean written =
      file && fwrite (line->str, 1, line->len, file) == line->len;
  if (file && fclose (file) != 0)
    written = FALSE;
  if (!written)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO, "log %s: %s", path,
        g_strerror (errno));
  return written;
}
