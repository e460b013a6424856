/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Text for people, JSON for programs. With `--json -` standard output carries
 * the JSON document alone, and all text goes to standard error. */
#pragma once

#include <json-glib/json-glib.h>
#include <stdio.h>

#include "forge/model.h"

/* Where text goes, given the argument of --json (nullable). */
FILE *output_text_stream (const char *json_path);
/* Ends what json_builder_begin_object() began and writes it to a file or "-".
 * Does nothing when @json_path is NULL. */
gboolean output_write_json (
    JsonBuilder *builder, const char *json_path, GError **error);

/* A member of the object being built. Numbers keep all their digits; NaN and
 * infinity, which JSON lacks, become null. */
void output_add_double (JsonBuilder *builder, const char *name, double value);
void output_add_int (JsonBuilder *builder, const char *name, gint64 value);
void output_add_string (
    JsonBuilder *builder, const char *name, const char *value);
void output_add_bool (JsonBuilder *builder, const char *name, gboolean value);
/* Member @name: array of extents, an unknown one as null. */
void output_add_shape (
    JsonBuilder *builder, const char *name, const ForgeShape *shape);
void output_add_strings (
    JsonBuilder *builder, const char *name, const char *const *values);
/* Member "model": { name, version, path, precision, data_hash }, the last being
 * of what it was trained on, or null. */
void output_add_model (JsonBuilder *builder, const ForgeModel *model);
/* Member "weights": { matrices, float16, int8, bytes, float32_bytes, unfit }:
 * how the file keeps them, what they are in memory, and what cannot be int8
 * where others are, or else float16 (or null). */
void output_add_weights (JsonBuilder *builder, const ForgeModel *model);
/* The same in one line, and a note on those that cannot be. */
void output_print_weights (FILE *out, const ForgeModel *model);

/* "122,570", whatever the locale. (transfer full) */
char *output_thousands (gint64 value);
