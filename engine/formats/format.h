/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Model files in, graphs out. One format a file; formats.def lists them. */
#pragma once

#include "forge/image.h"
#include "graph/graph.h"

/* Where bytes come from: for messages, and for files beside the model. */
typedef struct {
  const char *name;   /* as the user gave it */
  const char *folder; /* NULL = no other file may be opened */
  /* Build with operators of ONNX alone, where the reader would otherwise use
   * the engine's own: their rounding is then ONNX's, not the format's. */
  gboolean portable;
} ForgeSource;

typedef struct {
  const char *name;       /* "onnx" */
  const char *extensions; /* "onnx", comma separated */
  /* Cheap look at the first bytes. */
  gboolean (*probe) (const uint8_t *bytes, size_t size_bytes);
  ForgeGraph *(*read) (const uint8_t *bytes, size_t size_bytes,
      const ForgeSource *source, GError **error);
} ForgeFormat;

/* Tells the format by content, then reads, sorts and validates: the graph's
 * names resolve, it has no cycle and every operator is known. Foreign bytes
 * are named as what they are (a Git LFS pointer, an HTML page, ...). Shapes
 * are inferred with the batch unknown. */
ForgeGraph *forge_format_read_file (const char *path, GError **error);
ForgeGraph *forge_format_read_portable (const char *path, GError **error);
ForgeGraph *forge_format_read_bytes (const void *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error);

/* Writes an ONNX file, atomically (a temporary beside it, then rename). */
gboolean forge_onnx_write (
    const ForgeGraph *graph, const char *path, GError **error);
GBytes *forge_onnx_serialise (const ForgeGraph *graph, GError **error);

/* What travels with a model in metadata_props under forge.* keys, in a
 * <model>.modelinfo beside a foreign file, or is assumed. */
typedef struct {
  char *name, *version;
  char **labels; /* NULL-terminated, never NULL */
  ForgePreprocess preprocess;
  gboolean has_probabilities;
  gboolean is_sigmoid; /* has_probabilities by Sigmoid, not by Softmax */
  double temperature;  /* logits are divided by it; 1 = as they are */
  GHashTable *beside;  /* forge.* keys of the .modelinfo, or NULL */
  guint n_classes;
  guint input, output; /* indices: where pictures go in and scores come out */
  guint assumed;       /* bits of ForgeInfoKnown (model-info.h) */
  char
      *assumptions; /* the same in words; NULL when nothing had to be assumed */
} ForgeModelInfo;

/* @path may be NULL (built-in). */
ForgeModelInfo *forge_model_info_read (
    const ForgeGraph *graph, const char *path, GError **error);
void forge_model_info_free (ForgeModelInfo *info);
/* Sets forge.format, forge.name, forge.version, forge.labels and
 * forge.preprocess of the graph from @info, but for what it assumed. */
void forge_model_info_write (const ForgeModelInfo *info, ForgeGraph *graph);

/* Sets [forge] keys of `<model>.modelinfo`, for formats that hold no metadata;
 * what the file says already stays. @names, NULL-terminated, are without
 * "forge.". @written: (out) (transfer full): the path. */
gboolean forge_model_info_write_beside (const char *model_path,
    const char *const *names, const char *const *values, char **written,
    GError **error);

/* @bytes of an ONNX file with some metadata_props in place of those of the
 * same keys; all else stays as it is, bit for bit. NULL: not an ONNX file. */
GBytes *forge_onnx_replace_metadata (const void *bytes, size_t size_bytes,
    const char *const *keys, const char *const *values,
    const ForgeSource *source, GError **error);

/* The built-in model's bytes (engine/embedded). */
void forge_embedded_model (const uint8_t **bytes, size_t *size_bytes);
