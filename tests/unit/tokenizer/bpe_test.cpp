// Short and long words against the definition: merge the pair of lowest rank, leftmost first, until none is left.
#include "xlstm/tokenizer/bpe.h"

#include <gtest/gtest.h>

#include <rapidcheck/gtest.h>
#include <algorithm>
#include <array>
#include <map>
#include <numeric>

#include "xlstm/tokenizer/word_table.h"

namespace xlstm::tokenizer {
namespace {

using Ids = std::vector<TokenId>;

std::array<TokenId, 256> identity() {
  std::array<TokenId, 256> ids;
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

/// Random merges over the letters a to d and what they make; results are new ids, so none has two spellings by merge.
std::vector<Merge> random_merges() {
  std::vector<TokenId> known = {'a', 'b', 'c', 'd'};
  std::map<std::pair<TokenId, TokenId>, TokenId> seen;
  std::vector<Merge> merges;
  for (int i = 0; i < 40; ++i) {
    const TokenId left = *rc::gen::elementOf(known);
    const TokenId right = *rc::gen::elementOf(known);
    const TokenId result = 256 + i;
    if (!seen.emplace(std::pair(left, right), result).second) continue;
    merges.push_back({left, right, result});
    known.push_back(result);
  }
  return merges;
}

Ids by_definition(std::string_view word, const std::vector<Merge>& merges) {
  Ids ids(word.begin(), word.end());
  for (bool merged = true; merged;) {
    merged = false;
    for (const Merge& merge : merges) {
      for (std::size_t i = 0; i + 1 < ids.size() && !merged; ++i) {
        if (ids[i] != merge.left || ids[i + 1] != merge.right) continue;
        ids[i] = merge.result;
        ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        merged = true;
      }
      if (merged) break;
    }
  }
  return ids;
}

RC_GTEST_PROP(BytePairs, EqualTheDefinition, ()) {
  const auto merges = random_merges();
  const BytePairs pairs(identity(), merges);
  const auto size = *rc::gen::element<std::size_t>(0, 1, 2, 3, 7, 20, 95, 96, 97, 98, 200);
  const auto word = *rc::gen::container<std::string>(size, rc::gen::element('a', 'b', 'c', 'd', 'e'));
  Ids ids = {-7};
  pairs.encode(word, ids);
  Ids expected = by_definition(word, merges);
  expected.insert(expected.begin(), -7);
  RC_ASSERT(ids == expected);
}

TEST(BytePairs, TheLaterOfTwoRanksCounts) {
  const BytePairs pairs(identity(), {{'a', 'b', 300}, {'b', 'c', 301}, {'a', 'b', 300}});
  Ids ids;
  pairs.encode("abc", ids);
  EXPECT_EQ(ids, (Ids{'a', 301}));
}

TEST(BytePairs, NoMerges) {
  const BytePairs pairs(identity(), {});
  Ids ids;
  pairs.encode("ab", ids);
  EXPECT_EQ(ids, (Ids{'a', 'b'}));
}

TEST(WordTable, FindsWordsOfEverySize) {
  std::vector<std::string> words;
  for (std::size_t size = 1; size <= WordTable::kMaxBytes; ++size) {
    words.push_back(std::string(size, 'x'));
    words.push_back(std::string(size, '\0'));
    words.push_back(std::string(size - 1, 'x') + 'y');
    words.push_back('y' + std::string(size - 1, 'z'));
  }
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  std::vector<WordTable::Entry> entries;
  for (std::size_t i = 0; i < words.size(); ++i) entries.push_back({words[i], static_cast<TokenId>(i)});
  const WordTable table(entries);
  for (const auto& entry : entries) EXPECT_EQ(table.find(entry.word), entry.id) << entry.word.size();
  EXPECT_EQ(table.find("xxxz"), std::nullopt);
  EXPECT_EQ(table.find(std::string(17, 'x')), std::nullopt);
  EXPECT_EQ(WordTable({}).find("x"), std::nullopt);
}

}  // namespace
}  // namespace xlstm::tokenizer
