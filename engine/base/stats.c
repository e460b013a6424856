/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Source: Welford, "Note on a method for calculating corrected sums of
 * squares and products", Technometrics 4 (1962). Quantiles are Hyndman and
 * Fan's type 7, the default of NumPy and R. */
#include "forge/stats.h"

#include <math.h>
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

static double
log_factorial (double n)
{
  int sign;
  return lgamma_r (n + 1, &sign);
}

/* The longer tail is one less the shorter, which loses nothing: it is over a
 * half wherever the terms of the shorter one are small. */
double
forge_binomial_tail (uint64_t n, uint64_t k, double p)
{
  g_return_val_if_fail (p > 0 && p < 1, 0);
  if (k == 0)
    return 1;
  gboolean upper = (double) k > (double) n * p;
  double sum = 0;
  for (uint64_t i = upper ? k : 0; i < (upper ? n + 1 : k); i++) {
    double hits = (double) i, misses = (double) (n - i);
    sum += exp (log_factorial ((double) n) - log_factorial (hits) -
                log_factorial (misses) + hits * log (p) + misses * log1p (-p));
  }
  return CLAMP (upper ? sum : 1 - sum, 0, 1);
}
