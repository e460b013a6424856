/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * For ThreadSanitizer builds alone. GLib's locks are futexes inside a library
 * that the sanitizer did not compile, so it cannot see them and calls every
 * access under them a race. Here they stand before GLib's own and say what
 * they order; a real race stays one. */
#include <dlfcn.h>
#include <glib.h>
#include <sanitizer/tsan_interface.h>

/* As macros in GLib's headers, where they are any. */
#undef g_mutex_lock
#undef g_mutex_unlock
#undef g_mutex_trylock
#undef g_cond_wait
#undef g_cond_wait_until
#undef g_once_init_leave

static struct {
  void (*mutex_lock) (GMutex *);
  void (*mutex_unlock) (GMutex *);
  gboolean (*mutex_trylock) (GMutex *);
  void (*cond_wait) (GCond *, GMutex *);
  gboolean (*cond_wait_until) (GCond *, GMutex *, gint64);
  void (*once_init_leave) (volatile void *, gsize);
} real;

static void __attribute__ ((constructor)) find_real (void)
{
  *(void **) &real.mutex_lock = dlsym (RTLD_NEXT, "g_mutex_lock");
  *(void **) &real.mutex_unlock = dlsym (RTLD_NEXT, "g_mutex_unlock");
  *(void **) &real.mutex_trylock = dlsym (RTLD_NEXT, "g_mutex_trylock");
  *(void **) &real.cond_wait = dlsym (RTLD_NEXT, "g_cond_wait");
  *(void **) &real.cond_wait_until = dlsym (RTLD_NEXT, "g_cond_wait_until");
  *(void **) &real.once_init_leave = dlsym (RTLD_NEXT, "g_once_init_leave");
}

void
g_mutex_lock (GMutex *mutex)
{
  real.mutex_lock (mutex);
  __tsan_acquire (mutex);
}

void
g_mutex_unlock (GMutex *mutex)
{
  __tsan_release (mutex);
  real.mutex_unlock (mutex);
}

gboolean
g_mutex_trylock (GMutex *mutex)
{
  gboolean locked = real.mutex_trylock (mutex);
  if (locked)
    __tsan_acquire (mutex);
  return locked;
}

void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  __tsan_release (mutex);
  real.cond_wait (cond, mutex);
  __tsan_acquire (mutex);
}

gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  __tsan_release (mutex);
  gboolean signalled = real.cond_wait_until (cond, mutex, end_time);
  __tsan_acquire (mutex);
  return signalled;
}

/* Readers acquire by their own atomic load, which is compiled with us. */
void (g_once_init_leave) (volatile void *location, gsize result)
{
  __tsan_release ((void *) location);
  real.once_init_leave (location, result);
}
