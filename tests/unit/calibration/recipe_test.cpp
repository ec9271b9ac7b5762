// Which matrices get 8 bits: within the room, the most damage first, the same every time.
#include "xlstm/calibration/recipe.h"

#include <algorithm>
#include <cmath>

#include "tests/unit/quantize/files.h"
#include "xlstm/base/random.h"
#include "xlstm/quantize/convert.h"

namespace xlstm::testing {
namespace {

namespace fs = std::filesystem;
using calibration::Candidate;
using calibration::choose_wide;
using calibration::Recipe;
using Names = std::set<std::string>;

TEST(ChooseWide, TakesTheMostDamageAByteAndPassesOverWhatDoesNotFit) {
  const std::vector<Candidate> candidates = {
      {"large", 1.0, 100, 200}, {"dense", 0.5, 10, 20}, {"none", 0.0, 10, 20}, {"small", 0.01, 10, 15}};
  EXPECT_EQ(choose_wide(candidates, 0), Names{});
  EXPECT_EQ(choose_wide(candidates, 4), Names{});
  EXPECT_EQ(choose_wide(candidates, 5), Names{"small"});
  EXPECT_EQ(choose_wide(candidates, 10), Names{"dense"});
  EXPECT_EQ(choose_wide(candidates, 109), (Names{"dense", "small", "none"}));
  EXPECT_EQ(choose_wide(candidates, 110), (Names{"dense", "large"}));
  EXPECT_EQ(choose_wide(candidates, 125), (Names{"dense", "large", "small", "none"}));
}

TEST(ChooseWide, OfEqualOnesTakesTheFirstByName) {
  EXPECT_EQ(choose_wide({{"b", 1, 1, 2}, {"a", 1, 1, 2}, {"c", 1, 1, 2}}, 2), (Names{"a", "b"}));
}

TEST(ChooseWide, IsWithinTheRoomAndLeavesNoRoomForAnotherOne) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    std::vector<Candidate> candidates;
    for (std::uint64_t i = 0; i < 12; ++i) {
      const auto bytes = static_cast<std::size_t>(1 + 100 * uniform({seed, 0}, i));
      candidates.push_back({std::to_string(i), uniform({seed, 1}, i), bytes, 2 * bytes});
    }
    const auto room = static_cast<std::size_t>(600 * uniform({seed, 2}));
    const Names wide = choose_wide(candidates, room);
    std::size_t used = 0, least = 1000;
    for (const Candidate& candidate : candidates) {
      if (wide.contains(candidate.module)) {
        used += candidate.narrow_bytes;
      } else {
        least = std::min(least, candidate.narrow_bytes);
      }
    }
    EXPECT_LE(used, room) << seed;
    EXPECT_GT(least, room - used) << seed;
  }
}

class RecipeTest : public ScratchTest {
 protected:
  static Recipe find(const fs::path& model, double target_bits, std::int64_t group_size = 64) {
    std::vector<TokenId> tokens(40);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<TokenId>(32 + i * i % 90);
    return calibration::find_recipe(*checkpoint::open_directory(model), {.format = {4, group_size}}, target_bits,
                                    tokens);
  }
};

TEST_F(RecipeTest, TheResultTakesNoMoreThanTheTarget) {
  for (const auto& [model, least] : {std::pair(bytes_mixed(), 8.53), std::pair(bard(), 4.53)}) {
    std::size_t before = 0;
    for (const double target : {least + 0.5, least + 2}) {
      const Recipe recipe = find(model, target);
      const fs::path to = fresh();
      const auto report =
          quantize::quantize(*checkpoint::open_directory(model),
                             {.output = to, .scales = quantize::Scales::mlx, .modules = recipe.modules});
      const double bits = 8 * static_cast<double>(report.bytes) / static_cast<double>(report.parameters);
      EXPECT_LE(bits, target);
      EXPECT_GT(bits, target - 0.35);
      EXPECT_GT(recipe.modules.size(), before);
      before = recipe.modules.size();
      EXPECT_EQ(load(to)->weight_bytes, report.bytes);
    }
  }
}

TEST_F(RecipeTest, EveryMatrixIsMeasuredAndTheOrderIsThatOfTheDamage) {
  const Recipe recipe = find(bytes_mixed(), 10);
  const auto report = quantize::quantize(*checkpoint::open_directory(bytes_mixed()), {.output = fresh()});
  std::int64_t quantized = 0;
  for (const auto& kind : report.weights) quantized += kind.bits != 0 ? kind.tensors : 0;
  EXPECT_EQ(std::ssize(recipe.candidates), quantized);
  for (const Candidate& candidate : recipe.candidates) {
    EXPECT_GT(candidate.damage, 0) << candidate.module;
    EXPECT_LT(candidate.damage, 1) << candidate.module;
    EXPECT_GT(candidate.wide_bytes, candidate.narrow_bytes) << candidate.module;
  }
  EXPECT_TRUE(std::ranges::is_sorted(recipe.candidates, {}, [](const Candidate& c) { return -c.damage; }));
}

TEST_F(RecipeTest, IsTheSameOnEveryRun) {
  const Recipe a = find(bytes_mixed(), 10), b = find(bytes_mixed(), 10);
  EXPECT_EQ(a.modules, b.modules);
  ASSERT_EQ(a.candidates.size(), b.candidates.size());
  for (std::size_t i = 0; i < a.candidates.size(); ++i) {
    EXPECT_EQ(a.candidates[i].module, b.candidates[i].module);
    EXPECT_EQ(a.candidates[i].damage, b.candidates[i].damage);
  }
}

TEST_F(RecipeTest, RefusesATargetBelow4BitsForAll) {
  expect_error(ErrorCode::invalid_argument, {"target bits", "expected at least the 4.", "but got 4"},
               [] { find(bard(), 4); });
}

TEST_F(RecipeTest, RefusesNoTextAndCanBeCancelled) {
  const auto files = checkpoint::open_directory(bytes_mixed());
  expect_error(ErrorCode::invalid_argument, {"at least one token"},
               [&] { calibration::find_recipe(*files, {}, 10, {}); });
  const std::atomic<bool> cancel{true};
  const std::vector<TokenId> tokens = {1, 2};
  expect_error(ErrorCode::cancelled, {"cancelled"}, [&] {
    calibration::find_recipe(*files, {}, 10, tokens, {{}, &cancel});
  });
}

}  // namespace
}  // namespace xlstm::testing
