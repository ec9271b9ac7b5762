#include <bit>
#include <cstdint>
#include <ctime>
#include <list>
#include <map>
#include <span>

#include "xlstm/base/error.h"
#include "xlstm/base/ids_hash.h"
#include "xlstm/checkpoint/refuse.h"
#include "xlstm/checkpoint/safetensors.h"
#include "xlstm/state/checksum.h"
#include "xlstm/state/finite.h"
#include "xlstm/state/limits.h"
#include "xlstm/state/state_file.h"
#include "xlstm/state/stored_state.h"
#include "xlstm/state/zstd_file.h"

namespace xlstm::state {
namespace {

using config::StateSpec;
using config::StateTensor;
using Metadata = std::map<std::string, std::string>;

std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm utc = {};
  ::gmtime_r(&seconds, &utc);
  char text[sizeof "2026-01-31T12:00:00Z"];
  return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

/// The upper halves of values whose lower halves are zero.
std::vector<std::uint16_t> narrowed(std::span<const float> values, const std::string& where, const std::string& name) {
  std::vector<std::uint16_t> result(values.size());
  std::uint32_t lost = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto bits = std::bit_cast<std::uint32_t>(values[i]);
    lost |= bits & 0xffff;
    result[i] = static_cast<std::uint16_t>(bits >> 16);
  }
  if (lost != 0) {
    checkpoint::refuse(ErrorCode::internal, where, "tensor ", name,
                       ": expected values that bfloat16 holds exactly but got others");
  }
  return result;
}

/// The tensors of a file: float32 before bfloat16, so that each is aligned to its elements.
class Tensors {
 public:
  Tensors(const std::string& where, const StateSpec& spec, const StateFile& file) : where_(where) {
    add({kIds, DType::int32, {std::ssize(file.ids)}, as_bytes(file.ids), where});
    if (!file.logits.empty()) {
      check_finite(ErrorCode::internal, where, kLogits, file.logits);
      add({kLogits, DType::float32, {std::ssize(file.logits)}, as_bytes(file.logits), where});
    }
    for (const DType dtype : {DType::float32, DType::bfloat16}) {
      for (const StateTensor& tensor : spec.tensors) {
        if (tensor.stored_dtype(file.state_dtype) == dtype) add_state(tensor, dtype, file.slot);
      }
    }
  }

  const std::vector<TensorView>& views() const noexcept { return views_; }
  std::map<std::string, TensorView> by_name() const {
    std::map<std::string, TensorView> result;
    for (const TensorView& view : views_) result.emplace(view.name, view);
    return result;
  }
  std::size_t nbytes() const {
    std::size_t sum = 0;
    for (const TensorView& view : views_) sum += view.nbytes();
    return sum;
  }

 private:
  template <class T>
  static const std::byte* as_bytes(const std::vector<T>& values) {
    return reinterpret_cast<const std::byte*>(values.data());
  }
  void add(TensorView view) { views_.push_back(std::move(view)); }

  void add_state(const StateTensor& tensor, DType dtype, std::span<const float> slot) {
    const std::string name = std::string(kStatePrefix) + tensor.name;
    const std::span<const float> values =
        slot.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.size));
    check_finite(ErrorCode::internal, where_, name, values);
    const std::byte* data = std::as_bytes(values).data();
    if (dtype == DType::bfloat16) data = as_bytes(narrow_.emplace_back(narrowed(values, where_, name)));
    add({name, dtype, tensor.shape, data, where_});
  }

  const std::string& where_;
  std::vector<TensorView> views_;
  std::list<std::vector<std::uint16_t>> narrow_;
};

Metadata make_metadata(const StateFile& file, const Tensors& tensors) {
  Metadata metadata = {{"format", "xlstm-state"},
                       {"format_version", std::to_string(kStateFileVersion)},
                       {"model_hash", file.model_hash},
                       {"tokenizer_hash", file.tokenizer_hash},
                       {"state_dtype", std::string(dtype_name(file.state_dtype))},
                       {"token_count", std::to_string(file.ids.size())},
                       {"ids_hash", IdsHash().extended(file.ids).hex()},
                       {"aligned", file.aligned ? "true" : "false"},
                       {"arithmetic", file.arithmetic},
                       {"program_version", XLSTM_VERSION},
                       {"created", now()}};
  if (file.sampler) {
    metadata["sampler_seed"] = std::to_string(file.sampler->seed);
    metadata["sampler_drawn"] = std::to_string(file.sampler->drawn);
  }
  metadata[kChecksum] = checksum(metadata, tensors.by_name());
  return metadata;
}

void check(const std::string& where, const StateSpec& spec, const StateFile& file, const SaveOptions& options) {
  XLSTM_CHECK(file.slot.size() == static_cast<std::size_t>(spec.slot_size));
  XLSTM_CHECK(file.state_dtype == DType::float32 || file.state_dtype == DType::bfloat16);
  XLSTM_CHECK(!file.sampler || file.sampler->drawn <= file.ids.size());
  if (!options.zstd_level) return;
  if (*options.zstd_level < kLeastZstdLevel || *options.zstd_level > kMostZstdLevel) {
    checkpoint::refuse(ErrorCode::invalid_argument, where, "expected a zstd level in [", kLeastZstdLevel, ", ",
                       kMostZstdLevel, "] but got ", *options.zstd_level);
  }
  if (file.ids.size() > kMostCompressedIds) {
    checkpoint::refuse(ErrorCode::invalid_argument, where, "expected at most ", kMostCompressedIds,
                       " ids in a compressed file but got ", file.ids.size());
  }
}

void write_compressed(const std::filesystem::path& path, const Tensors& tensors, const Metadata& metadata, int level) {
  const std::string head = checkpoint::safetensors_head(path.string(), tensors.views(), metadata);
  ZstdFile out(path, level, head.size() + tensors.nbytes());
  out.write(std::as_bytes(std::span(head)));
  for (const TensorView& view : tensors.views()) out.write({view.data, view.nbytes()});
  out.commit();
}

}  // namespace

void save_state(const std::filesystem::path& path, const StateSpec& spec, const StateFile& file,
                const SaveOptions& options) {
  const std::string where = path.string();
  check(where, spec, file, options);
  const Tensors tensors(where, spec, file);
  const Metadata metadata = make_metadata(file, tensors);
  if (options.zstd_level) return write_compressed(path, tensors, metadata, *options.zstd_level);
  checkpoint::write_safetensors(path, tensors.views(), metadata);
}

}  // namespace xlstm::state
