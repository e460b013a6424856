/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Accuracy over severity, four panels: fifteen lines in one cannot be told
 * apart. */
#include "corruption-report.h"
#include "plot-evaluation.h"
#include "plot.h"

typedef struct {
  const char *name;
  ForgeCorruption first, last;
} Group;

static const Group groups[] = {
  { "noise", FORGE_CORRUPTION_GAUSSIAN_NOISE, FORGE_CORRUPTION_IMPULSE_NOISE },
  { "blur", FORGE_CORRUPTION_DEFOCUS_BLUR, FORGE_CORRUPTION_ZOOM_BLUR },
  { "weather", FORGE_CORRUPTION_SNOW, FORGE_CORRUPTION_BRIGHTNESS },
  { "digital", FORGE_CORRUPTION_CONTRAST, FORGE_CORRUPTION_JPEG_COMPRESSION },
};

static void
draw_group (Plot *plot, const PlotAxes *axes, const Group *group, double clean,
    const ForgeCorruptedFigures *rows, guint n_kinds)
{
  const PlotColour colours[] = { plot_blue, plot_orange, plot_green,
    plot_purple };
  guint n_drawn = 0;
  plot_axes (plot, axes, "severity", "accuracy");
  plot_set_colour (plot, plot_black, 1);
  plot_bold (plot, axes->x, axes->y - 10, 13, PLOT_LEFT, group->name);
  for (guint k = 0; k < n_kinds; k++) {
    const ForgeCorruptedFigures *row = rows + k * FORGE_N_SEVERITIES;
    double x[FORGE_N_SEVERITIES + 1] = { 0 };
    double y[FORGE_N_SEVERITIES + 1] = { clean };
    if (row->kind < group->first || row->kind > group->last)
      continue;
    for (guint s = 0; s < FORGE_N_SEVERITIES; s++) {
      x[s + 1] = row[s].severity;
      y[s + 1] = row[s].accuracy;
    }
    PlotColour colour = colours[n_drawn % G_N_ELEMENTS (colours)];
    plot_line (plot, axes, x, y, G_N_ELEMENTS (x), colour, FALSE);
    plot_legend_entry (plot, axes->x + axes->width + 14,
        axes->y + 16 + 20 * n_drawn, colour, FALSE,
        forge_corruption_name (row->kind));
    n_drawn++;
  }
}

gboolean
plot_corruptions_write (double clean, const ForgeCorruptedFigures *rows,
    guint n_kinds, const char *title, const char *path, GError **error)
{
  g_autofree char *subtitle = g_strdup_printf (
      "%s: accuracy %.1f %% clean, %.1f %% on average over %u kinds at "
      "severities 1 to 5",
      title, 100 * clean, 100 * (1 - corruption_mean_error (rows, n_kinds)),
      n_kinds);
  g_auto (Plot) plot = { 0 };
  plot_init (&plot, 1000, 640, "Accuracy under corrupted pictures", subtitle);
  for (guint i = 0; i < G_N_ELEMENTS (groups); i++) {
    const PlotAxes axes = { .x = 72 + (i % 2) * 490,
      .y = 96 + (i / 2) * 275,
      .width = 250,
      .height = 200,
      .high_x = FORGE_N_SEVERITIES,
      .high_y = 1 };
    draw_group (&plot, &axes, &groups[i], clean, rows, n_kinds);
  }
  return plot_save (&plot, path, error);
}
