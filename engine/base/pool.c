/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A job is a counter of tasks on the caller's stack. It is put on a list that
 * workers look through; each takes a task number with one atomic addition.
 * The caller takes tasks too, then unlinks its job and waits until the last
 * helper has left it.
 *
 * The layers of a small network are microseconds apart, less than it takes to
 * wake a thread. So a worker that has run out of work looks out for more for
 * SPIN_US before it sleeps, and so does a caller for its last helper; where
 * there is one CPU nobody does. An idle pool sleeps. */
#include "base/pool.h"

#include <stdatomic.h>

#include "base/cpu.h"

#define SPIN_US 30
/* Between two looks at the clock. */
#define SPIN_TURNS 32

typedef struct _Job {
  struct _Job *next;
  ForgeTaskFunc func;
  void *user_data;
  int n_tasks;
  atomic_int next_task;
  int helpers_wanted;  /* workers that may still join; under the lock */
  atomic_int helpers;  /* workers inside; written under the lock */
  gboolean is_awaited; /* the caller sleeps; under the lock */
  GCond left;          /* the last worker left */
} Job;

static struct {
  GMutex lock;
  GCond wake;
  Job *jobs;
  int n_workers;
  int n_looking;        /* workers that will see a new job by themselves */
  atomic_int n_entered; /* jobs ever; written under the lock */
} pool;

static inline void
rest (void)
{
#if defined(__x86_64__)
  __builtin_ia32_pause ();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

/* Until *@value is no longer @old, or the time is over. */
static void
spin_while (atomic_int *value, int old)
{
  if (forge_pool_threads (0) < 2)
    return;
  gint64 end_us = g_get_monotonic_time () + SPIN_US;
  do
    for (int i = 0; i < SPIN_TURNS; i++) {
      if (atomic_load_explicit (value, memory_order_acquire) != old)
        return;
      rest ();
    }
  while (g_get_monotonic_time () < end_us);
}

/* The lock is held for a moment only, and sleeping on it takes many. */
static void
lock_pool (void)
{
  for (int i = 0; i < SPIN_TURNS; i++) {
    if (g_mutex_trylock (&pool.lock))
      return;
    rest ();
  }
  g_mutex_lock (&pool.lock);
}

static void
work (Job *job)
{
  int task;
  while ((task = atomic_fetch_add_explicit (
              &job->next_task, 1, memory_order_relaxed)) < job->n_tasks)
    job->func (job->user_data, task);
}

static Job *
find_job (void)
{
  for (Job *job = pool.jobs; job; job = job->next)
    if (job->helpers_wanted > 0 && atomic_load_explicit (&job->next_task,
                                       memory_order_relaxed) < job->n_tasks)
      return job;
  return NULL;
}

/* Called and left with the lock held. */
static void
look_out (void)
{
  int n_entered = atomic_load (&pool.n_entered);
  pool.n_looking++;
  g_mutex_unlock (&pool.lock);
  spin_while (&pool.n_entered, n_entered);
  lock_pool ();
  pool.n_looking--;
}

static void *
worker_main (void *unused)
{
  lock_pool ();
  for (;;) {
    Job *job = find_job ();
    if (!job) {
      look_out ();
      if (!(job = find_job ())) {
        g_cond_wait (&pool.wake, &pool.lock);
        continue;
      }
    }
    job->helpers_wanted--;
    atomic_fetch_add (&job->helpers, 1);
    g_mutex_unlock (&pool.lock);
    work (job);
    lock_pool ();
    gboolean is_awaited = job->is_awaited;
    if (atomic_fetch_sub (&job->helpers, 1) == 1 && is_awaited)
      g_cond_signal (&job->left);
  }
  return NULL;
}

/* Workers live as long as the process: a thread that can be joined would
 * need an owner, and every session may be gone while another is born. */
static void
ensure_workers (int count)
{
  while (pool.n_workers < count) {
    g_autoptr (GError) error = NULL;
    GThread *thread =
        g_thread_try_new ("forge-worker", worker_main, NULL, &error);
    if (!thread) {
      g_warning ("cannot start a worker thread: %s", error->message);
      return;
    }
    g_thread_unref (thread);
    pool.n_workers++;
  }
}

static void
enter_job (Job *job)
{
  lock_pool ();
  ensure_workers (job->helpers_wanted);
  job->next = pool.jobs;
  pool.jobs = job;
  atomic_fetch_add (&pool.n_entered, 1);
  int n_asleep = job->helpers_wanted - pool.n_looking;
  if (n_asleep > 1)
    g_cond_broadcast (&pool.wake);
  else if (n_asleep > 0)
    g_cond_signal (&pool.wake);
  g_mutex_unlock (&pool.lock);
}

static void
leave_job (Job *job)
{
  lock_pool ();
  Job **link = &pool.jobs;
  while (*link != job)
    link = &(*link)->next;
  *link = job->next;
  int helpers;
  while ((helpers = atomic_load (&job->helpers)) > 0) {
    g_mutex_unlock (&pool.lock);
    spin_while (&job->helpers, helpers);
    lock_pool ();
    job->is_awaited = TRUE;
    if (atomic_load (&job->helpers) == helpers)
      g_cond_wait (&job->left, &pool.lock);
  }
  g_mutex_unlock (&pool.lock);
}

int
forge_pool_threads (int max_threads)
{
  static gsize once;
  if (g_once_init_enter (&once))
    g_once_init_leave (&once, (gsize) forge_cpu_count ());
  return max_threads <= 0 ? (int) once : MIN (max_threads, 256);
}

void
forge_pool_run (
    int max_threads, int n_tasks, ForgeTaskFunc func, void *user_data)
{
  int threads = MIN (forge_pool_threads (max_threads), n_tasks);
  if (threads <= 1) {
    for (int task = 0; task < n_tasks; task++)
      func (user_data, task);
    return;
  }
  Job job = { .func = func,
    .user_data = user_data,
    .n_tasks = n_tasks,
    .helpers_wanted = threads - 1 };
  g_cond_init (&job.left);
  enter_job (&job);
  work (&job);
  leave_job (&job);
  g_cond_clear (&job.left);
}
