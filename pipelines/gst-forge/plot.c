/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See plot.h. */
#include "plot.h"

#include <math.h>

#include "forge/error.h"

const PlotColour plot_blue = { 0.13, 0.38, 0.70 };
const PlotColour plot_orange = { 0.88, 0.47, 0.10 };
const PlotColour plot_green = { 0.16, 0.55, 0.32 };
const PlotColour plot_red = { 0.77, 0.18, 0.20 };
const PlotColour plot_purple = { 0.48, 0.30, 0.62 };
const PlotColour plot_grey = { 0.45, 0.47, 0.50 };
const PlotColour plot_black = { 0.12, 0.13, 0.15 };
const PlotColour plot_white = { 1, 1, 1 };

#define TICK_SIZE 11.0
#define TICKS_APART 42.0

void
plot_init (Plot *plot, double width, double height, const char *title,
    const char *subtitle)
{
  plot->width = width;
  plot->height = height;
  plot->surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24,
      (int) ceil (width * PLOT_PIXELS), (int) ceil (height * PLOT_PIXELS));
  plot->cairo = cairo_create (plot->surface);
  cairo_scale (plot->cairo, PLOT_PIXELS, PLOT_PIXELS);
  plot_set_colour (plot, plot_white, 1);
  cairo_paint (plot->cairo);
  plot_set_colour (plot, plot_black, 1);
  plot_bold (plot, 20, 30, 17, PLOT_LEFT, title);
  if (!subtitle)
    return;
  plot_set_colour (plot, plot_grey, 1);
  plot_text_within (plot, 20, 49, 12, width - 40, PLOT_LEFT, subtitle);
}

void
plot_clear (Plot *plot)
{
  g_clear_pointer (&plot->cairo, cairo_destroy);
  g_clear_pointer (&plot->surface, cairo_surface_destroy);
}

gboolean
plot_save (Plot *plot, const char *path, GError **error)
{
  cairo_status_t status = cairo_status (plot->cairo);
  if (status == CAIRO_STATUS_SUCCESS)
    status = cairo_surface_write_to_png (plot->surface, path);
  if (status == CAIRO_STATUS_SUCCESS)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO, "%s: %s", path,
      cairo_status_to_string (status));
  return FALSE;
}

void
plot_set_colour (Plot *plot, PlotColour colour, double opacity)
{
  cairo_set_source_rgba (
      plot->cairo, colour.red, colour.green, colour.blue, opacity);
}

static void
set_font (Plot *plot, double size, cairo_font_weight_t weight)
{
  cairo_select_font_face (
      plot->cairo, "sans-serif", CAIRO_FONT_SLANT_NORMAL, weight);
  cairo_set_font_size (plot->cairo, size);
}

static void
show_text (Plot *plot, double x, double y, PlotAlign align, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  cairo_text_extents_t extents;
  cairo_text_extents (plot->cairo, valid, &extents);
  double shift = align == PLOT_LEFT     ? 0
                 : align == PLOT_CENTRE ? extents.x_advance / 2
                                        : extents.x_advance;
  cairo_move_to (plot->cairo, x - shift, y);
  cairo_show_text (plot->cairo, valid);
}

void
plot_text (Plot *plot, double x, double y, double size, PlotAlign align,
    const char *text)
{
  set_font (plot, size, CAIRO_FONT_WEIGHT_NORMAL);
  show_text (plot, x, y, align, text);
}

void
plot_bold (Plot *plot, double x, double y, double size, PlotAlign align,
    const char *text)
{
  set_font (plot, size, CAIRO_FONT_WEIGHT_BOLD);
  show_text (plot, x, y, align, text);
}

double
plot_text_width (Plot *plot, double size, const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  cairo_text_extents_t extents;
  set_font (plot, size, CAIRO_FONT_WEIGHT_NORMAL);
  cairo_text_extents (plot->cairo, valid, &extents);
  return extents.x_advance;
}

void
plot_text_within (Plot *plot, double x, double y, double size, double room,
    PlotAlign align, const char *text)
{
  g_autofree char *cut = g_utf8_make_valid (text, -1);
  for (glong n = g_utf8_strlen (cut, -1);
       n > 1 && plot_text_width (plot, size, cut) > room; n--) {
    g_autofree char *start = g_utf8_substring (cut, 0, MAX (n - 2, 1));
    g_free (cut);
    cut = g_strconcat (start, "\xe2\x80\xa6", NULL);
  }
  plot_text (plot, x, y, size, align, cut);
}

void
plot_text_upwards (
    Plot *plot, double x, double y, double size, const char *text)
{
  cairo_save (plot->cairo);
  cairo_translate (plot->cairo, x, y);
  cairo_rotate (plot->cairo, -G_PI / 2);
  plot_text (plot, 0, 0, size, PLOT_CENTRE, text);
  cairo_restore (plot->cairo);
}

double
plot_x (const PlotAxes *axes, double value)
{
  return axes->x + axes->width * (value - axes->low_x) /
                       MAX (axes->high_x - axes->low_x, 1e-300);
}

double
plot_y (const PlotAxes *axes, double value)
{
  return axes->y + axes->height -
         axes->height * (value - axes->low_y) /
             MAX (axes->high_y - axes->low_y, 1e-300);
}

/* 1, 2 or 5 times a power of ten, so that about @n steps make the span. */
static double
round_step (double span, double n)
{
  double raw = span / MAX (n, 1);
  double power = pow (10, floor (log10 (MAX (raw, 1e-300))));
  double part = raw / power;
  return power * (part <= 1.4 ? 1 : part <= 2.8 ? 2 : part <= 7 ? 5 : 10);
}

static void
format_tick (char *text, gsize size, double value, double step)
{
  int digits = step >= 1 ? 0 : (int) ceil (-log10 (step) - 1e-9);
  char format[8];
  g_snprintf (format, sizeof format, "%%.%df", CLAMP (digits, 0, 6));
  g_ascii_formatd (
      text, (int) size, format, fabs (value) < step / 2 ? 0 : value);
}

static void
rule (Plot *plot, double x0, double y0, double x1, double y1)
{
  cairo_move_to (plot->cairo, x0, y0);
  cairo_line_to (plot->cairo, x1, y1);
  cairo_stroke (plot->cairo);
}

static void
draw_ticks_x (Plot *plot, const PlotAxes *axes)
{
  double step = round_step (
      axes->high_x - axes->low_x, axes->width / (TICKS_APART * 1.6));
  double first = ceil (axes->low_x / step - 1e-9);
  for (double i = first; i * step <= axes->high_x + step * 1e-6; i++) {
    char text[32];
    double x = plot_x (axes, i * step);
    format_tick (text, sizeof text, i * step, step);
    plot_set_colour (plot, plot_grey, 0.25);
    rule (plot, x, axes->y, x, axes->y + axes->height);
    plot_set_colour (plot, plot_black, 1);
    plot_text (
        plot, x, axes->y + axes->height + 16, TICK_SIZE, PLOT_CENTRE, text);
  }
}

static void
draw_ticks_y (Plot *plot, const PlotAxes *axes)
{
  double step = round_step (
      axes->high_y - axes->low_y, MAX (axes->height / TICKS_APART, 3));
  double first = ceil (axes->low_y / step - 1e-9);
  for (double i = first; i * step <= axes->high_y + step * 1e-6; i++) {
    char text[32];
    double y = plot_y (axes, i * step);
    format_tick (text, sizeof text, i * step, step);
    plot_set_colour (plot, plot_grey, 0.25);
    rule (plot, axes->x, y, axes->x + axes->width, y);
    plot_set_colour (plot, plot_black, 1);
    plot_text (plot, axes->x - 7, y + 4, TICK_SIZE, PLOT_RIGHT, text);
  }
}

void
plot_axes (
    Plot *plot, const PlotAxes *axes, const char *title_x, const char *title_y)
{
  cairo_set_line_width (plot->cairo, 1);
  cairo_set_dash (plot->cairo, NULL, 0, 0);
  if (axes->high_x > axes->low_x)
    draw_ticks_x (plot, axes);
  if (axes->high_y > axes->low_y)
    draw_ticks_y (plot, axes);
  plot_set_colour (plot, plot_grey, 1);
  cairo_rectangle (plot->cairo, axes->x, axes->y, axes->width, axes->height);
  cairo_stroke (plot->cairo);
  plot_set_colour (plot, plot_black, 1);
  if (title_x)
    plot_text (plot, axes->x + axes->width / 2, axes->y + axes->height + 34, 12,
        PLOT_CENTRE, title_x);
  if (title_y)
    plot_text_upwards (
        plot, axes->x - 42, axes->y + axes->height / 2, 12, title_y);
}

static void
set_pen (Plot *plot, PlotColour colour, gboolean dotted)
{
  static const double dots[] = { 5, 4 };
  plot_set_colour (plot, colour, 1);
  cairo_set_line_width (plot->cairo, 2);
  cairo_set_line_join (plot->cairo, CAIRO_LINE_JOIN_ROUND);
  cairo_set_dash (plot->cairo, dots, dotted ? 2 : 0, 0);
}

void
plot_line (Plot *plot, const PlotAxes *axes, const double *x, const double *y,
    gsize n, PlotColour colour, gboolean dotted)
{
  cairo_save (plot->cairo);
  cairo_rectangle (
      plot->cairo, axes->x, axes->y - 2, axes->width, axes->height + 4);
  cairo_clip (plot->cairo);
  set_pen (plot, colour, dotted);
  gboolean pen_down = FALSE;
  for (gsize i = 0; i < n; i++) {
    if (!isfinite (x[i]) || !isfinite (y[i])) {
      pen_down = FALSE;
      continue;
    }
    if (pen_down)
      cairo_line_to (plot->cairo, plot_x (axes, x[i]), plot_y (axes, y[i]));
    else
      cairo_move_to (plot->cairo, plot_x (axes, x[i]), plot_y (axes, y[i]));
    pen_down = TRUE;
  }
  cairo_stroke (plot->cairo);
  if (n < 40 && !dotted)
    for (gsize i = 0; i < n; i++)
      if (isfinite (x[i]) && isfinite (y[i])) {
        cairo_arc (plot->cairo, plot_x (axes, x[i]), plot_y (axes, y[i]), 3, 0,
            2 * G_PI);
        cairo_fill (plot->cairo);
      }
  cairo_restore (plot->cairo);
}

void
plot_legend_entry (Plot *plot, double x, double y, PlotColour colour,
    gboolean dotted, const char *text)
{
  cairo_save (plot->cairo);
  set_pen (plot, colour, dotted);
  rule (plot, x, y - 4, x + 22, y - 4);
  cairo_restore (plot->cairo);
  plot_set_colour (plot, plot_black, 1);
  plot_text (plot, x + 28, y, 12, PLOT_LEFT, text);
}
