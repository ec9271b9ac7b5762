// A user's grammar, in every notation; of what is accepted, masks along a text beside reading each token.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fuzz/targets/refused.h"
#include "xlstm/text/grammar/compile.h"
#include "xlstm/text/grammar/matcher.h"

namespace {

using namespace xlstm::text::grammar;

constexpr std::size_t kMaxWalkedStates = 2000;  // larger ones are only compiled

std::shared_ptr<const Vocabulary> vocabulary() {
  static const auto made = [] {
    std::vector<std::string> tokens;
    for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
    tokens.insert(tokens.end(),
                  {"{\"", "\":", "\"}", "},", "[[", "ab", "aaaa", "12", "\n  ", "\xC3\xA4", "\x82\xAC", ""});
    return std::make_shared<const Vocabulary>(std::vector<std::string_view>(tokens.begin(), tokens.end()));
  }();
  return made;
}

void check_mask(GrammarMatcher& matcher, std::vector<xlstm::TokenId>& allowed) {
  std::vector<std::uint32_t> mask(vocabulary()->num_mask_words());
  matcher.fill_mask(mask);
  allowed.clear();
  for (std::size_t i = 0; i < vocabulary()->size(); ++i) {
    const auto id = static_cast<xlstm::TokenId>(i);
    const bool bit = (mask[i / 32] >> (i % 32) & 1) != 0;
    if (bit != matcher.allows(id)) {
      std::fprintf(stderr, "mask and matcher disagree on id %d\n", id);
      std::abort();
    }
    if (bit) allowed.push_back(id);
  }
  if (allowed.empty() && !matcher.can_end()) {
    std::fprintf(stderr, "a dead end\n");
    std::abort();
  }
}

template <class Compile>
void walk(Compile&& compile, std::string_view choices) {
  xlstm::fuzz::accept_or_refuse([&] {
    const CompiledGrammar grammar = compile();
    if (grammar->num_states() > kMaxWalkedStates) return;
    GrammarMatcher matcher(std::make_shared<const TokenMasks>(grammar, vocabulary()));
    std::vector<xlstm::TokenId> allowed;
    for (const char choice : choices.substr(0, 12)) {
      check_mask(matcher, allowed);
      if (allowed.empty()) return;
      matcher.accept(allowed[static_cast<std::uint8_t>(choice) % allowed.size()]);
    }
  });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view source(reinterpret_cast<const char*>(data), size);
  walk([&] { return compile_gbnf(source); }, source);
  walk([&] { return compile_regex(source); }, source);
  walk([&] { return compile_json_schema(source); }, source);
  return 0;
}
