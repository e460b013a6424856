/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of a data set, and what one kind of source (data-*.c) does: it
 * appends its items to an empty ForgeDataset; dataset.c then cuts the parts
 * that the source does not have. */
#pragma once

#include "forge/dataset.h"
#include "forge/error.h"

/* The item is a whole file, not a row of one. */
#define FORGE_DATA_WHOLE_FILE UINT32_MAX

typedef struct {
  uint32_t class_id;
  uint32_t file; /* index into files */
  uint32_t row;  /* picture within the file, or FORGE_DATA_WHOLE_FILE */
} ForgeDataItem;

/* How the part asked for is cut out of what the source delivered. */
typedef enum {
  FORGE_CUT_NONE,  /* it is the part already */
  FORGE_CUT_TENTH, /* a training part: a tenth of each class validates */
  FORGE_CUT_PARTS, /* everything there is: 80/10/10 of each class */
} ForgeDataCut;

struct _ForgeDataset {
  GPtrArray *labels; /* char*, NULL-terminated by dataset.c */
  GPtrArray *files;  /* char*: names for messages, or paths to load */
  GArray *items;     /* ForgeDataItem */
  /* Sources of small pictures keep them all: uint8 [items, height, width, 3].
   * NULL: files are loaded one by one. */
  uint8_t *pixels;
  int width, height;
  ForgeDataCut cut;
  char *hash;
};

typedef struct {
  const char *scheme;
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
void forge_dataset_set_labels (
    ForgeDataset *dataset, const char *const *labels);
