/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every sub-command with the networks of tests/models/odd that ask something
 * of it: open sizes, fixed batches, other floats, no labels. */
#include <glib/gstdio.h>
#include <string.h>

#include "command-run.h"
#include "tensor/tensor.h"
#include "toy-models.h"

static char *
odd (const char *name)
{
  g_autofree char *file = g_strconcat (name, ".onnx", NULL);
  return g_build_filename (
      g_getenv ("FORGE_SOURCE_ROOT"), "tests", "models", "odd", file, NULL);
}

/* [batch, 3, height, width] of numbers that halves hold. */
static void
save_pictures (
    const char *path, ForgeDtype dtype, int batch, int height, int width)
{
  ForgeShape shape = forge_shape (4, batch, 3, height, width);
  g_autoptr (ForgeTensor) tensor = forge_tensor_new (dtype, &shape, NULL);
  for (int64_t i = 0; i < forge_tensor_get_count (tensor); i++) {
    float value = (float) (i * 7 % 64 - 32) / 32;
    if (dtype == FORGE_FLOAT32)
      ((float *) tensor->data)[i] = value;
    else if (dtype == FORGE_FLOAT64)
      ((double *) tensor->data)[i] = (double) value;
    else
      ((uint16_t *) tensor->data)[i] = forge_float_to_half (value);
  }
  g_assert_true (forge_tensor_save_npy (tensor, path, NULL));
}

static void
run (const char *name, const char *in, const char *out)
{
  g_autofree char *path = odd (name);
  g_auto (CommandResult) result =
      command_run ("run %s -i x=%s -o %s", path, in, out);
  command_assert_status (&result, 0);
}

static void
assert_same_tensor (const char *a_path, const char *b_path, int64_t count)
{
  g_autoptr (ForgeTensor) a = forge_tensor_load_npy (a_path, NULL);
  g_autoptr (ForgeTensor) b = forge_tensor_load_npy (b_path, NULL);
  g_assert_cmpint (forge_tensor_get_count (a), ==, count);
  g_assert_cmpmem (a->data, a->size_bytes, b->data, b->size_bytes);
}

static void
run_binds_open_extents_to_the_arrays (void)
{
  static const struct {
    const char *name;
    int batch, height, width;
  } rows[] = { { "size-open", 2, 13, 10 }, { "all-open", 1, 9, 9 },
    { "height-open", 3, 11, 8 } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    save_pictures (
        "x.npy", FORGE_FLOAT32, rows[i].batch, rows[i].height, rows[i].width);
    run (rows[i].name, "x.npy", "y.npy");
    g_autoptr (ForgeTensor) y = forge_tensor_load_npy ("y.npy", NULL);
    ForgeShape expected = forge_shape (2, rows[i].batch, 5);
    g_assert_true (forge_shape_equal (&y->shape, &expected));
  }
  save_pictures ("x.npy", FORGE_FLOAT32, 1, 8, 9);
  g_autofree char *path = odd ("height-open");
  g_auto (CommandResult) result =
      command_run ("run %s -i x.npy -o y.npy", path);
  command_assert_status (&result, 3);
  g_assert_nonnull (strstr (result.err, "expects float32 [1, 3, 8, 8], found"));
}

static void
run_takes_arrays_of_other_floats (void)
{
  save_pictures ("single.npy", FORGE_FLOAT32, 1, 8, 8);
  save_pictures ("half.npy", FORGE_FLOAT16, 1, 8, 8);
  save_pictures ("double.npy", FORGE_FLOAT64, 1, 8, 8);
  run ("half", "single.npy", "a.npy");
  run ("half", "half.npy", "b.npy");
  run ("half", "double.npy", "c.npy");
  assert_same_tensor ("a.npy", "b.npy", 5);
  assert_same_tensor ("a.npy", "c.npy", 5);
}

/* Five classes, as the odd networks have. */
static void
write_folders (void)
{
  for (int c = 0; c < 5; c++) {
    g_autofree char *folder = g_strdup_printf ("five/test/%d", c);
    g_autofree char *other = g_strdup_printf ("five/train/%d", c);
    g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
    g_assert_cmpint (g_mkdir_with_parents (other, 0700), ==, 0);
    for (int i = 0; i < 7; i++) {
      g_autofree char *path = g_strdup_printf ("%s/%d.png", folder, i);
      g_autofree char *twin = g_strdup_printf ("%s/%d.png", other, i);
      const unsigned char rgb[3] = { (unsigned char) (40 * c),
        (unsigned char) (200 - 30 * i), 90 };
      toy_write_picture (path, 12, 12, rgb, (unsigned) (c * 7 + i));
      toy_write_picture (twin, 12, 12, rgb, (unsigned) (c * 7 + i));
    }
  }
}

/* A file that says a batch of 1 or 4 gets the same pictures and the same
 * verdict as one that leaves it open. */
static void
fixed_batches_are_evaluated (void)
{
  static const char *const names[] = { "weights-are-inputs", "batch-fixed",
    "head-spatial" };
  write_folders ();
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = odd (names[i]);
    g_auto (CommandResult) result = command_run (
        "evaluate %s --data five --min-f1 0 --json - --threads 2", path);
    command_assert_status (&result, 0);
    g_autoptr (JsonParser) parser = command_parse_json (&result);
    g_assert_cmpint (
        json_object_get_int_member (command_json_root (parser), "n_items"), ==,
        35);
    g_auto (CommandResult) doctor = command_run ("doctor %s --data five", path);
    g_assert_cmpint (doctor.status, <=, 1);
    g_assert_nonnull (strstr (doctor.out, "35 pictures, 0 skipped"));
    g_assert_nonnull (strstr (doctor.out, "(the file does not say; assumed"));
  }
}

static void
a_size_is_stated_where_it_is_open (void)
{
  const unsigned char rgb[3] = { 10, 200, 90 };
  toy_write_picture ("p.png", 20, 20, rgb, 1);
  g_autofree char *open = odd ("size-open");
  g_autofree char *closed = odd ("size-odd");
  g_auto (CommandResult) stated =
      command_run ("classify %s p.png --input-size 40x24", open);
  command_assert_status (&stated, 0);
  g_assert_null (strstr (stated.err, "pixels"));
  g_auto (CommandResult) assumed = command_run ("classify %s p.png", open);
  command_assert_status (&assumed, 0);
  g_assert_nonnull (strstr (assumed.err, "224 x 224 pixels"));
  g_auto (CommandResult) wrong =
      command_run ("classify %s p.png --input-size 40x24", closed);
  command_assert_status (&wrong, 3);
  g_assert_nonnull (strstr (wrong.err, "[?, 3, 29, 33]"));
  g_auto (CommandResult) kept =
      command_run ("convert %s told.onnx --input-size 40x24", open);
  command_assert_status (&kept, 0);
  g_auto (CommandResult) told = command_run ("classify told.onnx p.png");
  command_assert_status (&told, 0);
  g_assert_null (strstr (told.err, "pixels"));
  g_assert_cmpstr (told.out, ==, stated.out);
}

static void
labels_come_from_a_file (void)
{
  const unsigned char rgb[3] = { 10, 200, 90 };
  g_autofree char *path = odd ("head-softmax");
  toy_write_picture ("p.png", 20, 20, rgb, 1);
  g_assert_true (g_file_set_contents ("five.txt",
      "\xef\xbb\xbfone\r\ntwo\r\nthree\r\nfour\r\nfive\r\n\r\n", -1, NULL));
  g_assert_true (g_file_set_contents ("two.txt", "one\ntwo\n", -1, NULL));
  g_assert_true (g_file_set_contents ("gap.txt", "one\n\nthree\n", -1, NULL));
  g_auto (CommandResult) good =
      command_run ("classify %s p.png --labels five.txt", path);
  command_assert_status (&good, 0);
  g_assert_nonnull (strstr (good.out, "%  five\n"));
  g_assert_nonnull (strstr (good.out, "%  one\n"));
  static const struct {
    const char *file, *text;
  } rows[] = { { "two.txt", "expected 5 labels" },
    { "gap.txt", "gap.txt: label 2 is empty" },
    { "none.txt", "none.txt: cannot open" }, { ".", "found a folder" } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) bad =
        command_run ("classify %s p.png --labels %s", path, rows[i].file);
    command_assert_status (&bad, 3);
    g_assert_nonnull (strstr (bad.err, rows[i].text));
    g_assert_nonnull (strstr (bad.err, rows[i].file));
  }
}

/* What ONNX has no name for once it is laid open comes out as plain nodes. */
static void
odd_networks_are_inspected_benched_and_converted (void)
{
  static const char *const names[] = { "half", "size-open", "batch-fixed",
    "function-with-branch", "sparse", "unused-input" };
  save_pictures ("x.npy", FORGE_FLOAT32, 4, 8, 8);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = odd (names[i]);
    g_auto (CommandResult) inspect = command_run ("inspect %s", path);
    command_assert_status (&inspect, 0);
    g_auto (CommandResult) bench =
        command_run ("bench %s --seconds 0.01", path);
    command_assert_status (&bench, 0);
    g_auto (CommandResult) convert = command_run ("convert %s y.onnx", path);
    command_assert_status (&convert, 0);
    if (strcmp (names[i], "unused-input") == 0)
      continue;
    run (names[i], "x.npy", "a.npy");
    g_auto (CommandResult) again = command_run ("run y.onnx -i x.npy -o b.npy");
    command_assert_status (&again, 0);
    assert_same_tensor ("a.npy", "b.npy", 20);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  command_enter_folder ();
#define ADD(test) g_test_add_func ("/gst-forge/odd/" #test, test)
  ADD (run_binds_open_extents_to_the_arrays);
  ADD (run_takes_arrays_of_other_floats);
  ADD (fixed_batches_are_evaluated);
  ADD (a_size_is_stated_where_it_is_open);
  ADD (labels_come_from_a_file);
  ADD (odd_networks_are_inspected_benched_and_converted);
  int status = g_test_run ();
  command_leave_folder ();
  return status;
}
