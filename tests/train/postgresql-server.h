/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A PostgreSQL server of the test program's own. */
#pragma once

#include <glib.h>

/* The folder of its socket, after starting it on the first call; NULL and the
 * @reason when that is not possible here. It ends with this process, however
 * that ends. */
const char *postgresql_server_start (const char **reason);
void postgresql_server_stop (void);
