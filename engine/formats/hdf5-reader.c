/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * forge-hdf5-reader: the only program of the project that libhdf5 runs in.
 * That library crashes on damaged files (four of 351 small mutations did it
 * with 1.10.8), so a model's HDF5 file is read in a process of its own, as
 * GStreamer loads plug-ins it does not know. Takes the file on descriptor 3,
 * writes what the Keras reader needs on descriptor 4 in the format that
 * keras-dump.h describes, and holds descriptor 5 open until it ends. Exit
 * status: 0 all written, 2 not a readable HDF5 file, 3 over a limit. */
/* The names of 1.10 in later libraries, too. */
#define H5_USE_110_API
#include <hdf5.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "formats/keras-dump.h"

#define INPUT_FD 3
#define OUTPUT_FD 4
#define MAX_CPU_SECONDS 60
#define MAX_STRINGS 65536
#define MAX_STRING_BYTES ((size_t) 64 << 20)
/* Deflate makes an array smaller about a thousand times at most. */
#define MAX_RATIO 1100u

enum { STATUS_DAMAGED = 2, STATUS_LIMIT = 3 };

static FILE *output;
static uint64_t file_bytes;
static uint64_t written_bytes;

static void
put (const void *bytes, size_t size_bytes)
{
  written_bytes += size_bytes;
  if (written_bytes > KERAS_DUMP_MAX_BYTES ||
      fwrite (bytes, 1, size_bytes, output) != size_bytes)
    exit (STATUS_LIMIT);
}

static void
put_u32 (uint32_t value)
{
  put (&value, sizeof value);
}

static void
put_string (const char *text, size_t size_bytes)
{
  put_u32 ((uint32_t) size_bytes);
  put (text, size_bytes);
}

static void
limit (int resource, rlim_t most)
{
  struct rlimit rlimit = { most, most };
  if (setrlimit (resource, &rlimit) != 0)
    exit (STATUS_LIMIT);
}

/* ASan reserves terabytes of addresses for itself. */
#if defined(__SANITIZE_ADDRESS__)
#define HAS_ADDRESS_LIMIT 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ADDRESS_LIMIT 0
#endif
#endif
#ifndef HAS_ADDRESS_LIMIT
#define HAS_ADDRESS_LIMIT 1
#endif

static void
limit_resources (void)
{
  limit (RLIMIT_CPU, MAX_CPU_SECONDS);
  limit (RLIMIT_FSIZE, KERAS_DUMP_MAX_BYTES);
  limit (RLIMIT_CORE, 0);
  if (HAS_ADDRESS_LIMIT)
    limit (RLIMIT_AS, ((rlim_t) 1 << 30) + 4 * (rlim_t) file_bytes);
}

static void
put_variable_strings (hid_t attribute, hid_t type, hid_t space, size_t count)
{
  char **items = calloc (count + 1, sizeof *items);
  if (!items || H5Aread (attribute, type, items) < 0)
    exit (STATUS_DAMAGED);
  put_u32 ((uint32_t) count);
  for (size_t i = 0; i < count; i++) {
    size_t length = items[i] ? strlen (items[i]) : 0;
    put_string (items[i] ? items[i] : "",
        length <= MAX_STRING_BYTES ? length : MAX_STRING_BYTES);
  }
  H5Dvlen_reclaim (type, space, H5P_DEFAULT, items);
  free (items);
}

static void
put_fixed_strings (hid_t attribute, hid_t type, size_t count)
{
  size_t item_bytes = H5Tget_size (type);
  if (item_bytes > MAX_STRING_BYTES || count * item_bytes > MAX_STRING_BYTES)
    exit (STATUS_LIMIT);
  char *items = calloc (count * item_bytes + 1, 1);
  if (!items || H5Aread (attribute, type, items) < 0)
    exit (STATUS_DAMAGED);
  put_u32 ((uint32_t) count);
  for (size_t i = 0; i < count; i++)
    put_string (
        items + i * item_bytes, strnlen (items + i * item_bytes, item_bytes));
  free (items);
}

/* A record for a string attribute; others are passed over. */
static herr_t
put_attribute (
    hid_t object, const char *name, const H5A_info_t *info, void *path)
{
  hid_t attribute = H5Aopen (object, name, H5P_DEFAULT);
  if (attribute < 0)
    return 0;
  hid_t type = H5Aget_type (attribute);
  hid_t space = H5Aget_space (attribute);
  hssize_t count = space >= 0 ? H5Sget_simple_extent_npoints (space) : -1;
  if (type >= 0 && H5Tget_class (type) == H5T_STRING && count >= 0 &&
      count <= MAX_STRINGS) {
    put ("A", 1);
    put_string (path, strlen (path));
    put_string (name, strlen (name));
    if (H5Tis_variable_str (type) > 0)
      put_variable_strings (attribute, type, space, (size_t) count);
    else
      put_fixed_strings (attribute, type, (size_t) count);
  }
  H5Tclose (type);
  H5Sclose (space);
  H5Aclose (attribute);
  return 0;
}

static void
put_attributes (hid_t object, const char *path)
{
  hsize_t at = 0;
  H5Aiterate2 (
      object, H5_INDEX_NAME, H5_ITER_NATIVE, &at, put_attribute, (void *) path);
}

/* Arrays whose bytes lie in other files are not a model's own. */
static int
is_self_contained (hid_t set)
{
  hid_t plist = H5Dget_create_plist (set);
  if (plist < 0)
    return 0;
  H5D_layout_t layout = H5Pget_layout (plist);
  int external = H5Pget_external_count (plist);
  H5Pclose (plist);
  return external == 0 && (layout == H5D_COMPACT || layout == H5D_CONTIGUOUS ||
                              layout == H5D_CHUNKED);
}

/* Floats of any width arrive as float32. h5py keeps bfloat16, which HDF5 has
 * no type for, as two opaque bytes. */
static void
put_values (hid_t set, hid_t type, uint64_t count)
{
  int is_bfloat16 = H5Tget_class (type) == H5T_OPAQUE;
  float *values = malloc (count * sizeof *values + 1);
  if (!values)
    exit (STATUS_LIMIT);
  if (H5Dread (set, is_bfloat16 ? type : H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL,
          H5P_DEFAULT, values) < 0)
    exit (STATUS_DAMAGED);
  for (uint64_t i = count; is_bfloat16 && i-- > 0;) {
    uint16_t half;
    memcpy (&half, (char *) values + 2 * i, sizeof half);
    uint32_t bits = (uint32_t) half << 16;
    memcpy (&values[i], &bits, sizeof bits);
  }
  put (values, count * sizeof *values);
  free (values);
}

static void
put_dataset (hid_t set, const char *path)
{
  hid_t space = H5Dget_space (set);
  hid_t type = H5Dget_type (set);
  hsize_t dims[H5S_MAX_RANK];
  int rank = space >= 0 ? H5Sget_simple_extent_dims (space, dims, NULL) : -1;
  if (rank < 0 || type < 0)
    exit (STATUS_DAMAGED);
  int is_float = H5Tget_class (type) == H5T_FLOAT ||
                 (H5Tget_class (type) == H5T_OPAQUE && H5Tget_size (type) == 2);
  uint64_t count = 1;
  for (int i = 0; i < rank; i++) {
    if (dims[i] > INT32_MAX || (dims[i] && count > INT32_MAX / dims[i]))
      exit (STATUS_LIMIT);
    count *= dims[i];
  }
  if (count * sizeof (float) / MAX_RATIO > file_bytes)
    exit (STATUS_LIMIT);
  uint8_t has_values = is_float && is_self_contained (set);
  put ("D", 1);
  put_string (path, strlen (path));
  put (&has_values, 1);
  put_u32 ((uint32_t) rank);
  for (int i = 0; i < rank; i++)
    put_u32 ((uint32_t) dims[i]);
  if (has_values)
    put_values (set, type, count);
  H5Tclose (type);
  H5Sclose (space);
}

/* Of the root's groups, only those that hold a model's weights. */
static herr_t
put_object (hid_t root, const char *name, const H5O_info_t *info, void *data)
{
  static const char *const wanted[] = { "model_weights", "layers",
    "_layer_checkpoint_dependencies" };
  size_t length = strcspn (name, "/");
  int is_wanted = 0;
  for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
    is_wanted |=
        strlen (wanted[i]) == length && strncmp (name, wanted[i], length) == 0;
  if (!is_wanted)
    return 0;
  hid_t object = H5Oopen (root, name, H5P_DEFAULT);
  if (object < 0)
    return 0;
  if (info->type == H5O_TYPE_GROUP) {
    put ("G", 1);
    put_string (name, strlen (name));
    put_attributes (object, name);
  } else if (info->type == H5O_TYPE_DATASET) {
    put_dataset (object, name);
  }
  H5Oclose (object);
  return 0;
}

/* From memory: the library looks up the real names of files, and what was
 * passed on descriptor 3 may have none. */
static hid_t
open_file (void)
{
  void *bytes = mmap (NULL, file_bytes, PROT_READ, MAP_PRIVATE, INPUT_FD, 0);
  hid_t access = H5Pcreate (H5P_FILE_ACCESS);
  if (bytes == MAP_FAILED || H5Pset_fapl_core (access, 1 << 16, 0) < 0 ||
      H5Pset_file_image (access, bytes, file_bytes) < 0)
    exit (STATUS_LIMIT);
  munmap (bytes, file_bytes);
  return H5Fopen ("/dev/null/model.h5", H5F_ACC_RDONLY, access);
}

int
main (void)
{
  struct stat status;
  output = fdopen (OUTPUT_FD, "wb");
  if (!output || fstat (INPUT_FD, &status) != 0)
    return STATUS_LIMIT;
  file_bytes = (uint64_t) status.st_size;
  limit_resources ();
  H5Eset_auto2 (H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state (0); /* a file must not choose code to load */
  hid_t file = open_file ();
  if (file < 0)
    return STATUS_DAMAGED;
  put (KERAS_DUMP_MAGIC, KERAS_DUMP_MAGIC_BYTES);
  put_attributes (file, "");
  if (H5Ovisit2 (file, H5_INDEX_NAME, H5_ITER_INC, put_object, NULL,
          H5O_INFO_BASIC) < 0)
    return STATUS_DAMAGED;
  put ("E", 1);
  if (fclose (output) != 0)
    return STATUS_LIMIT;
  /* Nothing of the library runs again: its clean-up walks the file too. */
  _Exit (0);
}
