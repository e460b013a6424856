/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * FORGE_CPU is read once per process, so each row runs this program again as
 * a child that compares forge_kernels() with the tier the mask allows. */
#include <glib.h>
#include <string.h>

#include "base/cpu.h"
#include "kernels/kernels.h"
#include "kernels/variant.h"

/* What a mask leaves of the tiers this CPU has. */
static uint32_t
allowed (const char *mask)
{
  const char *const names[] = { "ref", "avx2", "avx512", "neon" };
  uint32_t flags = 0;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    flags |= forge_cpu_detect () & (1u << i);
    if (g_str_equal (names[i], mask))
      return flags;
  }
  return forge_cpu_detect ();
}

static int
run_child (const char *mask)
{
  ForgeKernels want;
  forge_kernels_select (allowed (mask), &want);
  return memcmp (&want, forge_kernels (), sizeof want) == 0 ? 0 : 1;
}

static void
dispatch_obeys_the_mask (gconstpointer data)
{
  const char *mask = data;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  char *argv[] = { self, "--child", (char *) mask, NULL };
  g_auto (GStrv) env =
      g_environ_setenv (g_get_environ (), "FORGE_CPU", mask, TRUE);
  int status = -1;
  g_autoptr (GError) error = NULL;
  g_spawn_sync (NULL, argv, env, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL,
      &status, &error);
  g_assert_no_error (error);
  g_assert_cmpint (status, ==, 0);
}

/* By function, so that a wrong table cannot agree with itself. */
static void
tiers_choose_their_own_functions (void)
{
  ForgeKernels kernels;
  forge_kernels_select (FORGE_CPU_REF, &kernels);
  g_assert_true (kernels.igemm_f32 == forge_igemm_f32_ref);
  g_assert_cmpuint (kernels.igemm_mr, ==, FORGE_IGEMM_MR_ref);
#if defined(__x86_64__)
  forge_kernels_select (FORGE_CPU_REF | FORGE_CPU_AVX2, &kernels);
  g_assert_true (kernels.igemm_f32 == forge_igemm_f32_avx2);
  g_assert_true (kernels.resize_v_u8 == forge_resize_v_u8_avx2);
  g_assert_cmpuint (kernels.igemm_nr, ==, FORGE_IGEMM_NR_avx2);
  forge_kernels_select (
      FORGE_CPU_REF | FORGE_CPU_AVX2 | FORGE_CPU_AVX512, &kernels);
  g_assert_true (kernels.igemm_f32 == forge_igemm_f32_avx512);
  g_assert_cmpuint (kernels.igemm_mr, ==, FORGE_IGEMM_MR_avx512);
#elif defined(__aarch64__)
  forge_kernels_select (FORGE_CPU_REF | FORGE_CPU_NEON, &kernels);
  g_assert_true (kernels.igemm_f32 == forge_igemm_f32_neon);
#endif
}

int
main (int argc, char **argv)
{
  if (argc == 3 && g_str_equal (argv[1], "--child"))
    return run_child (argv[2]);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/dispatch/tiers_choose_their_own_functions",
      tiers_choose_their_own_functions);
  const char *const masks[] = { "ref", "avx2", "avx512", "neon" };
  for (guint i = 0; i < G_N_ELEMENTS (masks); i++) {
    g_autofree char *path =
        g_strdup_printf ("/dispatch/obeys_the_mask/%s", masks[i]);
    g_test_add_data_func (path, masks[i], dispatch_obeys_the_mask);
  }
  return g_test_run ();
}
