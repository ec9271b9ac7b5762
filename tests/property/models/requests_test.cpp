// Requests together get what each gets alone, with and without states that were kept of others.
#include "tests/property/models/models.h"
#include "xlstm/generation/generate.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::property {
namespace {

constexpr std::size_t kRequests = 64;

class Requests : public ModelLaw {
 protected:
  static scheduler::Options options(std::size_t max_cache_bytes) {
    return {.max_rows = 16,
            .prefill_step_size = 512,
            .time_slice = 8,
            .max_waiting = kRequests,
            .max_state_bytes = std::size_t{1} << 30,
            .max_cache_bytes = max_cache_bytes};
  }

  /// Prompts of mixed lengths, every second one a longer piece of the one before.
  std::vector<generation::Request> requests() {
    std::vector<generation::Request> made(kRequests);
    for (std::size_t i = 0; i < kRequests; ++i) {
      made[i].prompt = text(choices_.between(1, i % 8 == 0 ? 700 : 60));
      if (i % 2 == 1) {
        const std::vector<TokenId>& before = made[i - 1].prompt;
        made[i].prompt.insert(made[i].prompt.begin(), before.begin(), before.end());
      }
      made[i].max_tokens = static_cast<std::int64_t>(choices_.between(1, 12));
      made[i].sampling.seed = i;
      made[i].sampling.temperature = i % 3 == 0 ? 0.0f : 0.9f;
      made[i].logprobs = 0;
    }
    return made;
  }

  generation::Result alone(const generation::Request& request) {
    const auto state = backend_->make_state();
    return generation::generate(*backend_, *state, *tokenizer_, request);
  }

  /// Submits them at random moments and runs until all have ended.
  std::vector<generation::Result> together(const std::vector<generation::Request>& requests, std::size_t cache_bytes) {
    scheduler::Scheduler scheduler(*backend_, *tokenizer_, options(cache_bytes));
    std::vector<generation::Result> results(requests.size());
    for (std::size_t i = 0; i < requests.size(); ++i) {
      scheduler::Submission submission;
      submission.request = requests[i];
      submission.exact_reuse = true;
      submission.listener.on_end = [&results, i](const scheduler::Outcome& outcome) {
        ASSERT_FALSE(outcome.error);
        results[i] = outcome.samples.at(0).result;
      };
      scheduler.submit(std::move(submission));
      for (std::size_t step = choices_.between(0, 3); step-- > 0;) scheduler.step();
    }
    while (scheduler.step()) continue;
    cached_tokens_ = scheduler.stats().cached_tokens;
    return results;
  }

  void expect_as_alone(const std::vector<generation::Request>& requests,
                       const std::vector<generation::Result>& results) {
    for (std::size_t i = 0; i < requests.size(); ++i) {
      SCOPED_TRACE("request " + std::to_string(i));
      const generation::Result expected = alone(requests[i]);
      EXPECT_EQ(results[i].ids, expected.ids);
      EXPECT_EQ(results[i].text, expected.text);
      ASSERT_EQ(results[i].logprobs.size(), expected.logprobs.size());
      for (std::size_t t = 0; t < expected.logprobs.size(); ++t) {
        EXPECT_EQ(results[i].logprobs[t].logprob, expected.logprobs[t].logprob);
      }
    }
  }

  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::make_byte_tokenizer();
  std::size_t cached_tokens_ = 0;
};

TEST_P(Requests, TogetherGetWhatEachGetsAlone) {
  const std::vector<generation::Request> made = requests();
  expect_as_alone(made, together(made, 0));
  EXPECT_EQ(cached_tokens_, 0u);
}

TEST_P(Requests, ExactReuseOfKeptStatesChangesNoBit) {
  const std::vector<generation::Request> made = requests();
  expect_as_alone(made, together(made, std::size_t{1} << 28));
  EXPECT_GE(cached_tokens_, 512u);
}

/// The default: any state that has read a beginning of the prompt, however it was reached.
TEST_P(Requests, ReuseOfAnyKeptStateAgreesWithinTheBound) {
  scheduler::Scheduler scheduler(*backend_, *tokenizer_, options(std::size_t{1} << 28));
  std::vector<TokenId> ids = text(choices_.between(1, 300));
  for (int turn = 0; turn < 6; ++turn) {
    scheduler::Submission submission;
    submission.request.prompt = ids;
    submission.request.max_tokens = static_cast<std::int64_t>(choices_.between(2, 20));
    std::vector<TokenId> answer;
    std::size_t cached = 0;
    submission.listener.on_end = [&](const scheduler::Outcome& outcome) {
      answer = outcome.samples.at(0).result.ids;
      cached = outcome.cached_tokens;
    };
    scheduler.submit(std::move(submission));
    while (scheduler.step()) continue;
    const Read uncached = prefilled(*backend_, ids);
    const auto hit = scheduler.cache().find(ids, /*exact=*/false);
    ASSERT_EQ(hit.tokens, ids.size());
    EXPECT_TRUE(parity::within(hit.snapshot.logits, uncached.logits, kLogitBound));
    if (turn > 0) {
      EXPECT_GT(cached, 0u);
    }
    const std::vector<TokenId> next = text(choices_.between(1, 40));
    ids.insert(ids.end(), answer.begin(), answer.end());
    ids.insert(ids.end(), next.begin(), next.end());
  }
}

XLSTM_FOR_BOTH_MODELS(Requests);

}  // namespace
}  // namespace xlstm::property
