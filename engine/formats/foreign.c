/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A table of magic bytes, then the types that need a closer look: ZIP archives
 * by the names inside, text by its first word, protocol buffers by the numbers
 * of their outermost fields, and, where bytes say nothing, the file's name.
 * Source: the formats' own specifications; PKZIP APPNOTE 4.3 for the names. */
#include "formats/foreign.h"

#include <string.h>

#include "base/reader.h"

#define TO_ONNX_TORCH "export it with torch.onnx.export"
#define TO_ONNX_KERAS "convert it with tf2onnx, or export it to ONNX from Keras"
#define TO_ONNX_TF "convert it with tf2onnx"
#define TO_ONNX_CAFFE "convert it to ONNX with caffe2onnx or MMdnn"
#define TO_ONNX_COREML "export the model that it was made from to ONNX"
#define SOURCE_MODEL "use the ONNX model that it was made from"
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
  { 0, 6, "7z\xbc\xaf\x27\x1c", { "a 7z archive", "unpack it first" } },
  { 0, 6, "Rar!\x1a\x07", { "a RAR archive", "unpack it first" } },
  { 0, 4, "\x04\x22\x4d\x18", { "an LZ4 archive", "unpack it first" } },
  { 4, 4, "ET12", { "an ExecuTorch program", TO_ONNX_TORCH } },
  { 0, 4, "ftrt", { "a TensorRT engine", SOURCE_MODEL } },
  { 0, 4, "RKNN", { "an RKNN model", SOURCE_MODEL } },
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
  { "7767517", { "an ncnn parameter file", SOURCE_MODEL } },
  { "[net]", { "a Darknet configuration", "convert it to ONNX first" } },
  { "node {", { "a TensorFlow graph in text", TO_ONNX_TF } },
  { "name:", { "a Caffe prototxt", TO_ONNX_CAFFE } },
  { "layer {", { "a Caffe prototxt", TO_ONNX_CAFFE } },
  { "layers {", { "a Caffe prototxt", TO_ONNX_CAFFE } },
  { "input:", { "a Caffe prototxt", TO_ONNX_CAFFE } },
  { "[modelinfo]", { "a .modelinfo file", "name the model beside it" } },
};

/* What a text is that has the word anywhere near its start. */
static const struct {
  const char *start, *word; /* lower case */
  ForgeForeign foreign;
} contents[] = {
  { "<", "<net ", { "an OpenVINO network", SOURCE_MODEL } },
  { "<?xml", "", { "an XML file (an OpenVINO network?)", SOURCE_MODEL } },
  { "{", "modeltopology",
      { "a TensorFlow.js model", "convert it with tf2onnx" } },
  { "{", "\"class_name\"",
      { "a Keras architecture without weights", "save the whole model" } },
  { "{", "\"arg_nodes\"", { "an MXNet symbol file", SOURCE_MODEL } },
  { "{", "", { "a JSON file", "a model file is expected here" } },
};

/* For bytes that tell nothing. */
static const struct {
  const char *suffix;
  ForgeForeign foreign;
} suffixes[] = {
  { ".bin", { "raw weights without a network (of OpenVINO or ncnn?)",
                SOURCE_MODEL } },
  { ".weights", { "Darknet weights", "convert them to ONNX first" } },
  { ".params", { "MXNet parameters", SOURCE_MODEL } },
  { ".pdmodel", { "a Paddle model", "convert it with paddle2onnx" } },
  { ".pdiparams", { "Paddle parameters", "convert them with paddle2onnx" } },
  { ".mnn", { "an MNN model", SOURCE_MODEL } },
  { ".caffemodel", { "Caffe weights", TO_ONNX_CAFFE } },
  { ".mlmodel", { "a Core ML model", TO_ONNX_COREML } },
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
  if (contains (tail, tail_bytes, "constants.pkl"))
    return (ForgeForeign) { "a TorchScript file", TO_ONNX_TORCH };
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
      g_ascii_strdown ((const char *) bytes, (gssize) MIN (size_bytes, 4096));
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
  for (gsize i = 0; i < G_N_ELEMENTS (contents); i++)
    if (g_str_has_prefix (text, contents[i].start) &&
        strstr (text, contents[i].word)) {
      *foreign = contents[i].foreign;
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

/* Pickles of PyTorch before 1.6 begin with a number of its own. */
static gboolean
identify_pickle (const uint8_t *bytes, size_t size_bytes, ForgeForeign *foreign)
{
  static const char legacy[] = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46";
  size_t start_bytes = MIN (size_bytes, (size_t) 4096);
  if (size_bytes < 2 || bytes[0] != 0x80 || bytes[1] < 2 || bytes[1] > 5)
    return FALSE;
  if (size_bytes >= sizeof legacy - 1 &&
      memcmp (bytes, legacy, sizeof legacy - 1) == 0)
    *foreign = (ForgeForeign) { "an old PyTorch file", TO_ONNX_TORCH };
  else if (contains (bytes, start_bytes, "sklearn"))
    *foreign = (ForgeForeign) { "a Python pickle of scikit-learn",
      "convert it with skl2onnx" };
  else
    *foreign = (ForgeForeign) { "a Python pickle (an old PyTorch file?)",
      TO_ONNX_TORCH };
  return TRUE;
}

/* The number of the next outermost field, and its bytes where it has a length.
 * 0 at the end or where there is no field. */
static uint64_t
take_field (ForgeReader *reader, const uint8_t **body, size_t *body_bytes)
{
  static const size_t fixed_bytes[8] = { 0, 8, 0, 0, 0, 4, 0, 0 };
  uint64_t tag = forge_reader_varint (reader);
  uint64_t length = fixed_bytes[tag & 7];
  if ((tag & 7) == 0)
    forge_reader_varint (reader);
  else if ((tag & 7) == 2)
    length = forge_reader_varint (reader);
  else if (length == 0)
    return 0;
  if (reader->failed || length > forge_reader_left (reader))
    return 0;
  *body_bytes = (size_t) length;
  *body = forge_reader_take (reader, *body_bytes);
  return reader->failed ? 0 : tag >> 3;
}

/* ONNX has a producer's name where these two have a message. */
gboolean
forge_foreign_identify_message (
    const uint8_t *bytes, size_t size_bytes, ForgeForeign *foreign)
{
  const uint8_t *body = NULL;
  size_t body_bytes = 0;
  ForgeReader reader;
  forge_reader_init (&reader, bytes, size_bytes);
  if (size_bytes < 4 || bytes[0] != 0x08 ||
      take_field (&reader, &body, &body_bytes) != 1 ||
      take_field (&reader, &body, &body_bytes) != 2 || body_bytes < 2 ||
      (body[0] != 0x0a && body[0] != 0x12))
    return FALSE;
  uint64_t number;
  while ((number = take_field (&reader, &body, &body_bytes)) != 0) {
    if (number < 200)
      continue;
    *foreign = (ForgeForeign) { "a Core ML model", TO_ONNX_COREML };
    return TRUE;
  }
  *foreign = (ForgeForeign) { "the saved_model.pb of a TensorFlow SavedModel",
    "convert the whole folder with tf2onnx" };
  return TRUE;
}

/* A message whose first field is number 1, with a length: a frozen graph
 * begins with nodes, a Caffe network with its name and then its layers. */
static gboolean
identify_field_1 (
    const uint8_t *bytes, size_t size_bytes, ForgeForeign *foreign)
{
  const uint8_t *body = NULL;
  size_t body_bytes = 0;
  ForgeReader reader;
  forge_reader_init (&reader, bytes, size_bytes);
  if (size_bytes < 2 || bytes[0] != 0x0a)
    return FALSE;
  uint64_t first = take_field (&reader, &body, &body_bytes);
  gboolean is_node = first == 1 && body_bytes > 1 && body[0] == 0x0a;
  uint64_t second = first ? take_field (&reader, &body, &body_bytes) : 0;
  if (!is_node && (second == 100 || second == 2 || second == 3))
    *foreign = (ForgeForeign) { "Caffe weights", TO_ONNX_CAFFE };
  else
    *foreign =
        (ForgeForeign) { "a TensorFlow frozen graph, or damaged", TO_ONNX_TF };
  return TRUE;
}

static gboolean
identify_name (const char *name, ForgeForeign *foreign)
{
  g_autofree char *lower = g_ascii_strdown (name, -1);
  for (gsize i = 0; i < G_N_ELEMENTS (suffixes); i++)
    if (g_str_has_suffix (lower, suffixes[i].suffix)) {
      *foreign = suffixes[i].foreign;
      return TRUE;
    }
  return FALSE;
}

ForgeForeign
forge_foreign_identify (
    const char *name, const uint8_t *bytes, size_t size_bytes)
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
  if (identify_pickle (bytes, size_bytes, &foreign) ||
      identify_text (bytes, size_bytes, &foreign) ||
      forge_foreign_identify_message (bytes, size_bytes, &foreign))
    return foreign;
  if (size_bytes > 16 && memcmp (bytes + 8, "{\"", 2) == 0)
    return (ForgeForeign) { "a safetensors file", TO_ONNX_TORCH };
  if (is_plain_text (bytes, size_bytes))
    return (ForgeForeign) { "a text file", "a model file is expected here" };
  if (identify_name (name, &foreign) ||
      identify_field_1 (bytes, size_bytes, &foreign))
    return foreign;
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
    { "constants.pkl", { "an unpacked TorchScript file", TO_ONNX_TORCH } },
    { "model.weights.h5", { "an unpacked .keras file", "zip it again" } },
    { "pytorch_model.bin", { "a folder of a PyTorch model", TO_ONNX_TORCH } },
    { "model.safetensors", { "a folder of a PyTorch model", TO_ONNX_TORCH } },
    { "Manifest.json", { "a Core ML package", TO_ONNX_COREML } },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++) {
    g_autofree char *inside = g_build_filename (path, folders[i].inside, NULL);
    if (g_file_test (inside, G_FILE_TEST_EXISTS))
      return &folders[i].foreign;
  }
  return NULL;
}
