/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operators that change the grid or move along it: Resize, ConvTranspose,
 * Col2Im, DepthToSpace, CumSum, Einsum, against their definitions in float64.
 */
#include <math.h>
#include <string.h>

#include "op-harness.h"

typedef struct {
  const char *coordinates;
  int64_t in, out;
} Line;

static const Line lines[] = {
  { "half_pixel", 5, 12 },
  { "half_pixel", 12, 5 },
  { "half_pixel", 1, 4 },
  { "pytorch_half_pixel", 5, 1 },
  { "align_corners", 5, 13 },
  { "align_corners", 7, 1 },
  { "asymmetric", 4, 10 },
  { "asymmetric", 10, 4 },
};

static double
source_of (const Line *line, int64_t at)
{
  double scale = (double) line->out / (double) line->in;
  if (line->coordinates[0] == 'p' && line->out == 1)
    return 0;
  if (strcmp (line->coordinates, "align_corners") == 0)
    return line->out == 1
               ? 0
               : (double) (at * (line->in - 1)) / (double) (line->out - 1);
  if (line->coordinates[0] == 'a')
    return (double) at / scale;
  return ((double) at + 0.5) / scale - 0.5;
}

/* Between two rows of the input. */
static double
between (const Line *line, double at, const float *x, int64_t stride)
{
  double low = floor (at);
  int64_t a = CLAMP ((int64_t) low, 0, line->in - 1);
  int64_t b = CLAMP ((int64_t) low + 1, 0, line->in - 1);
  return x[a * stride] * (1 - (at - low)) + x[b * stride] * (at - low);
}

static void
linear_resize_follows_the_coordinates (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 61);
  for (gsize l = 0; l < G_N_ELEMENTS (lines); l++)
    for (int way = 0; way < 2; way++) {
      const Line *line = &lines[l];
      ForgeShape shape = { 4, { 1, 2, line->in, 3 } };
      int64_t sizes[] = { 1, 2, line->out, 3 };
      float scale = (float) line->out / (float) line->in;
      Harness *h = harness_new ("Resize", 13);
      harness_fill (harness_input (h, FORGE_FLOAT32, &shape), &rng, -2, 2);
      harness_input (h, FORGE_FLOAT32, NULL);
      if (way) {
        ForgeShape four = { 1, { 4 } };
        float *scales = harness_input (h, FORGE_FLOAT32, &four)->data;
        scales[0] = scales[1] = scales[3] = 1;
        scales[2] = nextafterf (scale, 100);
        h->constant[2] = TRUE;
      } else {
        harness_input (h, FORGE_FLOAT32, NULL);
        harness_ints (h, sizes, 4);
      }
      forge_attrs_set_string (h->node.attrs, "mode", "linear");
      forge_attrs_set_string (
          h->node.attrs, "coordinate_transformation_mode", line->coordinates);
      harness_prepare (h, 1, FALSE);
      harness_run (h);
      g_assert_cmpint (h->out[0]->shape.dims[2], ==, line->out);
      const float *x = h->in[0]->data, *y = h->out[0]->data;
      for (int64_t i = 0; i < 6 * line->out; i++) {
        int64_t c = i / (3 * line->out), at = i / 3 % line->out;
        harness_assert_close (line->coordinates, i, y[i],
            between (
                line, source_of (line, at), x + c * 3 * line->in + i % 3, 3),
            1e-5);
      }
      harness_free (h);
    }
}

static void
nearest_rounds_as_told (void)
{
  static const struct {
    const char *rounding;
    float want[5]; /* at 0, 0.25, 0.5, 0.75 and 1 */
  } rows[] = {
    { "round_prefer_floor", { 0, 0, 0, 1, 1 } },
    { "round_prefer_ceil", { 0, 0, 1, 1, 1 } },
    { "floor", { 0, 0, 0, 0, 1 } },
    { "ceil", { 0, 1, 1, 1, 1 } },
  };
  ForgeShape shape = { 1, { 2 } }, one = { 1, { 1 } };
  for (gsize r = 0; r < G_N_ELEMENTS (rows); r++) {
    Harness *h = harness_new ("Resize", 13);
    ((float *) harness_input (h, FORGE_FLOAT32, &shape)->data)[1] = 1;
    harness_input (h, FORGE_FLOAT32, NULL);
    *(float *) harness_input (h, FORGE_FLOAT32, &one)->data = 4;
    h->constant[2] = TRUE;
    forge_attrs_set_string (
        h->node.attrs, "coordinate_transformation_mode", "asymmetric");
    forge_attrs_set_string (h->node.attrs, "nearest_mode", rows[r].rounding);
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    g_assert_cmpmem (h->out[0]->data, sizeof rows[r].want, rows[r].want,
        sizeof rows[r].want);
    harness_free (h);
  }
}

/* [1, 4], shrunk by 0.6 with a wider kernel; the values are those of ONNX
 * Runtime 1.21 and of ONNX's case resize_downsample_scales_linear_antialias,
 * whose rows are 4 times its columns: what lies outside counts as the edge,
 * unless it is excluded. */
static void
antialias_widens_the_kernel (void)
{
  static const float want[] = { 0.375f, 0.6f / 1.4f };
  ForgeShape shape = { 1, { 4 } }, one = { 1, { 1 } };
  for (int exclude = 0; exclude < 2; exclude++) {
    Harness *h = harness_new ("Resize", 18);
    float *x = harness_input (h, FORGE_FLOAT32, &shape)->data;
    for (int i = 0; i < 4; i++)
      x[i] = (float) i;
    harness_input (h, FORGE_FLOAT32, NULL);
    *(float *) harness_input (h, FORGE_FLOAT32, &one)->data = 0.6f;
    h->constant[2] = TRUE;
    forge_attrs_set_string (h->node.attrs, "mode", "linear");
    forge_attrs_set_int (h->node.attrs, "antialias", 1);
    forge_attrs_set_int (h->node.attrs, "exclude_outside", exclude);
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    g_assert_cmpint (h->out[0]->shape.dims[0], ==, 2);
    const float *y = h->out[0]->data;
    harness_assert_close ("first", exclude, y[0], want[exclude], 1e-6);
    if (!exclude)
      harness_assert_close ("last", exclude, y[1], 2, 1e-6);
    harness_free (h);
  }
}

/* Half of [0, 1, 2, 3, 4] from its middle on, and as much beyond its end. */
static void
a_crop_is_resized_and_filled (void)
{
  static const float want[] = { 2, 3, 4, -7, -7 };
  ForgeShape shape = { 1, { 5 } }, two = { 1, { 2 } };
  static const int64_t size[] = { 5 };
  Harness *h = harness_new ("Resize", 13);
  float *x = harness_input (h, FORGE_FLOAT32, &shape)->data;
  for (int i = 0; i < 5; i++)
    x[i] = (float) i;
  float *part = harness_input (h, FORGE_FLOAT32, &two)->data;
  part[0] = 0.5f;
  part[1] = 1.5f;
  h->constant[1] = TRUE;
  harness_input (h, FORGE_FLOAT32, NULL);
  harness_ints (h, size, 1);
  forge_attrs_set_string (h->node.attrs, "mode", "linear");
  forge_attrs_set_string (
      h->node.attrs, "coordinate_transformation_mode", "tf_crop_and_resize");
  forge_attrs_set_float (h->node.attrs, "extrapolation_value", -7);
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  g_assert_cmpmem (h->out[0]->data, h->out[0]->size_bytes, want, sizeof want);
  harness_free (h);
}

/* Every element of a picture, gathered block by block and folded again, comes
 * as often as blocks cover it. */
static void
col2im_sums_what_overlaps (void)
{
  enum { N = 2, C = 3, H = 5, W = 6, KH = 3, KW = 2, SH = 2, DW = 2 };
  enum { TOP = 1, LEFT = 0, BOTTOM = 1, RIGHT = 1 };
  enum { OH = (H + TOP + BOTTOM - KH) / SH + 1 };
  enum { OW = W + LEFT + RIGHT - DW * (KW - 1) };
  static const int64_t image[] = { H, W }, block[] = { KH, KW };
  static const int64_t strides[] = { SH, 1 }, dilations[] = { 1, DW };
  static const int64_t pads[] = { TOP, LEFT, BOTTOM, RIGHT };
  double want[N * C * H * W] = { 0 };
  ForgeRng rng;
  forge_rng_seed (&rng, 67);
  Harness *h = harness_new ("Col2Im", 18);
  ForgeShape shape = { 3, { N, C * KH * KW, OH * OW } };
  ForgeTensor *columns = harness_input (h, FORGE_FLOAT32, &shape);
  harness_fill (columns, &rng, -2, 2);
  harness_ints (h, image, 2);
  harness_ints (h, block, 2);
  forge_attrs_set_ints (h->node.attrs, "strides", strides, 2);
  forge_attrs_set_ints (h->node.attrs, "dilations", dilations, 2);
  forge_attrs_set_ints (h->node.attrs, "pads", pads, 4);
  int64_t i = 0;
  for (int nc = 0; nc < N * C; nc++)
    for (int k = 0; k < KH * KW; k++)
      for (int l = 0; l < OH * OW; l++, i++) {
        int y = l / OW * SH - TOP + k / KW, x = l % OW - LEFT + k % KW * DW;
        if (y >= 0 && y < H && x >= 0 && x < W)
          want[(nc * H + y) * W + x] += ((float *) columns->data)[i];
      }
  harness_prepare (h, 2, FALSE);
  harness_run (h);
  ForgeShape pictures = { 4, { N, C, H, W } };
  g_assert_true (forge_shape_equal (&h->out[0]->shape, &pictures));
  for (i = 0; i < N * C * H * W; i++)
    harness_assert_close (
        "Col2Im", i, ((float *) h->out[0]->data)[i], want[i], 1e-5);
  harness_free (h);
}

typedef struct {
  int64_t group, stride[2], dilation[2], pads[4], extra[2];
} Deconvolution;

static const Deconvolution deconvolutions[] = {
  { 1, { 1, 1 }, { 1, 1 }, { 0, 0, 0, 0 }, { 0, 0 } },
  { 2, { 2, 3 }, { 1, 1 }, { 1, 0, 0, 2 }, { 1, 2 } },
  { 1, { 1, 2 }, { 2, 3 }, { 2, 1, 1, 3 }, { 0, 0 } },
  { 4, { 3, 1 }, { 1, 2 }, { 0, 3, 1, 3 }, { 0, 0 } },
};

/* What reaches output (n, o, y, x), looked up from the output's side. */
static double
gather_deconvolution (const Deconvolution *d, const Harness *h, int64_t n,
    int64_t o, int64_t y, int64_t x)
{
  const float *in = h->in[0]->data, *w = h->in[1]->data;
  int64_t per_group = 4 / d->group, o_per_group = h->in[1]->shape.dims[1];
  double sum = ((const float *) h->in[2]->data)[o];
  int64_t group = o / o_per_group;
  for (int64_t c = group * per_group; c < (group + 1) * per_group; c++)
    for (int64_t ky = 0; ky < 3; ky++)
      for (int64_t kx = 0; kx < 2; kx++) {
        int64_t iy = y + d->pads[0] - ky * d->dilation[0];
        int64_t ix = x + d->pads[1] - kx * d->dilation[1];
        if (iy < 0 || ix < 0 || iy % d->stride[0] || ix % d->stride[1] ||
            iy / d->stride[0] >= 5 || ix / d->stride[1] >= 6)
          continue;
        int64_t at =
            ((n * 4 + c) * 5 + iy / d->stride[0]) * 6 + ix / d->stride[1];
        sum += (double) in[at] *
               w[((c * o_per_group + o % o_per_group) * 3 + ky) * 2 + kx];
      }
  return sum;
}

static void
conv_transpose_spreads_the_kernel (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 62);
  for (gsize r = 0; r < G_N_ELEMENTS (deconvolutions); r++) {
    const Deconvolution *d = &deconvolutions[r];
    ForgeShape in = { 4, { 2, 4, 5, 6 } }, w = { 4, { 4, 3, 3, 2 } };
    ForgeShape bias = { 1, { 3 * d->group } };
    Harness *h = harness_new ("ConvTranspose", 11);
    harness_fill (harness_input (h, FORGE_FLOAT32, &in), &rng, -1, 1);
    harness_fill (harness_input (h, FORGE_FLOAT32, &w), &rng, -1, 1);
    harness_fill (harness_input (h, FORGE_FLOAT32, &bias), &rng, -1, 1);
    forge_attrs_set_int (h->node.attrs, "group", d->group);
    forge_attrs_set_ints (h->node.attrs, "strides", d->stride, 2);
    forge_attrs_set_ints (h->node.attrs, "dilations", d->dilation, 2);
    forge_attrs_set_ints (h->node.attrs, "pads", d->pads, 4);
    forge_attrs_set_ints (h->node.attrs, "output_padding", d->extra, 2);
    harness_prepare (h, 3, FALSE);
    harness_run (h);
    const int64_t *dims = h->out[0]->shape.dims;
    g_assert_cmpint (dims[2], ==,
        4 * d->stride[0] + d->extra[0] + 2 * d->dilation[0] + 1 - d->pads[0] -
            d->pads[2]);
    for (int64_t i = 0; i < forge_tensor_get_count (h->out[0]); i++) {
      int64_t x = i % dims[3], y = i / dims[3] % dims[2];
      int64_t plane = i / (dims[2] * dims[3]);
      harness_assert_close ("ConvTranspose", i, ((float *) h->out[0]->data)[i],
          gather_deconvolution (d, h, plane / dims[1], plane % dims[1], y, x),
          1e-5);
    }
    harness_free (h);
  }
}

static void
space_to_depth_undoes_depth_to_space (void)
{
  ForgeShape shape = { 4, { 2, 12, 3, 5 } };
  ForgeRng rng;
  forge_rng_seed (&rng, 63);
  Harness *wide = harness_new ("DepthToSpace", 13);
  ForgeTensor *in = harness_input (wide, FORGE_FLOAT32, &shape);
  harness_fill (in, &rng, -1, 1);
  forge_attrs_set_int (wide->node.attrs, "blocksize", 2);
  harness_prepare (wide, 1, FALSE);
  harness_run (wide);
  Harness *deep = harness_new ("SpaceToDepth", 13);
  ForgeTensor *again =
      harness_input (deep, FORGE_FLOAT32, &wide->out[0]->shape);
  memcpy (again->data, wide->out[0]->data, again->size_bytes);
  forge_attrs_set_int (deep->node.attrs, "blocksize", 2);
  harness_prepare (deep, 1, FALSE);
  harness_run (deep);
  g_assert_true (forge_shape_equal (&deep->out[0]->shape, &shape));
  g_assert_cmpmem (
      deep->out[0]->data, deep->out[0]->size_bytes, in->data, in->size_bytes);
  /* channel 3 is the block's upper right, of channel 0 */
  g_assert_cmpfloat (
      ((float *) again->data)[1], ==, ((float *) in->data)[3 * 15]);
  harness_free (wide);
  harness_free (deep);
}

static void
cumsum_runs_both_ways (void)
{
  static const float want[4][3] = { { 1, 3, 7 }, { 0, 1, 3 }, { 7, 6, 4 },
    { 6, 4, 0 } };
  static const int64_t axis[] = { -1 };
  ForgeShape shape = { 2, { 1, 3 } };
  for (int way = 0; way < 4; way++) {
    Harness *h = harness_new ("CumSum", 14);
    float *x = harness_input (h, FORGE_FLOAT32, &shape)->data;
    x[0] = 1;
    x[1] = 2;
    x[2] = 4;
    harness_ints (h, axis, 1);
    forge_attrs_set_int (h->node.attrs, "exclusive", way & 1);
    forge_attrs_set_int (h->node.attrs, "reverse", way >> 1);
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    g_assert_cmpmem (
        h->out[0]->data, h->out[0]->size_bytes, want[way], sizeof want[way]);
    harness_free (h);
  }
}

/* The equation of a windowed attention, and one with a summed outer label. */
static void
einsum_multiplies_and_sums (void)
{
  ForgeShape q = { 4, { 2, 3, 4, 5 } }, k = { 4, { 2, 3, 6, 5 } };
  ForgeRng rng;
  forge_rng_seed (&rng, 64);
  for (int way = 0; way < 2; way++) {
    Harness *h = harness_new ("Einsum", 12);
    harness_fill (harness_input (h, FORGE_FLOAT32, &q), &rng, -1, 1);
    harness_fill (harness_input (h, FORGE_FLOAT32, &k), &rng, -1, 1);
    forge_attrs_set_string (h->node.attrs, "equation",
        way ? "bHid, bHJd -> JiH" : "...id,...jd->...ij");
    harness_prepare (h, 2, FALSE);
    harness_run (h);
    const float *a = h->in[0]->data, *b = h->in[1]->data;
    const float *y = h->out[0]->data;
    g_assert_cmpint (forge_tensor_get_count (h->out[0]), ==, way ? 72 : 144);
    for (int64_t at = 0; at < (way ? 72 : 144); at++) {
      int64_t i = way ? at / 3 % 4 : at / 6 % 4, j = way ? at / 12 : at % 6;
      double sum = 0;
      for (int64_t n = 0; n < 6; n++)
        for (int64_t d = 0; d < 5; d++)
          if (way ? n % 3 == at % 3 : n == at / 24)
            sum += (double) a[(n * 4 + i) * 5 + d] * b[(n * 6 + j) * 5 + d];
      harness_assert_close ("Einsum", at, y[at], sum, 1e-6);
    }
    harness_free (h);
  }
}

static void
damaged_equations_are_refused (void)
{
  static const char *const equations[] = { "", "ij", "ij,jk,kl->il",
    "ij,jk->iz", "ij,jk->ii", "i..j,jk->ik", "ij,j*->i", "ij,jkl->i",
    "ij,...................jk->i", "ij,kk->i" };
  ForgeShape a = { 2, { 2, 3 } }, b = { 2, { 3, 4 } };
  for (gsize i = 0; i < G_N_ELEMENTS (equations); i++) {
    g_autoptr (GError) error = NULL;
    Harness *h = harness_new ("Einsum", 12);
    harness_input (h, FORGE_FLOAT32, &a);
    harness_input (h, FORGE_FLOAT32, &b);
    forge_attrs_set_string (h->node.attrs, "equation", equations[i]);
    g_test_message ("'%s'", equations[i]);
    g_assert_false (harness_infer (h, &error));
    g_assert_nonnull (strstr (error->message, "under-test"));
    harness_free (h);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/resize/linear_resize_follows_the_coordinates",
      linear_resize_follows_the_coordinates);
  g_test_add_func ("/resize/nearest_rounds_as_told", nearest_rounds_as_told);
  g_test_add_func (
      "/resize/antialias_widens_the_kernel", antialias_widens_the_kernel);
  g_test_add_func (
      "/resize/a_crop_is_resized_and_filled", a_crop_is_resized_and_filled);
  g_test_add_func (
      "/resize/col2im_sums_what_overlaps", col2im_sums_what_overlaps);
  g_test_add_func ("/resize/conv_transpose_spreads_the_kernel",
      conv_transpose_spreads_the_kernel);
  g_test_add_func ("/resize/space_to_depth_undoes_depth_to_space",
      space_to_depth_undoes_depth_to_space);
  g_test_add_func ("/resize/cumsum_runs_both_ways", cumsum_runs_both_ways);
  g_test_add_func (
      "/resize/einsum_multiplies_and_sums", einsum_multiplies_and_sums);
  g_test_add_func (
      "/resize/damaged_equations_are_refused", damaged_equations_are_refused);
  return g_test_run ();
}
