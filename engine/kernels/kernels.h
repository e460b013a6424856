/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The kernels: pure functions over pointers, sizes and strides. No
 * allocation, no threads, no errors. kernels.def lists them, variants.def
 * lists which instruction-set tier has its own body; dispatch.c fills one
 * table per process. CONTRACTS.md states for each kernel what may alias, what
 * must be aligned, what happens in tails and to NaN, and how far a variant
 * may differ from ref.
 *
 * Letters: M output rows (pixels), O output columns (channels), K taps of a
 * window, C input channels. Strides are in elements. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where weights lie that will be read soon, or NULL. A kernel asks for a line
 * there and goes on by so many bytes at each step, but reads nothing: what
 * comes from memory arrives while there is something else to do. */
typedef struct {
  const float *at;
  size_t step_bytes;
} ForgeAhead;

/* Indirect matrix product, the heart of convolution and of Gemm:
 *   out[m][o] = clamp (bias[o] + sum_k sum_c a[k*mr_max + m][c] * w[k][c][o]
 *                      + (residual ? residual[m][o] : 0), min, max)
 * for m < mr <= mr_max and o < nr (any nr: the kernel walks panels of
 * nr_panel). `rows` holds n_taps * mr_max pointers, each to C floats;
 * pointers equal to `zero` are used as they are, all others are moved by
 * `offset_elems` first (the channel offset of a group, the image offset in a
 * batch). `weights` is one or more panels, each
 *   float32 [nr_panel] bias, then [n_taps][C][nr_panel], zero padded
 * as forge_pack_igemm_f32 writes them. The result has nothing to do with
 * `ahead`, whose steps are those of k and c. */
typedef void (*forge_igemm_f32_fn) (size_t mr, size_t nr, size_t n_channels,
    size_t n_taps, const float *const *rows, ptrdiff_t offset_elems,
    const float *zero, const float *weights, float *out,
    ptrdiff_t out_stride_elems, const float *residual,
    ptrdiff_t residual_stride_elems, float min, float max, ForgeAhead ahead);

/* Depthwise convolution of n_pixels neighbouring output pixels:
 *   out[p][c] = clamp (bias[c] + sum_k rows[p*n_taps + k][c] * w[k][c])
 * weights: float32 [C] bias, then [n_taps][C]. */
typedef void (*forge_dwconv_f32_fn) (size_t n_pixels, size_t n_channels,
    size_t n_taps, const float *const *rows, ptrdiff_t offset_elems,
    const float *zero, const float *weights, float *out,
    ptrdiff_t out_stride_elems, float min, float max);

/* Depthwise convolution of groups of four neighbours in a row of pixels, whose
 * windows share columns: kw is 3, 5 or 7, kh at most 7, the stride 1 or 2, and
 * pixel p of a group has tap (y, x) in column stride * p + x of row y:
 *   out[pixels[g] + p][c] = clamp (bias[c] + sum_y sum_x
 *       columns[(g * kh + y) * n_columns + stride * p + x][c] * w[y][x][c])
 * for p < 4 and n_columns = 3 * stride + kw. `pixels` counts in out_stride;
 * zero, offset and weights as in dwconv_f32. */
#define FORGE_DWSLIDE_PIXELS 4
typedef void (*forge_dwslide_f32_fn) (size_t n_groups, size_t n_channels,
    size_t kh, size_t kw, size_t stride, const float *const *columns,
    ptrdiff_t offset_elems, const float *zero, const float *weights,
    const uint32_t *pixels, float *out, ptrdiff_t out_stride_elems, float min,
    float max);

/* Winograd's F(2x2, 3x3), F(4x4, 3x3) and F(6x6, 3x3), see winograd.h: a tile
 * of `side` by `side` outputs, 2, 4 or 6, of a 3x3 convolution at stride 1 from
 * as many inputs and two more each way, s = side + 2: 16 products a channel
 * instead of 36, 36 instead of 144, 64 instead of 324. Input: out[i *
 * out_stride + c] = (B^T d B)[i / s][i % s], d[y][x] = rows[s * y + x][c]; rows
 * and zero as in igemm_f32. */
typedef void (*forge_winograd_in_f32_fn) (size_t side, size_t n_channels,
    const float *const *rows, ptrdiff_t offset_elems, const float *zero,
    float *out, ptrdiff_t out_stride_elems);
/* Output: out[y * row_stride + x * stride + c] = clamp (bias[c]
 * + (A^T m A)[y][x] + (residual ? residual[same place] : 0), min, max) for
 * y < n_rows <= side, x < n_columns <= side,
 * m[i / s][i % s] = in[i * in_stride + c].
 * The weights between the two are G g G^T, see ops/conv-winograd.c. */
typedef void (*forge_winograd_out_f32_fn) (size_t side, size_t n_channels,
    const float *in, ptrdiff_t in_stride_elems, const float *bias,
    size_t n_rows, size_t n_columns, float *out, ptrdiff_t out_row_stride_elems,
    ptrdiff_t out_stride_elems, const float *residual, float min, float max);

/* Gradient of the output of F(4x4, 3x3), on the way to that of the weights:
 * out[i * out_stride + c] = (A dy A^T)[i / 6][i % 6], dy[y][x] =
 * rows[4 * y + x][c]; pixels past the image's edge point to `zero`. */
typedef void (*forge_winograd_grad_f32_fn) (size_t n_channels,
    const float *const *rows, ptrdiff_t offset_elems, const float *zero,
    float *out, ptrdiff_t out_stride_elems);

/* Sums of outer products, the gradient of a convolution's weights at one tap:
 *   out[o][c] += sum_p dy[p][o] * rows[p][c]
 * for o < n_out, c < n_channels, p < n_pixels; rows and zero as in igemm_f32.
 */
typedef void (*forge_outer_f32_fn) (size_t n_out, size_t n_channels,
    size_t n_pixels, const float *dy, ptrdiff_t dy_stride_elems,
    const float *const *rows, ptrdiff_t offset_elems, const float *zero,
    float *out, ptrdiff_t out_stride_elems);

/* out[p][c] = max_k rows[p*n_taps + k][c]; a NaN input gives NaN. The caller
 * leaves padding out by repeating a pointer inside the window. */
typedef void (*forge_maxpool_f32_fn) (size_t n_pixels, size_t n_channels,
    size_t n_taps, const float *const *rows, ptrdiff_t offset_elems, float *out,
    ptrdiff_t out_stride_elems);

/* out[p][c] = scale[p] * sum_k rows[p*n_taps + k][c]; padding taps point to
 * `zero`. Global average pooling is n_pixels = 1, n_taps = H*W. */
typedef void (*forge_avgpool_f32_fn) (size_t n_pixels, size_t n_channels,
    size_t n_taps, const float *const *rows, ptrdiff_t offset_elems,
    const float *zero, const float *scale, float *out,
    ptrdiff_t out_stride_elems);

/* out[i] = op (a[i], b[i]); a step of 0 elements repeats a[0] (or b[0]). In
 * place is allowed: out may equal a or b. */
typedef enum {
  FORGE_BINARY_ADD,
  FORGE_BINARY_SUB,
  FORGE_BINARY_MUL,
  FORGE_BINARY_DIV,
} ForgeBinary;
typedef void (*forge_binary_f32_fn) (ForgeBinary op, size_t n, const float *a,
    size_t a_step_elems, const float *b, size_t b_step_elems, float *out);

/* Activations; in place allowed. alpha, beta by kind:
 *   CLAMP        min (max (x, alpha), beta)      (Relu: 0, +inf)
 *   LEAKY        x < 0 ? alpha * x : x
 *   SIGMOID      1 / (1 + exp (-x))
 *   SILU         x * sigmoid (x)
 *   HARD_SIGMOID max (0, min (1, alpha * x + beta))
 *   HARD_SWISH   x * max (0, min (1, x / 6 + 1 / 2))
 *   TANH, EXP    as named
 *   GELU         x (1 + erf (x / sqrt 2)) / 2
 *   GELU_TANH    x (1 + tanh (sqrt (2 / pi) (x + 0.044715 x^3))) / 2 */
typedef enum {
  FORGE_UNARY_CLAMP,
  FORGE_UNARY_LEAKY,
  FORGE_UNARY_SIGMOID,
  FORGE_UNARY_SILU,
  FORGE_UNARY_HARD_SIGMOID,
  FORGE_UNARY_HARD_SWISH,
  FORGE_UNARY_TANH,
  FORGE_UNARY_EXP,
  FORGE_UNARY_GELU,
  FORGE_UNARY_GELU_TANH,
} ForgeUnary;
typedef void (*forge_unary_f32_fn) (ForgeUnary op, size_t n, const float *x,
    float alpha, float beta, float *out);

/* out[i] = dy[i] * (s + x[i] s (1 - s)), s = sigmoid (x[i]). out may equal x
 * or dy. */
typedef void (*forge_silu_grad_f32_fn) (
    size_t n, const float *x, const float *dy, float *out);

/* One row: out[i] = exp (x[i] - max) / sum. In place allowed. */
typedef void (*forge_softmax_f32_fn) (size_t n, const float *x, float *out);

/* One row: out[i] = (x[i] - mean) * inverse * scale[i] + (bias ? bias[i] : 0),
 * inverse = 1 / sqrt (variance + epsilon); moments = { mean, inverse }. In
 * place allowed. */
typedef void (*forge_layernorm_f32_fn) (size_t n, const float *x, float epsilon,
    const float *scale, const float *bias, float *out, float moments[2]);

/* out[i] = (float) x[i] * scale[i % n_channels] + bias[i % n_channels], the
 * product rounded before the sum (no FMA: the same bits on every tier). */
typedef void (*forge_u8_to_f32_fn) (size_t n_pixels, size_t n_channels,
    const uint8_t *x, const float *scale, const float *bias, float *out);

/* The two passes of a separable resize, in integers: the same bits on every
 * tier.
 * Vertical: out[i] = (sum_t weights[t] * rows[t][i] + 64) >> 7, weights in
 * Q14 that sum to 16384, so out is a byte value times 128 (rounded). n_bytes
 * along a row, whatever the pixel step. Products and sums fit int32. */
typedef void (*forge_resize_v_u8_fn) (size_t n_bytes, size_t n_taps,
    const uint8_t *const *rows, const int16_t *weights, int16_t *out);
/* Between the two: sample c of every pixel side by side,
 *   out[c][i] = in[i * step + c], i < n_pixels, c < step, step 2, 3 or 4;
 * out[c] may be NULL. */
typedef void (*forge_split_s16_fn) (
    size_t n_pixels, size_t step, const int16_t *in, int16_t *const *out);
/* Horizontal: out[x*out_step] = clamp_u8 ((sum_t w[x][t] * in[start[x] + t]
 * + 2^20) >> 21); weights are [n_out][n_taps], zero padded, Q14;
 * start[x] + n_taps never leaves the row. Multiples of eight taps are
 * fastest. */
typedef void (*forge_resize_h_s16_fn) (size_t n_out, size_t n_taps,
    const int32_t *start, const int16_t *weights, const int16_t *in,
    uint8_t *out, size_t out_step);
/* Both passes at once, where two taps each way make an output. With
 *   v[i] = (row_weights[0] rows[0][i] + row_weights[1] rows[1][i] + 64) >> 7
 * and pixels of `step` bytes, step 1 to 4,
 *   out[c][x*out_step] = clamp_u8 ((w[2x] v[start[x]*step + c]
 *                        + w[2x+1] v[(start[x]+1)*step + c] + 2^20) >> 21)
 * for c < step; out[c] may be NULL. All bytes of both pixels may be read. */
typedef void (*forge_resize_pairs_u8_fn) (size_t n_out, size_t step,
    const int32_t *start, const int16_t *weights, const uint8_t *const *rows,
    const int16_t *row_weights, uint8_t *const *out, size_t out_step);

/* The same for step 1 and 2, where outputs lie near each other. A group is
 * eight outputs, of which the first is x. Vector v of it, of 4 * step, has the
 * 16 bytes of a row from base[v] on, of which turn[v] names four samples:
 * sample i is byte turn[v][4i] (0 beyond 15), and turn[v] = { i, 128, i, 128,
 * ... } makes two int16 of each. Samples 0 and 1, and 2 and 3, are a pair that
 * is summed: of one channel, those of neighbouring outputs; of two, those of
 * one output. forge_window_output() says which. */
enum { FORGE_WINDOW_BYTES = 16, FORGE_WINDOW_OUTPUTS = 8 };
typedef struct {
  int32_t x;
  int32_t base[8];
  uint8_t turn[8][FORGE_WINDOW_BYTES];
} ForgeWindows;
typedef void (*forge_resize_windows_u8_fn) (size_t n_groups, size_t step,
    const ForgeWindows *groups, const int16_t *weights,
    const uint8_t *const *rows, const int16_t *row_weights, uint8_t *const *out,
    size_t out_step);
/* The output, less x, of a pair of vector v. Vectors 1 and 2 of every four
 * change places, so that halves of registers end up in order. */
static inline size_t
forge_window_output (size_t step, size_t v, size_t pair)
{
  const size_t turned = v % 4 == 1 ? 2 : v % 4 == 2 ? 1 : v % 4;
  return step == 1 ? 2 * turned + pair : v / 4 * 4 + turned;
}
/* How many groups @n_out outputs take; the last may lie over the one before. */
size_t forge_window_groups (size_t n_out);
/* Fills them. @start as of resize_pairs_u8, never falling; @n_bytes of a row,
 * none beyond which is read. False: too few outputs or bytes, too far from
 * each other, or another step. */
bool forge_plan_windows (size_t n_out, size_t step, const int32_t *start,
    size_t n_bytes, ForgeWindows *groups);

/* Y'CbCr to R'G'B', everything but y_offset in Q16:
 *   r = clamp_u8 ((l + v_to_r * (v - 128) + 2^15) >> 16)
 *   g = clamp_u8 ((l - u_to_g * (u - 128) - v_to_g * (v - 128) + 2^15) >> 16)
 *   b = clamp_u8 ((l + u_to_b * (u - 128) + 2^15) >> 16)
 * with l = y_scale * (y - y_offset); pixel x of r goes to r[x * out_step], and
 * so on. All of it fits int32: coefficients are under 2^18. Inputs and outputs
 * do not overlap. The same bits on every tier. */
typedef struct {
  int32_t y_offset; /* the byte that is black; not scaled */
  int32_t y_scale;
  int32_t v_to_r, u_to_g, v_to_g, u_to_b;
} ForgeYuvCoefs;
typedef void (*forge_yuv_to_rgb_u8_fn) (size_t n_pixels,
    const ForgeYuvCoefs *coefs, const uint8_t *y, const uint8_t *u,
    const uint8_t *v, uint8_t *r, uint8_t *g, uint8_t *b, size_t out_step);

/* One pointer per kernel, plus the sizes the packers need. */
typedef struct {
  size_t igemm_mr; /* rows of a tile of igemm_f32 */
  size_t igemm_nr; /* columns of a weight panel */
#define KERNEL(name) forge_##name##_fn name;
#include "kernels/kernels.def"
#undef KERNEL
} ForgeKernels;

/**
 * forge_kernels:
 *
 * The best variant of every kernel that forge_cpu_flags() allows.
 *
 * Thread safety: any thread; the table is constant after the first call.
 */
const ForgeKernels *forge_kernels (void);
/* The table of one tier alone, falling back tier by tier to ref: for the
 * checker and for tests. @flags is a set of ForgeCpuFlags. */
void forge_kernels_select (uint32_t flags, ForgeKernels *kernels);

/* Floats that forge_pack_igemm_f32 writes for O columns. */
size_t forge_pack_igemm_f32_count (
    size_t n_out, size_t n_taps, size_t n_channels, size_t nr_panel);
/* Packs weights w[o * stride_o + k * stride_k + c * stride_c] and a nullable
 * bias[o] into panels. */
void forge_pack_igemm_f32 (size_t n_out, size_t n_taps, size_t n_channels,
    size_t nr_panel, const float *w, ptrdiff_t stride_o, ptrdiff_t stride_k,
    ptrdiff_t stride_c, const float *bias, float *packed);
