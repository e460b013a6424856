/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What compare says about one model, batch and thread count. */
#pragma once

#include <glib.h>
#include <stdio.h>

#define COMPARE_MAX_ROUNDS 100
/* Outputs further apart than this are another network's. */
#define COMPARE_MAX_ERROR 1e-3

typedef struct {
  const char *name;
  char *version, *problem; /* problem: why there are no figures, or NULL */
  double flops;            /* of a run, where it says */
  double median_ms[COMPARE_MAX_ROUNDS];
  double error; /* largest difference from ours over our largest score */
} ComparePeer;

typedef struct {
  const char *model;
  int batch, threads, n_rounds;
  ComparePeer *peers; /* the first is ours */
  guint n_peers;
  double peak_gflops; /* of one core */
} CompareCell;

void compare_write_head (FILE *out, const CompareCell *cell);
/* One line, and one for each peer that failed or answered otherwise. */
void compare_write_row (FILE *out, const CompareCell *cell);
/* One JSON object on one line. */
char *compare_to_json (const CompareCell *cell);
