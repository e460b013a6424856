/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Drawing what forge_model_summarise() lists. */
#include "model-graph.h"

#include <cairo-svg.h>

#include "forge/error.h"

#define BOX_WIDTH 260.0
#define BOX_HEIGHT 34.0
#define PITCH 52.0 /* from box to box, points */
#define MARGIN 16.0
#define MAX_BEND 220.0

/* A quoted string of the DOT language; a backslash would start an escape. */
static void
append_quoted (GString *text, const char *const *lines)
{
  g_string_append_c (text, '"');
  for (; *lines; lines++) {
    for (const char *c = *lines; *c; c++) {
      if (*c == '"' || *c == '\\')
        g_string_append_c (text, '\\');
      g_string_append_c (text, (guchar) *c < ' ' ? ' ' : *c);
    }
    if (lines[1])
      g_string_append (text, "\\n");
  }
  g_string_append_c (text, '"');
}

static void
append_node_name (GString *text, int row)
{
  if (row >= 0)
    g_string_append_printf (text, "n%d", row);
  else
    g_string_append_printf (text, "in%d", -1 - row);
}

char *
model_graph_to_dot (
    const ForgeModel *model, const ForgeLayerInfo *layers, gsize n_layers)
{
  GString *text = g_string_new ("digraph ");
  append_quoted (text, (const char *[]) { forge_model_get_name (model), NULL });
  g_string_append (text, " {\n  node [shape=box, fontname=\"sans-serif\"];\n");
  for (guint i = 0; i < forge_model_get_n_inputs (model); i++) {
    ForgePort port = forge_model_get_input (model, i);
    g_autofree char *shape = forge_shape_to_string (&port.shape);
    g_string_append_printf (text, "  in%u [shape=ellipse, label=", i);
    append_quoted (text, (const char *[]) { port.name, shape, NULL });
    g_string_append (text, "];\n");
  }
  for (gsize i = 0; i < n_layers; i++) {
    g_autofree char *shape = forge_shape_to_string (&layers[i].output_shape);
    g_string_append_printf (text, "  n%d [label=", (int) i);
    append_quoted (
        text, (const char *[]) { layers[i].name, layers[i].type, shape, NULL });
    g_string_append (text, "];\n");
    for (guint k = 0; k < layers[i].n_sources; k++) {
      g_string_append (text, "  ");
      append_node_name (text, layers[i].sources[k]);
      g_string_append_printf (text, " -> n%d;\n", (int) i);
    }
  }
  g_string_append (text, "}\n");
  return g_string_free (text, FALSE);
}

/* Text in the middle of a box, made smaller where it is too long. */
static void
draw_text (cairo_t *cairo, double y, double size, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  cairo_text_extents_t extents;
  cairo_set_font_size (cairo, size);
  cairo_text_extents (cairo, valid, &extents);
  double room = BOX_WIDTH - 12;
  if (extents.x_advance > room) {
    cairo_set_font_size (cairo, size * room / extents.x_advance);
    cairo_text_extents (cairo, valid, &extents);
  }
  cairo_move_to (cairo, MARGIN + BOX_WIDTH / 2 - extents.x_advance / 2, y);
  cairo_show_text (cairo, valid);
}

static void
draw_box (cairo_t *cairo, guint place, gboolean is_input, const char *title,
    const char *detail)
{
  double y = MARGIN + place * PITCH;
  cairo_rectangle (cairo, MARGIN, y, BOX_WIDTH, BOX_HEIGHT);
  if (is_input)
    cairo_set_source_rgb (cairo, 0.88, 0.94, 0.88);
  else
    cairo_set_source_rgb (cairo, 0.90, 0.93, 0.98);
  cairo_fill_preserve (cairo);
  cairo_set_source_rgb (cairo, 0.25, 0.3, 0.4);
  cairo_stroke (cairo);
  cairo_set_source_rgb (cairo, 0, 0, 0);
  draw_text (cairo, y + 14, 11, title);
  draw_text (cairo, y + 28, 9, detail);
}

static void
draw_edge (cairo_t *cairo, guint from, guint to)
{
  double middle = MARGIN + BOX_WIDTH / 2, right = MARGIN + BOX_WIDTH;
  double y0 = MARGIN + from * PITCH, y1 = MARGIN + to * PITCH;
  double tip_x = middle, tip_y = y1, back_x = 0, back_y = -6;
  if (to == from + 1) {
    cairo_move_to (cairo, middle, y0 + BOX_HEIGHT);
    cairo_line_to (cairo, middle, y1);
  } else {
    double bend = MIN (24.0 * (to - from), MAX_BEND);
    y0 += BOX_HEIGHT / 2;
    y1 += BOX_HEIGHT / 2;
    cairo_move_to (cairo, right, y0);
    cairo_curve_to (cairo, right + bend, y0, right + bend, y1, right, y1);
    tip_x = right;
    tip_y = y1;
    back_x = 6;
    back_y = 0;
  }
  cairo_stroke (cairo);
  cairo_move_to (cairo, tip_x, tip_y);
  cairo_line_to (
      cairo, tip_x + back_x - back_y / 2, tip_y + back_y + back_x / 2);
  cairo_line_to (
      cairo, tip_x + back_x + back_y / 2, tip_y + back_y - back_x / 2);
  cairo_close_path (cairo);
  cairo_fill (cairo);
}

static void
draw (cairo_t *cairo, const ForgeModel *model, const ForgeLayerInfo *layers,
    gsize n_layers)
{
  guint n_inputs = forge_model_get_n_inputs (model);
  cairo_set_line_width (cairo, 1);
  for (guint i = 0; i < n_inputs; i++) {
    ForgePort port = forge_model_get_input (model, i);
    g_autofree char *shape = forge_shape_to_string (&port.shape);
    draw_box (cairo, n_inputs - 1 - i, TRUE, port.name, shape);
  }
  for (guint n = 0; n < n_layers; n++) {
    g_autofree char *shape = forge_shape_to_string (&layers[n].output_shape);
    g_autofree char *detail = g_strdup_printf ("%s %s", layers[n].type, shape);
    draw_box (cairo, n_inputs + n, FALSE, layers[n].name, detail);
    for (guint k = 0; k < layers[n].n_sources; k++)
      draw_edge (
          cairo, (guint) ((int) n_inputs + layers[n].sources[k]), n_inputs + n);
  }
}

gboolean
model_graph_write_svg (const ForgeModel *model, const ForgeLayerInfo *layers,
    gsize n_layers, const char *path, GError **error)
{
  double n_boxes = (double) (forge_model_get_n_inputs (model) + n_layers);
  cairo_surface_t *surface = cairo_svg_surface_create (
      path, 2 * MARGIN + BOX_WIDTH + MAX_BEND, 2 * MARGIN + n_boxes * PITCH);
  cairo_t *cairo = cairo_create (surface);
  draw (cairo, model, layers, n_layers);
  cairo_status_t status = cairo_status (cairo);
  cairo_destroy (cairo);
  cairo_surface_finish (surface);
  if (status == CAIRO_STATUS_SUCCESS)
    status = cairo_surface_status (surface);
  cairo_surface_destroy (surface);
  if (status != CAIRO_STATUS_SUCCESS)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO, "%s: %s", path,
        cairo_status_to_string (status));
  return status == CAIRO_STATUS_SUCCESS;
}
