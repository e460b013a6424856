/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Element-wise activations, all one kernel with a kind:
 *   Relu max (0, x); Clip min (max (x, lo), hi); LeakyRelu x < 0 ? a x : x;
 *   Sigmoid 1 / (1 + e^-x); Tanh; HardSigmoid max (0, min (1, a x + b));
 *   HardSwish x HardSigmoid (x; 1/6, 1/2); Silu x Sigmoid (x) (domain forge,
 *   made by a pass from Sigmoid and Mul); Gelu x Phi (x), or its approximation
 *   by Tanh.
 * Source: ONNX operator specification; Clip took its bounds as attributes
 * before opset 11, as inputs since. */
#include "ops/op-util.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "ops/element.h"

static const struct {
  const char *type;
  ForgeUnary kind;
  float alpha, beta;
  gboolean has_attrs; /* alpha and beta can be set */
} kinds[] = {
  { "Relu", FORGE_UNARY_CLAMP, 0, INFINITY },
  { "Clip", FORGE_UNARY_CLAMP, -INFINITY, INFINITY },
  { "LeakyRelu", FORGE_UNARY_LEAKY, 0.01f, 0, TRUE },
  { "Sigmoid", FORGE_UNARY_SIGMOID, 0, 0 },
  { "Tanh", FORGE_UNARY_TANH, 0, 0 },
  { "HardSigmoid", FORGE_UNARY_HARD_SIGMOID, 0.2f, 0.5f, TRUE },
  { "HardSwish", FORGE_UNARY_HARD_SWISH, 0, 0 },
  { "Silu", FORGE_UNARY_SILU, 0, 0 },
  { "Gelu", FORGE_UNARY_GELU, 0, 0 },
};

static gboolean
is_approximate (const ForgeNode *node)
{
  return strcmp (forge_attrs_string (node->attrs, "approximate", "none"),
             "tanh") == 0;
}

/* Everything but bounds that are inputs of a Clip. */
static gboolean
find_kind (const ForgeNode *node, ForgeActivation *activation)
{
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++) {
    if (strcmp (kinds[i].type, node->op->type) != 0)
      continue;
    *activation = (ForgeActivation) { (int) kinds[i].kind, kinds[i].alpha,
      kinds[i].beta };
    if (kinds[i].has_attrs) {
      activation->alpha =
          forge_attrs_float (node->attrs, "alpha", kinds[i].alpha);
      activation->beta = forge_attrs_float (node->attrs, "beta", kinds[i].beta);
    }
    if (kinds[i].kind == FORGE_UNARY_GELU && is_approximate (node))
      activation->kind = FORGE_UNARY_GELU_TANH;
    return TRUE;
  }
  return FALSE;
}

static gboolean
is_clip (const ForgeNode *node)
{
  return strcmp (node->op->type, "Clip") == 0;
}

/* Bounds of a Clip from attributes or, where @bounds gives them, tensors. */
static void
read_bounds (const ForgeNode *node, const ForgeTensor *lo,
    const ForgeTensor *hi, ForgeActivation *activation)
{
  activation->alpha = forge_attrs_float (node->attrs, "min", -INFINITY);
  activation->beta = forge_attrs_float (node->attrs, "max", INFINITY);
  if (lo)
    activation->alpha = *(const float *) lo->data;
  if (hi)
    activation->beta = *(const float *) hi->data;
}

gboolean
forge_node_activation (const ForgeNode *node, ForgeActivation *activation)
{
  const ForgeValue *lo = forge_node_in (node, 1);
  const ForgeValue *hi = forge_node_in (node, 2);
  if (!find_kind (node, activation))
    return FALSE;
  if (!is_clip (node))
    return TRUE;
  if (forge_node_in (node, 0)->dtype != FORGE_FLOAT32)
    return FALSE;
  if ((lo && !lo->constant) || (hi && !hi->constant))
    return FALSE;
  read_bounds (
      node, lo ? lo->constant : NULL, hi ? hi->constant : NULL, activation);
  return TRUE;
}

/* Clip has bounds of the input's own type, and any but bool will do. */
static gboolean
check_types (const ForgeNode *node, GError **error)
{
  ForgeDtype dtype = forge_node_in (node, 0)->dtype;
  if (!is_clip (node) || dtype == FORGE_FLOAT32)
    return forge_op_need_float (node, 0, error);
  if (!forge_dtype_size_bytes (dtype) || dtype == FORGE_BOOL ||
      dtype == FORGE_UINT64)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input 0 is %s, which is not supported", forge_dtype_name (dtype));
  return TRUE;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  ForgeDtype dtype = forge_node_in (node, 0)->dtype;
  const char *approximate =
      forge_attrs_string (node->attrs, "approximate", "none");
  if (!check_types (node, error))
    return FALSE;
  if (strcmp (approximate, "none") != 0 && !is_approximate (node))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "approximate is '%s'; expected 'none' or 'tanh'", approximate);
  for (guint i = 1; i < 3; i++) {
    const ForgeValue *bound = forge_node_in (node, i);
    if (bound && bound->dtype != dtype)
      return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
          "input %u ('%s') is %s beside %s", i, bound->name,
          forge_dtype_name (bound->dtype), forge_dtype_name (dtype));
    if (bound && forge_shape_count (&bound->shape) != 1)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "input %u ('%s') must be a scalar", i, bound->name);
  }
  return forge_op_set_out (
      node, 0, dtype, &forge_node_in (node, 0)->shape, error);
}

/* Clip of another type than float32. */
static void
clip_elements (const ForgeStep *step)
{
  const ForgeTensor *in = step->in[0];
  const ForgeTensor *lo = step->n_in > 1 ? step->in[1] : NULL;
  const ForgeTensor *hi = step->n_in > 2 ? step->in[2] : NULL;
  ForgeTensor *out = step->out[0];
  ForgeDtype type = in->dtype;
  size_t count = (size_t) forge_tensor_get_count (in);
  for (size_t i = 0; i < count; i++)
    if (forge_element_is_float (type)) {
      double x = forge_element_load_float (type, in->data, i);
      x = lo ? MAX (x, forge_element_load_float (type, lo->data, 0)) : x;
      x = hi ? MIN (x, forge_element_load_float (type, hi->data, 0)) : x;
      forge_element_store_float (type, out->data, i, x);
    } else {
      int64_t x = forge_element_load_int (type, in->data, i);
      x = lo ? MAX (x, forge_element_load_int (type, lo->data, 0)) : x;
      x = hi ? MIN (x, forge_element_load_int (type, hi->data, 0)) : x;
      forge_element_store_int (type, out->data, i, x);
    }
}

typedef struct {
  ForgeActivation activation;
  const float *x, *y, *dy;
  float *out;
} Unary;

static Unary
unary_of (const ForgeStep *step)
{
  Unary unary = { .x = step->in[0]->data };
  find_kind (step->node, &unary.activation);
  if (is_clip (step->node))
    read_bounds (step->node, step->n_in > 1 ? step->in[1] : NULL,
        step->n_in > 2 ? step->in[2] : NULL, &unary.activation);
  return unary;
}

static void
run_range (void *data, size_t begin, size_t end)
{
  const Unary *unary = data;
  forge_kernels ()->unary_f32 ((ForgeUnary) unary->activation.kind, end - begin,
      unary->x + begin, unary->activation.alpha, unary->activation.beta,
      unary->out + begin);
}

static void
run (const ForgeStep *step)
{
  if (step->in[0]->dtype != FORGE_FLOAT32) {
    clip_elements (step);
    return;
  }
  Unary unary = unary_of (step);
  unary.out = step->out[0]->data;
  forge_op_ranges (step->threads,
      (size_t) forge_tensor_get_count (step->out[0]), FORGE_OP_GRAIN, run_range,
      &unary);
}

/* Phi (x) + x phi (x) */
static float
gelu_slope (float x)
{
  float density = expf (-0.5f * x * x) * 0.3989422804f;
  return 0.5f * erfcf (-x * (float) M_SQRT1_2) + x * density;
}

static float
gelu_tanh_slope (float x)
{
  float t = tanhf (0.7978845608f * (x + 0.044715f * x * x * x));
  float inner = 0.7978845608f * (1 + 3 * 0.044715f * x * x);
  return 0.5f * (1 + t) + 0.5f * x * (1 - t * t) * inner;
}

/* dy/dx at x, where the activation gave y. */
static float
slope (const ForgeActivation *activation, float x, float y)
{
  float alpha = activation->alpha, beta = activation->beta;
  switch ((ForgeUnary) activation->kind) {
  case FORGE_UNARY_CLAMP:
    return x > alpha && x < beta ? 1 : 0;
  case FORGE_UNARY_LEAKY:
    return x < 0 ? alpha : 1;
  case FORGE_UNARY_SIGMOID:
    return y * (1 - y);
  case FORGE_UNARY_SILU:
    break; /* has a kernel */
  case FORGE_UNARY_HARD_SIGMOID:
    return y > 0 && y < 1 ? alpha : 0;
  case FORGE_UNARY_HARD_SWISH:
    return x <= -3 ? 0 : x >= 3 ? 1 : x / 3 + 0.5f;
  case FORGE_UNARY_TANH:
    return 1 - y * y;
  case FORGE_UNARY_EXP:
    return y;
  case FORGE_UNARY_GELU:
    return gelu_slope (x);
  case FORGE_UNARY_GELU_TANH:
    return gelu_tanh_slope (x);
  }
  return 0;
}

static void
clamp_backward (const Unary *unary, size_t begin, size_t end)
{
  float lo = unary->activation.alpha, hi = unary->activation.beta;
  const float *x = unary->x, *dy = unary->dy;
  float *out = unary->out;
  /* Two selects instead of a branch, for the vectoriser. */
  for (size_t i = begin; i < end; i++) {
    float gradient = dy[i];
    gradient = x[i] > lo ? gradient : 0;
    out[i] = x[i] < hi ? gradient : 0;
  }
}

static void
backward_range (void *data, size_t begin, size_t end)
{
  const Unary *unary = data;
  if (unary->activation.kind == FORGE_UNARY_CLAMP) {
    clamp_backward (unary, begin, end);
    return;
  }
  if (unary->activation.kind == FORGE_UNARY_SILU) {
    forge_kernels ()->silu_grad_f32 (
        end - begin, unary->x + begin, unary->dy + begin, unary->out + begin);
    return;
  }
  for (size_t i = begin; i < end; i++)
    unary->out[i] =
        unary->dy[i] * slope (&unary->activation, unary->x[i], unary->y[i]);
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  if (!gradients->d_in[0])
    return;
  Unary unary = unary_of (step);
  unary.y = step->out[0]->data;
  unary.dy = gradients->d_out[0]->data;
  unary.out = gradients->d_in[0]->data;
  forge_op_ranges (step->threads,
      (size_t) forge_tensor_get_count (step->out[0]), FORGE_OP_GRAIN,
      backward_range, &unary);
}

static int64_t
flops (const ForgeNode *node)
{
  return MAX (0, forge_shape_count (&forge_node_out (node, 0)->shape));
}

#define UNARY_OP(name, the_domain, n_inputs)       \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = the_domain,                          \
    .min_inputs = 1,                               \
    .max_inputs = n_inputs,                        \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer,                                \
    .run = run,                                    \
    .backward = backward,                          \
    .flops = flops,                                \
    .in_place = TRUE }

UNARY_OP (Relu, "", 1);
UNARY_OP (Clip, "", 3);
UNARY_OP (LeakyRelu, "", 1);
UNARY_OP (Sigmoid, "", 1);
UNARY_OP (Tanh, "", 1);
UNARY_OP (HardSigmoid, "", 1);
UNARY_OP (HardSwish, "", 1);
UNARY_OP (Silu, "forge", 1);
UNARY_OP (Gelu, "", 1);
