/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The same picture more than once. Exactly: by the hash of the pixels. Nearly:
 * difference hashes at most 7 bits apart, which eight bands of 8 bits find
 * without comparing all pairs, since one band at least must be equal; then the
 * thumbnails decide. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "train/data-look.h"

#define N_FIRST 16
#define MAX_BITS 7
#define N_BANDS 8
#define BAND_BITS 8
/* Of a band's bucket, each picture is compared with so many that follow: a
 * heap of pictures without structure must not cost its square. */
#define WINDOW 512
/* Greatest differences of the thumbnails: colour patches on average; and luma
 * after its mean is taken off, root mean square, a share of the contrast up to
 * a bound. Found by looking at pairs: of the 100 that they give in CIFAR-10
 * none looked wrong. */
#define MAX_COLOUR_DIFFERENCE 8
#define MAX_LUMA_DIFFERENCE 1.0
#define MAX_LUMA_SHARE 0.20
#define MAX_LUMA_RMS 12.0
/* A thumbnail with less to see than that is like many others. */
#define MIN_STD 8.0

/* What a pair is, for pictures that are alike. */
typedef struct {
  ForgeFindingDraft leakage, contradiction, twin;
  uint8_t *counted; /* [n]: bits, so that none is counted twice */
} Pairs;

static gboolean
same_video (const ForgeLook *a, const ForgeLook *b)
{
  return a->video && a->video == b->video && a->split == b->split;
}

static void
count_once (Pairs *pairs, const ForgeLooks *looks, ForgeFindingDraft *draft,
    uint8_t bit, const ForgeLook *look, const ForgeLook *other)
{
  uint8_t *counted = &pairs->counted[look - looks->looks];
  if (*counted & bit)
    return;
  *counted |= bit;
  forge_finding_add_pair (draft, look, other);
}

/* @b is the later one: of a later part, or further on in the same. */
static void
add_pair (Pairs *pairs, const ForgeLooks *looks, const ForgeLook *a,
    const ForgeLook *b)
{
  if (a->split != b->split)
    count_once (pairs, looks, &pairs->leakage, 1, b, a);
  if (a->class_id != b->class_id)
    count_once (pairs, looks, &pairs->contradiction, 2, b, a);
  if (a->split == b->split && a->class_id == b->class_id)
    count_once (pairs, looks, &pairs->twin, 4, b, a);
}

static int
compare_hashes (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const ForgeLook *looks = user_data;
  uint32_t i = *(const uint32_t *) a, j = *(const uint32_t *) b;
  int order = memcmp (looks[i].hash, looks[j].hash, sizeof looks[i].hash);
  return order ? order : (i > j) - (i < j);
}

/* Numbers of the readable pictures, in order. */
static uint32_t *
list_readable (const ForgeLooks *looks, guint *n)
{
  uint32_t *list = g_new (uint32_t, looks->n + 1);
  *n = 0;
  for (guint i = 0; i < looks->n; i++)
    if (looks->looks[i].readable)
      list[(*n)++] = i;
  return list;
}

/* Each copy is compared with the first few: the first in the order of parts is
 * among them, so no copy in a later part, or with another label than that, is
 * missed. */
static void
find_equal (const ForgeLooks *looks, Pairs *pairs)
{
  guint n;
  g_autofree uint32_t *list = list_readable (looks, &n);
  g_qsort_with_data (
      list, (gint) n, sizeof *list, compare_hashes, looks->looks);
  for (guint first = 0, i = 0; i < n; i++) {
    const ForgeLook *a = &looks->looks[list[first]];
    const ForgeLook *b = &looks->looks[list[i]];
    if (memcmp (a->hash, b->hash, sizeof a->hash) != 0)
      first = i;
    for (guint j = first; j < i && j < first + N_FIRST; j++) {
      const ForgeLook *earlier = &looks->looks[list[j]];
      if (!same_video (earlier, b))
        add_pair (pairs, looks, earlier, b);
    }
  }
}

static double
luma_std (const ForgeLook *look)
{
  double sum = 0, square = 0;
  const int n = FORGE_THUMB_SIDE * FORGE_THUMB_SIDE;
  for (int i = 0; i < n; i++) {
    sum += look->luma[i];
    square += (double) look->luma[i] * look->luma[i];
  }
  return sqrt (MAX (square / n - sum / n * sum / n, 0));
}

static gboolean
look_alike (const ForgeLook *a, const ForgeLook *b)
{
  const int n = FORGE_THUMB_SIDE * FORGE_THUMB_SIDE;
  int sum = 0, square = 0, colour = 0;
  for (int i = 0; i < n; i++) {
    int difference = a->luma[i] - b->luma[i];
    sum += difference;
    square += difference * difference;
  }
  for (gsize i = 0; i < sizeof a->colour; i++)
    colour += ABS (a->colour[i] - b->colour[i]);
  if (colour > MAX_COLOUR_DIFFERENCE * (int) sizeof a->colour)
    return FALSE;
  double mean = (double) sum / n, std = luma_std (a);
  double rms = sqrt (MAX ((double) square / n - mean * mean, 0));
  double most = MIN (MAX_LUMA_DIFFERENCE + MAX_LUMA_SHARE * std, MAX_LUMA_RMS);
  return std >= MIN_STD && rms <= most;
}

static uint32_t
band_of (uint64_t shape, int band)
{
  return (uint32_t) (shape >> BAND_BITS * band) & ((1u << BAND_BITS) - 1);
}

/* Pairs are met in each band that they share; the first one counts. */
static gboolean
is_first_band (uint64_t a, uint64_t b, int band)
{
  for (int earlier = 0; earlier < band; earlier++)
    if (band_of (a, earlier) == band_of (b, earlier))
      return FALSE;
  return TRUE;
}

static void
compare_near (
    const ForgeLooks *looks, Pairs *pairs, uint32_t i, uint32_t j, int band)
{
  const ForgeLook *a = &looks->looks[MIN (i, j)];
  const ForgeLook *b = &looks->looks[MAX (i, j)];
  if (__builtin_popcountll (a->shape ^ b->shape) > MAX_BITS ||
      !is_first_band (a->shape, b->shape, band) || same_video (a, b) ||
      memcmp (a->hash, b->hash, sizeof a->hash) == 0 || !look_alike (a, b))
    return;
  add_pair (pairs, looks, a, b);
}

typedef struct {
  uint64_t key; /* the band above, the other bits below */
  uint32_t look;
} Keyed;

static int
compare_keys (gconstpointer a, gconstpointer b)
{
  const Keyed *x = a, *y = b;
  if (x->key != y->key)
    return x->key < y->key ? -1 : 1;
  return (x->look > y->look) - (x->look < y->look);
}

static void
find_near (const ForgeLooks *looks, Pairs *pairs)
{
  guint n;
  g_autofree uint32_t *list = list_readable (looks, &n);
  g_autofree Keyed *keyed = g_new (Keyed, n + 1);
  for (int band = 0; band < N_BANDS; band++) {
    for (guint i = 0; i < n; i++) {
      uint64_t shape = looks->looks[list[i]].shape;
      int up = BAND_BITS * (N_BANDS - 1 - band);
      keyed[i].key = up ? shape << up | shape >> (64 - up) : shape;
      keyed[i].look = list[i];
    }
    qsort (keyed, n, sizeof *keyed, compare_keys);
    for (guint i = 0; i < n; i++)
      for (guint j = i + 1;
           j < n && j <= i + WINDOW &&
           (keyed[j].key ^ keyed[i].key) >> (64 - BAND_BITS) == 0;
           j++)
        compare_near (looks, pairs, keyed[i].look, keyed[j].look, band);
  }
}

void
forge_looks_find_twins (const ForgeLooks *looks)
{
  Pairs equal = { .counted = g_malloc0 (looks->n + 1) };
  forge_finding_begin (&equal.leakage, looks, "leakage", FORGE_FINDING_ERROR);
  forge_finding_begin (
      &equal.contradiction, looks, "contradiction", FORGE_FINDING_ERROR);
  forge_finding_begin (&equal.twin, looks, "duplicate", FORGE_FINDING_WARNING);
  find_equal (looks, &equal);
  forge_finding_end (&equal.leakage, "pictures that are in another part too, "
                                     "pixel by pixel, so that a model is "
                                     "examined on what it was taught");
  forge_finding_end (&equal.contradiction,
      "pictures that have another label elsewhere, with the same pixels");
  forge_finding_end (
      &equal.twin, "pictures that repeat an earlier one of their class");
  g_free (equal.counted);

  Pairs near = { .counted = g_malloc0 (looks->n + 1) };
  forge_finding_begin (
      &near.leakage, looks, "near-leakage", FORGE_FINDING_WARNING);
  forge_finding_begin (
      &near.contradiction, looks, "near-contradiction", FORGE_FINDING_WARNING);
  forge_finding_begin (&near.twin, looks, "near-duplicate", FORGE_FINDING_INFO);
  find_near (looks, &near);
  forge_finding_end (
      &near.leakage, "pictures that look the same as one in another part");
  forge_finding_end (&near.contradiction,
      "pictures that look the same as one with another label");
  forge_finding_end (&near.twin,
      "pictures that look the same as an earlier one of their class");
  g_free (near.counted);
}
