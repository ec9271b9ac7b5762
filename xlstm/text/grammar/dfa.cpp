#include "xlstm/text/grammar/dfa.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/text/grammar/limits.h"

namespace xlstm::text::grammar {
namespace {

using StateId = std::uint32_t;
using Subset = std::vector<StateId>;  // sorted; splits are followed, not kept

struct SubsetHash {
  std::size_t operator()(const Subset& subset) const noexcept {
    std::size_t hash = subset.size();
    for (const StateId id : subset) hash = (hash ^ id) * 0x9E3779B97F4A7C15u;
    return hash ^ hash >> 32;
  }
};

class SubsetConstruction {
 public:
  SubsetConstruction(const std::vector<NfaState>& states, const ByteClasses& classes, std::string_view rule,
                     std::size_t& work)
      : states_(states), classes_(classes), rule_(rule), work_(work), seen_(states.size(), 0) {}

  Dfa run(StateId start) {
    state_of(closure({start}));
    for (std::size_t i = 0; i < subsets_.size(); ++i) add_transitions(*subsets_[i]);
    return std::move(dfa_);
  }

 private:
  Subset closure(const Subset& from) {
    Subset result;
    ++round_;
    std::vector<StateId> pending = from;
    while (!pending.empty()) {
      const StateId id = pending.back();
      pending.pop_back();
      if (seen_[id] == round_) continue;
      seen_[id] = round_;
      ++work_;
      const NfaState& state = states_[id];
      if (state.kind == NfaState::Kind::split) {
        pending.push_back(state.next);
        pending.push_back(state.other);
      } else {
        result.push_back(id);
      }
    }
    if (work_ > kMaxSubsetWork) too_large();
    std::sort(result.begin(), result.end());
    return result;
  }

  StateId state_of(Subset subset) {
    const auto [entry, is_new] = ids_.emplace(std::move(subset), static_cast<StateId>(subsets_.size()));
    if (is_new) {
      if (subsets_.size() == kMaxStates) too_large();
      subsets_.push_back(&entry->first);
    }
    return entry->second;
  }

  [[noreturn]] void too_large() const {
    fail(ErrorCode::invalid_argument, "grammar", "expected ", rule_, " to need at most ", kMaxStates,
         " states but it needs more: fewer or smaller repetitions help");
  }

  void add_transitions(const Subset& subset) {
    std::vector<Subset> targets(classes_.count);
    std::map<RuleId, Subset> calls;
    bool final = false;
    for (const StateId id : subset) {
      const NfaState& state = states_[id];
      if (state.kind == NfaState::Kind::final) final = true;
      if (state.kind == NfaState::Kind::call) calls[state.other].push_back(state.next);
      if (state.kind != NfaState::Kind::range || state.first > state.last) continue;
      for (std::uint32_t c = classes_.of[state.first]; c <= classes_.of[state.last]; ++c)
        targets[c].push_back(state.next);
    }
    dfa_.final.push_back(final ? 1 : 0);
    StateId previous = kNoState;
    for (std::uint32_t c = 0; c < classes_.count; ++c) {
      // Neighbouring classes often lead to one place.
      if (c == 0 || targets[c] != targets[c - 1])
        previous = targets[c].empty() ? kNoState : state_of(closure(targets[c]));
      dfa_.next.push_back(previous);
    }
    std::vector<Call> edges;
    edges.reserve(calls.size());
    for (const auto& [rule, after] : calls) edges.push_back({rule, state_of(closure(after))});
    dfa_.calls.push_back(std::move(edges));
  }

  const std::vector<NfaState>& states_;
  const ByteClasses& classes_;
  std::string_view rule_;
  std::size_t& work_;
  std::vector<std::uint32_t> seen_;  // [NFA state]: the last closure it was met in
  std::uint32_t round_ = 0;
  std::unordered_map<Subset, StateId, SubsetHash> ids_;
  std::vector<const Subset*> subsets_;  // keys of ids_, which stay where they are
  Dfa dfa_;
};

}  // namespace

Dfa determinize(const std::vector<NfaState>& states, std::uint32_t start, const ByteClasses& classes,
                std::string_view rule, std::size_t& work) {
  return SubsetConstruction(states, classes, rule, work).run(start);
}

}  // namespace xlstm::text::grammar
