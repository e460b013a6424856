/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What data-check.c and its helpers know of each picture. */
#pragma once

#include "forge/data-check.h"

#define FORGE_THUMB_SIDE 16
#define FORGE_COLOUR_SIDE 4
#define FORGE_LOOK_HASH_BYTES 16

typedef enum {
  FORGE_LOOK_BLACK = 1 << 0,
  FORGE_LOOK_BLOWN_OUT = 1 << 1,
  FORGE_LOOK_FLAT = 1 << 2,
  FORGE_LOOK_GREY = 1 << 3,
} ForgeLookFlags;

/* About 400 bytes a picture. */
typedef struct {
  uint8_t split;
  uint8_t readable;
  uint8_t flags;
  uint32_t class_id; /* of multi-label data the number of its set of classes */
  guint index;       /* in its part */
  uint32_t video;    /* file number + 1 where it is a frame of one; else 0 */
  int width, height;
  const char *mode;
  float brightness;         /* mean luma, 0..255 */
  float mean[3], square[3]; /* of each colour, and of its square, 0..1 */
  uint8_t hash[FORGE_LOOK_HASH_BYTES]; /* of size and pixels */
  uint64_t shape;                      /* difference hash */
  uint8_t luma[FORGE_THUMB_SIDE * FORGE_THUMB_SIDE];
  uint8_t colour[FORGE_COLOUR_SIDE * FORGE_COLOUR_SIDE * 3];
} ForgeLook;

typedef struct {
  ForgeLook *looks; /* parts one after the other */
  guint n;
  ForgeDataset *const *parts;
  guint n_classes;
  const ForgeDataCheckParams *params;
  ForgeDataReport *report;
} ForgeLooks;

/* Fills all of a look but split, class_id, index and video. @imager makes
 * thumbnails; see forge_look_new_imager(). */
gboolean forge_look_take (ForgeLook *look, const ForgePicture *picture,
    ForgeImager *imager, GError **error);
ForgeImager *forge_look_new_imager (void);

/* A finding under way: examples are kept up to a number. */
typedef struct {
  const ForgeLooks *looks;
  const char *kind;
  ForgeFindingSeverity severity;
  uint64_t n;
  GPtrArray *examples;
} ForgeFindingDraft;

void forge_finding_begin (ForgeFindingDraft *draft, const ForgeLooks *looks,
    const char *kind, ForgeFindingSeverity severity);
/* Takes @example. */
void forge_finding_add (ForgeFindingDraft *draft, char *example);
gboolean forge_finding_wants_example (const ForgeFindingDraft *draft);
/* Counts a picture, and names it where an example is wanted. */
void forge_finding_add_look (ForgeFindingDraft *draft, const ForgeLook *look);
/* Counts a picture that is like another. */
void forge_finding_add_pair (
    ForgeFindingDraft *draft, const ForgeLook *look, const ForgeLook *other);
/* Puts it into the report when something was counted. @text says what it is
 * that was counted. */
void forge_finding_end (ForgeFindingDraft *draft, const char *text);

/* data-twins.c: the same or nearly the same picture more than once. */
void forge_looks_find_twins (const ForgeLooks *looks);
/* data-labels.c: fills the parts' label_check. */
void forge_looks_check_labels (const ForgeLooks *looks);
