/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tables of `gst-forge bench`. Load time is split where the engine splits
 * its work; the parts do not add up to the whole, which has the session's own
 * memory in it too. */
#include "bench-report.h"

#include <unistd.h>

#include "forge/cpu.h"

typedef struct {
  const char *name;
  double value;
} Real;

typedef struct {
  const char *name;
  gint64 value;
} Whole;

static void
report_reals (JsonBuilder *builder, FILE *out, const Real *rows, gsize n_rows)
{
  for (gsize i = 0; i < n_rows; i++) {
    fprintf (out, "%-20s %.4f\n", rows[i].name, rows[i].value);
    output_add_double (builder, rows[i].name, rows[i].value);
  }
}

static void
report_wholes (JsonBuilder *builder, FILE *out, const Whole *rows, gsize n_rows)
{
  for (gsize i = 0; i < n_rows; i++) {
    g_autofree char *text = output_thousands (rows[i].value);
    fprintf (out, "%-20s %s\n", rows[i].name, text);
    output_add_int (builder, rows[i].name, rows[i].value);
  }
}

void
bench_report_figures (
    JsonBuilder *builder, FILE *out, const BenchFigures *figures)
{
  const Real rows[] = {
    { "median_ms", figures->median_ms },
    { "p95_ms", figures->p95_ms },
    { "p99_ms", figures->p99_ms },
    { "min_ms", figures->min_ms },
    { "mean_ms", figures->mean_ms },
    { "images_per_s", figures->images_per_s },
  };
  report_reals (builder, out, rows, G_N_ELEMENTS (rows));
  const Whole runs = { "n_runs", (gint64) figures->n_runs };
  report_wholes (builder, out, &runs, 1);
}

void
bench_report_setting (JsonBuilder *builder, FILE *out, int threads, int batch)
{
  const Whole rows[] = { { "threads", threads }, { "batch", batch } };
  fprintf (out, "%-20s %s\n", "cpu", forge_cpu_tier ());
  output_add_string (builder, "cpu", forge_cpu_tier ());
  report_wholes (builder, out, rows, G_N_ELEMENTS (rows));
}

/* Pages of the process in memory; 0 where /proc does not say. */
static gint64
resident_bytes (void)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents ("/proc/self/statm", &text, NULL, NULL))
    return 0;
  g_auto (GStrv) words = g_strsplit (text, " ", 3);
  gint64 n_pages =
      words[0] && words[1] ? g_ascii_strtoll (words[1], NULL, 10) : 0;
  return n_pages * sysconf (_SC_PAGESIZE);
}

void
bench_report_costs (JsonBuilder *builder, FILE *out, const BenchLoad *load,
    const ForgeSession *session)
{
  ForgeSessionCosts costs = forge_session_get_costs (session);
  const Real times[] = {
    { "first_result_ms", load->first_result_ms },
    { "load_read_ms", (double) costs.read_us / 1e3 },
    { "load_passes_ms", (double) costs.passes_us / 1e3 },
    { "load_packing_ms", (double) costs.packing_us / 1e3 },
    { "first_run_ms", load->first_run_ms },
  };
  const Whole sizes[] = {
    { "weight_bytes", (gint64) costs.weight_bytes },
    { "packed_bytes", (gint64) costs.packed_bytes },
    { "arena_bytes", (gint64) costs.arena_bytes },
    { "workspace_bytes", (gint64) costs.workspace_bytes },
    { "resident_bytes", resident_bytes () },
  };
  report_reals (builder, out, times, G_N_ELEMENTS (times));
  report_wholes (builder, out, sizes, G_N_ELEMENTS (sizes));
}

typedef struct {
  double mean_us, share, gflops, peak, gbytes;
} NodeFigures;

static NodeFigures
node_figures (const ForgeNodeProfile *node, double all_ns, double peak_gflops)
{
  NodeFigures figures = { 0 };
  if (node->n_runs)
    figures.mean_us = (double) node->total_ns / 1e3 / (double) node->n_runs;
  if (all_ns > 0)
    figures.share = 100 * (double) node->total_ns / all_ns;
  if (figures.mean_us > 0) {
    figures.gflops = (double) node->n_flops / figures.mean_us / 1e3;
    figures.gbytes = (double) node->bytes_moved / figures.mean_us / 1e3;
  }
  if (peak_gflops > 0)
    figures.peak = 100 * figures.gflops / peak_gflops;
  return figures;
}

static void
report_node (JsonBuilder *builder, FILE *out, const ForgeNodeProfile *node,
    const NodeFigures *figures)
{
  fprintf (out, "%10.2f %6.1f %9.2f %6.1f %9.3f %7.2f  %-12s %-12s %s\n",
      figures->mean_us, figures->share, figures->gflops, figures->peak,
      (double) node->bytes_moved / 1e6, figures->gbytes, node->type,
      *node->algorithm ? node->algorithm : "-", node->name);
  json_builder_begin_object (builder);
  output_add_string (builder, "name", node->name);
  output_add_string (builder, "type", node->type);
  output_add_string (builder, "algorithm", node->algorithm);
  output_add_double (builder, "mean_us", figures->mean_us);
  output_add_double (builder, "percent", figures->share);
  output_add_int (builder, "n_flops", node->n_flops);
  output_add_double (builder, "gflops_per_s", figures->gflops);
  output_add_double (builder, "percent_of_peak", figures->peak);
  output_add_int (builder, "bytes_moved", node->bytes_moved);
  output_add_double (builder, "gbytes_per_s", figures->gbytes);
  json_builder_end_object (builder);
}

void
bench_report_profile (
    JsonBuilder *builder, FILE *out, const ForgeSession *session, int threads)
{
  gsize n_nodes = 0;
  g_autofree ForgeNodeProfile *nodes =
      forge_session_get_profile (session, &n_nodes);
  double all_ns = 0;
  for (gsize i = 0; i < n_nodes; i++)
    all_ns += (double) nodes[i].total_ns;
  double peak_gflops = forge_cpu_measure_peak_gflops () * threads;
  const Real peak = { "peak_gflops", peak_gflops };
  report_reals (builder, out, &peak, 1);
  fprintf (out, "\n%10s %6s %9s %6s %9s %7s  %-12s %-12s %s\n", "us/run", "%",
      "GFLOP/s", "peak %", "MB moved", "GB/s", "type", "algorithm", "node");
  json_builder_set_member_name (builder, "nodes");
  json_builder_begin_array (builder);
  for (gsize i = 0; i < n_nodes; i++) {
    NodeFigures figures = node_figures (&nodes[i], all_ns, peak_gflops);
    report_node (builder, out, &nodes[i], &figures);
  }
  json_builder_end_array (builder);
}

void
bench_report_tuning (JsonBuilder *builder, FILE *out, GPtrArray *layers)
{
  g_autofree char *file = forge_tune_file ();
  fprintf (out, "tuned for this machine, kept in %s\n", file);
  fprintf (out, "%10s %-12s %10s %-12s %s\n", "us/run", "was", "us/run", "is",
      "convolution");
  json_builder_set_member_name (builder, "tuning");
  json_builder_begin_array (builder);
  for (guint i = 0; i < layers->len; i++) {
    const ForgeTunedLayer *layer = layers->pdata[i];
    fprintf (out, "%10.2f %-12s %10.2f %-12s %s\n", layer->chosen_us,
        layer->chosen, layer->fastest_us, layer->fastest, layer->shape);
    json_builder_begin_object (builder);
    output_add_string (builder, "shape", layer->shape);
    output_add_string (builder, "was", layer->chosen);
    output_add_double (builder, "was_us", layer->chosen_us);
    output_add_string (builder, "is", layer->fastest);
    output_add_double (builder, "is_us", layer->fastest_us);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  fprintf (out, "\n");
}
