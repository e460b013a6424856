/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A pass over a small graph: what comes out stays, what it is for happens. */
#pragma once

#include "toy-graph.h"

typedef struct {
  const char *name, *pass;
  void (*build) (ForgeGraph *graph); /* input "x", output "y" */
  struct {
    const char *type;
    guint count; /* of such nodes, when the pass has run */
  } after[3];
  double tolerance; /* relative, from 1 on */
} PassCase;

/* A test for each, "/passes/<pass>/<name>_keeps_results". */
void pass_cases_add (const PassCase *cases, gsize n_cases);
/* Attributes of one integer. (transfer full) */
ForgeAttrs *pass_int_attr (const char *name, int64_t value);
/* The input "x" of rank 4. */
void pass_image_input (
    ForgeGraph *graph, ForgeDtype dtype, int a, int b, int c, int d);
