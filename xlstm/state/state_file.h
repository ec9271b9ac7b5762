// The state of a conversation as a file: safetensors with metadata, refused on any mismatch. Format: docs/state_file.md.
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
void save_state(const std::filesystem::path& path, const config::StateSpec& spec, const StateFile& file);

/// Errors: corrupt_file for damage; invalid_argument naming what differs: format version, model hash, tokenizer hash, a tensor's
/// shape, token count, hash of the ids.
StateFile load_state(const std::filesystem::path& path, const config::StateSpec& spec, const std::string& model_hash,
                     const std::string& tokenizer_hash);

}  // namespace xlstm::state
