// Ten thousand random operations beside the plain loop: nothing is lost, mixed up or left behind.
#include <gtest/gtest.h>

#include <deque>
#include <optional>
#include <random>

#include "tests/unit/scheduler/hash_backend.h"
#include "tests/unit/scheduler/memory_store.h"
#include "xlstm/base/error.h"
#include "xlstm/generation/generate.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {
namespace {

constexpr std::size_t kOperations = 10000, kStates = 12;

ErrorCode code_of(const std::exception_ptr& fault) {
  try {
    std::rethrow_exception(fault);
  } catch (const Error& error) {
    return error.code();
  }
}

/// A request that was handed in, and the plain loop's answer to it.
struct Expected {
  std::vector<generation::Result> results;  // one a sample
  bool cancelled = false;
  bool ended = false;
};

/// A state that a client keeps, and what it has read.
struct Kept {
  SharedState state;
  std::vector<TokenId> ids;
};

class Model {
 public:
  explicit Model(unsigned seed) : random_(seed) {
    scheduler_.emplace(backend_, *tokenizer_,
                       Options{.max_rows = 4,
                               .prefill_step_size = 8,
                               .time_slice = 3,
                               .swap_slice = 5,
                               .max_waiting = 6,
                               .max_state_bytes = kStates,
                               .max_cache_bytes = 5000},
                       std::make_unique<MemoryStore>(backend_.model(), /*max_snapshots=*/20));
  }

  void operate() {
    switch (below(12)) {
      case 0:
      case 1:
        return submit();
      case 2:
        return cancel();
      case 3:
        if (!kept_.empty()) kept_.pop_front();
        return;
      case 4:
        scheduler_->cache().evict_one();
        return;
      case 5:
        return store().damage(below(20));
      case 6:
        return store().block_swaps(below(4) == 0);
      default:
        scheduler_->step();
        EXPECT_LE(scheduler_->stats().state_bytes, kStates);
    }
  }

  void finish() {
    while (scheduler_->step()) continue;
    for (const auto& expected : requests_) EXPECT_TRUE(expected->ended) << "lost";
    const Stats stats = scheduler_->stats();
    EXPECT_EQ(stats.submitted, stats.completed + stats.cancelled + stats.failed);
    EXPECT_GT(stats.completed, kOperations / 40);
    EXPECT_GT(stats.cache_hits, 100u);
    EXPECT_GT(stats.refused, 0u);
    EXPECT_GT(overloaded_, 0u) << "memory was never exhausted";
    EXPECT_GT(stats.restores, 50u);
    EXPECT_GT(stats.swaps_out, 50u);
    EXPECT_GT(stats.store.writes, 50u);
    EXPECT_GT(stats.store.damaged, 5u);
    EXPECT_GT(stats.store.evictions, 5u);
    kept_.clear();
    while (scheduler_->cache().evict_one()) continue;
    EXPECT_EQ(scheduler_->stats().state_bytes, 0u) << "a slot leaked";
    store().flush();
    EXPECT_EQ(HashState::alive, 0);
    EXPECT_EQ(store().swapped_states(), 0u);
  }

 private:
  MemoryStore& store() { return dynamic_cast<MemoryStore&>(*scheduler_->store()); }
  std::size_t below(std::size_t bound) { return random_() % bound; }

  /// Beginnings of a few texts, so that prompts share them.
  std::vector<TokenId> prompt() {
    std::mt19937 text(static_cast<unsigned>(below(3)));
    std::vector<TokenId> ids(1 + below(40));
    for (TokenId& id : ids) id = static_cast<TokenId>(text() % 256);
    if (below(2) == 0) ids.back() = static_cast<TokenId>(below(256));
    return ids;
  }

  void submit() {
    Submission made;
    made.request.prompt = prompt();
    made.request.max_tokens = static_cast<std::int64_t>(below(12));
    made.request.sampling.seed = random_();
    made.request.stop_ids = {1, 2, 3, 4, 5, 6, 7, 8};
    made.priority = static_cast<std::int64_t>(below(2));
    made.num_samples = 1 + below(6) / 5;
    made.exact_reuse = true;  // bits of an uncached run
    if (!kept_.empty() && below(3) == 0) {
      const Kept& kept = kept_[below(kept_.size())];
      made.start = Start{{kept.state, {}, Path::other}, kept.ids};
    }
    auto expected = std::make_shared<Expected>();
    for (std::size_t i = 0; i < made.num_samples; ++i) {
      HashState state;
      if (made.start) state = dynamic_cast<const HashState&>(made.start->snapshot.state.read());
      generation::Request request = made.request;
      request.sampling.seed += i;
      // A prompt behind a start is cut at multiples of the segment of the whole text.
      expected->results.push_back(plain(state, made.start ? made.start->ids.size() : 0, request));
    }
    made.listener.on_end = [this, expected, start = made.start, prompt = made.request.prompt](const Outcome& outcome) {
      end(*expected, outcome, start ? start->ids : std::vector<TokenId>(), prompt);
    };
    try {
      ids_.push_back(scheduler_->submit(std::move(made)));
      requests_.push_back(expected);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::overloaded);
    }
  }

  generation::Result plain(HashState& state, std::size_t position, generation::Request request) {
    std::vector<TokenId>& prompt = request.prompt;
    const std::size_t lead = (kSegment - position % kSegment) % kSegment;
    if (lead > 0 && lead < prompt.size()) {
      const backend::PrefillRow row{std::span(prompt).first(lead), &state, backend::Logits::none, {}};
      backend_.prefill(std::span(&row, 1));
      prompt.erase(prompt.begin(), prompt.begin() + std::ptrdiff_t(lead));
    }
    return generation::generate(backend_, state, *tokenizer_, request);
  }

  void cancel() {
    if (ids_.empty()) return;
    const std::size_t i = below(ids_.size());
    if (scheduler_->cancel(ids_[i])) requests_[i]->cancelled = true;
  }

  void end(Expected& expected, const Outcome& outcome, std::vector<TokenId> ids, const std::vector<TokenId>& prompt) {
    EXPECT_FALSE(expected.ended) << "ended twice";
    expected.ended = true;
    if (outcome.error) {
      EXPECT_EQ(code_of(outcome.error), ErrorCode::overloaded);
      ++overloaded_;
      return;
    }
    if (expected.cancelled) return;
    ASSERT_EQ(outcome.samples.size(), expected.results.size());
    for (std::size_t i = 0; i < outcome.samples.size(); ++i) {
      EXPECT_EQ(outcome.samples[i].result.ids, expected.results[i].ids);
      EXPECT_EQ(outcome.samples[i].result.text, expected.results[i].text);
    }
    const Sample& sample = outcome.samples[0];
    if (kept_.size() >= kStates || below(2) == 0) return;
    ids.insert(ids.end(), prompt.begin(), prompt.end());
    if (!sample.result.ids.empty()) ids.insert(ids.end(), sample.result.ids.begin(), sample.result.ids.end() - 1);
    kept_.push_back({sample.state, ids});
  }

  static constexpr std::size_t kSegment = 4;
  std::mt19937 random_;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::make_byte_tokenizer();
  HashBackend backend_{256, kSegment};
  std::optional<Scheduler> scheduler_;
  std::vector<std::shared_ptr<Expected>> requests_;
  std::vector<RequestId> ids_;
  std::deque<Kept> kept_;
  std::size_t overloaded_ = 0;
};

TEST(SchedulerProperty, TenThousandRandomOperations) {
  for (const unsigned seed : {1u, 2u}) {
    Model model(seed);
    for (std::size_t i = 0; i < kOperations && !testing::Test::HasFailure(); ++i) model.operate();
    model.finish();
  }
}

}  // namespace
}  // namespace xlstm::scheduler
