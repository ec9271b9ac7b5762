#include "xlstm/backend/cpu/projections.h"

#include <algorithm>
#include <array>

#include "xlstm/kernels/cpu/panel_gemm.h"
#include "xlstm/kernels/cpu/panel_ops.h"

namespace xlstm::backend {
namespace {

constexpr std::int64_t kMaxProjections = 8;
// Weights one claimed chunk reads: small enough to share out evenly, large enough that the claim (about 50 ns) and the
// start of a stream do not show.
constexpr std::int64_t kMaxChunkBytes = 128 * 1024;
constexpr std::int64_t kMinChunkBytes = 8 * 1024;
constexpr std::int64_t kChunksPerThread = 4;

// Cuts the rows of several projections into chunks; chunk i of all is rows [begin, end) of one projection.
struct Cut {
  std::array<std::int64_t, kMaxProjections> rows_per_chunk{};
  std::array<std::int64_t, kMaxProjections + 1> first_chunk{};
  std::size_t count = 0;

  void add(std::int64_t rows, std::int64_t per_chunk) {
    rows_per_chunk[count] = per_chunk;
    first_chunk[count + 1] = first_chunk[count] + (rows + per_chunk - 1) / per_chunk;
    ++count;
  }
  std::int64_t total() const { return first_chunk[count]; }
  std::size_t projection_of(std::int64_t chunk) const {
    std::size_t i = 0;
    while (chunk >= first_chunk[i + 1]) ++i;
    return i;
  }
};

std::int64_t row_bytes(const Projection& p) {
  const std::int64_t bytes = p.linear->in_dim() * static_cast<std::int64_t>(dtype_size(p.linear->weight.dtype));
  return p.gate != nullptr ? 2 * bytes : bytes;
}

Cut cut_by_bytes(std::span<const Projection> projections, int num_threads) {
  std::int64_t total = 0;
  for (const Projection& p : projections) total += row_bytes(p) * p.linear->out_dim();
  const std::int64_t target = std::clamp(total / (num_threads * kChunksPerThread), kMinChunkBytes, kMaxChunkBytes);
  Cut cut;
  for (const Projection& p : projections) {
    const std::int64_t rows =
        std::max<std::int64_t>(2, target / row_bytes(p) / 2 * 2);  // pairs of rows share a load of x
    cut.add(p.linear->out_dim(), rows);
  }
  return cut;
}

const float* input_for(const model::Linear& linear, const Vectors& x) {
  return linear.weight.dtype == DType::bfloat16 ? x.permuted : x.natural;
}

/// Rows [begin, end) of W x + b for each of the batch; y is where row `begin` of the first goes.
void multiply(const model::Linear& linear, const Vectors& x, std::int64_t batch, std::int64_t begin, std::int64_t end,
              float* y, std::int64_t y_stride) {
  kernels::gemv(matrix(linear), begin, end, input_for(linear, x), x.size, batch, y, y_stride);
  if (linear.bias.empty()) return;
  for (std::int64_t b = 0; b < batch; ++b)
    kernels::add_in_place(y + b * y_stride, linear.bias.data() + begin, end - begin);
}

void run_rows(const Projection& p, const Vectors& x, std::int64_t batch, std::int64_t begin, std::int64_t end,
              float* sums) {
  const std::int64_t width = end - begin;
  float* y = p.y + begin;
  if (p.output == Output::add) {
    multiply(*p.linear, x, batch, begin, end, sums, width);
    for (std::int64_t b = 0; b < batch; ++b) kernels::add_in_place(y + b * p.y_stride, sums + b * width, width);
    return;
  }
  multiply(*p.linear, x, batch, begin, end, y, p.y_stride);
  if (p.gate == nullptr) return;
  float* gate_y = p.gate_y + begin;
  multiply(*p.gate, x, batch, begin, end, gate_y, p.y_stride);
  for (std::int64_t b = 0; b < batch; ++b) {
    kernels::silu_gate_in_place(y + b * p.y_stride, gate_y + b * p.y_stride, width);
  }
}

void multiply_panels(const model::Linear& linear, const float* x, std::int64_t x_stride, float* y,
                     std::int64_t y_stride, std::int64_t panels, std::int64_t begin, std::int64_t end, Output output,
                     float* scratch) {
  kernels::panel_gemm(matrix(linear), begin, end, x, x_stride, y, y_stride, panels, output == Output::add, scratch);
  if (linear.bias.empty()) return;
  for (std::int64_t p = 0; p < panels; ++p) {
    kernels::panel_add_bias(y + p * y_stride + begin * kernels::kPanelWidth, end - begin, linear.bias.data() + begin);
  }
}

void run_panels(const Projection& p, const float* x, std::int64_t x_stride, std::int64_t first, std::int64_t panels,
                std::int64_t begin, std::int64_t end, float* scratch) {
  const float* from = x + first * x_stride;
  float* y = p.y + first * p.y_stride;
  multiply_panels(*p.linear, from, x_stride, y, p.y_stride, panels, begin, end, p.output, scratch);
  if (p.gate == nullptr) return;
  float* gate_y = p.gate_y + first * p.y_stride;
  multiply_panels(*p.gate, from, x_stride, gate_y, p.y_stride, panels, begin, end, Output::store, scratch);
  for (std::int64_t i = 0; i < panels; ++i) {
    const std::int64_t at = i * p.y_stride + begin * kernels::kPanelWidth;
    kernels::silu_gate_in_place(y + at, gate_y + at, (end - begin) * kernels::kPanelWidth);
  }
}

/// Scratch of the calling thread for panel_gemm; made once per thread.
float* gemm_scratch() {
  thread_local AlignedFloats scratch(static_cast<std::size_t>(kernels::kGemmScratch));
  return scratch.data();
}

}  // namespace

kernels::MatrixView matrix(const model::Linear& linear) {
  return {linear.weight.dtype, linear.weight.data, linear.out_dim(), linear.in_dim()};
}

Vectors take_vectors(const Pass& pass, std::int64_t batch, std::int64_t size) {
  return {pass.workspace.take(batch * size), pass.workspace.take(batch * size), size};
}

void prepare(const Pass& pass, const Vectors& x, std::int64_t batch) {
  pass.pool.parallel_for(batch, [&](std::int64_t b) {
    kernels::gemv_prepare(DType::bfloat16, x.natural + b * x.size, x.size, x.permuted + b * x.size);
  });
}

void project(const Pass& pass, const Vectors& x, std::int64_t batch, std::span<const Projection> projections) {
  const Cut cut = cut_by_bytes(projections, pass.pool.num_threads());
  // Sums that are added to y pass through room of their own, one row range per chunk: y is read only by its own chunk.
  std::array<float*, kMaxProjections> sums{};
  for (std::size_t i = 0; i < projections.size(); ++i) {
    if (projections[i].output == Output::add) sums[i] = pass.workspace.take(batch * projections[i].linear->out_dim());
  }
  pass.pool.parallel_for(cut.total(), [&](std::int64_t chunk) {
    const std::size_t i = cut.projection_of(chunk);
    const Projection& p = projections[i];
    const std::int64_t begin = (chunk - cut.first_chunk[i]) * cut.rows_per_chunk[i];
    const std::int64_t end = std::min(begin + cut.rows_per_chunk[i], p.linear->out_dim());
    run_rows(p, x, batch, begin, end, sums[i] != nullptr ? sums[i] + batch * begin : nullptr);
  });
}

void project_panels(const Pass& pass, const float* x, std::int64_t x_stride, std::int64_t panels,
                    std::span<const Projection> projections) {
  Cut cut;
  for (const Projection& p : projections) cut.add(p.linear->out_dim(), kernels::kGemmRows);
  // Few row blocks: cut the panels as well, so that no thread waits long for the last block of another.
  const std::int64_t wanted = pass.pool.num_threads() * 2 * kChunksPerThread;
  const std::int64_t groups = std::clamp<std::int64_t>(wanted / cut.total(), 1, panels);
  const std::int64_t per_group = (panels + groups - 1) / groups;
  pass.pool.parallel_for(cut.total() * groups, [&](std::int64_t task) {
    const std::int64_t chunk = task / groups, first = task % groups * per_group;
    const std::int64_t count = std::min(per_group, panels - first);
    if (count <= 0) return;
    const std::size_t i = cut.projection_of(chunk);
    const std::int64_t begin = (chunk - cut.first_chunk[i]) * kernels::kGemmRows;
    const std::int64_t end = std::min(begin + kernels::kGemmRows, projections[i].linear->out_dim());
    run_panels(projections[i], x, x_stride, first, count, begin, end, gemm_scratch());
  });
}

}  // namespace xlstm::backend
