/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The bytes of models, by their SHA-256: files of a folder beside a SQLite
 * database, rows on a server. Nothing is handed out that has another hash. */
#pragma once

#include "registry/db.h"

typedef struct _ForgeArtifactStore ForgeArtifactStore;

/* @path: of the SQLite file; NULL = on the server of @db, which must live
 * longer. */
ForgeArtifactStore *forge_artifact_store_new (ForgeDb *db, const char *path);
void forge_artifact_store_free (ForgeArtifactStore *store);

/* Within a transaction: the bytes, and then their row. What is there already
 * is not written again unless it is damaged. */
gboolean forge_artifact_store_add (ForgeArtifactStore *store,
    const char *sha256, GBytes *bytes, GError **error);
/* Within a transaction: the row and its chunks go, unless a version needs
 * them. */
gboolean forge_artifact_store_drop (
    ForgeArtifactStore *store, const char *sha256, GError **error);
/* Checked bytes. FORGE_ERROR_NOT_FOUND: missing; FORGE_ERROR_FORMAT: other
 * bytes. @source_only: not from this machine's cache of a server's. */
GBytes *forge_artifact_store_read (ForgeArtifactStore *store,
    const char *sha256, gboolean source_only, GError **error);
/* Names of files that no row speaks of, appended to @orphans (of char *) and
 * with @remove removed; other writers wait meanwhile. */
gboolean forge_artifact_store_sweep (ForgeArtifactStore *store, gboolean remove,
    GPtrArray *orphans, guint *n_removed, GError **error);
