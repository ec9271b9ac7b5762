#include "xlstm/engine/model_hash.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <optional>
#include <span>
#include <sstream>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "xlstm/base/hash.h"

namespace xlstm::engine {
namespace {

/// Cut is fixed, so the digest does not depend on the threads; 4 MiB keeps both the queue and the last straggler short.
constexpr std::size_t kChunkBytes = std::size_t{4} << 20;

struct Part {
  std::string description;  // place, dtype, shape
  std::span<const std::byte> bytes;
};

/// Every weight of a network, in the order of evaluation.
class Parts {
 public:
  explicit Parts(const model::Model& model) {
    add("embedding", model.embedding);
    for (std::size_t b = 0; b < model.blocks.size(); ++b) {
      prefix_ = "block " + std::to_string(b) + " ";
      std::visit([this](const auto& block) { add_block(block); }, model.blocks[b]);
    }
    prefix_.clear();
    if (model.out_norm) add("out_norm", *model.out_norm);
    add("lm_head", model.lm_head);
  }

  const std::vector<Part>& list() const { return parts_; }

 private:
  void add(std::string_view place, const TensorView& tensor) {
    parts_.push_back({describe(place, tensor.dtype, tensor.shape), {tensor.data, tensor.nbytes()}});
  }
  void add(std::string_view place, const FloatArray& array) {
    parts_.push_back(
        {describe(place, DType::float32, {static_cast<std::int64_t>(array.size())}), std::as_bytes(array.span())});
  }
  void add(const std::string& place, const model::Matrix& matrix) {
    if (!matrix.groups) return add(place, matrix.weight);
    const model::AffineGroups& groups = *matrix.groups;
    add(place + " int" + std::to_string(groups.bits) + " of " + std::to_string(groups.group_size), matrix.weight);
    add(place + " scales", groups.scales);
    add(place + " biases", groups.biases);
  }
  void add(const std::string& place, const model::Linear& linear) {
    add(place, static_cast<const model::Matrix&>(linear));
    add(place + " bias", linear.bias);
  }
  void add(const std::string& place, const model::Norm& norm) {
    add(place, norm.weight);
    add(place + " bias", norm.bias);
  }
  void add(const std::string& place, const model::HeadwiseLinear& linear) {
    add(place + " of " + std::to_string(linear.num_blocks), linear.weight);
    add(place + " bias", linear.bias);
  }
  void add(const std::string& place, const model::CausalConv& conv) {
    add(place + " of kernel " + std::to_string(conv.kernel_size), conv.weight);
    add(place + " bias", conv.bias);
  }

  void add_block(const model::LargeBlock& block) {
    add("norm_mlstm", block.norm_mlstm);
    add("q", block.q);
    add("k", block.k);
    add("v", block.v);
    add("ogate", block.ogate);
    add("igate", block.igate);
    add("fgate", block.fgate);
    add("multihead_norm", block.multihead_norm);
    add("out_proj", block.out_proj);
    add("norm_ffn", block.norm_ffn);
    add("ffn_gate", block.ffn_gate);
    add("ffn_up", block.ffn_up);
    add("ffn_down", block.ffn_down);
  }

  void add_block(const model::ResearchMlstmBlock& block) {
    add("norm", block.norm);
    add("proj_up", block.proj_up);
    add("conv", block.conv);
    add("q", block.q);
    add("k", block.k);
    add("v", block.v);
    add("igate", block.igate);
    add("fgate", block.fgate);
    add("outnorm", block.outnorm);
    add("learnable_skip", block.learnable_skip);
    add("proj_down", block.proj_down);
  }

  void add_block(const model::ResearchSlstmBlock& block) {
    add("norm", block.norm);
    if (block.conv) add("conv", *block.conv);
    add("igate", block.igate);
    add("fgate", block.fgate);
    add("zgate", block.zgate);
    add("ogate", block.ogate);
    add("recurrent", block.recurrent);
    add("bias", block.bias);
    add("group_norm", block.group_norm);
    if (!block.ffn) return;
    add("ffn_norm", block.ffn->norm);
    add("ffn_up " + std::string(config::activation_name(block.ffn->activation)), block.ffn->up);
    add("ffn_down", block.ffn->down);
  }

  std::string describe(std::string_view place, DType dtype, const Shape& shape) const {
    return prefix_ + std::string(place) + " " + std::string(dtype_name(dtype)) + " " + shape_to_string(shape) + "\n";
  }

  std::string prefix_;
  std::vector<Part> parts_;
};

std::string bits_of(std::optional<float> value) {
  return value ? std::to_string(std::bit_cast<std::uint32_t>(*value)) : "none";
}

/// Sizes that the shapes of the weights already say are left out, and so is what changes rounding only (chunk_size).
std::string describe_config(const config::ModelConfig& config) {
  std::ostringstream text;
  text << config::architecture_name(config.architecture) << " heads " << config.num_heads << " slstm_heads "
       << config.slstm_num_heads << " norm_eps " << bits_of(config.norm_eps) << " mlstm_eps "
       << bits_of(config.mlstm_eps) << " gate_soft_cap " << bits_of(config.gate_soft_cap) << " output_logit_soft_cap "
       << bits_of(config.output_logit_soft_cap) << " slstm_function " << static_cast<int>(config.slstm_function)
       << " blocks";
  for (const config::BlockKind kind : config.blocks) text << ' ' << config::block_kind_name(kind);
  text << '\n';
  return text.str();
}

struct Chunk {
  std::size_t part = 0;
  std::span<const std::byte> bytes;
  std::string digest;
};

std::vector<Chunk> cut(const std::vector<Part>& parts) {
  std::vector<Chunk> chunks;
  for (std::size_t p = 0; p < parts.size(); ++p) {
    for (std::size_t begin = 0; begin < parts[p].bytes.size(); begin += kChunkBytes) {
      chunks.push_back({p, parts[p].bytes.subspan(begin, std::min(kChunkBytes, parts[p].bytes.size() - begin)), {}});
    }
  }
  return chunks;
}

}  // namespace

std::string model_hash(const model::Model& model, ThreadPool& pool) {
  const Parts parts(model);
  std::vector<Chunk> chunks = cut(parts.list());
  pool.parallel_for(std::ssize(chunks), [&](std::int64_t i) {
    Chunk& chunk = chunks[static_cast<std::size_t>(i)];
    chunk.digest = hash_hex(chunk.bytes);
  });
  Hasher whole;
  whole.update(describe_config(model.config));
  std::size_t next = 0;
  for (std::size_t p = 0; p < parts.list().size(); ++p) {
    whole.update(parts.list()[p].description);
    for (; next < chunks.size() && chunks[next].part == p; ++next) whole.update(chunks[next].digest);
  }
  return whole.digest();
}

}  // namespace xlstm::engine
