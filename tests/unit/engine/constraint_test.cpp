#include "xlstm/engine/constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "xlstm/base/error.h"
#include "xlstm/engine/engine.h"
#include "xlstm/engine/service.h"
#include "xlstm/text/grammar/matcher.h"

namespace xlstm::engine {
namespace {

using Kind = Constraint::Kind;

TEST(Constraints, OneThatIsAskedForAgainIsShared) {
  const auto tokenizer = tokenizer::make_byte_tokenizer();
  Constraints constraints(*tokenizer);
  const SharedMasks masks = constraints.get({Kind::regex, "a"});
  EXPECT_EQ(constraints.get({Kind::regex, "a"}), masks);
  EXPECT_NE(constraints.get({Kind::regex, "b"}), masks);
  EXPECT_NE(constraints.get({Kind::gbnf, "root ::= \"a\""}), masks);
  EXPECT_NE(constraints.get({Kind::json_object, ""}), constraints.get({Kind::json_schema, "{}"}));
  EXPECT_EQ(constraints.size(), 5u);
}

TEST(Constraints, TheLeastRecentlyUsedGoesFirst) {
  const auto tokenizer = tokenizer::make_byte_tokenizer();
  Constraints constraints(*tokenizer);
  const SharedMasks first = constraints.get({Kind::regex, "a"}), second = constraints.get({Kind::regex, "b"});
  for (std::size_t i = 2; i <= Constraints::kMostKept; ++i) {
    constraints.get({Kind::regex, "a"});
    constraints.get({Kind::regex, std::to_string(i)});
  }
  EXPECT_EQ(constraints.size(), Constraints::kMostKept);
  EXPECT_EQ(constraints.get({Kind::regex, "a"}), first);
  EXPECT_NE(constraints.get({Kind::regex, "b"}), second);
}

TEST(Constraints, WhatDoesNotCompileIsRefusedAndNotKept) {
  const auto tokenizer = tokenizer::make_byte_tokenizer();
  Constraints constraints(*tokenizer);
  for (const Constraint& wrong : {Constraint{Kind::regex, "("}, Constraint{Kind::gbnf, "leaf ::= \"a\""},
                                  Constraint{Kind::json_schema, "{\"not\": {}}"}}) {
    EXPECT_THROW(constraints.get(wrong), Error);
  }
  EXPECT_EQ(constraints.size(), 0u);
}

TEST(Constraints, SpecialTokensAreNoText) {
  const auto engine = Engine::load(LoadOptions());
  const SharedMasks masks = engine->constraint({Kind::regex, ".*"});
  EXPECT_EQ(masks->vocabulary().bytes(0), "") << "<|endoftext|>";
  EXPECT_EQ(masks->vocabulary().bytes(66), "a");
}

TEST(Constraints, AServiceSaysWhatTheEngineSaysAlone) {
  const auto service = Service::start([] { return Engine::load(LoadOptions()); }, {.scheduler = {.max_rows = 4}});
  std::vector<std::thread> threads;
  std::vector<std::pair<Submission, std::future<Outcome>>> runs(8);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    threads.emplace_back([&, i] {
      Submission made;
      made.request.prompt = service->engine().encode("The king: ", true);
      made.request.stop_ids = service->engine().stop_ids();
      made.request.sampling.seed = i;
      made.request.max_tokens = 40;
      made.request.constraint = service->engine().constraint({i % 2 ? Kind::json_object : Kind::regex, "[a-z ]{5,30}"});
      made.num_samples = 2;
      runs[i].first = made;
      runs[i].second = service->run(std::move(made));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto alone = Engine::load(LoadOptions());
  for (auto& [made, future] : runs) {
    const Outcome outcome = future.get();
    for (std::size_t sample = 0; sample < 2; ++sample) {
      generation::Request request = made.request;
      request.sampling.seed += sample;
      Session session = alone->new_session();
      const generation::Result expected = alone->generate(session, request);
      EXPECT_EQ(outcome.samples.at(sample).result.ids, expected.ids);
      text::grammar::GrammarMatcher reader(request.constraint);
      EXPECT_TRUE(reader.accept_bytes(expected.text)) << expected.text;
    }
  }
}

}  // namespace
}  // namespace xlstm::engine
