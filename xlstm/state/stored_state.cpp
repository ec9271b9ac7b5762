#include "xlstm/state/stored_state.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/base/hash.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/state/checksum.h"
#include "xlstm/state/zstd_file.h"

namespace xlstm::state {
namespace {

using checkpoint::one_line;
using checkpoint::refuse_corrupt;
using checkpoint::SafetensorsFile;

/// A file being checked: every refusal names it, the thing, what was expected and what was found.
class Opener {
 public:
  Opener(const std::string& file, const config::StateSpec* spec) : where_(file), spec_(spec) {}

  StoredState open(checkpoint::Bytes bytes, std::size_t most_bytes) {
    state_.info.file_bytes = bytes.data.size();
    state_.info.compressed = is_zstd(bytes.data);
    if (state_.info.compressed) bytes = unzstd(bytes.data, where_, most_bytes);
    state_.info.content_bytes = bytes.data.size();
    state_.file = checkpoint::parse_safetensors(std::move(bytes), where_);
    if (metadata("format") != "xlstm-state") damaged("metadata \"format\"", "xlstm-state", metadata("format"));
    if (const std::string& version = metadata("format_version"); version == "1") {
      read_version_1();
    } else if (version == std::to_string(kStateFileVersion)) {
      read_version_2();
    } else {
      checkpoint::refuse(ErrorCode::invalid_argument, where_, "format_version: expected 1 or 2 but got ",
                         one_line(version));
    }
    return std::move(state_);
  }

 private:
  void read_version_1() {
    state_.info.format_version = 1;
    state_.info.checksum = hash_values();
    require("state_hash", state_.info.checksum);
    read_owner();
    read_ids();
    require("ids_hash", state_.info.ids_hash = hash_hex(std::as_bytes(std::span(state_.ids))));
  }

  void read_version_2() {
    StateInfo& info = state_.info;
    info.format_version = 2;
    info.checksum = checksum(state_.file.metadata, state_.file.tensors);
    require(kChecksum, info.checksum);
    read_owner();
    read_ids();
    require("ids_hash", info.ids_hash = IdsHash().extended(state_.ids).hex());
    info.state_dtype = one_of("state_dtype", "float32", "bfloat16") ? DType::float32 : DType::bfloat16;
    info.aligned = one_of("aligned", "true", "false");
    info.arithmetic = metadata("arithmetic");
    info.program_version = metadata("program_version");
    info.created = metadata("created");
    if (!state_.file.metadata.contains("sampler_seed")) return;
    info.sampler = {number<std::uint64_t>("sampler_seed"), number<std::uint64_t>("sampler_drawn")};
    if (info.sampler->drawn > info.token_count)
      damaged("sampler_drawn", "at most " + std::to_string(info.token_count), std::to_string(info.sampler->drawn));
  }

  void read_owner() {
    state_.info.model_hash = metadata("model_hash");
    state_.info.tokenizer_hash = metadata("tokenizer_hash");
  }

  void read_ids() {
    const auto found = state_.file.tensors.find(kIds);
    if (found == state_.file.tensors.end()) refuse_corrupt(where_, "expected tensor ids but got none");
    const TensorView& view = found->second;
    if (view.dtype != DType::int32) damaged("dtype of tensor ids", "int32", std::string(dtype_name(view.dtype)));
    if (view.shape.size() != 1) damaged("shape of tensor ids", "one dimension", shape_to_string(view.shape));
    state_.ids.resize(static_cast<std::size_t>(view.size()));
    if (!state_.ids.empty()) std::memcpy(state_.ids.data(), view.data, view.nbytes());
    state_.info.token_count = state_.ids.size();
    require("token_count", std::to_string(state_.ids.size()));
  }

  /// Version 1: the bytes of the state's tensors, one after the other in the order of the spec if it knows them all;
  /// else they are another model's and lie in the file in its order.
  std::string hash_values() const {
    std::vector<const TensorView*> views;
    for (const auto& [name, view] : state_.file.tensors) {
      if (name.starts_with(kStatePrefix)) views.push_back(&view);
    }
    const auto by = [&](const auto& place) {
      std::stable_sort(views.begin(), views.end(),
                       [&](const TensorView* a, const TensorView* b) { return place(a) < place(b); });
    };
    if (std::all_of(views.begin(), views.end(), [&](const TensorView* view) { return place(view) >= 0; })) {
      by([&](const TensorView* view) { return place(view); });
    } else {
      by([](const TensorView* view) { return reinterpret_cast<std::uintptr_t>(view->data); });
    }
    Hasher hasher;
    for (const TensorView* view : views) hasher.update(std::span(view->data, view->nbytes()));
    return hasher.digest();
  }

  /// In the spec; -1: it has no such tensor.
  std::ptrdiff_t place(const TensorView* view) const {
    if (spec_ == nullptr) return -1;
    const std::string name = view->name.substr(kStatePrefix.size());
    const auto& order = spec_->tensors;
    const auto at = std::find_if(order.begin(), order.end(), [&](const auto& tensor) { return tensor.name == name; });
    return at == order.end() ? -1 : at - order.begin();
  }

  const std::string& metadata(const std::string& key) const {
    const auto found = state_.file.metadata.find(key);
    if (found == state_.file.metadata.end())
      refuse_corrupt(where_, "expected metadata \"", key, "\" of a saved state but got none");
    return found->second;
  }

  template <class T>
  T number(const std::string& key) const {
    const std::string& text = metadata(key);
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) damaged(key, "a number", text);
    return value;
  }

  /// Whether it is the first of two words.
  bool one_of(const std::string& key, const std::string& first, const std::string& second) const {
    const std::string& text = metadata(key);
    if (text != first && text != second) damaged(key, first + " or " + second, text);
    return text == first;
  }

  void require(const std::string& key, const std::string& expected) const {
    if (metadata(key) != expected) damaged(key, expected, metadata(key));
  }

  [[noreturn]] void damaged(const std::string& what, const std::string& expected, const std::string& found) const {
    refuse_corrupt(where_, what, ": expected ", expected, " but got ", one_line(found));
  }

  std::string where_;
  const config::StateSpec* spec_;
  StoredState state_;
};

}  // namespace

StoredState open_state(const std::filesystem::path& path, std::size_t most_bytes, const config::StateSpec* spec) {
  return read_state(checkpoint::map_file(path), path.string(), most_bytes, spec);
}

StoredState read_state(checkpoint::Bytes bytes, const std::string& file, std::size_t most_bytes,
                       const config::StateSpec* spec) {
  return Opener(file, spec).open(std::move(bytes), most_bytes);
}

}  // namespace xlstm::state
