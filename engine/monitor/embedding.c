/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Principal components by orthogonal iteration: the covariance of thousands of
 * features is never built, only multiplied by n_dims vectors. Inner loops run
 * over those n_dims numbers, which lie together. A covariance estimated from
 * few pictures is drawn towards a multiple of the identity. */
#include "monitor/embedding.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

#define N_ITERATIONS 24
#define SEED 1
/* Share of the mean variance that is added to the diagonal. */
#define SHRINKAGE 1e-3

typedef struct {
  const ForgeBaselineData *data;
  ForgeEmbedding *embedding;
  guint n_dims;
  double *basis;   /* [n_features][n_dims] */
  double *product; /* the same */
  double *scores;  /* [n_items][n_dims] */
} Fit;

static void
find_mean (ForgeEmbedding *embedding, const ForgeBaselineData *data)
{
  g_autofree double *sum = g_new0 (double, data->n_features);
  for (guint i = 0; i < data->n_items; i++)
    for (guint f = 0; f < data->n_features; f++)
      sum[f] += (double) data->features[(gsize) i * data->n_features + f];
  for (guint f = 0; f < data->n_features; f++)
    embedding->mean[f] = (float) (sum[f] / data->n_items);
}

/* scores = (features - mean) basis */
static void
project (const Fit *fit)
{
  const ForgeBaselineData *data = fit->data;
  guint n_dims = fit->n_dims;
  memset (fit->scores, 0, (gsize) data->n_items * n_dims * sizeof (double));
  for (guint i = 0; i < data->n_items; i++) {
    const float *x = data->features + (gsize) i * data->n_features;
    double *to = fit->scores + (gsize) i * n_dims;
    for (guint f = 0; f < data->n_features; f++) {
      double centred = (double) x[f] - (double) fit->embedding->mean[f];
      const double *row = fit->basis + (gsize) f * n_dims;
      for (guint k = 0; k < n_dims; k++)
        to[k] += centred * row[k];
    }
  }
}

/* product = (features - mean)' scores */
static void
project_back (const Fit *fit)
{
  const ForgeBaselineData *data = fit->data;
  guint n_dims = fit->n_dims;
  memset (fit->product, 0, (gsize) data->n_features * n_dims * sizeof (double));
  for (guint i = 0; i < data->n_items; i++) {
    const float *x = data->features + (gsize) i * data->n_features;
    const double *score = fit->scores + (gsize) i * n_dims;
    for (guint f = 0; f < data->n_features; f++) {
      double centred = (double) x[f] - (double) fit->embedding->mean[f];
      double *row = fit->product + (gsize) f * n_dims;
      for (guint k = 0; k < n_dims; k++)
        row[k] += centred * score[k];
    }
  }
}

/* Gram-Schmidt, twice for safety, over the columns. Returns how many are not
 * zero; the others become zeros, behind. */
static guint
orthonormalise (double *columns, guint n_rows, guint n_columns)
{
  guint rank = 0;
  for (guint k = 0; k < n_columns; k++) {
    double before = 0, after = 0;
    for (guint f = 0; f < n_rows; f++)
      before += columns[(gsize) f * n_columns + k] *
                columns[(gsize) f * n_columns + k];
    for (guint pass = 0; pass < 2; pass++)
      for (guint j = 0; j < rank; j++) {
        double dot = 0;
        for (guint f = 0; f < n_rows; f++)
          dot += columns[(gsize) f * n_columns + k] *
                 columns[(gsize) f * n_columns + j];
        for (guint f = 0; f < n_rows; f++)
          columns[(gsize) f * n_columns + k] -=
              dot * columns[(gsize) f * n_columns + j];
      }
    for (guint f = 0; f < n_rows; f++)
      after += columns[(gsize) f * n_columns + k] *
               columns[(gsize) f * n_columns + k];
    gboolean kept = after > 1e-20 && after > 1e-18 * before;
    for (guint f = 0; f < n_rows; f++) {
      double value = columns[(gsize) f * n_columns + k];
      columns[(gsize) f * n_columns + k] = 0;
      if (kept)
        columns[(gsize) f * n_columns + rank] = value / sqrt (after);
    }
    rank += kept;
  }
  return rank;
}

/* Returns the number of directions found. */
static guint
find_components (Fit *fit)
{
  gsize n_values = (gsize) fit->data->n_features * fit->n_dims;
  ForgeRng rng;
  forge_rng_seed (&rng, SEED);
  for (gsize i = 0; i < n_values; i++)
    fit->basis[i] = (double) forge_rng_normal (&rng);
  guint rank = 0;
  orthonormalise (fit->basis, fit->data->n_features, fit->n_dims);
  for (guint i = 0; i < N_ITERATIONS; i++) {
    project (fit);
    project_back (fit);
    memcpy (fit->basis, fit->product, n_values * sizeof (double));
    rank = orthonormalise (fit->basis, fit->data->n_features, fit->n_dims);
  }
  project (fit);
  return rank;
}

/* Class means of the scores, then their covariance about them. */
static void
find_covariance (const Fit *fit, guint rank, double *covariance)
{
  const ForgeBaselineData *data = fit->data;
  g_autofree guint *counts = g_new0 (guint, data->n_classes);
  float *means = fit->embedding->class_means;
  for (guint i = 0; i < data->n_items; i++) {
    counts[data->classes[i]]++;
    for (guint k = 0; k < rank; k++)
      means[data->classes[i] * rank + k] +=
          (float) fit->scores[(gsize) i * fit->n_dims + k];
  }
  for (guint c = 0; c < data->n_classes; c++)
    for (guint k = 0; k < rank; k++)
      means[c * rank + k] /= (float) MAX (counts[c], 1);
  double trace = 0;
  for (guint i = 0; i < data->n_items; i++) {
    const double *score = fit->scores + (gsize) i * fit->n_dims;
    const float *mean = means + (gsize) data->classes[i] * rank;
    for (guint a = 0; a < rank; a++)
      for (guint b = 0; b <= a; b++)
        covariance[a * rank + b] += (score[a] - (double) mean[a]) *
                                    (score[b] - (double) mean[b]) /
                                    data->n_items;
  }
  for (guint a = 0; a < rank; a++)
    trace += covariance[a * rank + a];
  for (guint a = 0; a < rank; a++)
    covariance[a * rank + a] += SHRINKAGE * trace / rank + 1e-12;
}

/* The inverse of the Cholesky factor; both are lower triangles. */
static void
find_whitening (const double *covariance, guint n, float *whitening)
{
  g_autofree double *factor = g_new0 (double, (gsize) n *n);
  g_autofree double *inverse = g_new0 (double, (gsize) n *n);
  for (guint a = 0; a < n; a++)
    for (guint b = 0; b <= a; b++) {
      double sum = covariance[a * n + b];
      for (guint k = 0; k < b; k++)
        sum -= factor[a * n + k] * factor[b * n + k];
      factor[a * n + b] =
          a == b ? sqrt (MAX (sum, 1e-12)) : sum / factor[b * n + b];
    }
  for (guint b = 0; b < n; b++)
    for (guint a = b; a < n; a++) {
      double sum = a == b;
      for (guint k = b; k < a; k++)
        sum -= factor[a * n + k] * inverse[k * n + b];
      inverse[a * n + b] = sum / factor[a * n + a];
    }
  for (guint i = 0; i < n * n; i++)
    whitening[i] = (float) inverse[i];
}

/* Splits features into what the components say and the rest. Returns the
 * square of the rest. */
static double
embed (const ForgeEmbedding *embedding, const float *features, double *z)
{
  double square = 0, kept = 0;
  memset (z, 0, embedding->n_dims * sizeof *z);
  for (guint f = 0; f < embedding->n_features; f++) {
    double centred = (double) features[f] - (double) embedding->mean[f];
    square += centred * centred;
  }
  for (guint k = 0; k < embedding->n_dims; k++) {
    const float *row =
        embedding->components + (gsize) k * embedding->n_features;
    for (guint f = 0; f < embedding->n_features; f++)
      z[k] += ((double) features[f] - (double) embedding->mean[f]) *
              (double) row[f];
    kept += z[k] * z[k];
  }
  return MAX (0, square - kept);
}

static void
find_residual (ForgeEmbedding *embedding, const ForgeBaselineData *data)
{
  double z[FORGE_EMBEDDING_MAX_DIMS], sum = 0, total = 0;
  for (guint i = 0; i < data->n_items; i++) {
    sum += embed (embedding, data->features + (gsize) i * data->n_features, z);
    for (guint k = 0; k < embedding->n_dims; k++)
      total += z[k] * z[k];
  }
  /* nothing may be left where there are few features; what then is left of a
   * new picture is seen against the whole */
  embedding->mean_residual =
      MAX (sum, 1e-3 * (sum + total)) / data->n_items + 1e-12;
}

static void
keep_components (const Fit *fit, guint rank)
{
  ForgeEmbedding *embedding = fit->embedding;
  for (guint k = 0; k < rank; k++)
    for (guint f = 0; f < embedding->n_features; f++)
      embedding->components[(gsize) k * embedding->n_features + f] =
          (float) fit->basis[(gsize) f * fit->n_dims + k];
}

void
forge_embedding_fit (ForgeEmbedding *embedding, const ForgeBaselineData *data)
{
  if (data->n_features == 0 || !data->features || data->n_items < 2)
    return;
  Fit fit = { .data = data, .embedding = embedding };
  fit.n_dims = MIN (FORGE_EMBEDDING_MAX_DIMS, data->n_features);
  fit.n_dims = MIN (fit.n_dims, data->n_items - 1);
  gsize n_values = (gsize) data->n_features * fit.n_dims;
  fit.basis = g_new0 (double, n_values);
  fit.product = g_new0 (double, n_values);
  fit.scores = g_new0 (double, (gsize) data->n_items *fit.n_dims);
  embedding->n_features = data->n_features;
  embedding->mean = g_new0 (float, data->n_features);
  find_mean (embedding, data);
  guint rank = find_components (&fit);
  if (rank > 0) {
    g_autofree double *covariance = g_new0 (double, (gsize) rank *rank);
    embedding->n_dims = rank;
    embedding->components = g_new0 (float, (gsize) rank * data->n_features);
    embedding->class_means = g_new0 (float, (gsize) data->n_classes *rank);
    embedding->whitening = g_new0 (float, (gsize) rank *rank);
    keep_components (&fit, rank);
    find_covariance (&fit, rank, covariance);
    find_whitening (covariance, rank, embedding->whitening);
    find_residual (embedding, data);
  } else {
    forge_embedding_clear (embedding);
  }
  g_free (fit.basis);
  g_free (fit.product);
  g_free (fit.scores);
}

double
forge_embedding_distance (
    const ForgeEmbedding *embedding, guint n_classes, const float *features)
{
  double z[FORGE_EMBEDDING_MAX_DIMS], least = INFINITY;
  guint n = embedding->n_dims;
  double residual = embed (embedding, features, z);
  for (guint c = 0; c < n_classes; c++) {
    const float *mean = embedding->class_means + (gsize) c * n;
    double square = 0;
    for (guint a = 0; a < n && square < least; a++) {
      double sum = 0;
      for (guint b = 0; b <= a; b++)
        sum += (double) embedding->whitening[a * n + b] *
               (z[b] - (double) mean[b]);
      square += sum * sum;
    }
    least = MIN (least, square);
  }
  double distance = least / n + residual / embedding->mean_residual;
  return isfinite (distance) ? distance : INFINITY;
}

void
forge_embedding_clear (ForgeEmbedding *embedding)
{
  g_free (embedding->mean);
  g_free (embedding->components);
  g_free (embedding->class_means);
  g_free (embedding->whitening);
  *embedding = (ForgeEmbedding) { 0 };
}
