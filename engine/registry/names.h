/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What models, aliases and tags may be called (MLflow's rules, and no '@' in
 * a name), and how references are written. Errors: FORGE_ERROR_ARGUMENT. */
#pragma once

#include <glib.h>

gboolean forge_check_model_name (const char *name, GError **error);
gboolean forge_check_alias (const char *alias, GError **error);
gboolean forge_check_tag (const char *key, const char *value, GError **error);
/* Any valid UTF-8 of at most 1 MiB; NULL is fine. @what is for the message. */
gboolean forge_check_text (const char *text, const char *what, GError **error);
/* 64 lower-case hexadecimal digits: what may become a file name. */
gboolean forge_is_sha256 (const char *text);

typedef enum {
  FORGE_REFERENCE_DEFAULT, /* the champion, else the latest */
  FORGE_REFERENCE_LATEST,
  FORGE_REFERENCE_ALIAS,
  FORGE_REFERENCE_VERSION,
} ForgeReferenceKind;

typedef struct {
  ForgeReferenceKind kind;
  char *name, *alias;
  gint64 version;
} ForgeReference;

gboolean forge_reference_parse (
    ForgeReference *reference, const char *text, GError **error);
void forge_reference_clear (ForgeReference *reference);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ForgeReference, forge_reference_clear)
