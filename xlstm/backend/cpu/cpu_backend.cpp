#include "xlstm/backend/cpu/cpu_backend.h"

#include <algorithm>
#include <array>
#include <variant>

#include "xlstm/backend/activation_dtype.h"
#include "xlstm/backend/cpu/blocks.h"
#include "xlstm/backend/cpu/matrix_view.h"
#include "xlstm/backend/cpu/norms.h"
#include "xlstm/backend/cpu/ring.h"
#include "xlstm/backend/observer.h"
#include "xlstm/base/error.h"
#include "xlstm/kernels/cpu/affine.h"
#include "xlstm/kernels/cpu/dispatch.h"
#include "xlstm/kernels/cpu/panel.h"
#include "xlstm/kernels/cpu/panel_ops.h"

namespace xlstm::backend {
namespace {

constexpr std::int64_t W = kernels::kPanelWidth;
// Tokens that go through all blocks together: a weight unpacked once serves 256 tokens, and their activations stay in
// the outer cache. A multiple of the chunk length, so cutting a prompt at segments changes no bit.
constexpr std::int64_t kSegment = 256;
// A piece this short goes token by token: a panel costs the arithmetic of 16 tokens whatever it holds, about four
// decode steps.
constexpr std::int64_t kMaxSteppedTokens = 3;
constexpr std::int64_t kLogitPiece = 1024;  // logits of a row that a thread caps at a time
constexpr std::int64_t kHeadPanels = 4;     // positions per piece when the logits of all are wanted: 64

class CpuState final : public State {
 public:
  explicit CpuState(std::shared_ptr<const SlotLayout> layout)
      : layout_(std::move(layout)), memory_(layout_->nbytes() / sizeof(float)) {}

  std::unique_ptr<State> clone() const override {
    auto copy = std::make_unique<CpuState>(layout_);
    std::copy_n(memory_.data(), memory_.size(), copy->memory_.data());
    return copy;
  }
  void to_host(std::span<float> slot) const override {
    check(slot.size());
    layout_->to_host(reinterpret_cast<const std::byte*>(memory_.data()), slot);
  }
  void from_host(std::span<const float> slot) override {
    check(slot.size());
    layout_->from_host(slot, reinterpret_cast<std::byte*>(memory_.data()));
  }
  StateSlot slot() noexcept { return {layout_.get(), reinterpret_cast<std::byte*>(memory_.data())}; }

 private:
  void check(std::size_t size) const {
    if (size != layout_->host_size())
      fail(ErrorCode::invalid_argument, "state", "expected ", layout_->host_size(), " values but got ", size);
  }
  std::shared_ptr<const SlotLayout> layout_;  // shared with the backend, which the state may outlive
  AlignedFloats memory_;
};

class CpuBackend final : public Backend {
 public:
  CpuBackend(std::shared_ptr<const model::Model> model, const Options& options)
      : model_(std::move(model)),
        activation_dtype_(options.activation_dtype),
        batch_invariant_(options.batch_invariant),
        layout_(std::make_shared<const SlotLayout>(model_->state_spec, options.state_dtype)),
        pool_(options.num_threads),
        ring_(*model_) {
    check_activation_dtype(*model_, activation_dtype_);
    kernels::cpu_target_name();  // reads XLSTM_CPU_TARGET: a wrong one is an error here, not in a kernel
  }

  std::string_view name() const noexcept override { return "cpu"; }
  const model::Model& model() const noexcept override { return *model_; }
  int num_threads() const noexcept override { return pool_.num_threads(); }
  std::string activation_dtype() const override { return activation_dtype_name(*model_, activation_dtype_); }
  bool batch_invariant() const noexcept override { return batch_invariant_; }
  DType state_dtype() const noexcept override { return layout_->state_dtype(); }
  std::size_t prefill_segment() const noexcept override { return kSegment; }
  std::unique_ptr<State> make_state() override { return std::make_unique<CpuState>(layout_); }

  void set_profile(Profile* profile) override { profile_ = profile; }
  void set_observer(Observer* observer) override { observer_ = observer; }
  void prefill(std::span<const PrefillRow> rows) override;
  void decode(std::span<const DecodeRow> rows) override;
  bool can_verify() const noexcept override { return true; }
  void verify(const VerifyRow& row) override;
  void accept(State& state, std::size_t tokens) override;

 private:
  /// A verification has the bits of single steps whatever the run allows.
  Pass pass() { return {*model_, pool_, workspace_, activation_dtype_, batch_invariant_ || ring_.active(), profile_}; }
  void start_profile() const noexcept {
    if (profile_ != nullptr) profile_->start();
  }
  StateSlot slot_of(State* state) const;
  void embed(TokenId token, float* x) const;
  void observe(std::size_t depth, std::int64_t rows, const float* x) const;
  void observe_panels(std::size_t depth, std::int64_t rows, const float* x) const;
  void step(std::span<const TokenId> tokens, std::span<const StateSlot> slots, std::span<float* const> logits,
            Ring* ring = nullptr);
  void step_through(const PrefillRow& row, std::int64_t first, std::int64_t tokens, const StateSlot& slot);
  void prefill_segment_of(const PrefillRow& row, std::int64_t first, std::int64_t tokens, const StateSlot& slot);
  void write_all_logits(const PrefillSegment& segment, std::span<float> logits);
  void write_logits(std::int64_t batch, const float* hidden, std::span<float* const> logits);

  std::shared_ptr<const model::Model> model_;
  std::optional<DType> activation_dtype_;
  bool batch_invariant_;
  std::shared_ptr<const SlotLayout> layout_;  // of every state
  ThreadPool pool_;
  Workspace workspace_;  // of one block
  Workspace stream_;     // the residual stream, across blocks
  Ring ring_;            // of the last verification, until any other call
  Profile* profile_ = nullptr;
  Observer* observer_ = nullptr;
};

StateSlot CpuBackend::slot_of(State* state) const {
  auto* cpu_state = dynamic_cast<CpuState*>(state);
  const StateSlot slot = cpu_state == nullptr ? StateSlot() : cpu_state->slot();
  if (cpu_state == nullptr || slot.layout->nbytes() != layout_->nbytes() ||
      slot.layout->state_dtype() != layout_->state_dtype()) {
    fail(ErrorCode::invalid_argument, "state", "expected a state made by this backend for this model");
  }
  return slot;
}

void CpuBackend::embed(TokenId token, float* x) const {
  const kernels::MatrixView table = matrix_view(model_->embedding);
  if (table.quantized()) return kernels::affine_dequantize(table, token, x);
  const std::byte* row = static_cast<const std::byte*>(table.data) + token * table.row_bytes();
  widen_to_float32(table.dtype, row, static_cast<std::size_t>(table.cols), x);
}

/// x [rows, D].
void CpuBackend::observe(std::size_t depth, std::int64_t rows, const float* x) const {
  if (observer_ == nullptr) return;
  observer_->on_stream(depth, {x, static_cast<std::size_t>(rows * model_->config.embedding_dim)});
}

/// x: panels of `rows` tokens.
void CpuBackend::observe_panels(std::size_t depth, std::int64_t rows, const float* x) const {
  if (observer_ == nullptr) return;
  const std::int64_t dim = model_->config.embedding_dim;
  std::vector<float> plain(static_cast<std::size_t>(rows * dim));
  for (std::int64_t t = 0; t < rows; ++t) {
    kernels::panel_get_lane(x + t / W * dim * W, dim, static_cast<int>(t % W), plain.data() + t * dim);
  }
  observe(depth, rows, plain.data());
}

/// hidden [batch, D], before the final norm; logits[b] [V].
void CpuBackend::write_logits(std::int64_t batch, const float* hidden, std::span<float* const> logits) {
  const std::int64_t dim = model_->config.embedding_dim, vocab = model_->config.vocab_size;
  workspace_.reset();
  const Pass p = pass();
  float* y = workspace_.take(batch * dim);
  if (!model_->out_norm) {
    std::copy_n(hidden, batch * dim, y);
  } else if (model_->config.architecture == config::Architecture::large) {
    decode_rms_norm(p, *model_->out_norm, batch, hidden, y);
  } else {
    decode_layer_norm(p, *model_->out_norm, batch, hidden, y);
  }
  p.lap(model::Op::norm);
  float* out = batch == 1 ? logits[0] : workspace_.take(batch * vocab);
  project(p, y, batch, std::array<Projection, 1>{{{&model_->lm_head, out, vocab}}});
  const std::int64_t pieces = (vocab + kLogitPiece - 1) / kLogitPiece;
  pool_.parallel_for(batch * pieces, [&](std::int64_t task) {
    const std::int64_t b = task / pieces, first = task % pieces * kLogitPiece;
    const std::int64_t count = std::min(kLogitPiece, vocab - first);
    const float* const from = out + b * vocab + first;
    float* const to = logits[static_cast<std::size_t>(b)] + first;
    if (to != from) std::copy_n(from, count, to);
    if (model_->config.output_logit_soft_cap)
      kernels::soft_cap_in_place(to, count, *model_->config.output_logit_soft_cap);
  });
  p.lap(model::Op::head);
}

/// One token of each row, or with a ring the tokens of one sequence. logits: one place of [V] a row, or empty when
/// nobody wants them.
void CpuBackend::step(std::span<const TokenId> tokens, std::span<const StateSlot> slots, std::span<float* const> logits,
                      Ring* ring) {
  const auto batch = static_cast<std::int64_t>(tokens.size());
  const std::int64_t dim = model_->config.embedding_dim;
  stream_.reset();
  float* x = stream_.take(batch * dim);
  for (std::int64_t b = 0; b < batch; ++b) embed(tokens[static_cast<std::size_t>(b)], x + b * dim);
  pass().lap(model::Op::embed);
  observe(0, batch, x);
  const DecodeBatch decode_batch = {batch, x, slots, ring};
  for (std::size_t index = 0; index < model_->blocks.size(); ++index) {
    workspace_.reset();
    std::visit([&](const auto& block) { decode_block(pass(), block, index, decode_batch); }, model_->blocks[index]);
    observe(index + 1, batch, x);
  }
  if (!logits.empty()) write_logits(batch, x, logits);
}

void CpuBackend::verify(const VerifyRow& row) {
  start_profile();
  ring_.clear();
  check_row(*model_, row);
  const auto vocab = static_cast<std::size_t>(model_->config.vocab_size);
  std::vector<float*> logits;
  for (std::size_t t = 0; t < row.tokens.size(); ++t) logits.push_back(row.logits.data() + t * vocab);
  ring_.start(slot_of(row.state), std::ssize(row.tokens));
  step(row.tokens, ring_.slots(), logits, &ring_);
}

void CpuBackend::accept(State& state, std::size_t tokens) {
  const StateSlot slot = slot_of(&state);
  if (!ring_.active() || ring_.state().data != slot.data) {
    fail(ErrorCode::invalid_argument, "accept", "expected the state of the last verification but got another");
  }
  const auto most = static_cast<std::size_t>(ring_.tokens());
  if (tokens > most) {
    fail(ErrorCode::invalid_argument, "accept", "expected at most ", most, " tokens but got ", tokens);
  }
  ring_.fold(pool_, static_cast<std::int64_t>(tokens));
}

void CpuBackend::decode(std::span<const DecodeRow> rows) {
  start_profile();
  ring_.clear();
  check_rows(*model_, rows);
  if (rows.empty()) return;
  std::vector<TokenId> tokens;
  std::vector<StateSlot> slots;
  std::vector<float*> logits;
  for (const DecodeRow& row : rows) {
    tokens.push_back(row.token);
    slots.push_back(slot_of(row.state));
    logits.push_back(row.logits.data());
  }
  step(tokens, slots, logits);
}

/// Tokens [first, first + tokens) of a row, one decode step each.
void CpuBackend::step_through(const PrefillRow& row, std::int64_t first, std::int64_t tokens, const StateSlot& slot) {
  const std::int64_t vocab = model_->config.vocab_size, end = static_cast<std::int64_t>(row.tokens.size());
  for (std::int64_t t = first; t < first + tokens; ++t) {
    float* out = nullptr;
    if (row.wanted == Logits::all) out = row.logits.data() + t * vocab;
    if (row.wanted == Logits::last && t + 1 == end) out = row.logits.data();
    const std::array<StateSlot, 1> slots = {slot};
    const std::array<float*, 1> logits = {out};
    step(row.tokens.subspan(static_cast<std::size_t>(t), 1), slots, std::span(logits).first(out != nullptr ? 1 : 0));
  }
}

void CpuBackend::write_all_logits(const PrefillSegment& s, std::span<float> logits) {
  const std::int64_t rows = model_->config.embedding_dim, dim = rows * W, vocab = model_->config.vocab_size;
  for (std::int64_t first = 0; first < s.panels; first += kHeadPanels) {
    workspace_.reset();
    const Pass p = pass();
    const std::int64_t panels = std::min(kHeadPanels, s.panels - first);
    float* y = workspace_.take(panels * dim);
    const float* x = s.x + first * dim;
    if (!model_->out_norm) {
      std::copy_n(x, panels * dim, y);
    } else if (model_->config.architecture == config::Architecture::large) {
      prefill_rms_norm(p, *model_->out_norm, panels, x, y);
    } else {
      prefill_layer_norm(p, *model_->out_norm, panels, x, y);
    }
    p.lap(model::Op::norm);
    float* out = workspace_.take(panels * vocab * W);
    project_panels(p, y, dim, panels, std::array<Projection, 1>{{{&model_->lm_head, out, vocab * W}}});
    pool_.parallel_for(std::min(panels * W, s.tokens - first * W), [&](std::int64_t t) {
      float* row = logits.data() + (first * W + t) * vocab;
      kernels::panel_get_lane(out + t / W * vocab * W, vocab, static_cast<int>(t % W), row);
      if (model_->config.output_logit_soft_cap)
        kernels::soft_cap_in_place(row, vocab, *model_->config.output_logit_soft_cap);
    });
    p.lap(model::Op::head);
  }
}

void CpuBackend::prefill_segment_of(const PrefillRow& row, std::int64_t first, std::int64_t tokens,
                                    const StateSlot& slot) {
  const std::int64_t dim = model_->config.embedding_dim, vocab = model_->config.vocab_size;
  stream_.reset();
  PrefillSegment s = {tokens, kernels::num_panels(tokens), nullptr, slot};
  s.x = stream_.take(s.panels * dim * W);
  float* token_x = stream_.take(s.panels * dim);  // room for a token of each panel
  pool_.parallel_for(s.panels, [&](std::int64_t p) {
    float* panel = s.x + p * dim * W;
    const std::int64_t count = std::min(W, tokens - p * W);
    if (count < W) std::fill_n(panel, dim * W, 0.0f);
    for (std::int64_t t = 0; t < count; ++t) {
      embed(row.tokens[static_cast<std::size_t>(first + p * W + t)], token_x + p * dim);
      kernels::panel_set_lane(panel, dim, static_cast<int>(t), token_x + p * dim);
    }
  });
  pass().lap(model::Op::embed);
  observe_panels(0, tokens, s.x);
  for (std::size_t index = 0; index < model_->blocks.size(); ++index) {
    workspace_.reset();
    std::visit([&](const auto& block) { prefill_block(pass(), block, index, s); }, model_->blocks[index]);
    observe_panels(index + 1, tokens, s.x);
  }
  const bool is_last = first + tokens == static_cast<std::int64_t>(row.tokens.size());
  if (row.wanted == Logits::all) {
    const auto at = static_cast<std::size_t>(first * vocab);
    write_all_logits(s, row.logits.subspan(at, static_cast<std::size_t>(tokens * vocab)));
  } else if (row.wanted == Logits::last && is_last) {
    kernels::panel_get_lane(s.x + (s.panels - 1) * dim * W, dim, static_cast<int>((tokens - 1) % W), token_x);
    write_logits(1, token_x, std::array<float*, 1>{row.logits.data()});
  }
}

void CpuBackend::prefill(std::span<const PrefillRow> rows) {
  start_profile();
  ring_.clear();
  check_rows(*model_, rows);
  std::vector<StateSlot> slots;
  for (const PrefillRow& row : rows) slots.push_back(slot_of(row.state));
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const auto total = static_cast<std::int64_t>(rows[r].tokens.size());
    for (std::int64_t first = 0; first < total; first += kSegment) {
      const std::int64_t tokens = std::min(kSegment, total - first);
      if (tokens <= kMaxSteppedTokens) {
        step_through(rows[r], first, tokens, slots[r]);
      } else {
        prefill_segment_of(rows[r], first, tokens, slots[r]);
      }
    }
  }
}

}  // namespace

std::unique_ptr<Backend> make_cpu_backend(std::shared_ptr<const model::Model> model, const Options& options) {
  return std::make_unique<CpuBackend>(std::move(model), options);
}

}  // namespace xlstm::backend
