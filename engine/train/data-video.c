/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See data-video.h. A frame becomes R'G'B' at its own size by the imager, so
 * that from there on it is a picture like any other. The number of frames is
 * found by decoding once and then remembered. */
#include "train/data-video.h"

#include <math.h>
#include <string.h>

#include "forge/error.h"
#include "image/picture.h"
#include "train/data-cache.h"

/* Of the frames of one video that are in memory together. */
#define MAX_BYTES ((gsize) 1 << 29)
#define N_SHELVED 2

static ForgeVideoReader registered_reader;

void
forge_dataset_set_video_reader (ForgeVideoReader reader)
{
  registered_reader = reader;
}

gboolean
forge_video_can_read (void)
{
  return registered_reader != NULL;
}

const char *
forge_video_sampling (void)
{
  const char *text = g_getenv ("FORGE_VIDEO_SAMPLING");
  return text ? text : "";
}

gboolean
forge_video_is_name (const char *name)
{
  static const char *const endings[] = { ".mp4", ".m4v", ".mov", ".mkv",
    ".webm", ".avi", ".ogv", ".mpg", ".mpeg", ".ts", ".wmv", ".flv" };
  g_autofree char *lower = g_ascii_strdown (name, -1);
  for (gsize i = 0; i < G_N_ELEMENTS (endings); i++)
    if (g_str_has_suffix (lower, endings[i]))
      return TRUE;
  return FALSE;
}

/* FORGE_VIDEO_SAMPLING=RATE or RATE,MAX; what is no such thing is refused. */
static gboolean
get_sampling (ForgeVideoSampling *sampling, GError **error)
{
  *sampling = (ForgeVideoSampling) FORGE_VIDEO_SAMPLING_DEFAULT;
  const char *text = forge_video_sampling ();
  if (!*text)
    return TRUE;
  char *end = NULL;
  double rate = g_ascii_strtod (text, &end);
  guint64 most = sampling->max_frames;
  gboolean good = end != text && isfinite (rate) && rate > 0 && rate <= 1000;
  if (good && *end == ',' && g_ascii_isdigit (end[1]))
    most = g_ascii_strtoull (end + 1, &end, 10);
  if (!good || *end || most < 1 || most > 100000) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "FORGE_VIDEO_SAMPLING: expected frames a second and, behind a comma, "
        "frames of a file at most, such as 2,100; found '%s'",
        text);
    return FALSE;
  }
  sampling->frames_per_s = rate;
  sampling->max_frames = (guint) most;
  return TRUE;
}

typedef struct {
  const char *path;
  guint most, n;
  gsize size_bytes;
  GPtrArray *pictures; /* NULL: only counted */
  ForgeImager *imager;
  int width, height; /* of the imager */
  GError *error;
} Collector;

static ForgePicture *
to_picture (Collector *collector, const ForgeFrame *frame)
{
  if (!collector->imager || collector->width != frame->width ||
      collector->height != frame->height) {
    ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
    preprocess.width = collector->width = frame->width;
    preprocess.height = collector->height = frame->height;
    preprocess.policy = FORGE_RESIZE_STRETCH;
    preprocess.filter = FORGE_FILTER_BILINEAR;
    g_clear_pointer (&collector->imager, forge_imager_free);
    collector->imager = forge_imager_new (&preprocess);
  }
  g_autoptr (ForgePicture) picture = forge_picture_new ((uint64_t) frame->width,
      (uint64_t) frame->height, collector->path, &collector->error);
  if (!picture || !forge_imager_convert (collector->imager, frame,
                      picture->data, &collector->error))
    return NULL;
  picture->mode = "video frame";
  return g_steal_pointer (&picture);
}

static gboolean
collect (const ForgeFrame *frame, gpointer user_data)
{
  Collector *collector = user_data;
  if (!forge_picture_check_size ((uint64_t) MAX (frame->width, 0),
          (uint64_t) MAX (frame->height, 0), collector->path,
          &collector->error))
    return FALSE;
  collector->size_bytes += (gsize) frame->width * (gsize) frame->height * 3;
  if (collector->n == collector->most ||
      (collector->n > 0 && collector->size_bytes > MAX_BYTES))
    return FALSE;
  if (collector->pictures) {
    ForgePicture *picture = to_picture (collector, frame);
    if (!picture)
      return FALSE;
    g_ptr_array_add (collector->pictures, picture);
  }
  collector->n++;
  return TRUE;
}

/* The frames before damage in the file are good ones. */
static gboolean
read_video (Collector *collector, GError **error)
{
  ForgeVideoSampling sampling;
  if (!get_sampling (&sampling, error))
    return FALSE;
  collector->most = sampling.max_frames;
  g_autoptr (GError) read_error = NULL;
  if (!registered_reader)
    g_set_error (&read_error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: a video; this program reads none", collector->path);
  else
    registered_reader (
        collector->path, &sampling, collect, collector, &read_error);
  g_clear_pointer (&collector->imager, forge_imager_free);
  if (collector->error)
    g_propagate_error (error, g_steal_pointer (&collector->error));
  else if (collector->n == 0 && read_error)
    g_propagate_error (error, g_steal_pointer (&read_error));
  else if (collector->n == 0)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: no frame could be decoded", collector->path);
  else
    return TRUE;
  return FALSE;
}

guint
forge_video_count (const char *path, const char *key, GError **error)
{
  g_autofree char *text =
      g_strdup_printf ("frames %s %s", key, forge_video_sampling ());
  g_autofree char *fact_key =
      g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
  g_autofree char *fact = forge_cache_get_fact (fact_key);
  guint64 known = fact ? g_ascii_strtoull (fact, NULL, 10) : 0;
  if (known > 0 && known <= 100000)
    return (guint) known;
  Collector collector = { .path = path };
  if (!read_video (&collector, error))
    return 0;
  g_autofree char *value = g_strdup_printf ("%u", collector.n);
  forge_cache_set_fact (fact_key, value);
  return collector.n;
}

typedef struct {
  char *path;
  GPtrArray *pictures; /* NULL: none could be had */
  GError *error;
} Shelved;

struct _ForgeVideoShelf {
  GMutex lock;
  Shelved videos[N_SHELVED]; /* the one used last first */
};

static void
shelved_clear (Shelved *video)
{
  g_clear_pointer (&video->path, g_free);
  g_clear_pointer (&video->pictures, g_ptr_array_unref);
  g_clear_error (&video->error);
}

ForgeVideoShelf *
forge_video_shelf_new (void)
{
  ForgeVideoShelf *shelf = g_new0 (ForgeVideoShelf, 1);
  g_mutex_init (&shelf->lock);
  return shelf;
}

void
forge_video_shelf_free (ForgeVideoShelf *shelf)
{
  if (!shelf)
    return;
  for (guint i = 0; i < N_SHELVED; i++)
    shelved_clear (&shelf->videos[i]);
  g_mutex_clear (&shelf->lock);
  g_free (shelf);
}

/* Brings the video to the front, decoded. */
static const Shelved *
fetch (ForgeVideoShelf *shelf, const char *path)
{
  guint i = 0;
  while (i < N_SHELVED - 1 && g_strcmp0 (shelf->videos[i].path, path) != 0)
    i++;
  Shelved video = shelf->videos[i];
  memmove (shelf->videos + 1, shelf->videos, i * sizeof *shelf->videos);
  if (g_strcmp0 (video.path, path) != 0) {
    shelved_clear (&video);
    Collector collector = { .path = path,
      .pictures = g_ptr_array_new_with_free_func (
          (GDestroyNotify) forge_picture_free) };
    video.path = g_strdup (path);
    read_video (&collector, &video.error);
    video.pictures = collector.pictures;
  }
  shelf->videos[0] = video;
  return &shelf->videos[0];
}

ForgePicture *
forge_video_shelf_get (
    ForgeVideoShelf *shelf, const char *path, guint frame, GError **error)
{
  ForgePicture *picture = NULL;
  g_mutex_lock (&shelf->lock);
  const Shelved *video = fetch (shelf, path);
  const ForgePicture *found = frame < video->pictures->len
                                  ? g_ptr_array_index (video->pictures, frame)
                                  : NULL;
  if (found) {
    picture = forge_picture_new (
        (uint64_t) found->width, (uint64_t) found->height, path, error);
    if (picture) {
      picture->mode = found->mode;
      memcpy (picture->data, found->data,
          (gsize) found->width * (gsize) found->height * 3);
    }
  } else if (video->error) {
    if (error)
      *error = g_error_copy (video->error);
  } else {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: frame %u could not be decoded", path, frame);
  }
  g_mutex_unlock (&shelf->lock);
  return picture;
}
