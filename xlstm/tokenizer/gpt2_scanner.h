// The GPT-2 pre-tokenizer pattern, by hand.
#pragma once

#include <string_view>

#include "xlstm/tokenizer/char_class.h"

namespace xlstm::tokenizer {

/// The pattern GPT-2 brought in and GPT-NeoX, RoBERTa and others kept.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Cuts text at the matches of kGpt2Pattern, which leave no gap. A scanner instead of a regular expression because the
/// cutting is half of the cost of encoding; tests compare it with PCRE2. Ill-formed bytes count as symbols.
class Gpt2Scanner {
 public:
  explicit Gpt2Scanner(std::string_view text)
      : table_(CharTable::instance()), at_(text.data()), end_(text.data() + text.size()) {}
  /// The next piece; empty at the end of the text. Linear time over all calls.
  std::string_view next();

 private:
  struct Seen {
    CharClass kind;
    int size;
  };
  Seen see(const char* at) const noexcept;
  const char* skip_run(const char* at, CharClass kind) const noexcept;
  const char* contraction_end() const noexcept;
  const char* space_end() const noexcept;

  const CharTable& table_;
  const char* at_;
  const char* end_;
};

}  // namespace xlstm::tokenizer
