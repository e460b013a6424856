/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Conv's attributes and shapes as plain numbers, checked against one another.
 */
#include <string.h>

#include "ops/conv.h"
#include "ops/op-util.h"

/* Inputs 3 and 4 are what passes give, never a file. */
static gboolean
check_fused (const ForgeNode *node, ForgeConv *conv, GError **error)
{
  const ForgeValue *residual = forge_node_in (node, 3);
  const ForgeValue *gate = forge_node_in (node, 4);
  const ForgeShape shape = forge_shape (4, conv->n, 1, 1, conv->c);
  conv->gated = gate != NULL;
  if ((residual || gate) && (!node->nhwc || conv->groups != 1))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "expected at most 3 inputs, found %u", node->inputs->len);
  if (residual && !forge_op_need_float (node, 3, error))
    return FALSE;
  if (gate && (!forge_op_need_float (node, 4, error) ||
                  !forge_shape_equal (&gate->shape, &shape) ||
                  conv->taps != 1 || conv->in_pixels != conv->out_pixels))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "only an input of a 1x1 convolution has a gate, a factor a channel");
  return TRUE;
}

static gboolean
check_shapes (const ForgeNode *node, ForgeConv *conv, GError **error)
{
  const ForgeShape *w = &forge_node_in (node, 1)->shape;
  const ForgeValue *bias = forge_node_in (node, 2);
  int64_t groups = forge_attrs_int (node->attrs, "group", 1);
  conv->o = w->dims[0];
  conv->groups = groups;
  conv->group_c = w->dims[1];
  if (groups < 1 || conv->o < 1 || conv->group_c < 1 || conv->o % groups)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "group is %" G_GINT64_FORMAT ", which does not divide %" G_GINT64_FORMAT
        " output channels",
        groups, conv->o);
  if (conv->c >= 0 && (conv->c % groups || conv->c / groups != conv->group_c))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "weights for %" G_GINT64_FORMAT " channels in each of %" G_GINT64_FORMAT
        " groups meet an input of %" G_GINT64_FORMAT,
        conv->group_c, groups, conv->c);
  if (bias && (!forge_op_need_float (node, 2, error) ||
                  !forge_op_need_rank (node, 2, 1, error)))
    return FALSE;
  if (bias && bias->shape.dims[0] != conv->o)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "%" G_GINT64_FORMAT " biases for %" G_GINT64_FORMAT " output channels",
        bias->shape.dims[0], conv->o);
  conv->group_o = conv->o / groups;
  conv->depthwise = conv->group_c == 1 && conv->group_o == 1 && groups > 1;
  return check_fused (node, conv, error);
}

gboolean
forge_conv_parse (const ForgeNode *node, ForgeConv *conv, GError **error)
{
  if (!forge_op_need_float (node, 0, error) ||
      !forge_op_need_float (node, 1, error))
    return FALSE;
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  const ForgeShape *w = &forge_node_in (node, 1)->shape;
  if (in->rank != 3 && in->rank != 4)
    return forge_op_need_rank (node, 0, 4, error);
  if (!forge_op_need_rank (node, 1, in->rank, error))
    return FALSE;
  memset (conv, 0, sizeof *conv);
  if (!forge_window_parse (node, FORGE_WINDOW_CONV,
          in->rank == 4 ? w->dims[2] : 1, w->dims[in->rank - 1], &conv->window,
          error))
    return FALSE;
  conv->n = conv->window.n;
  conv->c = conv->window.c;
  conv->taps = conv->window.kh * conv->window.kw;
  conv->in_pixels = conv->window.ih * conv->window.iw;
  conv->out_pixels = conv->window.oh * conv->window.ow;
  return check_shapes (node, conv, error);
}
