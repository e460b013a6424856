/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * OrtApi is a table of functions that only ever grows at its end, so a slot
 * keeps its number for good.
 * Source: onnxruntime_c_api.h, API version 1. */
#include "ort.h"

#include <dlfcn.h>
#include <glob.h>
#include <string.h>

#include "tensor/tensor.h"

enum {
  GET_ERROR_MESSAGE = 2,
  CREATE_ENV = 3,
  CREATE_SESSION = 7,
  CREATE_SESSION_FROM_ARRAY = 8,
  RUN = 9,
  CREATE_SESSION_OPTIONS = 10,
  SET_OPTIMISATION_LEVEL = 23,
  CREATE_TENSOR_WITH_DATA = 49,
  GET_TENSOR_MUTABLE_DATA = 51,
  CREATE_CPU_MEMORY_INFO = 69,
  RELEASE_ENV = 92,
  RELEASE_MEMORY_INFO = 94,
  RELEASE_SESSION = 95,
  RELEASE_VALUE = 96,
  RELEASE_SESSION_OPTIONS = 100,
};

#define API_VERSION 1
#define LOG_ERRORS 3
#define ARENA_ALLOCATOR 1
#define MEMORY_DEFAULT 0
/* Node by node: fused quantised nodes round otherwise than the file says. */
#define OPTIMISE_NOTHING 0

typedef void Status;
typedef void (*Slot) (void);

typedef struct {
  const Slot *(*get_api) (uint32_t version);
  const char *(*get_version) (void);
} ApiBase;

struct _Ort {
  void *library;
  const Slot *api;
  void *env, *options, *memory;
};

/* ONNX Runtime keeps some memory until the process ends. */
const char *__lsan_default_suppressions (void);

const char *
__lsan_default_suppressions (void)
{
  return "leak:libonnxruntime\n";
}

static char *
find_library (void)
{
  const char *given = g_getenv ("FORGE_ONNXRUNTIME");
  const char *cache = g_getenv ("FORGE_TEST_CACHE");
  if (given)
    return g_strdup (given);
#ifdef __aarch64__
  const char *machine = "arm64";
#else
  const char *machine = "x64";
#endif
  g_autofree char *pattern =
      g_strdup_printf ("%s/onnxruntime/bin/napi-v*/linux/%s/libonnxruntime.so*",
          cache ? cache : "", machine);
  glob_t found = { 0 };
  char *path = NULL;
  if (cache && glob (pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0)
    path = g_strdup (found.gl_pathv[0]);
  globfree (&found);
  return path;
}

static void
check (const Ort *ort, Status *status)
{
  if (!status)
    return;
  const char *(*message) (const Status *) =
      (const char *(*) (const Status *) ) ort->api[GET_ERROR_MESSAGE];
  g_error ("ONNX Runtime: %s", message (status));
}

static void
release (const Ort *ort, int slot, void *object)
{
  ((void (*) (void *)) ort->api[slot]) (object);
}

Ort *
ort_open (void)
{
  g_autofree char *path = find_library ();
  void *library = path ? dlopen (path, RTLD_NOW | RTLD_LOCAL) : NULL;
  if (!library) {
    g_test_skip (path ? dlerror ()
                      : "ONNX Runtime is not here "
                        "(tests/fetch-data onnxruntime)");
    return NULL;
  }
  Ort *ort = g_new0 (Ort, 1);
  ort->library = library;
  const ApiBase *(*get_base) (void) =
      (const ApiBase *(*) (void) ) dlsym (library, "OrtGetApiBase");
  g_assert_nonnull (get_base);
  g_test_message ("ONNX Runtime %s", get_base ()->get_version ());
  ort->api = get_base ()->get_api (API_VERSION);
  g_assert_nonnull (ort->api);
  check (ort, ((Status * (*) (int, const char *, void **) )
                      ort->api[CREATE_ENV]) (LOG_ERRORS, "forge", &ort->env));
  check (ort, ((Status * (*) (void **) ) ort->api[CREATE_SESSION_OPTIONS]) (
                  &ort->options));
  check (ort, ((Status * (*) (void *, int) ) ort->api[SET_OPTIMISATION_LEVEL]) (
                  ort->options, OPTIMISE_NOTHING));
  check (ort,
      ((Status * (*) (int, int, void **) ) ort->api[CREATE_CPU_MEMORY_INFO]) (
          ARENA_ALLOCATOR, MEMORY_DEFAULT, &ort->memory));
  return ort;
}

void
ort_close (Ort *ort)
{
  if (!ort)
    return;
  release (ort, RELEASE_MEMORY_INFO, ort->memory);
  release (ort, RELEASE_SESSION_OPTIONS, ort->options);
  release (ort, RELEASE_ENV, ort->env);
  /* not unloaded: the leak checker needs its name to the end */
  g_free (ort);
}

static void *
open_session (
    const Ort *ort, const char *path, const void *bytes, gsize size_bytes)
{
  void *session = NULL;
  Status *(*from_file) (void *, const char *, void *, void **) =
      (Status * (*) (void *, const char *, void *, void **) )
          ort->api[CREATE_SESSION];
  Status *(*from_array) (void *, const void *, size_t, void *, void **) =
      (Status * (*) (void *, const void *, size_t, void *, void **) )
          ort->api[CREATE_SESSION_FROM_ARRAY];
  check (ort,
      path ? from_file (ort->env, path, ort->options, &session)
           : from_array (ort->env, bytes, size_bytes, ort->options, &session));
  return session;
}

void
ort_run (Ort *ort, const char *path, const void *bytes, gsize size_bytes,
    const char *input_name, const ForgeTensor *input, const char *output_name,
    ForgeTensor *output)
{
  void *session = open_session (ort, path, bytes, size_bytes);
  void *in = NULL, *out = NULL, *data = NULL;
  Status *(*wrap) (
      void *, void *, size_t, const int64_t *, size_t, int, void **) =
      (Status * (*) (void *, void *, size_t, const int64_t *, size_t, int,
                    void **) ) ort->api[CREATE_TENSOR_WITH_DATA];
  Status *(*run) (void *, void *, const char *const *, void *const *, size_t,
      const char *const *, size_t, void **) =
      (Status * (*) (void *, void *, const char *const *, void *const *, size_t,
                    const char *const *, size_t, void **) ) ort->api[RUN];
  Status *(*get_data) (void *, void **) =
      (Status * (*) (void *, void **) ) ort->api[GET_TENSOR_MUTABLE_DATA];
  check (
      ort, wrap (ort->memory, input->data, input->size_bytes, input->shape.dims,
               (size_t) input->shape.rank, (int) input->dtype, &in));
  check (ort, run (session, NULL, &input_name, &in, 1, &output_name, 1, &out));
  check (ort, get_data (out, &data));
  memcpy (output->data, data, output->size_bytes);
  release (ort, RELEASE_VALUE, in);
  release (ort, RELEASE_VALUE, out);
  release (ort, RELEASE_SESSION, session);
}
