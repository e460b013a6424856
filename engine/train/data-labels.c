/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Have the labels anything to do with the pictures? Each picture is given the
 * label that most of its ten nearest neighbours in the training part have, by
 * coarse colours and edge directions. Then the labels are shuffled, the
 * neighbours staying what they are, over and over: that is what a share of
 * right answers looks like when there is nothing to know. Balanced accuracy,
 * so that a large class cannot pretend to knowledge.
 * Source: see forge_data_check(). Edge directions after Dalal and Triggs,
 * "Histograms of Oriented Gradients for Human Detection", CVPR 2005. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "train/data-look.h"

#define SIDE FORGE_THUMB_SIDE
#define CELLS 4
#define DIRECTIONS 8
#define N_COLOURS (FORGE_COLOUR_SIDE * FORGE_COLOUR_SIDE * 3)
#define N_EDGES (CELLS * CELLS * DIRECTIONS)
#define N_FEATURES (N_COLOURS + N_EDGES)
/* Edges tell more than colours, and are of length one as a whole. */
#define EDGE_WEIGHT 2.0f

#define MAX_TRAIN 4000
#define MAX_OTHER 2000
#define N_NEIGHBOURS 10
#define N_SHUFFLES 999
#define BLOCK 256
#define MIN_ITEMS 100
#define MIN_OF_CLASS 10

typedef struct {
  guint n;
  const ForgeLook **looks; /* [n] */
  float *features;         /* [n, N_FEATURES] */
  uint32_t *labels;        /* [n] */
} Sample;

static void
sample_clear (Sample *sample)
{
  g_free (sample->looks);
  g_free (sample->features);
  g_free (sample->labels);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Sample, sample_clear)

static void
add_edges (const uint8_t *luma, float *edges)
{
  for (int y = 1; y < SIDE - 1; y++)
    for (int x = 1; x < SIDE - 1; x++) {
      const uint8_t *at = luma + y * SIDE + x;
      float dx = (float) (at[1] - at[-1]);
      float dy = (float) (at[SIDE] - at[-SIDE]);
      float angle = atan2f (dy, dx) / (float) (2 * G_PI) + 0.5f;
      int direction = (int) (angle * DIRECTIONS) % DIRECTIONS;
      int cell = y * CELLS / SIDE * CELLS + x * CELLS / SIDE;
      edges[cell * DIRECTIONS + direction] += sqrtf (dx * dx + dy * dy);
    }
}

static void
make_features (const ForgeLook *look, float *features)
{
  memset (features, 0, N_FEATURES * sizeof *features);
  for (int i = 0; i < N_COLOURS; i++)
    features[i] = (float) look->colour[i] / 255;
  float *edges = features + N_COLOURS, sum = 1e-3f;
  add_edges (look->luma, edges);
  for (int i = 0; i < N_EDGES; i++)
    sum += edges[i];
  for (int i = 0; i < N_EDGES; i++)
    edges[i] = EDGE_WEIGHT * sqrtf (edges[i] / sum);
}

/* At most @most readable pictures of a part, spread evenly. Of a video the
 * first frame alone: its frames have their label in common, so that they are
 * one answer, however many there are. */
static void
take_sample (
    const ForgeLooks *looks, ForgeSplit split, guint most, Sample *sample)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new ();
  uint32_t video = 0;
  for (guint i = 0; i < looks->n; i++) {
    const ForgeLook *look = &looks->looks[i];
    if (look->split != split || !look->readable ||
        (look->video && look->video == video))
      continue;
    video = look->video;
    g_ptr_array_add (all, (gpointer) look);
  }
  guint n = MIN (all->len, most);
  sample->n = n;
  sample->looks = g_new (const ForgeLook *, n + 1);
  sample->features = g_new (float, ((gsize) n + 1) * N_FEATURES);
  sample->labels = g_new (uint32_t, n + 1);
  for (guint i = 0; i < n; i++) {
    guint place = (guint) ((guint64) i * all->len / n);
    sample->looks[i] = g_ptr_array_index (all, place);
    sample->labels[i] = sample->looks[i]->class_id;
    make_features (sample->looks[i], sample->features + (gsize) i * N_FEATURES);
  }
}

/* A copy of a picture, or another frame of its video, would give it away. */
static gboolean
is_kin (const ForgeLook *a, const ForgeLook *b)
{
  return a == b || memcmp (a->hash, b->hash, sizeof a->hash) == 0 ||
         (a->video && a->video == b->video && a->split == b->split);
}

/* Keeps the nearest, best first; @row are dot products with all of @train. */
static void
pick_neighbours (const Sample *train, const float *square_norms,
    const ForgeLook *look, const float *row, uint32_t *neighbours)
{
  float distances[N_NEIGHBOURS];
  guint n = 0;
  for (guint i = 0; i < train->n; i++) {
    float distance = square_norms[i] - 2 * row[i];
    if ((n == N_NEIGHBOURS && distance >= distances[n - 1]) ||
        is_kin (look, train->looks[i]))
      continue;
    guint place = n < N_NEIGHBOURS ? n++ : n - 1;
    for (; place > 0 && distances[place - 1] > distance; place--) {
      distances[place] = distances[place - 1];
      neighbours[place] = neighbours[place - 1];
    }
    distances[place] = distance;
    neighbours[place] = i;
  }
  for (; n < N_NEIGHBOURS; n++)
    neighbours[n] = UINT32_MAX;
}

/* [queries->n, N_NEIGHBOURS] indices into @train; UINT32_MAX = none. */
static uint32_t *
find_neighbours (const Sample *train, const Sample *queries)
{
  uint32_t *neighbours =
      g_new (uint32_t, ((gsize) queries->n + 1) * N_NEIGHBOURS);
  g_autofree float *dots = g_new (float, (gsize) BLOCK *(train->n + 1));
  g_autofree float *norms = g_new (float, train->n + 1);
  for (guint i = 0; i < train->n; i++) {
    const float *f = train->features + (gsize) i * N_FEATURES;
    norms[i] = cblas_sdot (N_FEATURES, f, 1, f, 1);
  }
  for (guint first = 0; first < queries->n; first += BLOCK) {
    guint n = MIN (BLOCK, queries->n - first);
    cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, (int) n,
        (int) train->n, N_FEATURES, 1,
        queries->features + (gsize) first * N_FEATURES, N_FEATURES,
        train->features, N_FEATURES, 0, dots, (int) train->n);
    for (guint i = 0; i < n; i++)
      pick_neighbours (train, norms, queries->looks[first + i],
          dots + (gsize) i * train->n,
          neighbours + (gsize) (first + i) * N_NEIGHBOURS);
  }
  return neighbours;
}

typedef struct {
  guint n_queries, n_classes;
  const uint32_t *neighbours;
  const uint32_t *train_labels, *labels;
  guint *votes; /* [n_classes], all 0 between two uses */
  guint *hits, *totals;
} Ballot;

/* Among equals the nearest counts. */
static uint32_t
vote (const Ballot *ballot, const uint32_t *neighbours)
{
  guint n = 0;
  uint32_t best = UINT32_MAX;
  while (n < N_NEIGHBOURS && neighbours[n] != UINT32_MAX)
    ballot->votes[ballot->train_labels[neighbours[n++]]]++;
  for (guint i = 0; i < n; i++) {
    uint32_t label = ballot->train_labels[neighbours[i]];
    if (best == UINT32_MAX || ballot->votes[label] > ballot->votes[best])
      best = label;
  }
  for (guint i = 0; i < n; i++)
    ballot->votes[ballot->train_labels[neighbours[i]]] = 0;
  return best;
}

/* Mean recall over the classes that occur. */
static double
balanced_accuracy (const Ballot *ballot)
{
  memset (ballot->hits, 0, ballot->n_classes * sizeof *ballot->hits);
  memset (ballot->totals, 0, ballot->n_classes * sizeof *ballot->totals);
  for (guint i = 0; i < ballot->n_queries; i++) {
    uint32_t label = ballot->labels[i];
    ballot->totals[label]++;
    ballot->hits[label] +=
        vote (ballot, ballot->neighbours + (gsize) i * N_NEIGHBOURS) == label;
  }
  double sum = 0;
  guint n = 0;
  for (guint c = 0; c < ballot->n_classes; c++)
    if (ballot->totals[c] > 0) {
      sum += (double) ballot->hits[c] / ballot->totals[c];
      n++;
    }
  return n > 0 ? sum / n : 0;
}

static int
compare_doubles (gconstpointer a, gconstpointer b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

/* Enough pictures, and two classes at least that say something. */
static gboolean
can_judge (const Sample *sample, guint n_classes)
{
  g_autofree guint *counts = g_new0 (guint, n_classes + 1);
  guint n_good = 0;
  for (guint i = 0; i < sample->n; i++)
    n_good += ++counts[sample->labels[i]] == MIN_OF_CLASS;
  return sample->n >= MIN_ITEMS && n_good >= 2;
}

/* @queries is @train itself, whose labels then are shuffled as a whole, or
 * another part, whose labels alone are. */
static void
judge (const ForgeLooks *looks, const Sample *train, const Sample *queries,
    ForgeLabelCheck *check)
{
  if (!can_judge (train, looks->n_classes) ||
      !can_judge (queries, looks->n_classes))
    return;
  guint n_classes = looks->n_classes;
  g_autofree uint32_t *neighbours = find_neighbours (train, queries);
  g_autofree uint32_t *shuffled =
      g_memdup2 (queries->labels, queries->n * sizeof (uint32_t));
  g_autofree guint *counts = g_new0 (guint, 3 * (gsize) n_classes + 1);
  Ballot ballot = { queries->n, n_classes, neighbours, train->labels,
    queries->labels, counts, counts + n_classes, counts + 2 * n_classes };
  check->n_items = queries->n;
  check->accuracy = balanced_accuracy (&ballot);

  double chances[N_SHUFFLES], sum = 0;
  guint n_as_good = 0;
  ForgeRng rng;
  forge_rng_seed (&rng, looks->params->seed);
  ballot.labels = shuffled;
  if (train == queries)
    ballot.train_labels = shuffled;
  for (guint i = 0; i < N_SHUFFLES; i++) {
    forge_rng_shuffle (&rng, shuffled, queries->n);
    chances[i] = balanced_accuracy (&ballot);
    sum += chances[i];
    n_as_good += chances[i] >= check->accuracy;
  }
  qsort (chances, N_SHUFFLES, sizeof *chances, compare_doubles);
  check->chance = sum / N_SHUFFLES;
  check->chance_99 = chances[N_SHUFFLES * 99 / 100];
  check->p_value = (n_as_good + 1.0) / (N_SHUFFLES + 1.0);
}

void
forge_looks_check_labels (const ForgeLooks *looks)
{
  int blas_threads = openblas_get_num_threads ();
  openblas_set_num_threads (1);
  g_auto (Sample) train = { 0 };
  take_sample (looks, FORGE_SPLIT_TRAIN, MAX_TRAIN, &train);
  for (int split = 0; split < FORGE_N_SPLITS; split++) {
    ForgeDataPart *part = &looks->report->parts[split];
    if (split == FORGE_SPLIT_TRAIN) {
      judge (looks, &train, &train, &part->label_check);
    } else if (part->present) {
      g_auto (Sample) other = { 0 };
      take_sample (looks, split, MAX_OTHER, &other);
      judge (looks, &train, &other, &part->label_check);
    }
  }
  openblas_set_num_threads (blas_threads);
}
