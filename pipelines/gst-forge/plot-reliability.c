/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A reliability diagram: where confidence means what it says, the bars end on
 * the diagonal. Below it, how many pictures each bar speaks for.
 * Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural
 * Networks", ICML 2017, figure 1. */
#include <math.h>

#include "plot-evaluation.h"
#include "plot.h"

#define N_BINS FORGE_N_CALIBRATION_BINS

static double
expected_error (const ForgeReliabilityBin *bins, double *confidence)
{
  double n = 0, gap = 0;
  *confidence = 0;
  for (guint i = 0; i < N_BINS; i++) {
    n += (double) bins[i].n_items;
    gap +=
        (double) bins[i].n_items * fabs (bins[i].accuracy - bins[i].confidence);
    *confidence += (double) bins[i].n_items * bins[i].confidence;
  }
  *confidence /= MAX (n, 1);
  return gap / MAX (n, 1);
}

/* Blue up to the lesser of accuracy and confidence; above it, orange where
 * confidence is the greater, green where accuracy is. */
static void
draw_bars (Plot *plot, const PlotAxes *axes, const ForgeReliabilityBin *bins)
{
  for (guint i = 0; i < N_BINS; i++) {
    if (bins[i].n_items == 0)
      continue;
    gboolean too_sure = bins[i].confidence > bins[i].accuracy;
    double left = plot_x (axes, (double) i / N_BINS) + 1;
    double width = axes->width / N_BINS - 2;
    double low = plot_y (axes, MIN (bins[i].accuracy, bins[i].confidence));
    double high = plot_y (axes, MAX (bins[i].accuracy, bins[i].confidence));
    plot_set_colour (plot, plot_blue, 0.85);
    cairo_rectangle (
        plot->cairo, left, low, width, axes->y + axes->height - low);
    cairo_fill (plot->cairo);
    plot_set_colour (plot, too_sure ? plot_orange : plot_green, 0.75);
    cairo_rectangle (plot->cairo, left, high, width, low - high);
    cairo_fill (plot->cairo);
  }
  const double ends[] = { 0, 1 };
  plot_line (plot, axes, ends, ends, 2, plot_grey, TRUE);
}

static void
draw_histogram (Plot *plot, PlotAxes axes, const ForgeReliabilityBin *bins)
{
  double n = 0, most = 0;
  for (guint i = 0; i < N_BINS; i++)
    n += (double) bins[i].n_items;
  for (guint i = 0; i < N_BINS; i++)
    most = MAX (most, (double) bins[i].n_items / MAX (n, 1));
  axes.high_y = MAX (most * 1.1, 0.01);
  plot_axes (plot, &axes, "confidence", "share");
  plot_set_colour (plot, plot_grey, 0.8);
  for (guint i = 0; i < N_BINS; i++) {
    double top = plot_y (&axes, (double) bins[i].n_items / MAX (n, 1));
    cairo_rectangle (plot->cairo, plot_x (&axes, (double) i / N_BINS) + 1, top,
        axes.width / N_BINS - 2, axes.y + axes.height - top);
  }
  cairo_fill (plot->cairo);
}

static void
draw_panel (
    Plot *plot, double x, const ForgeReliabilityBin *bins, const char *title)
{
  double confidence, ece = expected_error (bins, &confidence);
  g_autofree char *text = g_strdup_printf (
      "%sECE %.4f, mean confidence %.4f", title, ece, confidence);
  plot_set_colour (plot, plot_black, 1);
  plot_bold (plot, x, 82, 13, PLOT_LEFT, text);
  PlotAxes axes = {
    .x = x, .y = 94, .width = 330, .height = 330, .high_x = 1, .high_y = 1
  };
  plot_axes (plot, &axes, NULL, "accuracy");
  draw_bars (plot, &axes, bins);
  axes.y = 454;
  axes.height = 80;
  draw_histogram (plot, axes, bins);
}

gboolean
plot_reliability_write (const ForgeReliabilityBin *before,
    const ForgeReliabilityBin *after, const char *title, const char *path,
    GError **error)
{
  g_auto (Plot) plot = { 0 };
  plot_init (&plot, after ? 900 : 460, 620, "Reliability", title);
  draw_panel (&plot, 80, before, after ? "before: " : "");
  if (after)
    draw_panel (&plot, 510, after, "after: ");
  plot_set_colour (&plot, plot_grey, 1);
  plot_text (&plot, 40, 602, 11, PLOT_LEFT,
      "orange: surer than right; green: more often right than sure; dotted: "
      "confidence means what it says");
  return plot_save (&plot, path, error);
}
