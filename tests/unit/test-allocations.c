/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Nothing is allocated per frame: this program brings its own malloc, which
 * counts. Sanitizers bring theirs, so the test steps aside for them. */
#include <stdatomic.h>
#include <stdlib.h>

#include <glib.h>

#include "base/pool.h"
#include "forge/classifier.h"
#include "run/model.h"
#include "toy-graph.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define COUNTING 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define COUNTING 0
#endif
#endif
#if !defined(COUNTING) && defined(__GLIBC__)
#define COUNTING 1
#endif

static atomic_int n_allocations;

#define EXPORT __attribute__ ((visibility ("default")))

#if COUNTING
void *__libc_malloc (size_t size);
void *__libc_calloc (size_t count, size_t size);
void *__libc_realloc (void *block, size_t size);
void *__libc_memalign (size_t alignment, size_t size);

EXPORT void *
malloc (size_t size)
{
  atomic_fetch_add (&n_allocations, 1);
  return __libc_malloc (size);
}

EXPORT void *
calloc (size_t count, size_t size)
{
  atomic_fetch_add (&n_allocations, 1);
  return __libc_calloc (count, size);
}

EXPORT void *
realloc (void *block, size_t size)
{
  atomic_fetch_add (&n_allocations, 1);
  return __libc_realloc (block, size);
}

EXPORT void *
aligned_alloc (size_t alignment, size_t size)
{
  atomic_fetch_add (&n_allocations, 1);
  return __libc_memalign (alignment, size);
}
#endif

static gboolean
counts (void)
{
  int before = atomic_load (&n_allocations);
  g_free (g_malloc (100));
  if (atomic_load (&n_allocations) > before)
    return TRUE;
  g_test_skip ("a sanitizer or another C library owns malloc");
  return FALSE;
}

typedef struct {
  GMutex lock;
  GCond both;
  int n_here;
} Meeting;

/* Two tasks that wait for each other: the worker is up, and what a thread
 * allocates when it starts is behind it. */
static void
meet (void *user_data, int task)
{
  Meeting *meeting = user_data;
  g_mutex_lock (&meeting->lock);
  if (++meeting->n_here == 2)
    g_cond_broadcast (&meeting->both);
  while (meeting->n_here < 2)
    g_cond_wait (&meeting->both, &meeting->lock);
  g_mutex_unlock (&meeting->lock);
}

static void
start_worker (void)
{
  Meeting meeting = { .n_here = 0 };
  g_mutex_init (&meeting.lock);
  g_cond_init (&meeting.both);
  forge_pool_run (2, 2, meet, &meeting);
  g_cond_clear (&meeting.both);
  g_mutex_clear (&meeting.lock);
}

static void
run_allocates_nothing (gconstpointer threads)
{
  if (!counts ())
    return;
  if (GPOINTER_TO_INT (threads) > 1)
    start_worker ();
  for (uint64_t seed = 0; seed < 20; seed++) {
    g_autoptr (ForgeModel) model =
        forge_model_new_from_graph (toy_network (seed), "network", NULL);
    ForgeSessionParams params = {
      .batch = 2, .threads = GPOINTER_TO_INT (threads), .profile = TRUE
    };
    g_autoptr (ForgeSession) session = forge_session_new (model, &params, NULL);
    g_assert_nonnull (session);
    toy_fill (forge_session_get_input (session, 0), seed);
    forge_session_run (session);
    int before = atomic_load (&n_allocations);
    forge_session_run (session);
    g_assert_cmpint (atomic_load (&n_allocations), ==, before);
  }
}

static void
frame_allocates_nothing (void)
{
  if (!counts ())
    return;
  g_autoptr (ForgeModel) model =
      forge_model_new_from_graph (toy_network (3), "network", NULL);
  g_autoptr (ForgeClassifier) classifier =
      forge_classifier_new (model, NULL, NULL);
  g_assert_nonnull (classifier);
  static uint8_t pixels[48][64 * 3];
  ForgeFrame frame = { .format = FORGE_PIXEL_RGB,
    .width = 64,
    .height = 48,
    .data = { &pixels[0][0] },
    .stride_bytes = { 64 * 3 } };
  int before = 0;
  for (int i = 0; i < 3; i++) {
    ForgeClass top[3];
    before = i == 1 ? atomic_load (&n_allocations) : before;
    g_assert_true (forge_classifier_set_frame (classifier, 0, &frame, NULL));
    forge_classifier_run (classifier);
    g_assert_cmpuint (forge_classifier_get_top (classifier, 0, 3, top), ==, 3);
  }
  g_assert_cmpint (atomic_load (&n_allocations), ==, before);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/allocations/run_on_one_thread", GINT_TO_POINTER (1),
      run_allocates_nothing);
  g_test_add_data_func ("/allocations/run_on_two_threads", GINT_TO_POINTER (2),
      run_allocates_nothing);
  g_test_add_func ("/allocations/frame", frame_allocates_nothing);
  return g_test_run ();
}
