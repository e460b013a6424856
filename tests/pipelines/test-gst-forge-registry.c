/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge registry` as a user and a script meet it: from a model file to a
 * champion that every other command takes, and back. */
#include <glib/gstdio.h>
#include <string.h>

#include "command-run.h"
#include "toy-models.h"

static const char *const commands[] = { "register", "list", "show", "compare",
  "promote", "rollback", "alias", "unalias", "tag", "describe", "verify",
  "export", "delete" };

/* What `evaluate --json` would say of it. */
static void
write_metrics (const char *path, double f1)
{
  g_autofree char *text = g_strdup_printf (
      "{\"accuracy\":0.875,\"macro avg\":{\"f1-score\":0.75},\"per_class\":["
      "{\"label\":\"red\",\"f1-score\":%.3f,\"support\":5},"
      "{\"label\":\"blue\",\"f1-score\":0.9,\"support\":5}]}",
      f1);
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

/* A registry of this name becomes that of the commands. */
static void
begin (const char *name)
{
  g_autofree char *folder = g_get_current_dir ();
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_setenv ("FORGE_REGISTRY", path, TRUE);
}

G_GNUC_PRINTF (2, 3)
static void
expect (int status, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *line = g_strdup_vprintf (format, args);
  va_end (args);
  g_auto (CommandResult) result = command_run ("registry %s", line);
  command_assert_status (&result, status);
  g_assert_cmpint (*result.err != 0, ==, status != 0);
}

static void
expect_text (int status, const char *line, const char *says)
{
  g_auto (CommandResult) result = command_run ("%s", line);
  command_assert_status (&result, status);
  if (!strstr (result.out, says) && !strstr (result.err, says))
    g_error (
        "'%s': expected '%s' in\n%s%s", line, says, result.out, result.err);
}

static void
every_registry_command_has_help (void)
{
  g_auto (CommandResult) overview = command_run ("registry --help");
  command_assert_status (&overview, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++) {
    g_assert_nonnull (strstr (overview.out, commands[i]));
    g_auto (CommandResult) help =
        command_run ("registry %s --help", commands[i]);
    command_assert_status (&help, 0);
    g_autofree char *usage =
        g_strdup_printf ("gst-forge registry %s", commands[i]);
    g_assert_nonnull (strstr (help.out, usage));
    g_assert_nonnull (strstr (help.out, "--registry"));
  }
}

static void
wrong_usage_of_the_registry_exits_with_2 (void)
{
  begin ("usage.db");
  static const char *const lines[] = { "", "juggle", "register",
    "register colours.onnx", "register a b --name n", "list a b", "show",
    "compare a", "compare a 1", "promote", "promote a",
    "promote a 1 --min-f1 2", "rollback", "alias a", "unalias a", "tag a",
    "describe a", "verify a", "export a", "delete a", "delete a/1 --all",
    "register colours.onnx --name a/b",
    "register colours.onnx --name n --alias latest",
    "register colours.onnx --name n --tag novalue" };
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++)
    expect (2, "%s", lines[i]);
}

static void
a_version_lives_from_register_to_delete (void)
{
  begin ("life.db");
  expect_text (3, "registry list", "no registry yet");
  expect (0, "register colours.onnx --name birds --metrics good.json"
             " --tag site=north --description first");
  expect (0, "register colours.onnx --name birds --metrics poor.json"
             " --parent 1 --alias challenger");
  expect (0, "register colours.onnx --name birds");
  expect (0, "promote birds 1");
  expect_text (
      1, "registry promote birds@challenger", "class 'red' has F1 0.2000");
  expect_text (1, "registry promote birds/3", "no evaluation");
  expect (0, "promote birds challenger --min-f1 0.1");
  expect_text (0, "registry rollback birds", "birds@champion is version 1");
  expect_text (0, "registry show birds", "rollback");
  expect_text (0, "registry compare birds 1 2", "0.2000 (-0.6000)");
  expect_text (0, "registry list birds", "challenger");
  expect_text (0, "registry show birds champion", "site = north");
  expect (0, "tag birds/1 site=south a=b");
  expect (0, "tag birds/1 --unset a");
  expect_text (0, "registry show birds/1", "site = south");
  expect (0, "describe birds 'all of them'");
  expect_text (0, "registry list", "all of them");
  expect (0, "export birds@champion out.onnx");
  expect_text (1, "registry delete birds/1", "alias 'champion'");
  expect (0, "delete birds/3");
  expect (0, "unalias birds challenger");
  expect (0, "unalias birds@champion");
  expect (0, "delete birds --all");
  expect_text (3, "registry show birds", "no model 'birds'");
}

static void
json_has_what_the_text_has (void)
{
  begin ("json.db");
  expect (0, "register colours.onnx --name n --metrics good.json --alias prod");
  g_auto (CommandResult) result = command_run ("registry list n --json -");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonArray *versions =
      json_object_get_array_member (command_json_root (parser), "versions");
  g_assert_cmpuint (json_array_get_length (versions), ==, 1);
  JsonObject *version = json_array_get_object_element (versions, 0);
  static const char *const members[] = { "name", "version", "aliases", "tags",
    "description", "creation_timestamp", "user_id", "run_command", "data_hash",
    "augmentation_config", "precision", "artifact_sha256", "artifact_size",
    "val_accuracy", "test_accuracy", "macro_f1", "min_class_f1", "worst_class",
    "class_f1" };
  command_assert_members (version, members, G_N_ELEMENTS (members));
  g_assert_cmpfloat (
      json_object_get_double_member (version, "test_accuracy"), ==, 0.875);
  g_assert_cmpfloat (
      json_object_get_double_member (version, "min_class_f1"), ==, 0.8);
  g_assert_true (json_object_get_null_member (version, "val_accuracy"));
  g_assert_cmpstr (
      json_object_get_string_member (version, "worst_class"), ==, "red");
  g_assert_cmpstr (
      json_object_get_string_member (version, "precision"), ==, "float32");
  for (gsize i = 0; i < 3; i++) {
    static const char *const lines[] = { "list", "show n",
      "compare n/1 n@prod" };
    g_auto (CommandResult) other =
        command_run ("registry %s --json -", lines[i]);
    command_assert_status (&other, 0);
    g_autoptr (JsonParser) any = command_parse_json (&other);
    g_assert_nonnull (command_json_root (any));
  }
}

/* From convert by inspect to the registry: the file is smaller, and says so
 * wherever it is looked at. */
static void
half_weights_are_told_everywhere (void)
{
  begin ("half.db");
  expect_text (0, "convert colours.onnx half.onnx --weights float16",
      "float16: 1 of 1 matrices; 1,168 bytes, 2,320 as float32");
  expect_text (0, "convert colours.onnx half.onnx --weights float16", " now ");
  GStatBuf wide, narrow;
  g_assert_cmpint (g_stat ("colours.onnx", &wide), ==, 0);
  g_assert_cmpint (g_stat ("half.onnx", &narrow), ==, 0);
  g_assert_cmpint (narrow.st_size, <, wide.st_size - 1000);
  expect_text (0, "inspect half.onnx", "float16: 1 of 1 matrices");
  expect_text (0, "inspect half.onnx", "colours, version 7");
  expect_text (0, "inspect colours.onnx", "2,320 bytes");
  g_auto (CommandResult) inspect = command_run ("inspect half.onnx --json -");
  command_assert_status (&inspect, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&inspect);
  JsonObject *weights =
      json_object_get_object_member (command_json_root (parser), "weights");
  g_assert_cmpint (json_object_get_int_member (weights, "float16"), ==, 1);
  g_assert_cmpint (json_object_get_int_member (weights, "bytes"), ==, 1168);
  g_assert_true (json_object_get_null_member (weights, "unfit"));
  g_assert_cmpint (json_object_get_int_member (
                       command_json_root (parser), "total_parameters"),
      ==, 579);
  expect_text (0, "registry register half.onnx --name h", "float16");
  expect_text (0, "registry show h/1", "float16");
  expect_text (0, "convert registry:h back.onnx --weights float32", "file: ");
  expect_text (0, "registry register back.onnx --name h", "float32");
}

/* A quarter of the bytes of its one matrix, and three scales. */
static void
int8_weights_are_told_everywhere (void)
{
  begin ("int8.db");
  expect_text (0, "convert colours.onnx int8.onnx --weights int8",
      "int8: 1 of 1 matrices; 604 bytes, 2,320 as float32");
  expect_text (0, "inspect int8.onnx", "int8: 1 of 1 matrices");
  g_auto (CommandResult) inspect = command_run ("inspect int8.onnx --json -");
  command_assert_status (&inspect, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&inspect);
  JsonObject *root = command_json_root (parser);
  JsonObject *weights = json_object_get_object_member (root, "weights");
  g_assert_cmpint (json_object_get_int_member (weights, "int8"), ==, 1);
  g_assert_cmpint (json_object_get_int_member (weights, "float16"), ==, 0);
  g_assert_true (json_object_get_null_member (weights, "unfit"));
  g_assert_cmpint (
      json_object_get_int_member (root, "total_parameters"), ==, 579);
  expect_text (0, "registry register int8.onnx --name i", "int8-weights");
  expect_text (0, "registry show i/1", "int8-weights");
  expect_text (0, "convert registry:i half.onnx --weights float16",
      "float16: 1 of 1 matrices");
  expect_text (0, "convert registry:i back.onnx --weights float32", "file: ");
  expect_text (0, "registry register back.onnx --name i", "float32");
}

/* The same bytes in, the same scores out; name and version of the registry. */
static void
every_command_takes_a_reference (void)
{
  begin ("use.db");
  expect (0, "register colours.onnx --name n --alias champion");
  static const char *const lines[] = { "inspect registry:n",
    "classify registry:n@champion red.png", "bench registry:n/1 --seconds 0.01",
    "convert registry:n/latest copy.onnx",
    "evaluate registry:n --data pictures --split test --min-f1 0",
    "doctor registry:n --data pictures" };
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++) {
    g_auto (CommandResult) result = command_run ("%s", lines[i]);
    command_assert_status (&result, 0);
  }
  expect_text (0, "inspect registry:n", "n, version 1");
  expect_text (0, "inspect copy.onnx", "n, version 1");
  expect_text (3, "inspect registry:n@prod", "no alias 'prod'");
  expect_text (3, "classify registry:m red.png", "there are: n");
  expect_text (
      2, "evaluate registry:n --data pictures --calibrate", "does not change");
  /* a file of such a name needs its folder */
  g_autofree char *bytes = NULL;
  gsize size_bytes;
  g_assert_true (
      g_file_get_contents ("colours.onnx", &bytes, &size_bytes, NULL));
  g_assert_true (
      g_file_set_contents ("registry:x", bytes, (gssize) size_bytes, NULL));
  expect_text (3, "inspect registry:x", "no model 'x'");
  expect_text (0, "inspect ./registry:x", "colours, version 7");
}

static void
exported_bytes_are_those_registered (void)
{
  begin ("export.db");
  expect (0, "register colours.onnx --name n");
  expect (0, "export registry:n back.onnx");
  g_autofree char *a = NULL;
  g_autofree char *b = NULL;
  gsize a_bytes, b_bytes;
  g_assert_true (g_file_get_contents ("colours.onnx", &a, &a_bytes, NULL));
  g_assert_true (g_file_get_contents ("back.onnx", &b, &b_bytes, NULL));
  g_assert_cmpmem (a, a_bytes, b, b_bytes);
  /* a version of the registry under another name: the same artifact */
  expect (0, "register registry:n --name copy");
  expect_text (0, "registry verify", "1 artifacts, 0 wrong");
  g_autoptr (GDir) files = g_dir_open ("export.db.artifacts", 0, NULL);
  g_autofree char *path =
      g_build_filename ("export.db.artifacts", g_dir_read_name (files), NULL);
  g_assert_true (g_file_set_contents (path, "damaged", -1, NULL));
  expect_text (
      1, "registry verify", "corrupt: 'copy' version 1, 'n' version 1");
  expect_text (3, "registry export n other.onnx", "SHA-256");
  g_assert_false (g_file_test ("other.onnx", G_FILE_TEST_EXISTS));
  expect_text (3, "inspect registry:n", "SHA-256");
  g_assert_cmpint (g_unlink (path), ==, 0);
  expect_text (1, "registry verify", "missing: 'copy' version 1");
}

static void
only_whole_models_are_registered (void)
{
  begin ("whole.db");
  g_assert_true (g_file_set_contents ("text.onnx", "no model", -1, NULL));
  expect_text (3, "registry register text.onnx --name n", "text.onnx");
  expect_text (3, "registry register none.onnx --name n", "none.onnx");
  expect_text (3, "registry register . --name n", "folder");
  expect_text (3, "registry register shades.onnx --name n",
      "gst-forge convert shades.onnx");
  g_assert_true (
      g_file_set_contents ("bad.json", "{\"accuracy\":7}", -1, NULL));
  expect_text (3, "registry register colours.onnx --name n --metrics bad.json",
      "bad.json");
  /* none of them made a registry */
  expect_text (3, "registry list", "no registry yet");
  expect (0, "register colours.onnx --name n --registry elsewhere/r.db");
  expect_text (0, "registry list --registry elsewhere/r.db", "n ");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  command_enter_folder ();
  toy_write_colour_model ("colours.onnx");
  toy_write_shade_model ("shades.onnx");
  g_assert_true (g_file_set_contents (
      "shades.onnx.modelinfo", "[modelinfo]\nversion=1.0\n", -1, NULL));
  toy_write_colour_folders ("pictures", 4, 0);
  toy_write_picture ("red.png", 16, 16, toy_colour_rgb[2], 1);
  write_metrics ("good.json", 0.8);
  write_metrics ("poor.json", 0.2);
#define ADD(name) g_test_add_func ("/gst-forge/registry/" #name, name)
  ADD (every_registry_command_has_help);
  ADD (wrong_usage_of_the_registry_exits_with_2);
  ADD (a_version_lives_from_register_to_delete);
  ADD (json_has_what_the_text_has);
  ADD (half_weights_are_told_everywhere);
  ADD (int8_weights_are_told_everywhere);
  ADD (every_command_takes_a_reference);
  ADD (exported_bytes_are_those_registered);
  ADD (only_whole_models_are_registered);
#undef ADD
  int status = g_test_run ();
  command_leave_folder ();
  return status;
}
