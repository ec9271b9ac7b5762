#include "xlstm/text/grammar/joined_rules.h"

#include <algorithm>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/text/grammar/limits.h"

namespace xlstm::text::grammar {
namespace {

using StateId = std::uint32_t;

// All rules in one numbering of states.
JoinedRules number_states(const Grammar& grammar) {
  JoinedRules out;
  const std::vector<Nfa> rules = lower(grammar);
  out.classes = byte_classes(rules);
  std::size_t work = 0;
  for (RuleId rule = 0; rule < rules.size(); ++rule) {
    const auto offset = out.num_states();
    const Dfa dfa = determinize(rules[rule].states, rules[rule].start, out.classes,
                                "rule " + in_quotes(grammar.rules[rule].name), work);
    if (offset + dfa.final.size() > kMaxStates) {
      fail(ErrorCode::invalid_argument, "grammar", "expected at most ", kMaxStates, " states but rule ",
           in_quotes(grammar.rules[rule].name), " makes more: fewer or smaller repetitions help");
    }
    out.starts.push_back(offset);
    out.final.insert(out.final.end(), dfa.final.begin(), dfa.final.end());
    for (const StateId to : dfa.next) out.next.push_back(to == kNoState ? kNoState : to + offset);
    for (const std::vector<Call>& calls : dfa.calls) {
      out.calls.push_back(calls);
      for (Call& call : out.calls.back()) call.then += offset;
    }
    out.rule_of.resize(out.num_states(), rule);
  }
  return out;
}

// A state is live if its rule can end from there; a call can be made if the called rule's start is live. Worked out
// backwards from the ends of rules.
std::vector<std::uint8_t> find_live_states(const Grammar& grammar, const JoinedRules& rules) {
  std::vector<std::vector<StateId>> before(rules.num_states());                        // by a byte
  std::vector<std::vector<StateId>> before_call(rules.num_states());                   // by a call that goes on here
  std::vector<std::vector<std::pair<StateId, StateId>>> callers(rules.starts.size());  // (from, then) of each rule
  for (StateId state = 0; state < rules.num_states(); ++state) {
    StateId previous = kNoState;
    for (std::uint32_t c = 0; c < rules.classes.count; ++c) {
      const StateId to = rules.row(state)[c];
      if (to != kNoState && to != previous) before[to].push_back(state);
      previous = to;
    }
    for (const Call& call : rules.calls[state]) {
      before_call[call.then].push_back(state);
      callers[call.rule].emplace_back(state, call.then);
    }
  }
  std::vector<std::uint8_t> live(rules.num_states(), 0);
  std::vector<StateId> pending;
  const auto mark = [&](StateId state) {
    if (live[state] == 0) pending.push_back(state);
    live[state] = 1;
  };
  const auto calls_live_rule = [&](StateId from, StateId then) {
    return std::any_of(rules.calls[from].begin(), rules.calls[from].end(),
                       [&](const Call& call) { return call.then == then && live[rules.starts[call.rule]] != 0; });
  };
  for (StateId state = 0; state < rules.num_states(); ++state) {
    if (rules.final[state] != 0) mark(state);
  }
  while (!pending.empty()) {
    const StateId state = pending.back();
    pending.pop_back();
    for (const StateId from : before[state]) mark(from);
    for (const StateId from : before_call[state]) {
      if (calls_live_rule(from, state)) mark(from);
    }
    if (const RuleId rule = rules.rule_of[state]; state == rules.starts[rule]) {
      for (const auto& [from, then] : callers[rule]) {
        if (live[then] != 0) mark(from);
      }
    }
  }
  if (live[rules.starts[grammar.root]] == 0) {
    fail(ErrorCode::invalid_argument, "grammar", "expected a text that matches, but rule ",
         in_quotes(grammar.rules[grammar.root].name), " never ends");
  }
  return live;
}

// What leads to no end goes; a call behind which its rule has nothing to do becomes a jump.
void drop_dead_ends(JoinedRules& rules, const std::vector<std::uint8_t>& live) {
  for (StateId& to : rules.next) {
    if (to != kNoState && live[to] == 0) to = kNoState;
  }
  for (std::vector<Call>& calls : rules.calls) {
    std::erase_if(calls, [&](const Call& call) { return live[call.then] == 0 || live[rules.starts[call.rule]] == 0; });
  }
  for (std::vector<Call>& calls : rules.calls) {
    for (Call& call : calls) {
      if (!rules.reads(call.then) && rules.calls[call.then].empty()) call.then = kNoState;
    }
  }
}

}  // namespace

bool JoinedRules::reads(std::uint32_t state) const noexcept {
  const auto bytes = row(state);
  return std::any_of(bytes.begin(), bytes.end(), [](StateId to) { return to != kNoState; });
}

JoinedRules join_rules(const Grammar& grammar) {
  JoinedRules rules = number_states(grammar);
  drop_dead_ends(rules, find_live_states(grammar, rules));
  return rules;
}

}  // namespace xlstm::text::grammar
