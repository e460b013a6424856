/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NumPy's .npy: magic, version, then a Python dictionary in text with exactly
 * the keys descr, fortran_order and shape, then the elements. The dictionary
 * is read by a small scanner of its own, never evaluated.
 * Source: NEP 1 and numpy.lib.format (format versions 1.0, 2.0 and 3.0). */
#include "formats/npy.h"

#include <string.h>

#include "base/file.h"
#include "base/reader.h"
#include "forge/error.h"
#include "tensor/tensor.h"

#define MAGIC "\x93NUMPY"
#define MAGIC_TEXT 0x93, 'N', 'U', 'M', 'P', 'Y'
#define MAGIC_BYTES 6
#define PREAMBLE_BYTES 10
#define MAX_HEADER_BYTES 65536

static const struct {
  ForgeDtype dtype;
  char kind;
  char size;
} descrs[] = {
  { FORGE_FLOAT32, 'f', '4' },
  { FORGE_FLOAT64, 'f', '8' },
  { FORGE_FLOAT16, 'f', '2' },
  { FORGE_UINT8, 'u', '1' },
  { FORGE_UINT16, 'u', '2' },
  { FORGE_UINT32, 'u', '4' },
  { FORGE_UINT64, 'u', '8' },
  { FORGE_INT8, 'i', '1' },
  { FORGE_INT16, 'i', '2' },
  { FORGE_INT32, 'i', '4' },
  { FORGE_INT64, 'i', '8' },
  { FORGE_BOOL, 'b', '1' },
};

/* What the dictionary says. */
typedef struct {
  char descr[32];
  gboolean has_descr, has_order, has_shape;
  gboolean fortran_order;
  ForgeShape shape;
  ForgeDtype dtype;
  gboolean swapped; /* big endian */
} Header;

/* A cursor over the dictionary; errors name a byte of the file. */
typedef struct {
  const char *text, *end;
  const char *file_start;
  const char *name;
  GError **error;
} Scanner;

static gboolean
fail (const Scanner *scanner, const char *expected)
{
  g_set_error (scanner->error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: damaged .npy header at byte %td: expected %s", scanner->name,
      scanner->text - scanner->file_start, expected);
  return FALSE;
}

static void
skip_space (Scanner *scanner)
{
  while (scanner->text < scanner->end && g_ascii_isspace (*scanner->text))
    scanner->text++;
}

/* Consumes @word after white space, or leaves the cursor on it. */
static gboolean
accept (Scanner *scanner, const char *word)
{
  size_t length = strlen (word);
  skip_space (scanner);
  if ((size_t) (scanner->end - scanner->text) < length ||
      memcmp (scanner->text, word, length) != 0)
    return FALSE;
  scanner->text += length;
  return TRUE;
}

static gboolean
scan_string (Scanner *scanner, char *out, size_t out_bytes)
{
  skip_space (scanner);
  if (scanner->text == scanner->end ||
      (*scanner->text != '\'' && *scanner->text != '"'))
    return fail (scanner, "a string");
  const char *start = scanner->text + 1;
  const char *stop =
      memchr (start, *scanner->text, (size_t) (scanner->end - start));
  if (!stop || (size_t) (stop - start) >= out_bytes)
    return fail (scanner, "a short string");
  memcpy (out, start, (size_t) (stop - start));
  out[stop - start] = 0;
  scanner->text = stop + 1;
  return TRUE;
}

static gboolean
scan_number (Scanner *scanner, int64_t *number)
{
  skip_space (scanner);
  const char *start = scanner->text;
  *number = 0;
  while (scanner->text < scanner->end && g_ascii_isdigit (*scanner->text))
    if (__builtin_mul_overflow (*number, 10, number) ||
        __builtin_add_overflow (*number, *scanner->text++ - '0', number))
      return fail (scanner, "a number that fits 63 bits");
  if (scanner->text == start)
    return fail (scanner, "a number");
  accept (scanner, "L"); /* Python 2 */
  return TRUE;
}

static gboolean
scan_shape (Scanner *scanner, ForgeShape *shape)
{
  *shape = (ForgeShape) { 0 };
  if (!accept (scanner, "("))
    return fail (scanner, "a tuple");
  while (!accept (scanner, ")")) {
    if (shape->rank == FORGE_MAX_DIMS)
      return fail (scanner, "at most 8 dimensions");
    if (!scan_number (scanner, &shape->dims[shape->rank++]))
      return FALSE;
    if (!accept (scanner, ",") &&
        (scanner->text == scanner->end || *scanner->text != ')'))
      return fail (scanner, "',' or ')'");
  }
  return TRUE;
}

static gboolean
scan_entry (Scanner *scanner, Header *header)
{
  char key[16];
  if (!scan_string (scanner, key, sizeof key))
    return FALSE;
  if (!accept (scanner, ":"))
    return fail (scanner, "':'");
  if (strcmp (key, "shape") == 0) {
    header->has_shape = TRUE;
    return scan_shape (scanner, &header->shape);
  }
  if (strcmp (key, "fortran_order") == 0) {
    header->has_order = TRUE;
    header->fortran_order = accept (scanner, "True");
    return header->fortran_order || accept (scanner, "False") ||
           fail (scanner, "True or False");
  }
  if (strcmp (key, "descr") != 0)
    return fail (scanner, "only the keys descr, fortran_order and shape");
  header->has_descr = TRUE;
  if (accept (scanner, "["))
    return g_strlcpy (header->descr, "a structure", sizeof header->descr) > 0;
  return scan_string (scanner, header->descr, sizeof header->descr);
}

static gboolean
scan_header (Scanner *scanner, Header *header)
{
  if (!accept (scanner, "{"))
    return fail (scanner, "'{'");
  while (!accept (scanner, "}")) {
    if (!scan_entry (scanner, header))
      return FALSE;
    if (strcmp (header->descr, "a structure") == 0)
      return TRUE;
    if (!accept (scanner, ",") &&
        (scanner->text == scanner->end || *scanner->text != '}'))
      return fail (scanner, "',' or '}'");
  }
  return (header->has_descr && header->has_order && header->has_shape) ||
         fail (scanner, "all of descr, fortran_order and shape before '}'");
}

static gboolean
check_types (const char *name, Header *header, GError **error)
{
  const char *descr = header->descr;
  for (gsize i = 0; i < G_N_ELEMENTS (descrs); i++)
    if (strlen (descr) == 3 && strchr ("<>|=", descr[0]) &&
        descr[1] == descrs[i].kind && descr[2] == descrs[i].size)
      header->dtype = descrs[i].dtype;
  if (header->dtype == FORGE_DTYPE_UNKNOWN) {
    g_autofree char *valid = g_utf8_make_valid (descr, -1);
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: .npy elements of type '%s' are not supported", name, valid);
    return FALSE;
  }
  header->swapped = (descr[0] == '>') != (G_BYTE_ORDER == G_BIG_ENDIAN) &&
                    descr[0] != '=' && descr[0] != '|';
  if (header->fortran_order && header->shape.rank > 1) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: the array is in Fortran order; save it with "
        "numpy.ascontiguousarray",
        name);
    return FALSE;
  }
  return TRUE;
}

static void
swap_bytes (uint8_t *data, int64_t count, size_t element_bytes)
{
  for (int64_t i = 0; i < count; i++, data += element_bytes)
    for (size_t a = 0, b = element_bytes - 1; a < b; a++, b--) {
      uint8_t byte = data[a];
      data[a] = data[b];
      data[b] = byte;
    }
}

/* TRUE when the header was found; *header_bytes is its length. */
static gboolean
read_preamble (ForgeReader *reader, const char *name, uint32_t *header_bytes,
    GError **error)
{
  const uint8_t *magic = forge_reader_take (reader, MAGIC_BYTES);
  uint8_t major = forge_reader_u8 (reader);
  uint8_t minor = forge_reader_u8 (reader);
  if (reader->failed || memcmp (magic, MAGIC, MAGIC_BYTES) != 0) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected a NumPy .npy file, found %s", name,
        reader->failed ? "a shorter file" : "another start");
    return FALSE;
  }
  if (major < 1 || major > 3 || minor != 0) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: .npy format version %u.%u; 1.0 to 3.0 are supported", name, major,
        minor);
    return FALSE;
  }
  *header_bytes =
      major == 1 ? forge_reader_u16le (reader) : forge_reader_u32le (reader);
  if (reader->failed || *header_bytes > MAX_HEADER_BYTES ||
      *header_bytes > forge_reader_left (reader)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: truncated .npy file: the header of %u bytes is not there", name,
        *header_bytes);
    return FALSE;
  }
  return TRUE;
}

ForgeTensor *
forge_npy_parse (
    const void *bytes, size_t size_bytes, const char *name, GError **error)
{
  ForgeReader reader;
  uint32_t header_bytes;
  size_t data_bytes;
  Header header = { 0 };
  forge_reader_init (&reader, bytes, size_bytes);
  if (!read_preamble (&reader, name, &header_bytes, error))
    return NULL;
  const char *text = (const char *) forge_reader_take (&reader, header_bytes);
  Scanner scanner = { text, text + header_bytes, bytes, name, error };
  if (!scan_header (&scanner, &header) || !check_types (name, &header, error))
    return NULL;
  if (!forge_shape_size_bytes (&header.shape, header.dtype, &data_bytes) ||
      data_bytes != forge_reader_left (&reader)) {
    g_autofree char *shape = forge_shape_to_string (&header.shape);
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: damaged .npy file: %s of shape %s does not fit the %zu bytes "
        "behind the header",
        name, forge_dtype_name (header.dtype), shape,
        forge_reader_left (&reader));
    return NULL;
  }
  ForgeTensor *tensor = forge_tensor_new (header.dtype, &header.shape, error);
  if (!tensor)
    return NULL;
  if (data_bytes > 0)
    memcpy (tensor->data, forge_reader_take (&reader, data_bytes), data_bytes);
  if (header.swapped)
    swap_bytes (tensor->data, forge_shape_count (&header.shape),
        forge_dtype_size_bytes (header.dtype));
  return tensor;
}

static GString *
dictionary (const ForgeTensor *tensor, gsize descr)
{
  char order = descrs[descr].size == '1' ? '|' : '<';
  GString *text = g_string_new (NULL);
  g_string_append_printf (text,
      "{'descr': '%c%c%c', 'fortran_order': False, 'shape': (", order,
      descrs[descr].kind, descrs[descr].size);
  for (int i = 0; i < tensor->shape.rank; i++)
    g_string_append_printf (text, "%s%" G_GINT64_FORMAT "%s", i ? " " : "",
        tensor->shape.dims[i],
        i + 1 < tensor->shape.rank || tensor->shape.rank == 1 ? "," : "");
  g_string_append (text, "), }");
  while ((PREAMBLE_BYTES + text->len + 1) % 64)
    g_string_append_c (text, ' ');
  g_string_append_c (text, '\n');
  return text;
}

GBytes *
forge_npy_serialise (const ForgeTensor *tensor, GError **error)
{
  gsize descr = 0;
  while (descr < G_N_ELEMENTS (descrs) && descrs[descr].dtype != tensor->dtype)
    descr++;
  if (descr == G_N_ELEMENTS (descrs)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "NumPy has no type for %s", forge_dtype_name (tensor->dtype));
    return NULL;
  }
  g_autoptr (GString) text = dictionary (tensor, descr);
  const uint8_t preamble[PREAMBLE_BYTES] = { MAGIC_TEXT, 1, 0,
    (uint8_t) text->len, (uint8_t) (text->len >> 8) };
  size_t header_bytes = PREAMBLE_BYTES + text->len;
  uint8_t *file = g_try_malloc (header_bytes + tensor->size_bytes);
  if (!file) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "out of memory: an array of %zu bytes", tensor->size_bytes);
    return NULL;
  }
  memcpy (file, preamble, PREAMBLE_BYTES);
  memcpy (file + PREAMBLE_BYTES, text->str, text->len);
  if (tensor->size_bytes > 0)
    memcpy (file + header_bytes, tensor->data, tensor->size_bytes);
  return g_bytes_new_take (file, header_bytes + tensor->size_bytes);
}

ForgeTensor *
forge_tensor_load_npy (const char *path, GError **error)
{
  size_t size_bytes;
  g_autofree void *bytes =
      forge_file_read (path, G_MAXSSIZE - 1, &size_bytes, error);
  return bytes ? forge_npy_parse (bytes, size_bytes, path, error) : NULL;
}

gboolean
forge_tensor_save_npy (
    const ForgeTensor *tensor, const char *path, GError **error)
{
  g_autoptr (GBytes) bytes = forge_npy_serialise (tensor, error);
  if (!bytes) {
    g_prefix_error (error, "%s: ", path);
    return FALSE;
  }
  gsize size_bytes;
  const void *data = g_bytes_get_data (bytes, &size_bytes);
  return forge_file_write (path, data, size_bytes, error);
}
