/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ViT-tiny as timm writes it (vit_tiny_patch16_224) and torch exports it at
 * opset 17: a convolution cuts the picture into 14x14 patches; a token for the
 * class goes before them; twelve blocks of attention and MLP, each behind a
 * LayerNormalization; Gelu by Erf. Linear layers on tokens are MatMul and Add,
 * the last one, on the class token, a Gemm.
 * Sources: Dosovitskiy et al. 2020; Touvron et al. 2020 (DeiT-Ti). */
#include <math.h>

#include "net.h"
#include "tensor/tensor.h"

enum {
  PATCH = 16,
  WIDTH = 192,
  DEPTH = 12,
  HEADS = 3,
  HEAD = WIDTH / HEADS,
  GRID = 224 / PATCH,
  TOKENS = GRID * GRID + 1,
};

static ForgeValue *
binary (Net *net, const char *type, ForgeValue *a, ForgeValue *b)
{
  ForgeValue *inputs[] = { a, b };
  return net_node (net, type, NULL, inputs, 2);
}

static ForgeValue *
scalar (Net *net, float value)
{
  return net_constant (net, forge_shape (0), value, 0);
}

static ForgeValue *
reshape (Net *net, ForgeValue *in, const int64_t *shape, int rank)
{
  return binary (net, "Reshape", in, net_ints (net, shape, rank));
}

static ForgeValue *
transpose (Net *net, ForgeValue *in, const int64_t *perm, gsize rank)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "perm", perm, rank);
  return net_node (net, "Transpose", attrs, &in, 1);
}

/* Entry @index of an axis, which goes away. */
static ForgeValue *
pick (Net *net, ForgeValue *in, int axis, int64_t index)
{
  ForgeShape shape = forge_shape (0);
  g_autoptr (ForgeTensor) tensor = forge_tensor_new (FORGE_INT64, &shape, NULL);
  g_assert (tensor);
  *(int64_t *) tensor->data = index;
  g_autofree char *name = g_strdup_printf ("c_%u", net->n_nodes++);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", axis);
  ForgeValue *inputs[] = { in,
    forge_graph_add_constant (net->graph, name, tensor) };
  return net_node (net, "Gather", attrs, inputs, 2);
}

static ForgeValue *
layer_norm (Net *net, ForgeValue *in)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", -1);
  forge_attrs_set_float (attrs, "epsilon", 1e-6f);
  ForgeValue *inputs[] = { in,
    net_constant (net, forge_shape (1, WIDTH), 1, 0.05),
    net_constant (net, forge_shape (1, WIDTH), 0, 0.05) };
  return net_node (net, "LayerNormalization", attrs, inputs, 3);
}

static ForgeValue *
linear (Net *net, ForgeValue *in, int n_in, int n_out)
{
  ForgeValue *weights =
      net_constant (net, forge_shape (2, n_in, n_out), 0, sqrt (1.0 / n_in));
  ForgeValue *bias = net_constant (net, forge_shape (1, n_out), 0, 0.02);
  return binary (net, "Add", bias, binary (net, "MatMul", in, weights));
}

static ForgeValue *
gelu (Net *net, ForgeValue *x)
{
  ForgeValue *scaled = binary (net, "Div", x, scalar (net, sqrtf (2)));
  ForgeValue *erf = net_node (net, "Erf", NULL, &scaled, 1);
  ForgeValue *gate = binary (net, "Add", erf, scalar (net, 1));
  return binary (net, "Mul", binary (net, "Mul", x, gate), scalar (net, 0.5f));
}

static ForgeValue *
attention (Net *net, ForgeValue *x, int64_t batch)
{
  static const int64_t split[] = { 2, 0, 3, 1, 4 }, turn[] = { 0, 1, 3, 2 },
                       join[] = { 0, 2, 1, 3 };
  const int64_t heads[] = { batch, TOKENS, 3, HEADS, HEAD };
  const int64_t whole[] = { batch, TOKENS, WIDTH };
  x = reshape (net, linear (net, x, WIDTH, 3 * WIDTH), heads, 5);
  x = transpose (net, x, split, 5); /* [3, N, heads, tokens, HEAD] */
  ForgeValue *q = pick (net, x, 0, 0), *k = pick (net, x, 0, 1),
             *v = pick (net, x, 0, 2);
  q = binary (net, "Mul", q, scalar (net, 1 / sqrtf (HEAD)));
  ForgeValue *scores = binary (net, "MatMul", q, transpose (net, k, turn, 4));
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", -1);
  scores = net_node (net, "Softmax", attrs, &scores, 1);
  x = transpose (net, binary (net, "MatMul", scores, v), join, 4);
  return linear (net, reshape (net, x, whole, 3), WIDTH, WIDTH);
}

static ForgeValue *
mlp (Net *net, ForgeValue *x)
{
  x = gelu (net, linear (net, x, WIDTH, 4 * WIDTH));
  return linear (net, x, 4 * WIDTH, WIDTH);
}

/* Patches as tokens, the class token before them, places added. */
static ForgeValue *
embed (Net *net, Map in, int64_t batch)
{
  static const int64_t turn[] = { 0, 2, 1 };
  const int64_t rows[] = { batch, WIDTH, TOKENS - 1 };
  const int64_t many[] = { batch, 1, WIDTH };
  Map patches = net_conv (net, in, WIDTH, PATCH, PATCH, 0, PLAIN);
  ForgeValue *tokens =
      transpose (net, reshape (net, patches.value, rows, 3), turn, 3);
  ForgeValue *class_token = binary (net, "Expand",
      net_constant (net, forge_shape (3, 1, 1, WIDTH), 0, 0.02),
      net_ints (net, many, 3));
  ForgeValue *both[] = { class_token, tokens };
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", 1);
  return binary (net, "Add", net_node (net, "Concat", attrs, both, 2),
      net_constant (net, forge_shape (3, 1, TOKENS, WIDTH), 0, 0.02));
}

Map
net_vit_tiny (Net *net, Map in)
{
  int64_t batch = in.value->shape.dims[0];
  ForgeValue *x = embed (net, in, batch);
  for (int i = 0; i < DEPTH; i++) {
    x = binary (net, "Add", x, attention (net, layer_norm (net, x), batch));
    x = binary (net, "Add", x, mlp (net, layer_norm (net, x)));
  }
  Map last = { pick (net, layer_norm (net, x), 1, 0), WIDTH, 0 };
  return net_dense (net, last, 1000, PLAIN);
}
