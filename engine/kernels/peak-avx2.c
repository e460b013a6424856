/* SPDX-License-Identifier: LGPL-2.1-or-later
 * peak.h on AVX2. */
#include "kernels/simd/avx2.h"
#include "kernels/peak-body.h"
