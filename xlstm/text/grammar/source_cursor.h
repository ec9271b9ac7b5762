// A place in a source text, and what parsers of small notations ask of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "xlstm/text/grammar/code_points.h"
#include "xlstm/text/grammar/limits.h"

namespace xlstm::text::grammar {

inline int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// REQUIRES of the source: well-formed UTF-8.
class SourceCursor {
 public:
  explicit SourceCursor(std::string_view source) : source_(source) {}

  std::string_view source() const noexcept { return source_; }
  std::size_t position() const noexcept { return position_; }
  void move_to(std::size_t position) noexcept { position_ = position; }
  bool at_end() const noexcept { return position_ >= source_.size(); }
  /// The byte `ahead` of here; 0 behind the end.
  char peek(std::size_t ahead = 0) const noexcept {
    return position_ + ahead < source_.size() ? source_[position_ + ahead] : '\0';
  }
  bool looking_at(std::string_view text) const noexcept { return source_.substr(position_).starts_with(text); }
  bool skip(std::string_view text) noexcept {
    if (!looking_at(text)) return false;
    position_ += text.size();
    return true;
  }
  void advance() noexcept { ++position_; }
  /// REQUIRES: not at the end.
  char32_t read_character() { return read_utf8(source_, position_); }

  /// Exactly `digits` hexadecimal digits; nothing, and no move, if there are fewer.
  std::optional<char32_t> read_hex(std::size_t digits) noexcept {
    char32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const int digit = hex_value(peek(i));
      if (digit < 0) return std::nullopt;
      value = value << 4 | static_cast<char32_t>(digit);
    }
    position_ += digits;
    return value;
  }
  /// A decimal number; kMaxRepeat + 1 if it is larger than kMaxRepeat; nothing if there is none.
  std::optional<std::uint32_t> read_count() noexcept {
    if (peek() < '0' || peek() > '9') return std::nullopt;
    std::uint32_t value = 0;
    for (; peek() >= '0' && peek() <= '9'; advance()) {
      if (value <= kMaxRepeat) value = value * 10 + static_cast<std::uint32_t>(peek() - '0');
    }
    return value <= kMaxRepeat ? value : kMaxRepeat + 1;
  }

 private:
  std::string_view source_;
  std::size_t position_ = 0;
};

}  // namespace xlstm::text::grammar
