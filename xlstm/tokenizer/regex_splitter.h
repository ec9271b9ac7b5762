// Cutting text at the matches of a regular expression given in a tokenizer.json.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

namespace xlstm::tokenizer {

/// Hugging Face `Split` with behaviour "isolated": matches are pieces, and so are the gaps between them.
/// Ill-formed bytes match nothing: a run of them is a piece, and the text on each side is matched for itself.
/// Known difference: \s matches U+180E, which Oniguruma leaves out.
/// Immutable; safe from any thread.
class RegexSplitter {
 public:
  /// `literal`: the pattern is plain text. Errors: unsupported for a pattern that PCRE2 refuses, that can match empty
  /// text, or that would mean something else to Oniguruma; `where` opens the message.
  RegexSplitter(std::string_view pattern, bool literal, std::string_view where);
  ~RegexSplitter();
  RegexSplitter(RegexSplitter&&) noexcept;
  RegexSplitter& operator=(RegexSplitter&&) noexcept;

  /// Calls `sink` for each piece in order. Errors: invalid_argument when matching exceeds PCRE2's limits.
  void split(std::string_view text, const std::function<void(std::string_view)>& sink) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace xlstm::tokenizer
