// SPDX-License-Identifier: LGPL-2.1-or-later
//
// oneDNN's primitives, for compare-run, as its documentation advises: layouts
// left to the library (format any), activations and residual sums as post-ops,
// element-wise layers in place, one scratchpad, buffers used again once their
// last reader is done. Needs oneDNN 3. Threads are OpenMP's; DNNL_SHOW=1 lists
// the implementations on standard error.
#include <omp.h>

#include <cstdio>
#include <cstdlib>
#include <dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "recipe.h"
#include "runner.h"

using namespace dnnl;
using Dims = memory::dims;
using Tag = memory::format_tag;
using Args = std::unordered_map<int, memory>;
static const auto f32 = memory::data_type::f32;
static const auto inference = prop_kind::forward_inference;

namespace
{

struct Buffer {
  void *data;
  size_t n_bytes;
  int n_users;
};

// A tensor: its memory and the buffer below it.
struct Place {
  memory mem;
  int buffer = -1;
};

class Network
{
public:
  explicit Network (const RunnerJob *job);
  void run ();
  memory output;

private:
  Place make (const memory::desc &desc);
  void release (int tensor);
  void release_buffer (int buffer);
  void add (const primitive &primitive, Args args, const memory::desc &scratch,
      const char *name);
  template <typename Pd> void add_pd (const Pd &pd, primitive made, Args args);
  memory reordered (const memory &from, const memory::desc &to, int *buffer);
  memory constant (
      const float *data, const Dims &dims, Tag tag, const memory::desc &to);
  Dims dims (int tensor) const;
  void set (int tensor, const Place &place);
  int find_sum (int index, int *other) const;
  void add_step (int index);
  void add_conv (int index);
  void add_dense (const RecipeStep &step);
  void add_affine (const RecipeStep &step);
  void add_unary (const RecipeStep &step);
  void add_binary (const RecipeStep &step);
  void add_pool (const RecipeStep &step);
  void add_concat (const RecipeStep &step);
  void add_softmax (const RecipeStep &step);

  const Recipe *recipe;
  engine cpu { engine::kind::cpu, 0 };
  stream queue { cpu };
  std::vector<Buffer> buffers;
  std::vector<Place> places;
  std::vector<int> left;      // readers of a tensor still to come
  std::vector<bool> computed; // steps that others took in
  std::vector<std::pair<primitive, Args> > calls;
  size_t scratch_bytes = 0;
};

bool
find_eltwise (RecipeAct act, algorithm *kind)
{
  switch (act) {
  case RECIPE_CLAMP:
    *kind = algorithm::eltwise_clip;
    return true;
  case RECIPE_SIGMOID:
    *kind = algorithm::eltwise_logistic;
    return true;
  case RECIPE_SILU:
    *kind = algorithm::eltwise_swish;
    return true;
  case RECIPE_HARD_SIGMOID:
    *kind = algorithm::eltwise_hardsigmoid;
    return true;
  case RECIPE_HARD_SWISH:
    *kind = algorithm::eltwise_hardswish;
    return true;
  default:
    return false;
  }
}

struct Eltwise {
  algorithm kind;
  float alpha, beta;
};

bool
read_act (const RecipeStep &step, Eltwise *eltwise)
{
  eltwise->alpha = step.alpha;
  eltwise->beta = step.beta;
  if (!find_eltwise (step.act, &eltwise->kind))
    return false;
  if (step.act == RECIPE_CLAMP && step.alpha == 0 && step.beta > 3e38f) {
    eltwise->kind = algorithm::eltwise_relu;
    eltwise->beta = 0;
  }
  if (step.act == RECIPE_SILU)
    eltwise->alpha = 1;
  if (step.act == RECIPE_HARD_SWISH) {
    eltwise->alpha = 1.0f / 6;
    eltwise->beta = 0.5f;
  }
  return true;
}

void
append_act (const RecipeStep &step, post_ops *ops)
{
  Eltwise eltwise;
  if (read_act (step, &eltwise))
    ops->append_eltwise (eltwise.kind, eltwise.alpha, eltwise.beta);
}

primitive_attr
attributes (const post_ops &ops)
{
  primitive_attr attr;
  attr.set_post_ops (ops);
  attr.set_scratchpad_mode (scratchpad_mode::user);
  return attr;
}

Place
Network::make (const memory::desc &desc)
{
  size_t n_bytes = desc.get_size ();
  int best = -1;
  for (int i = 0; i < (int) buffers.size (); i++)
    if (buffers[i].n_users == 0 && buffers[i].n_bytes >= n_bytes &&
        (best < 0 || buffers[i].n_bytes < buffers[best].n_bytes))
      best = i;
  if (best < 0) {
    void *data = std::aligned_alloc (64, (n_bytes + 127) / 64 * 64);
    if (!data)
      runner_fail ("no memory");
    best = (int) buffers.size ();
    buffers.push_back ({ data, n_bytes, 0 });
  }
  buffers[best].n_users++;
  Place place;
  place.mem = memory (desc, cpu, buffers[best].data);
  place.buffer = best;
  return place;
}

void
Network::release_buffer (int buffer)
{
  if (buffer >= 0)
    buffers[buffer].n_users--;
}

// One reader of @tensor is done.
void
Network::release (int tensor)
{
  if (--left[tensor] == 0)
    release_buffer (places[tensor].buffer);
}

void
Network::set (int tensor, const Place &place)
{
  places[tensor] = place;
}

Dims
Network::dims (int tensor) const
{
  const RecipeTensor &t = recipe->tensors[tensor];
  return { t.n, t.c, t.h, t.w };
}

void
Network::add (const primitive &made, Args args, const memory::desc &scratch,
    const char *name)
{
  if (scratch.get_size () > 0) {
    scratch_bytes = std::max (scratch_bytes, scratch.get_size ());
    args[DNNL_ARG_SCRATCHPAD] = memory (scratch, cpu, DNNL_MEMORY_NONE);
  }
  if (std::getenv ("DNNL_SHOW"))
    std::fprintf (stderr, "%s\n", name);
  calls.push_back ({ made, args });
}

template <typename Pd>
void
Network::add_pd (const Pd &pd, primitive made, Args args)
{
  add (made, args, pd.scratchpad_desc (), pd.impl_info_str ());
}

// @from in the layout @to; *buffer is to be released after use, or -1.
memory
Network::reordered (const memory &from, const memory::desc &to, int *buffer)
{
  *buffer = -1;
  if (from.get_desc () == to)
    return from;
  Place place = make (to);
  *buffer = place.buffer;
  reorder::primitive_desc pd (
      cpu, from.get_desc (), cpu, to, attributes (post_ops ()));
  add_pd (pd, reorder (pd),
      { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, place.mem } });
  return place.mem;
}

// Weights, packed now.
memory
Network::constant (
    const float *data, const Dims &dims, Tag tag, const memory::desc &to)
{
  memory plain ({ dims, f32, tag }, cpu, const_cast<float *> (data));
  memory packed (to, cpu);
  reorder (plain, packed).execute (queue, plain, packed);
  queue.wait ();
  return packed;
}

// The Add behind step @index that it can do itself, and its other operand;
// -1 where there is none.
int
Network::find_sum (int index, int *other) const
{
  const RecipeStep &step = recipe->steps[index];
  int reader = recipe_only_reader (recipe, step.out);
  if (step.act != RECIPE_PLAIN || reader < 0 ||
      recipe->steps[reader].kind != RECIPE_ADD)
    return -1;
  const RecipeStep &sum = recipe->steps[reader];
  *other = sum.inputs[sum.inputs[0] == step.out ? 1 : 0];
  return *other != step.out && places[*other].buffer >= 0 ? reader : -1;
}

void
Network::add_conv (int index)
{
  const RecipeStep &step = recipe->steps[index];
  int in = step.inputs[0], out = step.out, other = -1;
  int sum = find_sum (index, &other);
  post_ops ops;
  bool in_place = sum >= 0 && left[other] == 1;
  if (in_place)
    ops.append_sum (1);
  else if (sum >= 0)
    ops.append_binary (algorithm::binary_add, places[other].mem.get_desc ());
  append_act (sum >= 0 ? recipe->steps[sum] : step, &ops);
  int o = recipe->tensors[out].c, c = recipe->tensors[in].c;
  int g = step.groups;
  Dims weights = g > 1 ? Dims { g, o / g, c / g, step.kh, step.kw }
                       : Dims { o, c, step.kh, step.kw };
  memory::desc any_dst (dims (out), f32, Tag::any);
  convolution_forward::primitive_desc pd (cpu, inference,
      algorithm::convolution_auto, { dims (in), f32, Tag::any },
      { weights, f32, Tag::any }, { { o }, f32, Tag::x },
      sum >= 0 ? places[other].mem.get_desc () : any_dst, { step.sh, step.sw },
      { step.top, step.left }, { step.bottom, step.right }, attributes (ops));
  static const std::vector<float> zeros (65536, 0.0f);
  int temporary;
  memory src = reordered (places[in].mem, pd.src_desc (), &temporary);
  Args args = { { DNNL_ARG_SRC, src },
    { DNNL_ARG_WEIGHTS,
        constant (step.weights, weights, g > 1 ? Tag::goihw : Tag::oihw,
            pd.weights_desc ()) },
    { DNNL_ARG_BIAS, constant (step.bias ? step.bias : zeros.data (), { o },
                         Tag::x, pd.bias_desc ()) } };
  Place dst = in_place ? places[other] : make (pd.dst_desc ());
  args[DNNL_ARG_DST] = dst.mem;
  if (sum >= 0 && !in_place)
    args[DNNL_ARG_ATTR_MULTIPLE_POST_OP (0) | DNNL_ARG_SRC_1] =
        places[other].mem;
  add_pd (pd, convolution_forward (pd), args);
  release_buffer (temporary);
  if (in_place)
    buffers[dst.buffer].n_users++;
  if (sum >= 0) {
    release (other);
    left[out] = 0;
    computed[sum] = true;
    out = recipe->steps[sum].out;
  }
  set (out, dst);
}

void
Network::add_dense (const RecipeStep &step)
{
  const RecipeTensor &from = recipe->tensors[step.inputs[0]];
  int o = recipe->tensors[step.out].c;
  post_ops ops;
  append_act (step, &ops);
  Dims weights = { o, from.c, from.h, from.w };
  inner_product_forward::primitive_desc pd (cpu, inference,
      { dims (step.inputs[0]), f32, Tag::any }, { weights, f32, Tag::any },
      { { o }, f32, Tag::x }, { { from.n, o }, f32, Tag::nc },
      attributes (ops));
  int temporary;
  memory src =
      reordered (places[step.inputs[0]].mem, pd.src_desc (), &temporary);
  Place dst = make (pd.dst_desc ());
  add_pd (pd, inner_product_forward (pd),
      { { DNNL_ARG_SRC, src },
          { DNNL_ARG_WEIGHTS,
              constant (step.weights, weights, Tag::oihw, pd.weights_desc ()) },
          { DNNL_ARG_BIAS,
              constant (step.bias, { o }, Tag::x, pd.bias_desc ()) },
          { DNNL_ARG_DST, dst.mem } });
  release_buffer (temporary);
  dst.mem = memory (
      { dims (step.out), f32, Tag::nchw }, cpu, dst.mem.get_data_handle ());
  set (step.out, dst);
}

// An element-wise layer: over its input where nobody else reads that.
static bool
may_overwrite (int readers_left, int buffer)
{
  return readers_left == 1 && buffer >= 0;
}

void
Network::add_affine (const RecipeStep &step)
{
  int in = step.inputs[0], c = recipe->tensors[in].c;
  const memory::desc desc = places[in].mem.get_desc ();
  bool over = may_overwrite (left[in], places[in].buffer);
  Place dst = over ? places[in] : make (desc);
  if (over)
    buffers[dst.buffer].n_users++;
  if (!step.bias) { // one factor for all
    eltwise_forward::primitive_desc pd (cpu, inference,
        algorithm::eltwise_linear, desc, desc, step.weights[0], 0,
        attributes (post_ops ()));
    add_pd (pd, eltwise_forward (pd),
        { { DNNL_ARG_SRC, places[in].mem }, { DNNL_ARG_DST, dst.mem } });
    set (step.out, dst);
    return;
  }
  post_ops ops;
  append_act (step, &ops);
  batch_normalization_forward::primitive_desc pd (cpu, inference, desc, desc,
      0.0f,
      normalization_flags::use_global_stats | normalization_flags::use_scale |
          normalization_flags::use_shift,
      attributes (ops));
  std::vector<float> zero (c, 0.0f), one (c, 1.0f);
  memory::desc row ({ c }, f32, Tag::x);
  add_pd (pd, batch_normalization_forward (pd),
      { { DNNL_ARG_SRC, places[in].mem },
          { DNNL_ARG_MEAN, constant (zero.data (), { c }, Tag::x, row) },
          { DNNL_ARG_VARIANCE, constant (one.data (), { c }, Tag::x, row) },
          { DNNL_ARG_SCALE, constant (step.weights, { c }, Tag::x, row) },
          { DNNL_ARG_SHIFT, constant (step.bias, { c }, Tag::x, row) },
          { DNNL_ARG_DST, dst.mem } });
  set (step.out, dst);
}

void
Network::add_unary (const RecipeStep &step)
{
  int in = step.inputs[0];
  Eltwise eltwise;
  if (!read_act (step, &eltwise))
    runner_fail ("oneDNN: no such activation");
  const memory::desc desc = places[in].mem.get_desc ();
  bool over = may_overwrite (left[in], places[in].buffer);
  Place dst = over ? places[in] : make (desc);
  if (over)
    buffers[dst.buffer].n_users++;
  eltwise_forward::primitive_desc pd (cpu, inference, eltwise.kind, desc, desc,
      eltwise.alpha, eltwise.beta, attributes (post_ops ()));
  add_pd (pd, eltwise_forward (pd),
      { { DNNL_ARG_SRC, places[in].mem }, { DNNL_ARG_DST, dst.mem } });
  set (step.out, dst);
}

void
Network::add_binary (const RecipeStep &step)
{
  int a = step.inputs[0], b = step.inputs[1];
  post_ops ops;
  append_act (step, &ops);
  const memory::desc desc = places[a].mem.get_desc ();
  int temporary = -1;
  memory second = step.kind == RECIPE_ADD
                      ? reordered (places[b].mem, desc, &temporary)
                      : places[b].mem;
  bool over = may_overwrite (left[a], places[a].buffer);
  Place dst = over ? places[a] : make (desc);
  if (over)
    buffers[dst.buffer].n_users++;
  binary::primitive_desc pd (cpu,
      step.kind == RECIPE_ADD ? algorithm::binary_add : algorithm::binary_mul,
      desc, second.get_desc (), desc, attributes (ops));
  add_pd (pd, binary (pd),
      { { DNNL_ARG_SRC_0, places[a].mem }, { DNNL_ARG_SRC_1, second },
          { DNNL_ARG_DST, dst.mem } });
  release_buffer (temporary);
  set (step.out, dst);
}

void
Network::add_pool (const RecipeStep &step)
{
  const RecipeTensor &from = recipe->tensors[step.inputs[0]];
  bool mean = step.kind == RECIPE_MEAN;
  Dims kernel = mean ? Dims { from.h, from.w } : Dims { step.kh, step.kw };
  Dims strides = mean ? kernel : Dims { step.sh, step.sw };
  const memory &src = places[step.inputs[0]].mem;
  pooling_forward::primitive_desc pd (cpu, inference,
      step.kind == RECIPE_MAXPOOL ? algorithm::pooling_max
                                  : algorithm::pooling_avg_exclude_padding,
      src.get_desc (), { dims (step.out), f32, Tag::any }, strides, kernel,
      { 0, 0 }, { step.top, step.left }, { step.bottom, step.right },
      attributes (post_ops ()));
  Place dst = make (pd.dst_desc ());
  add_pd (pd, pooling_forward (pd),
      { { DNNL_ARG_SRC, src }, { DNNL_ARG_DST, dst.mem } });
  set (step.out, dst);
}

void
Network::add_concat (const RecipeStep &step)
{
  std::vector<memory::desc> descs;
  Args args;
  for (int i = 0; i < step.n_inputs; i++) {
    const memory &part = places[step.inputs[i]].mem;
    descs.push_back (part.get_desc ());
    args[DNNL_ARG_MULTIPLE_SRC + i] = part;
  }
  concat::primitive_desc pd (cpu, 1, descs, attributes (post_ops ()));
  Place dst = make (pd.dst_desc ());
  args[DNNL_ARG_DST] = dst.mem;
  add_pd (pd, concat (pd), args);
  set (step.out, dst);
}

void
Network::add_softmax (const RecipeStep &step)
{
  const memory &src = places[step.inputs[0]].mem;
  Place dst = make (src.get_desc ());
  softmax_forward::primitive_desc pd (cpu, inference,
      algorithm::softmax_accurate, src.get_desc (), src.get_desc (), 1,
      attributes (post_ops ()));
  add_pd (pd, softmax_forward (pd),
      { { DNNL_ARG_SRC, src }, { DNNL_ARG_DST, dst.mem } });
  set (step.out, dst);
}

void
Network::add_step (int index)
{
  const RecipeStep &step = recipe->steps[index];
  switch (step.kind) {
  case RECIPE_CONV:
    add_conv (index);
    break;
  case RECIPE_DENSE:
    add_dense (step);
    break;
  case RECIPE_AFFINE:
    add_affine (step);
    break;
  case RECIPE_UNARY:
    add_unary (step);
    break;
  case RECIPE_ADD:
  case RECIPE_MUL:
    add_binary (step);
    break;
  case RECIPE_MAXPOOL:
  case RECIPE_AVGPOOL:
  case RECIPE_MEAN:
    add_pool (step);
    break;
  case RECIPE_CONCAT:
    add_concat (step);
    break;
  case RECIPE_SOFTMAX:
    add_softmax (step);
    break;
  }
  for (int i = 0; i < step.n_inputs; i++)
    release (step.inputs[i]);
}

Network::Network (const RunnerJob *job)
{
  recipe = recipe_read (job->model);
  places.resize (recipe->n_tensors);
  computed.resize (recipe->n_steps, false);
  for (int i = 0; i < recipe->n_tensors; i++)
    left.push_back (recipe->tensors[i].n_readers);
  // no buffer: it is never written over
  places[recipe->input].mem = memory ({ dims (recipe->input), f32, Tag::nchw },
      cpu, const_cast<float *> (job->input));
  for (int i = 0; i < recipe->n_steps; i++)
    if (!computed[i])
      add_step (i);
  int buffer;
  output = reordered (places[recipe->output].mem,
      { dims (recipe->output), f32, Tag::nchw }, &buffer);
  void *scratch = std::aligned_alloc (64, scratch_bytes / 64 * 64 + 64);
  for (auto &call : calls) {
    auto place = call.second.find (DNNL_ARG_SCRATCHPAD);
    if (place != call.second.end ())
      place->second.set_data_handle (scratch);
  }
}

void
Network::run ()
{
  for (auto &call : calls)
    call.first.execute (queue, call.second);
  queue.wait ();
}

Network *network;

} // namespace

void
runner_open (const RunnerJob *job)
{
  omp_set_num_threads (job->threads);
  try {
    network = new Network (job);
  } catch (const error &problem) {
    runner_fail ("oneDNN: %s", problem.what ());
  }
}

void
runner_run (void)
{
  network->run ();
}

const float *
runner_output (size_t *n_outputs)
{
  *n_outputs = network->output.get_desc ().get_size () / sizeof (float);
  return static_cast<const float *> (network->output.get_data_handle ());
}

const char *
runner_version (void)
{
  static char text[64];
  const dnnl_version_t *version = dnnl_version ();
  std::snprintf (text, sizeof text, "%d.%d.%d", version->major, version->minor,
      version->patch);
  return text;
}

double
runner_flops (void)
{
  return 0;
}
