/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of operators and the attributes of a node. */
#include <string.h>

#include "ops/op.h"

static void
every_operator_is_found_by_its_name (void)
{
  for (const ForgeOp *const *op = forge_op_list (); *op; op++) {
    g_assert_true (forge_op_find ((*op)->type, (*op)->domain) == *op);
    g_assert_nonnull ((*op)->infer);
    g_assert_nonnull ((*op)->run);
    g_assert_cmpint ((*op)->min_outputs, >=, 1);
  }
  g_assert_nonnull (forge_op_find ("Conv", "ai.onnx"));
  g_assert_null (forge_op_find ("Silu", ""));
  g_assert_null (forge_op_find ("conv", ""));
}

static gboolean
is_letter (char c)
{
  return g_ascii_isalnum (c) || c == '_';
}

static gboolean
is_word (const char *text, const char *word)
{
  gsize length = strlen (word);
  for (const char *at = text; (at = strstr (at, word)); at++)
    if (!is_letter (at[-1]) && !is_letter (at[length]))
      return TRUE;
  return FALSE;
}

/* The rest of engine/README.md from a heading to the next one. */
static char *
readme_section (const char *heading)
{
  g_autofree char *path = g_build_filename (
      g_getenv ("FORGE_SOURCE_ROOT"), "engine", "README.md", NULL);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  const char *start = strstr (text, heading);
  g_assert_nonnull (start);
  const char *end = strstr (start + strlen (heading), "\n## ");
  return g_strndup (start, end ? (gsize) (end - start) : strlen (start));
}

static void
every_operator_is_in_the_readme (void)
{
  g_autofree char *table = readme_section ("## ONNX operators");
  for (const ForgeOp *const *op = forge_op_list (); *op; op++) {
    gboolean is_onnx =
        (*op)->domain[0] == 0 || strcmp ((*op)->domain, "com.microsoft") == 0;
    g_test_message ("%s of '%s'", (*op)->type, (*op)->domain);
    g_assert_true (!is_onnx || is_word (table, (*op)->type));
  }
}

/* TensorFlow Lite's, by the lines of its own list: `on_bytes` says how. */
static const struct {
  const char *name, *on_floats, *on_bytes;
} tflite_rows[] = {
#define OP(code, name, on_floats, on_bytes, file) \
  { #name, #on_floats, #on_bytes },
#include "formats/tflite-ops.def"
#undef OP
};

static void
every_tflite_operator_is_in_the_readme (void)
{
  g_autofree char *all = readme_section ("## TensorFlow Lite operators");
  const char *near_row = strstr (all, "| Within one step on bytes |");
  g_assert_nonnull (near_row);
  for (gsize i = 0; i < G_N_ELEMENTS (tflite_rows); i++) {
    const char *name = tflite_rows[i].name;
    gboolean supported = strcmp (tflite_rows[i].on_floats, "none") != 0;
    gboolean is_near = strcmp (tflite_rows[i].on_bytes, "real") == 0;
    g_test_message (
        "%s: %s, %s", name, tflite_rows[i].on_floats, tflite_rows[i].on_bytes);
    g_assert_cmpint (is_word (all, name), ==, supported);
    g_assert_cmpint (is_word (near_row, name), ==, is_near);
  }
}

static void
collect (const char *name, const ForgeAttr *attr, gpointer data)
{
  g_string_append_printf (data, "%s:%d ", name, attr->type);
}

static void
attributes_keep_their_values_through_a_copy (void)
{
  static const int64_t ints[] = { 3, -1 };
  static const float floats[] = { 0.5f };
  ForgeShape shape = forge_shape (1, 2);
  g_autoptr (ForgeTensor) tensor = forge_tensor_new (FORGE_INT64, &shape, NULL);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_string (attrs, "s", "SAME_UPPER");
  forge_attrs_set_ints (attrs, "ints", ints, 2);
  forge_attrs_set_floats (attrs, "floats", floats, 1);
  forge_attrs_set_float (attrs, "alpha", 0.25f);
  forge_attrs_set_tensor (attrs, "value", tensor);
  forge_attrs_set_int (attrs, "axis", 7);
  forge_attrs_set_int (attrs, "axis", -2);
  ForgeAttrs *copy = forge_attrs_copy (attrs);
  forge_attrs_free (attrs);

  const int64_t *values;
  g_assert_cmpint (forge_attrs_int (copy, "axis", 0), ==, -2);
  g_assert_cmpint (forge_attrs_int (copy, "alpha", 9), ==, 9);
  g_assert_cmpfloat (forge_attrs_float (copy, "alpha", 0), ==, 0.25f);
  g_assert_cmpstr (forge_attrs_string (copy, "s", NULL), ==, "SAME_UPPER");
  g_assert_cmpuint (forge_attrs_ints (copy, "ints", &values), ==, 2);
  g_assert_cmpint (values[1], ==, -1);
  g_assert_cmpuint (forge_attrs_ints (copy, "none", &values), ==, 0);
  g_assert_null (values);
  g_assert_true (forge_attrs_get (copy, "value")->tensor == tensor);
  g_autoptr (GString) order = g_string_new (NULL);
  forge_attrs_foreach (copy, collect, order);
  g_assert_cmpstr (
      order->str, ==, "alpha:1 axis:0 floats:4 ints:3 s:2 value:5 ");
  forge_attrs_free (copy);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ops/every_operator_is_found_by_its_name",
      every_operator_is_found_by_its_name);
  g_test_add_func (
      "/ops/every_operator_is_in_the_readme", every_operator_is_in_the_readme);
  g_test_add_func ("/ops/every_tflite_operator_is_in_the_readme",
      every_tflite_operator_is_in_the_readme);
  g_test_add_func ("/ops/attributes_keep_their_values_through_a_copy",
      attributes_keep_their_values_through_a_copy);
  return g_test_run ();
}
