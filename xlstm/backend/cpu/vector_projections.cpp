#include "xlstm/backend/cpu/vector_projections.h"

#include <algorithm>
#include <array>

#include "xlstm/backend/cpu/activations.h"
#include "xlstm/backend/cpu/matrix_view.h"
#include "xlstm/kernels/cpu/gemv.h"
#include "xlstm/kernels/cpu/panel_ops.h"

namespace xlstm::backend {
namespace {

// Weights of one matrix that a claimed chunk reads: small enough to share out evenly, large enough that a new place to
// read at does not show (64 KiB: 4 % slower from memory).
constexpr std::int64_t kMaxChunkBytes = 512 * 1024;
// But of a small matrix every thread has one chunk, as what a chunk costs by itself shows there.
constexpr std::int64_t kMinChunkBytes = 64 * 1024;
constexpr std::int64_t kChunksPerThread = 4;
// Short rows are cheapest in so many at a time, on the widest target.
constexpr std::int64_t kRowsTogether = 16, kShortRowBytes = 1024;

/// A matrix and the activations it meets.
struct Product {
  kernels::MatrixView w;
  const float* bias = nullptr;  // null: none
  ActivationRows x;
};

/// A projection, and room for a product that is added to y, which is read only by the chunk that adds to it.
struct Task {
  Product product, gate;  // gate without rows: none
  float* y = nullptr;
  float* gate_y = nullptr;
  std::int64_t y_stride = 0;
  float* sums = nullptr;  // [batch, rows]; null: the product replaces y
};

/// f(begin, end) for each stream of rows.
template <class F>
void for_each_stream(const kernels::RowRange& rows, const F& f) {
  f(rows.begin, rows.end);
  if (rows.offset != 0) f(rows.begin + rows.offset, rows.end + rows.offset);
}

/// Rows of W x + b for each of the batch; y: [batch, out_dim] with rows y_stride apart.
void multiply(const Product& p, std::int64_t batch, const kernels::RowRange& rows, float* y, std::int64_t y_stride) {
  float* const out = y + rows.begin;
  if (p.x.form.kind == ActivationForm::Kind::quantized) {
    kernels::quantized_gemv(p.w, p.x.form.format.type, rows, p.x.data, p.x.stride, batch, out, y_stride);
  } else {
    kernels::gemv(p.w, rows, p.x.floats(), p.x.float_stride(), batch, out, y_stride);
  }
  if (p.bias == nullptr) return;
  for_each_stream(rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = 0; b < batch; ++b) {
      kernels::add_in_place(y + b * y_stride + begin, p.bias + begin, end - begin);
    }
  });
}

void run_rows(const Task& t, std::int64_t batch, const kernels::RowRange& rows) {
  if (t.sums != nullptr) {
    const std::int64_t dim = t.product.w.rows;
    multiply(t.product, batch, rows, t.sums, dim);
    for_each_stream(rows, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t b = 0; b < batch; ++b) {
        kernels::add_in_place(t.y + b * t.y_stride + begin, t.sums + b * dim + begin, end - begin);
      }
    });
    return;
  }
  multiply(t.product, batch, rows, t.y, t.y_stride);
  if (t.gate.w.rows == 0) return;
  multiply(t.gate, batch, rows, t.gate_y, t.y_stride);
  for_each_stream(rows, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t b = 0; b < batch; ++b) {
      const std::int64_t at = b * t.y_stride + begin;
      kernels::silu_gate_in_place(t.y + at, t.gate_y + at, end - begin);
    }
  });
}

/// Rows of the first half of a matrix, which has the middle one of an odd number.
std::int64_t first_half(const Task& t) { return (t.product.w.rows + 1) / 2; }

std::int64_t row_bytes(const kernels::MatrixView& w) {
  if (!w.quantized()) return w.row_bytes();
  return w.row_bytes() + 2 * (w.cols / w.groups.group_size) * static_cast<std::int64_t>(dtype_size(w.groups.dtype));
}

std::int64_t row_bytes(const Task& t) {
  return row_bytes(t.product.w) + (t.gate.w.rows != 0 ? row_bytes(t.gate.w) : 0);
}

/// All tasks of a call, and how their rows are cut into chunks. Threads get it whole, without a pointer to what the
/// caller has on its stack: each line of that would be another wait for the caller's cache.
class Job {
 public:
  explicit Job(std::int64_t batch) : batch_(batch) {}

  Task& add() { return tasks_[count_++]; }

  /// A chunk is as many rows of a matrix's first half as of its second: a thread's chunks follow each other in memory,
  /// so its two streams run on from chunk to chunk.
  void cut(int num_threads) {
    std::int64_t total = 0;
    for (std::size_t i = 0; i < count_; ++i) total += row_bytes(tasks_[i]) * tasks_[i].product.w.rows;
    const std::int64_t target = std::clamp(total / (num_threads * kChunksPerThread), kMinChunkBytes, kMaxChunkBytes);
    for (std::size_t i = 0; i < count_; ++i) {
      const Task& t = tasks_[i];
      const std::int64_t matrices = t.gate.w.rows != 0 ? 2 : 1, half = first_half(t);
      const std::int64_t wanted = 2 * half * row_bytes(t) / (matrices * target);
      // Every thread gets as many, so that all end together.
      std::int64_t chunks = (wanted + num_threads - 1) / num_threads * num_threads;
      if (chunks == 0) chunks = half < kRowsTogether * num_threads ? 1 : num_threads;
      std::int64_t rows = (half + chunks - 1) / chunks;
      if (row_bytes(t.product.w) < kShortRowBytes) rows = (rows + kRowsTogether - 1) / kRowsTogether * kRowsTogether;
      rows_per_chunk_[i] = rows;
      first_chunk_[i + 1] = first_chunk_[i] + (half + rows - 1) / rows;
    }
  }

  std::int64_t num_chunks() const { return first_chunk_[count_]; }

  void operator()(std::int64_t chunk) const {
    std::size_t i = 0;
    while (chunk >= first_chunk_[i + 1]) ++i;
    const Task& t = tasks_[i];
    const std::int64_t half = first_half(t), begin = (chunk - first_chunk_[i]) * rows_per_chunk_[i];
    std::int64_t end = std::min(begin + rows_per_chunk_[i], half);
    if (half + end > t.product.w.rows) {  // the row in the middle of an odd number
      --end;
      run_rows(t, batch_, {end, end + 1});
    }
    if (begin < end) run_rows(t, batch_, {begin, end, half});
  }

 private:
  std::int64_t batch_;
  std::size_t count_ = 0;
  std::array<std::int64_t, kMaxProjections + 1> first_chunk_{};
  std::array<std::int64_t, kMaxProjections> rows_per_chunk_{};
  std::array<Task, kMaxProjections> tasks_;
};

Product make_product(const Pass& pass, const model::Linear& linear, bool exact, Activations& input) {
  const ActivationForm form = vector_form(pass, linear, exact);
  input.want_vectors(form);
  return {matrix_view(linear), linear.bias.empty() ? nullptr : linear.bias.data(), input.find(form)};
}

}  // namespace

void project_vectors(const Pass& pass, const float* x, std::int64_t batch, std::span<const Projection> projections) {
  const std::int64_t cols = projections.front().linear->in_dim();
  Activations input(pass, x, cols, batch, cols);
  Job job(batch);
  for (const Projection& p : projections) {
    Task& task = job.add();
    task.product = make_product(pass, *p.linear, p.exact, input);
    if (p.gate != nullptr) task.gate = make_product(pass, *p.gate, p.exact, input);
    task.y = p.y;
    task.gate_y = p.gate_y;
    task.y_stride = p.y_stride;
    if (p.output == Output::add) task.sums = pass.workspace.take(batch * p.linear->out_dim());
  }
  job.cut(pass.pool.num_threads());
  pass.pool.parallel_for(job.num_chunks(), job);
}

}  // namespace xlstm::backend
