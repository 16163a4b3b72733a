/**
 * Source of an addon of two functions. TensorFlow's library prints on file descriptor 2 while its static objects are made,
 * before any setting of its own holds, and Node cannot turn that descriptor elsewhere and back: only dup2 can.
 *
 * `hush()` turns it to an unnamed file; `release()` turns it back and returns what the file has. Where the library ends
 * the process instead (no AVX, for example), what it said is printed first.
 */
export const HUSH_SOURCE = `
#include <node_api.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
#include <string>

namespace {

const int kFatal[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV};
const int kCount = sizeof(kFatal) / sizeof(kFatal[0]);
struct sigaction previous[kCount];
int saved = -1;
FILE* file = nullptr;

void turn_back() {
  dup2(saved, STDERR_FILENO);
  for (int i = 0; i < kCount; i++) sigaction(kFatal[i], &previous[i], nullptr);
}

/* Shows what was said; what the signal did before, it does when this returns. */
void on_fatal(int) {
  char buffer[4096];
  off_t offset = 0;
  ssize_t count;
  while ((count = pread(fileno(file), buffer, sizeof(buffer), offset)) > 0) {
    offset += count;
    if (write(saved, buffer, count) < 0) break;
  }
  turn_back();
}

napi_value hush(napi_env env, napi_callback_info) {
  if (file != nullptr) return nullptr;
  FILE* opened = tmpfile();
  if (opened == nullptr) return nullptr;
  saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  if (saved < 0 || fcntl(fileno(opened), F_SETFD, FD_CLOEXEC) < 0) {
    if (saved >= 0) close(saved);
    fclose(opened);
    return nullptr;
  }
  file = opened;
  struct sigaction action = {};
  action.sa_handler = on_fatal;
  for (int i = 0; i < kCount; i++) sigaction(kFatal[i], &action, &previous[i]);
  fflush(stderr);
  dup2(fileno(file), STDERR_FILENO);
  return nullptr;
}

napi_value release(napi_env env, napi_callback_info) {
  std::string said;
  if (file != nullptr) {
    fflush(stderr);
    turn_back();
    char buffer[4096];
    ssize_t count;
    while ((count = pread(fileno(file), buffer, sizeof(buffer), said.size())) > 0) said.append(buffer, count);
    close(saved);
    fclose(file);
    file = nullptr;
  }
  napi_value text = nullptr;
  napi_create_string_utf8(env, said.data(), said.size(), &text);
  return text;
}

void add(napi_env env, napi_value exports, const char* name, napi_callback callback) {
  napi_value function = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function) == napi_ok) {
    napi_set_named_property(env, exports, name, function);
  }
}

}  // namespace

NAPI_MODULE_INIT() {
  add(env, exports, "hush", hush);
  add(env, exports, "release", release);
  return exports;
}
`;
