// Beam search in the scheduler beside a plain one, beside every text there is, and beside other requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "tests/unit/generation/reference_beam_search.h"
#include "tests/unit/scheduler/hash_backend.h"
#include "xlstm/base/error.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {
namespace {

using generation::BeamParams;
using generation::EarlyStopping;
using generation::FinishReason;
using generation::ReferenceText;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::size_t kSegment = 4;

Submission submission(std::size_t num_beams, std::int64_t max_tokens) {
  Submission made;
  made.request.prompt = {1, 2, 3, 1, 2};
  made.request.max_tokens = max_tokens;
  made.request.sampling.temperature = 0;
  made.beams.num_beams = num_beams;
  made.num_samples = num_beams;
  return made;
}

class BeamsTest : public testing::Test {
 protected:
  explicit BeamsTest(std::int64_t vocab = 64, std::size_t rows = 8)
      : backend_(vocab, kSegment),
        scheduler_(backend_, *tokenizer_,
                   {.max_rows = rows, .prefill_step_size = 8, .time_slice = 3, .max_state_bytes = 200}) {}

  std::shared_ptr<Outcome> submit(Submission submission) {
    auto found = std::make_shared<Outcome>();
    submission.listener.on_end = [found](Outcome outcome) { *found = std::move(outcome); };
    id_ = scheduler_.submit(std::move(submission));
    return found;
  }
  void run() {
    while (scheduler_.step()) ASSERT_LT(++steps_, 10000);
  }
  Outcome run(Submission submission) {
    const auto found = submit(std::move(submission));
    run();
    return std::move(*found);
  }
  std::vector<float> step(HashState& state, TokenId id) {
    std::vector<float> logits(static_cast<std::size_t>(backend_.model().config.vocab_size));
    const backend::DecodeRow row{id, &state, logits};
    backend_.decode(std::span(&row, 1));
    return logits;
  }
  std::pair<HashState, std::vector<float>> read(const std::vector<TokenId>& prompt) {
    std::pair<HashState, std::vector<float>> found;
    found.second.resize(static_cast<std::size_t>(backend_.model().config.vocab_size));
    const backend::PrefillRow row{prompt, &found.first, backend::Logits::last, found.second};
    backend_.prefill(std::span(&row, 1));
    return found;
  }
  std::vector<ReferenceText> reference(const Submission& made) {
    const auto [state, logits] = read(made.request.prompt);
    return generation::reference_beam_search(
        state, logits, [](const HashState& from) { return from; },
        [this](HashState& of, TokenId id) { return step(of, id); }, made.request, made.beams);
  }
  static void expect_equal(const Outcome& found, const std::vector<ReferenceText>& expected) {
    ASSERT_EQ(found.error, nullptr);
    ASSERT_EQ(found.samples.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(found.samples[i].result.ids, expected[i].ids) << i;
      EXPECT_NEAR(found.samples[i].score, expected[i].score, 1e-5) << i;
    }
  }

  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::make_byte_tokenizer();
  HashBackend backend_;
  Scheduler scheduler_;
  RequestId id_ = 0;
  int steps_ = 0;
};

/// Everything that a search can be asked for.
Submission random_submission(unsigned seed) {
  std::mt19937 random(seed);
  Submission made = submission(1 + random() % 6, 1 + static_cast<std::int64_t>(random() % 9));
  for (TokenId& id : made.request.prompt) id = static_cast<TokenId>(random() % 64);
  for (unsigned i = random() % 12; i > 0; --i) made.request.stop_ids.push_back(static_cast<TokenId>(random() % 64));
  made.request.min_tokens = static_cast<std::int64_t>(random() % 3);
  made.beams.length_penalty = std::array{0.0, 0.6, 1.0, 2.0, -1.0}[random() % 5];
  made.beams.early_stopping = std::array{EarlyStopping::no, EarlyStopping::yes, EarlyStopping::never}[random() % 3];
  if (random() % 2 == 0) made.request.sampling.logit_bias = {{3, 1.5f}, {9, -2.0f}, {5, -INFINITY}};
  return made;
}

TEST_F(BeamsTest, EqualAPlainSearch) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    const Submission made = random_submission(seed);
    SCOPED_TRACE(seed);
    expect_equal(run(made), reference(made));
  }
  EXPECT_EQ(HashState::alive, 0);
}

TEST_F(BeamsTest, BesideOthersAreAsAlone) {
  std::vector<std::shared_ptr<Outcome>> found;
  std::vector<Submission> all;
  for (unsigned seed = 0; seed < 60; ++seed) {
    Submission made = random_submission(seed);
    made.priority = seed % 2;
    found.push_back(submit(made));
    all.push_back(made);
    Submission other;
    other.request.prompt = {static_cast<TokenId>(seed), 5};
    other.request.max_tokens = 11;
    submit(other);
    if (seed % 3 == 0) scheduler_.step();
  }
  run();
  EXPECT_GT(scheduler_.stats().preemptions, 0u) << "no beam ever waited for a row";
  for (std::size_t i = 0; i < all.size(); ++i) expect_equal(*found[i], reference(all[i]));
  EXPECT_EQ(scheduler_.stats().completed, 120u);
}

class SmallVocabularyTest : public BeamsTest {
 protected:
  SmallVocabularyTest() : BeamsTest(4, 64) {}
};

TEST_F(SmallVocabularyTest, SoManyBeamsFindTheBestOfAllTexts) {
  Submission made = submission(64, 3);
  made.request.stop_ids = {2};
  made.beams.early_stopping = EarlyStopping::never;
  std::vector<ReferenceText> all;
  const std::function<void(HashState, const std::vector<float>&, ReferenceText)> visit =
      [&](const HashState& state, const std::vector<float>& logits, const ReferenceText& text) {
        const std::vector<double> row = generation::reference_log_softmax(logits);
        for (TokenId id = 0; id < 4; ++id) {
          ReferenceText longer = text;
          longer.ids.push_back(id);
          longer.score += row[static_cast<std::size_t>(id)];
          if (id == 2 || longer.ids.size() == 3) {
            longer.score /= static_cast<double>(longer.ids.size());
            all.push_back(longer);
            continue;
          }
          HashState next = state;
          const std::vector<float> after = step(next, id);
          visit(next, after, longer);
        }
      };
  const auto [state, logits] = read(made.request.prompt);
  visit(state, logits, {});
  ASSERT_EQ(all.size(), 1u + 3u + 9u * 4u);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  expect_equal(run(made), all);
}

TEST_F(BeamsTest, OneIsGreedy) {
  Submission beam = submission(1, 10), greedy = beam;
  greedy.beams = {};
  EXPECT_EQ(run(beam).samples.at(0).result.ids, run(greedy).samples.at(0).result.ids);
}

TEST_F(BeamsTest, StreamNothingAndGiveLogProbabilitiesAndTextAtTheEnd) {
  Submission made = submission(4, 6);
  made.num_samples = 2;
  made.request.logprobs = 1;
  made.beams.length_penalty = 0;
  made.listener.on_token = [](std::size_t, const generation::Token&) { FAIL(); };
  const Outcome outcome = run(made);
  ASSERT_EQ(outcome.samples.size(), 2u);
  for (const Sample& sample : outcome.samples) {
    EXPECT_EQ(sample.result.text, tokenizer_->decode(sample.result.ids));
    EXPECT_EQ(sample.result.finish_reason, FinishReason::length);
    double sum = 0;
    for (const auto& token : sample.result.logprobs) {
      ASSERT_EQ(token.top.size(), 1u);
      EXPECT_LE(token.logprob, token.top[0].logprob);
      sum += token.logprob;
    }
    EXPECT_NEAR(sample.score, sum, 1e-5);
  }
}

TEST_F(BeamsTest, EndAtAStopStringAcrossTokens) {
  Submission made = submission(1, 12);
  const std::string whole = run(made).samples.at(0).result.text;
  const std::string stop = whole.substr(5, 2);
  made.request.stop_strings = {stop};
  const Outcome outcome = run(made);
  EXPECT_EQ(outcome.samples.at(0).result.text, whole.substr(0, whole.find(stop)));
  EXPECT_EQ(outcome.samples.at(0).result.finish_reason, FinishReason::stop_string);
}

TEST_F(BeamsTest, KeepNoMoreStatesThanBeams) {
  submit(submission(6, 20));
  while (scheduler_.step()) EXPECT_LE(scheduler_.stats().state_bytes, 6u);
  EXPECT_GT(scheduler_.stats().state_copies, 0u);
  EXPECT_GT(scheduler_.stats().state_forks, 0u);
}

TEST_F(BeamsTest, CancelledGiveWhatTheyHave) {
  const auto found = submit(submission(3, 50));
  for (int i = 0; i < 5; ++i) scheduler_.step();
  scheduler_.cancel(id_);
  run();
  ASSERT_EQ(found->samples.size(), 3u);
  EXPECT_EQ(found->samples[0].result.finish_reason, FinishReason::cancelled);
  EXPECT_FALSE(found->samples[0].result.ids.empty());
  EXPECT_EQ(HashState::alive, 0);
}

TEST_F(BeamsTest, RefuseWhatContradictsThemByName) {
  const auto refusal = [this](const std::function<void(Submission&)>& change) {
    Submission made = submission(2, 4);
    change(made);
    try {
      scheduler_.check(made);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(refusal([](Submission&) {}), "accepted");
  EXPECT_THAT(refusal([](Submission& s) { s.request.sampling.temperature = 0.5f; }), HasSubstr("temperature"));
  EXPECT_THAT(refusal([](Submission& s) { s.request.sampling.top_k = 5; }), HasSubstr("top_k"));
  EXPECT_THAT(refusal([](Submission& s) { s.request.sampling.top_p = 0.5f; }), HasSubstr("top_p"));
  EXPECT_THAT(refusal([](Submission& s) { s.request.sampling.min_p = 0.5f; }), HasSubstr("min_p"));
  EXPECT_THAT(refusal([](Submission& s) { s.request.sampling.repetition_penalty = 2; }), HasSubstr("repetition"));
  EXPECT_THAT(refusal([](Submission& s) { s.request.sampling.presence_penalty = 2; }), HasSubstr("presence"));
  EXPECT_THAT(refusal([](Submission& s) { s.request.sampling.frequency_penalty = 2; }), HasSubstr("frequency"));
  EXPECT_THAT(refusal([](Submission& s) { s.request.max_tokens = -1; }), HasSubstr("max_tokens"));
  EXPECT_THAT(refusal([](Submission& s) { s.request.max_tokens = 0; }), HasSubstr("max_tokens"));
  EXPECT_THAT(refusal([](Submission& s) { s.beams.length_penalty = NAN; }), HasSubstr("length_penalty"));
  EXPECT_THAT(refusal([](Submission& s) { s.best_of = 2; }), HasSubstr("best_of"));
  EXPECT_THAT(refusal([](Submission& s) { s.num_samples = 3; }), HasSubstr("num_samples"));
  EXPECT_THAT(refusal([](Submission& s) { s.beams.num_beams = 9; }), HasSubstr("rows"));
}

}  // namespace
}  // namespace xlstm::scheduler
