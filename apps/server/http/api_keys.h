// API keys: who may use a guarded route.
#pragma once

#include <array>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "apps/server/http/exchange.h"

namespace xlstm::server {

/// One key a line; blank lines and lines that begin with # are passed over, blanks around a key are cut off. Errors:
/// not_found (with the system's reason), invalid_argument (no key, or one with a blank or a control character inside;
/// the line is named, never the key).
std::vector<std::string> read_key_file(const std::filesystem::path& path);

/// Keeps SHA-256 digests only. Thread safety: const.
class ApiKeys {
 public:
  explicit ApiKeys(std::span<const std::string> keys = {});
  bool empty() const noexcept { return digests_.empty(); }
  /// Compares with every key, in a time that depends on the length of `key` alone.
  bool contains(std::string_view key) const;
  /// "Authorization: Bearer KEY" or "x-api-key: KEY". True without keys.
  bool accept(const HttpRequest& request) const;

 private:
  std::vector<std::array<unsigned char, 32>> digests_;
};

}  // namespace xlstm::server
