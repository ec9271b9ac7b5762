// Sets of Unicode code points, and their UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xlstm::text::grammar {

inline constexpr char32_t kMaxCodePoint = 0x10FFFF;
inline constexpr char32_t kNoCodePoint = 0xFFFFFFFF;

struct CodePointRange {
  char32_t first;
  char32_t last;
  bool operator==(const CodePointRange&) const = default;
};

/// Sorted, disjoint, never adjacent ranges. Surrogates may be in a set; they have no UTF-8 and so match nothing.
class CodePointSet {
 public:
  CodePointSet() = default;
  CodePointSet(std::initializer_list<CodePointRange> ranges) : CodePointSet(std::vector(ranges)) {}
  explicit CodePointSet(std::vector<CodePointRange> ranges);
  static CodePointSet of(char32_t code) { return {{code, code}}; }
  static CodePointSet all() { return {{0, kMaxCodePoint}}; }

  CodePointSet complement() const;
  CodePointSet intersection(const CodePointSet& other) const;
  bool empty() const noexcept { return ranges_.empty(); }
  const std::vector<CodePointRange>& ranges() const noexcept { return ranges_; }

 private:
  std::vector<CodePointRange> ranges_;
};

/// A range of bytes for each byte of a character: [first, last], one to four of them.
using ByteSequence = std::vector<std::pair<std::uint8_t, std::uint8_t>>;
/// Sequences that together match exactly the UTF-8 of the range's scalar values.
std::vector<ByteSequence> utf8_sequences(CodePointRange range);

void append_utf8(char32_t code, std::string& out);
/// The character at `position`, which moves behind it; kNoCodePoint, and no move, at ill-formed UTF-8.
/// REQUIRES: position < text.size().
char32_t read_utf8(std::string_view text, std::size_t& position);
/// The place of the first byte that is not well-formed UTF-8; npos if there is none.
std::size_t find_ill_formed(std::string_view text);

}  // namespace xlstm::text::grammar
