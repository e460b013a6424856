/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The ground floor: pool, reader, random numbers, statistics. */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/json.h"
#include "base/pool.h"
#include "base/reader.h"
#include "base/rng.h"
#include "forge/error.h"
#include "forge/stats.h"

typedef struct {
  atomic_int hits[1000];
} Hits;

static void
hit (void *user_data, int task)
{
  Hits *hits = user_data;
  atomic_fetch_add (&hits->hits[task], 1);
}

static void
pool_runs_every_task_once (void)
{
  for (int threads = 1; threads <= 5; threads++) {
    static Hits hits;
    memset (&hits, 0, sizeof hits);
    forge_pool_run (threads, 1000, hit, &hits);
    for (int i = 0; i < 1000; i++)
      g_assert_cmpint (atomic_load (&hits.hits[i]), ==, 1);
  }
}

static void *
run_jobs (void *unused)
{
  for (int i = 0; i < 200; i++) {
    Hits *hits = g_new0 (Hits, 1);
    forge_pool_run (3, 17, hit, hits);
    for (int k = 0; k < 17; k++)
      g_assert_cmpint (atomic_load (&hits->hits[k]), ==, 1);
    g_free (hits);
  }
  return NULL;
}

static void
pool_serves_several_callers_at_once (void)
{
  GThread *threads[4];
  for (int i = 0; i < 4; i++)
    threads[i] = g_thread_new ("caller", run_jobs, NULL);
  for (int i = 0; i < 4; i++)
    g_thread_join (threads[i]);
}

typedef struct {
  Hits hits;
  atomic_int in_use[8];
  atomic_int n_done;
  int n_lanes;
} Lanes;

/* Whoever has task 0 leaves all others of its range to other threads. */
static void
use_lane (void *user_data, int task, int lane)
{
  Lanes *lanes = user_data;
  g_assert_cmpint (lane, <, lanes->n_lanes);
  g_assert_cmpint (atomic_fetch_add (&lanes->in_use[lane], 1), ==, 0);
  while (task == 0 && atomic_load (&lanes->n_done) < 999)
    g_thread_yield ();
  hit (&lanes->hits, task);
  atomic_fetch_add (&lanes->n_done, 1);
  g_assert_cmpint (atomic_fetch_sub (&lanes->in_use[lane], 1), ==, 1);
}

static void *
run_in_lanes (void *unused)
{
  for (int threads = 2; threads <= 8; threads++) {
    g_autofree Lanes *lanes = g_new0 (Lanes, 1);
    lanes->n_lanes = threads;
    forge_pool_run_lanes (threads, 1000, use_lane, lanes);
    for (int i = 0; i < 1000; i++)
      g_assert_cmpint (atomic_load (&lanes->hits.hits[i]), ==, 1);
  }
  return NULL;
}

static void
tasks_of_a_busy_thread_go_to_others (void)
{
  run_in_lanes (NULL);
}

static void
lanes_are_used_by_one_thread_at_a_time (void)
{
  GThread *threads[3];
  for (int i = 0; i < 3; i++)
    threads[i] = g_thread_new ("caller", run_in_lanes, NULL);
  for (int i = 0; i < 3; i++)
    g_thread_join (threads[i]);
}

static void
reader_stops_at_the_end (void)
{
  static const uint8_t bytes[] = { 1, 2, 3, 4, 5 };
  ForgeReader reader;
  forge_reader_init (&reader, bytes, sizeof bytes);
  g_assert_cmphex (forge_reader_u32le (&reader), ==, 0x04030201);
  g_assert_cmpuint (forge_reader_left (&reader), ==, 1);
  g_assert_cmpuint (forge_reader_u16le (&reader), ==, 0);
  g_assert_true (reader.failed);
  g_assert_cmpuint (forge_reader_u8 (&reader), ==, 0);
  g_assert_null (forge_reader_take (&reader, SIZE_MAX));
  g_assert_false (forge_reader_seek (&reader, 0));
}

static void
random_numbers_are_uniform_and_repeat (void)
{
  ForgeRng a, b;
  forge_rng_seed (&a, 7);
  forge_rng_seed (&b, 7);
  guint counts[10] = { 0 };
  ForgeMoments normal = { 0 };
  for (int i = 0; i < 100000; i++) {
    guint x = forge_rng_below (&a, 10);
    g_assert_cmpuint (x, ==, forge_rng_below (&b, 10));
    counts[x]++;
  }
  for (int i = 0; i < 10; i++)
    g_assert_cmpuint (ABS ((int) counts[i] - 10000), <, 500);
  for (int i = 0; i < 100000; i++)
    forge_moments_add (&normal, forge_rng_normal (&a));
  g_assert_cmpfloat (fabs (normal.mean), <, 0.02);
  g_assert_cmpfloat (fabs (forge_moments_variance (&normal) - 1), <, 0.03);
}

static void
streams_of_one_seed_differ (void)
{
  ForgeRng a, b;
  forge_rng_seed_at (&a, 1, 0);
  forge_rng_seed_at (&b, 1, 1);
  g_assert_true (forge_rng_u64 (&a) != forge_rng_u64 (&b));
}

static void
quantiles_match_numpy (void)
{
  double values[] = { 4, 1, 3, 2 };
  g_assert_cmpfloat_with_epsilon (forge_quantile (values, 4, 0.5), 2.5, 1e-12);
  g_assert_cmpfloat_with_epsilon (
      forge_quantile (values, 4, 0.95), 3.85, 1e-12);
  ForgeLatency latency = { 0 };
  g_assert_cmpfloat (forge_latency_quantile (&latency, 0.5), ==, 0);
  for (int i = 0; i < 5000; i++)
    forge_latency_add (&latency, 100);
  g_assert_cmpfloat (forge_latency_quantile (&latency, 0.99), ==, 100);
}

static void
cpu_has_at_least_the_reference (void)
{
  g_assert_true (forge_cpu_flags () & FORGE_CPU_REF);
  g_assert_cmpint (forge_cpu_count (), >=, 1);
  g_assert_cmpstr (forge_cpu_name (FORGE_CPU_AVX512), ==, "avx512");
  ForgeCpuFlags above = 0;
  for (ForgeCpuFlags flag = FORGE_CPU_REF; flag <= FORGE_CPU_NEON; flag *= 2)
    if (g_str_equal (forge_cpu_name (flag), forge_cpu_tier ())) {
      g_assert_true (forge_cpu_flags () & flag);
      above = forge_cpu_flags () / (flag * 2);
    }
  g_assert_cmpint (above, ==, 0);
}

static void
absurd_allocation_fails_quietly (void)
{
  g_assert_null (forge_aligned_alloc (SIZE_MAX));
  g_assert_null (forge_aligned_alloc (SIZE_MAX / 2));
}

static void
json_is_bounded_and_typed (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (JsonNode) node = forge_json_parse (
      "{\"a\": 3, \"b\": [\"x\", 7], \"c\": 1.5, \"d\": true}", -1, "t",
      &error);
  g_assert_no_error (error);
  JsonObject *object = json_node_get_object (node);
  g_assert_cmpint (forge_json_int (object, "a", 0), ==, 3);
  g_assert_cmpint (forge_json_int (object, "c", -1), ==, -1);
  g_assert_cmpfloat (forge_json_double (object, "a", 0), ==, 3);
  g_assert_true (forge_json_bool (object, "d", FALSE));
  g_assert_null (forge_json_string (object, "missing"));
  JsonArray *array = forge_json_array (object, "b");
  g_assert_cmpstr (forge_json_string_at (array, 0), ==, "x");
  g_assert_cmpint (forge_json_int_at (array, 1, 0), ==, 7);
  g_assert_cmpint (forge_json_int_at (array, 2, -5), ==, -5);

  g_autofree char *deep = g_strnfill (100000, '[');
  g_assert_null (forge_json_parse (deep, -1, "deep", &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  g_clear_error (&error);
  g_assert_null (forge_json_parse ("{\"a\":", -1, "cut", &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  g_clear_error (&error);
  g_assert_null (forge_json_parse ("\"\xff\"", -1, "latin", &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
}

static void
binomial_tails_are_exact (void)
{
  static const struct {
    uint64_t n, k;
    double p, tail;
  } rows[] = {
    { 10, 0, 0.5, 1 },
    { 10, 10, 0.5, 1 / 1024.0 },
    { 10, 5, 0.5, 638 / 1024.0 },
    { 10, 11, 0.5, 0 },
    { 3, 1, 0.25, 37 / 64.0 },
    { 0, 0, 0.5, 1 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpfloat_with_epsilon (
        forge_binomial_tail (rows[i].n, rows[i].k, rows[i].p), rows[i].tail,
        1e-13);
  /* far out, where one less the rest would be 0 */
  g_assert_cmpfloat_with_epsilon (
      log2 (forge_binomial_tail (1000, 1000, 0.5)), -1000, 1e-9);
  for (uint64_t k = 1; k <= 20; k++)
    g_assert_cmpfloat_with_epsilon (forge_binomial_tail (20, k, 0.5) +
                                        forge_binomial_tail (20, 21 - k, 0.5),
        1, 1e-12);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/base/pool_runs_every_task_once", pool_runs_every_task_once);
  g_test_add_func ("/base/pool_serves_several_callers_at_once",
      pool_serves_several_callers_at_once);
  g_test_add_func ("/base/tasks_of_a_busy_thread_go_to_others",
      tasks_of_a_busy_thread_go_to_others);
  g_test_add_func ("/base/lanes_are_used_by_one_thread_at_a_time",
      lanes_are_used_by_one_thread_at_a_time);
  g_test_add_func ("/base/reader_stops_at_the_end", reader_stops_at_the_end);
  g_test_add_func ("/base/random_numbers_are_uniform_and_repeat",
      random_numbers_are_uniform_and_repeat);
  g_test_add_func (
      "/base/streams_of_one_seed_differ", streams_of_one_seed_differ);
  g_test_add_func ("/base/binomial_tails_are_exact", binomial_tails_are_exact);
  g_test_add_func ("/base/quantiles_match_numpy", quantiles_match_numpy);
  g_test_add_func (
      "/base/cpu_has_at_least_the_reference", cpu_has_at_least_the_reference);
  g_test_add_func (
      "/base/absurd_allocation_fails_quietly", absurd_allocation_fails_quietly);
  g_test_add_func (
      "/base/json_is_bounded_and_typed", json_is_bounded_and_typed);
  return g_test_run ();
}
