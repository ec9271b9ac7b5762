#include "xlstm/base/ids_hash.h"

#include <array>
#include <cstdio>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace xlstm {
namespace {

// Byte by byte, so that every machine hashes the same bytes.
void put_big_endian(std::uint64_t value, unsigned char* to) {
  for (int i = 0; i < 8; ++i) to[i] = static_cast<unsigned char>(value >> (56 - 8 * i));
}

}  // namespace

IdsHash IdsHash::extended(TokenId id) const noexcept {
  std::array<unsigned char, 20> bytes = {};
  put_big_endian(high, bytes.data());
  put_big_endian(low, bytes.data() + 8);
  const auto value = static_cast<std::uint32_t>(id);
  for (std::size_t i = 0; i < 4; ++i) bytes[16 + i] = static_cast<unsigned char>(value >> (8 * i));
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

IdsHash IdsHash::extended(std::span<const TokenId> ids) const noexcept {
  IdsHash hash = *this;
  for (const TokenId id : ids) hash = hash.extended(id);
  return hash;
}

std::string IdsHash::hex() const {
  std::array<char, 33> text = {};
  std::snprintf(text.data(), text.size(), "%016llx%016llx", static_cast<unsigned long long>(high),
                static_cast<unsigned long long>(low));
  return text.data();
}

}  // namespace xlstm
