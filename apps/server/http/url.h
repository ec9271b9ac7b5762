// Request targets: percent-decoding, the path and the query.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace xlstm::server {

/// %41 -> A, and + -> a space where it means one (queries). Returns nothing for an escape that is none. RFC 3986, 2.1.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space = false);

struct Target {
  std::string raw_path;                      // as it was sent; begins with '/', or is "*"
  std::string path;                          // decoded
  std::map<std::string, std::string> query;  // decoded; of equal names the last
  std::string authority;                     // of "http://authority/path", else empty
};

/// Errors: invalid_argument (no path, an escape that is none, a control character in the path). RFC 9112, 3.2.
Target parse_target(std::string_view target);

}  // namespace xlstm::server
