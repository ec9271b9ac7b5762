// Which tensors go into which file of a checkpoint that is written, and what the files are called.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "xlstm/base/tensor_view.h"

namespace xlstm::checkpoint {

/// Files of at most this many bytes of tensors, unless one tensor is larger.
inline constexpr std::size_t kMaxShardBytes = 5'000'000'000;

/// Where each file ends: item i goes into the first file with i < ends[file]. At least one file; a file holds one item
/// at least and, beyond that, no more than max_bytes.
std::vector<std::size_t> cut_into_shards(std::span<const std::size_t> item_bytes, std::size_t max_bytes);

/// Tensors of wide types first, otherwise as they are: each is then aligned to its elements in the file.
void order_for_alignment(std::vector<TensorView>& tensors);

/// "model.safetensors" alone; else "model-00001-of-00002.safetensors" ..., or `numbered` (the package's way)
/// "model_0.safetensors" ...
std::vector<std::string> shard_names(std::size_t count, bool numbered = false);

inline constexpr const char* kIndexName = "model.safetensors.index.json";

/// Writes the index of a checkpoint of several files: tensor -> file. Errors: those of AtomicFile.
void write_index(const std::filesystem::path& directory, const std::map<std::string, std::string>& weight_map,
                 std::size_t total_bytes);

/// A text as a file that appears whole or not at all. Errors: those of AtomicFile.
void write_text(const std::filesystem::path& path, const std::string& text);

}  // namespace xlstm::checkpoint
