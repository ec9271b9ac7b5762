#include "xlstm/scheduler/prefill_worker.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/scheduler/hash_backend.h"
#include "tests/unit/scheduler/memory_store.h"
#include "xlstm/generation/generate.h"
#include "xlstm/scheduler/scheduler.h"

namespace xlstm::scheduler {
namespace {

constexpr std::size_t kSegment = 4;
constexpr std::int64_t kVocab = 256;

std::unique_ptr<backend::Backend> make_backend() { return std::make_unique<HashBackend>(kVocab, kSegment); }

class PrefillWorkerTest : public testing::Test {
 protected:
  void given(const ThreadPrefillWorker::MakeBackend& make, std::size_t cache_bytes = 5000) {
    std::vector<std::unique_ptr<PrefillWorker>> workers;
    for (int i = 0; i < 2; ++i) workers.push_back(std::make_unique<ThreadPrefillWorker>(make));
    const Options options{.max_rows = 4,
                          .prefill_step_size = 8,
                          .worker_tokens = 10,
                          .max_waiting = 100,
                          .max_state_bytes = 100,
                          .max_cache_bytes = cache_bytes};
    scheduler_ = std::make_unique<Scheduler>(backend_, *tokenizer_, options,
                                             std::make_unique<MemoryStore>(backend_.model(), 10), std::move(workers));
  }
  static Submission submission(std::size_t tokens, std::uint64_t seed) {
    std::mt19937 random(static_cast<unsigned>(seed));
    Submission made;
    made.request.prompt.resize(tokens);
    for (TokenId& id : made.request.prompt) id = static_cast<TokenId>(random() % kVocab);
    made.request.max_tokens = 12;
    made.request.sampling.seed = seed;
    made.exact_reuse = true;
    return made;
  }
  std::size_t submit(Submission made) {
    const std::size_t place = texts_.size();
    texts_.emplace_back();
    made.listener.on_end = [this, place](const Outcome& outcome) {
      EXPECT_FALSE(outcome.error);
      if (!outcome.samples.empty()) texts_[place] = outcome.samples[0].result.ids;
      ++ended_;
    };
    last_id_ = scheduler_->submit(std::move(made));
    return place;
  }
  void run() {
    while (scheduler_->step()) continue;
  }
  std::vector<TokenId> alone(const Submission& made) {
    HashState state;
    return generation::generate(backend_, state, *tokenizer_, made.request).ids;
  }

  std::unique_ptr<tokenizer::Tokenizer> tokenizer_ = tokenizer::make_byte_tokenizer();
  HashBackend backend_{kVocab, kSegment};
  std::unique_ptr<Scheduler> scheduler_;
  std::vector<std::vector<TokenId>> texts_;
  std::size_t ended_ = 0;
  RequestId last_id_ = 0;
};

TEST_F(PrefillWorkerTest, LongPromptsAreReadElsewhereWithTheSameBits) {
  for (const std::size_t cache_bytes : {5000, 100000}) {  // some is evicted; all is kept
    texts_.clear();
    given(make_backend, cache_bytes);
    std::vector<Submission> made;
    for (std::uint64_t i = 0; i < 30; ++i) {
      if (i == 20) run();  // the rest comes again, when the cache has it, however fast the workers are
      made.push_back(submission(1 + 7 * (i % 10), i % 20));
      if (i % 3 == 0 && i % 10 > 3) made.back().snapshots_at = {3, 17, 19};
      submit(made.back());
      scheduler_->step();
    }
    run();
    for (std::size_t i = 0; i < made.size(); ++i) EXPECT_EQ(texts_[i], alone(made[i])) << i;
    EXPECT_GT(scheduler_->stats().worker_tokens, 100u);
    EXPECT_EQ(scheduler_->stats().worker_faults, 0u);
  }
  EXPECT_EQ(scheduler_->stats().cache_hits, 10u);
}

TEST_F(PrefillWorkerTest, GoesOnFromAGivenStateOffTheGrid) {
  const Submission whole = submission(50, 1);
  Submission rest = whole;
  given(make_backend);
  const SharedState state = scheduler_->pool().make();
  HashState begun;
  const backend::PrefillRow row{std::span(whole.request.prompt).first(6), &begun, backend::Logits::none, {}};
  backend_.prefill(std::span(&row, 1));
  SharedState own = state;
  dynamic_cast<HashState&>(scheduler_->pool().writable(own)) = begun;
  rest.start = Start{{own, {}, Path::other}, {whole.request.prompt.begin(), whole.request.prompt.begin() + 6}};
  rest.request.prompt.erase(rest.request.prompt.begin(), rest.request.prompt.begin() + 6);
  submit(rest);
  run();
  EXPECT_EQ(scheduler_->stats().worker_tokens, 44u);
  scheduler_.reset();
  scheduler_ = std::make_unique<Scheduler>(backend_, *tokenizer_, Options{.max_state_bytes = 9});
  rest.start->snapshot.state = StatePool::adopt(begun.clone());
  submit(rest);
  run();
  EXPECT_EQ(texts_[0], texts_[1]) << "as read locally";
}

TEST_F(PrefillWorkerTest, AScoredPromptIsReadHere) {
  given(make_backend);
  Submission scored = submission(40, 1);
  scored.prompt_logprobs = 1;
  submit(scored);
  run();
  EXPECT_EQ(texts_[0], alone(scored));
  EXPECT_EQ(scheduler_->stats().worker_tokens, 0u);
  submit(scored);
  run();
  EXPECT_EQ(scheduler_->stats().cache_queries, 0u);
  EXPECT_EQ(scheduler_->stats().prefill_tokens, 80u);
}

TEST_F(PrefillWorkerTest, BeamsGrowFromAPromptThatAWorkerHasRead) {
  given(make_backend);
  Submission beams = submission(40, 1);
  beams.request.sampling.temperature = 0;
  beams.beams.num_beams = 3;
  beams.use_cache = false;
  submit(beams);
  run();
  EXPECT_EQ(scheduler_->stats().worker_tokens, 40u);
  scheduler_ = std::make_unique<Scheduler>(backend_, *tokenizer_, Options{.max_state_bytes = 9});
  submit(beams);
  run();
  EXPECT_EQ(texts_[0], texts_[1]) << "as read locally";
  EXPECT_EQ(texts_[0].size(), 12u);
}

TEST_F(PrefillWorkerTest, AFaultOfAWorkerIsMadeGoodHere) {
  given([] {
    auto backend = std::make_unique<HashBackend>(kVocab, kSegment);
    backend->poison = 77;
    return backend;
  });
  Submission bad = submission(40, 1), good = submission(40, 2);
  std::replace(good.request.prompt.begin(), good.request.prompt.end(), TokenId{77}, TokenId{78});
  bad.request.prompt[30] = 77;
  submit(bad);
  submit(good);
  run();
  EXPECT_EQ(texts_[0], alone(bad));
  EXPECT_EQ(texts_[1], alone(good));
  EXPECT_EQ(scheduler_->stats().worker_faults, 1u);
  EXPECT_EQ(scheduler_->stats().worker_tokens, 40u);
  given([]() -> std::unique_ptr<backend::Backend> { throw std::runtime_error("no backend"); });
  submit(bad);
  run();
  EXPECT_EQ(texts_[2], alone(bad));
}

TEST_F(PrefillWorkerTest, CancelAndTheEndLetGoOfAPromptThatIsBeingRead) {
  given(make_backend);
  for (std::uint64_t i = 0; i < 6; ++i) {
    submit(submission(100000, i));
    scheduler_->step();
    if (i % 2 == 0) scheduler_->cancel(last_id_);
  }
  scheduler_->step();
  EXPECT_EQ(ended_, 3u);
  scheduler_->drain();
  EXPECT_EQ(ended_, 6u);
  scheduler_.reset();
  EXPECT_EQ(HashState::alive, 0);
}

TEST(PathAfter, IsAlignedOnTheGridAndThePromptsEndOnce) {
  EXPECT_EQ(path_after(Path::aligned, 8, false, 4), Path::aligned);
  EXPECT_EQ(path_after(Path::aligned, 8, true, 4), Path::aligned);
  EXPECT_EQ(path_after(Path::aligned, 9, true, 4), Path::prompt_end);
  EXPECT_EQ(path_after(Path::aligned, 9, false, 4), Path::other);
  EXPECT_EQ(path_after(Path::prompt_end, 12, true, 4), Path::other);
  EXPECT_EQ(path_after(Path::other, 8, true, 4), Path::other);
}

}  // namespace
}  // namespace xlstm::scheduler
