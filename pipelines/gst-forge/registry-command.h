/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the sub-commands of `gst-forge registry` share. Sub-command `x` is
 * registry_x() in one of the registry-*.c, and a row in cmd-registry.c. */
#pragma once

#include "command.h"
#include "forge/registry.h"

int registry_register (int argc, char **argv);
int registry_list (int argc, char **argv);
int registry_show (int argc, char **argv);
int registry_compare (int argc, char **argv);
int registry_alias (int argc, char **argv);
int registry_unalias (int argc, char **argv);
int registry_tag (int argc, char **argv);
int registry_describe (int argc, char **argv);
int registry_delete (int argc, char **argv);
int registry_promote (int argc, char **argv);
int registry_rollback (int argc, char **argv);
int registry_verify (int argc, char **argv);
int registry_export (int argc, char **argv);

/* Options that most of them take, and what is left of the line. */
typedef struct {
  char *location, *json;
  char **rest;
} RegistryOptions;

void registry_options_clear (RegistryOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RegistryOptions, registry_options_clear)

/* As command_parse() for `registry @name`, with --registry, --json and the
 * arguments, described by @arguments, beside @entries (nullable). */
int registry_parse (const char *name, const char *description,
    const char *arguments, const GOptionEntry *entries,
    RegistryOptions *options, int *argc, char ***argv);
guint registry_count (const RegistryOptions *options);

/* NULL with @error. */
ForgeRegistry *registry_open (
    const RegistryOptions *options, ForgeRegistryMode mode, GError **error);
/* Prints the error; the status is that of its kind. */
int registry_fail (const char *name, const GError *error);

/* "NAME" and "3" as "NAME/3", "NAME" and "champion" as "NAME@champion".
 * (transfer full) */
char *registry_make_reference (const char *name, const char *which);
/* The reference that the arguments begin with: NAME VERSION, NAME ALIAS,
 * NAME/VERSION or NAME@ALIAS, and how many of them it takes; NULL when there
 * are none. @n_after: how many must be left. (transfer full) */
char *registry_take_reference (
    const RegistryOptions *options, guint n_after, guint *n_taken);
/* What a tag or a description is for: NAME alone is the model itself, version
 * 0. FALSE with @error. */
gboolean registry_find_target (ForgeRegistry *registry, const char *text,
    char **name, gint64 *version, GError **error);
