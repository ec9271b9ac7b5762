#include "xlstm/backend/cpu/projections.h"

#include <algorithm>
#include <array>

#include "xlstm/backend/cpu/activations.h"
#include "xlstm/backend/cpu/matrix_view.h"
#include "xlstm/backend/cpu/row_cut.h"
#include "xlstm/backend/cpu/vector_projections.h"
#include "xlstm/backend/cpu/wide_batch.h"
#include "xlstm/kernels/cpu/amx_gemm.h"
#include "xlstm/kernels/cpu/bf16_gemm.h"
#include "xlstm/kernels/cpu/dispatch.h"
#include "xlstm/kernels/cpu/panel_gemm.h"
#include "xlstm/kernels/cpu/panel_ops.h"
#include "xlstm/kernels/cpu/quantized_gemm.h"
#include "xlstm/kernels/cpu/vector_ops.h"

namespace xlstm::backend {
namespace {

using Kind = ActivationForm::Kind;

/// Room of the calling thread for weights on their way to a product; made once per thread.
std::byte* gemm_scratch() {
  constexpr std::int64_t kBytes = std::max({kernels::kGemmScratch * 4, kernels::kAmxScratch * 2,
                                            kernels::kBf16GemmScratch * 2, kernels::kQuantizedGemmScratch});
  thread_local AlignedFloats scratch(static_cast<std::size_t>(kBytes / 4));
  return reinterpret_cast<std::byte*>(scratch.data());
}

std::int64_t gemm_rows(const ActivationForm& form) {
  switch (form.kind) {
    case Kind::amx:
      return kernels::kAmxRows;
    case Kind::bfloat16:
      return kernels::kBf16GemmRows;
    case Kind::quantized:
      return kernels::kQuantizedGemmRows;
    default:
      return kernels::kGemmRows;
  }
}

/// Panels [first, first + count) times rows [begin, end).
struct Part {
  std::int64_t first, count, begin, end;
};

void multiply_panels(const Pass& pass, const model::Linear& linear, bool exact, const Activations& x, const Part& part,
                     float* y, std::int64_t y_stride, Output output) {
  const kernels::MatrixView w = matrix_view(linear);
  const ActivationRows& rows = x.find(panel_form(pass, linear, exact));
  const std::byte* const from = rows.data + part.first * rows.stride;
  const bool accumulate = output == Output::add;
  y += part.first * y_stride;
  switch (rows.form.kind) {
    case Kind::quantized:
      kernels::quantized_gemm(w, rows.form.format.type, part.begin, part.end, from, rows.stride, y, y_stride,
                              part.count, accumulate, gemm_scratch());
      break;
    case Kind::amx:
      kernels::amx_gemm(w, part.begin, part.end, reinterpret_cast<const std::uint16_t*>(from), rows.stride / 2, y,
                        y_stride, part.count, accumulate, reinterpret_cast<std::uint16_t*>(gemm_scratch()));
      break;
    case Kind::bfloat16: {
      const auto* const x16 = reinterpret_cast<const std::uint16_t*>(from);
      auto* const room = reinterpret_cast<std::uint16_t*>(gemm_scratch());
      if (kernels::cpu_extensions().amx) {
        kernels::amx_gemm(w, part.begin, part.end, x16, rows.stride / 2, y, y_stride, part.count, accumulate, room, 1);
      } else {
        kernels::bf16_gemm(w, part.begin, part.end, x16, rows.stride / 2, y, y_stride, part.count, accumulate, room);
      }
      break;
    }
    default:
      kernels::panel_gemm(w, part.begin, part.end, reinterpret_cast<const float*>(from), rows.float_stride(), y,
                          y_stride, part.count, accumulate, reinterpret_cast<float*>(gemm_scratch()));
  }
  if (linear.bias.empty()) return;
  for (std::int64_t p = 0; p < part.count; ++p) {
    kernels::panel_add_bias(y + p * y_stride + part.begin * kernels::kPanelWidth, part.end - part.begin,
                            linear.bias.data() + part.begin);
  }
}

void run_panels(const Pass& pass, const Projection& p, const Activations& x, const Part& part) {
  multiply_panels(pass, *p.linear, p.exact, x, part, p.y, p.y_stride, p.output);
  if (p.gate == nullptr) return;
  multiply_panels(pass, *p.gate, p.exact, x, part, p.gate_y, p.y_stride, Output::store);
  for (std::int64_t i = part.first; i < part.first + part.count; ++i) {
    const std::int64_t at = i * p.y_stride + part.begin * kernels::kPanelWidth;
    kernels::silu_gate_in_place(p.y + at, p.gate_y + at, (part.end - part.begin) * kernels::kPanelWidth);
  }
}

/// A multiple of the rows of every register tile (16 on AMX, else 12 or fewer) that divides gemm_rows of every form.
std::int64_t tile_rows() { return kernels::cpu_extensions().amx ? 16 : 12; }

/// Into how many groups of panels a product of `rows` rows is cut so that the least is wasted. Every group unpacks the
/// weights again, which costs about as much as half a panel's arithmetic; a thread that shares a group with others
/// reads panels that are in their caches, which costs about as much as the arithmetic of so many rows; and when the
/// threads do not get equal shares, each waits on average for half of one task.
std::int64_t panel_groups(const RowCut& cut, std::int64_t rows, std::int64_t panels, int num_threads) {
  constexpr double kRowsOfOthersPanels = 48;  // bard-8m, of 256 to 1408 rows: 1.15 x with a group a thread
  const auto waste = [&](std::int64_t groups) {
    const bool equal_shares = groups == 1 ? cut.equal_shares() : groups % num_threads == 0 && panels % groups == 0;
    const double tasks_per_thread = static_cast<double>(cut.total() * groups) / num_threads;
    return 0.5 * static_cast<double>(groups) / static_cast<double>(panels) +
           (groups < num_threads ? kRowsOfOthersPanels / static_cast<double>(rows) : 0) +
           (equal_shares ? 0 : 0.5 / tasks_per_thread);
  };
  std::int64_t best = 1;
  for (std::int64_t groups = 2; groups <= panels; ++groups) {
    if (waste(groups) < waste(best)) best = groups;
  }
  return best;
}

}  // namespace

void project(const Pass& pass, const float* x, std::int64_t batch, std::span<const Projection> projections) {
  const std::int64_t through_panels = pass.batch_invariant ? 0 : panel_rows(pass, batch, projections);
  if (through_panels == 0) return project_vectors(pass, x, batch, projections);
  project_through_panels(pass, x, through_panels, projections);
  if (through_panels == batch) return;
  std::array<Projection, kMaxProjections> rest;
  std::copy(projections.begin(), projections.end(), rest.begin());
  for (Projection& p : rest) {
    p.y += through_panels * p.y_stride;
    if (p.gate_y != nullptr) p.gate_y += through_panels * p.y_stride;
  }
  x += through_panels * projections.front().linear->in_dim();
  project_vectors(pass, x, batch - through_panels, std::span(rest).first(projections.size()));
}

void project_panels(const Pass& pass, const float* x, std::int64_t x_stride, std::int64_t panels,
                    std::span<const Projection> projections) {
  Activations input(pass, x, x_stride, panels, projections.front().linear->in_dim());
  RowCut cut(pass.pool.num_threads(), tile_rows());
  std::int64_t all_rows = 0;
  for (const Projection& p : projections) {
    const ActivationForm form = panel_form(pass, *p.linear, p.exact);
    input.want_panels(form);
    std::int64_t max_rows = gemm_rows(form);
    if (p.gate != nullptr) {
      const ActivationForm gate_form = panel_form(pass, *p.gate, p.exact);
      input.want_panels(gate_form);
      max_rows = std::min(max_rows, gemm_rows(gate_form));
    }
    cut.add(p.linear->out_dim(), max_rows);
    all_rows += (p.gate != nullptr ? 2 : 1) * p.linear->out_dim();
  }
  const std::int64_t groups = panel_groups(cut, all_rows, panels, pass.pool.num_threads());
  // Group by group: a thread of the pool then keeps to the panels that the call before has left in its cache.
  pass.pool.parallel_for(cut.total() * groups, [&](std::int64_t task) {
    const RowCut::Part rows = cut.at(task % cut.total());
    const std::int64_t group = task / cut.total(), first = group * panels / groups;
    run_panels(pass, projections[rows.projection], input,
               {first, (group + 1) * panels / groups - first, rows.begin, rows.end});
  });
}

}  // namespace xlstm::backend
