/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The error domain of the whole engine. A message says what failed, in which
 * file and at which place, what was expected and what was found. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ForgeErrorCode:
 * @FORGE_ERROR_IO: the operating system refused to read or write
 * @FORGE_ERROR_NOT_FOUND: a file, folder, alias or name does not exist
 * @FORGE_ERROR_FORMAT: the bytes are damaged, truncated or of another type
 * @FORGE_ERROR_UNSUPPORTED: well-formed, but an operator, type or feature is
 *   one that this version does not implement
 * @FORGE_ERROR_SHAPE: shapes or types do not fit together
 * @FORGE_ERROR_ARGUMENT: a value given by the caller is out of range
 * @FORGE_ERROR_MEMORY: an allocation failed, or a size would overflow
 * @FORGE_ERROR_CANCELLED: stopped on request
 * @FORGE_ERROR_NUMERIC: NaN or infinity where a finite number was required
 * @FORGE_ERROR_REFUSED: possible, but against a condition that guards it
 *
 * Codes of #FORGE_ERROR.
 *
 * Since: 0.1
 */
typedef enum {
  FORGE_ERROR_IO,
  FORGE_ERROR_NOT_FOUND,
  FORGE_ERROR_FORMAT,
  FORGE_ERROR_UNSUPPORTED,
  FORGE_ERROR_SHAPE,
  FORGE_ERROR_ARGUMENT,
  FORGE_ERROR_MEMORY,
  FORGE_ERROR_CANCELLED,
  FORGE_ERROR_NUMERIC,
  FORGE_ERROR_REFUSED,
} ForgeErrorCode;

#define FORGE_ERROR (forge_error_quark ())

GQuark forge_error_quark (void);

G_END_DECLS
