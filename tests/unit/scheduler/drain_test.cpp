// Requests that are drained at random moments and go on in another scheduler say what they would have said.
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>

#include "tests/unit/scheduler/hash_backend.h"
#include "tests/unit/scheduler/memory_store.h"
#include "xlstm/base/error.h"
#include "xlstm/generation/generate.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {
namespace {

constexpr std::size_t kSegment = 4;
constexpr std::int64_t kVocab = 256;

struct Said {
  std::vector<TokenId> ids;
  std::string text;
  generation::FinishReason reason = generation::FinishReason::cancelled;
};

class DrainTest : public testing::Test {
 protected:
  std::unique_ptr<Scheduler> scheduler() {
    const Options options{.max_rows = 3,
                          .prefill_step_size = 8,
                          .time_slice = 3,
                          .swap_slice = 4,
                          .max_waiting = 100,
                          .max_state_bytes = 4,
                          .max_cache_bytes = 3000};
    return std::make_unique<Scheduler>(backend_, *tokenizer_, options,
                                       std::make_unique<MemoryStore>(backend_.model(), 9));
  }

  static Submission submission(std::mt19937& random) {
    Submission made;
    made.request.prompt.resize(1 + random() % 40);
    for (TokenId& id : made.request.prompt) id = static_cast<TokenId>('a' + random() % 6);
    made.request.max_tokens = static_cast<std::int64_t>(random() % 40);
    made.request.min_tokens = static_cast<std::int64_t>(random() % 10);
    made.request.sampling.seed = random();
    made.request.sampling.frequency_penalty = 0.3f;
    for (TokenId id = 0; id < kVocab; ++id) {  // few letters, and halves of characters
      if ((id < 'a' || id > 'f') && id != 0xc3 && id != 0xa4) made.request.sampling.logit_bias.push_back({id, -1e9f});
    }
    made.request.stop_strings = {"abcd", "ffe", "cab"};
    made.request.stop_ids = {'d'};
    made.num_samples = 1 + random() % 2;
    made.exact_reuse = true;
    made.priority = static_cast<std::int64_t>(random() % 2);
    return made;
  }

  /// What ends here is added to what was said; the rest of it is to be submitted again.
  void submit(Scheduler& scheduler, std::size_t request, std::size_t first_sample, Submission made) {
    made.listener.on_end = [this, request, first_sample](Outcome outcome) {
      ASSERT_FALSE(outcome.error);
      for (std::size_t i = 0; i < outcome.samples.size(); ++i) {
        Said& said = said_[{request, first_sample + i}];
        const generation::Result& result = outcome.samples[i].result;
        said.ids.insert(said.ids.end(), result.ids.begin(), result.ids.end());
        said.text += result.text;
        said.reason = result.finish_reason;
      }
      for (Rest& rest : outcome.rest)
        rest_.push_back({request, first_sample + rest.sample, std::move(rest.submission)});
    };
    scheduler.submit(std::move(made));
  }

  struct Left {
    std::size_t request, first_sample;
    Submission submission;
  };
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::make_byte_tokenizer();
  HashBackend backend_{kVocab, kSegment};
  std::map<std::pair<std::size_t, std::size_t>, Said> said_;
  std::deque<Left> rest_;
};

TEST_F(DrainTest, WhatIsDrainedGoesOnElsewhereAsIfNothingHadHappened) {
  std::size_t begun = 0, swapped = 0;
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    std::vector<Submission> made;
    said_.clear();
    auto here = scheduler();
    for (std::size_t i = 0; i < 6; ++i) {
      made.push_back(submission(random));
      submit(*here, i, 0, made.back());
    }
    do {
      for (std::size_t steps = random() % 15; steps > 0; --steps) here->step();
      swapped += here->stats().swaps_out;
      auto there = scheduler();
      here->drain();
      EXPECT_TRUE(here->idle());
      std::deque<Left> left = std::exchange(rest_, {});
      here.reset();
      for (Left& one : left) {
        begun += one.submission.start ? 1 : 0;
        submit(*there, one.request, one.first_sample, std::move(one.submission));
      }
      here = std::move(there);
    } while (!here->idle());
    here.reset();
    for (std::size_t i = 0; i < made.size(); ++i) {
      for (std::size_t sample = 0; sample < made[i].num_samples; ++sample) {
        generation::Request request = made[i].request;
        request.sampling.seed += sample;
        HashState state;
        const generation::Result whole = generation::generate(backend_, state, *tokenizer_, request);
        const Said& said = said_[{i, sample}];
        EXPECT_EQ(said.ids, whole.ids);
        EXPECT_EQ(said.text, whole.text);
        EXPECT_EQ(said.reason, whole.finish_reason);
      }
    }
    EXPECT_EQ(HashState::alive, 0);
    if (HasFailure()) break;
  }
  EXPECT_GT(begun, 100u);
  EXPECT_GT(swapped, 20u);
}

TEST_F(DrainTest, ThePoolOfADrainedSchedulerIsEmpty) {
  std::mt19937 random(1);
  auto here = scheduler();
  for (std::size_t i = 0; i < 6; ++i) submit(*here, i, 0, submission(random));
  for (int i = 0; i < 6; ++i) here->step();
  here->drain();
  while (here->cache().evict_one()) continue;
  EXPECT_EQ(here->stats().state_bytes, 0u);
  EXPECT_EQ(here->stats().drained + here->stats().completed, 6u);
  here->drain();
  EXPECT_EQ(here->stats().drained + here->stats().completed, 6u);
}

class DrainedOnceTest : public DrainTest {
 protected:
  /// What came of `made`, drained after so many steps and gone on with elsewhere: `parts` in order.
  std::vector<Outcome> drained_after(std::size_t steps, const Submission& made) {
    std::vector<Outcome> parts;
    std::vector<Submission> left = {made};
    auto here = scheduler();
    while (!left.empty()) {
      for (Submission& one : std::exchange(left, {})) {
        one.listener.on_end = [&](Outcome outcome) {
          for (Rest& rest : outcome.rest) left.push_back(std::move(rest.submission));
          for (Sample& sample : outcome.samples) sample.state = {};  // the scheduler ends before them
          parts.push_back(std::move(outcome));
        };
        here->submit(std::move(one));
      }
      for (; steps > 0; --steps) here->step();
      if (parts.empty()) {
        here->drain();
        EXPECT_EQ(here->stats().drained, 1u);
      }
      while (here->step()) continue;
    }
    return parts;
  }
  Outcome whole(const Submission& made) { return std::move(drained_after(1000, made).at(0)); }
  static Submission submission() {
    Submission made;
    for (TokenId id = 0; id < 20; ++id) made.request.prompt.push_back('a' + id);
    made.request.max_tokens = 20;
    return made;
  }
};

TEST_F(DrainedOnceTest, ABeamSearchBeginsAgain) {
  Submission made = submission();
  made.request.sampling.temperature = 0;
  made.beams.num_beams = made.num_samples = 3;
  const Outcome expected = whole(made);
  ASSERT_EQ(expected.samples.size(), 3u);
  for (const std::size_t steps : {0, 1, 2, 5, 9}) {
    const std::vector<Outcome> parts = drained_after(steps, made);
    ASSERT_EQ(parts.size(), 2u) << steps;
    EXPECT_TRUE(parts[0].samples.empty());
    ASSERT_EQ(parts[1].samples.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(parts[1].samples[i].result.ids, expected.samples[i].result.ids);
      EXPECT_EQ(parts[1].samples[i].score, expected.samples[i].score);
    }
  }
}

TEST_F(DrainedOnceTest, SamplesOfABestOfGoOnWithScores) {
  Submission made = submission();
  made.best_of = 3;
  const Outcome expected = whole(made);
  ASSERT_EQ(expected.samples.size(), 1u);
  const std::vector<Outcome> parts = drained_after(8, made);
  ASSERT_EQ(parts.size(), 4u);
  ASSERT_EQ(parts[0].samples.size(), 3u) << "the best of them is not known yet";
  double best = -1e9;
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < 3; ++i) {
    const Sample& begun = parts[0].samples[i];
    const Sample& rest = parts[i + 1].samples.at(0);
    const auto begun_ids = static_cast<double>(begun.result.ids.size());
    EXPECT_GT(begun_ids, 0);
    const double score = (begun.score * begun_ids + rest.score * (20 - begun_ids)) / 20;
    if (score <= best) continue;
    best = score;
    ids = begun.result.ids;
    ids.insert(ids.end(), rest.result.ids.begin(), rest.result.ids.end());
  }
  EXPECT_EQ(ids, expected.samples[0].result.ids);
  EXPECT_NEAR(best, expected.samples[0].score, 1e-9);
}

TEST_F(DrainedOnceTest, ScoresAndTheEchoOfThePromptComeOnceAndWhole) {
  Submission made = submission();
  made.prompt_logprobs = 1;
  made.request.echo = true;
  made.request.prompt.back() = 0xe2;  // a third of a character
  for (TokenId id = 0; id < kVocab; ++id) {
    if (id != 0x82) made.request.sampling.logit_bias.push_back({id, -1e9f});
  }
  const Outcome expected = whole(made);
  ASSERT_EQ(expected.prompt_logprobs.size(), 20u);
  ASSERT_EQ(expected.samples[0].result.text.substr(0, 22), "abcdefghijklmnopqrs\xe2\x82\x82");
  for (const std::size_t steps : {0, 1, 2, 3, 4, 8}) {
    const std::vector<Outcome> parts = drained_after(steps, made);
    ASSERT_EQ(parts.size(), 2u) << steps;
    std::string text;
    std::vector<double> scores;
    for (const Outcome& part : parts) {
      for (const Sample& sample : part.samples) text += sample.result.text;
      for (const auto& score : part.prompt_logprobs) scores.push_back(score ? score->logprob : 0);
    }
    EXPECT_EQ(text, expected.samples[0].result.text);
    ASSERT_EQ(scores.size(), 20u);
    for (std::size_t i = 1; i < 20; ++i) EXPECT_EQ(scores[i], expected.prompt_logprobs[i]->logprob);
  }
}

}  // namespace
}  // namespace xlstm::scheduler
