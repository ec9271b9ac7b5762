#include "xlstm/backend/cpu/observe.h"

#include <vector>

#include "xlstm/kernels/cpu/panel.h"
#include "xlstm/kernels/cpu/panel_ops.h"

namespace xlstm::backend {
namespace {

constexpr std::int64_t W = kernels::kPanelWidth;

std::span<const float> rows_of(const float* x, std::int64_t rows, std::int64_t cols) {
  return {x, static_cast<std::size_t>(rows * cols)};
}

std::vector<float> rows_of_panels(const float* x, std::int64_t stride, std::int64_t rows, std::int64_t cols) {
  std::vector<float> out(static_cast<std::size_t>(rows * cols));
  for (std::int64_t t = 0; t < rows; ++t) {
    kernels::panel_get_lane(x + t / W * stride, cols, static_cast<int>(t % W), out.data() + t * cols);
  }
  return out;
}

void show(Observer& observer, std::span<const float> x, std::span<const Projection> projections) {
  for (const Projection& p : projections) {
    observer.on_input(*p.linear, x);
    if (p.gate != nullptr) observer.on_input(*p.gate, x);
  }
}

}  // namespace

void observe_input(const Pass& pass, const float* x, std::span<const Projection> projections) {
  show(*pass.observer, rows_of(x, pass.rows, projections.front().linear->in_dim()), projections);
}

void observe_panel_input(const Pass& pass, const float* x, std::int64_t stride,
                         std::span<const Projection> projections) {
  show(*pass.observer, rows_of_panels(x, stride, pass.rows, projections.front().linear->in_dim()), projections);
}

void observe_stream(const Pass& pass, std::size_t depth, const float* x) {
  if (pass.observer == nullptr) return;
  pass.observer->on_stream(depth, rows_of(x, pass.rows, pass.model.config.embedding_dim));
}

void observe_panel_stream(const Pass& pass, std::size_t depth, const float* x) {
  if (pass.observer == nullptr) return;
  const std::int64_t dim = pass.model.config.embedding_dim;
  pass.observer->on_stream(depth, rows_of_panels(x, dim * W, pass.rows, dim));
}

}  // namespace xlstm::backend
