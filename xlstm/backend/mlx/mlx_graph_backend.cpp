// "mlx": the reference graph behind the Backend interface.
#include <algorithm>
#include <utility>

#include "xlstm/backend/mlx/mlx_backend.h"
#include "xlstm/backend/mlx/mlx_state.h"
#include "xlstm/backend/mlx/network.h"
#include "xlstm/base/error.h"
#include "xlstm/base/log.h"
#include "xlstm/checkpoint/available_memory.h"

namespace xlstm::backend {
namespace mlx {
namespace {

MlxState& own_state(State* state) {
  auto* const own = dynamic_cast<MlxState*>(state);
  if (own == nullptr) fail(ErrorCode::invalid_argument, "mlx", "expected a state of this backend but got another's");
  return *own;
}

void copy_logits(const NetworkOutput& out, std::span<float> to) {
  if (out.logits) std::copy_n(out.logits->data<float>(), to.size(), to.data());
}

void require_weight_memory(const model::Model& model) {
  const auto bytes = static_cast<std::size_t>(model.num_parameters) * sizeof(float);
  checkpoint::require_memory(bytes, "mlx", "float32 copies of the weights",
                             [] { return checkpoint::available_memory_bytes(); });
}

void log_start(const Network& network) {
  log(LogLevel::debug, "[mlx] MLX " + mlx_version() + ", " + std::to_string(network.weight_bytes()) +
                           " bytes of float32 weights, BLAS " + blas_library());
  if (!blas_is_openblas()) {
    log(LogLevel::warning, "[mlx] expected OpenBLAS in front of libmlx but cblas_sgemm is from " + blas_library() +
                               ": float32 matmul runs 14 to 45 times slower");
  }
}

// Slow on x86, on purpose simple: MLX's CPU ops run one at a time on one thread, libmlx has no AVX (exp, tanh and the
// like are scalar), each op costs 2-4 us, and a matrix-vector product goes through sgemm (10 of 34 GB/s). On two Zen 3
// cores bard-8m prefills 1,150 and decodes 95 tokens a second. mx::compile would change little: it fuses only pointwise
// ops, calls g++ at run time, and made a gated block no faster (311 us either way).
class MlxBackend : public Backend {
 public:
  MlxBackend(std::shared_ptr<const model::Model> model, const Options& options)
      : model_(std::move(model)), num_threads_(set_blas_threads(options.num_threads)), network_(*model_) {
    if (options.activation_dtype.value_or(DType::float32) != DType::float32) {
      fail(ErrorCode::unsupported, "activation dtype", "expected float32 with the backend mlx but got ",
           dtype_name(*options.activation_dtype));
    }
    log_start(network_);
  }

  std::string_view name() const noexcept override { return "mlx"; }
  const model::Model& model() const noexcept override { return *model_; }
  int num_threads() const noexcept override { return num_threads_; }
  bool batch_invariant() const noexcept override { return false; }
  std::size_t repacked_bytes() const noexcept override { return network_.weight_bytes(); }
  std::unique_ptr<State> make_state() override { return std::make_unique<MlxState>(model_); }
  std::size_t prefill_segment() const noexcept override { return static_cast<std::size_t>(model_->config.chunk_size); }

  void prefill(std::span<const PrefillRow> rows) override {
    owner_.check();
    check_rows(*model_, rows);
    for (const PrefillRow& row : rows) own_state(row.state);
    on_stream([&] {
      for (const PrefillRow& row : rows) prefill_row(row);
    });
  }

  void decode(std::span<const DecodeRow> rows) override {
    owner_.check();
    check_rows(*model_, rows);
    for (const DecodeRow& row : rows) own_state(row.state);
    on_stream([&] {
      for (const DecodeRow& row : rows) decode_row(row);
    });
  }

 private:
  // Chunk by chunk; the state moves on when all of the row has succeeded.
  void prefill_row(const PrefillRow& row) const {
    MlxState& state = own_state(row.state);
    std::vector<mx::array> tensors = state.tensors();
    const auto vocab = static_cast<std::size_t>(model_->config.vocab_size);
    for (std::size_t done = 0; done < row.tokens.size();) {
      const std::size_t count = std::min(prefill_segment(), row.tokens.size() - done);
      const bool last = done + count == row.tokens.size();
      const Logits wanted = row.wanted == Logits::last && !last ? Logits::none : row.wanted;
      NetworkOutput out = network_.forward(row.tokens.subspan(done, count), tensors, wanted, Form::chunk);
      copy_logits(out, wanted == Logits::all ? row.logits.subspan(done * vocab, count * vocab) : row.logits);
      tensors = std::move(out.state);
      done += count;
    }
    state.assign(std::move(tensors));
  }

  void decode_row(const DecodeRow& row) const {
    MlxState& state = own_state(row.state);
    NetworkOutput out = network_.forward({&row.token, 1}, state.tensors(), Logits::last, Form::step);
    copy_logits(out, row.logits);
    state.assign(std::move(out.state));
  }

  OwnerThread owner_;
  std::shared_ptr<const model::Model> model_;
  int num_threads_;
  Network network_;
};

}  // namespace
}  // namespace mlx

std::unique_ptr<Backend> make_mlx_backend(std::shared_ptr<const model::Model> model, const Options& options) {
  check_mlx_version();
  if (options.state_dtype != DType::float32) {
    fail(ErrorCode::unsupported, "mlx", "expected a state of float32, all that the reference graph has, but got ",
         dtype_name(options.state_dtype));
  }
  mlx::require_weight_memory(*model);
  return mlx::on_stream([&] { return std::make_unique<mlx::MlxBackend>(std::move(model), options); });
}

}  // namespace xlstm::backend
