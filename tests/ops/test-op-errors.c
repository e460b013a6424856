/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a hostile or damaged model file may say about a node: every row must
 * be refused by infer, with an error that names the node, and nothing may
 * crash. A second test feeds every operator random attributes and shapes. */
#include <string.h>

#include "op-harness.h"

typedef struct {
  const char *type;
  int code;
  int n_shapes;
  ForgeShape shapes[5];
  const char *ints_name; /* an attribute of the row */
  int n_ints;
  int64_t ints[8];
  const char *int_name;
  int64_t int_value;
} Row;

#define IMAGE    \
  {              \
    4,           \
    {            \
      1, 4, 8, 8 \
    }            \
  }

static const Row rows[] = {
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 4, 3, 3 } } }, "strides",
      2, { 0, 1 } },
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 4, 3, 3 } } }, "strides",
      2, { -1, 1 } },
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 4, 3, 3 } } }, "strides",
      3, { 1, 1, 1 } },
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 4, 3, 3 } } }, "dilations",
      2, { INT64_MAX, 1 } },
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 4, 3, 3 } } }, "pads", 4,
      { INT64_MAX, 1, INT64_MAX, 1 } },
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 4, 3, 3 } } }, "pads", 4,
      { -1, 0, 0, 0 } },
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 4, 9, 3 } } } },
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 4, 0, 3 } } } },
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 3, 3, 3 } } } },
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 4, 3, 3 } } },
      "kernel_shape", 2, { 5, 3 } },
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 4, 3, 3 } } }, NULL, 0,
      { 0 }, "group", 3 },
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 4, 3, 3 } } }, NULL, 0,
      { 0 }, "group", 0 },
  { "Conv", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 4, 3, 3 } } }, NULL, 0,
      { 0 }, "group", -4 },
  { "Conv", FORGE_ERROR_SHAPE, 3,
      { IMAGE, { 4, { 4, 4, 3, 3 } }, { 1, { 3 } } } },
  { "Conv", FORGE_ERROR_SHAPE, 2, { { 2, { 4, 8 } }, { 4, { 4, 4, 3, 3 } } } },
  { "MaxPool", FORGE_ERROR_SHAPE, 1, { IMAGE } },
  { "MaxPool", FORGE_ERROR_SHAPE, 1, { IMAGE }, "kernel_shape", 2, { 0, 2 } },
  { "MaxPool", FORGE_ERROR_SHAPE, 1, { IMAGE }, "kernel_shape", 2,
      { INT64_MAX, 2 } },
  { "MaxPool", FORGE_ERROR_SHAPE, 1, { IMAGE }, "kernel_shape", 2, { 9, 2 } },
  { "AveragePool", FORGE_ERROR_SHAPE, 1, { IMAGE }, "kernel_shape", 1, { 2 } },
  { "GlobalAveragePool", FORGE_ERROR_SHAPE, 1, { { 4, { 1, 4, 0, 8 } } } },
  { "Gemm", FORGE_ERROR_SHAPE, 2, { { 2, { 2, 3 } }, { 2, { 4, 5 } } } },
  { "Gemm", FORGE_ERROR_SHAPE, 2, { { 3, { 2, 3, 1 } }, { 2, { 3, 5 } } } },
  { "Gemm", FORGE_ERROR_SHAPE, 3,
      { { 2, { 2, 3 } }, { 2, { 3, 5 } }, { 1, { 4 } } } },
  { "MatMul", FORGE_ERROR_SHAPE, 2, { { 2, { 2, 3 } }, { 2, { 4, 5 } } } },
  { "MatMul", FORGE_ERROR_SHAPE, 2,
      { { 3, { 2, 2, 3 } }, { 3, { 3, 3, 5 } } } },
  { "MatMul", FORGE_ERROR_SHAPE, 2, { { 0 }, { 2, { 4, 5 } } } },
  { "MatMul", FORGE_ERROR_SHAPE, 2,
      { { 2, { 1 << 20, 1 } }, { 2, { 1, 1 << 20 } } } },
  { "BatchNormalization", FORGE_ERROR_SHAPE, 5,
      { IMAGE, { 1, { 4 } }, { 1, { 4 } }, { 1, { 3 } }, { 1, { 4 } } } },
  { "Add", FORGE_ERROR_SHAPE, 2, { { 1, { 3 } }, { 1, { 4 } } } },
  { "Concat", FORGE_ERROR_SHAPE, 2, { { 2, { 2, 3 } }, { 2, { 3, 3 } } } },
  { "Concat", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, NULL, 0, { 0 }, "axis",
      2 },
  { "Softmax", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, NULL, 0, { 0 },
      "axis", INT64_MIN },
  { "Flatten", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, NULL, 0, { 0 },
      "axis", 3 },
  { "Reshape", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, "shape", 2,
      { 4, 2 } },
  { "Reshape", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, "shape", 2,
      { -1, -1 } },
  { "Reshape", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, "shape", 2,
      { INT64_MAX, 4 } },
  { "Reshape", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } } },
  { "Squeeze", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, "axes", 1, { 0 } },
  { "Unsqueeze", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, "axes", 2,
      { 0, 0 } },
  { "Unsqueeze", FORGE_ERROR_UNSUPPORTED, 1, { { 2, { 2, 3 } } }, "axes", 8,
      { 0, 1, 2, 3, 4, 5, 6, 7 } },
  { "Transpose", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, "perm", 2,
      { 0, 0 } },
  { "Transpose", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, "perm", 2,
      { 0, -1 } },
  { "Cast", FORGE_ERROR_UNSUPPORTED, 1, { { 1, { 2 } } }, NULL, 0, { 0 }, "to",
      8 },
  { "Cast", FORGE_ERROR_UNSUPPORTED, 1, { { 1, { 2 } } }, NULL, 0, { 0 }, "to",
      INT64_MAX },
  { "Constant", FORGE_ERROR_UNSUPPORTED, 0 },
  { "Pad", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, "pads", 4,
      { INT64_MIN, 0, 0, 0 } },
  { "Pad", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, "pads", 4,
      { -2, 0, -1, 0 } },
  { "Pad", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, "pads", 2, { 0, 0 } },
  { "ReduceMean", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, "axes", 1, { 2 } },
  { "ReduceMean", FORGE_ERROR_SHAPE, 1, { { 2, { 0, 3 } } }, "axes", 1, { 0 } },
  { "ReduceMax", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, "axes", 1, { -3 } },
  { "ArgMax", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, NULL, 0, { 0 }, "axis",
      2 },
  { "ArgMin", FORGE_ERROR_SHAPE, 1, { { 2, { 0, 3 } } } },
  { "TopK", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } }, NULL, 0, { 0 }, "k", 4 },
  { "TopK", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } } },
  { "LayerNormalization", FORGE_ERROR_SHAPE, 2,
      { { 2, { 2, 3 } }, { 1, { 2 } } } },
  { "LayerNormalization", FORGE_ERROR_SHAPE, 3,
      { { 2, { 2, 3 } }, { 1, { 3 } }, { 1, { 2 } } } },
  { "LayerNormalization", FORGE_ERROR_SHAPE, 2,
      { { 2, { 2, 3 } }, { 1, { 3 } } }, NULL, 0, { 0 }, "axis", -3 },
  { "InstanceNormalization", FORGE_ERROR_SHAPE, 3,
      { IMAGE, { 1, { 3 } }, { 1, { 4 } } } },
  { "GroupNormalization", FORGE_ERROR_SHAPE, 3,
      { IMAGE, { 1, { 4 } }, { 1, { 4 } } }, NULL, 0, { 0 }, "num_groups", 3 },
  { "GroupNormalization", FORGE_ERROR_SHAPE, 3,
      { IMAGE, { 1, { 4 } }, { 1, { 4 } } } },
  { "LRN", FORGE_ERROR_SHAPE, 1, { IMAGE } },
  { "LRN", FORGE_ERROR_SHAPE, 1, { IMAGE }, NULL, 0, { 0 }, "size", INT64_MAX },
  { "LpNormalization", FORGE_ERROR_UNSUPPORTED, 1, { IMAGE }, NULL, 0, { 0 },
      "p", 3 },
  { "MeanVarianceNormalization", FORGE_ERROR_SHAPE, 1, { { 2, { 2, 3 } } } },
  { "Where", FORGE_ERROR_UNSUPPORTED, 3, { IMAGE, IMAGE, IMAGE } },
  { "Not", FORGE_ERROR_UNSUPPORTED, 1, { IMAGE } },
  { "ConstantOfShape", FORGE_ERROR_UNSUPPORTED, 1, { { 1, { 9 } } } },
  { "Range", FORGE_ERROR_SHAPE, 3, { { 1, { 2 } }, { 0 }, { 0 } } },
  { "Trilu", FORGE_ERROR_SHAPE, 1, { { 1, { 2 } } } },
  { "DepthToSpace", FORGE_ERROR_SHAPE, 1, { IMAGE }, NULL, 0, { 0 },
      "blocksize", 3 },
  { "SpaceToDepth", FORGE_ERROR_SHAPE, 1, { IMAGE }, NULL, 0, { 0 },
      "blocksize", INT64_MAX },
  { "Resize", FORGE_ERROR_SHAPE, 1, { IMAGE } },
  { "Resize", FORGE_ERROR_SHAPE, 1, { IMAGE }, "axes", 1, { 4 } },
  { "Einsum", FORGE_ERROR_UNSUPPORTED, 2, { IMAGE, IMAGE } },
  { "GatherElements", FORGE_ERROR_UNSUPPORTED, 2, { IMAGE, IMAGE } },
  { "ScatterND", FORGE_ERROR_UNSUPPORTED, 3, { IMAGE, IMAGE, IMAGE } },
  { "ConvTranspose", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 3, 2, 3, 3 } } } },
  { "ConvTranspose", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 2, 3, 3 } } },
      "strides", 2, { 0, 1 } },
  { "ConvTranspose", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 2, 3, 3 } } },
      "output_shape", 2, { INT64_MAX, 1 } },
  { "ConvTranspose", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 2, 3, 3 } } },
      "pads", 4, { 9, 9, 9, 9 } },
  { "ConvTranspose", FORGE_ERROR_SHAPE, 2, { IMAGE, { 4, { 4, 2, 3, 3 } } },
      NULL, 0, { 0 }, "group", 3 },
};

/* Shapes too large to allocate are given to the value alone. */
static void
add_input (Harness *h, ForgeDtype dtype, const ForgeShape *shape)
{
  ForgeShape small = *shape;
  for (int i = 0; i < small.rank; i++)
    small.dims[i] = CLAMP (small.dims[i], 0, 2);
  harness_input (h, dtype, &small);
  ForgeValue *value =
      g_ptr_array_index (h->node.inputs, h->node.inputs->len - 1);
  value->shape = *shape;
}

static void
damaged_nodes_are_refused (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    const Row *row = &rows[i];
    g_autoptr (GError) error = NULL;
    Harness *h = harness_new (row->type, 11);
    for (int k = 0; k < row->n_shapes; k++)
      add_input (h, FORGE_FLOAT32, &row->shapes[k]);
    if (row->ints_name)
      forge_attrs_set_ints (
          h->node.attrs, row->ints_name, row->ints, (gsize) row->n_ints);
    if (row->int_name)
      forge_attrs_set_int (h->node.attrs, row->int_name, row->int_value);
    g_test_message ("row %zu: %s", i, row->type);
    g_assert_false (harness_infer (h, &error));
    g_assert_error (error, FORGE_ERROR, row->code);
    g_assert_nonnull (strstr (error->message, "under-test"));
    harness_free (h);
  }
}

static void
other_types_are_refused (void)
{
  static const char *const types[] = { "Conv", "MaxPool", "Gemm", "MatMul",
    "BatchNormalization", "Relu", "Softmax", "GlobalAveragePool", "Dropout",
    "ReduceMean", "LayerNormalization", "Hardmax", "LpNormalization",
    "LogSoftmax", "Gelu", "MeanVarianceNormalization", "LRN", "Resize",
    "ConvTranspose" };
  ForgeShape shape = IMAGE;
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++) {
    g_autoptr (GError) error = NULL;
    Harness *h = harness_new (types[i], 13);
    for (int k = 0; k < h->node.op->min_inputs; k++)
      harness_input (h, FORGE_UINT8, &shape);
    g_assert_false (harness_infer (h, &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
    harness_free (h);
  }
}

static int64_t
wild (ForgeRng *rng)
{
  static const int64_t values[] = { 0, 1, 2, 3, 5, -1, -2, 8, 70000, INT32_MAX,
    INT64_MAX, INT64_MIN, 1 << 24 };
  return values[forge_rng_below (rng, G_N_ELEMENTS (values))];
}

static void
wild_attributes (Harness *h, ForgeRng *rng)
{
  static const char *const lists[] = { "kernel_shape", "strides", "pads",
    "dilations", "axes", "perm", "shape" };
  static const char *const numbers[] = { "axis", "group", "to", "start", "end",
    "ceil_mode", "allowzero", "keepdims", "transA", "transB" };
  static const char *const modes[] = { "SAME_UPPER", "VALID", "", "edge" };
  for (gsize i = 0; i < G_N_ELEMENTS (lists); i++) {
    int64_t values[6];
    for (int k = 0; k < 6; k++)
      values[k] =
          forge_rng_below (rng, 3) ? 1 + forge_rng_below (rng, 3) : wild (rng);
    if (forge_rng_below (rng, 2))
      forge_attrs_set_ints (
          h->node.attrs, lists[i], values, forge_rng_below (rng, 7));
  }
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    if (forge_rng_below (rng, 2))
      forge_attrs_set_int (h->node.attrs, numbers[i], wild (rng));
  if (forge_rng_below (rng, 4) == 0)
    forge_attrs_set_string (h->node.attrs,
        forge_rng_below (rng, 2) ? "auto_pad" : "mode",
        modes[forge_rng_below (rng, G_N_ELEMENTS (modes))]);
}

static void
wild_inputs (Harness *h, ForgeRng *rng)
{
  static const ForgeDtype types[] = { FORGE_FLOAT32, FORGE_FLOAT32,
    FORGE_FLOAT32, FORGE_INT64, FORGE_UINT8, FORGE_UINT8, FORGE_INT8,
    FORGE_INT32 };
  int most = h->node.op->max_inputs < 0 ? 4 : h->node.op->max_inputs;
  int n_inputs = h->node.op->min_inputs +
                 (int) forge_rng_below (
                     rng, (uint32_t) (most - h->node.op->min_inputs + 1));
  for (int k = 0; k < n_inputs; k++) {
    ForgeShape shape = { (int) forge_rng_below (rng, 6), { 0 } };
    for (int d = 0; d < shape.rank; d++) {
      int64_t extent = wild (rng);
      shape.dims[d] = MAX (-1, extent);
    }
    add_input (h, types[forge_rng_below (rng, G_N_ELEMENTS (types))], &shape);
  }
}

/* Only that infer returns, and that a failure has an error. */
static void
nothing_wild_crashes (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 11);
  for (const ForgeOp *const *op = forge_op_list (); *op; op++)
    for (int i = 0; i < 400; i++) {
      g_autoptr (GError) error = NULL;
      Harness *h = harness_new ((*op)->type, 7 + i % 15);
      h->node.nhwc = i & 1;
      wild_attributes (h, &rng);
      wild_inputs (h, &rng);
      gboolean ok = harness_infer (h, &error);
      g_assert_true (ok == (error == NULL));
      if (ok && (*op)->flops)
        (*op)->flops (&h->node);
      harness_free (h);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/op-errors/damaged_nodes_are_refused", damaged_nodes_are_refused);
  g_test_add_func (
      "/op-errors/other_types_are_refused", other_types_are_refused);
  g_test_add_func ("/op-errors/nothing_wild_crashes", nothing_wild_crashes);
  return g_test_run ();
}
