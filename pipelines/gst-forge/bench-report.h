/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What `gst-forge bench` says, as text and as JSON. Private to cmd-bench.c and
 * bench-report.c. */
#pragma once

#include "forge/session.h"
#include "forge/tune.h"
#include "output.h"

typedef struct {
  gsize n_runs;
  double median_ms, p95_ms, p99_ms, min_ms, mean_ms;
  double images_per_s;
} BenchFigures;

/* Of loading: the model asked for by path to the end of its first run. */
typedef struct {
  double first_result_ms, first_run_ms;
} BenchLoad;

void bench_report_figures (
    JsonBuilder *builder, FILE *out, const BenchFigures *figures);
void bench_report_setting (
    JsonBuilder *builder, FILE *out, int threads, int batch);
/* @load and what the session knows about it; memory, and of the process. */
void bench_report_costs (JsonBuilder *builder, FILE *out, const BenchLoad *load,
    const ForgeSession *session);
/* One row a shape, of ForgeTunedLayer. */
void bench_report_tuning (JsonBuilder *builder, FILE *out, GPtrArray *layers);
/* One row a node, of a session that ran with its profile on. */
void bench_report_profile (
    JsonBuilder *builder, FILE *out, const ForgeSession *session, int threads);
