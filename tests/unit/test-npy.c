/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NumPy array files: bytes as NumPy itself writes them, and what is refused. */
#include <glib/gstdio.h>
#include <string.h>

#include "forge/error.h"
#include "formats/npy.h"
#include "tensor/tensor.h"

#define HEADER_BYTES 128

/* A version 1.0 file with this dictionary, padded as NumPy does. */
static GByteArray *
make_file (const char *dictionary, const void *data, guint data_bytes)
{
  GByteArray *file = g_byte_array_new ();
  g_byte_array_append (file, (const guint8 *) "\x93NUMPY\1\0\x76\0", 10);
  g_autofree char *padded = g_strdup_printf ("%-117s\n", dictionary);
  g_assert_cmpuint (strlen (padded), ==, HEADER_BYTES - 10);
  g_byte_array_append (file, (const guint8 *) padded, HEADER_BYTES - 10);
  g_byte_array_append (file, data, data_bytes);
  return file;
}

static void
writes_the_bytes_that_numpy_writes (void)
{
  /* numpy.save of numpy.array ([[1, 2, 3]], '<f4') */
  const float values[] = { 1, 2, 3 };
  g_autoptr (GByteArray) expected =
      make_file ("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3), }",
          values, sizeof values);
  ForgeShape shape = forge_shape (2, 1, 3);
  g_autoptr (ForgeTensor) tensor =
      forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
  memcpy (tensor->data, values, sizeof values);
  g_autoptr (GBytes) bytes = forge_npy_serialise (tensor, NULL);
  gsize size_bytes;
  const void *data = g_bytes_get_data (bytes, &size_bytes);
  g_assert_cmpmem (data, size_bytes, expected->data, expected->len);
}

static void
every_type_and_rank_survives_a_file (void)
{
  const ForgeDtype dtypes[] = { FORGE_FLOAT32, FORGE_UINT8, FORGE_INT8,
    FORGE_UINT16, FORGE_INT16, FORGE_INT32, FORGE_INT64, FORGE_BOOL,
    FORGE_FLOAT16, FORGE_FLOAT64, FORGE_UINT32, FORGE_UINT64 };
  const ForgeShape shapes[] = { forge_shape (0), forge_shape (1, 7),
    forge_shape (2, 0, 3), forge_shape (4, 2, 3, 2, 1) };
  g_autofree char *folder = g_dir_make_tmp ("forge-npy-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "a.npy", NULL);
  for (gsize d = 0; d < G_N_ELEMENTS (dtypes); d++)
    for (gsize s = 0; s < G_N_ELEMENTS (shapes); s++) {
      g_autoptr (ForgeTensor) tensor =
          forge_tensor_new (dtypes[d], &shapes[s], NULL);
      for (size_t i = 0; i < tensor->size_bytes; i++)
        ((uint8_t *) tensor->data)[i] = (uint8_t) (i * 37 + d);
      g_autoptr (GError) error = NULL;
      g_assert_true (forge_tensor_save_npy (tensor, path, &error));
      g_assert_no_error (error);
      g_autoptr (ForgeTensor) back = forge_tensor_load_npy (path, &error);
      g_assert_no_error (error);
      g_assert_cmpint (back->dtype, ==, tensor->dtype);
      g_assert_true (forge_shape_equal (&back->shape, &tensor->shape));
      g_assert_cmpmem (
          back->data, back->size_bytes, tensor->data, tensor->size_bytes);
    }
  g_remove (path);
  g_rmdir (folder);
}

static void
reads_big_endian_and_loose_spelling (void)
{
  const guint8 values[] = { 0x12, 0x34, 0xff, 0xfe };
  g_autoptr (GByteArray) file = make_file (
      "{\"shape\":(2L,),'fortran_order' : True,'descr':'>i2'}", values, 4);
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTensor) tensor =
      forge_npy_parse (file->data, file->len, "a.npy", &error);
  g_assert_no_error (error);
  g_assert_cmpint (tensor->dtype, ==, FORGE_INT16);
  g_assert_cmpint (((int16_t *) tensor->data)[0], ==, 0x1234);
  g_assert_cmpint (((int16_t *) tensor->data)[1], ==, -2);
}

#define ORDER "'fortran_order': False, "

static void
refuses_what_it_cannot_read (void)
{
  static const struct {
    const char *dictionary;
    int code;
    const char *text;
  } rows[] = {
    { "{'descr': '|O', " ORDER "'shape': (1,)}", FORGE_ERROR_UNSUPPORTED,
        "'|O'" },
    { "{'descr': [('x', '<f4')], " ORDER "'shape': (1,)}",
        FORGE_ERROR_UNSUPPORTED, "a structure" },
    { "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 1)}",
        FORGE_ERROR_UNSUPPORTED, "Fortran" },
    { "{'descr': '<f4', " ORDER "'shape': (2,)}", FORGE_ERROR_FORMAT, "[2]" },
    { "{'descr': '<f4', " ORDER "'shape': (9223372036854775807, 4)}",
        FORGE_ERROR_FORMAT, "does not fit" },
    { "{'descr': '<f4', " ORDER "'shape': (99999999999999999999,)}",
        FORGE_ERROR_FORMAT, "63 bits" },
    { "{'descr': '<f4', " ORDER "'shape': (1,1,1,1,1,1,1,1,1)}",
        FORGE_ERROR_FORMAT, "at most 8" },
    { "{'descr': '<f4', " ORDER "'shape': (1", FORGE_ERROR_FORMAT, "','" },
    { "{'descr': '<f4', " ORDER "'shape': (-1,)}", FORGE_ERROR_FORMAT,
        "a number" },
    { "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", FORGE_ERROR_FORMAT,
        "True or False" },
    { "{'descr': '<f4', " ORDER "}", FORGE_ERROR_FORMAT, "all of" },
    { "{'descr: <f4}", FORGE_ERROR_FORMAT, "string" },
    { "{'colour': 1}", FORGE_ERROR_FORMAT, "only the keys" },
    { "", FORGE_ERROR_FORMAT, "'{'" },
  };
  const float value = 1;
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GByteArray) file =
        make_file (rows[i].dictionary, &value, sizeof value);
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeTensor) tensor =
        forge_npy_parse (file->data, file->len, "bad.npy", &error);
    g_assert_null (tensor);
    g_test_message ("%s", error->message);
    g_assert_error (error, FORGE_ERROR, rows[i].code);
    g_assert_true (g_str_has_prefix (error->message, "bad.npy: "));
    g_assert_nonnull (strstr (error->message, rows[i].text));
  }
}

static void
every_truncation_is_a_clean_error (void)
{
  const float value = 1;
  g_autoptr (GByteArray) file = make_file (
      "{'descr': '<f4', " ORDER "'shape': ()}", &value, sizeof value);
  for (guint n = 0; n < file->len; n++) {
    g_autofree void *copy = g_memdup2 (file->data, MAX (n, 1));
    g_autoptr (GError) error = NULL;
    g_assert_null (forge_npy_parse (copy, n, "cut.npy", &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  }
  file->data[6] = 4;
  g_autoptr (GError) error = NULL;
  g_assert_null (forge_npy_parse (file->data, file->len, "v4.npy", &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
}

static void
files_that_cannot_be_read_are_named (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (forge_tensor_load_npy ("/nonexistent/a.npy", &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, "/nonexistent/a.npy"));
  g_clear_error (&error);
  g_assert_null (forge_tensor_load_npy ("/", &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_IO);
  g_clear_error (&error);
  g_assert_null (forge_tensor_load_npy ("/dev/zero", &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_IO);
  g_clear_error (&error);
  ForgeShape shape = forge_shape (0);
  g_autoptr (ForgeTensor) tensor =
      forge_tensor_new (FORGE_BFLOAT16, &shape, NULL);
  g_assert_false (forge_tensor_save_npy (tensor, "/nonexistent/b", &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
  g_clear_error (&error);
  tensor->dtype = FORGE_UINT16;
  g_assert_false (forge_tensor_save_npy (tensor, "/nonexistent/b", &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_IO);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/npy/same-bytes-as-numpy", writes_the_bytes_that_numpy_writes);
  g_test_add_func ("/npy/round-trip", every_type_and_rank_survives_a_file);
  g_test_add_func ("/npy/spelling", reads_big_endian_and_loose_spelling);
  g_test_add_func ("/npy/refusals", refuses_what_it_cannot_read);
  g_test_add_func ("/npy/truncation", every_truncation_is_a_clean_error);
  g_test_add_func ("/npy/files", files_that_cannot_be_read_are_named);
  return g_test_run ();
}
