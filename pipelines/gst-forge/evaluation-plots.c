/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See evaluation-plots.h. */
#include "evaluation-plots.h"

#include <errno.h>

#include "forge/error.h"

static gboolean
write_reliability (
    const EvaluationPlots *plots, const char *path, GError **error)
{
  const ForgeCalibration *calibration = plots->calibration;
  return plot_reliability_write (
      calibration ? calibration->before : plots->evaluation->bins,
      calibration ? calibration->after : NULL, plots->title, path, error);
}

/* Which class was taken for which: with several a picture nobody can say. */
static gboolean
write_confusions (
    const EvaluationPlots *plots, const char *folder, GError **error)
{
  g_autofree char *confusion =
      g_build_filename (folder, "confusion-matrix.png", NULL);
  g_autofree char *mistakes = g_build_filename (folder, "mistakes.png", NULL);
  return plot_confusion_write (
             plots->evaluation, plots->title, confusion, error) &&
         plot_mistakes_write (
             plots->evaluation, plots->dataset, plots->title, mistakes, error);
}

gboolean
evaluation_plots_write (
    const EvaluationPlots *plots, const char *folder, GError **error)
{
  if (g_mkdir_with_parents (folder, 0777) != 0) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO, "%s: %s", folder,
        g_strerror (errno));
    return FALSE;
  }
  g_autofree char *classes = g_build_filename (folder, "class-f1.png", NULL);
  g_autofree char *reliability =
      g_build_filename (folder, "reliability.png", NULL);
  if (!plot_classes_write (
          plots->evaluation, plots->min_f1, plots->title, classes, error) ||
      !write_reliability (plots, reliability, error) ||
      (!plots->evaluation->is_multi_label &&
          !write_confusions (plots, folder, error)))
    return FALSE;
  if (!plots->corruptions)
    return TRUE;
  g_autofree char *curves = g_build_filename (folder, "corruptions.png", NULL);
  g_autofree char *sheet =
      g_build_filename (folder, "corruption-sheet.png", NULL);
  return plot_corruptions_write (plots->evaluation->accuracy,
             plots->corruptions, plots->n_kinds, plots->title, curves, error) &&
         plot_sheet_write (plots->dataset, 0, plots->seed, sheet, error);
}
