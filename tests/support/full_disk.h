// A full disk, played by the limit on file sizes, which is per process: hence a child.
#pragma once

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "xlstm/base/error.h"

namespace xlstm::tests {

/// Runs `write` in a child whose files may not pass `bytes`. It must end with the internal error that names the cause.
template <class F>
void expect_refused_by_a_full_disk(rlim_t bytes, const F& write) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {bytes, bytes};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      write();
    } catch (const Error& error) {
      const bool named =
          std::string(error.what()).find("expected to write but got: File too large") != std::string::npos;
      ::_exit(error.code() == ErrorCode::internal && named ? 42 : 1);
    }
    ::_exit(0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 42);
}

}  // namespace xlstm::tests
