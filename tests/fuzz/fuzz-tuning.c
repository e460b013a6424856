/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any text as the file of what was tuned. A header that fits this machine
 * stands before it when its first byte is 'h', or nothing would be read on. */
#include <glib/gstdio.h>

#include "base/cpu.h"
#include "forge/version.h"
#include "fuzz.h"
#include "ops/tuning.h"

static char *
text_of (const uint8_t *data, size_t size_bytes)
{
  g_autofree char *rest = g_strndup ((const char *) data + 1, size_bytes - 1);
  if (data[0] != 'h')
    return g_steal_pointer (&rest);
  g_autofree char *cpu = forge_cpu_model_name ();
  return g_strdup_printf ("{ \"cpu\": \"%s\", \"tier\": \"%s\", \"version\": "
                          "\"%s\", %s }",
      cpu, forge_cpu_tier (), FORGE_VERSION, rest);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  static char *path;
  if (size_bytes == 0)
    return 0;
  if (!path) {
    g_autofree char *folder = g_dir_make_tmp ("forge-fuzz-XXXXXX", NULL);
    path = g_build_filename (folder, "tuning.json", NULL);
    g_setenv ("FORGE_TUNING", path, TRUE);
    /* it warns of files that it cannot read */
    g_log_set_always_fatal (G_LOG_FATAL_MASK);
  }
  g_autofree char *text = text_of (data, size_bytes);
  g_autoptr (GError) error = NULL;
  g_assert_true (g_file_set_contents (path, text, -1, &error));
  forge_tuning_reload ();
  const char *found = forge_tuning_find ("c64 56x56 o64 56x56 pad 1,1");
  g_assert_true (!found || g_str_has_prefix (found, "winograd") ||
                 g_str_equal (found, "igemm"));
  g_autoptr (GHashTable) more = g_hash_table_new (g_str_hash, g_str_equal);
  g_hash_table_insert (more, (gpointer) "c1", (gpointer) "igemm");
  g_assert_true (forge_tuning_save (more, &error));
  return 0;
}
