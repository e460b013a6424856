/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rows of a file of comma-separated values, one at a time, over bytes in
 * memory: fields in quotes may hold commas, line breaks and, doubled, quotes;
 * lines end in LF or CRLF; a byte order mark and empty lines are passed over.
 * Source: RFC 4180. */
#pragma once

#include <glib.h>
#include <stddef.h>

typedef struct {
  const char *name; /* of the file, for messages */
  const char *at, *end;
  guint line;     /* of @at, from 1 */
  guint row_line; /* where the row read last began */
} ForgeCsv;

/* @bytes must outlive it. */
void forge_csv_init (
    ForgeCsv *csv, const char *bytes, size_t size_bytes, const char *name);
/* The next row into @fields, an array with g_free as its free function, which
 * is emptied first. FALSE at the end, and with FORGE_ERROR_FORMAT naming the
 * line where the row is none: a quote within a field that does not begin with
 * one, text behind a closing quote, a quote that is not closed, a 0 byte, more
 * than 65,537 fields. */
gboolean forge_csv_next (ForgeCsv *csv, GPtrArray *fields, GError **error);
/* Sets @error to "<name>, line <row_line>: <text>". Returns FALSE. */
gboolean forge_csv_fail (const ForgeCsv *csv, GError **error,
    const char *format, ...) G_GNUC_PRINTF (3, 4);
