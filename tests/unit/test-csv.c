/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * base/csv: what RFC 4180 says, and the line of what it does not say. */
#include "base/csv.h"

#include <string.h>

#include "forge/error.h"

/* Rows end in "/", fields in "|". */
static char *
read_all (const char *text, gsize size_bytes, GError **error)
{
  /* in a block of its own, so that ASan sees a read behind the end */
  g_autofree char *copy = g_memdup2 (text, MAX (size_bytes, 1));
  g_autoptr (GPtrArray) fields = g_ptr_array_new_with_free_func (g_free);
  GString *out = g_string_new (NULL);
  ForgeCsv csv;
  forge_csv_init (&csv, copy, size_bytes, "t.csv");
  while (forge_csv_next (&csv, fields, error)) {
    for (guint i = 0; i < fields->len; i++)
      g_string_append_printf (out, "%s|", (char *) fields->pdata[i]);
    g_string_append_c (out, '/');
  }
  return g_string_free (out, FALSE);
}

static void
rows_and_fields_are_found (void)
{
  static const struct {
    const char *text, *expected;
  } rows[] = {
    { "", "" },
    { "\n\r\n\n", "" },
    { "a", "a|/" },
    { "a\n", "a|/" },
    { "a,b\r\nc,d\r\n", "a|b|/c|d|/" },
    { "a,b\nc,d", "a|b|/c|d|/" },
    { ",\n", "||/" },
    { "a,\n,b", "a||/|b|/" },
    { " a , b ", " a | b |/" },
    { "\"\"", "|/" },
    { "\"a,b\",c", "a,b|c|/" },
    { "\"a\"\"b\"", "a\"b|/" },
    { "\"\"\"\"", "\"|/" },
    { "\"a\nb\",c\nd,e", "a\nb|c|/d|e|/" },
    { "\"a\r\nb\"\r\nc", "a\r\nb|/c|/" },
    { "a\rb\n", "a\rb|/" },
    { "a\n\n\nb\n", "a|/b|/" },
    { "\xef\xbb\xbf"
      "a,b",
        "a|b|/" },
    { "\xef\xbb\xbf"
      "\"a\"",
        "a|/" },
    { "\xc3\xa4,\xff", "\xc3\xa4|\xff|/" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *found =
        read_all (rows[i].text, strlen (rows[i].text), &error);
    g_assert_no_error (error);
    g_assert_cmpstr (found, ==, rows[i].expected);
  }
}

static void
bad_rows_are_named_by_line (void)
{
  static const struct {
    const char *text, *before, *says;
  } rows[] = {
    { "a\nb\"c\n", "a|/", "t.csv, line 2: a quote is within" },
    { "a\n\n\"b\nc\"d", "a|/", "line 3: expected a comma" },
    { "\"a\nb\"\nc,\"d\ne", "a\nb|/", "line 3: a quote is opened" },
    { "\"", "", "line 1: a quote is opened" },
    { "\"a\"\"", "", "line 1: a quote is opened" },
    { "\"a\" ,b", "", "line 1: expected a comma" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *found =
        read_all (rows[i].text, strlen (rows[i].text), &error);
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
    g_assert_cmpstr (found, ==, rows[i].before);
    if (!strstr (error->message, rows[i].says))
      g_error ("row %" G_GSIZE_FORMAT ": %s", i, error->message);
  }
  g_autoptr (GError) error = NULL;
  g_autofree char *plain = read_all ("a\nb\0c", 5, &error);
  g_assert_nonnull (strstr (error->message, "line 2: a byte of 0"));
  g_assert_cmpstr (plain, ==, "a|/");
  g_clear_error (&error);
  g_autofree char *quoted = read_all ("\"b\0c\"", 5, &error);
  g_assert_nonnull (strstr (error->message, "line 1: a byte of 0"));
  g_assert_cmpstr (quoted, ==, "");
}

static void
fields_have_a_bound (void)
{
  g_autofree char *most = g_strnfill (65536, ',');
  g_autofree char *more = g_strnfill (65537, ',');
  g_autoptr (GError) error = NULL;
  g_autofree char *found = read_all (most, strlen (most), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (strlen (found), ==, 65538);
  g_autofree char *none = read_all (more, strlen (more), &error);
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  g_assert_cmpstr (none, ==, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/csv/" #name, name)
  ADD (rows_and_fields_are_found);
  ADD (bad_rows_are_named_by_line);
  ADD (fields_have_a_bound);
  return g_test_run ();
}
