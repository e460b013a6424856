/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What an operator is: a node's data, and the functions that one file in
 * ops/ gives for one ONNX operator. ops.def lists the operators; graph/ owns
 * the nodes, run/ and train/ call the functions.
 *
 * Life of a node: infer (shapes) -> prepare (pack constants, choose kernels,
 * once per plan) -> bind (pointers of one session known: indirection) -> run
 * (many times). Training adds backward.
 *
 * Layout: shapes follow ONNX (NCHW) until the layout pass sets node->nhwc and
 * permutes the values around it; an operator with nhwc set reads and writes
 * [N, H, W, C] activations. Weights keep ONNX's own order always. */
#pragma once

#include "base/pool.h"
#include "ops/attrs.h"
#include "tensor/tensor.h"

typedef struct _ForgeOp ForgeOp;
typedef struct _ForgeNode ForgeNode;

/* An edge of the graph. */
typedef struct {
  char *name;
  ForgeDtype dtype;
  ForgeShape shape;      /* -1 where unknown */
  ForgeTensor *constant; /* initializer or folded value; NULL = activation */
  ForgeDtype stored;     /* how a file keeps it; UNKNOWN = as dtype says */
  ForgeTensor *scale;    /* of what is stored as int8; else NULL */
  int scale_axis;        /* one for each index along it; -1 = one for all */
  ForgeNode *producer;   /* NULL = graph input or constant */
  gboolean folded;       /* the constant was computed from its producer */
  gboolean frozen;       /* a constant that training leaves as it is */
} ForgeValue;

/* An activation fused into the node before it. alpha, beta as ForgeUnary. */
typedef struct {
  int kind; /* a ForgeUnary, or -1 for none */
  float alpha, beta;
} ForgeActivation;

#define FORGE_ACTIVATION_NONE \
  {                           \
    .kind = -1                \
  }

struct _ForgeNode {
  char *name;
  const ForgeOp *op;
  int opset;
  ForgeAttrs *attrs;
  GPtrArray *inputs;  /* ForgeValue*, not owned; NULL = optional, left out */
  GPtrArray *outputs; /* ForgeValue*, not owned */
  gboolean nhwc;
  ForgeActivation activation;
};

/* What prepare leaves behind: immutable, shared by all sessions of a plan. */
typedef struct {
  gpointer data;
  GDestroyNotify free;
  size_t workspace_bytes; /* scratch for one run of the node, all threads */
  /* Scratch for one backward of the node, and for its run in training. What
   * one call leaves there is not kept for the next. */
  size_t backward_workspace_bytes;
  size_t packed_bytes;   /* for reports */
  const char *algorithm; /* "igemm", "dwconv", ... for --profile */
  /* What ops/tuning.h knows it by, where there is a choice; data owns it. */
  const char *tuned_shape;
} ForgePrepared;

/* What bind leaves behind: per session. */
typedef struct {
  gpointer data;
  GDestroyNotify free;
} ForgeBound;

#define FORGE_MAX_NODE_IO 64

/* One node as a session runs it. All tensors have full shapes; their data
 * pointers stay the same for the life of the session. */
typedef struct {
  const ForgeNode *node;
  const ForgePrepared *prepared;
  ForgeBound bound;
  guint n_in, n_out;
  ForgeTensor **in; /* NULL entries = left out */
  ForgeTensor **out;
  void *workspace;          /* 64-byte aligned, known before bind, fixed */
  void *backward_workspace; /* likewise; NULL unless training */
  int threads;              /* for forge_pool_run; 1 = no locks */
  gboolean training;        /* dropout draws, batch norm uses the batch */
  uint64_t seed;            /* of this step, for dropout */
} ForgeStep;

/* Gradients of one node. d_in entries are NULL where none is wanted; they are
 * overwritten, not added to (train/ sums where a value has several readers).
 * Same shapes and dtype (float32) as the step's own tensors. */
typedef struct {
  ForgeTensor **d_out;
  ForgeTensor **d_in;
} ForgeGradients;

struct _ForgeOp {
  const char *type;           /* ONNX op_type */
  const char *domain;         /* "" = ai.onnx */
  int min_inputs, max_inputs; /* max -1 = any number */
  int min_outputs, max_outputs;
  /* Sets dtype and shape of node->outputs from node->inputs (unknown extents
   * stay -1). Error: FORGE_ERROR_SHAPE or _UNSUPPORTED naming the node. */
  gboolean (*infer) (ForgeNode *node, GError **error);
  /* Shapes are fully known. May be NULL. */
  gboolean (*prepare) (
      const ForgeNode *node, ForgePrepared *prepared, GError **error);
  /* Pointers are fixed. May be NULL. */
  gboolean (*bind) (ForgeStep *step, GError **error);
  void (*run) (const ForgeStep *step);
  /* NULL = not trainable. Nodes with a fused activation have no backward:
   * training does not fuse. Reads in[] and out[] as run left them. */
  void (*backward) (const ForgeStep *step, const ForgeGradients *gradients);
  /* Floating-point operations of one run, a multiply-add counted as two. NULL
   * = none worth counting. */
  int64_t (*flops) (const ForgeNode *node);
  /* TRUE when out[0] may share in[0]'s memory, their shapes being equal. */
  gboolean in_place;
  /* A pure renaming of the same bytes (Reshape, Flatten, Identity): the plan
   * gives out[0] the memory of in[0] and run is skipped. */
  gboolean is_view;
  /* May the rows (of the last axis) of in[index], or of out[0] for
   * FORGE_OP_OUT, lie apart, as those of a slice do? Shapes are known. NULL =
   * of none. A slice has ForgeTensor.slice_stride_elems set; it exists in
   * inference alone. */
  gboolean (*takes_slice) (const ForgeNode *node, int index);
};

#define FORGE_OP_OUT (-1)

/* NULL when there is no such operator. @domain may be "" or "ai.onnx". */
const ForgeOp *forge_op_find (const char *type, const char *domain);
/* All operators, NULL-terminated. */
const ForgeOp *const *forge_op_list (void);

/* Helpers for the files in ops/. */
ForgeValue *forge_node_in (const ForgeNode *node, guint index); /* or NULL */
ForgeValue *forge_node_out (const ForgeNode *node, guint index);
/* Sets @error to "node 'conv1' (Conv): <text>". Returns FALSE. */
gboolean forge_node_error (const ForgeNode *node, GError **error, int code,
    const char *format, ...) G_GNUC_PRINTF (4, 5);
/* The activation that an element-wise node computes (Relu, Clip with constant
 * bounds, Sigmoid, ...), for passes that fuse it. FALSE when it is none. */
gboolean forge_node_activation (
    const ForgeNode *node, ForgeActivation *activation);

/* What a Concat copies: its inputs but for those that lie in its output from
 * the start. */
size_t forge_concat_copied_bytes (const ForgeStep *step);

/* Writes @src with its dimensions in the order @perm, as Transpose does; @dst
 * has the type and the shape. */
void forge_op_permute (
    int threads, const ForgeTensor *src, const int *perm, ForgeTensor *dst);
