/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files that gather a ForgeModelInfo share. Order of trust: the
 * shape of the graph's input, the model's own forge.* metadata
 * (model-info-json.c), a .modelinfo beside it (model-info-file.c), defaults
 * (model-info.c), which are then listed in the assumptions. */
#pragma once

#include "formats/format.h"

/* Things about the preprocessing that somebody has said. */
typedef enum {
  FORGE_INFO_SIZE = 1 << 0,
  FORGE_INFO_LAYOUT = 1 << 1,
  FORGE_INFO_VALUES = 1 << 2,
  FORGE_INFO_COLOUR = 1 << 3,
  FORGE_INFO_RESIZE = 1 << 4,
  FORGE_INFO_FILTER = 1 << 5,
  FORGE_INFO_ALL = (1 << 6) - 1,
  FORGE_INFO_OUTPUT = 1 << 6, /* which of several has the scores */
} ForgeInfoKnown;

typedef struct {
  const ForgeGraph *graph;
  const char *path; /* NULL = built-in */
  const char *name; /* for messages */
  ForgeModelInfo *info;
  gboolean several_inputs; /* more than one matters: no classifier */
  gboolean takes_pictures;
  guint known; /* ForgeInfoKnown */
} ForgeInfoReader;

/* Sets @error to "<name>: <text>". Returns FALSE. */
gboolean forge_info_fail (const ForgeInfoReader *reader, GError **error,
    int code, const char *format, ...) G_GNUC_PRINTF (4, 5);
/* width and height where the shape leaves them open; else they must agree. */
gboolean forge_info_set_size (
    ForgeInfoReader *reader, int64_t width, int64_t height, GError **error);
/* "rgb", "bgr" or "grey". */
gboolean forge_info_set_colour (
    ForgeInfoReader *reader, const char *colour, GError **error);
/* Bits of what nobody has said yet and somebody must. */
guint forge_info_open (const ForgeInfoReader *reader);
/* Either may be NULL. */
gboolean forge_info_set_resize (ForgeInfoReader *reader, const char *policy,
    const char *filter, GError **error);
/* Takes @labels when their number fits the graph's output. */
gboolean forge_info_take_labels (
    ForgeInfoReader *reader, char **labels, GError **error);

/* In words, what of @preprocess was assumed; NULL for nothing. */
char *forge_info_describe_assumptions (
    const ForgePreprocess *preprocess, guint assumed);

/* Which input is for pictures, and which output has the scores of classes:
 * one among several that only the structure of the graph tells. */
void forge_info_choose_ports (ForgeInfoReader *reader);
/* Does the value come out of a softmax or a sigmoid, and of which? */
gboolean forge_info_is_probabilities (
    const ForgeValue *value, gboolean *is_sigmoid);

gboolean forge_info_read_metadata (ForgeInfoReader *reader, GError **error);
/* forge.calibration, of the metadata or of the .modelinfo. */
gboolean forge_info_read_calibration (ForgeInfoReader *reader, GError **error);
/* TRUE too when there is no such file. */
gboolean forge_info_read_file (ForgeInfoReader *reader, GError **error);
