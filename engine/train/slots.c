/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The numbers of a network that training changes, with what the optimiser,
 * averages and early stopping keep beside them; and which of them are frozen,
 * from the beginning or after some epochs. */
#include <string.h>

#include "graph/pass-util.h"
#include "train/trainer.h"

/* Elements of a span: some microseconds of work. */
#define SPAN_ELEMS 16384

/* One entry of ForgeTrainParams.freeze. */
typedef struct {
  char *pattern;
  guint until_epoch; /* 0 = from the beginning */
  gboolean matched;
} Freeze;

static void
freeze_clear (gpointer data)
{
  g_free (((Freeze *) data)->pattern);
}

static GArray *
parse_freeze (const char *text, GError **error)
{
  g_autoptr (GArray) list = g_array_new (FALSE, FALSE, sizeof (Freeze));
  g_array_set_clear_func (list, freeze_clear);
  g_auto (GStrv) parts = g_strsplit (text ? text : "", ",", -1);
  for (guint i = 0; parts[i]; i++) {
    guint64 epochs = 0;
    char *at = strrchr (parts[i], '@');
    if (at &&
        !g_ascii_string_to_unsigned (at + 1, 10, 1, G_MAXUINT, &epochs, NULL)) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
          "training parameter 'freeze': expected a number of epochs behind the "
          "@ of '%s'",
          parts[i]);
      return NULL;
    }
    if (at)
      *at = 0;
    Freeze freeze = { g_strdup (parts[i]), (guint) epochs, FALSE };
    if (*parts[i])
      g_array_append_val (list, freeze);
    else
      freeze_clear (&freeze);
  }
  return g_steal_pointer (&list);
}

/* Marks @value where an entry says so; returns the epochs it trains for. */
static guint
apply_freeze (GArray *list, ForgeValue *value)
{
  guint until = 0;
  for (guint i = 0; i < list->len; i++) {
    Freeze *freeze = &g_array_index (list, Freeze, i);
    if (!g_pattern_match_simple (freeze->pattern, value->name))
      continue;
    freeze->matched = TRUE;
    until = freeze->until_epoch;
    if (until == 0)
      value->frozen = TRUE;
  }
  return until;
}

static gboolean
check_freeze (const GArray *list, GError **error)
{
  for (guint i = 0; i < list->len; i++) {
    const Freeze *freeze = &g_array_index (list, Freeze, i);
    if (freeze->matched)
      continue;
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "training parameter 'freeze': no weights are called '%s'",
        freeze->pattern);
    return FALSE;
  }
  return TRUE;
}

/* Shifts of batch normalisation have a factor of their own. */
static double
rate_of (const ForgeTrainParams *params, const ForgeNode *node, guint index,
    const ForgeValue *value)
{
  if (g_str_equal (node->op->type, "BatchNormalization"))
    return index == 2 ? params->shift_rate : 1;
  return value->shape.rank == 1 ? params->bias_rate : 1;
}

static void
add_slot (const ForgeTrainer *trainer, GArray *slots, const ForgeNode *node,
    guint index, guint until_epoch)
{
  const ForgeTrainParams *params = trainer->params;
  const ForgeValue *value = forge_node_in (node, index);
  ForgeSlot slot = { .name = value->name,
    .value = value->constant,
    .n = (size_t) forge_shape_count (&value->shape),
    .is_statistic = forge_node_input_role (node, index) == FORGE_ROLE_STATISTIC,
    .until_epoch = until_epoch,
    .rate = rate_of (params, node, index, value) };
  slot.best = g_new0 (float, slot.n);
  if (!slot.is_statistic) {
    gboolean decays = value->shape.rank >= 2 || params->decay_all;
    slot.decay = decays ? params->weight_decay / slot.rate : 0;
    slot.m = g_new0 (float, slot.n);
    if (trainer->words.optimiser == FORGE_OPTIMISER_ADAM ||
        trainer->words.optimiser == FORGE_OPTIMISER_ADAMW)
      slot.v = g_new0 (float, slot.n);
  }
  gsize size_bytes = slot.n * sizeof (float);
  if (params->ema_decay > 0)
    slot.average = g_memdup2 (slot.value->data, size_bytes);
  if (params->lookahead > 0)
    slot.slow = g_memdup2 (slot.value->data, size_bytes);
  g_array_append_val (slots, slot);
}

static void
add_spans (ForgeTrainer *trainer)
{
  trainer->spans = g_array_new (FALSE, FALSE, sizeof (ForgeSpan));
  for (guint i = 0; i < trainer->n_slots; i++) {
    size_t n = trainer->slots[i].n;
    for (size_t begin = 0; begin < n; begin += SPAN_ELEMS) {
      ForgeSpan span = { i, begin, MIN (begin + SPAN_ELEMS, n) };
      g_array_append_val (trainer->spans, span);
    }
  }
  trainer->partials = g_new0 (double, trainer->spans->len + 1);
}

/* The layer that makes the class scores: the last that has weights. */
static const ForgeNode *
find_last_layer (const ForgeGraph *graph)
{
  for (guint n = graph->nodes->len; n > 0; n--) {
    const ForgeNode *node = graph->nodes->pdata[n - 1];
    if (forge_node_is (node, "Gemm") || forge_node_is (node, "MatMul") ||
        forge_node_is (node, "Conv"))
      return node;
  }
  return NULL;
}

/* Room for the largest of the matrices. */
static gboolean
make_muon (ForgeTrainer *trainer, GError **error)
{
  size_t most_side = 0, most_longer = 0, most_elems = 0;
  for (guint i = 0; i < trainer->n_slots; i++) {
    const ForgeMuonShape *shape = &trainer->slots[i].muon;
    most_side = MAX (most_side, MIN (shape->n_rows, shape->n_columns));
    most_longer = MAX (most_longer, MAX (shape->n_rows, shape->n_columns));
    most_elems = MAX (most_elems, shape->n_rows * shape->n_columns);
  }
  if (most_elems == 0)
    return TRUE;
  trainer->muon = forge_muon_new (
      most_side, most_longer, most_elems, trainer->params->threads);
  if (!trainer->muon)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "no memory for the products of optimiser muon: matrices of up to %zu "
        "numbers, %zu on the shorter side",
        most_elems, most_side);
  return trainer->muon != NULL;
}

gboolean
forge_slots_new (ForgeTrainer *trainer, GError **error)
{
  g_autoptr (GArray) freeze = parse_freeze (trainer->params->freeze, error);
  if (!freeze)
    return FALSE;
  GArray *slots = g_array_new (FALSE, FALSE, sizeof (ForgeSlot));
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  const ForgeGraph *graph = trainer->logits;
  const ForgeNode *last = find_last_layer (graph);
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    for (guint i = 0; i < node->inputs->len; i++) {
      ForgeValue *value = node->inputs->pdata[i];
      if (forge_node_input_role (node, i) == FORGE_ROLE_NONE ||
          value->dtype != FORGE_FLOAT32 || !g_hash_table_add (seen, value))
        continue;
      guint until_epoch = apply_freeze (freeze, value);
      if (value->frozen)
        continue;
      add_slot (trainer, slots, node, i, until_epoch);
      if (trainer->words.optimiser == FORGE_OPTIMISER_MUON && node != last)
        g_array_index (slots, ForgeSlot, slots->len - 1).muon =
            forge_muon_shape (node, i);
    }
  }
  trainer->n_slots = slots->len;
  trainer->slots = (ForgeSlot *) (void *) g_array_free (slots, FALSE);
  add_spans (trainer);
  return check_freeze (freeze, error) && make_muon (trainer, error);
}

void
forge_slots_free (ForgeTrainer *trainer)
{
  for (guint i = 0; i < trainer->n_slots; i++) {
    ForgeSlot *slot = &trainer->slots[i];
    g_free (slot->m);
    g_free (slot->v);
    g_free (slot->best);
    g_free (slot->average);
    g_free (slot->slow);
  }
  g_free (trainer->slots);
  forge_muon_free (trainer->muon);
  g_clear_pointer (&trainer->spans, g_array_unref);
  g_free (trainer->partials);
}

gboolean
forge_slots_freeze_due (ForgeTrainer *trainer)
{
  gboolean changed = FALSE;
  for (guint i = 0; i < trainer->n_slots; i++) {
    const ForgeSlot *slot = &trainer->slots[i];
    if (slot->until_epoch == 0 || trainer->state.epoch < slot->until_epoch)
      continue;
    ForgeValue *value = forge_graph_find (trainer->logits, slot->name);
    changed |= !value->frozen;
    value->frozen = TRUE;
  }
  return changed;
}

void
forge_slots_bind (ForgeTrainer *trainer)
{
  guint n = forge_executor_get_n_parameters (trainer->learner);
  for (guint i = 0; i < trainer->n_slots; i++) {
    ForgeSlot *slot = &trainer->slots[i];
    slot->gradient = NULL;
    for (guint p = 0; p < n; p++) {
      const ForgeParameter *parameter =
          forge_executor_get_parameter (trainer->learner, p);
      if (parameter->value == slot->value)
        slot->gradient = parameter->gradient->data;
    }
  }
}

void
forge_slots_keep_best (ForgeTrainer *trainer)
{
  for (guint i = 0; i < trainer->n_slots; i++) {
    ForgeSlot *slot = &trainer->slots[i];
    memcpy (slot->best, slot->value->data, slot->n * sizeof *slot->best);
  }
}

void
forge_slots_restore_best (ForgeTrainer *trainer)
{
  for (guint i = 0; i < trainer->n_slots; i++) {
    ForgeSlot *slot = &trainer->slots[i];
    memcpy (slot->value->data, slot->best, slot->n * sizeof *slot->best);
  }
}

void
forge_slots_swap_average (ForgeTrainer *trainer)
{
  for (guint i = 0; i < trainer->n_slots; i++) {
    ForgeSlot *slot = &trainer->slots[i];
    float *value = slot->value->data;
    for (size_t k = 0; slot->average && k < slot->n; k++) {
      float kept = value[k];
      value[k] = slot->average[k];
      slot->average[k] = kept;
    }
  }
}
