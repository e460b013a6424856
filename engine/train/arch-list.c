/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The architectures that can be trained from nothing, and how they are asked
 * for: a name, then options that are numbers. */
#include <math.h>
#include <string.h>

#include "forge/error.h"
#include "train/arch.h"

static const ForgeArch *const architectures[] = { &forge_arch_cnn,
  &forge_arch_resnet, &forge_arch_mobilenet_v2 };

const char *const *
forge_train_list_architectures (void)
{
  static const char *names[G_N_ELEMENTS (architectures) + 1];
  static gsize once;
  if (g_once_init_enter (&once)) {
    for (guint i = 0; i < G_N_ELEMENTS (architectures); i++)
      names[i] = architectures[i]->name;
    g_once_init_leave (&once, 1);
  }
  return names;
}

const ForgeArch *
forge_arch_find (const char *name, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (architectures); i++)
    if (strcmp (architectures[i]->name, name) == 0)
      return architectures[i];
  g_autofree char *names =
      g_strjoinv (", ", (char **) forge_train_list_architectures ());
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "unknown architecture '%s', expected one of: %s", name, names);
  return NULL;
}

double
forge_arch_option (
    const ForgeArch *arch, const ForgeArchParams *params, guint index)
{
  return params->options ? params->options[index]
                         : arch->options[index].fallback;
}

int
forge_arch_size (const ForgeArchChoice *choice)
{
  return (int) choice->options[0];
}

static gboolean
refuse_option (const ForgeArch *arch, const char *text, GError **error)
{
  g_autoptr (GString) list = g_string_new (NULL);
  for (const ForgeArchOption *o = arch->options; o->name; o++)
    g_string_append_printf (list, "%s%s=%g (%g to %g)", list->len ? ", " : "",
        o->name, o->fallback, o->least, o->most);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "options of architecture %s: expected some of %s, separated by commas, "
      "found '%s'",
      arch->name, list->str, text);
  return FALSE;
}

/* "name=number" */
static gboolean
take_option (ForgeArchChoice *choice, const char *text, GError **error)
{
  const ForgeArch *arch = choice->arch;
  const char *equals = strchr (text, '=');
  if (!equals)
    return refuse_option (arch, text, error);
  g_autofree char *name = g_strndup (text, (gsize) (equals - text));
  char *end;
  double value = g_ascii_strtod (equals + 1, &end);
  for (guint i = 0; arch->options[i].name; i++) {
    const ForgeArchOption *option = &arch->options[i];
    if (strcmp (option->name, name) != 0)
      continue;
    if (end == equals + 1 || *end ||
        !(value >= option->least && value <= option->most) ||
        (!option->is_fraction && value != floor (value)))
      return refuse_option (arch, text, error);
    choice->options[i] = value;
    return TRUE;
  }
  return refuse_option (arch, text, error);
}

gboolean
forge_arch_choose (const char *text, ForgeArchChoice *choice, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, ":", 2);
  choice->arch = forge_arch_find (parts[0] ? parts[0] : "", error);
  if (!choice->arch)
    return FALSE;
  for (guint i = 0; i < FORGE_ARCH_MAX_OPTIONS; i++)
    choice->options[i] = choice->arch->options[i].fallback;
  if (!parts[0] || !parts[1])
    return TRUE;
  g_auto (GStrv) options = g_strsplit (parts[1], ",", -1);
  for (guint i = 0; options[i]; i++)
    if (!take_option (choice, options[i], error))
      return FALSE;
  return TRUE;
}

gboolean
forge_train_params_init (
    ForgeTrainParams *params, const char *arch, GError **error)
{
  g_return_val_if_fail (params && arch, FALSE);
  ForgeArchChoice choice;
  if (!forge_arch_choose (arch, &choice, error))
    return FALSE;
  *params = (ForgeTrainParams) FORGE_TRAIN_PARAMS_DEFAULT;
  params->arch = arch;
  if (choice.arch->set_defaults)
    choice.arch->set_defaults (params);
  return TRUE;
}
