/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Accuracy under corrupted pictures, as a table and as JSON. */
#pragma once

#include "forge/evaluate.h"
#include "output.h"

/* "fog,snow", or NULL or "" for all. FALSE with @error naming the word. */
gboolean corruption_list_parse (
    const char *text, ForgeCorruption *kinds, guint *n_kinds, GError **error);
/* One line a kind: accuracy at severities 1 to 5, their mean, and the means of
 * confidence and calibration error. @rows: [@n_kinds * 5]. */
void corruption_report_print (
    FILE *out, const ForgeCorruptedFigures *rows, guint n_kinds);
/* Members "corruptions", "mean_corruption_accuracy" and
 * "mean_corruption_error" of the object being built. */
void corruption_report_add_json (
    JsonBuilder *builder, const ForgeCorruptedFigures *rows, guint n_kinds);
/* The mean of 1 - accuracy over all rows. */
double corruption_mean_error (const ForgeCorruptedFigures *rows, guint n_kinds);
