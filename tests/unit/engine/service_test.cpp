#include "xlstm/engine/service.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <random>
#include <thread>

#include "xlstm/base/error.h"
#include "xlstm/engine/rest_file.h"

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

TEST(Service, TheNextProcessFindsWhatThisOneHasRead) {
  const auto directory = std::filesystem::path(testing::TempDir()) / ("service-states-" + std::to_string(::getpid()));
  std::vector<generation::Result> results;
  for (int process = 0; process < 2; ++process) {
    const auto service = Service::start(bard, {.state_cache = directory});
    Submission made = submission(service->engine(), std::string(600, 'x') + " and then", 12);
    made.exact_reuse = true;
    const std::size_t prompt_tokens = made.request.prompt.size();
    const Outcome outcome = service->run(std::move(made)).get();
    EXPECT_EQ(outcome.cached_tokens, process == 0 ? 0u : prompt_tokens);
    results.push_back(outcome.samples.at(0).result);
  }
  EXPECT_EQ(results[0].ids, results[1].ids);
  std::filesystem::remove_all(directory);
}

TEST(Service, StatesGoToDiskAndBackWithTheSameBits) {
  const auto directory = std::filesystem::path(testing::TempDir()) / ("service-swaps-" + std::to_string(::getpid()));
  const auto alone = bard();
  {
    const auto service = Service::start(
        bard, {.scheduler = {.swap_slice = 5, .max_state_bytes = 3 * alone->state_nbytes()}, .state_cache = directory});
    std::vector<std::pair<Submission, std::future<std::string>>> runs;
    for (std::uint64_t i = 0; i < 8; ++i) {
      Submission made = submission(service->engine(), "Number " + std::to_string(i % 5), 25, i);
      made.exact_reuse = true;
      made.priority = static_cast<std::int64_t>(i % 2);
      auto text = std::make_shared<std::promise<std::string>>();  // an Outcome would hold a state
      runs.emplace_back(made, text->get_future());
      made.listener.on_end = [text](const Outcome& outcome) {
        outcome.error ? text->set_exception(outcome.error) : text->set_value(outcome.samples.at(0).result.text);
      };
      service->submit(std::move(made));
    }
    for (auto& [made, text] : runs) {
      Session session = alone->new_session();
      EXPECT_EQ(text.get(), alone->generate(session, made.request).text);
    }
    const Stats stats = service->call([](Engine&, scheduler::Scheduler& s) { return s.stats(); }).get();
    EXPECT_GT(stats.swaps_out, 3u);
    EXPECT_EQ(stats.swaps_out, stats.swaps_in);
  }
  std::filesystem::remove_all(directory);
}

TEST(Service, WhatIsDrainedGoesOnInAnotherProcess) {
  const auto file = std::filesystem::path(testing::TempDir()) / ("drained-" + std::to_string(::getpid()) + ".xst");
  const auto alone = bard();
  auto service = Service::start(bard, {.prefix_cache = false});
  const Submission made = submission(service->engine(), "Once upon a time", 60, 5);
  std::atomic<int> tokens = 0;
  Submission begun = made;
  begun.listener.on_token = [&](std::size_t, const generation::Token&) { ++tokens; };
  auto first = service->run(std::move(begun));
  while (tokens < 3) std::this_thread::yield();
  service->drain();
  Outcome outcome = first.get();
  std::string text = outcome.samples.at(0).result.text;
  if (!outcome.rest.empty()) {  // it may have been quicker
    service->call([&](Engine& engine, auto&) { save_rest(engine, outcome.rest[0].submission, file); }).get();
    Submission rest = made;
    rest.request.prompt.clear();
    rest.request.max_tokens = outcome.rest[0].submission.request.max_tokens;
    outcome = {};
    service = Service::start(bard, {});
    service->call([&](Engine& engine, auto&) { load_rest(engine, file, rest); }).get();
    text += service->run(std::move(rest)).get().samples.at(0).result.text;
  }
  Session session = alone->new_session();
  EXPECT_EQ(text, alone->generate(session, made.request).text);
  std::filesystem::remove(file);
}

TEST(Service, PrefillWorkersGiveTheSameBits) {
  const auto service = Service::start(
      bard, {.scheduler = {.worker_tokens = 300}, .prefix_cache = false, .prefill_workers = 2, .prefill_threads = 1});
  std::vector<std::pair<Submission, std::future<Outcome>>> runs;
  for (std::size_t i = 0; i < 6; ++i) {
    std::string text;
    for (std::size_t word = 0; word < 60 * i; ++word) text += " word" + std::to_string(word * i % 50);
    Submission made = submission(service->engine(), text, 12, i);
    auto outcome = service->run(made);
    runs.emplace_back(std::move(made), std::move(outcome));
  }
  const auto alone = bard();
  for (auto& [made, future] : runs) {
    Session session = alone->new_session();
    EXPECT_EQ(future.get().samples.at(0).result.text, alone->generate(session, made.request).text);
  }
  const Stats stats = service->call([](Engine&, scheduler::Scheduler& s) { return s.stats(); }).get();
  EXPECT_GT(stats.worker_tokens, 600u);
  EXPECT_EQ(stats.worker_faults, 0u);
}

}  // namespace
}  // namespace xlstm::engine
