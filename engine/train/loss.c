/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See loss.h. Each row is shifted by its largest logit first, so that no
 * exponential overflows and the loss is exact for large margins. */
#include "train/loss.h"

#include <math.h>

static guint
largest (const float *row, guint n)
{
  guint best = 0;
  for (guint c = 1; c < n; c++)
    if (row[c] > row[best])
      best = c;
  return best;
}

void
forge_softmax_loss (const float *logits, const uint32_t *classes,
    guint n_images, guint n_classes, float *gradient, ForgeLoss *sum)
{
  for (guint n = 0; n < n_images; n++) {
    const float *z = logits + (gsize) n * n_classes;
    guint truth = classes[n], top = largest (z, n_classes);
    double total = 0;
    for (guint c = 0; c < n_classes; c++)
      total += exp ((double) z[c] - z[top]);
    sum->loss += log (total) - ((double) z[truth] - z[top]);
    sum->hits += top == truth;
    if (!gradient)
      continue;
    float *d = gradient + (gsize) n * n_classes;
    for (guint c = 0; c < n_classes; c++)
      d[c] = (float) ((exp ((double) z[c] - z[top]) / total - (c == truth)) /
                      n_images);
  }
}
