// How large a compressed state file may say it is, so that a small file cannot ask for all memory.
#pragma once

#include <cstddef>
#include <cstdint>

#include "xlstm/config/state_spec.h"

namespace xlstm::state {

/// Compresses far too well to be bounded by the file's size, and no model knows it: 64 MiB of ids.
inline constexpr std::size_t kMostCompressedIds = std::size_t{1} << 24;

/// Header, ids, logits and float32 state.
inline std::size_t most_content_bytes(const config::StateSpec& spec, std::int64_t vocab_size) {
  constexpr std::size_t kHeader = std::size_t{1} << 20;
  return kHeader + 256 * spec.tensors.size() + sizeof(std::int32_t) * kMostCompressedIds +
         sizeof(float) * static_cast<std::size_t>(vocab_size) + spec.nbytes(DType::float32);
}

}  // namespace xlstm::state
