#include "xlstm/state/state_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/state/finite.h"
#include "xlstm/state/limits.h"
#include "xlstm/state/stored_state.h"

namespace xlstm::state {
namespace {

using checkpoint::refuse_corrupt;
using config::StateTensor;

/// A checked file on its way to the model that asks for it.
class Loader {
 public:
  Loader(const std::filesystem::path& path, const StateOwner& owner)
      : where_(path.string()),
        owner_(owner),
        stored_(open_state(path, most_content_bytes(owner.spec, owner.vocab_size), &owner.spec)) {}

  StateFile load() {
    const StateInfo& info = stored_.info;
    require_same("model_hash", owner_.model_hash, info.model_hash);
    require_same("tokenizer_hash", owner_.tokenizer_hash, info.tokenizer_hash);
    refuse_unknown_tensors();
    check_ids();
    return {info.model_hash, info.tokenizer_hash, std::move(stored_.ids), read_slot(),    info.state_dtype,
            read_logits(),   info.sampler,        info.aligned,           info.arithmetic};
  }

 private:
  void require_same(const std::string& what, const std::string& expected, const std::string& found) const {
    if (expected == found) return;
    checkpoint::refuse(ErrorCode::invalid_argument, where_, what, ": expected ", expected, " but got ",
                       checkpoint::one_line(found));
  }

  bool is_state(std::string_view name) const {
    return name.starts_with(kStatePrefix) &&
           std::any_of(owner_.spec.tensors.begin(), owner_.spec.tensors.end(),
                       [&](const StateTensor& tensor) { return tensor.name == name.substr(kStatePrefix.size()); });
  }

  void refuse_unknown_tensors() const {
    for (const auto& [name, view] : stored_.file.tensors) {
      if (name == kIds || name == kLogits || name.starts_with(kExtensionPrefix) || is_state(name)) continue;
      refuse_corrupt(where_, "tensor ", checkpoint::one_line(name), ": expected only tensors of the state but got it");
    }
  }

  void check_ids() const {
    for (const TokenId id : stored_.ids) {
      if (id >= 0 && id < owner_.vocab_size) continue;
      refuse_corrupt(where_, "ids: expected ids in [0, ", owner_.vocab_size, ") but got ", id);
    }
  }

  const TensorView& tensor(const std::string& name, DType dtype, const Shape& shape) const {
    const auto found = stored_.file.tensors.find(name);
    if (found == stored_.file.tensors.end()) refuse_corrupt(where_, "expected tensor ", name, " but got none");
    const TensorView& view = found->second;
    if (view.dtype != dtype) {
      refuse_corrupt(where_, "dtype of tensor ", name, ": expected ", dtype_name(dtype), " but got ",
                     dtype_name(view.dtype));
    }
    require_same("shape of tensor " + name, shape_to_string(shape), shape_to_string(view.shape));
    return view;
  }

  std::vector<float> read_logits() const {
    if (!stored_.file.tensors.contains(kLogits)) return {};
    const TensorView& view = tensor(kLogits, DType::float32, {owner_.vocab_size});
    std::vector<float> logits(static_cast<std::size_t>(view.size()));
    std::memcpy(logits.data(), view.data, view.nbytes());
    check_finite(ErrorCode::corrupt_file, where_, kLogits, logits);
    return logits;
  }

  std::vector<float> read_slot() const {
    std::vector<float> slot(static_cast<std::size_t>(owner_.spec.slot_size), 0.0f);
    for (const StateTensor& entry : owner_.spec.tensors) {
      const std::string name = std::string(kStatePrefix) + entry.name;
      const TensorView& view = tensor(name, entry.stored_dtype(stored_.info.state_dtype), entry.shape);
      const auto values =
          std::span(slot).subspan(static_cast<std::size_t>(entry.offset), static_cast<std::size_t>(entry.size));
      widen_to_float32(view.dtype, view.data, values.size(), values.data());
      check_finite(ErrorCode::corrupt_file, where_, name, values);
    }
    return slot;
  }

  std::string where_;
  const StateOwner& owner_;
  StoredState stored_;
};

}  // namespace

StateFile load_state(const std::filesystem::path& path, const StateOwner& owner) { return Loader(path, owner).load(); }

}  // namespace xlstm::state
