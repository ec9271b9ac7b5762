// The safetensors format: mapped and checked on reading, written whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/base/tensor_view.h"

namespace xlstm::checkpoint {

/// Bytes that somebody keeps alive: a mapped file, or memory (the embedded model).
struct Bytes {
  std::span<const std::byte> data;
  std::shared_ptr<const void> owner;
};

/// Maps a file read-only. Errors: not_found, corrupt_file ("is a directory", ...).
Bytes map_file(const std::filesystem::path& path);

/// Largest header accepted, in bytes (the format's own limit).
inline constexpr std::size_t kMaxHeaderBytes = 100'000'000;

/// A parsed file. Views point into `bytes`; a tensor that is not aligned to its element size is copied into `bytes.owner`'s company.
struct SafetensorsFile {
  Bytes bytes;
  std::map<std::string, TensorView> tensors;
  std::map<std::string, std::string> metadata;
};

/// Checks everything before it returns: header length and size limit, JSON (depth limited, duplicate names refused), dtype, shape
/// products (overflow), offsets (inside the data, no overlap, no hole, size = shape x dtype), file neither truncated nor overlong.
/// Memory: at most a small multiple of the header. Errors: corrupt_file, one line: file, tensor, expected, found.
SafetensorsFile parse_safetensors(Bytes bytes, const std::string& file_name);
SafetensorsFile open_safetensors(const std::filesystem::path& path);

/// Writes tensors in the order given (data 64-byte aligned in the file by header padding), fsync, then renames into place.
/// Errors: invalid_argument (duplicate name), internal (write failed: names path and reason); the old file is then untouched.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace xlstm::checkpoint
