/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Versions and models as aligned text and as JSON. */
#pragma once

#include "forge/registry.h"
#include "output.h"

/* Prints cells, row by row, in columns as wide as their widest; the first
 * row is the heading. Takes what they point at. */
typedef struct {
  guint n_columns;
  GPtrArray *cells; /* of char * */
} RegistryTable;

RegistryTable *registry_table_new (guint n_columns);
/* Takes @text; NULL is an empty cell. */
void registry_table_add (RegistryTable *table, char *text);
/* Prints and frees. */
void registry_table_print (FILE *out, RegistryTable *table);

/* "2026-05-04 13:02:01 UTC" */
char *registry_format_time (gint64 time_ms);
/* "0.8126", "-" where nobody knows. */
char *registry_format_figure (double value);
/* "NAME/3" */
char *registry_format_version (const ForgeModelVersion *version);
/* One after the other, or "-". */
char *registry_format_list (char **texts);

/* A line "name  text", unless there is no text (nullable). */
void registry_print_field (FILE *out, const char *name, const char *text);
/* One line about each field that is known. */
void registry_print_version (FILE *out, const ForgeModelVersion *version);
/* An object, as an element or, after json_builder_set_member_name(), as a
 * member. */
void registry_add_version (
    JsonBuilder *builder, const ForgeModelVersion *version);
void registry_add_model (
    JsonBuilder *builder, const ForgeRegisteredModel *model);
