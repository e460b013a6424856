/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A network as nodes and values. formats/ builds it, passes/ rewrite it,
 * run/ and train/ plan and execute it. */
#pragma once

#include "ops/op.h"

typedef struct {
  char *name;
  int opset;            /* of the default domain */
  GPtrArray *nodes;     /* ForgeNode*, owned; topological after sort */
  GPtrArray *values;    /* ForgeValue*, owned */
  GPtrArray *inputs;    /* ForgeValue*, without constants */
  GPtrArray *outputs;   /* ForgeValue* */
  GHashTable *metadata; /* char* -> char*: ONNX metadata_props */
  GHashTable *by_name;  /* name -> ForgeValue* */
  guint next_id;        /* of fresh names */
} ForgeGraph;

ForgeGraph *forge_graph_new (const char *name);
void forge_graph_free (ForgeGraph *graph);
/* Deep, but constants are shared by reference. */
ForgeGraph *forge_graph_copy (const ForgeGraph *graph);

/* NULL when there is none. */
ForgeValue *forge_graph_find (const ForgeGraph *graph, const char *name);
/* The named value, made when absent. An empty or NULL name gets a fresh one. */
ForgeValue *forge_graph_value (ForgeGraph *graph, const char *name);
/* FALSE, and nothing happens, where the name is empty or taken. */
gboolean forge_graph_rename (
    ForgeGraph *graph, ForgeValue *value, const char *name);
ForgeValue *forge_graph_add_input (ForgeGraph *graph, const char *name,
    ForgeDtype dtype, const ForgeShape *shape);
/* Takes a reference to @tensor. */
ForgeValue *forge_graph_add_constant (
    ForgeGraph *graph, const char *name, ForgeTensor *tensor);
/* Takes a reference to @tensor; type and shape follow it, and it is stored as
 * it is. */
void forge_value_set_constant (ForgeValue *value, ForgeTensor *tensor);
/* How a file keeps the constant: UNKNOWN for as it is, FLOAT16, or INT8 by
 * @scale, float32 of one element or, with @scale_axis >= 0, one for each index
 * along that axis. Takes a reference to @scale. */
void forge_value_set_stored (
    ForgeValue *value, ForgeDtype dtype, ForgeTensor *scale, int scale_axis);
void forge_graph_add_output (ForgeGraph *graph, ForgeValue *value);
/* Appends a node. NULL in @inputs stands for an optional input left out, so
 * the counts are given. Takes @attrs (nullable). */
ForgeNode *forge_graph_add_node (ForgeGraph *graph, const ForgeOp *op,
    const char *name, ForgeAttrs *attrs, ForgeValue *const *inputs,
    guint n_inputs, ForgeValue *const *outputs, guint n_outputs);
/* Takes the node out and frees it; its outputs lose their producer. */
void forge_graph_remove_node (ForgeGraph *graph, ForgeNode *node);
/* All that are in the set @nodes. */
void forge_graph_remove_nodes (ForgeGraph *graph, GHashTable *nodes);
/* Every reader of @from (and the graph outputs) reads @to instead. */
void forge_graph_replace_value (
    ForgeGraph *graph, ForgeValue *from, ForgeValue *to);
/* Number of nodes that read the value, plus one if it is a graph output. */
guint forge_graph_count_readers (
    const ForgeGraph *graph, const ForgeValue *value);
/* Drops values that nobody produces or reads. */
void forge_graph_sweep (ForgeGraph *graph);

/* Checks that every value has one origin and every node the right number of
 * inputs and outputs, then orders the nodes (a sound order stays as it is).
 * An error, FORGE_ERROR_FORMAT, names the node: a cycle, a value nobody or
 * two nodes produce, a missing input. */
gboolean forge_graph_sort (ForgeGraph *graph, GError **error);
/* Shape inference over all nodes, in order. */
gboolean forge_graph_infer (ForgeGraph *graph, GError **error);
/* Is a value of float16, bfloat16 or float64 among them? */
gboolean forge_graph_has_other_floats (const ForgeGraph *graph);
/* Is one an input or output of a network that multiplies by weights? */
gboolean forge_graph_is_other_float_network (const ForgeGraph *graph);
/* All of them become float32; shapes are to be inferred again. */
gboolean forge_graph_widen_floats (ForgeGraph *graph, GError **error);

/* Sets the leading unknown extent of every input to @batch and infers again.
 * An error names an input with other unknown extents. */
gboolean forge_graph_bind_batch (
    ForgeGraph *graph, int64_t batch, GError **error);

/* passes.def order. INFERENCE runs all; TRAINING only those that keep every
 * parameter as it is (layout). */
typedef enum { FORGE_PASSES_INFERENCE, FORGE_PASSES_TRAINING } ForgePassSet;
gboolean forge_graph_run_passes (
    ForgeGraph *graph, ForgePassSet set, GError **error);
/* One of them alone, e.g. "fold_affine": for tests. */
gboolean forge_graph_run_pass (
    ForgeGraph *graph, const char *name, ForgePassSet set, GError **error);

/* A value that lies in another one: the part of its rows from element
 * @first on, @stride_elems from row to row. */
typedef struct {
  const ForgeValue *whole; /* the output of a Concat */
  int64_t first, stride_elems;
} ForgeSlice;

/* ForgeValue* -> ForgeSlice*, owned. Inputs of Concats along the last axis
 * that their producers can write, and all their readers read, in place. */
GHashTable *forge_graph_find_slices (const ForgeGraph *graph);

/* Memory plan: each activation gets an offset in one arena so that values
 * alive at the same time never overlap. */
typedef struct {
  size_t arena_bytes;
  GHashTable *offsets; /* ForgeValue* -> GSIZE_TO_POINTER (offset) */
  GHashTable *slices;  /* of forge_graph_find_slices(); NULL if keep_all */
} ForgeMemoryPlan;

/* @keep_all: no reuse (training needs every activation). Graph inputs and
 * outputs are placed in the arena too; inputs are never written over. Views
 * share their source's place, slices that of the whole, in-place operators
 * that of a dying input; a view of a constant has no place. Errors:
 * FORGE_ERROR_SHAPE for an unknown extent, FORGE_ERROR_MEMORY,
 * FORGE_ERROR_UNSUPPORTED for too many values. */
ForgeMemoryPlan *forge_memory_plan_new (
    const ForgeGraph *graph, gboolean keep_all, GError **error);
/* FALSE when @value has no place. */
gboolean forge_memory_plan_find (
    const ForgeMemoryPlan *plan, const ForgeValue *value, size_t *offset_bytes);
/* As ForgeTensor.slice_stride_elems. */
int64_t forge_memory_plan_slice_stride (
    const ForgeMemoryPlan *plan, const ForgeValue *value);
void forge_memory_plan_free (ForgeMemoryPlan *plan);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeGraph, forge_graph_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeMemoryPlan, forge_memory_plan_free)
