/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Source: MLflow 2.x, mlflow/utils/validation.py: which characters, which
 * lengths, which aliases are reserved. */
#include "registry/names.h"

#include <string.h>

#include "forge/error.h"
#include "forge/registry.h"

#define MAX_NAME_BYTES 255
#define MAX_KEY_BYTES 250
#define MAX_VALUE_BYTES 5000
#define MAX_TEXT_BYTES (1 << 20)

/* Returns FALSE. The text may be long, or no UTF-8, or command a terminal. */
static gboolean
refuse (GError **error, const char *expected, const char *found)
{
  g_autofree char *text = g_utf8_make_valid (found ? found : "", -1);
  glong n_chars = g_utf8_strlen (text, -1);
  g_autofree char *start = g_utf8_substring (text, 0, MIN (n_chars, 60));
  for (char *c = start; *c; c++)
    if (g_ascii_iscntrl (*c))
      *c = '?';
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "expected %s, found '%s%s'", expected, start, n_chars > 60 ? "..." : "");
  return FALSE;
}

static gboolean
is_text (const char *text, gsize max_bytes)
{
  return strlen (text) <= max_bytes && g_utf8_validate (text, -1, NULL);
}

gboolean
forge_check_text (const char *text, const char *what, GError **error)
{
  if (!text || is_text (text, MAX_TEXT_BYTES))
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "%s: expected UTF-8 text of at most %d bytes, found %" G_GSIZE_FORMAT
      " bytes of %s",
      what, MAX_TEXT_BYTES, strlen (text),
      g_utf8_validate (text, -1, NULL) ? "text" : "other");
  return FALSE;
}

gboolean
forge_check_model_name (const char *name, GError **error)
{
  gboolean fine =
      name && *name && is_text (name, MAX_NAME_BYTES) && !strpbrk (name, "/:@");
  for (const char *c = name; fine && *c; c = g_utf8_next_char (c))
    fine = !g_unichar_iscntrl (g_utf8_get_char (c));
  return fine || refuse (error,
                     "a model name of 1 to 255 bytes without '/', ':', '@' and "
                     "control characters",
                     name);
}

static gboolean
has_only (const char *text, const char *others)
{
  for (const char *c = text; *c; c++)
    if (!g_ascii_isalnum (*c) && !strchr (others, *c))
      return FALSE;
  return TRUE;
}

gboolean
forge_check_alias (const char *alias, GError **error)
{
  if (!alias || !*alias || strlen (alias) > MAX_NAME_BYTES ||
      !has_only (alias, "_-"))
    return refuse (
        error, "an alias of 1 to 255 letters, digits, '_' and '-'", alias);
  gboolean is_version = (*alias == 'v' || *alias == 'V') && alias[1] &&
                        strspn (alias + 1, G_CSET_DIGITS) == strlen (alias + 1);
  if (!is_version && g_ascii_strcasecmp (alias, "latest") != 0)
    return TRUE;
  return refuse (error,
      "an alias other than 'latest' and 'v' with a number, which are reserved",
      alias);
}

gboolean
forge_check_tag (const char *key, const char *value, GError **error)
{
  if (!key || !*key || strlen (key) > MAX_KEY_BYTES || !has_only (key, "_-. /"))
    return refuse (error,
        "a tag's key of 1 to 250 letters, digits, '_', '-', '.', ' ' and '/'",
        key);
  if (!value || is_text (value, MAX_VALUE_BYTES))
    return TRUE;
  return refuse (error, "a tag's value of at most 5000 bytes of UTF-8", value);
}

gboolean
forge_is_sha256 (const char *text)
{
  return text && strlen (text) == 64 && strspn (text, "0123456789abcdef") == 64;
}

void
forge_reference_clear (ForgeReference *reference)
{
  g_clear_pointer (&reference->name, g_free);
  g_clear_pointer (&reference->alias, g_free);
}

/* @text is what follows the '/'. */
static gboolean
parse_version (ForgeReference *reference, const char *text, GError **error)
{
  reference->kind = FORGE_REFERENCE_VERSION;
  if (g_ascii_strcasecmp (text, "latest") == 0)
    reference->kind = FORGE_REFERENCE_LATEST;
  else if (!g_ascii_string_to_signed (
               text, 10, 1, G_MAXINT64, &reference->version, NULL))
    return refuse (error, "a version of 1 or more, or 'latest'", text);
  return TRUE;
}

static gboolean
parse_alias (ForgeReference *reference, const char *text, GError **error)
{
  reference->kind = FORGE_REFERENCE_LATEST;
  if (g_ascii_strcasecmp (text, "latest") == 0)
    return TRUE;
  reference->kind = FORGE_REFERENCE_ALIAS;
  reference->alias = g_strdup (text);
  return forge_check_alias (text, error);
}

static gboolean
parse (ForgeReference *reference, const char *text, GError **error)
{
  gsize n_name_bytes = strcspn (text, "/@");
  const char *rest = text + n_name_bytes;
  reference->name = g_strndup (text, n_name_bytes);
  if (!forge_check_model_name (reference->name, error))
    return FALSE;
  if (*rest == '/')
    return parse_version (reference, rest + 1, error);
  return *rest == 0 || parse_alias (reference, rest + 1, error);
}

gboolean
forge_reference_parse (
    ForgeReference *reference, const char *text, GError **error)
{
  *reference = (ForgeReference) { .kind = FORGE_REFERENCE_DEFAULT };
  const char *bare = g_str_has_prefix (text, FORGE_REGISTRY_PREFIX)
                         ? text + strlen (FORGE_REGISTRY_PREFIX)
                         : text;
  if (parse (reference, bare, error))
    return TRUE;
  forge_reference_clear (reference);
  g_autofree char *shown = g_utf8_make_valid (text, -1);
  g_prefix_error (error,
      "%s: a reference is " FORGE_REGISTRY_PREFIX
      "NAME, NAME@ALIAS or NAME/VERSION: ",
      shown);
  return FALSE;
}
