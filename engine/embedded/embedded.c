/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bytes of the built-in model; NULL in a build without one. */
#include "formats/format.h"

extern const uint8_t forge_embedded_start[];
extern const uint8_t forge_embedded_end[];

void
forge_embedded_model (const uint8_t **bytes, size_t *size_bytes)
{
  *size_bytes = (size_t) ((uintptr_t) forge_embedded_end -
                          (uintptr_t) forge_embedded_start);
  *bytes = *size_bytes > 0 ? forge_embedded_start : NULL;
}
