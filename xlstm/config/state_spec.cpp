#include "xlstm/config/state_spec.h"

#include <utility>

namespace xlstm::config {
namespace {

constexpr std::int64_t kAlignFloats = 16;  // one cache line

class SpecBuilder {
 public:
  void begin_block() { spec_.first_tensor.push_back(spec_.tensors.size()); }

  void add(std::string name, Shape shape, bool is_matrix_memory = false) {
    const std::int64_t size = shape_size(shape);
    spec_.tensors.push_back({std::move(name), std::move(shape), spec_.slot_size, size, is_matrix_memory});
    spec_.slot_size += (size + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
  }

  StateSpec take() { return std::move(spec_); }

 private:
  StateSpec spec_;
};

void add_large_block(SpecBuilder& builder, const ModelConfig& config, const std::string& index) {
  const std::int64_t heads = config.num_heads, qk = config.qk_head_dim(), v = config.v_head_dim();
  builder.add(index + ".c", {heads, qk, v}, /*is_matrix_memory=*/true);
  builder.add(index + ".n", {heads, qk});
  builder.add(index + ".m", {heads, 1});
}

void add_research_mlstm_block(SpecBuilder& builder, const ModelConfig& config, const std::string& block) {
  const std::int64_t heads = config.num_heads, dim = config.qk_head_dim();
  builder.add(block + ".mlstm_state.0", {1, heads, dim, dim}, /*is_matrix_memory=*/true);
  builder.add(block + ".mlstm_state.1", {1, heads, dim, 1});
  builder.add(block + ".mlstm_state.2", {1, heads, 1, 1});
  builder.add(block + ".conv_state.0", {1, config.mlstm_conv1d_kernel_size, config.v_dim});
}

void add_slstm_block(SpecBuilder& builder, const ModelConfig& config, const std::string& block) {
  const std::int64_t states = config.slstm_function == SlstmFunction::slstm ? 4 : 2;
  builder.add(block + ".slstm_state.0", {states, 1, config.embedding_dim});
  if (config.slstm_conv1d_kernel_size > 0) {
    builder.add(block + ".conv_state.0", {1, config.slstm_conv1d_kernel_size, config.embedding_dim});
  }
}

}  // namespace

std::size_t StateSpec::nbytes(DType state_dtype) const noexcept {
  std::size_t bytes = 0;
  for (const StateTensor& tensor : tensors)
    bytes += static_cast<std::size_t>(tensor.size) * dtype_size(tensor.stored_dtype(state_dtype));
  return bytes;
}

StateSpec make_state_spec(const ModelConfig& config) {
  SpecBuilder builder;
  for (std::int64_t b = 0; b < config.num_blocks; ++b) {
    const std::string index = std::to_string(b);
    builder.begin_block();
    if (config.architecture == Architecture::large) {
      add_large_block(builder, config, index);
    } else if (config.blocks[static_cast<std::size_t>(b)] == BlockKind::mlstm) {
      add_research_mlstm_block(builder, config, "block_" + index);
    } else {
      add_slstm_block(builder, config, "block_" + index);
    }
  }
  return builder.take();
}

}  // namespace xlstm::config
