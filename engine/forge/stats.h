/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Running statistics: mean and variance without storing samples, and the
 * recent-latency percentiles that stats and bench print. */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/* Welford's update. */
typedef struct {
  uint64_t count;
  double mean;
  double sum_sq_dev;
} ForgeMoments;

void forge_moments_add (ForgeMoments *moments, double value);
/* Sample variance; 0 with fewer than two values. */
double forge_moments_variance (const ForgeMoments *moments);

/* The last FORGE_LATENCY_WINDOW values, in nanoseconds. */
#define FORGE_LATENCY_WINDOW 1024

typedef struct {
  uint64_t values_ns[FORGE_LATENCY_WINDOW];
  uint64_t count; /* ever added */
} ForgeLatency;

void forge_latency_add (ForgeLatency *latency, uint64_t value_ns);
/* @q in [0, 1]; linear interpolation between ranks as NumPy's default; 0 when
 * empty. Sorts a copy: for readers, not for the streaming thread. */
double forge_latency_quantile (const ForgeLatency *latency, double q);
/* The same of any array, which is sorted in place. */
double forge_quantile (double *values, size_t n_values, double q);
/* P (X >= @k) for X binomial (@n, @p), 0 < @p < 1, summed term by term. */
double forge_binomial_tail (uint64_t n, uint64_t k, double p);

G_END_DECLS
