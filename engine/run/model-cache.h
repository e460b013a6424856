/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The models in use in this process, by the file they came from. */
#pragma once

#include "forge/model.h"

/* What tells one state of a file from another: device, inode, size, change
 * time and path, and the same of the .modelinfo beside it. NULL when there is
 * no such file. (transfer full) */
char *forge_model_cache_key (const char *path);
/* A new reference, or NULL. */
ForgeModel *forge_model_cache_find (const char *key);
/* Enters @model and returns it; when another thread was faster, drops @model
 * and returns that thread's. (transfer full) both ways. */
ForgeModel *forge_model_cache_add (const char *key, ForgeModel *model);
/* Drops one reference. TRUE when it was the last: the model is out of the
 * cache and the caller frees it. */
gboolean forge_model_cache_release (ForgeModel *model, gint *ref_count);
