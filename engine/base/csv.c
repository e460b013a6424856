/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See csv.h. A row costs memory in proportion to its own bytes. */
#include "base/csv.h"

#include <string.h>

#include "forge/error.h"

#define MAX_FIELDS 65537

void
forge_csv_init (
    ForgeCsv *csv, const char *bytes, size_t size_bytes, const char *name)
{
  static const char mark[] = "\xef\xbb\xbf";
  *csv = (ForgeCsv) {
    .name = name, .at = bytes, .end = bytes + size_bytes, .line = 1
  };
  if (size_bytes >= 3 && memcmp (bytes, mark, 3) == 0)
    csv->at += 3;
}

gboolean
forge_csv_fail (const ForgeCsv *csv, GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT, "%s, line %u: %s",
      csv->name, csv->row_line, text);
  return FALSE;
}

static gboolean
at_line_end (const ForgeCsv *csv)
{
  return csv->at == csv->end || *csv->at == '\n' ||
         (*csv->at == '\r' && csv->at + 1 < csv->end && csv->at[1] == '\n');
}

static void
end_line (ForgeCsv *csv)
{
  if (csv->at < csv->end && *csv->at == '\r')
    csv->at++;
  if (csv->at < csv->end) {
    csv->at++;
    csv->line++;
  }
}

/* Behind the opening quote, to behind the closing one. */
static gboolean
read_quoted (ForgeCsv *csv, GString *field, GError **error)
{
  for (; csv->at < csv->end; csv->at++) {
    if (*csv->at == '"') {
      gboolean doubled = csv->at + 1 < csv->end && csv->at[1] == '"';
      csv->at += doubled ? 1 : 0;
      if (!doubled) {
        csv->at++;
        return at_line_end (csv) || *csv->at == ',' ||
               forge_csv_fail (csv, error,
                   "expected a comma or the end of the line behind a closing "
                   "quote, found '%c'",
                   g_ascii_isprint (*csv->at) ? *csv->at : '?');
      }
    }
    if (*csv->at == 0)
      return forge_csv_fail (csv, error, "a byte of 0 is in the text");
    csv->line += *csv->at == '\n';
    g_string_append_c (field, *csv->at);
  }
  return forge_csv_fail (csv, error, "a quote is opened and never closed");
}

static gboolean
read_plain (ForgeCsv *csv, GString *field, GError **error)
{
  for (; !at_line_end (csv) && *csv->at != ','; csv->at++) {
    if (*csv->at == '"')
      return forge_csv_fail (
          csv, error, "a quote is within a field that does not begin with one");
    if (*csv->at == 0)
      return forge_csv_fail (csv, error, "a byte of 0 is in the text");
    g_string_append_c (field, *csv->at);
  }
  return TRUE;
}

static gboolean
read_field (ForgeCsv *csv, GPtrArray *fields, GError **error)
{
  GString *field = g_string_new (NULL);
  gboolean quoted = csv->at < csv->end && *csv->at == '"';
  csv->at += quoted ? 1 : 0;
  gboolean ok =
      quoted ? read_quoted (csv, field, error) : read_plain (csv, field, error);
  g_ptr_array_add (fields, g_string_free (field, FALSE));
  return ok;
}

gboolean
forge_csv_next (ForgeCsv *csv, GPtrArray *fields, GError **error)
{
  g_ptr_array_set_size (fields, 0);
  while (csv->at < csv->end && at_line_end (csv))
    end_line (csv);
  csv->row_line = csv->line;
  if (csv->at == csv->end)
    return FALSE;
  for (;;) {
    if (fields->len == MAX_FIELDS)
      return forge_csv_fail (csv, error, "more than %d fields", MAX_FIELDS);
    if (!read_field (csv, fields, error))
      return FALSE;
    if (at_line_end (csv))
      break;
    csv->at++; /* the comma */
  }
  end_line (csv);
  return TRUE;
}
