/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The networks that tests/bench measures are the published ones: parameters
 * and multiply-adds by torchvision's and timm's tables (forge-cnn: by
 * train/arch-forge-cnn.c), and the same weights each time.
 *
 * The files have batch norms folded, as exports do, so a bias behind one
 * stands for its two parameters a channel. Those of squeeze-and-excite are
 * convolutions of their own, on maps of one pixel. */
#include <string.h>

#include "../bench/networks.h"
#include "tensor/tensor.h"

typedef struct {
  const char *name;
  gboolean norms; /* behind the convolutions of maps */
  int64_t n_parameters;
  double giga_macs; /* as published, two decimals */
} Published;

static const Published published[] = {
  { "forge-cnn", FALSE, 122570, 0 },
  { "squeezenet1.1", FALSE, 1235496, 0.35 },
  { "mobilenetv2", TRUE, 3504872, 0.30 },
  { "mobilenetv3-large", TRUE, 5483032, 0.22 },
  { "efficientnet-b0", TRUE, 5288548, 0.39 },
  { "resnet18", TRUE, 11689512, 1.81 },
  { "resnet50", TRUE, 25557032, 4.09 },
  { "vgg16", FALSE, 138357544, 15.47 },
  { "densenet121", TRUE, 7978856, 2.83 },
  { "vit-tiny", FALSE, 5717416, 1.26 },
};

static gboolean
is (const ForgeNode *node, const char *type)
{
  return strcmp (node->op->type, type) == 0;
}

/* Scales, shifts and shapes are constants, but nobody trained them. */
static int64_t
count_parameters (const ForgeNode *node, gboolean norms)
{
  int64_t count = 0;
  gboolean map = forge_node_out (node, 0)->shape.rank == 4 &&
                 forge_node_out (node, 0)->shape.dims[2] > 1;
  /* a batch norm's mean and variance are no parameters */
  guint last = is (node, "BatchNormalization") ? 2 : node->inputs->len - 1;
  for (guint i = 0; i <= last && i < node->inputs->len; i++) {
    const ForgeValue *value = forge_node_in (node, i);
    if (!value || !value->constant || value->dtype != FORGE_FLOAT32 ||
        value->shape.rank == 0)
      continue;
    gboolean folded = norms && map && is (node, "Conv") && i == 2;
    count += forge_shape_count (&value->shape) * (folded ? 2 : 1);
  }
  return count;
}

/* Every output is a sum of as many products as it has inputs. A layer norm is
 * five an element, as fvcore counts, which the figure for ViT comes from. */
static int64_t
count_macs (const ForgeNode *node)
{
  int64_t n_outputs = forge_shape_count (&forge_node_out (node, 0)->shape);
  if (is (node, "Conv")) {
    const ForgeShape *weights = &forge_node_in (node, 1)->shape;
    return n_outputs * forge_shape_count (weights) / weights->dims[0];
  }
  if (is (node, "LayerNormalization"))
    return 5 * n_outputs;
  if (!is (node, "Gemm") && !is (node, "MatMul"))
    return 0;
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  return n_outputs * in->dims[in->rank - 1];
}

static void
counts_are_those_published (gconstpointer data)
{
  const Published *row = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = bench_network_graph (row->name, 1, &error);
  g_assert_no_error (error);
  int64_t n_parameters = 0, n_macs = 0;
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    n_parameters += count_parameters (node, row->norms);
    n_macs += count_macs (node);
  }
  g_assert_cmpint (n_parameters, ==, row->n_parameters);
  if (row->giga_macs > 0)
    g_assert_cmpfloat_with_epsilon (
        (double) n_macs / 1e9, row->giga_macs, 0.0051);
}

static gboolean
same_constants (const ForgeGraph *a, const ForgeGraph *b)
{
  for (guint i = 0; i < a->values->len; i++) {
    const ForgeTensor *x = ((ForgeValue *) a->values->pdata[i])->constant;
    const ForgeTensor *y = ((ForgeValue *) b->values->pdata[i])->constant;
    if (!x != !y ||
        (x && memcmp (x->data, y->data, forge_tensor_get_size_bytes (x)) != 0))
      return FALSE;
  }
  return TRUE;
}

static void
weights_are_the_same_for_every_batch (void)
{
  g_autoptr (ForgeGraph) one = bench_network_graph ("mobilenetv2", 1, NULL);
  g_autoptr (ForgeGraph) eight = bench_network_graph ("mobilenetv2", 8, NULL);
  g_assert_cmpuint (one->values->len, ==, eight->values->len);
  g_assert_true (same_constants (one, eight));
  const ForgeValue *out = eight->outputs->pdata[0];
  g_assert_cmpint (out->shape.dims[0], ==, 8);
}

static void
every_network_has_published_counts (void)
{
  guint n = 0;
  for (; bench_network_name (n); n++) {
    g_assert_cmpuint (n, <, G_N_ELEMENTS (published));
    g_assert_cmpstr (bench_network_name (n), ==, published[n].name);
  }
  g_assert_cmpuint (n, ==, G_N_ELEMENTS (published));
}

static void
unknown_network_is_refused_by_name (void)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (bench_network_graph ("lenet", 1, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "lenet"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (published); i++) {
    g_autofree char *path = g_strdup_printf (
        "/bench-networks/counts_are_those_published/%s", published[i].name);
    g_test_add_data_func (path, &published[i], counts_are_those_published);
  }
  g_test_add_func ("/bench-networks/every_network_has_published_counts",
      every_network_has_published_counts);
  g_test_add_func ("/bench-networks/weights_are_the_same_for_every_batch",
      weights_are_the_same_for_every_batch);
  g_test_add_func ("/bench-networks/unknown_network_is_refused_by_name",
      unknown_network_is_refused_by_name);
  return g_test_run ();
}
