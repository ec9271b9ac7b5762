#include "xlstm/text/grammar/code_points.h"

#include <algorithm>
#include <utility>

namespace xlstm::text::grammar {
namespace {

constexpr char32_t kFirstSurrogate = 0xD800;
constexpr char32_t kLastSurrogate = 0xDFFF;

// Cuts where the length of the UTF-8 changes and round the surrogates, then until both ends differ only in bytes behind
// which every byte runs through its whole range.
void split(char32_t first, char32_t last, std::vector<ByteSequence>& out) {
  if (first > last) return;
  for (const char32_t bound : {char32_t{0x7F}, char32_t{0x7FF}, char32_t{0xFFFF}}) {
    if (first <= bound && bound < last) {
      split(first, bound, out);
      return split(bound + 1, last, out);
    }
  }
  if (first <= kLastSurrogate && last >= kFirstSurrogate) {
    if (first < kFirstSurrogate) split(first, kFirstSurrogate - 1, out);
    if (last > kLastSurrogate) split(kLastSurrogate + 1, last, out);
    return;
  }
  for (int bits = 6; first > 0x7F && bits <= 18; bits += 6) {
    const char32_t low = (char32_t{1} << bits) - 1;
    if ((first & ~low) == (last & ~low)) break;
    if ((first & low) != 0) {
      split(first, first | low, out);
      return split((first | low) + 1, last, out);
    }
    if ((last & low) != low) {
      split(first, (last & ~low) - 1, out);
      return split(last & ~low, last, out);
    }
  }
  std::string from, to;
  append_utf8(first, from);
  append_utf8(last, to);
  ByteSequence& sequence = out.emplace_back();
  for (std::size_t i = 0; i < from.size(); ++i) {
    sequence.emplace_back(static_cast<std::uint8_t>(from[i]), static_cast<std::uint8_t>(to[i]));
  }
}

}  // namespace

CodePointSet::CodePointSet(std::vector<CodePointRange> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const CodePointRange& a, const CodePointRange& b) { return a.first < b.first; });
  for (const CodePointRange range : ranges) {
    if (!ranges_.empty() && range.first <= ranges_.back().last + 1) {
      ranges_.back().last = std::max(ranges_.back().last, range.last);
    } else {
      ranges_.push_back(range);
    }
  }
}

CodePointSet CodePointSet::complement() const {
  CodePointSet result;
  char32_t next = 0;
  for (const CodePointRange range : ranges_) {
    if (next < range.first) result.ranges_.push_back({next, range.first - 1});
    next = range.last + 1;
  }
  if (next <= kMaxCodePoint) result.ranges_.push_back({next, kMaxCodePoint});
  return result;
}

CodePointSet CodePointSet::intersection(const CodePointSet& other) const {
  std::vector<CodePointRange> outside = complement().ranges_;
  const CodePointSet beyond_other = other.complement();
  outside.insert(outside.end(), beyond_other.ranges_.begin(), beyond_other.ranges_.end());
  return CodePointSet(std::move(outside)).complement();
}

std::vector<ByteSequence> utf8_sequences(CodePointRange range) {
  std::vector<ByteSequence> result;
  split(range.first, range.last, result);
  return result;
}

void append_utf8(char32_t code, std::string& out) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    tail(6);
    tail(0);
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    tail(12);
    tail(6);
    tail(0);
  }
}

char32_t read_utf8(std::string_view text, std::size_t& position) {
  const auto byte = [&](std::size_t i) {
    return position + i < text.size() ? static_cast<std::uint8_t>(text[position + i]) : std::uint8_t{0};
  };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) {
    ++position;
    return lead;
  }
  const std::size_t size = lead >= 0xC2 && lead <= 0xDF ? 2 : (lead & 0xF0) == 0xE0 ? 3 : (lead & 0xF8) == 0xF0 ? 4 : 0;
  if (size == 0) return kNoCodePoint;
  char32_t code = lead & (0x7F >> size);
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return kNoCodePoint;
    code = code << 6 | (byte(i) & 0x3F);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  if (overlong || code > kMaxCodePoint || (code >= kFirstSurrogate && code <= kLastSurrogate)) return kNoCodePoint;
  position += size;
  return code;
}

std::size_t find_ill_formed(std::string_view text) {
  for (std::size_t position = 0; position < text.size();) {
    if (read_utf8(text, position) == kNoCodePoint) return position;
  }
  return std::string_view::npos;
}

}  // namespace xlstm::text::grammar
