// "mlx-cpu": the CPU backend with every prefill segment and decode step run as one MLX primitive.
#include <algorithm>
#include <utility>
#include <vector>

#include "xlstm/backend/cpu/cpu_backend.h"
#include "xlstm/backend/mlx/cpu_step.h"
#include "xlstm/backend/mlx/mlx_backend.h"

namespace xlstm::backend {
namespace mlx {
namespace {

// One primitive costs 16 us a call over calling the CPU engine directly, whatever is inside (measured on Zen 3); a
// graph of MLX ops would cost 2-4 us for each op and run them scalar.
class MlxCpuBackend : public Backend {
 public:
  explicit MlxCpuBackend(std::unique_ptr<Backend> cpu) : cpu_(std::move(cpu)) {}

  std::string_view name() const noexcept override { return "mlx-cpu"; }
  const model::Model& model() const noexcept override { return cpu_->model(); }
  int num_threads() const noexcept override { return cpu_->num_threads(); }
  std::string activation_dtype() const override { return cpu_->activation_dtype(); }
  bool batch_invariant() const noexcept override { return cpu_->batch_invariant(); }
  DType state_dtype() const noexcept override { return cpu_->state_dtype(); }
  std::unique_ptr<State> make_state() override { return cpu_->make_state(); }
  std::size_t prefill_segment() const noexcept override { return cpu_->prefill_segment(); }
  void set_profile(Profile* profile) override { cpu_->set_profile(profile); }
  void set_observer(Observer* observer) override { cpu_->set_observer(observer); }

  void prefill(std::span<const PrefillRow> rows) override {
    owner_.check();
    check_rows(model(), rows);
    std::size_t longest = 0;
    for (const PrefillRow& row : rows) longest = std::max(longest, row.tokens.size());
    for (std::size_t begin = 0; begin < longest; begin += prefill_segment()) {
      const std::vector<PrefillRow> segment = segment_of(rows, begin);
      run<PrefillRow>(segment, [this](std::span<const PrefillRow> part) { cpu_->prefill(part); });
    }
  }

  void decode(std::span<const DecodeRow> rows) override {
    owner_.check();
    check_rows(model(), rows);
    run<DecodeRow>(rows, [this](std::span<const DecodeRow> part) { cpu_->decode(part); });
  }

 private:
  // What is left of each row from token `begin` on, at most a segment of it.
  std::vector<PrefillRow> segment_of(std::span<const PrefillRow> rows, std::size_t begin) const {
    const auto vocab = static_cast<std::size_t>(model().config.vocab_size);
    std::vector<PrefillRow> segment;
    for (const PrefillRow& row : rows) {
      if (begin >= row.tokens.size()) continue;
      const std::size_t count = std::min(prefill_segment(), row.tokens.size() - begin);
      PrefillRow part = row;
      part.tokens = row.tokens.subspan(begin, count);
      if (row.wanted == Logits::all) part.logits = row.logits.subspan(begin * vocab, count * vocab);
      if (row.wanted == Logits::last && begin + count < row.tokens.size()) {
        part.wanted = Logits::none;
        part.logits = {};
      }
      segment.push_back(part);
    }
    return segment;
  }

  // Runs the rows as one primitive whose output holds the logits of all of them, then hands each row its own.
  template <class Row, class Call>
  void run(std::span<const Row> rows, Call call) const {
    std::size_t num_floats = 0;
    for (const Row& row : rows) num_floats += row.logits.size();
    const mx::array out = run_as_primitive(num_floats, [&](std::span<float> logits) {
      std::vector<Row> inside(rows.begin(), rows.end());
      std::size_t offset = 0;
      for (Row& row : inside) {
        row.logits = logits.subspan(offset, row.logits.size());
        offset += row.logits.size();
      }
      call(std::span<const Row>(inside));
    });
    const float* from = out.data<float>();
    for (const Row& row : rows) {
      std::copy_n(from, row.logits.size(), row.logits.data());
      from += row.logits.size();
    }
  }

  OwnerThread owner_;
  std::unique_ptr<Backend> cpu_;
};

}  // namespace
}  // namespace mlx

std::unique_ptr<Backend> make_mlx_cpu_backend(std::shared_ptr<const model::Model> model, const Options& options) {
  check_mlx_version();
  return std::make_unique<mlx::MlxCpuBackend>(make_cpu_backend(std::move(model), options));
}

}  // namespace xlstm::backend
