/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The contact sheet: random pictures of each class in a row of cells of one
 * size, the name and number of pictures on the left. Small pictures are shown
 * with hard pixels, so that one sees what the network gets. */
#include <cairo.h>
#include <string.h>

#include "data-report.h"
#include "forge/error.h"

#define CELL 72
#define GAP 4
#define LABEL_WIDTH 150
/* Rows that fit a picture that can still be looked at. */
#define MAX_ROWS 200
/* Others are tried when one cannot be read, but not all of a class. */
#define MAX_TRIES 3

static cairo_surface_t *
to_surface (const ForgePicture *picture)
{
  cairo_surface_t *surface = cairo_image_surface_create (
      CAIRO_FORMAT_RGB24, picture->width, picture->height);
  if (cairo_surface_status (surface) != CAIRO_STATUS_SUCCESS)
    return surface;
  int stride_bytes = cairo_image_surface_get_stride (surface);
  unsigned char *out = cairo_image_surface_get_data (surface);
  for (int y = 0; y < picture->height; y++) {
    const uint8_t *in = picture->data + (gsize) y * picture->width * 3;
    guint32 *row = (guint32 *) (void *) (out + (gsize) y * stride_bytes);
    for (int x = 0; x < picture->width; x++, in += 3)
      row[x] = (guint32) in[0] << 16 | (guint32) in[1] << 8 | in[2];
  }
  cairo_surface_mark_dirty (surface);
  return surface;
}

static void
draw_picture (cairo_t *cr, const ForgePicture *picture, double x, double y)
{
  double scale =
      MIN ((double) CELL / picture->width, (double) CELL / picture->height);
  cairo_surface_t *surface = to_surface (picture);
  cairo_save (cr);
  cairo_translate (cr, x + (CELL - picture->width * scale) / 2,
      y + (CELL - picture->height * scale) / 2);
  cairo_scale (cr, scale, scale);
  cairo_set_source_surface (cr, surface, 0, 0);
  cairo_pattern_set_filter (cairo_get_source (cr),
      scale > 1 ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_GOOD);
  cairo_paint (cr);
  cairo_restore (cr);
  cairo_surface_destroy (surface);
}

/* Two lines; a long name ends where the pictures begin. */
static void
draw_label (cairo_t *cr, const char *label, guint n, double y)
{
  g_autofree char *count =
      g_strdup_printf ("%u picture%s", n, n == 1 ? "" : "s");
  cairo_save (cr);
  cairo_rectangle (cr, 0, y, LABEL_WIDTH - GAP, CELL);
  cairo_clip (cr);
  cairo_set_source_rgb (cr, 0, 0, 0);
  cairo_set_font_size (cr, 14);
  cairo_move_to (cr, GAP, y + CELL / 2.0 - 2);
  cairo_show_text (cr, label);
  cairo_set_source_rgb (cr, 0.4, 0.4, 0.4);
  cairo_set_font_size (cr, 11);
  cairo_move_to (cr, GAP, y + CELL / 2.0 + 14);
  cairo_show_text (cr, count);
  cairo_restore (cr);
}

/* Draws without putting back, as long as there are pictures. */
static guint
take_random (GArray *members, GRand *rand)
{
  guint place = (guint) g_rand_int_range (rand, 0, (gint32) members->len);
  guint index = g_array_index (members, guint, place);
  g_array_remove_index_fast (members, place);
  return index;
}

static void
draw_class (cairo_t *cr, const ForgeDataset *dataset, GArray *members,
    guint n_each, GRand *rand, double y)
{
  guint n_tries = MAX_TRIES * n_each;
  for (guint n = 0; n < n_each && members->len > 0 && n_tries > 0; n_tries--) {
    g_autoptr (ForgePicture) picture =
        forge_dataset_load (dataset, take_random (members, rand), NULL);
    if (picture)
      draw_picture (cr, picture, LABEL_WIDTH + n++ * (CELL + GAP), y);
  }
}

/* Pictures that show the class. */
static GArray *
list_members (const ForgeDataset *dataset, guint class_id)
{
  GArray *members = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; i < forge_dataset_get_n_items (dataset); i++) {
    guint n;
    const uint32_t *classes = forge_dataset_get_classes (dataset, i, &n);
    for (guint k = 0; k < n; k++)
      if (classes[k] == class_id)
        g_array_append_val (members, i);
  }
  return members;
}

static void
draw_sheet (cairo_t *cr, const ForgeDataset *dataset, guint n_rows,
    guint n_each, guint32 seed)
{
  cairo_set_source_rgb (cr, 1, 1, 1);
  cairo_paint (cr);
  cairo_select_font_face (
      cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
  GRand *rand = g_rand_new_with_seed (seed);
  for (guint c = 0; c < n_rows; c++) {
    g_autoptr (GArray) members = list_members (dataset, c);
    double y = GAP + c * (CELL + GAP);
    draw_label (cr, forge_dataset_get_labels (dataset)[c], members->len, y);
    draw_class (cr, dataset, members, n_each, rand, y);
  }
  g_rand_free (rand);
}

gboolean
data_sheet_write (const char *path, const ForgeDataset *dataset, guint n_each,
    guint32 seed, GError **error)
{
  guint n_rows = MIN (forge_dataset_get_n_classes (dataset), MAX_ROWS);
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_RGB24,
      (int) (LABEL_WIDTH + n_each * (CELL + GAP)),
      (int) (GAP + n_rows * (CELL + GAP)));
  cairo_t *cr = cairo_create (surface);
  draw_sheet (cr, dataset, n_rows, n_each, seed);
  cairo_status_t status = cairo_status (cr);
  cairo_destroy (cr);
  if (status == CAIRO_STATUS_SUCCESS)
    status = cairo_surface_write_to_png (surface, path);
  cairo_surface_destroy (surface);
  if (status != CAIRO_STATUS_SUCCESS)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO,
        "%s: cannot write the contact sheet: %s", path,
        cairo_status_to_string (status));
  return status == CAIRO_STATUS_SUCCESS;
}
