/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Running statistics: mean and variance without storing samples, and the
 * recent-latency percentiles that stats and bench print. */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/**
 * ForgeMoments:
 * @count: values so far
 * @mean: of them
 * @sum_sq_dev: of them from the mean
 *
 * Mean and variance without the values, by Welford's update. Starts as zeros.
 *
 * Since: 0.1
 */
typedef struct {
  uint64_t count;
  double mean;
  double sum_sq_dev;
} ForgeMoments;

/**
 * forge_moments_add:
 * @moments: the moments
 * @value: another value
 *
 * mean += (value - mean) / count.
 *
 * Source: Welford, Technometrics 4(3), 1962.
 * Since: 0.1
 */
void forge_moments_add (ForgeMoments *moments, double value);

/**
 * forge_moments_variance:
 * @moments: the moments
 *
 * sum_sq_dev / (count - 1).
 *
 * Returns: sample variance; 0 with fewer than two values
 * Since: 0.1
 */
double forge_moments_variance (const ForgeMoments *moments);

/* The last FORGE_LATENCY_WINDOW values, in nanoseconds. */
#define FORGE_LATENCY_WINDOW 1024

typedef struct {
  uint64_t values_ns[FORGE_LATENCY_WINDOW];
  uint64_t count; /* ever added */
} ForgeLatency;

/**
 * forge_latency_add:
 * @latency: the recent values
 * @value_ns: another one, nanoseconds
 *
 * Adds a value, in place of the oldest when the window is full.
 *
 * Since: 0.1
 */
void forge_latency_add (ForgeLatency *latency, uint64_t value_ns);

/**
 * forge_latency_quantile:
 * @latency: the recent values
 * @q: 0..1
 *
 * Interpolates linearly between ranks, as NumPy's default. Sorts a copy: for
 * readers, not for the streaming thread.
 *
 * Returns: nanoseconds; 0 when there are no values
 * Since: 0.1
 */
double forge_latency_quantile (const ForgeLatency *latency, double q);

/**
 * forge_quantile:
 * @values: numbers, sorted in place
 * @n_values: how many
 * @q: 0..1
 *
 * As forge_latency_quantile() of any array.
 *
 * Returns: the quantile; 0 when there are no values
 * Since: 0.1
 */
double forge_quantile (double *values, size_t n_values, double q);
/* P (X >= @k) for X binomial (@n, @p), 0 < @p < 1, summed term by term. */
double forge_binomial_tail (uint64_t n, uint64_t k, double p);

G_END_DECLS
