/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Brings the pictures of a data set into a loader: decoded on all threads, or
 * out of the cache. */
#pragma once

#include "train/loader.h"

/* Fills @loader->pixels and all about skipped items. */
gboolean forge_loader_decode (ForgeLoader *loader, const ForgeDataset *dataset,
    const ForgePreprocess *preprocess, int threads, GError **error);
