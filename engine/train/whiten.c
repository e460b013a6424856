/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See whiten.h. Sums run over the pictures in order, in double precision, so
 * the filters are the same on every machine and at every number of threads. */
#include "train/whiten.h"

#include <math.h>
#include <string.h>

#define MAX_PICTURES 5000
#define MAX_SWEEPS 60
#define N FORGE_PATCH_ELEMS

void
forge_picture_statistics (
    const ForgeArchPictures *pictures, double mean[3], double deviation[3])
{
  gsize n_pixels = (gsize) pictures->n_items * (gsize) pictures->width *
                   (gsize) pictures->height;
  for (int c = 0; c < 3; c++) {
    uint64_t sum = 0, sum_sq = 0;
    for (gsize i = 0; i < n_pixels; i++) {
      uint64_t byte = pictures->pixels[i * 3 + (gsize) c];
      sum += byte;
      sum_sq += byte * byte;
    }
    double m = (double) sum / (double) n_pixels;
    double variance = (double) sum_sq / (double) n_pixels - m * m;
    mean[c] = m / 255;
    deviation[c] = sqrt (MAX (variance, 1)) / 255;
  }
}

/* Turns rows and columns p and q so that matrix[p][q] becomes 0. */
static void
rotate (int n, double *matrix, double *vectors, int p, int q)
{
  double apq = matrix[p * n + q];
  if (apq == 0)
    return;
  double theta = (matrix[q * n + q] - matrix[p * n + p]) / (2 * apq);
  double t = (theta >= 0 ? 1 : -1) / (fabs (theta) + sqrt (theta * theta + 1));
  double c = 1 / sqrt (t * t + 1), s = t * c;
  for (int k = 0; k < n; k++) {
    double kp = matrix[k * n + p], kq = matrix[k * n + q];
    matrix[k * n + p] = c * kp - s * kq;
    matrix[k * n + q] = s * kp + c * kq;
  }
  for (int k = 0; k < n; k++) {
    double pk = matrix[p * n + k], qk = matrix[q * n + k];
    matrix[p * n + k] = c * pk - s * qk;
    matrix[q * n + k] = s * pk + c * qk;
    double vp = vectors[p * n + k], vq = vectors[q * n + k];
    vectors[p * n + k] = c * vp - s * vq;
    vectors[q * n + k] = s * vp + c * vq;
  }
}

/* The squares beside the diagonal, and on it. */
static void
measure (int n, const double *matrix, double *beside, double *on)
{
  *beside = *on = 0;
  for (int p = 0; p < n; p++)
    for (int q = 0; q < n; q++)
      *(p == q ? on : beside) += matrix[p * n + q] * matrix[p * n + q];
}

/* A vector and its negative are as good: which it is must not depend on how
 * it was found. */
static void
fix_sign (int n, double *vector)
{
  int k = 0;
  while (k < n - 1 && vector[k] == 0)
    k++;
  for (int i = 0; vector[k] < 0 && i < n; i++)
    if (i != k)
      vector[i] = -vector[i];
  vector[k] = fabs (vector[k]);
}

static void
sort_falling (int n, double *values, double *vectors)
{
  for (int i = 0; i < n; i++)
    for (int k = i + 1; k < n; k++) {
      if (values[k] <= values[i])
        continue;
      double value = values[i];
      values[i] = values[k];
      values[k] = value;
      for (int j = 0; j < n; j++) {
        double part = vectors[i * n + j];
        vectors[i * n + j] = vectors[k * n + j];
        vectors[k * n + j] = part;
      }
    }
}

void
forge_eigen_symmetric (int n, double *matrix, double *values, double *vectors)
{
  for (int i = 0; i < n * n; i++)
    vectors[i] = i % (n + 1) == 0;
  for (int sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    double beside, on;
    measure (n, matrix, &beside, &on);
    if (beside <= 1e-30 * on)
      break;
    for (int p = 0; p < n; p++)
      for (int q = p + 1; q < n; q++)
        rotate (n, matrix, vectors, p, q);
  }
  for (int i = 0; i < n; i++) {
    values[i] = matrix[i * n + i];
    fix_sign (n, vectors + i * n);
  }
  sort_falling (n, values, vectors);
}

/* In the order of a filter: channel, row, column. */
static void
take_patch (const ForgeArchPictures *pictures, const uint8_t *corner,
    const double scale[3], const double bias[3], double patch[N])
{
  for (int c = 0; c < 3; c++)
    for (int k = 0; k < 4; k++) {
      int at = (k / 2 * pictures->width + k % 2) * 3 + c;
      patch[c * 4 + k] = corner[at] * scale[c] + bias[c];
    }
}

static void
sum_covariance (const ForgeArchPictures *pictures, const double scale[3],
    const double bias[3], double *covariance)
{
  int w = pictures->width, h = pictures->height;
  guint n_items = MIN (pictures->n_items, MAX_PICTURES);
  double count = (double) n_items * (w - 1) * (h - 1), patch[N];
  memset (covariance, 0, N * N * sizeof *covariance);
  for (guint n = 0; n < n_items; n++)
    for (int i = 0; i < (w - 1) * (h - 1); i++) {
      int y = i / (w - 1), x = i % (w - 1);
      const uint8_t *corner =
          pictures->pixels +
          (((gsize) n * (gsize) h + (gsize) y) * (gsize) w + (gsize) x) * 3;
      take_patch (pictures, corner, scale, bias, patch);
      for (int a = 0; a < N; a++)
        for (int b = a; b < N; b++)
          covariance[a * N + b] += patch[a] * patch[b];
    }
  for (int a = 0; a < N; a++)
    for (int b = a; b < N; b++)
      covariance[b * N + a] = covariance[a * N + b] /= count;
}

void
forge_whitening_filters (const ForgeArchPictures *pictures,
    const double mean[3], const double deviation[3], double epsilon,
    float *filters)
{
  double scale[3], bias[3], covariance[N * N], values[N], vectors[N * N];
  for (int c = 0; c < 3; c++) {
    scale[c] = 1 / (255 * deviation[c]);
    bias[c] = -mean[c] / deviation[c];
  }
  sum_covariance (pictures, scale, bias, covariance);
  forge_eigen_symmetric (N, covariance, values, vectors);
  for (int i = 0; i < N; i++) {
    double factor = 1 / sqrt (MAX (values[i], 0) + epsilon);
    for (int k = 0; k < N; k++) {
      filters[i * N + k] = (float) (vectors[i * N + k] * factor);
      filters[(N + i) * N + k] = -filters[i * N + k];
    }
  }
}
