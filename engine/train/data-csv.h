/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Folders with a table of labels. */
#pragma once

#include "train/data-source.h"

/* Reads the part @split of the files that @path, a CSV file, names below
 * @folder. Their being there is not looked at: what cannot be read is found
 * out later, as with all data. FORGE_ERROR_FORMAT names the line; IO,
 * NOT_FOUND for a part that no row is of. */
gboolean forge_data_csv_read (ForgeDataset *dataset, const char *folder,
    const char *path, ForgeSplit split, GError **error);
