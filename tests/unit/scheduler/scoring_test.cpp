// Log-probabilities of a prompt, and its text in front of what is generated.
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

using testing::Each;
using testing::Le;

constexpr std::size_t kVocab = 256, kSegment = 4;

class ScoringTest : public testing::Test {
 protected:
  static Submission scored(std::size_t length, std::int64_t max_tokens = 0) {
    Submission made;
    made.request.prompt.resize(length);
    std::iota(made.request.prompt.begin(), made.request.prompt.end(), 65);
    made.request.max_tokens = max_tokens;
    made.prompt_logprobs = 2;
    return made;
  }
  Outcome run(Submission submission) {
    Outcome found;
    submission.listener.on_end = [&found](Outcome outcome) { found = std::move(outcome); };
    scheduler_.submit(std::move(submission));
    while (scheduler_.step()) continue;
    return found;
  }
  void expect_scores(const Outcome& found, std::vector<TokenId> prompt) {
    std::vector<float> logits(prompt.size() * kVocab);
    HashState state;
    const backend::PrefillRow row{prompt, &state, backend::Logits::all, logits};
    backend_.prefill(std::span(&row, 1));
    ASSERT_EQ(found.prompt_logprobs.size(), prompt.size());
    EXPECT_FALSE(found.prompt_logprobs[0].has_value());
    for (std::size_t i = 1; i < prompt.size(); ++i) {
      const auto expected =
          generation::token_log_probs(std::span(logits).subspan((i - 1) * kVocab, kVocab), prompt[i], 2);
      ASSERT_TRUE(found.prompt_logprobs[i].has_value());
      EXPECT_EQ(found.prompt_logprobs[i]->logprob, expected.logprob);
      ASSERT_EQ(found.prompt_logprobs[i]->top.size(), 2u);
      EXPECT_EQ(found.prompt_logprobs[i]->top[1].id, expected.top[1].id);
      EXPECT_EQ(found.prompt_logprobs[i]->top[1].logprob, expected.top[1].logprob);
    }
  }

  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::make_byte_tokenizer();
  HashBackend backend_{kVocab, kSegment};
  Scheduler scheduler_{
      backend_,
      *tokenizer_,
      {.max_rows = 4, .prefill_step_size = 8, .time_slice = 3, .max_state_bytes = 50, .max_cache_bytes = 20000}};
};

TEST_F(ScoringTest, EqualAllLogitsWhateverTheLength) {
  for (const std::size_t length : {1u, 2u, 3u, 4u, 5u, 8u, 9u, 30u}) {
    SCOPED_TRACE(length);
    backend_.prefilled.clear();
    const Outcome found = run(scored(length));
    EXPECT_THAT(backend_.prefilled, Each(Le(kSegment))) << "more logits than those of a segment";
    expect_scores(found, scored(length).request.prompt);
    ASSERT_EQ(found.samples.size(), 1u);
    EXPECT_TRUE(found.samples[0].result.ids.empty());
  }
}

TEST_F(ScoringTest, WritesTheCacheButReadsNothingFromIt) {
  Submission plain = scored(20, 3);
  plain.prompt_logprobs = -1;
  const Outcome first = run(plain);
  Outcome found = run(scored(20, 3));
  EXPECT_EQ(found.cached_tokens, 0u);
  expect_scores(found, plain.request.prompt);
  EXPECT_EQ(found.samples.at(0).result.ids, first.samples.at(0).result.ids);
  while (scheduler_.cache().evict_one()) continue;
  run(scored(20));
  plain.request.prompt.push_back(3);
  EXPECT_EQ(run(plain).cached_tokens, 20u);
}

TEST_F(ScoringTest, BesideOthersIsAsAlone) {
  Outcome found;
  Submission made = scored(40, 2);
  made.listener.on_end = [&found](Outcome outcome) { found = std::move(outcome); };
  for (TokenId i = 0; i < 6; ++i) {
    Submission other;
    other.request.prompt = {i, 2, 3, 4, 5, 6, 7};
    other.request.max_tokens = 9;
    scheduler_.submit(std::move(other));
    if (i == 3) scheduler_.submit(std::move(made));
  }
  while (scheduler_.step()) continue;
  expect_scores(found, scored(40).request.prompt);
}

TEST_F(ScoringTest, KnowsTheFirstIdFromTheLogitsOfAStart) {
  Submission first = scored(6, 1);
  first.prompt_logprobs = -1;
  Outcome before = run(first);
  Submission made = scored(3);
  made.start = Start{{before.samples.at(0).state, std::vector<float>(kVocab, 0.5f), Path::other}, first.request.prompt};
  const Outcome found = run(made);
  ASSERT_EQ(found.prompt_logprobs.size(), 3u);
  ASSERT_TRUE(found.prompt_logprobs[0].has_value());
  EXPECT_NEAR(found.prompt_logprobs[0]->logprob, -std::log(256.0), 1e-6);
}

TEST_F(ScoringTest, EchoComesWithTheFirstTokenOrAlone) {
  Submission made = scored(5, 4);
  made.request.echo = true;
  std::string streamed;
  made.num_samples = 2;
  made.listener.on_token = [&](std::size_t sample, const generation::Token& token) {
    if (sample == 0) streamed += token.text;
  };
  const Outcome outcome = run(made);
  const generation::Result& result = outcome.samples.at(0).result;
  std::vector<TokenId> whole = made.request.prompt;
  whole.insert(whole.end(), result.ids.begin(), result.ids.end());
  EXPECT_EQ(result.text, tokenizer_->decode(whole));
  EXPECT_EQ(streamed, result.text);
  EXPECT_TRUE(outcome.samples.at(1).result.text.starts_with("ABCDE"));
  made.request.max_tokens = 0;
  EXPECT_EQ(run(made).samples.at(0).result.text, "ABCDE");
  made.request.max_tokens = 3;
  made.num_samples = 1;
  made.request.sampling.temperature = 0;
  made.beams.num_beams = 2;
  made.listener = {};
  EXPECT_TRUE(run(made).samples.at(0).result.text.starts_with("ABCDE"));
}

TEST_F(ScoringTest, RefusesAWrongCount) {
  Submission made = scored(3);
  made.prompt_logprobs = -2;
  EXPECT_THROW(scheduler_.check(made), Error);
}

}  // namespace
}  // namespace xlstm::scheduler
