// Requests whose text has to match a grammar, many at once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/unit/scheduler/hash_backend.h"
#include "xlstm/base/error.h"
#include "xlstm/generation/generate.h"
#include "xlstm/scheduler/scheduler.h"
#include "xlstm/text/grammar/compile.h"
#include "xlstm/text/grammar/limits.h"
#include "xlstm/text/grammar/matcher.h"

namespace xlstm::scheduler {
namespace {

using namespace text::grammar;

constexpr TokenId kStop = 7;

std::shared_ptr<const Vocabulary> byte_vocabulary() {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  return std::make_shared<const Vocabulary>(std::vector<std::string_view>(tokens.begin(), tokens.end()));
}

std::shared_ptr<const TokenMasks> masks_of(CompiledGrammar grammar) {
  static const auto vocabulary = byte_vocabulary();
  return std::make_shared<const TokenMasks>(std::move(grammar), vocabulary);
}

/// Behind "qq" more parses are alive than there may be.
CompiledGrammar too_ambiguous() {
  std::string source = "root ::= \"qq\" (";
  for (std::size_t i = 0; i <= kMaxStacks; ++i) source += (i ? " | r" : "r") + std::to_string(i) + " \"x\"";
  source += ")";
  for (std::size_t i = 0; i <= kMaxStacks; ++i) {
    source += "\nr" + std::to_string(i) + " ::= \"a\" r" + std::to_string(i) + " \"b\" | \"c\"";
  }
  return compile_gbnf(source);
}

class ConstraintTest : public testing::Test {
 protected:
  Submission submission(std::shared_ptr<const TokenMasks> masks, std::uint64_t seed, std::size_t samples = 1) {
    Submission made;
    made.request.prompt = {1, 2, 3, static_cast<TokenId>(seed % 200)};
    made.request.max_tokens = 100;
    made.request.sampling.seed = seed;
    made.request.sampling.temperature = seed % 3 == 0 ? 0.0f : 1.0f;
    made.request.stop_ids = {kStop};
    made.request.logprobs = 1;
    if (seed % 4 == 1) made.request.stop_strings = {"a", "}"};
    if (seed % 5 == 2) made.request.max_tokens = 3;
    if (seed % 7 == 3) made.request.min_tokens = 8;
    made.request.constraint = std::move(masks);
    made.num_samples = samples;
    return made;
  }
  void submit(Submission made) {
    const std::size_t place = outcomes_.size();
    submissions_.push_back(made);
    outcomes_.emplace_back();
    made.listener.on_end = [this, place](Outcome outcome) { outcomes_[place] = std::move(outcome); };
    scheduler_.submit(std::move(made));
  }
  void run() {
    for (int steps = 0; scheduler_.step();) ASSERT_LT(++steps, 100000);
  }
  generation::Result alone(generation::Request request, std::size_t sample) {
    request.sampling.seed += sample;
    HashState state;
    return generation::generate(backend_, state, *tokenizer_, request);
  }
  std::string fault(std::size_t place) {
    try {
      if (outcomes_.at(place).value().error) std::rethrow_exception(outcomes_[place]->error);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }

  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::make_byte_tokenizer();
  HashBackend backend_{256, 4};
  Scheduler scheduler_{
      backend_, *tokenizer_, {.max_rows = 4, .prefill_step_size = 8, .time_slice = 3, .max_state_bytes = 1000}};
  std::vector<Submission> submissions_;
  std::vector<std::optional<Outcome>> outcomes_;
};

TEST_F(ConstraintTest, EverySampleSaysWhatThePlainLoopSaysAndMatchesItsGrammar) {
  const std::vector<std::shared_ptr<const TokenMasks>> shared = {
      masks_of(compile_json()), masks_of(compile_regex("[a-z]{1,9}( [a-z]{1,9}){0,5}")), nullptr};
  for (std::uint64_t seed = 0; seed < 60; ++seed) submit(submission(shared[seed % 3], seed, 1 + seed % 4));
  run();
  std::map<generation::FinishReason, int> reasons;
  for (std::size_t i = 0; i < outcomes_.size(); ++i) {
    const Outcome& outcome = outcomes_[i].value();
    ASSERT_EQ(fault(i), "");
    ASSERT_EQ(outcome.samples.size(), submissions_[i].num_samples);
    for (std::size_t sample = 0; sample < outcome.samples.size(); ++sample) {
      const generation::Request& request = submissions_[i].request;
      const generation::Result& found = outcome.samples[sample].result;
      const generation::Result expected = alone(request, sample);
      EXPECT_EQ(found.ids, expected.ids);
      EXPECT_EQ(found.text, expected.text);
      EXPECT_EQ(found.finish_reason, expected.finish_reason);
      ASSERT_EQ(found.logprobs.size(), expected.logprobs.size());
      for (std::size_t t = 0; t < found.logprobs.size(); ++t) {
        EXPECT_EQ(found.logprobs[t].logprob, expected.logprobs[t].logprob);
      }
      if (!request.constraint) continue;
      ++reasons[found.finish_reason];
      GrammarMatcher reader(request.constraint);
      for (const TokenId id : found.ids) {
        if (id != kStop) reader.accept(id);
      }
      const bool whole = found.finish_reason == generation::FinishReason::stop_token ||
                         found.finish_reason == generation::FinishReason::constraint_end;
      EXPECT_TRUE(reader.can_end() || !whole) << found.text;
    }
  }
  EXPECT_EQ(reasons.size(), 4u) << "every way to end was there";
}

TEST_F(ConstraintTest, AFaultOfAGrammarEndsItsRequestOnly) {
  const auto good = masks_of(compile_json());
  submit(submission(good, 4));
  submit(submission(masks_of(too_ambiguous()), 6));
  submit(
      submission(std::make_shared<const TokenMasks>(
                     compile_regex("ab"), std::make_shared<const Vocabulary>(std::vector<std::string_view>(256, ""))),
                 6));
  submit(submission(good, 9));
  run();
  EXPECT_THAT(fault(1), testing::HasSubstr("more ambiguous than that"));
  EXPECT_THAT(fault(2), testing::HasSubstr("[constraint] expected a token that may come next"));
  for (const std::size_t place : {0, 3}) {
    EXPECT_EQ(fault(place), "");
    EXPECT_EQ(outcomes_[place]->samples.at(0).result.ids, alone(submissions_[place].request, 0).ids);
  }
  EXPECT_EQ(scheduler_.stats().failed, 2u);
  EXPECT_TRUE(scheduler_.idle());
}

}  // namespace
}  // namespace xlstm::scheduler
