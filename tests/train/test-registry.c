/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The registry of model versions: what goes in comes out, on SQLite and on a
 * real PostgreSQL server by the same code. */
#include <glib/gstdio.h>
#include <string.h>

#include "registry-fixture.h"

static const ForgeModelMetrics good = { .val_accuracy = 0.9,
  .test_accuracy = 0.875,
  .macro_f1 = 0.85,
  .min_class_f1 = 0.75,
  .worst_class = (char *) "cat",
  .class_f1 = (char *) "{\"cat\":0.75,\"dog\":0.95}" };

static const ForgeModelMetrics poor = { .val_accuracy = 0.9,
  .test_accuracy = 0.875,
  .macro_f1 = 0.6,
  .min_class_f1 = 0.25,
  .worst_class = (char *) "cat",
  .class_f1 = (char *) "{\"cat\":0.25,\"dog\":0.95,\"emu\":0.5}" };

/* Takes the error. */
static void
expect (GError **error, int code, const char *says)
{
  g_assert_nonnull (*error);
  g_test_message ("%s", (*error)->message);
  g_assert_error (*error, FORGE_ERROR, code);
  if (!strstr ((*error)->message, says))
    g_error ("expected '%s' in: %s", says, (*error)->message);
  g_clear_error (error);
}

static gint64
find_version (ForgeRegistry *registry, const char *reference)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModelVersion) version =
      forge_registry_find (registry, reference, &error);
  g_assert_no_error (error);
  return version->version;
}

static void
expect_absent (
    ForgeRegistry *registry, const char *reference, int code, const char *says)
{
  GError *error = NULL;
  g_assert_null (forge_registry_find (registry, reference, &error));
  expect (&error, code, says);
}

static void
add_version (ForgeRegistry *registry, const char *name, const char *text,
    const ForgeModelMetrics *metrics)
{
  forge_model_version_free (
      registry_fixture_register (registry, name, text, metrics));
}

static void
what_is_registered_is_found_again (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  add_version (registry, "birds", "one", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new ("two\0two", 7);
  const ForgeRegisterParams params = { .name = "birds",
    .bytes = bytes,
    .user = "ada",
    .description = "größer",
    .source = "m.onnx",
    .training = "{\"command\":\"gst-forge train\"}",
    .data_hash = "abc",
    .augmentation_config = "{\"flip\":true}",
    .precision = "int8",
    .parent_version = 1,
    .metrics = &good,
    .aliases = (const char *const[]) { "challenger", "night", NULL },
    .tags = (const char *const[]) { "b=2=3", "a=", "a=1", NULL } };
  gint64 before_ms = g_get_real_time () / 1000;
  g_autoptr (ForgeModelVersion) made =
      forge_registry_register (registry, &params, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeRegistry) other =
      registry_fixture_open (location, FORGE_REGISTRY_EXISTING);
  g_autoptr (ForgeModelVersion) v =
      forge_registry_find (other, "registry:birds@night", &error);
  g_assert_no_error (error);
  g_assert_cmpint (made->version, ==, 2);
  g_assert_cmpint (v->version, ==, 2);
  g_assert_cmpint (v->parent_version, ==, 1);
  g_assert_cmpint (v->creation_time_ms, >=, before_ms);
  g_assert_cmpint (v->artifact_size_bytes, ==, 7);
  g_autofree char *sha256 =
      g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
  const char *const texts[][2] = { { v->name, "birds" }, { v->user, "ada" },
    { v->description, "größer" }, { v->source, "m.onnx" },
    { v->run_command, "gst-forge train" }, { v->data_hash, "abc" },
    { v->augmentation_config, "{\"flip\":true}" }, { v->precision, "int8" },
    { v->artifact_sha256, sha256 }, { v->metrics.worst_class, "cat" },
    { v->metrics.class_f1, good.class_f1 } };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_assert_cmpstr (texts[i][0], ==, texts[i][1]);
  g_assert_cmpfloat (v->metrics.val_accuracy, ==, good.val_accuracy);
  g_assert_cmpfloat (v->metrics.test_accuracy, ==, good.test_accuracy);
  g_assert_cmpfloat (v->metrics.macro_f1, ==, good.macro_f1);
  g_assert_cmpfloat (v->metrics.min_class_f1, ==, good.min_class_f1);
  g_autofree char *aliases = g_strjoinv (",", v->aliases);
  g_autofree char *keys = g_strjoinv (",", v->tag_keys);
  g_autofree char *values = g_strjoinv (",", v->tag_values);
  g_assert_cmpstr (aliases, ==, "challenger,night");
  g_assert_cmpstr (keys, ==, "a,b");
  g_assert_cmpstr (values, ==, "1,2=3");
  g_autoptr (GBytes) read = forge_registry_read_artifact (other, v, &error);
  g_assert_no_error (error);
  g_assert_true (g_bytes_equal (read, bytes));
}

static void
what_nobody_measured_stays_unknown (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  g_autoptr (ForgeModelVersion) v =
      registry_fixture_register (registry, "plain", "x", NULL);
  g_assert_true (isnan (v->metrics.val_accuracy));
  g_assert_true (isnan (v->metrics.min_class_f1));
  g_assert_null (v->metrics.worst_class);
  g_assert_null (v->description);
  g_assert_cmpint (v->parent_version, ==, 0);
  g_assert_cmpstr (v->user, ==, g_get_user_name ());
}

static void
references_stand_for_versions (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  for (int i = 0; i < 3; i++)
    add_version (registry, "a b", "x", NULL);
  g_assert_cmpint (find_version (registry, "a b"), ==, 3);
  forge_registry_set_alias (registry, "a b", 2, "champion", &error);
  g_assert_no_error (error);
  forge_registry_set_alias (registry, "a b", 1, "Old_one-1", &error);
  g_assert_no_error (error);
  static const struct {
    const char *reference;
    gint64 version;
  } rows[] = { { "registry:a b", 2 }, { "a b", 2 }, { "a b@champion", 2 },
    { "a b@Old_one-1", 1 }, { "a b/1", 1 }, { "a b/3", 3 }, { "a b/latest", 3 },
    { "a b@LATEST", 3 } };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpint (
        find_version (registry, rows[i].reference), ==, rows[i].version);
}

static void
absence_says_what_there_is (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  const ForgeRegistryParams params = { .location = location };
  g_assert_null (forge_registry_open (&params, &error));
  expect (&error, FORGE_ERROR_NOT_FOUND, "no registry yet");
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  expect_absent (registry, "cat", FORGE_ERROR_NOT_FOUND,
      "no model 'cat'; there are: none");
  add_version (registry, "dog", "x", NULL);
  add_version (registry, "cow", "x", NULL);
  add_version (registry, "cow", "y", NULL);
  forge_registry_set_alias (registry, "cow", 2, "prod", &error);
  g_assert_no_error (error);
  expect_absent (registry, "cat", FORGE_ERROR_NOT_FOUND, "cow, dog");
  expect_absent (registry, "cow/7", FORGE_ERROR_NOT_FOUND, "2, 1");
  expect_absent (
      registry, "cow@champion", FORGE_ERROR_NOT_FOUND, "prod (version 2)");
  g_assert_null (forge_registry_list_versions (registry, "cat", &error));
  expect (&error, FORGE_ERROR_NOT_FOUND, "cow, dog");
  g_assert_false (
      forge_registry_set_alias (registry, "cow", 7, "prod", &error));
  expect (&error, FORGE_ERROR_NOT_FOUND, "no version 7");
  g_assert_false (forge_registry_set_alias (registry, "cow", 0, "x", &error));
  expect (&error, FORGE_ERROR_NOT_FOUND, "no alias 'x'");
  g_assert_false (
      forge_registry_set_tag (registry, "cat", 0, "k", "v", &error));
  expect (&error, FORGE_ERROR_NOT_FOUND, "no model 'cat'");
  g_assert_cmpint (
      forge_registry_rollback (registry, "cow", "prod", &error), ==, 0);
  expect (&error, FORGE_ERROR_NOT_FOUND, "no earlier version");
}

static void
hostile_texts_are_only_texts (Backend backend)
{
  static const char *const texts[] = {
    "x'); DROP TABLE model_versions;--",
    "' OR '1'='1",
    "\"; DELETE FROM artifacts; --",
    "$1 $2 %s %n \\' \\\\",
    "Ünï‘cødé’ 🐦",
    "; COMMIT; DROP TABLE registered_models",
  };
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autofree char *tag = g_strconcat ("key=", texts[i], NULL);
    g_autoptr (GBytes) bytes = g_bytes_new_static ("x", 1);
    const ForgeRegisterParams params = { .name = texts[i],
      .bytes = bytes,
      .description = texts[i],
      .user = texts[i],
      .tags = (const char *const[]) { tag, NULL } };
    g_autoptr (ForgeModelVersion) v =
        forge_registry_register (registry, &params, &error);
    g_assert_no_error (error);
    g_assert_cmpstr (v->name, ==, texts[i]);
    g_assert_cmpstr (v->user, ==, texts[i]);
    g_assert_cmpstr (v->description, ==, texts[i]);
    g_assert_cmpstr (v->tag_values[0], ==, texts[i]);
    forge_registry_set_description (registry, texts[i], 0, texts[i], &error);
    g_assert_no_error (error);
    g_assert_cmpint (find_version (registry, texts[i]), ==, 1);
  }
  g_autoptr (GPtrArray) models = forge_registry_list_models (registry, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (models->len, ==, G_N_ELEMENTS (texts));
}

static void
names_follow_the_rules (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autofree char *long_name = g_strnfill (256, 'x');
  const char *const names[] = { "", "a/b", "a:b", "a@b", "a\nb", "a\x1b[2J",
    "\xff", long_name };
  const char *const aliases[] = { "", "latest", "Latest", "v1", "V22", "a b",
    "a.b", "ä", "a'b", long_name };
  const char *const tags[] = { "novalue", "=v", "k'=v", "k=\xff", "a\n=1" };
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("x", 1);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    const ForgeRegisterParams params = { .name = names[i], .bytes = bytes };
    g_assert_null (forge_registry_register (registry, &params, &error));
    expect (&error, FORGE_ERROR_ARGUMENT, "model name");
  }
  for (guint i = 0; i < G_N_ELEMENTS (aliases); i++) {
    const ForgeRegisterParams params = { .name = "n",
      .bytes = bytes,
      .aliases = (const char *const[]) { aliases[i], NULL } };
    g_assert_null (forge_registry_register (registry, &params, &error));
    expect (&error, FORGE_ERROR_ARGUMENT, "alias");
  }
  for (guint i = 0; i < G_N_ELEMENTS (tags); i++) {
    const ForgeRegisterParams params = { .name = "n",
      .bytes = bytes,
      .tags = (const char *const[]) { tags[i], NULL } };
    g_assert_null (forge_registry_register (registry, &params, &error));
    expect (&error, FORGE_ERROR_ARGUMENT, "tag");
  }
  static const char *const references[] = { "registry:", "n/0", "n/-1", "n/1x",
    "n/99999999999999999999", "n/", "n@", "n@a@b", "n/1/2", "/1" };
  for (guint i = 0; i < G_N_ELEMENTS (references); i++)
    expect_absent (registry, references[i], FORGE_ERROR_ARGUMENT, "expected");
  g_autoptr (GPtrArray) models = forge_registry_list_models (registry, &error);
  g_assert_cmpuint (models->len, ==, 0);
}

static void
failed_registration_takes_its_number_back (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  add_version (registry, "n", "1", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("x", 1);
  const ForgeRegisterParams params = {
    .name = "n", .bytes = bytes, .parent_version = 9
  };
  g_assert_null (forge_registry_register (registry, &params, &error));
  expect (&error, FORGE_ERROR_NOT_FOUND, "no version 9");
  g_autoptr (ForgeModelVersion) v =
      registry_fixture_register (registry, "n", "2", NULL);
  g_assert_cmpint (v->version, ==, 2);
}

static void
promotion_is_guarded (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  add_version (registry, "m", "1", NULL);
  add_version (registry, "m", "2", &poor);
  add_version (registry, "m", "3", &good);
  g_autoptr (ForgeModelVersion) v4 =
      registry_fixture_register (registry, "m", "4", &good);
  g_autoptr (ForgeModelVersion) v5 =
      registry_fixture_register (registry, "m", "5", &good);
  registry_fixture_corrupt (location, v4->artifact_sha256);
  registry_fixture_lose (location, v5->artifact_sha256);
  static const struct {
    gint64 version;
    const char *says;
  } rows[] = { { 1, "no evaluation" },
    { 2, "class 'cat' has F1 0.2500, class 'emu' has F1 0.5000" },
    { 4, "SHA-256" }, { 5, "not what was registered" } };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_assert_false (
        forge_registry_promote (registry, "m", rows[i].version, NULL, &error));
    expect (&error, FORGE_ERROR_REFUSED, rows[i].says);
  }
  expect_absent (
      registry, "m@champion", FORGE_ERROR_NOT_FOUND, "there are: none");
  const ForgePromoteParams strict = { .min_f1 = 0.76 };
  g_assert_false (forge_registry_promote (registry, "m", 3, &strict, &error));
  expect (&error, FORGE_ERROR_REFUSED, "'cat' has F1 0.7500");
  const ForgePromoteParams exact = { .alias = "prod", .min_f1 = 0.75 };
  forge_registry_promote (registry, "m", 3, &exact, &error);
  g_assert_no_error (error);
  g_assert_cmpint (find_version (registry, "m@prod"), ==, 3);
  g_assert_false (forge_registry_promote (registry, "m", 9, NULL, &error));
  expect (&error, FORGE_ERROR_NOT_FOUND, "no version 9");
}

static void
rollback_walks_back_through_the_history (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  for (gint64 i = 1; i <= 4; i++) {
    g_autofree char *text = g_strdup_printf ("%d", (int) i);
    g_autoptr (ForgeModelVersion) v =
        registry_fixture_register (registry, "m", text, &good);
    forge_registry_promote (registry, "m", v->version, NULL, &error);
    g_assert_no_error (error);
  }
  /* 1 2 3 4, of which 3 goes: back from 4 is 2 */
  forge_registry_delete (registry, "m", 3, &error);
  g_assert_no_error (error);
  g_assert_cmpint (
      forge_registry_rollback (registry, "m", NULL, &error), ==, 2);
  g_assert_cmpint (find_version (registry, "m"), ==, 2);
  forge_registry_promote (registry, "m", 4, NULL, &error);
  g_assert_no_error (error);
  forge_registry_set_alias (registry, "m", 0, "champion", &error);
  g_assert_no_error (error);
  static const gint64 ways_back[] = { 4, 2, 1, 0 };
  for (guint i = 0; i < G_N_ELEMENTS (ways_back); i++)
    g_assert_cmpint (forge_registry_rollback (
                         registry, "m", NULL, ways_back[i] ? NULL : &error),
        ==, ways_back[i]);
  expect (&error, FORGE_ERROR_NOT_FOUND, "no earlier version");
  g_autoptr (GPtrArray) changes =
      forge_registry_list_history (registry, "m", &error);
  g_autoptr (GString) text = g_string_new (NULL);
  for (guint i = 0; i < changes->len; i++) {
    const ForgeAliasChange *change = changes->pdata[i];
    g_assert_cmpstr (change->user, ==, g_get_user_name ());
    g_assert_cmpint (change->creation_time_ms, >, 0);
    g_string_append_printf (text, "%s %d>%d, ", change->action,
        (int) change->previous_version, (int) change->version);
  }
  g_assert_cmpstr (text->str, ==,
      "promote 0>1, promote 1>2, promote 2>3, promote 3>4, rollback 4>2, "
      "promote 2>4, unalias 4>0, rollback 0>4, rollback 4>2, rollback 2>1, ");
}

static void
rollback_refuses_damaged_bytes (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  g_autoptr (ForgeModelVersion) first =
      registry_fixture_register (registry, "m", "1", &good);
  add_version (registry, "m", "2", &good);
  for (gint64 i = 1; i <= 2; i++)
    forge_registry_promote (registry, "m", i, NULL, &error);
  g_assert_no_error (error);
  registry_fixture_corrupt (location, first->artifact_sha256);
  g_assert_cmpint (
      forge_registry_rollback (registry, "m", NULL, &error), ==, 0);
  expect (&error, FORGE_ERROR_REFUSED, "SHA-256");
  g_assert_cmpint (find_version (registry, "m@champion"), ==, 2);
}

static void
tags_and_descriptions_change (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  add_version (registry, "m", "1", NULL);
  for (gint64 version = 0; version <= 1; version++) {
    forge_registry_set_tag (registry, "m", version, "k", "old", &error);
    forge_registry_set_tag (registry, "m", version, "k", "new", &error);
    forge_registry_set_tag (registry, "m", version, "gone", "x", &error);
    forge_registry_set_tag (registry, "m", version, "gone", NULL, &error);
    forge_registry_set_description (registry, "m", version, "words", &error);
    g_assert_no_error (error);
  }
  g_autoptr (GPtrArray) models = forge_registry_list_models (registry, &error);
  const ForgeRegisteredModel *model = models->pdata[0];
  g_autoptr (ForgeModelVersion) v =
      forge_registry_find (registry, "m/1", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (model->description, ==, "words");
  g_assert_cmpstr (v->description, ==, "words");
  g_assert_cmpstr (model->tag_keys[0], ==, "k");
  g_assert_cmpstr (v->tag_keys[0], ==, "k");
  g_assert_null (model->tag_keys[1]);
  g_assert_null (v->tag_keys[1]);
  g_assert_cmpstr (model->tag_values[0], ==, "new");
  g_assert_cmpstr (v->tag_values[0], ==, "new");
  g_assert_cmpint (model->n_versions, ==, 1);
}

static void
deletion_spares_what_is_in_use (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  add_version (registry, "m", "same", NULL);
  g_autoptr (ForgeModelVersion) v2 =
      registry_fixture_register (registry, "m", "same", NULL);
  g_autoptr (ForgeModelVersion) v3 =
      registry_fixture_register (registry, "m", "other", NULL);
  forge_registry_set_tag (registry, "m", 1, "k", "v", &error);
  forge_registry_set_alias (registry, "m", 2, "champion", &error);
  g_assert_no_error (error);
  g_assert_false (forge_registry_delete (registry, "m", 2, &error));
  expect (&error, FORGE_ERROR_REFUSED, "alias 'champion'");
  g_assert_false (forge_registry_delete (registry, "m", 0, &error));
  expect (&error, FORGE_ERROR_REFUSED, "alias 'champion'");
  forge_registry_delete (registry, "m", 1, &error);
  g_assert_no_error (error);
  g_autoptr (GBytes) kept = forge_registry_read_artifact (registry, v2, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (kept), ==, 4);
  forge_registry_delete (registry, "m", 3, &error);
  g_assert_no_error (error);
  registry_fixture_forget_cache ();
  g_assert_null (forge_registry_read_artifact (registry, v3, &error));
  expect (&error, FORGE_ERROR_NOT_FOUND, v3->artifact_sha256);
  g_autoptr (ForgeModelVersion) v4 =
      registry_fixture_register (registry, "m", "x", NULL);
  g_assert_cmpint (v4->version, ==, 4);
  forge_registry_set_alias (registry, "m", 0, "champion", &error);
  forge_registry_delete (registry, "m", 0, &error);
  g_assert_no_error (error);
  g_autoptr (GPtrArray) models = forge_registry_list_models (registry, &error);
  g_assert_cmpuint (models->len, ==, 0);
}

static ForgeVerifyResult *
verify (ForgeRegistry *registry, gboolean clean)
{
  g_autoptr (GError) error = NULL;
  ForgeVerifyResult *result = forge_registry_verify (registry, clean, &error);
  g_assert_no_error (error);
  return result;
}

static void
verification_finds_what_is_wrong (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  g_autoptr (ForgeModelVersion) a =
      registry_fixture_register (registry, "a", "corrupt me", NULL);
  g_autoptr (ForgeModelVersion) b =
      registry_fixture_register (registry, "b", "lose me", NULL);
  add_version (registry, "c", "corrupt me", NULL);
  add_version (registry, "d", "leave me", NULL);
  g_autoptr (ForgeVerifyResult) fine = verify (registry, FALSE);
  g_assert_cmpuint (fine->n_artifacts, ==, 3);
  g_assert_cmpuint (fine->problems->len, ==, 0);
  registry_fixture_corrupt (location, a->artifact_sha256);
  registry_fixture_lose (location, b->artifact_sha256);
  g_autoptr (ForgeVerifyResult) bad = verify (registry, FALSE);
  g_assert_cmpuint (bad->n_artifacts, ==, 3);
  g_assert_cmpuint (bad->problems->len, ==, 2);
  for (guint i = 0; i < 2; i++) {
    const char *line = bad->problems->pdata[i];
    g_test_message ("%s", line);
    g_assert_true (
        g_str_has_prefix (line, "corrupt: 'a' version 1, 'c' version 1: ") ||
        g_str_has_prefix (line, "missing: 'b' version 1: "));
  }
  /* the same bytes again mend what is stored */
  add_version (registry, "a", "corrupt me", NULL);
  add_version (registry, "b", "lose me", NULL);
  g_autoptr (ForgeVerifyResult) mended = verify (registry, FALSE);
  g_assert_cmpuint (mended->problems->len, ==, 0);
}

static void
changed_bytes_are_never_handed_out (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  g_autoptr (ForgeModelVersion) v =
      registry_fixture_register (registry, "m", "bytes", NULL);
  registry_fixture_corrupt (location, v->artifact_sha256);
  g_assert_null (forge_registry_read_artifact (registry, v, &error));
  expect (&error, FORGE_ERROR_FORMAT, v->artifact_sha256);
  g_autofree char *out = g_build_filename (g_get_tmp_dir (), "forge-no", NULL);
  g_assert_false (forge_registry_export (registry, v, out, &error));
  expect (&error, FORGE_ERROR_FORMAT, "model 'm' version 1");
  g_assert_false (g_file_test (out, G_FILE_TEST_EXISTS));
}

static void
large_and_empty_artifacts_survive (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  static const gsize sizes_bytes[] = { 0, 1, 4 << 20, (9 << 20) + 3 };
  for (guint i = 0; i < G_N_ELEMENTS (sizes_bytes); i++) {
    char *data = g_malloc (sizes_bytes[i] + 1);
    for (gsize k = 0; k < sizes_bytes[i]; k++)
      data[k] = (char) (k * 7 + (k >> 12));
    g_autoptr (GBytes) bytes = g_bytes_new_take (data, sizes_bytes[i]);
    const ForgeRegisterParams params = { .name = "m", .bytes = bytes };
    g_autoptr (ForgeModelVersion) v =
        forge_registry_register (registry, &params, &error);
    g_assert_no_error (error);
    g_autoptr (GBytes) read =
        forge_registry_read_artifact (registry, v, &error);
    g_assert_no_error (error);
    g_assert_true (g_bytes_equal (read, bytes));
  }
}

static void
a_server_serves_another_machine (void)
{
  g_autofree char *location = registry_fixture_location (BACKEND_POSTGRESQL);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  g_autoptr (ForgeModelVersion) v =
      registry_fixture_register (registry, "m", "far away", NULL);
  g_autofree char *cached = g_build_filename (g_get_user_cache_dir (),
      "gst-forge", "artifacts", v->artifact_sha256, NULL);
  registry_fixture_forget_cache ();
  for (int i = 0; i < 2; i++) {
    g_autoptr (GBytes) read =
        forge_registry_read_artifact (registry, v, &error);
    g_assert_no_error (error);
    g_assert_cmpmem (
        g_bytes_get_data (read, NULL), g_bytes_get_size (read), "far away", 8);
    g_autofree char *text = NULL;
    g_assert_true (g_file_get_contents (cached, &text, NULL, NULL));
    g_assert_cmpstr (text, ==, "far away");
    /* what the cache has is not believed */
    g_assert_true (g_file_set_contents (cached, "tampered", -1, NULL));
  }
}

int
main (int argc, char **argv)
{
  registry_fixture_init ();
  g_test_init (&argc, &argv, NULL);
#define ADD(name) registry_fixture_add (#name, name)
  ADD (what_is_registered_is_found_again);
  ADD (what_nobody_measured_stays_unknown);
  ADD (references_stand_for_versions);
  ADD (absence_says_what_there_is);
  ADD (hostile_texts_are_only_texts);
  ADD (names_follow_the_rules);
  ADD (failed_registration_takes_its_number_back);
  ADD (promotion_is_guarded);
  ADD (rollback_walks_back_through_the_history);
  ADD (rollback_refuses_damaged_bytes);
  ADD (tags_and_descriptions_change);
  ADD (deletion_spares_what_is_in_use);
  ADD (verification_finds_what_is_wrong);
  ADD (changed_bytes_are_never_handed_out);
  ADD (large_and_empty_artifacts_survive);
#undef ADD
  g_test_add_func ("/registry/postgresql/a_server_serves_another_machine",
      a_server_serves_another_machine);
  return registry_fixture_run ();
}
