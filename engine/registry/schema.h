/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tables, and how those of an older program become ours. */
#pragma once

#include "registry/db.h"

/* The schema of this program. */
#define FORGE_SCHEMA_VERSION 2

/* Checks that the tables are there and of a version this program knows; makes
 * them when @create, brings older ones up to date. FORGE_ERROR_NOT_FOUND:
 * there are none. */
gboolean forge_schema_open (ForgeDb *db, gboolean create, GError **error);
/* Makes or changes the tables up to version @target, in one transaction. */
gboolean forge_schema_migrate (ForgeDb *db, int target, GError **error);
