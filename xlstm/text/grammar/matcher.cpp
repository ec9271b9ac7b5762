#include "xlstm/text/grammar/matcher.h"

#include <algorithm>
#include <utility>

#include "xlstm/base/error.h"

namespace xlstm::text::grammar {
namespace {

constexpr std::size_t kMaxPiece = 64;  // bytes

void set_bits(std::span<std::uint32_t> bits, std::span<const std::uint32_t> ids) {
  for (const std::uint32_t id : ids) bits[id / 32] |= std::uint32_t{1} << (id % 32);
}

TrieWalk& scratch_walk() {
  thread_local TrieWalk walk;
  return walk;
}

}  // namespace

GrammarMatcher::GrammarMatcher(std::shared_ptr<const TokenMasks> masks) : masks_(std::move(masks)) {
  const Automaton& automaton = masks_->automaton();
  ended_ = enter(automaton, stacks_, automaton.start(), Stacks::kEmpty, parses_, 0);
}

void GrammarMatcher::fill_mask(std::span<std::uint32_t> bits) {
  const std::size_t num_words = masks_->vocabulary().num_mask_words();
  if (bits.size() < num_words) {
    fail(ErrorCode::invalid_argument, "fill_mask", "expected a mask of at least ", num_words, " words but got ",
         bits.size());
  }
  if (!mask_) {
    auto mask = std::make_shared<std::vector<std::uint32_t>>(num_words, 0);
    for (const Parse parse : parses_) {
      for (const StateMask* state : {&masks_->short_mask(parse.state), &masks_->long_mask(parse.state)}) {
        for (std::size_t i = 0; i < state->bits.size(); ++i) (*mask)[i] |= state->bits[i];
        set_bits(*mask, state->ids);
        if (state->rests.num_nodes() > 0) add_rests(state->rests, parse.stack, *mask);
      }
    }
    mask_ = std::move(mask);
  }
  std::fill(std::copy(mask_->begin(), mask_->end(), bits.begin()), bits.end(), 0);
}

void GrammarMatcher::add_rests(const TokenTrie& rests, std::uint32_t stack, std::span<std::uint32_t> bits) {
  if (stack == Stacks::kEmpty) return;  // nothing may follow the root
  const std::size_t stacks_before = stacks_.size();
  std::vector<Parse> start;
  enter(masks_->automaton(), stacks_, stacks_.top(stack), stacks_.below(stack), start, 0);
  scratch_walk().run(
      masks_->automaton(), stacks_, rests, start, [&](std::span<const std::uint32_t> ids) { set_bits(bits, ids); },
      [](std::size_t) {});
  stacks_.truncate(stacks_before);
}

bool GrammarMatcher::allows(TokenId id) const {
  const std::string_view bytes = masks_->vocabulary().bytes(id);
  return !bytes.empty() && GrammarMatcher(*this).accept_bytes(bytes);
}

void GrammarMatcher::accept(TokenId id) {
  const std::string_view bytes = masks_->vocabulary().bytes(id);
  if (bytes.empty() || !accept_bytes(bytes)) {
    fail(ErrorCode::invalid_argument, "grammar", "expected a token that the grammar allows but got id ", id, ", ",
         in_quotes(bytes));
  }
}

bool GrammarMatcher::accept_bytes(std::string_view bytes) {
  if (bytes.size() > kMaxPiece) {  // in pieces, so that stacks no longer needed go
    GrammarMatcher copy = *this;
    for (; !bytes.empty(); bytes.remove_prefix(std::min(kMaxPiece, bytes.size()))) {
      if (!copy.accept_bytes(bytes.substr(0, kMaxPiece))) return false;
    }
    *this = std::move(copy);
    return true;
  }
  const std::size_t stacks_before = stacks_.size();
  std::vector<Parse> parses = parses_;
  bool ended = ended_;
  try {
    for (const char byte : bytes) {
      const std::size_t size = parses.size();
      ended = advance(masks_->automaton(), stacks_, parses, 0, size, static_cast<std::uint8_t>(byte));
      parses.erase(parses.begin(), parses.begin() + static_cast<std::ptrdiff_t>(size));
      if (parses.empty() && !ended) break;
    }
  } catch (...) {
    stacks_.truncate(stacks_before);
    throw;
  }
  if (parses.empty() && !ended) {
    stacks_.truncate(stacks_before);
    return false;
  }
  if (parses != parses_) mask_.reset();
  parses_ = std::move(parses);
  ended_ = ended;
  if (stacks_.size() > compact_at_) compact_stacks();
  return true;
}

void GrammarMatcher::compact_stacks() {
  std::vector<std::uint32_t*> wanted;
  for (Parse& parse : parses_) wanted.push_back(&parse.stack);
  stacks_.compact(wanted);
  compact_at_ = 2 * stacks_.size() + 256;
}

std::string GrammarMatcher::forced_bytes() const {
  GrammarMatcher ahead = *this;
  std::string forced;
  while (!ahead.ended_) {
    int byte = -1;
    for (const Parse parse : ahead.parses_) {
      const int only = masks_->automaton().only_byte(parse.state);
      if (only < 0 || (byte >= 0 && only != byte)) return forced;
      byte = only;
    }
    if (byte < 0) return forced;
    forced += static_cast<char>(byte);
    ahead.accept_bytes(std::string_view(&forced.back(), 1));
  }
  return forced;
}

}  // namespace xlstm::text::grammar
