/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Checkpoints. All numbers little-endian:
 *   8 bytes "FORGECKP", u32 version
 *   u32 length and bytes of the settings (JSON)
 *   u64 epoch, step, best epoch; f64 best validation loss, accuracy
 *   u32 number of slots (parameters and running averages), then for each:
 *     u64 n, u8 which arrays follow, and these, float32 [n] each: value, and
 *     by bits from the lowest: first moment, second moment, best value,
 *     average, slow weights
 *   u32 number of training pictures whose last losses follow, 0 where none is
 *     left out; float32 each, below 0 = not known (not in version 2)
 *   32 bytes SHA-256 of everything before
 * The settings are compared as text: a run goes on only as it began. */
#include <string.h>

#include "base/file.h"
#include "base/reader.h"
#include "train/trainer.h"

#define MAGIC "FORGECKP"
#define MAGIC_BYTES 8
#define VERSION 3
#define OLDEST_VERSION 2
#define N_ARRAYS 5
#define DIGEST_BYTES 32
#define MAX_FILE_BYTES ((size_t) 1 << 31)

static void
put_u32 (GByteArray *out, uint32_t value)
{
  value = GUINT32_TO_LE (value);
  g_byte_array_append (out, (const guint8 *) &value, sizeof value);
}

static void
put_u64 (GByteArray *out, uint64_t value)
{
  value = GUINT64_TO_LE (value);
  g_byte_array_append (out, (const guint8 *) &value, sizeof value);
}

static void
put_f64 (GByteArray *out, double value)
{
  uint64_t bits;
  memcpy (&bits, &value, sizeof bits);
  put_u64 (out, bits);
}

static void
put_floats (GByteArray *out, const float *values, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy (&bits, &values[i], sizeof bits);
    put_u32 (out, bits);
  }
}

static void
digest (const uint8_t *bytes, size_t size_bytes, uint8_t sum[DIGEST_BYTES])
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize length = DIGEST_BYTES;
  g_checksum_update (checksum, bytes, (gssize) size_bytes);
  g_checksum_get_digest (checksum, sum, &length);
}

/* What a slot has beside its value; which of them is the same in every run
 * with the same settings. */
static void
arrays_of (const ForgeSlot *slot, float *arrays[N_ARRAYS])
{
  arrays[0] = slot->m;
  arrays[1] = slot->v;
  arrays[2] = slot->best;
  arrays[3] = slot->average;
  arrays[4] = slot->slow;
}

static uint8_t
mask_of (float *const arrays[N_ARRAYS])
{
  uint8_t mask = 0;
  for (int i = 0; i < N_ARRAYS; i++)
    mask |= (uint8_t) ((arrays[i] != NULL) << i);
  return mask;
}

static void
put_slot (GByteArray *out, const ForgeSlot *slot)
{
  float *arrays[N_ARRAYS];
  arrays_of (slot, arrays);
  uint8_t mask = mask_of (arrays);
  put_u64 (out, slot->n);
  g_byte_array_append (out, &mask, 1);
  put_floats (out, slot->value->data, slot->n);
  for (int i = 0; i < N_ARRAYS; i++)
    if (arrays[i])
      put_floats (out, arrays[i], slot->n);
}

static void
put_losses (GByteArray *out, const ForgePrune *prune)
{
  put_u32 (out, prune ? prune->n_items : 0);
  if (prune)
    put_floats (out, prune->losses, prune->n_items);
}

gboolean
forge_checkpoint_write (
    const ForgeTrainer *trainer, const char *path, GError **error)
{
  const ForgeTrainState *state = &trainer->state;
  g_autoptr (GByteArray) out = g_byte_array_new ();
  g_byte_array_append (out, (const guint8 *) MAGIC, MAGIC_BYTES);
  put_u32 (out, VERSION);
  put_u32 (out, (uint32_t) strlen (trainer->settings));
  g_byte_array_append (out, (const guint8 *) trainer->settings,
      (guint) strlen (trainer->settings));
  put_u64 (out, state->epoch);
  put_u64 (out, state->step);
  put_u64 (out, state->best_epoch);
  put_f64 (out, state->best_val_loss);
  put_f64 (out, state->best_val_accuracy);
  put_u32 (out, trainer->n_slots);
  for (guint i = 0; i < trainer->n_slots; i++)
    put_slot (out, &trainer->slots[i]);
  put_losses (out, trainer->prune);
  uint8_t sum[DIGEST_BYTES];
  digest (out->data, out->len, sum);
  g_byte_array_append (out, sum, sizeof sum);

  return forge_file_write (path, out->data, out->len, error);
}

static double
take_f64 (ForgeReader *reader)
{
  uint64_t bits = forge_reader_u64le (reader);
  double value;
  memcpy (&value, &bits, sizeof value);
  return value;
}

static void
take_floats (ForgeReader *reader, float *values, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    uint32_t bits = forge_reader_u32le (reader);
    memcpy (&values[i], &bits, sizeof bits);
  }
}

static gboolean
refuse (const char *path, int code, const char *reason, GError **error)
{
  g_set_error (error, FORGE_ERROR, code, "checkpoint %s: %s", path, reason);
  return FALSE;
}

/* Magic number, version and checksum; leaves @reader behind the version. */
static gboolean
check_frame (
    ForgeReader *reader, uint32_t *version, const char *path, GError **error)
{
  const uint8_t *magic = forge_reader_take (reader, MAGIC_BYTES);
  if (!magic || memcmp (magic, MAGIC, MAGIC_BYTES) != 0)
    return refuse (
        path, FORGE_ERROR_FORMAT, "not a training checkpoint", error);
  *version = forge_reader_u32le (reader);
  if (!reader->failed && (*version < OLDEST_VERSION || *version > VERSION)) {
    g_autofree char *reason =
        g_strdup_printf ("expected version %d to %d, found %u", OLDEST_VERSION,
            VERSION, *version);
    return refuse (path, FORGE_ERROR_UNSUPPORTED, reason, error);
  }
  uint8_t sum[DIGEST_BYTES];
  if (forge_reader_left (reader) < DIGEST_BYTES)
    return refuse (path, FORGE_ERROR_FORMAT, "truncated", error);
  reader->size_bytes -= DIGEST_BYTES;
  digest (reader->data, reader->size_bytes, sum);
  if (memcmp (sum, reader->data + reader->size_bytes, DIGEST_BYTES) != 0)
    return refuse (path, FORGE_ERROR_FORMAT,
        "damaged or truncated: the checksum does not match", error);
  return TRUE;
}

static gboolean
check_settings (const ForgeTrainer *trainer, ForgeReader *reader,
    const char *path, GError **error)
{
  uint32_t length = forge_reader_u32le (reader);
  const uint8_t *text = forge_reader_take (reader, length);
  if (text && strlen (trainer->settings) == length &&
      memcmp (text, trainer->settings, length) == 0)
    return TRUE;
  g_autofree char *found =
      text ? g_utf8_make_valid ((const char *) text, length) : g_strdup ("");
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "checkpoint %s is of a run with other settings: expected %s, found %s",
      path, trainer->settings, found);
  return FALSE;
}

static gboolean
take_slot (ForgeSlot *slot, ForgeReader *reader, gboolean dry)
{
  float *arrays[N_ARRAYS];
  arrays_of (slot, arrays);
  uint8_t mask = mask_of (arrays);
  if (forge_reader_u64le (reader) != slot->n ||
      forge_reader_u8 (reader) != mask)
    return FALSE;
  size_t n_arrays = 1 + (size_t) __builtin_popcount (mask);
  if (dry)
    return forge_reader_take (reader, n_arrays * slot->n * sizeof (float)) !=
           NULL;
  take_floats (reader, slot->value->data, slot->n);
  for (int i = 0; i < N_ARRAYS; i++)
    if (arrays[i])
      take_floats (reader, arrays[i], slot->n);
  return !reader->failed;
}

/* Goes through the slots twice: first to see that all sizes fit, then to take
 * them. */
static gboolean
take_slots (ForgeTrainer *trainer, ForgeReader *reader, gboolean dry)
{
  if (forge_reader_u32le (reader) != trainer->n_slots)
    return FALSE;
  for (guint i = 0; i < trainer->n_slots; i++)
    if (!take_slot (&trainer->slots[i], reader, dry))
      return FALSE;
  return !reader->failed;
}

/* Behind them nothing may be. */
static gboolean
take_losses (
    ForgePrune *prune, ForgeReader *reader, uint32_t version, gboolean dry)
{
  uint32_t n = version >= 3 ? forge_reader_u32le (reader) : 0;
  if (reader->failed || n != (prune ? prune->n_items : 0))
    return FALSE;
  if (dry)
    forge_reader_take (reader, n * sizeof (float));
  else if (prune)
    take_floats (reader, prune->losses, n);
  return !reader->failed && forge_reader_left (reader) == 0;
}

gboolean
forge_checkpoint_read (ForgeTrainer *trainer, const char *path, GError **error)
{
  size_t size_bytes;
  g_autofree uint8_t *bytes =
      forge_file_read (path, MAX_FILE_BYTES, &size_bytes, error);
  if (!bytes)
    return FALSE;
  ForgeReader reader;
  forge_reader_init (&reader, bytes, size_bytes);
  uint32_t version;
  if (!check_frame (&reader, &version, path, error) ||
      !check_settings (trainer, &reader, path, error))
    return FALSE;
  ForgeTrainState state = { .epoch = forge_reader_u64le (&reader) };
  state.step = forge_reader_u64le (&reader);
  state.best_epoch = forge_reader_u64le (&reader);
  state.best_val_loss = take_f64 (&reader);
  state.best_val_accuracy = take_f64 (&reader);
  ForgeReader again = reader;
  if (!take_slots (trainer, &reader, TRUE))
    return refuse (path, FORGE_ERROR_FORMAT,
        "its parameters are not those of the architecture", error);
  if (!take_losses (trainer->prune, &reader, version, TRUE))
    return refuse (path, FORGE_ERROR_FORMAT,
        "its losses are not those of the training pictures", error);
  take_slots (trainer, &again, FALSE);
  take_losses (trainer->prune, &again, version, FALSE);
  trainer->state = state;
  return TRUE;
}
