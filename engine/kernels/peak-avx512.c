/* SPDX-License-Identifier: LGPL-2.1-or-later
 * peak.h on AVX-512. */
#include "kernels/simd/avx512.h"
#include "kernels/peak-body.h"
