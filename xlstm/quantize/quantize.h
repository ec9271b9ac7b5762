// Float weights -> MLX's affine groups.
#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "xlstm/checkpoint/shard_plan.h"
#include "xlstm/quantize/output.h"

namespace xlstm::quantize {

struct QuantizeOptions {
  std::filesystem::path output = {};
  config::AffineFormat format = {};
  DType scale_dtype = DType::bfloat16;
  Scales scales = Scales::search;
  bool keep_head = false;        // a tied matrix stays as it is when either of its uses is kept
  bool keep_embeddings = false;  // gates always stay as they are
  std::map<std::string, config::AffineFormat> modules = {};  // by path: those of another format
  std::size_t max_shard_bytes = checkpoint::kMaxShardBytes;
};

/// A tensor that stays as it is.
struct Kept {
  std::string tensor;
  std::string reason;  // "a gate", "a norm", "width 192: groups of 128 do not divide it", ...
};

struct QuantizeReport : Report {
  std::vector<Kept> kept;
};

/// Which tensors are to be quantised, and which stay as they are.
struct Plan {
  std::vector<Rewrite> rewrites;
  std::vector<Kept> kept;
};
/// Errors: unsupported (weights that are quantised already), invalid_argument (nothing to quantise).
Plan plan_quantization(const Source& source, const QuantizeOptions& options);

/// Writes the checkpoint in `files` to options.output with every matrix quantised that may be, from the float32 values
/// of the weights, whatever their dtype. With Scales::mlx bit for bit as mx::quantize does it, scales and biases then
/// rounded to scale_dtype: mx::quantize's own result when that is the dtype of the weights. With Scales::search no
/// group has a larger squared error than that. Errors: those of open_source and write_checkpoint; unsupported (weights
/// that are quantised already), invalid_argument (nothing to quantise, a group that scale_dtype cannot hold).
QuantizeReport quantize(const checkpoint::FileSource& files, const QuantizeOptions& options,
                        const Callbacks& callbacks = {});

}  // namespace xlstm::quantize
