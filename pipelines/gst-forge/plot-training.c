/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See plot-training.h. */
#include "plot-training.h"

#include <errno.h>
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "forge/error.h"
#include "plot.h"

#define MAX_LOG_BYTES ((gsize) 64 << 20)
/* json-glib parses by recursion. */
#define MAX_BRACKETS 64

enum { LOSS, ACCURACY, VAL_LOSS, VAL_ACCURACY, N_CURVES };

static const char *const members[N_CURVES] = { "loss", "accuracy", "val_loss",
  "val_accuracy" };

typedef struct {
  double epoch;
  double values[N_CURVES];
} Epoch;

static double
number (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);
  GType type = node && JSON_NODE_HOLDS_VALUE (node)
                   ? json_node_get_value_type (node)
                   : G_TYPE_INVALID;
  return type == G_TYPE_DOUBLE  ? json_node_get_double (node)
         : type == G_TYPE_INT64 ? (double) json_node_get_int (node)
                                : NAN;
}

static gboolean
is_shallow (const char *line)
{
  guint n = 0;
  for (; *line; line++)
    n += *line == '{' || *line == '[';
  return n <= MAX_BRACKETS;
}

static gboolean
read_line (const char *path, guint line_number, const char *line,
    GArray *epochs, GError **error)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonNode *root = NULL;
  if (is_shallow (line) && json_parser_load_from_data (parser, line, -1, NULL))
    root = json_parser_get_root (parser);
  JsonObject *object = root && JSON_NODE_HOLDS_OBJECT (root)
                           ? json_node_get_object (root)
                           : NULL;
  Epoch epoch = { .epoch = object ? number (object, "epoch") : NAN };
  if (!(epoch.epoch >= 1 && epoch.epoch <= 1e9)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: line %u: expected a JSON object with an \"epoch\" from 1 on", path,
        line_number);
    return FALSE;
  }
  for (guint i = 0; i < N_CURVES; i++)
    epoch.values[i] = number (object, members[i]);
  while (epochs->len > 0 &&
         g_array_index (epochs, Epoch, epochs->len - 1).epoch >= epoch.epoch)
    g_array_set_size (epochs, epochs->len - 1);
  g_array_append_val (epochs, epoch);
  return TRUE;
}

static gboolean
read_log (const char *path, GArray *epochs, GError **error)
{
  g_autofree char *text = NULL;
  gsize size_bytes = 0;
  g_autoptr (GError) cause = NULL;
  if (!g_file_get_contents (path, &text, &size_bytes, &cause)) {
    g_set_error (error, FORGE_ERROR,
        g_error_matches (cause, G_FILE_ERROR, G_FILE_ERROR_NOENT)
            ? FORGE_ERROR_NOT_FOUND
            : FORGE_ERROR_IO,
        "training log: %s", cause->message);
    return FALSE;
  }
  if (size_bytes > MAX_LOG_BYTES || memchr (text, 0, size_bytes)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected a text file of at most %" G_GSIZE_FORMAT " bytes", path,
        MAX_LOG_BYTES);
    return FALSE;
  }
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i]; i++)
    if (*g_strstrip (lines[i]) &&
        !read_line (path, i + 1, lines[i], epochs, error))
      return FALSE;
  if (epochs->len > 0)
    return TRUE;
  g_set_error (
      error, FORGE_ERROR, FORGE_ERROR_FORMAT, "%s: no epoch in it", path);
  return FALSE;
}

static double
value_at (const GArray *epochs, guint index, guint curve)
{
  return g_array_index (epochs, Epoch, index).values[curve];
}

/* The greatest finite value of two curves; 1 where there is none. */
static void
find_range (const GArray *epochs, guint a, guint b, double *low, double *high)
{
  *low = INFINITY;
  *high = -INFINITY;
  for (guint i = 0; i < epochs->len; i++)
    for (guint k = 0; k < 2; k++) {
      double value = value_at (epochs, i, k ? b : a);
      if (!isfinite (value))
        continue;
      *low = MIN (*low, value);
      *high = MAX (*high, value);
    }
  if (!isfinite (*low))
    *low = 0, *high = 1;
}

static guint
find_best (const GArray *epochs)
{
  guint best = epochs->len;
  for (guint i = 0; i < epochs->len; i++)
    if (isfinite (value_at (epochs, i, VAL_LOSS)) &&
        (best == epochs->len ||
            value_at (epochs, i, VAL_LOSS) < value_at (epochs, best, VAL_LOSS)))
      best = i;
  return best;
}

static void
draw_curve (Plot *plot, const PlotAxes *axes, const GArray *epochs, guint curve,
    PlotColour colour)
{
  g_autofree double *x = g_new (double, epochs->len);
  g_autofree double *y = g_new (double, epochs->len);
  for (guint i = 0; i < epochs->len; i++) {
    x[i] = g_array_index (epochs, Epoch, i).epoch;
    y[i] = value_at (epochs, i, curve);
  }
  plot_line (plot, axes, x, y, epochs->len, colour, FALSE);
}

static void
draw_best (Plot *plot, const PlotAxes *axes, const GArray *epochs, guint best)
{
  if (best == epochs->len)
    return;
  double at = g_array_index (epochs, Epoch, best).epoch;
  double line_x[2] = { at, at }, line_y[2] = { axes->low_y, axes->high_y };
  plot_line (plot, axes, line_x, line_y, 2, plot_grey, TRUE);
}

static void
draw_panel (Plot *plot, PlotAxes axes, const GArray *epochs, guint train,
    guint val, const char *title)
{
  plot_axes (plot, &axes, "epoch", title);
  draw_best (plot, &axes, epochs, find_best (epochs));
  draw_curve (plot, &axes, epochs, train, plot_orange);
  draw_curve (plot, &axes, epochs, val, plot_blue);
}

static char *
describe (const GArray *epochs)
{
  guint best = find_best (epochs);
  if (best == epochs->len)
    return g_strdup_printf ("%u epochs", epochs->len);
  return g_strdup_printf (
      "%u epochs; least validation loss %.4f in epoch %.0f, accuracy there "
      "%.2f %%",
      epochs->len, value_at (epochs, best, VAL_LOSS),
      g_array_index (epochs, Epoch, best).epoch,
      100 * value_at (epochs, best, VAL_ACCURACY));
}

gboolean
plot_training_write (const char *log_path, const char *png_path,
    const char *title, GError **error)
{
  g_autoptr (GArray) epochs = g_array_new (FALSE, FALSE, sizeof (Epoch));
  if (!read_log (log_path, epochs, error))
    return FALSE;
  g_autofree char *subtitle = describe (epochs);
  g_auto (Plot) plot = { 0 };
  plot_init (&plot, 940, 440, title ? title : "Training", subtitle);
  double first = g_array_index (epochs, Epoch, 0).epoch;
  double last = g_array_index (epochs, Epoch, epochs->len - 1).epoch;
  PlotAxes axes = { .x = 70,
    .y = 90,
    .width = 370,
    .height = 290,
    .low_x = MIN (first, 1),
    .high_x = MAX (last, first + 1) };
  double low, high;
  find_range (epochs, LOSS, VAL_LOSS, &low, &high);
  axes.low_y = MIN (0, low);
  axes.high_y = high + 0.05 * MAX (high - axes.low_y, 1e-6);
  draw_panel (&plot, axes, epochs, LOSS, VAL_LOSS, "loss");
  find_range (epochs, ACCURACY, VAL_ACCURACY, &low, &high);
  axes.x = 540;
  axes.low_y = MAX (0, low - 0.05 * MAX (high - low, 0.02));
  axes.high_y = MIN (1, high + 0.05 * MAX (high - low, 0.02));
  if (axes.high_y <= axes.low_y)
    axes.high_y = axes.low_y + 0.1;
  draw_panel (&plot, axes, epochs, ACCURACY, VAL_ACCURACY, "accuracy");
  plot_legend_entry (&plot, 70, 78, plot_orange, FALSE, "training (augmented)");
  plot_legend_entry (&plot, 250, 78, plot_blue, FALSE, "validation");
  plot_legend_entry (&plot, 370, 78, plot_grey, TRUE, "best epoch");
  return plot_save (&plot, png_path, error);
}
