// Counter-based random numbers: the n-th number of a stream is a pure function of (seed, step, n).
#pragma once

#include <array>
#include <cstdint>

namespace xlstm {

/// Key of one random decision: the request's seed and the index of the token being sampled.
struct RngKey {
  std::uint64_t seed = 0;
  std::uint64_t step = 0;
};

/// Philox4x32-10 (Salmon et al., SC 2011): four 32-bit words from a 128-bit counter and a 64-bit key.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) noexcept;

/// Uniform in (0, 1), 53 bits, never 0 or 1. `index` tells apart several draws of one key.
double uniform(RngKey key, std::uint64_t index = 0) noexcept;

}  // namespace xlstm
