/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What forge_train_diagnose() makes of histories that are clear cases, and
 * that it keeps silent where nothing is wrong. */
#include <string.h>

#include "forge/train.h"

#define MAX_EPOCHS 8

typedef struct {
  const char *name, *hint; /* NULL = nothing to say */
  guint n, n_classes;
  double loss[MAX_EPOCHS], accuracy[MAX_EPOCHS];
  double val_loss[MAX_EPOCHS], val_accuracy[MAX_EPOCHS];
} Case;

static const Case cases[] = {
  { "healthy", NULL, 6, 10, { 2, 1.5, 1.2, 1, 0.9, 0.8 },
      { 0.2, 0.4, 0.5, 0.6, 0.65, 0.7 }, { 1.8, 1.4, 1.2, 1.1, 1, 0.95 },
      { 0.25, 0.42, 0.52, 0.58, 0.62, 0.65 } },
  { "overfitting", "overfitting", 6, 10, { 2, 1.5, 1, 0.5, 0.2, 0.1 },
      { 0.2, 0.4, 0.6, 0.8, 0.95, 0.99 }, { 1.8, 1.4, 1.3, 1.5, 1.8, 2.2 },
      { 0.3, 0.5, 0.55, 0.55, 0.54, 0.53 } },
  { "a gap that still helps", NULL, 6, 10, { 2, 1.5, 1, 0.5, 0.2, 0.1 },
      { 0.2, 0.4, 0.6, 0.8, 0.95, 0.99 }, { 1.8, 1.4, 1.3, 1.2, 1.1, 1 },
      { 0.3, 0.5, 0.6, 0.65, 0.7, 0.72 } },
  { "flat", "flat", 4, 10, { 2.303, 2.303, 2.302, 2.303 },
      { 0.1, 0.101, 0.099, 0.1 }, { 2.3, 2.3, 2.3, 2.3 },
      { 0.1, 0.1, 0.1, 0.1 } },
  { "flat because it is done", NULL, 4, 10, { 0.01, 0.01, 0.01, 0.01 },
      { 1, 1, 1, 1 }, { 0.02, 0.02, 0.02, 0.019 }, { 1, 1, 1, 1 } },
  { "rising", "rising", 5, 10, { 1, 1.1, 1.4, 2, 3 },
      { 0.6, 0.5, 0.4, 0.3, 0.2 }, { 1, 1.2, 1.5, 2, 3 },
      { 0.6, 0.5, 0.4, 0.3, 0.2 } },
  { "up and down", NULL, 5, 10, { 1, 1.3, 0.9, 1.2, 1.25 },
      { 0.6, 0.5, 0.6, 0.5, 0.5 }, { 1, 1.2, 0.9, 1.2, 1.2 },
      { 0.6, 0.5, 0.6, 0.5, 0.5 } },
  { "too early", NULL, 2, 10, { 2.3, 2.3 }, { 0.1, 0.1 }, { 2.3, 2.3 },
      { 0.1, 0.1 } },
};

static void
histories_are_named_for_what_they_are (gconstpointer data)
{
  const Case *c = data;
  ForgeTrainProgress epochs[MAX_EPOCHS];
  for (guint i = 0; i < c->n; i++)
    epochs[i] = (ForgeTrainProgress) { .epoch = i + 1,
      .epochs = MAX_EPOCHS,
      .loss = c->loss[i],
      .accuracy = c->accuracy[i],
      .val_loss = c->val_loss[i],
      .val_accuracy = c->val_accuracy[i] };
  g_autofree char *text = forge_train_diagnose (epochs, c->n, c->n_classes);
  if (!c->hint) {
    g_assert_cmpstr (text, ==, NULL);
    return;
  }
  g_assert_nonnull (text);
  g_assert_nonnull (strstr (text, c->hint));
  /* The remedy is an option. */
  g_assert_nonnull (strstr (text, "--"));
}

static void
nothing_is_said_of_nothing (void)
{
  g_assert_null (forge_train_diagnose (NULL, 0, 10));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strdup_printf (
        "/diagnosis/histories_are_named_for_what_they_are/%s", cases[i].name);
    g_test_add_data_func (
        path, &cases[i], histories_are_named_for_what_they_are);
  }
  g_test_add_func (
      "/diagnosis/nothing_is_said_of_nothing", nothing_is_said_of_nothing);
  return g_test_run ();
}
