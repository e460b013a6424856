/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TfliteAveragePool and TfliteMaxPool (domain forge) of bytes in NHWC.
 * Averages round half away from zero; padding does not count.
 * Source: tensorflow/lite/kernels/internal/reference/integer_ops/pooling.h */
#include <string.h>

#include "ops/tflite-math.h"
#include "ops/window.h"

static gboolean
check_nhwc (const ForgeNode *node, GError **error)
{
  if (!forge_quant_need_byte (node, 0, error) ||
      !forge_op_need_rank (node, 0, 4, error))
    return FALSE;
  if (!node->nhwc)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "it works in NHWC only");
  return TRUE;
}

static gboolean
infer_pool (ForgeNode *node, GError **error)
{
  ForgeWindow window;
  if (!check_nhwc (node, error) ||
      !forge_window_parse (node, FORGE_WINDOW_POOL, 0, 0, &window, error))
    return FALSE;
  ForgeShape out = forge_window_out_shape (node, &window, window.c);
  return forge_op_set_out (
      node, 0, forge_node_in (node, 0)->dtype, &out, error);
}

static int32_t
divide_rounding (int32_t sum, int32_t count)
{
  return (sum > 0 ? sum + count / 2 : sum - count / 2) / count;
}

typedef struct {
  ForgeWindow window;
  const ForgeTensor *in;
  uint8_t *out;
  gboolean max_pool;
  int32_t min, max;
} Pool;

/* One output pixel and channel. */
static int32_t
pool_one (const Pool *pool, int64_t n, int64_t p, int64_t c)
{
  const ForgeWindow *w = &pool->window;
  int32_t sum = 0, largest = INT32_MIN, count = 0;
  for (int64_t k = 0; k < w->kh * w->kw; k++) {
    int64_t pixel = forge_window_pixel (w, p / w->ow, p % w->ow, k);
    if (pixel < 0)
      continue;
    int32_t q = forge_quant_load (pool->in->dtype, pool->in->data,
        (n * w->ih * w->iw + pixel) * w->c + c);
    sum += q;
    largest = MAX (largest, q);
    count++;
  }
  return pool->max_pool ? largest : divide_rounding (sum, count);
}

static void
run_pixels (void *data, size_t begin, size_t end)
{
  const Pool *pool = data;
  int64_t area = pool->window.oh * pool->window.ow, channels = pool->window.c;
  for (int64_t at = (int64_t) begin; at < (int64_t) end; at++)
    for (int64_t c = 0; c < channels; c++) {
      int32_t value = pool_one (pool, at / area, at % area, c);
      pool->out[at * channels + c] =
          (uint8_t) CLAMP (value, pool->min, pool->max);
    }
}

static void
run_pool (const ForgeStep *step)
{
  const ForgeAttrs *attrs = step->node->attrs;
  Pool pool = { .in = step->in[0],
    .out = step->out[0]->data,
    .max_pool = strcmp (step->node->op->type, "TfliteMaxPool") == 0,
    .min = (int32_t) forge_attrs_int (attrs, "min", 0),
    .max = (int32_t) forge_attrs_int (attrs, "max", 0) };
  if (!forge_window_parse (
          step->node, FORGE_WINDOW_POOL, 0, 0, &pool.window, NULL))
    return;
  const ForgeWindow *w = &pool.window;
  forge_op_ranges (step->threads, (size_t) (w->n * w->oh * w->ow),
      (size_t) (FORGE_OP_GRAIN / (w->kh * w->kw * MAX (w->c, 1)) + 1),
      run_pixels, &pool);
}

#define POOL_OP(name)                              \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = "forge",                             \
    .min_inputs = 1,                               \
    .max_inputs = 1,                               \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer_pool,                           \
    .run = run_pool }

POOL_OP (TfliteAveragePool);
POOL_OP (TfliteMaxPool);
