#include "xlstm/base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace xlstm {

// The state is 64-byte aligned; operator new honours that since C++17.
struct Hasher::State {
  XXH3_state_t xxh;
};

Hasher::Hasher() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh); }
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

Hasher& Hasher::update(std::span<const std::byte> bytes) {
  if (!bytes.empty()) XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size());
  return *this;
}

Hasher& Hasher::update(std::string_view bytes) { return update(std::as_bytes(std::span(bytes))); }

std::string Hasher::digest() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state_->xxh));
  std::string hex;
  for (const unsigned char byte : canonical.digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

std::string hash_hex(std::span<const std::byte> bytes) { return Hasher().update(bytes).digest(); }
std::string hash_hex(std::string_view bytes) { return Hasher().update(bytes).digest(); }

}  // namespace xlstm
