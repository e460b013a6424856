/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Exponential, hyperbolic tangent and Gelu over the wrappers, the first two
 * within 2 ulp.
 * Source: Moshier's Cephes library (expf, tanhf): the polynomials and the
 * split of ln 2. */
#pragma once

/* 1.5 2^23: a sum with it is whole. */
#define VF_WHOLE 12582912.0f

/* x = n ln 2 + r with |r| <= ln 2 / 2; e^r by a polynomial. Below -104 the
 * result is 0, above 89 infinite; NaN stays. */
static ALWAYS_INLINE vf
vf_exp (vf x)
{
  x = vf_clamp (x, vf_splat (-104.0f), vf_splat (89.0f));
  const vf n = vf_round (vf_mul (x, vf_splat (1.44269504f)));
  vf r = vf_fmadd (n, vf_splat (-0.693359375f), x);
  r = vf_fmadd (n, vf_splat (2.12194440e-4f), r);
  vf p = vf_splat (1.9875691500e-4f);
  p = vf_fmadd (p, r, vf_splat (1.3981999507e-3f));
  p = vf_fmadd (p, r, vf_splat (8.3334519073e-3f));
  p = vf_fmadd (p, r, vf_splat (4.1665795894e-2f));
  p = vf_fmadd (p, r, vf_splat (1.6666665459e-1f));
  p = vf_fmadd (p, r, vf_splat (5.0000001201e-1f));
  p = vf_fmadd (vf_mul (r, r), p, r);
  return vf_scale2 (vf_add (p, vf_splat (1)), n);
}

/* 1 + e^-x, what a number is divided by to be weighted by its sigmoid, with
 * e^-x = 2^n e^-r, r = x + n ln 2. A sum with WHOLE leaves n + 127 in the
 * lowest bits of its mantissa, which is all that 2^n asks for. From 88 on e^-x
 * is 0, from -89 down infinite. The polynomial is a minimax fit of its relative
 * error (9.2e-8) that is 1 at 0. */
static ALWAYS_INLINE vf
vf_sigmoid_divisor (vf x)
{
  const vf one = vf_splat (1);
  const vf whole = vf_splat (VF_WHOLE + 127);
  x = vf_clamp (x, vf_splat (-89.0f), vf_splat (88.0f));
  const vf k = vf_fmadd (x, vf_splat (-1.44269504f), whole);
  const vf n = vf_sub (k, whole);
  vf r = vf_fmadd (n, vf_splat (0.693359375f), x);
  r = vf_fmadd (n, vf_splat (-2.12194440e-4f), r);
  vf p = vf_splat (-8.290272e-3f);
  p = vf_fmadd (p, r, vf_splat (4.189816e-2f));
  p = vf_fmadd (p, r, vf_splat (-0.16667639f));
  p = vf_fmadd (p, r, vf_splat (0.49999148f));
  p = vf_fmadd (p, r, vf_splat (-0.9999997f));
  p = vf_fmadd (p, r, one);
  return vf_fmadd (p, vf_power2_of (k), one);
}

static ALWAYS_INLINE vf
vf_sigmoid (vf x)
{
  return vf_div (vf_splat (1), vf_sigmoid_divisor (x));
}

/* Near 0 an odd polynomial, else 1 - 2 / (e^2|x| + 1). */
static ALWAYS_INLINE vf
vf_tanh (vf x)
{
  const vf z = vf_mul (x, x);
  vf p = vf_splat (-5.70498872745e-3f);
  p = vf_fmadd (p, z, vf_splat (2.06390887954e-2f));
  p = vf_fmadd (p, z, vf_splat (-5.37397155531e-2f));
  p = vf_fmadd (p, z, vf_splat (1.33314422036e-1f));
  p = vf_fmadd (p, z, vf_splat (-3.33332819422e-1f));
  const vf near = vf_fmadd (vf_mul (p, z), x, x);
  const vf size = vf_abs (x);
  const vf one = vf_splat (1);
  const vf e = vf_exp (vf_add (size, size));
  const vf far = vf_sub (one, vf_div (vf_splat (2), vf_add (e, one)));
  return vf_select_less (size, vf_splat (0.625f), near, vf_with_sign (far, x));
}

/* max (x, 0) - |x| erfc (|x| / sqrt 2) / 2, with -ln erfc (t / sqrt 2) as t
 * times a polynomial: fitted to [0, 6] by weighted least squares until the
 * largest error was even (1e-7), and rising from there on. */
static ALWAYS_INLINE vf
vf_gelu (vf x)
{
  const vf zero = vf_splat (0);
  const vf t = vf_clamp (vf_abs (x), zero, vf_splat (16));
  vf p = vf_splat (1.172916387e-8f);
  p = vf_fmadd (p, t, vf_splat (-3.795256336e-7f));
  p = vf_fmadd (p, t, vf_splat (5.240910239e-6f));
  p = vf_fmadd (p, t, vf_splat (-3.894782546e-5f));
  p = vf_fmadd (p, t, vf_splat (1.444400388e-4f));
  p = vf_fmadd (p, t, vf_splat (1.04635758e-4f));
  p = vf_fmadd (p, t, vf_splat (-4.945543497e-3f));
  p = vf_fmadd (p, t, vf_splat (3.643869009e-2f));
  p = vf_fmadd (p, t, vf_splat (0.3182785925f));
  p = vf_fmadd (p, t, vf_splat (0.7978877908f));
  const vf tail = vf_exp (vf_sub (zero, vf_mul (p, t)));
  const vf over = vf_select_less (x, zero, zero, x);
  return vf_fmadd (vf_mul (t, vf_splat (-0.5f)), tail, over);
}

/* x sigmoid (2 sqrt (2 / pi) (x + 0.044715 x^3)) */
static ALWAYS_INLINE vf
vf_gelu_tanh (vf x)
{
  const vf square = vf_mul (x, x);
  const vf cube = vf_mul (vf_mul (square, vf_splat (0.044715f)), x);
  const vf inner = vf_mul (vf_splat (1.5957691216f), vf_add (x, cube));
  return vf_div (x, vf_sigmoid_divisor (inner));
}
