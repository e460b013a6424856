/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How a training went, in a picture. */
#pragma once

#include <glib.h>

/**
 * plot_training_write:
 * @log_path: the JSON-lines log of forge_train(): one object a line, an epoch
 *   a line, members epoch, loss, accuracy, val_loss, val_accuracy; others are
 *   not looked at, and a number may be null
 * @png_path: the file to write
 * @title: (nullable): over the picture
 * @error: return location
 *
 * Draws loss and accuracy over the epochs, of training and validation, and
 * marks the epoch with the least validation loss. Where the log goes back to
 * an epoch that it had already (a resumed run, a new one in the same file),
 * the later lines stand.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND, %FORGE_ERROR_FORMAT naming the line,
 * %FORGE_ERROR_IO.
 *
 * Returns: %TRUE when the file is written
 */
gboolean plot_training_write (const char *log_path, const char *png_path,
    const char *title, GError **error);
