#include "xlstm/tokenizer/bpe.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <string>

#include "xlstm/base/error.h"

namespace xlstm::tokenizer {
namespace {

std::size_t slot_hash(std::uint64_t pair, int shift) noexcept {
  pair ^= pair >> 29;
  return static_cast<std::size_t>((pair * 0x9E3779B97F4A7C15u) >> shift);  // Fibonacci hashing: 2^64 / golden ratio
}

}  // namespace

BytePairs::BytePairs(const std::array<TokenId, 256>& byte_ids, const std::vector<Merge>& merges)
    : byte_ids_(byte_ids), knows_all_bytes_(*std::min_element(byte_ids.begin(), byte_ids.end()) >= 0) {
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(2 * merges.size(), 2));
  shift_ = 64 - std::countr_zero(size);
  slots_.assign(size, Slot{0, kNoRank, -1});
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const std::uint64_t pair = pair_of(merges[rank].left, merges[rank].right);
    const auto place = static_cast<std::size_t>(&find(pair) - slots_.data());
    slots_[place] = {pair, static_cast<std::uint32_t>(rank), merges[rank].result};
  }
}

/// The pair's slot, or the free one where it would be.
const BytePairs::Slot& BytePairs::find(std::uint64_t pair) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t place = slot_hash(pair, shift_);
  while (slots_[place].pair != pair && slots_[place].rank != kNoRank) place = (place + 1) & mask;
  return slots_[place];
}

bool BytePairs::has_unknown_byte(std::string_view word) const noexcept {
  return std::any_of(word.begin(), word.end(),
                     [&](char byte) { return byte_ids_[static_cast<unsigned char>(byte)] < 0; });
}

void BytePairs::encode(std::string_view word, std::vector<TokenId>& ids) const {
  if (word.size() >= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    fail(ErrorCode::invalid_argument, "tokenizer", "expected words under 2 GiB but one has ", word.size(), " bytes");
  }
  if (!knows_all_bytes_ && has_unknown_byte(word)) {
    std::string known;
    for (const char byte : word) {
      const bool unknown = byte_ids_[static_cast<unsigned char>(byte)] < 0;
      known.append(unknown ? std::string_view("\xEF\xBF\xBD") : std::string_view(&byte, 1));
    }
    return encode(known, ids);
  }
  if (word.size() <= kShortWord) {
    encode_short(word, ids);
  } else {
    encode_long(word, ids);
  }
}

void BytePairs::encode_short(std::string_view word, std::vector<TokenId>& ids) const {
  std::array<TokenId, kShortWord> tokens;
  std::array<std::uint32_t, kShortWord> ranks;  // of (i, i + 1)
  std::array<TokenId, kShortWord> results;
  std::size_t size = word.size();
  for (std::size_t i = 0; i < size; ++i) tokens[i] = byte_ids_[static_cast<unsigned char>(word[i])];
  const auto rate = [&](std::size_t i) {
    const Slot& slot = find(pair_of(tokens[i], tokens[i + 1]));
    ranks[i] = slot.rank;
    results[i] = slot.result;
  };
  for (std::size_t i = 0; i + 1 < size; ++i) rate(i);
  while (size > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < size; ++i) best = ranks[i] < ranks[best] ? i : best;
    if (ranks[best] == kNoRank) break;
    tokens[best] = results[best];
    --size;
    for (std::size_t i = best + 1; i < size; ++i) tokens[i] = tokens[i + 1];
    for (std::size_t i = best + 1; i + 1 < size; ++i) {
      ranks[i] = ranks[i + 1];
      results[i] = results[i + 1];
    }
    if (best > 0) rate(best - 1);
    if (best + 1 < size) rate(best);
  }
  ids.insert(ids.end(), tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(size));
}

void BytePairs::encode_long(std::string_view word, std::vector<TokenId>& ids) const {
  struct Symbol {  // a doubly linked list in one array
    TokenId token;
    std::int32_t previous;
    std::int32_t next;   // size of the word at the end
    std::uint32_t rank;  // of the pair with `next`
  };
  const auto size = static_cast<std::int32_t>(word.size());
  std::vector<Symbol> symbols(word.size());
  std::vector<std::uint64_t>
      heap;  // rank << 32 | position, smallest first; entries whose rank is out of date are skipped
  heap.reserve(word.size());
  const auto symbol = [&](std::int32_t i) -> Symbol& { return symbols[static_cast<std::size_t>(i)]; };
  const auto rate = [&](std::int32_t i) {
    Symbol& left = symbol(i);
    left.rank = left.next == size ? kNoRank : find(pair_of(left.token, symbol(left.next).token)).rank;
    return left.rank != kNoRank;
  };
  const auto entry = [&](std::int32_t i) {
    return static_cast<std::uint64_t>(symbol(i).rank) << 32 | static_cast<std::uint32_t>(i);
  };
  for (std::int32_t i = 0; i < size; ++i) {
    symbol(i) = {byte_ids_[static_cast<unsigned char>(word[static_cast<std::size_t>(i)])], i - 1, i + 1, kNoRank};
  }
  for (std::int32_t i = 0; i < size; ++i) {
    if (rate(i)) heap.push_back(entry(i));
  }
  std::make_heap(heap.begin(), heap.end(), std::greater<>());
  const auto push = [&](std::int32_t i) {
    if (!rate(i)) return;
    heap.push_back(entry(i));
    std::push_heap(heap.begin(), heap.end(), std::greater<>());
  };
  while (!heap.empty()) {
    const std::uint64_t top = heap.front();
    std::pop_heap(heap.begin(), heap.end(), std::greater<>());
    heap.pop_back();
    const auto at = static_cast<std::int32_t>(top & 0xFFFFFFFF);
    Symbol& left = symbol(at);
    if (left.rank != top >> 32) continue;
    const Symbol right = symbol(left.next);
    symbol(left.next).rank = kNoRank;  // gone: no entry of the heap may match it
    left.token = find(pair_of(left.token, right.token)).result;
    left.next = right.next;
    if (right.next != size) symbol(right.next).previous = at;
    if (left.previous >= 0) push(left.previous);
    push(at);
  }
  for (std::int32_t i = 0; i != size; i = symbol(i).next) ids.push_back(symbol(i).token);
}

}  // namespace xlstm::tokenizer
