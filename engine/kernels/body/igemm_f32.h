/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Indirect matrix product: a tile of IGEMM_MR rows by one panel of two
 * vectors stays in registers while k and c run. Each step loads the panel's
 * next two vectors and broadcasts one float of every row. The tile function
 * is compiled once for each number of rows and of vectors, so a partial tile
 * does no work for rows or vectors it does not have. Every output is summed in
 * order of k and c, whatever shares its tile, so it has the same bits in any
 * batch.
 * Source: Dukhan, "The Indirect Convolution Algorithm", 2019; tile shape
 * after Goto and van de Geijn, ACM TOMS 34 (2008). */
#include "kernels/simd/simd.h"

typedef struct {
  size_t n_channels;
  size_t n_taps;
  const float *const *rows;
  ptrdiff_t offset_elems;
  const float *zero;
  ptrdiff_t out_stride_elems;
  ptrdiff_t residual_stride_elems;
  float min, max;
  ForgeAhead ahead;
} Job;

/* How far ahead the panel is fetched: it comes from L2, the rows from L1. */
enum { PREFETCH_ELEMS = 12 * IGEMM_NR, MAX_PANELS = 4 };
enum { LINE_ELEMS = 16 };

/* The lines of one step of a panel, into L1 or L2: the compiler wants to see
 * a constant. */
#define FETCH(at, locality)                         \
  for (size_t i = 0; i < IGEMM_NR; i += LINE_ELEMS) \
  __builtin_prefetch ((const float *) (at) + i, 0, locality)

/* Sums of one tap, rows a[m], panel rows at `weights`; `ahead` is where the
 * lines lie that are fetched meanwhile. */
static ALWAYS_INLINE void
add_tap (const Job *job, const size_t mr, const size_t nv,
    const float *const a[IGEMM_MR], const float *weights, const char *ahead,
    vf sum[IGEMM_MR][2])
{
  const size_t step_bytes = job->ahead.step_bytes;
  for (size_t c = 0; c < job->n_channels; c++, weights += IGEMM_NR) {
    vf w[2];
#pragma GCC unroll 2
    for (size_t v = 0; v < nv; v++)
      w[v] = vf_pin (vf_load (weights + v * VF_WIDTH));
    FETCH (weights + PREFETCH_ELEMS, 3);
    FETCH (ahead, 2);
    ahead += step_bytes;
#pragma GCC unroll 16
    for (size_t m = 0; m < mr; m++) {
      vf x = vf_splat (a[m][c]);
#pragma GCC unroll 2
      for (size_t v = 0; v < nv; v++)
        sum[m][v] = vf_fmadd (x, w[v], sum[m][v]);
    }
  }
}

static ALWAYS_INLINE void
load_rows (const Job *job, const size_t mr, const float *const *rows,
    const float *a[IGEMM_MR])
{
#pragma GCC unroll 16
  for (size_t m = 0; m < mr; m++)
    a[m] = row_at (rows[m], job->zero, job->offset_elems);
}

static ALWAYS_INLINE void
accumulate (const Job *job, const size_t mr, const size_t nv,
    const float *weights, vf sum[IGEMM_MR][2])
{
  const float *const *rows = job->rows;
  const char *ahead = (const char *) job->ahead.at;
  for (size_t k = job->n_taps; k > 0; k--, rows += IGEMM_MR) {
    const float *a[IGEMM_MR];
    load_rows (job, mr, rows, a);
    add_tap (job, mr, nv, a, weights, ahead, sum);
    weights += job->n_channels * IGEMM_NR;
    ahead += job->n_channels * job->ahead.step_bytes;
  }
}

static ALWAYS_INLINE void
load_bias (
    const size_t mr, const size_t nv, const float *weights, vf sum[IGEMM_MR][2])
{
#pragma GCC unroll 16
  for (size_t m = 0; m < mr; m++)
#pragma GCC unroll 2
    for (size_t v = 0; v < nv; v++)
      sum[m][v] = vf_load (weights + v * VF_WIDTH);
}

/* nr <= nv * VF_WIDTH columns at `out`. */
static ALWAYS_INLINE void
store (const Job *job, const size_t mr, const size_t nv, const size_t nr,
    vf sum[IGEMM_MR][2], float *out, const float *residual)
{
  const size_t full = (nv - 1) * VF_WIDTH;
  const vf min = vf_splat (job->min);
  const vf max = vf_splat (job->max);
#pragma GCC unroll 16
  for (size_t m = 0; m < mr; m++) {
    if (residual) {
      if (nv > 1)
        sum[m][0] = vf_add (sum[m][0], vf_load (residual));
      sum[m][nv - 1] =
          vf_add (sum[m][nv - 1], vf_load_n (residual + full, nr - full, 0));
      residual += job->residual_stride_elems;
    }
    if (nv > 1)
      vf_store (out, vf_clamp (sum[m][0], min, max));
    vf_store_n (out + full, nr - full, vf_clamp (sum[m][nv - 1], min, max));
    out += job->out_stride_elems;
  }
}

static ALWAYS_INLINE void
tile (const Job *job, const size_t mr, const size_t nv, const float *weights,
    size_t nr, float *out, const float *residual)
{
  vf sum[IGEMM_MR][2];
  load_bias (mr, nv, weights, sum);
  accumulate (job, mr, nv, weights + IGEMM_NR, sum);
  store (job, mr, nv, nr, sum, out, residual);
}

static ALWAYS_INLINE void
tile_any (const Job *job, size_t mr, const size_t nv, const float *weights,
    size_t nr, float *out, const float *residual)
{
#define ROWS(n)                                      \
  case n:                                            \
    if (n <= IGEMM_MR)                               \
      tile (job, n, nv, weights, nr, out, residual); \
    return;
  switch (mr) {
    ROWS (1)
    ROWS (2)
    ROWS (3)
    ROWS (4)
    ROWS (5)
    ROWS (6)
    ROWS (7) ROWS (8) ROWS (9) ROWS (10) ROWS (11) ROWS (12) ROWS (13) ROWS (14)
  }
#undef ROWS
}

/* One row by n_panels full panels: a fully connected layer at batch 1. With
 * one panel each FMA would wait for the one before it. */
static ALWAYS_INLINE void
row_of_panels (const Job *job, const size_t n_panels, const float *weights,
    size_t panel_elems, float *out, const float *residual)
{
  vf sum[MAX_PANELS * 2];
#pragma GCC unroll 8
  for (size_t i = 0; i < n_panels * 2; i++)
    sum[i] = vf_load (weights + i / 2 * panel_elems + i % 2 * VF_WIDTH);
  const float *w = weights + IGEMM_NR;
  for (size_t k = 0; k < job->n_taps; k++) {
    const float *a =
        row_at (job->rows[k * IGEMM_MR], job->zero, job->offset_elems);
    for (size_t c = 0; c < job->n_channels; c++, w += IGEMM_NR) {
      const vf x = vf_splat (a[c]);
#pragma GCC unroll 8
      for (size_t i = 0; i < n_panels * 2; i++)
        sum[i] = vf_fmadd (
            x, vf_load (w + i / 2 * panel_elems + i % 2 * VF_WIDTH), sum[i]);
    }
  }
#pragma GCC unroll 8
  for (size_t i = 0; i < n_panels * 2; i++) {
    if (residual)
      sum[i] = vf_add (sum[i], vf_load (residual + i * VF_WIDTH));
    vf_store (out + i * VF_WIDTH,
        vf_clamp (sum[i], vf_splat (job->min), vf_splat (job->max)));
  }
}

/* Returns how many full panels it has done. */
static size_t
single_row (const Job *job, size_t nr, const float *weights, size_t panel_elems,
    float *out, const float *residual)
{
  const size_t n_panels = nr / IGEMM_NR;
  size_t i = 0;
  while (n_panels - i >= 2) {
    const size_t count = n_panels - i >= MAX_PANELS ? MAX_PANELS : 2;
    const float *r = residual ? residual + i * IGEMM_NR : NULL;
    const float *w = weights + i * panel_elems;
    if (count == MAX_PANELS)
      row_of_panels (job, MAX_PANELS, w, panel_elems, out + i * IGEMM_NR, r);
    else
      row_of_panels (job, 2, w, panel_elems, out + i * IGEMM_NR, r);
    i += count;
  }
  return i;
}

/* Whole tiles and panels of a single tap, as most convolutions of today's
 * networks are: what the rows are is the same for all panels. */
static __attribute__ ((noinline)) void
panels_of_one_tap (const Job *job, size_t n_panels, const float *weights,
    float *out, const float *residual)
{
  const float *a[IGEMM_MR];
  const char *ahead = (const char *) job->ahead.at;
  load_rows (job, IGEMM_MR, job->rows, a);
  for (; n_panels > 0; n_panels--, out += IGEMM_NR) {
    vf sum[IGEMM_MR][2];
    load_bias (IGEMM_MR, 2, weights, sum);
    weights += IGEMM_NR;
    add_tap (job, IGEMM_MR, 2, a, weights, ahead, sum);
    weights += job->n_channels * IGEMM_NR;
    ahead += job->n_channels * job->ahead.step_bytes;
    store (job, IGEMM_MR, 2, IGEMM_NR, sum, out, residual);
    residual = residual ? residual + IGEMM_NR : NULL;
  }
}

void
FORGE_VARIANT (igemm_f32) (size_t mr, size_t nr, size_t n_channels,
    size_t n_taps, const float *const *rows, ptrdiff_t offset_elems,
    const float *zero, const float *weights, float *out,
    ptrdiff_t out_stride_elems, const float *residual,
    ptrdiff_t residual_stride_elems, float min, float max, ForgeAhead ahead)
{
  Job job = { n_channels, n_taps, rows, offset_elems, zero, out_stride_elems,
    residual_stride_elems, min, max, ahead };
  const size_t panel_elems = IGEMM_NR * (1 + n_taps * n_channels);
  if (!ahead.at)
    job.ahead = (ForgeAhead) { weights, 0 };
  size_t done = 0;
  if (mr == 1)
    done = single_row (&job, nr, weights, panel_elems, out, residual);
  else if (mr == IGEMM_MR && n_taps == 1) {
    done = nr / IGEMM_NR;
    panels_of_one_tap (&job, done, weights, out, residual);
    job.ahead.at += done * n_channels * job.ahead.step_bytes / sizeof (float);
  }
  weights += done * panel_elems;
  for (size_t first = done * IGEMM_NR; first < nr; first += IGEMM_NR) {
    const size_t used = nr - first < IGEMM_NR ? nr - first : IGEMM_NR;
    const float *r = residual ? residual + first : NULL;
    if (used > VF_WIDTH)
      tile_any (&job, mr, 2, weights, used, out + first, r);
    else
      tile_any (&job, mr, 1, weights, used, out + first, r);
    weights += panel_elems;
    job.ahead.at += n_taps * n_channels * job.ahead.step_bytes / sizeof (float);
  }
}
