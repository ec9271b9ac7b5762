// The safetensors format: mapped and checked on reading, written whole or not at all.
#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/base/tensor_view.h"
#include "xlstm/checkpoint/atomic_file.h"
#include "xlstm/checkpoint/available_memory.h"

namespace xlstm::checkpoint {

/// Bytes that somebody keeps alive: a mapped file, or memory (the embedded model).
struct Bytes {
  std::span<const std::byte> data;
  std::shared_ptr<const void> owner;
};

/// Maps a file read-only. The file must not shrink while it is in use (the system would end the process with SIGBUS);
/// replacing it by rename is safe. Errors: not_found (cannot open), corrupt_file (a directory, a device, a pipe),
/// overloaded (cannot map).
Bytes map_file(const std::filesystem::path& path);

/// Lets go of the memory behind all whole pages of a part of a mapped file; they are read again when they are used.
/// REQUIRES: bytes that map_file has mapped and that are mapped still.
void release_pages(std::span<const std::byte> bytes) noexcept;

/// Largest header accepted, in bytes (the format's own limit).
inline constexpr std::size_t kMaxHeaderBytes = 100'000'000;
/// Our own limits, far beyond any model: they keep what a hostile header costs below its file's size + 64 MiB.
inline constexpr std::size_t kMaxTensors = 50'000;
inline constexpr std::size_t kMaxNameBytes = 256;

/// A parsed file. Views point into `bytes`, or, for a tensor that is not aligned to its element size, into memory that
/// `bytes.owner` keeps as well.
struct SafetensorsFile {
  Bytes bytes;
  std::map<std::string, TensorView> tensors;
  std::set<std::string> copied;  // names of the tensors that are not used in place
  std::map<std::string, std::string> metadata;
};

/// Checks everything before it returns: header length and size limits, JSON (depth limited, duplicate names refused),
/// dtype, shape products (overflow), offsets (inside the data, no overlap, no hole, size = shape x dtype), file neither
/// truncated nor overlong. Memory: at most a small multiple of the header, and the tensors that must be copied. Errors:
/// corrupt_file, one line: file, tensor, expected, found; overloaded when the copies do not fit in `available`.
SafetensorsFile parse_safetensors(
    Bytes bytes, const std::string& file_name,
    const AvailableMemory& available = [] { return available_memory_bytes(); });
SafetensorsFile open_safetensors(const std::filesystem::path& path);

/// What such a file begins with: 8 bytes of length and the header, padded so that the data of the tensors, in the order
/// given, begins at a multiple of 64 bytes. Errors: those of write_safetensors about names; `file` is for messages.
std::string safetensors_head(const std::string& file, std::span<const TensorView> tensors,
                             const std::map<std::string, std::string>& metadata);

/// A file written piece by piece: the header when it is made, then the data of its tensors in any order.
class SafetensorsWriter {
 public:
  /// Tensors in the order given; their data is not looked at. Errors: those of write_safetensors.
  SafetensorsWriter(const std::filesystem::path& path, std::span<const TensorView> tensors,
                    const std::map<std::string, std::string>& metadata);
  /// Bytes of tensor `index` from byte `offset` of it on. Thread-safe for parts that do not overlap.
  void write(std::size_t index, std::size_t offset, std::span<const std::byte> bytes);
  /// REQUIRES: every byte was written once.
  void commit();

 private:
  AtomicFile file_;
  std::vector<std::size_t> begin_;  // of each tensor in the file, and the end
  std::atomic<std::size_t> left_{0};
};

/// Writes tensors in the order given (data aligned by safetensors_head), fsync, then renames into
/// place. Errors: invalid_argument (a name that is duplicate, too long or not UTF-8), those of AtomicFile; the old
/// file is then untouched.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata);

}  // namespace xlstm::checkpoint
