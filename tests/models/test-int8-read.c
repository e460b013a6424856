/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A DequantizeLinear that somebody else put behind weights: what is plain
 * becomes a constant with the operator's numbers and is written as it came,
 * what is not stays a node, and what is wrong is refused as ever. */
#include <math.h>
#include <string.h>

#include "formats/format.h"
#include "graph/stored-weights.h"
#include "narrow.h"
#include "onnx-builder.h"
#include "tensor/tensor.h"

/* Conv by w [4, 2, 2, 2]. */
typedef struct {
  const char *what;
  int dtype, scale_dtype, zero_dtype; /* zero_dtype 0 = no zero point */
  const int *scale_dims, *zero_dims;
  float scale;
  int zero, axis;
  enum { ALONE, OUTPUT, ADDED, SHARED, QUANTISED, BLOCKS } beside;
  enum { TAKEN, LEFT, REFUSED } verdict;
} Foreign;

static void
add_foreign_side (OnnxBuilder *b, const Foreign *row, ForgeOnnx__Node *node)
{
  if (row->beside == OUTPUT)
    onnx_builder_output (b, "w");
  if (row->beside == ADDED)
    onnx_builder_node (b, "Add", "w,w", "side");
  if (row->beside == SHARED)
    onnx_builder_node (b, "DequantizeLinear", "bytes,one", "side");
  if (row->beside == QUANTISED) {
    onnx_builder_node (b, "QuantizeLinear", "x,one", "q");
    onnx_builder_node (b, "DequantizeLinear", "q,one", "side");
  }
  if (row->beside >= ADDED && row->beside <= QUANTISED)
    onnx_builder_output (b, "side");
  if (row->beside == BLOCKS) {
    ForgeOnnx__Attribute *size =
        onnx_builder_attribute (b, node, "block_size", FORGE_ONNX_INT);
    size->has_i = TRUE;
    size->i = 2;
  }
}

static void
add_foreign_tensor (
    OnnxBuilder *b, const char *name, int dtype, const int *dims, float value)
{
  gsize n = 1, step = dtype == FORGE_FLOAT32 || dtype == FORGE_INT32 ? 4 : 1;
  for (int i = 0; dims[i] != -2; i++)
    n *= (gsize) dims[i];
  char *bytes = onnx_builder_take (b, n * step + 1);
  for (gsize i = 0; i < n; i++) {
    if (dtype == FORGE_FLOAT32)
      ((float *) (void *) bytes)[i] = value * (float) (i + 1);
    else if (step == 1)
      bytes[i] = (char) (value == 99 ? (int) (i * 37) - 128 : (int) value);
  }
  ForgeOnnx__Tensor *tensor = onnx_builder_tensor (b, name, dtype, dims);
  onnx_builder_set_raw (tensor, bytes, n * step);
  onnx_builder_initializer (b, tensor);
}

static ForgeGraph *
read_foreign (const Foreign *row, GError **error)
{
  g_autoptr (OnnxBuilder) b = onnx_builder_new ();
  onnx_builder_input (b, "x", FORGE_FLOAT32, DIMS (-1, 2, 4, 4));
  add_foreign_tensor (b, "bytes", row->dtype, DIMS (4, 2, 2, 2), 99);
  add_foreign_tensor (
      b, "scales", row->scale_dtype, row->scale_dims, row->scale);
  add_foreign_tensor (b, "one", FORGE_FLOAT32, SCALAR, 1);
  if (row->zero_dtype)
    add_foreign_tensor (
        b, "zeros", row->zero_dtype, row->zero_dims, (float) row->zero);
  ForgeOnnx__Node *node = onnx_builder_node (b, "DequantizeLinear",
      row->zero_dtype ? "bytes,scales,zeros" : "bytes,scales", "w");
  ForgeOnnx__Attribute *axis =
      onnx_builder_attribute (b, node, "axis", FORGE_ONNX_INT);
  axis->has_i = TRUE;
  axis->i = row->axis;
  onnx_builder_node (b, "Conv", "x,w", "y");
  onnx_builder_output (b, "y");
  add_foreign_side (b, row, node);
  g_autoptr (GBytes) bytes = onnx_builder_finish (b);
  const ForgeSource source = { .name = row->what };
  gsize size_bytes;
  const void *data = g_bytes_get_data (bytes, &size_bytes);
  return forge_format_read_bytes (data, size_bytes, &source, error);
}

/* The numbers that the operator gives, kept to the bit in the next file. */
static void
check_taken (const ForgeGraph *graph)
{
  const ForgeValue *w = forge_graph_find (graph, "w");
  g_assert_true (forge_value_is_int8 (w));
  g_assert_cmpuint (graph->nodes->len, ==, 1);
  g_assert_null (forge_graph_find (graph, "bytes"));
  const float *scales = w->scale->data;
  for (int i = 0; i < 32; i++) {
    int64_t c = w->scale_axis < 0 ? 0 : narrow_channel_of (w, i);
    g_assert_cmpfloat (((const float *) w->constant->data)[i], ==,
        (float) (int8_t) (i * 37 - 128) * scales[c]);
  }
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) first = forge_onnx_serialise (graph, &error);
  const ForgeSource source = { .name = "again" };
  g_autoptr (ForgeGraph) again =
      forge_format_read_bytes (g_bytes_get_data (first, NULL),
          g_bytes_get_size (first), &source, &error);
  g_assert_no_error (error);
  const ForgeValue *kept = forge_graph_find (again, "w");
  g_assert_true (forge_value_is_int8 (kept));
  g_assert_cmpmem (
      kept->constant->data, 32 * sizeof (float), w->constant->data, 128);
  g_autoptr (GBytes) second = forge_onnx_serialise (again, &error);
  g_assert_true (g_bytes_equal (first, second));
}

static void
weights_of_others_are_taken_in (void)
{
#define PLAIN FORGE_INT8, FORGE_FLOAT32, 0
#define ZERO(dtype) FORGE_INT8, FORGE_FLOAT32, dtype
  static const int none[] = { -2 }, one[] = { 1, -2 }, two[] = { 2, -2 };
  static const int three[] = { 3, -2 }, four[] = { 4, -2 };
  static const int wide[] = { 4, 1, -2 }, empty[] = { 0, -2 };
  const Foreign rows[] = {
    { "channels", PLAIN, four, none, 1 / 3.0f, 0, 0, ALONE, TAKEN },
    { "other axis", PLAIN, two, none, 1 / 3.0f, 0, 1, ALONE, TAKEN },
    { "negative axis", PLAIN, four, none, 1 / 3.0f, 0, -4, ALONE, TAKEN },
    { "one scale", PLAIN, none, none, 1 / 3.0f, 0, 0, ALONE, TAKEN },
    { "one in a list", PLAIN, one, none, 1 / 3.0f, 0, 9, ALONE, TAKEN },
    { "zeros", ZERO (FORGE_INT8), four, four, 1e-3f, 0, 0, ALONE, TAKEN },
    { "a zero", ZERO (FORGE_INT8), none, none, 1e-3f, 0, 0, ALONE, TAKEN },
    { "tiny", PLAIN, four, none, 1e-40f, 0, 0, ALONE, TAKEN },
    { "asymmetric", ZERO (FORGE_INT8), four, four, 1, 3, 0, ALONE, LEFT },
    { "bytes", FORGE_UINT8, FORGE_FLOAT32, 0, four, none, 1, 0, 0, ALONE,
        LEFT },
    { "negative", PLAIN, four, none, -1, 0, 0, ALONE, LEFT },
    { "nothing", PLAIN, four, none, 0, 0, 0, ALONE, LEFT },
    { "infinite", PLAIN, four, none, INFINITY, 0, 0, ALONE, LEFT },
    { "no number", PLAIN, four, none, NAN, 0, 0, ALONE, LEFT },
    { "an output", PLAIN, four, none, 1, 0, 0, OUTPUT, LEFT },
    { "added too", PLAIN, four, none, 1, 0, 0, ADDED, LEFT },
    { "shared", PLAIN, four, none, 1, 0, 0, SHARED, LEFT },
    { "quantised", PLAIN, four, none, 1, 0, 0, QUANTISED, LEFT },
    { "far axis", PLAIN, four, none, 1, 0, 4, ALONE, REFUSED },
    { "near axis", PLAIN, four, none, 1, 0, -5, ALONE, REFUSED },
    { "too few", PLAIN, three, none, 1, 0, 0, ALONE, REFUSED },
    { "no scales", PLAIN, empty, none, 1, 0, 0, ALONE, REFUSED },
    { "two axes", PLAIN, wide, none, 1, 0, 0, ALONE, REFUSED },
    { "blocks", PLAIN, four, none, 1, 0, 0, BLOCKS, REFUSED },
    { "whole scales", FORGE_INT8, FORGE_INT32, 0, four, none, 1, 0, 0, ALONE,
        REFUSED },
    { "other zeros", ZERO (FORGE_UINT8), four, four, 1, 0, 0, ALONE, REFUSED },
    { "few zeros", ZERO (FORGE_INT8), four, three, 1, 0, 0, ALONE, REFUSED },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeGraph) graph = read_foreign (&rows[i], &error);
    g_test_message ("%s: %s", rows[i].what, error ? error->message : "read");
    g_assert_true (!graph == (rows[i].verdict == REFUSED));
    if (rows[i].verdict == TAKEN)
      check_taken (graph);
    if (rows[i].verdict != LEFT)
      continue;
    g_assert_nonnull (forge_graph_find (graph, "w")->producer);
    for (guint v = 0; v < graph->values->len; v++)
      g_assert_false (forge_value_is_int8 (graph->values->pdata[v]));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/int8/weights_of_others_are_taken_in", weights_of_others_are_taken_in);
  return g_test_run ();
}
