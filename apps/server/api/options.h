// What the API is told at start.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "apps/server/api/limits.h"

namespace xlstm::server::api {

struct ApiOptions {
  std::string model = "xlstm";  // the only name that a request's "model" may have
  std::string version;          // of the program
  Limits limits = {};
  std::chrono::milliseconds keep_alive = std::chrono::seconds(15);
  std::int64_t completion_max_tokens = 16;  // when a completion does not say, as with OpenAI
  std::int64_t chat_max_tokens = 1024;      // when a chat does not say
  std::size_t kept_states_bytes = std::size_t{1} << 30;
  std::size_t kept_states = 256;
  std::filesystem::path scratch = {};  // for state files on their way in or out; empty: the system's
  /// Why the server is not alive, or not ready for requests; nothing: it is. Empty functions: it always is.
  std::function<std::optional<std::string>()> unhealthy = {}, unready = {};
};

}  // namespace xlstm::server::api
