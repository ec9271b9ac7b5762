#include "apps/server/api/status_routes.h"

#include <utility>

#include "apps/server/api/respond.h"

namespace xlstm::server::api {
namespace {

Json model_json(const Context& context) {
  return {{"id", context.options.model}, {"object", "model"}, {"created", context.started}, {"owned_by", "xlstm.cpp"}};
}

void tell(Exchange& exchange, const std::function<std::optional<std::string>()>& problem) {
  const std::optional<std::string> reason = problem ? problem() : std::nullopt;
  if (!reason) return respond_json(exchange, {{"status", "ok"}});
  respond_json(exchange, {{"status", "error"}, {"reason", *reason}}, 503);
}

Json limits_json(const Limits& limits) {
  return {{"max_tokens", limits.max_tokens},
          {"prompt_tokens", limits.prompt_tokens},
          {"prompts", limits.prompts},
          {"embeddings", limits.embeddings},
          {"choices", limits.choices},
          {"stop_strings", limits.stop_strings},
          {"stop_bytes", limits.stop_bytes},
          {"logit_biases", limits.logit_biases},
          {"top_logprobs", limits.top_logprobs},
          {"messages", limits.messages},
          {"tools", limits.tools},
          {"schema_bytes", limits.schema_bytes},
          {"template_bytes", limits.template_bytes}};
}

}  // namespace

void list_models(Context& context, const std::shared_ptr<Exchange>& exchange) {
  respond_json(*exchange, {{"object", "list"}, {"data", Json::array({model_json(context)})}});
}

void get_model(Context& context, const std::shared_ptr<Exchange>& exchange) {
  const std::string& id = exchange->request().parameters.at("id");
  if (id != context.options.model) {
    throw ApiError(404, "model_not_found", "model",
                   "model: expected " + dump(context.options.model) + " but got another");
  }
  respond_json(*exchange, model_json(context));
}

void health(Context& context, const std::shared_ptr<Exchange>& exchange) { tell(*exchange, context.options.unhealthy); }

void ready(Context& context, const std::shared_ptr<Exchange>& exchange) { tell(*exchange, context.options.unready); }

void slots(Context& context, const std::shared_ptr<Exchange>& exchange) {
  Json list = Json::array();
  const auto now = std::chrono::steady_clock::now();
  for (const auto& request : context.active.list()) {
    list.push_back({{"id", request->request_id},
                    {"path", request->path},
                    {"seconds", std::chrono::duration<double>(now - request->since).count()},
                    {"prompt_tokens", request->prompt_total.load()},
                    {"prompt_tokens_read", request->prompt_done.load()},
                    {"generated_tokens", request->generated.load()}});
  }
  respond_json(*exchange, list);
}

void props(Context& context, const std::shared_ptr<Exchange>& exchange) {
  const engine::Engine& engine = context.service.engine();
  const config::ModelConfig& config = engine.model().config;
  const engine::Stats stats = context.service.stats();
  respond_json(*exchange,
               {{"model", context.options.model},
                {"version", context.options.version},
                {"system_fingerprint", context.fingerprint},
                {"arithmetic", engine.arithmetic()},
                {"vocab_size", config.vocab_size},
                {"embedding_dim", config.embedding_dim},
                {"num_blocks", engine.model().blocks.size()},
                {"state_bytes", engine.state_nbytes()},
                {"used_state_bytes", stats.state_bytes},
                {"max_state_bytes", stats.max_state_bytes},
                {"chat_template", engine.chat_template() != nullptr},
                {"default_max_tokens",
                 {{"completion", context.options.completion_max_tokens}, {"chat", context.options.chat_max_tokens}}},
                {"limits", limits_json(context.options.limits)}});
}

void metrics(Context& context, const std::shared_ptr<Exchange>& exchange) {
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = context.metrics.text();
  exchange->respond(std::move(response));
}

}  // namespace xlstm::server::api
