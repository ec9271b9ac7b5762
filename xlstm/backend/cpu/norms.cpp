#include "xlstm/backend/cpu/norms.h"

#include "xlstm/kernels/cpu/panel.h"
#include "xlstm/kernels/cpu/panel_ops.h"
#include "xlstm/kernels/cpu/vector_ops.h"

namespace xlstm::backend {

void decode_rms_norm(const Pass& pass, const model::Norm& norm, std::int64_t batch, const float* x, float* to) {
  const std::int64_t dim = pass.model.config.embedding_dim;
  const float eps = pass.model.config.norm_eps;
  pass.pool.parallel_for(batch, [&](std::int64_t b) {
    kernels::rms_norm(x + b * dim, dim, norm.weight.data(), norm.bias.data(), eps, to + b * dim);
  });
}

void decode_layer_norm(const Pass& pass, const model::Norm& norm, std::int64_t batch, const float* x, float* to) {
  const std::int64_t dim = pass.model.config.embedding_dim;
  const float eps = pass.model.config.norm_eps;
  pass.pool.parallel_for(batch, [&](std::int64_t b) {
    kernels::group_norm(x + b * dim, dim, 1, norm.weight.data(), norm.bias.data(), eps, to + b * dim);
  });
}

void prefill_rms_norm(const Pass& pass, const model::Norm& norm, std::int64_t panels, const float* x, float* to) {
  const std::int64_t dim = pass.model.config.embedding_dim, stride = dim * kernels::kPanelWidth;
  const float eps = pass.model.config.norm_eps;
  pass.pool.parallel_for(panels, [&](std::int64_t p) {
    kernels::panel_rms_norm(x + p * stride, dim, norm.weight.data(), norm.bias.data(), eps, to + p * stride);
  });
}

void prefill_layer_norm(const Pass& pass, const model::Norm& norm, std::int64_t panels, const float* x, float* to) {
  const std::int64_t dim = pass.model.config.embedding_dim, stride = dim * kernels::kPanelWidth;
  const float eps = pass.model.config.norm_eps;
  pass.pool.parallel_for(panels, [&](std::int64_t p) {
    kernels::panel_group_norm(x + p * stride, dim, 1, norm.weight.data(), norm.bias.data(), eps, to + p * stride);
  });
}

}  // namespace xlstm::backend
