// The facade: load a model, prefill, step, generate, keep a state. The only road from a backend to a user.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "xlstm/base/dtype.h"
#include "xlstm/base/tensor_view.h"
#include "xlstm/base/token_id.h"
#include "xlstm/engine/constraint.h"
#include "xlstm/engine/front_end.h"
#include "xlstm/generation/generate.h"
#include "xlstm/model/model.h"
#include "xlstm/model/synthetic.h"
#include "xlstm/state/state_file.h"
#include "xlstm/text/chat_template.h"
#include "xlstm/tokenizer/tokenizer.h"

namespace xlstm::engine {

struct LoadOptions {
  std::filesystem::path model;  // a checkpoint's directory; empty: the model embedded in the library
  std::string backend = "cpu";
  int num_threads = 0;                    // 0: the cores this process may use
  std::optional<DType> activation_dtype;  // backend/activation_dtype.h
  bool batch_invariant = true;            // backend.h
  DType state_dtype = DType::float32;     // of C in mLSTM layers: float32 or bfloat16 (docs/state_dtype.md)
  bool copy_weights = false;              // into memory of huge pages; else used where they lie in the mapped file
  bool check_weights = false;
  std::optional<std::string> chat_template;          // a Jinja source in place of the model's own
  std::function<void(double fraction)> on_progress;  // 0 at the start, 1 when the engine is ready
};

/// A conversation's state, the ids it has read, and what it takes to go on from there. A value: fork() is the only
/// copy, and O(1): whoever reads a token first takes a copy of the state for himself. It must not outlive its engine.
class Session {
 public:
  /// All but the state.
  struct Past {
    std::vector<TokenId> ids;                    // consumed by the state
    std::vector<float> logits;                   // [V]
    std::optional<state::SamplerState> sampler;  // of the request that read the last id
    bool aligned = true;
  };
  /// A fresh one, or one that goes on from `past`.
  explicit Session(std::unique_ptr<backend::State> state) : Session(std::move(state), Past()) {}
  Session(std::unique_ptr<backend::State> state, Past past)
      : state_(std::move(state)), past_(std::make_shared<Past>(std::move(past))) {}
  Session(Session&&) = default;
  Session& operator=(Session&&) = default;
  Session fork() const { return *this; }
  /// For writing.
  backend::State& state();
  const backend::State& state() const noexcept { return *state_; }
  const Past& past() const noexcept { return *past_; }
  /// Ids consumed by the state.
  const std::vector<TokenId>& ids() const noexcept { return past_->ids; }
  /// [V] after the last id. Empty when nothing was read, or when generate() was cancelled in its prompt or threw.
  const std::vector<float>& logits() const noexcept { return past_->logits; }
  /// Where the request stands that read the last id: after a generate() whose ids were all read (Request::resumable).
  const std::optional<state::SamplerState>& sampler() const noexcept { return past_->sampler; }
  /// Whether state and logits have the bits that one prefill of all ids from a fresh state gives: so far every prefill
  /// began at a multiple of Backend::prefill_segment(), and nothing was decoded.
  bool aligned() const noexcept { return past_->aligned; }
  /// Makes a request without a prompt go on from here: with the last logits, and with the seed and the draws of the
  /// session's own request, if it stands at the end of one. Errors: invalid_argument when there are no logits.
  void resume(generation::Request& request) const;

 private:
  friend class Engine;
  Session(const Session&) = default;
  Past& writable_past();

  // Shared with forks until one is written.
  std::shared_ptr<backend::State> state_;
  std::shared_ptr<Past> past_;
};

struct StateTensorValue {
  std::string name;  // "0.c", "block_1.slstm_state.0": see config::StateTensor
  Shape shape;
  std::vector<float> values;
};

struct Perplexity {
  std::size_t tokens = 0;    // read, BOS included
  double nll_per_token = 0;  // mean over tokens - 1 predictions, nats
  double perplexity = 0;

  /// nll: of all tokens - 1 predictions together.
  static Perplexity of(std::size_t tokens, double nll);
};

/// One loaded model on one backend. Thread safety: use from one thread, the one that loaded it.
/// Whatever takes tokens throws invalid_argument for an id outside the vocabulary or for no token at all, before any
/// state changes; whatever takes memory throws overloaded when a state or the logits would not fit.
class Engine {
 public:
  /// Errors: not_found (no such directory, no config, no weights), corrupt_file, unsupported, invalid_argument (backend
  /// name, state dtype), overloaded (not even one state, or not the copy of the weights, would fit in memory).
  static std::unique_ptr<Engine> load(const LoadOptions& options);
  /// A random model of a published shape (see model::make_synthetic); tokenizer: bytes. options.model is not looked at.
  static std::unique_ptr<Engine> synthetic(std::string_view name, const model::SyntheticFormat& format,
                                           std::uint64_t seed, const LoadOptions& options);

  const model::Model& model() const noexcept { return *model_; }
  const tokenizer::Tokenizer& tokenizer() const noexcept { return *tokenizer_; }
  backend::Backend& backend() noexcept { return *backend_; }
  /// Another one over the same model, with the same arithmetic. From any thread: it belongs to that one.
  std::unique_ptr<backend::Backend> make_backend(int num_threads) const;
  /// From now on so many threads; 0: the cores this process may use. Sessions go on.
  void set_num_threads(int num_threads);
  /// Bytes of one sequence's state in the dtype it is kept in.
  std::size_t state_nbytes() const noexcept { return model_->state_spec.nbytes(backend_->state_dtype()); }
  /// Ids that end generation by default (reference 1.9: end-of-text, not the "!" of published files).
  const std::vector<TokenId>& stop_ids() const noexcept { return stop_ids_; }
  /// The eos ids of the model's own config that are in the vocabulary, for those who opt in to them.
  std::vector<TokenId> config_stop_ids() const;
  /// Where the model came from: a path or "embedded".
  const std::string& source() const noexcept { return source_; }
  /// 32 hex digits over config and every weight (see engine/model_hash.h); computed on first use, which reads all
  /// weights.
  const std::string& model_hash();

  /// What computes its bits: backend, CPU target, activation dtype and segment.
  std::string arithmetic() const;

  /// Ids of text; with_bos prepends the BOS when the model asks for one and the text does not begin with it.
  std::vector<TokenId> encode(std::string_view text, bool with_bos) const;
  /// What turns messages into the text that the model was trained to read, or null if it has none. Its text goes to
  /// encode() with BOS: special tokens written in it are parsed as such, and a BOS that it begins with is not doubled.
  /// From any thread. Errors: those of text::ChatTemplate::from_tokenizer_config.
  const text::ChatTemplate* chat_template() const;
  /// generation::Request::constraint for this model's tokenizer; one that is asked for again is kept. From any thread:
  /// it may take a second, which no other request waits for. Errors: invalid_argument (engine/constraint.h).
  SharedMasks constraint(const Constraint& constraint) const { return constraints_->get(constraint); }

  Session new_session();
  /// Logits [V] of the last position.
  std::vector<float> prefill(Session& session, std::span<const TokenId> tokens);
  /// Logits [V].
  std::vector<float> step(Session& session, TokenId token);
  /// Advances the session by the prompt and what is generated, except the last id (see generation::generate). An empty
  /// request.history stands for the session's own ids; Result::logits move into the session. When something throws
  /// half-way the session stays true: its ids are those that its state has read. REQUIRES: callbacks.keep_output.
  generation::Result generate(Session& session, generation::Request request,
                              const generation::Callbacks& callbacks = {},
                              const generation::Speculation& speculation = {});

  /// The same for a session that nobody goes on with: with callbacks.keep_output false in memory that does not grow
  /// with the text.
  generation::Result generate(Session&& session, generation::Request request,
                              const generation::Callbacks& callbacks = {},
                              const generation::Speculation& speculation = {});

  /// Logits of every position [T, V].
  std::vector<float> all_logits(Session& session, std::span<const TokenId> tokens);
  std::vector<StateTensorValue> state_tensors(const Session& session) const;
  /// One unbroken sequence from a fresh state, at least two tokens; softmax in double. Memory: the logits of one
  /// prefill segment. callbacks: on_prefill and cancel (which throws cancelled) count.
  Perplexity perplexity(std::span<const TokenId> tokens, const generation::Callbacks& callbacks = {});

  /// The session as a file for restore(), in any engine that runs the same model with the same tokenizer
  /// (state/state_file.h): what it then computes has the bits it would have had here. An engine with another state
  /// dtype takes it as well, rounded; there, and where another CPU target or activation dtype computes, it is not
  /// aligned().
  void save(const Session& session, const std::filesystem::path& path, const state::SaveOptions& options = {});
  Session restore(const std::filesystem::path& path);

 private:
  Engine() = default;
  void start_backend(const LoadOptions& options);
  void record_prefill(Session& session, std::span<const TokenId> tokens, std::span<const float> logits) const;
  std::vector<float> new_logits(std::size_t positions) const;

  std::shared_ptr<const model::Model> model_;
  std::unique_ptr<tokenizer::Tokenizer> tokenizer_;
  ChatFiles chat_files_;
  mutable std::once_flag chat_template_once_;
  mutable std::optional<text::ChatTemplate> chat_template_;
  std::unique_ptr<Constraints> constraints_;
  backend::Options backend_options_;
  std::unique_ptr<backend::Backend> backend_;
  std::vector<TokenId> stop_ids_;
  std::string source_;
  std::string model_hash_;
};

}  // namespace xlstm::engine
