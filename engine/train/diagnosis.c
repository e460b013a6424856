/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the figures of a training say in plain words, with the remedy. Losses
 * of training and validation are never compared with each other: smoothing,
 * blending and dropout are in the one only. */
#include <math.h>

#include "forge/train.h"

/* A loss that rose so much over so many epochs is rising. */
#define RISE 1.1
#define RISE_EPOCHS 3
/* One that fell less than this in so many epochs is flat. */
#define FLAT 0.01
#define FLAT_EPOCHS 3
/* Overfitting: so far apart, and no better validation for so long. */
#define GAP 0.1
#define GAP_EPOCHS 3

static char *
describe_rise (const ForgeTrainProgress *epochs, guint n)
{
  if (n <= RISE_EPOCHS)
    return NULL;
  const ForgeTrainProgress *last = epochs + n - 1;
  for (guint i = 0; i < RISE_EPOCHS; i++)
    if (!(last[-(int) i].loss > last[-(int) i - 1].loss))
      return NULL;
  double before = last[-RISE_EPOCHS].loss;
  if (!(last->loss > RISE * before))
    return NULL;
  return g_strdup_printf (
      "the training loss is rising (%.3f to %.3f in %d epochs): the learning "
      "rate is too high; try --lr a third of it, --warmup-epochs or "
      "--clip-norm",
      before, last->loss, RISE_EPOCHS);
}

static char *
describe_flat (const ForgeTrainProgress *epochs, guint n, guint n_classes)
{
  if (n < FLAT_EPOCHS)
    return NULL;
  const ForgeTrainProgress *last = epochs + n - 1;
  double chance = 1.0 / MAX (n_classes, 2), least = INFINITY, most = 0;
  for (guint i = 0; i < FLAT_EPOCHS; i++) {
    least = MIN (least, last[-(int) i].loss);
    most = MAX (most, last[-(int) i].loss);
  }
  if (!(most - least < FLAT * most) || !(last->accuracy < 1.5 * chance))
    return NULL;
  return g_strdup_printf (
      "the training loss is flat at %.3f and the accuracy that of guessing "
      "(%.0f %%): nothing is learnt; try another --lr (ten times more, ten "
      "times less), and see whether labels and pictures belong together",
      last->loss, 100 * last->accuracy);
}

static char *
describe_gap (const ForgeTrainProgress *epochs, guint n)
{
  const ForgeTrainProgress *last = epochs + n - 1;
  guint best = 0;
  for (guint i = 1; i < n; i++)
    if (epochs[i].val_loss < epochs[best].val_loss)
      best = i;
  double gap = last->accuracy - last->val_accuracy;
  if (n - 1 - best < GAP_EPOCHS || !(gap > GAP) ||
      !(last->loss < epochs[best].loss))
    return NULL;
  return g_strdup_printf (
      "overfitting: accuracy is %.0f %% on the training part and %.0f %% on "
      "the "
      "validation part, whose loss has not fallen since epoch %u; more "
      "pictures "
      "help, or stronger augmentation (--shift, --zoom, --cutout, --mixup), "
      "--dropout, --weight-decay, --label-smoothing",
      100 * last->accuracy, 100 * last->val_accuracy, epochs[best].epoch);
}

char *
forge_train_diagnose (
    const ForgeTrainProgress *epochs, guint n_epochs, guint n_classes)
{
  g_return_val_if_fail (epochs || n_epochs == 0, NULL);
  if (n_epochs == 0)
    return NULL;
  char *text = describe_rise (epochs, n_epochs);
  if (!text)
    text = describe_flat (epochs, n_epochs, n_classes);
  return text ? text : describe_gap (epochs, n_epochs);
}
