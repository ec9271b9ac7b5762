#include "xlstm/backend/backend.h"

#include "xlstm/backend/cpu/cpu_backend.h"
#include "xlstm/backend/mlx/mlx_backend.h"
#include "xlstm/base/error.h"

namespace xlstm::backend {
namespace {

void check_token(const model::Model& model, TokenId token) {
  if (token < 0 || token >= model.config.vocab_size) {
    fail(ErrorCode::invalid_argument, "token", "expected an id from 0 to ", model.config.vocab_size - 1, " but got ",
         token);
  }
}

void check_logits(std::size_t expected, std::size_t found) {
  if (expected != found)
    fail(ErrorCode::invalid_argument, "logits", "expected room for ", expected, " values but got ", found);
}

void check_state(const State* state) {
  if (state == nullptr) fail(ErrorCode::invalid_argument, "state", "expected a state but got none");
}

}  // namespace

void check_rows(const model::Model& model, std::span<const PrefillRow> rows) {
  const auto vocab = static_cast<std::size_t>(model.config.vocab_size);
  for (const PrefillRow& row : rows) {
    if (row.tokens.empty()) fail(ErrorCode::invalid_argument, "prefill", "expected at least one token but got none");
    for (const TokenId token : row.tokens) check_token(model, token);
    check_state(row.state);
    const std::size_t positions = row.wanted == Logits::none ? 0 : row.wanted == Logits::last ? 1 : row.tokens.size();
    check_logits(positions * vocab, row.logits.size());
  }
}

void check_rows(const model::Model& model, std::span<const DecodeRow> rows) {
  for (const DecodeRow& row : rows) {
    check_token(model, row.token);
    check_state(row.state);
    check_logits(static_cast<std::size_t>(model.config.vocab_size), row.logits.size());
  }
}

void check_row(const model::Model& model, const VerifyRow& row) {
  const std::size_t count = row.tokens.size();
  if (count == 0 || count > kMaxVerifyTokens) {
    fail(ErrorCode::invalid_argument, "verify", "expected 1 to ", kMaxVerifyTokens, " tokens but got ", count);
  }
  for (const TokenId token : row.tokens) check_token(model, token);
  check_state(row.state);
  check_logits(count * static_cast<std::size_t>(model.config.vocab_size), row.logits.size());
}

void Backend::verify(const VerifyRow&) {
  fail(ErrorCode::unsupported, "verify", "expected the backend cpu but got ", name());
}

void Backend::accept(State&, std::size_t) {
  fail(ErrorCode::unsupported, "accept", "expected the backend cpu but got ", name());
}

void Backend::set_profile(Profile*) {
  fail(ErrorCode::unsupported, "profile", "expected the backend cpu or mlx-cpu but got ", name());
}

void Backend::set_observer(Observer*) {
  fail(ErrorCode::unsupported, "observer", "expected the backend cpu or mlx-cpu but got ", name());
}

std::vector<std::string> backend_names() {
  if (mlx_available()) return {"cpu", "mlx", "mlx-cpu"};
  return {"cpu"};
}

std::unique_ptr<Backend> make_backend(std::string_view name, std::shared_ptr<const model::Model> model,
                                      const Options& options) {
  if (name == "cpu") return make_cpu_backend(std::move(model), options);
  if (name == "mlx") return make_mlx_backend(std::move(model), options);
  if (name == "mlx-cpu") return make_mlx_cpu_backend(std::move(model), options);
  fail(ErrorCode::invalid_argument, "backend", "expected cpu, mlx or mlx-cpu but got \"", name, "\"");
}

}  // namespace xlstm::backend
