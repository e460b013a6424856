/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A job lies on the caller's stack, its tasks in as many equal ranges as
 * threads may work on it. It is put on a list that workers look through; each
 * thread goes through a range of its own, the same one in job after job, so
 * that what it wrote in one layer is in its cache for the next. Then it helps
 * with what is left of the others; a task is taken with one atomic addition.
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

enum { MAX_THREADS = 256, CACHE_LINE_BYTES = 64 };

/* Tasks of which one thread takes the first, and others when they have none. */
typedef struct {
  _Alignas(CACHE_LINE_BYTES) atomic_int next_task;
  int end;
  gboolean is_owned; /* under the lock */
} Range;

typedef struct _Job {
  struct _Job *next;
  ForgeLaneFunc func;
  void *user_data;
  Range *ranges;
  int n_ranges;
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
divide (Job *job, int n_tasks)
{
  for (int i = 0; i < job->n_ranges; i++) {
    Range *range = &job->ranges[i];
    atomic_init (
        &range->next_task, (int) ((int64_t) n_tasks * i / job->n_ranges));
    range->end = (int) ((int64_t) n_tasks * (i + 1) / job->n_ranges);
    range->is_owned = FALSE;
  }
}

/* @favourite if nobody has it; under the lock. There are as many ranges as
 * threads that may join. */
static int
own_range (Job *job, int favourite)
{
  int i = favourite % job->n_ranges;
  while (job->ranges[i].is_owned)
    i = (i + 1) % job->n_ranges;
  job->ranges[i].is_owned = TRUE;
  return i;
}

static gboolean
is_empty (Range *range)
{
  return atomic_load_explicit (&range->next_task, memory_order_relaxed) >=
         range->end;
}

/* FALSE when there is none; the look before leaves the line with its owner. */
static gboolean
take_task (Range *range, int *task)
{
  if (is_empty (range))
    return FALSE;
  *task =
      atomic_fetch_add_explicit (&range->next_task, 1, memory_order_relaxed);
  return *task < range->end;
}

static void
work (Job *job, int own)
{
  for (int i = 0; i < job->n_ranges; i++) {
    int task;
    while (take_task (&job->ranges[(own + i) % job->n_ranges], &task))
      job->func (job->user_data, task, own);
  }
}

static gboolean
has_tasks (Job *job)
{
  for (int i = 0; i < job->n_ranges; i++)
    if (!is_empty (&job->ranges[i]))
      return TRUE;
  return FALSE;
}

static Job *
find_job (void)
{
  for (Job *job = pool.jobs; job; job = job->next)
    if (job->helpers_wanted > 0 && has_tasks (job))
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
worker_main (void *index)
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
    int own = own_range (job, GPOINTER_TO_INT (index));
    g_mutex_unlock (&pool.lock);
    work (job, own);
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
    GThread *thread = g_thread_try_new ("forge-worker", worker_main,
        GINT_TO_POINTER (pool.n_workers + 1), &error);
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
    g_once_init_leave (&once, (gsize) MIN (forge_cpu_count (), MAX_THREADS));
  return max_threads <= 0 ? (int) once : MIN (max_threads, MAX_THREADS);
}

void
forge_pool_run_lanes (
    int max_threads, int n_tasks, ForgeLaneFunc func, void *user_data)
{
  int threads = MIN (forge_pool_threads (max_threads), n_tasks);
  if (threads <= 1) {
    for (int task = 0; task < n_tasks; task++)
      func (user_data, task, 0);
    return;
  }
  Range ranges[MAX_THREADS];
  Job job = { .func = func,
    .user_data = user_data,
    .ranges = ranges,
    .n_ranges = threads,
    .helpers_wanted = threads - 1 };
  divide (&job, n_tasks);
  int own = own_range (&job, 0);
  g_cond_init (&job.left);
  enter_job (&job);
  work (&job, own);
  leave_job (&job);
  g_cond_clear (&job.left);
}

typedef struct {
  ForgeTaskFunc func;
  void *user_data;
} Tasks;

static void
run_task (void *data, int task, int lane)
{
  const Tasks *tasks = data;
  tasks->func (tasks->user_data, task);
}

void
forge_pool_run (
    int max_threads, int n_tasks, ForgeTaskFunc func, void *user_data)
{
  Tasks tasks = { func, user_data };
  forge_pool_run_lanes (max_threads, n_tasks, run_task, &tasks);
}
