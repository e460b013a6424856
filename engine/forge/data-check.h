/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A look at labelled pictures before anything is trained on them: what can be
 * counted, what is broken, what is there twice, and whether the labels have
 * anything to do with the pictures. */
#pragma once

#include "forge/evaluate.h"

G_BEGIN_DECLS

#define FORGE_N_SPLITS 3
#define FORGE_BRIGHTNESS_BINS 16

typedef enum {
  FORGE_FINDING_INFO,    /* to know */
  FORGE_FINDING_WARNING, /* to look at */
  FORGE_FINDING_ERROR,   /* figures of a model trained on this will be wrong,
                             or pictures are lost */
} ForgeFindingSeverity;

/**
 * ForgeDataFinding:
 * @kind: a fixed word, of the list at forge_data_check()
 * @severity: how bad
 * @n: how many pictures, or classes
 * @text: what it is that was counted
 * @examples: (array zero-terminated=1): some of them
 *
 * One thing that was found.
 *
 * Since: 0.1
 */
typedef struct {
  const char *kind;
  ForgeFindingSeverity severity;
  uint64_t n;
  char *text;
  char **examples;
} ForgeDataFinding;

/**
 * ForgeLabelCheck:
 * @n_items: pictures judged, of a video one; 0 = too few for a judgement
 * @accuracy: balanced accuracy (mean recall) of the ten nearest neighbours in
 *   the training part, by coarse colour and edge directions
 * @chance: the same after the labels were shuffled, mean of 999 times
 * @chance_99: what it exceeds in one of a hundred of these
 * @p_value: share of the shuffles that did as well
 *
 * Whether labels have anything to do with pictures.
 *
 * Since: 0.1
 */
typedef struct {
  uint64_t n_items;
  double accuracy, chance, chance_99, p_value;
} ForgeLabelCheck;

/**
 * ForgeDataPart:
 * @present: %FALSE: the data has no such part
 * @n_items: pictures listed
 * @n_unreadable: of them
 * @counts: [n_classes] pictures listed of each class
 * @label_check: of this part
 *
 * One part of the data.
 *
 * Since: 0.1
 */
typedef struct {
  gboolean present;
  uint64_t n_items, n_unreadable;
  uint64_t *counts;
  ForgeLabelCheck label_check;
} ForgeDataPart;

/* A value and how many pictures have it. */
typedef struct {
  char *name;
  uint64_t n;
} ForgeDataCount;

/**
 * ForgeDataReport:
 * @parts: by #ForgeSplit
 * @is_multi_label: of the data: counts of classes then sum to more or less
 *   than the pictures
 * @n_without_class: pictures with no class, of such data
 * @n_class_marks: classes of all its pictures together
 * @sizes: "500x375", most frequent first
 * @modes: as files have them, "JPEG colour", most frequent first
 * @n_grey: pictures whose three colours are equal everywhere
 * @brightness: pictures by mean luma, from black to white in equal steps
 * @mean, @std: of each colour over all pixels, 0..1, pictures weighing alike
 * @findings: (element-type ForgeDataFinding): worst first
 *
 * What forge_data_check() found.
 *
 * Since: 0.1
 */
typedef struct {
  guint n_classes;
  char **labels;
  ForgeDataPart parts[FORGE_N_SPLITS];
  gboolean is_multi_label;
  uint64_t n_without_class, n_class_marks;
  uint64_t n_items, n_unreadable, n_grey;
  GArray *sizes, *modes; /* ForgeDataCount */
  int min_width, median_width, max_width;
  int min_height, median_height, max_height;
  uint64_t brightness[FORGE_BRIGHTNESS_BINS];
  double mean[3], std[3];
  GPtrArray *findings;
  double seconds;
} ForgeDataReport;

/**
 * ForgeDataCheckParams:
 * @threads: 0 = all the process may use
 * @seed: of the shuffles
 * @n_examples: of each finding; 0 = 10
 *
 * How to look.
 *
 * Since: 0.1
 */
typedef struct {
  int threads;
  uint64_t seed;
  guint n_examples;
} ForgeDataCheckParams;

/**
 * forge_data_check:
 * @parts: (array fixed-size=3) (element-type ForgeDataset): by #ForgeSplit;
 *   the training part must be there, others may be %NULL. A validation part
 *   that stands in for the test part is looked at once
 * @params: (nullable): %NULL = as zeros
 * @progress: (nullable) (scope call): called now and then
 * @user_data: for @progress
 * @error: return location
 *
 * Decodes every picture once and reports, by kind:
 *
 * - error: `unreadable` (does not decode; training leaves it out),
 *   `class-unreadable` (a class of which nothing decodes), `leakage` (the same
 *   pixels in two parts), `contradiction` (the same pixels with two labels),
 *   `shuffled-labels` (neighbours say no more about a label than chance)
 * - warning: `few-pictures` (a training class under 50), `imbalance` (the
 *   largest training class over three times the smallest), `near-black` (95 %
 *   of the pixels with a luma up to 24), `blown-out` (90 % from 250),
 *   `single-colour` (no colour varies by more than 3 of 255), `duplicate` (the
 *   same pixels twice in one part), `near-leakage` and `near-contradiction`
 *   (as above for pictures that only look the same)
 * - info: `near-duplicate`, `ignored` (files whose names are not of pictures)
 *
 * Pictures look the same when their 64-bit difference hashes are at most 7
 * bits apart and their 16 x 16 thumbnails nearly equal. Frames of one video
 * are not compared.
 *
 * `shuffled-labels`: the permutation p-value of a nearest-neighbour vote is
 * over 0.01. Of truly shuffled sets 99 in 100 are caught. It may also mean
 * classes that neither coarse colours nor edges tell apart. Under 100
 * pictures, or with fewer than ten in a second class, there is no judgement,
 * and none of multi-label data.
 *
 * Errors: %FORGE_ERROR_CANCELLED, %FORGE_ERROR_MEMORY.
 * Thread safety: one thread at a time per data set.
 * Returns: (transfer full) (nullable): the report
 * Source: C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash
 * Functions" (2010), for the kind of hash; Ojala and Garriga, "Permutation
 * Tests for Studying Classifier Performance", JMLR 11 (2010), test 1.
 * Since: 0.1
 */
ForgeDataReport *forge_data_check (ForgeDataset *const *parts,
    const ForgeDataCheckParams *params, ForgeProgressFunc progress,
    gpointer user_data, GError **error);

/**
 * forge_data_report_free:
 * @report: (transfer full) (nullable): the report
 *
 * Frees it.
 *
 * Since: 0.1
 */
void forge_data_report_free (ForgeDataReport *report);

/**
 * forge_finding_severity_name:
 * @severity: how bad
 *
 * The word for it in reports.
 *
 * Returns: (transfer none): "info", "warning" or "error"
 * Since: 0.1
 */
const char *forge_finding_severity_name (ForgeFindingSeverity severity);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeDataReport, forge_data_report_free)

G_END_DECLS
