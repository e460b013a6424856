/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as a model of any format, run once. */
#include "fuzz-run.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  fuzz_run_model (data, size_bytes);
  return 0;
}
