// Edges of sampling: ties, masks, extremes, faults, and the law that a draw is a pure function.
#include "xlstm/sampling/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cctype>
#include <cfloat>
#include <cmath>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include "reference_distribution.h"
#include "tests/support/expect_error.h"
#include "xlstm/base/error.h"

namespace xlstm::sampling {
namespace {

using testing::HasSubstr;

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

SamplingParams with(void (*set)(SamplingParams&)) {
  SamplingParams params;
  set(params);
  return params;
}

const SamplingParams kGreedy = with([](SamplingParams& p) { p.temperature = 0; });

TokenId take(const std::vector<float>& logits, const SamplingParams& params, std::vector<TokenId> history = {},
             std::size_t limit = 1'000'000, RngKey key = {}) {
  return sample(logits, params, history, limit, key);
}

std::vector<TokenId> support(const std::vector<float>& logits, const SamplingParams& params,
                             std::vector<TokenId> history = {}, std::size_t limit = 1'000'000) {
  std::vector<TokenId> ids;
  for (const auto& [id, probability] : distribution(logits, params, history, limit)) ids.push_back(id);
  return ids;
}

using tests::expect_error;

TEST(Greedy, TakesTheLargestAndTheLowestIdOfATie) {
  EXPECT_EQ(take({1, 5, 2}, kGreedy), 1);
  EXPECT_EQ(take({1, 5, 5, 5}, kGreedy), 1);
  EXPECT_EQ(take({-0.0f, 0.0f}, kGreedy), 0);
  EXPECT_EQ(take({-kInf, -FLT_MAX, -kInf}, kGreedy), 1);
  std::vector<float> many(50'304, -1.0f);
  many[50'303] = 0.5f;
  EXPECT_EQ(take(many, kGreedy), 50'303);
  EXPECT_EQ(take(many, kGreedy, {}, 50'303), 0);
}

TEST(Greedy, ComesAfterBiasAndPenalties) {
  SamplingParams params = kGreedy;
  params.logit_bias = {{2, 3.0f}};
  EXPECT_EQ(take({1, 3, 1}, params), 2);
  params = kGreedy;
  params.repetition_penalty = 2;
  EXPECT_EQ(take({3, 2, 1}, params, {0}), 1);
  EXPECT_EQ(take({-3, -2, -5}, params, {1}), 0);  // a negative logit is multiplied
  params = kGreedy;
  params.frequency_penalty = 0.5f;
  EXPECT_EQ(take({3, 2, 1}, params, {0, 0, 0}), 1);
  EXPECT_EQ(take({3, 2, 1}, params, {0}), 0);
  params = kGreedy;
  params.presence_penalty = 1.5f;
  EXPECT_EQ(take({3, 2, 1}, params, {0, 0, 0}), 1);
}

TEST(Greedy, DistributionIsOneEntry) {
  const auto entries = distribution(std::vector<float>{1, 2}, kGreedy, {}, 2);
  ASSERT_EQ(entries.size(), 1u);
  EXPECT_EQ(entries[0], (std::pair<TokenId, double>(1, 1.0)));
}

TEST(PenaltyWindow, LimitsHowFarBackIsLooked) {
  SamplingParams params = kGreedy;
  params.presence_penalty = 10;
  const std::vector<float> logits = {3, 2, 1};
  for (const auto& [window, expected] :
       std::vector<std::pair<int, TokenId>>{{-1, 2}, {0, 0}, {1, 0}, {2, 0}, {3, 2}, {9, 2}}) {
    params.penalty_window = window;
    EXPECT_EQ(take(logits, params, {0, 1, 1}), expected) << window;
  }
}

TEST(PenaltyWindow, IgnoresIdsOutsideTheVocabulary) {
  SamplingParams params = kGreedy;
  params.presence_penalty = 10;
  params.repetition_penalty = 2;
  EXPECT_EQ(take({3, 2, 1}, params, {-1, 3, 1'000'000, std::numeric_limits<TokenId>::min()}), 0);
  EXPECT_EQ(take({3, 2, 1}, params, {2, 2}, 2), 0);  // id 2 is in the logits but masked
}

TEST(TopK, KeepsExactlyKOfATieLowestIdsFirst) {
  SamplingParams params;
  params.top_k = 3;
  EXPECT_THAT(support({1, 2, 2, 2, 2, 0}, params), testing::ElementsAre(1, 2, 3));
  EXPECT_THAT(support({2, 1, 1, 3, 1}, params), testing::ElementsAre(3, 0, 1));
  const std::vector<float> flat(1000, 0.25f);
  EXPECT_THAT(support(flat, params), testing::ElementsAre(0, 1, 2));
}

TEST(TopK, BeyondTheVocabularyOrTheFiniteOnesIsAll) {
  SamplingParams params;
  params.top_k = 5;
  EXPECT_THAT(support({1, 2, 3}, params), testing::ElementsAre(2, 1, 0));
  params.top_k = 2;
  EXPECT_THAT(support({-kInf, 1, -kInf}, params), testing::ElementsAre(1));
}

TEST(TopP, TinyKeepsOneAndOneKeepsAll) {
  SamplingParams params;
  params.top_p = 1e-30f;
  EXPECT_THAT(support({1, 3, 2}, params), testing::ElementsAre(1));
  EXPECT_THAT(support({2, 2, 2}, params), testing::ElementsAre(0));
  params.top_p = 1;
  EXPECT_EQ(support({1, 3, 2}, params).size(), 3u);
}

TEST(TopP, KeepsTheIdThatReachesTheShare) {
  SamplingParams params;
  params.top_p = 0.6f;
  const std::vector<float> logits = {std::log(0.2f), std::log(0.5f), std::log(0.3f)};
  EXPECT_THAT(support(logits, params), testing::ElementsAre(1, 2));
  params.top_p = 0.45f;
  EXPECT_THAT(support(logits, params), testing::ElementsAre(1));
  params.top_p = 0.5f;  // exactly reached by half of the ties
  EXPECT_THAT(support({1, 1, 1, 1}, params), testing::ElementsAre(0, 1));
}

TEST(MinP, OneKeepsOnlyTheLargest) {
  SamplingParams params;
  params.min_p = 1;
  EXPECT_THAT(support({1, 3, 2, 3}, params), testing::ElementsAre(1, 3));
}

TEST(Mask, IdsBeyondTheLimitAreNeverChosen) {
  const std::vector<float> logits = {0, 0, 50, 100};
  for (std::uint64_t step = 0; step < 200; ++step) EXPECT_LT(take(logits, {}, {}, 2, {1, step}), 2);
  EXPECT_EQ(take(logits, kGreedy, {}, 3), 2);
  SamplingParams params;
  params.logit_bias = {{3, 100.0f}, {77, 100.0f}};
  EXPECT_LT(take(logits, params, {}, 2), 2);
}

TEST(Ban, AllButOneLeavesOne) {
  SamplingParams params;
  for (TokenId id = 0; id < 10; ++id) {
    if (id != 6) params.logit_bias.emplace_back(id, -kInf);
  }
  const std::vector<float> logits(10, 1.0f);
  for (std::uint64_t step = 0; step < 50; ++step) EXPECT_EQ(take(logits, params, {}, 10, {1, step}), 6);
}

TEST(Ban, EverythingIsAnError) {
  SamplingParams params;
  params.logit_bias = {{0, -kInf}, {1, -kInf}};
  expect_error(ErrorCode::internal, "at least one id", [&] { take({1, 2}, params); });
  expect_error(ErrorCode::internal, "at least one id", [&] { take({-kInf, -kInf}, kGreedy); });
  expect_error(ErrorCode::internal, "at least one id", [&] { take({-kInf, -kInf, 1}, kGreedy, {}, 2); });
  expect_error(ErrorCode::internal, "at least one id", [&] { take({1, 2}, {}, {}, 0); });
  expect_error(ErrorCode::internal, "at least one id", [&] { take({}, {}); });
}

TEST(Logits, NanAndInfinityAreInternalErrorsWhereverTheyStand) {
  for (std::size_t at : {0, 7, 8, 30}) {
    for (const SamplingParams& params : {kGreedy, SamplingParams{}, with([](SamplingParams& p) { p.top_k = 2; })}) {
      std::vector<float> logits(31, 0.5f);
      logits[at] = at % 2 ? kNan : -kNan;
      expect_error(ErrorCode::internal, "NaN at id " + std::to_string(at), [&] { take(logits, params); });
      expect_error(ErrorCode::internal, "NaN at id " + std::to_string(at),
                   [&] { distribution(logits, params, {}, 31); });
      expect_error(ErrorCode::internal, "NaN at id " + std::to_string(at), [&] { log_probability(logits, 1); });
      logits[at] = kInf;
      expect_error(ErrorCode::internal, "+inf at id " + std::to_string(at), [&] { take(logits, params); });
    }
  }
  SamplingParams banned;
  banned.logit_bias = {{1, -kInf}};
  expect_error(ErrorCode::internal, "NaN at id 1", [&] { take({1, kNan}, banned); });
  expect_error(ErrorCode::internal, "NaN at id 2", [&] { take({1, 2, kNan}, kGreedy, {}, 2); });
}

TEST(Logits, AreNotModified) {
  const std::vector<float> logits = {1, 2, 3};
  std::vector<float> copy = logits;
  SamplingParams params;
  params.logit_bias = {{0, 1.0f}};
  params.repetition_penalty = 2;
  take(copy, params, {1, 2});
  EXPECT_EQ(copy, logits);
}

TEST(Extremes, GiveProbabilitiesThatSumToOne) {
  const std::vector<std::vector<float>> all_logits = {
      {FLT_MAX, -FLT_MAX, 0, 1},   {-FLT_MAX, -FLT_MAX},  {FLT_MAX, FLT_MAX, 1}, {FLT_MIN, -FLT_MIN, FLT_TRUE_MIN, 0},
      {1e-45f, -1e-45f, 0, -kInf}, {30, -30, 29.999998f}, {-1000, -1001, -1002}};
  for (const auto& logits : all_logits) {
    for (const float temperature : {FLT_TRUE_MIN, FLT_MIN, 1e-6f, 1.0f, 1e6f, FLT_MAX}) {
      for (const float top_p : {FLT_MIN, 0.5f, 0.99999994f, 1.0f}) {
        for (const float min_p : {0.0f, FLT_TRUE_MIN, 1.0f}) {
          SamplingParams params;
          params.temperature = temperature;
          params.top_p = top_p;
          params.min_p = min_p;
          double sum = 0;
          for (const auto& [id, probability] : distribution(logits, params, {}, logits.size())) {
            EXPECT_GT(probability, 0) << id;
            sum += probability;
          }
          EXPECT_NEAR(sum, 1, 1e-12) << temperature << ' ' << top_p << ' ' << min_p;
          EXPECT_TRUE(std::isfinite(logits[static_cast<std::size_t>(take(logits, params))]));
        }
      }
    }
  }
}

TEST(Extremes, BiasAndPenaltiesNeverOverflow) {
  SamplingParams params;
  params.logit_bias = {{0, FLT_MAX}, {1, -FLT_MAX}};
  params.repetition_penalty = FLT_MIN;
  params.frequency_penalty = -FLT_MAX;
  params.presence_penalty = FLT_MAX;
  double sum = 0;
  for (const auto& [id, p] :
       distribution(std::vector<float>{FLT_MAX, -FLT_MAX, 1}, params, std::vector<TokenId>{0, 1, 2}, 3))
    sum += p;
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(Extremes, TinyTemperatureIsGreedyHugeIsUniform) {
  SamplingParams params;
  params.temperature = 1e-30f;
  for (std::uint64_t step = 0; step < 50; ++step) EXPECT_EQ(take({1, 1.0000001f, 0}, params, {}, 3, {9, step}), 1);
  params.temperature = FLT_MAX;
  for (const auto& [id, p] : distribution(std::vector<float>{-50, 0, 50, 3}, params, {}, 4))
    EXPECT_NEAR(p, 0.25, 1e-6) << id;
}

RC_GTEST_PROP(Sample, IsAPureFunctionOfItsArguments, (std::uint64_t seed, std::uint64_t step)) {
  // given two requests whose steps interleave, as in a batch
  const auto size = *rc::gen::inRange<std::size_t>(1, 600);
  std::vector<float> a(size), b(size);
  for (std::size_t i = 0; i < size; ++i) {
    a[i] = static_cast<float>(10 * uniform({seed, i}, 1));
    b[i] = static_cast<float>(10 * uniform({seed, i}, 2));
  }
  SamplingParams params;
  params.top_p = 0.9f;
  params.top_k = *rc::gen::inRange(0, 50);
  const TokenId alone = take(a, params, {}, size, {seed, step});
  // when
  take(b, params, {}, size, {seed + 1, step});
  // then
  RC_ASSERT(take(a, params, {}, size, {seed, step}) == alone);
}

// Few distinct values, so that ties are everywhere, also at the place where a filter cuts.
RC_GTEST_PROP(Distribution, KeepsTheIdsThatTheDefinitionKeeps, (std::uint64_t seed)) {
  const auto size = *rc::gen::inRange<std::size_t>(1, 800);
  const auto levels = *rc::gen::inRange(1, 40);
  std::vector<float> logits(size);
  for (std::size_t i = 0; i < size; ++i) logits[i] = static_cast<float>(std::floor(levels * uniform({seed, i})) / 8);
  SamplingParams params;
  params.top_k = *rc::gen::inRange<std::int64_t>(0, static_cast<std::int64_t>(size) + 2);
  params.min_p = *rc::gen::element(0.0f, 0.03f, 0.3f);
  // An odd 24-bit share: no sum of a few equal probabilities meets it, where rounding would decide.
  params.top_p = *rc::gen::element(1.0f, 0.12345678f, 0.54321987f, 0.91234567f, 0.9991234f);
  const Ranked expected = reference_distribution(logits, params, {}, size);
  const auto found = distribution(logits, params, {}, size);
  RC_ASSERT(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) RC_ASSERT(found[i].first == expected[i].first);
}

TEST(LogProbability, IsTheLogSoftmax) {
  std::vector<float> logits(5000);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(20 * uniform({5, i}) - 10);
  long double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<long double>(logit));
  for (const TokenId id : {0, 17, 4999}) {
    const auto expected =
        static_cast<double>(static_cast<long double>(logits[static_cast<std::size_t>(id)]) - std::log(total));
    EXPECT_NEAR(log_probability(logits, id), expected, 1e-6);
  }
  EXPECT_EQ(log_probability(std::vector<float>{3}, 0), 0);
  EXPECT_EQ(log_probability(std::vector<float>{3, -kInf}, 1), -kInf);
  EXPECT_NEAR(log_probability(std::vector<float>{1000, 1000}, 0), std::log(0.5), 1e-12);
}

TEST(LogProbability, RefusesAnIdOutsideTheLogits) {
  expect_error(ErrorCode::invalid_argument, "an id in [0, 2) but got 2", [] {
    log_probability(std::vector<float>{1, 2}, 2);
  });
  expect_error(ErrorCode::invalid_argument, "got -1", [] { log_probability(std::vector<float>{1, 2}, -1); });
}

struct Refusal {
  const char* message;
  void (*set)(SamplingParams&);
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.message; }

/// "[top_k] expected ... but got -1" -> "top_k__1": letters, digits and _ are all that a test's name may hold.
std::string test_name(const testing::TestParamInfo<Refusal>& test) {
  const std::string message = test.param.message, got = "but got ";
  std::string name = message.substr(1, message.find(']') - 1) + '_' + message.substr(message.rfind(got) + got.size());
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

class Validate : public testing::TestWithParam<Refusal> {};

TEST_P(Validate, NamesFieldExpectedAndFound) {
  const SamplingParams params = with(GetParam().set);
  expect_error(ErrorCode::invalid_argument, GetParam().message, [&] { validate(params); });
  expect_error(ErrorCode::invalid_argument, GetParam().message, [&] { take({1, 2}, params); });
}

INSTANTIATE_TEST_SUITE_P(
    Fields, Validate,
    testing::Values(
        Refusal{"[temperature] expected a finite number >= 0 but got -0.5",
                [](SamplingParams& p) { p.temperature = -0.5f; }},
        Refusal{"[temperature] expected a finite number >= 0 but got nan",
                [](SamplingParams& p) { p.temperature = kNan; }},
        Refusal{"[temperature] expected a finite number >= 0 but got inf",
                [](SamplingParams& p) { p.temperature = kInf; }},
        Refusal{"[top_k] expected a number >= 0 (0: off) but got -1", [](SamplingParams& p) { p.top_k = -1; }},
        Refusal{"[top_p] expected a number in (0, 1] but got 0", [](SamplingParams& p) { p.top_p = 0; }},
        Refusal{"[top_p] expected a number in (0, 1] but got 1.5", [](SamplingParams& p) { p.top_p = 1.5f; }},
        Refusal{"[top_p] expected a number in (0, 1] but got nan", [](SamplingParams& p) { p.top_p = kNan; }},
        Refusal{"[min_p] expected a number in [0, 1] but got -0.1", [](SamplingParams& p) { p.min_p = -0.1f; }},
        Refusal{"[min_p] expected a number in [0, 1] but got 2", [](SamplingParams& p) { p.min_p = 2; }},
        Refusal{"[repetition_penalty] expected a finite number > 0 but got 0",
                [](SamplingParams& p) { p.repetition_penalty = 0; }},
        Refusal{"[frequency_penalty] expected a finite number but got nan",
                [](SamplingParams& p) { p.frequency_penalty = kNan; }},
        Refusal{"[presence_penalty] expected a finite number but got inf",
                [](SamplingParams& p) { p.presence_penalty = kInf; }},
        Refusal{"[penalty_window] expected a number of ids >= 0, or -1 for all but got -2",
                [](SamplingParams& p) { p.penalty_window = -2; }},
        Refusal{"[logit_bias] expected ids >= 0 but got -3",
                [](SamplingParams& p) {
                  p.logit_bias = {{-3, 1.0f}};
                }},
        Refusal{"[logit_bias] expected finite numbers or -inf but got inf",
                [](SamplingParams& p) {
                  p.logit_bias = {{1, kInf}};
                }},
        Refusal{"[logit_bias] expected finite numbers or -inf but got nan",
                [](SamplingParams& p) {
                  p.logit_bias = {{1, kNan}};
                }}),
    test_name);

TEST(Validate, AcceptsTheDefaultsAndTheLimits) {
  EXPECT_NO_THROW(validate({}));
  EXPECT_NO_THROW(validate(with([](SamplingParams& p) {
    p.temperature = 0;
    p.min_p = 1;
    p.top_p = FLT_TRUE_MIN;
    p.top_k = std::numeric_limits<std::int64_t>::max();
    p.penalty_window = 0;
    p.logit_bias = {{0, -kInf}};
  })));
}

}  // namespace
}  // namespace xlstm::sampling
