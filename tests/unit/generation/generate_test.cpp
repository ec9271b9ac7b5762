#include "xlstm/generation/generate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>
#include <string>

#include "tests/unit/generation/fake_backend.h"
#include "xlstm/base/error.h"

namespace xlstm::generation {
namespace {

using testing::ElementsAre;
using testing::Pair;

constexpr TokenId kStop = 256;  // beyond the bytes: an id without text

/// A prompt of `prompt_tokens` ids, and a model that then says `text`, byte by byte, and kStop for ever.
class GenerateTest : public testing::Test {
 protected:
  void given(std::size_t prompt_tokens, const std::string& text, std::size_t segment = 4) {
    std::vector<TokenId> script(prompt_tokens, 0);
    for (const unsigned char byte : text) script.push_back(byte);
    script.push_back('!');
    backend_ = std::make_unique<FakeBackend>(300, segment, script);
    state_ = backend_->make_state();
    request_.prompt.assign(prompt_tokens, 'p');
    request_.sampling.temperature = 0;
    request_.max_tokens = static_cast<std::int64_t>(text.size());
    callbacks_.on_text = [this](std::string_view piece) { pieces_.emplace_back(piece); };
  }

  Result run() { return generate(*backend_, *state_, *tokenizer_, request_, callbacks_); }
  const std::vector<TokenId>& read() const { return dynamic_cast<FakeState&>(*state_).tokens; }
  std::string streamed() const {
    std::string joined;
    for (const std::string& piece : pieces_) joined += piece;
    return joined;
  }

  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::make_byte_tokenizer();
  std::unique_ptr<FakeBackend> backend_;
  std::unique_ptr<backend::State> state_;
  Request request_;
  Callbacks callbacks_;
  std::vector<std::string> pieces_;
};

ErrorCode code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "expected an error";
  return ErrorCode::internal;
}

TEST_F(GenerateTest, PrefillsInPiecesOfWholeSegmentsAndAsksForTheLastLogitsOnly) {
  given(10, "a", 4);
  std::vector<std::pair<std::size_t, std::size_t>> progress;
  callbacks_.on_prefill = [&](std::size_t done, std::size_t total) { progress.emplace_back(done, total); };

  run();

  using backend::Logits;
  EXPECT_THAT(backend_->pieces, ElementsAre(Pair(4, Logits::none), Pair(4, Logits::none), Pair(2, Logits::last)));
  EXPECT_THAT(progress, ElementsAre(Pair(4, 10), Pair(8, 10), Pair(10, 10)));
}

TEST_F(GenerateTest, AWholeNumberOfSegmentsEndsWithoutAnEmptyPiece) {
  given(8, "a", 4);
  run();
  EXPECT_THAT(backend_->pieces, ElementsAre(Pair(4, backend::Logits::none), Pair(4, backend::Logits::last)));
}

TEST_F(GenerateTest, StreamsTheTextThatItReturns) {
  given(3, "Hello");
  const Result result = run();
  EXPECT_EQ(result.text, "Hello");
  EXPECT_EQ(streamed(), "Hello");
  EXPECT_THAT(pieces_, testing::Not(testing::Contains("")));
  EXPECT_THAT(result.ids, ElementsAre('H', 'e', 'l', 'l', 'o'));
  EXPECT_EQ(result.finish_reason, FinishReason::length);
  EXPECT_EQ(finish_reason_name(result.finish_reason), "length");
}

TEST_F(GenerateTest, TheLastIdIsNotConsumed) {
  given(3, "abc");
  const Result result = run();
  EXPECT_EQ(result.state_tokens, 5u);
  EXPECT_THAT(read(), ElementsAre('p', 'p', 'p', 'a', 'b'));
  EXPECT_EQ(backend_->steps, 2);
}

TEST_F(GenerateTest, GivesEachIdBeforeItsText) {
  given(1, "ab");
  std::string order;
  callbacks_.on_token = [&](TokenId id) { order += std::to_string(id) + " "; };
  callbacks_.on_text = [&](std::string_view text) { order += std::string(text) + " "; };
  run();
  EXPECT_EQ(order, "97 a 98 b ");
}

TEST_F(GenerateTest, WhatIsNotKeptIsGivenOnceAndCountedAllTheSame) {
  given(3, "abcd");
  request_.logprobs = 1;
  std::vector<TokenId> ids;
  callbacks_.on_token = [&](TokenId id) { ids.push_back(id); };
  callbacks_.keep_output = false;
  const Result result = run();
  EXPECT_EQ(streamed(), "abcd");
  EXPECT_THAT(ids, ElementsAre('a', 'b', 'c', 'd'));
  EXPECT_TRUE(result.ids.empty() && result.text.empty() && result.logprobs.empty());
  EXPECT_EQ(result.timings.generated_tokens, 4u);
  EXPECT_EQ(result.state_tokens, 3u + 3u);
  EXPECT_EQ(result.finish_reason, FinishReason::length);
}

TEST_F(GenerateTest, APenaltyWithAWindowIsTheSameHoweverLongTheTextIs) {
  given(40, "");
  request_.max_tokens = 5000;  // the history is cut on the way
  request_.sampling.temperature = 1;
  request_.sampling.repetition_penalty = 1.5f;
  request_.sampling.frequency_penalty = 0.5f;
  request_.sampling.penalty_window = 7;
  const Result result = run();
  ASSERT_EQ(result.ids.size(), 5000u);
  std::vector<float> logits(300, 0.0f);  // what the model says from here on
  logits[0] = 1;
  logits['!'] = 2;
  std::vector<TokenId> history = request_.prompt;
  for (std::size_t i = 0; i < result.ids.size(); ++i) {
    ASSERT_EQ(result.ids[i], sampling::sample(logits, request_.sampling, history, 256, {0, i}));
    history.push_back(result.ids[i]);
  }
}

TEST_F(GenerateTest, NeverSplitsACharacter) {
  given(1, "\u00e9\u20ac");  // two and three bytes
  run();
  EXPECT_THAT(pieces_, ElementsAre("\u00e9", "\u20ac"));
}

TEST_F(GenerateTest, AnUnfinishedCharacterAtTheEndBecomesTheReplacementCharacter) {
  given(1, "a\xe2\x82");
  const Result result = run();
  EXPECT_EQ(result.text, "a\uFFFD");
  EXPECT_EQ(streamed(), result.text);
}

TEST_F(GenerateTest, NoTokensWantedMeansPrefillOnly) {
  given(5, "abc");
  request_.max_tokens = 0;
  const Result result = run();
  EXPECT_TRUE(result.ids.empty());
  EXPECT_EQ(result.text, "");
  EXPECT_EQ(result.finish_reason, FinishReason::length);
  EXPECT_EQ(result.state_tokens, 5u);
  EXPECT_EQ(result.timings.time_to_first_token_seconds, 0);
}

TEST_F(GenerateTest, WithoutALimitAStopIdEndsIt) {
  given(2, std::string(500, 'x'));
  request_.max_tokens = -1;
  request_.stop_ids = {'?', '!'};
  const Result result = run();
  EXPECT_EQ(result.ids.size(), 501u);
  EXPECT_EQ(result.ids.back(), '!');
  EXPECT_EQ(result.text, std::string(500, 'x'));
  EXPECT_EQ(result.finish_reason, FinishReason::stop_token);
  EXPECT_EQ(finish_reason_name(result.finish_reason), "stop");
  EXPECT_EQ(result.state_tokens, 502u);
}

TEST_F(GenerateTest, FindsAStopStringAcrossTokens) {
  given(1, "one two three");
  request_.stop_strings = {"zzz", "two"};
  const Result result = run();
  EXPECT_EQ(result.text, "one ");
  EXPECT_EQ(streamed(), "one ");
  EXPECT_EQ(result.ids.size(), 7u);
  EXPECT_EQ(result.finish_reason, FinishReason::stop_string);
  EXPECT_EQ(finish_reason_name(result.finish_reason), "stop");
  EXPECT_EQ(result.state_tokens, 7u);
}

TEST_F(GenerateTest, TextHeldBackForAStopStringComesOutAtTheEnd) {
  given(1, "one tw");
  request_.stop_strings = {"two"};
  const Result result = run();
  EXPECT_EQ(result.text, "one tw");
  EXPECT_EQ(streamed(), "one tw");
  EXPECT_EQ(result.finish_reason, FinishReason::length);
}

TEST_F(GenerateTest, TextHeldBackComesOutBeforeAStopId) {
  given(1, "one tw");
  request_.max_tokens = -1;
  request_.stop_strings = {"two"};
  request_.stop_ids = {'!'};
  const Result result = run();
  EXPECT_EQ(result.text, "one tw");
  EXPECT_EQ(result.finish_reason, FinishReason::stop_token);
}

TEST_F(GenerateTest, CancelInThePrefillStopsBetweenPieces) {
  given(10, "abc", 4);
  std::atomic<bool> cancel{false};
  callbacks_.cancel = &cancel;
  callbacks_.on_prefill = [&](std::size_t done, std::size_t) { cancel = done >= 8; };
  const Result result = run();
  EXPECT_EQ(result.finish_reason, FinishReason::cancelled);
  EXPECT_EQ(finish_reason_name(result.finish_reason), "cancelled");
  EXPECT_EQ(result.state_tokens, 8u);
  EXPECT_EQ(read().size(), 8u);
  EXPECT_EQ(result.timings.prompt_tokens, 8u);
  EXPECT_TRUE(result.ids.empty());
}

TEST_F(GenerateTest, CancelBetweenTokensKeepsTheTextSoFar) {
  given(2, "abcdef");
  request_.stop_strings = {"bcx"};  // "bc" is held back when the cancel comes
  std::atomic<bool> cancel{false};
  callbacks_.cancel = &cancel;
  callbacks_.on_token = [&](TokenId id) { cancel = id == 'c'; };
  const Result result = run();
  EXPECT_EQ(result.finish_reason, FinishReason::cancelled);
  EXPECT_EQ(result.text, "abc");
  EXPECT_EQ(streamed(), "abc");
  EXPECT_EQ(result.state_tokens, 4u);
}

TEST_F(GenerateTest, BadRequestsAreRefusedBeforeTheStateChanges) {
  using Change = std::function<void(Request&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"empty prompt", [](Request& r) { r.prompt.clear(); }},
      {"id beyond the vocabulary in a later piece", [](Request& r) { r.prompt.back() = 300; }},
      {"negative id", [](Request& r) { r.prompt.back() = -1; }},
      {"max_tokens", [](Request& r) { r.max_tokens = -2; }},
      {"temperature", [](Request& r) { r.sampling.temperature = -1; }},
      {"empty stop string",
       [](Request& r) {
         r.stop_strings = {"a", ""};
       }},
  };
  for (const auto& [what, change] : changes) {
    SCOPED_TRACE(what);
    given(10, "abc", 4);
    Request good = request_;
    change(request_);
    EXPECT_EQ(code_of([&] { run(); }), ErrorCode::invalid_argument);
    EXPECT_TRUE(read().empty());
    request_ = good;
  }
}

TEST_F(GenerateTest, AResultIsTrueWhenACallbackThrows) {
  given(3, "abcdef");
  callbacks_.on_token = [](TokenId id) {
    if (id == 'd') throw std::runtime_error("enough");
  };
  Result result;
  EXPECT_THROW(generate(*backend_, *state_, *tokenizer_, request_, callbacks_, result), std::runtime_error);
  EXPECT_THAT(result.ids, ElementsAre('a', 'b', 'c', 'd'));
  EXPECT_EQ(result.text, "abc");
  EXPECT_EQ(result.state_tokens, read().size());
  EXPECT_EQ(result.state_tokens, 6u);
}

TEST_F(GenerateTest, LogitsThatAreNotNumbersEndTheRequest) {
  given(3, "abc");
  backend_->first_logit = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(code_of([&] { run(); }), ErrorCode::internal);
}

TEST_F(GenerateTest, IdsBeyondTheTokenizerAreNeverChosen) {
  given(1, "a");
  backend_ = std::make_unique<FakeBackend>(300, 4, std::vector<TokenId>{kStop});
  backend_->second = 'b';
  EXPECT_THAT(run().ids, ElementsAre('b'));
}

TEST_F(GenerateTest, PenaltiesSeeTheHistoryBeforeTheRequestThePromptAndTheGeneratedIds) {
  for (const bool in_history : {true, false}) {
    given(1, "aaaa");
    backend_->second = 'b';
    request_.max_tokens = 3;
    request_.sampling.presence_penalty = 1.5f;  // 'a' falls from 2 to 0.5 once seen; 'b' from 1 to -0.5
    request_.history.assign(in_history ? 1 : 0, 'a');
    const Result result = run();
    if (in_history) {
      EXPECT_THAT(result.ids, ElementsAre('b', 'a', 'a'));
    } else {
      EXPECT_THAT(result.ids, ElementsAre('a', 'b', 'a'));
    }
  }
}

TEST_F(GenerateTest, TheSeedDecidesTheTextAndEachTokenHasItsOwnDraw) {
  given(1, std::string(64, 'a'));
  request_.sampling.temperature = 2;
  request_.sampling.seed = 7;
  auto ids_with = [&](std::uint64_t seed) {
    request_.sampling.seed = seed;
    state_ = backend_->make_state();
    return run().ids;
  };
  const std::vector<TokenId> first = ids_with(7);
  EXPECT_EQ(ids_with(7), first);
  EXPECT_NE(ids_with(8), first);
  EXPECT_THAT(std::vector<TokenId>(first.begin() + 1, first.end()), testing::Contains(testing::Ne(first.front())));
}

TEST_F(GenerateTest, CountsTokensAndTimes) {
  given(6, "abcd");
  const Result result = run();
  EXPECT_EQ(result.timings.prompt_tokens, 6u);
  EXPECT_EQ(result.timings.generated_tokens, 4u);
  EXPECT_GT(result.timings.prefill_seconds, 0);
  EXPECT_GE(result.timings.time_to_first_token_seconds, result.timings.prefill_seconds);
  EXPECT_GT(result.timings.decode_seconds, 0);
}

TEST(Timings, DecodeRateIsOverTheTokensAfterTheFirst) {
  Timings timings;
  EXPECT_EQ(timings.prefill_tokens_per_second(), 0);
  EXPECT_EQ(timings.decode_tokens_per_second(), 0);
  timings = {.prompt_tokens = 100, .generated_tokens = 11, .prefill_seconds = 0.5, .decode_seconds = 2};
  EXPECT_DOUBLE_EQ(timings.prefill_tokens_per_second(), 200);
  EXPECT_DOUBLE_EQ(timings.decode_tokens_per_second(), 5);
}

/// A request in two parts, the second of which knows of the first what a snapshot knows.
class ResumeTest : public GenerateTest {
 protected:
  Result part(std::int64_t max_tokens) {
    request_.max_tokens = max_tokens;
    request_.resumable = true;
    const Result result = run();
    request_.history.insert(request_.history.end(), request_.prompt.begin(), request_.prompt.end());
    request_.history.insert(request_.history.end(), result.ids.begin(), result.ids.end());
    request_.prompt.clear();
    request_.drawn += result.ids.size();
    request_.logits = result.logits;
    return result;
  }
};

TEST_F(ResumeTest, TheStateReadsTheLastIdToo) {
  given(3, "abc");
  EXPECT_EQ(part(3).state_tokens, 6u);
  EXPECT_THAT(read(), ElementsAre('p', 'p', 'p', 'a', 'b', 'c'));
}

TEST_F(ResumeTest, WhereverItIsCutTheTextIsTheSame) {
  const std::string text = "one \u20ac, two \u00e9";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    given(2, text);
    request_ = {};
    request_.prompt = {'p', 'p'};
    request_.sampling.temperature = 0;
    request_.stop_strings = {"two!", "e \u20acx"};  // begun twice, never whole
    const std::string first = part(static_cast<std::int64_t>(cut)).text;
    EXPECT_EQ(first + part(static_cast<std::int64_t>(text.size() - cut)).text, text) << cut;
  }
}

TEST_F(ResumeTest, AStopStringAcrossTheCutIsFound) {
  for (std::int64_t cut = 4; cut <= 7; ++cut) {
    given(1, "tell STOP me");
    request_ = {};
    request_.prompt = {'p'};
    request_.sampling.temperature = 0;
    request_.stop_strings = {"STOP"};
    const Result first = part(cut);
    EXPECT_EQ(first.finish_reason, FinishReason::length);
    const Result second = part(20);
    EXPECT_EQ(first.text + second.text, "tell ") << cut;
    EXPECT_EQ(second.finish_reason, FinishReason::stop_string);
    EXPECT_EQ(static_cast<std::int64_t>(first.ids.size() + second.ids.size()), 9);
  }
}

TEST_F(ResumeTest, AfterAStopItGoesOnWithNewText) {
  given(1, "ab STOP cd STOP ef");
  request_.stop_strings = {"STOP"};
  EXPECT_EQ(part(20).text, "ab ");
  EXPECT_EQ(part(20).text, " cd ");
  EXPECT_EQ(part(3).text, " ef");
}

TEST_F(ResumeTest, RandomNumbersGoOn) {
  given(1, "x");
  backend_->first_logit = 0.0f;  // all ids alike: the text is the random numbers
  request_.sampling = {};
  request_.sampling.seed = 9;
  const std::vector<TokenId> first = part(4).ids, second = part(4).ids;
  given(1, "x");
  backend_->first_logit = 0.0f;
  request_ = {};
  request_.prompt = {'p'};
  request_.sampling.seed = 9;
  std::vector<TokenId> joined = first;
  joined.insert(joined.end(), second.begin(), second.end());
  EXPECT_EQ(part(8).ids, joined);
  EXPECT_NE(first, second);
}

TEST_F(ResumeTest, WhatDoesNotFitIsRefusedBeforeAnythingIsRead) {
  given(2, "abc");
  const auto refused = [&](const auto& change) {
    const Request before = request_;
    change();
    EXPECT_EQ(code_of([&] { run(); }), ErrorCode::invalid_argument);
    request_ = before;
  };
  refused([&] { request_.prompt.clear(); });
  refused([&] {
    request_.prompt.clear();
    request_.logits.resize(299);
  });
  refused([&] { request_.drawn = 1; });  // beside a prompt
  refused([&] {
    request_.prompt.clear();
    request_.logits.resize(300);
    request_.history = {'a'};
    request_.drawn = 2;
  });
  EXPECT_TRUE(read().empty());
}

TEST_F(ResumeTest, CancelledInThePromptThereAreNoLogits) {
  given(8, "abc", 4);
  const std::atomic<bool> cancel{true};
  callbacks_.cancel = &cancel;
  const Result result = part(3);
  EXPECT_TRUE(result.logits.empty());
  EXPECT_EQ(result.state_tokens, 0u);
}

TEST_F(GenerateTest, EchoesThePromptWithCharactersThatItBegins) {
  given(3, "\xA9 p", 4);
  request_.prompt = {'p', 'x', 0xC3};
  request_.echo = true;
  request_.stop_strings = {"px"};  // not looked for in the prompt
  EXPECT_EQ(run().text, "px\u00e9 p");
  EXPECT_EQ(streamed(), "px\u00e9 p");
  EXPECT_EQ(pieces_.at(0), "px\u00e9");
}

TEST_F(GenerateTest, EchoesThePromptOfNoTokensAndOfACancelledRequest) {
  given(2, "a", 4);
  request_.echo = true;
  request_.max_tokens = 0;
  EXPECT_EQ(run().text, "pp");
  given(2, "a", 4);
  const std::atomic<bool> cancel = true;
  callbacks_.cancel = &cancel;
  EXPECT_EQ(run().text, "") << "its prompt was not read";
}

}  // namespace
}  // namespace xlstm::generation
