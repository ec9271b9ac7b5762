#include "xlstm/model/weight_kinds.h"

#include <algorithm>
#include <string_view>

namespace xlstm::model {
namespace {

// The format of the module that a tensor "<module>.weight", "<module>.scales" or "<module>.biases" belongs to.
const config::AffineFormat* format_of(const std::string& tensor,
                                      const std::map<std::string, config::AffineFormat>& quantized) {
  for (const std::string_view part : {".weight", ".scales", ".biases"}) {
    if (!tensor.ends_with(part)) continue;
    const auto found = quantized.find(tensor.substr(0, tensor.size() - part.size()));
    return found == quantized.end() ? nullptr : &found->second;
  }
  return nullptr;
}

void count(const TensorView& tensor, const config::AffineFormat* format, WeightKind& kind) {
  kind.bytes += tensor.nbytes();
  if (format == nullptr) {
    kind.parameters += tensor.size();
    ++kind.tensors;
  } else if (tensor.dtype == DType::uint32) {
    kind.parameters += tensor.size() * 32 / format->bits;
    ++kind.tensors;
  }
}

}  // namespace

std::string WeightKind::name() const {
  return bits > 0 ? "int" + std::to_string(bits) : std::string(dtype_name(dtype));
}

std::vector<WeightKind> count_weight_kinds(const std::map<std::string, TensorView>& tensors,
                                           const std::map<std::string, config::AffineFormat>& quantized) {
  std::vector<WeightKind> kinds;
  for (const auto& [name, tensor] : tensors) {
    const config::AffineFormat* format = format_of(name, quantized);
    WeightKind wanted;
    wanted.dtype = tensor.dtype;
    if (format != nullptr) wanted = {DType::uint32, format->bits, format->group_size};
    auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const WeightKind& k) {
      return k.dtype == wanted.dtype && k.bits == wanted.bits && k.group_size == wanted.group_size;
    });
    if (kind == kinds.end()) kind = kinds.insert(kinds.end(), wanted);
    count(tensor, format, *kind);
  }
  std::stable_sort(kinds.begin(), kinds.end(),
                   [](const WeightKind& a, const WeightKind& b) { return a.bytes > b.bytes; });
  return kinds;
}

}  // namespace xlstm::model
