/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gst-forge doctor on a network that was made for pixels in -1..1: the
 * table, the words and the exit status. */
#include <string.h>

#include "command-run.h"
#include "toy-models.h"

static JsonObject *
row_at (JsonObject *root, guint index)
{
  return json_array_get_object_element (
      json_object_get_array_member (root, "rows"), index);
}

static void
misfit_is_named_and_exits_with_1 (void)
{
  g_auto (CommandResult) result =
      command_run ("doctor shades.onnx --data shades --json -");
  command_assert_status (&result, 1);
  g_assert_nonnull (strstr (result.err, "Fits best:      -1..1, RGB"));
  g_assert_nonnull (strstr (result.err, "Would be used:  0..1, RGB"));
  g_assert_nonnull (strstr (result.err, "clearly worse"));
  g_assert_nonnull (strstr (result.err, "--input-mean 127.5"));
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  static const char *const names[] = { "model", "rows", "best", "current",
    "verdict", "p_value", "guess_p_value", "baked_in", "assumptions", "n_items",
    "n_skipped" };
  command_assert_members (root, names, G_N_ELEMENTS (names));
  g_assert_cmpstr (
      json_object_get_string_member (root, "verdict"), ==, "misfit");
  g_assert_cmpint (json_object_get_int_member (root, "n_items"), ==, 48);
  JsonArray *rows = json_object_get_array_member (root, "rows");
  g_assert_cmpuint (json_array_get_length (rows), ==, 10);
  g_assert_cmpint (
      json_object_get_int_member (row_at (root, 0), "n_hits"), ==, 48);
  for (guint i = 1; i < 10; i++)
    g_assert_cmpfloat (
        json_object_get_double_member (row_at (root, i), "accuracy"), <=,
        json_object_get_double_member (row_at (root, i - 1), "accuracy"));
}

/* What doctor advises makes doctor, and evaluate, content. */
static void
the_advice_cures (void)
{
  g_auto (CommandResult) sick =
      command_run ("doctor shades.onnx --data shades --json -");
  g_autoptr (JsonParser) parser = command_parse_json (&sick);
  const char *options = json_object_get_string_member (
      row_at (command_json_root (parser), 0), "options");
  g_auto (CommandResult) cured =
      command_run ("doctor shades.onnx --data shades %s", options);
  command_assert_status (&cured, 0);
  g_assert_nonnull (strstr (cured.out, "* -1..1, RGB"));
  g_assert_nonnull (strstr (cured.out, "They agree."));
  g_auto (CommandResult) before =
      command_run ("evaluate shades.onnx --data shades");
  command_assert_status (&before, 1);
  g_auto (CommandResult) after =
      command_run ("evaluate shades.onnx --data shades %s", options);
  command_assert_status (&after, 0);
}

/* A statement of the user's own is a row of its own. */
static void
unusual_statement_is_judged_too (void)
{
  g_auto (CommandResult) result =
      command_run ("doctor shades.onnx --data shades --input-scale 0.0071"
                   " --input-mean 0.9");
  command_assert_status (&result, 0);
  g_assert_nonnull (strstr (result.out, "* as stated, RGB"));
  g_assert_nonnull (strstr (result.out, "as your options say"));
}

static void
baked_in_preprocessing_leaves_the_order (void)
{
  g_auto (CommandResult) right =
      command_run ("doctor colours.onnx --data colours");
  command_assert_status (&right, 0);
  g_assert_nonnull (strstr (right.out, "baked into the file"));
  g_assert_nonnull (strstr (right.out, "bytes, BGR"));
  g_assert_null (strstr (right.out, "0..255"));
  g_auto (CommandResult) wrong =
      command_run ("doctor colours.onnx --data colours --input-order bgr");
  command_assert_status (&wrong, 1);
  g_assert_nonnull (strstr (wrong.out, "  --input-order rgb"));
}

/* Three of three right may well be luck: 1/64. */
static void
few_pictures_prove_nothing (void)
{
  g_auto (CommandResult) result =
      command_run ("doctor shades.onnx --data shades --limit 3");
  command_assert_status (&result, 0);
  g_assert_nonnull (strstr (result.out, "3 pictures"));
  g_assert_nonnull (strstr (result.out, "better than guessing (p = 0.016)"));
}

static void
wrong_usage_exits_with_2 (void)
{
  static const struct {
    const char *line, *word;
    int status;
  } rows[] = {
    { "doctor shades.onnx", "--data", 2 },
    { "doctor --data shades", "MODEL", 2 },
    { "doctor shades.onnx --data shades --limit -1", "--limit", 2 },
    { "doctor shades.onnx --data shades --split most", "most", 2 },
    { "doctor absent.onnx --data shades", "absent.onnx", 3 },
    { "doctor colours.onnx --data shades", "classes", 3 },
    { "doctor arithmetic.onnx --data shades", "arithmetic", 3 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) result = command_run ("%s", rows[i].line);
    command_assert_status (&result, rows[i].status);
    g_assert_nonnull (strstr (result.err, rows[i].word));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  command_enter_folder ();
  toy_write_shade_model ("shades.onnx");
  toy_write_colour_model ("colours.onnx");
  toy_write_arithmetic_model ("arithmetic.onnx");
  toy_write_shade_folders ("shades/train", 1);
  toy_write_shade_folders ("shades/test", 12);
  toy_write_colour_folders ("colours", 8, 0);
#define ADD(test) g_test_add_func ("/gst-forge/doctor/" #test, test)
  ADD (misfit_is_named_and_exits_with_1);
  ADD (the_advice_cures);
  ADD (unusual_statement_is_judged_too);
  ADD (baked_in_preprocessing_leaves_the_order);
  ADD (few_pictures_prove_nothing);
  ADD (wrong_usage_exits_with_2);
  int status = g_test_run ();
  command_leave_folder ();
  return status;
}
