// A directory of files -> one config and one table of checked tensors, whatever the layout.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "xlstm/base/tensor_view.h"
#include "xlstm/checkpoint/safetensors.h"
#include "xlstm/config/model_config.h"

namespace xlstm::checkpoint {

/// Named files: a directory, or files held in memory.
class FileSource {
 public:
  virtual ~FileSource() = default;
  /// Nothing if there is no such file. Other errors: corrupt_file.
  virtual std::optional<Bytes> open(const std::string& name) const = 0;
  /// For messages: the directory, or "embedded model".
  virtual std::string description() const = 0;
};
/// Errors: not_found when it does not exist or is not a directory.
std::unique_ptr<FileSource> open_directory(const std::filesystem::path& directory);
std::unique_ptr<FileSource> make_memory_source(std::map<std::string, Bytes> files, std::string description);

/// How the files of one network are written.
enum class Layout { huggingface, package, research };

/// Sizes in `config` that come from config files only; model/ takes sizes from shapes and uses these to validate (0: not given).
struct Checkpoint {
  Layout layout = Layout::huggingface;
  config::ModelConfig config;
  bool fused_weights = false;  // weight_mode "fused": names of reference 1.4
  std::map<std::string, TensorView> tensors;
  std::vector<std::shared_ptr<const void>> storage;  // keeps the views alive
  std::string source;
};

/// Reads config.json / config.yaml and every shard of the layout found (safetensors index or model_0…; first gap ends the list).
/// Unknown keys are noted through log(debug). Errors: not_found, corrupt_file, unsupported (a key that changes the architecture, by
/// name), invalid_argument; one line: file, key or tensor, expected, found.
Checkpoint read_checkpoint(const FileSource& files);

/// Throws corrupt_file naming the first tensor with a NaN or an infinity, and where in it.
void check_finite(const Checkpoint& checkpoint);

}  // namespace xlstm::checkpoint
