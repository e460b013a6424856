/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The confusion matrix, and the F1 of the classes. With many classes the cells
 * lose their numbers, and then only every so many rows are named. */
#include <stdlib.h>

#include "plot-evaluation.h"
#include "plot.h"

#define MATRIX_POINTS 560.0
#define LEAST_CELL_WITH_NUMBER 22.0
#define LEAST_ROW 12.0
#define MAX_BARS 40

static double
share_of (const ForgeEvaluation *evaluation, guint truth, guint guess)
{
  uint64_t support = evaluation->classes[truth].support;
  return support ? (double) evaluation
                           ->confusion[truth * evaluation->n_classes + guess] /
                       (double) support
                 : 0;
}

static void
draw_cell (Plot *plot, const ForgeEvaluation *evaluation, guint truth,
    guint guess, double x, double y, double cell)
{
  double share = share_of (evaluation, truth, guess);
  uint64_t count = evaluation->confusion[truth * evaluation->n_classes + guess];
  gboolean right = truth == guess;
  /* mistakes are few: their scale is stretched */
  double depth = right ? share : MIN (1, 3 * share);
  plot_set_colour (plot, right ? plot_blue : plot_orange, 0.92 * depth);
  cairo_rectangle (plot->cairo, x, y, cell, cell);
  cairo_fill (plot->cairo);
  if (cell < LEAST_CELL_WITH_NUMBER || count == 0)
    return;
  g_autofree char *text = g_strdup_printf ("%" G_GUINT64_FORMAT, count);
  double size = MIN (13, cell / 3);
  double width = plot_text_width (plot, size, text);
  if (width > cell - 4)
    size *= (cell - 4) / width;
  plot_set_colour (
      plot, depth > (right ? 0.5 : 0.8) ? plot_white : plot_black, 1);
  plot_text (
      plot, x + cell / 2, y + cell / 2 + size * 0.36, size, PLOT_CENTRE, text);
}

/* Names beside the rows and, slanted, over the columns. */
static void
draw_names (Plot *plot, const ForgeEvaluation *evaluation, double left,
    double top, double cell, double room)
{
  guint every = MAX (1, (guint) (LEAST_ROW / cell + 0.999));
  double size = MIN (13, MAX (cell * 0.6, 9));
  plot_set_colour (plot, plot_black, 1);
  for (guint c = 0; c < evaluation->n_classes; c += every) {
    double middle = (c + 0.5) * cell;
    plot_text_within (plot, left - 8, top + middle + size * 0.36, size,
        room - 12, PLOT_RIGHT, evaluation->labels[c]);
    cairo_save (plot->cairo);
    cairo_translate (plot->cairo, left + middle, top - 6);
    cairo_rotate (plot->cairo, -G_PI / 4);
    plot_text_within (
        plot, 0, 0, size, room * 1.2, PLOT_LEFT, evaluation->labels[c]);
    cairo_restore (plot->cairo);
  }
}

gboolean
plot_confusion_write (const ForgeEvaluation *evaluation, const char *title,
    const char *path, GError **error)
{
  guint n = evaluation->n_classes;
  double room = 110, left = room + 40, top = 62 + 90;
  double cell = MIN (MATRIX_POINTS / n, 64);
  double side = cell * n, width = MAX (left + side + 90, 520);
  g_autofree char *subtitle =
      g_strdup_printf ("%s: accuracy %.2f %% on %" G_GUINT64_FORMAT " pictures",
          title, 100 * evaluation->accuracy, evaluation->n_items);
  g_auto (Plot) plot = { 0 };
  plot_init (&plot, width, top + side + 62, "Confusion matrix", subtitle);
  for (guint truth = 0; truth < n; truth++)
    for (guint guess = 0; guess < n; guess++)
      draw_cell (&plot, evaluation, truth, guess, left + guess * cell,
          top + truth * cell, cell);
  plot_set_colour (&plot, plot_grey, 0.3);
  cairo_set_line_width (plot.cairo, 0.5);
  for (guint i = 0; i <= n && cell >= 6; i++) {
    cairo_move_to (plot.cairo, left + i * cell, top);
    cairo_rel_line_to (plot.cairo, 0, side);
    cairo_move_to (plot.cairo, left, top + i * cell);
    cairo_rel_line_to (plot.cairo, side, 0);
  }
  cairo_stroke (plot.cairo);
  plot_set_colour (&plot, plot_grey, 1);
  cairo_set_line_width (plot.cairo, 1);
  cairo_rectangle (plot.cairo, left, top, side, side);
  cairo_stroke (plot.cairo);
  draw_names (&plot, evaluation, left, top, cell, room);
  plot_set_colour (&plot, plot_grey, 1);
  plot_text_upwards (&plot, 26, top + side / 2, 12, "truth");
  plot_text (
      &plot, left + side / 2, top + side + 24, 12, PLOT_CENTRE, "prediction");
  plot_text (&plot, left, top + side + 46, 11, PLOT_LEFT,
      "blue: share of the row that is right; orange: mistakes, three times as "
      "deep");
  return plot_save (&plot, path, error);
}

typedef struct {
  guint class_id;
  double f1_score;
} Bar;

static int
compare_bars (const void *a, const void *b)
{
  const Bar *x = a, *y = b;
  if (x->f1_score != y->f1_score)
    return x->f1_score < y->f1_score ? -1 : 1;
  return x->class_id < y->class_id ? -1 : 1;
}

static void
draw_bar (Plot *plot, const PlotAxes *axes, const ForgeEvaluation *evaluation,
    const Bar *bar, double y, double row, double min_f1)
{
  const ForgeClassMetrics *metrics = &evaluation->classes[bar->class_id];
  double right = plot_x (axes, metrics->f1_score);
  plot_set_colour (
      plot, metrics->f1_score < min_f1 ? plot_red : plot_blue, 0.85);
  cairo_rectangle (
      plot->cairo, axes->x, y + row * 0.16, right - axes->x, row * 0.68);
  cairo_fill (plot->cairo);
  g_autofree char *text = g_strdup_printf ("%.3f", metrics->f1_score);
  g_autofree char *detail =
      g_strdup_printf ("P %.3f  R %.3f  n %" G_GUINT64_FORMAT,
          metrics->precision, metrics->recall, metrics->support);
  double baseline = y + row / 2 + 4;
  plot_set_colour (plot, plot_black, 1);
  plot_text_within (plot, axes->x - 8, baseline, 12, axes->x - 24, PLOT_RIGHT,
      evaluation->labels[bar->class_id]);
  gboolean inside = right - axes->x > 56;
  plot_set_colour (plot, inside ? plot_white : plot_black, 1);
  plot_bold (
      plot, inside ? axes->x + 8 : right + 6, baseline, 11, PLOT_LEFT, text);
  plot_set_colour (plot, plot_grey, 1);
  plot_text (plot, axes->x + axes->width + 12, baseline, 11, PLOT_LEFT, detail);
}

gboolean
plot_classes_write (const ForgeEvaluation *evaluation, double min_f1,
    const char *title, const char *path, GError **error)
{
  g_autofree Bar *bars = g_new (Bar, evaluation->n_classes);
  guint n_bars = 0;
  for (guint c = 0; c < evaluation->n_classes; c++)
    if (evaluation->classes[c].support > 0)
      bars[n_bars++] = (Bar) { c, evaluation->classes[c].f1_score };
  qsort (bars, n_bars, sizeof *bars, compare_bars);
  guint n_shown = MIN (n_bars, MAX_BARS);
  double row = 26;
  g_autofree char *subtitle = g_strdup_printf (
      "%s: %s%u of %u classes, the worst first; macro average %.3f", title,
      n_shown < n_bars ? "the worst " : "", n_shown, n_bars,
      evaluation->macro_avg.f1_score);
  g_auto (Plot) plot = { 0 };
  plot_init (
      &plot, 820, 70 + n_shown * row + 60, "F1 of the classes", subtitle);
  const PlotAxes axes = { .x = 150,
    .y = 66,
    .width = 440,
    .height = n_shown * row,
    .high_x = 1,
    .high_y = 1 };
  plot_axes (&plot,
      &(PlotAxes) { axes.x, axes.y, axes.width, axes.height, 0, 1, 0, 0 }, "F1",
      NULL);
  plot_set_colour (&plot, plot_white, 1);
  cairo_rectangle (plot.cairo, 0, axes.y - 8, axes.x - 1, axes.height + 16);
  cairo_fill (plot.cairo);
  for (guint i = 0; i < n_shown; i++)
    draw_bar (
        &plot, &axes, evaluation, &bars[i], axes.y + i * row, row, min_f1);
  const double floor_x[] = { min_f1, min_f1 }, floor_y[] = { 0, 1 };
  plot_line (&plot, &axes, floor_x, floor_y, 2, plot_red, TRUE);
  g_autofree char *floor_text = g_strdup_printf ("floor %.2f", min_f1);
  plot_legend_entry (&plot, axes.x + axes.width + 36, axes.y + axes.height + 20,
      plot_red, TRUE, floor_text);
  return plot_save (&plot, path, error);
}
