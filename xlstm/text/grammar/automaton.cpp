#include "xlstm/text/grammar/automaton.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/text/grammar/joined_rules.h"
#include "xlstm/text/grammar/limits.h"

namespace xlstm::text::grammar {

using StateId = std::uint32_t;

/// The steps from rules to an automaton, in the order of run().
class AutomatonBuilder {
 public:
  AutomatonBuilder(const Grammar& grammar, Automaton& out)
      : grammar_(grammar), out_(out), rules_(join_rules(grammar)) {}

  void run() {
    find_nullable_rules();
    refuse_left_recursion();
    find_entries();
    out_.start_ = rules_.starts[grammar_.root];
    out_.classes_ = rules_.classes;
    out_.next_ = std::move(rules_.next);
    out_.rule_of_ = std::move(rules_.rule_of);
    find_followers();
  }

 private:
  StateId num_states() const { return rules_.num_states(); }

  // out_.ends_: reading nothing, by calls of rules that match "". Worked out backwards too.
  void find_nullable_rules() {
    out_.ends_ = rules_.final;
    std::vector<std::vector<StateId>> before(num_states());  // states that may end if this one does
    std::vector<StateId> pending;
    for (StateId state = 0; state < num_states(); ++state) {
      if (ends(state)) pending.push_back(state);
      for (const Call& call : rules_.calls[state]) {
        before[rules_.starts[call.rule]].push_back(state);
        if (call.then != kNoState) before[call.then].push_back(state);
      }
    }
    const auto reads_nothing = [&](const Call& call) {
      return ends(rules_.starts[call.rule]) && (call.then == kNoState || ends(call.then));
    };
    while (!pending.empty()) {
      const StateId state = pending.back();
      pending.pop_back();
      for (const StateId from : before[state]) {
        if (ends(from) || !std::any_of(rules_.calls[from].begin(), rules_.calls[from].end(), reads_nothing)) continue;
        out_.ends_[from] = 1;
        pending.push_back(from);
      }
    }
  }

  bool ends(StateId state) const { return out_.ends_[state] != 0; }

  // Depth-first over "rule A may call rule B before it reads a byte"; a way back into an open rule is left recursion.
  void refuse_left_recursion() {
    std::vector<std::vector<RuleId>> first_calls(rules_.starts.size());
    for (RuleId rule = 0; rule < rules_.starts.size(); ++rule) {
      std::set<RuleId> found;
      for (const StateId state : states_before_a_byte(rules_.starts[rule])) {
        for (const Call& call : rules_.calls[state]) found.insert(call.rule);
      }
      first_calls[rule].assign(found.begin(), found.end());
    }
    enum : std::uint8_t { unseen, open, done };
    std::vector<std::uint8_t> mark(rules_.starts.size(), unseen);
    std::vector<std::pair<RuleId, std::size_t>> path;
    for (RuleId root = 0; root < rules_.starts.size(); ++root) {
      if (mark[root] == unseen) path.emplace_back(root, 0);
      while (!path.empty()) {
        auto& [rule, place] = path.back();
        mark[rule] = open;
        if (place == first_calls[rule].size()) {
          mark[rule] = done;
          path.pop_back();
          continue;
        }
        const RuleId callee = first_calls[rule][place++];
        if (mark[callee] == open) {
          fail(ErrorCode::invalid_argument, "grammar", "expected rule ", in_quotes(grammar_.rules[callee].name),
               " to read a character before it comes to itself again, but it is left-recursive");
        }
        if (mark[callee] == unseen) path.emplace_back(callee, 0);
      }
    }
  }

  // States of one rule that are reached from `state` by calls of rules that match "".
  std::vector<StateId> states_before_a_byte(StateId state) {
    std::vector<StateId> reached = {state};
    ++round_;
    seen_.resize(num_states(), 0);
    seen_[state] = round_;
    for (std::size_t i = 0; i < reached.size(); ++i) {
      for (const Call& call : rules_.calls[reached[i]]) {
        if (call.then == kNoState || !ends(rules_.starts[call.rule]) || seen_[call.then] == round_) continue;
        seen_[call.then] = round_;
        reached.push_back(call.then);
      }
    }
    return reached;
  }

  void find_entries() {
    for (StateId state = 0; state < num_states(); ++state) {
      out_.entries_begin_.push_back(static_cast<std::uint32_t>(out_.entries_.size()));
      std::set<std::pair<std::vector<StateId>, StateId>> seen;
      std::vector<StateId> pushes;
      enter(state, pushes, seen);
      const bool own_only = seen.size() == 1 && rules_.calls[state].empty();
      out_.plain_.push_back(own_only && rules_.reads(state) && !ends(state) ? 1 : 0);
    }
    out_.entries_begin_.push_back(static_cast<std::uint32_t>(out_.entries_.size()));
  }

  // Ends, because a call reads something before it comes back to its own rule.
  void enter(StateId state, std::vector<StateId>& pushes, std::set<std::pair<std::vector<StateId>, StateId>>& seen) {
    for (const StateId here : states_before_a_byte(state)) {
      if (!seen.emplace(pushes, here).second) continue;
      num_steps_ += 1 + pushes.size();
      if (num_steps_ > kMaxEntries) too_many_entries(here);
      if (rules_.reads(here)) add_entry(here, pushes);
      for (const Call& call : rules_.calls[here]) {
        if (call.then != kNoState) pushes.push_back(call.then);
        enter(rules_.starts[call.rule], pushes, seen);
        if (call.then != kNoState) pushes.pop_back();
      }
    }
  }

  void add_entry(StateId state, const std::vector<StateId>& pushes) {
    const auto begin = static_cast<std::uint32_t>(out_.pushes_.size());
    out_.pushes_.insert(out_.pushes_.end(), pushes.begin(), pushes.end());
    out_.entries_.push_back({state, begin, static_cast<std::uint32_t>(out_.pushes_.size())});
  }

  [[noreturn]] void too_many_entries(StateId state) const {
    fail(ErrorCode::invalid_argument, "grammar", "expected at most ", kMaxEntries,
         " steps on the ways into rules but there are more, at the latest by rule ",
         in_quotes(grammar_.rules[rules_.rule_of[state]].name));
  }

  // Behind a rule stands what the caller reads next, and if the caller may end there, what stands behind it.
  void find_followers() {
    out_.follow_.resize(rules_.starts.size());
    std::vector<std::pair<RuleId, RuleId>> inherits;  // (rule, caller)
    std::unordered_map<StateId, ByteSet> first;
    for (StateId state = 0; state < num_states(); ++state) {
      for (const Call& call : rules_.calls[state]) {
        const bool may_end = call.then == kNoState || ends(call.then);
        if (may_end) inherits.emplace_back(call.rule, out_.rule_of_[state]);
        if (call.then == kNoState) continue;
        const auto [entry, is_new] = first.try_emplace(call.then);
        if (is_new) entry->second = first_bytes(call.then);
        out_.follow_[call.rule] |= entry->second;
      }
    }
    std::sort(inherits.begin(), inherits.end());
    inherits.erase(std::unique(inherits.begin(), inherits.end()), inherits.end());
    for (bool changed = true; changed;) {
      changed = false;
      for (const auto& [rule, caller] : inherits) {
        const ByteSet joined = out_.follow_[rule] | out_.follow_[caller];
        changed = changed || joined != out_.follow_[rule];
        out_.follow_[rule] = joined;
      }
    }
  }

  ByteSet first_bytes(StateId state) const {
    ByteSet bytes;
    for (const Entry& entry : out_.entries(state)) {
      for (std::size_t byte = 0; byte < 256; ++byte) {
        if (out_.next(entry.state, static_cast<std::uint8_t>(byte)) != kNoState) bytes.set(byte);
      }
    }
    return bytes;
  }

  const Grammar& grammar_;
  Automaton& out_;
  JoinedRules rules_;
  std::vector<std::uint32_t> seen_;  // [state]: the round of states_before_a_byte() it was met in
  std::uint32_t round_ = 0;
  std::size_t num_steps_ = 0;
};

Automaton::Automaton(const Grammar& grammar) { AutomatonBuilder(grammar, *this).run(); }

ByteSet Automaton::loops(std::uint32_t state) const {
  ByteSet bytes;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (next(state, static_cast<std::uint8_t>(byte)) == state) bytes.set(byte);
  }
  return bytes;
}

int Automaton::only_byte(std::uint32_t state) const {
  int only = -1;
  for (int byte = 0; byte < 256; ++byte) {
    if (next(state, static_cast<std::uint8_t>(byte)) == kNoState) continue;
    if (only >= 0) return -1;
    only = byte;
  }
  return only;
}

}  // namespace xlstm::text::grammar
