/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One pool of worker threads per process, shared by all sessions and by
 * training. The calling thread works too; idle workers sleep. */
#pragma once

#include <glib.h>

/* Called once per task, @task in [0, n_tasks). Two tasks may run at once. */
typedef void (*ForgeTaskFunc) (void *user_data, int task);
/* The same, where threads have something each, such as scratch memory: two
 * tasks that run at once have different lanes. */
typedef void (*ForgeLaneFunc) (void *user_data, int task, int lane);

/**
 * forge_pool_run:
 * @max_threads: how many threads may work on this job, the caller included;
 *   0 = as many as forge_cpu_count(). With 1 no lock is taken and the tasks
 *   run in order on the calling thread.
 * @n_tasks: number of tasks
 * @func: called n_tasks times
 * @user_data: passed to @func
 *
 * Runs the tasks and returns when all are done. Each thread has an equal range
 * of them, the same in every job of as many threads, and takes them in order,
 * one at a time; with none left it takes those of a slower one. Several threads
 * may call it at once: each works on its own job, and the workers help where
 * tasks are left. A task must not call forge_pool_run().
 *
 * Thread safety: any thread. Starts the workers on the first call that needs
 * them.
 * Since: 0.1
 */
void forge_pool_run (
    int max_threads, int n_tasks, ForgeTaskFunc func, void *user_data);
/* With lanes from 0 to forge_pool_threads (@max_threads) - 1. */
void forge_pool_run_lanes (
    int max_threads, int n_tasks, ForgeLaneFunc func, void *user_data);
/* The number of threads that forge_pool_run would use for @max_threads. */
int forge_pool_threads (int max_threads);
