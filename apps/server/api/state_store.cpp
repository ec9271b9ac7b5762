#include "apps/server/api/state_store.h"

#include <ctime>
#include <utility>

#include "apps/server/api/json_text.h"
#include "xlstm/base/error.h"

namespace xlstm::server::api {

namespace {

/// About what a JSON value takes in memory.
std::size_t text_bytes(const Json& value) { return value.is_null() ? 0 : dump(value).size(); }

}  // namespace

std::vector<TokenId> KeptState::ids() const {
  std::vector<TokenId> all = start.ids;
  all.insert(all.end(), pending.begin(), pending.end());
  return all;
}

KeptState keep_sample(const scheduler::Sample& sample, const std::optional<scheduler::Start>& start,
                      const std::vector<TokenId>& prompt) {
  XLSTM_CHECK(sample.state);
  KeptState kept;
  if (start) kept.start.ids = start->ids;
  std::vector<TokenId>& ids = kept.start.ids;
  ids.insert(ids.end(), prompt.begin(), prompt.end());
  const std::vector<TokenId>& generated = sample.result.ids;
  if (!generated.empty()) {
    ids.insert(ids.end(), generated.begin(), generated.end() - 1);
    kept.pending = {generated.back()};
  } else {
    kept.start.snapshot.logits = sample.result.logits;
  }
  kept.start.snapshot.state = scheduler::StatePool::detach(sample.state);
  kept.created = std::time(nullptr);
  return kept;
}

void begin_at(const KeptState& state, scheduler::Submission& submission) {
  submission.start = state.start;
  std::vector<TokenId>& prompt = submission.request.prompt;
  prompt.insert(prompt.begin(), state.pending.begin(), state.pending.end());
  submission.request.history = state.start.ids;
  if (prompt.empty()) submission.request.logits = state.start.snapshot.logits;
}

std::size_t StateStore::cost(const KeptState& state) const {
  const scheduler::Start& start = state.start;
  return state_bytes_ + start.snapshot.logits.size() * sizeof(float) +
         (start.ids.size() + state.pending.size()) * sizeof(TokenId) + text_bytes(state.messages) +
         text_bytes(state.response);
}

void StateStore::remove(Entries::iterator entry) {
  bytes_ -= entry->bytes;
  places_.erase(entry->id);
  entries_.erase(entry);
}

std::string StateStore::put(KeptState state, const std::string& prefix) {
  std::string id = make_id(prefix);
  put_as(id, std::move(state));
  return id;
}

void StateStore::put_as(const std::string& id, KeptState state) {
  const std::size_t bytes = cost(state);
  const std::lock_guard lock(mutex_);
  if (bytes > max_bytes_ || max_states_ == 0) {
    throw ApiError(503, "no_memory", "state",
                   "state: expected at most the " + std::to_string(max_bytes_) +
                       " bytes that may be kept but it takes " + std::to_string(bytes));
  }
  if (const auto found = places_.find(id); found != places_.end()) remove(found->second);
  while (bytes_ + bytes > max_bytes_ || entries_.size() >= max_states_) remove(std::prev(entries_.end()));
  entries_.push_front({id, std::move(state), bytes});
  places_.emplace(id, entries_.begin());
  bytes_ += bytes;
}

KeptState StateStore::get(const std::string& id, const std::string& param) {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(id);
  if (found == places_.end()) {
    throw ApiError(404, "state_not_found", param,
                   param + ": expected a state that is kept here but there is no such one");
  }
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->state;
}

bool StateStore::erase(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(id);
  if (found == places_.end()) return false;
  remove(found->second);
  return true;
}

StateStore::Listed StateStore::listed(const Entry& entry) {
  return {entry.id, entry.state.start.ids.size() + entry.state.pending.size(), entry.bytes, entry.state.created};
}

std::vector<StateStore::Listed> StateStore::list() const {
  std::vector<Listed> found;
  const std::lock_guard lock(mutex_);
  for (const Entry& entry : entries_) found.push_back(listed(entry));
  return found;
}

std::optional<StateStore::Listed> StateStore::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = places_.find(id);
  if (found == places_.end()) return std::nullopt;
  return listed(*found->second);
}

std::size_t StateStore::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::size_t StateStore::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace xlstm::server::api
