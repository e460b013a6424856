/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A classifier whose answers can be worked out by hand: which of red, green
 * and blue is the mean colour of the picture? */
#pragma once

#include <glib.h>

#define TINY_MODEL_NAME "mean-colour"
#define TINY_MODEL_VERSION "7"
/* Pixels along each side of its input. */
#define TINY_MODEL_SIZE 8
/* What it says its confidence was on validation data. */
#define TINY_MODEL_BASELINE 0.75
/* logit = gain * mean / 255 */
#define TINY_MODEL_GAIN 12.0f

/* Writes the ONNX file into a fresh folder below the system's temporary one
 * and returns its path; aborts the test when that fails. @gain may be NaN, to
 * make a network that gives no numbers. */
char *tiny_model_write (float gain);
/* Deletes the file and its folder, and frees the path. */
void tiny_model_remove (char *path);
