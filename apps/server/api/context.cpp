#include "apps/server/api/context.h"

#include <utility>

#include "xlstm/base/hash.h"

namespace xlstm::server::api {
namespace {

constexpr std::size_t kFingerprintDigits = 10;

/// The model's own hash would read all weights.
std::string fingerprint_of(const engine::Engine& engine, const std::string& version) {
  Hasher hasher;
  for (const std::string& part : {engine.source(), engine.arithmetic(), engine.tokenizer().fingerprint(), version}) {
    hasher.update(part).update(std::string_view("\0", 1));
  }
  return "fp_" + hasher.digest().substr(0, kFingerprintDigits);
}

}  // namespace

Context::Context(engine::Service& engine_service, ApiOptions api_options)
    : service(engine_service),
      options(std::move(api_options)),
      fingerprint(fingerprint_of(service.engine(), options.version)),
      states(service.engine().state_nbytes(), options.kept_states_bytes, options.kept_states),
      metrics(service, states),
      keep_alive(options.keep_alive) {}

void check_model(ObjectReader& body, const Context& context) {
  const std::string name = body.required_text("model");
  if (name == context.options.model) return;
  throw ApiError(404, "model_not_found", "model",
                 "model: expected " + dump(context.options.model) + " but got " + dump(name.substr(0, 80)));
}

std::vector<TokenId> encode_prompt(const Context& context, std::string_view text, bool with_bos,
                                   const std::string& name) {
  std::vector<TokenId> ids = context.service.engine().encode(text, with_bos);
  const std::size_t most = context.options.limits.prompt_tokens;
  if (ids.size() > most) refuse_limit(422, name, most, "tokens", ids.size());
  return ids;
}

}  // namespace xlstm::server::api
