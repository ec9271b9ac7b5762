#include "apps/server/http/url.h"

#include <algorithm>

#include "xlstm/base/error.h"

namespace xlstm::server {
namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

std::string decoded_or_fail(std::string_view text, bool plus_is_space, const char* where) {
  std::optional<std::string> decoded = percent_decoded(text, plus_is_space);
  if (!decoded) fail(ErrorCode::invalid_argument, where, "expected two hex digits after each %");
  return std::move(*decoded);
}

std::map<std::string, std::string> parse_query(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(text.size(), pair.size() + 1));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    query[decoded_or_fail(pair.substr(0, equals), true, "query")] =
        decoded_or_fail(pair.substr(std::min(equals + 1, pair.size())), true, "query");
  }
  return query;
}

}  // namespace

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      const int high = hex_value(text[i + 1]), low = hex_value(text[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      decoded += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      decoded += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return decoded;
}

Target parse_target(std::string_view target) {
  Target parsed;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    parsed.authority = target.substr(0, target.find_first_of("/?"));
    target.remove_prefix(parsed.authority.size());
    if (parsed.authority.empty()) fail(ErrorCode::invalid_argument, "target", "expected a host behind ", scheme);
    if (target.empty() || target[0] == '?') parsed.raw_path = "/";
  }
  target = target.substr(0, target.find('#'));
  const std::size_t question = std::min(target.find('?'), target.size());
  parsed.raw_path += target.substr(0, question);
  if (parsed.raw_path != "*" && !parsed.raw_path.starts_with('/')) {
    fail(ErrorCode::invalid_argument, "target", "expected a path that begins with /");
  }
  parsed.path = decoded_or_fail(parsed.raw_path, false, "path");
  if (std::any_of(parsed.path.begin(), parsed.path.end(), is_control)) {
    fail(ErrorCode::invalid_argument, "path", "expected no control characters");
  }
  parsed.query = parse_query(target.substr(std::min(question + 1, target.size())));
  return parsed;
}

}  // namespace xlstm::server
