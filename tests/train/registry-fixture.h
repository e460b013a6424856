/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Registries for tests: fresh SQLite files, and databases of a PostgreSQL
 * server that the test program starts for itself, in a temporary folder, with
 * a Unix socket there and no TCP. */
#pragma once

#include "forge/error.h"
#include "forge/registry.h"

typedef enum { BACKEND_SQLITE, BACKEND_POSTGRESQL, N_BACKENDS } Backend;

/* "sqlite", "postgresql" */
extern const char *const backend_names[N_BACKENDS];

/* Before g_test_init(): a home of its own for caches and data. */
void registry_fixture_init (void);
/* g_test_run(); stops the server and removes all. */
int registry_fixture_run (void);

/* Where a registry can be made; NULL, and the test is skipped with the reason,
 * when there is no server to be had. (transfer full) */
char *registry_fixture_location (Backend backend);
/* Fails the test on error. */
ForgeRegistry *registry_fixture_open (
    const char *location, ForgeRegistryMode mode);
/* Runs one statement, past the registry. */
void registry_fixture_sql (const char *location, const char *sql);
/* Where @location keeps the bytes as files: <location>.artifacts. */
char *registry_fixture_artifact (const char *location, const char *sha256);
/* Changes the first byte of what is stored. */
void registry_fixture_corrupt (const char *location, const char *sha256);
/* Removes what is stored. */
void registry_fixture_lose (const char *location, const char *sha256);
/* Forgets what was fetched from servers, as if on another machine. */
void registry_fixture_forget_cache (void);

/* Registers @text as a model file; fails the test on error. */
ForgeModelVersion *registry_fixture_register (ForgeRegistry *registry,
    const char *name, const char *text, const ForgeModelMetrics *metrics);
/* A test for each backend, "/registry/<backend>/<name>". */
typedef void (*BackendTest) (Backend backend);
void registry_fixture_add (const char *name, BackendTest test);
