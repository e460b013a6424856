/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as a training checkpoint of a run with two small parameters. The
 * checksum at its end is put right, since no fuzzer would guess it; a first
 * byte of 'r' leaves the file as it is. A refusal must change nothing. */
#include <glib/gstdio.h>
#include <string.h>

#include "fuzz.h"
#include "tensor/tensor.h"
#include "train/trainer.h"

#define N_SLOTS 2
#define N_VALUES 3
#define N_ARRAYS 5

/* The second slot is without best value, average and slow weights. */
typedef struct {
  ForgeTrainer trainer;
  ForgeTensor *values[N_SLOTS];
  ForgeSlot slots[N_SLOTS];
  float arrays[N_SLOTS][N_ARRAYS][N_VALUES];
} Run;

static void
run_init (Run *run)
{
  ForgeShape shape = forge_shape (1, N_VALUES);
  *run = (Run) { 0 };
  run->trainer.settings = (char *) "{}";
  run->trainer.n_slots = N_SLOTS;
  run->trainer.slots = run->slots;
  for (int i = 0; i < N_SLOTS; i++) {
    float (*arrays)[N_VALUES] = run->arrays[i];
    run->values[i] = forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
    run->slots[i] = (ForgeSlot) { .value = run->values[i],
      .n = N_VALUES,
      .m = arrays[0],
      .v = arrays[1],
      .best = i == 0 ? arrays[2] : NULL,
      .average = i == 0 ? arrays[3] : NULL,
      .slow = i == 0 ? arrays[4] : NULL };
  }
}

static void
run_clear (Run *run)
{
  for (int i = 0; i < N_SLOTS; i++)
    forge_tensor_unref (run->values[i]);
}

static gboolean
is_untouched (const Run *run)
{
  static const float zeros[N_SLOTS * N_ARRAYS * N_VALUES];
  for (int i = 0; i < N_SLOTS; i++)
    if (memcmp (run->values[i]->data, zeros, N_VALUES * sizeof (float)) != 0)
      return FALSE;
  return memcmp (run->arrays, zeros, sizeof zeros) == 0 &&
         run->trainer.state.epoch == 0 && run->trainer.state.step == 0;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  static char *path;
  if (!path) {
    g_autofree char *folder = g_dir_make_tmp ("forge-fuzz-XXXXXX", NULL);
    path = g_build_filename (folder, "checkpoint", NULL);
  }
  if (size_bytes == 0)
    return 0;
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  guint8 sum[32];
  gsize sum_bytes = sizeof sum;
  g_checksum_update (checksum, data + 1, (gssize) size_bytes - 1);
  g_checksum_get_digest (checksum, sum, &sum_bytes);
  FILE *file = g_fopen (path, "wb");
  g_assert_nonnull (file);
  fwrite (data + 1, 1, size_bytes - 1, file);
  if (data[0] != 'r')
    fwrite (sum, 1, sizeof sum, file);
  fclose (file);
  Run run;
  run_init (&run);
  g_autoptr (GError) error = NULL;
  gboolean ok = forge_checkpoint_read (&run.trainer, path, &error);
  g_assert_true (ok == !error);
  g_assert_true (ok || is_untouched (&run));
  g_assert_true (ok || g_utf8_validate (error->message, -1, NULL));
  run_clear (&run);
  return 0;
}
