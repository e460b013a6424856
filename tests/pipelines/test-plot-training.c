/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Training curves from a log: any log that a training may leave is drawn, and
 * what is none is refused by line. */
#include <string.h>

#include "command-run.h"
#include "forge/error.h"
#include "forge/image.h"
#include "plot-training.h"

#define LINE(epoch, loss, val_loss)                       \
  "{\"epoch\": " epoch ", \"epochs\": 3, \"loss\": " loss \
  ", \"accuracy\": 0.5, \"val_loss\": " val_loss          \
  ", \"val_accuracy\": 0.4, \"learning_rate\": 0.001, \"best\": true}\n"

/* Pixels that are much more blue than red: the validation curve. */
static guint
draw (const char *log)
{
  g_autoptr (GError) error = NULL;
  g_assert_true (g_file_set_contents ("log.jsonl", log, -1, NULL));
  plot_training_write ("log.jsonl", "curves.png", NULL, &error);
  g_assert_no_error (error);
  g_autoptr (ForgePicture) picture = forge_picture_load ("curves.png", &error);
  g_assert_no_error (error);
  guint n_blue = 0;
  for (int i = 0; i < picture->width * picture->height; i++)
    n_blue += picture->data[3 * i + 2] > picture->data[3 * i] + 80;
  return n_blue;
}

static void
logs_become_curves (void)
{
  guint three = draw (
      LINE ("1", "2.0", "2.1") LINE ("2", "1.0", "1.2") LINE ("3", "0.5", "1"));
  g_assert_cmpuint (three, >, 300);
  /* a resumed run: epoch 3 is drawn once, as it was last */
  guint resumed = draw (LINE ("1", "2.0", "2.1") LINE ("2", "1.0", "1.2")
          LINE ("3", "9", "9") LINE ("3", "0.5", "1"));
  g_assert_cmpuint (resumed, ==, three);
  g_assert_cmpuint (draw (LINE ("1", "2.0", "2.1")), >, 10);
  g_assert_cmpuint (
      draw (LINE ("1", "2.0", "null") "\n" LINE ("2", "null", "1.2")), >, 10);
}

static void
what_is_no_log_is_refused (void)
{
  static const struct {
    const char *log, *word;
  } rows[] = { { "", "no epoch" }, { "\n\n", "no epoch" },
    { LINE ("1", "2", "2") "{\"epoch\": 2", "line 2" }, { "[1]\n", "line 1" },
    { "{\"epoch\": 0}\n", "line 1" }, { "{\"epoch\": \"1\"}\n", "line 1" },
    { "{}", "line 1" } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_true (g_file_set_contents ("log.jsonl", rows[i].log, -1, NULL));
    g_assert_false (
        plot_training_write ("log.jsonl", "curves.png", NULL, &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
    g_assert_nonnull (strstr (error->message, rows[i].word));
  }
  g_autoptr (GError) error = NULL;
  g_assert_false (plot_training_write ("absent", "curves.png", NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_true (
      g_file_set_contents ("log.jsonl", LINE ("1", "2", "2"), -1, NULL));
  g_assert_false (
      plot_training_write ("log.jsonl", "absent/x.png", NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_IO);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  command_enter_folder ();
#define ADD(name) g_test_add_func ("/plot-training/" #name, name)
  ADD (logs_become_curves);
  ADD (what_is_no_log_is_refused);
  int status = g_test_run ();
  command_leave_folder ();
  return status;
}
