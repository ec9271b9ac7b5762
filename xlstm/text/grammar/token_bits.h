// Token masks: bit id % 32 of word id / 32.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "xlstm/base/token_id.h"

namespace xlstm::text::grammar {

/// REQUIRES: the id's word is there.
inline void allow(std::span<std::uint32_t> bits, TokenId id) {
  const auto i = static_cast<std::size_t>(id);
  bits[i / 32] |= std::uint32_t{1} << (i % 32);
}

/// Sets the logits of ids whose bit is 0, or that the mask does not reach, to -infinity; the others stay.
inline void apply_mask(std::span<float> logits, std::span<const std::uint32_t> bits) {
  constexpr float kBanned = -std::numeric_limits<float>::infinity();
  for (std::size_t begin = 0; begin < logits.size(); begin += 32) {
    const std::uint32_t word = begin / 32 < bits.size() ? bits[begin / 32] : 0;
    const std::size_t count = std::min<std::size_t>(32, logits.size() - begin);
    if (word == 0) {
      std::fill_n(logits.begin() + static_cast<std::ptrdiff_t>(begin), count, kBanned);
      continue;
    }
    for (std::uint32_t banned = ~word; banned != 0; banned &= banned - 1) {
      const auto i = static_cast<std::size_t>(std::countr_zero(banned));
      if (i >= count) break;
      logits[begin + i] = kBanned;
    }
  }
}

}  // namespace xlstm::text::grammar
