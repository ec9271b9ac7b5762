// Many requests on one backend: they join and leave between steps, decode together, and read their prompts in pieces
// between the steps of the others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "xlstm/backend/backend.h"
#include "xlstm/scheduler/plan.h"
#include "xlstm/scheduler/prefill_worker.h"
#include "xlstm/scheduler/prefix_cache.h"
#include "xlstm/scheduler/snapshot_store.h"
#include "xlstm/scheduler/state_pool.h"
#include "xlstm/scheduler/stats.h"
#include "xlstm/scheduler/submission.h"
#include "xlstm/tokenizer/tokenizer.h"

namespace xlstm::scheduler {

struct Job;
struct Track;

struct Options {
  std::size_t max_rows = 32;            // sequences of a decode pass
  std::size_t prefill_step_size = 512;  // tokens of prompts between two decode passes, about
  std::size_t time_slice = 32;          // tokens that a sequence decodes before another may take its row
  std::size_t swap_slice = 512;         // and before one that waits may take its state, where there is a store
  std::size_t worker_tokens = 1024;     // of a prompt that a PrefillWorker reads, at least, where there is one
  std::size_t max_waiting = 1024;       // requests without a state; one more is refused
  std::size_t max_state_bytes = 0;      // of all states, cached ones included: at least one
  std::size_t max_cache_bytes = 0;      // of the prefix cache (states, logits, ids); 0: none
};

/// Thread safety: one thread, the backend's. Determinism: what a request draws depends on the request, the model, its
/// start and what the prefix cache gave it alone (with exact_reuse or without cache: not on that either), not on
/// others.
class Scheduler {
 public:
  /// Errors: overloaded (max_state_bytes below one state), invalid_argument (a zero where one is needed).
  /// store: the tier below the prefix cache; null: what is evicted is lost, and nobody is swapped out.
  Scheduler(backend::Backend& backend, const tokenizer::Tokenizer& tokenizer, const Options& options,
            std::unique_ptr<SnapshotStore> store = nullptr, std::vector<std::unique_ptr<PrefillWorker>> workers = {});
  ~Scheduler();

  /// check(), then add(). Errors: those of check(); overloaded (max_waiting).
  RequestId submit(Submission submission);
  /// From any thread. Errors: those of generation::validate; invalid_argument (no sample, more than max_rows of them, a
  /// best_of below num_samples, more samples than beams, what contradicts a beam search, a boundary beyond the prompt,
  /// neither prompt nor start, a resumable request); overloaded (more samples than there is room for states).
  void check(const Submission& submission) const;
  /// REQUIRES: check() did not throw; `id` is larger than any before.
  void add(RequestId id, Submission submission);
  /// Ends a request before the next step does anything for it. False: it is not there (any more).
  bool cancel(RequestId id);
  /// Prefills and decodes once. False: there was nothing to do.
  bool step();
  /// Ends every request, with `error` or as cancelled.
  void fail_all(std::exception_ptr error);
  void cancel_all();
  /// Ends every request so that it can go on elsewhere (Outcome::rest), which takes a decode pass and, for what is not
  /// begun, nothing. States that leave are not counted any more.
  void drain();
  /// Moves the prefix cache to the store, for the next process, and waits until it is written.
  void persist_cache();

  bool idle() const noexcept { return jobs_.empty(); }
  const Options& options() const noexcept { return options_; }
  Stats stats() const;
  PrefixCache& cache() noexcept { return cache_; }
  StatePool& pool() noexcept { return pool_; }
  SnapshotStore* store() noexcept { return store_.get(); }

 private:
  /// A prompt that is read (no track), or a sample that decodes.
  struct SequenceRef {
    Job* job = nullptr;
    Track* track = nullptr;
  };
  struct NextStep {
    std::vector<SequenceRef> sequences;  // what the plan's indices stand for
    StepPlan plan;
  };

  /// What a step did, and what it could not do for want of room.
  struct Progress {
    bool made = false;
    std::vector<Job*> blocked;
  };

  bool reap();
  void finish(Job& job);
  void admit();
  std::vector<WaitingView> waiting_views(std::vector<Job*>& jobs) const;
  std::size_t free_rights() const;
  double least_prefill_service() const;
  double least_decode_service() const;
  void start(Job& job);
  void keep_evicted(std::vector<TokenId> ids, Snapshot snapshot);
  void swap_out();
  void swap_out(Job& job);
  void swap_in(Job& job);
  void land(Progress& progress);
  bool land(Job& job);
  bool land(Job& job, Track& track);
  void hand_over(Job& job);
  bool receive(Job& job);
  void note_read(Job& job, std::size_t tokens);
  void use_arrived(Job& job, HostSnapshot arrived);
  bool wait_for_arrival();
  void drain(std::span<Job* const> jobs);
  void return_states(Job& job);
  void read_pending(std::span<Job* const> jobs);
  void take_rest(Job& job);
  Submission rest_of(const Job& job, const Track& track) const;
  Submission rest_of_prompt(Job& job) const;
  void fail_one(const std::vector<Job*>& blocked);
  NextStep plan_next() const;
  std::size_t piece_limit(const Job& job) const;
  std::vector<std::size_t> boundaries(const Job& job) const;
  void prefill(Job& job, std::size_t tokens);
  void read_piece(const Job& job, backend::State& state, std::span<const TokenId> piece, std::span<float> logits);
  void read_scored_piece(Job& job, backend::State& state, std::span<const TokenId> piece, std::span<float> logits);
  void score_first(Job& job);
  void keep_piece(Job& job);
  void begin_decode(Job& job, std::span<const float> logits);
  void begin_beams(Job& job, std::span<const float> logits, double service);
  void advance_beams(Job& job);
  void finish_beams(Job& job);
  void give_rows(const std::vector<SequenceRef>& sequences, std::span<const std::size_t> chosen);
  void decode(const std::vector<SequenceRef>& sequences, std::span<const std::size_t> chosen, Progress& progress);
  void take(Job& job, Track& track, std::span<const float> logits);
  void note_time(const Job& job, Track& track);
  void keep_turn(const Job& job, const Track& track);
  bool caches(const Job& job) const;
  bool reads_cache(const Job& job) const;
  void guard(Job& job, const std::function<void()>& action);
  std::size_t segment() const noexcept;
  std::size_t vocab_size() const noexcept;

  backend::Backend& backend_;
  const tokenizer::Tokenizer& tokenizer_;
  Options options_;
  std::unique_ptr<SnapshotStore> store_;
  std::vector<std::unique_ptr<PrefillWorker>> workers_;
  PrefixCache cache_;
  StatePool pool_;
  std::vector<std::unique_ptr<Job>> jobs_;  // in the order of arrival
  std::vector<float> logits_;               // [max_rows, V]
  RequestId last_id_ = 0;
  std::uint64_t next_order_ = 0;
  Stats stats_;
};

}  // namespace xlstm::scheduler
