#include "xlstm/tokenizer/gpt2_scanner.h"

#include <array>

namespace xlstm::tokenizer {
namespace {

constexpr auto kAsciiClass = [] {
  std::array<CharClass, 128> classes{};
  for (int c = 0; c < 128; ++c) {
    CharClass& kind = classes[static_cast<std::size_t>(c)];
    if (c == ' ' || (c >= 9 && c <= 13)) kind = CharClass::space;
    if (c >= '0' && c <= '9') kind = CharClass::number;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) kind = CharClass::letter;
  }
  return classes;
}();

}  // namespace

Gpt2Scanner::Seen Gpt2Scanner::see(const char* at) const noexcept {
  const auto byte = static_cast<unsigned char>(*at);
  if (byte < 0x80) return {kAsciiClass[byte], 1};
  const Utf8Char next = read_utf8(at, end_);
  if (next.code == kIllFormed) return {CharClass::other, next.size};
  return {table_.char_class(next.code), next.size};
}

const char* Gpt2Scanner::skip_run(const char* at, CharClass kind) const noexcept {
  while (at != end_) {
    const Seen seen = see(at);
    if (seen.kind != kind) break;
    at += seen.size;
  }
  return at;
}

/// End of 's 't 're 've 'm 'll 'd at at_, which is an apostrophe; at_ when there is none.
const char* Gpt2Scanner::contraction_end() const noexcept {
  const auto letter = [this](int i) { return end_ - at_ > i ? at_[i] : '\0'; };
  switch (letter(1)) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return at_ + 2;
    case 'r':
    case 'v':
      return letter(2) == 'e' ? at_ + 3 : at_;
    case 'l':
      return letter(2) == 'l' ? at_ + 3 : at_;
    default:
      return at_;
  }
}

/// End of \s+(?!\S)|\s+ at at_: a run of white space keeps its last character for the word that follows, unless it is
/// the only one.
const char* Gpt2Scanner::space_end() const noexcept {
  const char* last = at_;
  const char* at = at_;
  while (at != end_) {
    const Seen seen = see(at);
    if (seen.kind != CharClass::space) return last == at_ ? at : last;
    last = at;
    at += seen.size;
  }
  return at;
}

std::string_view Gpt2Scanner::next() {
  const char* const begin = at_;
  if (begin == end_) return {};
  if (*begin == '\'') at_ = contraction_end();
  if (at_ == begin) {
    const char* const word = *begin == ' ' && end_ - begin > 1 ? begin + 1 : begin;
    const Seen seen = see(word);
    at_ = seen.kind == CharClass::space ? space_end() : skip_run(word + seen.size, seen.kind);
  }
  return {begin, static_cast<std::size_t>(at_ - begin)};
}

}  // namespace xlstm::tokenizer
