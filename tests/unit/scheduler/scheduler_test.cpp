#include "xlstm/scheduler/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <numeric>
#include <random>

#include "tests/unit/scheduler/hash_backend.h"
#include "tests/unit/scheduler/memory_store.h"
#include "xlstm/base/error.h"
#include "xlstm/generation/generate.h"

namespace xlstm::scheduler {
namespace {

using generation::FinishReason;
using testing::Each;
using testing::ElementsAre;
using testing::Le;

constexpr std::int64_t kVocab = 256;
constexpr std::size_t kSegment = 4;

class SchedulerTest : public testing::Test {
 protected:
  static Options options() {
    return {.max_rows = 4, .prefill_step_size = 8, .time_slice = 3, .max_waiting = 100, .max_state_bytes = 1000};
  }
  void given(const Options& options) { scheduler_.emplace(backend_, *tokenizer_, options); }
  void SetUp() override { given(options()); }

  static Submission submission(std::vector<TokenId> prompt, std::int64_t max_tokens, std::uint64_t seed = 1) {
    Submission made;
    made.request.prompt = std::move(prompt);
    made.request.max_tokens = max_tokens;
    made.request.sampling.seed = seed;
    return made;
  }
  static Submission random_submission(std::uint64_t seed) {
    std::mt19937 random(static_cast<unsigned>(seed));
    std::vector<TokenId> prompt(1 + random() % 30);
    for (TokenId& id : prompt) id = static_cast<TokenId>(random() % kVocab);
    Submission made = submission(std::move(prompt), static_cast<std::int64_t>(random() % 20), seed);
    made.request.sampling.temperature = seed % 3 == 0 ? 0.0f : 0.8f;
    made.request.stop_ids = {static_cast<TokenId>(random() % kVocab), 7, 8, 9};
    made.request.min_tokens = static_cast<std::int64_t>(random() % 3);
    made.request.sampling.frequency_penalty = 0.5f;
    made.request.logprobs = 2;
    return made;
  }

  RequestId submit(Submission submission, bool keep_states = true) {
    const std::size_t place = outcomes_.size();
    outcomes_.emplace_back();
    const auto on_end = submission.listener.on_end;
    submission.listener.on_end = [this, place, on_end, keep_states](Outcome outcome) {
      EXPECT_FALSE(outcomes_[place].has_value()) << "ended twice";
      if (on_end) on_end(outcome);
      for (Sample& sample : outcome.samples) {
        if (!keep_states) sample.state = {};
      }
      outcomes_[place] = std::move(outcome);
    };
    return scheduler_->submit(std::move(submission));
  }
  void run() {
    while (scheduler_->step()) ASSERT_LT(++steps_, 100000);
  }
  generation::Result alone(const generation::Request& request) {
    HashState state;
    return generation::generate(backend_, state, *tokenizer_, request);
  }
  const generation::Result& result(std::size_t place, std::size_t sample = 0) const {
    return outcomes_.at(place).value().samples.at(sample).result;
  }
  void expect_as_alone(const generation::Request& request, const generation::Result& found) {
    const generation::Result expected = alone(request);
    EXPECT_EQ(found.ids, expected.ids);
    EXPECT_EQ(found.text, expected.text);
    EXPECT_EQ(found.finish_reason, expected.finish_reason);
    EXPECT_EQ(found.state_tokens, expected.state_tokens);
    ASSERT_EQ(found.logprobs.size(), expected.logprobs.size());
    for (std::size_t i = 0; i < found.logprobs.size(); ++i) {
      EXPECT_EQ(found.logprobs[i].logprob, expected.logprobs[i].logprob);
    }
  }

  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::make_byte_tokenizer();
  HashBackend backend_{kVocab, kSegment};
  std::optional<Scheduler> scheduler_;
  std::vector<std::optional<Outcome>> outcomes_;
  int steps_ = 0;
};

std::vector<TokenId> ids(std::size_t count, TokenId first = 1) {
  std::vector<TokenId> made(count);
  std::iota(made.begin(), made.end(), first);
  return made;
}

TEST_F(SchedulerTest, HasNothingToDoAtFirst) { EXPECT_FALSE(scheduler_->step()); }

TEST_F(SchedulerTest, RequestsTogetherGetWhatEachGetsAlone) {
  std::vector<generation::Request> requests;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Submission submission = random_submission(seed);
    requests.push_back(submission.request);
    submit(std::move(submission));
    if (seed % 4 == 0) scheduler_->step();
  }
  run();
  for (std::size_t i = 0; i < requests.size(); ++i) expect_as_alone(requests[i], result(i));
  EXPECT_EQ(scheduler_->stats().completed, 50u);
  EXPECT_EQ(scheduler_->stats().state_bytes, 50u);  // those in the outcomes
}

TEST_F(SchedulerTest, StreamsWhatItReturns) {
  Submission submission = random_submission(4);
  std::vector<TokenId> streamed;
  std::string text;
  submission.listener.on_token = [&](std::size_t, const generation::Token& token) {
    streamed.push_back(token.id);
    text += token.text;
  };
  submit(std::move(submission));
  run();
  EXPECT_EQ(streamed, result(0).ids);
  EXPECT_EQ(text, result(0).text);
}

TEST_F(SchedulerTest, NoPassHasMoreRowsThanAllowedAndTheyAreUsed) {
  for (std::uint64_t seed = 0; seed < 9; ++seed) submit(submission(ids(3), 12, seed));
  run();
  EXPECT_THAT(backend_.decoded, Each(Le(4u)));
  EXPECT_EQ(std::count(backend_.decoded.begin(), backend_.decoded.end(), 4u), 9 * 11 / 4);
}

TEST_F(SchedulerTest, RowsGoRoundInSlices) {
  std::map<std::size_t, std::vector<int>> at;  // request -> steps of its tokens
  for (std::size_t i = 0; i < 8; ++i) {
    Submission request = submission(ids(2), 30, i);
    request.listener.on_token = [&, i](std::size_t, const generation::Token&) { at[i].push_back(steps_); };
    submit(std::move(request));
  }
  run();
  EXPECT_GT(scheduler_->stats().preemptions, 0u);
  for (const auto& [request, steps] : at) {
    ASSERT_EQ(steps.size(), 30u);
    for (std::size_t i = 1; i < steps.size(); ++i) {
      EXPECT_LE(steps[i] - steps[i - 1], 4 * 3 + 4) << "request " << request << " waits at token " << i;
    }
  }
}

TEST_F(SchedulerTest, AHigherPriorityIsDoneFirst) {
  std::vector<int> order;
  const auto ends = [&](int name) { return [&order, name](const Outcome&) { order.push_back(name); }; };
  for (int i = 0; i < 6; ++i) {
    Submission low = submission(ids(20), 10);
    low.listener.on_end = ends(i);
    submit(std::move(low));
  }
  for (int step = 0; step < 5; ++step) scheduler_->step();
  Submission high = submission(ids(20), 10);
  high.priority = 1;
  high.listener.on_end = ends(99);
  submit(std::move(high));
  run();
  EXPECT_EQ(order.front(), 99);
}

TEST_F(SchedulerTest, ALongPromptDoesNotStopTheOthers) {
  submit(submission(ids(2), 40));
  scheduler_->step();
  backend_.prefilled.clear();
  backend_.decoded.clear();
  submit(submission(std::vector<TokenId>(100, 3), 1));
  run();
  EXPECT_THAT(backend_.prefilled, Each(Le(8u)));
  EXPECT_GE(backend_.decoded.size(), 38u);  // a pass in every step
}

TEST_F(SchedulerTest, AShortPromptPassesALongOne) {
  std::vector<int> order;
  Submission first = submission(std::vector<TokenId>(200, 3), 1), second = submission(ids(3), 1);
  first.listener.on_end = [&](const Outcome&) { order.push_back(1); };
  second.listener.on_end = [&](const Outcome&) { order.push_back(2); };
  submit(std::move(first));
  scheduler_->step();
  submit(std::move(second));
  run();
  EXPECT_THAT(order, ElementsAre(2, 1));
}

TEST_F(SchedulerTest, OneMoreThanMayWaitIsRefused) {
  Options narrow = options();
  narrow.max_waiting = 2;
  given(narrow);
  submit(submission(ids(1), 1));
  submit(submission(ids(1), 1));
  try {
    scheduler_->submit(submission(ids(1), 1));
    FAIL() << "expected a refusal";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::overloaded);
  }
  run();
  submit(submission(ids(1), 1));
  run();
  EXPECT_EQ(scheduler_->stats().completed, 3u);
  EXPECT_EQ(scheduler_->stats().refused, 1u);
}

TEST_F(SchedulerTest, RefusesWhatIsWrongBeforeItTouchesAnything) {
  const auto code_of = [&](Submission submission) {
    try {
      scheduler_->submit(std::move(submission));
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(code_of(submission({}, 1)), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(submission({kVocab}, 1)), ErrorCode::invalid_argument);
  EXPECT_EQ(code_of(submission(ids(1), -2)), ErrorCode::invalid_argument);
  Submission samples = submission(ids(1), 1);
  samples.num_samples = 0;
  EXPECT_EQ(code_of(samples), ErrorCode::invalid_argument);
  samples.num_samples = 5;
  EXPECT_EQ(code_of(samples), ErrorCode::invalid_argument);
  Submission boundary = submission(ids(3), 1);
  boundary.snapshots_at = {4};
  EXPECT_EQ(code_of(boundary), ErrorCode::invalid_argument);
  EXPECT_FALSE(scheduler_->step());
}

TEST_F(SchedulerTest, SamplesShareOnePrefillAndDifferBySeed) {
  Submission three = submission(ids(10), 8, 40);
  three.num_samples = 3;
  const generation::Request request = three.request;
  submit(std::move(three));
  run();
  EXPECT_EQ(std::accumulate(backend_.prefilled.begin(), backend_.prefilled.end(), 0u), 10u);
  for (std::size_t i = 0; i < 3; ++i) {
    generation::Request lone = request;
    lone.sampling.seed += i;
    expect_as_alone(lone, result(0, i));
  }
  EXPECT_NE(result(0, 0).ids, result(0, 1).ids);
}

TEST_F(SchedulerTest, CancelsInEveryPhase) {
  Options narrow = options();
  narrow.max_state_bytes = 2;
  given(narrow);
  const RequestId decoding = submit(submission(ids(2), -1));
  const RequestId reading = submit(submission(std::vector<TokenId>(1000, 3), 5));
  const RequestId waiting = submit(submission(ids(2), 5));
  for (int step = 0; step < 6; ++step) scheduler_->step();
  const auto stats = scheduler_->stats();
  ASSERT_EQ(stats.running, 2u);
  ASSERT_EQ(stats.waiting, 1u);
  for (const RequestId id : {decoding, reading, waiting}) EXPECT_TRUE(scheduler_->cancel(id));
  EXPECT_FALSE(scheduler_->cancel(decoding));
  EXPECT_TRUE(scheduler_->step());
  EXPECT_FALSE(scheduler_->step());
  EXPECT_EQ(scheduler_->stats().cancelled, 3u);
  EXPECT_EQ(result(0).finish_reason, FinishReason::cancelled);
  EXPECT_GE(result(0).ids.size(), 5u);
  EXPECT_TRUE(outcomes_[1]->samples.empty());
  EXPECT_TRUE(outcomes_[2]->samples.empty());
}

TEST_F(SchedulerTest, AFaultEndsItsRequestOnly) {
  backend_.poison = 250;
  submit(submission({1, 250, 3}, 5));
  Submission throws = submission(ids(4), 9, 2);
  throws.listener.on_token = [n = 0](std::size_t, const generation::Token&) mutable {
    if (++n == 3) throw std::runtime_error("listener");
  };
  submit(std::move(throws));
  Submission good = submission(ids(4), 9, 3);
  const generation::Request request = good.request;
  submit(std::move(good));
  run();
  EXPECT_TRUE(outcomes_[0]->error);
  EXPECT_TRUE(outcomes_[1]->error);
  EXPECT_EQ(result(1).ids.size(), 3u);
  EXPECT_FALSE(outcomes_[2]->error);
  expect_as_alone(request, result(2));
  EXPECT_EQ(scheduler_->stats().failed, 2u);
}

TEST_F(SchedulerTest, WhatAListenerThrowsAtTheEndStaysThere) {
  for (const bool is_error : {true, false}) {
    Submission bad = submission(ids(2), 1);
    bad.listener.on_end = [is_error](const Outcome&) {
      if (is_error) throw std::runtime_error("end");
      throw 1;
    };
    scheduler_->submit(std::move(bad));
  }
  Submission good = submission(ids(4), 9, 3);
  const generation::Request request = good.request;
  submit(std::move(good));
  run();
  expect_as_alone(request, result(0));
}

TEST_F(SchedulerTest, AFaultOfAPassEndsItsRowsAndTheNextRequestIsServed) {
  submit(submission(ids(2), 9));
  submit(submission(ids(2), 9, 2));
  backend_.on_decode = [n = 0](std::size_t) mutable {
    if (++n == 3) throw std::bad_alloc();
  };
  run();
  EXPECT_TRUE(outcomes_[0]->error);
  EXPECT_TRUE(outcomes_[1]->error);
  Submission good = submission(ids(4), 9, 3);
  const generation::Request request = good.request;
  submit(std::move(good));
  run();
  expect_as_alone(request, result(2));
}

TEST_F(SchedulerTest, FewerStatesThanRequestsIsOnlyAQueue) {
  Options narrow = options();
  narrow.max_state_bytes = 2;
  given(narrow);
  std::vector<generation::Request> requests;
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    Submission made = random_submission(seed);
    requests.push_back(made.request);
    submit(std::move(made), /*keep_states=*/false);
  }
  while (scheduler_->step()) EXPECT_LE(scheduler_->stats().state_bytes, 2u);
  for (std::size_t i = 0; i < requests.size(); ++i) expect_as_alone(requests[i], result(i));
}

TEST_F(SchedulerTest, ListenersMaySubmitAndCancel) {
  Submission first = submission(ids(2), 3);
  first.listener.on_end = [&](const Outcome&) { submit(submission(ids(5), 4, 9)); };
  submit(std::move(first));
  RequestId self = 0;
  Submission second = submission(ids(2), -1);
  second.listener.on_token = [&, n = 0](std::size_t, const generation::Token&) mutable {
    if (++n == 5) scheduler_->cancel(self);
  };
  self = submit(std::move(second));
  run();
  EXPECT_EQ(result(1).ids.size(), 5u);
  expect_as_alone(submission(ids(5), 4, 9).request, result(2));
}

class SchedulerCacheTest : public SchedulerTest {
 protected:
  void SetUp() override {
    Options cached = options();
    cached.max_cache_bytes = 1 << 20;
    given(cached);
  }
  std::size_t read_tokens() {
    const std::size_t read = std::accumulate(backend_.prefilled.begin(), backend_.prefilled.end(), std::size_t{0});
    backend_.prefilled.clear();
    return read;
  }
};

TEST_F(SchedulerCacheTest, TheSamePromptIsNotReadAgain) {
  for (int turn = 0; turn < 3; ++turn) submit(submission(ids(11), 6)), run();
  EXPECT_EQ(read_tokens(), 11u);
  EXPECT_EQ(outcomes_[0]->cached_tokens, 0u);
  EXPECT_EQ(outcomes_[2]->cached_tokens, 11u);
  EXPECT_EQ(result(0).ids, result(2).ids);
}

TEST_F(SchedulerCacheTest, TheNextTurnReadsOnlyWhatIsNew) {
  std::vector<TokenId> prompt = ids(5);
  for (int turn = 0; turn < 50; ++turn) {
    const std::size_t before = prompt.size();
    submit(submission(prompt, 6, static_cast<std::uint64_t>(turn)));
    run();
    if (turn > 0) {
      EXPECT_EQ(read_tokens(), 4u) << "turn " << turn << " of " << before << " tokens";
    } else {
      read_tokens();
    }
    const auto& answer = result(static_cast<std::size_t>(turn)).ids;
    prompt.insert(prompt.end(), answer.begin(), answer.end());  // its last id was not read
    for (const TokenId id : {100, 101, 102}) prompt.push_back(id);
  }
}

TEST_F(SchedulerCacheTest, ExactReuseHasTheBitsOfAnUncachedRun) {
  std::mt19937 random(5);
  std::vector<TokenId> text(200);
  for (TokenId& id : text) id = static_cast<TokenId>(random() % 250);
  for (std::uint64_t i = 0; i < 60; ++i) {
    std::vector<TokenId> prompt(text.begin(), text.begin() + 1 + random() % 199);
    if (i % 3 == 0) prompt.push_back(static_cast<TokenId>(random() % 250));
    Submission made = submission(prompt, 5, i);
    made.exact_reuse = true;
    made.snapshots_at = {1 + random() % prompt.size()};
    const generation::Request request = made.request;
    submit(std::move(made));
    run();
    expect_as_alone(request, result(i));
  }
  EXPECT_GT(scheduler_->stats().cached_tokens, 1000u);
}

TEST_F(SchedulerCacheTest, KeepsASnapshotWhereOneIsAskedFor) {
  Submission made = submission(ids(40), 1);
  made.snapshots_at = {21};
  submit(std::move(made));
  run();
  read_tokens();
  std::vector<TokenId> other = ids(21);
  other.push_back(99);
  submit(submission(other, 1));
  run();
  EXPECT_EQ(outcomes_[1]->cached_tokens, 21u);
  EXPECT_EQ(read_tokens(), 1u);
}

TEST_F(SchedulerCacheTest, AnEditStartsFromTheLadder) {
  std::vector<TokenId> prompt(400, 3);
  submit(submission(prompt, 1));
  run();
  read_tokens();
  prompt.resize(380);
  prompt.push_back(4);
  submit(submission(prompt, 1));
  run();
  EXPECT_LE(read_tokens(), 100u);
}

TEST_F(SchedulerCacheTest, GivesItsStatesToRequestsThatNeedThem) {
  Options narrow = options();
  narrow.max_state_bytes = 3;
  narrow.max_cache_bytes = 1 << 20;
  given(narrow);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Submission made = submission(ids(20, static_cast<TokenId>(seed)), 5, seed);
    submit(std::move(made), /*keep_states=*/false);
    run();
    EXPECT_FALSE(outcomes_.back()->error);
    EXPECT_LE(scheduler_->stats().state_bytes, 3u);
  }
}

TEST_F(SchedulerCacheTest, NoStateIsLeftWhenAllIsOver) {
  const int before = HashState::alive;
  {
    Scheduler scheduler(backend_, *tokenizer_, [] {
      Options cached = options();
      cached.max_cache_bytes = 1 << 20;
      return cached;
    }());
    for (std::uint64_t seed = 0; seed < 30; ++seed) scheduler.submit(random_submission(seed));
    for (int i = 0; i < 20; ++i) scheduler.step();
    EXPECT_GT(HashState::alive, before);
  }
  EXPECT_EQ(HashState::alive, before);
}

TEST_F(SchedulerTest, StartsFromAStateWithItsHistory) {
  Submission first = submission(ids(9), 5, 3);
  submit(std::move(first));
  run();
  const Sample& sample = outcomes_[0]->samples[0];
  Start start{{sample.state, {}, Path::other}, ids(9)};
  start.ids.insert(start.ids.end(), sample.result.ids.begin(), sample.result.ids.end() - 1);
  for (int branch = 0; branch < 2; ++branch) {  // the state is a value: both go on from the same place
    Submission next = submission({sample.result.ids.back(), 50 + branch}, 4, 8);
    next.start = start;
    submit(std::move(next));
  }
  run();
  HashState state = dynamic_cast<const HashState&>(sample.state.read());
  const generation::Result expected =
      generation::generate(backend_, state, *tokenizer_, submission({sample.result.ids.back(), 51}, 4, 8).request);
  EXPECT_EQ(result(2).ids, expected.ids);
  EXPECT_NE(result(1).ids, result(2).ids);
}

TEST_F(SchedulerTest, GoesOnFromAStateAndItsLogitsWithoutAPrompt) {
  HashState state;
  generation::Request request = submission(ids(9), 6, 3).request;
  request.resumable = true;
  const generation::Result whole = [&] {
    HashState other;
    generation::Request more = request;
    more.max_tokens = 16;
    return generation::generate(backend_, other, *tokenizer_, more);
  }();
  const generation::Result begun = generation::generate(backend_, state, *tokenizer_, request);
  Submission rest;
  rest.request = request;
  rest.request.resumable = false;
  rest.request.prompt.clear();
  rest.request.history = request.prompt;
  rest.request.history.insert(rest.request.history.end(), begun.ids.begin(), begun.ids.end());
  rest.request.logits = begun.logits;
  rest.request.drawn = begun.ids.size();
  rest.request.max_tokens = 10;
  EXPECT_THROW(scheduler_->submit(rest), Error);
  SharedState shared = scheduler_->pool().make();
  dynamic_cast<HashState&>(scheduler_->pool().writable(shared)) = state;
  rest.start = Start{{shared, {}, Path::other}, rest.request.history};
  submit(std::move(rest));
  run();
  std::vector<TokenId> joined = begun.ids;
  joined.insert(joined.end(), result(0).ids.begin(), result(0).ids.end());
  EXPECT_EQ(joined, whole.ids);
}

class SchedulerStoreTest : public SchedulerTest {
 protected:
  void SetUp() override { given_states(2); }
  void given_states(std::size_t states, std::size_t max_cache_bytes = 0) {
    Options made = options();
    made.max_state_bytes = states;
    made.max_cache_bytes = max_cache_bytes;
    made.swap_slice = 6;
    scheduler_.emplace(backend_, *tokenizer_, made, std::make_unique<MemoryStore>(backend_.model(), 100));
  }
  MemoryStore& store() { return dynamic_cast<MemoryStore&>(*scheduler_->store()); }
};

TEST_F(SchedulerStoreTest, OneOfLessPriorityGivesItsStateAwayAndGoesOn) {
  Submission low = submission(ids(5), 30, 1), high = submission(ids(6), 10, 3);
  low.num_samples = 2;
  high.priority = 1;
  high.num_samples = 2;
  submit(low, /*keep_states=*/false);
  for (int i = 0; i < 4; ++i) scheduler_->step();
  std::size_t completed = 0;
  high.listener.on_end = [&](const Outcome&) { completed = scheduler_->stats().completed; };
  submit(high, false);
  run();
  EXPECT_EQ(completed, 1u) << "it did not wait for the other";
  EXPECT_EQ(scheduler_->stats().swaps_out, 2u);
  EXPECT_EQ(scheduler_->stats().swaps_in, 2u);
  for (std::size_t sample = 0; sample < 2; ++sample) {
    for (std::size_t place = 0; place < 2; ++place) {
      generation::Request request = place == 0 ? low.request : high.request;
      request.sampling.seed += sample;
      expect_as_alone(request, result(place, sample));
    }
  }
}

TEST_F(SchedulerStoreTest, EqualsTakeTurns) {
  std::vector<Submission> made;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    made.push_back(submission(ids(4 + seed), 40, seed));
    submit(made.back(), /*keep_states=*/false);
  }
  run();
  for (std::size_t i = 0; i < 5; ++i) expect_as_alone(made[i].request, result(i));
  EXPECT_GT(scheduler_->stats().swaps_out, 15u);
  EXPECT_EQ(store().swapped_states(), 0u);
}

TEST_F(SchedulerStoreTest, BeamsKeepTheirStates) {
  Submission beams = submission(ids(5), 20, 1);
  beams.request.sampling.temperature = 0;
  beams.beams.num_beams = 2;
  Submission high = submission(ids(6), 10, 3);
  high.priority = 1;
  submit(beams, false);
  run();
  submit(beams, false);
  for (int i = 0; i < 4; ++i) scheduler_->step();
  submit(high, false);
  run();
  EXPECT_EQ(scheduler_->stats().swaps_out, 0u);
  EXPECT_EQ(result(1).ids, result(0).ids);
  EXPECT_EQ(result(1).ids.size(), 20u);
  expect_as_alone(high.request, result(2));
}

TEST_F(SchedulerStoreTest, WithoutRoomInTheStoreItWaits) {
  store().block_swaps(true);
  Submission high = submission(ids(6), 10, 3);
  high.priority = 1;
  for (std::uint64_t seed = 0; seed < 2; ++seed) submit(submission(ids(5), 30, seed), false);
  for (int i = 0; i < 4; ++i) scheduler_->step();
  submit(high, false);
  run();
  EXPECT_EQ(scheduler_->stats().swaps_out, 0u);
  expect_as_alone(high.request, result(2));
}

TEST_F(SchedulerStoreTest, ASequenceThatIsSwappedOutCanBeCancelled) {
  Submission high = submission(ids(6), 10, 3);
  high.priority = 1;
  const RequestId low = submit(submission(ids(5), 30, 1), false);
  submit(submission(ids(5), 30, 2), false);
  for (int i = 0; i < 4; ++i) scheduler_->step();
  high.num_samples = 2;
  submit(high, false);
  scheduler_->step();
  ASSERT_EQ(scheduler_->stats().swaps_out, 2u);
  EXPECT_TRUE(scheduler_->cancel(low));
  run();
  EXPECT_EQ(result(0).finish_reason, FinishReason::cancelled);
  EXPECT_EQ(store().swapped_states(), 0u);
}

TEST_F(SchedulerStoreTest, WhatIsEvictedIsFoundAgain) {
  given_states(10, 5000);
  Submission made = submission(ids(21), 10);
  made.exact_reuse = true;
  submit(made, false);
  run();
  scheduler_->persist_cache();
  EXPECT_EQ(scheduler_->cache().size(), 0u);
  submit(made, false);
  run();
  expect_as_alone(made.request, result(1));
  EXPECT_EQ(outcomes_[1]->cached_tokens, 21u);
  EXPECT_EQ(scheduler_->stats().restored_tokens, 21u);
  scheduler_->persist_cache();
  for (std::size_t i = 0; i < 100; ++i) store().damage(i);
  submit(made, false);
  run();
  expect_as_alone(made.request, result(2));
  EXPECT_EQ(outcomes_[2]->cached_tokens, 0u);
  EXPECT_GT(scheduler_->stats().store.damaged, 1u) << "each in turn";
}

TEST_F(SchedulerStoreTest, OneWithoutRoomWaitsForTheOthersAndFailsOnlyAlone) {
  given_states(3);
  std::vector<SharedState> held = {scheduler_->pool().make(), scheduler_->pool().make()};
  submit(submission(ids(5), 12, 1), false);
  const Submission second = submission(ids(5), 12, 2);
  submit(second, false);
  run();
  expect_as_alone(second.request, result(1));
  held.push_back(scheduler_->pool().make());
  submit(second, false);
  run();
  ASSERT_TRUE(outcomes_[2]->error);
  try {
    std::rethrow_exception(outcomes_[2]->error);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::overloaded);
  }
}

}  // namespace
}  // namespace xlstm::scheduler
