// best_of: of the samples that are drawn, those of the largest mean log-probability come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "tests/unit/scheduler/hash_backend.h"
#include "xlstm/base/error.h"
#include "xlstm/generation/generate.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {
namespace {

class BestOfTest : public testing::Test {
 protected:
  static Submission submission() {
    Submission made;
    made.request.prompt = {1, 2, 3, 4, 5};
    made.request.max_tokens = 12;
    made.request.sampling.seed = 3;
    made.request.stop_ids = {7, 8, 9, 10, 11, 12, 13, 14};  // unequal lengths
    return made;
  }
  Outcome run(Submission submission) {
    Outcome found;
    submission.listener.on_end = [&found](Outcome outcome) { found = std::move(outcome); };
    scheduler_.submit(std::move(submission));
    while (scheduler_.step()) continue;
    return found;
  }
  /// Mean log-probability of sample `number` by the plain loop, and its ids.
  std::pair<double, std::vector<TokenId>> alone(std::size_t number) {
    generation::Request request = submission().request;
    request.sampling.seed += number;
    request.logprobs = 0;
    HashState state;
    const generation::Result result = generation::generate(backend_, state, *tokenizer_, request);
    double sum = 0;
    for (const auto& token : result.logprobs) sum += token.logprob;
    return {sum / static_cast<double>(result.ids.size()), result.ids};
  }

  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::make_byte_tokenizer();
  HashBackend backend_{64, 4};
  Scheduler scheduler_{
      backend_, *tokenizer_, {.max_rows = 8, .prefill_step_size = 8, .time_slice = 3, .max_state_bytes = 100}};
};

TEST_F(BestOfTest, ReturnsTheLikeliestOfWhatItDraws) {
  std::vector<std::size_t> order(8);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [this](std::size_t a, std::size_t b) { return alone(a).first > alone(b).first; });
  ASSERT_NE(order[0], 0u) << "the first one drawn would do";
  for (const std::int64_t logprobs : {-1, 0, 2}) {  // asked for or not
    Submission made = submission();
    made.num_samples = 3;
    made.best_of = 8;
    made.request.logprobs = logprobs;
    const Outcome outcome = run(made);
    ASSERT_EQ(outcome.samples.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      const Sample& sample = outcome.samples[i];
      EXPECT_EQ(sample.number, order[i]);
      EXPECT_EQ(sample.result.ids, alone(order[i]).second);
      EXPECT_DOUBLE_EQ(sample.score, alone(order[i]).first);
      EXPECT_EQ(sample.result.logprobs.empty(), logprobs < 0);
    }
  }
}

TEST_F(BestOfTest, NeedsAsManyRowsAndStatesAsItDraws) {
  Submission made = submission();
  made.best_of = 9;
  EXPECT_THROW(scheduler_.check(made), Error);
  made.best_of = 8;
  EXPECT_NO_THROW(scheduler_.check(made));
  made.num_samples = 3;
  made.best_of = 2;
  EXPECT_THROW(scheduler_.check(made), Error);
}

TEST_F(BestOfTest, HasNothingToRankWithoutTokens) {
  Submission made = submission();
  made.best_of = 4;
  made.request.max_tokens = 0;
  const Outcome outcome = run(made);
  ASSERT_EQ(outcome.samples.size(), 1u);
  EXPECT_EQ(outcome.samples[0].number, 0u);
  EXPECT_EQ(outcome.samples[0].score, 0.0);
}

}  // namespace
}  // namespace xlstm::scheduler
