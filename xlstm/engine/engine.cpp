#include "xlstm/engine/engine.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "xlstm/base/error.h"
#include "xlstm/base/log.h"
#include "xlstm/base/thread_pool.h"
#include "xlstm/checkpoint/available_memory.h"
#include "xlstm/checkpoint/checkpoint.h"
#include "xlstm/engine/embedded_model.h"
#include "xlstm/engine/front_end.h"
#include "xlstm/engine/model_hash.h"
#include "xlstm/kernels/cpu/dispatch.h"
#include "xlstm/model/load.h"

namespace xlstm::engine {
namespace {

std::size_t slot_floats(const model::Model& model) { return static_cast<std::size_t>(model.state_spec.slot_size); }

/// Below this, asking the system how much is left costs more than the mistake.
constexpr std::size_t kSmallBytes = std::size_t{16} << 20;

void require_memory(std::size_t bytes, std::string_view where, std::string_view what) {
  if (bytes < kSmallBytes) return;
  checkpoint::require_memory(bytes, where, what, [] { return checkpoint::available_memory_bytes(); });
}

void report(const LoadOptions& options, double fraction) {
  if (options.on_progress) options.on_progress(fraction);
}

/// What reads every weight, when it is asked for.
void prepare_weights(const LoadOptions& options, const checkpoint::FileSource& files,
                     checkpoint::Checkpoint& checkpoint) {
  if (!options.copy_weights && !options.check_weights) return;
  ThreadPool pool(options.num_threads);
  if (options.copy_weights) checkpoint::copy_weights(checkpoint, files, pool);
  if (options.check_weights) checkpoint::check_finite(checkpoint, pool);
}

void note_unusual_vocabulary(const model::Model& model, const tokenizer::Tokenizer& tokenizer) {
  const auto rows = static_cast<std::size_t>(model.config.vocab_size);
  if (tokenizer.vocab_size() <= rows) return;
  log(LogLevel::warning, "the tokenizer has " + std::to_string(tokenizer.vocab_size()) + " ids but the model only " +
                             std::to_string(rows) + ": text that needs the others is refused");
}

}  // namespace

backend::State& Session::state() {
  if (state_.use_count() > 1) state_ = state_->clone();
  return *state_;
}

Session::Past& Session::writable_past() {
  if (past_.use_count() > 1) past_ = std::make_shared<Past>(*past_);
  return *past_;
}

void Session::resume(generation::Request& request) const {
  if (past_->logits.empty()) {
    fail(ErrorCode::invalid_argument, "state",
         "expected a state with the logits of its last token but got one without; ", "give it a prompt to read");
  }
  request.logits = past_->logits;
  if (!past_->sampler) return;
  request.sampling.seed = past_->sampler->seed;
  request.drawn = static_cast<std::size_t>(past_->sampler->drawn);
}

std::unique_ptr<Engine> Engine::load(const LoadOptions& options) {
  report(options, 0);
  const bool embedded = options.model.empty();
  const std::unique_ptr<checkpoint::FileSource> files =
      embedded ? embedded_model() : checkpoint::open_directory(options.model);
  checkpoint::Checkpoint checkpoint = checkpoint::read_checkpoint(*files);
  report(options, 0.25);
  prepare_weights(options, *files, checkpoint);
  report(options, 0.5);

  std::unique_ptr<Engine> engine(new Engine());
  engine->source_ = embedded ? "embedded" : options.model.string();
  engine->model_ = model::build_model(checkpoint);
  engine->tokenizer_ = read_tokenizer(*files);
  engine->stop_ids_ = default_stop_ids(*files, *engine->tokenizer_, engine->model_->config);
  engine->chat_files_ = read_chat_files(*files);
  if (options.chat_template) engine->chat_files_.chat_template = options.chat_template;
  note_unusual_vocabulary(*engine->model_, *engine->tokenizer_);
  report(options, 0.75);
  engine->start_backend(options);
  return engine;
}

std::unique_ptr<Engine> Engine::synthetic(std::string_view name, const model::SyntheticFormat& format,
                                          std::uint64_t seed, const LoadOptions& options) {
  report(options, 0);
  std::unique_ptr<Engine> engine(new Engine());
  engine->source_ = "synthetic " + std::string(name);
  engine->model_ = model::make_synthetic(name, format, seed);
  engine->tokenizer_ = tokenizer::make_byte_tokenizer();
  report(options, 0.75);
  engine->start_backend(options);
  return engine;
}

void Engine::start_backend(const LoadOptions& options) {
  constraints_ = std::make_unique<Constraints>(*tokenizer_);
  require_memory(model_->state_spec.nbytes(options.state_dtype), source_, "the state of one sequence");
  backend_options_ = {.num_threads = options.num_threads,
                      .state_dtype = options.state_dtype,
                      .activation_dtype = options.activation_dtype,
                      .batch_invariant = options.batch_invariant};
  backend_ = backend::make_backend(options.backend, model_, backend_options_);
  report(options, 1);
}

std::unique_ptr<backend::Backend> Engine::make_backend(int num_threads) const {
  backend::Options options = backend_options_;
  options.num_threads = num_threads;
  return backend::make_backend(backend_->name(), model_, options);
}

void Engine::set_num_threads(int num_threads) {
  backend_options_.num_threads = num_threads;
  backend_ = backend::make_backend(backend_->name(), model_, backend_options_);
}

std::vector<TokenId> Engine::config_stop_ids() const { return engine::config_stop_ids(model_->config); }

const std::string& Engine::model_hash() {
  if (model_hash_.empty()) {
    ThreadPool pool(backend_->num_threads());
    model_hash_ = engine::model_hash(*model_, pool);
  }
  return model_hash_;
}

std::vector<TokenId> Engine::encode(std::string_view text, bool with_bos) const {
  return encode_prompt(text, with_bos, *tokenizer_, model_->config);
}

const text::ChatTemplate* Engine::chat_template() const {
  std::call_once(chat_template_once_, [this] { chat_template_ = parse_chat_template(chat_files_); });
  return chat_template_ ? &*chat_template_ : nullptr;
}

Session Engine::new_session() {
  require_memory(state_nbytes(), source_, "the state of one sequence");
  return Session(backend_->make_state());
}

std::vector<float> Engine::new_logits(std::size_t positions) const {
  const auto vocab = static_cast<std::size_t>(model_->config.vocab_size);
  require_memory(positions * vocab * sizeof(float), source_,
                 "the logits of " + std::to_string(positions) + " positions");
  return std::vector<float>(positions * vocab);
}

std::vector<float> Engine::prefill(Session& session, std::span<const TokenId> tokens) {
  std::vector<float> logits = new_logits(1);
  const backend::PrefillRow row{tokens, &session.state(), backend::Logits::last, logits};
  backend_->prefill(std::span(&row, 1));
  record_prefill(session, tokens, logits);
  return logits;
}

std::vector<float> Engine::step(Session& session, TokenId token) {
  std::vector<float> logits = new_logits(1);
  const backend::DecodeRow row{token, &session.state(), logits};
  backend_->decode(std::span(&row, 1));
  Session::Past& past = session.writable_past();
  past.ids.push_back(token);
  past.logits = logits;
  past.sampler.reset();
  past.aligned = false;
  return logits;
}

std::vector<float> Engine::all_logits(Session& session, std::span<const TokenId> tokens) {
  std::vector<float> logits = new_logits(tokens.size());
  const backend::PrefillRow row{tokens, &session.state(), backend::Logits::all, logits};
  backend_->prefill(std::span(&row, 1));
  record_prefill(session, tokens, std::span(logits).last(logits.size() / tokens.size()));
  return logits;
}

void Engine::record_prefill(Session& session, std::span<const TokenId> tokens, std::span<const float> logits) const {
  Session::Past& past = session.writable_past();
  past.aligned = past.aligned && past.ids.size() % backend_->prefill_segment() == 0;
  past.ids.insert(past.ids.end(), tokens.begin(), tokens.end());
  past.logits.assign(logits.begin(), logits.end());
  past.sampler.reset();
}

generation::Result Engine::generate(Session& session, generation::Request request,
                                    const generation::Callbacks& callbacks,
                                    const generation::Speculation& speculation) {
  XLSTM_CHECK(callbacks.keep_output);
  Session::Past& past = session.writable_past();
  if (request.history.empty()) request.history = past.ids;
  generation::Result result;
  const auto record = [&] {
    const std::size_t from_prompt = std::min(result.state_tokens, request.prompt.size());
    if (result.state_tokens > 0) {
      record_prefill(session, std::span(request.prompt).first(from_prompt), {});
      past.aligned = past.aligned && result.state_tokens == from_prompt;
    }
    const auto generated = result.ids.begin();
    past.ids.insert(past.ids.end(), generated, generated + std::ptrdiff_t(result.state_tokens - from_prompt));
  };
  try {
    generation::generate(*backend_, session.state(), *tokenizer_, request, callbacks, result, speculation);
  } catch (...) {
    record();
    throw;
  }
  record();
  if (result.logits.empty()) return result;  // cancelled in its prompt
  past.logits = std::exchange(result.logits, {});
  past.sampler.reset();
  if (result.state_tokens == request.prompt.size() + result.ids.size()) {
    past.sampler = {request.sampling.seed, request.drawn + result.ids.size()};
  }
  return result;
}

generation::Result Engine::generate(Session&& session, generation::Request request,
                                    const generation::Callbacks& callbacks,
                                    const generation::Speculation& speculation) {
  if (request.history.empty()) request.history = session.ids();
  return generation::generate(*backend_, session.state(), *tokenizer_, request, callbacks, speculation);
}

std::vector<StateTensorValue> Engine::state_tensors(const Session& session) const {
  std::vector<float> slot(slot_floats(*model_));
  session.state_->to_host(slot);
  std::vector<StateTensorValue> values;
  for (const config::StateTensor& tensor : model_->state_spec.tensors) {
    const auto begin = slot.begin() + tensor.offset;
    values.push_back({tensor.name, tensor.shape, std::vector<float>(begin, begin + tensor.size)});
  }
  return values;
}

std::string Engine::arithmetic() const {
  return std::string(backend_->name()) + ' ' + kernels::cpu_target_name() + ", activations " +
         backend_->activation_dtype() + ", segments of " + std::to_string(backend_->prefill_segment());
}

void Engine::save(const Session& session, const std::filesystem::path& path, const state::SaveOptions& options) {
  const Session::Past& past = session.past();
  state::StateFile file{model_hash(),
                        tokenizer_->fingerprint(),
                        past.ids,
                        std::vector<float>(slot_floats(*model_)),
                        backend_->state_dtype(),
                        past.logits,
                        past.sampler,
                        past.aligned,
                        arithmetic()};
  session.state_->to_host(file.slot);
  state::save_state(path, model_->state_spec, file, options);
}

Session Engine::restore(const std::filesystem::path& path) {
  state::StateFile file =
      state::load_state(path, {model_->state_spec, model_hash(), tokenizer_->fingerprint(), model_->config.vocab_size});
  Session session = new_session();
  session.state().from_host(file.slot);
  const bool same_bits = file.state_dtype == backend_->state_dtype() && file.arithmetic == arithmetic();
  session.writable_past() = {std::move(file.ids), std::move(file.logits), file.sampler, file.aligned && same_bits};
  return session;
}

}  // namespace xlstm::engine
