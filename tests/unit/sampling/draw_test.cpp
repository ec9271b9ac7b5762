// What sample() draws has the distribution that its definition gives: chi-square, fixed seeds.
//
// Significance: a case fails when p < 1e-4. Seeds are fixed, so a case that passes once passes always; of 27 cases a
// correct sampler with fresh seeds would fail one in about 370 such suites. The last tests show that a wrong
// distribution is rejected.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "chi_square.h"
#include "reference_distribution.h"
#include "xlstm/sampling/sampler.h"

namespace xlstm::sampling {
namespace {

constexpr double kSignificance = 1e-4;
constexpr std::size_t kDraws = 30'000;

// Normal numbers of standard deviation `spread`, by Box and Muller.
std::vector<float> random_logits(std::size_t count, double spread, std::uint64_t seed) {
  std::vector<float> logits(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double radius = std::sqrt(-2 * std::log(uniform({seed, i}, 0)));
    logits[i] = static_cast<float>(spread * radius * std::cos(6.283185307179586 * uniform({seed, i}, 1)));
  }
  return logits;
}

struct Case {
  std::string name;
  SamplingParams params;
  std::size_t vocabulary = 64;
  std::size_t limit = 64;
  double spread = 1.5;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

Case make_case(std::string name, void (*set)(SamplingParams&), std::size_t vocabulary = 64, std::size_t limit = 64,
               double spread = 1.5) {
  Case result{std::move(name), {}, vocabulary, limit, spread};
  set(result.params);
  return result;
}

std::map<TokenId, std::size_t> draw(std::span<const float> logits, const SamplingParams& params,
                                    std::span<const TokenId> history, std::size_t limit) {
  std::map<TokenId, std::size_t> counts;
  for (std::size_t step = 0; step < kDraws; ++step)
    ++counts[sample(logits, params, history, limit, {params.seed, step})];
  return counts;
}

const std::vector<TokenId> kHistory = {3, 5, 3, 9, -7, 1000, 3, 11, 5, 20, 21, 22, 63};

const std::vector<Case> kCases = {
    make_case("plain", [](SamplingParams&) {}),
    make_case("other_seed", [](SamplingParams& p) { p.seed = 0xfeedfacecafebeef; }),
    make_case("low_temperature", [](SamplingParams& p) { p.temperature = 0.4f; }),
    make_case("high_temperature", [](SamplingParams& p) { p.temperature = 3.0f; }),
    make_case("huge_temperature_is_uniform", [](SamplingParams& p) { p.temperature = 1e30f; }),
    make_case("top_k_1", [](SamplingParams& p) { p.top_k = 1; }),
    make_case("top_k_7", [](SamplingParams& p) { p.top_k = 7; }),
    make_case("top_k_beyond_vocabulary", [](SamplingParams& p) { p.top_k = 1'000'000; }),
    make_case("top_p_half", [](SamplingParams& p) { p.top_p = 0.5f; }),
    make_case("top_p_0_95", [](SamplingParams& p) { p.top_p = 0.95f; }),
    make_case("min_p_0_1", [](SamplingParams& p) { p.min_p = 0.1f; }),
    make_case("min_p_0_01_hot",
              [](SamplingParams& p) {
                p.min_p = 0.01f;
                p.temperature = 2.0f;
              }),
    make_case("repetition_penalty", [](SamplingParams& p) { p.repetition_penalty = 1.8f; }),
    make_case("repetition_reward", [](SamplingParams& p) { p.repetition_penalty = 0.6f; }),
    make_case("frequency_penalty", [](SamplingParams& p) { p.frequency_penalty = 0.7f; }),
    make_case("presence_penalty", [](SamplingParams& p) { p.presence_penalty = 1.1f; }),
    make_case("all_penalties_in_a_window",
              [](SamplingParams& p) {
                p.repetition_penalty = 1.3f;
                p.frequency_penalty = -0.4f;
                p.presence_penalty = 0.9f;
                p.penalty_window = 9;
              }),
    make_case("logit_bias",
              [](SamplingParams& p) {
                p.logit_bias = {{2, 2.5f}, {8, -1.5f}, {2, 0.5f}, {4, -INFINITY}};
              }),
    make_case("top_k_and_top_p",
              [](SamplingParams& p) {
                p.top_k = 20;
                p.top_p = 0.8f;
              }),
    make_case("top_k_top_p_min_p",
              [](SamplingParams& p) {
                p.top_k = 30;
                p.top_p = 0.9f;
                p.min_p = 0.05f;
              }),
    make_case("top_p_and_min_p",
              [](SamplingParams& p) {
                p.top_p = 0.9f;
                p.min_p = 0.2f;
              }),
    make_case("everything",
              [](SamplingParams& p) {
                p.temperature = 1.4f;
                p.top_k = 40;
                p.top_p = 0.92f;
                p.min_p = 0.02f;
                p.repetition_penalty = 1.2f;
                p.frequency_penalty = 0.2f;
                p.presence_penalty = 0.3f;
                p.logit_bias = {{1, 1.0f}, {7, -INFINITY}};
                p.seed = 99;
              }),
    make_case(
        "masked_tail", [](SamplingParams&) {}, 64, 41),
    make_case(
        "masked_tail_and_filters",
        [](SamplingParams& p) {
          p.top_k = 10;
          p.top_p = 0.9f;
        },
        64, 41),
    make_case(
        "large_vocabulary", [](SamplingParams&) {}, 3001, 3000, 3.0),
    make_case(
        "large_vocabulary_top_p", [](SamplingParams& p) { p.top_p = 0.9f; }, 3001, 3000, 3.0),
    make_case(
        "flat_large_vocabulary_top_p", [](SamplingParams& p) { p.top_p = 0.5f; }, 1000, 1000, 0.01),
};

class Draw : public testing::TestWithParam<Case> {};

TEST_P(Draw, HasTheDistributionOfTheDefinition) {
  // given
  const Case& c = GetParam();
  const std::vector<float> logits = random_logits(c.vocabulary, c.spread, 17);
  const Ranked expected = reference_distribution(logits, c.params, kHistory, c.limit);
  // when
  const auto counts = draw(logits, c.params, kHistory, c.limit);
  // then
  EXPECT_GT(goodness_of_fit(counts, expected), kSignificance);
}

TEST_P(Draw, DistributionFunctionAgreesWithTheDefinition) {
  const Case& c = GetParam();
  const std::vector<float> logits = random_logits(c.vocabulary, c.spread, 17);
  const Ranked expected = reference_distribution(logits, c.params, kHistory, c.limit);
  const auto found = distribution(logits, c.params, kHistory, c.limit);
  ASSERT_EQ(found.size(), expected.size());
  const std::map<TokenId, double> by_id(found.begin(), found.end());
  double sum = 0;
  for (const auto& [id, probability] : expected) {
    ASSERT_TRUE(by_id.contains(id)) << id;
    EXPECT_NEAR(by_id.at(id), static_cast<double>(probability), 1e-5 * static_cast<double>(probability)) << id;
    sum += by_id.at(id);
  }
  EXPECT_TRUE(
      std::is_sorted(found.begin(), found.end(), [](const auto& x, const auto& y) { return x.second > y.second; }));
  EXPECT_NEAR(sum, 1.0, 1e-12);
}

INSTANTIATE_TEST_SUITE_P(Methods, Draw, testing::ValuesIn(kCases), [](const auto& test) { return test.param.name; });

TEST(GoodnessOfFit, TailHasTabulatedValues) {
  EXPECT_NEAR(chi_square_tail(3.841459, 1), 0.05, 1e-6);
  EXPECT_NEAR(chi_square_tail(18.307038, 10), 0.05, 1e-6);
  EXPECT_NEAR(chi_square_tail(149.449253, 100), 0.001, 1e-7);
  EXPECT_NEAR(chi_square_tail(2.558212, 10), 0.99, 1e-6);
}

struct Wrong {
  const char* name;
  SamplingParams drawn, claimed;
};

// Each pair differs by what a plausible mistake would change.
std::vector<Wrong> wrong_pairs() {
  std::vector<Wrong> pairs(7);
  pairs[0] = {"temperature 1 for 1.05", {}, {}};
  pairs[0].drawn.temperature = 1.05f;
  pairs[1] = {"top-k 7 for 8", {}, {}};
  pairs[1].drawn.top_k = 8;
  pairs[1].claimed.top_k = 7;
  pairs[2] = {"top-p with an id too few", {}, {}};
  pairs[2].drawn.top_p = 0.5f;
  pairs[2].claimed.top_p = 0.4f;
  pairs[3] = {"min-p 0.1 for 0.2", {}, {}};
  pairs[3].drawn.min_p = 0.1f;
  pairs[3].claimed.min_p = 0.2f;
  pairs[4] = {"repetition penalty left out", {}, {}};
  pairs[4].claimed.repetition_penalty = 1.8f;
  pairs[5] = {"frequency taken for presence", {}, {}};
  pairs[5].drawn.presence_penalty = 0.7f;
  pairs[5].claimed.frequency_penalty = 0.7f;
  pairs[6] = {"bias left out", {}, {}};
  pairs[6].claimed.logit_bias = {{2, 0.7f}};
  return pairs;
}

TEST(GoodnessOfFit, RejectsWrongDistributions) {
  const std::vector<float> logits = random_logits(64, 1.5, 17);
  for (const Wrong& pair : wrong_pairs()) {
    const auto counts = draw(logits, pair.drawn, kHistory, 64);
    EXPECT_LT(goodness_of_fit(counts, reference_distribution(logits, pair.claimed, kHistory, 64)), kSignificance)
        << pair.name;
    EXPECT_GT(goodness_of_fit(counts, reference_distribution(logits, pair.drawn, kHistory, 64)), kSignificance)
        << pair.name;
  }
}

}  // namespace
}  // namespace xlstm::sampling
