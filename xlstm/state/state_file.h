// The state of a conversation as a file: safetensors with metadata, refused on any mismatch. Format:
// docs/state_file.md.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "xlstm/base/token_id.h"
#include "xlstm/config/state_spec.h"

namespace xlstm::state {

inline constexpr int kStateFileVersion = 1;

/// What a state belongs to, and what it has read.
struct StateFile {
  std::string model_hash;
  std::string tokenizer_hash;
  std::vector<TokenId> ids;  // consumed by the state, oldest first; hashed in the metadata, checked on reading
  std::vector<float> slot;   // StateSpec::slot_size values
};

/// Written whole or not at all. Tensors: "state.<name>" per StateSpec entry, and "ids" int32 [N].
/// Errors: internal (a NaN or infinity in the state), those of checkpoint::AtomicFile.
void save_state(const std::filesystem::path& path, const config::StateSpec& spec, const StateFile& file);

/// Padding of the slot is zero. Unknown metadata and tensors named "ext.*" are left to later versions and ignored.
/// Errors: not_found; corrupt_file for damage (not safetensors, metadata or tensor missing or unknown, hash of the
/// state's values, NaN or infinity); invalid_argument naming what differs: format version, model hash, tokenizer hash,
/// a tensor's shape, token count, hash of the ids.
StateFile load_state(const std::filesystem::path& path, const config::StateSpec& spec, const std::string& model_hash,
                     const std::string& tokenizer_hash);

}  // namespace xlstm::state
