/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs the real gst-forge binary of the build under test, in a folder of its
 * own, and keeps what it says. */
#pragma once

#include <json-glib/json-glib.h>

typedef struct {
  int status; /* exit status; -1 when a signal ended it */
  char *out, *err;
} CommandResult;

/* The command line without "gst-forge", split as a shell splits; @... as
 * printf. */
CommandResult command_run (const char *format, ...) G_GNUC_PRINTF (1, 2);
void command_result_clear (CommandResult *result);
/* Fails the test, showing both streams, when the status is another. */
void command_assert_status (const CommandResult *result, int status);
/* The object on standard output, which must hold nothing else. (transfer
 * full): free the parser */
JsonParser *command_parse_json (const CommandResult *result);
JsonObject *command_json_root (JsonParser *parser);
/* All of these members are there. */
void command_assert_members (
    JsonObject *object, const char *const *names, gsize n_names);
/* For spawning without waiting. */
const char *command_program (void);

/* Makes the temporary folder that becomes the working folder, and removes it
 * with all that is in it. */
void command_enter_folder (void);
void command_leave_folder (void);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (CommandResult, command_result_clear)
