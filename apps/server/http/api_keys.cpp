#include "apps/server/http/api_keys.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "xlstm/base/error.h"

namespace xlstm::server {
namespace {

std::array<unsigned char, 32> digest_of(std::string_view key) {
  std::array<unsigned char, 32> digest;
  ::SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), digest.data());
  return digest;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

bool printable(char c) { return c > 0x20 && c < 0x7f; }

/// What follows "Bearer " (in any case), or nothing.
std::string_view bearer(std::string_view value) {
  constexpr std::string_view kScheme = "bearer ";
  if (value.size() <= kScheme.size()) return {};
  const bool same = std::equal(kScheme.begin(), kScheme.end(), value.begin(), [](char a, char b) {
    return a == (b >= 'A' && b <= 'Z' ? static_cast<char>(b - 'A' + 'a') : b);
  });
  return same ? trimmed(value.substr(kScheme.size())) : std::string_view{};
}

}  // namespace

std::vector<std::string> read_key_file(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::error_code ignored;
  const bool directory = std::filesystem::is_directory(path, ignored);
  if (directory) errno = EISDIR;
  if (!file || directory) {
    fail(ErrorCode::not_found, path.string(), "expected to read API keys there but got \"", std::strerror(errno), "\"");
  }
  std::vector<std::string> keys;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    const std::string_view key = trimmed(line);
    if (key.empty() || key[0] == '#') continue;
    if (!std::all_of(key.begin(), key.end(), printable)) {
      fail(ErrorCode::invalid_argument, path.string(), "line ", number,
           ": expected a key of printable ASCII characters");
    }
    keys.emplace_back(key);
  }
  if (file.bad()) fail(ErrorCode::not_found, path.string(), "expected to read all of it");
  if (keys.empty()) fail(ErrorCode::invalid_argument, path.string(), "expected at least one API key but got none");
  return keys;
}

ApiKeys::ApiKeys(std::span<const std::string> keys) {
  for (const std::string& key : keys) digests_.push_back(digest_of(key));
}

bool ApiKeys::contains(std::string_view key) const {
  const auto digest = digest_of(key);
  int found = 0;
  for (const auto& known : digests_) found |= ::CRYPTO_memcmp(known.data(), digest.data(), digest.size()) == 0;
  return found != 0;
}

bool ApiKeys::accept(const HttpRequest& request) const {
  if (empty()) return true;
  if (const auto key = request.header("x-api-key"); key && contains(*key)) return true;
  const auto authorization = request.header("authorization");
  const std::string_view key = authorization ? bearer(*authorization) : std::string_view{};
  return !key.empty() && contains(key);
}

}  // namespace xlstm::server
