#include "xlstm/tokenizer/regex_splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <new>
#include <string>

#include "xlstm/base/error.h"
#include "xlstm/tokenizer/utf8.h"

namespace xlstm::tokenizer {
namespace {

struct FreeMatch {
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
};
using MatchData = std::unique_ptr<pcre2_match_data, FreeMatch>;

/// Oniguruma's Ruby syntax, which Hugging Face uses, reads these differently than PCRE2 does.
bool means_something_else(std::string_view pattern) {
  if (pattern.substr(0, 2) == "(*") return true;  // PCRE2 verb
  for (std::size_t i = 0; i + 1 < pattern.size(); ++i) {
    if (pattern[i] != '\\') continue;
    ++i;
    if (pattern[i] == 'h' || pattern[i] == 'H' || pattern[i] == 'K') return true;  // a hex digit; keep
  }
  return false;
}

std::string describe(int error) {
  PCRE2_UCHAR text[128];
  return pcre2_get_error_message(error, text, sizeof text) < 0 ? "error " + std::to_string(error)
                                                               : std::string(reinterpret_cast<const char*>(text));
}

}  // namespace

struct RegexSplitter::Code {
  explicit Code(pcre2_code* code) : compiled(code) {}
  ~Code() { pcre2_code_free(compiled); }
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;

  /// The first match at or after `at`; false when there is none. Text is well-formed.
  bool find(std::string_view text, std::size_t at, pcre2_match_data* data) const {
    const auto match = [&](std::uint32_t options) {
      return pcre2_match(compiled, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at, options, data, nullptr);
    };
    int found = match(PCRE2_NO_UTF_CHECK);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) found = match(PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);
    if (found == PCRE2_ERROR_NOMATCH) return false;
    if (found < 0) {
      fail(ErrorCode::invalid_argument, "tokenizer", "expected text the Split pattern can be matched against but got ",
           describe(found));
    }
    return true;
  }

  void split_well_formed(std::string_view text, pcre2_match_data* data,
                         const std::function<void(std::string_view)>& sink) const {
    std::size_t done = 0;
    while (done < text.size() && find(text, done, data)) {
      const PCRE2_SIZE* const range = pcre2_get_ovector_pointer(data);
      if (range[0] > done) sink(text.substr(done, range[0] - done));
      sink(text.substr(range[0], range[1] - range[0]));
      done = range[1];
    }
    if (done < text.size()) sink(text.substr(done));
  }

  pcre2_code* compiled;
};

RegexSplitter::RegexSplitter(std::string_view pattern, bool literal, std::string_view where) {
  if (!literal && means_something_else(pattern)) {
    fail(ErrorCode::unsupported, where,
         "Split pattern: expected syntax without \\h, \\H, \\K and (*VERB) but it has some");
  }
  // Ruby's ^ and $ match at every line. \C could cut a character in two.
  std::uint32_t options = PCRE2_UTF | PCRE2_NO_UTF_CHECK;
  options |= literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* const compiled =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options, &error, &offset, nullptr);
  if (compiled == nullptr) {
    fail(ErrorCode::unsupported, where, "Split pattern: expected a regular expression PCRE2 accepts but got \"",
         describe(error), "\" at byte ", offset);
  }
  code_ = std::make_unique<Code>(compiled);
  std::uint32_t matches_empty = 0;
  pcre2_pattern_info(compiled, PCRE2_INFO_MATCHEMPTY, &matches_empty);
  if (matches_empty != 0) {
    fail(ErrorCode::unsupported, where, "Split pattern: expected one that needs a character but it matches empty text");
  }
  pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);  // where there is no JIT, matching is interpreted
}

RegexSplitter::~RegexSplitter() = default;
RegexSplitter::RegexSplitter(RegexSplitter&&) noexcept = default;
RegexSplitter& RegexSplitter::operator=(RegexSplitter&&) noexcept = default;

void RegexSplitter::split(std::string_view text, const std::function<void(std::string_view)>& sink) const {
  const MatchData data(pcre2_match_data_create_from_pattern(code_->compiled, nullptr));
  if (!data) throw std::bad_alloc();
  const auto ill_formed_at = [&](std::size_t i) {
    return read_utf8(text.data() + i, text.data() + text.size()).code == kIllFormed;
  };
  for (std::size_t begin = 0; begin < text.size();) {
    const bool ill_formed = ill_formed_at(begin);
    std::size_t end = begin;
    while (end < text.size() && ill_formed_at(end) == ill_formed) {
      end += static_cast<std::size_t>(read_utf8(text.data() + end, text.data() + text.size()).size);
    }
    const std::string_view part = text.substr(begin, end - begin);
    if (ill_formed) {
      sink(part);
    } else {
      code_->split_well_formed(part, data.get(), sink);
    }
    begin = end;
  }
}

}  // namespace xlstm::tokenizer
