/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "forge/error.h"

G_DEFINE_QUARK (forge - error - quark, forge_error)
