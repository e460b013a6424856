/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which versions of a model there are, how good each is, and which one is in
 * use: rows of SQL, in a SQLite file or on a PostgreSQL server. Names and
 * fields are MLflow's. A version never changes its bytes: they are kept by
 * their SHA-256, and every way out of the registry compares it. */
#pragma once

#include <glib.h>
#include <math.h>

G_BEGIN_DECLS

typedef struct _ForgeRegistry ForgeRegistry;

/* What a reference to a version begins with. */
#define FORGE_REGISTRY_PREFIX "registry:"
/* The alias that stands for "the one in use". */
#define FORGE_REGISTRY_CHAMPION "champion"

/**
 * ForgeModelMetrics:
 * @val_accuracy: on the validation part
 * @test_accuracy: on the test part
 * @macro_f1: mean of the F1 of the classes
 * @min_class_f1: least F1 of the classes with pictures
 * @worst_class: (nullable): whose F1 that is
 * @class_f1: (nullable): every class's F1, a JSON object of numbers
 *
 * What is known of how good a version is: 0..1, NaN or %NULL where nobody
 * has measured.
 *
 * Since: 0.1
 */
typedef struct {
  double val_accuracy, test_accuracy;
  double macro_f1, min_class_f1;
  char *worst_class;
  char *class_f1;
} ForgeModelMetrics;

#define FORGE_MODEL_METRICS_DEFAULT                              \
  {                                                              \
    .val_accuracy = (double) NAN, .test_accuracy = (double) NAN, \
    .macro_f1 = (double) NAN, .min_class_f1 = (double) NAN,      \
  }

/**
 * forge_model_metrics_read:
 * @metrics: (inout): what is found replaces what is there
 * @json: a document of `gst-forge evaluate --json`, or one of the values
 *   `forge.evaluation`, `forge.drift` and `forge.training` of a model file
 * @name: what to call @json in messages
 * @error: return location
 *
 * Reads figures under scikit-learn's names (`accuracy`, `macro avg`, a class's
 * `f1-score` and `support`) and under those of the model file (`macro_f1`,
 * `f1`, `val_accuracy`). `split` says which part `accuracy` is of; test where
 * there is none. A class without pictures has no F1.
 *
 * Errors: %FORGE_ERROR_FORMAT: no JSON object, or a figure outside 0..1.
 * Returns: %FALSE on error, @metrics is then as before
 * Since: 0.1
 */
gboolean forge_model_metrics_read (ForgeModelMetrics *metrics, const char *json,
    const char *name, GError **error);

/**
 * forge_model_metrics_clear:
 * @metrics: the figures
 *
 * Frees the texts and forgets the numbers.
 *
 * Since: 0.1
 */
void forge_model_metrics_clear (ForgeModelMetrics *metrics);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ForgeModelMetrics, forge_model_metrics_clear)

/**
 * ForgeModelVersion:
 * @name: of the registered model
 * @version: from 1
 * @creation_time_ms: since 1970, UTC
 * @last_updated_time_ms: of description and tags
 * @user: who registered it
 * @description: (nullable): in words
 * @source: (nullable): the file it was made of
 * @run_command: (nullable): the command that trained it
 * @data_hash: (nullable): SHA-256 of the training data
 * @augmentation_config: (nullable): JSON, well-formed and not nested deep
 * @precision: (nullable): "float32", "float16", "int8-weights", "int8" or any
 *   other word
 * @parent_version: the version it was made from; 0 = none
 * @artifact_sha256: of its bytes, 64 hexadecimal digits
 * @artifact_size_bytes: how many
 * @metrics: how good it is
 * @aliases: (array zero-terminated=1): sorted
 * @tag_keys: (array zero-terminated=1): sorted
 * @tag_values: (array zero-terminated=1): in the order of @tag_keys
 *
 * One version, as the database has it.
 *
 * Since: 0.1
 */
typedef struct {
  char *name;
  gint64 version;
  gint64 creation_time_ms, last_updated_time_ms;
  char *user, *description, *source, *run_command;
  char *data_hash, *augmentation_config, *precision;
  gint64 parent_version;
  char *artifact_sha256;
  gint64 artifact_size_bytes;
  ForgeModelMetrics metrics;
  char **aliases;
  char **tag_keys, **tag_values;
} ForgeModelVersion;

/**
 * forge_model_version_free:
 * @version: (transfer full) (nullable): the version
 *
 * Frees it.
 *
 * Since: 0.1
 */
void forge_model_version_free (ForgeModelVersion *version);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeModelVersion, forge_model_version_free)

/**
 * ForgeRegisteredModel:
 * @name: the name
 * @description: (nullable): in words
 * @creation_time_ms: since 1970, UTC
 * @last_updated_time_ms: of anything below the name
 * @n_versions: how many there are
 * @latest_version: the highest; 0 = none is left
 * @aliases: (array zero-terminated=1): sorted
 * @alias_versions: (array): in the order of @aliases
 * @tag_keys: (array zero-terminated=1): sorted
 * @tag_values: (array zero-terminated=1): in the order of @tag_keys
 *
 * A name and what hangs on it.
 *
 * Since: 0.1
 */
typedef struct {
  char *name, *description;
  gint64 creation_time_ms, last_updated_time_ms;
  gint64 n_versions, latest_version;
  char **aliases;
  gint64 *alias_versions;
  char **tag_keys, **tag_values;
} ForgeRegisteredModel;

/**
 * forge_registered_model_free:
 * @model: (transfer full) (nullable): the model
 *
 * Frees it.
 *
 * Since: 0.1
 */
void forge_registered_model_free (ForgeRegisteredModel *model);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (
    ForgeRegisteredModel, forge_registered_model_free)

/**
 * ForgeAliasChange:
 * @alias: which one
 * @version: what it stood for afterwards; 0 = it was taken away
 * @previous_version: what it stood for before; 0 = nothing
 * @action: "register", "alias", "unalias", "promote" or "rollback"
 * @user: who did it
 * @creation_time_ms: when, since 1970, UTC
 *
 * A line of the history of the aliases.
 *
 * Since: 0.1
 */
typedef struct {
  char *alias;
  gint64 version, previous_version;
  char *action, *user;
  gint64 creation_time_ms;
} ForgeAliasChange;

/**
 * forge_alias_change_free:
 * @change: (transfer full) (nullable): the line
 *
 * Frees it.
 *
 * Since: 0.1
 */
void forge_alias_change_free (ForgeAliasChange *change);

/**
 * ForgeRegistryMode:
 * @FORGE_REGISTRY_EXISTING: must be there
 * @FORGE_REGISTRY_CREATE: made where there is none
 *
 * What opening may do.
 *
 * Since: 0.1
 */
typedef enum {
  FORGE_REGISTRY_EXISTING,
  FORGE_REGISTRY_CREATE,
} ForgeRegistryMode;

/**
 * ForgeRegistryParams:
 * @location: (nullable): path of a SQLite file or a `postgresql://` URI;
 *   %NULL = $FORGE_REGISTRY, else gst-forge/registry.db in the user's data
 *   folder ($XDG_DATA_HOME)
 * @mode: what to do where there is none
 * @timeout_ms: how long to wait for others who are writing; 0 = 30000
 *
 * How to open.
 *
 * Since: 0.1
 */
typedef struct {
  const char *location;
  ForgeRegistryMode mode;
  guint timeout_ms;
} ForgeRegistryParams;

/**
 * forge_registry_open:
 * @params: (nullable): %NULL = as zeros
 * @error: return location
 *
 * Connects, and brings the tables of an older program up to date. The bytes
 * of models lie in the folder `<file>.artifacts` beside a SQLite file. A
 * server keeps them itself, so that other machines get them; what came from
 * there is kept in gst-forge/artifacts of the user's cache folder and checked
 * at each use.
 *
 * A SQLite file and folder that may only be read serve readers.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND (no registry there yet), %FORGE_ERROR_IO
 * (unreachable, locked, not permitted), %FORGE_ERROR_FORMAT (damaged, or the
 * database of another program), %FORGE_ERROR_UNSUPPORTED (tables of a newer
 * program; no PostgreSQL in this build), %FORGE_ERROR_ARGUMENT (no such URI).
 *
 * Thread safety: any thread; the result belongs to one thread at a time. Open
 * as many as there are threads.
 * Returns: (transfer full) (nullable): the registry
 * Since: 0.1
 */
ForgeRegistry *forge_registry_open (
    const ForgeRegistryParams *params, GError **error);

/**
 * forge_registry_close:
 * @registry: (transfer full) (nullable): the registry
 *
 * Disconnects.
 *
 * Since: 0.1
 */
void forge_registry_close (ForgeRegistry *registry);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeRegistry, forge_registry_close)

/**
 * forge_registry_get_location:
 * @registry: the registry
 *
 * Where it is, for messages: a URI comes without its password.
 *
 * Returns: (transfer none): the text
 * Since: 0.1
 */
const char *forge_registry_get_location (const ForgeRegistry *registry);

/**
 * ForgeRegisterParams:
 * @name: of the model: any text without '/', ':', '@' and control characters,
 *   at most 255 bytes
 * @bytes: the whole model file
 * @user: (nullable): %NULL = the user of the process
 * @description: (nullable): in words
 * @source: (nullable): where @bytes come from
 * @run_command: (nullable): what trained it
 * @training: (nullable): `forge.training` of the model file, whose `command`
 *   stands in for @run_command
 * @data_hash: (nullable): of the training data
 * @augmentation_config: (nullable): JSON
 * @precision: (nullable): a word
 * @parent_version: an existing version of @name; 0 = none
 * @metrics: (nullable): how good it is
 * @aliases: (nullable): to point at it
 * @tags: (nullable): texts of the form `key=value`
 *
 * A version to be.
 *
 * Since: 0.1
 */
typedef struct {
  const char *name;
  GBytes *bytes;
  const char *user, *description, *source, *run_command, *training;
  const char *data_hash, *augmentation_config, *precision;
  gint64 parent_version;
  const ForgeModelMetrics *metrics;
  const char *const *aliases;
  const char *const *tags;
} ForgeRegisterParams;

/**
 * forge_registry_register:
 * @registry: the registry
 * @params: the version to be
 * @error: return location
 *
 * Adds the next version of a name, all of it or nothing; the first one makes
 * the name. The bytes are safe on the disk before a row speaks of them. Any
 * number of processes may do this at once.
 *
 * Errors: %FORGE_ERROR_ARGUMENT (a name, alias or tag that is none),
 * %FORGE_ERROR_NOT_FOUND (the parent), %FORGE_ERROR_IO.
 *
 * Returns: (transfer full) (nullable): the version
 * Since: 0.1
 */
ForgeModelVersion *forge_registry_register (
    ForgeRegistry *registry, const ForgeRegisterParams *params, GError **error);

/**
 * forge_registry_find:
 * @registry: the registry
 * @reference: `NAME/3`, `NAME/latest`, `NAME@ALIAS`, or `NAME` for its
 *   champion, else its latest version; "registry:" before it or not
 * @error: return location
 *
 * Looks a version up.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND, with what there is instead;
 * %FORGE_ERROR_ARGUMENT: no reference.
 *
 * Returns: (transfer full) (nullable): the version
 * Since: 0.1
 */
ForgeModelVersion *forge_registry_find (
    ForgeRegistry *registry, const char *reference, GError **error);

/**
 * forge_registry_list_models:
 * @registry: the registry
 * @error: return location
 *
 * All names.
 *
 * Returns: (transfer full) (element-type ForgeRegisteredModel) (nullable):
 * sorted
 * Since: 0.1
 */
GPtrArray *forge_registry_list_models (ForgeRegistry *registry, GError **error);

/**
 * forge_registry_list_versions:
 * @registry: the registry
 * @name: of the model
 * @error: return location
 *
 * All versions of a name.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND.
 * Returns: (transfer full) (element-type ForgeModelVersion) (nullable): the
 * latest last
 * Since: 0.1
 */
GPtrArray *forge_registry_list_versions (
    ForgeRegistry *registry, const char *name, GError **error);

/**
 * forge_registry_list_history:
 * @registry: the registry
 * @name: of the model
 * @error: return location
 *
 * What the aliases of a name have stood for.
 *
 * Returns: (transfer full) (element-type ForgeAliasChange) (nullable): the
 * latest last
 * Since: 0.1
 */
GPtrArray *forge_registry_list_history (
    ForgeRegistry *registry, const char *name, GError **error);

/**
 * forge_registry_set_alias:
 * @registry: the registry
 * @name: of the model
 * @version: to point at; 0 takes the alias away
 * @alias: letters, digits, '_' and '-'; neither "latest" nor "v" and a number
 * @error: return location
 *
 * Moves an alias, unchecked but for the version's being there;
 * forge_registry_promote() is the checked way.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND, %FORGE_ERROR_ARGUMENT.
 * Returns: %FALSE on error
 * Since: 0.1
 */
gboolean forge_registry_set_alias (ForgeRegistry *registry, const char *name,
    gint64 version, const char *alias, GError **error);

/**
 * ForgePromoteParams:
 * @alias: to give; %NULL = "champion"
 * @min_f1: floor for the F1 of every class, 0..1
 *
 * What a version has to stand up to.
 *
 * Since: 0.1
 */
typedef struct {
  const char *alias;
  double min_f1;
} ForgePromoteParams;

#define FORGE_PROMOTE_PARAMS_DEFAULT \
  {                                  \
    .min_f1 = 0.70                   \
  }

/**
 * forge_registry_promote:
 * @registry: the registry
 * @name: of the model
 * @version: which one
 * @params: (nullable): %NULL = the default
 * @error: return location
 *
 * Gives a version an alias once its bytes have the right hash and its
 * evaluation leaves no class under the floor.
 *
 * Errors: %FORGE_ERROR_REFUSED: a class is under the floor (named), there is
 * no evaluation, or the bytes are missing or not those registered;
 * %FORGE_ERROR_NOT_FOUND.
 *
 * Returns: %FALSE on error
 * Since: 0.1
 */
gboolean forge_registry_promote (ForgeRegistry *registry, const char *name,
    gint64 version, const ForgePromoteParams *params, GError **error);

/**
 * forge_registry_rollback:
 * @registry: the registry
 * @name: of the model
 * @alias: (nullable): %NULL = "champion"
 * @error: return location
 *
 * Puts an alias back to the version before, by its history; again, one more
 * back. Versions that are gone are passed over.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND: there is none before;
 * %FORGE_ERROR_REFUSED: its bytes are missing or not those registered.
 *
 * Returns: the version that the alias now stands for; 0 on error
 * Since: 0.1
 */
gint64 forge_registry_rollback (ForgeRegistry *registry, const char *name,
    const char *alias, GError **error);

/**
 * forge_registry_set_tag:
 * @registry: the registry
 * @name: of the model
 * @version: which one; 0 = the model itself
 * @key: letters, digits, '_', '-', '.', ' ' and '/', at most 250 bytes
 * @value: (nullable): at most 5000 bytes; %NULL takes the tag away
 * @error: return location
 *
 * Sets a tag.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND, %FORGE_ERROR_ARGUMENT.
 * Returns: %FALSE on error
 * Since: 0.1
 */
gboolean forge_registry_set_tag (ForgeRegistry *registry, const char *name,
    gint64 version, const char *key, const char *value, GError **error);

/**
 * forge_registry_set_description:
 * @registry: the registry
 * @name: of the model
 * @version: which one; 0 = the model itself
 * @text: (nullable): in words
 * @error: return location
 *
 * Replaces the description.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND, %FORGE_ERROR_ARGUMENT.
 * Returns: %FALSE on error
 * Since: 0.1
 */
gboolean forge_registry_set_description (ForgeRegistry *registry,
    const char *name, gint64 version, const char *text, GError **error);

/**
 * forge_registry_delete:
 * @registry: the registry
 * @name: of the model
 * @version: which one; 0 = the model with all its versions
 * @error: return location
 *
 * Deletes a version, and its bytes unless another version has the same. Its
 * number is not used again, unless the model itself is deleted and begun anew.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND; %FORGE_ERROR_REFUSED: an alias stands for
 * it.
 *
 * Returns: %FALSE on error
 * Since: 0.1
 */
gboolean forge_registry_delete (
    ForgeRegistry *registry, const char *name, gint64 version, GError **error);

/**
 * forge_registry_read_artifact:
 * @registry: the registry
 * @version: of forge_registry_find()
 * @error: return location
 *
 * The bytes of a version, once their hash is what the database says.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND (missing), %FORGE_ERROR_FORMAT (other bytes
 * than were registered), %FORGE_ERROR_IO, %FORGE_ERROR_MEMORY.
 *
 * Returns: (transfer full) (nullable): the model file
 * Since: 0.1
 */
GBytes *forge_registry_read_artifact (
    ForgeRegistry *registry, const ForgeModelVersion *version, GError **error);

/**
 * forge_registry_export:
 * @registry: the registry
 * @version: of forge_registry_find()
 * @path: of the file to write, all of it or nothing
 * @error: return location
 *
 * Copies a version's bytes, checked, into a file.
 *
 * Errors: as forge_registry_read_artifact().
 * Returns: %FALSE on error
 * Since: 0.1
 */
gboolean forge_registry_export (ForgeRegistry *registry,
    const ForgeModelVersion *version, const char *path, GError **error);

/**
 * ForgeVerifyResult:
 * @n_artifacts: different artifacts of all versions
 * @problems: one line for each that is missing or has other bytes: which,
 *   whose, and how
 * @orphans: files in the artifact folder that no version needs, left by a
 *   process that died while it registered
 * @n_removed: how many of @orphans were removed
 *
 * What forge_registry_verify() found.
 *
 * Since: 0.1
 */
typedef struct {
  guint n_artifacts;
  GPtrArray *problems;
  GPtrArray *orphans;
  guint n_removed;
} ForgeVerifyResult;

/**
 * forge_verify_result_free:
 * @result: (transfer full) (nullable): the findings
 *
 * Frees them.
 *
 * Since: 0.1
 */
void forge_verify_result_free (ForgeVerifyResult *result);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeVerifyResult, forge_verify_result_free)

/**
 * forge_registry_verify:
 * @registry: the registry
 * @clean: whether to remove orphans
 * @error: return location
 *
 * Reads all artifacts and compares their hashes. Cost: every byte of every
 * version; writers wait only while orphans are looked for.
 *
 * Errors: of the database; what is wrong with artifacts is in the result.
 * Returns: (transfer full) (nullable): the findings
 * Since: 0.1
 */
ForgeVerifyResult *forge_registry_verify (
    ForgeRegistry *registry, gboolean clean, GError **error);

G_END_DECLS
