// What tests of grammars ask: does a text match, and what does a vocabulary's mask say.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "xlstm/text/grammar/compile.h"
#include "xlstm/text/grammar/matcher.h"

namespace xlstm::text::grammar {

inline std::shared_ptr<const Vocabulary> make_vocabulary(const std::vector<std::string>& tokens) {
  return std::make_shared<const Vocabulary>(std::vector<std::string_view>(tokens.begin(), tokens.end()));
}

/// All bytes, then what `words` adds.
inline std::vector<std::string> bytes_and(const std::vector<std::string>& words) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  tokens.insert(tokens.end(), words.begin(), words.end());
  return tokens;
}

inline GrammarMatcher make_matcher(CompiledGrammar grammar, std::shared_ptr<const Vocabulary> vocabulary) {
  return GrammarMatcher(std::make_shared<const TokenMasks>(std::move(grammar), std::move(vocabulary)));
}

/// A matcher whose vocabulary is the 256 bytes.
inline GrammarMatcher make_byte_matcher(CompiledGrammar grammar) {
  static const auto vocabulary = make_vocabulary(bytes_and({}));
  return make_matcher(std::move(grammar), vocabulary);
}

/// The whole text matches.
inline bool matches(GrammarMatcher matcher, std::string_view text) {
  return matcher.accept_bytes(text) && matcher.can_end();
}
inline bool matches(const CompiledGrammar& grammar, std::string_view text) {
  return matches(make_byte_matcher(grammar), text);
}

inline bool is_set(const std::vector<std::uint32_t>& mask, std::size_t id) {
  return (mask[id / 32] >> (id % 32) & 1) != 0;
}

inline std::vector<std::uint32_t> mask_of(GrammarMatcher& matcher, std::size_t vocab_size) {
  std::vector<std::uint32_t> mask((vocab_size + 31) / 32);
  matcher.fill_mask(mask);
  return mask;
}

}  // namespace xlstm::text::grammar
