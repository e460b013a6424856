/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A forgeclassify in a GstHarness with the tiny model, and the pictures that
 * are pushed through it. */
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>

typedef struct {
  GstElement *element;
  GstHarness *harness;
  GstBus *bus;
  GstVideoInfo info; /* of the last fixture_set_caps() */
  GstClockTime next_pts;
} Fixture;

#define FRAME_DURATION (40 * GST_MSECOND)

/* gst_init(), g_test_init() and the tiny model for all tests of a program. */
void fixture_init (int *argc, char ***argv);
int fixture_run (void); /* g_test_run(), then tidies up */
const char *fixture_model (void);

/* An element in state NULL with model-file set, and then the properties
 * given, up to NULL. */
GstElement *fixture_plain_element (void);
GstElement *fixture_element (
    const char *first_property, ...) G_GNUC_NULL_TERMINATED;
/* In a playing harness; takes @element. */
Fixture *fixture_new (GstElement *element);
void fixture_free (Fixture *fixture);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Fixture, fixture_free)

/* Caps of that format and size at 25 frames a second; @colorimetry may be
 * NULL. */
void fixture_set_caps (Fixture *fixture, GstVideoFormat format, int width,
    int height, const char *colorimetry);
/* Stamps and pushes the frame (taken) and takes what comes out. */
GstBuffer *fixture_push (Fixture *fixture, GstBuffer *frame);
/* The same with a picture of one colour; returns the result's structure,
 * which lives in *out. */
const GstStructure *fixture_push_colour (
    Fixture *fixture, guint32 rgb, GstBuffer **out);
/* The oldest message with that structure name, or NULL; drops those before. */
GstMessage *fixture_pop_message (Fixture *fixture, const char *name);
guint fixture_count_messages (Fixture *fixture, const char *name);
GstMessage *fixture_pop_type (Fixture *fixture, GstMessageType type);

/* NULL when the buffer has no ForgeClassificationMeta. */
const GstStructure *result_of (GstBuffer *buffer);
const char *result_string (const GstStructure *result, const char *field);
guint64 result_uint64 (const GstStructure *result, const char *field);
double result_double (const GstStructure *result, const char *field);
/* Copies the confidences by class id; returns how many there are. */
guint result_confidences (const GstStructure *result, double by_class[3]);
guint64 fixture_stat (Fixture *fixture, const char *field);

/* 0xRRGGBB of the pixel at (x, y). */
typedef guint32 (*Painter) (int x, int y, gpointer data);
guint32 paint_colour (int x, int y, gpointer data);  /* data = the colour */
guint32 paint_pattern (int x, int y, gpointer data); /* all colours */
/* @info may have any strides: a video meta says them. Bytes that are no
 * component are 0xA5. Y'CbCr is BT.601, 16..235. */
GstBuffer *frame_new (const GstVideoInfo *info, Painter painter, gpointer data);
#define COLOUR(rgb) paint_colour, GUINT_TO_POINTER (rgb)
