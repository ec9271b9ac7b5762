// A file as one zstd frame: written whole or not at all, and unpacked only after its size was found acceptable.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "xlstm/checkpoint/atomic_file.h"
#include "xlstm/checkpoint/safetensors.h"

namespace xlstm::state {

/// Whether the bytes begin as a zstd frame does. A safetensors file never does: its header would have 4 GB.
bool is_zstd(std::span<const std::byte> bytes) noexcept;

/// The frame holds the size and zstd's own checksum of its content.
class ZstdFile {
 public:
  /// Errors: those of checkpoint::AtomicFile. REQUIRES: a level that zstd has.
  ZstdFile(const std::filesystem::path& path, int level, std::size_t content_bytes);
  ~ZstdFile();
  ZstdFile(const ZstdFile&) = delete;
  ZstdFile& operator=(const ZstdFile&) = delete;

  void write(std::span<const std::byte> bytes);
  /// REQUIRES: content_bytes were written.
  void commit();

 private:
  struct Stream;
  void compress(std::span<const std::byte> bytes, bool last);

  std::string where_;
  checkpoint::AtomicFile file_;
  std::unique_ptr<Stream> stream_;
};

/// The content of a file that is one frame. Errors: corrupt_file (damage, no size in the frame or one above
/// `most_bytes`, bytes after the frame), overloaded (not that much memory); the latter before any memory is taken.
checkpoint::Bytes unzstd(std::span<const std::byte> bytes, const std::string& file, std::size_t most_bytes);

}  // namespace xlstm::state
