/* SPDX-License-Identifier: LGPL-2.1-or-later
 * peak.h on NEON. */
#include "kernels/simd/neon.h"
#include "kernels/peak-body.h"
