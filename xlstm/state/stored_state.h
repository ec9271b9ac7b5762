// A state file as it is stored, whatever model it belongs to.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "xlstm/base/ids_hash.h"
#include "xlstm/checkpoint/safetensors.h"
#include "xlstm/state/state_file.h"

namespace xlstm::state {

inline constexpr const char* kIds = "ids";
inline constexpr const char* kLogits = "logits";
inline constexpr std::string_view kStatePrefix = "state.", kExtensionPrefix = "ext.";

/// Everything but the values. What version 1 does not have is empty, and its dtype float32.
struct StateInfo {
  int format_version = 0;
  std::string model_hash, tokenizer_hash;
  std::string ids_hash;  // IdsHash of the ids (version 1: hash_hex of their bytes)
  std::size_t token_count = 0;
  DType state_dtype = DType::float32;
  std::optional<SamplerState> sampler;
  bool aligned = false;
  std::string arithmetic, program_version;
  std::string created;   // UTC, "2026-01-31T12:00:00Z"
  std::string checksum;  // 32 hex digits (version 1: of the state's values alone)
  bool compressed = false;
  std::size_t file_bytes = 0;
  std::size_t content_bytes = 0;  // of the safetensors file inside
};

/// The mapped or decompressed file, checked.
struct StoredState {
  StateInfo info;
  checkpoint::SafetensorsFile file;
  std::vector<TokenId> ids;
};

/// A compressed file without a model at hand: more than any state we know of, a tenth of a machine's memory.
inline constexpr std::size_t kMostStateBytes = std::size_t{4} << 30;

/// Maps the file, or decompresses it if it says that it has at most `most_bytes`, and checks format, version, checksum,
/// and that ids, their count and their hash agree. `spec`: in its order version 1 hashes its tensors; without one they
/// are taken in the order of the file. Errors: not_found; corrupt_file, one line: file, thing, expected, found;
/// invalid_argument (format version); overloaded.
StoredState open_state(const std::filesystem::path& path, std::size_t most_bytes = kMostStateBytes,
                       const config::StateSpec* spec = nullptr);
/// The same from memory; `file` is for messages.
StoredState read_state(checkpoint::Bytes bytes, const std::string& file, std::size_t most_bytes = kMostStateBytes,
                       const config::StateSpec* spec = nullptr);

}  // namespace xlstm::state
