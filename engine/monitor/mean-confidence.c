/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The rule of thumb: alarm when the mean confidence of the last `window`
 * results is under a threshold, all clear at threshold + hysteresis. Slow and
 * blind to drops that stay above the threshold, but everyone understands it;
 * other detectors are measured against it, and it remains a severity floor.
 *
 * The sum is kept in integers of 2^-40, so that taking out what was put in
 * long ago leaves no residue, however long the stream. */
#include "monitor/detector.h"

#include <math.h>

#include "forge/error.h"

#define ONE ((int64_t) 1 << 40)
/* The sum of a full window must fit: 2^20 * 2^40 < 2^63. */
G_STATIC_ASSERT (FORGE_MONITOR_MAX_WINDOW <= (1 << 20));

typedef struct {
  double threshold, clear_threshold;
  guint window;
  guint count; /* filled places */
  guint next;  /* place of the oldest value, once full */
  int64_t sum; /* of the filled places */
  int64_t confidences[];
} MeanConfidence;

static gpointer
mean_confidence_init (const ForgeMonitorParams *params, GError **error)
{
  gsize size_bytes = sizeof (MeanConfidence) + params->window * sizeof (ONE);
  MeanConfidence *self = g_try_malloc0 (size_bytes);
  if (!self) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "mean-confidence: no memory for a window of %u", params->window);
    return NULL;
  }
  self->window = params->window;
  self->threshold = params->threshold;
  self->clear_threshold = MIN (params->threshold + params->hysteresis, 1.0);
  return self;
}

static void
mean_confidence_observe (gpointer state, const ForgeObservation *observation,
    double confidence, ForgeEvidence *evidence)
{
  MeanConfidence *self = state;
  int64_t value = llrint (confidence * ONE);
  if (self->count == self->window)
    self->sum -= self->confidences[self->next];
  else
    self->count++;
  self->sum += value;
  self->confidences[self->next] = value;
  self->next = self->next + 1 == self->window ? 0 : self->next + 1;

  double mean = (double) self->sum / ONE / self->count;
  evidence->ready = self->count == self->window;
  evidence->alarm = mean < self->threshold;
  evidence->clear = mean >= self->clear_threshold;
  evidence->statistic = mean;
  evidence->threshold = self->threshold;
  evidence->mean_confidence = mean;
  evidence->effective_samples = self->count;
}

static void
mean_confidence_reset (gpointer state)
{
  MeanConfidence *self = state;
  self->count = self->next = 0;
  self->sum = 0;
}

const ForgeDetector forge_detector_mean_confidence = {
  .name = "mean-confidence",
  .channel = "accuracy",
  .init = mean_confidence_init,
  .observe = mean_confidence_observe,
  .reset = mean_confidence_reset,
  .free = g_free,
};
