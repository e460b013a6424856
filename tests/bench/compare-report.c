/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The row of the table, its target and its JSON. Ratios are those of one round
 * each, in which the engines ran right after one another: median, lowest and
 * highest of them. */
#include "compare-report.h"

#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "forge/stats.h"

typedef struct {
  double middle, low, high;
} Spread;

/* Ours over ONNX Runtime, batch 1; every other row is to beat the best peer. */
static const struct {
  const char *model;
  double most[2]; /* with 1 and 2 threads */
} targets[] = {
  { "forge-cnn", { 0.60, 0.70 } },
  { "squeezenet1.1", { 0.75, 0.80 } },
  { "mobilenetv2", { 0.72, 0.72 } },
  { "efficientnet-b0", { 0.75, 0.75 } },
  { "resnet18", { 0.65, 0.70 } },
  { "resnet50", { 0.82, 0.84 } },
};

/* 0 where there is none. */
static double
find_target (const CompareCell *cell)
{
  for (gsize i = 0; i < G_N_ELEMENTS (targets); i++)
    if (strcmp (targets[i].model, cell->model) == 0 && cell->batch == 1 &&
        cell->threads <= 2)
      return targets[i].most[cell->threads - 1];
  return 0;
}

static Spread
summarise (const double *values, int n_values)
{
  double sorted[COMPARE_MAX_ROUNDS];
  memcpy (sorted, values, (gsize) n_values * sizeof *values);
  gsize n = (gsize) n_values;
  return (Spread) { forge_quantile (sorted, n, 0.5),
    forge_quantile (sorted, n, 0), forge_quantile (sorted, n, 1) };
}

static double
median_ms (const CompareCell *cell, guint peer)
{
  return summarise (cell->peers[peer].median_ms, cell->n_rounds).middle;
}

static Spread
ratio_to (const CompareCell *cell, guint peer)
{
  double ratios[COMPARE_MAX_ROUNDS];
  for (int r = 0; r < cell->n_rounds; r++)
    ratios[r] = cell->peers[0].median_ms[r] / cell->peers[peer].median_ms[r];
  return summarise (ratios, cell->n_rounds);
}

/* A peer that computes something else proves nothing. */
static gboolean
counts (const ComparePeer *peer)
{
  return !peer->problem && peer->error <= COMPARE_MAX_ERROR;
}

/* 0, which is ours, where no peer counts. */
static guint
find_best (const CompareCell *cell)
{
  guint best = 0;
  for (guint i = 1; i < cell->n_peers; i++)
    if (counts (&cell->peers[i]) &&
        (!best || median_ms (cell, i) < median_ms (cell, best)))
      best = i;
  return best;
}

static guint
find_ort (const CompareCell *cell)
{
  for (guint i = 1; i < cell->n_peers; i++)
    if (strcmp (cell->peers[i].name, "ort") == 0 && counts (&cell->peers[i]))
      return i;
  return 0;
}

static double
percent_of_peak (const CompareCell *cell)
{
  double peak = cell->peak_gflops * 1e9 * cell->threads;
  return peak > 0
             ? 100 * cell->peers[0].flops / (1e-3 * median_ms (cell, 0)) / peak
             : 0;
}

typedef struct {
  double limit;        /* 0 = none to be had: no peer */
  const char *against; /* a peer's name */
  gboolean holds;
} Verdict;

static Verdict
judge (const CompareCell *cell)
{
  guint ort = find_ort (cell), best = find_best (cell);
  double target = find_target (cell);
  if (target > 0 && ort)
    return (Verdict) { target, "ort", ratio_to (cell, ort).middle <= target };
  if (!best)
    return (Verdict) { 0, "", FALSE };
  return (
      Verdict) { 1, cell->peers[best].name, ratio_to (cell, best).middle < 1 };
}

void
compare_write_head (FILE *out, const CompareCell *cell)
{
  fprintf (out, "%-17s %2s %2s", "model", "b", "t");
  for (guint i = 0; i < cell->n_peers; i++)
    fprintf (out, " %10s", cell->peers[i].name);
  fprintf (out, "  %-21s  %-30s %6s  %s\n", "ours/ort (of rounds)",
      "ours/best peer", "peak", "target");
}

static void
write_ratio (
    FILE *out, int width, const CompareCell *cell, guint peer, gboolean named)
{
  if (!peer) {
    fprintf (out, "  %-*s", width, "-");
    return;
  }
  Spread ratio = ratio_to (cell, peer);
  g_autofree char *text =
      g_strdup_printf ("%.3f (%.3f..%.3f)%s%s", ratio.middle, ratio.low,
          ratio.high, named ? " " : "", named ? cell->peers[peer].name : "");
  fprintf (out, "  %-*s", width, text);
}

void
compare_write_row (FILE *out, const CompareCell *cell)
{
  fprintf (out, "%-17s %2d %2d", cell->model, cell->batch, cell->threads);
  for (guint i = 0; i < cell->n_peers; i++)
    if (cell->peers[i].problem)
      fprintf (out, " %10s", "-");
    else
      fprintf (out, " %9.4f%s", median_ms (cell, i),
          i == 0 || counts (&cell->peers[i]) ? " " : "!");
  write_ratio (out, 21, cell, find_ort (cell), FALSE);
  write_ratio (out, 30, cell, find_best (cell), TRUE);
  Verdict verdict = judge (cell);
  fprintf (out, " %5.1f%%", percent_of_peak (cell));
  if (verdict.limit > 0)
    fprintf (out, "  %s %.2f %s: %s\n", verdict.limit < 1 ? "<=" : "<",
        verdict.limit, verdict.against, verdict.holds ? "yes" : "NO");
  else
    fprintf (out, "  -\n");
  for (guint i = 1; i < cell->n_peers; i++)
    if (cell->peers[i].problem)
      fprintf (out, "  %s: %s\n", cell->peers[i].name, cell->peers[i].problem);
    else if (!counts (&cell->peers[i]))
      fprintf (out, "! %s: its output is off by %.1e of the largest score\n",
          cell->peers[i].name, cell->peers[i].error);
}

static void
add_double (JsonBuilder *builder, const char *name, double value)
{
  json_builder_set_member_name (builder, name);
  if (isfinite (value))
    json_builder_add_double_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

static void
add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

static void
add_spread (JsonBuilder *builder, const char *name, Spread spread)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
  add_double (builder, "median", spread.middle);
  add_double (builder, "low", spread.low);
  add_double (builder, "high", spread.high);
  json_builder_end_object (builder);
}

static void
add_peer (JsonBuilder *builder, const CompareCell *cell, guint index)
{
  const ComparePeer *peer = &cell->peers[index];
  json_builder_begin_object (builder);
  add_string (builder, "name", peer->name);
  add_string (builder, "version", peer->version ? peer->version : "");
  if (peer->problem) {
    add_string (builder, "problem", peer->problem);
  } else {
    add_spread (builder, "ms", summarise (peer->median_ms, cell->n_rounds));
    add_double (builder, "relative_error", peer->error);
    if (index > 0) {
      add_spread (builder, "ours_over_it", ratio_to (cell, index));
      json_builder_set_member_name (builder, "agrees");
      json_builder_add_boolean_value (builder, counts (peer));
    }
  }
  json_builder_end_object (builder);
}

static void
add_verdict (JsonBuilder *builder, const CompareCell *cell)
{
  Verdict verdict = judge (cell);
  json_builder_set_member_name (builder, "target");
  json_builder_begin_object (builder);
  add_double (builder, "most", verdict.limit);
  add_string (builder, "over", verdict.against);
  json_builder_set_member_name (builder, "holds");
  json_builder_add_boolean_value (builder, verdict.holds);
  json_builder_end_object (builder);
}

char *
compare_to_json (const CompareCell *cell)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  add_string (builder, "model", cell->model);
  add_double (builder, "batch", cell->batch);
  add_double (builder, "threads", cell->threads);
  add_double (builder, "rounds", cell->n_rounds);
  add_double (builder, "flops", cell->peers[0].flops);
  add_double (builder, "peak_gflops", cell->peak_gflops);
  add_double (builder, "percent_of_peak", percent_of_peak (cell));
  guint best = find_best (cell);
  add_string (builder, "best_peer", best ? cell->peers[best].name : "");
  add_verdict (builder, cell);
  json_builder_set_member_name (builder, "engines");
  json_builder_begin_array (builder);
  for (guint i = 0; i < cell->n_peers; i++)
    add_peer (builder, cell, i);
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  json_generator_set_root (generator, root);
  return json_generator_to_data (generator, NULL);
}
