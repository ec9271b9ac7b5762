// A checkpoint's tensors written again, shard by shard, in memory that does not grow with the model.
#pragma once

#include <atomic>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/quantize/rewrite_chunk.h"

namespace xlstm::quantize {

/// How a long run tells how far it is, and how it is stopped.
struct Callbacks {
  std::function<void(double fraction)> on_progress;
  const std::atomic<bool>* cancel = nullptr;  // throws cancelled
};

struct Shards {
  std::size_t max_bytes = 0;
  bool numbered = false;  // named as the package does it
  std::map<std::string, std::string> metadata;
};

/// Writes `rewrites` into `directory`: as many files as it takes, and their index. Runs on all cores; holds a few MiB a
/// core beside what of `files` is mapped, which is let go as soon as it was read. Returns the tensors written, without
/// data. Errors: those of make_chunk, overloaded (no room on the disk, checked first), cancelled, those of AtomicFile.
std::map<std::string, TensorView> write_tensors(const std::vector<Rewrite>& rewrites,
                                                const checkpoint::FileSource& files,
                                                const std::filesystem::path& directory, const Shards& shards,
                                                const Callbacks& callbacks);

}  // namespace xlstm::quantize
