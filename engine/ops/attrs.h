/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The typed attributes of a node. */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "tensor/tensor.h"

typedef struct _ForgeAttrs ForgeAttrs;

typedef enum {
  FORGE_ATTR_INT,
  FORGE_ATTR_FLOAT,
  FORGE_ATTR_STRING,
  FORGE_ATTR_INTS,
  FORGE_ATTR_FLOATS,
  FORGE_ATTR_TENSOR,
} ForgeAttrType;

typedef struct {
  ForgeAttrType type;
  int64_t i;
  float f;
  char *s;
  GArray *ints;   /* int64_t */
  GArray *floats; /* float */
  ForgeTensor *tensor;
} ForgeAttr;

ForgeAttrs *forge_attrs_new (void);
ForgeAttrs *forge_attrs_copy (const ForgeAttrs *attrs);
void forge_attrs_free (ForgeAttrs *attrs);

void forge_attrs_set_int (ForgeAttrs *attrs, const char *name, int64_t value);
void forge_attrs_set_float (ForgeAttrs *attrs, const char *name, float value);
void forge_attrs_set_string (
    ForgeAttrs *attrs, const char *name, const char *value);
void forge_attrs_set_ints (
    ForgeAttrs *attrs, const char *name, const int64_t *values, gsize n_values);
void forge_attrs_set_floats (
    ForgeAttrs *attrs, const char *name, const float *values, gsize n_values);
void forge_attrs_set_tensor (
    ForgeAttrs *attrs, const char *name, ForgeTensor *value);

/* NULL when absent. */
const ForgeAttr *forge_attrs_get (const ForgeAttrs *attrs, const char *name);
/* The fallback when absent or of another type. */
int64_t forge_attrs_int (
    const ForgeAttrs *attrs, const char *name, int64_t fallback);
float forge_attrs_float (
    const ForgeAttrs *attrs, const char *name, float fallback);
const char *forge_attrs_string (
    const ForgeAttrs *attrs, const char *name, const char *fallback);
/* Number of values; *values NULL when absent. */
gsize forge_attrs_ints (
    const ForgeAttrs *attrs, const char *name, const int64_t **values);
/* Calls @func for every attribute, in name order. */
void forge_attrs_foreach (const ForgeAttrs *attrs,
    void (*func) (const char *name, const ForgeAttr *attr, gpointer data),
    gpointer data);
