#include "apps/server/api/api.h"

#include <utility>

#include "apps/server/api/chat.h"
#include "apps/server/api/completions.h"
#include "apps/server/api/context.h"
#include "apps/server/api/embeddings.h"
#include "apps/server/api/errors.h"
#include "apps/server/api/messages.h"
#include "apps/server/api/responses.h"
#include "apps/server/api/states.h"
#include "apps/server/api/status_routes.h"
#include "apps/server/api/text_routes.h"

namespace xlstm::server::api {
namespace {

using Action = void (*)(Context& context, const std::shared_ptr<Exchange>& exchange);

struct ApiRoute {
  const char *method, *path;
  Action action;
  ErrorForm form = ErrorForm::openai;
};

constexpr ApiRoute kRoutes[] = {
    {"POST", "/v1/completions", complete},
    {"POST", "/v1/chat/completions", chat},
    {"POST", "/v1/responses", respond_to},
    {"GET", "/v1/responses/{id}", get_response},
    {"DELETE", "/v1/responses/{id}", delete_response},
    {"POST", "/v1/messages", message, ErrorForm::anthropic},
    {"POST", "/v1/messages/count_tokens", count_message_tokens, ErrorForm::anthropic},
    {"POST", "/v1/embeddings", embeddings},
    {"GET", "/v1/models", list_models},
    {"GET", "/v1/models/{id}", get_model},
    {"POST", "/v1/states", create_state},
    {"GET", "/v1/states", list_states},
    {"POST", "/v1/states/import", import_state},
    {"GET", "/v1/states/{id}", get_state},
    {"DELETE", "/v1/states/{id}", delete_state},
    {"POST", "/v1/states/{id}/fork", fork_state},
    {"GET", "/v1/states/{id}/export", export_state},
    {"POST", "/tokenize", tokenize},
    {"POST", "/detokenize", detokenize},
    {"POST", "/apply-template", apply_template},
    {"GET", "/health", health},
    {"GET", "/ready", ready},
    {"GET", "/slots", slots},
    {"GET", "/props", props},
    {"GET", "/metrics", metrics},
};

}  // namespace

std::shared_ptr<Context> add_routes(const AddRoute& add, engine::Service& service, ApiOptions options) {
  auto context = std::make_shared<Context>(service, std::move(options));
  for (const ApiRoute& route : kRoutes) {
    Handler handler = [context, action = route.action](const std::shared_ptr<Exchange>& exchange) {
      action(*context, exchange);
    };
    add(route.method, route.path, context->metrics.counted(with_errors(std::move(handler), route.form), route.path));
  }
  return context;
}

}  // namespace xlstm::server::api
