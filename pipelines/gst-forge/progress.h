/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One line that tells how far a long job is: redrawn in place on a terminal,
 * absent otherwise. Interrupts: the first one asks the job to stop, the
 * second one kills. */
#pragma once

#include <glib.h>
#include <stdio.h>

typedef struct {
  FILE *out;
  gboolean is_terminal;
  gint64 last_us; /* of the last drawing */
  int width;      /* characters of it */
} Progress;

void progress_init (Progress *progress, FILE *out);
/* A bar of @fraction, then @text. At most ten times a second. */
void progress_draw (Progress *progress, double fraction, const char *text);
/* Wipes the line, so that other text can be printed. */
void progress_clear (Progress *progress);

/* "1:02:03" or "2:03". (transfer full) */
char *progress_format_time (double seconds);

/* From here on an interrupt or a request to end is noted, not obeyed. */
void progress_catch_interrupts (void);
gboolean progress_was_interrupted (void);
