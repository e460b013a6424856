/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Progress line and interrupts. */
#include "progress.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define BAR_CHARS 24
#define DRAW_INTERVAL_US 100000

static volatile sig_atomic_t interrupted;

void
progress_init (Progress *progress, FILE *out)
{
  *progress = (Progress) { .out = out, .is_terminal = isatty (fileno (out)) };
}

void
progress_draw (Progress *progress, double fraction, const char *text)
{
  gint64 now_us = g_get_monotonic_time ();
  if (!progress->is_terminal || now_us - progress->last_us < DRAW_INTERVAL_US)
    return;
  progress->last_us = now_us;
  char bar[BAR_CHARS + 1];
  int filled = (int) (CLAMP (fraction, 0, 1) * BAR_CHARS);
  memset (bar, '.', BAR_CHARS);
  memset (bar, '#', filled);
  bar[BAR_CHARS] = 0;
  g_autofree char *line =
      g_strdup_printf ("[%s] %3.0f %%  %s", bar, 100 * fraction, text);
  int width = strlen (line);
  fprintf (progress->out, "\r%-*s", MAX (width, progress->width), line);
  fflush (progress->out);
  progress->width = width;
}

void
progress_clear (Progress *progress)
{
  if (!progress->width)
    return;
  fprintf (progress->out, "\r%*s\r", progress->width, "");
  progress->width = 0;
  progress->last_us = 0;
}

char *
progress_format_time (double seconds)
{
  guint64 total = seconds > 0 ? (guint64) (seconds + 0.5) : 0;
  guint hours = total / 3600, minutes = total / 60 % 60, rest = total % 60;
  return hours ? g_strdup_printf ("%u:%02u:%02u", hours, minutes, rest)
               : g_strdup_printf ("%u:%02u", minutes, rest);
}

static void
note_interrupt (int signal_number)
{
  interrupted = 1;
}

void
progress_catch_interrupts (void)
{
  const struct sigaction action = {
    .sa_handler = note_interrupt,
    .sa_flags = SA_RESETHAND | SA_RESTART,
  };
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
}

gboolean
progress_was_interrupted (void)
{
  return interrupted;
}
