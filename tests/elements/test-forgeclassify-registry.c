/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * model-file=registry:NAME@ALIAS: the element runs what the registry says,
 * under the registry's name and version. */
#include <glib/gstdio.h>
#include <string.h>

#include "fixture.h"
#include "forge/registry.h"
#include "tiny-model.h"

static char *location; /* beside the tiny model */

static void
register_tiny (const char *name)
{
  g_autoptr (GError) error = NULL;
  char *text;
  gsize size_bytes;
  g_file_get_contents (fixture_model (), &text, &size_bytes, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) bytes = g_bytes_new_take (text, size_bytes);
  const ForgeRegistryParams open = { .mode = FORGE_REGISTRY_CREATE };
  g_autoptr (ForgeRegistry) registry = forge_registry_open (&open, &error);
  g_assert_no_error (error);
  const ForgeRegisterParams params = { .name = name,
    .bytes = bytes,
    .aliases = (const char *const[]) { "champion", NULL } };
  g_autoptr (ForgeModelVersion) version =
      forge_registry_register (registry, &params, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (version->aliases[0], ==, "champion");
}

/* A message of the element's, and the meta of the buffer. */
static void
expect_provenance (const char *model_file, const char *version)
{
  g_autoptr (Fixture) fixture =
      fixture_new (fixture_element ("model-file", model_file, NULL));
  fixture_set_caps (fixture, GST_VIDEO_FORMAT_RGB, 16, 16, NULL);
  g_autoptr (GstBuffer) out = NULL;
  const GstStructure *result = fixture_push_colour (fixture, 0x00ff00, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "green");
  g_assert_cmpstr (result_string (result, "model-name"), ==, "colours");
  g_assert_cmpstr (result_string (result, "model-version"), ==, version);
  g_autoptr (GstMessage) message =
      fixture_pop_message (fixture, "forgeclassify");
  g_assert_nonnull (message);
  const GstStructure *said = gst_message_get_structure (message);
  g_assert_cmpstr (
      gst_structure_get_string (said, "model-name"), ==, "colours");
  g_assert_cmpstr (
      gst_structure_get_string (said, "model-version"), ==, version);
}

static void
expect_error (const char *model_file, int code, const char *says)
{
  g_autoptr (GstElement) element =
      fixture_element ("model-file", model_file, NULL);
  GstBus *bus = gst_bus_new ();
  gst_element_set_bus (element, bus);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_READY), ==,
      GST_STATE_CHANGE_FAILURE);
  g_autoptr (GstMessage) message =
      gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_assert_nonnull (message);
  g_autoptr (GError) error = NULL;
  gst_message_parse_error (message, &error, NULL);
  g_test_message ("%s", error->message);
  g_assert_error (error, GST_RESOURCE_ERROR, code);
  g_assert_nonnull (strstr (error->message, says));
  gst_element_set_bus (element, NULL);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (bus);
}

static void
references_say_what_is_missing (void)
{
  expect_error (
      "registry:colours", GST_RESOURCE_ERROR_NOT_FOUND, "no registry yet");
  register_tiny ("colours");
  expect_error ("registry:shapes@champion", GST_RESOURCE_ERROR_NOT_FOUND,
      "there are: colours");
  expect_error ("registry:colours@challenger", GST_RESOURCE_ERROR_NOT_FOUND,
      "champion (version 1)");
  expect_error (
      "registry:colours/7", GST_RESOURCE_ERROR_NOT_FOUND, "no version 7");
  expect_error (
      "registry:colours/x", GST_RESOURCE_ERROR_SETTINGS, "registry:NAME");
}

static void
name_and_version_are_the_registrys (void)
{
  register_tiny ("colours");
  register_tiny ("colours");
  expect_provenance ("registry:colours/1", "1");
  expect_provenance ("registry:colours@champion", "2");
  expect_provenance ("registry:colours", "2");
}

static void
changed_bytes_do_not_run (void)
{
  register_tiny ("colours");
  g_autofree char *folder = g_strconcat (location, ".artifacts", NULL);
  g_autoptr (GDir) files = g_dir_open (folder, 0, NULL);
  g_assert_nonnull (files);
  g_autofree char *path =
      g_build_filename (folder, g_dir_read_name (files), NULL);
  g_autofree char *bytes = NULL;
  gsize size_bytes;
  g_assert_true (g_file_get_contents (path, &bytes, &size_bytes, NULL));
  bytes[size_bytes - 1] ^= 1;
  g_assert_true (g_file_set_contents (path, bytes, (gssize) size_bytes, NULL));
  g_autoptr (GstElement) element =
      fixture_element ("model-file", "registry:colours", NULL);
  GstBus *bus = gst_bus_new ();
  gst_element_set_bus (element, bus);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_READY), ==,
      GST_STATE_CHANGE_FAILURE);
  g_autoptr (GstMessage) message =
      gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;
  gst_message_parse_error (message, &error, NULL);
  g_assert_error (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, "SHA-256"));
  gst_element_set_bus (element, NULL);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (bus);
}

/* Each test has a registry of its own. */
static void
run_fresh (gconstpointer test)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("forge-element-XXXXXX", &error);
  g_assert_no_error (error);
  location = g_build_filename (folder, "r.db", NULL);
  g_setenv ("FORGE_REGISTRY", location, TRUE);
  ((void (*) (void)) test) ();
  g_autofree char *artifacts = g_strconcat (location, ".artifacts", NULL);
  GDir *files = g_dir_open (artifacts, 0, NULL);
  const char *name;
  while (files && (name = g_dir_read_name (files))) {
    g_autofree char *path = g_build_filename (artifacts, name, NULL);
    g_unlink (path);
  }
  g_clear_pointer (&files, g_dir_close);
  g_rmdir (artifacts);
  g_unlink (location);
  g_assert_cmpint (g_rmdir (folder), ==, 0);
  g_clear_pointer (&location, g_free);
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
#define ADD(name) \
  g_test_add_data_func ("/forgeclassify/registry/" #name, name, run_fresh)
  ADD (references_say_what_is_missing);
  ADD (name_and_version_are_the_registrys);
  ADD (changed_bytes_do_not_run);
#undef ADD
  return fixture_run ();
}
