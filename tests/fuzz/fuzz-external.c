/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any texts as the place of weights beside a model: the lines of the input are
 * location, offset and length. The folder has a file of 64 bytes, a link out of
 * it and a link within; what is read must be 4 bytes of the file, never of its
 * neighbour outside. */
#include <string.h>
#include <unistd.h>

#include "formats/onnx.h"
#include "fuzz.h"
#include "tensor/tensor.h"

#define INSIDE 'i'
#define OUTSIDE 'o'

static char *
make_folder (void)
{
  g_autofree char *root = g_dir_make_tmp ("forge-fuzz-XXXXXX", NULL);
  char *folder = g_build_filename (root, "model", NULL);
  g_autofree char *inside = g_build_filename (folder, "w", NULL);
  g_autofree char *outside = g_build_filename (root, "w", NULL);
  g_autofree char *out_link = g_build_filename (folder, "l", NULL);
  g_autofree char *in_link = g_build_filename (folder, "k", NULL);
  char bytes[64];
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  memset (bytes, INSIDE, sizeof bytes);
  g_assert_true (g_file_set_contents (inside, bytes, sizeof bytes, NULL));
  memset (bytes, OUTSIDE, sizeof bytes);
  g_assert_true (g_file_set_contents (outside, bytes, sizeof bytes, NULL));
  g_assert_cmpint (symlink ("../w", out_link), ==, 0);
  g_assert_cmpint (symlink ("w", in_link), ==, 0);
  return folder;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  static char *folder;
  if (!folder)
    folder = make_folder ();
  g_autofree char *text =
      g_strndup (size_bytes ? (const char *) data : "", size_bytes);
  g_auto (GStrv) lines = g_strsplit (text, "\n", 3);
  const char *keys[] = { "location", "offset", "length" };
  ForgeOnnx__Entry entries[3], *list[3];
  ForgeOnnx__Tensor proto;
  int64_t dims[1] = { 4 };
  forge_onnx__tensor__init (&proto);
  proto.name = (char *) "w";
  proto.n_dims = 1;
  proto.dims = dims;
  proto.has_data_type = proto.has_data_location = TRUE;
  proto.data_type = FORGE_UINT8;
  proto.data_location = FORGE_ONNX_EXTERNAL;
  proto.external_data = list;
  for (; lines[proto.n_external_data]; proto.n_external_data++) {
    size_t i = proto.n_external_data;
    list[i] = &entries[i];
    forge_onnx__entry__init (list[i]);
    list[i]->key = (char *) keys[i];
    list[i]->value = lines[i];
  }
  ForgeSource source = { .name = "fuzz", .folder = folder };
  ForgeOnnxReader reader = { .source = &source };
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTensor) tensor =
      forge_onnx_read_tensor (&reader, &proto, &error);
  g_assert_true (!tensor == !!error);
  for (size_t i = 0; tensor && i < tensor->size_bytes; i++)
    g_assert_cmpint (((const uint8_t *) tensor->data)[i], ==, INSIDE);
  return 0;
}
