/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A run that is stopped and resumed ends in the same file as one that is not,
 * whatever state its optimiser, averages and network have; and running
 * averages of batch normalisation belong to the weights that are kept. */
#include <math.h>
#include <string.h>

#include <glib/gstdio.h>

#include "forge/error.h"
#include "run.h"

#define SMALL_RESNET "forge-resnet:size=16,width1=24,width2=24,width3=24"

typedef struct {
  const char *name, *arch, *optimiser, *schedule, *freeze, *flip;
  double ema, mixup;
  guint lookahead;
  double prune_easy;
} Case;

static const Case cases[] = {
  { "adam", "forge-cnn", "adam", "cosine", NULL, "random", 0, 0, 0 },
  { "adamw", "forge-cnn", "adamw", "one-cycle", NULL, "random", 0.9, 0.4, 0 },
  { "sgd", "forge-cnn", "sgd", "step", "conv1.*@1", "alternating", 0, 0, 3 },
  { "resnet", SMALL_RESNET, "sgd", "one-cycle", "whiten.bias@2", "alternating",
      0, 0, 5 },
  { "resnet-ema", SMALL_RESNET, "adam", "constant", NULL, "alternating", 0.9, 0,
      2 },
  { "muon", "forge-cnn", "muon", "one-cycle", "conv1.*@1", "random", 0, 0.4,
      0 },
  { "resnet-muon", SMALL_RESNET, "muon", "one-cycle", "whiten.bias@2",
      "alternating", 0.9, 0, 5 },
  { "prune", "forge-cnn", "sgd", "cosine", NULL, "random", 0, 0.4, 3, 0.5 },
  { "prune-muon", SMALL_RESNET, "muon", "one-cycle", "whiten.bias@2",
      "alternating", 0, 0, 5, 0.3 },
};

static void
run_init_case (Run *run, const Case *c)
{
  run_init (run, 30, 20);
  ForgeTrainParams *params = &run->params;
  params->arch = c->arch;
  params->optimiser = c->optimiser;
  params->muon_normalise = c->lookahead > 0;
  params->schedule = c->schedule;
  params->freeze = c->freeze;
  params->flip = c->flip;
  params->ema_decay = c->ema;
  params->mixup = c->mixup;
  params->lookahead = c->lookahead;
  params->prune_easy = c->prune_easy;
  params->prune_until = 1;
  params->final_learning_rate = 1e-4;
  params->weight_decay = 1e-3;
  params->clip_norm = 1;
  params->class_weights = "1,1.5";
  params->erase = 0.3;
  params->hue = 20;
}

static void
resumed_run_equals_an_uninterrupted_one (gconstpointer data)
{
  Run run;
  run_init_case (&run, data);
  run_ok (&run);
  g_autoptr (GBytes) whole = run_read_file (run.out);
  g_assert_cmpint (g_remove (run.out), ==, 0);
  run.params.checkpoint = run.checkpoint;
  run.params.resume = TRUE;
  for (guint epoch = 2; epoch <= 3; epoch++) {
    run.stop_epoch = epoch;
    run.stop_step = 2;
    run_refused (&run, FORGE_ERROR_CANCELLED, "training stopped");
  }
  run.stop_epoch = 0;
  run_ok (&run);
  g_autoptr (GBytes) resumed = run_read_file (run.out);
  g_assert_true (g_bytes_equal (whole, resumed));
  run_clear (&run);
}

static void
threads_do_not_change_the_bits (gconstpointer data)
{
  Run run;
  run_init_case (&run, data);
  run.params.epochs = 2;
  run_assert_threads_alike (&run);
  run_clear (&run);
}

/* The rate is so high that later epochs are worse than the best; were the
 * running averages those of the last epoch, the file would do otherwise than
 * was reported. */
static void
best_weights_have_their_own_running_averages (void)
{
  Run run;
  run_init_case (&run, &cases[3]);
  run.params.epochs = 12;
  run.params.learning_rate = 0.5;
  run.params.lookahead = 0;
  run.params.seed = 2;
  run_ok (&run);
  g_assert_cmpuint (run.result.best_epoch, <, run.n_epochs);
  const ForgeTrainProgress *best = &run.epochs[run.result.best_epoch - 1];
  g_assert_true (best->best);
  g_assert_cmpfloat (best->val_loss, ==, run.result.val_loss);
  g_autoptr (ForgeEvaluation) val = run_evaluate (&run, FORGE_SPLIT_VALIDATION);
  g_assert_cmpfloat_with_epsilon (
      val->nll, run.result.val_loss, 2e-4 * MAX (1, run.result.val_loss));
  g_assert_cmpfloat_with_epsilon (val->accuracy, run.result.val_accuracy, 1e-9);
  run_clear (&run);
}

static void
best_epoch_is_chosen_as_asked (void)
{
  static const char *const ways[] = { "loss", "accuracy" };
  for (guint i = 0; i < 2; i++) {
    Run run;
    run_init (&run, 60, 6);
    run.params.epochs = 8;
    run.params.best_by = ways[i];
    run_ok (&run);
    double least = INFINITY, most = 0;
    for (guint e = 0; e < run.n_epochs; e++) {
      least = MIN (least, run.epochs[e].val_loss);
      most = MAX (most, run.epochs[e].val_accuracy);
    }
    if (i == 0)
      g_assert_cmpfloat (run.result.val_loss, ==, least);
    else
      g_assert_cmpfloat (run.result.val_accuracy, ==, most);
    run_clear (&run);
  }
}

/* Puts the right checksum behind changed bytes. */
static void
write_signed (const Run *run, guint8 *bytes, gsize size_bytes)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize digest_bytes = 32;
  g_checksum_update (sum, bytes, (gssize) (size_bytes - 32));
  g_checksum_get_digest (sum, bytes + size_bytes - 32, &digest_bytes);
  fixture_write (run->folder, "state", bytes, size_bytes);
}

/* Sizes and kinds that are not the network's, with a sound checksum. */
static void
forged_checkpoints_are_refused (void)
{
  Run run;
  run_init_case (&run, &cases[1]);
  run.params.epochs = 1;
  run.params.checkpoint = run.checkpoint;
  run_ok (&run);
  run.params.resume = TRUE;
  g_autoptr (GBytes) state = run_read_file (run.checkpoint);
  gsize size_bytes;
  const guint8 *bytes = g_bytes_get_data (state, &size_bytes);
  guint32 length;
  memcpy (&length, bytes + 12, sizeof length);
  gsize slots = 16 + GUINT32_FROM_LE (length) + 40;
  const gsize places[] = { slots, slots + 3, slots + 4, slots + 11,
    slots + 12 };
  for (guint i = 0; i < G_N_ELEMENTS (places); i++) {
    g_autofree guint8 *forged = g_memdup2 (bytes, size_bytes);
    forged[places[i]] ^= 0x81;
    write_signed (&run, forged, size_bytes);
    run_refused (&run, FORGE_ERROR_FORMAT, "not those of the architecture");
  }
  g_autofree guint8 *cut = g_memdup2 (bytes, size_bytes);
  write_signed (&run, cut, size_bytes - 64);
  run_refused (&run, FORGE_ERROR_FORMAT, "not those of the architecture");
  run_clear (&run);
}

/* Another number of losses than of pictures, or fewer than are counted. */
static void
forged_losses_are_refused (void)
{
  Run run;
  run_init_case (&run, &cases[7]);
  run.params.epochs = 1;
  run.params.checkpoint = run.checkpoint;
  run_ok (&run);
  run.params.resume = TRUE;
  g_autoptr (GBytes) state = run_read_file (run.checkpoint);
  gsize size_bytes;
  const guint8 *bytes = g_bytes_get_data (state, &size_bytes);
  const guint n_items = 48;
  gsize tail = size_bytes - 32 - n_items * sizeof (float) - 4;
  g_assert_cmpuint (bytes[tail], ==, n_items);
  for (gsize place = 0; place < 4; place++) {
    g_autofree guint8 *forged = g_memdup2 (bytes, size_bytes);
    forged[tail + place] ^= 1;
    write_signed (&run, forged, size_bytes);
    run_refused (&run, FORGE_ERROR_FORMAT, "its losses are not those");
  }
  for (gsize cut = 4; cut <= 4 * n_items + 4; cut += 4 * n_items) {
    g_autofree guint8 *forged = g_memdup2 (bytes, size_bytes);
    write_signed (&run, forged, size_bytes - cut);
    run_refused (&run, FORGE_ERROR_FORMAT, "its losses are not those");
  }
  run_clear (&run);
}

/* Version 2 ends behind the slots. */
static void
checkpoint_of_version_2_goes_on (void)
{
  Run run;
  run_init_case (&run, &cases[2]);
  run_ok (&run);
  g_autoptr (GBytes) whole = run_read_file (run.out);
  run.params.checkpoint = run.checkpoint;
  run.stop_epoch = 3;
  run.stop_step = 1;
  run_refused (&run, FORGE_ERROR_CANCELLED, "training stopped");
  run.stop_epoch = 0;
  gsize size_bytes;
  g_autoptr (GBytes) state = run_read_file (run.checkpoint);
  const guint8 *bytes = g_bytes_get_data (state, &size_bytes);
  g_autofree guint8 *old = g_memdup2 (bytes, size_bytes);
  g_assert_cmpuint (old[8], ==, 3);
  old[8] = 2;
  run.params.resume = TRUE;
  write_signed (&run, old, size_bytes);
  run_refused (&run, FORGE_ERROR_FORMAT, "its losses are not those");
  write_signed (&run, old, size_bytes - 4);
  run_ok (&run);
  g_autoptr (GBytes) resumed = run_read_file (run.out);
  g_assert_true (g_bytes_equal (whole, resumed));
  run_clear (&run);
}

static void
unknown_words_and_names_are_refused (void)
{
  Run run;
  run_init (&run, 20, 60);
  const ForgeTrainParams good = run.params;
#define REFUSED(field, value, hint)                 \
  do {                                              \
    run.params = good;                              \
    run.params.field = value;                       \
    run_refused (&run, FORGE_ERROR_ARGUMENT, hint); \
  } while (0)
  REFUSED (optimiser, "lamb", "adam, adamw, sgd, muon, found 'lamb'");
  REFUSED (schedule, "poly", "'schedule'");
  REFUSED (loss, NULL, "'loss'");
  REFUSED (flip, "up", "'flip'");
  REFUSED (border, "wrap", "'border'");
  REFUSED (best_by, "luck", "'best_by'");
  REFUSED (freeze, "conv9.*", "no weights are called 'conv9.*'");
  REFUSED (freeze, "conv1.*@x", "'conv1.*@x'");
  REFUSED (class_weights, "1,2,3", "2 numbers");
  REFUSED (class_weights, "1,-2", "found '1,-2'");
  REFUSED (momentum, 1, "'momentum'");
  REFUSED (muon_rate, 0, "'muon_rate'");
  REFUSED (muon_rate, NAN, "'muon_rate'");
  REFUSED (muon_momentum, 1, "'muon_momentum'");
  REFUSED (muon_steps, 0, "'muon_steps': expected 1 to 20, found 0");
  REFUSED (muon_steps, 21, "'muon_steps'");
  REFUSED (ema_decay, 1, "'ema_decay'");
  REFUSED (clip_norm, NAN, "'clip_norm'");
  REFUSED (label_smoothing, -0.1, "'label_smoothing'");
  REFUSED (cycle_peak, 2, "'cycle_peak'");
  REFUSED (warmup_epochs, 5, "'warmup_epochs'");
  REFUSED (rotation, NAN, "'rotation'");
  REFUSED (zoom, 1, "'zoom'");
  REFUSED (erase, 1.5, "'erase'");
  run_clear (&run);
}

/* Two classes by one sigmoid, or each by its own. */
static void
sigmoid_loss_learns (void)
{
  Run run;
  run_init (&run, 60, 60);
  run.params.loss = "sigmoid";
  run_ok (&run);
  g_assert_cmpfloat (run.result.val_accuracy, >, 0.9);
  g_autoptr (ForgeEvaluation) test = run_evaluate (&run, FORGE_SPLIT_TEST);
  g_assert_cmpfloat (test->accuracy, >, 0.9);
  run_clear (&run);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *resumed = g_strdup_printf (
        "/resume/resumed_run_equals_an_uninterrupted_one/%s", cases[i].name);
    g_test_add_data_func (
        resumed, &cases[i], resumed_run_equals_an_uninterrupted_one);
    g_autofree char *threads = g_strdup_printf (
        "/resume/threads_do_not_change_the_bits/%s", cases[i].name);
    g_test_add_data_func (threads, &cases[i], threads_do_not_change_the_bits);
  }
#define ADD(name) g_test_add_func ("/resume/" #name, name)
  ADD (best_weights_have_their_own_running_averages);
  ADD (best_epoch_is_chosen_as_asked);
  ADD (forged_checkpoints_are_refused);
  ADD (forged_losses_are_refused);
  ADD (checkpoint_of_version_2_goes_on);
  ADD (unknown_words_and_names_are_refused);
  ADD (sigmoid_loss_learns);
  return g_test_run ();
}
