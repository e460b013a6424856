/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What forge-hdf5-reader writes and keras-weights.c reads: the magic, then
 * records that begin with a letter. A string is its length and its bytes;
 * numbers are uint32 of this machine unless said otherwise.
 *   G path                                       a group
 *   A path, name, count, count strings           a string attribute
 *   D path, has_values (1 byte), rank, extents, float32 values if it has them
 *   E                                            the end
 * The reader may have been taken over by a hostile file: what it writes is
 * parsed as distrustfully as the file itself would be. */
#pragma once

#define KERAS_DUMP_MAGIC "FORGEH5\1"
#define KERAS_DUMP_MAGIC_BYTES 8
#define KERAS_DUMP_MAX_BYTES ((uint64_t) 4 << 30)
