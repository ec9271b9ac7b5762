#include "xlstm/engine/service.h"

#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "xlstm/base/error.h"

namespace xlstm::engine {
namespace {

std::unique_ptr<Engine> bard() { return Engine::load(LoadOptions()); }

Submission submission(const Engine& engine, std::string_view text, std::int64_t max_tokens, std::uint64_t seed = 1) {
  Submission made;
  made.request.prompt = engine.encode(text, /*with_bos=*/true);
  made.request.max_tokens = max_tokens;
  made.request.sampling.seed = seed;
  return made;
}

TEST(Service, ManyRequestsFromManyThreadsGetWhatEachGetsAlone) {
  const auto service = Service::start(bard, {.scheduler = {.max_rows = 8}, .prefix_cache = false});
  constexpr int kThreads = 4, kEach = 16;
  std::vector<std::vector<std::pair<Submission, std::future<Outcome>>>> runs(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(static_cast<unsigned>(t));
      for (int i = 0; i < kEach; ++i) {
        std::string text;
        for (std::size_t word = random() % 200; word-- > 0;) text += " word" + std::to_string(random() % 50);
        Submission made = submission(service->engine(), text, static_cast<std::int64_t>(random() % 30), random());
        auto outcome = service->run(made);
        runs[static_cast<std::size_t>(t)].emplace_back(std::move(made), std::move(outcome));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto alone = bard();
  for (auto& of_thread : runs) {
    for (auto& [made, future] : of_thread) {
      const Outcome outcome = future.get();
      Session session = alone->new_session();
      const generation::Result expected = alone->generate(session, made.request);
      EXPECT_EQ(outcome.samples.at(0).result.ids, expected.ids);
      EXPECT_EQ(outcome.samples.at(0).result.text, expected.text);
    }
  }
  EXPECT_EQ(service->stats().completed, std::size_t{kThreads * kEach});
}

TEST(Service, WhatLoadThrowsIsThrownHere) {
  EXPECT_THROW(Service::start([]() -> std::unique_ptr<Engine> { fail(ErrorCode::not_found, "load", "nothing"); }, {}),
               Error);
  EXPECT_THROW(Service::start(bard, {.scheduler = {.max_state_bytes = 1}}), Error);
}

TEST(Service, RefusesAtOnceWhatIsWrongOrTooMuch) {
  const auto service = Service::start(bard, {.scheduler = {.max_waiting = 0}});
  try {
    service->submit(submission(service->engine(), "x", 1));
    FAIL() << "expected a refusal";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::overloaded);
  }
  EXPECT_EQ(service->stats().refused, 1u);
  Submission empty = submission(service->engine(), "x", 1);
  empty.request.prompt.clear();
  EXPECT_THROW(service->submit(empty), Error);
}

TEST(Service, CancelEndsARequestWithoutLimit) {
  const auto service = Service::start(bard, {});
  Submission endless = submission(service->engine(), "Once", -1);
  std::atomic<RequestId> id = 0;
  std::atomic<int> tokens = 0;
  endless.listener.on_token = [&](std::size_t, const generation::Token&) { ++tokens; };
  std::promise<Outcome> ended;
  endless.listener.on_end = [&](Outcome outcome) { ended.set_value(std::move(outcome)); };
  id = service->submit(std::move(endless));
  while (tokens < 5) std::this_thread::yield();
  service->cancel(id);
  EXPECT_EQ(ended.get_future().get().samples.at(0).result.finish_reason, generation::FinishReason::cancelled);
}

TEST(Service, TheEndCancelsWhatIsLeftAndEveryListenerHearsIt) {
  std::atomic<int> ends = 0;
  {
    const auto service = Service::start(bard, {});
    for (int i = 0; i < 20; ++i) {
      Submission endless = submission(service->engine(), "Once", -1);
      endless.listener.on_end = [&](const Outcome&) { ++ends; };
      service->submit(std::move(endless));
    }
  }
  EXPECT_EQ(ends, 20);
}

TEST(Service, CallsRunBetweenSteps) {
  const auto service = Service::start(bard, {});
  EXPECT_EQ(service->call([](Engine& engine, scheduler::Scheduler&) { return engine.model_hash(); }).get(),
            bard()->model_hash());
  EXPECT_THROW(service->call([](Engine&, scheduler::Scheduler&) { fail(ErrorCode::internal, "call", "x"); }).get(),
               Error);
}

TEST(Service, TheSecondTurnReadsOnlyItsNewTokens) {
  const auto service = Service::start(bard, {});
  Submission first = submission(service->engine(), "In the beginning God created the heaven and the earth.", 20);
  std::vector<TokenId> ids = first.request.prompt;
  const generation::Result answer = service->run(std::move(first)).get().samples.at(0).result;
  ids.insert(ids.end(), answer.ids.begin(), answer.ids.end());
  const std::vector<TokenId> more = service->engine().encode(" And the earth was", /*with_bos=*/false);
  ids.insert(ids.end(), more.begin(), more.end());
  Submission second;
  second.request.prompt = ids;
  second.request.max_tokens = 4;
  const Outcome outcome = service->run(std::move(second)).get();
  EXPECT_EQ(outcome.prompt_tokens, ids.size());
  EXPECT_EQ(outcome.cached_tokens, ids.size() - more.size() - 1);  // the last id of an answer is not read with it
}

}  // namespace
}  // namespace xlstm::engine
