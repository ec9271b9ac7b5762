// Another dtype, another layout: the same network in other files.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>

#include "xlstm/checkpoint/shard_plan.h"
#include "xlstm/quantize/output.h"

namespace xlstm::quantize {

struct ConvertOptions {
  std::filesystem::path output = {};
  std::optional<DType> dtype = {};                // nothing: every tensor as it is stored, quantised ones included
  std::optional<checkpoint::Layout> layout = {};  // huggingface or package; nothing: that of the source
  std::size_t max_shard_bytes = checkpoint::kMaxShardBytes;
};

/// Writes the checkpoint in `files` to options.output. With a dtype every tensor has it: rounded to nearest even, a
/// quantised one from scale * q + bias in float32. Fused weights are taken apart where the layout is the package's,
/// which reads no others. Errors: those of open_source and write_checkpoint; unsupported (a layout that cannot hold the
/// network).
Report convert(const checkpoint::FileSource& files, const ConvertOptions& options, const Callbacks& callbacks = {});

}  // namespace xlstm::quantize
