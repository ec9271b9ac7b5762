// Requests whose text has to match a grammar, in the plain loop.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/unit/generation/fake_backend.h"
#include "xlstm/base/error.h"
#include "xlstm/generation/generate.h"
#include "xlstm/generation/sequence.h"
#include "xlstm/text/grammar/compile.h"
#include "xlstm/text/grammar/matcher.h"

namespace xlstm::generation {
namespace {

using namespace text::grammar;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr TokenId kStop = 7;  // a byte that no text here has

std::shared_ptr<const TokenMasks> masks_of(CompiledGrammar grammar, std::size_t vocab_size = 256) {
  std::vector<std::string> tokens(vocab_size);
  for (std::size_t byte = 0; byte < 256; ++byte) tokens[byte] = std::string(1, static_cast<char>(byte));
  std::vector<std::string_view> views(tokens.begin(), tokens.end());
  return std::make_shared<const TokenMasks>(std::move(grammar), std::make_shared<const Vocabulary>(views));
}

class ConstraintTest : public testing::Test {
 protected:
  void SetUp() override {
    request_.prompt = {'p'};
    request_.sampling.temperature = 0;
    request_.max_tokens = 100;
    request_.stop_ids = {kStop};
  }
  /// A model that wants to say `text` and then the stop id.
  void wants(const std::string& text) {
    script_ = {'p'};
    for (const unsigned char byte : text) script_.push_back(byte);
    script_.push_back(kStop);
  }
  Result run() {
    FakeBackend backend(256, 4, script_);
    FakeState state;
    return generate(backend, state, *tokenizer_, request_);
  }
  std::string refusal() {
    try {
      run();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
      return error.what();
    }
    ADD_FAILURE() << "expected an error";
    return "";
  }

  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::make_byte_tokenizer();
  std::vector<TokenId> script_;
  Request request_;
};

/// Random logits, so that random text is drawn.
std::vector<float> random_logits(std::mt19937& random) {
  std::vector<float> logits(256);
  for (float& logit : logits) logit = std::uniform_real_distribution<float>(-3, 3)(random);
  return logits;
}

std::string draw_text(Sequence& sequence, std::mt19937& random, std::vector<TokenId>* ids = nullptr) {
  std::string text;
  while (!sequence.ended()) {
    const Token token = sequence.next(random_logits(random));
    text += token.text;
    if (ids != nullptr) ids->push_back(token.id);
  }
  return text;
}

TEST_F(ConstraintTest, WhatTheModelWantsIsSaidWhereTheGrammarAllowsIt) {
  request_.constraint = masks_of(compile_regex("(yes|no), sir"));
  wants("no, sir");
  EXPECT_EQ(run().text, "no, sir");
  wants("maybe");  // 'm' is not allowed: the lowest of the ids that are
  EXPECT_EQ(run().text, "no, sir");
}

TEST_F(ConstraintTest, WhereTheGrammarHasToEndTheRequestDoesAsStopped) {
  request_.constraint = masks_of(compile_regex("ab"));
  wants("abcdef");
  request_.min_tokens = 5;  // nothing more can come
  const Result result = run();
  EXPECT_EQ(result.text, "ab");
  EXPECT_EQ(result.finish_reason, FinishReason::constraint_end);
  EXPECT_EQ(finish_reason_name(result.finish_reason), "stop");
  EXPECT_THAT(result.ids, ElementsAre('a', 'b'));
}

TEST_F(ConstraintTest, AGrammarOfTheEmptyTextDrawsNothing) {
  request_.constraint = masks_of(compile_gbnf("root ::= \"\""));
  wants("x");
  const Result result = run();
  EXPECT_THAT(result.ids, ElementsAre());
  EXPECT_EQ(result.finish_reason, FinishReason::constraint_end);
}

TEST_F(ConstraintTest, StopIdsMayBeDrawnExactlyWhereTheGrammarCanEnd) {
  request_.constraint = masks_of(compile_regex("(abc)*"));
  wants("ab");  // then the stop id, which must wait for the c
  Result result = run();
  EXPECT_EQ(result.text, "abc");
  EXPECT_EQ(result.finish_reason, FinishReason::stop_token);
  EXPECT_EQ(result.ids.back(), kStop);
  request_.min_tokens = 4;  // an end that the grammar allows but the request does not
  wants("abc");
  result = run();
  EXPECT_EQ(result.text, "abcabc");
}

TEST_F(ConstraintTest, AStopIdThatTheGrammarKnowsAsATokenStillEndsTheText) {
  request_.stop_ids = {'b'};
  request_.constraint = masks_of(compile_regex("a[bc]?a*"));
  wants("ab");
  const Result result = run();
  EXPECT_EQ(result.text, "a");
  EXPECT_EQ(result.finish_reason, FinishReason::stop_token);
}

TEST_F(ConstraintTest, MaxTokensCutsATextThatIsTheBeginningOfOneThatMatches) {
  request_.constraint = masks_of(compile_regex("a{10}"));
  request_.max_tokens = 4;
  wants("x");
  Result result = run();
  EXPECT_EQ(result.text, "aaaa");
  EXPECT_EQ(result.finish_reason, FinishReason::length);
  request_.max_tokens = 10;  // both ends at once: the text is whole
  result = run();
  EXPECT_EQ(result.finish_reason, FinishReason::constraint_end);
}

TEST_F(ConstraintTest, AStopStringEndsTheTextBeforeIt) {
  request_.constraint = masks_of(compile_regex("[a-z]+;"));
  request_.stop_strings = {"cd"};
  wants("abcdef;");
  const Result result = run();
  EXPECT_EQ(result.text, "ab");
  EXPECT_EQ(result.finish_reason, FinishReason::stop_string);
}

TEST_F(ConstraintTest, TextHeldBackForAStopStringComesOutAtTheGrammarsEnd) {
  request_.constraint = masks_of(compile_regex("abc"));
  request_.stop_strings = {"cd"};
  wants("abc");
  for (const bool resumable : {false, true}) {
    request_.resumable = resumable;
    EXPECT_EQ(run().text, "abc");
  }
}

TEST_F(ConstraintTest, LogProbabilitiesAreThoseOfTheModelWithoutTheMask) {
  request_.constraint = masks_of(compile_regex("b"));
  request_.logprobs = 1;
  wants("a");
  const Result result = run();
  ASSERT_EQ(result.logprobs.size(), 1u);
  EXPECT_EQ(result.logprobs[0].top.at(0).id, 'a');
  EXPECT_LT(result.logprobs[0].logprob, result.logprobs[0].top[0].logprob);
  EXPECT_TRUE(std::isfinite(result.logprobs[0].logprob));
}

TEST_F(ConstraintTest, BiasAndBansHoldWithinTheMask) {
  request_.constraint = masks_of(compile_regex("[abc]"));
  request_.sampling.logit_bias = {{'b', 100.0f}, {'z', 1000.0f}};
  wants("a");
  EXPECT_EQ(run().text, "b");
  const float ban = -std::numeric_limits<float>::infinity();
  request_.sampling.logit_bias = {{'a', ban}, {'b', ban}, {'c', ban}};
  EXPECT_THAT(refusal(),
              HasSubstr("expected a token that may come next but the vocabulary has none that is not banned"));
}

TEST_F(ConstraintTest, AVocabularyThatLacksWhatTheGrammarWantsIsAFaultOfTheRequest) {
  std::vector<std::string_view> tokens(256, "");
  tokens['a'] = "a";
  request_.constraint = std::make_shared<const TokenMasks>(compile_regex("ab"), std::make_shared<Vocabulary>(tokens));
  wants("ab");
  EXPECT_THAT(refusal(), HasSubstr("[constraint] expected a token that may come next"));
}

TEST_F(ConstraintTest, MasksOfAnotherVocabularyAreRefused) {
  request_.constraint = masks_of(compile_regex("ab"), 300);
  wants("ab");
  EXPECT_THAT(refusal(), HasSubstr("expected masks of the tokenizer's 256 ids but got those of 300"));
}

TEST_F(ConstraintTest, ANumberThatIsNoneIsAFaultOfTheModelEvenBehindTheMask) {
  request_.constraint = masks_of(compile_regex("[ab]"));
  Sequence sequence(*tokenizer_, request_);
  std::vector<float> logits(256, 0.0f);
  logits['z'] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(sequence.next(logits), Error);
  EXPECT_EQ(sequence.num_generated(), 0u);
}

TEST_F(ConstraintTest, EveryTextIsAcceptedByItsGrammar) {
  const std::vector<CompiledGrammar> grammars = {
      compile_json(), compile_regex("([a-z]{1,3}|[0-9]+)(, [a-z]{1,3}){0,4}"),
      compile_gbnf("root ::= \"(\" root? \")\" | [\u00e4-\u00fc]{1,4}"),
      compile_json_schema(R"({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}},
                              "required": ["a"], "additionalProperties": false})")};
  request_.sampling.temperature = 1;
  request_.max_tokens = 200;
  for (unsigned seed = 0; seed < 40; ++seed) {
    for (const CompiledGrammar& grammar : grammars) {
      request_.constraint = masks_of(grammar);
      request_.sampling.seed = seed;
      std::mt19937 random(seed);
      Sequence sequence(*tokenizer_, request_);
      const std::string text = draw_text(sequence, random);
      GrammarMatcher reader(request_.constraint);
      if (sequence.finish_reason() == FinishReason::length) continue;  // cut, perhaps within a character
      ASSERT_TRUE(reader.accept_bytes(text)) << text;
      EXPECT_TRUE(reader.can_end()) << text;
    }
  }
}

TEST_F(ConstraintTest, ARequestThatGoesOnSaysWhatItWouldHaveSaidAtOnce) {
  request_.constraint = masks_of(compile_json());
  request_.sampling.temperature = 1;
  request_.max_tokens = 60;
  for (unsigned seed = 0; seed < 10; ++seed) {
    request_.sampling.seed = seed;
    std::mt19937 random(seed);
    Sequence whole(*tokenizer_, request_);
    std::vector<TokenId> all, drawn;
    draw_text(whole, random, &all);
    random.seed(seed);
    while (drawn.size() < all.size()) {  // three tokens at a time
      Request part = request_;
      part.prompt.clear();
      part.history = {'p'};
      part.history.insert(part.history.end(), drawn.begin(), drawn.end());
      part.drawn = drawn.size();
      part.max_tokens = std::min<std::int64_t>(3, 60 - std::ssize(drawn));
      Sequence sequence(*tokenizer_, part);
      draw_text(sequence, random, &drawn);
      ASSERT_GT(sequence.num_generated(), 0u);
    }
    EXPECT_EQ(drawn, all);
  }
}

TEST_F(ConstraintTest, TokensDrawnBeforeHaveToMatch) {
  request_.constraint = masks_of(compile_regex("abc"));
  request_.prompt.clear();
  request_.logits.assign(256, 0.0f);
  request_.history = {'p', 'a', 'x'};
  request_.drawn = 2;
  EXPECT_THAT(refusal(), HasSubstr("expected the 2 tokens drawn before to begin a text that it allows but got id 120"));
  request_.history = {'p', 'a', kStop};  // it could not end there
  EXPECT_THAT(refusal(), HasSubstr("got id 7 as number 2"));
  request_.history = {'a', 'b', 'c'};
  request_.drawn = 3;
  EXPECT_EQ(run().finish_reason, FinishReason::constraint_end) << "the text was whole";
}

}  // namespace
}  // namespace xlstm::generation
