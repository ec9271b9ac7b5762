// States that clients keep on the server between requests, by ids that nobody can guess.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "apps/server/api/json_reader.h"
#include "xlstm/engine/service.h"

namespace xlstm::server::api {

/// A value; copies share the state. The state has read `start.ids`; `pending` come next (a generated text's last id is
/// drawn but not read).
struct KeptState {
  scheduler::Start start;
  std::vector<TokenId> pending;
  std::int64_t created = 0;  // Unix time in seconds
  Json messages, response;   // of /v1/responses: the conversation so far, and the last answer; null: none

  /// All ids of the text so far.
  std::vector<TokenId> ids() const;
};

/// The sample's state as it can be kept: no longer counted by the scheduler's pool. `prompt`: what the request read
/// behind its start. On the engine's thread. REQUIRES: sample.state.
KeptState keep_sample(const scheduler::Sample& sample, const std::optional<scheduler::Start>& start,
                      const std::vector<TokenId>& prompt);
/// The request goes on behind the state: its prompt gets the pending ids in front.
void begin_at(const KeptState& state, scheduler::Submission& submission);

/// Bounded in bytes and number: the least recently used goes first. Thread safety: every method from any thread.
class StateStore {
 public:
  StateStore(std::size_t state_bytes, std::size_t max_bytes, std::size_t max_states)
      : state_bytes_(state_bytes), max_bytes_(max_bytes), max_states_(max_states) {}

  /// The new state's id, `prefix` and random. Errors: ApiError 503 when one alone is beyond the bound.
  std::string put(KeptState state, const std::string& prefix = "state-");
  void put_as(const std::string& id, KeptState state);
  /// `param` is named when there is none: ApiError 404 `state_not_found`.
  KeptState get(const std::string& id, const std::string& param);
  bool erase(const std::string& id);

  struct Listed {
    std::string id;
    std::size_t tokens = 0, bytes = 0;
    std::int64_t created = 0;
  };
  /// The most recently used first.
  std::vector<Listed> list() const;
  std::optional<Listed> find(const std::string& id) const;
  std::size_t bytes() const;
  std::size_t size() const;

 private:
  struct Entry {
    std::string id;
    KeptState state;
    std::size_t bytes = 0;
  };
  using Entries = std::list<Entry>;
  std::size_t cost(const KeptState& state) const;
  static Listed listed(const Entry& entry);
  void remove(Entries::iterator entry);

  std::size_t state_bytes_, max_bytes_, max_states_;
  mutable std::mutex mutex_;
  Entries entries_;  // the most recently used first
  std::unordered_map<std::string, Entries::iterator> places_;
  std::size_t bytes_ = 0;
};

}  // namespace xlstm::server::api
