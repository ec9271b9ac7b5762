// How activations lie in prefill: panels of 16 tokens, feature by feature.
//
// A panel of a [T, K] activation is [K][16]: the 16 tokens of a feature are one cache line. Element (t, k) is at
// ((t / 16) * K + k) * 16 + t % 16. Sums over features (norms, products) then run over vectors whose lanes are tokens:
// no horizontal sums, weights are broadcast as they are stored, and no token's bits depend on its neighbours.
#pragma once

#include <cstdint>

namespace xlstm::kernels {

inline constexpr int kPanelWidth = 16;

/// Panels that hold `tokens`.
constexpr std::int64_t num_panels(std::int64_t tokens) { return (tokens + kPanelWidth - 1) / kPanelWidth; }

}  // namespace xlstm::kernels
