/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What kernels of bytes need beside the vectors of floats of their ISA. */
#pragma once

#include FORGE_PIXELS_HEADER
#include "kernels/simd/simd.h"
