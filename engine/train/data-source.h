/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of a data set, and what one kind of source (data-*.c) does: it
 * appends its items to an empty ForgeDataset; data-split.c then cuts the parts
 * that the source does not have. */
#pragma once

#include "forge/dataset.h"
#include "forge/error.h"
#include "train/data-cache.h"
#include "train/data-video.h"

/* The item is a whole file, not a row of one. */
#define FORGE_DATA_WHOLE_FILE UINT32_MAX
/* Of the names of files that were passed over. */
#define FORGE_DATA_MAX_IGNORED 100

/* Of multi-label data, class_id is what the cut goes by (the rarest class, or
 * the number of classes where there is none), and place is that of the item's
 * classes in sets. */
typedef struct {
  uint32_t class_id;
  uint32_t file;  /* index into files */
  uint32_t row;   /* picture or frame in the file, or FORGE_DATA_WHOLE_FILE */
  uint32_t place; /* in pixels, where the set keeps them */
} ForgeDataItem;

/* How the part asked for is cut out of what the source delivered. */
typedef enum {
  FORGE_CUT_NONE,       /* it is the part already */
  FORGE_CUT_VALIDATION, /* a training part: a share of each class validates */
  FORGE_CUT_PARTS,      /* everything there is: 80/10/10 of each class */
} ForgeDataCut;

struct _ForgeDataset {
  char *spec;
  ForgeSplit split;
  GPtrArray *labels;  /* char*, UTF-8, NULL-terminated by dataset.c */
  GPtrArray *files;   /* char*: names for messages, or paths to load */
  GByteArray *videos; /* [files]: 1 where the file is a video */
  GArray *items;      /* ForgeDataItem */
  GPtrArray *ignored; /* char*: the first files that were passed over */
  guint n_ignored;    /* all of them */
  gboolean is_multi_label;
  GArray *sets; /* uint32_t: of each such item the number of its classes, and
                   these in order */
  gboolean stands_in; /* the validation part, for want of a test part */
  /* Over names, sizes and times of all files that were read or listed: when
   * it is the same, so are the pictures. */
  GChecksum *stamp;
  /* Sources of small pictures keep them all: uint8 [places, height, width, 3],
   * in memory of their own or in a mapped file. NULL: files are loaded one by
   * one. */
  const uint8_t *pixels;
  uint8_t *own_pixels;
  ForgeCacheMap *map;
  int width, height;
  ForgeDataCut cut;
  ForgeVideoShelf *shelf; /* frames of the videos used last */
  char *hash;
};

/* Sources with @labels keep all pictures in pixels; the test part is apart,
 * validation is cut from the training part. @stamp takes all files into the
 * stamp that @read would read. */
typedef struct {
  const char *scheme;
  const char *const *labels;
  void (*stamp) (ForgeDataset *dataset, const char *folder, ForgeSplit split);
  gboolean (*read) (ForgeDataset *dataset, const char *folder, ForgeSplit split,
      GError **error);
} ForgeDataSource;

extern const ForgeDataSource forge_data_cifar10;
extern const ForgeDataSource forge_data_fashion_mnist;
extern const ForgeDataSource forge_data_folder;

/* Makes room for @n_items more pictures, appends their items as rows of a new
 * file called @file_name with the classes given, and returns the address of
 * the first picture. All pictures of a set have one size. */
uint8_t *forge_dataset_append (ForgeDataset *dataset, const char *file_name,
    const uint8_t *classes, uint32_t n_items, int width, int height,
    GError **error);
/* Index of a new file. */
uint32_t forge_dataset_add_file (
    ForgeDataset *dataset, const char *name, gboolean is_video);
/* Appends a file's item, or, of a video, one for each frame; @item has the
 * rest of it. A video without a frame has an item that does not load. */
gboolean forge_data_add_file (ForgeDataset *dataset, const char *path,
    const ForgeDataItem *item, GError **error);
/* Takes a file into the stamp. */
void forge_dataset_stamp (ForgeDataset *dataset, const char *path);
/* What such a source read once, from the cache; FALSE when it is not there.
 * And puts it there. The stamp says all. */
gboolean forge_dataset_restore (
    ForgeDataset *dataset, const ForgeDataSource *source);
void forge_dataset_store (ForgeDataset *dataset, const ForgeDataSource *source);
/* What the part holds as decoded pixels depends on this, in hexadecimal
 * digits, and on nothing else but @extra. (transfer full) */
char *forge_dataset_key (const ForgeDataset *dataset, const char *extra);

/* Leaves the items of dataset->split, as dataset->cut has them. Stratified:
 * each class is shuffled and divided alone. Frames of one video stay together.
 */
void forge_dataset_cut (ForgeDataset *dataset, const ForgeCut *cut);
