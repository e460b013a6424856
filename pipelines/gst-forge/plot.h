/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A sheet to draw figures on, with what all of them need: text, axes with
 * round numbers, lines, a legend, a PNG file. Lengths are points; a PNG has
 * PLOT_PIXELS of them to the point. */
#pragma once

#include <cairo.h>
#include <glib.h>

#define PLOT_PIXELS 1.5

typedef struct {
  cairo_surface_t *surface;
  cairo_t *cairo;
  double width, height;
} Plot;

typedef enum { PLOT_LEFT, PLOT_CENTRE, PLOT_RIGHT } PlotAlign;

typedef struct {
  double red, green, blue;
} PlotColour;

extern const PlotColour plot_blue, plot_orange, plot_green, plot_red,
    plot_purple, plot_grey, plot_black, plot_white;

/* A rectangle of the sheet and the numbers it shows. */
typedef struct {
  double x, y, width, height;
  double low_x, high_x, low_y, high_y;
} PlotAxes;

/* White, with a title, and a line below it (nullable). */
void plot_init (Plot *plot, double width, double height, const char *title,
    const char *subtitle);
void plot_clear (Plot *plot);
/* FORGE_ERROR_IO when drawing or writing failed. */
gboolean plot_save (Plot *plot, const char *path, GError **error);

void plot_set_colour (Plot *plot, PlotColour colour, double opacity);
/* @y is that of the baseline. Anything that is not UTF-8 is mended. */
void plot_text (Plot *plot, double x, double y, double size, PlotAlign align,
    const char *text);
void plot_bold (Plot *plot, double x, double y, double size, PlotAlign align,
    const char *text);
/* Cut, with three points, to what fits into @room. */
void plot_text_within (Plot *plot, double x, double y, double size, double room,
    PlotAlign align, const char *text);
void plot_text_upwards (
    Plot *plot, double x, double y, double size, const char *text);
double plot_text_width (Plot *plot, double size, const char *text);

/* Frame, grid, ticks with numbers, titles (nullable). No ticks where low is
 * high. */
void plot_axes (
    Plot *plot, const PlotAxes *axes, const char *title_x, const char *title_y);
double plot_x (const PlotAxes *axes, double value);
double plot_y (const PlotAxes *axes, double value);
/* Breaks where a value is NaN. */
void plot_line (Plot *plot, const PlotAxes *axes, const double *x,
    const double *y, gsize n, PlotColour colour, gboolean dotted);
/* A short line and a word, at the baseline @y. */
void plot_legend_entry (Plot *plot, double x, double y, PlotColour colour,
    gboolean dotted, const char *text);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Plot, plot_clear)
