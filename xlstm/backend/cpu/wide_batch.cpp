#include "xlstm/backend/cpu/wide_batch.h"

#include <algorithm>
#include <array>

#include "xlstm/backend/cpu/activations.h"
#include "xlstm/kernels/cpu/dispatch.h"
#include "xlstm/kernels/cpu/panel.h"
#include "xlstm/kernels/cpu/panel_ops.h"
#include "xlstm/kernels/cpu/vector_ops.h"

namespace xlstm::backend {
namespace {

constexpr std::int64_t W = kernels::kPanelWidth;

/// A panel costs the arithmetic of 16 rows whatever it holds: the least rows for which that is less than the products
/// of vectors, as `xlstm bench --sweep batch=4,8,16` measured it at 1.3b with and without --no-batch-invariant.
struct Crossover {
  bool kernels::CpuExtensions::*extension;  // of the CPU target; null: every other
  std::int64_t floats, quantized;           // weights met by float and by integer activations
};
constexpr std::array<Crossover, 3> kCrossovers = {
    {{&kernels::CpuExtensions::amx, 9, 12}, {&kernels::CpuExtensions::avx512_vnni, 12, 13}, {nullptr, 12, 15}}};

/// `batch` rows of x [batch, cols] as panels; the lanes of no row are zeros.
const float* panels_of(const Pass& pass, const float* x, std::int64_t batch, std::int64_t cols) {
  const std::int64_t panels = kernels::num_panels(batch);
  float* const out = pass.workspace.take(panels * cols * W);
  pass.pool.parallel_for(panels, [&](std::int64_t p) {
    float* const panel = out + p * cols * W;
    const std::int64_t rows = std::min(W, batch - p * W);
    if (rows < W) std::fill_n(panel, cols * W, 0.0f);
    for (std::int64_t lane = 0; lane < rows; ++lane) {
      kernels::panel_set_lane(panel, cols, static_cast<int>(lane), x + (p * W + lane) * cols);
    }
  });
  return out;
}

/// Row b of panels [panels][dim][16] to p's y; room: [dim].
void take_row(const Projection& p, const float* panels, std::int64_t b, float* room) {
  const std::int64_t dim = p.linear->out_dim();
  const float* const panel = panels + b / W * dim * W;
  float* const y = p.y + b * p.y_stride;
  const auto lane = static_cast<int>(b % W);
  if (p.output == Output::store) return kernels::panel_get_lane(panel, dim, lane, y);
  kernels::panel_get_lane(panel, dim, lane, room);
  kernels::add_in_place(y, room, dim);
}

}  // namespace

std::int64_t panel_crossover(bool quantized) {
  const kernels::CpuExtensions cpu = kernels::cpu_extensions();
  const auto row = std::find_if(kCrossovers.begin(), kCrossovers.end() - 1,
                                [&](const Crossover& c) { return c.extension != nullptr && cpu.*c.extension; });
  return quantized ? row->quantized : row->floats;
}

std::int64_t panel_rows(const Pass& pass, std::int64_t batch, std::span<const Projection> projections) {
  const Projection& first = projections.front();
  const bool quantized = panel_form(pass, *first.linear, first.exact).kind == ActivationForm::Kind::quantized;
  return batch % W >= panel_crossover(quantized) ? batch : batch / W * W;
}

void project_through_panels(const Pass& pass, const float* x, std::int64_t batch,
                            std::span<const Projection> projections) {
  const std::int64_t cols = projections.front().linear->in_dim(), panels = kernels::num_panels(batch);
  const float* const in = panels_of(pass, x, batch, cols);
  std::array<Projection, kMaxProjections> through;
  std::int64_t widest = 0;
  for (std::size_t i = 0; i < projections.size(); ++i) {
    const std::int64_t dim = projections[i].linear->out_dim();
    through[i] = projections[i];
    through[i].output = Output::store;
    through[i].y_stride = dim * W;
    through[i].y = pass.workspace.take(panels * dim * W);
    if (through[i].gate != nullptr) through[i].gate_y = pass.workspace.take(panels * dim * W);
    widest = std::max(widest, dim);
  }
  project_panels(pass, in, cols * W, panels, std::span(through).first(projections.size()));
  float* const room = pass.workspace.take(batch * widest);
  pass.pool.parallel_for(batch, [&](std::int64_t b) {
    for (std::size_t i = 0; i < projections.size(); ++i) {
      take_row(projections[i], through[i].y, b, room + b * widest);
    }
  });
}

}  // namespace xlstm::backend
