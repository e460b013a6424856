/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Drawing what forge_model_summarise() lists: boxes in one column, in running
 * order, and lanes beside it for what skips some. */
#include "model-graph.h"

#include <cairo-svg.h>

#include "forge/error.h"

#define BOX_WIDTH 260.0
#define BOX_HEIGHT 34.0
#define PITCH 52.0 /* from box to box, points */
#define MARGIN 16.0
#define LANE_WIDTH 9.0
#define MAX_LANES 48
#define CORNER 4.0
/* Text is made smaller down to this share of its size, then shortened. */
#define LEAST_SHARE 0.75

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

/* An edge past other boxes: its vertical part runs in a lane to the right. */
typedef struct {
  guint from, to, lane;
} Skip;

/* @text with its middle left out, one character less than @n_chars. */
static char *
shorten (const char *text, glong n_chars)
{
  glong half = (n_chars - 2) / 2;
  g_autofree char *head = g_utf8_substring (text, 0, half);
  glong length = g_utf8_strlen (text, -1);
  g_autofree char *tail =
      g_utf8_substring (text, length - (n_chars - 2 - half), length);
  return g_strconcat (head, "\342\200\246", tail, NULL);
}

/* Text in the middle of a box. */
static void
draw_text (cairo_t *cairo, double y, double size, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  g_autofree char *shown = g_strdup (valid);
  double room = BOX_WIDTH - 12;
  cairo_text_extents_t extents;
  cairo_set_font_size (cairo, size);
  cairo_text_extents (cairo, shown, &extents);
  if (extents.x_advance > room) {
    /* glyphs are rounded to whole pixels */
    size *= MAX (LEAST_SHARE, 0.97 * room / extents.x_advance);
    cairo_set_font_size (cairo, size);
    cairo_text_extents (cairo, shown, &extents);
  }
  glong n_chars =
      MIN (g_utf8_strlen (valid, -1), (glong) (room / (size * 0.2)));
  for (; extents.x_advance > room && n_chars > 8; n_chars--) {
    g_free (shown);
    shown = shorten (valid, n_chars);
    cairo_text_extents (cairo, shown, &extents);
  }
  cairo_move_to (cairo, MARGIN + BOX_WIDTH / 2 - extents.x_advance / 2, y);
  cairo_show_text (cairo, shown);
}

/* Green for inputs, blue for what has parameters, grey for what computes
 * nothing, the deeper the more work. */
static void
set_colour (cairo_t *cairo, const ForgeLayerInfo *layer)
{
  if (!layer)
    cairo_set_source_rgb (cairo, 0.84, 0.93, 0.84);
  else if (layer->n_parameters > 0)
    cairo_set_source_rgb (cairo, 0.80, 0.87, 0.98);
  else if (layer->n_flops > 0)
    cairo_set_source_rgb (cairo, 0.91, 0.94, 0.99);
  else
    cairo_set_source_rgb (cairo, 0.95, 0.95, 0.95);
}

static void
draw_box (cairo_t *cairo, guint place, const ForgeLayerInfo *layer,
    const char *title, const char *detail)
{
  double y = MARGIN + place * PITCH;
  cairo_rectangle (cairo, MARGIN, y, BOX_WIDTH, BOX_HEIGHT);
  set_colour (cairo, layer);
  cairo_fill_preserve (cairo);
  cairo_set_source_rgb (cairo, 0.25, 0.3, 0.4);
  cairo_stroke (cairo);
  cairo_set_source_rgb (cairo, 0, 0, 0);
  draw_text (cairo, y + 14, 11, title);
  draw_text (cairo, y + 28, 9, detail);
}

/* A tip at (x, y) that points from (x + dx, y + dy). */
static void
draw_tip (cairo_t *cairo, double x, double y, double dx, double dy)
{
  cairo_move_to (cairo, x, y);
  cairo_line_to (cairo, x + dx - dy / 2, y + dy + dx / 2);
  cairo_line_to (cairo, x + dx + dy / 2, y + dy - dx / 2);
  cairo_close_path (cairo);
  cairo_fill (cairo);
}

static void
draw_next (cairo_t *cairo, guint from)
{
  double x = MARGIN + BOX_WIDTH / 2, y = MARGIN + from * PITCH;
  cairo_move_to (cairo, x, y + BOX_HEIGHT);
  cairo_line_to (cairo, x, y + PITCH);
  cairo_stroke (cairo);
  draw_tip (cairo, x, y + PITCH, 0, -6);
}

/* Out of the lower half of a box, into the upper half of another, so that
 * what comes and what goes do not meet. */
static void
draw_skip (cairo_t *cairo, const Skip *skip)
{
  double right = MARGIN + BOX_WIDTH;
  double x = right + LANE_WIDTH * (skip->lane + 1.5);
  double y0 = MARGIN + skip->from * PITCH + BOX_HEIGHT * 0.72;
  double y1 = MARGIN + skip->to * PITCH + BOX_HEIGHT * 0.28;
  cairo_move_to (cairo, right, y0);
  cairo_line_to (cairo, x - CORNER, y0);
  cairo_curve_to (cairo, x, y0, x, y0, x, y0 + CORNER);
  cairo_line_to (cairo, x, y1 - CORNER);
  cairo_curve_to (cairo, x, y1, x, y1, x - CORNER, y1);
  cairo_line_to (cairo, right, y1);
  cairo_stroke (cairo);
  draw_tip (cairo, right, y1, 6, 0);
}

/* Short edges come first and so lie inside. */
static int
compare_skips (gconstpointer a, gconstpointer b)
{
  const Skip *x = a, *y = b;
  guint p = x->to - x->from, q = y->to - y->from;
  if (p != q)
    return p < q ? -1 : 1;
  return x->from < y->from ? -1 : x->from > y->from;
}

/* Two edges share a lane when they leave the same box or do not meet. */
static gboolean
is_free (const GArray *skips, guint n_laid, const Skip *skip, guint lane)
{
  for (guint i = 0; i < n_laid; i++) {
    const Skip *other = &g_array_index (skips, Skip, i);
    if (other->lane == lane && other->from != skip->from &&
        other->from < skip->to && skip->from < other->to)
      return FALSE;
  }
  return TRUE;
}

/* Gives every edge its lane and returns how many there are. */
static guint
lay_lanes (GArray *skips)
{
  guint n_lanes = 0;
  g_array_sort (skips, compare_skips);
  for (guint i = 0; i < skips->len; i++) {
    Skip *skip = &g_array_index (skips, Skip, i);
    guint lane = 0;
    while (lane + 1 < MAX_LANES && !is_free (skips, i, skip, lane))
      lane++;
    skip->lane = lane;
    n_lanes = MAX (n_lanes, lane + 1);
  }
  return n_lanes;
}

/* What is drawn of a network: layers that an input reaches, each at its place
 * from the top. What works on constants alone (weights kept as integers) is
 * left out. */
typedef struct {
  const ForgeModel *model;
  const ForgeLayerInfo *layers;
  gsize n_layers;
  guint n_inputs, n_boxes;
  int *places; /* of the layers; -1 = not drawn */
  GArray *skips;
} Drawing;

static int
place_of (const Drawing *drawing, int source)
{
  return source < 0 ? (int) drawing->n_inputs + source
                    : drawing->places[source];
}

static void
lay_out (Drawing *drawing)
{
  drawing->n_inputs = forge_model_get_n_inputs (drawing->model);
  drawing->n_boxes = drawing->n_inputs;
  drawing->places = g_new (int, drawing->n_layers + 1);
  drawing->skips = g_array_new (FALSE, FALSE, sizeof (Skip));
  for (guint n = 0; n < drawing->n_layers; n++) {
    const ForgeLayerInfo *layer = &drawing->layers[n];
    gboolean reached = FALSE;
    for (guint k = 0; k < layer->n_sources; k++)
      reached |= place_of (drawing, layer->sources[k]) >= 0;
    drawing->places[n] = reached ? (int) drawing->n_boxes++ : -1;
    for (guint k = 0; k < layer->n_sources && reached; k++) {
      int from = place_of (drawing, layer->sources[k]);
      Skip skip = { (guint) from, drawing->n_boxes - 1, 0 };
      if (from >= 0 && skip.to != skip.from + 1)
        g_array_append_val (drawing->skips, skip);
    }
  }
}

static void
draw_layer (cairo_t *cairo, const Drawing *drawing, guint n)
{
  const ForgeLayerInfo *layer = &drawing->layers[n];
  int place = drawing->places[n];
  if (place < 0)
    return;
  g_autofree char *shape = forge_shape_to_string (&layer->output_shape);
  g_autofree char *detail = g_strdup_printf (
      "%s  %s %s", layer->type, forge_dtype_name (layer->output_dtype), shape);
  draw_box (cairo, (guint) place, layer, layer->name, detail);
  for (guint k = 0; k < layer->n_sources; k++)
    if (place_of (drawing, layer->sources[k]) == place - 1)
      draw_next (cairo, (guint) place - 1);
}

static void
draw (cairo_t *cairo, const Drawing *drawing)
{
  /* viewers may have a dark page */
  cairo_set_source_rgb (cairo, 1, 1, 1);
  cairo_paint (cairo);
  cairo_set_line_width (cairo, 1);
  for (guint i = 0; i < drawing->n_inputs; i++) {
    ForgePort port = forge_model_get_input (drawing->model, i);
    g_autofree char *shape = forge_shape_to_string (&port.shape);
    g_autofree char *detail =
        g_strdup_printf ("%s %s", forge_dtype_name (port.dtype), shape);
    draw_box (cairo, drawing->n_inputs - 1 - i, NULL, port.name, detail);
  }
  for (guint n = 0; n < drawing->n_layers; n++)
    draw_layer (cairo, drawing, n);
  for (guint i = 0; i < drawing->skips->len; i++)
    draw_skip (cairo, &g_array_index (drawing->skips, Skip, i));
}

gboolean
model_graph_write_svg (const ForgeModel *model, const ForgeLayerInfo *layers,
    gsize n_layers, const char *path, GError **error)
{
  Drawing drawing = { model, layers, n_layers, 0, 0, NULL, NULL };
  lay_out (&drawing);
  guint n_lanes = lay_lanes (drawing.skips);
  cairo_surface_t *surface = cairo_svg_surface_create (path,
      2 * MARGIN + BOX_WIDTH + LANE_WIDTH * (n_lanes + (n_lanes > 0)),
      2 * MARGIN + drawing.n_boxes * PITCH - (PITCH - BOX_HEIGHT));
  cairo_t *cairo = cairo_create (surface);
  draw (cairo, &drawing);
  cairo_status_t status = cairo_status (cairo);
  cairo_destroy (cairo);
  cairo_surface_finish (surface);
  if (status == CAIRO_STATUS_SUCCESS)
    status = cairo_surface_status (surface);
  cairo_surface_destroy (surface);
  g_free (drawing.places);
  g_array_unref (drawing.skips);
  if (status != CAIRO_STATUS_SUCCESS)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO, "%s: %s", path,
        cairo_status_to_string (status));
  return status == CAIRO_STATUS_SUCCESS;
}
