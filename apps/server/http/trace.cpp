#include "apps/server/http/trace.h"

#include <algorithm>
#include <cstdint>
#include <random>

namespace xlstm::server {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

bool is_hex(std::string_view text) { return text.find_first_not_of(kHexDigits) == std::string_view::npos; }
bool is_zero(std::string_view text) { return text.find_first_not_of('0') == std::string_view::npos; }

}  // namespace

std::string request_id(std::optional<std::string_view> sent) {
  if (sent && !sent->empty() && sent->size() <= 64 && std::all_of(sent->begin(), sent->end(), is_plain)) {
    return std::string(*sent);
  }
  thread_local std::mt19937_64 random{(std::uint64_t{std::random_device{}()} << 32) ^ std::random_device{}()};
  std::string id = "req-";
  for (std::uint64_t bits = 0; id.size() < 28; bits >>= 4) {
    if ((id.size() - 4) % 16 == 0) bits = random();
    id += kHexDigits[bits & 15];
  }
  return id;
}

std::optional<TraceContext> parse_traceparent(std::string_view value) {
  constexpr std::size_t kSize = 55;  // 2 + 32 + 16 + 2 digits and three dashes
  if (value.size() < kSize || value[2] != '-' || value[35] != '-' || value[52] != '-') return std::nullopt;
  const auto version = value.substr(0, 2), trace = value.substr(3, 32), parent = value.substr(36, 16),
             flags = value.substr(53, 2);
  if (!is_hex(version) || !is_hex(trace) || !is_hex(parent) || !is_hex(flags)) return std::nullopt;
  if (version == "ff" || is_zero(trace) || is_zero(parent)) return std::nullopt;
  if (value.size() > kSize && (version == "00" || value[kSize] != '-')) return std::nullopt;
  return TraceContext{std::string(trace), std::string(parent), kHexDigits.find(flags[1]) % 2 == 1};
}

}  // namespace xlstm::server
