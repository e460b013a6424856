/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Weights in a file beside the model. The name in the model is not trusted:
 * only a regular file inside the model's own folder is opened, after all
 * symbolic links are resolved, and the range must lie inside it.
 * Source: docs/ExternalData.md of the ONNX project. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/onnx.h"
#include "tensor/tensor.h"

typedef struct {
  const char *location;
  uint64_t offset_bytes;
  uint64_t length_bytes; /* G_MAXUINT64 = to the end */
} Place;

static gboolean
read_place (const ForgeOnnxReader *reader, const ForgeOnnx__Tensor *proto,
    Place *place, GError **error)
{
  *place = (Place) { .length_bytes = G_MAXUINT64 };
  for (size_t i = 0; i < proto->n_external_data; i++) {
    const char *key = proto->external_data[i]->key;
    const char *value = proto->external_data[i]->value;
    uint64_t *number = g_strcmp0 (key, "offset") == 0   ? &place->offset_bytes
                       : g_strcmp0 (key, "length") == 0 ? &place->length_bytes
                                                        : NULL;
    if (g_strcmp0 (key, "location") == 0)
      place->location = value;
    if (number && (!value || !g_ascii_string_to_unsigned (
                                 value, 10, 0, G_MAXINT64, number, NULL)))
      return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
          "tensor '%s': the %s of its external data is not a number",
          proto->name, key);
  }
  if (!place->location || !*place->location)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "tensor '%s': external data without a location", proto->name);
  return forge_onnx_check_text (
      reader->source, "an external file's name", place->location, error);
}

static gboolean
has_dot_dot (const char *location)
{
  g_auto (GStrv) parts = g_strsplit (location, "/", -1);
  return g_strv_contains ((const char *const *) parts, "..");
}

/* The real path of the file, or NULL when it lies elsewhere. */
static char *
resolve (const char *folder, const char *location)
{
  g_autofree char *joined = g_build_filename (folder, location, NULL);
  char *real_folder = realpath (folder, NULL);
  char *real_file = realpath (joined, NULL);
  char *result = NULL;
  if (real_folder && real_file) {
    size_t length = strlen (real_folder);
    gboolean is_root = strcmp (real_folder, "/") == 0;
    if (strncmp (real_file, real_folder, length) == 0 &&
        (is_root || real_file[length] == '/'))
      result = g_strdup (real_file);
  }
  int saved_errno = real_file ? EACCES : errno;
  free (real_folder);
  free (real_file);
  errno = saved_errno;
  return result;
}

static int
open_place (const ForgeOnnxReader *reader, const char *tensor_name,
    const char *location, struct stat *info, GError **error)
{
  const char *folder = reader->source->folder;
  if (!folder || g_path_is_absolute (location) || has_dot_dot (location)) {
    forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "tensor '%s' lies in '%s': %s", tensor_name, location,
        folder ? "only files in the model's own folder are opened"
               : "a model that comes from memory cannot use other files");
    return -1;
  }
  g_autofree char *path = resolve (folder, location);
  int fd =
      path ? open (path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
  if (fd < 0) {
    gboolean absent = errno == ENOENT || errno == ENOTDIR;
    forge_onnx_fail (reader->source, error,
        absent ? FORGE_ERROR_NOT_FOUND : FORGE_ERROR_FORMAT,
        "tensor '%s' lies in '%s': %s", tensor_name, location,
        absent  ? "no such file beside the model"
        : !path ? "the name leads out of the model's folder"
                : g_strerror (errno));
    return -1;
  }
  if (fstat (fd, info) < 0 || !S_ISREG (info->st_mode)) {
    forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "tensor '%s' lies in '%s': not a regular file", tensor_name, location);
    close (fd);
    return -1;
  }
  return fd;
}

static gboolean
check_range (ForgeOnnxReader *reader, const ForgeOnnx__Tensor *proto,
    Place *place, uint64_t file_bytes, size_t size_bytes, GError **error)
{
  if (place->offset_bytes > file_bytes ||
      (place->length_bytes != G_MAXUINT64 &&
          place->length_bytes > file_bytes - place->offset_bytes))
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "tensor '%s': external data from byte %" G_GUINT64_FORMAT
        " on ends behind the end of '%s' (%" G_GUINT64_FORMAT " bytes)",
        proto->name, place->offset_bytes, place->location, file_bytes);
  if (place->length_bytes == G_MAXUINT64)
    place->length_bytes = file_bytes - place->offset_bytes;
  if (place->length_bytes != size_bytes)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "tensor '%s': its shape needs %zu bytes, its external data has "
        "%" G_GUINT64_FORMAT,
        proto->name, size_bytes, place->length_bytes);
  reader->external_bytes += size_bytes;
  if (reader->external_bytes > FORGE_ONNX_MAX_EXTERNAL_BYTES)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_UNSUPPORTED,
        "more than %" G_GUINT64_FORMAT " bytes of external data",
        FORGE_ONNX_MAX_EXTERNAL_BYTES);
  return TRUE;
}

static gboolean
read_range (int fd, uint64_t offset_bytes, char *data, size_t size_bytes)
{
  while (size_bytes > 0) {
    ssize_t n = pread (fd, data, size_bytes, (off_t) offset_bytes);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return FALSE;
    data += n;
    offset_bytes += (uint64_t) n;
    size_bytes -= (size_t) n;
  }
  return TRUE;
}

ForgeTensor *
forge_onnx_read_external (ForgeOnnxReader *reader,
    const ForgeOnnx__Tensor *proto, const ForgeShape *shape, size_t size_bytes,
    GError **error)
{
  Place place;
  struct stat info;
  if (!proto->name || !*proto->name) {
    forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "a tensor with external data has no name");
    return NULL;
  }
  if (!read_place (reader, proto, &place, error))
    return NULL;
  int fd = open_place (reader, proto->name, place.location, &info, error);
  if (fd < 0)
    return NULL;
  g_autoptr (ForgeTensor) tensor = NULL;
  if (check_range (
          reader, proto, &place, (uint64_t) info.st_size, size_bytes, error))
    tensor = forge_tensor_new ((ForgeDtype) proto->data_type, shape, error);
  gboolean ok = tensor && read_range (fd, place.offset_bytes, tensor->data,
                              tensor->size_bytes);
  close (fd);
  if (tensor && !ok)
    forge_onnx_fail (reader->source, error, FORGE_ERROR_IO,
        "tensor '%s': cannot read '%s'", proto->name, place.location);
  return ok ? g_steal_pointer (&tensor) : NULL;
}
