// A fingerprint of a sequence of ids that grows with it, so that one pass gives those of all its beginnings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "xlstm/base/token_id.h"

namespace xlstm {

/// 128 bits; those of no id are 0. With one more id: XXH3-128 of 20 bytes, the hash before (big-endian, as hex() writes
/// it) and the id (little-endian). Stable across machines; not proof against an adversary, so whoever finds a hash
/// compares the ids as well.
struct IdsHash {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  IdsHash extended(TokenId id) const noexcept;
  IdsHash extended(std::span<const TokenId> ids) const noexcept;
  /// 32 lower-case hex digits.
  std::string hex() const;
  bool operator==(const IdsHash&) const = default;
};

}  // namespace xlstm

template <>
struct std::hash<xlstm::IdsHash> {
  std::size_t operator()(const xlstm::IdsHash& ids) const noexcept { return static_cast<std::size_t>(ids.low); }
};
