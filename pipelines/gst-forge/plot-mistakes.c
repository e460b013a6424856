/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pictures: those that a model is most surely wrong about (wrong labels show
 * here first), and one picture under every corruption. */
#include <math.h>

#include "plot-evaluation.h"
#include "plot.h"

#define COLUMNS 6
#define TILE 130.0
#define CAPTION 38.0
#define GAP 14.0
/* In the sheet of corruptions. */
#define SMALL_TILE 64.0

/* Fitted into a square of @side; few pixels stay squares. */
static void
draw_picture (
    Plot *plot, const ForgePicture *picture, double x, double y, double side)
{
  int stride_bytes =
      cairo_format_stride_for_width (CAIRO_FORMAT_RGB24, picture->width);
  g_autofree guint8 *bytes =
      g_malloc ((gsize) stride_bytes * (gsize) picture->height);
  for (int row = 0; row < picture->height; row++)
    for (int column = 0; column < picture->width; column++) {
      const guint8 *rgb =
          picture->data +
          3 * ((gsize) row * (gsize) picture->width + (gsize) column);
      guint32 *to =
          (guint32 *) (bytes + (gsize) row * (gsize) stride_bytes) + column;
      *to = (guint32) rgb[0] << 16 | (guint32) rgb[1] << 8 | rgb[2];
    }
  cairo_surface_t *surface = cairo_image_surface_create_for_data (
      bytes, CAIRO_FORMAT_RGB24, picture->width, picture->height, stride_bytes);
  double scale = side / MAX (picture->width, picture->height);
  cairo_save (plot->cairo);
  cairo_translate (plot->cairo, x + (side - scale * picture->width) / 2,
      y + (side - scale * picture->height) / 2);
  cairo_scale (plot->cairo, scale, scale);
  cairo_set_source_surface (plot->cairo, surface, 0, 0);
  cairo_pattern_set_filter (cairo_get_source (plot->cairo),
      scale > 1 ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_GOOD);
  cairo_rectangle (plot->cairo, 0, 0, picture->width, picture->height);
  cairo_fill (plot->cairo);
  cairo_restore (plot->cairo);
  cairo_surface_finish (surface);
  cairo_surface_destroy (surface);
}

static void
draw_mistake (Plot *plot, const ForgeEvaluation *evaluation,
    const ForgeDataset *dataset, const ForgeMistake *mistake, double x,
    double y)
{
  g_autoptr (ForgePicture) picture =
      forge_dataset_load (dataset, mistake->item, NULL);
  if (picture)
    draw_picture (plot, picture, x, y, TILE);
  g_autofree char *guess = g_strdup_printf (
      "%.3f %s", mistake->confidence, evaluation->labels[mistake->predicted]);
  g_autofree char *truth =
      g_strdup_printf ("is %s", evaluation->labels[mistake->truth]);
  plot_set_colour (plot, plot_red, 1);
  plot_text_within (plot, x, y + TILE + 15, 12, TILE, PLOT_LEFT, guess);
  plot_set_colour (plot, plot_black, 1);
  plot_text_within (plot, x, y + TILE + 30, 12, TILE, PLOT_LEFT, truth);
}

gboolean
plot_mistakes_write (const ForgeEvaluation *evaluation,
    const ForgeDataset *dataset, const char *title, const char *path,
    GError **error)
{
  guint n = evaluation->n_mistakes, n_rows = (n + COLUMNS - 1) / COLUMNS;
  g_autofree char *subtitle = g_strdup_printf (
      n ? "%s: the %u surest of all wrong answers" : "%s: no wrong answer",
      title, n);
  g_auto (Plot) plot = { 0 };
  plot_init (&plot, 40 + COLUMNS * (TILE + GAP) - GAP,
      80 + n_rows * (TILE + CAPTION + GAP), "Most confident mistakes",
      subtitle);
  for (guint i = 0; i < n; i++)
    draw_mistake (&plot, evaluation, dataset, &evaluation->mistakes[i],
        20 + (i % COLUMNS) * (TILE + GAP),
        66 + (i / COLUMNS) * (TILE + CAPTION + GAP));
  return plot_save (&plot, path, error);
}

gboolean
plot_sheet_write (const ForgeDataset *dataset, guint item, uint64_t seed,
    const char *path, GError **error)
{
  g_autoptr (ForgePicture) picture = forge_dataset_load (dataset, item, error);
  if (!picture)
    return FALSE;
  g_autofree char *name = forge_dataset_describe_item (dataset, item);
  double left = 150, top = 84, pitch = SMALL_TILE + 4;
  g_auto (Plot) plot = { 0 };
  plot_init (&plot, left + (FORGE_N_SEVERITIES + 1) * pitch + 20,
      top + FORGE_N_CORRUPTIONS * pitch + 16, "Corruptions", name);
  for (guint severity = 0; severity <= FORGE_N_SEVERITIES; severity++) {
    g_autofree char *text =
        severity ? g_strdup_printf ("%u", severity) : g_strdup ("clean");
    plot_set_colour (&plot, plot_black, 1);
    plot_text (&plot, left + (severity + 0.5) * pitch - 2, top - 8, 12,
        PLOT_CENTRE, text);
  }
  for (guint kind = 0; kind < FORGE_N_CORRUPTIONS; kind++) {
    double y = top + kind * pitch;
    plot_set_colour (&plot, plot_black, 1);
    plot_text (&plot, left - 10, y + SMALL_TILE / 2 + 4, 12, PLOT_RIGHT,
        forge_corruption_name (kind));
    for (guint severity = 0; severity <= FORGE_N_SEVERITIES; severity++) {
      g_autoptr (ForgePicture) worse =
          forge_corrupt (picture, kind, severity, seed, error);
      if (!worse)
        return FALSE;
      draw_picture (&plot, worse, left + severity * pitch, y, SMALL_TILE);
    }
  }
  return plot_save (&plot, path, error);
}
