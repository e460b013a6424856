/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Element-wise functions by libm: activations that are rarer than those in
 * unary.c (Elu, Selu, Celu, Mish, Softplus, Softsign, ThresholdedRelu)
 * and plain functions (Erf, Sqrt, Exp, Log, Neg, Abs, Reciprocal, the
 * trigonometric ones, Floor, Ceil, Round, Sign). Each row gives the value and,
 * where the operator trains, the slope. float32 only, but that Neg, Abs
 * and Sign take integers too.
 * Source: ONNX operator specification. */
#include <math.h>
#include <string.h>

#include "ops/element.h"
#include "ops/op-util.h"

typedef float (*Function) (float x, float alpha, float gamma);

static float
elu (float x, float alpha, float gamma)
{
  return x > 0 ? x : alpha * expm1f (x);
}

static float
elu_slope (float x, float alpha, float gamma)
{
  return x > 0 ? 1 : alpha * expf (x);
}

static float
selu (float x, float alpha, float gamma)
{
  return gamma * elu (x, alpha, 0);
}

static float
selu_slope (float x, float alpha, float gamma)
{
  return gamma * elu_slope (x, alpha, 0);
}

static float
celu (float x, float alpha, float gamma)
{
  return x > 0 ? x : alpha * expm1f (x / alpha);
}

static float
celu_slope (float x, float alpha, float gamma)
{
  return x > 0 ? 1 : expf (x / alpha);
}

static float
softplus (float x, float alpha, float gamma)
{
  return MAX (x, 0) + log1pf (expf (-fabsf (x)));
}

static float
logistic (float x, float alpha, float gamma)
{
  return 1 / (1 + expf (-x));
}

static float
mish (float x, float alpha, float gamma)
{
  return x * tanhf (softplus (x, 0, 0));
}

static float
mish_slope (float x, float alpha, float gamma)
{
  float t = tanhf (softplus (x, 0, 0));
  return t + x * (1 - t * t) * logistic (x, 0, 0);
}

static float
softsign (float x, float alpha, float gamma)
{
  return x / (1 + fabsf (x));
}

static float
softsign_slope (float x, float alpha, float gamma)
{
  float d = 1 + fabsf (x);
  return 1 / (d * d);
}

static float
thresholded (float x, float alpha, float gamma)
{
  return x > alpha ? x : 0;
}

static float
thresholded_slope (float x, float alpha, float gamma)
{
  return x > alpha ? 1 : 0;
}

static float
error_function (float x, float alpha, float gamma)
{
  return erff (x);
}

static float
error_slope (float x, float alpha, float gamma)
{
  return (float) M_2_SQRTPI * expf (-x * x);
}

static float
square_root (float x, float alpha, float gamma)
{
  return sqrtf (x);
}

static float
square_root_slope (float x, float alpha, float gamma)
{
  return 0.5f / sqrtf (x);
}

static float
exponential (float x, float alpha, float gamma)
{
  return expf (x);
}

static float
logarithm (float x, float alpha, float gamma)
{
  return logf (x);
}

static float
reciprocal (float x, float alpha, float gamma)
{
  return 1 / x;
}

static float
reciprocal_slope (float x, float alpha, float gamma)
{
  return -1 / (x * x);
}

static float
negative (float x, float alpha, float gamma)
{
  return -x;
}

static float
minus_one (float x, float alpha, float gamma)
{
  return -1;
}

static float
absolute (float x, float alpha, float gamma)
{
  return fabsf (x);
}

static float
sign (float x, float alpha, float gamma)
{
  return x > 0 ? 1 : x < 0 ? -1 : x;
}

static float
sine (float x, float alpha, float gamma)
{
  return sinf (x);
}

static float
cosine (float x, float alpha, float gamma)
{
  return cosf (x);
}

static float
minus_sine (float x, float alpha, float gamma)
{
  return -sinf (x);
}

static float
round_down (float x, float alpha, float gamma)
{
  return floorf (x);
}

static float
round_up (float x, float alpha, float gamma)
{
  return ceilf (x);
}

static float
round_even (float x, float alpha, float gamma)
{
  return nearbyintf (x);
}

static float
tangent (float x, float alpha, float gamma)
{
  return tanf (x);
}

static float
arc_sine (float x, float alpha, float gamma)
{
  return asinf (x);
}

static float
arc_cosine (float x, float alpha, float gamma)
{
  return acosf (x);
}

static float
arc_tangent (float x, float alpha, float gamma)
{
  return atanf (x);
}

static float
hyperbolic_sine (float x, float alpha, float gamma)
{
  return sinhf (x);
}

static float
hyperbolic_cosine (float x, float alpha, float gamma)
{
  return coshf (x);
}

static float
area_sine (float x, float alpha, float gamma)
{
  return asinhf (x);
}

static float
area_cosine (float x, float alpha, float gamma)
{
  return acoshf (x);
}

static float
area_tangent (float x, float alpha, float gamma)
{
  return atanhf (x);
}

static const struct {
  const char *type;
  Function value, slope;
  float alpha, gamma; /* defaults of the attributes */
} functions[] = {
  { "Elu", elu, elu_slope, 1 },
  { "Selu", selu, selu_slope, 1.67326319217681884765625f,
      1.05070102214813232421875f },
  { "Celu", celu, celu_slope, 1 },
  { "Mish", mish, mish_slope },
  { "Softplus", softplus, logistic },
  { "Softsign", softsign, softsign_slope },
  { "ThresholdedRelu", thresholded, thresholded_slope, 1 },
  { "Erf", error_function, error_slope },
  { "Sqrt", square_root, square_root_slope },
  { "Exp", exponential, exponential },
  { "Log", logarithm, reciprocal },
  { "Reciprocal", reciprocal, reciprocal_slope },
  { "Neg", negative, minus_one },
  { "Abs", absolute, sign },
  { "Sin", sine, cosine },
  { "Cos", cosine, minus_sine },
  { "Floor", round_down },
  { "Ceil", round_up },
  { "Round", round_even },
  { "Sign", sign },
  { "Tan", tangent },
  { "Asin", arc_sine },
  { "Acos", arc_cosine },
  { "Atan", arc_tangent },
  { "Sinh", hyperbolic_sine },
  { "Cosh", hyperbolic_cosine },
  { "Asinh", area_sine },
  { "Acosh", area_cosine },
  { "Atanh", area_tangent },
};

typedef struct {
  Function function;
  float alpha, gamma;
  const float *x, *dy; /* dy NULL = forward */
  float *out;
} Job;

static Job
job_of (const ForgeStep *step, gboolean slope)
{
  const ForgeNode *node = step->node;
  gsize i = 0;
  while (strcmp (functions[i].type, node->op->type) != 0)
    i++;
  Function value = functions[i].value, derivative = functions[i].slope;
  return (Job) {
    .function = slope ? derivative : value,
    .alpha = forge_attrs_float (node->attrs, "alpha", functions[i].alpha),
    .gamma = forge_attrs_float (node->attrs, "gamma", functions[i].gamma),
    .x = step->in[0]->data,
  };
}

/* These three take integers too: shape arithmetic does. */
static gboolean
takes_integers (const ForgeNode *node)
{
  static const char *const types[] = { "Neg", "Abs", "Sign", NULL };
  ForgeDtype dtype = forge_node_in (node, 0)->dtype;
  return g_strv_contains (types, node->op->type) &&
         forge_dtype_size_bytes (dtype) && dtype != FORGE_BOOL &&
         !forge_element_is_float (dtype);
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  if (!takes_integers (node) && !forge_op_need_float (node, 0, error))
    return FALSE;
  return forge_op_set_out (node, 0, in->dtype, &in->shape, error);
}

static void
run_integers (const ForgeStep *step)
{
  const ForgeTensor *in = step->in[0];
  const char *type = step->node->op->type;
  gboolean is_unsigned = in->dtype == FORGE_UINT64;
  size_t count = (size_t) forge_tensor_get_count (in);
  for (size_t i = 0; i < count; i++) {
    int64_t x = forge_element_load_int (in->dtype, in->data, i);
    gboolean below = x < 0 && !is_unsigned;
    int64_t minus = (int64_t) (0 - (uint64_t) x);
    if (type[0] == 'S')
      x = below ? -1 : x != 0;
    else if (type[0] == 'N' || below)
      x = minus;
    forge_element_store_int (in->dtype, step->out[0]->data, i, x);
  }
}

static void
run_range (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  for (size_t i = begin; i < end; i++) {
    float value = job->function (job->x[i], job->alpha, job->gamma);
    job->out[i] = job->dy ? job->dy[i] * value : value;
  }
}

static void
run (const ForgeStep *step)
{
  Job job = job_of (step, FALSE);
  if (step->in[0]->dtype != FORGE_FLOAT32) {
    run_integers (step);
    return;
  }
  job.out = step->out[0]->data;
  forge_op_ranges (step->threads,
      (size_t) forge_tensor_get_count (step->out[0]), FORGE_OP_GRAIN / 4,
      run_range, &job);
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  Job job = job_of (step, TRUE);
  if (!gradients->d_in[0])
    return;
  job.dy = gradients->d_out[0]->data;
  job.out = gradients->d_in[0]->data;
  forge_op_ranges (step->threads,
      (size_t) forge_tensor_get_count (step->out[0]), FORGE_OP_GRAIN / 4,
      run_range, &job);
}

static int64_t
flops (const ForgeNode *node)
{
  return MAX (0, forge_shape_count (&forge_node_out (node, 0)->shape));
}

#define MATH_OP(name, backward_func)               \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = "",                                  \
    .min_inputs = 1,                               \
    .max_inputs = 1,                               \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer,                                \
    .run = run,                                    \
    .backward = backward_func,                     \
    .flops = flops,                                \
    .in_place = TRUE }

MATH_OP (Elu, backward);
MATH_OP (Selu, backward);
MATH_OP (Celu, backward);
MATH_OP (Mish, backward);
MATH_OP (Softplus, backward);
MATH_OP (Softsign, backward);
MATH_OP (ThresholdedRelu, backward);
MATH_OP (Erf, backward);
MATH_OP (Sqrt, backward);
MATH_OP (Exp, backward);
MATH_OP (Log, backward);
MATH_OP (Reciprocal, backward);
MATH_OP (Neg, backward);
MATH_OP (Abs, backward);
MATH_OP (Sin, backward);
MATH_OP (Cos, backward);
MATH_OP (Floor, NULL);
MATH_OP (Ceil, NULL);
MATH_OP (Round, NULL);
MATH_OP (Sign, NULL);
MATH_OP (Tan, NULL);
MATH_OP (Asin, NULL);
MATH_OP (Acos, NULL);
MATH_OP (Atan, NULL);
MATH_OP (Sinh, NULL);
MATH_OP (Cosh, NULL);
MATH_OP (Asinh, NULL);
MATH_OP (Acosh, NULL);
MATH_OP (Atanh, NULL);
