/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files of the registry share: the handle, steps that several
 * transactions take, and the texts of errors that say what there is. */
#pragma once

#include "forge/error.h"
#include "forge/registry.h"
#include "registry/artifacts.h"
#include "registry/db.h"
#include "registry/names.h"

struct _ForgeRegistry {
  ForgeDb *db;
  ForgeArtifactStore *store;
};

gint64 forge_registry_now_ms (void);

/* Within a transaction: holds off other writers of the name until its end.
 * FORGE_ERROR_NOT_FOUND, naming those there are. */
gboolean forge_registry_lock_model (
    ForgeRegistry *registry, const char *name, GError **error);
/* Sets FORGE_ERROR_NOT_FOUND and returns FALSE: no such name, version, alias
 * (with those there are). */
gboolean forge_registry_no_model (
    ForgeRegistry *registry, const char *name, GError **error);
gboolean forge_registry_no_version (
    ForgeRegistry *registry, const char *name, gint64 version, GError **error);
gboolean forge_registry_no_alias (ForgeRegistry *registry, const char *name,
    const char *alias, GError **error);
/* FALSE with FORGE_ERROR_NOT_FOUND when there is none. */
gboolean forge_registry_check_version (
    ForgeRegistry *registry, const char *name, gint64 version, GError **error);

/* Within a transaction that has locked the name: points @alias at @version (0
 * = nothing) and writes the line of history. */
typedef struct {
  const char *name, *alias, *action, *user;
  gint64 version;
} ForgeAliasMove;
gboolean forge_registry_move_alias (
    ForgeRegistry *registry, const ForgeAliasMove *move, GError **error);
/* What the alias stands for; 0 = nothing. */
gboolean forge_registry_read_alias (ForgeRegistry *registry, const char *name,
    const char *alias, gint64 *version, GError **error);

/* Keys and values of tags, or names of aliases: column 0 and 1 of @result. */
char **forge_registry_column (const ForgeDbResult *result, guint column);
