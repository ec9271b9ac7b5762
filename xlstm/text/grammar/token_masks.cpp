#include "xlstm/text/grammar/token_masks.h"

#include <algorithm>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/text/grammar/trie_walk.h"

namespace xlstm::text::grammar {
namespace {

using Bits = std::vector<std::uint32_t>;

bool test(const Bits& bits, std::uint32_t id) { return (bits[id / 32] >> (id % 32) & 1) != 0; }

// Where the rule may have ended inside a token, the rest of the token is up to the stack beneath, unless nothing that
// follows the rule anywhere begins like that rest.
TokenTrie rests_of(const Vocabulary& vocabulary, const TokenTrie& trie, const std::vector<std::size_t>& ends,
                   const Bits& accepted, const ByteSet& follow) {
  std::vector<TokenTrie::Token> rests;
  for (const std::size_t node : ends) {
    const std::size_t depth = trie.node(node).depth;
    for (std::size_t child = node + 1; child < trie.node(node).end; child = trie.node(child).end) {
      if (!follow[trie.node(child).byte]) continue;
      for (const std::uint32_t id : trie.ids_below(child)) {
        if (!test(accepted, id)) rests.push_back({vocabulary.bytes(static_cast<TokenId>(id)).substr(depth), id});
      }
    }
  }
  return TokenTrie(std::move(rests));
}

StateMask make_mask(const Automaton& automaton, const Vocabulary& vocabulary, const TokenTrie& trie,
                    std::uint32_t state) {
  StateMask mask;
  Bits bits(vocabulary.num_mask_words(), 0);
  std::size_t count = 0;
  std::vector<std::size_t> ends;
  Stacks stacks;
  TrieWalk().run(
      automaton, stacks, trie, {{state, Stacks::kEmpty}},
      [&](std::span<const std::uint32_t> ids) {
        count += ids.size();
        for (const std::uint32_t id : ids) bits[id / 32] |= std::uint32_t{1} << (id % 32);
      },
      [&](std::size_t node) { ends.push_back(node); });
  mask.rests = rests_of(vocabulary, trie, ends, bits, automaton.follow(state));
  if (count >= bits.size()) {
    mask.bits = std::move(bits);
  } else {
    mask.ids.reserve(count);
    for (std::uint32_t id = 0; id < vocabulary.size(); ++id) {
      if (test(bits, id)) mask.ids.push_back(id);
    }
  }
  return mask;
}

}  // namespace

TokenMasks::TokenMasks(CompiledGrammar grammar, std::shared_ptr<const Vocabulary> vocabulary)
    : grammar_(std::move(grammar)),
      vocabulary_(std::move(vocabulary)),
      class_of_(equivalent_states(*grammar_, kLongTokenBytes)),
      long_masks_(grammar_->num_states()) {
  for (std::uint32_t state = 0; state < class_of_.size(); ++state) {
    if (class_of_[state] == representatives_.size()) representatives_.push_back(state);
  }
  short_masks_ = std::vector<Slot>(representatives_.size());
}

TokenMasks::~TokenMasks() {
  for (const Slot& slot : short_masks_) delete slot.load();
  for (const Slot& slot : long_masks_) delete slot.load();
}

// Two threads may make the same mask; one of them is kept.
const StateMask& TokenMasks::get(Slot& slot, const TokenTrie& trie, std::uint32_t state) const {
  const StateMask* known = slot.load(std::memory_order_acquire);
  if (known != nullptr) return *known;
  auto made = std::make_unique<const StateMask>(make_mask(*grammar_, *vocabulary_, trie, state));
  if (!slot.compare_exchange_strong(known, made.get(), std::memory_order_acq_rel)) return *known;
  return *made.release();
}

const StateMask& TokenMasks::short_mask(std::uint32_t state) const {
  const std::uint32_t number = class_of_[state];
  return get(short_masks_[number], vocabulary_->short_tokens(), representatives_[number]);
}

const StateMask& TokenMasks::long_mask(std::uint32_t state) const {
  return get(long_masks_[state], vocabulary_->long_tokens(), state);
}

void TokenMasks::warm_up() const {
  for (const std::uint32_t state : representatives_) short_mask(state);
  for (std::uint32_t state = 0; state < grammar_->num_states(); ++state) long_mask(state);
}

}  // namespace xlstm::text::grammar
