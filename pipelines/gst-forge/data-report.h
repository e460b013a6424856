/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What `gst-forge data` found, as text, as JSON and as a picture. */
#pragma once

#include "forge/data-check.h"
#include "output.h"

void data_report_print (FILE *out, const ForgeDataReport *report);
void data_report_add_json (JsonBuilder *builder, const ForgeDataReport *report);

/* Draws @n_each random pictures of each class, a row a class, into a PNG. */
gboolean data_sheet_write (const char *path, const ForgeDataset *dataset,
    guint n_each, guint32 seed, GError **error);
