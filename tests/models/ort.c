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
  SET_INTRA_OP_THREADS = 24,
  CREATE_TENSOR_WITH_DATA = 49,
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
#define OPTIMISE_NOTHING 0
#define OPTIMISE_ALL 99

typedef void Status;
typedef void (*Slot) (void);

typedef struct {
  const Slot *(*get_api) (uint32_t version);
  const char *(*get_version) (void);
} ApiBase;

struct _Ort {
  void *library;
  const Slot *api;
  const char *version;
  void *env, *options, *memory;
};

struct _OrtSession {
  const Ort *ort;
  void *session, *input, *output;
  char *input_name, *output_name;
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
ort_open_with (const OrtParams *params, char **problem)
{
  g_autofree char *path = find_library ();
  void *library = path ? dlopen (path, RTLD_NOW | RTLD_LOCAL) : NULL;
  if (!library) {
    *problem = g_strdup (path ? dlerror ()
                              : "ONNX Runtime is not here "
                                "(tests/fetch-data onnxruntime)");
    return NULL;
  }
  Ort *ort = g_new0 (Ort, 1);
  ort->library = library;
  const ApiBase *(*get_base) (void) =
      (const ApiBase *(*) (void) ) dlsym (library, "OrtGetApiBase");
  g_assert_nonnull (get_base);
  ort->version = get_base ()->get_version ();
  ort->api = get_base ()->get_api (API_VERSION);
  g_assert_nonnull (ort->api);
  check (ort, ((Status * (*) (int, const char *, void **) )
                      ort->api[CREATE_ENV]) (LOG_ERRORS, "forge", &ort->env));
  check (ort, ((Status * (*) (void **) ) ort->api[CREATE_SESSION_OPTIONS]) (
                  &ort->options));
  check (ort,
      ((Status * (*) (void *, int) ) ort->api[SET_OPTIMISATION_LEVEL]) (
          ort->options, params->optimise ? OPTIMISE_ALL : OPTIMISE_NOTHING));
  check (ort, ((Status * (*) (void *, int) ) ort->api[SET_INTRA_OP_THREADS]) (
                  ort->options, params->threads));
  check (ort,
      ((Status * (*) (int, int, void **) ) ort->api[CREATE_CPU_MEMORY_INFO]) (
          ARENA_ALLOCATOR, MEMORY_DEFAULT, &ort->memory));
  return ort;
}

Ort *
ort_open (void)
{
  /* Node by node: fused quantised nodes round otherwise than the file says. */
  const OrtParams params = { .optimise = FALSE };
  g_autofree char *problem = NULL;
  Ort *ort = ort_open_with (&params, &problem);
  if (ort)
    g_test_message ("ONNX Runtime %s", ort->version);
  else
    g_test_skip (problem);
  return ort;
}

const char *
ort_version (const Ort *ort)
{
  return ort->version;
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

OrtSession *
ort_session_new (
    const Ort *ort, const char *path, const void *bytes, gsize size_bytes)
{
  OrtSession *session = g_new0 (OrtSession, 1);
  Status *(*from_file) (void *, const char *, void *, void **) =
      (Status * (*) (void *, const char *, void *, void **) )
          ort->api[CREATE_SESSION];
  Status *(*from_array) (void *, const void *, size_t, void *, void **) =
      (Status * (*) (void *, const void *, size_t, void *, void **) )
          ort->api[CREATE_SESSION_FROM_ARRAY];
  check (ort, path ? from_file (ort->env, path, ort->options, &session->session)
                   : from_array (ort->env, bytes, size_bytes, ort->options,
                         &session->session));
  session->ort = ort;
  return session;
}

static void *
wrap_tensor (const Ort *ort, ForgeTensor *tensor)
{
  void *value = NULL;
  Status *(*wrap) (
      void *, void *, size_t, const int64_t *, size_t, int, void **) =
      (Status * (*) (void *, void *, size_t, const int64_t *, size_t, int,
                    void **) ) ort->api[CREATE_TENSOR_WITH_DATA];
  check (ort,
      wrap (ort->memory, tensor->data, tensor->size_bytes, tensor->shape.dims,
          (size_t) tensor->shape.rank, (int) tensor->dtype, &value));
  return value;
}

void
ort_session_bind (OrtSession *session, const char *input_name,
    ForgeTensor *input, const char *output_name, ForgeTensor *output)
{
  session->input_name = g_strdup (input_name);
  session->output_name = g_strdup (output_name);
  session->input = wrap_tensor (session->ort, input);
  session->output = wrap_tensor (session->ort, output);
}

void
ort_session_run (OrtSession *session)
{
  const Ort *ort = session->ort;
  Status *(*run) (void *, void *, const char *const *, void *const *, size_t,
      const char *const *, size_t, void **) =
      (Status * (*) (void *, void *, const char *const *, void *const *, size_t,
                    const char *const *, size_t, void **) ) ort->api[RUN];
  check (ort,
      run (session->session, NULL, (const char *const *) &session->input_name,
          &session->input, 1, (const char *const *) &session->output_name, 1,
          &session->output));
}

void
ort_session_free (OrtSession *session)
{
  if (!session)
    return;
  release (session->ort, RELEASE_VALUE, session->input);
  release (session->ort, RELEASE_VALUE, session->output);
  release (session->ort, RELEASE_SESSION, session->session);
  g_free (session->input_name);
  g_free (session->output_name);
  g_free (session);
}

void
ort_run (Ort *ort, const char *path, const void *bytes, gsize size_bytes,
    const char *input_name, const ForgeTensor *input, const char *output_name,
    ForgeTensor *output)
{
  g_autoptr (OrtSession) session =
      ort_session_new (ort, path, bytes, size_bytes);
  ort_session_bind (
      session, input_name, (ForgeTensor *) input, output_name, output);
  ort_session_run (session);
}
