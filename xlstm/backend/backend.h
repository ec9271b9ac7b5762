// The one interface between a model and the machine that runs it.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/base/dtype.h"
#include "xlstm/base/token_id.h"
#include "xlstm/model/model.h"

namespace xlstm::backend {

class Observer;
class Profile;

/// The recurrent state of one sequence in a backend's own memory. A value: clone() is the only copy.
class State {
 public:
  virtual ~State() = default;
  virtual std::unique_ptr<State> clone() const = 0;
  /// Copies the state out to / in from StateSpec::slot_size float32 values: out exactly, in with matrix memories
  /// rounded to the backend's state_dtype().
  virtual void to_host(std::span<float> slot) const = 0;
  virtual void from_host(std::span<const float> slot) = 0;
};

enum class Logits { none, last, all };

/// Consume `tokens` (at least one) starting from `state`, which is advanced.
struct PrefillRow {
  std::span<const TokenId> tokens;
  State* state = nullptr;
  Logits wanted = Logits::last;
  std::span<float> logits;  // [V] for last, [T, V] for all, empty for none
};

/// Consume one token from `state`, which is advanced.
struct DecodeRow {
  TokenId token = 0;
  State* state = nullptr;
  std::span<float> logits;  // [V]
};

/// Tokens that one verification takes.
inline constexpr std::size_t kMaxVerifyTokens = 16;

/// Logits after each of `tokens` (1 to kMaxVerifyTokens), read one after the other from `state`, which stays as it is.
struct VerifyRow {
  std::span<const TokenId> tokens;
  State* state = nullptr;
  std::span<float> logits;  // [T, V]
};

struct Options {
  int num_threads = 0;                         // 0: the cores this process may use
  DType state_dtype = DType::float32;          // of matrix memories (C of mLSTM layers): float32 or bfloat16
  std::optional<DType> activation_dtype = {};  // backend/activation_dtype.h has what none means
  bool batch_invariant =
      true;  // false: a large batch may take faster products, in which a row's bits depend on its size
};

/// Runs one model. Rows of one call are independent: a row's logits and state have the same bits whatever else is
/// in the call (batch_invariant(); others within rounding).
/// Thread safety: one thread at a time, and for MLX backends always the thread that made it (streams belong to
/// threads). Errors: invalid_argument for an id outside [0, V), an empty row or a wrong span; checked before any state
/// changes.
class Backend {
 public:
  virtual ~Backend() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual const model::Model& model() const noexcept = 0;
  virtual int num_threads() const noexcept = 0;
  /// What activations are rounded to before products (activation_dtype_name).
  virtual std::string activation_dtype() const { return "float32"; }
  virtual bool batch_invariant() const noexcept { return true; }
  /// Bytes of weights that it keeps once more, in another form.
  virtual std::size_t repacked_bytes() const noexcept { return 0; }
  /// What its states keep matrix memories in; the rest of a state and all arithmetic are float32. A narrower C is
  /// rounded to nearest even after every decode step and every prefill segment.
  virtual DType state_dtype() const noexcept { return DType::float32; }
  /// A fresh state: all zeros.
  virtual std::unique_ptr<State> make_state() = 0;
  virtual void prefill(std::span<const PrefillRow> rows) = 0;
  virtual void decode(std::span<const DecodeRow> rows) = 0;
  /// What as many decode steps would give, bit for bit and in one pass over the weights: for tokens that are guessed.
  /// accept() then keeps those that were right. Errors: unsupported; those of bad rows.
  virtual void verify(const VerifyRow& row);
  virtual bool can_verify() const noexcept { return false; }
  /// Advances `state` by the first `tokens` of its verification, which must have been the last call of this backend,
  /// bit for bit as that many decode steps would. REQUIRES: nobody else wrote to the state meanwhile. Errors:
  /// unsupported; invalid_argument for a state not just verified and for more tokens than were.
  virtual void accept(State& state, std::size_t tokens);
  /// Tokens of one internal prefill segment; cutting a prompt at multiples of it changes no bit.
  virtual std::size_t prefill_segment() const noexcept = 0;
  /// From now on every pass adds the times of its operations to `profile`; null: no longer. Errors: unsupported.
  virtual void set_profile(Profile* profile);
  /// From now on every pass shows what flows through it to `observer`; null: no longer. Errors: unsupported.
  virtual void set_observer(Observer* observer);
};

/// name: "cpu", "mlx" (reference graph) or "mlx-cpu" (the CPU engine as one MLX primitive a call).
/// Errors: invalid_argument for an unknown name or another state_dtype than float32 and bfloat16, unsupported for a
/// backend that was not built and for bfloat16 with "mlx".
std::unique_ptr<Backend> make_backend(std::string_view name, std::shared_ptr<const model::Model> model,
                                      const Options& options);

/// Names of the backends in this build.
std::vector<std::string> backend_names();

/// Throws what Backend promises for a bad row. For use by implementations.
void check_rows(const model::Model& model, std::span<const PrefillRow> rows);
void check_rows(const model::Model& model, std::span<const DecodeRow> rows);
void check_row(const model::Model& model, const VerifyRow& row);

}  // namespace xlstm::backend
