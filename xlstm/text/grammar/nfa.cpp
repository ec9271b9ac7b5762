#include "xlstm/text/grammar/nfa.h"

#include <bitset>
#include <map>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/text/grammar/dfa.h"
#include "xlstm/text/grammar/limits.h"

namespace xlstm::text::grammar {
namespace {

using Kind = NfaState::Kind;
using StateId = std::uint32_t;

/// Builds from the back: an expression is lowered in front of the state that follows it.
class Lowering {
 public:
  /// `work`: what all rules of a grammar have cost so far, in states made and expressions visited.
  Lowering(std::vector<NfaState>& states, std::size_t& work) : states_(states), work_(work) {}

  StateId add(NfaState state) {
    count_work();
    states_.push_back(state);
    return static_cast<StateId>(states_.size() - 1);
  }

  StateId lower(const Expr& expr, StateId next) {
    count_work();
    switch (expr.kind) {
      case Expr::Kind::text:
        for (auto c = expr.bytes.rbegin(); c != expr.bytes.rend(); ++c) next = add_range(byte(*c), byte(*c), next);
        return next;
      case Expr::Kind::chars:
        return lower_chars(expr.set, next);
      case Expr::Kind::sequence:
        for (auto part = expr.parts.rbegin(); part != expr.parts.rend(); ++part) next = lower(**part, next);
        return next;
      case Expr::Kind::choice:
        return lower_choice(expr, next);
      case Expr::Kind::repeat:
        return lower_repeat(expr, next);
      case Expr::Kind::rule:
        return add({.kind = Kind::call, .next = next, .other = expr.rule});
      case Expr::Kind::shared:
        return lower_shared(expr, next);
      case Expr::Kind::both:
      case Expr::Kind::difference:
        break;
    }
    return lower_product(expr, next);
  }

 private:
  void count_work() {
    if (++work_ > kMaxNfaStates) {
      fail(ErrorCode::invalid_argument, "grammar", "expected at most ", kMaxNfaStates,
           " states but repetitions and alternatives make more");
    }
  }

  static std::uint8_t byte(char c) { return static_cast<std::uint8_t>(c); }

  StateId add_range(std::uint8_t first, std::uint8_t last, StateId next) {
    return add({.kind = Kind::range, .first = first, .last = last, .next = next});
  }

  // A range without bytes leads nowhere: the language without texts.
  StateId nothing() { return add_range(1, 0, 0); }

  StateId either(StateId a, StateId b) { return add({.kind = Kind::split, .next = a, .other = b}); }

  StateId lower_chars(const CodePointSet& set, StateId next) {
    StateId start = nothing();
    for (const CodePointRange range : set.ranges()) {
      for (const ByteSequence& sequence : utf8_sequences(range)) {
        StateId state = next;
        for (auto bytes = sequence.rbegin(); bytes != sequence.rend(); ++bytes) {
          state = add_range(bytes->first, bytes->second, state);
        }
        start = either(state, start);
      }
    }
    return start;
  }

  StateId lower_choice(const Expr& expr, StateId next) {
    if (expr.parts.empty()) return nothing();
    StateId start = lower(*expr.parts.back(), next);
    for (std::size_t i = expr.parts.size() - 1; i-- > 0;) start = either(lower(*expr.parts[i], next), start);
    return start;
  }

  StateId lower_repeat(const Expr& expr, StateId next) {
    const Expr& part = *expr.parts[0];
    StateId start = next;
    if (expr.max == kUnbounded) {
      start = either(next, next);
      const StateId body = lower(part, start);
      states_[start].next = body;
    } else {
      for (std::uint32_t i = expr.min; i < expr.max; ++i) start = either(lower(part, start), next);
    }
    for (std::uint32_t i = 0; i < expr.min; ++i) start = lower(part, start);
    return start;
  }

  StateId lower_shared(const Expr& expr, StateId next) {
    const auto key = std::make_pair(&expr, next);
    if (const auto known = shared_.find(key); known != shared_.end()) return known->second;
    const StateId start = lower(*expr.parts[0], next);
    shared_.emplace(key, start);
    return start;
  }

  // Both parts as automata of their own; a state of the product is a pair of theirs.
  StateId lower_product(const Expr& expr, StateId next) {
    const bool wants_second = expr.kind == Expr::Kind::both;
    std::vector<Nfa> parts(1);
    std::vector<NfaState>& scratch = parts[0].states;
    Lowering lowering(scratch, work_);
    const StateId final = lowering.add({.kind = Kind::final});
    const StateId starts[] = {lowering.lower(*expr.parts[0], final), lowering.lower(*expr.parts[1], final)};
    const ByteClasses classes = byte_classes(parts);
    std::size_t subset_work = 0;
    const Dfa a = determinize(scratch, starts[0], classes, "a pattern", subset_work);
    const Dfa b = determinize(scratch, starts[1], classes, "a pattern", subset_work);

    using Pair = std::pair<StateId, StateId>;
    std::map<Pair, StateId> ids;
    std::vector<Pair> pairs;
    // The place of a pair is a split whose halves are set when its transitions are known.
    const auto place = [&](Pair pair) {
      const auto [entry, is_new] = ids.emplace(pair, 0);
      if (is_new) {
        entry->second = either(0, 0);
        pairs.push_back(pair);
      }
      return entry->second;
    };
    const StateId start = place({0, 0});
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      const auto [from_a, from_b] = pairs[i];
      const bool b_final = from_b != kNoState && b.final[from_b];
      StateId rest = a.final[from_a] && b_final == wants_second ? next : nothing();
      for (std::uint32_t low = 0; low < 256;) {
        const std::uint32_t byte_class = classes.of[low];
        std::uint32_t high = low;
        while (high < 255 && classes.of[high + 1] == byte_class) ++high;
        const StateId to_a = a.next[from_a * classes.count + byte_class];
        const StateId to_b = from_b == kNoState ? kNoState : b.next[from_b * classes.count + byte_class];
        if (to_a != kNoState && (to_b != kNoState || !wants_second)) {
          const StateId target = place({to_a, to_b});
          rest = either(add_range(static_cast<std::uint8_t>(low), static_cast<std::uint8_t>(high), target), rest);
        }
        low = high + 1;
      }
      const StateId here = ids.at(pairs[i]);
      states_[here].next = states_[here].other = rest;
    }
    return start;
  }

  std::vector<NfaState>& states_;
  std::size_t& work_;
  std::map<std::pair<const Expr*, StateId>, StateId> shared_;
};

}  // namespace

std::vector<Nfa> lower(const Grammar& grammar) {
  std::vector<Nfa> rules;
  std::size_t work = 0;
  for (const Rule& rule : grammar.rules) {
    XLSTM_CHECK(rule.body);
    Nfa& nfa = rules.emplace_back();
    Lowering lowering(nfa.states, work);
    nfa.start = lowering.lower(*rule.body, lowering.add({.kind = Kind::final}));
  }
  return rules;
}

ByteClasses byte_classes(const std::vector<Nfa>& rules) {
  std::bitset<257> starts;  // a class begins at this byte
  for (const Nfa& rule : rules) {
    for (const NfaState& state : rule.states) {
      if (state.kind != Kind::range || state.first > state.last) continue;
      starts.set(state.first);
      starts.set(state.last + 1);
    }
  }
  ByteClasses classes;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (byte > 0 && starts[byte]) ++classes.count;
    classes.of[byte] = static_cast<std::uint8_t>(classes.count);
  }
  ++classes.count;
  return classes;
}

}  // namespace xlstm::text::grammar
