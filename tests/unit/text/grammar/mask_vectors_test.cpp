// Masks beside those of PyPI's llguidance, of another make altogether: every token before every byte of some texts.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/unit/text/grammar/texts.h"

namespace xlstm::text::grammar {
namespace {

using nlohmann::ordered_json;

CompiledGrammar compile(const ordered_json& entry) {
  if (entry["kind"] == "schema")
    return compile_json_schema(entry["source"].dump(), {.whitespace = Whitespace::compact});
  const auto source = entry["source"].get<std::string>();
  return entry["kind"] == "regex" ? compile_regex(source) : compile_gbnf(source);
}

TEST(Masks, AreThoseOfLlguidance) {
  std::ifstream file(XLSTM_SOURCE_DIR "/tests/data/grammar/masks.jsonl");
  std::string line;
  ASSERT_TRUE(std::getline(file, line));
  const ordered_json head = ordered_json::parse(line);
  const std::vector<std::string> tokens = bytes_and(head["words"].get<std::vector<std::string>>());
  const auto left_out = head["left_out"].get<std::vector<std::size_t>>();
  const auto vocabulary = make_vocabulary(tokens);
  int num_steps = 0;
  while (std::getline(file, line)) {
    const ordered_json entry = ordered_json::parse(line);
    const auto text = entry["text"].get<std::string>();
    SCOPED_TRACE(entry["source"].dump() + " along " + text);
    GrammarMatcher matcher = make_matcher(compile(entry), vocabulary);
    for (std::size_t i = 0; i <= text.size(); ++i, ++num_steps) {
      std::vector<bool> expected(tokens.size());
      for (const ordered_json& run : entry["steps"][i][0]) {
        for (std::size_t id = run[0]; id <= run[1].get<std::size_t>(); ++id) expected[id] = true;
      }
      const auto mask = mask_of(matcher, tokens.size());
      for (std::size_t id = 0; id < tokens.size(); ++id) {
        if (std::find(left_out.begin(), left_out.end(), id) != left_out.end()) continue;
        EXPECT_EQ(is_set(mask, id), expected[id])
            << "token " << ordered_json(tokens[id]).dump(-1, ' ', true, ordered_json::error_handler_t::replace)
            << " at byte " << i;
      }
      EXPECT_EQ(matcher.can_end(), entry["steps"][i][1].get<bool>()) << "at byte " << i;
      ASSERT_TRUE(i == text.size() || matcher.accept_bytes(text.substr(i, 1)));
    }
  }
  EXPECT_GT(num_steps, 200);
}

}  // namespace
}  // namespace xlstm::text::grammar
