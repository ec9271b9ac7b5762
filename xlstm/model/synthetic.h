// Random networks of published shapes, for benchmarks: reproducible from a seed, without a checkpoint.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/checkpoint/available_memory.h"
#include "xlstm/checkpoint/shard_plan.h"
#include "xlstm/config/quantization.h"
#include "xlstm/model/model.h"

namespace xlstm::model {

/// Sizes of an xLSTM-large network; the letters of the reference, section 1.2.
struct SyntheticShape {
  std::string name;
  std::int64_t embedding_dim = 0;  // D
  std::int64_t num_blocks = 0;
  std::int64_t num_heads = 0;    // NH
  std::int64_t qk_head_dim = 0;  // dqk
  std::int64_t v_head_dim = 0;   // dv
  std::int64_t ffn_dim = 0;      // F
  std::int64_t vocab_size = 50304;
};

/// "7b", "2.7b", "1.3b", "165m" (reference section 1.2), and "step64": width 64, one block, for the fixed cost of a
/// step.
std::vector<std::string> synthetic_names();
/// Errors: invalid_argument, naming the names there are.
SyntheticShape synthetic_shape(std::string_view name);

/// How the weights of a synthetic network are stored: `dtype`; with groups, every matrix that they divide quantised,
/// but for gates, with scales and biases in dtype.
struct SyntheticFormat {
  SyntheticFormat(DType type) : dtype(type) {}  // a dtype alone means weights of that dtype
  SyntheticFormat(DType type, config::AffineFormat format) : dtype(type), groups(format) {}

  DType dtype;
  std::optional<config::AffineFormat> groups;
};

/// "float32", "float16", "bfloat16", and "int8" and "int4" (groups of 64, else bfloat16).
std::vector<std::string> synthetic_format_names();
/// Errors: invalid_argument, naming the names there are.
SyntheticFormat synthetic_format(std::string_view name);

/// xLSTM-large of the named shape, matrices uniform with variance 1/in, gate biases as trained models have them
/// (i -10, f 3..6), norm weights 1, stored as `format` says; memory asks for huge pages, and there is never more of it
/// than the stored weights take. The same shape and seed give the same numbers, rounded to the dtype and then
/// quantised, on any number of threads. Errors: invalid_argument (name, dtype), overloaded (not enough memory, checked
/// first).
std::shared_ptr<const Model> make_synthetic(std::string_view name, const SyntheticFormat& format, std::uint64_t seed);
std::shared_ptr<const Model> make_synthetic(
    const SyntheticShape& shape, const SyntheticFormat& format, std::uint64_t seed,
    const checkpoint::AvailableMemory& available = [] { return checkpoint::available_memory_bytes(); });

/// Writes a large-architecture model, quantised layers as they are, as a Hugging Face checkpoint: config.json,
/// model.safetensors or shards + index. The directory is made; files of the same names are replaced. Errors:
/// unsupported (a network that this layout cannot express), invalid_argument (other weight files lie there and would be
/// mixed in), those of checkpoint::AtomicFile.
void write_huggingface(const Model& model, const std::filesystem::path& directory,
                       std::size_t max_shard_bytes = checkpoint::kMaxShardBytes);

}  // namespace xlstm::model
