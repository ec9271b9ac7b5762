// A directory of files -> one config and one table of checked tensors, whatever the layout.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "xlstm/base/tensor_view.h"
#include "xlstm/base/thread_pool.h"
#include "xlstm/checkpoint/safetensors.h"
#include "xlstm/config/model_config.h"
#include "xlstm/config/quantization.h"

namespace xlstm::checkpoint {

/// Named files: a directory, or files held in memory.
class FileSource {
 public:
  virtual ~FileSource() = default;
  /// Nothing if there is no such file. Other errors: corrupt_file.
  virtual std::optional<Bytes> open(const std::string& name) const = 0;
  /// For messages: the directory, or "embedded model".
  virtual std::string description() const = 0;
  /// Bytes of an opened file are not needed for now: the memory that holds them may go, they can still be read. Does
  /// nothing for other bytes. Thread-safe.
  virtual void release(std::span<const std::byte> bytes) const { static_cast<void>(bytes); }
};
/// Errors: not_found when it does not exist or is not a directory.
std::unique_ptr<FileSource> open_directory(const std::filesystem::path& directory);
std::unique_ptr<FileSource> make_memory_source(std::map<std::string, Bytes> files, std::string description);

/// How the files of one network are written.
enum class Layout { huggingface, package, research };

/// Widths that the factors in a config file allow: the code bases round differently (reference 1.2). Empty: the factor
/// is not given.
struct WidthHints {
  std::vector<std::int64_t> qk_dim, v_dim, ffn_dim, slstm_ffn_dim;
};

/// Sizes in `config` and `widths` come from config files only; model/ takes sizes from shapes and uses these to
/// validate (0: not given).
struct Checkpoint {
  Layout layout = Layout::huggingface;
  config::ModelConfig config;
  WidthHints widths;
  std::string config_file;      // for messages
  bool fused_weights = false;   // weight_mode "fused": names of reference 1.4
  bool research_bias = false;   // research: biases of proj_up, q/k/v_proj and proj_down
  bool slstm_ffn_bias = false;  // research: biases of the sLSTM blocks' FFN
  std::optional<config::Quantization> quantization;
  std::map<std::string, TensorView> tensors;
  std::set<std::string> copied;  // names of the tensors that lie in memory of their own: misaligned, or copy_weights()
  std::vector<std::shared_ptr<const void>> storage;  // keeps the views alive
  std::string source;
};

/// Reads config.json / config.yaml and every shard of the layout found (safetensors index or model_0...; first gap ends
/// the list). Unknown keys are noted through log(debug). Errors: not_found, corrupt_file, unsupported (a key that
/// changes the architecture, by name), invalid_argument; one line: file, key or tensor, expected, found.
Checkpoint read_checkpoint(
    const FileSource& files, const AvailableMemory& available = [] { return available_memory_bytes(); });

/// Moves every tensor into memory that asks for huge pages, each at a cache line, and lets go of the files: nothing of
/// them need stay resident. REQUIRES: `checkpoint` was read from `files`. Errors: overloaded (the copy does not fit in
/// `available`), before anything is read.
void copy_weights(
    Checkpoint& checkpoint, const FileSource& files, ThreadPool& pool,
    const AvailableMemory& available = [] { return available_memory_bytes(); });

/// Reads every weight. Throws corrupt_file naming the first tensor (by name) with a NaN or an infinity, and where in
/// it.
void check_finite(const Checkpoint& checkpoint, ThreadPool& pool);

}  // namespace xlstm::checkpoint
