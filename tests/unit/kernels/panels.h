// Activations of tests: token by token, and in the panels that prefill kernels work on (xlstm/kernels/cpu/panel.h).
#pragma once

#include <cstdint>
#include <vector>

#include "xlstm/kernels/cpu/panel.h"

namespace xlstm::testing {

inline std::size_t panel_index(std::int64_t t, std::int64_t feature, std::int64_t features) {
  return static_cast<std::size_t>((t / kernels::kPanelWidth * features + feature) * kernels::kPanelWidth +
                                  t % kernels::kPanelWidth);
}

/// [tokens, features] -> panels; lanes past the last token are zero.
inline std::vector<float> to_panels(const std::vector<float>& x, std::int64_t tokens, std::int64_t features) {
  std::vector<float> panels(static_cast<std::size_t>(kernels::num_panels(tokens) * features * kernels::kPanelWidth));
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t f = 0; f < features; ++f) {
      panels[panel_index(t, f, features)] = x[static_cast<std::size_t>(t * features + f)];
    }
  }
  return panels;
}

/// The reverse.
inline std::vector<float> from_panels(const std::vector<float>& panels, std::int64_t tokens, std::int64_t features) {
  std::vector<float> x(static_cast<std::size_t>(tokens * features));
  for (std::int64_t t = 0; t < tokens; ++t) {
    for (std::int64_t f = 0; f < features; ++f) {
      x[static_cast<std::size_t>(t * features + f)] = panels[panel_index(t, f, features)];
    }
  }
  return x;
}

}  // namespace xlstm::testing
