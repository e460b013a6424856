/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Matrix products of bytes: QLinearMatMul and MatMulInteger, with leading
 * extents that broadcast, and com.microsoft's QGemm (bias, transposes, a float
 * result when there is no output scale). A zero point or scale of B may be one
 * a column; those of A are one for all.
 * Source: ONNX operator specification, QLinearMatMul-10, MatMulInteger-10;
 * ONNX Runtime, docs/ContribOperators.md, QGemm. */
#include <string.h>

#include "base/alloc.h"
#include "ops/broadcast.h"
#include "ops/int-conv.h"
#include "ops/requantise.h"

/* Where the operators have their inputs; -1 = not at all. */
typedef struct {
  const char *type;
  int a_scale, a_zero, b, b_scale, b_zero, bias, y_scale, y_zero;
} Ports;

static const Ports all_ports[] = {
  { "QLinearMatMul", 1, 2, 3, 4, 5, -1, 6, 7 },
  { "MatMulInteger", -1, 2, 1, -1, 3, -1, -1, -1 },
  { "QGemm", 1, 2, 3, 4, 5, 6, 7, 8 },
};

typedef struct {
  ForgeIntConv conv;               /* of one matrix */
  int64_t stride_k, stride_n;      /* of B */
  ForgeShape a_lead, b_lead, lead; /* extents before the matrices */
  gboolean transposed;             /* A */
} Product;

typedef struct {
  Product product;
  size_t multipliers_at, bias_at, a_at, packed_at, scratch_at; /* bytes */
} Prepared;

static const Ports *
ports_of (const ForgeNode *node)
{
  const Ports *ports = all_ports;
  while (strcmp (ports->type, node->op->type) != 0)
    ports++;
  return ports;
}

static ForgeShape
lead_of (const ForgeShape *shape)
{
  ForgeShape lead = *shape;
  lead.rank = MAX (0, shape->rank - 2);
  return lead;
}

static gboolean
parse (const ForgeNode *node, Product *product, GError **error)
{
  guint b_index = (guint) ports_of (node)->b;
  if (!forge_quant_need_byte (node, 0, error) ||
      !forge_quant_need_byte (node, b_index, error))
    return FALSE;
  const ForgeShape *a = &forge_node_in (node, 0)->shape;
  const ForgeShape *b = &forge_node_in (node, b_index)->shape;
  gboolean gemm = strcmp (node->op->type, "QGemm") == 0;
  if (a->rank < 2 || b->rank < 2 || (gemm && (a->rank > 2 || b->rank > 2)))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "operands have %d and %d dimensions; expected 2%s", a->rank, b->rank,
        gemm ? "" : " or more");
  memset (product, 0, sizeof *product);
  product->transposed = gemm && forge_attrs_int (node->attrs, "transA", 0);
  gboolean flip = gemm && forge_attrs_int (node->attrs, "transB", 0);
  int64_t m = a->dims[a->rank - (product->transposed ? 1 : 2)];
  int64_t k = a->dims[a->rank - (product->transposed ? 2 : 1)];
  int64_t b_k = b->dims[b->rank - (flip ? 1 : 2)];
  int64_t n = b->dims[b->rank - (flip ? 2 : 1)];
  product->a_lead = lead_of (a);
  product->b_lead = lead_of (b);
  if ((k >= 0 && b_k >= 0 && k != b_k) || MAX (k, b_k) > FORGE_OP_MAX_ELEMS ||
      m > FORGE_OP_MAX_ELEMS || n > FORGE_OP_MAX_ELEMS ||
      !forge_shape_broadcast (
          &product->a_lead, &product->b_lead, &product->lead)) {
    g_autofree char *sa = forge_shape_to_string (a);
    g_autofree char *sb = forge_shape_to_string (b);
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "shapes %s and %s do not multiply", sa, sb);
  }
  product->stride_k = flip ? 1 : n;
  product->stride_n = flip ? k : 1;
  forge_int_conv_from_matrix (&product->conv, 1, m, MAX (k, b_k), n);
  return TRUE;
}

static gboolean
check_bias (
    const ForgeNode *node, guint index, const Product *product, GError **error)
{
  const ForgeValue *bias = forge_node_in (node, index);
  int64_t n = product->conv.o;
  if (!bias)
    return TRUE;
  int64_t count = forge_shape_count (&bias->shape);
  if (bias->dtype == FORGE_INT32 && (count == 1 || count == n) &&
      (bias->shape.rank == 0 ||
          bias->shape.dims[bias->shape.rank - 1] == count))
    return TRUE;
  g_autofree char *text = forge_shape_to_string (&bias->shape);
  return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
      "bias is %s %s; expected int32, one or one a column",
      forge_dtype_name (bias->dtype), text);
}

/* Zero points alone, as MatMulInteger has them. */
static gboolean
check_zero (const ForgeNode *node, guint index, guint of, int64_t n_channels,
    GError **error)
{
  const ForgeValue *zero = forge_node_in (node, index);
  const ForgeValue *value = forge_node_in (node, of);
  if (!zero)
    return TRUE;
  int64_t count = forge_shape_count (&zero->shape);
  if (zero->dtype == value->dtype && (count == 1 || count == n_channels))
    return TRUE;
  return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
      "zero point %u is %s with %" G_GINT64_FORMAT
      " elements; expected %s, one for all%s",
      index, forge_dtype_name (zero->dtype), count,
      forge_dtype_name (value->dtype), of ? " or one a column" : "");
}

static gboolean
set_out (
    ForgeNode *node, const Product *product, ForgeDtype dtype, GError **error)
{
  ForgeShape out = product->lead;
  if (out.rank + 2 > FORGE_MAX_DIMS)
    return forge_node_error (
        node, error, FORGE_ERROR_UNSUPPORTED, "too many dimensions");
  out.dims[out.rank++] = product->conv.window.iw;
  out.dims[out.rank++] = product->conv.o;
  return forge_op_set_out (node, 0, dtype, &out, error);
}

static gboolean
infer_integer (ForgeNode *node, GError **error)
{
  Product product;
  return parse (node, &product, error) && check_zero (node, 2, 0, 1, error) &&
         check_zero (node, 3, 1, product.conv.o, error) &&
         set_out (node, &product, FORGE_INT32, error);
}

static gboolean
infer_scaled (ForgeNode *node, GError **error)
{
  const Ports *ports = ports_of (node);
  Product product;
  if (!parse (node, &product, error) ||
      !forge_quant_check (
          node, 1, 2, forge_node_in (node, 0)->dtype, -1, error) ||
      !forge_quant_check (
          node, 4, 5, forge_node_in (node, 3)->dtype, product.conv.o, error))
    return FALSE;
  if (ports->bias >= 0 &&
      !check_bias (node, (guint) ports->bias, &product, error))
    return FALSE;
  guint y_scale = (guint) ports->y_scale, y_zero = (guint) ports->y_zero;
  if (ports->bias >= 0 && !forge_node_in (node, y_scale))
    return set_out (node, &product, FORGE_FLOAT32, error);
  return forge_quant_need_byte (node, y_zero, error) &&
         forge_quant_check (node, y_scale, y_zero,
             forge_node_in (node, y_zero)->dtype, -1, error) &&
         set_out (node, &product, forge_node_in (node, y_zero)->dtype, error);
}

static gboolean
prepare (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  Prepared *p = g_new0 (Prepared, 1);
  if (!parse (node, &p->product, error)) {
    g_free (p);
    return FALSE;
  }
  const ForgeIntConv *conv = &p->product.conv;
  size_t n = (size_t) conv->o;
  p->bias_at = forge_align_up (n * sizeof (float));
  p->a_at = p->bias_at + forge_align_up (n * sizeof (int32_t));
  p->packed_at = p->a_at;
  if (p->product.transposed)
    p->packed_at +=
        forge_align_up ((size_t) (conv->window.iw * conv->window.c));
  p->scratch_at =
      p->packed_at + forge_align_up (forge_int_conv_packed_bytes (conv));
  prepared->workspace_bytes =
      p->scratch_at + forge_int_conv_scratch_bytes (conv);
  prepared->algorithm = "int-matmul";
  prepared->free = g_free;
  prepared->data = p;
  return TRUE;
}

static const ForgeTensor *
input (const ForgeStep *step, int index)
{
  return index < 0 ? NULL : forge_step_in (step, (guint) index);
}

/* One bias a column, repeated where the file has one for all. */
static const int32_t *
read_bias (const ForgeTensor *bias, int64_t n, int32_t *columns)
{
  if (!bias)
    return NULL;
  const int32_t *values = bias->data;
  int64_t count = forge_shape_count (&bias->shape);
  for (int64_t i = 0; i < n; i++)
    columns[i] = values[count == 1 ? 0 : i];
  return columns;
}

/* A [K, M] as [M, K]. */
static const void *
turn (const Product *product, const uint8_t *a, uint8_t *turned)
{
  int64_t m = product->conv.window.iw, k = product->conv.window.c;
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < k; j++)
      turned[i * k + j] = a[j * m + i];
  return turned;
}

/* The matrices one after another; B is packed when it is another than the
 * last. */
static void
run_all (const ForgeStep *step, ForgeIntSum *sum, ForgeRequantise *to)
{
  const Prepared *p = step->prepared->data;
  const Product *product = &p->product;
  const Ports *ports = ports_of (step->node);
  int64_t m = product->conv.window.iw, k = product->conv.window.c;
  int64_t n = product->conv.o, n_products = forge_shape_count (&product->lead);
  int64_t packed_b = -1;
  int16_t *packed = (int16_t *) ((char *) step->workspace + p->packed_at);
  size_t out_bytes =
      (size_t) (m * n) * forge_dtype_size_bytes (step->out[0]->dtype);
  ForgeBroadcast bc;
  forge_broadcast_init (
      &bc, &product->a_lead, &product->b_lead, &product->lead);
  for (int64_t i = 0; i < n_products; i++) {
    int64_t a_at, b_at;
    forge_broadcast_row (&bc, i / bc.row, &a_at, &b_at);
    a_at += i % bc.row * (int64_t) bc.a_step;
    b_at += i % bc.row * (int64_t) bc.b_step;
    if (b_at != packed_b)
      forge_int_conv_pack (&product->conv, step->in[ports->b], b_at * k * n,
          product->stride_n, 0, product->stride_k, input (step, ports->b_zero),
          packed);
    packed_b = b_at;
    sum->in = (const uint8_t *) step->in[0]->data + a_at * m * k;
    if (product->transposed)
      sum->in = turn (product, sum->in, (uint8_t *) step->workspace + p->a_at);
    to->out = (char *) step->out[0]->data + (size_t) i * out_bytes;
    sum->finish_data =
        sum->finish == forge_requantise_store ? to->out : (void *) to;
    forge_int_conv_run (sum, step->threads);
  }
}

static void
run (const ForgeStep *step)
{
  const Prepared *p = step->prepared->data;
  const Ports *ports = ports_of (step->node);
  const ForgeIntConv *conv = &p->product.conv;
  char *workspace = step->workspace;
  float *multipliers = (float *) workspace;
  ForgeIntSum sum = { .conv = conv,
    .dtype = step->in[0]->dtype,
    .zero = forge_quant_zero (input (step, ports->a_zero), 0),
    .weights = (int16_t *) (workspace + p->packed_at),
    .bias = read_bias (input (step, ports->bias), conv->o,
        (int32_t *) (workspace + p->bias_at)),
    .scratch = workspace + p->scratch_at,
    .finish =
        ports->a_scale < 0 ? forge_requantise_store : forge_requantise_row };
  ForgeRequantise to = { .multipliers = multipliers,
    .dtype = step->out[0]->dtype,
    .zero = forge_quant_zero (input (step, ports->y_zero), 0) };
  if (ports->a_scale >= 0) {
    float alpha = forge_attrs_float (step->node->attrs, "alpha", 1);
    forge_requantise_multipliers (step->in[ports->a_scale],
        step->in[ports->b_scale], input (step, ports->y_scale), conv->o,
        multipliers);
    for (int64_t i = 0; i < conv->o && alpha != 1; i++)
      multipliers[i] *= alpha;
  }
  run_all (step, &sum, &to);
}

static int64_t
flops (const ForgeNode *node)
{
  Product product;
  if (!parse (node, &product, NULL))
    return 0;
  int64_t outputs = forge_shape_count (&forge_node_out (node, 0)->shape);
  return forge_flops (outputs, forge_flops (product.conv.window.c, 2));
}

const ForgeOp forge_op_QLinearMatMul = { .type = "QLinearMatMul",
  .domain = "",
  .min_inputs = 8,
  .max_inputs = 8,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_scaled,
  .prepare = prepare,
  .run = run,
  .flops = flops };

const ForgeOp forge_op_MatMulInteger = { .type = "MatMulInteger",
  .domain = "",
  .min_inputs = 2,
  .max_inputs = 4,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_integer,
  .prepare = prepare,
  .run = run,
  .flops = flops };

const ForgeOp forge_op_QGemm = { .type = "QGemm",
  .domain = "com.microsoft",
  .min_inputs = 6,
  .max_inputs = 9,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_scaled,
  .prepare = prepare,
  .run = run,
  .flops = flops };
