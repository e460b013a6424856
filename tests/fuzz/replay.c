/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A fuzz target as a test of a few seconds, without a fuzzer: every file of
 * the corpus as it is, cut short and with bytes changed. What the long runs
 * find is added to the corpus. */
#include <string.h>

#include <glib.h>

#include "base/rng.h"
#include "fuzz.h"

#define N_CUTS 64
#define N_MUTATIONS 256
#define SEED 1

/* In a block of its own, so that ASan sees a read behind the end. */
static void
run_copy (const uint8_t *bytes, gsize size_bytes)
{
  g_autofree uint8_t *copy = g_memdup2 (bytes, size_bytes);
  LLVMFuzzerTestOneInput (copy, size_bytes);
}

static void
mutate (ForgeRng *rng, uint8_t *bytes, gsize size_bytes)
{
  static const uint8_t extremes[] = { 0, 1, 0x7f, 0x80, 0xff };
  for (uint32_t n = 1 + forge_rng_below (rng, 8); n > 0; n--) {
    uint8_t *at = &bytes[forge_rng_below (rng, (uint32_t) size_bytes)];
    switch (forge_rng_below (rng, 3)) {
    case 0:
      *at ^= (uint8_t) (1u << forge_rng_below (rng, 8));
      break;
    case 1:
      *at = extremes[forge_rng_below (rng, sizeof extremes)];
      break;
    default:
      *at = (uint8_t) forge_rng_below (rng, 256);
    }
  }
}

static void
replay_file (gconstpointer path)
{
  g_autofree char *contents = NULL;
  gsize size_bytes = 0;
  g_autoptr (GError) error = NULL;
  g_file_get_contents (path, &contents, &size_bytes, &error);
  g_assert_no_error (error);
  const uint8_t *bytes = (const uint8_t *) contents;
  run_copy (bytes, size_bytes);
  for (gsize cut = 0; cut < N_CUTS; cut++)
    run_copy (bytes, size_bytes * cut / N_CUTS);

  g_test_message ("seed %d", SEED);
  ForgeRng rng;
  forge_rng_seed (&rng, SEED);
  for (int i = 0; i < N_MUTATIONS && size_bytes > 0; i++) {
    g_autofree uint8_t *changed = g_memdup2 (bytes, size_bytes);
    mutate (&rng, changed, size_bytes);
    run_copy (changed, size_bytes);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  if (argc != 2)
    g_error ("expected the folder of a corpus");
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) folder = g_dir_open (argv[1], 0, &error);
  if (!folder)
    g_error ("%s", error->message);
  const char *name;
  while ((name = g_dir_read_name (folder))) {
    g_autofree char *test = g_strconcat ("/replay/", name, NULL);
    g_test_add_data_func_full (
        test, g_build_filename (argv[1], name, NULL), replay_file, g_free);
  }
  return g_test_run ();
}
