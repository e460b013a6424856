/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See loss.h. Each row of a softmax is shifted by its largest logit first, so
 * that no exponential overflows and the loss is exact for large margins. */
#include "train/loss.h"

#include <math.h>

/* One image of a batch. */
typedef struct {
  const ForgeLossRule *rule;
  const float *z, *t;
  guint n_classes;
  double weight; /* of the image */
  double share;  /* of the image in the gradient */
  float *d;      /* nullable */
} Row;

static guint
largest (const float *row, guint n)
{
  guint best = 0;
  for (guint c = 1; c < n; c++)
    if (row[c] > row[best])
      best = c;
  return best;
}

static double
target_of (const Row *row, guint c)
{
  double smoothing = row->rule->smoothing, t = row->t[c];
  guint n = row->rule->kind == FORGE_LOSS_SIGMOID ? 2 : row->n_classes;
  return smoothing > 0 ? (1 - smoothing) * t + smoothing / n : t;
}

static double
weight_of (const ForgeLossRule *rule, const float *t, guint n_classes)
{
  if (!rule->weights)
    return 1;
  if (n_classes == 1)
    return (1 - t[0]) * rule->weights[0] + t[0] * rule->weights[1];
  double sum = 0;
  for (guint c = 0; c < n_classes; c++)
    sum += (double) t[c] * rule->weights[c];
  return sum;
}

static double
softmax_row (const Row *row)
{
  const float *z = row->z;
  guint top = largest (z, row->n_classes);
  double total = 0, loss = 0;
  for (guint c = 0; c < row->n_classes; c++)
    total += exp ((double) z[c] - z[top]);
  double log_total = log (total);
  for (guint c = 0; c < row->n_classes; c++) {
    double t = target_of (row, c), shifted = (double) z[c] - z[top];
    /* 0 times a far logit is nothing, but a NaN must show. */
    if (t != 0 || !isfinite (shifted))
      loss += t * (log_total - shifted);
    if (row->d)
      row->d[c] = (float) ((exp (shifted) / total - t) * row->share);
  }
  return loss;
}

/* log (1 + exp (-|z|)) never overflows. */
static double
sigmoid_row (const Row *row)
{
  double loss = 0;
  for (guint c = 0; c < row->n_classes; c++) {
    double z = row->z[c], t = target_of (row, c);
    loss += MAX (z, 0) - t * z + log1p (exp (-fabs (z)));
    /* MAX would hide a NaN, and inf - inf an infinity. */
    if (!isfinite (z))
      loss = NAN;
    if (row->d)
      row->d[c] = (float) ((1 / (1 + exp (-z)) - t) * row->share);
  }
  return loss;
}

static gboolean
is_hit (const Row *row)
{
  if (row->n_classes == 1 || row->rule->multi_label) {
    for (guint c = 0; c < row->n_classes; c++)
      if ((row->z[c] > 0) != (row->t[c] > 0.5f))
        return FALSE;
    return TRUE;
  }
  return largest (row->z, row->n_classes) == largest (row->t, row->n_classes);
}

void
forge_loss (const ForgeLossRule *rule, const float *logits,
    const float *targets, guint n_images, guint n_classes, float *gradient,
    ForgeLoss *sum)
{
  for (guint n = 0; n < n_images; n++) {
    gsize at = (gsize) n * n_classes;
    Row row = { .rule = rule,
      .z = logits + at,
      .t = targets + at,
      .n_classes = n_classes,
      .d = gradient ? gradient + at : NULL };
    double factor = rule->factors ? rule->factors[n] : 1;
    row.weight = factor * weight_of (rule, row.t, n_classes);
    row.share = row.weight / n_images;
    double loss = rule->kind == FORGE_LOSS_SIGMOID ? sigmoid_row (&row)
                                                   : softmax_row (&row);
    sum->loss += row.weight * loss;
    sum->hits += factor * is_hit (&row);
    sum->images += factor;
    if (rule->losses)
      rule->losses[n] = (float) loss;
  }
}
