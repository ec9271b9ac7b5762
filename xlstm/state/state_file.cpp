#include "xlstm/state/state_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/base/hash.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/checkpoint/safetensors.h"

namespace xlstm::state {
namespace {

using checkpoint::SafetensorsFile;
using config::StateSpec;
using config::StateTensor;
using Metadata = std::map<std::string, std::string>;

constexpr const char* kFormat = "xlstm-state";
constexpr const char* kIds = "ids";
constexpr std::string_view kExtension = "ext.";

std::string tensor_name(const StateTensor& tensor) { return "state." + tensor.name; }

std::span<const float> values_of(const StateTensor& tensor, std::span<const float> slot) {
  return slot.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.size));
}

// Over the values only: the padding between tensors is no part of the state.
std::string hash_state(const StateSpec& spec, std::span<const float> slot) {
  Hasher hasher;
  for (const StateTensor& tensor : spec.tensors) hasher.update(std::as_bytes(values_of(tensor, slot)));
  return hasher.digest();
}

std::string hash_ids(std::span<const TokenId> ids) { return hash_hex(std::as_bytes(ids)); }

void check_finite(ErrorCode code, const std::string& where, const StateSpec& spec, std::span<const float> slot) {
  for (const StateTensor& tensor : spec.tensors) {
    const auto values = values_of(tensor, slot);
    const auto bad = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
    if (bad != values.end()) {
      checkpoint::refuse(code, where, "tensor ", tensor_name(tensor), " expected finite values but got ", *bad, " at ",
                         bad - values.begin());
    }
  }
}

// A state file being read: every check names the file and what differs.
class Reader {
 public:
  Reader(const std::filesystem::path& path, const StateSpec& spec)
      : where_(path.string()), spec_(spec), file_(checkpoint::open_safetensors(path)) {}

  StateFile read(const std::string& model_hash, const std::string& tokenizer_hash) const {
    if (metadata("format") != kFormat) damaged("metadata \"format\"", kFormat, metadata("format"));
    require("format_version", std::to_string(kStateFileVersion));
    require("model_hash", model_hash);
    require("tokenizer_hash", tokenizer_hash);
    refuse_unknown_tensors();
    StateFile result{model_hash, tokenizer_hash, read_ids(), read_slot()};
    require("token_count", std::to_string(result.ids.size()));
    require("ids_hash", hash_ids(result.ids));
    const std::string hash = hash_state(spec_, result.slot);
    if (metadata("state_hash") != hash) damaged("metadata \"state_hash\"", hash, metadata("state_hash"));
    check_finite(ErrorCode::corrupt_file, where_, spec_, result.slot);
    return result;
  }

 private:
  const std::string& metadata(const std::string& key) const {
    const auto found = file_.metadata.find(key);
    if (found == file_.metadata.end()) {
      checkpoint::refuse(ErrorCode::corrupt_file, where_, "expected metadata \"", key,
                         "\" of a saved state but got none");
    }
    return found->second;
  }

  void require(const std::string& key, const std::string& expected) const {
    if (metadata(key) != expected) {
      checkpoint::refuse(ErrorCode::invalid_argument, where_, key, ": expected ", expected, " but got ",
                         checkpoint::one_line(metadata(key)));
    }
  }

  [[noreturn]] void damaged(const std::string& what, const std::string& expected, const std::string& found) const {
    checkpoint::refuse(ErrorCode::corrupt_file, where_, what, ": expected ", expected, " but got ",
                       checkpoint::one_line(found));
  }

  void refuse_unknown_tensors() const {
    for (const auto& [name, view] : file_.tensors) {
      const bool known = name == kIds || name.starts_with(kExtension) ||
                         std::any_of(spec_.tensors.begin(), spec_.tensors.end(),
                                     [&n = name](const StateTensor& tensor) { return tensor_name(tensor) == n; });
      if (!known)
        checkpoint::refuse(ErrorCode::corrupt_file, where_, "tensor ", checkpoint::one_line(name),
                           ": expected only tensors of the state but got it");
    }
  }

  const TensorView& tensor(const std::string& name, DType dtype) const {
    const auto found = file_.tensors.find(name);
    if (found == file_.tensors.end())
      checkpoint::refuse(ErrorCode::corrupt_file, where_, "expected tensor ", name, " but got none");
    if (found->second.dtype != dtype) {
      damaged("dtype of tensor " + name, std::string(dtype_name(dtype)), std::string(dtype_name(found->second.dtype)));
    }
    return found->second;
  }

  std::vector<TokenId> read_ids() const {
    const TensorView& view = tensor(kIds, DType::int32);
    if (view.shape.size() != 1) damaged("shape of tensor ids", "one dimension", shape_to_string(view.shape));
    std::vector<TokenId> ids(static_cast<std::size_t>(view.size()));
    if (!ids.empty()) std::memcpy(ids.data(), view.data, view.nbytes());
    return ids;
  }

  std::vector<float> read_slot() const {
    std::vector<float> slot(static_cast<std::size_t>(spec_.slot_size), 0.0f);
    for (const StateTensor& entry : spec_.tensors) {
      const TensorView& view = tensor(tensor_name(entry), DType::float32);
      if (view.shape != entry.shape) {
        checkpoint::refuse(ErrorCode::invalid_argument, where_, "shape of tensor ", tensor_name(entry), ": expected ",
                           shape_to_string(entry.shape), " but got ", shape_to_string(view.shape));
      }
      if (entry.size != 0) std::memcpy(slot.data() + entry.offset, view.data, view.nbytes());
    }
    return slot;
  }

  std::string where_;
  const StateSpec& spec_;
  SafetensorsFile file_;
};

}  // namespace

void save_state(const std::filesystem::path& path, const StateSpec& spec, const StateFile& file) {
  XLSTM_CHECK(file.slot.size() == static_cast<std::size_t>(spec.slot_size));
  check_finite(ErrorCode::internal, path.string(), spec, file.slot);
  std::vector<TensorView> tensors;
  for (const StateTensor& tensor : spec.tensors) {
    const auto bytes = std::as_bytes(values_of(tensor, file.slot));
    tensors.push_back({tensor_name(tensor), DType::float32, tensor.shape, bytes.data(), path.string()});
  }
  const auto ids = std::as_bytes(std::span(file.ids));
  tensors.push_back({kIds, DType::int32, {std::ssize(file.ids)}, ids.data(), path.string()});
  const Metadata metadata = {{"format", kFormat},
                             {"format_version", std::to_string(kStateFileVersion)},
                             {"model_hash", file.model_hash},
                             {"tokenizer_hash", file.tokenizer_hash},
                             {"token_count", std::to_string(file.ids.size())},
                             {"ids_hash", hash_ids(file.ids)},
                             {"state_hash", hash_state(spec, file.slot)}};
  checkpoint::write_safetensors(path, tensors, metadata);
}

StateFile load_state(const std::filesystem::path& path, const StateSpec& spec, const std::string& model_hash,
                     const std::string& tokenizer_hash) {
  return Reader(path, spec).read(model_hash, tokenizer_hash);
}

}  // namespace xlstm::state
