/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Einsum of one or two operands: products summed over every label that the
 * result does not name. An ellipsis stands for leading axes that broadcast.
 * The labels become one loop nest: those of the result outside, the summed
 * ones inside, the last of them a strided dot product in float64.
 * Source: ONNX operator specification, Einsum-12; NumPy's einsum. */
#include <ctype.h>
#include <string.h>

#include "ops/element.h"
#include "ops/op-util.h"

#define MAX_LABELS (2 * FORGE_MAX_DIMS)
#define MAX_TERMS 2

/* Axes of an ellipsis have the labels 1, 2, .. counted from the last. */
typedef struct {
  char labels[MAX_LABELS + 1]; /* of the result, then the summed ones */
  int n_labels, n_out;
  int64_t extents[MAX_LABELS];
  int64_t strides[MAX_TERMS][MAX_LABELS]; /* 0 where a term lacks the label */
} Equation;

static gboolean
refuse (const ForgeNode *node, const char *text, GError **error)
{
  return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
      "equation '%s' %s", forge_attrs_string (node->attrs, "equation", ""),
      text);
}

/* Spells out a term such as "b...ij" for a tensor of @rank axes; -1 = the
 * ellipsis takes what the letters leave. */
static gboolean
spell (const ForgeNode *node, const char *term, size_t length, int rank,
    int most_ellipsis, char labels[MAX_LABELS + 1], GError **error)
{
  int letters = 0, n = 0, dots = 0;
  for (size_t i = 0; i < length; i++) {
    letters += isalpha ((unsigned char) term[i]) != 0;
    dots += term[i] == '.';
  }
  int ellipsis = dots ? (rank >= 0 ? rank - letters : most_ellipsis) : 0;
  if ((dots != 0 && dots != 3) || ellipsis < 0 ||
      letters + ellipsis > FORGE_MAX_DIMS ||
      (rank >= 0 && letters + ellipsis != rank))
    return refuse (node, "does not fit the inputs", error);
  for (size_t i = 0; i < length; i++) {
    if (isalpha ((unsigned char) term[i])) {
      labels[n++] = term[i];
    } else if (term[i] == '.' && i + 2 < length && term[i + 1] == '.') {
      for (int k = ellipsis; k > 0; k--)
        labels[n++] = (char) k;
      i += 2;
    } else if (term[i] != ' ') {
      return refuse (node, "has a sign that is not supported", error);
    }
  }
  labels[n] = 0;
  return TRUE;
}

static int
find_label (const Equation *eq, char label)
{
  for (int i = 0; i < eq->n_labels; i++)
    if (eq->labels[i] == label)
      return i;
  return -1;
}

/* Splits "ij,jk->ik"; without an arrow the result has every label that comes
 * once, in alphabetical order, the ellipsis before them. */
static gboolean
read_terms (const ForgeNode *node, char terms[MAX_TERMS][MAX_LABELS + 1],
    char out[MAX_LABELS + 1], GError **error)
{
  const char *text = forge_attrs_string (node->attrs, "equation", "");
  const char *arrow = strstr (text, "->");
  const char *end = arrow ? arrow : text + strlen (text);
  guint n_terms = node->inputs->len;
  int most_ellipsis = 0;
  for (guint t = 0; t < n_terms; t++) {
    const char *comma = memchr (text, ',', (size_t) (end - text));
    const char *stop = comma ? comma : end;
    int rank = forge_node_in (node, t)->shape.rank;
    if ((comma != NULL) != (t + 1 < n_terms))
      return refuse (node, "does not fit the number of inputs", error);
    if (!spell (node, text, (size_t) (stop - text), rank, 0, terms[t], error))
      return FALSE;
    for (const char *c = terms[t]; *c; c++)
      if (*c <= FORGE_MAX_DIMS)
        most_ellipsis = MAX (most_ellipsis, *c);
    text = stop + 1;
  }
  if (arrow)
    return spell (
        node, arrow + 2, strlen (arrow + 2), -1, most_ellipsis, out, error);
  int n = 0;
  for (int k = most_ellipsis; k > 0; k--)
    out[n++] = (char) k;
  for (int c = 'A'; c <= 'z' && n < FORGE_MAX_DIMS; c++) {
    int uses = 0;
    for (guint t = 0; t < n_terms; t++)
      for (const char *l = terms[t]; *l; l++)
        uses += *l == c;
    if (uses == 1)
      out[n++] = (char) c;
  }
  out[n] = 0;
  return TRUE;
}

/* One operand's axes: extents agree or are 1, a repeated label walks the
 * diagonal. */
static gboolean
add_term (const ForgeNode *node, guint t, const char *labels, Equation *eq,
    GError **error)
{
  const ForgeShape *shape = &forge_node_in (node, t)->shape;
  int64_t strides[FORGE_MAX_DIMS], extent;
  forge_shape_strides (shape, strides);
  for (int d = 0; d < shape->rank; d++) {
    int l = find_label (eq, labels[d]);
    if (l < 0) {
      if (eq->n_labels == MAX_LABELS)
        return refuse (node, "has too many labels", error);
      l = eq->n_labels++;
      eq->labels[l] = labels[d];
      eq->extents[l] = 1;
    }
    extent = shape->dims[d];
    if (extent > FORGE_OP_MAX_ELEMS ||
        (extent > 1 && eq->extents[l] > 1 && eq->extents[l] != extent))
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "axis %d of input %u has %" G_GINT64_FORMAT
          " elements; expected %" G_GINT64_FORMAT,
          d, t, extent, eq->extents[l]);
    if (extent != 1 && eq->extents[l] >= 0)
      eq->extents[l] = extent;
    if (extent != 1)
      eq->strides[t][l] += strides[d];
  }
  return TRUE;
}

static gboolean
read_equation (const ForgeNode *node, Equation *eq, GError **error)
{
  char terms[MAX_TERMS][MAX_LABELS + 1], out[MAX_LABELS + 1];
  *eq = (Equation) { 0 };
  for (guint t = 0; t < node->inputs->len; t++) {
    ForgeDtype dtype = forge_node_in (node, t)->dtype;
    if (!forge_element_is_float (dtype) ||
        dtype != forge_node_in (node, 0)->dtype)
      return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
          "input %u is %s; expected floats of one type", t,
          forge_dtype_name (dtype));
  }
  if (!read_terms (node, terms, out, error))
    return FALSE;
  for (const char *c = out; *c; c++) {
    gboolean used = FALSE;
    for (guint t = 0; t < node->inputs->len; t++)
      used |= strchr (terms[t], *c) != NULL;
    if (!used || find_label (eq, *c) >= 0)
      return refuse (node, "names a label of the result wrongly", error);
    eq->labels[eq->n_labels] = *c;
    eq->extents[eq->n_labels++] = 1;
  }
  eq->n_out = eq->n_labels;
  for (guint t = 0; t < node->inputs->len; t++)
    if (!add_term (node, t, terms[t], eq, error))
      return FALSE;
  return TRUE;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  Equation eq;
  ForgeShape out = { 0 };
  if (!read_equation (node, &eq, error))
    return FALSE;
  for (; out.rank < eq.n_out; out.rank++)
    out.dims[out.rank] = eq.extents[out.rank];
  return forge_op_set_out (
      node, 0, forge_node_in (node, 0)->dtype, &out, error);
}

typedef struct {
  Equation eq;
  ForgeDtype dtype;
  const void *a, *b; /* b may be NULL */
  void *out;
} Job;

/* The sum over the last label. */
static double
dot (const Job *job, int64_t n, int64_t a, int64_t a_step, int64_t b,
    int64_t b_step)
{
  const float *fa = job->a, *fb = job->b;
  double sum = 0;
  if (job->dtype == FORGE_FLOAT32 && fb) {
    for (int64_t k = 0; k < n; k++)
      sum += (double) fa[a + k * a_step] * fb[b + k * b_step];
    return sum;
  }
  for (int64_t k = 0; k < n; k++) {
    double x = forge_element_load_float (
        job->dtype, job->a, (size_t) (a + k * a_step));
    sum += job->b ? x * forge_element_load_float (
                            job->dtype, job->b, (size_t) (b + k * b_step))
                  : x;
  }
  return sum;
}

/* Moves an offset per operand to element @index of labels [from, to). */
static void
seek (
    const Equation *eq, int from, int to, int64_t index, int64_t *a, int64_t *b)
{
  for (int l = to - 1; l >= from; l--) {
    int64_t place = index % eq->extents[l];
    index /= eq->extents[l];
    *a += place * eq->strides[0][l];
    *b += place * eq->strides[1][l];
  }
}

static int64_t
product (const Equation *eq, int from, int to)
{
  int64_t count = 1;
  for (int l = from; l < to; l++)
    count *= eq->extents[l];
  return count;
}

static void
run_elements (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const Equation *eq = &job->eq;
  gboolean sums = eq->n_labels > eq->n_out;
  int last = eq->n_labels - 1, inner = sums ? last : eq->n_labels;
  int64_t n = sums ? eq->extents[last] : 1;
  int64_t a_step = sums ? eq->strides[0][last] : 0;
  int64_t b_step = sums ? eq->strides[1][last] : 0;
  int64_t outer = product (eq, eq->n_out, inner);
  for (size_t i = begin; i < end; i++) {
    int64_t a0 = 0, b0 = 0;
    double sum = 0;
    seek (eq, 0, eq->n_out, (int64_t) i, &a0, &b0);
    for (int64_t o = 0; o < outer; o++) {
      int64_t a = a0, b = b0;
      seek (eq, eq->n_out, inner, o, &a, &b);
      sum += dot (job, n, a, a_step, b, b_step);
    }
    forge_element_store_float (job->dtype, job->out, i, sum);
  }
}

static void
run (const ForgeStep *step)
{
  Job job = { .dtype = step->in[0]->dtype,
    .a = step->in[0]->data,
    .b = step->n_in > 1 ? step->in[1]->data : NULL,
    .out = step->out[0]->data };
  if (!read_equation (step->node, &job.eq, NULL))
    return;
  int64_t terms = product (&job.eq, job.eq.n_out, job.eq.n_labels);
  forge_op_ranges (step->threads,
      (size_t) forge_tensor_get_count (step->out[0]),
      (size_t) (FORGE_OP_GRAIN / MAX (terms, 1) + 1), run_elements, &job);
}

static int64_t
flops (const ForgeNode *node)
{
  Equation eq;
  double count = 2;
  if (!read_equation (node, &eq, NULL))
    return 0;
  for (int l = 0; l < eq.n_labels; l++)
    count *= (double) MAX (eq.extents[l], 0);
  return count < 0x1p62 ? (int64_t) count : INT64_MAX;
}

const ForgeOp forge_op_Einsum = { .type = "Einsum",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = MAX_TERMS,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run,
  .flops = flops };
