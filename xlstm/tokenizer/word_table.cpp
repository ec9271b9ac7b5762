#include "xlstm/tokenizer/word_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace xlstm::tokenizer {
namespace {

template <class Integer>
std::uint64_t load(const char* at) noexcept {
  Integer value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

}  // namespace

/// Two reads that overlap cover a word of any length, and with the length determine it.
WordTable::Slot WordTable::key_of(std::string_view word) noexcept {
  const char* const data = word.data();
  const auto size = static_cast<std::uint32_t>(word.size());
  if (size >= 8) return {load<std::uint64_t>(data), load<std::uint64_t>(data + size - 8), size, -1};
  if (size >= 4) return {load<std::uint32_t>(data), load<std::uint32_t>(data + size - 4), size, -1};
  if (size >= 2) return {load<std::uint16_t>(data), load<std::uint16_t>(data + size - 2), size, -1};
  return {load<std::uint8_t>(data), 0, size, -1};
}

WordTable::WordTable(const std::vector<Entry>& entries) {
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(2 * entries.size(), 2));
  shift_ = 64 - std::countr_zero(size);
  slots_.assign(size, Slot{0, 0, 0, -1});
  for (const Entry& entry : entries) {
    Slot key = key_of(entry.word);
    key.id = entry.id;
    Slot& slot = slots_[place_of(key)];
    if (slot.size == 0) slot = key;
  }
}

/// Index of the word's slot, or of the free one where it would be.
std::size_t WordTable::place_of(const Slot& key) const noexcept {
  // Two odd multipliers (2^64 over the golden ratio, and one of xxHash's primes) mix both halves into the top bits.
  std::uint64_t hash = (key.head ^ key.size) * 0x9E3779B97F4A7C15u;
  hash = (hash ^ (hash >> 32) ^ key.tail) * 0xC2B2AE3D27D4EB4Fu;
  hash ^= hash >> 29;
  std::size_t place = static_cast<std::size_t>((hash * 0x9E3779B97F4A7C15u) >> shift_);
  const auto same = [&](const Slot& slot) {
    return slot.size == key.size && slot.head == key.head && slot.tail == key.tail;
  };
  while (slots_[place].size != 0 && !same(slots_[place])) place = (place + 1) & (slots_.size() - 1);
  return place;
}

std::optional<TokenId> WordTable::find(std::string_view word) const noexcept {
  if (word.size() > kMaxBytes) return std::nullopt;
  const Slot& slot = slots_[place_of(key_of(word))];
  return slot.size == 0 ? std::nullopt : std::optional(slot.id);
}

}  // namespace xlstm::tokenizer
