/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Random changes to training pictures that leave their class as it is.
 * augment.c draws and moves pixels, augment-colour.c changes them. */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "base/rng.h"

typedef enum {
  FORGE_FLIP_NEVER,
  FORGE_FLIP_RANDOM,
  FORGE_FLIP_ALTERNATING, /* the caller says which: see forge_augment() */
} ForgeFlip;

/* What lies beyond the edge. REFLECT does not repeat the edge itself. */
typedef enum {
  FORGE_BORDER_EDGE,
  FORGE_BORDER_REFLECT,
  FORGE_BORDER_ZERO,
} ForgeBorder;

/* All 0 = nothing; as ForgeTrainParams describes them. */
typedef struct {
  ForgeFlip flip;
  guint shift; /* pixels */
  ForgeBorder border;
  float rotation; /* degrees */
  float zoom;
  float brightness, contrast, saturation;
  float hue;    /* degrees */
  guint cutout; /* pixels */
  float erase;  /* share of the pictures */
} ForgeAugment;

/* @in, @out: uint8 [height, width, 3], apart. @mirror: with
 * FORGE_FLIP_ALTERNATING, whether this picture is mirrored this time. The
 * draws are those of @rng alone, so that a picture's change depends on its
 * generator's seed and on nothing else. */
void forge_augment (const ForgeAugment *augment, ForgeRng *rng, gboolean mirror,
    const uint8_t *in, int width, int height, uint8_t *out);

/* Brightness, contrast, saturation and hue, in place; draws nothing where all
 * are 0. Source of the matrices: W3C Filter Effects Module Level 1,
 * feColorMatrix (hueRotate, saturate). */
void forge_augment_colour (const ForgeAugment *augment, ForgeRng *rng,
    uint8_t *pixels, gsize n_pixels);

/* A number in (0, 1) of the distribution Beta (alpha, alpha), alpha > 0.
 * Source: Marsaglia and Tsang, "A Simple Method for Generating Gamma
 * Variables" (2000). */
double forge_draw_beta (ForgeRng *rng, double alpha);
