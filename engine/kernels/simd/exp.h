/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Exponential and hyperbolic tangent over the wrappers, within 2 ulp.
 * Source: Moshier's Cephes library (expf, tanhf): the polynomials and the
 * split of ln 2. */
#pragma once

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

static ALWAYS_INLINE vf
vf_sigmoid (vf x)
{
  const vf one = vf_splat (1);
  return vf_div (one, vf_add (one, vf_exp (vf_sub (vf_splat (0), x))));
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
