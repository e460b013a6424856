/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How convolutions of one shape were found to be computed fastest on this
 * machine: what `gst-forge bench --tune` measured, from a file that holds for
 * one CPU, one tier and one version of the engine:
 *   { "cpu": "...", "tier": "avx2", "version": "...",
 *     "choices": { "c64 56x56 o64 56x56 pad 1,1": "winograd4x4", ... } }
 * FORGE_TUNING names it, "off" for none; else it is gst-forge/tuning.json in
 * the user's cache. A file that does not fit is as good as none. */
#pragma once

#include <glib.h>

/* The algorithm for @shape, or NULL: the cost model decides. What a thread
 * forces goes before what the file says. Any thread. */
const char *forge_tuning_find (const char *shape);
/* In this thread every shape is computed so where it can be; "" = as the cost
 * model says, NULL ends it. */
void forge_tuning_force (const char *algorithm);
/* Adds @choices (shape -> algorithm, both static or owned by the table) to
 * those of the file and to those in use. Errors: FORGE_ERROR_IO,
 * FORGE_ERROR_ARGUMENT where tuning is off. */
gboolean forge_tuning_save (GHashTable *choices, GError **error);
/* Reads the file anew. */
void forge_tuning_reload (void);
/* Where the file is or would be; NULL = off. (transfer full) */
char *forge_tuning_path (void);
