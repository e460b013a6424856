/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Source: Welford, "Note on a method for calculating corrected sums of
 * squares and products", Technometrics 4 (1962). Quantiles are Hyndman and
 * Fan's type 7, the default of NumPy and R. */
#include "forge/stats.h"

#include <stdlib.h>

void
forge_moments_add (ForgeMoments *moments, double value)
{
  moments->count++;
  double delta = value - moments->mean;
  moments->mean += delta / (double) moments->count;
  moments->sum_sq_dev += delta * (value - moments->mean);
}

double
forge_moments_variance (const ForgeMoments *moments)
{
  if (moments->count < 2)
    return 0;
  return moments->sum_sq_dev / (double) (moments->count - 1);
}

void
forge_latency_add (ForgeLatency *latency, uint64_t value_ns)
{
  latency->values_ns[latency->count++ % FORGE_LATENCY_WINDOW] = value_ns;
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

double
forge_quantile (double *values, size_t n_values, double q)
{
  if (n_values == 0)
    return 0;
  qsort (values, n_values, sizeof *values, compare_doubles);
  double rank = CLAMP (q, 0.0, 1.0) * (double) (n_values - 1);
  size_t low = (size_t) rank;
  size_t high = MIN (low + 1, n_values - 1);
  return values[low] + (rank - (double) low) * (values[high] - values[low]);
}

double
forge_latency_quantile (const ForgeLatency *latency, double q)
{
  double values[FORGE_LATENCY_WINDOW];
  size_t n_values = MIN (latency->count, FORGE_LATENCY_WINDOW);
  for (size_t i = 0; i < n_values; i++)
    values[i] = (double) latency->values_ns[i];
  return forge_quantile (values, n_values, q);
}
