#include "xlstm/checkpoint/refuse.h"

namespace xlstm::checkpoint {

std::string one_line(std::string_view text, std::size_t max_length) {
  constexpr std::string_view kHexDigits = "0123456789abcdef";
  std::string line;
  for (const char c : text) {
    if (line.size() >= max_length) return line + "...";
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      line += {'\\', 'x', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
    } else {
      line += c;
    }
  }
  return line;
}

std::string quote(std::string_view name) { return '"' + one_line(name) + '"'; }

}  // namespace xlstm::checkpoint
