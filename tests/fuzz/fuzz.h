/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libFuzzer's entry point, which every fuzz-<name>.c defines. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes);
