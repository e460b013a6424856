/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A job is a counter of tasks on the caller's stack. It is put on a list that
 * workers look through; each takes a task number with one atomic addition.
 * The caller takes tasks too, then unlinks its job and waits until the last
 * helper has left it. Nothing spins. */
#include "base/pool.h"

#include <stdatomic.h>

#include "base/cpu.h"

typedef struct _Job {
  struct _Job *next;
  ForgeTaskFunc func;
  void *user_data;
  int n_tasks;
  atomic_int next_task;
  int helpers_wanted; /* workers that may still join; under the lock */
  int helpers;        /* workers inside; under the lock */
  GCond left;         /* a worker left */
} Job;

static struct {
  GMutex lock;
  GCond wake;
  Job *jobs;
  int n_workers;
} pool;

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

static void *
worker_main (void *unused)
{
  g_mutex_lock (&pool.lock);
  for (;;) {
    Job *job = find_job ();
    if (!job) {
      g_cond_wait (&pool.wake, &pool.lock);
      continue;
    }
    job->helpers_wanted--;
    job->helpers++;
    g_mutex_unlock (&pool.lock);
    work (job);
    g_mutex_lock (&pool.lock);
    if (--job->helpers == 0)
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
  g_mutex_lock (&pool.lock);
  ensure_workers (job->helpers_wanted);
  job->next = pool.jobs;
  pool.jobs = job;
  if (job->helpers_wanted > 1)
    g_cond_broadcast (&pool.wake);
  else
    g_cond_signal (&pool.wake);
  g_mutex_unlock (&pool.lock);
}

static void
leave_job (Job *job)
{
  g_mutex_lock (&pool.lock);
  Job **link = &pool.jobs;
  while (*link != job)
    link = &(*link)->next;
  *link = job->next;
  while (job->helpers > 0)
    g_cond_wait (&job->left, &pool.lock);
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
