// Fingerprints of files and data: XXH3-128. Fast and stable across machines; not proof against an adversary.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace xlstm {

/// Hash of everything fed in so far; where the bytes were cut between calls does not matter.
/// Thread safety: one thread at a time. A moved-from hasher may only be destroyed or assigned to.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  Hasher& update(std::span<const std::byte> bytes);
  Hasher& update(std::string_view bytes);
  /// 32 lower-case hex digits, the canonical (big-endian) form that xxh128sum prints. May be followed by more updates.
  std::string digest() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Digest of one range of bytes: 32 hex digits.
std::string hash_hex(std::span<const std::byte> bytes);
std::string hash_hex(std::string_view bytes);

}  // namespace xlstm
