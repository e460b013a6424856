/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of operators, made from ops.def. */
#include "ops/op.h"

#include <string.h>

#define OP(type, file) extern const ForgeOp forge_op_##type;
#include "ops/ops.def"
#undef OP

#define OP(type, file) &forge_op_##type,
static const ForgeOp *const ops[] = {
#include "ops/ops.def"
  NULL,
};
#undef OP

const ForgeOp *
forge_op_find (const char *type, const char *domain)
{
  if (!domain || strcmp (domain, "ai.onnx") == 0)
    domain = "";
  for (gsize i = 0; ops[i]; i++)
    if (strcmp (ops[i]->type, type) == 0 &&
        strcmp (ops[i]->domain, domain) == 0)
      return ops[i];
  return NULL;
}

const ForgeOp *const *
forge_op_list (void)
{
  return ops;
}
