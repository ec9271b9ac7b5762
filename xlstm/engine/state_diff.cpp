#include "xlstm/engine/state_diff.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>

#include "xlstm/base/error.h"
#include "xlstm/base/float_array.h"

namespace xlstm::engine {
namespace {

using state::kLogits;
using state::kStatePrefix;
using state::StoredState;

/// Sums over one tensor or several.
class Accumulator {
 public:
  void add(std::span<const float> a, std::span<const float> b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      const double difference = std::abs(double(b[i]) - double(a[i])), magnitude = std::abs(double(a[i]));
      sum_difference_ += difference;
      sum_magnitude_ += magnitude;
      max_difference_ = std::max(max_difference_, difference);
      max_magnitude_ = std::max(max_magnitude_, magnitude);
      same_bits_ = same_bits_ && std::bit_cast<std::uint32_t>(a[i]) == std::bit_cast<std::uint32_t>(b[i]);
    }
    count_ += a.size();
  }
  Difference result() const {
    const double count = std::max<double>(1, static_cast<double>(count_));
    return {max_difference_, sum_difference_ / count, relative(max_difference_, max_magnitude_),
            relative(sum_difference_, sum_magnitude_), same_bits_};
  }

 private:
  static double relative(double difference, double magnitude) {
    if (difference == 0) return 0;
    return magnitude == 0 ? std::numeric_limits<double>::infinity() : difference / magnitude;
  }
  double sum_difference_ = 0, sum_magnitude_ = 0, max_difference_ = 0, max_magnitude_ = 0;
  std::size_t count_ = 0;
  bool same_bits_ = true;
};

bool is_state(const std::string& name) { return name.starts_with(kStatePrefix); }

/// "state.block_1.slstm_state.0" -> "block_1".
std::string layer_of(const std::string& name) {
  const std::string rest = name.substr(kStatePrefix.size());
  return rest.substr(0, rest.find('.'));
}

/// The tensors of the state in the order of a model's blocks ("2.c" before "10.c"), then the logits.
std::vector<const TensorView*> in_order(const StoredState& stored) {
  std::vector<const TensorView*> views;
  for (const auto& [name, view] : stored.file.tensors) {
    if (is_state(name)) views.push_back(&view);
  }
  const auto number = [](const TensorView* view) {
    const std::string layer = layer_of(view->name);
    const std::size_t digits = std::min(layer.find_first_of("0123456789"), layer.size());
    return std::pair(layer.size() - digits, layer.substr(digits));  // a longer number is a larger one
  };
  std::stable_sort(views.begin(), views.end(),
                   [&](const TensorView* x, const TensorView* y) { return number(x) < number(y); });
  const auto logits = stored.file.tensors.find(kLogits);
  if (logits != stored.file.tensors.end()) views.push_back(&logits->second);
  return views;
}

const TensorView& partner(const TensorView& view, const StoredState& other, const std::string& where) {
  const auto found = other.file.tensors.find(view.name);
  if (found == other.file.tensors.end() || found->second.shape != view.shape) {
    fail(ErrorCode::invalid_argument, where, "expected tensor ", view.name, ' ', shape_to_string(view.shape),
         " as in the other file but got ",
         found == other.file.tensors.end() ? "none" : shape_to_string(found->second.shape));
  }
  return found->second;
}

std::size_t count_states(const StoredState& stored) {
  return static_cast<std::size_t>(std::count_if(stored.file.tensors.begin(), stored.file.tensors.end(),
                                                [](const auto& named) { return is_state(named.first); }));
}

}  // namespace

StateDiff diff_states(const std::filesystem::path& path_a, const std::filesystem::path& path_b) {
  const StoredState a = state::open_state(path_a), b = state::open_state(path_b);
  StateDiff diff{a.info, b.info, 0, {}, {}, a.ids == b.ids};
  const auto common = std::mismatch(a.ids.begin(), a.ids.end(), b.ids.begin(), b.ids.end());
  diff.common_ids = static_cast<std::size_t>(common.first - a.ids.begin());
  if (count_states(a) < count_states(b)) {
    for (const TensorView* view : in_order(b)) partner(*view, a, path_a.string());  // names the one that is missing
  }
  std::vector<Accumulator> layers;
  for (const TensorView* view : in_order(a)) {
    if (view->name == kLogits && !b.file.tensors.contains(kLogits)) continue;
    const FloatArray values_a = FloatArray::of(*view), values_b = FloatArray::of(partner(*view, b, path_b.string()));
    Accumulator tensor;
    tensor.add(values_a.span(), values_b.span());
    const bool of_state = is_state(view->name);
    diff.tensors.push_back({of_state ? view->name.substr(kStatePrefix.size()) : view->name, tensor.result()});
    diff.equal = diff.equal && tensor.result().same_bits;
    if (!of_state) continue;
    if (diff.layers.empty() || diff.layers.back().name != layer_of(view->name)) {
      diff.layers.push_back({layer_of(view->name), {}});
      layers.emplace_back();
    }
    layers.back().add(values_a.span(), values_b.span());
  }
  for (std::size_t i = 0; i < layers.size(); ++i) diff.layers[i].difference = layers[i].result();
  return diff;
}

}  // namespace xlstm::engine
