// Two state files side by side: the measurement behind `xlstm state diff`.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "xlstm/state/stored_state.h"

namespace xlstm::engine {

/// How far values b are from a. The relative figures are the same divided by the largest, and by the mean, |a|; where
/// that is 0 they are 0 if there is no difference, else infinite.
struct Difference {
  double max_absolute = 0, mean_absolute = 0;
  double max_relative = 0, mean_relative = 0;
  bool same_bits = true;
};

struct NamedDifference {
  std::string name;  // of the tensor, or of its layer
  Difference difference;
};

struct StateDiff {
  state::StateInfo a, b;
  std::size_t common_ids = 0;            // that both begin with
  std::vector<NamedDifference> tensors;  // of the state, and "logits" where both have them, in the order of a
  std::vector<NamedDifference> layers;   // all tensors of a block together: "0", "block_1"
  bool equal = false;  // the same ids, and the same bits in every tensor; logits that only one has are no difference
};

/// Errors: those of state::open_state; invalid_argument when the states have other tensors or shapes.
StateDiff diff_states(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace xlstm::engine
