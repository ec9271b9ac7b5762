#include "xlstm/backend/cpu/projections.h"

#include <algorithm>
#include <array>

#include "xlstm/kernels/cpu/amx_gemm.h"
#include "xlstm/kernels/cpu/dispatch.h"
#include "xlstm/kernels/cpu/panel_gemm.h"
#include "xlstm/kernels/cpu/panel_ops.h"

namespace xlstm::backend {
namespace {

constexpr std::int64_t kMaxProjections = 8;
// Weights one claimed chunk reads: small enough to share out evenly, large enough that the start of its two streams
// does not show (128 KiB: 6 % slower from memory).
constexpr std::int64_t kMaxChunkBytes = 256 * 1024;
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

/// What a product over panels reads: panel p of x at x + p * x_stride; its three parts likewise where AMX is in use.
struct Panels {
  const float* x = nullptr;
  std::int64_t x_stride = 0;
  const std::uint16_t* parts = nullptr;
  std::int64_t parts_stride = 0;
};

bool on_amx(const model::Linear& linear) {
  return linear.weight.dtype == DType::bfloat16 && kernels::cpu_extensions().amx;
}

/// Room of the calling thread for weights on their way to a product; made once per thread.
float* gemm_scratch() {
  thread_local AlignedFloats scratch(
      static_cast<std::size_t>(std::max(kernels::kGemmScratch, kernels::kAmxScratch / 2)));
  return scratch.data();
}

/// Panels [first, first + count) times rows [begin, end).
struct Part {
  std::int64_t first, count, begin, end;
};

void multiply_panels(const model::Linear& linear, const Panels& x, const Part& part, float* y, std::int64_t y_stride,
                     Output output) {
  y += part.first * y_stride;
  const bool accumulate = output == Output::add;
  if (on_amx(linear)) {
    kernels::amx_gemm(matrix(linear), part.begin, part.end, x.parts + part.first * x.parts_stride, x.parts_stride, y,
                      y_stride, part.count, accumulate, reinterpret_cast<std::uint16_t*>(gemm_scratch()));
  } else {
    kernels::panel_gemm(matrix(linear), part.begin, part.end, x.x + part.first * x.x_stride, x.x_stride, y, y_stride,
                        part.count, accumulate, gemm_scratch());
  }
  if (linear.bias.empty()) return;
  for (std::int64_t p = 0; p < part.count; ++p) {
    kernels::panel_add_bias(y + p * y_stride + part.begin * kernels::kPanelWidth, part.end - part.begin,
                            linear.bias.data() + part.begin);
  }
}

void run_panels(const Projection& p, const Panels& x, const Part& part) {
  multiply_panels(*p.linear, x, part, p.y, p.y_stride, p.output);
  if (p.gate == nullptr) return;
  multiply_panels(*p.gate, x, part, p.gate_y, p.y_stride, Output::store);
  for (std::int64_t i = part.first; i < part.first + part.count; ++i) {
    const std::int64_t at = i * p.y_stride + part.begin * kernels::kPanelWidth;
    kernels::silu_gate_in_place(p.y + at, p.gate_y + at, (part.end - part.begin) * kernels::kPanelWidth);
  }
}

/// Into how many groups of panels a product is cut so that the least is wasted. Every group unpacks the weights again,
/// which costs about as much as half a panel's arithmetic; and when the threads do not get equal shares, each waits on
/// average for half of one task.
std::int64_t panel_groups(std::int64_t row_blocks, std::int64_t panels, int num_threads) {
  const auto waste = [&](std::int64_t groups) {
    const bool equal_shares = groups % num_threads == 0 && panels % groups == 0;
    const double tasks_per_thread = static_cast<double>(row_blocks * groups) / num_threads;
    return 0.5 * static_cast<double>(groups) / static_cast<double>(panels) +
           (equal_shares ? 0 : 0.5 / tasks_per_thread);
  };
  std::int64_t best = 1;
  for (std::int64_t groups = 2; groups <= panels; ++groups) {
    if (waste(groups) < waste(best)) best = groups;
  }
  return best;
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
  Panels input = {x, x_stride};
  std::int64_t parts_of = 0;  // columns, when a product wants the parts of x
  std::array<std::int64_t, kMaxProjections> rows{};
  Cut cut;
  for (std::size_t i = 0; i < projections.size(); ++i) {
    const model::Linear& linear = *projections[i].linear;
    const model::Linear& gate = projections[i].gate != nullptr ? *projections[i].gate : linear;
    if (on_amx(linear) || on_amx(gate)) parts_of = linear.in_dim();
    rows[i] = on_amx(linear) && on_amx(gate) ? kernels::kAmxRows : kernels::kGemmRows;
    cut.add(linear.out_dim(), rows[i]);
  }
  const std::int64_t groups = panel_groups(cut.total(), panels, pass.pool.num_threads());
  if (parts_of > 0) {
    input.parts_stride = kernels::amx_panel_size(parts_of);
    auto* parts = reinterpret_cast<std::uint16_t*>(pass.workspace.take(panels * input.parts_stride / 2));
    pass.pool.parallel_for(panels, [&](std::int64_t p) {
      kernels::amx_split_panel(x + p * x_stride, parts_of, parts + p * input.parts_stride);
    });
    input.parts = parts;
  }
  // Group by group: a thread of the pool then keeps to the panels that the call before has left in its cache.
  pass.pool.parallel_for(cut.total() * groups, [&](std::int64_t task) {
    const std::int64_t chunk = task % cut.total(), group = task / cut.total();
    const std::size_t i = cut.projection_of(chunk);
    Part part;
    part.first = group * panels / groups;
    part.count = (group + 1) * panels / groups - part.first;
    part.begin = (chunk - cut.first_chunk[i]) * rows[i];
    part.end = std::min(part.begin + rows[i], projections[i].linear->out_dim());
    run_panels(projections[i], input, part);
  });
}

}  // namespace xlstm::backend
