/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The options that say how pictures become a network's input, one group for
 * all subcommands that take pictures. */
#pragma once

#include "forge/preprocess.h"

typedef struct {
  char *scale, *mean, *std, *order, *layout, *size, *resize, *filter;
} PreprocessOptions;

/* (transfer full): fills @options, which must start as zeros. */
GOptionGroup *preprocess_options_group (PreprocessOptions *options);
/* Borrows the texts. */
ForgeStatedPreprocess preprocess_options_get (const PreprocessOptions *options);
void preprocess_options_clear (PreprocessOptions *options);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (PreprocessOptions, preprocess_options_clear)
