/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A table of magic bytes, then the few types that need a closer look: ZIP
 * archives by the names inside, text by its first word.
 * Source: the formats' own specifications; PKZIP APPNOTE 4.3 for the names. */
#include "formats/foreign.h"

#include <string.h>

#define TO_ONNX_TORCH "export it with torch.onnx.export"
#define TO_ONNX_KERAS "convert it with tf2onnx, or export it to ONNX from Keras"
#define TO_ONNX_TF "convert it with tf2onnx"
#define A_PICTURE "a model file is expected here, not a picture"

typedef struct {
  size_t at_bytes;
  size_t n_bytes;
  const char *magic;
  ForgeForeign foreign;
} Magic;

static const Magic magics[] = {
  { 0, 8, "\x89HDF\r\n\x1a\n", { "a Keras HDF5 file", TO_ONNX_KERAS } },
  { 4, 4, "ORTM",
      { "an ONNX Runtime .ort model", "use the ONNX file it was made from" } },
  { 0, 2, "\x1f\x8b", { "a gzip archive", "unpack it first" } },
  { 0, 6,
      "\xfd"
      "7zXZ\0",
      { "an xz archive", "unpack it first" } },
  { 0, 4, "\x28\xb5\x2f\xfd", { "a Zstandard archive", "unpack it first" } },
  { 0, 3, "BZh", { "a bzip2 archive", "unpack it first" } },
  { 257, 5, "ustar", { "a tar archive", "unpack it first" } },
  { 0, 8, "\x89PNG\r\n\x1a\n", { "a PNG picture", A_PICTURE } },
  { 0, 3, "\xff\xd8\xff", { "a JPEG picture", A_PICTURE } },
  { 0, 6, "\x93NUMPY", { "a NumPy array", "a model file is expected here" } },
  { 4, 4, "ftyp", { "an MP4 video", "a model file is expected here" } },
  { 0, 4, "\x1a\x45\xdf\xa3",
      { "a Matroska video", "a model file is expected here" } },
  { 0, 4, "GGUF", { "a GGUF language model", "" } },
  { 0, 4,
      "\x7f"
      "ELF",
      { "a program or shared library", "" } },
  { 0, 2, "\x80\x02",
      { "a Python pickle (an old PyTorch file?)", TO_ONNX_TORCH } },
  { 0, 2, "\x80\x04", { "a Python pickle", TO_ONNX_TORCH } },
  { 0, 2, "\x80\x05", { "a Python pickle", TO_ONNX_TORCH } },
};

static const struct {
  const char *word; /* lower case */
  ForgeForeign foreign;
} words[] = {
  { "version https://git-lfs",
      { "a Git LFS pointer", "fetch the file itself with 'git lfs pull'" } },
  { "<!doctype html",
      { "an HTML page", "the download gave a web page instead of the file" } },
  { "<html",
      { "an HTML page", "the download gave a web page instead of the file" } },
  { "<?xml", { "an XML file (an OpenVINO model?)", "use the ONNX file" } },
  { "7767517", { "an ncnn parameter file", "use the ONNX file" } },
  { "[modelinfo]", { "a .modelinfo file", "name the model beside it" } },
  { "{", { "a JSON file", "a model file is expected here" } },
};

static gboolean
contains (const uint8_t *bytes, size_t size_bytes, const char *needle)
{
  return bytes && memmem (bytes, size_bytes, needle, strlen (needle)) != NULL;
}

static ForgeForeign
identify_zip (const uint8_t *bytes, size_t size_bytes)
{
  /* The directory of names stands at the end, the first name at the start. */
  size_t tail_bytes = MIN (size_bytes, (size_t) 1 << 16);
  const uint8_t *tail = bytes + size_bytes - tail_bytes;
  if (contains (tail, tail_bytes, "model.weights.h5"))
    return (ForgeForeign) { "a Keras .keras archive", TO_ONNX_KERAS };
  if (contains (bytes, tail_bytes, "data.pkl") ||
      contains (tail, tail_bytes, "data.pkl"))
    return (ForgeForeign) { "a PyTorch file", TO_ONNX_TORCH };
  if (contains (tail, tail_bytes, ".npy"))
    return (ForgeForeign) { "a NumPy .npz archive",
      "a model file is expected here" };
  return (ForgeForeign) { "a ZIP archive", "unpack it first" };
}

static gboolean
identify_text (const uint8_t *bytes, size_t size_bytes, ForgeForeign *foreign)
{
  g_autofree char *start =
      g_ascii_strdown ((const char *) bytes, (gssize) MIN (size_bytes, 256));
  const char *text = start;
  if (strncmp (text, "\xef\xbb\xbf", 3) == 0)
    text += 3;
  while (g_ascii_isspace (*text))
    text++;
  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    if (g_str_has_prefix (text, words[i].word)) {
      *foreign = words[i].foreign;
      return TRUE;
    }
  return FALSE;
}

static gboolean
is_plain_text (const uint8_t *bytes, size_t size_bytes)
{
  size_t n_bytes = MIN (size_bytes, 512);
  for (size_t i = 0; i < n_bytes; i++)
    if (bytes[i] < 0x20 && !g_ascii_isspace ((char) bytes[i]))
      return FALSE;
  return g_utf8_validate_len ((const char *) bytes, n_bytes, NULL) ||
         n_bytes == 512;
}

ForgeForeign
forge_foreign_identify (const uint8_t *bytes, size_t size_bytes)
{
  ForgeForeign foreign;
  if (size_bytes == 0)
    return (ForgeForeign) { "an empty file", "the download may have failed" };
  for (gsize i = 0; i < G_N_ELEMENTS (magics); i++)
    if (size_bytes >= magics[i].at_bytes + magics[i].n_bytes &&
        memcmp (bytes + magics[i].at_bytes, magics[i].magic,
            magics[i].n_bytes) == 0)
      return magics[i].foreign;
  if (size_bytes >= 4 && memcmp (bytes, "PK\3\4", 4) == 0)
    return identify_zip (bytes, size_bytes);
  if (identify_text (bytes, size_bytes, &foreign))
    return foreign;
  if (size_bytes > 16 && memcmp (bytes + 8, "{\"", 2) == 0)
    return (ForgeForeign) { "a safetensors file", TO_ONNX_TORCH };
  if (is_plain_text (bytes, size_bytes))
    return (ForgeForeign) { "a text file", "a model file is expected here" };
  if (bytes[0] == 0x0a)
    return (
        ForgeForeign) { "a TensorFlow frozen graph, or damaged", TO_ONNX_TF };
  return (ForgeForeign) { "a file of unknown type, or damaged",
    "an ONNX model is expected here" };
}

const ForgeForeign *
forge_foreign_identify_folder (const char *path)
{
  static const struct {
    const char *inside;
    ForgeForeign foreign;
  } folders[] = {
    { "saved_model.pb", { "a TensorFlow SavedModel folder", TO_ONNX_TF } },
    { "keras_metadata.pb", { "a Keras SavedModel folder", TO_ONNX_KERAS } },
    { "model.onnx", { "a folder with a model in it", "name its model.onnx" } },
    { "data.pkl", { "an unpacked PyTorch file", TO_ONNX_TORCH } },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++) {
    g_autofree char *inside = g_build_filename (path, folders[i].inside, NULL);
    if (g_file_test (inside, G_FILE_TEST_EXISTS))
      return &folders[i].foreign;
  }
  return NULL;
}
