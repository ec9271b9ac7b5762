// The state of a sequence as a file: all that a process needs to go on as if it had never stopped, refused on any
// mismatch or damage. Format: docs/state_file.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "xlstm/base/dtype.h"
#include "xlstm/base/token_id.h"
#include "xlstm/config/state_spec.h"

namespace xlstm::state {

inline constexpr int kStateFileVersion = 2;  // what is written; 1 is read as well

/// Where a request stands in its stream of random numbers: token i of it is drawn with RngKey{seed, i}. The tokens
/// drawn are the last `drawn` ids.
struct SamplerState {
  std::uint64_t seed = 0;
  std::uint64_t drawn = 0;
  bool operator==(const SamplerState&) const = default;
};

/// What a state belongs to, and what it has read.
struct StateFile {
  std::string model_hash;
  std::string tokenizer_hash;
  std::vector<TokenId> ids;            // consumed by the state, oldest first
  std::vector<float> slot;             // StateSpec::slot_size values
  DType state_dtype = DType::float32;  // what C of mLSTM layers is kept in: float32, or bfloat16 (exact in the slot)
  std::vector<float> logits = {};      // [V] after the last id; empty: not kept
  std::optional<SamplerState> sampler =
      {};                       // of the request whose end the state is at; none: it is at no request's end
  bool aligned = false;         // slot and logits have the bits of one prefill of all ids from a fresh state
  std::string arithmetic = {};  // what computed the bits; `aligned` means nothing to another
};

struct SaveOptions {
  std::optional<int> zstd_level;  // none: not compressed; see kLeastZstdLevel, kMostZstdLevel
};
inline constexpr int kLeastZstdLevel = 1, kMostZstdLevel = 19, kDefaultZstdLevel = 1;

/// What a file must belong to.
struct StateOwner {
  const config::StateSpec& spec;
  std::string model_hash;
  std::string tokenizer_hash;
  std::int64_t vocab_size = 0;
};

/// Written whole or not at all. Tensors: "ids" int32 [N], "logits" float32 [V] if kept, and "state.<name>" per
/// StateSpec entry. Errors: internal (NaN or infinity in state or logits, a bfloat16 state that bfloat16 does not
/// hold), invalid_argument (zstd level, too many ids for a compressed file), those of checkpoint::AtomicFile.
void save_state(const std::filesystem::path& path, const config::StateSpec& spec, const StateFile& file,
                const SaveOptions& options = {});

/// Padding of the slot is zero. Unknown metadata and tensors named "ext.*" are left to later versions and ignored.
/// Errors: not_found; corrupt_file for damage (stored_state.h; tensors missing or unknown, ids outside the vocabulary,
/// NaN or infinity); overloaded for a compressed file that does not fit in memory; invalid_argument naming what
/// differs: format version, model hash, tokenizer hash, a tensor's shape.
StateFile load_state(const std::filesystem::path& path, const StateOwner& owner);

}  // namespace xlstm::state
