// A checkpoint's directory as it is written: weights, config, and the files that belong to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "xlstm/quantize/rewrite.h"
#include "xlstm/quantize/source.h"

namespace xlstm::quantize {

/// What was written.
struct Report {
  std::int64_t parameters = 0;
  std::size_t source_bytes = 0, bytes = 0;  // of tensors
  std::vector<model::WeightKind> weights;   // most bytes first
};

/// Modules that are quantised in the result, by their names there.
std::map<std::string, config::AffineFormat> quantized_modules(const Source& source,
                                                              const std::vector<Rewrite>& rewrites);

struct Output {
  std::filesystem::path directory;
  checkpoint::Layout layout = checkpoint::Layout::huggingface;
  std::size_t max_shard_bytes = 0;
  nlohmann::json config;
};

/// Writes `rewrites` and all that belongs to them into a new directory, which appears when everything is in it. Errors:
/// those of checkpoint::NewDirectory and write_tensors.
Report write_checkpoint(const Source& source, const std::vector<Rewrite>& rewrites, const Output& output,
                        const Callbacks& callbacks);

}  // namespace xlstm::quantize
